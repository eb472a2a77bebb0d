"""Submissions and voids: what is recorded, what is refused, and that nothing is entered twice."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.city import (
    FIRST_DAY,
    NOON,
    ORIGIN,
    TODAY,
    City,
    founding_actions,
    genesis,
    key,
    pseudonym,
    scenario_document,
)
from support.replay import Replayed, check_held_by, check_provable, check_replay, replay
from support.salted import salted

from chain.admission import Admitted, admit, sign_submission
from chain.effects import Entry, Refused
from chain.genesis import enrol
from chain.reductions import Claim, Reduction
from chain.rules import apply
from chain.spans import FOREVER, make_line
from chain.store.answers import Answer
from keys.errors import Malformed, NotAllowed, Refusal
from keys.participants import Role
from keys.statements import Statement, sign_statement
from keys.strict import dump_date

pytestmark = pytest.mark.usefixtures("database")

MIDNIGHT = NOON + 12 * 3600
"""The end of 2 March in the city."""


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City.found(tmp_path)


def codes(answer: Answer) -> dict[int, str]:
    return {position: refused.code for position, refused in answer.refusals.items()}


def figures(city: City) -> tuple[object, ...]:
    """Everything that a refusal must not change."""
    with city.store.snapshot() as snapshot:
        head = snapshot.head()
        assert head is not None
        return head.size, head.register_root, head.recorded, head.refused, head.grams


def refusal_of(city: City, statement: Statement) -> Refusal:
    """Seal; the refusal with which the whole statement ended, which changed nothing."""
    before = figures(city)
    city.sequencer.seal_all(city.now)
    assert figures(city) == before
    with pytest.raises(Refusal) as refused:
        city.sequencer.answer(statement)
    return refused.value


def refusal(city: City, admitted: Admitted) -> str:
    city.sequencer.submit([admitted])
    return refusal_of(city, admitted.entry.statement).code


def refusal_of_posted(city: City, statement: Statement) -> str:
    city.sequencer.post([statement])
    return refusal_of(city, statement).code


# --- days ---


def test_a_span_across_midnight_is_one_claim_a_day(city: City) -> None:
    line = city.trip("b1", MIDNIGHT - 600, MIDNIGHT + 900)
    (reduction,) = city.reduce([line])
    bike = pseudonym("vehicle", "b1")
    assert reduction.day == TODAY
    assert reduction.claims == (
        Claim(make_line(2, [bike], TODAY), MIDNIGHT - 600, MIDNIGHT),
        Claim(make_line(2, [bike], TODAY + 1), MIDNIGHT, MIDNIGHT + 900),
    )
    assert not city.submit([line]).refusals
    check_held_by(city, reduction)
    # Either half meets whoever comes next; what only touches an end does not.
    answer = city.submit(
        [
            city.trip("b1", MIDNIGHT - 1, MIDNIGHT),
            city.trip("b1", MIDNIGHT, MIDNIGHT + 1),
            city.trip("b1", MIDNIGHT - 700, MIDNIGHT - 600),
            city.trip("b1", MIDNIGHT + 900, MIDNIGHT + 1000),
        ],
        "pay-app",
    )
    assert codes(answer) == {0: "span-taken", 1: "span-taken"}


def test_a_guard_across_midnight_claims_the_day_before_too(city: City) -> None:
    line = city.ride("ann", MIDNIGHT + 10)
    (reduction,) = city.reduce([line])
    ann = pseudonym("traveller", "ann")
    assert reduction.day == TODAY + 1
    assert reduction.claims[:2] == (
        Claim(make_line(1, [ann], TODAY), MIDNIGHT - 50, MIDNIGHT),
        Claim(make_line(1, [ann], TODAY + 1), MIDNIGHT, MIDNIGHT + 370),
    )
    assert not city.submit([line]).refusals
    check_held_by(city, reduction)
    assert codes(city.submit([city.ride("ann", MIDNIGHT - 360)], "pay-app")) == {0: "span-taken"}


@pytest.mark.parametrize(
    ("shift_days", "code"),
    [(-61, "day-closed"), (-60, None), (0, None), (1, None), (2, "day-not-begun")],
)
@pytest.mark.parametrize("kind", ["ride", "trip", "meal"])
def test_only_open_days_take_reductions(
    kind: str, shift_days: int, code: str | None, tmp_path: Path
) -> None:
    """The first day is 1 January, sixty days before; a day ahead is for clocks that differ."""
    assert TODAY - FIRST_DAY == 60
    city = City.found(tmp_path, actions=founding_actions(FIRST_DAY - 9))
    at = NOON + shift_days * 86_400
    line = city.trip("b1", at, at + 60) if kind == "trip" else getattr(city, kind)("ann", at)
    answer = city.submit([line])
    assert codes(answer) == ({0: code} if code else {})
    if code:
        assert answer.refusals[0] == Refused(code, 0, None, TODAY + shift_days)


def test_a_claim_that_reaches_into_a_closed_day_is_refused(city: City) -> None:
    first_midnight = city.state.calendar.start(FIRST_DAY)
    answer = city.submit(
        [city.ride("ann", first_midnight + 59), city.ride("ben", first_midnight + 60)]
    )
    assert codes(answer) == {0: "day-closed"}
    assert answer.refusals[0].day == FIRST_DAY - 1


# --- conflicts ---


def test_a_conflict_inside_one_submission(city: City) -> None:
    lines = [
        city.trip("b1", NOON, NOON + 100),
        city.trip("b1", NOON + 99, NOON + 200),
        city.trip("b1", NOON + 100, NOON + 200),
        city.trip("b1", NOON - 1, NOON + 1),
    ]
    answer = city.submit([*lines, lines[0]])
    assert codes(answer) == {1: "span-taken", 3: "span-taken", 4: "span-taken"}
    holder = city.reduce(lines)[0].holder
    for refused in answer.refusals.values():
        assert refused.met is not None
        assert (refused.met.start, refused.met.end) == (NOON, NOON + 100)
        assert refused.met.holder == holder
    assert answer.platforms == {holder: "metro-app"}
    check_replay(city)


def test_what_is_refused_claims_nothing(city: City) -> None:
    """A ride whose ticket is taken leaves the traveller's time free."""
    assert not city.submit([city.ride("ann", NOON, "t1")]).refusals
    answer = city.submit([city.ride("ben", NOON, "t1"), city.ride("ben", NOON, "t2")], "pay-app")
    assert codes(answer) == {0: "span-taken"}
    assert answer.refusals[0].claim == 1


