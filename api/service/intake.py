"""Taking in: what the requests bring is admitted, kept for a block, and answered when sealed.

Four threads for each worker, each of which does together what has gathered since it looked last:
the more comes at once, the less each costs.  Two admit (`api.service.admitting`): one what is
large, one after the other, and one what is small, many at once.  One enqueues, in one transaction
with one flush of the files.  One looks for blocks that were sealed, wherever, and hands the answers
to the requests that wait.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from api.service.admitting import Admitting, Sent, Taken
from api.service.logs import LOG, reason_of
from api.service.metrics import stage
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
SMALL_BYTES_MAX = 16_384
_BUSY_SECONDS = 0.5
INTAKE_THREADS = 4

_T = TypeVar("_T")


class _Given(NamedTuple):
    """What a request hands over, and the future that is set once it is kept."""

    sent: Sent
    kept: "asyncio.Future[Taken]"


_Queue = SimpleQueue[_T | None]
"""What waits for a thread; None ends it."""


class Intake:
    """The way of what is sent into the queue of one ledger, and of the answers back.

    most: no more is taken in while so many statements wait for a block.
    """

    def __init__(self, store: LedgerStore, admitting: Admitting, most: int) -> None:
        self._store = store
        self._admitting = admitting
        self._most = most
        self._small: _Queue[_Given] = SimpleQueue()
        self._large: _Queue[_Given] = SimpleQueue()
        self._admitted: _Queue[tuple[_Given, Taken]] = SimpleQueue()
        self._waiting: dict[bytes, list[asyncio.Future[Answer]]] = defaultdict(list)
        self._lock = threading.Lock()
        self._is_waited_for = threading.Event()
        self._is_fresh = False
        self._stopped = threading.Event()
        self._admits = [
            _thread("admit-small", self._admit, self._small, TOGETHER_MAX),
            _thread("admit-large", self._admit, self._large, 1),
        ]
        self._enqueues = _thread("enqueue", self._enqueue)
        self._looks = _thread("answers", self._look)

    def start(self) -> None:
        """Begin."""
        for thread in (*self._admits, self._enqueues, self._looks):
            thread.start()

    def stop(self) -> None:
        """End, when what was given is in the queue."""
        for given in (self._small, self._large):
            given.put(None)
        for thread in self._admits:
            thread.join()
        self._admitted.put(None)
        self._enqueues.join()
        self._stopped.set()
        self._is_waited_for.set()
        self._looks.join()

    async def keep(self, sent: Sent) -> Taken:
        """Admit it and keep it for a block; when this returns, it survives a crash.

        Raises the `Refusal` of all of it, or `Busy` "service-busy" while too many wait.
        """
        kept: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
        is_small = isinstance(sent, Statement) or len(sent) <= SMALL_BYTES_MAX
        (self._small if is_small else self._large).put(_Given(sent, kept))
        return await kept

    async def wait(self, identity: bytes, seconds: float) -> Answer | None:
        """The answer about a kept statement; None if it still waits after so many seconds.

        Raises the `Refusal` of the whole of it.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting[identity].append(future)
            self._is_fresh = True
        self._is_waited_for.set()
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            with self._lock:
                left = self._waiting.get(identity, [])
                if future in left:
                    left.remove(future)
                if not left:
                    self._waiting.pop(identity, None)

    # --- the threads ---

    def _admit(self, waiting: _Queue[_Given], most: int) -> None:
        for given in _batches(waiting, most):
            made: Sequence[Taken | Exception]
            try:
                with stage("admit"):
                    made = self._admitting.admit([one.sent for one in given])
            except Exception as raised:  # whatever it was, each request is to answer it
                made = [raised] * len(given)
            told = []
            for one, what in zip(given, made, strict=True):
                if isinstance(what, Exception) or what.is_known:
                    told.append((one.kept, what))
                else:
                    self._admitted.put((one, what))
            _tell(told)

    def _enqueue(self) -> None:
        for admitted in _batches(self._admitted, TOGETHER_MAX):
            error: Exception | None = None
            try:
                with stage("enqueue"):
                    self._keep([what for _, what in admitted])
            except OSError as raised:  # a full disk, which passes
                LOG.error("enqueue", extra={"reason": reason_of(raised)})
                error = Busy("service-busy", retry_after=1)
            except Exception as raised:  # whatever it was, each request is to answer it
                error = raised
            _tell([(one.kept, error or what) for one, what in admitted])

    def _keep(self, given: Sequence[Taken]) -> None:
        with self._store.snapshot() as snapshot:
            if snapshot.pending_count() >= self._most:
                raise Busy("service-busy", retry_after=1)
        admitted = {one.statement.id: one.admitted for one in given if one.admitted is not None}
        if admitted:
            queue.submit(self._store, list(admitted.values()))
        others = {one.statement.id: one.statement for one in given if one.admitted is None}
        if others:
            queue.post(self._store, list(others.values()))

    def _look(self) -> None:
        height, looks = -1, 0
        while not self._stopped.is_set():
            self._is_waited_for.wait()
            with self._lock:
                wanted = list(self._waiting)
                # What came in since the last look may have been sealed before.
                is_due = self._is_fresh or looks % LOOKS_EVERY == 0
                self._is_fresh = False
                if not wanted and not self._stopped.is_set():
                    self._is_waited_for.clear()
            looks += 1
            try:
                with self._store.snapshot() as snapshot:
                    now = snapshot.height()
                if wanted and (is_due or now != height):
                    self._answer(answers(self._store, wanted))
                    height = now
                pause = LOOK_SECONDS
            except Exception:  # a database that is away comes back, or the requests time out
                pause = _BUSY_SECONDS
            self._stopped.wait(pause)

    def _answer(self, made: dict[bytes, Answer | Refusal | None]) -> None:
        with self._lock:
            _tell(
                [
                    (future, outcome)
                    for identity, outcome in made.items()
                    if outcome is not None
                    for future in self._waiting.pop(identity, [])
                ]
            )


def _thread(name: str, run: Callable[..., None], *given: object) -> threading.Thread:
    return threading.Thread(target=run, args=given, name=name, daemon=True)


def _batches(waiting: _Queue[_T], most: int) -> Iterator[list[_T]]:
    """What has gathered in a queue, so many at most, again and again until None comes."""
    while (one := waiting.get()) is not None:
        batch = [one]
        while len(batch) < most and not waiting.empty():
            more = waiting.get()
            if more is None:
                waiting.put(None)
                break
            batch.append(more)
        yield batch


def _tell(told: Sequence[tuple["asyncio.Future[Any]", Any]]) -> None:
    """Set futures to what they wait for, or to the exception in its place."""
    loops = defaultdict(list)
    for one in told:
        loops[one[0].get_loop()].append(one)
    for loop, of in loops.items():
        loop.call_soon_threadsafe(_settle, of)


def _settle(told: Sequence[tuple["asyncio.Future[Any]", Any]]) -> None:
    for future, outcome in told:
        if future.done():  # whoever asked has gone
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
