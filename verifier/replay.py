"""The replay of a ledger: every statement through the rules, in order, by an auditor's own state.

`Replay.take` takes the next entry of the log, whose bytes the caller has proved to stand there.  It
reads from the source the reductions that the entry names, by the roots that were signed, and lets
`chain.rules.apply` decide; an entry that the rules refuse is wrong, and why is the error that they
raise.  So the register's root is compared at every seal, the totals of all lots at every close,
and every certification, issuance and holding with what it builds upon.  Nothing of an entry that
is wrong is entered.

With ``activities`` each reduction of a submission is computed again from its activity.  One that is
not there must be erased by a later statement of the log: see `Replay.first_blank`.

Nothing is kept for good before `save`, which is for the end of a block alone.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from chain import merkle
from chain.activities import ACTIVITY_BYTES_MAX, parse_activities
from chain.admission import reduce_activities
from chain.certifications import Certification
from chain.effects import Effects, Entry
from chain.lots import Lot
from chain.paths import activities_path, reductions_path
from chain.reductions import (
    REDUCTION_BYTES_MAX,
    SUBMISSION_COUNT_MAX,
    Reduction,
    split_reductions,
    total_grams,
)
from chain.register import Register
from chain.rules import GOVERNANCE_KINDS, NAMED_BY, apply, replay_governance
from chain.spans import FOREVER, Span
from chain.state import State
from keys.errors import Conflict, Fault, Malformed, Refusal, Unreadable, VerificationError
from keys.statements import Statement, parse_statement
from keys.strict import parse_hex
from verifier.audit_state import AuditState, Head, Submitted
from verifier.bundles import FILE_BYTES_MAX
from verifier.sources import Source

PAGES_KEPT_MAX = 50_000
"""Pages of the register kept in memory as they are stored."""
SPANS_UNDRAINED_MAX = 32_768
"""Spans entered before the pages that they changed are written, also within a block."""
ACTIVITIES_AT_ONCE = 4_096


class Replay:
    """A ledger replayed so far; it is the rules' view of itself."""

    def __init__(self, kept: AuditState, source: Source, *, activities: bool = False) -> None:
        """Go on from what is kept; raises `Fault` if that is damaged."""
        self._kept = kept
        self._source = source
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
        self._register = Register(kept.pages, head.next_page, cached_max=PAGES_KEPT_MAX)
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
        return self._kept.has(identity)

    def overlapping(
        self, wanted: Sequence[tuple[bytes, int, int]], most: int = FOREVER
    ) -> list[list[Span]]:
        return self._register.overlapping(wanted, most)

    def root(self) -> bytes:
        return self._register.root()

    def lots(self, first: int, until: int) -> list[Lot]:
        return self._kept.lots(first, until)

    # --- taking entries ---

    def take(self, data: bytes) -> Effects:
        """Take the next entry of the log; what it does.

        Raises `Refusal` or `VerificationError` if it is wrong, `Unreadable` if what it names cannot
        be read now.
        """
        statement, before = parse_statement(data), self.state
        entry = Entry(statement, self._named(statement))
        effects = apply(before, entry, self)
        if before is not None and statement.kind == "submission" and self._activities:
            self._recompute(before, entry)
        self._enter(before, entry, effects)
        return effects

    def _named(self, statement: Statement) -> list[Reduction]:
        """The reductions that a statement submits or names."""
        if statement.kind == "submission":
            root, count = parse_hex(statement.body.get("root"), 32), statement.body.get("count")
            if type(count) is not int or not 1 <= count <= SUBMISSION_COUNT_MAX:
                raise Malformed("submission-count", stated=count, given=0)
            return list(map(Reduction.parse, self._submitted(root, count)))
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
            items = self._submitted(submitted.root, submitted.size)
            for place in (place for of, place in named if of == index):
                if place >= len(items):
                    raise Conflict(f"{statement.kind}-list")
                found[index, place] = Reduction.parse(items[place])
        return [found[place] for place in named]

    def _submitted(self, root: bytes, count: int) -> list[bytes]:
        """The bytes of the reductions with this root, as they were signed."""
        bytes_max = min(count * (2 + REDUCTION_BYTES_MAX), FILE_BYTES_MAX)
        data = self._read(reductions_path(root), bytes_max)
        items: list[bytes] = []
        with suppress(Malformed):
            items = split_reductions(data)
        if merkle.root(merkle.leaf_hashes(items)) != root:
            raise VerificationError("reductions-withheld", root=root.hex())
        return items

    def _read(self, path: str, bytes_max: int) -> bytes:
        """A file of the source; empty if it has none there that can be the one."""
        try:
            return self._source.read(path, bytes_max)
        except Unreadable as error:
            if error.code in ("source-missing", "source-too-long"):
                return b""
            raise

    def _enter(self, before: State | None, entry: Entry, effects: Effects) -> None:
        """Enter an entry with its effects."""
        statement, reductions = entry.statement, entry.reductions
        number, kind, leaf = self.size, statement.kind, merkle.leaf_hash(statement.data)
        kept, tally = self._kept, self.tally
        self._register.change(effects.put, effects.drop)
        kept.keep_entry(number, statement.id, leaf)
        self._leaves.append(leaf)
        if kind in GOVERNANCE_KINDS:
            kept.keep_governance(number, statement.data, before.time if before else 0)
        match kind:
            case "submission":
                self._enter_submission(number, entry, effects)
            case "void":
                kept.drop_live((r.day, r.leaf) for r in reductions)
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
        self._undrained += len(effects.put)
        if self._undrained > SPANS_UNDRAINED_MAX:
            kept.keep_pages(self._register.drain())
            self._undrained = 0

    def _enter_submission(self, number: int, entry: Entry, effects: Effects) -> None:
        body, reductions = entry.statement.body, entry.reductions
        root = bytes.fromhex(body["root"])
        submitted = Submitted(entry.statement.issuer, body["scenario"], root, body["count"])
        self._kept.keep_submission(number, submitted)
        recorded = [
            reduction
            for reduction, refused in zip(reductions, effects.outcomes, strict=True)
            if refused is None
        ]
        self._kept.keep_live(number, ((r.day, r.leaf, r.grams) for r in recorded))
        self.tally.recorded += len(recorded)
        self.tally.refused += len(reductions) - len(recorded)
        self.tally.grams += total_grams(recorded)

    # --- activities ---

    def _recompute(self, state: State, entry: Entry) -> None:
        """Compute each reduction of a submission again from its activity."""
        platform, reductions = entry.statement.issuer, entry.reductions
        root, count = bytes.fromhex(entry.statement.body["root"]), len(reductions)
        bytes_max = min(count * (ACTIVITY_BYTES_MAX + 1), FILE_BYTES_MAX)
        lines = self._read(activities_path(root), bytes_max).split(b"\n")
        if len(lines) != count + 1 or lines[-1]:
            raise VerificationError("activities-withheld", root=root.hex())
        shown = [place for place in range(count) if lines[place]]
        for at in range(0, len(shown), ACTIVITIES_AT_ONCE):
            places = shown[at : at + ACTIVITIES_AT_ONCE]
            activities = parse_activities([lines[place] for place in places])
            made = reduce_activities(activities, state, platform)
            for place, again in zip(places, made, strict=True):
                if isinstance(again, Refusal) or again.data != reductions[place].data:
                    raise VerificationError("activity-other", position=place)
        for place in set(range(count)).difference(shown):
            of = reductions[place]
            self._kept.keep_blank(self.size, platform, of.day, of.digest)
        self.tally.activities += len(shown)

    def first_blank(self) -> int | None:
        """The first submission of which an activity is not there, and was never erased."""
        return self._kept.first_blank()
