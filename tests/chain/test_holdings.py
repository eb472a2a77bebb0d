"""Holdings: units move, are locked, retired and cancelled, and never twice."""

import csv
import os
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.books import DAY, REGISTRY, Books, everybody
from support.city import TODAY, City
from support.replay import check_replay

from chain.holdings import Holding, moved, new_holding
from chain.spans import FOREVER, make_holder
from keys.errors import Conflict, Refusal
from keys.statements import Statement
from keys.strict import INTEGER_MAX, dump_cbor

pytestmark = pytest.mark.usefixtures("database")

SERIES = "city-bus_metro-app_2026"
TOP = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TALLY_DATA") or TOP.parent / "shared" / "data")
SAMPLE = TOP / "tests" / "data" / "synthetic-retirements.csv"
REAL = DATA / "acr-retirements.csv"


class Units:
    """A hundred units of holder-1, in a ledger."""

    def __init__(self) -> None:
        self.books = Books()
        of = self.books.lot_certified(TODAY, 100_000)
        self.issued = new_holding(self.books.issue(of))

    def move(self, kind: str, by: str, first: int, end: int, old: Holding, **more: Any) -> Holding:
        return self.books.move(kind, by, SERIES, first, end, old, **more)

    def moving(
        self, kind: str, by: str, first: int, end: int, old: Holding, **more: Any
    ) -> Statement:
        return self.books.moving(kind, by, SERIES, first, end, old, **more)

    def code(self, kind: str, by: str, first: int, end: int, old: Holding, **more: Any) -> str:
        return self.books.refusal(self.moving(kind, by, first, end, old, **more))

    def spans(self) -> list[tuple[int, int, bytes]]:
        return [s[1:] for s in self.books.line("serial", REGISTRY, SERIES)]


@pytest.fixture
def units() -> Units:
    return Units()


# --- what happens to units ---


def test_a_transfer_splits_the_span_and_the_rest_keeps_its_holder(units: Units) -> None:
    old = units.issued
    new = units.move("transfer", "holder-1", 20, 50, old, account="savings")
    assert (new.owner, new.account, new.status, new.origin) == (
        *("holder-2", "savings", "held"),
        old.origin,
    )
    assert units.spans() == [(1, 20, old.holder), (20, 50, new.holder), (50, 101, old.holder)]
    # What is left is moved by the same record, on either side.
    left = units.move("transfer", "holder-1", 1, 20, old)
    right = units.move("transfer", "holder-1", 100, 101, old)
    assert units.spans() == [
        *((1, 20, left.holder), (20, 50, new.holder)),
        *((50, 100, old.holder), (100, 101, right.holder)),
    ]


def test_the_record_is_what_the_specification_says(units: Units) -> None:
    offer = units.moving("offer", "holder-1", 1, 101, units.issued)
    units.books.take(offer)
    issuance = units.issued.origin
    values = [
        *(issuance, "governor", "holder-1", "", "locked", offer.id, "exchange-1", b"\xab" * 16),
        offer.body["expires"],
    ]
    assert units.spans() == [(1, 101, make_holder("holding", dump_cbor(values)))]
    record = moved(offer)
    assert Holding.read(record.as_json()) == record


def test_an_exchange_imports_what_it_is_offered(units: Units) -> None:
    locked = units.move("offer", "holder-1", 10, 20, units.issued)
    assert (locked.status, locked.exchange, locked.owner) == ("locked", "exchange-1", "holder-1")
    traded = units.move("import", "exchange-1", 10, 20, locked)
    assert (traded.owner, traded.account, traded.status) == ("exchange-1", "a-1", "held")
    assert (traded.exchange, traded.nonce, traded.expires) == ("", b"", 0)
    # It owns them now: it sells in parts, and retires for its buyers.
    units.move("transfer", "exchange-1", 10, 12, traded)
    units.move("retirement", "exchange-1", 12, 20, traded)


