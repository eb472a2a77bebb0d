"""Requests that are slow, huge, cut off, bombs or no HTTP at all, over a socket to a real service:
each gets its error as a problem, and after each the service answers a good submission."""

import contextlib
import gzip
import io
import json
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
import zstandard
from support.city import NOON, City
from support.service import Signing, body
from support.serving import Serving, found, serving

from api.service.problems import MEDIA_TYPE
from api.service.protocol import HEAD_BYTES_MAX
from chain.activities import ACTIVITY_BYTES_MAX
from chain.admission import Admitted
from chain.reductions import SUBMISSION_COUNT_MAX
from keys.catalogue import TEXTS
from keys.strict import dump_base64, dump_json

MIB = 2**20
BODY_BYTES, INFLATED_BYTES = MIB, 4 * MIB
CONNECTIONS = 24
IN_FLIGHT = 4
READS = 30
SETTINGS = {
    "header_seconds": 3,
    "body_seconds": 3,
    "body_bytes": BODY_BYTES,
    "inflated_bytes": INFLATED_BYTES,
    "connections": CONNECTIONS,
    "submissions_in_flight": IN_FLIGHT,
    "requests_per_minute": READS,
}
BOMB_BYTES = 300 * MIB
PATIENCE_SECONDS = 60
# Without certificates to load, and without connections that are kept.
CLIENT = httpx2.Client(
    verify=False,
    timeout=PATIENCE_SECONDS,
    limits=httpx2.Limits(max_keepalive_connections=0),
)
POST = b"POST /v1/submissions HTTP/1.1\r\nHost: ledger\r\n"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return found(tmp_path_factory.mktemp("sockets") / "city")


@pytest.fixture(scope="module")
def running(city: City) -> Iterator[Serving]:
    with serving(city.folder, now=NOON, settings=SETTINGS) as service:
        yield service


@pytest.fixture
def service(city: City, running: Serving) -> Iterator[Serving]:
    """The service, which takes a good submission after whatever the test has done to it."""
    yield running
    answer = retried(lambda: submit(running, city.admit([another(city)])))
    assert answer.json()["recorded"] == 1
    assert (city.folder.parent / "city-serve.log").read_text("utf-8").count('"ended"') == 0


def another(city: City) -> bytes:
    """A ride that nobody took before."""
    return city.ride(f"person {city._counter}", NOON)


def submit(service: Serving, admitted: Admitted, **more: Any) -> httpx2.Response:
    url = f"{service.url}/v1/submissions"
    return CLIENT.post(url, content=body(admitted), **more)


def retried(ask: Callable[[], httpx2.Response]) -> httpx2.Response:
    """The first answer that is no refusal for the time being: of connections that end, say."""
    until = time.monotonic() + PATIENCE_SECONDS
    while (answer := ask()).status_code == 503 and time.monotonic() < until:
        time.sleep(0.1)
    assert answer.status_code == 200, answer.text
    return answer


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of the problem that it must be."""
        assert self.headers["content-type"] == MEDIA_TYPE
        made = json.loads(self.body)
        assert (made["status"], made["type"]) == (self.status, f"/errors/{made['code']}")
        assert made["code"] in TEXTS
        return str(made["code"])


class _Kept(io.BufferedReader):
    """What one answer leaves in the buffer is the next one's: it stays open."""

    def close(self) -> None:
        pass


