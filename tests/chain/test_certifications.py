"""Certification: what a verifier may certify, withdraw, and what may be erased after it."""

from pathlib import Path
from typing import Any

import pytest
from support.books import Books, everybody, named
from support.city import NOON, TODAY, City, key
from support.city import genesis as city_genesis
from support.replay import check_replay

from chain.certifications import OPINIONS, Certification, Withdrawn, certified
from chain.effects import Entry
from chain.genesis import enrol
from chain.holdings import Holding
from chain.issuances import Carry, Issuance
from chain.reductions import Reduction
from chain.rules import apply
from chain.spans import Span, make_holder
from keys.catalogue import TEXTS
from keys.errors import Malformed, Refusal
from keys.participants import Role, key_holder, role_holder
from keys.statements import Statement
from keys.strict import dump_cbor, dump_date, parse_date

pytestmark = pytest.mark.usefixtures("database")

FIRST = TODAY
PARTS = ("metro-app", "city-bus")


@pytest.fixture
def books() -> Books:
    """Three closed days with a lot each, and an open one."""
    made = Books()
    for day, grams in ((FIRST, 1_500), (FIRST + 1, 700), (FIRST + 2, 300)):
        made.lot(day, grams)
    made.lot(FIRST, 9_000, platform="pay-app")
    made.close(FIRST + 3)
    return made


def span_of(books: Books, record: Certification) -> Span:
    line = books.state.classes.line("certification", PARTS)
    return Span(line, record.since, record.until, record.holder)


# --- what is certified ---


def test_whole_lots_of_a_period_are_certified(books: Books) -> None:
    record = books.certify(FIRST, FIRST + 3)
    assert (record.count, record.grams, record.day) == (3, 2_500, books.today)
    assert books.line("certification", *PARTS) == [span_of(books, record)]


def test_the_record_is_what_the_specification_says(books: Books) -> None:
    statement = books.certification(FIRST, FIRST + 1, opinion="modified")
    day = books.today
    books.take(statement)
    values = [
        *(statement.id, "verifier", "metro-app", "city-bus", FIRST, FIRST + 1, 1, 1_500),
        *("modified", day),
    ]
    [span] = books.line("certification", *PARTS)
    assert span.holder == make_holder("certification", dump_cbor(values))
    record = certified(statement, day)
    assert Certification.read(record.as_json()) == record
    assert record.as_json()["from"] == dump_date(FIRST)


def test_a_day_without_a_lot_may_lie_in_the_period() -> None:
    books = Books()
    books.lot(FIRST, 10)
    books.lot(FIRST + 2, 20)
    books.close(FIRST + 4)
    assert books.certify(FIRST, FIRST + 4).grams == 30


def test_excluded_reductions_are_not_certified() -> None:
    books = Books()
    bad = [books.record(300), books.record(80)]
    books.lot(FIRST, 1_000, count=5)
    books.close(FIRST + 1)
    record = books.certify(FIRST, FIRST + 1, excluded=bad)
    assert (record.count, record.grams) == (3, 620)


@pytest.mark.parametrize("opinion", OPINIONS)
def test_an_adverse_or_disclaimed_opinion_certifies_nothing(books: Books, opinion: str) -> None:
    record = books.certify(FIRST, FIRST + 1, opinion=opinion)
    nothing = opinion in ("adverse", "disclaimed")
    assert (record.count, record.grams) == ((0, 0) if nothing else (1, 1_500))
    lies = {"count": 1, "grams": 1_500} if nothing else {"count": 0, "grams": 0}
    again = books.certification(FIRST + 1, FIRST + 2, opinion=opinion, **lies)
    assert books.refusal(again) == "certification-sum"


# --- what is refused ---


@pytest.mark.parametrize(
    ("since", "until"),
    [(FIRST, FIRST + 3), (FIRST, FIRST + 1), (FIRST + 1, FIRST + 2), (FIRST + 2, FIRST + 3)],
)
def test_certifications_of_overlapping_days_are_refused(
    books: Books, since: int, until: int
) -> None:
    books.certify(FIRST, FIRST + 3)
    for by in ("verifier", "verifier-2"):
        assert books.refusal(books.certification(since, until, by=by)) == "certified-already"