def test_an_offer_is_released_and_the_units_are_held_again(units: Units) -> None:
    locked = units.move("offer", "holder-1", 10, 20, units.issued)
    free = units.move("release", "exchange-1", 10, 20, locked)
    assert (free.owner, free.status, free.exchange) == ("holder-1", "held", "")
    units.move("transfer", "holder-1", 10, 20, free)


def test_the_owner_takes_an_offer_back_once_it_has_expired(units: Units) -> None:
    locked = units.move("offer", "holder-1", 10, 20, units.issued)
    units.books.wait(seconds=7 * DAY - 1)
    assert units.code("release", "holder-1", 10, 20, locked) == "offer-open"
    units.books.wait(seconds=1)
    assert units.code("release", "holder-2", 10, 20, locked) == "owner-needed"
    assert units.code("import", "exchange-1", 10, 20, locked) == "offer-expired"
    units.move("release", "holder-1", 10, 20, locked)


def test_an_exchange_may_release_after_the_expiry_too(units: Units) -> None:
    locked = units.move("offer", "holder-1", 10, 20, units.issued)
    units.books.wait(days=8)
    units.move("release", "exchange-1", 10, 20, locked)


def test_units_are_cancelled_by_who_brought_them_in(units: Units) -> None:
    gone = units.move("cancellation", "governor", 5, 6, units.issued)
    assert (gone.status, gone.owner) == ("cancelled", "holder-1")
    assert units.code("cancellation", "authority-2", 6, 7, units.issued) == "issuer-needed"
    assert units.code("cancellation", "holder-1", 6, 7, units.issued) == "role-missing"
    assert units.code("cancellation", "governor", 6, 7, units.issued, reason="") == "text-empty"


def test_units_of_another_registry_are_deposited(units: Units) -> None:
    books = units.books
    deposit = books.deposit("another", "X-1", 1, 51)
    books.take(deposit)
    record = new_holding(deposit)
    assert (record.issuer, record.owner, record.status) == ("authority-2", "holder-1", "held")
    [span] = books.line("serial", "another", "X-1")
    assert span.holder == record.holder
    by_other = {"registry": "another", "series": "X-1", "first": 1, "end": 11}
    cancellation = {"units": by_other, "holding": record.as_json(), "reason": "an error"}
    assert books.refusal(books.sign("cancellation", "governor", cancellation)) == "issuer-needed"
    books.take(books.sign("cancellation", "authority-2", cancellation))


# --- what is refused, and changes nothing ---


def test_a_transfer_by_someone_who_does_not_own_them(units: Units) -> None:
    for by in ("holder-2", "exchange-1", "governor", "metro-app"):
        for kind in ("transfer", "offer", "retirement"):
            assert units.code(kind, by, 1, 2, units.issued) == "owner-needed"
    for by in ("operator",):
        assert units.code("transfer", by, 1, 2, units.issued) == "role-missing"


def test_a_transfer_by_the_owner_before(units: Units) -> None:
    new = units.move("transfer", "holder-1", 1, 51, units.issued)
    assert units.code("transfer", "holder-1", 1, 51, new) == "owner-needed"
    assert units.code("transfer", "holder-1", 1, 51, units.issued) == "holding-differs"


@pytest.mark.parametrize("kind", ["transfer", "offer", "retirement", "cancellation", "release"])
@pytest.mark.parametrize("end", ["retirement", "cancellation"])
def test_nothing_is_done_with_units_that_are_retired_or_cancelled(
    units: Units, end: str, kind: str
) -> None:
    by = {"retirement": "holder-1", "cancellation": "governor"}
    gone = units.move(end, by[end], 10, 20, units.issued)
    assert units.code(kind, by.get(kind, "holder-1"), 10, 20, gone) == "holding-status"
    assert units.code(kind, by.get(kind, "holder-1"), 10, 20, units.issued) == "holding-differs"
    alive = replace(gone, status="held")
    assert units.code(kind, by.get(kind, "holder-1"), 10, 20, alive) == "holding-differs"


