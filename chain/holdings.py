"""Holdings: who has which units, from their issuance to their retirement.

Units are serial numbers, ``[first, end)`` on the line ``serial/<registry>/<series>``, and each
span of them is held for a record "holding" (`chain.records`), the CBOR array of::

    origin     id of the statement that brought the units here: an issuance or a deposit
    issuer     the participant who signed it
    owner      the participant whose units they are
    account    the owner's account, "" if none is named
    status     held, locked, retired or cancelled
    statement  id of the statement that made this record
    exchange   to whom they are offered, "" unless locked
    nonce      16 random bytes that the exchange gave for the offer, none unless locked
    expires    unix seconds: the owner may take the offer back from here on; 0 unless locked

The record does not hold its range, so what is left of a span that was split keeps its holder; it
names the statement that made it, so that no statement fits again after the units came back.

A statement that moves units names them and the record for which they stand, all of them in one
span: ``units: {registry, series, first, end}``, ``holding: {…}``, and further::

    transfer      to, account            by the owner of held units, to another holder
    offer         exchange, nonce, expires   by the owner of held units, which are then locked
    import        account                by that exchange before the offer expires: all that is
                                         locked; it owns the units then
    release       –                      by that exchange, or by the owner once the offer has
                                         expired: all that is locked; it is held again
    retirement    beneficiary, purpose   by the owner of held units: final
    cancellation  reason                 by the issuer of held units: final

A **deposit** (units, owner, account, reference) brings in units of another registry, for which an
authority answers: they are out of circulation there, and free of any claim here.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

from chain.effects import Effects, Entry
from chain.records import NONCE_SIZE, Record, check_range, check_told, payload, show, standing
from chain.spans import Span
from chain.state import State, View
from keys.errors import Conflict, NotAllowed
from keys.statements import Statement
from keys.strict import FieldTypes, fields, parse_hex

HELD, LOCKED, RETIRED, CANCELLED = "held", "locked", "retired", "cancelled"


@dataclass(frozen=True)
class Holding(Record):
    """For whom a span of units stands; see the module's text."""

    KIND: ClassVar[str] = "holding"
    FORMS: ClassVar[Mapping[str, str]] = {
        "origin": "id",
        "issuer": "text",
        "owner": "text",
        "account": "text",
        "status": "text",
        "statement": "id",
        "exchange": "text",
        "nonce": "nonce",
        "expires": "integer",
    }

    origin: bytes
    issuer: str
    owner: str
    account: str
    status: str
    statement: bytes
    exchange: str = ""
    nonce: bytes = b""
    expires: int = 0


class Units(NamedTuple):
    """A range of serial numbers, half-open."""

    registry: str
    series: str
    first: int
    end: int

    @classmethod
    def read(cls, value: object) -> "Units":
        """The units that a statement names; raises `Malformed`."""
        given = fields(value, "units", {"registry": str, "series": str, "first": int, "end": int})
        return cls(given["registry"], given["series"], given["first"], given["end"])

    def line(self, state: State) -> bytes:
        """The line of their series; raises `Malformed`."""
        return state.classes.line("serial", [self.registry, self.series])


def new_holding(statement: Statement) -> Holding:
    """What units stand for that an issuance or a deposit brings in."""
    body, by = statement.body, statement.issuer
    return Holding(statement.id, by, body["owner"], body["account"], HELD, statement.id)


def check_holder(state: State, name: str) -> None:
    """Raise `NotAllowed` unless ``name`` is a participant who may hold units."""
    participant = state.participants.get(name)
    if participant is None:
        raise NotAllowed("participant-unknown", participant=name)
    if not participant.may("transfer", state.index):
        raise NotAllowed("holder-needed", participant=name)


def own_registry(state: State) -> str:
    """The registry of the units that this ledger issues: the letters and digits of its origin.

    In lower case, joined by single hyphens, at most 64 characters.
    """
    words = re.findall(rb"[a-z0-9]+", state.genesis.origin.encode().lower())
    return b"-".join(words)[:64].strip(b"-").decode() or "ledger"


def deposit(state: State, entry: Entry, view: View) -> Effects:
    """Enter units of another registry."""
    statement = entry.statement
    required: FieldTypes = {"units": dict, "owner": str, "account": str, "reference": str}
    body = payload(statement, required)
    check_told(statement, "reference")
    units = Units.read(body["units"])
    line = units.line(state)
    if units.registry == own_registry(state):
        raise NotAllowed("registry-own", registry=units.registry)
    check_range(units.first, units.end)
    [met] = view.overlapping([(line, units.first, units.end)], 1)
    if met:
        raise Conflict("serials-taken", met=show(met[0]))
    check_holder(state, body["owner"])
    return Effects(state, [Span(line, units.first, units.end, new_holding(statement).holder)])


# --- what becomes of units ---