def test_days_that_touch_are_certified_one_after_the_other(books: Books) -> None:
    books.certify(FIRST + 1, FIRST + 2)
    books.certify(FIRST, FIRST + 1)
    books.certify(FIRST + 2, FIRST + 3, by="verifier-2")
    assert len(books.line("certification", *PARTS)) == 3


def test_a_day_that_is_not_closed_is_not_certified(books: Books) -> None:
    books.lot(FIRST + 3, 10)
    assert books.refusal(books.certification(FIRST, FIRST + 4)) == "certification-open"
    assert books.refusal(books.certification(FIRST + 3, FIRST + 4)) == "certification-open"


def lots_of(books: Books) -> list[list[Any]]:
    return list(books.certification(FIRST, FIRST + 3).body["lots"])


@pytest.mark.parametrize(
    "change",
    [
        lambda lots: lots[1:],
        lambda lots: lots[:2],
        lambda lots: [],
        lambda lots: [lots[1], lots[0], lots[2]],
        lambda lots: [*lots, lots[2]],
        lambda lots: [*lots, [dump_date(FIRST + 3), 1, 10, "0" * 64]],
        lambda lots: [[lots[0][0], 1, 1_501, lots[0][3]], *lots[1:]],
        lambda lots: [[lots[0][0], 2, 1_500, lots[0][3]], *lots[1:]],
        lambda lots: [[*lots[0][:3], "0" * 64], *lots[1:]],
        lambda lots: [[dump_date(FIRST - 1), *lots[0][1:]], *lots[1:]],
    ],
)
def test_lots_that_are_not_those_of_the_period_are_refused(books: Books, change: Any) -> None:
    given = books.certification(FIRST, FIRST + 3, lots=change(lots_of(books)))
    assert books.refusal(given) == "lots-differ"


def test_a_platform_without_lots_is_not_certified(books: Books) -> None:
    given = books.certification(FIRST, FIRST + 3, platform="bike-app")
    assert books.refusal(given) == "lots-differ"
    given = books.certification(FIRST + 1, FIRST + 2, platform="pay-app")
    assert books.refusal(given) == "lots-differ"


@pytest.mark.parametrize("more", [{"grams": 2_501}, {"grams": 2_499}, {"count": 4}, {"count": 2}])
def test_more_or_less_than_the_lots_hold_is_not_certified(
    books: Books, more: dict[str, int]
) -> None:
    given = books.certification(FIRST, FIRST + 3, **more)
    assert books.refusal(given) == "certification-sum"


def test_a_period_lies_in_one_year() -> None:
    last = parse_date("2026-12-31")
    books = Books()
    books.lot(last, 10)
    books.lot(last + 1, 20)
    books.close(last + 2)
    assert books.refusal(books.certification(last, last + 2)) == "certification-period"
    assert books.refusal(books.certification(last, last)) == "certification-period"
    assert books.refusal(books.certification(last + 1, last)) == "certification-period"
    assert books.certify(last, last + 1).grams == 10
    assert books.certify(last + 1, last + 2).grams == 20


def test_what_cannot_be_excluded() -> None:
    books = Books()
    good = books.record(300)
    gone = books.record(80)
    other = books.record(80, platform="pay-app")
    late = books.record(80, day=FIRST + 1)
    books.register.change([], [span for span in books.register.spans() if _is_of(span, gone)])
    books.lot(FIRST, 1_000, count=5)
    books.close(FIRST + 1)

    def code(*given: Reduction, **more: Any) -> str:
        return books.refusal(books.certification(FIRST, FIRST + 1, excluded=given, **more), given)

    assert code(gone) == "exclusion-not-held"
    assert code(other) == "reduction-elsewhere"
    assert code(late) == "reduction-elsewhere"
    assert code(good, good) == "certification-list"
    assert code(good, exclusions=[]) == "certification-list"
    assert code(good, exclusions=named([other])) == "certification-list"
    assert code(good, exclusions=[{**named([good])[0], "position": -1}]) == "certification-list"
    assert code(good, count=5, grams=1_000) == "certification-sum"
    assert code(good, exclusions=[1]) == "field-type"