@pytest.mark.parametrize("kind", ["transfer", "offer", "retirement", "cancellation"])
def test_nothing_is_done_with_locked_units_but_import_and_release(units: Units, kind: str) -> None:
    locked = units.move("offer", "holder-1", 10, 20, units.issued)
    by = "governor" if kind == "cancellation" else "holder-1"
    assert units.code(kind, by, 10, 20, locked) == "holding-status"
    assert units.code(kind, by, 12, 13, locked) == "holding-status"


@pytest.mark.parametrize(("first", "end"), [(5, 15), (15, 25), (5, 25), (19, 21), (10, 30)])
def test_a_range_that_overlaps_two_holdings(units: Units, first: int, end: int) -> None:
    new = units.move("transfer", "holder-1", 10, 20, units.issued)
    assert units.code("transfer", "holder-1", first, end, units.issued) == "holding-differs"
    assert units.code("transfer", "holder-2", first, end, new) == "holding-differs"


def test_what_is_left_of_a_holding_is_moved_piece_by_piece(units: Units) -> None:
    units.move("transfer", "holder-1", 10, 20, units.issued)
    assert units.code("transfer", "holder-1", 1, 101, units.issued) == "holding-differs"


@pytest.mark.parametrize(
    ("first", "end"), [(0, 1), (0, 5), (101, 102), (100, 102), (1, FOREVER), (200, 300)]
)
def test_units_that_were_never_issued(units: Units, first: int, end: int) -> None:
    assert units.code("transfer", "holder-1", first, end, units.issued) == "holding-differs"


@pytest.mark.parametrize(
    ("first", "end"), [(5, 5), (6, 5), (-1, 5), (-5, -1), (INTEGER_MAX, INTEGER_MAX)]
)
def test_a_range_that_is_none(units: Units, first: int, end: int) -> None:
    assert units.code("transfer", "holder-1", first, end, units.issued) == "range-invalid"
    deposit = units.books.deposit("another", "X-1", first, end)
    assert units.books.refusal(deposit) == "range-invalid"


def test_a_unit_is_retired_once(units: Units) -> None:
    gone = units.move("retirement", "holder-1", 10, 20, units.issued)
    assert units.code("retirement", "holder-1", 10, 20, units.issued) == "holding-differs"
    assert units.code("retirement", "holder-1", 12, 13, gone) == "holding-status"
    assert units.code("retirement", "holder-1", 19, 21, units.issued) == "holding-differs"


def test_a_retirement_names_beneficiary_and_purpose(units: Units) -> None:
    for more in ({"beneficiary": ""}, {"purpose": ""}):
        assert units.code("retirement", "holder-1", 1, 2, units.issued, **more) == "text-empty"


def test_units_are_imported_by_one_exchange(units: Units) -> None:
    locked = units.move("offer", "holder-1", 10, 20, units.issued)
    assert units.code("import", "exchange-2", 10, 20, locked) == "offer-to-another"
    assert units.code("import", "holder-1", 10, 20, locked) == "role-missing"
    to_other = replace(locked, exchange="exchange-2")
    assert units.code("import", "exchange-2", 10, 20, to_other) == "holding-differs"
    again = units.moving("offer", "holder-1", 10, 20, units.issued, exchange="exchange-2")
    assert units.books.refusal(again) == "holding-differs"
    traded = units.move("import", "exchange-1", 10, 20, locked)
    assert units.code("import", "exchange-1", 10, 20, locked) == "holding-differs"
    assert units.code("import", "exchange-2", 10, 20, to_other) == "holding-differs"
    assert units.code("import", "exchange-1", 10, 20, traded) == "holding-status"
    assert units.code("offer", "holder-1", 10, 20, locked) == "holding-differs"


@pytest.mark.parametrize("kind", ["import", "release"])
def test_an_offer_is_taken_whole(units: Units, kind: str) -> None:
    locked = units.move("offer", "holder-1", 10, 20, units.issued)
    for first, end in ((10, 19), (11, 20), (15, 16)):
        assert units.code(kind, "exchange-1", first, end, locked) == "offer-divided"
    assert units.code(kind, "exchange-1", 10, 21, locked) == "holding-differs"
    units.move(kind, "exchange-1", 10, 20, locked)


