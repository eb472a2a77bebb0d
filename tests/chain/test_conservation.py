"""Nothing is lost and nothing made: whatever is done, and whatever is tried, the sums hold.

Per platform and scenario: units issued × unit + carried = certified, less what was corrected; and
units issued = held + locked + retired + cancelled.  A machine does what it likes, valid or not;
beside it stands a plain model: grams as numbers, and for each serial number a dictionary.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.books import DAY, REGISTRY, UNIT, Books
from support.city import TODAY

from chain.spans import make_holder
from keys.errors import Refusal
from keys.statements import Statement
from keys.strict import dump_cbor, dump_date, parse_date

PLATFORMS = ("metro-app", "pay-app")
SCENARIO = "city-bus"
PEOPLE = ("holder-1", "holder-2", "exchange-1", "exchange-2", "governor", "verifier", "operator")
MOVES = ("transfer", "offer", "import", "release", "retirement", "cancellation")
STATUS = {"retirement": "retired", "cancellation": "cancelled", "offer": "locked"}
FORMS = ("origin", "issuer", "owner", "account", "status", "statement", "exchange", "nonce")


def holding_holder(record: dict[str, Any]) -> bytes:
    """The holder of a record in JSON, as the specification says it."""
    raw = ("origin", "statement", "nonce")
    values = [bytes.fromhex(record[n]) if n in raw else record[n] for n in FORMS]
    return make_holder("holding", dump_cbor([*values, record["expires"]]))


@dataclass
class Account:
    """What the model knows of one platform under the scenario."""

    platform: str
    certified: int = 0
    corrected: int = 0
    carries: list[dict[str, Any]] = field(default_factory=list)
    """Every carry there was; the last one stands."""
    units: list[dict[str, Any]] = field(default_factory=list)
    """The record of each serial number from 1 on."""
    days: dict[int, int] = field(default_factory=dict)
    """The grams of each closed day with a lot."""
    certifications: list[dict[str, Any]] = field(default_factory=list)
    issuances: list[dict[str, Any]] = field(default_factory=list)

    @property
    def series(self) -> str:
        return f"{SCENARIO}_{self.platform}_2026"

    @property
    def carried(self) -> int:
        return self.carries[-1]["grams"] if self.carries else 0

    def run(self, serial: int) -> tuple[int, int]:
        """The longest range of units with the record of ``serial``, half-open."""
        of, low, high = self.units[serial - 1], serial, serial + 1
        while low > 1 and self.units[low - 2] == of:
            low -= 1
        while high <= len(self.units) and self.units[high - 1] == of:
            high += 1
        return low, high


class Machine(RuleBasedStateMachine):
    """Days close, verifiers certify, authorities issue, owners trade; much of it is refused."""

    @initialize()
    def found(self) -> None:
        self.books = Books()
        self.next_day = TODAY
        self.accounts = {platform: Account(platform) for platform in PLATFORMS}
        self.stale: list[dict[str, Any]] = []
        # Something to trade, so that the steps are not all spent on getting there.
        self.close([dict.fromkeys(PLATFORMS, 4_700), dict.fromkeys(PLATFORMS, 2_900), {}])
        for platform in PLATFORMS:
            self.certify(platform, 0, 1, "unmodified", "verifier", 0)
            self.books.wait(days=1)
            self.issue(platform, 0, None, "holder-1", False)

    def decide(self, statement: Statement, expected: str | None) -> bool:
        """Let the rules decide; they must say what the model says."""
        if expected is not None:
            assert self.books.refusal(statement) == expected
            return False
        try:
            self.books.take(statement)
        except Refusal as refusal:
            raise AssertionError(f"it was refused: {refusal}") from refusal
        return True

    # --- days, certifications ---

    @rule(
        lots=st.lists(
            st.dictionaries(st.sampled_from(PLATFORMS), st.integers(1, 6 * UNIT), max_size=2),
            min_size=1,
            max_size=3,
        )
    )
    def close(self, lots: list[dict[str, int]]) -> None:
        for grams in lots:
            for platform, amount in grams.items():
                self.books.lot(self.next_day, amount, platform)
                self.accounts[platform].days[self.next_day] = amount
            self.next_day += 1
        self.books.close(self.next_day)

    @rule(
        platform=st.sampled_from(PLATFORMS),
        since=st.integers(0, 12),
        length=st.integers(0, 5),
        opinion=st.sampled_from(["unmodified"] * 4 + ["modified", "adverse"]),
        by=st.sampled_from(["verifier", "verifier", "verifier-2", "governor", "metro-app"]),
        more=st.sampled_from([0, 0, 0, 0, 1, -1]),
    )
    def certify(
        self, platform: str, since: int, length: int, opinion: str, by: str, more: int
    ) -> None:
        account = self.accounts[platform]
        first, until = TODAY + since, TODAY + since + length
        lots = [grams for day, grams in account.days.items() if first <= day < until]
        grams = (sum(lots) if opinion != "adverse" else 0) + more
        given = self.books.certification(
            first, until, platform=platform, opinion=opinion, by=by, grams=grams
        )
        expected = None
        if by not in ("verifier", "verifier-2"):
            expected = "role-missing"
        elif not length:
            expected = "certification-period"
        elif until > self.next_day:
            expected = "certification-open"
        elif not lots:
            expected = "lots-differ"
        elif more:
            expected = "certification-sum"
        elif any(
            parse_date(c["from"]) < until and first < parse_date(c["until"])
            for c in account.certifications
            if c["stands"] or c["issued"]
        ):
            expected = "certified-already"
        if self.decide(given, expected):
            record = {
                "statement": given.id.hex(),
                "verifier": by,
                "platform": platform,
                "scenario": SCENARIO,
                "from": dump_date(first),
                "until": dump_date(until),
                "count": given.body["count"],
                "grams": grams,
                "opinion": opinion,
                "day": dump_date(self.books.today),
            }
            account.certifications.append({**record, "stands": True, "issued": False})

    def pick(self, items: list[dict[str, Any]], which: int) -> dict[str, Any] | None:
        return items[which % len(items)] if items else None

    @rule(
        platform=st.sampled_from(PLATFORMS),
        which=st.integers(0, 9),
        by=st.sampled_from(["verifier", "verifier-2", "governor", "holder-1"]),
    )
    def withdraw(self, platform: str, which: int, by: str) -> None:
        of = self.pick(self.accounts[platform].certifications, which)
        if of is None:
            return
        given = self.books.sign(
            "withdrawal", by, {"certification": record_of(of), "reason": "an error"}
        )
        expected = None
        if by == "holder-1":
            expected = "role-missing"
        elif not of["stands"]:
            expected = "certification-differs"
        elif by not in ("governor", of["verifier"]):
            expected = "withdrawal-not-own"
        if self.decide(given, expected):
            of["stands"] = False

    # --- issuances ---

    @rule(
        platform=st.sampled_from(PLATFORMS),
        which=st.integers(0, 9),
        twist=st.sampled_from(
            [None] * 4 + ["more", "less", "carry", "no carry", "serials", "notice", "authority"]
        ),
        owner=st.sampled_from(["holder-1", "holder-2"]),
        again=st.sampled_from([False, False, False, True]),
    )
    def issue(self, platform: str, which: int, twist: str | None, owner: str, again: bool) -> None:
        account = self.accounts[platform]
        fresh = [one for one in account.certifications if not one["issued"] or again]
        of = self.pick(fresh, which)
        if of is None:
            return
        grams = of["grams"] + account.carried
        units = max(grams // UNIT, 0)
        left = grams - units * UNIT
        carry = account.carries[-1] if account.carries else None
        first, today = len(account.units) + 1, self.books.today
        since, until = parse_date(of["day"]), today + (twist == "notice")
        expected = None
        if twist == "authority":
            expected = "authority-needed"
        if not of["stands"]:
            expected = "certification-differs"
        elif expected is None and of["opinion"] == "adverse":
            expected = "certification-certifies-nothing"
        elif expected is None and since >= until:
            expected = "notice-days"
        elif expected is None and twist == "notice":
            expected = "notice-open"
        elif expected is None and of["issued"]:
            expected = "issued-already"
        elif expected is None and twist == "carry" and len(account.carries) > 1:
            carry, expected = account.carries[0], "carry-differs"
        elif expected is None and twist == "no carry" and carry is not None:
            carry, expected = None, "carry-differs"
        elif expected is None and twist in ("more", "less"):
            change = 1 if twist == "more" else -1
            units, left, expected = units + change, left - change * UNIT, "issuance-sum"
        elif expected is None and twist == "serials":
            first, expected = first + 1, "serials-not-next"
        body = {
            "certification": record_of(of),
            "notice": {
                "reference": "a notice",
                "from": dump_date(since),
                "until": dump_date(until),
            },
            "registry": REGISTRY,
            "series": account.series,
            "vintage": 2026,
            "first": first,
            "units": units,
            "carry": carry,
            "carried_out": left,
            "owner": owner,
            "account": "",
        }
        by = "authority-2" if twist == "authority" else "governor"
        given = self.books.sign("issuance", by, body)
        if self.decide(given, expected):
            of["issued"] = True
            ordinal = carry["ordinal"] + 1 if carry else 0
            account.certified += of["grams"]
            account.issuances.append(
                {
                    "statement": given.id.hex(),
                    "certification": of["statement"],
                    **{n: of[n] for n in ("platform", "scenario", "from", "until", "count")},
                    "certified": of["grams"],
                    "carried_in": carry["grams"] if carry else 0,
                    "units": units,
                    "carried_out": left,
                    "registry": REGISTRY,
                    "series": body["series"],
                    "first": first,
                }
            )
            account.carries.append({"ordinal": ordinal, "grams": left, "statement": given.id.hex()})
            record = {
                "origin": given.id.hex(),
                "issuer": "governor",
                "owner": owner,
                "account": "",
                "status": "held",
                "statement": given.id.hex(),
                "exchange": "",
                "nonce": "",
                "expires": 0,
            }
            account.units += [record] * units

    @rule(
        platform=st.sampled_from(PLATFORMS),
        which=st.integers(0, 9),
        grams=st.integers(-1, 8 * UNIT),
        old=st.sampled_from([False, False, False, True]),
    )
    def correct(self, platform: str, which: int, grams: int, old: bool) -> None:
        account = self.accounts[platform]
        of = self.pick(account.issuances, which)
        if of is None:
            return
        carry = account.carries[0 if old else -1]
        expected = None
        if not 1 <= grams <= of["certified"]:
            expected = "correction-grams"
        elif carry != account.carries[-1]:
            expected = "carry-differs"
        body = {"issuance": of, "carry": carry, "grams": grams, "reason": "an error"}
        given = self.books.sign("correction", "governor", body)
        if self.decide(given, expected):
            account.corrected += grams
            account.carries.append(
                {
                    "ordinal": carry["ordinal"] + 1,
                    "grams": carry["grams"] - grams,
                    "statement": given.id.hex(),
                }
            )

    # --- what becomes of units ---

    @rule(
        platform=st.sampled_from(PLATFORMS),
        at=st.integers(0, 9),
        length=st.integers(1, 4),
        which=st.integers(0, 3),
        to=st.sampled_from(PEOPLE),
    )
    def trade(self, platform: str, at: int, length: int, which: int, to: str) -> None:
        """Something that the units' status allows, by whom it is for."""
        account = self.accounts[platform]
        if not account.units:
            return
        first = at % len(account.units) + 1
        record, (low, high) = account.units[first - 1], account.run(first)
        if record["status"] == "locked":
            expired = record["expires"] <= self.books.state.time
            kind, by = ("release", record["owner"]) if expired else ("import", record["exchange"])
            kind = "release" if which == 0 else kind
            self.move(account, kind, by, to, record, low, high)
        else:
            kind = ("transfer", "offer", "retirement", "cancellation")[which]
            by = "governor" if kind == "cancellation" else record["owner"]
            self.move(account, kind, by, to, record, first, min(first + length, high))

    @rule(
        platform=st.sampled_from(PLATFORMS),
        kind=st.sampled_from(MOVES),
        at=st.integers(0, 9),
        length=st.integers(1, 4),
        by=st.sampled_from((*PEOPLE, "exchange-1", "exchange-2")),
        to=st.sampled_from(PEOPLE),
        old=st.sampled_from([None, None, None, 0, 1, 2]),
    )
    def try_to_move(
        self, platform: str, kind: str, at: int, length: int, by: str, to: str, old: int | None
    ) -> None:
        """Anything, by anybody, perhaps with a record that was true before."""
        account = self.accounts[platform]
        if not account.units:
            return
        first = at % len(account.units) + 1
        locked = [n for n, unit in enumerate(account.units, 1) if unit["status"] == "locked"]
        if kind in ("import", "release") and locked:
            first = locked[at % len(locked)]
        record = account.units[first - 1]
        if old is not None and self.stale:
            record = self.stale[old % len(self.stale)]
        self.move(account, kind, by, to, record, first, first + length)

    def move(
        self,
        account: Account,
        kind: str,
        by: str,
        to: str,
        record: dict[str, Any],
        first: int,
        end: int,
    ) -> None:
        exchange = to if to.startswith("exchange") else "exchange-1"
        changes: dict[str, dict[str, Any]] = {
            "transfer": {"to": to, "account": "an account"},
            "offer": {
                "exchange": exchange,
                "nonce": f"{first:032x}",
                "expires": self.books.state.time + DAY,
            },
            "import": {"account": "a client"},
            "release": {},
            "retirement": {"beneficiary": "a town", "purpose": "its year"},
            "cancellation": {"reason": "an error"},
        }
        units = {
            "registry": REGISTRY,
            "series": account.series,
            "first": first,
            "end": end,
        }
        given = self.books.sign(kind, by, {"units": units, "holding": record, **changes[kind]})
        expected = self.expected(account, kind, by, to, record, first, end)
        if self.decide(given, expected):
            self.stale.append(record)
            new = {
                **record,
                "status": STATUS.get(kind, "held"),
                "statement": given.id.hex(),
                "exchange": "",
                "nonce": "",
                "expires": 0,
            }
            if kind == "transfer":
                new |= {"owner": to, "account": "an account"}
            elif kind == "offer":
                new |= changes["offer"]
            elif kind == "import":
                new |= {"owner": by, "account": "a client"}
            account.units[first - 1 : end - 1] = [new] * (end - first)

    def expected(
        self,
        account: Account,
        kind: str,
        by: str,
        to: str,
        record: dict[str, Any],
        first: int,
        end: int,
    ) -> str | None:
        allowed = {"cancellation": ("governor",), "import": ("exchange-1", "exchange-2")}
        if by not in allowed.get(kind, tuple(set(PEOPLE) - {"operator"})):
            return "role-missing"
        if any(one != record for one in account.units[first - 1 : end - 1]):
            return "holding-differs"
        if end - 1 > len(account.units):
            return "holding-differs"
        if record["status"] != ("locked" if kind in ("import", "release") else "held"):
            return "holding-status"
        if kind == "import" and by != record["exchange"]:
            return "offer-to-another"
        over = self.books.state.time >= record["expires"]
        if kind == "import" and over:
            return "offer-expired"
        if kind == "release" and by != record["exchange"]:
            if by != record["owner"]:
                return "owner-needed"
            if not over:
                return "offer-open"
        if kind in ("transfer", "offer", "retirement") and by != record["owner"]:
            return "owner-needed"
        if kind == "transfer" and to == "operator":
            return "holder-needed"
        if kind in ("import", "release") and (first, end) != account.run(first):
            return "offer-divided"
        return None

    @rule(seconds=st.sampled_from([1, DAY // 2, DAY, 3 * DAY]))
    def wait(self, seconds: int) -> None:
        self.books.wait(seconds=seconds)

    # --- what always holds ---

    @invariant()
    def grams_are_conserved(self) -> None:
        for platform, account in getattr(self, "accounts", {}).items():
            spans = self.books.line("serial", REGISTRY, account.series)
            issued = sum(span.end - span.start for span in spans)
            assert issued * UNIT + account.carried == account.certified - account.corrected
            carries = [
                (
                    one["ordinal"],
                    make_holder(
                        "carry",
                        dump_cbor([one["ordinal"], one["grams"], bytes.fromhex(one["statement"])]),
                    ),
                )
                for one in account.carries[-1:]
            ]
            found = self.books.line("carry", platform, SCENARIO)
            assert [(span.start, span.holder) for span in found] == carries

    @invariant()
    def units_are_conserved(self) -> None:
        for account in getattr(self, "accounts", {}).values():
            spans = self.books.line("serial", REGISTRY, account.series)
            runs, serial = [], 1
            while serial <= len(account.units):
                low, serial = account.run(serial)
                runs.append((low, serial, holding_holder(account.units[low - 1])))
            assert [span[1:] for span in spans] == runs
            counted = Counter(unit["status"] for unit in account.units)
            assert counted.keys() <= {"held", "locked", "retired", "cancelled"}
            assert counted.total() == sum(span.end - span.start for span in spans)


def record_of(certification: dict[str, Any]) -> dict[str, Any]:
    """The record, without what the model notes beside it."""
    return {name: v for name, v in certification.items() if name not in ("stands", "issued")}


TestConservation = Machine.TestCase
TestConservation.settings = settings(max_examples=3 * settings.default.max_examples)
