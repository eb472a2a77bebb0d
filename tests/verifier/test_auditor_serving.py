"""Auditors and witnesses over HTTP: what they answer, to whom, and how they end."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from support.bundles import PLAIN, PLAIN_TEXT, vkey
from support.city import NOON, ORIGIN, City, key
from support.commands import PASSPHRASE
from support.dishonest import Files, MemorySource, published
from support.offers import checkpoint_of, offer
from support.serving import found, keys_of
from support.serving import serving as serve
from support.suites import ml_dsa

import verifier.serving
from chain.files import System
from chain.paths import CHECKPOINT, SUBMISSIONS
from keys.errors import Unreadable, Usage
from keys.notes import parse_note, parse_vkey, signed_by
from keys.signer import Signer, save
from keys.statements import parse_statement
from verifier.audit import Audit
from verifier.audit_state import AuditState
from verifier.auditor import Auditor, Witness
from verifier.cli import main
from verifier.logs import Log
from verifier.policy import parse_policy
from verifier.serving import Serving
from verifier.signed_reads import sign_read, signing_source
from verifier.witness import OFFER_BYTES_MAX

TOP = Path(__file__).resolve().parents[2]
SECONDS = 60


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[Files]:
    """A ledger as it was published after each of three blocks."""
    city = City.found(tmp_path_factory.mktemp("serving") / "ledger")
    files = [published(city)]
    for number in range(2):
        city.submit([city.ride(f"rider-{number}-{n}", NOON + 60 * n) for n in range(3)])
        files.append(published(city))
    return files


@pytest.fixture
def source(shown: list[Files]) -> MemorySource:
    return MemorySource(shown[1])


@pytest.fixture
def serving(tmp_path: Path, source: MemorySource) -> Iterator[Serving]:
    with served(tmp_path / "auditor", source) as made:
        yield made


@contextmanager
def served(folder: Path, source: MemorySource | None, *names: str) -> Iterator[Serving]:
    own = key("auditor-1")

    def make() -> Witness:
        if source is None:
            return Witness(folder, PLAIN, own, "auditor", lambda: NOON)
        return Auditor(folder, PLAIN, own, "auditor", source, lambda: NOON)

    made = Serving(make, "127.0.0.1", 0, names)
    made.start()
    try:
        yield made
    finally:
        made.stop()


class Got(NamedTuple):
    status: int
    kind: str | None
    body: bytes


def ask(url: str, method: str, path: str, body: bytes | None = None, **headers: str) -> Got:
    """One request, on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=SECONDS)
    with closing(connection):
        connection.request(method, path, body, {n.replace("_", "-"): v for n, v in headers.items()})
        response = connection.getresponse()
        return Got(response.status, response.getheader("Content-Type"), response.read())


def post(url: str, files: Files, old: int = 0) -> Got:
    return ask(url, "POST", "/add-checkpoint", offer(files, old).dump())


# --- what is answered ---


def test_an_offer_is_answered_as_the_specification_says(
    serving: Serving, source: MemorySource, shown: list[Files]
) -> None:
    size = checkpoint_of(shown[1]).size
    got = post(serving.url, shown[1])
    assert got.status == 200
    note = parse_note(shown[1][CHECKPOINT] + got.body)
    assert signed_by(note, serving.witness.key) == NOON
    assert post(serving.url, shown[1]) == (409, "text/x.tlog.size", b"%d\n" % size)
    assert ask(serving.url, "POST", "/add-checkpoint", b"old\n\n").status == 400
    source.files = shown[2]
    assert post(serving.url, shown[2], size).status == 200


