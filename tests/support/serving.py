"""`tally serve` as a process of its own, over a socket.

    city = found(tmp_path / "city")            # or any ledger with its keys beside it
    with serving(city.folder, workers=2) as service:
        with service.client(city, "metro-app") as client:
            …

While PostgreSQL is in use (`support.postgres`), the ledger is in the database of its folder.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
from support.city import ORIGIN, PLATFORMS, City, key
from support.commands import PASSPHRASE
from support.postgres import url_of

from api.client import AsyncClient, Client
from keys.signer import save
from verifier.policies import policy_text
from verifier.policy import Policy, parse_policy

TOP = Path(__file__).resolve().parents[2]
PARTICIPANTS = ("operator", "governor", "verifier", *PLATFORMS)
STARTING_SECONDS, STOPPING_SECONDS = 180, 120


def keys_of(folder: Path) -> Path:
    """Where the keys of the ledger in ``folder`` are."""
    return folder.with_name(f"{folder.name}-keys")


def policy_of(participant: str = "operator") -> str:
    """The trust policy by the key of whoever runs the city's log."""
    return policy_text(ORIGIN, key(participant).public)


def found(folder: Path) -> City:
    """A city's ledger in ``folder``, with everyone's keys beside it."""
    keys_of(folder).mkdir()
    for name in PARTICIPANTS:
        save(key(name), keys_of(folder) / f"{name}.pem", PASSPHRASE.encode())
    return City.found(folder)


class Serving:
    """A running `tally serve`.

    url: where it listens.  log: the file with what it said on standard error.
    """

    def __init__(self, process: subprocess.Popen[str], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    def client(self, city: City, participant: str | None = None, **more: Any) -> Client:
        """A client of it, for a participant of the city."""
        return Client(self.url, **_for(city, participant), **more)

    def async_client(self, city: City, participant: str | None = None, **more: Any) -> AsyncClient:
        """The same, for asyncio."""
        return AsyncClient(self.url, **_for(city, participant), **more)

    def children(self) -> list[int]:
        """The process ids of the one that seals and the workers, the oldest first."""
        parent = self.process.pid
        named = Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split()
        return [int(pid) for pid in named if b"spawn_main" in _command_line(pid)]

    def stop(self) -> int:
        """Stop it as an operator would; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOPPING_SECONDS)

    def kill(self) -> None:
        """Kill all of its processes at once, as a loss of power would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _for(city: City, participant: str | None) -> dict[str, Any]:
    policy: Policy = parse_policy(policy_of().encode())
    if participant is None:
        return {"policy": policy}
    return {"policy": policy, "participant": participant, "signer": key(participant)}


def _command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def environment(folder: Path, database: str | None = None) -> dict[str, str]:
    """What commands on the ledger in ``folder`` are run with: its database, the passphrase."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TALLY_")}
    made = {**kept, "PYTHONPATH": str(TOP), "LANG": "C.UTF-8", "TALLY_PASSPHRASE": PASSPHRASE}
    url = database or url_of(folder)
    return made if url is None else {**made, "TALLY_DATABASE": url}


@contextlib.contextmanager
def serving(
    folder: Path,
    *,
    database: str | None = None,
    workers: int = 1,
    port: int = 0,
    now: int | None = None,
    settings: Mapping[str, object] | None = None,
) -> Iterator[Serving]:
    """`tally serve` on the ledger in ``folder``, until the end of the block.

    database: a URL, if it is not that of the folder.  now: a clock that stands still, in unix
    seconds.  settings: by their names in `api.service.settings`.
    """
    arguments = ["serve", str(folder), "--port", str(port), "--workers", str(workers), "--json"]
    if now is not None:
        arguments += ["--now", str(now)]
    given = {f"TALLY_SERVICE_{k.upper()}": str(v) for k, v in (settings or {}).items()}
    log = folder.with_name(f"{folder.name}-serve.log")
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**environment(folder, database), **given},
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        # It prints one document, and its standard output stays open.
        printed = ""
        for line in process.stdout:
            printed += line
            if line == "}\n":
                break
        assert printed, log.read_text("utf-8")
        service = Serving(process, json.loads(printed)["url"], log)
        httpx2.get(f"{service.url}/livez", timeout=STARTING_SECONDS).raise_for_status()
        yield service
        if process.poll() is None:
            assert service.stop() == 0, log.read_text("utf-8")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
