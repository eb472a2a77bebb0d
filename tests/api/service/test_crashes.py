"""Clients go on while processes are killed: workers, those that seal, whole services.

Two services work on one database, and 32 clients send to them.  Whatever was acknowledged is there
afterwards, provable and once; the log has one history; and the work goes on.
"""

import contextlib
import os
import random
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count, pairwise
from pathlib import Path

import pytest
from support.city import NOON, PLATFORMS, City
from support.faults import note_checkpoint
from support.postgres import Server
from support.replay import check_provable, check_replay
from support.serving import Serving, found, serving
from support.waiting import SECONDS, is_running, until

from api.client import Client
from api.outcomes import Sent
from chain.paths import CHECKPOINT

CLIENTS = 32
SERVICES = 2
WORKERS = 2
LINES_MAX = 3
CONTESTED_EVERY = 4
"""At every so manieth submission all clients report the same ride as well."""


class Services:
    """Two services of one ledger, each at its address; what ends is begun again."""

    def __init__(self, city: City, stack: contextlib.ExitStack) -> None:
        self._city = city
        self._stack = stack
        self._pool = stack.enter_context(ThreadPoolExecutor(SERVICES))
        self.running = [self._begin(0) for _ in range(SERVICES)]
        self._beginning: list[Future[None]] = []

    def _begin(self, port: int) -> Serving:
        made = serving(self._city.folder, workers=WORKERS, port=port, now=NOON)
        return self._stack.enter_context(made)

    def kill(self, choice: random.Random) -> bool:
        """Kill a process of one service, or all of them; whether there was one to kill."""
        standing = [one for one in self.running if one.process.poll() is None]
        children = [(one, pid) for one in standing for pid in one.children()]
        if not children:
            return False
        service, child = choice.choice(children)
        what = choice.choice(("child", "child", "child", "supervisor", "all"))
        if what == "child":
            # One that seals, or a worker; perhaps it has only just begun.
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            return True
        if what == "supervisor":
            os.kill(service.process.pid, signal.SIGKILL)
            service.process.wait()
        else:
            service.kill()
        of_it = [pid for one, pid in children if one is service]
        self._beginning.append(self._pool.submit(self._begin_again, service, of_it))
        return True

    def _begin_again(self, service: Serving, children: list[int]) -> None:
        until(lambda: not any(map(is_running, children)))
        port = int(service.url.rpartition(":")[2])
        self.running[self.running.index(service)] = self._begin(port)

    def settle(self) -> None:
        """All that ended have begun again."""
        for one in self._beginning:
            one.result()


class Clients:
    """Many clients that send until they are told to stop; what was acknowledged to them."""

    def __init__(self, city: City, clients: list[Client]) -> None:
        self._city = city
        self._clients = clients
        self._making = threading.Lock()
        self.stopped = threading.Event()
        self.acknowledged: list[Sent] = []

    def run(self, number: int) -> None:
        """One client; it ends with an acknowledgement."""
        client = self._clients[number % len(self._clients)]
        for turn in count():
            stopping = self.stopped.is_set()
            with self._making:
                lines = [
                    self._city.ride(f"person {number} {turn} {at}", NOON)
                    for at in range(1 + (number + turn) % LINES_MAX)
                ]
                if turn % CONTESTED_EVERY == 0:
                    lines.append(self._city.ride(f"everybody {turn}", NOON))
            for sent in client.submit(lines):
                assert isinstance(sent, Sent)
                assert sent.answer is not None
                self.acknowledged.append(sent)
            if stopping:
                return


def go_on_while_killed(folder: Path, seconds: float, every: float, seed: int) -> tuple[int, int]:
    """(submissions acknowledged, kills); raises if any promise was broken."""
    city = found(folder)
    choice = random.Random(seed)
    checkpoints: dict[int, set[bytes]] = {}
    watched = threading.Event()
    kills = 0

    def watch() -> None:
        while not watched.wait(0.005):
            note_checkpoint(folder / CHECKPOINT, checkpoints)

    with contextlib.ExitStack() as stack:
        services = Services(city, stack)
        clients = Clients(
            city,
            [
                stack.enter_context(
                    service.client(city, platform, clock=lambda: NOON, patience=2 * SECONDS)
                )
                for service in services.running
                for platform in PLATFORMS
            ],
        )
        pool = stack.enter_context(ThreadPoolExecutor(CLIENTS + 1))
        stack.callback(watched.set)
        stack.callback(clients.stopped.set)
        watching = pool.submit(watch)
        working = [pool.submit(clients.run, number) for number in range(CLIENTS)]
        end = time.monotonic() + seconds
        until(lambda: clients.acknowledged)
        while time.monotonic() < end or kills < 3:
            kills += services.kill(choice)
            # When it is decides nothing: every moment must be survived.
            time.sleep(every * choice.random() * 2)
        services.settle()
        clients.stopped.set()
        for work in working:
            work.result()
        watched.set()
        watching.result()
    note_checkpoint(folder / CHECKPOINT, checkpoints)
    check_promises(City(folder), clients.acknowledged, checkpoints)
    return len(clients.acknowledged), kills


def check_promises(
    city: City, acknowledged: list[Sent], checkpoints: dict[int, set[bytes]]
) -> None:
    """Everything acknowledged is provable, nothing is there twice, and there is one history."""
    # What was taken in and not answered may still wait.
    city.sequencer.seal_all(NOON)
    note_checkpoint(city.folder / CHECKPOINT, checkpoints)
    assert all(len(roots) == 1 for roots in checkpoints.values())
    replayed = check_replay(city)
    assert len(replayed.ids) == len(replayed.statements)
    for before, after in pairwise(replayed.register.spans()):
        assert before.line != after.line or before.end <= after.start
    for sent in acknowledged:
        assert sent.answer is not None
        assert replayed.statements[sent.answer.index] == sent.statement
        check_provable(city, sent.statement)
        for position, item in enumerate(sent.items):
            is_recorded = position not in sent.answer.refusals
            assert (item.reduction.holder in replayed.live) == is_recorded
            # Only what all of them reported is refused to anybody, and not for what is their own.
            is_contested = len(sent.items) > 1 and position == len(sent.items) - 1
            assert is_recorded or is_contested
            assert position not in sent.known


def test_work_goes_on_while_processes_are_killed(tmp_path: Path, postgres_server: Server) -> None:
    with postgres_server.use():
        acknowledged, kills = go_on_while_killed(tmp_path / "city", 12, 1.5, seed=5)
    assert acknowledged >= CLIENTS
    assert kills >= 3


@pytest.mark.long
def test_work_goes_on_for_a_minute_of_kills(tmp_path: Path, postgres_server: Server) -> None:
    with postgres_server.use():
        acknowledged, kills = go_on_while_killed(tmp_path / "city", 60, 3, seed=2026)
    print(f"{kills} kills in a minute: {acknowledged} submissions acknowledged, all provable")
    assert acknowledged >= CLIENTS
