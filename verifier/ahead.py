"""Reading ahead of a replay: other processes look at submissions before their turn.

The rules decide in one process, in the order of the log, since what becomes of a claim hangs on all
that was recorded before it.  What `verifier.submissions` asks hangs on nothing but governance: so
`Ahead` runs a few entries before the replay, hands their submissions to worker processes, and gives
each entry together with what was found, or with the error to raise, once the replay comes to it.
The first entry that is wrong, and why, are therefore those of a replay alone.

* *Order.* Each worker has one task at a time, of a few submissions, and answers in their order;
  it is given the next only after its last answer was taken.  So neither side waits for a reader
  that waits for it, and what has been found and not been taken lies in the workers, one submission
  in each.
* *Governance.* With activities, workers know the statements of governance that the replay has
  accepted (`chain.rules.replay_governance`).  No entry after such a statement is looked at before
  the replay has taken it.
* *Ends.* A worker that ends before its time ends the audit, with "audit-process-ended", and decides
  nothing.  Workers end with the process that started them.
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import NamedTuple, TypeVar

from chain.batches import Batch
from chain.bulk import no_collection
from chain.reductions import Reduction
from chain.rules import GOVERNANCE_KINDS, replay_governance
from chain.state import State
from keys.errors import Malformed, Refusal, TallyError, Unreadable, VerificationError
from keys.statements import parse_statement
from verifier.sources import Source
from verifier.submissions import SourceSubmissions, Submissions, submitted_by

TASK_REDUCTIONS = 1_024
TASK_ENTRIES = 256
"""A task ends with the submission that reaches the one, or the entry that reaches the other."""
_SPAWN = multiprocessing.get_context("spawn")

Given = TypeVar("Given")
Governed = tuple[int, bytes, int]
"""An entry of governance: its index, its bytes, the rules' clock (`AuditState.governance`)."""
Asked = tuple[str, bytes, int]
"""A submission: platform, root, count."""


class _Found(NamedTuple):
    """What a worker found of one submission, or the error that it met."""

    batch: Batch | TallyError
    places: list[int] | TallyError

    def reductions(self, root: bytes, count: int) -> Batch:
        """See `Submissions.reductions`."""
        return _given(self.batch)

    def blanks(
        self, state: State, platform: str, root: bytes, reductions: Sequence[Reduction]
    ) -> list[int]:
        """See `Submissions.blanks`."""
        return _given(self.places)


def _given(found: Given | TallyError) -> Given:
    if isinstance(found, TallyError):
        raise found
    return found


class Ahead:
    """How many processes read ahead, and from where."""

    def __init__(self, open_source: Callable[[], Source], processes: int) -> None:
        """open_source: opens the replay's source once more; it is pickled for each of them."""
        self._open_source = open_source
        self._processes = processes

    def read(
        self,
        entries: Iterator[bytes],
        governance: Callable[[int], Iterator[Governed]],
        *,
        activities: bool,
    ) -> Generator[tuple[bytes, Submissions | None], None, None]:
        """Each of the entries, with what was found of it if it is a submission.

        An entry counts as taken when the next is asked for.  governance: what was accepted of it
        from an index on.  Raises what ``entries`` raises, in its turn, and `Unreadable`.
        """
        workers: list[_Worker] = []
        try:
            for _ in range(self._processes):
                workers.append(_Worker(self._open_source))
            yield from _Reading(entries, governance if activities else None, workers)
        finally:
            for worker in workers:
                worker.end()


