"""Taking in: many admitted statements at once into the queue, and their answers when sealed.

Two threads for each worker.  One gathers what the requests have admitted and enqueues it in one
transaction, with one flush of its files: the more come at once, the less each costs.  The other
looks for blocks that were sealed, wherever, and hands the answers to the requests that wait.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from api.service.logs import LOG, reason_of
from api.service.metrics import stage
from chain.admission import Admitted
from chain.store import queue
from chain.store.answers import Answer, answers
from chain.store.ledger import LedgerStore
from keys.errors import Busy, Refusal
from keys.statements import Statement

LOOK_SECONDS = 0.02
"""How often it is looked for a new block, while somebody waits."""
LOOKS_EVERY = 10
"""At every so manieth look also without one: a refused statement makes no block."""
TOGETHER_MAX = 1_024
_BUSY_SECONDS = 0.5
INTAKE_THREADS = 2

Outcome = Answer | Refusal | None
"""The answer, why all of it was refused, or None while it waits."""


@dataclass(frozen=True)
class _Given:
    """What a request hands over, and what to call with an exception or None when it is kept."""

    what: Admitted | Statement
    done: Callable[[BaseException | None], None]


class Intake:
    """The way of admitted statements into the queue of one ledger, and of their answers back.

    most: no more are taken in while so many statements wait for a block.
    """

    def __init__(self, store: LedgerStore, most: int) -> None:
        self._store = store
        self._most = most
        self._given: SimpleQueue[_Given | None] = SimpleQueue()
        self._waiting: dict[bytes, list[Callable[[Outcome], None]]] = defaultdict(list)
        self._changed = threading.Condition()
        self._is_fresh = False
        self._is_stopping = False
        self._threads = [
            threading.Thread(target=self._enqueue, name="enqueue", daemon=True),
            threading.Thread(target=self._look, name="answers", daemon=True),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, when what was given is in the queue."""
        self._given.put(None)
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        for thread in self._threads:
            thread.join()

    async def keep(self, what: Admitted | Statement) -> None:
        """Keep it for a block; when this returns it survives a crash.

        Raises `Busy` "service-busy" while too many wait.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def done(error: BaseException | None) -> None:
            loop.call_soon_threadsafe(_settle, future, error)

        self._given.put(_Given(what, done))
        await future

    async def wait(self, identity: bytes, seconds: float) -> Outcome:
        """What became of a kept statement; None if it still waits after so many seconds."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()

        def found(outcome: Outcome) -> None:
            loop.call_soon_threadsafe(_give, future, outcome)

        with self._changed:
            self._waiting[identity].append(found)
            self._is_fresh = True
            self._changed.notify()
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            with self._changed:
                left = self._waiting.get(identity, [])
                if found in left:
                    left.remove(found)
                if not left:
                    self._waiting.pop(identity, None)

    # --- the threads ---

    def _enqueue(self) -> None:
        ending = False
        while not ending:
            first = self._given.get()
            if first is None:
                return
            given = [first]
            while len(given) < TOGETHER_MAX and not self._given.empty():
                more = self._given.get()
                if more is None:
                    ending = True
                    break
                given.append(more)
            error: BaseException | None = None
            try:
                with stage("enqueue"):
                    self._keep([one.what for one in given])
            except OSError as raised:  # a full disk, which passes
                LOG.error("enqueue", extra={"reason": reason_of(raised)})
                error = Busy("service-busy", retry_after=1)
            except Exception as raised:  # whatever it was, each request is to answer it
                error = raised
            for one in given:
                one.done(error)

    def _keep(self, given: Sequence[Admitted | Statement]) -> None:
        with self._store.snapshot() as snapshot:
            if snapshot.pending_count() >= self._most:
                raise Busy("service-busy", retry_after=1)
        admitted = {one.entry.statement.id: one for one in given if isinstance(one, Admitted)}
        if admitted:
            queue.submit(self._store, list(admitted.values()))
        statements = {one.id: one for one in given if isinstance(one, Statement)}
        if statements:
            queue.post(self._store, list(statements.values()))

    def _look(self) -> None:
        height, looks = -1, 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_stopping)
                if self._is_stopping:
                    return
                wanted = list(self._waiting)
                # What came in since the last look may have been sealed before.
                is_due = self._is_fresh or looks % LOOKS_EVERY == 0
                self._is_fresh = False
            looks += 1
            try:
                with self._store.snapshot() as snapshot:
                    now = snapshot.height()
                if is_due or now != height:
                    self._tell(answers(self._store, wanted))
                    height = now
                pause = LOOK_SECONDS
            except Exception:  # a database that is away comes back, or the requests time out
                pause = _BUSY_SECONDS
            with self._changed:
                self._changed.wait_for(lambda: self._is_stopping, pause)

    def _tell(self, made: dict[bytes, Answer | Refusal | None]) -> None:
        for identity, outcome in made.items():
            if outcome is not None:
                with self._changed:
                    found = self._waiting.pop(identity, [])
                for tell in found:
                    tell(outcome)


def _settle(future: "asyncio.Future[None]", error: BaseException | None) -> None:
    if not future.done():
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def _give(future: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)
