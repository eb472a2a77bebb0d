"""Epochs of pseudonyms: which key holds when, and what its change must not let through."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.city import OFFSET, City, founding_actions, genesis
from support.oprf import BASE, encode, times
from support.replay import Replayed, check_replay

from chain.effects import Entry
from chain.genesis import library
from chain.proofs import check_held
from chain.rules import apply
from chain.spans import FOREVER, make_holder
from chain.state import State, epoch_holder, rules_holder
from keys.errors import Refusal
from keys.oprf import ObliviousPseudonyms, PrivateKey
from keys.pseudonyms import Epoch, KeyedHash
from keys.strict import dump_date, dump_json, parse_date, parse_json

Action = dict[str, Any]
FIRST, SECOND = PrivateKey(b"1" * 32), PrivateKey(b"2" * 32)
ELEMENTS = [encode(times(number, BASE)).hex() for number in range(1, 6)]
OPENS = parse_date("2026-12-01")
NEW_YEAR = parse_date("2027-01-01")
MIDNIGHT = NEW_YEAR * 86_400 - OFFSET
EVE = MIDNIGHT - 12 * 3600


def publishing(day: str, key: str, consumes: str | None = None) -> Action:
    action = {"action": "pseudonym-key", "from": day, "key": key}
    return action if consumes is None else {**action, "consumes": consumes}


def opening(*keys: tuple[str, str]) -> list[Action]:
    """The founding actions, with these keys, each from a day on."""
    made, before = founding_actions(), None
    for day, key in keys:
        made.append(publishing(day, key, before))
        before = holder(key)
    return made


def holder(key: str) -> str:
    return make_holder("pseudonyms", bytes.fromhex(key)).hex()


def found(folder: Path, *keys: tuple[str, str], **more: Any) -> City:
    return City.found(
        folder, first_day=more.pop("first_day", OPENS), time=more.pop("time", EVE),
        actions=opening(*keys), **more)  # fmt: skip


def two_epochs(folder: Path, **more: Any) -> City:
    first, second = FIRST.public.hex(), SECOND.public.hex()
    return found(folder, ("2026-12-01", first), ("2027-01-01", second), **more)


def refusal_of(city: City, *actions: Action) -> str | None:
    before = city.state.epochs
    try:
        city.govern(*actions)
    except Refusal as refusal:
        assert city.state.epochs == before
        return refusal.code
    return None


def outcomes(city: City, lines: Sequence[bytes], platform: str = "metro-app") -> list[str | None]:
    """The code of each refusal, None where it is recorded."""
    refusals = city.submit(lines, platform).refusals
    return [refusals[p].code if p in refusals else None for p in range(len(lines))]


# --- publishing ---


def test_a_genesis_opens_with_a_key_from_any_day_up_to_the_first(tmp_path: Path) -> None:
    for place, day in enumerate(("2026-12-01", "2026-11-30", "1970-01-01")):
        city = found(tmp_path / str(place), (day, ELEMENTS[0]))
        assert city.state.epochs == (Epoch(parse_date(day), bytes.fromhex(ELEMENTS[0])),)
        check_replay(city.reopen())


@pytest.mark.parametrize(
    ("expected", "keys"),
    [
        (None, [("2026-12-01", 0), ("2027-01-01", 1), ("2030-01-01", 2)]),
        (None, [("2026-01-01", 0), ("2027-01-01", 1)]),
        # Before a key of the new year there is none: what the platforms agreed upon holds.
        (None, [("2027-01-01", 0)]),
        ("epoch-not-new-year", [("2026-12-02", 0)]),
        ("epoch-not-new-year", [("2026-12-01", 0), ("2027-02-01", 1)]),
        ("epoch-not-new-year", [("2026-11-01", 0), ("2026-12-01", 1)]),
        ("epoch-retroactive", [("2027-01-01", 0), ("2026-01-01", 1)]),
        ("epoch-key-known", [("2026-12-01", 0), ("2027-01-01", 0)]),
        ("date-invalid", [("2026-13-01", 0)]),
    ],
)
def test_what_a_genesis_may_open_with(expected: str | None, keys: list[tuple[str, int]]) -> None:
    actions = opening(*((day, ELEMENTS[place]) for day, place in keys))
    try:
        state = apply(None, Entry(genesis(OPENS, EVE, actions=actions)), Replayed()).state
    except Refusal as refusal:
        assert refusal.code == expected
    else:
        assert expected is None
        assert [dump_date(epoch.start) for epoch in state.epochs] == [day for day, _ in keys]


def test_a_key_is_published_before_its_epoch_begins(tmp_path: Path) -> None:
    city = found(tmp_path, ("2026-12-01", ELEMENTS[0]), time=EVE - 2 * 86_400)
    city.govern(publishing("2027-01-01", ELEMENTS[1], holder(ELEMENTS[0])))
    city = city.reopen()
    assert [epoch.start for epoch in city.state.epochs] == [OPENS, NEW_YEAR]
    line = city.state.classes.line("pseudonyms", [])
    with city.store.snapshot() as snapshot:
        register, head = snapshot.register(), snapshot.head()
        assert head is not None
        for start, end, epoch in zip(
            (OPENS, NEW_YEAR), (NEW_YEAR, FOREVER), city.state.epochs, strict=True
        ):
            proof = register.held(line, start)
            assert proof.span == (line, start, end, epoch_holder(epoch))
            check_held(head.register_root, proof, city.state.classes.allows)
    check_replay(city)


@pytest.mark.parametrize(
    ("day", "retroactive"),
    [("2026-12-29", False), ("2026-12-30", False), ("2026-12-31", True), ("2027-01-02", True)],
)
def test_no_key_changes_a_day_on_which_something_can_be_recorded(
    tmp_path: Path, day: str, retroactive: bool
) -> None:
    """On 31 December a ride of the next day can be recorded already."""
    city = found(tmp_path, ("2026-12-01", ELEMENTS[0]), time=parse_date(day) * 86_400 - OFFSET)
    later = publishing("2027-01-01", ELEMENTS[1], holder(ELEMENTS[0]))
    assert refusal_of(city, later) == ("epoch-retroactive" if retroactive else None)


def test_keys_that_are_not_published(tmp_path: Path) -> None:
    city = found(tmp_path, ("2026-12-01", ELEMENTS[0]))
    first = holder(ELEMENTS[0])
    for expected, action in (
        ("epoch-not-new-year", publishing("2028-01-02", ELEMENTS[1], first)),
        ("epoch-not-new-year", publishing("2028-07-01", ELEMENTS[1], first)),
        ("epoch-retroactive", publishing("2026-01-01", ELEMENTS[1], first)),
        ("epoch-key-known", publishing("2028-01-01", ELEMENTS[0], first)),
        ("consumes-differs", publishing("2028-01-01", ELEMENTS[1])),
        ("consumes-differs", publishing("2028-01-01", ELEMENTS[1], holder(ELEMENTS[1]))),
        ("key-invalid", publishing("2028-01-01", "00" * 32, first)),
        ("key-invalid", publishing("2028-01-01", "ff" * 32, first)),
        ("hex-not-canonical", publishing("2028-01-01", ELEMENTS[1].upper(), first)),
        ("hex-not-canonical", publishing("2028-01-01", ELEMENTS[1][:-2], first)),
        ("date-invalid", publishing("2028-1-1", ELEMENTS[1], first)),
    ):
        assert refusal_of(city, action) == expected, action
    check_replay(city)


def test_until_it_can_have_begun_another_key_takes_its_place(tmp_path: Path) -> None:
    city = found(tmp_path, ("2026-12-01", ELEMENTS[0]))
    city.govern(publishing("2028-01-01", ELEMENTS[1], holder(ELEMENTS[0])))
    lost = publishing("2028-01-01", ELEMENTS[2], holder(ELEMENTS[1]))
    early = publishing("2027-01-01", ELEMENTS[2], holder(ELEMENTS[1]))
    assert refusal_of(city, early) == "epoch-retroactive"
    city.govern(lost)
    expected = [(OPENS, ELEMENTS[0]), (parse_date("2028-01-01"), ELEMENTS[2])]
    assert [(e.start, e.public.hex()) for e in city.state.epochs] == expected
    line = city.state.classes.line("pseudonyms", [])
    with city.store.snapshot() as snapshot:
        spans = snapshot.register().overlapping([(line, 0, FOREVER)])[0][::-1]
    assert [(s.start, s.holder.hex()) for s in spans] == [(d, holder(k)) for d, k in expected]
    check_replay(city.reopen())
    city.now = parse_date("2027-12-31") * 86_400
    city.post(city.sign("proposal", "governor", {"format": 1, "actions": [lost]}))
    again = publishing("2028-01-01", ELEMENTS[3], holder(ELEMENTS[2]))
    assert refusal_of(city, again) == "epoch-retroactive"


@pytest.mark.parametrize("rules", [1, 2])
def test_earlier_rules_know_no_epochs(tmp_path: Path, rules: int) -> None:
    with pytest.raises(Refusal) as refusal:
        apply(None, Entry(genesis(actions=opening(("2026-01-01", ELEMENTS[0])), rules=rules)),
              Replayed())  # fmt: skip
    assert refusal.value.code == "action-unknown"
    city = City.found(tmp_path, rules=rules)
    action = publishing("2027-01-01", ELEMENTS[0])
    proposal = city.sign("proposal", "governor", {"format": 1, "actions": [action]})
    city.post(proposal)
    with pytest.raises(Refusal) as refusal:
        city.answer(proposal)
    assert refusal.value.code == "action-unknown"
    city.govern({"action": "rules", "version": 3, "consumes": rules_holder(rules).hex()})
    city.govern(action)
    assert len(city.state.epochs) == 1
    check_replay(city)


def test_a_ledger_whose_registry_lacks_the_class_adds_it_first(tmp_path: Path) -> None:
    document = parse_json(genesis().body["classes"].encode())
    whole = dump_json(document)
    document["classes"] = document["classes"][:21]
    old = dump_json(document)
    city = City.found(tmp_path, classes=old)
    action = publishing("2027-01-01", ELEMENTS[0])
    assert refusal_of(city, action) == "class-unknown"
    adding = {"action": "classes", "document": whole.decode(),
              "consumes": make_holder("classes", old).hex()}  # fmt: skip
    city.govern(adding, action)
    assert len(city.state.epochs) == 1
    check_replay(city)


def _undated(field: str) -> bytes:
    bus = parse_json(library()["bus-ride-by-code"])
    bus["claims"][1] = {"class": "ticket", "parts": ["city-bus", field]}
    return dump_json({**bus, "version": 2})


@pytest.mark.parametrize("field", ["{subject}", "{vehicle}", "{meter}"])
@pytest.mark.parametrize("rules", [2, 3])
def test_no_undated_line_is_named_by_what_changes_with_the_epoch(
    tmp_path: Path, field: str, rules: int
) -> None:
    city = City.found(tmp_path, rules=rules)
    [old] = city.state.methodologies["bus-ride-by-code"]
    action = {"action": "methodology", "document": _undated(field).decode(), "from": "2026-06-01",
              "consumes": old.document.holder.hex()}  # fmt: skip
    assert refusal_of(city, action) == (None if rules == 2 else "methodology-undated")


# --- which key ---


def test_dated_classes_go_by_the_day_and_others_by_the_first_day(tmp_path: Path) -> None:
    state: State = two_epochs(tmp_path).state
    first, second = state.epochs
    assert (first.public, second.public) == (FIRST.public, SECOND.public)
    for name in ("traveller", "vehicle", "meter", "cap"):
        for day, expected in (
            (OPENS - 1, None),
            (OPENS, first),
            (NEW_YEAR - 1, first),
            (NEW_YEAR, second),
            (NEW_YEAR + 5_000, second),
        ):
            assert state.epoch_of(name, day) == expected
    for name in ("ticket", "order", "parcel", "bill"):
        for day in (0, OPENS, NEW_YEAR - 1, NEW_YEAR, NEW_YEAR + 5_000):
            assert state.epoch_of(name, day) == first


def test_what_began_without_a_key_keeps_its_undated_lines(tmp_path: Path) -> None:
    state = found(tmp_path, ("2027-01-01", ELEMENTS[0])).state
    for day in (OPENS, NEW_YEAR - 1, NEW_YEAR, NEW_YEAR + 5_000):
        assert state.epoch_of("ticket", day) is None
    assert state.epoch_of("traveller", NEW_YEAR - 1) is None
    assert state.epoch_of("traveller", NEW_YEAR) == state.epochs[0]
    none = found(tmp_path / "none").state
    assert none.epoch_of("traveller", NEW_YEAR) is none.epoch_of("ticket", NEW_YEAR) is None


# --- the border ---


def test_what_reaches_over_the_border_is_refused_alone(tmp_path: Path) -> None:
    city = two_epochs(tmp_path)
    made = outcomes(
        city,
        [
            # A ride claims from 60 seconds before it to 360 after.
            city.ride("ann", MIDNIGHT - 360),
            city.ride("ben", MIDNIGHT - 359),
            city.ride("cai", MIDNIGHT - 1),
            city.ride("dan", MIDNIGHT),
            city.ride("eve", MIDNIGHT + 59),
            city.ride("fay", MIDNIGHT + 60),
        ],
    )
    assert made == [None, *["epoch-border"] * 4, None]
    refusals = city.submit([city.ride("gil", MIDNIGHT), city.ride("hal", MIDNIGHT - 1)]).refusals
    assert [(refusals[p].day, refusals[p].claim) for p in (0, 1)] == [
        (NEW_YEAR - 1, 0),
        (NEW_YEAR, 1),
    ]
    check_replay(city.reopen())


def test_a_refused_reduction_takes_nothing(tmp_path: Path) -> None:
    city = two_epochs(tmp_path)
    assert outcomes(city, [city.ride("ann", MIDNIGHT, "one")]) == ["epoch-border"]
    assert outcomes(city, [city.ride("ann", MIDNIGHT + 60, "one")]) == [None]


def test_a_new_year_under_the_same_key_is_no_border(tmp_path: Path) -> None:
    for place, keys in enumerate(([], [("2026-12-01", ELEMENTS[0])])):
        city = found(tmp_path / str(place), *keys)
        assert outcomes(city, [city.ride("ann", MIDNIGHT)]) == [None]


def test_where_the_first_key_begins_is_a_border_too(tmp_path: Path) -> None:
    city = found(tmp_path, ("2027-01-01", ELEMENTS[0]))
    lines = [city.ride("ann", MIDNIGHT), city.ride("ben", MIDNIGHT + 60)]
    assert outcomes(city, lines) == ["epoch-border", None]


SEEN = st.lists(
    st.tuples(st.integers(-7_200, 7_200), st.integers(60, 7_200), st.sampled_from(["b1", "b2"])),
    min_size=1,
    max_size=6,
)


@settings(max_examples=20)
@given(SEEN)
def test_one_bikes_time_is_never_counted_twice_around_the_border(
    tmp_path_factory: pytest.TempPathFactory, trips: list[tuple[int, int, str]]
) -> None:
    """Whatever two platforms report: nobody's seconds are in two recorded trips."""
    city = two_epochs(tmp_path_factory.mktemp("city"))
    names = pseudonyms(city)
    counted: list[tuple[str, int, int]] = []
    for place, (start, seconds, bike) in enumerate(trips):
        first, last = MIDNIGHT + start, MIDNIGHT + start + seconds
        day = city.state.calendar.day(first)
        [name] = names.pseudonyms("vehicle", day, [bike])
        line = parse_json(city.trip(bike, first, last))
        platform = ("metro-app", "pay-app")[place % 2]
        [made] = outcomes(city, [dump_json({**line, "vehicle": name})], platform)
        if made is None:
            assert all(bike != b or last <= s or e <= first for b, s, e in counted)
            counted.append((bike, first, last))
        else:
            assert made in ("span-taken", "epoch-border")