class _Reading:
    """Entries that were read, and who looks at them."""

    def __init__(
        self,
        entries: Iterator[bytes],
        governance: Callable[[int], Iterator[Governed]] | None,
        workers: list["_Worker"],
    ) -> None:
        self._entries = entries
        self._governance = governance
        self._workers = workers
        self._waiting: deque[tuple[bytes, _Worker | None]] = deque()
        self._error: TallyError | None = None
        self._stops = self._ends = False

    def __iter__(self) -> Iterator[tuple[bytes, Submissions | None]]:
        while True:
            self._fill()
            if not self._waiting:
                break
            data, worker = self._waiting.popleft()
            found = None
            if worker is not None:
                found = worker.answer()
                # It goes on while the rules decide.
                self._fill()
            yield data, found
            if not self._waiting:
                self._stops = False
        if self._error is not None:
            raise self._error

    def _fill(self) -> None:
        """Give something to do to those who have nothing."""
        for worker in self._workers:
            if len(self._waiting) >= TASK_ENTRIES * len(self._workers):
                return
            if worker.asked == 0:
                asked = self._gather(worker)
                if asked:
                    governance = self._governance and list(self._governance(worker.governed))
                    worker.ask(governance or [], asked)

    def _gather(self, worker: "_Worker") -> list[Asked]:
        """Read entries until they are a task for a worker; its submissions."""
        asked: list[Asked] = []
        entries = reductions = 0
        while entries < TASK_ENTRIES and reductions < TASK_REDUCTIONS:
            data = self._next()
            if data is None:
                break
            one = None
            # Its form is what the replay finds wrong.
            with suppress(Malformed):
                statement = parse_statement(data)
                self._stops = statement.kind in GOVERNANCE_KINDS
                if statement.kind == "submission":
                    one = (statement.issuer, *submitted_by(statement))
            if one is not None:
                asked.append(one)
                reductions += one[2]
            self._waiting.append((data, worker if one is not None else None))
            entries += 1
        return asked

    def _next(self) -> bytes | None:
        """The next entry; None if none can be read before those that wait were taken."""
        if self._stops or self._ends:
            return None
        try:
            return next(self._entries)
        except StopIteration:
            self._ends = True
        except (Refusal, VerificationError, Unreadable) as error:
            self._ends, self._error = True, error
        return None


class _Worker:
    """A process that looks at submissions, as seen by the one that started it."""

    def __init__(self, open_source: Callable[[], Source]) -> None:
        self._connection, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_work, args=(theirs, open_source), daemon=True)
        self._process.start()
        # What is left of their end is theirs, and ends with them.
        theirs.close()
        self.asked = 0
        """Submissions whose answers were not taken yet."""
        self.governed = 0
        """Up to where it knows what governance has accepted."""

    def ask(self, governance: list[Governed], asked: list[Asked]) -> None:
        """Give it a task; it has none."""
        self.governed = governance[-1][0] + 1 if governance else self.governed
        self.asked = len(asked)
        with suppress(OSError):  # `answer` says so, in its turn
            self._connection.send((governance, asked))

    def answer(self) -> _Found:
        """Its next answer; raises `Unreadable` "audit-process-ended" if there is none."""
        try:
            found: _Found = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            status = self._process.exitcode
            raise Unreadable("audit-process-ended", status=status) from None
        self.asked -= 1
        return found

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.join()
        self._connection.close()


def _work(connection: Connection, open_source: Callable[[], Source]) -> None:
    """What a worker does, until the process that started it ends it, or ends."""
    # Whoever interrupts means that process, which then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    submissions = SourceSubmissions(open_source())
    state: State | None = None
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            governance, asked = connection.recv()
            with no_collection():
                for number, data, clock in governance:
                    state = replay_governance(state, parse_statement(data), number, clock)
                for one in asked:
                    connection.send(_find(submissions, state, *one))


def _find(
    submissions: Submissions, state: State | None, platform: str, root: bytes, count: int
) -> _Found:
    """Look at one submission; without a state, not at its activities."""
    # What was not looked at counts as withheld.
    places: list[int] | TallyError = VerificationError("activities-withheld", root=root.hex())
    try:
        batch = submissions.reductions(root, count)
    except TallyError as error:
        return _Found(error, places)
    try:
        if state is not None:
            places = submissions.blanks(state, platform, root, batch)
    except TallyError as error:
        places = error
    return _Found(batch, places)
