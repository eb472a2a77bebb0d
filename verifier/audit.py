"""The audit of a ledger: whether all of it is as the rules say, and if not, where it first is not.

`Audit.run` reads the checkpoint and the tiles of a source, proves the entries under the checkpoint
(`verifier.logs`), compares them with what an earlier audit has seen, and replays those that are new
(`verifier.replay`).  It ends at the first entry that is wrong.  Other processes may read ahead of
it (`verifier.ahead`); what it finds is the same.

What it finds wrong it writes down as evidence (`verifier.evidence`).
"""

import gc
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from chain import merkle
from chain.bulk import no_collection
from chain.merkle import Frontier
from chain.paths import CHECKPOINT
from chain.state import State
from chain.tiles import TILE_WIDTH
from keys.catalogue import LANGUAGES, text
from keys.errors import Malformed, Refusal, TallyError, Unreadable, VerificationError
from keys.notes import NOTE_BYTES_MAX, parse_checkpoint, parse_note
from keys.statements import parse_statement
from keys.strict import dump_date, parse_base64
from verifier.ahead import Ahead
from verifier.anchors import utc
from verifier.audit_state import AuditState
from verifier.evidence import logged, seen_instead, wrong_entry
from verifier.logs import Log
from verifier.policy import Policy, Signed
from verifier.replay import ROOM, Replay
from verifier.sources import Source
from verifier.submissions import Submissions

FORMAT = "tally-audit/1"
UNSAVED_MAX = 65_536
"""Statements and reductions after which an audit saves, at the next seal."""


class Progress(NamedTuple):
    """How far an audit has come."""

    first: int
    """Where it began, in the log."""
    entry: int
    size: int
    reductions: int
    """Those that it has replayed so far."""


@dataclass(frozen=True)
class Wrong:
    """The first thing that is wrong."""

    error: TallyError
    index: int | None = None
    """The entry; None if it is the log as a whole."""
    kind: str | None = None
    evidence: dict[str, Any] | None = None


@dataclass
class AuditReport:
    """What an audit found."""

    facts: dict[str, Any] = field(default_factory=dict)
    wrong: Wrong | None = None

    @property
    def verdict(self) -> str:
        """``passed`` or ``failed``."""
        return "passed" if self.wrong is None else "failed"

    def text(self, lang: str) -> str:
        """The verdict in words."""
        wrong = self.wrong
        if wrong is None:
            return text("audit-passed", lang, **self.facts)
        reason = wrong.error.text(lang)
        if wrong.index is None:
            return text("audit-failed", lang, reason=reason)
        kind = wrong.kind or "–"
        return text("audit-failed-at", lang, index=wrong.index, kind=kind, reason=reason)

    def as_json(self) -> dict[str, Any]:
        """The report as programs read it; the evidence is a file of its own."""
        wrong = self.wrong
        return {
            "format": FORMAT,
            "verdict": self.verdict,
            "text": {lang: self.text(lang) for lang in LANGUAGES},
            "facts": self.facts,
            "wrong": None
            if wrong is None
            else {
                "index": wrong.index,
                "kind": wrong.kind,
                "error": wrong.error.as_json(),
            },
        }


class Audit:
    """Audits of one source, one after the other, by what is kept of those before."""

    def __init__(
        self,
        source: Source,
        policy: Policy,
        kept: AuditState,
        *,
        activities: bool = False,
        ahead: Ahead | None = None,
    ) -> None:
        """policy: whose keys count; another may take its place between two audits.

        ahead: who reads ahead; without, all is done in this process.
        """
        self.policy = policy
        self._source = source
        self._kept = kept
        self._activities = activities
        self._ahead = ahead
        self._replay: Replay | None = None

    @property
    def state(self) -> State | None:
        """The rules' state after an audit that passed; None before the first."""
        return None if self._replay is None else self._replay.state

    def run(self, progress: Callable[[Progress], None] = lambda progress: None) -> AuditReport:
        """Audit what the source shows now, from the last seal that was saved.

        Raises `Unreadable` if the source cannot be read; then nothing is decided.
        """
        # After anything but a good end it is read again from what is kept.
        replay, self._replay = self._replay, None
        with self._kept.entering():
            if replay is None:
                replay = Replay(self._kept, self._source, activities=self._activities)
            report = self._run(replay, progress)
        if report.wrong is None:
            self._replay = replay
        return report

    def _run(self, replay: Replay, progress: Callable[[Progress], None]) -> AuditReport:
        report = AuditReport()
        try:
            note = self._source.read(CHECKPOINT, NOTE_BYTES_MAX)
            signed = self.policy.check(parse_note(note))
            report.facts |= _signed_facts(signed)
            log = Log(self._source, signed.checkpoint)
            one = _Run(self._kept, replay, note, signed, log)
            report.wrong = one.compare()
            if report.wrong is None:
                with closing(self._entries(log, replay.size)) as entries:
                    report.wrong = one.advance(entries, progress)
        except (Refusal, VerificationError) as error:
            report.wrong = Wrong(error)
        report.facts |= _facts(replay)
        return report

    def _entries(
        self, log: Log, start: int
    ) -> Generator[tuple[bytes, Submissions | None], None, None]:
        """The entries from ``start`` on, with what was found ahead of their turn."""
        if self._ahead is not None:
            return self._ahead.read(
                log.entries(start), self._kept.governance, activities=self._activities
            )
        return ((data, None) for data in log.entries(start))