def test_the_same_ticket_under_another_date_is_refused(city: City) -> None:
    assert not city.submit([city.ride("ann", NOON, "t1")]).refusals
    answer = city.submit([city.ride("ann", NOON - 5 * 86_400, "t1")])
    assert codes(answer) == {0: "span-taken"}
    assert answer.refusals[0].claim == 1


@pytest.mark.parametrize("one_block", [True, False])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_between_two_platforms_the_first_in_the_log_is_recorded(
    order: tuple[int, int], one_block: bool, city: City
) -> None:
    both = [
        city.admit([city.trip("b1", NOON, NOON + 600), city.trip("b2", NOON, NOON + 9)]),
        city.admit(
            [city.trip("b3", NOON, NOON + 9), city.trip("b1", NOON + 300, NOON + 900)], "pay-app"
        ),
    ]
    for place in order:
        city.sequencer.submit([both[place]])
        if not one_block:
            city.sequencer.seal_all(city.now)
    city.sequencer.seal_all(city.now)
    first, second = (city.answer(both[place].entry.statement) for place in order)
    assert first.index < second.index
    assert (first.height == second.height) == one_block
    conflict = {0: 0, 1: 1}
    assert codes(first) == {}
    assert codes(second) == {conflict[order[1]]: "span-taken"}
    (met,) = [refused.met for refused in second.refusals.values()]
    assert met is not None
    assert met.holder == both[order[0]].entry.reductions[conflict[order[0]]].holder
    # Replays of the files alone, before a restart and after, find the same.
    outcomes = [check_replay(one).outcomes for one in (city, city.reopen(), city.reopen())]
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_every_order_of_arrival_replays_alike(tmp_path: Path) -> None:
    """Three platforms' batches over one another, in all orders; the log's order decides alone."""
    for number, order in enumerate(itertools.permutations(range(3))):
        city = City.found(tmp_path / str(number))
        batches = [
            city.admit([city.trip("b1", NOON, NOON + 60), city.trip("b2", NOON, NOON + 60)]),
            city.admit([city.trip("b2", NOON + 59, NOON + 99), city.trip("b3", NOON, NOON + 1)]),
            city.admit([city.trip("b3", NOON, NOON + 2), city.trip("b1", NOON + 59, NOON + 61)]),
        ]
        city.sequencer.submit([batches[place] for place in order])
        city.sequencer.seal_all(city.now)
        free: set[str] = set()
        for place in order:
            # Each batch shares one bike with each of the others.
            bikes = [("b1", "b2"), ("b2", "b3"), ("b3", "b1")][place]
            expected = {at: "span-taken" for at, bike in enumerate(bikes) if bike in free}
            assert codes(city.answer(batches[place].entry.statement)) == expected
            free |= set(bikes)
        check_replay(city)


# --- caps ---