def test_an_offer_is_to_an_exchange_and_ends_in_the_future(units: Units) -> None:
    now = units.books.state.time
    for more, code in (
        ({"exchange": "holder-2"}, "exchange-needed"),
        ({"exchange": "nobody"}, "exchange-needed"),
        ({"expires": now}, "offer-expired"),
        ({"expires": -1}, "offer-expired"),
        ({"nonce": ""}, "hex-not-canonical"),
        ({"nonce": "ab" * 15}, "hex-not-canonical"),
        ({"nonce": "AB" * 16}, "hex-not-canonical"),
    ):
        assert units.code("offer", "holder-1", 1, 2, units.issued, **more) == code


def test_a_transfer_is_not_replayed_after_the_units_came_back(units: Units) -> None:
    first = units.moving("transfer", "holder-1", 1, 101, units.issued)
    units.books.take(first)
    back = units.move("transfer", "holder-2", 1, 101, moved(first), to="holder-1")
    assert back.owner == units.issued.owner
    assert units.books.refusal(first) == "statement-known"
    # Nor does another statement fit that says the same.
    assert units.code("transfer", "holder-1", 1, 101, units.issued) == "holding-differs"
    units.move("transfer", "holder-1", 1, 101, back)


@pytest.mark.parametrize(
    ("to", "code"), [("nobody", "participant-unknown"), ("operator", "holder-needed")]
)
def test_a_transfer_is_to_someone_who_may_hold_units(units: Units, to: str, code: str) -> None:
    assert units.code("transfer", "holder-1", 1, 2, units.issued, to=to) == code


def test_a_record_that_was_changed_does_not_stand(units: Units) -> None:
    lies: list[dict[str, Any]] = [
        {"owner": "holder-2"},
        {"account": "another"},
        {"issuer": "authority-2"},
        {"status": "locked"},
        {"statement": bytes(32)},
        {"origin": bytes(32)},
        {"exchange": "exchange-1"},
        {"nonce": bytes(16)},
        {"expires": 1},
    ]
    for lie in lies:
        given = replace(units.issued, **lie)
        assert units.code("transfer", "holder-2", 1, 2, given) == "holding-differs"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"units": {}}, "field-missing"),
        ({"units": {"registry": "a", "series": "b", "first": "1", "end": 2}}, "field-type"),
        ({"units": {"registry": "A", "series": "b", "first": 1, "end": 2}}, "line-part"),
        ({"units": {"registry": "a", "series": "b c", "first": 1, "end": 2}}, "line-part"),
        ({"holding": {}}, "field-missing"),
        ({"format": 2}, "format-unknown"),
        ({"price": 1}, "field-unknown"),
        ({"to": 1}, "field-type"),
    ],
)
def test_a_transfer_that_is_out_of_form_is_refused(
    units: Units, more: dict[str, Any], code: str
) -> None:
    assert units.code("transfer", "holder-1", 1, 2, units.issued, **more) == code


def test_deposits_that_are_refused(units: Units) -> None:
    books = units.books
    assert books.refusal(books.deposit(REGISTRY, SERIES, 200, 300)) == "registry-own"
    assert books.refusal(books.deposit("another", "X-1", 1, 2, reference="")) == "text-empty"
    assert books.refusal(books.deposit("another", "X-1", 1, 2, by="holder-1")) == "role-missing"
    assert books.refusal(books.deposit("another", "X-1", 1, 2, owner="operator")) == "holder-needed"
    books.take(books.deposit("another", "X-1", 1, 252))
    for first, end in ((1, 252), (251, 1_001), (0, 2), (100, 101)):
        assert books.refusal(books.deposit("another", "X-1", first, end)) == "serials-taken"
    # Half-open: 1 to 251 and 252 to 1,000 are neighbours.
    books.take(books.deposit("another", "X-1", 252, 1_001))
    books.take(books.deposit("another", "X-2", 1, 252))


