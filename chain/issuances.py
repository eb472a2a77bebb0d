"""Issuances: units with serial numbers, from what a verifier has certified; and the carry.

A unit is ``unit_grams`` of the genesis.  Per platform and scenario, and exactly::

    units issued × unit_grams + carried out = carried in + certified

What is left over is *carried*: one record "carry" stands on the line ``carry/<platform>/
<scenario>``, on [n, n + 1), and each issuance and each correction replaces it by the next one.  A
correction takes grams away that were certified in error; where they are issued already the carry
is negative: a debt, that later days pay first.

An **issuance** is signed by the scenario's authority: the one that the latest definition names
which is in force by the rules' clock, or was the last to be.  Its payload::

    certification   the record of the certification
    notice          {reference, from, until}: the public notice, days half-open, which began when
                    the certification had been recorded, and has ended
    registry        the ledger's own (`chain.holdings`)
    series          "<scenario>_<platform>_<vintage>"; no name has an underscore
    vintage         the calendar year of the days
    first           the serial number that follows the last of the series, 1 at first
    units           as many as the grams make
    carry           the record of the carry; null if there is none yet
    carried_out     the grams left over
    owner, account  whose the units are

Where the grams make no unit, the issuance enters none, and carries all of them.

A **correction** is signed by the same authority: ``issuance`` and ``carry``, the records;
``grams``, which were certified in error, 1 to those that the issuance was for; ``reason``.

The records are the CBOR arrays of::

    issuance  statement, certification (its statement), platform, scenario, from, until, count,
              certified (grams), carried_in, units, carried_out, registry, series, first
    carry     ordinal, grams, statement
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from chain.certifications import CERTIFYING, Certification
from chain.effects import Effects, Entry
from chain.holdings import check_holder, new_holding, own_registry
from chain.records import Record, check_range, check_told, payload, show, standing
from chain.spans import FOREVER, Span
from chain.state import State, View
from keys.errors import Conflict, Malformed, NotAllowed
from keys.statements import Statement
from keys.strict import INTEGER_MIN, FieldTypes, dump_date, fields, parse_date


@dataclass(frozen=True)
class Issuance(Record):
    """What was issued for which days; see the module's text."""

    KIND: ClassVar[str] = "issuance"
    FORMS: ClassVar[Mapping[str, str]] = {
        "statement": "id",
        "certification": "id",
        "platform": "text",
        "scenario": "text",
        "from": "date",
        "until": "date",
        "count": "integer",
        "certified": "integer",
        "carried_in": "integer",
        "units": "integer",
        "carried_out": "integer",
        "registry": "text",
        "series": "text",
        "first": "integer",
    }

    statement: bytes
    certification: bytes
    platform: str
    scenario: str
    since: int
    until: int
    count: int
    certified: int
    carried_in: int
    units: int
    carried_out: int
    registry: str
    series: str
    first: int


@dataclass(frozen=True)
class Carry(Record):
    """The grams that are left over, or owed, for the next issuance."""

    KIND: ClassVar[str] = "carry"
    FORMS: ClassVar[Mapping[str, str]] = {
        "ordinal": "integer",
        "grams": "integer",
        "statement": "id",
    }

    ordinal: int
    grams: int
    statement: bytes


_ISSUANCE: FieldTypes = {
    "certification": dict,
    "notice": dict,
    "registry": str,
    "series": str,
    "vintage": int,
    "first": int,
    "units": int,
    "carry": (dict, type(None)),
    "carried_out": int,
    "owner": str,
    "account": str,
}


def series_name(scenario: str, platform: str, vintage: int) -> str:
    """The series of the units of a platform under a scenario, of one year."""
    return f"{scenario}_{platform}_{vintage}"


def divide(grams: int, unit_grams: int) -> tuple[int, int]:
    """The units that ``grams`` make, and the grams left over; a debt makes none."""
    return divmod(grams, unit_grams) if grams > 0 else (0, grams)


def issued(statement: Statement) -> Issuance:
    """The record of an issuance; raises `Malformed`."""
    body = payload(statement, _ISSUANCE)
    of, before = Certification.read(body["certification"]), _carry_of(statement)
    return Issuance(
        statement.id,
        of.statement,
        of.platform,
        of.scenario,
        of.since,
        of.until,
        of.count,
        of.grams,
        before.grams if before else 0,
        body["units"],
        body["carried_out"],
        body["registry"],
        body["series"],
        body["first"],
    )


def carried(statement: Statement) -> Carry:
    """The carry that an issuance or a correction leaves."""
    body, before = statement.body, _carry_of(statement)
    ordinal, grams = (before.ordinal + 1, before.grams) if before else (0, 0)
    left = body["carried_out"] if statement.kind == "issuance" else grams - body["grams"]
    return Carry(ordinal, left, statement.id)


