"""A city's ledger behind its HTTP service, in this process; blocks are sealed beside it.

`Served.get`, `post` … send a request as anyone; `Served.by(name)` as a participant, who signs it.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2
from fastapi.testclient import TestClient
from support.city import City, key

from api.service import signatures
from api.service.app import create_app
from api.service.service import Service
from api.service.settings import Settings
from chain.admission import Admitted
from chain.sequencer import Sequencer
from keys.signer import Signer
from keys.strict import dump_base64, dump_json

URL = "http://ledger.example"
SEAL_SECONDS = 0.01


class Signing(httpx2.Auth):
    """Signs each request by RFC 9421."""

    requires_request_body = True

    def __init__(self, city: City, participant: str, signer: Signer | None = None) -> None:
        self._city = city
        self._participant = participant
        self._signer = signer or key(participant)

    def auth_flow(self, request: httpx2.Request) -> Iterator[httpx2.Request]:
        of = signatures.Request(
            request.method,
            request.url.raw_path.decode(),
            request.headers.multi_items(),
            request.content,
        )
        made = signatures.sign(
            of,
            self._signer,
            participant=self._participant,
            ledger=self._city.state.genesis.id,
            now=self._city.now,
        )
        request.headers.update(made)
        yield request


class Served(TestClient):
    """The service of a city, as a client in this process."""

    def __init__(self, city: City, settings: Settings | None = None) -> None:
        self.city = city
        self.service = Service(city.store, settings, lambda: city.now)
        super().__init__(create_app(self.service), URL, raise_server_exceptions=False)

    def by(self, participant: str, signer: Signer | None = None) -> Signing:
        """What signs a request: ``served.get(path, auth=served.by("verifier"))``."""
        return Signing(self.city, participant, signer)

    def submit(self, admitted: Admitted, **more: Any) -> httpx2.Response:
        """Send a submission."""
        return self.post("/v1/submissions", content=body(admitted), **more)


def body(admitted: Admitted) -> bytes:
    """A submission as it is sent: its statement, then its activities."""
    statement = dump_base64(admitted.entry.statement.data)
    return dump_json({"statement": statement}) + b"\n" + admitted.activities


@contextmanager
def served(
    city: City, settings: Settings | None = None, *, sealing: bool = True
) -> Iterator[Served]:
    """The service of a city; ``sealing``: what is sent to it is sealed at once."""
    stopped = threading.Event()

    def seal() -> None:
        sequencer = Sequencer(city.store, key("operator"))
        while not stopped.wait(SEAL_SECONDS):
            sequencer.seal_all(city.now)

    thread = threading.Thread(target=seal)
    with Served(city, settings) as client:
        if sealing:
            thread.start()
        yield client
        stopped.set()
        if sealing:
            thread.join()


def rows(response: httpx2.Response) -> Sequence[Any]:
    """The items of a page."""
    items: Sequence[Any] = response.json()["items"]
    return items
