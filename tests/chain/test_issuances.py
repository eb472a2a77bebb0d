"""Issuance: units from certified grams, what is carried, and corrections."""

from dataclasses import replace
from typing import Any

import pytest
from support.books import REGISTRY, UNIT, Books
from support.city import TODAY, scenario_document

from chain.certifications import Certification
from chain.holdings import new_holding, own_registry
from chain.issuances import Carry, Issuance, carried, divide, issued, series_name
from chain.spans import FOREVER, make_holder
from keys.participants import Role, role_holder
from keys.strict import INTEGER_MAX, INTEGER_MIN, dump_cbor, dump_date, parse_date

FIRST = TODAY
PARTS = ("metro-app", "city-bus")
SERIES = "city-bus_metro-app_2026"


@pytest.fixture
def books() -> Books:
    """A ledger with 2,500 g certified for one day, and 700 g for the next."""
    made = Books()
    made.lot(FIRST, 2_500)
    made.lot(FIRST + 1, 700)
    made.close(FIRST + 2)
    return made


@pytest.fixture
def first(books: Books) -> Certification:
    return books.certify(FIRST, FIRST + 1)


def code_of(books: Books, of: Certification, **more: Any) -> str:
    """The refusal of an issuance that says something else, a day after its certification."""
    return books.refusal(books.issuance(of, **more))


# --- what is issued ---


def test_certified_grams_become_units_with_serials(books: Books, first: Certification) -> None:
    statement = books.issue(first)
    [units] = books.line("serial", REGISTRY, SERIES)
    assert (units.start, units.end) == (1, 3)
    assert units.holder == new_holding(statement).holder
    [days] = books.line("issuance", *PARTS)
    assert (days.start, days.end, days.holder) == (FIRST, FIRST + 1, issued(statement).holder)
    [carry] = books.line("carry", *PARTS)
    assert (carry.start, carry.end, carry.holder) == (0, 1, Carry(0, 500, statement.id).holder)


def test_the_records_are_what_the_specification_says(books: Books, first: Certification) -> None:
    statement = books.issue(first)
    holders = {
        "issuance": [
            *(statement.id, first.statement, "metro-app", "city-bus", FIRST, FIRST + 1, 1, 2_500),
            *(0, 2, 500, REGISTRY, SERIES, 1),
        ],
        "carry": [0, 500, statement.id],
        "serial": [
            *(statement.id, "governor", "holder-1", "", "held", statement.id, "", b"", 0),
        ],
    }
    for name, values in holders.items():
        parts = (REGISTRY, SERIES) if name == "serial" else PARTS
        [span] = books.line(name, *parts)
        kind = "holding" if name == "serial" else name
        assert span.holder == make_holder(kind, dump_cbor(values))
    for record in (issued(statement), carried(statement), new_holding(statement)):
        assert type(record).read(record.as_json()) == record


def test_what_is_left_is_carried_into_the_next_issuance(books: Books, first: Certification) -> None:
    books.issue(first)
    second = books.issue(books.certify(FIRST + 1, FIRST + 2))
    made = issued(second)
    assert (made.carried_in, made.certified, made.units, made.carried_out) == (500, 700, 1, 200)
    assert made.first == 3
    [carry] = books.line("carry", *PARTS)
    assert (carry.start, carry.end, carry.holder) == (1, 2, Carry(1, 200, second.id).holder)


def test_grams_that_make_no_unit_are_carried_and_no_unit_is_entered(books: Books) -> None:
    statement = books.issue(books.certify(FIRST + 1, FIRST + 2))
    made = issued(statement)
    assert (made.units, made.carried_out) == (0, 700)
    assert books.line("serial", REGISTRY, SERIES) == []
    assert len(books.line("issuance", *PARTS)) == 1


