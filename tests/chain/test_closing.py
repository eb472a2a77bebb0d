"""Closing the books: what becomes a lot, and what can no longer happen on closed days."""

from pathlib import Path

import pytest
from support.city import FIRST_DAY, NOON, TODAY, City, scenario_document
from support.older import take_back
from support.replay import check_replay

from chain.genesis import library, publish_methodology
from chain.lots import Lot, LotTree
from chain.paths import lot_path
from chain.spans import make_holder
from keys.errors import Fault, Refusal, Unreadable, Usage, VerificationError
from keys.statements import Statement
from keys.strict import dump_date, dump_json, parse_json

pytestmark = pytest.mark.usefixtures("database")

DAY = 86_400


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City.found(tmp_path / "city", acceptance_days=2)


def wait(city: City, days: int) -> None:
    """Let days pass, by the ledger's clock as well."""
    city.now += days * DAY
    city.govern({"action": "threshold", "governors": 1, "instead_of": 1})


def closed(city: City, until: int, issuer: str = "operator") -> list[Lot]:
    """Close the books; all lots."""
    city.post(statement := city.close(until, issuer))
    city.answer(statement)
    with city.store.snapshot() as snapshot:
        return snapshot.lots()


def refused(city: City, statement: Statement) -> str:
    city.post(statement)
    with pytest.raises(Refusal) as error:
        city.answer(statement)
    return error.value.code


def test_the_reductions_of_each_platform_scenario_and_day_become_a_lot(city: City) -> None:
    lines = [city.ride("ann", NOON), city.ride("ann", NOON + 3600), city.ride("ben", NOON + DAY)]
    city.submit(lines)
    city.submit([city.trip("b1", NOON, NOON + 60)])
    city.submit([city.ride("cat", NOON), city.ride("ann", NOON)], "pay-app")
    wait(city, 4)
    lots = closed(city, TODAY + 2)
    assert [lot[:5] for lot in lots] == [
        ("metro-app", "city-bike", TODAY, 1, 52),
        ("metro-app", "city-bus", TODAY, 2, 160),
        ("metro-app", "city-bus", TODAY + 1, 1, 80),
        # Ann's ride was another platform's already.
        ("pay-app", "city-bus", TODAY, 1, 80),
    ]
    assert city.state.closed_until == TODAY + 2
    rides = city.reduce(lines)[:2]
    assert sorted(city.store.lot_tree(lots[1]).keys) == sorted(ride.leaf for ride in rides)
    with city.store.snapshot() as snapshot:
        assert snapshot.lots("pay-app") == lots[3:]
        assert snapshot.lots("metro-app", "city-bike") == lots[:1]
        assert snapshot.lot("metro-app", "city-bus", TODAY + 1) == lots[2]
        with pytest.raises(Usage):
            snapshot.lot("pay-app", "city-bike", TODAY)
    check_replay(city)


def test_the_days_stay_closed_when_the_ledger_is_opened_again(city: City) -> None:
    city.submit([city.ride("ann", NOON)])
    wait(city, 3)
    lots = closed(city, TODAY + 1, "governor")
    again = city.reopen()
    assert again.state.closed_until == TODAY + 1
    wait(again, 1)
    again.submit([again.ride("ann", again.now)])
    check_replay(again)
    with again.store.snapshot() as snapshot:
        assert snapshot.lots() == lots


def test_days_without_reductions_close_without_lots(city: City) -> None:
    assert closed(city, TODAY - 10) == []
    assert closed(city, TODAY - 2) == []
    assert city.state.closed_until == TODAY - 2
    check_replay(city)


def test_a_voided_reduction_is_in_no_lot_and_one_recorded_again_is_where_it_is(
    city: City,
) -> None:
    lines = [city.ride(person, NOON) for person in ("ann", "ben", "cat")]
    first = city.submit(lines)
    city.post(city.void(first, [0, 1], "metro-app"))
    # Ben's is sent again; Cat's as well, which is there already.
    again = city.submit(lines[1:])
    assert sorted(again.refusals) == [1]
    wait(city, 4)
    [lot] = closed(city, TODAY + 1)
    ben, cat = city.reduce(lines[1:])
    assert lot.count == 2
    assert sorted(city.store.lot_tree(lot).keys) == sorted([ben.leaf, cat.leaf])
    check_replay(city)


