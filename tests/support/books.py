"""A ledger in memory, for what comes after the close: the rules decide on each statement at once.

Statements are signed with the keys of the city (`support.city`); a register stands behind them, and
nothing else.  What a statement says can be changed field by field, for those that are refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from support.city import FIRST_DAY, NOON, TODAY, founding_actions, genesis, key

from chain.certifications import Certification, certified
from chain.effects import Effects, Entry
from chain.genesis import enrol
from chain.holdings import Holding, moved
from chain.issuances import Carry, Issuance, carried, divide, series_name
from chain.lots import Lot
from chain.records import Record
from chain.reductions import Claim, Reduction
from chain.register import Register
from chain.rules import apply
from chain.spans import FOREVER, Span
from chain.state import State
from keys.errors import Refusal
from keys.participants import Role
from keys.statements import Statement, sign_statement
from keys.strict import dump_date

UNIT = 1_000
"""Grams in a unit of these ledgers."""
DAY = 86_400
REGISTRY = "ledger-example-city"
PARTIES = {
    "verifier-2": Role.VERIFIER,
    "authority-2": Role.AUTHORITY,
    "exchange-1": Role.EXCHANGE,
    "exchange-2": Role.EXCHANGE,
    "holder-1": Role.HOLDER,
    "holder-2": Role.HOLDER,
}


def everybody() -> list[dict[str, Any]]:
    """The founding actions of the city, with everybody whom its units need."""
    parties = [enrol(name, name, [role], key(name).public) for name, role in PARTIES.items()]
    return [*founding_actions(FIRST_DAY), *parties]


class Books:
    """The ledger; it is the rules' view of itself."""

    def __init__(self, actions: Sequence[dict[str, Any]] = ()) -> None:
        self.register = Register()
        self.ids: set[bytes] = set()
        self.all_lots: list[Lot] = []
        self.carries: dict[tuple[str, str], Carry] = {}
        self._number = 0
        statement = genesis(actions=[*everybody(), *actions], unit_grams=UNIT)
        effects = apply(None, Entry(statement), self)
        self._state: State = effects.state
        self._enter(statement, effects)
        self.wait(0)

    # --- the view ---

    def seen(self, identity: bytes) -> bool:
        return identity in self.ids

    def overlapping(
        self, wanted: Sequence[tuple[bytes, int, int]], most: int = FOREVER
    ) -> list[list[Span]]:
        return self.register.overlapping(wanted, most)

    def lots(self, first: int, until: int) -> list[Lot]:
        return sorted(lot for lot in self.all_lots if first <= lot.day < until)

    def root(self) -> bytes:
        return self.register.root()

    # --- time and statements ---

    @property
    def state(self) -> State:
        return self._state

    @property
    def today(self) -> int:
        return self._state.today

    def wait(self, days: int = 0, seconds: int = 0) -> None:
        """Move the rules' clock."""
        time = max(self._state.time, NOON) + days * DAY + seconds
        self._state = replace(self._state, time=time)

    def sign(self, kind: str, issuer: str, body: Mapping[str, Any], **more: Any) -> Statement:
        self._number += 1
        return sign_statement(
            more.get("signer") or key(issuer),
            kind=kind,
            issuer=issuer,
            subject=str(self._number),
            audience=self._state.genesis.id,
            expires=self._state.time + 10_000 * DAY,
            payload={"format": 1, **body},
        )

    def take(self, statement: Statement, reductions: Sequence[Reduction] = ()) -> Effects:
        """Let the rules decide, and enter the effects."""
        effects = self.judge(statement, reductions)
        self._enter(statement, effects)
        return effects

    def judge(self, statement: Statement, reductions: Sequence[Reduction] = ()) -> Effects:
        """What the rules say; nothing is entered."""
        return apply(self._state, Entry(statement, reductions), self)

    def _enter(self, statement: Statement, effects: Effects) -> None:
        self.register.change(effects.put, effects.drop, effects.rows)
        self._state = effects.state
        self.ids.add(statement.id)

    def refusal(self, statement: Statement, reductions: Sequence[Reduction] = ()) -> str:
        """The code with which a statement is refused; nothing changes."""
        before = (self._state, self.root(), list(self.register.spans()))
        try:
            self.take(statement, reductions)
        except Refusal as refusal:
            refusal.text("zh")
            assert (self._state, self.root(), list(self.register.spans())) == before
            return refusal.code
        raise AssertionError("it was accepted")

    def line(self, name: str, *parts: str) -> list[Span]:
        """The live spans on a line, in their order."""
        return list(self.register.spans(self._state.classes.line(name, parts)))

    def enter(self, name: str, parts: Sequence[str], start: int, end: int, record: Any) -> None:
        """Enter a span without any statement."""
        line = self._state.classes.line(name, parts)
        self.register.change([Span(line, start, end, record.holder)])

    def govern(self, *actions: dict[str, Any]) -> None:
        proposal = self.sign("proposal", "governor", {"actions": list(actions)})
        self.take(proposal)
        self.take(self.sign("approval", "governor", {"proposal": proposal.id.hex()}))

    # --- lots ---

    def record(self, grams: int, day: int = TODAY, platform: str = "metro-app") -> Reduction:
        """A reduction of the city's buses that holds its claim, a ticket; it is in no lot yet."""
        self._number += 1
        line = self._state.classes.line("ticket", ["city-bus", f"{self._number:032x}"])
        claim = Claim(line, 0, FOREVER)
        digest = self._number.to_bytes(32)
        made = Reduction.make(platform, "city-bus", 1, day, grams, (claim,), digest)
        self.register.change([Span(line, 0, FOREVER, made.holder)])
        return made

    def lot(
        self,
        day: int,
        grams: int,
        platform: str = "metro-app",
        scenario: str = "city-bus",
        count: int = 1,
    ) -> Lot:
        """A lot that the next close enters."""
        self._number += 1
        lot = Lot(platform, scenario, day, count, grams, self._number.to_bytes(32))
        self.all_lots.append(lot)
        return lot

    def close(self, until: int) -> None:
        """Close the days before ``until``, when their time has come."""
        late = until + self._state.genesis.acceptance_days - self.today
        self.wait(days=max(late, 0))
        lots = self.lots(self._state.closed_until, until)
        body = {
            "until": dump_date(until),
            "lots": len(lots),
            "count": sum(lot.count for lot in lots),
            "grams": sum(lot.grams for lot in lots),
        }
        self.take(self.sign("close", "operator", body))

    # --- certification ---

    def certification(
        self,
        since: int,
        until: int,
        *,
        by: str = "verifier",
        platform: str = "metro-app",
        scenario: str = "city-bus",
        excluded: Sequence[Reduction] = (),
        **more: Any,
    ) -> Statement:
        """A certification of the lots of these days."""
        lots = [
            lot
            for lot in self.lots(since, until)
            if (lot.platform, lot.scenario) == (platform, scenario)
        ]
        nothing = more.get("opinion") in ("adverse", "disclaimed")
        body = {
            "platform": platform,
            "scenario": scenario,
            "from": dump_date(since),
            "until": dump_date(until),
            "lots": [[dump_date(lot.day), lot.count, lot.grams, lot.root.hex()] for lot in lots],
            "exclusions": named(excluded),
            "count": 0 if nothing else sum(lot.count for lot in lots) - len(excluded),
            "grams": 0
            if nothing
            else sum(lot.grams for lot in lots) - sum(one.grams for one in excluded),
            "opinion": "unmodified",
            "criteria": "a standard",
            "scope": "all reductions of the period",
            "assurance": "reasonable",
            "materiality": "5",
            "sampling_plan": "1" * 64,
            "report": "2" * 64,
            "accreditation": "a body, no. 1",
            "declarations": ["claimed nowhere else"],
        }
        return self.sign("certification", by, {**body, **more})

    def certify(self, since: int, until: int, **more: Any) -> Certification:
        """Certify these days; the record."""
        statement = self.certification(since, until, **more)
        self.take(statement, more.get("excluded", ()))
        return certified(statement, self.today)

    def lot_certified(self, day: int, grams: int, **more: Any) -> Certification:
        """A lot of one day, closed and certified."""
        self.lot(day, grams, **more)
        self.close(day + 1)
        return self.certify(day, day + 1, **more)

    def withdrawal(self, of: Certification, by: str = "verifier", **more: Any) -> Statement:
        body = {"certification": of.as_json(), "reason": "an error", **more}
        return self.sign("withdrawal", by, body)

    # --- issuance ---

    def issuance(
        self, of: Certification, owner: str = "holder-1", *, by: str = "governor", **more: Any
    ) -> Statement:
        """An issuance from a certification; its notice is the day before today."""
        carry = self.carries.get((of.platform, of.scenario))
        units, left = divide(of.grams + (carry.grams if carry else 0), UNIT)
        vintage = int(dump_date(of.since)[:4])
        series = series_name(of.scenario, of.platform, vintage)
        last = self.line("serial", REGISTRY, series)
        body = {
            "certification": of.as_json(),
            "notice": {
                "reference": "a notice",
                "from": dump_date(self.today - 1),
                "until": dump_date(self.today),
            },
            "registry": REGISTRY,
            "series": series,
            "vintage": vintage,
            "first": last[-1].end if last else 1,
            "units": units,
            "carry": carry.as_json() if carry else None,
            "carried_out": left,
            "owner": owner,
            "account": "",
        }
        return self.sign("issuance", by, {**body, **more})

    def issue(self, of: Certification, owner: str = "holder-1", **more: Any) -> Statement:
        """Issue from a certification, a day after it."""
        self.wait(days=1)
        statement = self.issuance(of, owner, **more)
        self.take(statement)
        self.carries[of.platform, of.scenario] = carried(statement)
        return statement

    def correction(self, of: Issuance, grams: int, by: str = "governor", **more: Any) -> Statement:
        carry = self.carries[of.platform, of.scenario]
        body = {
            "issuance": of.as_json(),
            "carry": carry.as_json(),
            "grams": grams,
            "reason": "an error",
        }
        return self.sign("correction", by, {**body, **more})

    def correct(self, of: Issuance, grams: int) -> Statement:
        statement = self.correction(of, grams)
        self.take(statement)
        self.carries[of.platform, of.scenario] = carried(statement)
        return statement

    # --- holdings ---

    def moving(
        self, kind: str, by: str, series: str, first: int, end: int, old: Record, **more: Any
    ) -> Statement:
        """A statement of ``kind`` about units, with what it usually says."""
        usual: dict[str, dict[str, Any]] = {
            "transfer": {"to": "holder-2", "account": ""},
            "offer": {
                "exchange": "exchange-1",
                "nonce": "ab" * 16,
                "expires": self._state.time + 7 * DAY,
            },
            "import": {"account": "a-1"},
            "release": {},
            "retirement": {"beneficiary": "a games' audience", "purpose": "its journeys"},
            "cancellation": {"reason": "an error"},
        }
        units = {"registry": REGISTRY, "series": series, "first": first, "end": end}
        body = {"units": units, "holding": old.as_json(), **usual[kind]}
        return self.sign(kind, by, {**body, **more})

    def move(
        self, kind: str, by: str, series: str, first: int, end: int, old: Record, **more: Any
    ) -> Holding:
        """Move units; their record afterwards."""
        statement = self.moving(kind, by, series, first, end, old, **more)
        self.take(statement)
        return moved(statement)

    def deposit(
        self, registry: str, series: str, first: int, end: int, by: str = "authority-2", **more: Any
    ) -> Statement:
        units = {"registry": registry, "series": series, "first": first, "end": end}
        body = {"units": units, "owner": "holder-1", "account": "", "reference": "a transfer there"}
        return self.sign("deposit", by, {**body, **more})


def named(reductions: Sequence[Reduction]) -> list[dict[str, Any]]:
    """Reductions as a statement names them; the place in the log is for who loads them."""
    return [
        {"index": 1, "position": place, "holder": one.holder.hex()}
        for place, one in enumerate(reductions)
    ]
