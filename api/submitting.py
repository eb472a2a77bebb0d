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
from itertools import islice

from api.outcomes import Item, Known, LeftOut, Outcome, Sent, reduce_lines
from api.session import Ledger
from api.values import STATEMENT_SECONDS
from chain.activities import parse_activities
from chain.admission import Admitted, admit, sign_submission
from chain.reductions import SUBMISSION_COUNT_MAX, Reduction
from chain.sequencer import BLOCK_STATEMENTS_MAX
from chain.state import State
from chain.store import queue
from chain.store.answers import answer as find_answer
from keys.errors import Malformed
from keys.signer import Signer
from keys.statements import Statement, parse_statement

SEAL_REDUCTIONS = 16_384
"""A block is sealed when so many reductions have gathered, and at the end."""


class Submitting:
    """One file's way into the ledger."""

    def __init__(self, ledger: Ledger, *, is_sealing: bool) -> None:
        self.ledger = ledger
        self._is_sealing = is_sealing
        self._enqueued: list[tuple[Statement, list[Item]]] = []
        self._pending: set[str] = set()

    @property
    def state(self) -> State:
        """What the rules know now."""
        return self.ledger.state

    def run(self, lines: Iterable[bytes], platform: str, batch: int) -> Iterator[Outcome]:
        """Send ``lines``, signed by ``platform`` with its key here, so many in a submission at
        most; yields each submission once it is sealed, or enqueued."""
        signer = self.ledger.signer(platform)
        if self._is_sealing:
            self.ledger.seal()
        self._pending = self._pending_roots(platform)
        gathered: dict[str, list[Item]] = defaultdict(list)
        numbered = enumerate(lines, 1)
        while chunk := list(islice(numbered, batch)):
            reduced = reduce_lines(chunk, self.ledger.state, platform)
            yield from (one for one in reduced if isinstance(one, LeftOut))
            new, known = self._sort_out([one for one in reduced if isinstance(one, Item)])
            yield known
            for item in new:
                of = gathered[item.reduction.scenario]
                of.append(item)
                if len(of) == batch:
                    yield from self._send(gathered.pop(item.reduction.scenario), platform, signer)
            if sum(len(items) for _, items in self._enqueued) >= SEAL_REDUCTIONS:
                yield from self._answers()
        for items in gathered.values():
            yield from self._send(items, platform, signer)
        yield from self._answers()

    def hand_over(self, lines: Iterable[bytes], data: bytes) -> Iterator[Sent]:
        """Send the submission ``data``, signed elsewhere over all of ``lines``; yields it.

        Raises the `Refusal` of the whole of it.
        """
        statement = parse_statement(data)
        if statement.kind != "submission":
            raise Malformed("kind-unknown", kind=statement.kind)
        taken = list(islice(lines, SUBMISSION_COUNT_MAX + 1))
        with self.ledger.store.snapshot() as snapshot:
            known = snapshot.known([statement.id])
        reductions: Sequence[Reduction]
        if known:
            # It may have expired by now; its answer has not.
            reductions = self.ledger.store.reductions(bytes.fromhex(statement.body["root"]))
        else:
            admitted = admit(self.ledger.state, statement, taken)
            self._submit(admitted)
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

    def _sort_out(self, items: Sequence[Item]) -> tuple[list[Item], Known]:
        """Those that are not recorded yet, and those that are."""
        with self.ledger.store.snapshot() as snapshot:
            live = snapshot.live(
                [item.reduction.holder for item in items], {item.reduction.day for item in items}
            )
        new = [item for item in items if item.reduction.holder not in live]
        known = [
            (item, live[item.reduction.holder]) for item in items if item.reduction.holder in live
        ]
        return new, Known(known)

    def _send(self, items: list[Item], platform: str, signer: Signer) -> Iterator[Known]:
        """Enqueue a submission, unless it waits already."""
        state = self.ledger.state
        statement = sign_submission(
            signer,
            platform=platform,
            ledger=state.genesis.id,
            expires=self.ledger.now + STATEMENT_SECONDS,
            reductions=[item.reduction for item in items],
        )
        if statement.body["root"] in self._pending:
            yield Known([(item, None) for item in items], is_waiting=True)
            return
        admitted = admit(state, statement, [item.activity.data for item in items])
        self._submit(admitted)
        self._enqueued.append((statement, items))

    def _submit(self, admitted: Admitted) -> None:
        # The operator's key is for seals alone: where there is none, it need not be at hand.
        if self._is_sealing:
            self.ledger.sequencer.submit([admitted])
        else:
            queue.submit(self.ledger.store, [admitted])

    def _answers(self) -> Iterator[Sent]:
        if self._is_sealing and self._enqueued:
            self.ledger.seal()
        for statement, items in self._enqueued:
            yield Sent(statement, items, find_answer(self.ledger.store, statement))
        self._enqueued = []

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
