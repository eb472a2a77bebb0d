"""Certifications: a verifier's opinion on the closed lots of a platform under a scenario.

The payload of a **certification**::

    platform, scenario
    from, until      the days, half-open, of one calendar year: units have one vintage
    lots             [[date, count, grams, root], …]: all lots of these days, in their order
    exclusions       [{index, position, holder}, …]: their reductions that are not certified
    count, grams     what is certified: the lots' less the exclusions'; 0 and 0 if the opinion
                     certifies nothing
    opinion          unmodified, modified, adverse or disclaimed; the last two certify nothing
    criteria, scope  by which standard, and what was examined
    assurance        reasonable or limited
    materiality      a decimal, in percent, at most 100
    sampling_plan    SHA-256 of the plan
    report           SHA-256 of the report
    accreditation    by whom, and under which number, the verifier is accredited
    declarations     texts, such as that nothing of it is claimed elsewhere

The verifier is neither the platform nor the scenario's owner or authority, and shares no key with
them, nor one that they had.  One certification stands for a day.

A **withdrawal** (``certification``: the record; ``reason``), by the verifier who gave it or by a
governor, takes it away, and the days can be certified anew; where units were issued from it, its
span stays, and is held for the record "withdrawn".

An **erasure** (``certification``: the record; ``reductions``: like exclusions; ``reason``), by the
operator, says that the activities behind these reductions are erased: days that are certified
alone.  The reductions, their claims and their proofs stay.

The records are the CBOR arrays of::

    certification  statement, verifier, platform, scenario, from, until, count, grams, opinion,
                   day (of the rules' clock when it was recorded)
    withdrawn      certification, withdrawal: the ids of both statements
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from chain.effects import Effects, Entry, held
from chain.lots import Lot
from chain.records import Record, check_told, payload, show, standing
from chain.reductions import Named, Reduction, check_named, read_named, total_grams
from chain.spans import Span
from chain.state import State, View
from keys.errors import Conflict, Malformed, NotAllowed
from keys.participants import Role
from keys.statements import Statement
from keys.strict import dump_date, parse_date, parse_decimal, parse_hex

CERTIFYING = ("unmodified", "modified")
OPINIONS = (*CERTIFYING, "adverse", "disclaimed")
ASSURANCES = ("reasonable", "limited")


@dataclass(frozen=True)
class Certification(Record):
    """What a verifier has certified; see the module's text."""

    KIND: ClassVar[str] = "certification"
    FORMS: ClassVar[Mapping[str, str]] = {
        "statement": "id",
        "verifier": "text",
        "platform": "text",
        "scenario": "text",
        "from": "date",
        "until": "date",
        "count": "integer",
        "grams": "integer",
        "opinion": "text",
        "day": "date",
    }

    statement: bytes
    verifier: str
    platform: str
    scenario: str
    since: int
    until: int
    count: int
    grams: int
    opinion: str
    day: int


@dataclass(frozen=True)
class Withdrawn(Record):
    """What stands where a certification was withdrawn after units were issued from it."""

    KIND: ClassVar[str] = "withdrawn"
    FORMS: ClassVar[Mapping[str, str]] = {"certification": "id", "withdrawal": "id"}

    certification: bytes
    withdrawal: bytes


_CERTIFICATION = {
    "platform": str,
    "scenario": str,
    "from": str,
    "until": str,
    "lots": list,
    "exclusions": list,
    "count": int,
    "grams": int,
    "opinion": str,
    "criteria": str,
    "scope": str,
    "assurance": str,
    "materiality": str,
    "sampling_plan": str,
    "report": str,
    "accreditation": str,
    "declarations": list,
}


def certified(statement: Statement, day: int) -> Certification:
    """The record of a certification that was recorded on ``day`` of the rules' clock.

    Raises `Malformed`.
    """
    body = payload(statement, _CERTIFICATION)
    return Certification(
        statement.id,
        statement.issuer,
        body["platform"],
        body["scenario"],
        parse_date(body["from"]),
        parse_date(body["until"]),
        body["count"],
        body["grams"],
        body["opinion"],
        day,
    )


def exclusion_list(statement: Statement) -> list[Named]:
    """The reductions that a certification leaves out; raises `Malformed`."""
    return read_named(payload(statement, _CERTIFICATION)["exclusions"], "certification")


def erasure_list(statement: Statement) -> list[Named]:
    """The reductions whose activities are erased, one at least; raises `Malformed`."""
    body = payload(statement, {"certification": dict, "reductions": list, "reason": str})
    return read_named(body["reductions"], "erasure", least=1)


# --- certifying ---