def _is_of(span: Span, reduction: Reduction) -> bool:
    return span.holder == reduction.holder


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"opinion": "clean"}, "field-type"),
        ({"assurance": "some"}, "field-type"),
        ({"materiality": "100.1"}, "field-type"),
        ({"materiality": "5%"}, "decimal-not-canonical"),
        ({"report": "2" * 63}, "hex-not-canonical"),
        ({"sampling_plan": "X" * 64}, "hex-not-canonical"),
        ({"criteria": ""}, "text-empty"),
        ({"scope": ""}, "text-empty"),
        ({"accreditation": ""}, "text-empty"),
        ({"declarations": [""]}, "field-type"),
        ({"declarations": [1]}, "field-type"),
        ({"lots": [["2026-03-02", 1, 1, "0" * 64, 1]]}, "field-type"),
        ({"lots": [["2026-03-02", True, 1, "0" * 64]]}, "field-type"),
        ({"lots": [["2026-03-02", 1, True, "0" * 64]]}, "field-type"),
        ({"lots": [["2026-3-2", 1, 1, "0" * 64]]}, "date-invalid"),
        ({"lots": ["all"]}, "field-type"),
        ({"from": "yesterday"}, "date-invalid"),
        ({"format": 2}, "format-unknown"),
        ({"note": "more"}, "field-unknown"),
        ({"platform": "Metro"}, "line-part"),
        ({"scenario": 1}, "field-type"),
    ],
)
def test_a_certification_that_is_out_of_form_is_refused(
    books: Books, more: dict[str, Any], code: str
) -> None:
    assert books.refusal(books.certification(FIRST, FIRST + 1, **more)) == code


# --- who certifies ---


def test_only_a_verifier_certifies(books: Books) -> None:
    for by in ("governor", "operator", "pay-app", "exchange-1", "holder-1"):
        assert books.refusal(books.certification(FIRST, FIRST + 1, by=by)) == "role-missing"


def test_a_verifier_whose_role_ended_certifies_no_more(books: Books) -> None:
    waiting = books.certification(FIRST, FIRST + 1)
    consumes = role_holder("verifier", Role.VERIFIER).hex()
    action = {"action": "withdraw", "participant": "verifier", "role": "verifier"}
    books.govern({**action, "consumes": consumes})
    assert books.refusal(waiting) == "role-missing"
    books.certify(FIRST, FIRST + 1, by="verifier-2")


def test_a_platform_does_not_certify_itself(books: Books) -> None:
    books.govern({"action": "grant", "participant": "metro-app", "role": "verifier"})
    given = books.certification(FIRST, FIRST + 1, by="metro-app")
    assert books.refusal(given) == "verifier-not-independent"
    # Another platform's reductions are another matter.
    assert books.certify(FIRST, FIRST + 1, by="metro-app", platform="pay-app").grams == 9_000


def test_nor_does_the_owner_or_the_authority_of_the_scenario(books: Books) -> None:
    books.govern({"action": "grant", "participant": "governor", "role": "verifier"})
    given = books.certification(FIRST, FIRST + 1, by="governor")
    assert books.refusal(given) == "verifier-not-independent"


def rotation(books: Books, name: str, new: str) -> dict[str, Any]:
    return {
        "action": "rotate",
        "participant": name,
        "key": key(new).public.as_json(),
        "consumes": key_holder(key(name).public).hex(),
    }


def test_a_certification_by_the_platforms_own_key_is_refused() -> None:
    """Under another name; and a key that the platform had is still its own."""
    twin = enrol("twin", "twin", [Role.VERIFIER], key("metro-app").public)
    books = Books(actions=[twin])
    books.lot(FIRST, 1_500)
    books.close(FIRST + 1)

    def code(signer: str) -> str:
        body = books.certification(FIRST, FIRST + 1).body
        return books.refusal(books.sign("certification", "twin", body, signer=key(signer)))

    assert code("metro-app") == "verifier-not-independent"
    books.govern(rotation(books, "metro-app", "metro-app-2"))
    assert code("metro-app") == "verifier-not-independent"
    # Nor does it help that the verifier takes another key.
    action = rotation(books, "twin", "twin-2")
    books.govern({**action, "consumes": key_holder(key("metro-app").public).hex()})
    assert code("twin-2") == "verifier-not-independent"