def test_a_void_that_names_where_a_reduction_was_refused_takes_it_out_too(city: City) -> None:
    lines = [city.ride("ann", NOON), city.ride("ben", NOON)]
    city.submit(lines)
    again = city.submit(lines[:1])
    assert sorted(again.refusals) == [0]
    city.post(statement := city.void(again, [0], "metro-app"))
    city.answer(statement)
    wait(city, 4)
    [lot] = closed(city, TODAY + 1)
    assert lot.count == 1
    check_replay(city)


def test_voided_and_sent_again_in_one_block(city: City) -> None:
    lines = [city.ride("ann", NOON), city.ride("ben", NOON)]
    first = city.submit(lines)
    city.sequencer.post([city.void(first, [0, 1], "metro-app")])
    city.sequencer.submit([city.admit(lines[:1])])
    city.sequencer.seal_all(city.now)
    wait(city, 4)
    [lot] = closed(city, TODAY + 1)
    assert city.store.lot_tree(lot).keys == [city.reduce(lines)[0].leaf]
    check_replay(city)


# --- what is refused ---


def test_a_close_is_later_than_the_last_and_not_too_early(city: City) -> None:
    assert refused(city, city.close(FIRST_DAY)) == "close-again"
    # Two days of acceptance: of the days before today, the last two stay open.
    assert refused(city, city.close(TODAY - 1)) == "close-too-early"
    closed(city, TODAY - 2)
    city.now += 1  # the same statement would have its answer
    assert refused(city, city.close(TODAY - 2)) == "close-again"
    assert refused(city, city.close(TODAY - 5)) == "close-again"


def test_a_close_states_what_it_closes(city: City) -> None:
    city.submit([city.ride("ann", NOON)])
    wait(city, 3)
    for name in ("lots", "count", "grams"):
        for number in (0, 1, 2, 79, 81):
            stated = city.close(TODAY + 1).body[name]
            if number != stated:
                assert refused(city, city.close(TODAY + 1, **{name: number})) == "close-differs"
    missing = {"format": 1, "until": dump_date(TODAY + 1), "lots": 1, "count": 1}
    assert refused(city, city.sign("close", "operator", missing)) == "field-missing"
    other = {**missing, "grams": 80, "format": 2}
    assert refused(city, city.sign("close", "operator", other)) == "format-unknown"
    assert len(closed(city, TODAY + 1)) == 1


def test_what_waits_before_a_close_is_in_its_days(city: City) -> None:
    wait(city, 3)
    early = city.close(TODAY + 1)
    admitted = city.admit([city.ride("ann", NOON)])
    city.sequencer.submit([admitted])
    city.sequencer.post([early])
    heads = city.sequencer.seal_all(city.now)
    # The submission has a block of its own; nothing is left of a close that is refused.
    assert len(heads) == 1
    assert not city.answer(admitted.entry.statement).refusals
    with pytest.raises(Refusal) as error:
        city.answer(early)
    assert error.value.code == "close-differs"

    city.sequencer.submit([second := city.admit([city.ride("ben", NOON)])])
    city.sequencer.seal_all(city.now)
    city.sequencer.submit([other := city.admit([city.ride("ann", city.now)])])
    city.sequencer.post([close := city.close(TODAY + 1)])
    city.sequencer.submit([late := city.admit([city.ride("cat", NOON)])])
    assert len(city.sequencer.seal_all(city.now)) == 2
    assert city.answer(close).height == city.answer(late.entry.statement).height
    assert city.answer(other.entry.statement).height == city.answer(close).height - 1
    assert not city.answer(second.entry.statement).refusals
    [why] = city.answer(late.entry.statement).refusals.values()
    assert why.code == "day-closed"
    with city.store.snapshot() as snapshot:
        assert [lot.count for lot in snapshot.lots()] == [2]
    check_replay(city)


@pytest.mark.parametrize("issuer", ["metro-app", "verifier"])
def test_who_may_close(city: City, issuer: str) -> None:
    assert refused(city, city.close(TODAY - 5, issuer)) == "role-missing"


def test_a_ledger_under_the_first_rules_knows_no_close(tmp_path: Path) -> None:
    city = City.found(tmp_path / "old", acceptance_days=2, rules=1)
    assert refused(city, city.close(TODAY - 5)) == "kind-unknown"


# --- after it ---