def test_one_meal_counts_in_a_slot(city: City) -> None:
    lunch, dinner = NOON, NOON + 6 * 3600
    first = city.submit([city.meal("ann", lunch), city.meal("ann", lunch + 60)])
    assert codes(first) == {1: "cap-full"}
    refused = first.refusals[1]
    assert (refused.claim, refused.day, refused.met) == (1, TODAY, None)
    second = city.submit(
        [city.meal("ann", lunch + 120), city.meal("ann", dinner), city.meal("ben", lunch)],
        "pay-app",
    )
    assert codes(second) == {0: "cap-full"}
    met = second.refusals[0].met
    assert met is not None
    assert (met.start, met.end) == (0, 1)
    assert second.platforms[met.holder] == "metro-app"
    third = city.submit([city.meal("ann", lunch + 86_400)])
    assert not third.refusals
    check_replay(city)


def test_the_same_order_is_not_a_second_meal(city: City) -> None:
    assert not city.submit([city.meal("ann", NOON, "o1")]).refusals
    answer = city.submit([city.meal("ben", NOON + 6 * 3600, "o1")], "pay-app")
    assert codes(answer) == {0: "span-taken"}


def test_a_cap_gives_the_lowest_free_seat(tmp_path: Path) -> None:
    """Three a day, and a seat that a void sets free is given again."""
    document = b"""{"format":1,"id":"e-bill","version":1,"title":{"en":"Bill","zh":"\xe8\xb4\xa6"},
    "source":{"standard":"-","table":"-","date":"2023-01-01"},"points":0,
    "tiers":["platform-record"],"duration":{"min":0,"max":0},"quantities":{},"grams":"5",
    "claims":[{"class":"order","parts":["{order.issuer}","{order.number}"]},
    {"class":"cap","parts":["e-bill","month","{subject}"],"seats":3}]}"""
    actions = [
        *founding_actions(),
        {"action": "methodology", "document": document.decode(), "from": dump_date(FIRST_DAY)},
        {"action": "scenario", "document": scenario_document("city-bill", "e-bill").decode()},
    ]
    city = City.found(tmp_path, actions=actions)

    numbers = itertools.count()

    def bill(day: int) -> bytes:
        line = city.meal("ann", NOON + day * 86_400, f"o{next(numbers)}")
        return line.replace(b'"city-plate"', b'"city-bill"')

    answer = city.submit([bill(-1), bill(0), bill(1), bill(1)])
    assert codes(answer) == {3: "cap-full"}
    assert answer.refusals[3].day == TODAY + 29
    void = city.void(answer, [1], "metro-app")
    city.post(void)
    again = city.submit([bill(0), bill(-1)], "pay-app")
    assert codes(again) == {1: "cap-full"}
    with city.store.snapshot() as snapshot:
        cap = make_line(8, ["e-bill", "month", pseudonym("traveller", "ann")], TODAY + 29)
        seats = list(snapshot.register().spans(cap))
        reductions = city.store.reductions(
            bytes.fromhex(snapshot.statement(again.index).body["root"])
        )
    assert [(span.start, span.end) for span in seats] == [(0, 1), (1, 2), (2, 3)]
    assert seats[1].holder == reductions[0].holder
    check_replay(city)


# --- sending again ---


def test_the_same_bytes_again_get_the_same_receipt(city: City) -> None:
    line = city.ride("ann", NOON)
    admitted = city.admit([line])
    for _ in range(3):  # the answer is lost before it is sealed, and again after
        city.sequencer.submit([admitted])
    city.sequencer.seal_all(city.now)
    first = city.answer(admitted.entry.statement)
    before = figures(city)
    for again in (city, city.reopen()):
        again.sequencer.submit([admit(again.state, admitted.entry.statement, [line])])
        assert again.sequencer.seal_all(again.now + 1) == []
        assert again.answer(admitted.entry.statement) == first
        assert figures(again) == before
    check_provable(city, admitted.entry.statement)
    assert check_replay(city).recorded == 1


