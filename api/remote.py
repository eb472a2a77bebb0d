"""Submitting to a ledger behind a service, by its URL: what `api.submitting` does to a folder."""

import time
from collections.abc import Iterable, Iterator
from itertools import islice

from api.client import Client
from api.outcomes import LeftOut, Sent
from api.session import Session
from chain.reductions import SUBMISSION_COUNT_MAX
from keys.signer import Signer
from keys.statements import parse_statement
from verifier.policy import Policy


class RemoteSubmitting:
    """One file's way into the ledger at a URL, as far as ``policy`` vouches for its log."""

    def __init__(self, session: Session, url: str, policy: Policy, patience: float) -> None:
        self._session = session
        self._url = url
        self._policy = policy
        self._patience = patience
        with self._client() as client:
            self.state = client.state()

    def run(self, lines: Iterable[bytes], platform: str, batch: int) -> Iterator[Sent | LeftOut]:
        """Send ``lines``, signed by ``platform`` with its key here, so many in a submission at
        most; yields what became of them."""
        signer = self._session.signer(self._session.keys_folder(), platform, self.state)
        with self._client(platform, signer) as client:
            for one in client.submit(lines, batch):
                if isinstance(one, Sent) and one.answer and one.answer.refusals:
                    # What they met may be of a class that is new.
                    self.state = client.state()
                yield one

    def hand_over(self, lines: Iterable[bytes], data: bytes) -> Iterator[Sent]:
        """Send the submission ``data``, signed elsewhere over all of ``lines``; yields it.

        Raises the `Refusal` of the whole of it.
        """
        taken = list(islice(lines, SUBMISSION_COUNT_MAX + 1))
        with self._client() as client:
            yield client.send(parse_statement(data), taken)

    def _client(self, platform: str | None = None, signer: Signer | None = None) -> Client:
        return Client(
            self._url,
            self._policy,
            participant=platform,
            signer=signer,
            clock=self._clock,
            patience=self._patience,
        )

    def _clock(self) -> float:
        now = self._session.fixed_now
        return time.time() if now is None else now
