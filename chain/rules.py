"""The rules of the ledger: one pure function from a state and an entry to its effects.

`apply` has no clock, no database and no network; the sequencer, an audit and an auditor call it
alike, and a replay gives the same effects.  Time is the time of the last seal.

Every statement but the genesis: made for this ledger (``aud``); not past its ``exp``; not in the
log already, by what is signed; signed by the key that its issuer has at this index; of a kind
that one of the issuer's roles may sign.  Then, by kind:

* **genesis** (index 0) fixes what never changes, and enacts the founding actions.
* **proposal** lists actions of governance; **approval** by the threshold of governors, each
  counted once, before the proposal expires, enacts them (`chain.governance`).
* **submission**: a platform's batch under one scenario: the root, count and grams of 1 to 65,536
  reductions.  If any of them is not what the scenario and the methodology in force allow, all is
  refused.  Otherwise each stands on its own, in their order: *recorded*, if all its claims are
  free and their days are open; or *refused* with the span that it met.  A cap gives the lowest
  free seat.
* **void** takes the claims of recorded reductions away, while all their days are open: by the
  platform that submitted them, by a governor or by a verifier.
* **close** shuts the books of all days up to a date, and makes lots of what they hold
  (`chain.closing`).
* **certification**, **withdrawal** and **erasure** speak of closed lots (`chain.certifications`);
  **issuance** and **correction** make units of what is certified (`chain.issuances`); **deposit**,
  **transfer**, **offer**, **import**, **release**, **retirement** and **cancellation** say whose
  units are whose (`chain.holdings`).
* **seal** ends a block: the operator's word on the height, the time (never earlier than the
  last), the seal before, and the register's root.

The rules have versions, and `State.rules` is the one that judges the next statement: the genesis
names the first, and the action ``rules`` puts a later one in force from the next index.  Version 2
adds to version 1 that the actions of an approval leave as many governors as the threshold asks
for, with a key and the role without an end; and knows the kinds that come after the void.  Version
3 knows the action ``pseudonym-key``: two days whose pseudonyms are made with different keys are in
different *epochs*, and a reduction that claims on days of two is refused, because it would not
meet on the one what is claimed under the key of the other.  A further version raises
`RULES_VERSION`, and asks ``state.rules >= 4`` where it differs; what an earlier one decides never
changes, since every replay decides it again.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import compress, islice
from typing import Any, NamedTuple

from chain.batches import Batch
from chain.blocks import log_key
from chain.calendar import OFFSET_SECONDS_MAX, Calendar
from chain.certifications import certify, erase, erasure_list, exclusion_list, withdraw
from chain.classes import Classes
from chain.closing import close, closed_by
from chain.effects import Effects, Entry, Refused, held
from chain.governance import enact, read_actions
from chain.holdings import MOVES, deposit, move
from chain.issuances import correct, issue
from chain.lots import Lot
from chain.methodologies import Methodology
from chain.records import payload
from chain.reductions import (
    SUBMISSION_COUNT_MAX,
    Claim,
    Named,
    Reduction,
    check_named,
    read_named,
)
from chain.spans import FOREVER, Span, make_holder
from chain.state import RULES_VERSION, Genesis, Proposal, State, View, rules_holder
from keys.errors import Conflict, Fault, Malformed, NotAllowed, VerificationError
from keys.participants import Role
from keys.statements import Statement
from keys.strict import DAY_MAX, dump_date, fields, parse_date, parse_hex


def apply(state: State | None, entry: Entry, view: View) -> Effects:
    """The effects of ``entry`` on a ledger in ``state``; raises `Refusal` if it is not accepted."""
    statement = entry.statement
    if state is None:
        return _genesis(statement)
    kind = _KINDS.get(statement.kind)
    if kind is None or state.rules < kind.since:
        raise Malformed("kind-unknown", kind=statement.kind)
    check_signed(state, statement)
    if view.seen(statement.id):
        raise Conflict("statement-known", id=statement.id.hex())
    effects = kind.decide(state, entry, view)
    return replace(effects, state=replace(effects.state, index=state.index + 1))


GOVERNANCE_KINDS = ("genesis", "proposal", "approval", "close")


def replay_governance(state: State | None, statement: Statement, index: int, time: int) -> State:
    """The state after a genesis, proposal, approval or close that stands in the log at ``index``.

    ``time``: of the last seal before it.  What governance decides is a fold over these alone: it
    asks nothing of the register.
    """
    if state is not None:
        state = replace(state, index=index, time=time)
        if statement.kind == "close":
            return replace(closed_by(state, statement), index=index + 1)
    return apply(state, Entry(statement), _Accepted()).state


class _Accepted:
    """A view for statements that the log holds, and so has not seen twice."""

    def seen(self, identity: bytes) -> bool:
        return False

    def overlapping(
        self, wanted: Sequence[tuple[bytes, int, int]], most: int = FOREVER
    ) -> list[list[Span]]:
        raise Fault("replay-register")

    def root(self) -> bytes:
        raise Fault("replay-register")

    def lots(self, first: int, until: int) -> Sequence[Lot]:
        raise Fault("replay-register")


def check_signed(state: State, statement: Statement) -> None:
    """Raise `NotAllowed` unless the statement may stand at the next index, by who signed it."""
    if statement.audience != state.genesis.id:
        raise NotAllowed("statement-other-ledger")
    if statement.expires <= state.time:
        raise NotAllowed("statement-expired", expires=statement.expires, time=state.time)
    _check_issuer(state, statement)


def _check_issuer(state: State, statement: Statement) -> None:
    issuer = state.participants.get(statement.issuer)
    if issuer is None:
        raise NotAllowed("participant-unknown", participant=statement.issuer)
    key = issuer.key_at(state.index)
    if key is None or not statement.verify(key.public):
        raise NotAllowed("signature-invalid", participant=issuer.id, index=state.index)
    if not issuer.may(statement.kind, state.index):
        raise NotAllowed("role-missing", participant=issuer.id, kind=statement.kind)


# --- genesis and governance ---


def _genesis(statement: Statement) -> Effects:
    if statement.kind != "genesis":
        raise Conflict("genesis-first")
    body = fields(
        statement.body,
        "genesis",
        {
            "format": int,
            "origin": str,
            "time": int,
            "utc_offset": int,
            "first_day": str,
            "acceptance_days": int,
            "unit_grams": int,
            "threshold": int,
            "rules": int,
            "classes": str,
            "actions": list,
        },
    )
    if body["format"] != 1:
        raise Malformed("format-unknown", where="genesis", format=body["format"])
    if not 1 <= body["rules"] <= RULES_VERSION:
        raise Malformed("rules-version", version=body["rules"], last=0, newest=RULES_VERSION)
    offset = body["utc_offset"]
    if (
        abs(offset) > OFFSET_SECONDS_MAX
        or body["threshold"] < 1
        or body["unit_grams"] < 1
        or body["acceptance_days"] < 0
        or not 0 <= body["time"] < FOREVER
    ):
        raise Malformed("genesis-bounds")
    calendar = Calendar(offset)
    first_day = parse_date(body["first_day"])
    genesis = Genesis(
        statement.id,
        body["origin"],
        offset,
        first_day,
        body["acceptance_days"],
        body["unit_grams"],
        statement.issuer,
    )
    classes = Classes(body["classes"].encode(), calendar)
    state = State(
        genesis,
        classes,
        body["threshold"],
        body["rules"],
        time=body["time"],
        closed_until=first_day,
    )
    state, put = enact(state, read_actions(body["actions"], state.rules), founding=True)
    _check_issuer(state, statement)
    # Checkpoints are signed in its name.
    log_key(genesis.origin, state.participants[statement.issuer].keys[0].public)
    governors = [p for p in state.participants.values() if p.has_role(Role.GOVERNOR, 0)]
    if len(governors) < state.threshold:
        raise Malformed("genesis-threshold", governors=len(governors), threshold=state.threshold)
    if first_day:
        books = Span(classes.line("books", []), 0, first_day, make_holder("books", b""))
        put.append(books)
    document = state.classes.document
    put.append(Span(classes.line("classes", []), 0, FOREVER, make_holder("classes", document)))
    put.append(Span(classes.line("rules", []), 0, FOREVER, rules_holder(state.rules)))
    return Effects(replace(state, index=1), put)


def _proposal(state: State, entry: Entry, view: View) -> Effects:
    statement = entry.statement
    body = fields(statement.body, "proposal", {"format": int, "actions": list})
    if body["format"] != 1:
        raise Malformed("format-unknown", where="proposal", format=body["format"])
    proposal = Proposal(read_actions(body["actions"], state.rules), statement.expires)
    return Effects(replace(state, proposals={**state.waiting, statement.id: proposal}))


def _approval(state: State, entry: Entry, view: View) -> Effects:
    body = fields(entry.statement.body, "approval", {"format": int, "proposal": str})
    if body["format"] != 1:
        raise Malformed("format-unknown", where="approval", format=body["format"])
    name = parse_hex(body["proposal"], 32)
    proposal = state.proposals.get(name)
    if proposal is None:
        raise Conflict("proposal-unknown", proposal=name.hex())
    if name not in state.waiting:
        raise Conflict("proposal-expired", proposal=name.hex(), expires=proposal.expires)
    if entry.statement.issuer in proposal.approved_by:
        raise Conflict("approval-twice", participant=entry.statement.issuer)
    approved_by = proposal.approved_by | {entry.statement.issuer}
    # A governor who has lost the role since no longer counts.
    counted = [g for g in approved_by if state.participants[g].has_role(Role.GOVERNOR, state.index)]
    if len(counted) < state.threshold:
        changed = replace(proposal, approved_by=approved_by)
        return Effects(replace(state, proposals={**state.waiting, name: changed}))
    after, put = enact(state, proposal.actions)
    # Without a seal no block could ever hold this decision, nor anything after it.
    operator = after.participants[after.genesis.operator]
    if operator.key_at(FOREVER - 1) is None or not operator.may("seal", FOREVER - 1):
        raise NotAllowed("operator-needed", participant=operator.id)
    for key in operator.keys:
        log_key(after.genesis.origin, key.public)
    if state.rules >= 2 and len(after.governors) < after.threshold:
        governors = len(after.governors)
        raise NotAllowed("governors-needed", governors=governors, threshold=after.threshold)
    waiting = {k: p for k, p in state.waiting.items() if k != name}
    return Effects(replace(after, proposals=waiting), put)


# --- reductions ---


def _submission(state: State, entry: Entry, view: View) -> Effects:
    batch = Batch.of(entry.reductions)
    check_submission(state, entry.statement, batch)
    clear, rows = _clear(state, entry.statement, batch, view)
    # Those that are clear meet none of the others: what becomes of each does not hang on them.
    places = [place for place, is_clear in enumerate(clear) if not is_clear]
    reductions = [batch[place] for place in places]
    limits = [_check_reduction(state, entry.statement, r) for r in reductions]
    asked = [
        (claim, limit)
        for reduction, seats in zip(reductions, limits, strict=True)
        for claim, limit in zip(reduction.claims, seats, strict=True)
    ]
    # A claim may meet as many spans as its line has; one is enough to refuse it.
    wanted = [(c.line, c.start or 0, c.end or 0) for c, limit in asked if limit is None]
    found = iter(view.overlapping(wanted, 1))
    caps = list(dict.fromkeys((c.line, 0, limit) for c, limit in asked if limit is not None))
    sitting = dict(zip(caps, view.overlapping(caps), strict=True))
    fresh = _Fresh()
    put: list[Span] = []
    outcomes: list[Refused | None] = [None] * len(batch)
    for position, reduction, seats in zip(places, reductions, limits, strict=True):
        spans: list[Span] = []
        refused = _check_day(state, reduction.day, 0)
        for place, (claim, limit) in enumerate(zip(reduction.claims, seats, strict=True)):
            met = next(found) if limit is None else sitting[claim.line, 0, limit]
            if refused is None:
                outcome = _claim(state, reduction, claim, place, limit, met, fresh)
                if isinstance(outcome, Refused):
                    refused = outcome
                else:
                    spans.append(outcome)
        if refused is None:
            put += spans
            for span in spans:
                fresh.add(span)
        outcomes[position] = refused
    return Effects(state, put, (), outcomes, rows)


def _clear(
    state: State, statement: Statement, batch: Batch, view: View
) -> tuple[list[bool], bytes]:
    """Which reductions are recorded whatever becomes of the others (`Batch.screen`); their spans,
    as rows of the register."""
    methodologies = {}
    for day in set(batch.days()):
        with suppress(NotAllowed):
            methodologies[day] = governing_methodology(
                state, statement.issuer, statement.body["scenario"], day
            )
    dated = (number for number, of in state.classes.by_number.items() if of.dated)
    limits = batch.screen(methodologies, (state.closed_until, state.last_day), dated)
    clear = [of is not None for of in limits]
    places = list(compress(range(len(batch)), clear))
    wanted = batch.wanted(clear)
    found = view.overlapping([span for spans in wanted for span in spans], 1)
    if any(found):
        met = iter(found)
        for place, spans in zip(places, wanted, strict=True):
            clear[place] = not any(list(islice(met, len(spans))))
    seats: list[int] = []
    if any(limits):
        places = list(compress(range(len(batch)), clear))
        caps = [
            [(line, 0, limit) for line, limit in zip(lines, limits[place] or (), strict=True)]
            for place, lines in zip(places, batch.caps(clear), strict=True)
        ]
        sitting = iter(view.overlapping([cap for of in caps for cap in of]))
        for place, of in zip(places, caps, strict=True):
            free = [_free_seat(limit, next(sitting)) for _, _, limit in of]
            clear[place] = None not in free
            seats += [seat for seat in free if seat is not None and clear[place]]
    return clear, batch.spans(clear, seats)


def _free_seat(limit: int, sitting: Sequence[Span], fresh: Collection[int] = ()) -> int | None:
    """The lowest seat of a cap that is not taken."""
    taken = {span.start for span in sitting}.union(fresh)
    return next((seat for seat in range(limit) if seat not in taken), None)


def check_submission(
    state: State, statement: Statement, reductions: Sequence[Reduction]
) -> Mapping[str, Any]:
    """Raise `Refusal` unless ``reductions`` are those that the statement names; gives its body."""
    body = fields(
        statement.body,
        "submission",
        {
            "format": int,
            "scenario": str,
            "root": str,
            "count": int,
            "grams": int,
        },
    )
    if body["format"] != 1:
        raise Malformed("format-unknown", where="submission", format=body["format"])
    if not 1 <= body["count"] <= SUBMISSION_COUNT_MAX or len(reductions) != body["count"]:
        raise Malformed("submission-count", stated=body["count"], given=len(reductions))
    batch = Batch.of(reductions)
    grams = sum(batch.grams())
    if grams != body["grams"]:
        raise Malformed("submission-grams", stated=body["grams"], given=grams)
    if batch.root() != parse_hex(body["root"], 32):
        raise Malformed("submission-root")
    if batch.names() != {(statement.issuer, body["scenario"])}:
        raise Malformed("submission-mixed", platform=statement.issuer, scenario=body["scenario"])
    return body


def _check_reduction(
    state: State, statement: Statement, reduction: Reduction
) -> Sequence[int | None]:
    """For each claim the seats of its cap, or None; raises `Refusal` if it is not allowed."""
    methodology = governing_methodology(state, statement.issuer, reduction.scenario, reduction.day)
    try:
        return methodology.check(reduction)
    except VerificationError as error:
        raise Malformed("reduction-not-allowed", reason=error.text()) from error


def governing_methodology(state: State, platform: str, scenario_id: str, day: int) -> Methodology:
    """The methodology by which ``platform`` may report on ``day``; raises `NotAllowed`."""
    scenario = state.scenario(scenario_id, day)
    if scenario is None:
        raise NotAllowed("scenario-not-in-force", scenario=scenario_id, day=_date(day))
    if platform not in scenario.platforms:
        raise NotAllowed("platform-not-admitted", scenario=scenario_id, platform=platform)
    methodology = state.methodology(scenario.methodology, day)
    if methodology is None:
        raise NotAllowed("methodology-not-in-force", id=scenario.methodology, day=_date(day))
    return methodology


def _date(day: int) -> str:
    return dump_date(day) if 0 <= day <= DAY_MAX else str(day)


def _check_day(state: State, day: int, place: int) -> Refused | None:
    """Why nothing can be recorded on a day, for the claim at ``place``."""
    if day < state.closed_until:
        return Refused("day-closed", place, day=day)
    if day > state.last_day:
        return Refused("day-not-begun", place, day=day)
    return None


def _claim(
    state: State,
    reduction: Reduction,
    claim: Claim,
    place: int,
    limit: int | None,
    met: list[Span],
    fresh: "_Fresh",
) -> Span | Refused:
    """The span that a claim gets, or why it gets none."""
    day = claim.day
    # The day of a cap is the last of its period: it is not past, and may well be to come.
    if limit is None and state.classes.by_number[claim.line[2]].dated:
        shut = _check_day(state, day, place)
        if shut is not None:
            return shut
        if day != reduction.day and state.epoch(day) != state.epoch(reduction.day):
            return Refused("epoch-border", place, day=day)
    if claim.start is not None and claim.end is not None:
        other = met[0] if met else fresh.overlap(claim.line, claim.start, claim.end)
        if other is not None:
            return Refused("span-taken", place, other, day)
        return Span(claim.line, claim.start, claim.end, reduction.holder)
    seat = _free_seat(limit or 0, met, fresh.starts(claim.line))
    if seat is None:
        last = met[0] if met else None
        return Refused("cap-full", place, last, day)
    return Span(claim.line, seat, seat + 1, reduction.holder)


class _Fresh:
    """The spans that a submission itself has entered so far."""

    def __init__(self) -> None:
        self._lines: dict[bytes, list[Span]] = {}

    def add(self, span: Span) -> None:
        """Enter a span that overlaps none on its line."""
        insort(self._lines.setdefault(span.line, []), span)

    def overlap(self, line: bytes, start: int, end: int) -> Span | None:
        """A span on ``line`` that overlaps ``[start, end)``."""
        spans = self._lines.get(line)
        if spans:
            place = bisect_left(spans, end, key=lambda span: span.start)
            if place and spans[place - 1].end > start:
                return spans[place - 1]
        return None

    def starts(self, line: bytes) -> set[int]:
        """Where the spans on ``line`` start."""
        return {span.start for span in self._lines.get(line, ())}


def void_list(statement: Statement) -> list[Named]:
    """The reductions that a void names, one at least; raises `Malformed`."""
    body = payload(statement, {"reason": str, "reductions": list})
    return read_named(body["reductions"], "void", least=1)


def _void(state: State, entry: Entry, view: View) -> Effects:
    check_named(void_list(entry.statement), entry.reductions, "void")
    issuer = state.participants[entry.statement.issuer]
    may_any = any(issuer.has_role(r, state.index) for r in (Role.GOVERNOR, Role.VERIFIER))
    drop: list[Span] = []
    for reduction in entry.reductions:
        if not may_any and reduction.platform != issuer.id:
            raise NotAllowed("void-not-own", participant=issuer.id)
        dated = state.classes.by_number
        for day in (reduction.day, *(c.day for c in reduction.claims if dated[c.line[2]].dated)):
            if day < state.closed_until:
                raise Conflict("void-day-closed", day=_date(day))
        spans = held(view, reduction)
        if not spans:
            raise Conflict("void-not-held", holder=reduction.holder.hex())
        drop += spans
    return Effects(state, (), drop)


NAMED_BY: Mapping[str, Callable[[Statement], list[Named]]] = {
    "void": void_list,
    "certification": exclusion_list,
    "erasure": erasure_list,
}
"""The kinds of statements that name recorded reductions, and how the list of them is read."""


# --- seals ---


def _seal(state: State, entry: Entry, view: View) -> Effects:
    body = seal_body(entry.statement)
    if body["height"] != state.height + 1 or parse_hex(body["previous"], 32) != state.previous:
        raise Conflict("seal-out-of-order", height=body["height"], expected=state.height + 1)
    if body["time"] < state.time:
        raise Conflict("seal-backdated", time=body["time"], last=state.time)
    if parse_hex(body["register"], 32) != view.root():
        raise Conflict("seal-register", height=body["height"])
    return Effects(
        replace(state, height=state.height + 1, time=body["time"], previous=entry.statement.id)
    )


def seal_body(statement: Statement) -> Mapping[str, Any]:
    """What a seal says; raises `Malformed`.

    format 1; height, time (unix seconds); previous: the id of the seal before, 64 zeros in the
    first; register: the root of the register after the block.
    """
    body = fields(
        statement.body,
        "seal",
        {
            "format": int,
            "height": int,
            "time": int,
            "previous": str,
            "register": str,
        },
    )
    if statement.kind != "seal" or body["format"] != 1 or not 0 <= body["time"] < FOREVER:
        raise Malformed("format-unknown", where="seal", format=body["format"])
    return body


class _Kind(NamedTuple):
    since: int
    """The version of the rules from which it is known."""
    decide: Callable[[State, Entry, View], Effects]


_KINDS: Mapping[str, _Kind] = {
    "proposal": _Kind(1, _proposal),
    "approval": _Kind(1, _approval),
    "submission": _Kind(1, _submission),
    "void": _Kind(1, _void),
    "seal": _Kind(1, _seal),
    "close": _Kind(2, close),
    "certification": _Kind(2, certify),
    "withdrawal": _Kind(2, withdraw),
    "issuance": _Kind(2, issue),
    "correction": _Kind(2, correct),
    "deposit": _Kind(2, deposit),
    **{kind: _Kind(2, move) for kind in MOVES},
    "erasure": _Kind(2, erase),
}