def test_another_signature_over_the_same_content_is_the_same_statement(tmp_path: Path) -> None:
    """With a suite of random signatures, which needs no other change of any format."""
    with salted() as signer:
        actions = [
            *founding_actions(),
            enrol("tram-app", "Tram", [Role.PLATFORM], signer.public),
            {
                "action": "scenario",
                "document": scenario_document("tram", "bike-share-trip", ["tram-app"]).decode(),
            },
        ]
        city = City.found(tmp_path, actions=actions)
        line = city.trip("b1", NOON, NOON + 60).replace(b'"city-bike"', b'"tram"')
        signed = [city.unchecked([line], "tram-app", signer=signer) for _ in range(4)]
        statements = [one.entry.statement for one in signed]
        assert len({statement.data for statement in statements}) == 4
        assert len({statement.id for statement in statements}) == 1

        # Two before it is sealed: the first stands.  Two more after.
        for one in signed[:2]:
            city.sequencer.submit([admit(city.state, one.entry.statement, [line])])
        city.sequencer.seal_all(city.now)
        first = city.answer(statements[0])
        before = figures(city)
        for one in signed[2:]:
            city.sequencer.submit([admit(city.state, one.entry.statement, [line])])
            assert city.sequencer.seal_all(city.now) == []
            assert city.answer(one.entry.statement) == first
        assert figures(city) == before
        with city.store.snapshot() as snapshot:
            assert snapshot.statement(first.index).data == statements[0].data
        for statement in statements:
            check_provable(city.reopen(), statement)
        check_replay(city)


def test_a_bad_signature_does_not_displace_the_statement_that_waits(city: City) -> None:
    admitted = city.admit([city.ride("ann", NOON)])
    good = admitted.entry.statement
    bad = replace(good, data=good.data[:-64] + bytes(64), signature=bytes(64))
    assert bad.id == good.id
    city.sequencer.submit([admitted])
    city.sequencer.submit([Admitted(Entry(bad, admitted.entry.reductions), admitted.activities)])
    city.sequencer.seal_all(city.now)
    assert city.answer(good).refusals == {}


def test_what_was_refused_may_be_sent_again(city: City) -> None:
    """A statement that came too early, for a platform that is admitted later."""
    line = city.trip("b1", NOON, NOON + 60).replace(b'"city-bike"', b'"new"')
    governed = {
        "action": "scenario",
        "document": scenario_document("new", "bike-share-trip").decode(),
    }
    methodology = city.state.methodology("bike-share-trip", TODAY)
    reduction = methodology.reduce(city.activity(line), "metro-app")
    admitted = city.unchecked([line], reductions=[reduction])
    assert refusal(city, admitted) == "scenario-not-in-force"
    city.govern(governed)
    city.sequencer.submit([admitted])
    city.sequencer.seal_all(city.now)
    assert not city.answer(admitted.entry.statement).refusals


# --- who may ---


def test_a_statement_made_for_another_ledger_is_refused(city: City, tmp_path: Path) -> None:
    other = City.found(tmp_path / "other", time=NOON + 1)
    assert other.state.genesis.id != city.state.genesis.id
    line = city.ride("ann", NOON)
    admitted = other.admit([line])
    with pytest.raises(NotAllowed) as refused:
        admit(city.state, admitted.entry.statement, [line])
    assert refused.value.code == "statement-other-ledger"
    assert refusal(city, admitted) == "statement-other-ledger"


def test_an_expired_statement_is_refused_by_the_rules_clock(city: City) -> None:
    admitted = city.admit([city.ride("ann", NOON)], expires=NOON + 10)
    last = city.admit([city.ride("ben", NOON)], expires=NOON + 11)
    city.now = NOON + 10
    city.submit([city.ride("cat", NOON)])
    assert city.state.time == NOON + 10
    with pytest.raises(NotAllowed) as refused:
        admit(city.state, admitted.entry.statement, [])
    assert refused.value.code == "statement-expired"
    assert refusal(city, admitted) == "statement-expired"
    city.sequencer.submit([last])
    city.sequencer.seal_all(city.now)
    assert not city.answer(last.entry.statement).refusals


def test_who_may_not_submit(city: City) -> None:
    city.govern(enrol("late-app", "Late", [Role.PLATFORM], key("late-app").public))
    reductions = city.reduce([city.ride("ann", NOON)])

    def by(platform: str, **more: Any) -> str:
        mine = [
            Reduction.make(platform, r.scenario, r.version, r.day, r.grams, r.claims, r.digest)
            for r in reductions
        ]
        return refusal(city, city.unchecked([], platform, reductions=mine, **more))

    assert by("nobody") == "participant-unknown"
    assert by("verifier") == "role-missing"
    assert by("governor") == "role-missing"
    assert by("late-app") == "platform-not-admitted"
    assert by("metro-app", signer=key("pay-app")) == "signature-invalid"
    assert by("metro-app", signer=key("metro-app/other")) == "signature-invalid"
    assert by("pay-app", signer=key("metro-app")) == "signature-invalid"


def rotate(city: City, platform: str, name: str) -> dict[str, Any]:
    from keys.participants import key_holder

    old = city.state.participants[platform].keys[-1].public
    return {
        "action": "rotate",
        "participant": platform,
        "key": key(name).public.as_json(),
        "consumes": key_holder(old).hex(),
    }