def test_offers_come_over_one_connection(
    serving: Serving, source: MemorySource, shown: list[Files]
) -> None:
    connection = http.client.HTTPConnection(urlsplit(serving.url).netloc, timeout=SECONDS)
    with closing(connection):
        for files, old in ((shown[1], 0), (shown[2], checkpoint_of(shown[1]).size)):
            source.files = files
            connection.request("POST", "/add-checkpoint", offer(files, old).dump())
            response = connection.getresponse()
            assert (response.status, response.read()[:3]) == (200, "—".encode())
        connection.request("GET", "/")
        status = json.loads(connection.getresponse().read())
    assert (status["mode"], status["origin"]) == ("auditor", ORIGIN)
    assert status["size"] == checkpoint_of(shown[2]).size


def test_what_it_has_cosigned_is_shown(serving: Serving, shown: list[Files]) -> None:
    place = f"/{sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
    assert ask(serving.url, "GET", place).status == 404
    body = post(serving.url, shown[1]).body
    for path in (place, "/checkpoint"):
        got = ask(serving.url, "GET", path)
        assert got == (200, "text/plain; charset=utf-8", shown[1][CHECKPOINT] + body)
    for path, data in shown[1].items():
        if path.startswith("tile") and path not in shown[0]:
            assert ask(serving.url, "GET", f"/{path}").body == data


@pytest.mark.parametrize(
    "path",
    [
        "/none",
        "/state/audit.db",
        "/tile/../state/audit.db",
        "/tile/0/001",
        "/submissions/",
        f"/submissions/00/{'00' * 32}x",
        f"/submissions/01/{'00' * 32}",
        "/checkpoint?",
        f"/{'0' * 64}/checkpoint",
    ],
)
def test_nothing_else_of_its_folder_is_shown(
    serving: Serving, shown: list[Files], path: str
) -> None:
    assert post(serving.url, shown[1]).status == 200
    assert ask(serving.url, "GET", path).status == 404


def test_reductions_are_for_members(serving: Serving, shown: list[Files], tmp_path: Path) -> None:
    [path] = [path for path in shown[1] if path.startswith(SUBMISSIONS)]
    assert ask(serving.url, "GET", f"/{path}").status == 404
    assert post(serving.url, shown[1]).status == 200
    assert ask(serving.url, "GET", f"/{path}").status == 401
    fields = {"Signature": "tally=:AA==:", "Signature_Input": "tally=()"}
    assert ask(serving.url, "GET", f"/{path}", **fields).status == 403

    def read_as(name: str) -> bytes:
        member = signing_source(serving.url, name, key(name), lambda: NOON)
        return member.read(path, 100_000)

    assert read_as("verifier") == shown[1][path]
    with pytest.raises(Unreadable) as caught:
        read_as("metro-app")
    assert caught.value.code == "source-refused"
    # A member audits all of it by the auditor's copy alone.
    source = signing_source(serving.url, "verifier", key("verifier"), lambda: NOON)
    with closing(AuditState(tmp_path / "state")) as state:
        assert Audit(source, PLAIN, state).run().verdict == "passed"


def test_what_a_member_has_signed_for_another_is_not_passed_on(
    shown: list[Files], tmp_path: Path
) -> None:
    genesis = next(Log(MemorySource(shown[0]), checkpoint_of(shown[0])).entries(0))
    ledger = parse_statement(genesis).id
    [path] = [f"/{path}" for path in shown[1] if path.startswith(SUBMISSIONS)]
    with served(tmp_path, MemorySource(shown[1]), "auditor.example") as serving:
        assert post(serving.url, shown[1]).status == 200
        for host, status in (
            ("mirror.example", 403),
            ("auditor.example", 200),
            (urlsplit(serving.url).netloc, 200),
        ):
            fields = sign_read(
                "GET", host, path, key("verifier"), participant="verifier", ledger=ledger, now=NOON
            )
            given = {name.replace("-", "_"): value for name, value in fields.items()}
            assert ask(serving.url, "GET", path, Host=host, **given).status == status