def test_each_year_has_a_series_of_its_own() -> None:
    last = parse_date("2026-12-31")
    books = Books()
    for day in (last, last + 1):
        books.lot(day, 1_000)
    books.close(last + 2)
    for day in (last, last + 1):
        books.issue(books.certify(day, day + 1))
    for year in (2026, 2027):
        [units] = books.line("serial", REGISTRY, f"city-bus_metro-app_{year}")
        assert (units.start, units.end) == (1, 2)
    assert len(books.line("carry", *PARTS)) == 1


def test_a_name_of_a_series_is_no_other_series_name() -> None:
    assert series_name("a-b", "c", 2026) != series_name("a", "b-c", 2026)


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("ledger.example/city", "ledger-example-city"),
        ("Example.ORG/Tally//2", "example-org-tally-2"),
        ("绿.example/市", "example"),
        ("绿/市", "ledger"),
        ("a" * 63 + "/b/c", "a" * 63),
    ],
)
def test_the_registry_is_named_after_the_origin(books: Books, origin: str, name: str) -> None:
    state = replace(books.state, genesis=replace(books.state.genesis, origin=origin))
    assert own_registry(state) == name
    state.classes.line("serial", [name, "a"])


@pytest.mark.parametrize(
    ("grams", "divided"),
    [(0, (0, 0)), (999, (0, 999)), (1_000, (1, 0)), (2_500, (2, 500)), (-1, (0, -1))],
)
def test_how_grams_are_divided(grams: int, divided: tuple[int, int]) -> None:
    assert divide(grams, UNIT) == divided


# --- what is refused ---


def test_a_lot_is_not_issued_twice(books: Books, first: Certification) -> None:
    statement = books.issue(first)
    assert books.refusal(statement) == "statement-known"
    assert code_of(books, first) == "issued-already"
    # Nor by way of another certification.
    books.take(books.withdrawal(first))
    assert books.refusal(books.certification(FIRST, FIRST + 2)) == "certified-already"


def test_a_lot_that_is_not_certified_is_not_issued(books: Books, first: Certification) -> None:
    books.wait(days=1)
    invented = replace(first, since=FIRST + 1, until=FIRST + 2, grams=700)
    assert code_of(books, invented) == "certification-differs"
    longer = replace(first, until=FIRST + 2, grams=3_200)
    assert code_of(books, longer) == "certification-differs"


@pytest.mark.parametrize("opinion", ["adverse", "disclaimed"])
def test_a_lot_that_is_adversely_certified_is_not_issued(books: Books, opinion: str) -> None:
    of = books.certify(FIRST, FIRST + 1, opinion=opinion)
    books.wait(days=1)
    assert code_of(books, of) == "certification-certifies-nothing"
    assert code_of(books, replace(of, opinion="unmodified")) == "certification-differs"


def test_no_more_and_no_less_than_certified_is_issued(books: Books, first: Certification) -> None:
    books.wait(days=1)
    for units, left in ((3, -500), (3, 500), (1, 1_500), (2, 501), (2, 499), (0, 2_500), (-1, 0)):
        assert code_of(books, first, units=units, carried_out=left) == "issuance-sum"
    assert code_of(books, replace(first, grams=3_000)) == "certification-differs"


def test_a_carry_is_not_used_twice(books: Books, first: Certification) -> None:
    books.issue(first)
    used = books.carries[PARTS]
    books.issue(books.certify(FIRST + 1, FIRST + 2))
    books.lot(FIRST + 2, 2_000)
    books.close(FIRST + 3)
    third = books.certify(FIRST + 2, FIRST + 3)
    books.wait(days=1)
    more = {"units": 2, "carried_out": used.grams}
    assert code_of(books, third, carry=used.as_json(), **more) == "carry-differs"
    assert code_of(books, third, carry=None, units=2, carried_out=0) == "carry-differs"
    now = books.carries[PARTS]
    for lie in ({"grams": 900}, {"ordinal": now.ordinal + 1}, {"ordinal": now.ordinal - 1}):
        assert code_of(books, third, carry={**now.as_json(), **lie}) in (
            "carry-differs",
            "issuance-sum",
        )
    assert code_of(books, third, carry={**now.as_json(), "ordinal": -1}) == "range-invalid"
    books.issue(third)