def _carry_of(statement: Statement) -> Carry | None:
    """The carry that a statement relies on; raises `Malformed`."""
    given = statement.body["carry"]
    return None if given is None else Carry.read(given)


def issue(state: State, entry: Entry, view: View) -> Effects:
    """Enter the units of a certification, and carry what is left."""
    statement = entry.statement
    made = issued(statement)
    body = statement.body
    of = Certification.read(body["certification"])
    parts = [of.platform, of.scenario]
    standing(view, state.classes.line("certification", parts), of.since, of.until, of)
    _check_authority(state, of.scenario, statement)
    if of.opinion not in CERTIFYING:
        raise NotAllowed("certification-certifies-nothing", opinion=of.opinion)
    _check_notice(state, of, body["notice"])
    line = state.classes.line("issuance", parts)
    [met] = view.overlapping([(line, of.since, of.until)], 1)
    if met:
        raise Conflict("issued-already", met=show(met[0]))
    put, drop = _carry_on(state, view, parts, statement)
    put.append(Span(line, of.since, of.until, made.holder))
    grams = made.carried_in + made.certified
    units, left = divide(grams, state.genesis.unit_grams)
    if (made.units, made.carried_out) != (units, left):
        raise Conflict("issuance-sum", grams=grams, units=units, left=left)
    put += _serials(state, view, made, statement)
    return Effects(state, put, drop)


def correct(state: State, entry: Entry, view: View) -> Effects:
    """Take grams off the carry that were certified in error."""
    statement = entry.statement
    body = payload(statement, {"issuance": dict, "carry": dict, "grams": int, "reason": str})
    check_told(statement, "reason")
    of = Issuance.read(body["issuance"])
    parts = [of.platform, of.scenario]
    standing(view, state.classes.line("issuance", parts), of.since, of.until, of)
    _check_authority(state, of.scenario, statement)
    if not 1 <= body["grams"] <= of.certified:
        raise Malformed("correction-grams", grams=body["grams"], most=of.certified)
    if carried(statement).grams < INTEGER_MIN:
        raise Malformed("json-integer-range")
    put, drop = _carry_on(state, view, parts, statement)
    return Effects(state, put, drop)


def _check_authority(state: State, scenario: str, statement: Statement) -> None:
    begun = [v.document for v in state.scenarios.get(scenario, ()) if v.start <= state.today]
    if not begun or begun[-1].authority != statement.issuer:
        raise NotAllowed("authority-needed", participant=statement.issuer, scenario=scenario)


def _check_notice(state: State, of: Certification, value: object) -> None:
    notice = fields(value, "notice", {"reference": str, "from": str, "until": str})
    since, until = parse_date(notice["from"]), parse_date(notice["until"])
    if not notice["reference"]:
        raise Malformed("text-empty", where="notice", field="reference")
    if not of.day <= since < until:
        raise Malformed("notice-days", day=dump_date(of.day))
    if until > state.today:
        raise Conflict("notice-open", until=notice["until"])


def _carry_on(
    state: State, view: View, parts: Sequence[str], statement: Statement
) -> tuple[list[Span], list[Span]]:
    """The span of the next carry, and that of the one before, if there is one."""
    line = state.classes.line("carry", parts)
    before, made = _carry_of(statement), carried(statement)
    put = [Span(line, made.ordinal, made.ordinal + 1, made.holder)]
    if before is not None:
        return put, [standing(view, line, before.ordinal, made.ordinal, before)]
    [met] = view.overlapping([(line, 0, FOREVER)], 1)
    if met:
        raise Conflict("carry-differs", met=show(met[0]))
    return put, []


def _serials(state: State, view: View, made: Issuance, statement: Statement) -> list[Span]:
    """The span of the units, if there are any."""
    vintage = int(dump_date(made.since)[:4])
    named = (made.registry, made.series, statement.body["vintage"])
    series = series_name(made.scenario, made.platform, vintage)
    if named != (own_registry(state), series, vintage):
        raise Malformed("series-differs", registry=own_registry(state), series=series)
    check_holder(state, statement.body["owner"])
    line = state.classes.line("serial", [made.registry, made.series])
    [last] = view.overlapping([(line, 0, FOREVER)], 1)
    first = last[0].end if last else 1
    if made.first != first:
        raise Conflict("serials-not-next", first=made.first, expected=first)
    if not made.units:
        return []
    check_range(first, first + made.units)
    return [Span(line, first, first + made.units, new_holding(statement).holder)]