def test_a_signature_by_a_key_not_yet_or_no_longer_valid_is_refused(city: City) -> None:
    early = city.unchecked([city.ride("ann", NOON)], signer=key("second"))
    assert refusal(city, early) == "signature-invalid"

    # The rotation and a batch under either key in one block: the index decides, not the block.
    in_time = city.unchecked([city.ride("ben", NOON)])
    proposal = city.sign(
        "proposal", "governor", {"format": 1, "actions": [rotate(city, "metro-app", "second")]}
    )
    approval = city.sign("approval", "governor", {"format": 1, "proposal": proposal.id.hex()})
    old = city.unchecked([city.ride("cat", NOON)])
    new = city.unchecked([city.ride("dan", NOON)], signer=key("second"))
    city.sequencer.submit([in_time])
    city.sequencer.post([proposal, approval])
    city.sequencer.submit([old, new])
    city.sequencer.seal_all(city.now)
    for admitted in (in_time, new):
        assert not city.answer(admitted.entry.statement).refusals
    with pytest.raises(Refusal) as refused:
        city.sequencer.answer(old.entry.statement)
    assert refused.value.code == "signature-invalid"
    # What the old key signed in time stays valid on every replay.
    check_replay(city.reopen())

    late = city.unchecked([city.ride("eve", NOON)])
    with pytest.raises(NotAllowed) as not_admitted:
        admit(city.state, late.entry.statement, [])
    assert not_admitted.value.code == "signature-invalid"
    assert refusal(city, late) == "signature-invalid"


def test_a_revoked_key_signs_no_more(city: City) -> None:
    given = rotate(city, "metro-app", "unused")
    del given["key"]
    city.govern({**given, "action": "revoke"})
    assert refusal(city, city.unchecked([city.ride("ann", NOON)])) == "signature-invalid"
    assert not city.submit([city.ride("ann", NOON)], "pay-app").refusals


# --- voids ---


def test_after_a_void_anyone_may_claim_the_stretch(city: City) -> None:
    trip, rival = (city.trip("b1", NOON, NOON + 600) for _ in range(2))
    first = city.submit([trip])
    lost = city.submit([rival], "pay-app")
    assert codes(lost) == {0: "span-taken"}
    city.post(city.void(first, [0], "metro-app"))
    with city.store.snapshot() as snapshot:
        head = snapshot.head()
        assert head is not None
        assert (head.recorded, head.refused, head.grams) == (0, 1, 0)

    # The statement that lost stays lost; a new one over the same reduction is a new try.
    (mine,) = city.reduce([rival], "pay-app")
    city.sequencer.submit([city.unchecked([rival], "pay-app")])
    assert city.sequencer.seal_all(city.now) == []
    retry = city.unchecked([rival], "pay-app", expires=city.now + 7200)
    city.sequencer.submit([retry])
    city.sequencer.seal_all(city.now)
    assert not city.answer(retry.entry.statement).refusals
    check_held_by(city, mine)

    # And the first platform meets it now.
    again = city.unchecked([trip], expires=city.now + 7200)
    city.sequencer.submit([again])
    city.sequencer.seal_all(city.now)
    answer = city.answer(again.entry.statement)
    assert codes(answer) == {0: "span-taken"}
    assert list(answer.platforms.values()) == ["pay-app"]
    assert check_replay(city.reopen()).recorded == 1


def test_a_voided_reduction_may_be_recorded_again(city: City) -> None:
    """Also in the block that voids it: what is asked about it afterwards is as of the log."""
    line = city.ride("ann", NOON)
    first = city.submit([line])
    retry = city.unchecked([line], expires=city.now + 7200)
    city.sequencer.post([city.void(first, [0], "metro-app")])
    city.sequencer.submit([retry])
    city.sequencer.seal_all(city.now)
    second = city.answer(retry.entry.statement)
    assert not second.refusals
    (reduction,) = city.reduce([line])
    with city.store.snapshot() as snapshot:
        place = snapshot.locate(reduction.holder)
    assert place is not None
    assert (place.index, place.voided) == (second.index, None)
    check_provable(city, retry.entry.statement)
    city.post(city.void(second, [0], "governor"))
    with city.store.snapshot() as snapshot:
        place = snapshot.locate(reduction.holder)
        head = snapshot.head()
    assert place is not None
    assert head is not None
    assert place.voided == head.size - 2
    assert check_replay(city).recorded == 0


@pytest.mark.parametrize("issuer", ["metro-app", "governor", "verifier"])
def test_who_may_void(issuer: str, city: City) -> None:
    answer = city.submit([city.ride("ann", NOON)])
    meal = city.submit([city.meal("ann", NOON)])
    for one in (answer, meal):
        void = city.void(one, [0], issuer)
        city.post(void)
        check_provable(city, void)
    assert not city.submit([city.ride("ann", NOON)], "pay-app").refusals
    assert not city.submit([city.meal("ann", NOON)], "pay-app").refusals
    check_replay(city)