def test_a_carry_that_never_was_is_not_used(books: Books, first: Certification) -> None:
    books.wait(days=1)
    invented = Carry(0, 500, bytes(32)).as_json()
    assert code_of(books, first, carry=invented, units=3, carried_out=0) == "carry-differs"


def test_the_carry_of_another_platform_is_not_used(books: Books) -> None:
    books.lot(FIRST + 2, 2_500)
    books.lot(FIRST + 2, 2_500, platform="pay-app")
    books.close(FIRST + 3)
    books.issue(books.certify(FIRST + 2, FIRST + 3))
    other = books.certify(FIRST + 2, FIRST + 3, platform="pay-app")
    books.wait(days=1)
    foreign = books.carries[PARTS].as_json()
    assert code_of(books, other, carry=foreign, units=3, carried_out=0) == "carry-differs"


def test_nothing_is_issued_before_the_notice_has_ended(books: Books, first: Certification) -> None:
    day = books.today

    def code(since: int, until: int) -> str:
        days = {"from": dump_date(since), "until": dump_date(until)}
        return code_of(books, first, notice={"reference": "a notice", **days})

    books.wait(days=2)
    assert code(day, day + 3) == "notice-open"
    assert code(day - 1, day + 1) == "notice-days"
    assert code(day, day) == "notice-days"
    assert code(day + 1, day) == "notice-days"
    empty = {"reference": "", "from": dump_date(day), "until": dump_date(day + 1)}
    assert code_of(books, first, notice=empty) == "text-empty"
    books.wait(days=1)
    assert code(day, day + 4) == "notice-open"
    notice = {"reference": "a notice", "from": dump_date(day), "until": dump_date(day + 3)}
    books.take(books.issuance(first, notice=notice))


def test_serials_are_contiguous(books: Books, first: Certification) -> None:
    books.wait(days=1)
    for wrong in (0, 2, 100, -1, INTEGER_MAX):
        assert code_of(books, first, first=wrong) == "serials-not-next"
    books.issue(first)
    second = books.certify(FIRST + 1, FIRST + 2)
    books.wait(days=1)
    for wrong in (1, 2, 4):
        assert code_of(books, second, first=wrong) == "serials-not-next"
    assert issued(books.issue(second)).first == 3


def test_serials_end_before_the_integers_do(books: Books, first: Certification) -> None:
    books.enter("serial", (REGISTRY, SERIES), FOREVER - 2, FOREVER - 1, first)
    books.wait(days=1)
    assert code_of(books, first) == "range-invalid"


@pytest.mark.parametrize(
    "more",
    [
        {"registry": "another"},
        {"series": "city-bus_metro-app_2027", "vintage": 2027},
        {"series": "city-bus_pay-app_2026"},
        {"vintage": 2027},
        {"series": "city-bus-metro-app-2026"},
    ],
)
def test_registry_series_and_vintage_are_those_of_the_days(
    books: Books, first: Certification, more: dict[str, Any]
) -> None:
    books.wait(days=1)
    assert code_of(books, first, **more) == "series-differs"


def test_only_the_scenarios_authority_issues(books: Books, first: Certification) -> None:
    books.wait(days=1)
    assert code_of(books, first, by="authority-2") == "authority-needed"
    for by in ("verifier", "metro-app", "operator", "exchange-1"):
        assert code_of(books, first, by=by) == "role-missing"


def test_the_authority_is_that_of_the_definition_in_force(
    books: Books, first: Certification
) -> None:
    old = scenario_document("city-bus", "bus-ride-by-code")
    new = old.replace(b'"authority":"governor"', b'"authority":"authority-2"')
    consumes = make_holder("scenario", old).hex()
    start = books.today + 5
    action = {"action": "scenario", "document": new.decode(), "from": dump_date(start)}
    books.govern({**action, "consumes": consumes})
    books.wait(days=4)
    assert code_of(books, first, by="authority-2") == "authority-needed"
    books.wait(days=1)
    assert code_of(books, first) == "authority-needed"
    books.issue(first, by="authority-2")


