"""HTTP/1.1 by uvicorn's httptools protocol, with bounds on heads and on connections.

A head must arrive whole, in time and in so many bytes.  What no route sees is answered with
problem details as well (`api.service.problems`), in English.  A body that is sent on although it
is refused is read and forgotten, for as long as a head may take; then the connection ends.
"""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.service.metrics import PROBLEMS
from api.service.problems import MEDIA_TYPE, problem, respond
from api.service.settings import Settings
from keys.errors import Busy, Malformed

HEAD_BYTES_MAX = 65_536
UNHEARD = 2
"""So many times the connections of a worker may be open; one more is closed unheard."""


class Http(HttpToolsProtocol):
    """A connection to a worker."""

    settings: Settings
    _head: asyncio.TimerHandle | None = None
    _bare = 0
    """The bytes since the last that belonged to a body or ended a head."""

    @classmethod
    def with_settings(cls, settings: Settings) -> type["Http"]:
        """The protocol with these settings."""
        return type("Http", (cls,), {"settings": settings})

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first head."""
        super().connection_made(transport)
        if len(self.connections) > UNHEARD * self.settings.connections:
            transport.abort()
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        """Read on, but no endless head, nor endless fields behind a body."""
        self._bare += len(data)
        super().data_received(data)
        if self._bare > HEAD_BYTES_MAX and not self.transport.is_closing():
            self._refuse(Malformed("head-size", limit=HEAD_BYTES_MAX))

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._forget_head()
        self._bare = 0
        if len(self.connections) > self.settings.connections:
            self.app = _full
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body is there."""
        self._bare = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Begin to wait for the next head, and for the rest of a body that nobody wants."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more will come."""
        self._forget_head()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(Malformed("request-malformed"))

    def _await_head(self) -> None:
        late = Malformed("head-late", limit=int(self.settings.header_seconds))
        self._forget_head()
        self._head = self.loop.call_later(self.settings.header_seconds, self._refuse, late)

    def _forget_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _refuse(self, error: Malformed) -> None:
        """Answer in the place of the application, and end the connection."""
        self._forget_head()
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            # It is behind another request, which is answered first.
            cycle.keep_alive = False
            self.flow.pause_reading()
            return
        PROBLEMS.labels(error.code).inc()
        made = problem(error, "en")
        body = json.dumps(made).encode()
        head = (
            f"HTTP/1.1 {made['status']} {HTTPStatus(made['status']).phrase}\r\n"
            f"Content-Type: {MEDIA_TYPE}\r\nContent-Language: en\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


async def _full(scope: Any, receive: Any, send: Any) -> None:
    """The application of the connections beyond those of a worker."""
    error = Busy("service-busy", retry_after=1)
    PROBLEMS.labels(error.code).inc()
    answer = respond(Request(scope), error)
    answer.headers["Connection"] = "close"
    await answer(scope, receive, send)