def test_voids_that_are_refused(city: City) -> None:
    first = city.submit([city.ride("ann", NOON), city.ride("ann", NOON, "t2")])
    other = city.submit([city.ride("ben", NOON)], "pay-app")
    assert codes(first) == {1: "span-taken"}
    item = city.void(first, [0], "metro-app").body["reductions"][0]
    foreign = city.void(other, [0], "pay-app").body["reductions"][0]

    def body(*items: object, **more: object) -> dict[str, Any]:
        return {"format": 1, "reason": "test", "reductions": list(items), **more}

    def code(issuer: str, given: dict[str, Any]) -> str:
        return refusal_of_posted(city, city.sign("void", issuer, given))

    assert code("pay-app", body(item)) == "void-not-own"
    assert code("metro-app", body(foreign)) == "void-not-own"
    assert code("metro-app", body(item, foreign)) == "void-not-own"
    assert code("operator", body(item)) == "role-missing"
    refused = city.void(first, [1], "metro-app")
    assert refusal_of_posted(city, refused) == "void-not-held"
    for given in (
        body(),
        body(item, item),
        body({**item, "holder": foreign["holder"]}),
        body({**item, "position": 2}),
        body({**item, "position": -2}),
        body({**item, "index": -1}),
        body({**item, "index": 0}),
        body({**item, "index": first.index + 1}),
        body({**item, "index": 2**63 - 1}),
    ):
        assert code("metro-app", given) == "void-list"
    for given, expected in (
        (body({**item, "position": True}), "field-type"),
        (body({**item, "index": [1]}), "field-type"),
        (body({**item, "index": "1"}), "field-type"),
        (body({**item, "holder": item["holder"].upper()}), "hex-not-canonical"),
        (body({**item, "note": 1}), "field-unknown"),
        (body({"index": 1, "position": 0}), "field-missing"),
        (body("all"), "field-type"),
        (body(item, format=2), "format-unknown"),
        (body(item, reductions="all"), "field-type"),
        ({"format": 1}, "field-missing"),
        ({}, "field-missing"),
    ):
        assert code("metro-app", given) == expected
    # Twice in one block, and again in the next.
    twice = [city.void(first, [0], "metro-app"), city.void(first, [0], "governor")]
    city.post(*twice)
    assert city.answer(twice[0]).index
    with pytest.raises(Refusal) as second:
        city.sequencer.answer(twice[1])
    assert second.value.code == "void-not-held"
    assert code("verifier", body(item)) == "void-not-held"
    check_replay(city.reopen())


def test_nothing_is_voided_once_a_day_that_it_touches_is_closed(city: City) -> None:
    answer = city.submit([city.trip("b1", MIDNIGHT - 60, MIDNIGHT + 60)])
    void = city.void(answer, [0], "governor")
    replayed = replay(city.folder)
    entry = Entry(void, city.sequencer.entry(void).reductions)
    assert replayed.state is not None
    assert len(apply(replayed.state, entry, replayed).drop) == 2
    closed = replace(replayed.state, closed_until=TODAY + 1)
    with pytest.raises(Refusal) as refused:
        apply(closed, entry, replayed)
    assert refused.value.code == "void-day-closed"


# --- malformed ---

Altered = Callable[[Reduction], Reduction]


def alter(**more: Any) -> Altered:
    def altered(r: Reduction) -> Reduction:
        given = {name: getattr(r, name) for name in _PARTS}
        given.update({k: v(r) if callable(v) else v for k, v in more.items()})
        return Reduction.make(*given.values())

    return altered


_PARTS = ("platform", "scenario", "version", "day", "grams", "claims", "digest")


def claims(change: Callable[[Sequence[Claim]], Sequence[Claim]]) -> Altered:
    return alter(claims=lambda r: tuple(change(r.claims)))


def other_ticket() -> Claim:
    return Claim(make_line(4, ["city-bus", "0" * 32]), 0, FOREVER)