def test_nothing_is_recorded_on_a_closed_day(city: City) -> None:
    midnight = NOON + DAY // 2
    city.submit([city.ride("ann", NOON)])
    wait(city, 3)
    closed(city, TODAY + 1)
    answer = city.submit(
        [
            city.ride("ben", NOON),
            # It begins on the day after, and its guard reaches back to the closed one.
            city.ride("cat", midnight + 30),
            city.ride("dan", midnight + 120),
        ]
    )
    assert {p: why.code for p, why in answer.refusals.items()} == {
        0: "day-closed",
        1: "day-closed",
    }
    check_replay(city)


def test_nothing_of_a_closed_day_is_voided(city: City) -> None:
    midnight = NOON + DAY // 2
    answer = city.submit([city.ride("ann", NOON), city.ride("ben", midnight + 30)])
    wait(city, 3)
    closed(city, TODAY + 1)
    for position in (0, 1):
        for issuer in ("metro-app", "governor", "verifier"):
            statement = city.void(answer, [position], issuer)
            assert refused(city, statement) == "void-day-closed"


def test_no_version_reaches_into_closed_days(city: City) -> None:
    wait(city, 3)
    closed(city, TODAY + 1)
    document = parse_json(library()["clean-plate"])
    later = dump_json({**document, "version": 2})
    scenario = scenario_document("city-bus", "bus-ride-by-code", ["metro-app"])
    held = {
        "methodology": city.state.methodologies["clean-plate"][0].document.holder.hex(),
        "scenario": city.state.scenarios["city-bus"][0].document.holder.hex(),
    }
    for day in (FIRST_DAY + 1, TODAY, TODAY + 1):
        for action in (
            {**publish_methodology(later, day), "consumes": held["methodology"]},
            {
                "action": "scenario",
                "document": scenario.decode(),
                "from": dump_date(day),
                "consumes": held["scenario"],
            },
        ):
            with pytest.raises(Refusal) as error:
                city.govern(action)
            assert error.value.code in ("methodology-retroactive", "document-retroactive")


# --- files and tables ---


def test_a_lots_file_that_is_missing_or_damaged_is_not_believed(city: City) -> None:
    city.submit([city.ride("ann", NOON), city.ride("ben", NOON)])
    wait(city, 3)
    [lot] = closed(city, TODAY + 1)
    path = city.folder / lot_path(lot.root)
    good = path.read_bytes()
    assert LotTree.parse(good).root == lot.root
    for bad in (good[:-1], good[:40], good[:-1] + b"\xff"):
        path.write_bytes(bad)
        with pytest.raises(VerificationError) as error:
            city.store.lot_tree(lot)
        assert error.value.code == "lot-file"
    path.unlink()
    with pytest.raises(Unreadable):
        city.store.lot_tree(lot)


def test_a_damaged_file_of_reductions_closes_nothing(city: City) -> None:
    city.submit([city.ride("ann", NOON)])
    other = city.submit([city.ride("ben", NOON), city.ride("cat", NOON)])
    wait(city, 3)
    close = city.close(TODAY + 1)
    with city.store.snapshot() as snapshot:
        root = snapshot.statement(other.index).body["root"]
    path = city.folder / "submissions" / root[:2] / root
    good = path.read_bytes()
    size = 2 + int.from_bytes(good[:2])
    path.write_bytes(good[:size])
    again = city.reopen()
    with pytest.raises(Fault) as error:
        again.post(close)
    assert error.value.code == "reductions-differ"
    path.write_bytes(good)
    again.sequencer.seal_all(again.now)
    again.answer(close)
    check_replay(again)


def test_an_older_ledger_learns_the_days_of_its_submissions(city: City) -> None:
    answer = city.submit([city.ride("ann", NOON), city.ride("ann", NOON + DAY)])
    wait(city, 4)
    take_back(city.store, "0001")
    again = city.reopen()
    with again.store.snapshot() as snapshot:
        assert snapshot.submissions_on(TODAY, TODAY + 1) == [answer.index]
    assert [lot.count for lot in closed(again, TODAY + 2)] == [1, 1]
    check_replay(again)


def test_a_lot_holds_its_day_on_its_line(city: City) -> None:
    city.submit([city.ride("ann", NOON)])
    wait(city, 3)
    [lot] = closed(city, TODAY + 1)
    classes = city.state.classes
    with city.store.snapshot() as snapshot:
        register = snapshot.register()
        line = classes.line("lot", ["metro-app", "city-bus"])
        [span] = register.spans(line)
        assert (span.start, span.end, span.holder) == (TODAY, TODAY + 1, lot.holder)
        [books] = register.spans(classes.line("books", []))
        assert (books.start, books.end) == (0, TODAY + 1)
        assert books.holder == make_holder("books", b"")
