"""Cosigners that a test can have slow, dead or lying: real HTTP servers in this process.

with cosigning("a") as witness:            # an ordinary witness (C2SP tlog-witness)
    witness.url, witness.key               # where it is, its key as a policy names it
    witness.delay = 2                      # it is slow
    witness.lies = True                    # it signs whatever it is asked to
    witness.is_dead = True                 # it takes requests and says nothing of use
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support.city import NOON, ORIGIN, City, key

from api.cosigning import Collecting, Cosigned
from chain import merkle
from chain.policies import WitnessPolicy
from keys.errors import VerificationError
from keys.notes import Checkpoint, NoteKey, cosign, format_signature, parse_checkpoint, parse_note
from keys.signer import save
from keys.strict import dump_json
from verifier.policies import policy_text
from verifier.witness import parse_offer

TOP = Path(__file__).resolve().parents[2]
PASSPHRASE = "a passphrase"


class Witness:
    """A cosigner by one key, and what it has been asked."""

    def __init__(self, name: str) -> None:
        self.name = f"{name}.example"
        self.signer = key(name)
        self.key = NoteKey(self.name, self.signer.public, cosigner=True)
        self.seen: dict[str, Checkpoint] = {}
        self.asked: list[int] = []
        """The size of each offer."""
        self.delay = 0.0
        self.lies = self.is_dead = False
        self.url = ""
        self._lock = threading.Lock()

    def answer(self, body: bytes) -> tuple[int, str, bytes]:
        """Status, type and body of the answer to an offer."""
        offer = parse_offer(body)
        note = parse_note(offer.note)
        given = parse_checkpoint(note.text)
        self.asked.append(given.size)
        time.sleep(self.delay)
        if self.is_dead:
            return 503, "text/plain", b"dead\n"
        with self._lock:
            last = self.seen.get(given.origin, Checkpoint(given.origin, 0, merkle.EMPTY_ROOT))
            if not self.lies:
                if offer.old != last.size:
                    return 409, "text/x.tlog.size", b"%d\n" % last.size
                try:
                    merkle.verify_consistency(
                        last.size, last.root, given.size, given.root, offer.proof
                    )
                except VerificationError:
                    return 422, "text/plain", b"forked\n"
            self.seen[given.origin] = given
        line = cosign(note.text, self.name, self.signer, NOON)
        return 200, "text/plain", format_signature(line).encode()


@contextlib.contextmanager
def cosigning(name: str) -> Iterator[Witness]:
    """A witness that listens until the end of the block."""
    witness = Witness(name)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/add-checkpoint"
            status, kind, made = witness.answer(body)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(made)))
            self.end_headers()
            self.wfile.write(made)

        def log_message(self, *_: object) -> None:
            """It keeps quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    witness.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield witness
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def all_cosigning(*names: str) -> Iterator[list[Witness]]:
    """Several of them."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(cosigning(name)) for name in names]


def policy_document(
    auditors: Sequence[NoteKey],
    quorum: int,
    faults: int = 0,
    witnesses: tuple[Sequence[NoteKey], int] | None = None,
) -> bytes:
    """The witness policy of these auditors, and of ordinary witnesses with their quorum."""
    made: dict[str, Any] = {
        "format": 1,
        "auditors": {"keys": [k.vkey for k in auditors], "quorum": quorum, "faults": faults},
    }
    if witnesses is not None:
        made["witnesses"] = {"keys": [k.vkey for k in witnesses[0]], "quorum": witnesses[1]}
    return dump_json(made)


def govern_policy(city: City, document: bytes) -> WitnessPolicy:
    """Have governance put a witness policy in force."""
    action = {"action": "policy", "document": document.decode()}
    if city.state.policy is not None:
        action["consumes"] = city.state.policy.holder.hex()
    city.govern(action)
    return WitnessPolicy(document)


def make_final(city: City, *names: str, time: int = NOON) -> int:
    """Enter these auditors' cosignatures of the last block; the height up to which all is final."""
    collecting = Collecting(city.store)
    offer = collecting.newest()
    assert offer is not None
    text = offer.note.text
    lines = [cosign(text, f"{name}.example", key(name), time) for name in names]
    collecting.take([Cosigned(offer.height, line) for line in lines])
    with city.store.snapshot() as snapshot:
        return snapshot.final_height()


def vkeys(*names: str) -> list[NoteKey]:
    """The keys of auditors."""
    return [NoteKey(f"{name}.example", key(name).public, cosigner=True) for name in names]


def addresses(witnesses: Sequence[Witness]) -> dict[str, str]:
    """Where each of them is."""
    return {one.name: one.url for one in witnesses}


class Auditor:
    """`tally-verify auditor` for a source, which it reads anew for each offer; or one that lies.

    folder: its own.  now: the clock, which stands still.
    """

    def __init__(self, folder: Path, name: str, source: Path, *, lies: bool = False) -> None:
        self.name = f"{name}.example"
        self.key = NoteKey(self.name, key(name).public, cosigner=True)
        folder.mkdir()
        save(key(name), folder / "key.pem", PASSPHRASE.encode())
        (folder / "policy").write_text(policy_text(ORIGIN, key("operator").public), "utf-8")
        given = {"--source": source, "--policy": folder / "policy", "--key": folder / "key.pem"}
        given |= {"--name": self.name, "--state": folder / "state", "--listen": "127.0.0.1:0"}
        options = [str(part) for option in given.items() for part in option]
        command = ["-m", "verifier.cli", "auditor", *options, "--now", str(NOON), "--json"]
        if lies:
            command = [str(Path(__file__).with_name("lying.py")), name]
        self.process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=TOP,
            env={**os.environ, "TALLY_PASSPHRASE": PASSPHRASE, "LANG": "C.UTF-8"},
        )

    def listen(self) -> str:
        """Where it listens, once it does."""
        assert self.process.stdout is not None
        self.url = str(json.loads(self.process.stdout.readline())["url"])
        return self.url

    def signal(self, number: signal.Signals) -> None:
        """Kill it, cut it off (SIGSTOP), or let it go on (SIGCONT)."""
        self.process.send_signal(number)

    def end(self) -> None:
        """Kill it for good."""
        self.process.kill()
        self.process.communicate()