def test_a_checkpoint_is_shown_once_it_cannot_be_lost(
    serving: Serving, source: MemorySource, shown: list[Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shown[1][CHECKPOINT] + post(serving.url, shown[1]).body
    rename, seen = System.rename, []

    def looked(self: System, new: Path, target: Path) -> None:
        rename(self, new, target)
        if target.name == CHECKPOINT:
            # It is there, and the folder not flushed yet.
            seen.append(ask(serving.url, "GET", "/checkpoint").body)

    monkeypatch.setattr(System, "rename", looked)
    source.files = shown[2]
    second = shown[2][CHECKPOINT] + post(serving.url, shown[2], checkpoint_of(shown[1]).size).body
    assert seen == [first]
    assert ask(serving.url, "GET", "/checkpoint").body == second


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\r\nContent-Length: 24",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked",
        "POST /add-checkpoint HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked",
        "POST /add-checkpoint HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 24",
    ],
)
def test_a_body_that_is_not_read_is_no_request(serving: Serving, head: str) -> None:
    parts = urlsplit(serving.url)
    with socket.create_connection((parts.hostname, parts.port), SECONDS) as connection:
        connection.sendall(f"{head}\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        got = b""
        while piece := connection.recv(65_536):
            got += piece
    assert got.count(b"HTTP/1.1 ") == 1


def test_an_ordinary_witness_shows_a_checkpoint_alone(tmp_path: Path, shown: list[Files]) -> None:
    with served(tmp_path, None) as serving:
        assert post(serving.url, shown[1]).status == 200
        assert ask(serving.url, "GET", "/checkpoint").status == 200
        for path in shown[1]:
            if path != CHECKPOINT:
                assert ask(serving.url, "GET", f"/{path}").status == 404
        assert json.loads(ask(serving.url, "GET", "/").body)["mode"] == "consistency-only"


# --- those who hold it up ---


def test_bodies_have_a_bound(serving: Serving) -> None:
    connection = http.client.HTTPConnection(urlsplit(serving.url).netloc, timeout=SECONDS)
    for length, status in ((OFFER_BYTES_MAX + 1, 413), (10**12, 413), (None, 411), ("-1", 404)):
        with closing(connection):
            connection.putrequest("POST", "/add-checkpoint")
            if length is not None:
                connection.putheader("Content-Length", str(length))
            connection.endheaders()
            assert connection.getresponse().status == status
    assert ask(serving.url, "POST", "/checkpoint", b"x").status == 404
    assert ask(serving.url, "PUT", "/checkpoint", b"x").status == 501


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /add-checkpoint HT",
        b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\n",
        b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 100\r\n\r\nold 0",
    ],
)
def test_who_is_slow_holds_up_nobody_and_is_hung_up_on(
    serving: Serving, shown: list[Files], monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(verifier.serving, "REQUEST_SECONDS_MAX", 0.3)
    parts = urlsplit(serving.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS) as slow:
        slow.sendall(sent)
        assert post(serving.url, shown[1]).status == 200
        assert slow.recv(100) == b""


def test_drop_by_drop_is_not_for_ever(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier.serving, "REQUEST_SECONDS_MAX", 0.3)
    parts = urlsplit(serving.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=0.05) as slow:
        with suppress(ConnectionError):
            for _ in range(200):
                slow.sendall(b"x")
                with suppress(TimeoutError):
                    assert slow.recv(100) == b""
                    return
        raise AssertionError("it was not hung up on")


def test_there_are_so_many_connections_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifier.serving, "CONNECTIONS_MAX", 1)
    with served(tmp_path, None) as serving:
        parts = urlsplit(serving.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS) as first:
            first.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert first.recv(12) == b"HTTP/1.1 200"
            with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
                ask(serving.url, "GET", "/")


class Waiting(MemorySource):
    """A source that answers when it is told to."""

    def __init__(self, files: Files) -> None:
        super().__init__(files)
        self.asked, self.answers = threading.Event(), threading.Event()

    def read(self, path: str, bytes_max: int) -> bytes:
        self.asked.set()
        assert self.answers.wait(SECONDS)
        return super().read(path, bytes_max)


