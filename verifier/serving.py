"""A witness or an auditor over HTTP.

    POST /add-checkpoint                c2sp.org/tlog-witness; see `verifier.witness`
    GET  /                              where it stands, as JSON
    GET  /checkpoint                    the note that it has cosigned last
    GET  /<SHA-256 of origin>/checkpoint  the same, where tlog-witness has it
    GET  /tile/…, /submissions/…        an auditor's copy of the ledger

Offers are taken one after the other by a thread of their own, which alone has the witness.  Who
waits for it too long, or behind too many, is told to offer it again; what was begun goes on.  Each
connection has a thread, and each request a time for all of it and a bound on its body, so that slow
ones hold up nobody.
"""

import io
import socket
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import BoundedSemaphore, Condition, Thread
from typing import Any
from urllib.parse import urlsplit

from chain.paths import SUBMISSIONS, reductions_path
from chain.tiles import parse_tile_path
from keys.errors import Busy, Malformed, NotAllowed, TallyError, Usage
from keys.strict import dump_json, parse_hex
from verifier.auditor import Witness
from verifier.signed_reads import check_read
from verifier.witness import OFFER_BYTES_MAX, RETRY_SECONDS, Answer, refused

REQUEST_SECONDS_MAX = 30
ANSWER_SECONDS_MAX = 120
OFFERS_WAITING_MAX = 16
CONNECTIONS_MAX = 256
_STOPPING_SECONDS = 10
_PIECE_BYTES = 65_536
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_NOTHING = Answer(404, _TEXT, b"")


