"""Submitting a platform's activities: compute, sign, admit, enqueue, seal, answer.

What is recorded already is left out, so that sending a file again, after a lost answer or with
lines added, changes nothing and records what is new.  So is a batch that still waits for a block.
An activity that earns nothing is reported with its line number and left out; the others go on.

A platform that computes and signs elsewhere hands over its statement with its activities, and is
taken at its word or refused: nothing is left out, since the statement covers all of them.  The
same statement sent again is answered again.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from api.session import STATEMENT_SECONDS, Ledger
from chain.activities import Activity, parse_activities, parse_activity
from chain.admission import admit, reduce_activities, sign_submission
from chain.effects import Refused
from chain.reductions import SUBMISSION_COUNT_MAX, Reduction
from chain.sequencer import BLOCK_STATEMENTS_MAX, Sequencer
from chain.store.answers import Answer
from chain.store.snapshot import Place
from keys.errors import Malformed, Refusal
from keys.signer import Signer
from keys.statements import Statement, parse_statement

SEAL_REDUCTIONS = 16_384
"""A block is sealed when so many reductions have gathered, and at the end."""


@dataclass(frozen=True, slots=True)
class Item:
    """A reduction on its way: its line in the file, its activity, and itself."""

    number: int
    activity: Activity
    reduction: Reduction


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """A reduction that was not recorded, why, and the platform that holds what it met."""

    item: Item
    place: Place
    why: Refused
    platform: str | None


@dataclass(frozen=True)
class Known:
    """Reductions that were recorded before, and where."""

    items: Sequence[tuple[Item, Place]]


@dataclass(frozen=True)
class Sent:
    """A submission, and what became of it: no answer while it waits for a block."""

    statement: bytes
    scenario: str
    items: Sequence[Item]
    answer: Answer | None

    def refused(self) -> Iterator[RefusedItem]:
        """The reductions of it that were refused."""
        if self.answer is not None:
            for position, why in self.answer.refusals.items():
                platform = self.answer.platforms.get(why.met.holder) if why.met else None
                place = Place(self.answer.index, position, None)
                yield RefusedItem(self.items[position], place, why, platform)


@dataclass
class Tally:
    """What came of a file."""

    lines: int = 0
    recorded: int = 0
    refused: int = 0
    grams: int = 0
    known: int = 0
    """Recorded, or waiting, before."""
    waiting: int = 0
    left_out: list[tuple[int, Refusal]] = field(default_factory=list)
    """Line number, and why it earns nothing."""


class Submitting:
    """One file's way into the ledger."""

    def __init__(self, ledger: Ledger, *, is_sealing: bool) -> None:
        self.ledger = ledger
        self.tally = Tally()
        self._is_sealing = is_sealing
        # The operator's key is for seals alone: where there is none, it need not be at hand.
        self._sequencer = ledger.sequencer() if is_sealing else Sequencer(ledger.store)
        self._enqueued: list[tuple[Statement, list[Item]]] = []
        self._pending: set[str] = set()

    def run(self, lines: Iterable[bytes], platform: str, batch: int) -> Iterator[Sent | Known]:
        """Send ``lines``, signed by ``platform`` with its key here, so many in a submission at
        most; yields each submission once it is sealed, or enqueued."""
        signer = self.ledger.signer(platform)
        if self._is_sealing:
            self.ledger.seal(self._sequencer)
        self._pending = self._pending_roots(platform)
        gathered: dict[str, list[Item]] = defaultdict(list)
        numbered = enumerate(lines, 1)
        while chunk := list(islice(numbered, batch)):
            new, known = self._sort_out(self._reduce(chunk, platform))
            yield known
            for item in new:
                of = gathered[item.reduction.scenario]
                of.append(item)
                if len(of) == batch:
                    self._send(gathered.pop(item.reduction.scenario), platform, signer)
            if sum(len(items) for _, items in self._enqueued) >= SEAL_REDUCTIONS:
                yield from self._answers()
        for items in gathered.values():
            self._send(items, platform, signer)
        yield from self._answers()

    def hand_over(self, lines: Iterable[bytes], data: bytes) -> Iterator[Sent]:
        """Send the submission ``data``, signed elsewhere over all of ``lines``; yields it.

        Raises the `Refusal` of the whole of it.
        """
        statement = parse_statement(data)
        if statement.kind != "submission":
            raise Malformed("kind-unknown", kind=statement.kind)
        taken = list(islice(lines, SUBMISSION_COUNT_MAX + 1))
        self.tally.lines = len(taken)
        with self.ledger.store.snapshot() as snapshot:
            known = snapshot.known([statement.id])
        reductions: Sequence[Reduction]
        if known:
            # It may have expired by now; its answer has not.
            reductions = self.ledger.store.reductions(bytes.fromhex(statement.body["root"]))
        else:
            admitted = admit(self._sequencer.state, statement, taken)
            self._sequencer.submit([admitted])
            reductions = admitted.entry.reductions
        activities = parse_activities(taken)
        if [activity.digest for activity in activities] != [r.digest for r in reductions]:
            raise Malformed("submission-root")
        items = [
            Item(number, activity, reduction)
            for number, (activity, reduction) in enumerate(
                zip(activities, reductions, strict=True), 1
            )
        ]
        self._enqueued.append((statement, items))
        yield from self._answers()

    def _reduce(self, chunk: Sequence[tuple[int, bytes]], platform: str) -> list[Item]:
        """The reductions of a chunk; what earns none is noted."""
        self.tally.lines += len(chunk)
        read: list[tuple[int, Activity]] = []
        for number, line in chunk:
            try:
                read.append((number, parse_activity(line)))
            except Refusal as refusal:
                self.tally.left_out.append((number, refusal))
        activities = [activity for _, activity in read]
        made = reduce_activities(activities, self._sequencer.state, platform)
        items = []
        for (number, activity), reduction in zip(read, made, strict=True):
            if isinstance(reduction, Refusal):
                self.tally.left_out.append((number, reduction))
            else:
                items.append(Item(number, activity, reduction))
        return items

    def _sort_out(self, items: Sequence[Item]) -> tuple[list[Item], Known]:
        """Those that are not recorded yet, and those that are."""
        with self.ledger.store.snapshot() as snapshot:
            live = snapshot.live([item.reduction.holder for item in items])
        new = [item for item in items if item.reduction.holder not in live]
        known = [
            (item, live[item.reduction.holder]) for item in items if item.reduction.holder in live
        ]
        self.tally.known += len(known)
        return new, Known(known)

    def _send(self, items: list[Item], platform: str, signer: Signer) -> None:
        state = self._sequencer.state
        statement = sign_submission(
            signer,
            platform=platform,
            ledger=state.genesis.id,
            expires=max(self.ledger.now, state.time) + STATEMENT_SECONDS,
            reductions=[item.reduction for item in items],
        )
        if statement.body["root"] in self._pending:
            self.tally.known += len(items)
            return
        admitted = admit(state, statement, [item.activity.data for item in items])
        self._sequencer.submit([admitted])
        self._enqueued.append((statement, items))

    def _answers(self) -> Iterator[Sent]:
        if self._is_sealing and self._enqueued:
            self.ledger.seal(self._sequencer)
        for statement, items in self._enqueued:
            answer = self._sequencer.answer(statement)
            if answer is None:
                self.tally.waiting += len(items)
            else:
                self._count(items, answer)
            yield Sent(statement.id, statement.body["scenario"], items, answer)
        self._enqueued = []

    def _count(self, items: Sequence[Item], answer: Answer) -> None:
        taken = [item for n, item in enumerate(items) if n not in answer.refusals]
        self.tally.recorded += len(taken)
        self.tally.refused += len(answer.refusals)
        self.tally.grams += sum(item.reduction.grams for item in taken)

    def _pending_roots(self, platform: str) -> set[str]:
        """The roots of a platform's submissions that wait for a block."""
        with self.ledger.store.snapshot() as snapshot:
            waiting = snapshot.pending(BLOCK_STATEMENTS_MAX)
        statements = [parse_statement(item.data) for item in waiting]
        return {
            statement.body["root"]
            for statement in statements
            if statement.kind == "submission" and statement.issuer == platform
        }
