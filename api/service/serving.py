"""The processes of `tally serve`: a supervisor, the workers that answer, and the one that seals.

The supervisor listens, hands the socket to its workers, and starts again what ends by itself.
Told to stop (SIGTERM, SIGINT), it first ends the workers, which finish what they have taken in,
then the sealing.  If the supervisor is killed, the others notice and end as well.

Each process counts for itself, in files of one folder; what a dead one counted stays, but for what
was true of it while it lived (`api.service.metrics`).
"""

import multiprocessing
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from multiprocessing.process import parent_process
from pathlib import Path

import uvicorn
from prometheus_client import multiprocess

from api.pseudonymising import Evaluator
from api.service import logs, tracing
from api.service.app import create_app
from api.service.intake import INTAKE_THREADS
from api.service.logs import LOG
from api.service.metrics import FOLDER
from api.service.protocol import UNHEARD, Http
from api.service.sealing import Sealing
from api.service.service import Service
from api.service.settings import Settings
from chain.store.ledger import open_store
from keys import signer
from keys.oprf import PrivateKey

BACKLOG = 2_048
SWITCH_SECONDS = 0.0005
RESTART_SECONDS = 1.0
STOP_SEALING = signal.SIGUSR1
"""Its own: a terminal and a service manager may tell all processes to end at once, and what the
workers have taken in is still to be sealed then."""
SEALING_THREADS = 2
"""One seals, one enters cosignatures."""
FILES = 1_024
"""Open files of a process beside its connections."""
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Plan:
    """What the processes are told.

    keys: files of the operator's keys, with the passphrase of each; kids: the ids of these.  now: a
    clock that stands still, for demonstrations and tests.  pseudonym_keys: files of private keys of
    pseudonyms, likewise with passphrases.
    """

    folder: Path
    database: str | None
    settings: Settings
    keys: Sequence[tuple[Path, bytes]]
    kids: frozenset[bytes]
    now: int | None = None
    pseudonym_keys: Sequence[tuple[Path, bytes]] = ()

    @property
    def clock(self) -> Callable[[], float]:
        """Unix seconds."""
        now = self.now
        return time.time if now is None else lambda: float(now)


class Supervisor:
    """Runs the service until it is told to stop."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._stopped = threading.Event()
        self._socket = _listen(plan.settings)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    def stop(self) -> None:
        """End the service."""
        self._stopped.set()

    def run(self) -> None:
        """Start the processes, and keep them until the service is stopped."""
        logs.install()
        _allow_files(UNHEARD * self._plan.settings.connections + FILES)
        with tempfile.TemporaryDirectory(prefix="tally-metrics-") as folder:
            os.environ[FOLDER] = folder
            sealing = _Child("sealing", lambda: _start(_seal, self._plan))
            workers = [
                _Child(f"worker-{n}", lambda: _start(_work, self._plan, self._socket))
                for n in range(self._plan.settings.workers)
            ]
            children = [sealing, *workers]
            try:
                while not self._stopped.wait(RESTART_SECONDS / 4):
                    for child in children:
                        child.keep()
            finally:
                # With the workers' own, nobody listens any more.
                self._socket.close()
                for child in workers:
                    child.end(signal.SIGTERM)
                for child in workers:
                    child.join(self._plan.settings.stop_seconds + 5)
                sealing.end(STOP_SEALING)
                sealing.join(self._plan.settings.stop_seconds)


class _Child:
    """A process that is started again when it ends, but not at once again and again."""

    def __init__(self, name: str, start: Callable[[], SpawnProcess]) -> None:
        self._name = name
        self._start = start
        self._process = start()
        self._began = time.monotonic()

    def keep(self) -> None:
        if self._process.is_alive() or time.monotonic() - self._began < RESTART_SECONDS:
            return
        LOG.error("ended", extra={"child": self._name, "status": self._process.exitcode})
        multiprocess.mark_process_dead(self._process.pid)  # type: ignore[no-untyped-call]
        self._process = self._start()
        self._began = time.monotonic()

    def end(self, number: signal.Signals) -> None:
        if self._process.pid and self._process.is_alive():
            os.kill(self._process.pid, number)

    def join(self, seconds: float) -> None:
        self._process.join(seconds)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _listen(settings: Settings) -> socket.socket:
    made = socket.create_server((settings.host, settings.port), backlog=BACKLOG, reuse_port=False)
    made.set_inheritable(True)
    return made


def _start(run: Callable[..., None], *given: object) -> SpawnProcess:
    process = _SPAWN.Process(target=_begin, args=(run, *given))
    process.start()
    return process


def _begin(run: Callable[..., None], *given: object) -> None:
    """Run in a process of its own, which says in the log what ended it."""
    logs.install()
    tracing.install()
    try:
        run(*given)
    except Exception:
        LOG.exception("crashed")
        sys.exit(1)


def _allow_files(count: int) -> None:
    """Let this process and its children have so many files open, if the system does."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if most == resource.RLIM_INFINITY else min(count, most)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _work(plan: Plan, listening: socket.socket) -> None:
    """One worker."""
    # Its threads wait on the disk and the database in many short calls, and each must get the
    # interpreter back at once to go on.
    sys.setswitchinterval(SWITCH_SECONDS)
    settings = plan.settings
    store = open_store(plan.folder, plan.database, threads=settings.threads + INTAKE_THREADS)
    evaluator = Evaluator(PrivateKey.load(*given) for given in plan.pseudonym_keys)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(Service(store, settings, plan.clock, plan.kids, evaluator)),
            http=Http.with_settings(settings),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(settings.stop_seconds),
        )
    )
    _with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
    server.run(sockets=[listening])
    store.engine.dispose()


def _seal(plan: Plan) -> None:
    """The process that seals, or waits to."""
    signers = [signer.load(path, passphrase) for path, passphrase in plan.keys]
    store = open_store(plan.folder, plan.database, threads=SEALING_THREADS)
    sealing = Sealing(store, signers, plan.settings, plan.clock)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(STOP_SEALING, lambda *_: sealing.stop())
    _with_parent(sealing.stop)
    sealing.run()
    store.engine.dispose()


def _with_parent(end: Callable[[], None]) -> None:
    """Call ``end`` when the supervisor is gone."""
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            end()

    threading.Thread(target=watch, name="parent", daemon=True).start()