def test_who_waits_too_long_or_behind_too_many_offers_again(
    tmp_path: Path, shown: list[Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifier.serving, "OFFERS_WAITING_MAX", 1)
    monkeypatch.setattr(verifier.serving, "ANSWER_SECONDS_MAX", 0.1)
    source = Waiting(shown[1])
    with served(tmp_path, source) as serving:
        size = checkpoint_of(shown[1]).size
        for _ in range(2):
            got = post(serving.url, shown[1])
            assert (got.status, json.loads(got.body)["error"]["code"]) == (503, "auditor-busy")
            # Whoever asks where it stands is told meanwhile.
            assert json.loads(ask(serving.url, "GET", "/").body)["size"] == 0
        monkeypatch.undo()
        source.answers.set()
        # What was begun was done.
        while (got := post(serving.url, shown[1])).status == 503:
            pass
        assert got.body == b"%d\n" % size
        assert post(serving.url, shown[1], size).status == 200


def test_it_answers_what_it_is_at_when_it_is_stopped(tmp_path: Path, shown: list[Files]) -> None:
    source = Waiting(shown[1])
    answers: list[Got] = []
    with served(tmp_path, source) as serving:
        url = serving.url
        asking = threading.Thread(target=lambda: answers.append(post(url, shown[1])))
        asking.start()
        assert source.asked.wait(SECONDS)
        threading.Timer(0.2, source.answers.set).start()
    asking.join(SECONDS)
    [got] = answers
    assert (got.status, json.loads(got.body)["error"]["code"]) == (503, "auditor-stopping")
    # The folder is free, and the address too.
    with served(tmp_path, MemorySource(shown[1])) as again:
        assert post(again.url, shown[1]).status == 200


def test_an_address_that_is_taken(serving: Serving, tmp_path: Path) -> None:
    port = urlsplit(serving.url).port
    assert port is not None
    folder = tmp_path / "other"

    def make() -> Witness:
        return Witness(folder, PLAIN, key("witness-1"), "witness")

    with pytest.raises(Usage) as caught:
        Serving(make, "127.0.0.1", port)
    assert caught.value.code == "listen-refused"
    make().close()


# --- the command ---


class Place:
    """A folder with what the command is given."""

    def __init__(self, folder: Path, files: Files, own: Signer) -> None:
        self.folder = folder
        self.ledger: Path | str = folder / "ledger"
        self.show(files)
        save(own, folder / "key.pem", PASSPHRASE.encode())
        (folder / "policy").write_text(PLAIN_TEXT)

    def show(self, files: Files) -> None:
        for path, data in files.items():
            file = self.folder / "ledger" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)

    def arguments(self, **other: object) -> list[str]:
        given = {
            "source": self.ledger,
            "policy": self.folder / "policy",
            "key": self.folder / "key.pem",
            "name": "auditor-1.example",
            "state": self.folder / "auditor",
            "listen": "127.0.0.1:0",
            "now": int(NOON),
            **other,
        }
        pairs = [(f"--{name}", str(value)) for name, value in given.items() if value is not None]
        return ["auditor", *(word for pair in pairs for word in pair)]


@contextmanager
def running(place: Place, *more: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The command as a process, and what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "verifier.cli", *place.arguments(), *more, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=TOP,
        env={**os.environ, "TALLY_PASSPHRASE": PASSPHRASE},
    )
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def test_a_process_is_killed_and_goes_on(tmp_path: Path, shown: list[Files]) -> None:
    place = Place(tmp_path, shown[1], ml_dsa("auditor-1"))
    with running(place) as (process, said):
        own = parse_vkey(said["vkey"])
        got = post(said["url"], shown[1])
        assert signed_by(parse_note(shown[1][CHECKPOINT] + got.body), own) == NOON
        # One process has the folder.
        busy = subprocess.run(
            [sys.executable, "-m", "verifier.cli", *place.arguments()],
            check=False,
            capture_output=True,
            cwd=TOP,
            env={**os.environ, "TALLY_PASSPHRASE": PASSPHRASE},
        )
        assert busy.returncode == 2
        process.send_signal(signal.SIGKILL)
        assert process.wait(SECONDS) == -signal.SIGKILL
    place.show(shown[2])
    size = checkpoint_of(shown[1]).size
    with running(place) as (process, said):
        assert (said["size"], said["vkey"]) == (size, own.vkey)
        assert post(said["url"], shown[0]).body == b"%d\n" % size
        assert post(said["url"], shown[2], size).status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0