class Serving:
    """A witness that is served, from `start` on until `stop`."""

    def __init__(
        self, make: Callable[[], Witness], host: str, port: int, names: Collection[str] = ()
    ) -> None:
        """make: opens the witness, in the thread that has it.  port: 0 takes a free one.  names:
        other authorities, a host and perhaps a port, by which members read it.

        Raises what ``make`` raises, and `Usage` "listen-refused".
        """
        self._offers = ThreadPoolExecutor(1, "offers")
        self._waiting = BoundedSemaphore(OFFERS_WAITING_MAX)
        try:
            self.witness = self._offers.submit(make).result()
            try:
                self._server = _Server((host, port), self)
            except OSError as error:
                self._offers.submit(self.witness.close).result()
                value = f"{host}:{port}"
                raise Usage("listen-refused", value=value, reason=error.strerror) from error
        except BaseException:
            self._offers.shutdown()
            raise
        origin = sha256(self.witness.origin.encode()).hexdigest()
        self.checkpoints = ("/checkpoint", f"/{origin}/checkpoint")
        # What a member has signed for somebody else, who passes it on, is not for this one.
        self._names = {urlsplit(self.url).netloc, *names}
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), name="listening")

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        name = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{name}:{port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer what has come, and end; what was cosigned is on the disk in any case."""
        self.witness.stop()
        self._server.shutdown()
        self._thread.join()
        self._offers.submit(self.witness.close)
        self._offers.shutdown()
        self._server.wait(_STOPPING_SECONDS)
        self._server.server_close()

    def offer(self, body: bytes) -> Answer:
        """The answer to an offer, in its turn."""
        busy = Busy("auditor-busy", retry_after=RETRY_SECONDS)
        if not self._waiting.acquire(blocking=False):
            return refused(busy)
        try:
            answer = self._offers.submit(self.witness.add_checkpoint, body)
        except RuntimeError:  # it has been stopped
            self._waiting.release()
            return refused(busy)
        answer.add_done_callback(lambda _: self._waiting.release())
        try:
            return answer.result(ANSWER_SECONDS_MAX)
        except TimeoutError:
            return refused(busy)

    def file(self, target: str, headers: Message) -> str:
        """Which file of the witness's folder a GET is for.

        Raises FileNotFoundError if it is for none, and `NotAllowed` "request-other-host", or as
        `check_read` does, if whoever asks may not see it.
        """
        path, state = target.removeprefix("/"), self.witness.state
        try:
            if not path.startswith(SUBMISSIONS):
                parse_tile_path(path)
                return path
            is_known = path == reductions_path(parse_hex(path.rpartition("/")[2], 32))
        except Malformed:
            is_known = False
        if not is_known or state is None:
            raise FileNotFoundError(path)
        fields = {name.lower(): value for name, value in headers.items()}
        host, now = fields.get("host", ""), int(self.witness.clock())
        check_read("GET", host, target, fields, state, now)
        if host not in self._names:
            raise NotAllowed("request-other-host", host=host[:80])
        return path


class _Server(ThreadingHTTPServer):
    """Listens; a connection beyond the most that there may be is closed at once."""

    request_queue_size = 128

    def __init__(self, address: tuple[str, int], serving: Serving) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.serving = serving
        self._connections = BoundedSemaphore(CONNECTIONS_MAX)
        self._answering = 0
        self._ended = Condition()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # Without the look-up of the host's name that HTTPServer makes.
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._connections.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def answering(self, change: int) -> None:
        """One answer more, or less, is on its way."""
        with self._ended:
            self._answering += change
            self._ended.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait for the answers that are on their way."""
        with self._ended:
            self._ended.wait_for(lambda: self._answering == 0, seconds)


class _Timed(io.RawIOBase):
    """What comes over a connection, up to a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.until = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(_left(self.until))
        return self._connection.recv_into(buffer)


def _left(until: float) -> float:
    """The seconds until then; raises TimeoutError if there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "tally-verify"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self._timed = _Timed(self.connection)
        self.rfile = io.BufferedReader(self._timed)

    def handle_one_request(self) -> None:
        self._timed.until = time.monotonic() + REQUEST_SECONDS_MAX
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def do_POST(self) -> None:
        self.server.answering(1)
        try:
            self._answer(self._offered())
        finally:
            self.server.answering(-1)

    def _offered(self) -> Answer:
        length = self._length()
        if self.path != "/add-checkpoint" or not length.isascii() or not length.isdigit():
            self.close_connection = True  # its body is not read
            return _NOTHING if length else Answer(411, _TEXT, b"")
        if len(length) > 9 or int(length) > OFFER_BYTES_MAX:
            self.close_connection = True
            return Answer(413, _TEXT, b"")
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            raise ConnectionError
        return self.server.serving.offer(body)

    def _length(self) -> str:
        """How long the body is; empty if that is not told in the one way that is read here."""
        given = self.headers.get_all("Content-Length", [])
        return str(given[0]) if len(given) == 1 and "Transfer-Encoding" not in self.headers else ""

    def do_GET(self) -> None:
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            # A body that nobody reads is not the next request, which may be somebody else's.
            self.close_connection = True
        serving = self.server.serving
        if self.path == "/":
            self._answer(Answer(200, _JSON, dump_json(serving.witness.status())))
            return
        if self.path in serving.checkpoints:
            # As it is kept: a file that is not flushed yet may be lost again.
            note = serving.witness.note
            self._answer(_NOTHING if note is None else Answer(200, _TEXT, note))
            return
        try:
            path = serving.file(self.path, self.headers)
            file = (serving.witness.folder / path).open("rb")
        except TallyError as error:
            status = 401 if error.code == "request-unsigned" else 403
            self._answer(Answer(status, _JSON, dump_json({"error": error.as_json()})))
            return
        except OSError:
            self._answer(_NOTHING)
            return
        with file:
            self._begin(200, "application/octet-stream", file.seek(0, io.SEEK_END))
            self.end_headers()
            file.seek(0)
            until = time.monotonic() + ANSWER_SECONDS_MAX
            while piece := file.read(_PIECE_BYTES):
                self.connection.settimeout(_left(until))
                self.wfile.write(piece)

    def _begin(self, status: int, kind: str, length: int) -> None:
        self.connection.settimeout(ANSWER_SECONDS_MAX)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.close_connection:
            self.send_header("Connection", "close")

    def _answer(self, answer: Answer) -> None:
        self._begin(answer.status, answer.kind, len(answer.body))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Only what is offered is worth a line."""
        if self.command == "POST":
            super().log_request(str(code), str(size))