def certify(state: State, entry: Entry, view: View) -> Effects:
    """Enter a certification."""
    statement = entry.statement
    excluded = exclusion_list(statement)
    _check_form(statement)
    made = certified(statement, state.today)
    if not made.since < made.until or _year(made.since) != _year(made.until - 1):
        raise Malformed("certification-period", since=dump_date(made.since))
    if made.until > state.closed_until:
        raise Conflict("certification-open", until=dump_date(state.closed_until))
    _check_independent(state, made)
    lots = _lots(state, view, made, statement.body["lots"])
    check_named(excluded, entry.reductions, "certification")
    for reduction in entry.reductions:
        _check_of(reduction, made)
        if not held(view, reduction):
            raise Conflict("exclusion-not-held", holder=reduction.holder.hex())
    count = sum(lot.count for lot in lots) - len(excluded)
    grams = sum(lot.grams for lot in lots) - total_grams(entry.reductions)
    if made.opinion not in CERTIFYING:
        count = grams = 0
    if (made.count, made.grams) != (count, grams):
        raise Malformed("certification-sum", count=count, grams=grams)
    line = state.classes.line("certification", [made.platform, made.scenario])
    [met] = view.overlapping([(line, made.since, made.until)], 1)
    if met:
        raise Conflict("certified-already", met=show(met[0]))
    return Effects(state, [Span(line, made.since, made.until, made.holder)])


def _check_form(statement: Statement) -> None:
    body = statement.body
    check_told(statement, "criteria", "scope", "accreditation")
    for name, values in (("opinion", OPINIONS), ("assurance", ASSURANCES)):
        if body[name] not in values:
            expected = " or ".join(values)
            raise Malformed("field-type", where="certification", field=name, expected=expected)
    number, decimals = parse_decimal(body["materiality"])
    if number > 100 * 10**decimals:
        raise Malformed(
            "field-type", where="certification", field="materiality", expected="a percentage"
        )
    for name in ("sampling_plan", "report"):
        parse_hex(body[name], 32)
    if not all(isinstance(item, str) and item for item in body["declarations"]):
        raise Malformed("field-type", where="certification", field="declarations", expected="texts")


def _year(day: int) -> str:
    return dump_date(day)[:4]


def _check_independent(state: State, made: Certification) -> None:
    """Raise `NotAllowed` if the verifier is one of those whose reductions these are."""
    verifier = state.participants[made.verifier]
    theirs = {made.platform}
    for version in state.scenarios.get(made.scenario, ()):
        theirs |= {version.document.owner, version.document.authority}
    keys = {span.public for span in verifier.keys}
    for name in sorted(theirs & state.participants.keys()):
        if name == verifier.id or keys & {span.public for span in state.participants[name].keys}:
            raise NotAllowed("verifier-not-independent", participant=verifier.id, of=name)


def _lots(state: State, view: View, made: Certification, stated: Sequence[object]) -> list[Lot]:
    """The lots that the certification states, which are all that stand in its days."""
    lots = [read_lot(made, item) for item in stated]
    line = state.classes.line("lot", [made.platform, made.scenario])
    spans = [Span(line, lot.day, lot.day + 1, lot.holder) for lot in lots]
    [found] = view.overlapping([(line, made.since, made.until)])
    if not found or found[::-1] != spans:
        raise Conflict("lots-differ", stated=len(spans), closed=len(found))
    return lots


def read_lot(made: Certification, item: object) -> Lot:
    """A lot that a certification lists; raises `Malformed`."""
    match item:
        case [str(day), int(count), int(grams), str(root)] if not isinstance(
            count, bool
        ) and not isinstance(grams, bool):
            return Lot(
                made.platform, made.scenario, parse_date(day), count, grams, parse_hex(root, 32)
            )
    raise Malformed(
        "field-type", where="certification", field="lots", expected="[date, count, grams, root]"
    )


def _check_of(reduction: Reduction, certification: Certification) -> None:
    """Raise `Conflict` unless the reduction is one of the days that are certified."""
    of = certification
    named = (reduction.platform, reduction.scenario)
    if named != (of.platform, of.scenario) or not of.since <= reduction.day < of.until:
        raise Conflict("reduction-elsewhere", holder=reduction.holder.hex())


# --- withdrawing, erasing ---


def withdraw(state: State, entry: Entry, view: View) -> Effects:
    """Take a certification away, or mark it where units were issued from it."""
    statement = entry.statement
    body = payload(statement, {"certification": dict, "reason": str})
    check_told(statement, "reason")
    of = Certification.read(body["certification"])
    parts = [of.platform, of.scenario]
    line = state.classes.line("certification", parts)
    span = standing(view, line, of.since, of.until, of)
    issuer = state.participants[statement.issuer]
    if issuer.id != of.verifier and not issuer.has_role(Role.GOVERNOR, state.index):
        raise NotAllowed("withdrawal-not-own", participant=issuer.id, verifier=of.verifier)
    [issued] = view.overlapping([(state.classes.line("issuance", parts), of.since, of.until)], 1)
    if not issued:
        return Effects(state, (), [span])
    return Effects(state, [span._replace(holder=Withdrawn(of.statement, statement.id).holder)])


def erase(state: State, entry: Entry, view: View) -> Effects:
    """Say that activities are erased; the register does not change."""
    statement = entry.statement
    check_named(erasure_list(statement), entry.reductions, "erasure")
    check_told(statement, "reason")
    of = Certification.read(statement.body["certification"])
    line = state.classes.line("certification", [of.platform, of.scenario])
    standing(view, line, of.since, of.until, of)
    if of.opinion not in CERTIFYING:
        raise NotAllowed("certification-certifies-nothing", opinion=of.opinion)
    for reduction in entry.reductions:
        _check_of(reduction, of)
    return Effects(state)
