"""The replay of a ledger: every statement through the rules, in order, by an auditor's own state.

`Replay.take` takes the next entry of the log, whose bytes the caller has proved to stand there.  It
reads the reductions that the entry names (`verifier.submissions`), by the roots that were signed,
or is given what was found of them before (`verifier.ahead`), and lets
`chain.rules.apply` decide; an entry that the rules refuse is wrong, and why is the error that they
raise.  So the register's root is compared at every seal, the totals of all lots at every close,
and every certification, issuance and holding with what it builds upon.  Nothing of an entry that
is wrong is entered.

With ``activities`` each reduction of a submission is computed again from its activity.  One that is
not there must be erased by a later statement of the log: see `Replay.first_blank`.

Nothing is kept for good before `save`, which is for the end of a block alone.
"""

from collections.abc import Sequence
from dataclasses import replace

from chain import kernel, merkle
from chain.batches import Batch
from chain.certifications import Certification
from chain.effects import Effects, Entry
from chain.lots import Lot
from chain.pages import ROW_SIZE
from chain.reductions import Reduction, total_grams
from chain.register import Register
from chain.rules import GOVERNANCE_KINDS, NAMED_BY, apply, replay_governance
from chain.spans import FOREVER, Span
from chain.state import State
from keys.errors import Conflict, Fault
from keys.statements import Statement, parse_statement
from verifier.audit_state import AuditState, Head, Submitted
from verifier.sources import Source
from verifier.submissions import SourceSubmissions, Submissions, submitted_by

PAGES_KEPT_MAX = 50_000
"""Pages of the register kept in memory as they are stored."""
SPANS_UNDRAINED_MAX = 16_384
"""Spans entered before the pages that they changed are written, also within a block."""
ROOM = 4 if kernel.native else 1
"""The compiled kernel keeps so many times as much: a page takes a quarter of the memory there, and
what must be done again after a crash, less than a tenth of the time."""