def test_after_the_crediting_period_the_last_authority_issues(
    books: Books, first: Certification
) -> None:
    books.wait(days=parse_date("2031-02-01") - books.today)
    books.issue(first)


def test_an_authority_without_the_role_does_not_issue(books: Books, first: Certification) -> None:
    consumes = role_holder("governor", Role.AUTHORITY).hex()
    action = {"action": "withdraw", "participant": "governor", "role": "authority"}
    books.govern({**action, "consumes": consumes})
    books.wait(days=1)
    assert code_of(books, first) == "role-missing"


@pytest.mark.parametrize(
    ("owner", "code"), [("nobody", "participant-unknown"), ("operator", "holder-needed")]
)
def test_units_go_to_a_participant_who_may_hold_them(
    books: Books, first: Certification, owner: str, code: str
) -> None:
    books.wait(days=1)
    assert code_of(books, first, owner=owner) == code


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"units": "2"}, "field-type"),
        ({"units": True}, "field-type"),
        ({"carry": {}}, "field-missing"),
        ({"carry": 0}, "field-type"),
        ({"notice": {}}, "field-missing"),
        ({"certification": {}}, "field-missing"),
        ({"format": 2}, "format-unknown"),
        ({"price": 1}, "field-unknown"),
    ],
)
def test_an_issuance_that_is_out_of_form_is_refused(
    books: Books, first: Certification, more: dict[str, Any], code: str
) -> None:
    books.wait(days=1)
    assert code_of(books, first, **more) == code


# --- corrections ---


def test_a_correction_takes_grams_off_the_carry(books: Books, first: Certification) -> None:
    made = issued(books.issue(first))
    correction = books.correct(made, 200)
    [carry] = books.line("carry", *PARTS)
    assert (carry.start, carry.end) == (1, 2)
    assert carry.holder == Carry(1, 300, correction.id).holder


def test_a_debt_is_paid_by_later_days(books: Books, first: Certification) -> None:
    made = issued(books.issue(first))
    books.correct(made, 2_000)
    assert books.carries[PARTS].grams == -1_500
    second = issued(books.issue(books.certify(FIRST + 1, FIRST + 2)))
    assert (second.carried_in, second.units, second.carried_out) == (-1_500, 0, -800)
    books.lot(FIRST + 2, 2_000)
    books.close(FIRST + 3)
    third = issued(books.issue(books.certify(FIRST + 2, FIRST + 3)))
    assert (third.carried_in, third.units, third.carried_out, third.first) == (-800, 1, 200, 3)


def test_a_correction_is_of_what_was_issued(books: Books, first: Certification) -> None:
    made = issued(books.issue(first))

    def code(grams: int, of: Issuance = made, **more: Any) -> str:
        return books.refusal(books.correction(of, grams, **more))

    for grams in (0, -1, 2_501):
        assert code(grams) == "correction-grams"
    assert code(1, replace(made, certified=9_000)) == "issuance-differs"
    assert code(1, by="authority-2") == "authority-needed"
    assert code(1, by="verifier") == "role-missing"
    assert code(1, reason="") == "text-empty"
    assert code(1, carry=None) == "field-type"
    used = books.carries[PARTS].as_json()
    books.correct(made, 1)
    assert code(1, carry=used) == "carry-differs"


def test_a_debt_fits_an_integer(books: Books, first: Certification) -> None:
    """Nobody could ever name a carry that JSON does not hold."""
    made = issued(books.issue(first))
    [span] = books.line("carry", *PARTS)
    deep = Carry(0, INTEGER_MIN, bytes(32))
    books.register.change([span._replace(holder=deep.holder)])
    books.carries[PARTS] = deep
    assert books.refusal(books.correction(made, 1)) == "json-integer-range"


def test_a_withdrawn_certification_is_corrected(books: Books, first: Certification) -> None:
    made = issued(books.issue(first))
    books.take(books.withdrawal(first))
    books.correct(made, 2_500)
    assert books.carries[PARTS].grams == -2_000