# --- with pseudonyms of the oblivious function ---


def pseudonyms(city: City, **more: Any) -> ObliviousPseudonyms:
    keys = {key.public: key for key in (FIRST, SECOND)}

    def evaluate(epoch: Epoch, blinded: Sequence[bytes]) -> tuple[Sequence[bytes], bytes]:
        return keys[epoch.public].evaluate(blinded)

    return ObliviousPseudonyms(city.state.epoch_of, evaluate, **more)


def ride(city: City, person: str, start: int, ticket: str) -> bytes:
    names = pseudonyms(city)
    day = city.state.calendar.day(start)
    line = parse_json(city.ride(person, start))
    line["subject"] = names.pseudonyms("traveller", day, [person])[0]
    line["ticket"]["number"] = names.pseudonyms("ticket", day, [ticket])[0]
    return dump_json(line)


def test_one_ride_on_two_platforms_meets_itself(tmp_path: Path) -> None:
    city = two_epochs(tmp_path)
    assert outcomes(city, [ride(city, "ann", EVE, "one")]) == [None]
    again = outcomes(city, [ride(city, "ann", EVE + 30, "two")], "pay-app")
    assert again == ["span-taken"]


def test_one_ticket_in_two_epochs_meets_itself(tmp_path: Path) -> None:
    city = two_epochs(tmp_path)
    assert outcomes(city, [ride(city, "ann", EVE, "one")]) == [None]
    assert outcomes(city, [ride(city, "ben", MIDNIGHT + 3_600, "one")]) == ["span-taken"]


def test_a_person_is_not_known_again_in_the_next_epoch(tmp_path: Path) -> None:
    names = pseudonyms(two_epochs(tmp_path))
    old, new = (names.pseudonyms("traveller", day, ["ann"]) for day in (NEW_YEAR - 1, NEW_YEAR))
    assert old != new


def test_a_ledger_without_epochs_goes_on_as_it_did(tmp_path: Path) -> None:
    city = found(tmp_path)
    before = KeyedHash(bytes(16))
    names = pseudonyms(city, before=before)
    for of in ("traveller", "ticket"):
        expected = before.pseudonyms(of, NEW_YEAR, ["a"])
        assert names.pseudonyms(of, NEW_YEAR, ["a"]) == expected