class _Run:
    """One look at a source: a checkpoint, and its log."""

    def __init__(
        self, kept: AuditState, replay: Replay, note: bytes, signed: Signed, log: Log
    ) -> None:
        self._kept = kept
        self._replay = replay
        self._note = note
        self._signed = signed
        self._log = log
        self._seen = kept.head().note

    def compare(self) -> Wrong | None:
        """What an earlier audit has seen is still there."""
        known, log = self._replay.size, self._log
        if log.size >= known:
            same = log.begins_with(known, self._replay.frontier.root())
        else:
            root = Frontier().append(self._kept.leaves(0, log.size)).root()
            same = root == self._signed.checkpoint.root
        if not same:
            index = self._first_rewritten(min(known, log.size))
            rewritten = VerificationError("entry-rewritten", index=index)
            return self._wrong(index, rewritten, self._logged(index))
        if log.size < known:
            return Wrong(VerificationError("checkpoint-stale", size=log.size, newer=known))
        return None

    def _first_rewritten(self, common: int) -> int:
        """The first entry that is not the one which was seen; raises if the tiles hide it."""
        for first in range(0, common, TILE_WIDTH):
            mine = self._kept.leaves(first, min(first + TILE_WIDTH, common))
            theirs = self._log.leaves(first // TILE_WIDTH)
            for place, (one, other) in enumerate(zip(mine, theirs, strict=False)):
                if one != other:
                    return first + place
        raise VerificationError("log-root-differs", size=self._log.size)

    @no_collection()
    def advance(
        self,
        entries: Iterator[tuple[bytes, Submissions | None]],
        progress: Callable[[Progress], None],
    ) -> Wrong | None:
        """Replay what is new."""
        replay, log = self._replay, self._log
        first, before = replay.size, replay.tally.submitted
        while (index := replay.size) < log.size:
            try:
                data, submissions = next(entries)
            except (Refusal, VerificationError) as error:
                # Whatever the source shows next, of what the log has signed nothing was wrong.
                return self._wrong(index, error, None)
            try:
                replay.take(data, submissions)
            except (Refusal, VerificationError) as error:
                return self._wrong(index, error, self._logged(index))
            progress(Progress(first, index + 1, log.size, replay.tally.submitted - before))
            if replay.is_sealed and replay.unsaved >= UNSAVED_MAX * ROOM:
                replay.save(self._seen)
                # Among so many pages a look takes long, so it is taken here and nowhere else.
                gc.collect()
        return self._end()

    def _end(self) -> Wrong | None:
        """The log ends as its checkpoint says."""
        state, last = self._replay.state, self._log.size - 1
        if state is None:
            return Wrong(VerificationError("bundle-genesis"))
        if state.genesis.origin != self._signed.checkpoint.origin:
            return self._wrong(0, VerificationError("bundle-genesis"), self._logged(0))
        if not self._replay.is_sealed:
            not_last = VerificationError("seal-not-last", index=last, size=self._log.size)
            return self._wrong(last, not_last, self._logged(last))
        key = state.participants[state.genesis.operator].key_at(last)
        if key is None or key.public != self._signed.log.public:
            return self._wrong(last, VerificationError("seal-signature"), self._logged(last))
        self._replay.save(self._note)
        blank = self._replay.first_blank()
        if blank is not None:
            not_erased = VerificationError("activities-not-erased")
            return self._wrong(blank, not_erased, self._logged(blank))
        return None

    # --- what is wrong ---

    def _wrong(self, index: int, error: TallyError, entry: dict[str, Any] | None) -> Wrong:
        kind = None
        with suppress(Malformed):  # its form may be what is wrong
            kind = parse_statement(parse_base64(entry["data"])).kind if entry else None
        was_seen = error.code == "entry-rewritten"
        evidence = wrong_entry(
            error,
            self._note,
            entry,
            seal=self._logged(self._log.size - 1),
            before=None if was_seen else self._seal_before(index),
            seen=self._seen_at(index) if was_seen else None,
        )
        return Wrong(error, index, kind, evidence)

    def _logged(self, index: int) -> dict[str, Any] | None:
        """An entry and its proof; None if the source has not the one that the checkpoint signs."""
        try:
            data = next(self._log.entries(index))
            path = self._log.inclusion(index, data)
        except (Malformed, Unreadable, VerificationError):
            return None
        return logged(index, data, path)

    def _seal_before(self, index: int) -> dict[str, Any] | None:
        """The last seal before an entry that was reached."""
        state = self._replay.state
        number = None if state is None else self._kept.number(state.previous)
        return None if number is None or number >= index else self._logged(number)

    def _seen_at(self, index: int) -> dict[str, Any] | None:
        """The leaf that was seen at ``index``, under the note whose audit was finished last."""
        if not self._seen:
            return None
        size = parse_checkpoint(parse_note(self._seen).text).size
        if index >= size:
            return None
        leaves = self._kept.leaves(0, size)
        return seen_instead(self._seen, index, leaves[index], merkle.inclusion_path(leaves, index))


def _signed_facts(signed: Signed) -> dict[str, Any]:
    return {
        "origin": signed.checkpoint.origin,
        "size": signed.checkpoint.size,
        "root": signed.checkpoint.root.hex(),
        "witnessed": signed.is_witnessed,
        "cosigned_by": list(signed.cosigned_by),
    }


def _facts(replay: Replay) -> dict[str, Any]:
    """What was replayed, up to where it is right."""
    state = replay.state
    facts: dict[str, Any] = {"replayed": replay.size, **asdict(replay.tally)}
    if state is not None:
        facts |= {
            "ledger": state.genesis.id.hex(),
            "height": state.height,
            "time": utc(state.time),
            "register_root": replay.root().hex(),
            "closed_until": dump_date(state.closed_until),
        }
    return facts