class Connection:
    """A bare connection."""

    def __init__(self, service: Serving) -> None:
        url = httpx2.URL(service.url)
        self._socket = socket.create_connection((url.host, url.port), PATIENCE_SECONDS)
        self._read = _Kept(socket.SocketIO(self._socket, "r"))

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def makefile(self, *_: object) -> io.BufferedReader:
        """What an answer is read from."""
        return self._read

    def send(self, data: bytes) -> "Connection":
        """Send, as far as it is taken."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)
        return self

    def answer(self) -> Answer:
        """The next answer."""
        response = HTTPResponse(cast(socket.socket, self))
        response.begin()
        return Answer(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read(),
        )

    def ends(self) -> bool:
        """Whether the service ends it, saying nothing more."""
        try:
            return self._read.read(1) == b""
        except ConnectionResetError:
            return True


def ask(service: Serving, data: bytes) -> Answer:
    with Connection(service) as connection:
        return connection.send(data).answer()


def post(service: Serving, content: bytes, *fields: bytes) -> Answer:
    lines = [*fields, b"Content-Length: %d" % len(content)]
    return ask(service, POST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + content)


def chunked(content: bytes, size: int = 16_384) -> bytes:
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def is_unknown(service: Serving, admitted: Admitted) -> bool:
    """Whether the ledger has not heard of a submission."""
    name = admitted.entry.statement.id.hex()
    return CLIENT.get(f"{service.url}/v1/statements/{name}").status_code == 404


# --- slow ---


def test_a_head_must_come_in_time(service: Serving) -> None:
    started = [b"", b"GET", b"GET /livez HTTP/1.1\r\nHost: ledger\r\nX-Slow: ", b"\r\n\r\n\r\n"]
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(Connection(service)) for _ in (*started, "later")]
        for connection, data in zip(connections, started, strict=False):
            connection.send(data)
        # A good request first does not change it.
        connections[-1].send(b"GET /livez HTTP/1.1\r\nHost: ledger\r\n\r\nGET /livez HT")
        assert connections[-1].answer().status == 200
        for connection in connections:
            answer = connection.answer()
            assert (answer.status, answer.code) == (408, "head-late")
            assert answer.headers["connection"] == "close"
            assert connection.ends()


def test_a_body_must_come_in_time(service: Serving) -> None:
    with Connection(service) as connection:
        connection.send(POST + b"Content-Length: 1000\r\n\r\n{")
        answer = connection.answer()
        assert (answer.status, answer.code) == (408, "body-late")
        assert answer.headers["connection"] == "close"
        assert connection.ends()


# --- huge ---


def test_a_body_that_says_that_it_is_too_long_is_not_read(service: Serving) -> None:
    head = POST + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % (BODY_BYTES + 1)
    answer = ask(service, head)
    assert (answer.status, answer.code) == (413, "body-size")


def test_a_body_that_turns_out_to_be_too_long(service: Serving) -> None:
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = ask(service, head + chunked(bytes(BODY_BYTES + 1)))
    assert (answer.status, answer.code) == (413, "body-size")


def test_who_goes_on_sending_what_was_refused_is_not_heard_for_ever(service: Serving) -> None:
    with Connection(service) as connection:
        connection.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(bytes(MIB))[:-5])
        piece = chunked(bytes(65_536))[:-5]
        connection.send(piece)
        assert connection.answer().code == "body-size"
        until = time.monotonic() + PATIENCE_SECONDS
        connection._socket.settimeout(0.01)
        while time.monotonic() < until:
            try:
                connection._socket.sendall(piece)
                time.sleep(0.01)
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            pytest.fail("it is still heard")


def test_a_head_has_so_many_bytes(service: Serving) -> None:
    endless = b"x" * 8 * HEAD_BYTES_MAX
    for head in (
        b"GET /livez HTTP/1.1\r\nX-Long: " + endless,
        b"GET /livez HTTP/1.1\r\n" + b"X-Many: x\r\n" * HEAD_BYTES_MAX,
        b"GET /" + endless,
        POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Behind: " + endless,
    ):
        answer = ask(service, head)
        assert (answer.status, answer.code) == (431, "head-size")


def _gzip_bomb() -> bytes:
    compressing = zlib.compressobj(9, wbits=31)
    zeros = bytes(MIB)
    made = b"".join(compressing.compress(zeros) for _ in range(BOMB_BYTES // MIB))
    return made + compressing.flush()


def _zstd_bomb() -> bytes:
    compressing = zstandard.ZstdCompressor(level=1).compressobj()
    zeros = bytes(MIB)
    made = b"".join(compressing.compress(zeros) for _ in range(BOMB_BYTES // MIB))
    return made + compressing.flush()


@pytest.mark.parametrize(("encoding", "make"), [(b"gzip", _gzip_bomb), (b"zstd", _zstd_bomb)])
def test_a_bomb_is_stopped_before_it_fills_the_memory(
    service: Serving, encoding: bytes, make: Callable[[], bytes]
) -> None:
    bomb = make()
    assert len(bomb) < BODY_BYTES
    _, worker = service.children()
    before = peak_bytes(worker)
    for _ in range(3):
        answer = post(service, bomb, b"Content-Encoding: " + encoding)
        assert (answer.status, answer.code) == (413, "inflated-size")
    assert peak_bytes(worker) - before < 64 * MIB


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


# --- cut off ---


def test_a_body_that_is_cut_off_leaves_nothing(city: City, service: Serving) -> None:
    for fields in (b"Content-Length: 100000", b"Transfer-Encoding: chunked"):
        admitted = city.admit([another(city)])
        content = body(admitted)
        if fields.startswith(b"Transfer"):
            content = chunked(content)[:-5]
        with Connection(service) as connection:
            connection.send(POST + fields + b"\r\n\r\n" + content)
            connection._socket.shutdown(socket.SHUT_WR)
            assert connection.ends()
        assert is_unknown(service, admitted)


def test_a_length_that_is_too_small_leaves_nothing(city: City, service: Serving) -> None:
    admitted = city.admit([another(city)])
    content = body(admitted)
    with Connection(service) as connection:
        connection.send(POST + b"Content-Length: %d\r\n\r\n" % (len(content) - 10) + content)
        assert connection.answer().status == 422
        # What is left over is no request.
        assert connection.ends() or connection.answer().code == "request-malformed"
    assert is_unknown(service, admitted)


def test_who_goes_before_the_answer_is_recorded_all_the_same(city: City, service: Serving) -> None:
    admitted = city.admit([another(city)])
    content = body(admitted)
    with Connection(service) as connection:
        connection.send(POST + b"Content-Length: %d\r\n\r\n" % len(content) + content)
        until = time.monotonic() + PATIENCE_SECONDS
        while is_unknown(service, admitted) and time.monotonic() < until:
            time.sleep(0.02)
    assert retried(lambda: submit(service, admitted)).json()["recorded"] == 1


# --- encodings ---


def test_an_encoding_that_is_not_known(service: Serving) -> None:
    for encoding in (b"br", b"deflate", b"gzip, gzip", b"\xff", b"x" * 500):
        answer = post(service, b"x", b"Content-Encoding: " + encoding)
        assert (answer.status, answer.code) == (415, "body-encoding")


def test_a_body_that_does_not_inflate(service: Serving) -> None:
    compress = {b"gzip": gzip.compress, b"zstd": zstandard.ZstdCompressor().compress}
    for encoding, compressed in compress.items():
        good = compressed(bytes(range(256)) * 16)
        for content in (good[:-6], good + b"more", good + good, b"", b"\x00\xff" * 50):
            answer = post(service, content, b"Content-Encoding: " + encoding)
            assert (answer.status, answer.code) == (422, "body-broken")


def test_a_window_that_is_too_large(service: Serving) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    compressing = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    bomb = compressing.compress(b"x" * MIB) + compressing.flush()
    answer = post(service, bomb, b"Content-Encoding: zstd")
    assert (answer.status, answer.code) == (422, "body-broken")


# --- no HTTP ---


_NO_HTTP = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    b"\x00\xff\xfe" * 40 + b"\r\n\r\n",
    b"hello\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /livez HTTP/9.9\r\nHost: ledger\r\n\r\n",
    b"BREW /livez HTTP/1.1\r\nHost: ledger\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: ledger\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost : ledger\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nX: \x00\r\n\r\n",
    POST + b"Content-Length: -1\r\n\r\n",
    POST + b"Content-Length: 1x\r\n\r\n",
    POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n0\r\n\r\n",
)


def test_what_is_not_http(service: Serving) -> None:
    for data in _NO_HTTP:
        with Connection(service) as connection:
            answer = connection.send(data).answer()
            assert (answer.status, answer.code) == (400, "request-malformed"), data
            assert answer.headers["connection"] == "close"
            assert connection.ends()


def test_requests_behind_one_another_are_answered_in_order(service: Serving) -> None:
    get = b"GET %s HTTP/1.1\r\nHost: ledger\r\n\r\n"
    with Connection(service) as connection:
        connection.send(get % b"/livez" + get % b"/nowhere" + get % b"/checkpoint" + b"garbage\r\n")
        assert json.loads(connection.answer().body) == {"status": "ok"}
        assert connection.answer().code == "route-unknown"
        assert connection.answer().body.startswith(b"ledger.example/city\n")
        assert connection.ends()


# --- no submission ---


def _first_line(admitted: Admitted) -> bytes:
    return body(admitted).split(b"\n", 1)[0]


_LINE = b'{"format":1}'
_MALFORMED: dict[str, Callable[[Admitted], bytes]] = {
    "empty": lambda _: b"",
    "no line": lambda _: b"\n\n\n",
    "garbage": lambda _: bytes(range(256)) * 100,
    "not an object": lambda _: b"[]\n" + _LINE,
    "deep": lambda _: b'{"statement":' + b"[" * 60_000 + b"\n" + _LINE,
    "deep and closed": lambda _: b"[" * 40_000 + b"]" * 40_000 + b"\n" + _LINE,
    "two statements": lambda of: _first_line(of)[:-1] + b"," + _first_line(of)[1:] + b"\n" + _LINE,
    "no base64": lambda _: b'{"statement":"*"}\n' + _LINE,
    "no COSE": lambda _: dump_json({"statement": dump_base64(b"x" * 100)}) + b"\n" + _LINE,
    "a long first line": lambda _: b'{"statement":"' + b"A" * 200_000 + b'"}\n' + _LINE,
    "a long integer": lambda _: b'{"statement":' + b"1" * 80_000 + b"}\n" + _LINE,
    "lone surrogates": lambda _: b'{"statement":"\\ud800"}\n' + _LINE,
    "no activities": lambda of: _first_line(of) + b"\n",
    "another activity": lambda of: _first_line(of) + b"\n" + _LINE + b"\n",
    "a deep activity": lambda of: _first_line(of) + b"\n" + b'{"a":' * 1_000 + b"\n",
    "one activity too many": lambda of: body(of) + _LINE + b"\n",
    "a long line": lambda of: _first_line(of) + b"\n" + b" " * (ACTIVITY_BYTES_MAX + 1) + b"\n",
    "too many lines": lambda of: _first_line(of) + b"\n" + b"{}\n" * (SUBMISSION_COUNT_MAX + 1),
    "an activity cut off": lambda of: body(of)[:-20],
    "a signature changed": lambda of: body(of).replace(b"A", b"B", 1),
}


def test_what_is_no_submission(city: City, service: Serving) -> None:
    for name, make in _MALFORMED.items():
        admitted = city.admit([another(city)])
        answer = post(service, make(admitted))
        assert answer.status in (422, 403, 409), name
        assert answer.code not in ("service-fault", "service-busy"), name
        assert is_unknown(service, admitted), name


def test_random_bytes_are_refused(service: Serving) -> None:
    import random

    random_bytes = random.Random(5).randbytes
    for size in (1, 100, 10_000, BODY_BYTES):
        for path in (b"/v1/submissions", b"/v1/statements", b"/entries", b"/v1/claims/check"):
            head = b"POST %s HTTP/1.1\r\nHost: ledger\r\nContent-Length: %d\r\n\r\n" % (path, size)
            assert 400 <= ask(service, head + random_bytes(size)).status < 500


# --- too much ---


def test_connections_beyond_the_limit_are_told_to_come_back(service: Serving) -> None:
    held: list[Connection] = []
    try:
        answer = None
        while answer is None or answer.status != 503:
            assert len(held) < 10 * CONNECTIONS
            held.append(Connection(service).send(b"GET /livez HTTP/1.1\r\nHost: ledger\r\n\r\n"))
            answer = held[-1].answer()
        assert len(held) > CONNECTIONS
        assert answer.code == "service-busy"
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["connection"] == "close"
    finally:
        for connection in held:
            connection._socket.close()


def test_connections_far_beyond_the_limit_are_not_heard(service: Serving) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3 * CONNECTIONS):
            held = stack.enter_context(Connection(service))
        # All that are heard are told in the end that they are late.
        assert held.ends()


def test_beyond_what_it_takes_in_others_are_served(city: City, service: Serving) -> None:
    waiting = [city.admit([another(city)]) for _ in range(IN_FLIGHT)]
    contents = [body(admitted) for admitted in waiting]
    connections = []
    try:
        for content in contents:
            head = POST + b"Content-Length: %d\r\n\r\n" % len(content)
            connections.append(Connection(service).send(head + content[:100]))
        answer = retried_until_busy(service, city)
        assert answer.json()["code"] == "service-busy"
        assert int(answer.headers["retry-after"]) >= 1
        assert CLIENT.get(f"{service.url}/checkpoint").status_code == 200
        for connection, content in zip(connections, contents, strict=True):
            connection.send(content[100:])
        for connection in connections:
            assert json.loads(connection.answer().body)["recorded"] == 1
    finally:
        for connection in connections:
            connection._socket.close()


def retried_until_busy(service: Serving, city: City) -> httpx2.Response:
    """The answer when there is no room; it may not have seen at once that there is none."""
    until = time.monotonic() + PATIENCE_SECONDS
    while (answer := submit(service, city.admit([another(city)]))).status_code != 503:
        assert time.monotonic() < until
    return answer


def test_a_member_reads_so_often_and_others_go_on(city: City, service: Serving) -> None:
    url = f"{service.url}/v1/reductions"

    def read(name: str) -> httpx2.Response:
        return CLIENT.get(url, auth=Signing(city, name), params={"limit": 1})

    answers = [read("governor") for _ in range(READS + 1)]
    assert [answer.status_code for answer in answers] == [200] * READS + [429]
    assert answers[-1].headers["content-type"] == MEDIA_TYPE
    assert answers[-1].json()["code"] == "request-rate"
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert read("verifier").status_code == 200


def test_nothing_of_it_was_a_fault(running: Serving) -> None:
    lines = [json.loads(line) for line in running.log.read_text("utf-8").splitlines()]
    assert not [line for line in lines if line["level"] == "error"]
