"""A ledger whose days are closed, certified and issued from, and whose units are traded.

It goes on where `support.books` begins: the submissions are real ones, and each statement stands
in a log between seals.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from support.books import DAY, REGISTRY, Books, everybody
from support.city import NOON, TODAY, genesis, key
from support.vectors.common import Case, refused
from support.vectors.logs import Log, ride, trip

from chain.blocks import make_seal
from chain.certifications import Certification, Withdrawn, certified
from chain.effects import Effects, Entry
from chain.genesis import enrol
from chain.holdings import MOVES, Holding, moved, new_holding
from chain.issuances import Carry, Issuance, carried, divide, issued
from chain.lots import Lot
from chain.records import Record
from chain.reductions import Reduction
from chain.state import State
from keys.participants import Role
from keys.statements import Statement
from keys.strict import INTEGER_MIN, dump_date, dump_json, parse_date

Json = dict[str, Any]
UNIT = 30
"""Grams in a unit: a bus ride is of 80, a trip by bike of 52."""
FIRST, SECOND, THIRD = TODAY - 2, TODAY - 1, TODAY
SERIES = "city-bus_metro-app_2026"
TOTALS = {"lots": 3, "count": 6, "grams": 452}
"""What the first two of the three days hold."""
NAME = "a city whose units are traded"


class Accounts(Books):
    """The books, with a log: a wait is a seal, and lots are of what was submitted."""

    def __init__(self) -> None:
        self.log = Log()
        self.register = self.log.register
        self.carries: dict[tuple[str, str], Carry] = {}
        self.entries: list[Entry] = []
        self.places: dict[bytes, tuple[int, int]] = {}
        """Where in the log each reduction was submitted, by its holder."""
        self.tried: list[Case] = []
        """What the rules refuse, each as of where the log stood."""
        self._number = 0
        twin = enrol("twin", "twin", [Role.VERIFIER], key("metro-app").public)
        second = {"action": "grant", "participant": "governor", "role": "verifier"}
        actions = [*everybody(), twin, second]
        self.take(genesis(actions=actions, unit_grams=UNIT, acceptance_days=2))
        self.wait()

    def lots(self, first: int, until: int) -> list[Lot]:
        return self.log.lots(first, until)

    def wait(self, days: int = 0, seconds: int = 0) -> None:
        time = max(self._state.time, NOON) + days * DAY + seconds
        self.take(make_seal(self._state, key("operator"), self.log.root(), time))

    def take(self, statement: Statement, reductions: Sequence[Reduction] = ()) -> Effects:
        entry = Entry(statement, reductions)
        effects = self.log.take(entry)
        self._state = effects.state
        self.entries.append(entry)
        return effects

    def submit(self, lines: Sequence[bytes], platform: str = "metro-app") -> list[Reduction]:
        """Submit activities; their reductions."""
        entry = self.log.submission(lines, platform)
        for place, reduction in enumerate(entry.reductions):
            self.places[reduction.holder] = (len(self.entries), place)
        self.take(entry.statement, entry.reductions)
        return list(entry.reductions)

    def named(self, reductions: Sequence[Reduction]) -> list[dict[str, Any]]:
        """Reductions as a statement names them."""
        return [
            {"index": index, "position": position, "holder": one.holder.hex()}
            for one in reductions
            for index, position in [self.places[one.holder]]
        ]

    def certification(
        self, since: int, until: int, *, excluded: Sequence[Reduction] = (), **more: Any
    ) -> Statement:
        more.setdefault("exclusions", self.named(excluded))
        return super().certification(since, until, excluded=excluded, **more)

    def issuance(self, of: Certification, owner: str = "holder-1", **more: Any) -> Statement:
        carry = self.carries.get((of.platform, of.scenario))
        units, left = divide(of.grams + (carry.grams if carry else 0), UNIT)
        return super().issuance(of, owner, **{"units": units, "carried_out": left, **more})

    def naming(
        self, kind: str, issuer: str, of: Sequence[Reduction], body: Json, **more: Any
    ) -> tuple[Statement, Sequence[Reduction]]:
        """A statement that names reductions, and these."""
        body = {"reductions": self.named(of), "reason": "test", **body}
        return self.sign(kind, issuer, {**body, **more}), of

    def closing(self, by: str = "operator", **more: Any) -> Statement:
        """The close of two days."""
        body = {"until": dump_date(THIRD), **TOTALS}
        return self.sign("close", by, {**body, **more})

    def refuse(
        self, name: str, code: str, statement: Statement, reductions: Sequence[Reduction] = ()
    ) -> None:
        """Note that this is refused here."""
        data = [one.data for one in reductions]
        given = {"statement": statement.data, "reductions": data}
        self.tried.append(
            refused(f"refused: {name}", code, after=NAME, at=len(self.entries), **given)
        )


@functools.cache
def units_ledger() -> Accounts:
    """The ledger."""
    books = Accounts()
    rides, bikes = _close(books)
    of = _certify(books, rides)
    _withdraw(books, bikes)
    _issue(books, of)
    _trade(books)
    _deposit(books)
    _correct(books)
    _erase(books, of, rides)
    books.wait()
    return books


def _close(books: Accounts) -> tuple[list[Reduction], list[Reduction]]:
    """Close two of three days; the reductions of the buses, and of the bikes."""
    first, second, third = (NOON - days * DAY for days in (2, 1, 0))
    rides = books.submit([ride(name, first) for name in ("ann", "bob", "eve")])
    rides += books.submit([ride(name, second) for name in ("ann", "bob", "eve")])
    bikes = books.submit([trip("bike-1", second, second + 600)], "pay-app")
    books.take(*books.naming("void", "metro-app", rides[5:], {}))
    books.refuse("a close before its time", "close-too-early", books.closing())
    books.wait(days=2)
    books.refuse("a close of other grams", "close-differs", books.closing(grams=451))
    books.refuse("a close of a date that is none", "date-invalid", books.closing(until="2026-3"))
    books.refuse("a close by a verifier", "role-missing", books.closing("verifier"))
    books.close(THIRD)
    books.refuse("a close of what is closed", "close-again", books.closing())
    voids = books.naming("void", "metro-app", rides[:1], {})
    books.refuse("a void of what is closed", "void-day-closed", *voids)
    books.submit([ride("zoe", second), ride("zoe", third), ride("ann", third)])
    return rides, bikes


def _certify(books: Accounts, rides: Sequence[Reduction]) -> Certification:
    """Certify the buses of two days, all but one ride."""
    left_out = rides[2:3]

    def certification(since: int = FIRST, until: int = THIRD, **more: Any) -> Statement:
        return books.certification(since, until, **{"excluded": left_out, **more})

    def refuse(name: str, code: str, **more: Any) -> None:
        reductions = more.get("excluded", left_out)
        books.refuse(f"a certification {name}", code, certification(**more), reductions)

    first_lot = [dump_date(FIRST), 3, 240]
    refuse("of days of two years", "certification-period", since=parse_date("2025-12-31"))
    refuse("of a day that is open", "certification-open", until=THIRD + 1)
    refuse("by the scenario's owner", "verifier-not-independent", by="governor")
    twin = books.sign("certification", "twin", certification().body, signer=key("metro-app"))
    books.refuse(
        "a certification with a key of the platform", "verifier-not-independent", twin, left_out
    )
    refuse("of a lot of another root", "lots-differ", lots=[[*first_lot, "0" * 64]])
    refuse("of a lot that is none", "field-type", lots=[first_lot])
    refuse("that leaves out what is not of its days", "reduction-elsewhere",
           since=SECOND)  # fmt: skip
    refuse("that leaves out what was voided", "exclusion-not-held", excluded=rides[5:])
    refuse("that leaves out one twice", "certification-list", excluded=[rides[2], rides[2]])
    refuse("of another count", "certification-sum", count=5)
    refuse("that certifies against its opinion", "certification-sum", opinion="adverse", count=4,
           grams=320)  # fmt: skip
    refuse("of another opinion", "field-type", opinion="qualified")
    refuse("of a materiality beyond 100 %", "field-type", materiality="100.1")
    refuse("of a plan in capitals", "hex-not-canonical", sampling_plan="AB" * 32)
    refuse("that declares nothing", "field-type", declarations=[""])
    refuse("by no criteria", "text-empty", criteria="")
    books.take(certification(), left_out)
    made = certified(books.log.statements[-1], books.today)
    refuse("of days that are certified", "certified-already", by="verifier-2", since=SECOND,
           excluded=[])  # fmt: skip
    return made


def _withdraw(books: Accounts, bikes: Sequence[Reduction]) -> None:
    """Certify the bikes, twice; what is issued from it then is withdrawn too."""
    of = {"platform": "pay-app", "scenario": "city-bike"}
    adverse = books.certify(SECOND, THIRD, by="verifier-2", opinion="adverse", **of)
    nothing = "certification-certifies-nothing"
    books.refuse("an issuance from an adverse opinion", nothing, books.issuance(adverse))
    named = books.naming("erasure", "operator", bikes, {"certification": adverse.as_json()})
    books.refuse("an erasure after an adverse opinion", nothing, *named)
    other = books.withdrawal(adverse, "verifier")
    books.refuse("a withdrawal by another verifier", "withdrawal-not-own", other)
    silent = books.withdrawal(adverse, "verifier-2", reason="")
    books.refuse("a withdrawal for no reason", "text-empty", silent)
    changed = books.withdrawal(replace(adverse, grams=1), "verifier-2")
    books.refuse("a withdrawal of another record", "certification-differs", changed)
    backwards = replace(adverse, since=adverse.until, until=adverse.since)
    books.refuse(
        "a withdrawal of days backwards", "range-invalid", books.withdrawal(backwards, "verifier-2")
    )
    record = adverse.as_json() | {"day": adverse.day}
    number = books.withdrawal(adverse, "verifier-2", certification=record)
    books.refuse("a withdrawal of a record with a number for a date", "field-type", number)
    books.take(books.withdrawal(adverse, "governor"))
    gone = books.withdrawal(adverse, "verifier-2")
    books.refuse("a withdrawal of what is withdrawn", "certification-differs", gone)
    made = books.certify(SECOND, THIRD, opinion="modified", assurance="limited", **of)
    books.issue(made, "pay-app")
    books.take(books.withdrawal(made))
    again = books.issuance(made)
    books.refuse("an issuance from what is withdrawn", "certification-differs", again)


def _issue(books: Accounts, of: Certification) -> None:
    """Issue from the certification of the buses: ten units to holder-1, 20 g are left."""

    def refuse(name: str, code: str, **more: Any) -> None:
        books.refuse(f"an issuance {name}", code, books.issuance(of, **more))

    def notice(since: int, until: int, reference: str = "a notice") -> Json:
        days = {"from": dump_date(since), "until": dump_date(until)}
        return {"notice": {"reference": reference, **days}}

    today = books.today
    refuse("by another authority", "authority-needed", by="authority-2")
    refuse("whose notice began before", "notice-days", **notice(of.day - 1, today))
    refuse("whose notice had no day", "notice-days", **notice(today, today))
    refuse("whose notice has not ended", "notice-open", **notice(of.day, today + 1))
    refuse("of a unit more", "issuance-sum", units=11)
    refuse("of another series", "series-differs", series="city-bus_pay-app_2026")
    refuse("of another registry", "series-differs", registry="another")
    refuse("that leaves a serial number out", "serials-not-next", first=2)
    refuse("that carries what is not there", "carry-differs",
           carry=Carry(0, 0, of.statement).as_json())  # fmt: skip
    refuse("to nobody", "participant-unknown", owner="nobody")
    refuse("to the operator", "holder-needed", owner="operator")
    books.take(issuance := books.issuance(of))
    books.carries[of.platform, of.scenario] = carried(issuance)
    refuse("of what is issued", "issued-already")


def _last(books: Accounts, kind: str) -> Statement:
    """The last statement of a kind."""
    return [one for one in books.log.statements if one.kind == kind][-1]


def _trade(books: Accounts) -> None:
    """Offer, import, transfer, retire and cancel units."""
    new = new_holding(_last(books, "issuance"))

    def refuse(
        name: str, code: str, kind: str, by: str, first: int, end: int, of: Holding, **more: Any
    ) -> None:
        made = books.moving(kind, by, SERIES, first, end, of, **more)
        books.refuse(name, code, made)

    def move(kind: str, by: str, first: int, end: int, of: Holding, **more: Any) -> Holding:
        return books.move(kind, by, SERIES, first, end, of, **more)

    units = ("holder-1", 1, 9, new)
    refuse("a transfer by another", "owner-needed", "transfer", "holder-2", *units[1:])
    refuse("a transfer to an operator", "holder-needed", "transfer", *units, to="operator")
    refuse("a transfer of more than there is", "holding-differs", "transfer", "holder-1", 1, 12,
           new)  # fmt: skip
    refuse("a transfer of no units", "range-invalid", "transfer", "holder-1", 1, 1, new)
    richer = replace(new, owner="holder-2")
    refuse("a transfer of another's record", "holding-differs", "transfer", "holder-2", 1, 9,
           richer)  # fmt: skip
    refuse("an import of what is not offered", "holding-status", "import", "exchange-1", 1, 9, new)
    refuse("an offer to who is no exchange", "exchange-needed", "offer", *units,
           exchange="holder-2")  # fmt: skip
    now = books.state.time
    refuse("an offer that has expired", "offer-expired", "offer", *units, expires=now)
    refuse("an offer with a nonce of 15 bytes", "hex-not-canonical", "offer", *units,
           nonce="ab" * 15)  # fmt: skip
    offered = move("offer", *units)
    refuse("a transfer of what is offered", "holding-status", "transfer", *units[:3], offered)
    refuse("an import by another exchange", "offer-to-another", "import", "exchange-2", 1, 9,
           offered)  # fmt: skip
    refuse("an import of half of an offer", "offer-divided", "import", "exchange-1", 1, 5, offered)
    refuse("a release before the offer ends", "offer-open", "release", *units[:3], offered)
    refuse("a release by another", "owner-needed", "release", "exchange-2", 1, 9, offered)
    imported = move("import", "exchange-1", 1, 9, offered)
    bought = move("transfer", "exchange-1", 1, 5, imported, account="b-7")
    refuse("a transfer of two spans", "holding-differs", "transfer", "exchange-1", 4, 6, imported)
    refuse("a retirement for nobody", "text-empty", "retirement", "holder-2", 1, 3, bought,
           beneficiary="")  # fmt: skip
    retired = move("retirement", "holder-2", 1, 3, bought)
    refuse("a transfer of what is retired", "holding-status", "transfer", "holder-2", 1, 3, retired)
    refuse("a cancellation by another issuer", "issuer-needed", "cancellation", "authority-2", 9,
           11, new)  # fmt: skip
    move("cancellation", "governor", 9, 11, new)
    later = {"exchange": "exchange-2", "expires": books.state.time + DAY}
    waiting = move("offer", "exchange-1", 6, 8, imported, **later)
    books.wait(days=1)
    refuse("an import too late", "offer-expired", "import", "exchange-2", 6, 8, waiting)
    move("release", "exchange-1", 6, 8, waiting)


def _deposit(books: Accounts) -> None:
    """Units of another registry, offered and given back."""
    place = ("another", "X-1")
    own = books.deposit(REGISTRY, SERIES, 100, 110)
    books.refuse("a deposit of the ledger's own units", "registry-own", own)
    books.refuse("a deposit of no units", "range-invalid", books.deposit(*place, 100, 100))
    silent = books.deposit(*place, 100, 110, reference="")
    books.refuse("a deposit from nowhere", "text-empty", silent)
    operators = books.deposit(*place, 100, 110, owner="operator")
    books.refuse("a deposit for an operator", "holder-needed", operators)
    books.take(deposit := books.deposit(*place, 100, 110))
    deposited = {"units": deposit.body["units"]}
    books.refuse("a deposit of what is here", "serials-taken", books.deposit(*place, 109, 120))
    units = ("X-1", 100, 110)
    offered = books.move("offer", "holder-1", *units, new_holding(deposit), **deposited)
    books.move("release", "exchange-1", *units, offered, **deposited)


def _correct(books: Accounts) -> None:
    """A correction that leaves a debt, which the next issuance pays."""
    of = issued(_last(books, "issuance"))

    def refuse(name: str, code: str, grams: int = 100, of: Issuance = of, **more: Any) -> None:
        books.refuse(f"a correction {name}", code, books.correction(of, grams, **more))

    refuse("by another authority", "authority-needed", by="authority-2")
    refuse("of more than was certified", "correction-grams", 321)
    refuse("for no reason", "text-empty", reason="")
    refuse("of another issuance", "issuance-differs", of=replace(of, units=11))
    before = books.carries[of.platform, of.scenario]
    refuse("of another carry", "carry-differs", carry=replace(before, grams=21).as_json())
    owed = replace(before, grams=INTEGER_MIN + 99)
    refuse("beyond 64 bits", "json-integer-range", carry=owed.as_json())
    books.correct(of, 100)
    books.close(THIRD + 1)
    made = books.certify(THIRD, THIRD + 1)
    books.wait(days=1)
    stale = books.issuance(made, carry=before.as_json(), units=6, carried_out=0)
    books.refuse("an issuance that forgets a correction", "carry-differs", stale)
    books.take(issuance := books.issuance(made, "holder-2"))
    books.carries[of.platform, of.scenario] = carried(issuance)


def _erase(books: Accounts, of: Certification, rides: Sequence[Reduction]) -> None:
    """The activities of two rides, and of the one that was not certified."""

    def erasure(named: Sequence[Reduction], **more: Any) -> tuple[Statement, Sequence[Reduction]]:
        return books.naming("erasure", "operator", named, {"certification": of.as_json()}, **more)

    books.refuse("an erasure of nothing", "erasure-list", *erasure([]))
    books.refuse("an erasure of one twice", "erasure-list", *erasure([rides[0], rides[0]]))
    statement, _ = erasure(rides[:2])
    books.refuse("an erasure of others", "erasure-list", statement, rides[1::-1])
    third = books.log.reduce([ride("zoe", NOON)], "metro-app")
    books.places[third[0].holder] = (0, 0)
    books.refuse("an erasure of another day", "reduction-elsewhere", *erasure(third))
    other = replace(of, count=5).as_json()
    books.refuse(
        "an erasure by another record", "certification-differs",
        *erasure(rides[:2], certification=other))  # fmt: skip
    books.take(*erasure(rides[:3]))


# --- what statements make ---

_MAKE: dict[str, Callable[[Statement, int], list[Record]]] = {
    "certification": lambda of, day: [certified(of, day)],
    "issuance": lambda of, day: [
        *(issued(of), carried(of)),
        *([new_holding(of)] if of.body["units"] else []),
    ],
    "correction": lambda of, day: [carried(of)],
    "deposit": lambda of, day: [new_holding(of)],
    **dict.fromkeys(MOVES, lambda of, day: [moved(of)]),
}


def records(log: Log, before: State | None, entry: Entry) -> list[Json]:
    """The records that an entry has entered in the register; ``log`` has taken it."""
    statement, after = entry.statement, log.state
    made: list[tuple[str, Json]] = []
    if before is not None and after is not None:
        lots = log.lots(before.closed_until, after.closed_until)
        made += [("lot", lot.as_json()) for lot in lots]
        if make := _MAKE.get(statement.kind):
            made += [(one.KIND, one.as_json()) for one in make(statement, before.today)]
    if statement.kind == "withdrawal":
        of = Certification.read(statement.body["certification"])
        record = Withdrawn(of.statement, statement.id)
        if any(span.holder == record.holder for span in log.register.spans()):
            made.append((record.KIND, record.as_json()))
    return [{"kind": kind, "record": dump_json(record).decode()} for kind, record in made]