# Of a bus ride: the traveller's [start - 60, start + 360) and the ticket.
NOT_ALLOWED: dict[str, tuple[Altered, str]] = {
    "lacks the class of the traveller": (claims(lambda c: c[1:]), "reduction-class-missing"),
    "lacks the class of the ticket": (claims(lambda c: c[:1]), "reduction-class-missing"),
    "in the wrong order": (claims(lambda c: c[::-1]), "reduction-class-missing"),
    "an extra claim": (claims(lambda c: (*c, other_ticket())), "reduction-claim-extra"),
    "a claim twice": (claims(lambda c: (*c, c[1])), "reduction-claim-extra"),
    "grams above": (alter(grams=81), "reduction-grams"),
    "grams below": (alter(grams=79), "reduction-grams"),
    "another version": (alter(version=2), "reduction-version"),
    "another day": (alter(day=TODAY - 1), "reduction-claim"),
    "a longer span": (
        claims(lambda c: (replace(c[0], end=(c[0].end or 0) + 1), c[1])),
        "reduction-claim",
    ),
    "a shorter span": (
        claims(lambda c: (replace(c[0], start=(c[0].start or 0) + 1), c[1])),
        "reduction-claim",
    ),
    "a span beyond its day": (
        claims(lambda c: (replace(c[0], line=(TODAY - 1).to_bytes(2) + c[0].line[2:]), c[1])),
        "span-class",
    ),
    "cut, but not at midnight": (
        claims(
            lambda c: (
                replace(c[0], end=NOON),
                replace(c[0], start=NOON),
                c[1],
            )
        ),
        "reduction-claim",
    ),
    "a seat for a span": (claims(lambda c: (Claim(c[0].line), c[1])), "reduction-claim"),
    "a ticket with a day": (
        claims(lambda c: (c[0], replace(c[1], line=b"\0\1" + c[1].line[2:]))),
        "span-day",
    ),
    "half a ticket": (claims(lambda c: (c[0], replace(c[1], end=1))), "span-class"),
    "a class that there is not": (
        claims(lambda c: (c[0], replace(c[1], line=c[1].line[:2] + b"\xff" + c[1].line[3:]))),
        "reduction-class-missing",
    ),
}


@pytest.mark.parametrize("name", NOT_ALLOWED)
def test_a_reduction_that_the_methodology_cannot_give_refuses_all(name: str, city: City) -> None:
    altered, code = NOT_ALLOWED[name]
    good = city.ride("ann", NOON)
    fine, bad = city.reduce([good, city.ride("ben", NOON)])
    admitted = city.unchecked([], reductions=[fine, altered(bad)])
    assert refusal(city, admitted) == "reduction-not-allowed"
    # The rules say so of themselves, with the reason.
    replayed = replay(city.folder)
    with pytest.raises(Malformed) as refused:
        apply(replayed.state, admitted.entry, replayed)
    cause = refused.value.__cause__
    assert getattr(cause, "code", None) == code
    # Read from its file after a restart, it is refused all the same.
    again = city.unchecked([], reductions=[fine, altered(bad)], expires=NOON + 99)
    city.sequencer.submit([again])
    restarted = city.reopen()
    assert refusal_of(restarted, again.entry.statement).code == "reduction-not-allowed"
    assert not restarted.submit([good]).refusals


def test_a_cap_claim_names_no_seat_and_no_other_day(city: City) -> None:
    (meal,) = city.reduce([city.meal("ann", NOON)])
    for cap in (
        replace(meal.claims[1], start=0, end=1),
        Claim((TODAY + 1).to_bytes(2) + meal.claims[1].line[2:]),
        Claim((TODAY - 1).to_bytes(2) + meal.claims[1].line[2:]),
    ):
        bad = alter(claims=(meal.claims[0], cap))(meal)
        admitted = city.unchecked([], reductions=[bad])
        assert refusal(city, admitted) == "reduction-not-allowed"


MISSTATED: dict[str, tuple[dict[str, Any], str]] = {
    "another root": ({"root": "0" * 64}, "submission-root"),
    "another count": ({"count": 3}, "submission-count"),
    "a count of none": ({"count": 0}, "submission-count"),
    "a negative count": ({"count": -2}, "submission-count"),
    "other grams": ({"grams": 161}, "submission-grams"),
    "another scenario": ({"scenario": "city-bike"}, "submission-mixed"),
    "another format": ({"format": 2}, "format-unknown"),
    "a field more": ({"note": ""}, "field-unknown"),
    "a count as text": ({"count": "2"}, "field-type"),
    "a root in capitals": ({"root": "A" * 64}, "hex-not-canonical"),
}


@pytest.mark.parametrize("name", MISSTATED)
def test_a_submission_that_misstates_its_reductions_is_refused(name: str, city: City) -> None:
    stated, code = MISSTATED[name]
    lines = [city.ride("ann", NOON), city.ride("ben", NOON)]
    honest = city.unchecked(lines)
    body = {**honest.entry.statement.body, **stated}
    statement = city.sign("submission", "metro-app", body, subject="city-bus")
    with pytest.raises(Malformed) as refused:
        admit(city.state, statement, lines)
    assert refused.value.code == code
    admitted = Admitted(Entry(statement, honest.entry.reductions), honest.activities)
    assert refusal(city, admitted) == code
    assert not city.submit(lines).refusals


