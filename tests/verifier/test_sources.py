"""Sources of a ledger: folders and URLs, honest and hostile."""

import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.bundles import PLAIN, ledger

from chain.paths import CHECKPOINT
from keys.errors import Unreadable, Usage
from verifier.audit import Audit
from verifier.audit_state import AuditState
from verifier.sources import (
    READ_SECONDS_MAX,
    TRIES_MAX,
    DirectorySource,
    Source,
    UrlSource,
    open_source,
)


def code(source: Source, path: str = CHECKPOINT, bytes_max: int = 100) -> str:
    with pytest.raises(Unreadable) as caught:
        source.read(path, bytes_max)
    assert caught.value.text("zh")
    return caught.value.code


# --- folders ---


def test_a_file_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(bytes(100))
    source = DirectorySource(tmp_path)
    assert source.read(CHECKPOINT, 100) == bytes(100)
    assert code(source, bytes_max=99) == "source-too-long"
    assert code(source, "submissions/00/none") == "source-missing"
    assert code(source, f"{CHECKPOINT}/below") == "source-missing"


def test_nothing_outside_of_the_folder_is_read(tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_bytes(b"secret")
    folder = tmp_path / "ledger"
    folder.mkdir()
    (folder / CHECKPOINT).symlink_to(outside)
    (folder / "submissions").symlink_to(tmp_path)
    source = DirectorySource(folder)
    for path in (CHECKPOINT, "submissions/secret", "../secret", str(outside)):
        assert code(source, path) == "source-not-a-file"


def test_what_is_no_plain_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "folder").mkdir()
    source = DirectorySource(tmp_path)
    for path in ("pipe", "device", "folder"):
        assert code(source, path) == "source-not-a-file"
    assert code(source, "circle") == "source-unreachable"


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"data")
    (tmp_path / "other").symlink_to(tmp_path / "one")
    assert DirectorySource(tmp_path / ".").read("other", 4) == b"data"


# --- URLs ---

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A server whose answers a test chooses; it knows what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.answers: list[Answer] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, self.headers["Signature"]))
                answer = site.answers.pop(0) if len(site.answers) > 1 else site.answers[0]
                answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/a/ledger"


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


def gives(status: int, body: bytes = b"", length: int | None = None, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def hangs_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True


def source(site: Site, slept: list[float] | None = None) -> UrlSource:
    return UrlSource(site.url + "/", sleep=(slept if slept is not None else []).append)


def test_a_ledger_is_audited_by_its_url(site: Site, tmp_path: Path) -> None:
    folder = DirectorySource(ledger().city.folder)

    def serves(request: BaseHTTPRequestHandler) -> None:
        try:
            answer = gives(200, folder.read(request.path.removeprefix("/a/ledger/"), 10**7))
        except Unreadable:
            answer = gives(404)
        answer(request)

    site.answers = [serves]
    kept = AuditState(tmp_path)
    assert Audit(source(site), PLAIN, kept, activities=True).run().verdict == "passed"
    kept.close()


def test_what_may_pass_is_tried_again(site: Site) -> None:
    slept: list[float] = []
    site.answers = [gives(503), hangs_up, gives(200, b"cut off", length=100), gives(200, b"data")]
    assert source(site, slept).read(CHECKPOINT, 100) == b"data"
    assert slept == [1.0, 2.0, 4.0]
    site.asked.clear()
    site.answers = [gives(429)]
    assert code(source(site)) == "source-unreachable"
    assert len(site.asked) == TRIES_MAX


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, "source-missing"),
        (410, "source-missing"),
        (401, "source-refused"),
        (403, "source-refused"),
        (400, "source-unreachable"),
        (501, "source-unreachable"),
    ],
)
def test_what_will_not_pass_is_asked_once(site: Site, status: int, expected: str) -> None:
    site.answers = [gives(status)]
    assert code(source(site)) == expected
    assert len(site.asked) == 1


def test_a_redirect_is_not_followed(site: Site) -> None:
    site.answers = [gives(302, Location=site.url + "/elsewhere"), gives(200, b"data")]
    assert code(source(site)) == "source-unreachable"
    assert site.asked == [("/a/ledger/checkpoint", None)]


def test_no_more_is_read_than_is_allowed(site: Site) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            while True:
                request.wfile.write(bytes(65_536))
        except OSError:
            request.close_connection = True

    site.answers = [endless]
    assert code(source(site), bytes_max=1_000_000) == "source-too-long"


def test_what_comes_drop_by_drop_ends_in_time(site: Site) -> None:
    def slow(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(10):
            request.wfile.write(b".")

    site.answers = [slow]
    now = iter(range(0, 10**6, READ_SECONDS_MAX))
    drops = UrlSource(site.url, sleep=lambda seconds: None, clock=lambda: next(now))
    assert code(drops) == "source-unreachable"


def test_members_sign_what_they_read(site: Site) -> None:
    site.answers = [gives(200, b"data")]

    def sign(method: str, path: str) -> dict[str, str]:
        return {"Signature": f"{method} {path}"}

    UrlSource(site.url, sign).read("submissions/00/00", 100)
    assert site.asked == [("/a/ledger/submissions/00/00", "GET /a/ledger/submissions/00/00")]


def test_where_nobody_answers(site: Site) -> None:
    gone = UrlSource("http://127.0.0.1:9/ledger", sleep=lambda seconds: None)
    assert code(gone) == "source-unreachable"


@pytest.mark.parametrize("url", ["ftp://ledger.example", "file:///etc", "http://", "https:///x?y"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(Usage) as caught:
        open_source(url)
    assert caught.value.code == "source-url"


def test_a_source_by_its_name(tmp_path: Path) -> None:
    assert isinstance(open_source(str(tmp_path)), DirectorySource)
    assert isinstance(open_source("https://ledger.example"), UrlSource)
    with pytest.raises(Unreadable):
        open_source(str(tmp_path / "none"))