class Replay:
    """A ledger replayed so far; it is the rules' view of itself."""

    def __init__(self, kept: AuditState, source: Source, *, activities: bool = False) -> None:
        """Go on from what is kept; raises `Fault` if that is damaged."""
        self._kept = kept
        self._submissions = SourceSubmissions(source)
        self._activities = activities
        head = kept.head()
        self.state: State | None = None
        for number, data, clock in kept.governance():
            self.state = replay_governance(self.state, parse_statement(data), number, clock)
        if self.state is not None:
            self.state = replace(
                self.state,
                index=head.frontier.size,
                height=head.height,
                time=head.time,
                previous=head.seal,
            )
        self._register = Register(kept.pages, head.next_page, cached_max=PAGES_KEPT_MAX * ROOM)
        if self._register.root() != head.register:
            raise Fault("register-differs", height=head.height)
        self._frontier = head.frontier
        self._leaves: list[bytes] = []
        self._undrained = 0
        self.tally = head.tally
        self.is_sealed = head.frontier.size > 0
        """Whether the last entry was a seal."""
        self.unsaved = 0
        """Statements and reductions since the last `save`."""

    @property
    def size(self) -> int:
        """How many entries were taken."""
        return self._frontier.size + len(self._leaves)

    @property
    def frontier(self) -> merkle.Frontier:
        """The frontier of the log up to there."""
        self._frontier = self._frontier.append(self._leaves)
        self._leaves = []
        return self._frontier

    def save(self, note: bytes) -> None:
        """Keep all that was taken, for good; the last entry was a seal.

        note: the last checkpoint whose audit was finished.
        """
        state = self.state
        if state is None or not self.is_sealed:
            raise Fault("audit-not-sealed", size=self.size)
        self._kept.keep_pages(self._register.drain())
        self._kept.save(
            Head(
                self.frontier,
                state.height,
                state.time,
                state.previous,
                self._register.root(),
                self._register.next_page,
                self.tally,
                note,
            )
        )
        self.unsaved = 0

    # --- the rules' view ---

    def seen(self, identity: bytes) -> bool:
        return self._kept.number(identity) is not None

    def overlapping(
        self, wanted: Sequence[tuple[bytes, int, int]], most: int = FOREVER
    ) -> list[list[Span]]:
        most_wanted = SPANS_UNDRAINED_MAX * ROOM
        if len(wanted) <= most_wanted:
            return self._register.overlapping(wanted, most)
        # Those together that lie together, so that never all pages are in memory.
        found: list[list[Span]] = [[] for _ in wanted]
        order = sorted(range(len(wanted)), key=wanted.__getitem__)
        for at in range(0, len(order), most_wanted):
            places = order[at : at + most_wanted]
            met = self._register.overlapping([wanted[place] for place in places], most)
            for place, spans in zip(places, met, strict=True):
                found[place] = spans
            self._drain()
        return found

    def root(self) -> bytes:
        return self._register.root()

    def lots(self, first: int, until: int) -> list[Lot]:
        return self._kept.lots(first, until)

    # --- taking entries ---

    def take(self, data: bytes, submissions: Submissions | None = None) -> Effects:
        """Take the next entry of the log; what it does.

        submissions: where its own is looked at, if not in the source.  Raises `Refusal` or
        `VerificationError` if it is wrong, `Unreadable` if what it names cannot be read now.
        """
        submissions = submissions or self._submissions
        statement, before = parse_statement(data), self.state
        entry = Entry(statement, self._named(statement, submissions))
        effects = apply(before, entry, self)
        if before is not None and statement.kind == "submission" and self._activities:
            self._recompute(before, entry, submissions)
        self._enter(before, entry, effects)
        return effects

    def _named(self, statement: Statement, submissions: Submissions) -> Sequence[Reduction]:
        """The reductions that a statement submits or names."""
        if statement.kind == "submission":
            return submissions.reductions(*submitted_by(statement))
        if statement.kind in NAMED_BY:
            return self._named_by(statement)
        return []

    def _named_by(self, statement: Statement) -> list[Reduction]:
        named = [(index, place) for index, place, _ in NAMED_BY[statement.kind](statement)]
        found: dict[tuple[int, int], Reduction] = {}
        for index in dict(named):
            submitted = self._kept.submission(index)
            if submitted is None:
                raise Conflict(f"{statement.kind}-list")
            # One file at a time, and of it no more than is named.
            items = self._submissions.items(submitted.root, submitted.size)
            for place in (place for of, place in named if of == index):
                if place >= len(items):
                    raise Conflict(f"{statement.kind}-list")
                found[index, place] = Reduction.parse(items[place])
        return [found[place] for place in named]

    def _enter(self, before: State | None, entry: Entry, effects: Effects) -> None:
        """Enter an entry with its effects."""
        statement, reductions = entry.statement, entry.reductions
        number, kind, leaf = self.size, statement.kind, merkle.leaf_hash(statement.data)
        kept, tally = self._kept, self.tally
        self._change(effects)
        kept.keep_entry(number, statement.id, leaf)
        self._leaves.append(leaf)
        if kind in GOVERNANCE_KINDS:
            kept.keep_governance(number, statement.data, before.time if before else 0)
        match kind:
            case "submission":
                self._enter_submission(number, entry, effects)
            case "void":
                kept.drop_live(number, ((r.day, r.leaf) for r in reductions))
                tally.voided += len(reductions)
                tally.grams -= total_grams(reductions)
            case "close":
                kept.close_days(effects.state.closed_until)
            case "erasure":
                of = Certification.read(statement.body["certification"])
                for reduction in reductions:
                    kept.keep_erased(of.platform, reduction.day, reduction.digest)
        tally.kinds[kind] = tally.kinds.get(kind, 0) + 1
        self.state, self.is_sealed = effects.state, kind == "seal"
        self.unsaved += 1 + len(reductions)

    def _change(self, effects: Effects) -> None:
        """Enter what changes in the register: of many spans those together that lie together."""
        register, put = self._register, sorted(effects.put)
        register.change((), effects.drop, effects.rows)
        self._undrained += len(effects.rows) // ROW_SIZE
        for at in range(0, max(len(put), 1), SPANS_UNDRAINED_MAX):
            portion = put[at : at + SPANS_UNDRAINED_MAX]
            register.change(portion)
            self._undrained += len(portion)
            if self._undrained >= SPANS_UNDRAINED_MAX * ROOM:
                self._drain()

    def _drain(self) -> None:
        """Write the pages that have changed; most of them leave memory."""
        self._kept.keep_pages(self._register.drain())
        self._undrained = 0

    def _enter_submission(self, number: int, entry: Entry, effects: Effects) -> None:
        body, batch = entry.statement.body, Batch.of(entry.reductions)
        root = bytes.fromhex(body["root"])
        submitted = Submitted(entry.statement.issuer, body["scenario"], root, body["count"])
        self._kept.keep_submission(number, submitted)
        days = batch.by_day([refused is None for refused in effects.outcomes])
        for day, of in days.items():
            self._kept.keep_live(number, day, of.entries)
        recorded = sum(of.size for of in days.values())
        self.tally.recorded += recorded
        self.tally.refused += len(batch) - recorded
        self.tally.grams += sum(of.grams for of in days.values())

    # --- activities ---

    def _recompute(self, state: State, entry: Entry, submissions: Submissions) -> None:
        """Compute each reduction of a submission again from its activity."""
        platform, reductions = entry.statement.issuer, entry.reductions
        root = bytes.fromhex(entry.statement.body["root"])
        blanks = submissions.blanks(state, platform, root, reductions)
        for place in blanks:
            of = reductions[place]
            self._kept.keep_blank(self.size, platform, of.day, of.digest)
        self.tally.activities += len(reductions) - len(blanks)

    def first_blank(self) -> int | None:
        """The first submission of which an activity is not there, and was never erased."""
        return self._kept.first_blank()
