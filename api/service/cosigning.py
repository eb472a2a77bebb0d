"""Cosigning while the service runs: beside sealing, each new checkpoint is offered to cosigners.

Each cosigner of the policy in use that has an address is asked by a thread of its own, so that one
that is slow or dead stops nobody; all that they answer is entered by one more, in few transactions.
Who does not answer, or not well, is asked again after a pause that grows.
"""

import random
import threading
import time
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from api.cosigning import Ahead, Collecting, Cosigned, Cosigner, Offer
from api.service.logs import LOG, reason_of
from api.service.metrics import COSIGNATURES, COSIGNER_FAILURES
from chain.store.leading import Lead
from chain.store.ledger import LedgerStore
from keys.errors import Conflict, TallyError, Unreadable
from keys.notes import NoteKey, NoteSignature
from keys.suites import PublicKey

LOOK_SECONDS = 0.05
"""How often it is looked for a new block, while no answer comes in."""
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.5, 30.0
_AGAIN_SECONDS = 1.0


class _Answer(NamedTuple):
    """What a cosigner made of an offer: a cosignature, or why there is none."""

    asker: "_Asker"
    offer: Offer
    made: NoteSignature | TallyError


class _Asker:
    """The thread that asks one cosigner, and how far that has come."""

    def __init__(
        self, store: LedgerStore, key: NoteKey, url: str, last: int, answers: SimpleQueue[_Answer]
    ) -> None:
        self.key = key
        self.last = last
        self.is_idle = True
        self._store = store
        self._cosigner = Cosigner(key, url)
        self._offers: SimpleQueue[Offer | None] = SimpleQueue()
        self._answers = answers
        self._failures, self._not_before = 0, 0.0
        threading.Thread(target=self._run, name=f"cosigner {key.name}", daemon=True).start()

    def is_ready(self) -> bool:
        """Whether it may be given an offer."""
        return self.is_idle and time.monotonic() >= self._not_before

    def give(self, offer: Offer) -> None:
        """Have the cosigner asked."""
        self.is_idle = False
        self._offers.put(offer)

    def end(self) -> None:
        """End after what is being asked."""
        self._offers.put(None)

    def settle(self, answer: _Answer, collecting: Collecting) -> None:
        """Take note of what came of an offer."""
        self.is_idle = True
        made = answer.made
        if isinstance(made, NoteSignature):
            self.last, self._failures = answer.offer.height, 0
            COSIGNATURES.labels(self.key.name).inc()
            return
        if isinstance(made, Ahead):
            height = collecting.height_of(made.size)
            if height is not None:
                self.last, self._failures = height - 1, 0
                return
        if isinstance(made, Conflict):
            # What it does not cosign now, an old seal say, it may never: the last block then.
            self.last = max(self.last, collecting.height - 1)
        self._failures += 1
        pause = min(PAUSE_SECONDS_MAX, PAUSE_SECONDS * 2 ** min(self._failures, 16))
        self._not_before = time.monotonic() + pause * random.uniform(0.5, 1)  # noqa: S311
        COSIGNER_FAILURES.labels(self.key.name, made.code).inc()
        LOG.warning(
            "cosigner",
            extra={"cosigner": self.key.name, "height": answer.offer.height, "code": made.code},
        )

    def _run(self) -> None:
        while (offer := self._offers.get()) is not None:
            made: NoteSignature | TallyError
            try:
                made = self._cosigner.ask(offer.note, self._store.published_tree())
            except TallyError as error:
                made = error
            except Exception as error:  # whatever it was, this thread is to go on
                LOG.error("unexpected", exc_info=error)
                made = Unreadable(
                    "cosigner-unreachable", name=self.key.name, reason=reason_of(error)
                )
            self._answers.put(_Answer(self, offer, made))
        self._cosigner.close()


class Cosigning:
    """The cosigning of one ledger, beside its sealing; ``urls``: the addresses of cosigners, by the
    names of their keys."""

    def __init__(self, store: LedgerStore, urls: Mapping[str, str], lead: Lead) -> None:
        self._store = store
        self._urls = urls
        self._lead = lead
        self._stopped = threading.Event()
        self._answers: SimpleQueue[_Answer] = SimpleQueue()
        self._askers: dict[tuple[str, PublicKey], _Asker] = {}
        self._thread = threading.Thread(target=self._run, name="cosigning", daemon=True)

    def __enter__(self) -> "Cosigning":
        if self._urls:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        if self._urls:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                collecting = Collecting(self._store, self._lead)
                while not self._stopped.is_set():
                    self._step(collecting)
            except Conflict as error:  # another process leads, and collects
                LOG.warning("overtaken", extra={"code": error.code})
            except (TallyError, SQLAlchemyError, OSError) as error:
                LOG.error("cosigning", extra={"reason": reason_of(error)})
            finally:
                for asker in self._askers.values():
                    asker.end()
                self._askers = {}
            self._stopped.wait(_AGAIN_SECONDS)

    def _step(self, collecting: Collecting) -> None:
        """Enter what has come in, and offer what is new."""
        answers = self._arrived()
        collecting.take(
            [
                Cosigned(answer.offer.height, answer.made)
                for answer in answers
                if isinstance(answer.made, NoteSignature)
            ]
        )
        collecting.look()
        for answer in answers:
            answer.asker.settle(answer, collecting)
        self._keep_askers(collecting)
        for asker in self._askers.values():
            if asker.is_ready() and (offer := collecting.offer(asker.last)) is not None:
                asker.give(offer)

    def _arrived(self) -> list[_Answer]:
        """What has been answered, as soon as there is something."""
        made: list[_Answer] = []
        try:
            made.append(self._answers.get(timeout=LOOK_SECONDS))
            while True:
                made.append(self._answers.get_nowait())
        except Empty:
            return made

    def _keep_askers(self, collecting: Collecting) -> None:
        """One for each cosigner of the policy in use whose address is known."""
        keys = collecting.use.keys if collecting.use else ()
        wanted = {(key.name, key.public): key for key in keys if key.name in self._urls}
        for name in self._askers.keys() - wanted.keys():
            self._askers.pop(name).end()
        for name in wanted.keys() - self._askers.keys():
            key = wanted[name]
            self._askers[name] = _Asker(
                self._store,
                key,
                self._urls[key.name],
                collecting.last_cosigned(key),
                self._answers,
            )