def move(state: State, entry: Entry, view: View) -> Effects:
    """Move units: the span that holds them is split, and the part named gets a new record."""
    statement = entry.statement
    kind = MOVES[statement.kind]
    body = payload(statement, {"units": dict, "holding": dict, **kind.fields})
    units, old = Units.read(body["units"]), Holding.read(body["holding"])
    line = units.line(state)
    span = standing(view, line, units.first, units.end, old)
    if old.status != kind.before:
        raise Conflict("holding-status", status=old.status, needed=kind.before)
    kind.check(state, old, statement)
    if kind.is_whole and (units.first, units.end) != (span.start, span.end):
        raise Conflict("offer-divided", met=show(span))
    parts = (
        Span(line, span.start, units.first, span.holder),
        Span(line, units.first, units.end, moved(statement).holder),
        Span(line, units.end, span.end, span.holder),
    )
    return Effects(state, [part for part in parts if part.start < part.end], [span])


def moved(statement: Statement) -> Holding:
    """What the units that a statement moves stand for afterwards."""
    kind, body = MOVES[statement.kind], statement.body
    old = Holding.read(body["holding"])
    still = Holding(old.origin, old.issuer, old.owner, old.account, kind.after, statement.id)
    return replace(still, **kind.change(body, statement.issuer))


class Move(NamedTuple):
    """What a kind of statement does with units."""

    before: str
    """The status that they must have."""
    after: str
    fields: FieldTypes
    """Of its payload, beside ``units`` and ``holding``."""
    check: Callable[[State, Holding, Statement], None]
    """Raises `Refusal` unless it may do so with units of this record."""
    change: Callable[[Mapping[str, Any], str], dict[str, Any]]
    """What else changes in the record, by the payload and who signed it."""
    is_whole: bool = False
    """Whether it takes the whole span, as it was offered."""


def _by_owner(state: State, old: Holding, statement: Statement) -> None:
    if statement.issuer != old.owner:
        raise NotAllowed("owner-needed", participant=statement.issuer, owner=old.owner)


def _transfer(state: State, old: Holding, statement: Statement) -> None:
    _by_owner(state, old, statement)
    check_holder(state, statement.body["to"])


def _offer(state: State, old: Holding, statement: Statement) -> None:
    _by_owner(state, old, statement)
    body = statement.body
    exchange = state.participants.get(body["exchange"])
    if exchange is None or not exchange.may("import", state.index):
        raise NotAllowed("exchange-needed", participant=body["exchange"])
    if body["expires"] <= state.time:
        raise Conflict("offer-expired", expires=body["expires"])
    parse_hex(body["nonce"], NONCE_SIZE)


def _import(state: State, old: Holding, statement: Statement) -> None:
    if statement.issuer != old.exchange:
        raise NotAllowed("offer-to-another", participant=statement.issuer, exchange=old.exchange)
    if old.expires <= state.time:
        raise Conflict("offer-expired", expires=old.expires)


def _release(state: State, old: Holding, statement: Statement) -> None:
    if statement.issuer != old.exchange:
        _by_owner(state, old, statement)
        if state.time < old.expires:
            raise Conflict("offer-open", exchange=old.exchange, expires=old.expires)


def _retire(state: State, old: Holding, statement: Statement) -> None:
    _by_owner(state, old, statement)
    check_told(statement, "beneficiary", "purpose")


def _cancel(state: State, old: Holding, statement: Statement) -> None:
    if statement.issuer != old.issuer:
        raise NotAllowed("issuer-needed", participant=statement.issuer, issuer=old.issuer)
    check_told(statement, "reason")


def _nothing(body: Mapping[str, Any], by: str) -> dict[str, Any]:
    return {}


def _to(body: Mapping[str, Any], by: str) -> dict[str, Any]:
    return {"owner": body["to"], "account": body["account"]}


def _to_signer(body: Mapping[str, Any], by: str) -> dict[str, Any]:
    return {"owner": by, "account": body["account"]}


def _locked(body: Mapping[str, Any], by: str) -> dict[str, Any]:
    nonce = parse_hex(body["nonce"], NONCE_SIZE)
    return {"exchange": body["exchange"], "nonce": nonce, "expires": body["expires"]}


MOVES: Mapping[str, Move] = {
    "transfer": Move(HELD, HELD, {"to": str, "account": str}, _transfer, _to),
    "offer": Move(HELD, LOCKED, {"exchange": str, "nonce": str, "expires": int}, _offer, _locked),
    "import": Move(LOCKED, HELD, {"account": str}, _import, _to_signer, is_whole=True),
    "release": Move(LOCKED, HELD, {}, _release, _nothing, is_whole=True),
    "retirement": Move(HELD, RETIRED, {"beneficiary": str, "purpose": str}, _retire, _nothing),
    "cancellation": Move(HELD, CANCELLED, {"reason": str}, _cancel, _nothing),
}