def test_the_body_of_a_submission_lacks_nothing(city: City) -> None:
    lines = [city.ride("ann", NOON)]
    body = city.unchecked(lines).entry.statement.body
    for name in body:
        statement = city.sign(
            "submission", "metro-app", {k: v for k, v in body.items() if k != name}
        )
        with pytest.raises(Malformed) as refused:
            admit(city.state, statement, lines)
        assert refused.value.code == "field-missing"


def test_a_submission_is_of_one_scenario_and_one_platform(city: City) -> None:
    bus = city.reduce([city.ride("ann", NOON)])
    bike = city.reduce([city.trip("b1", NOON, NOON + 9)])
    foreign = city.reduce([city.ride("ann", NOON)], "pay-app")
    for mixed in (bus + bike, bus + foreign, foreign):
        admitted = city.unchecked([], reductions=mixed)
        assert refusal(city, admitted) == "submission-mixed"


def test_altered_activities_are_not_what_was_signed(city: City) -> None:
    lines = [city.ride("ann", NOON)]
    statement = city.unchecked(lines).entry.statement
    altered = {
        "one byte": lines[0].replace(b'"a-1"', b'"a-9"'),
        "a space": lines[0] + b" ",
        "another time": lines[0].replace(str(NOON).encode(), str(NOON + 1).encode()),
    }
    for line in altered.values():
        with pytest.raises(Malformed) as refused:
            admit(city.state, statement, [line])
        assert refused.value.code == "submission-root"
    for given, code in (
        ([], "submission-count"),
        (lines * 2, "submission-count"),
        ([b"{}"], "activity-invalid"),
        ([lines[0].replace(b"platform-record", b"hearsay")], "activity-invalid"),
        ([lines[0].replace(b'"city-bus"', b'"city-tram"')], "activity-invalid"),
    ):
        with pytest.raises(Malformed) as refused:
            admit(city.state, statement, given)
        assert refused.value.code == code
    assert admit(city.state, statement, lines).entry.statement is statement


def test_a_batch_holds_something(city: City) -> None:
    with pytest.raises(Malformed) as refused:
        sign_submission(
            key("metro-app"),
            platform="metro-app",
            ledger=city.state.genesis.id,
            expires=NOON + 9,
            reductions=[],
        )
    assert refused.value.code == "submission-count"
    statement = city.sign("void", "metro-app", {})
    with pytest.raises(Malformed) as wrong:
        admit(city.state, statement, [])
    assert wrong.value.code == "kind-unknown"


def test_kinds_that_there_are_not(city: City) -> None:
    assert refusal_of_posted(city, city.sign("decree", "governor", {})) == "kind-unknown"
    second = genesis(time=NOON + 1)
    assert refusal_of_posted(city, second) == "kind-unknown"
    for kind in ("submission", "seal"):
        with pytest.raises(Malformed) as refused:
            city.sequencer.post([city.sign(kind, "operator", {})])
        assert refused.value.code == "kind-unknown"


def test_the_rules_alone_refuse_what_is_in_the_log_already(city: City) -> None:
    admitted = city.admit([city.ride("ann", NOON)])
    city.sequencer.submit([admitted])
    city.sequencer.seal_all(city.now)
    replayed: Replayed = replay(city.folder)
    with pytest.raises(Refusal) as refused:
        apply(replayed.state, admitted.entry, replayed)
    assert refused.value.code == "statement-known"


def test_a_ledger_begins_with_a_genesis() -> None:
    statement = sign_statement(
        key("operator"),
        kind="seal",
        issuer="operator",
        subject=ORIGIN,
        audience=bytes(32),
        expires=NOON,
        payload={},
    )
    with pytest.raises(Refusal) as refused:
        apply(None, Entry(statement), Replayed())
    assert refused.value.code == "genesis-first"


def test_a_refusal_names_the_platform_whatever_day_its_reduction_is_of(city: City) -> None:
    """A ticket is looked for on the day of who comes second, and then on the others."""
    city.submit([city.ride("ann", NOON - 86_400, ticket="one")])
    again = city.submit([city.ride("ben", NOON, ticket="one")], "pay-app")
    met = again.refusals[0].met
    assert met is not None
    assert again.platforms == {met.holder: "metro-app"}
    with city.store.snapshot() as snapshot:
        assert snapshot.locate(met.holder) == snapshot.holding([met])[met.holder]
        assert snapshot.places([met.holder], [TODAY - 1]) == snapshot.holding([met])
        assert snapshot.places([met.holder], [TODAY]) == {}