# --- withdrawal ---


def test_a_certification_is_withdrawn_and_the_days_are_certified_anew(books: Books) -> None:
    record = books.certify(FIRST, FIRST + 3)
    books.take(books.withdrawal(record))
    assert books.line("certification", *PARTS) == []
    assert books.refusal(books.issuance(record)) == "certification-differs"
    again = books.certify(FIRST, FIRST + 1, by="verifier-2")
    assert books.line("certification", *PARTS) == [span_of(books, again)]


def test_after_the_issuance_a_withdrawal_leaves_a_mark(books: Books) -> None:
    record = books.certify(FIRST, FIRST + 3)
    books.issue(record)
    withdrawal = books.withdrawal(record)
    books.take(withdrawal)
    mark = Withdrawn(record.statement, withdrawal.id)
    expected = make_holder("withdrawn", dump_cbor([record.statement, withdrawal.id]))
    assert mark.holder == expected
    [span] = books.line("certification", *PARTS)
    assert span == span_of(books, record)._replace(holder=expected)
    # The units stay, the days cannot be certified again, and nothing is issued from them.
    assert len(books.line("issuance", *PARTS)) == 1
    assert books.refusal(books.certification(FIRST, FIRST + 3)) == "certified-already"
    assert books.refusal(books.issuance(record)) == "certification-differs"
    assert books.refusal(books.withdrawal(record)) == "certification-differs"


def test_who_may_withdraw(books: Books) -> None:
    record = books.certify(FIRST, FIRST + 3)
    assert books.refusal(books.withdrawal(record, by="verifier-2")) == "withdrawal-not-own"
    assert books.refusal(books.withdrawal(record, by="metro-app")) == "role-missing"
    assert books.refusal(books.withdrawal(record, reason="")) == "text-empty"
    books.take(books.withdrawal(record, by="governor"))
    assert books.line("certification", *PARTS) == []


def test_a_withdrawal_names_the_certification_that_stands(books: Books) -> None:
    record = books.certify(FIRST, FIRST + 1)
    for change in ({"grams": 1}, {"opinion": "modified"}, {"until": dump_date(FIRST + 2)}):
        given = {**record.as_json(), **change}
        assert books.refusal(books.withdrawal(record, certification=given)) == (
            "certification-differs"
        )
    backwards = {**record.as_json(), "until": dump_date(FIRST)}
    assert books.refusal(books.withdrawal(record, certification=backwards)) == "range-invalid"
    books.take(books.withdrawal(record))
    assert books.refusal(books.withdrawal(record)) == "certification-differs"


# --- erasure ---


def erasure(books: Books, record: Certification, *of: Reduction, **more: Any) -> Statement:
    body = {"certification": record.as_json(), "reductions": named(of), "reason": "asked for"}
    return books.sign("erasure", more.pop("by", "operator"), {**body, **more})


def test_activities_of_certified_days_are_erased_and_no_others() -> None:
    books = Books()
    mine, late, other = books.record(300), books.record(80, FIRST + 1), books.record(1)
    books.lot(FIRST, 1_000, count=5)
    books.lot(FIRST + 1, 80)
    books.close(FIRST + 2)
    record = books.certify(FIRST, FIRST + 1)
    root = books.root()
    effects = books.take(erasure(books, record, mine), [mine])
    assert (list(effects.put), list(effects.drop), books.root()) == ([], [], root)

    def code(*given: Reduction, **more: Any) -> str:
        return books.refusal(erasure(books, record, *given, **more), given)

    assert code(late) == "reduction-elsewhere"
    assert code() == "erasure-list"
    assert code(mine, mine) == "erasure-list"
    assert code(mine, reductions=named([other])) == "erasure-list"
    assert code(mine, reason="") == "text-empty"
    assert code(mine, by="governor") == "role-missing"
    books.take(books.withdrawal(record))
    assert code(mine) == "certification-differs"