def command(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *arguments: str,
    passphrase: str | None = PASSPHRASE,
) -> tuple[int, str]:
    if passphrase is None:
        monkeypatch.delenv("TALLY_PASSPHRASE", raising=False)
    else:
        monkeypatch.setenv("TALLY_PASSPHRASE", passphrase)
    status = main([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)["error"]["code"]


def test_what_it_cannot_begin_with(
    tmp_path: Path,
    shown: list[Files],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = Place(tmp_path, shown[0], key("auditor-1"))
    url = "http://127.0.0.1:9"

    def found(passphrase: str | None = PASSPHRASE, **other: object) -> tuple[int, str]:
        given = place.arguments(**other)
        return command(monkeypatch, capsys, *given, passphrase=passphrase)

    assert found(passphrase=None) == (2, "passphrase-missing")
    assert found(passphrase="another") == (3, "key-passphrase-wrong")
    assert found(key=tmp_path / "none") == (3, "key-file-unreadable")
    assert found(source=tmp_path / "none") == (3, "source-unreachable")
    assert found(listen="8090") == (2, "listen-address")
    assert found(listen="host:99999") == (2, "listen-address")
    assert found(listen="203.0.113.1:0") == (2, "listen-refused")
    assert found(source=url, **{"as": "verifier"}) == (2, "reader-key")
    assert found(name="a name") == (3, "note-key-name")
    (tmp_path / "policy").write_text(f"witness w {vkey('auditor-1')}\nquorum none\n")
    assert parse_policy((tmp_path / "policy").read_bytes()).logs == ()
    assert found() == (2, "auditor-one-log")


def test_reads_of_a_url_are_signed_by_a_member(
    serving: Serving,
    shown: list[Files],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert post(serving.url, shown[1]).status == 200
    serving.witness.clock = time.time  # as the command has it
    place = Place(tmp_path, shown[0], key("verifier"))
    monkeypatch.setenv("TALLY_PASSPHRASE", PASSPHRASE)
    audited = ["audit", serving.url, "--policy", str(place.folder / "policy"), "--json"]
    assert main(audited) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "source-refused"
    signed = ["--as", "verifier", "--as-key", str(place.folder / "key.pem")]
    assert main([*audited, *signed]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "passed"


def test_a_source_that_is_no_ledger_is_not_signed_for(serving: Serving) -> None:
    source = signing_source(serving.url, "verifier", key("verifier"))
    with pytest.raises(Unreadable) as caught:
        source.read(f"{SUBMISSIONS}00/{'00' * 32}", 100)
    assert (caught.value.code, caught.value.details["path"]) == ("source-missing", CHECKPOINT)


@pytest.mark.long
def test_an_auditor_reads_a_ledger_s_service_as_a_member(tmp_path: Path) -> None:
    city = found(tmp_path / "city")
    city.submit([city.ride("rider", NOON)])
    place = Place(tmp_path, published(city), key("auditor-1"))
    member = ["--as", "verifier", "--as-key", str(keys_of(city.folder) / "verifier.pem")]
    with serve(city.folder, now=NOON) as service:
        place.ledger = service.url
        with running(place) as (_, said):
            assert json.loads(post(said["url"], published(city)).body)["error"]["code"] == (
                "source-refused"
            )
        with running(place, *member) as (_, said):
            assert post(said["url"], published(city)).status == 200