# --- the serial numbers of a registry ---

SOURCES = [
    pytest.param(SAMPLE, 12, 4, id="synthetic"),
    pytest.param(
        REAL,
        2_637,
        437,
        id="retirements-of-a-registry",
        marks=pytest.mark.skipif(not REAL.is_file(), reason="the real file is not at hand"),
    ),
]


def read_ranges(path: Path) -> list[tuple[str, int, int]]:
    """(series, first, end), half-open; the file says "SERIES-FIRST to LAST"."""
    ranges = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            match = re.fullmatch(r"(.+)-(\d+) to (\d+)", row["Offset Credit Serial Numbers"])
            assert match is not None
            ranges.append((match[1], int(match[2]), int(match[3]) + 1))
            quantity = int(row["Quantity of Offset Credits"].replace(",", ""))
            assert ranges[-1][2] - ranges[-1][1] == quantity
    return ranges


@pytest.mark.parametrize(("path", "count", "series_count"), SOURCES)
def test_serials_of_a_registry_are_deposited_and_retired_once(
    path: Path, count: int, series_count: int
) -> None:
    ranges = read_ranges(path)
    assert (len(ranges), len({series for series, _, _ in ranges})) == (count, series_count)
    books = Books()
    deposits = [books.deposit("acr", *one) for one in ranges]
    for statement in deposits:
        books.take(statement)
    retired = []
    for deposit in deposits:
        old, units = new_holding(deposit), deposit.body["units"]
        body = {"units": units, "holding": old.as_json(), "beneficiary": "b", "purpose": "p"}
        retired.append(books.sign("retirement", "holder-1", body))
        books.take(retired[-1])
    held = defaultdict(list)
    for series, first, end in ranges:
        held[series].append((first, end))
    for series, spans in held.items():
        found = [(span.start, span.end) for span in books.line("serial", "acr", series)]
        assert found == sorted(spans)
    root = books.root()
    for again, code in ((deposits, "serials-taken"), (retired, "holding-differs")):
        for statement in again:
            given = books.sign(statement.kind, statement.issuer, statement.body)
            assert code_of(books, statement) == "statement-known"
            assert code_of(books, given) == code
    for shift in (-1, 1):
        for series, first, end in ranges:
            start, stop = first + shift, end + shift
            overlaps = any(start < e and s < stop for s, e in held[series])
            given = books.deposit("acr", series, start, stop)
            assert code_of(books, given) == ("serials-taken" if overlaps else None)
    assert books.root() == root


@pytest.mark.parametrize(("path", "count", "series_count"), SOURCES)
def test_the_sequencer_enters_the_same(
    path: Path, count: int, series_count: int, tmp_path: Path
) -> None:
    city = City.found(tmp_path, actions=everybody())
    books = Books()
    deposits, retired = [], []
    for series, first, end in read_ranges(path):
        body = books.deposit("acr", series, first, end).body
        deposits.append(city.sign("deposit", "authority-2", body))
        old, units = new_holding(deposits[-1]), body["units"]
        body = {"format": 1, "units": units, "holding": old.as_json()}
        names = {"beneficiary": "b", "purpose": "p"}
        retired.append(city.sign("retirement", "holder-1", {**body, **names}))
    city.post(*deposits, *retired, *deposits)
    with city.store.snapshot() as snapshot:
        spans = [s for s in snapshot.register().spans() if s.class_number == 12]
    assert len(spans) == count
    assert {span.holder for span in spans} == {moved(one).holder for one in retired}
    again = city.sign("deposit", "authority-2", deposits[-1].body, subject="again")
    city.post(again)
    with pytest.raises(Refusal) as error:
        city.sequencer.answer(again)
    assert error.value.code == "serials-taken"
    check_replay(city.reopen())


def code_of(books: Books, statement: Statement) -> str | None:
    """Why it would be refused; nothing is entered."""
    try:
        books.judge(statement)
    except Conflict as refusal:
        return refusal.code
    return None