def test_an_adverse_opinion_does_not_allow_erasure() -> None:
    books = Books()
    mine = books.record(300)
    books.lot(FIRST, 300)
    books.close(FIRST + 1)
    record = books.certify(FIRST, FIRST + 1, opinion="adverse")
    given = erasure(books, record, mine)
    assert books.refusal(given, [mine]) == "certification-certifies-nothing"


# --- through the sequencer ---


def refusal_of(city: City, statement: Statement) -> str:
    city.post(statement)
    with pytest.raises(Refusal) as error:
        city.answer(statement)
    return error.value.code


def test_what_a_statement_names_is_loaded_and_replayed(tmp_path: Path) -> None:
    city = City.found(tmp_path, actions=everybody())
    rides = [city.ride(name, NOON - 3_600) for name in ("ann", "ben", "cat")]
    answer = city.submit(rides)
    leaves = city.void(answer, [0, 1, 2], "verifier").body["reductions"]
    city.now += 31 * 86_400
    with city.store.snapshot() as snapshot:
        root = bytes.fromhex(snapshot.statement(answer.index).body["root"])
    [(lot, _)] = city.store.gather(TODAY, TODAY + 1).items()
    totals = {"lots": 1, "count": lot.count, "grams": lot.grams}
    close = {"format": 1, "until": dump_date(TODAY + 1), **totals}
    city.post(city.sign("close", "operator", close))
    reductions = city.store.reductions(root)

    def certification(excluded: list[dict[str, Any]], by: str = "verifier") -> Statement:
        body = {
            "lots": [[dump_date(TODAY), lot.count, lot.grams, lot.root.hex()]],
            "exclusions": excluded,
            "count": 3 - len(excluded),
            "grams": 240 - 80 * len(excluded),
        }
        usual = Books().certification(TODAY, TODAY + 1).body
        return city.sign("certification", by, {**usual, **body})

    first = leaves[0]
    for lie in ({"index": 0}, {"index": 99}, {"position": 3}, {"holder": leaves[1]["holder"]}):
        assert refusal_of(city, certification([{**first, **lie}])) == "certification-list"
    # Nobody without the right has files read.
    assert refusal_of(city, certification([{**first, "index": 99}], "holder-1")) == "role-missing"
    given = certification([leaves[1]])
    city.post(given)
    city.answer(given)
    record = certified(given, city.state.today)
    assert (record.count, record.grams) == (2, 160)
    with city.store.snapshot() as snapshot:
        line = city.state.classes.line("certification", PARTS)
        assert [s.holder for s in snapshot.register().spans(line)] == [record.holder]
        recorded = snapshot.head()
        assert recorded is not None
        assert (recorded.recorded, recorded.grams) == (3, 240)

    body = {"format": 1, "certification": record.as_json(), "reason": "asked for"}
    lie = {**body, "reductions": [{**first, "position": 9}]}
    assert refusal_of(city, city.sign("erasure", "operator", lie)) == "erasure-list"
    erasing = city.sign("erasure", "operator", {**body, "reductions": [first]})
    city.post(erasing)
    city.answer(erasing)
    check_replay(city.reopen())
    assert [one.holder.hex() for one in reductions] == [one["holder"] for one in leaves]


# --- versions, texts ---


def test_the_first_version_of_the_rules_knows_none_of_these_kinds() -> None:
    state = apply(None, Entry(city_genesis(rules=1)), Books()).state
    books = Books()
    for kind in ("certification", "withdrawal", "issuance", "deposit", "transfer", "erasure"):
        with pytest.raises(Malformed) as error:
            apply(state, Entry(books.sign(kind, "governor", {})), books)
        assert error.value.code == "kind-unknown"


def test_every_kind_of_record_has_a_text_for_when_it_differs() -> None:
    for of in (Certification, Issuance, Carry, Holding):
        assert f"{of.KIND}-differs" in TEXTS
