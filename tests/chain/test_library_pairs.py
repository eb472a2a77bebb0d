"""Which of the library's methodologies exclude each other, and which do not; caps; whole days.

All through the real rules: two platforms submit, one block is sealed.
"""

import itertools
from pathlib import Path
from typing import Any

import pytest
from support.activities import MIDNIGHT, examples, number
from support.city import PLATFORMS, City, pseudonym
from support.replay import check_replay
from support.town import found_town

from chain.effects import Refused
from chain.genesis import library
from chain.spans import make_line
from keys.strict import dump_json, parse_date, parse_json

HOUR, DAY = 3_600, 86_400
TEN = MIDNIGHT + 10 * HOUR
Made = dict[str, Any]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> City:
    """One ledger for all pairs; each has a person of its own."""
    return found_town(tmp_path_factory.mktemp("town"))


def at(name: str, start: int = TEN, seconds: int | None = None, **more: Any) -> Made:
    """A change to an example: when it begins, how long it takes, what else it gives."""
    return {"scenario": name, "start": start, "seconds": seconds, **more}


def activity(who: str, change: Made) -> Made:
    """The example as changed, of one person; None takes a field away."""
    example = examples(who)[change["scenario"]]
    given = dict(change)
    seconds = given.pop("seconds")
    length = example["end"] - example["start"] if seconds is None else seconds
    made = {**example, **given, "end": given["start"] + length}
    return {field: value for field, value in made.items() if value is not None}


def submit(city: City, *activities: Made) -> list[tuple[str, str] | None]:
    """Submit each by the next platform in turn; for each None, or why it was refused and where."""
    platforms = itertools.cycle(PLATFORMS)
    sent = [city.admit([dump_json(of)], next(platforms)) for of in activities]
    city.sequencer.submit(sent)
    city.sequencer.seal_all(city.now)
    outcomes: list[tuple[str, str] | None] = []
    for one in sent:
        why = city.answer(one.entry.statement).refusals.get(0)
        outcomes.append(why and (why.code, class_of(city, one.entry.reductions[0].claims, why)))
    return outcomes


def class_of(city: City, claims: Any, why: Refused) -> str:
    return str(city.state.classes.by_number[claims[why.claim].line[2]].name)


# --- pairs ---

DAY_OFF = at("car-free-day", MIDNIGHT)
BUS = at("bus-ride-by-code")
SAME_PARCEL = {"parcel": number("parcel", "post", "the same")}
SAME_ORDER = {"order": number("order", "canteen", "the same")}
SAME_TICKET = {"ticket": number("ticket", "metro", "the same")}

EXCLUDE: list[tuple[str, Made, Made, str]] = [
    ("a metro ride in a car-free day", at("metro-ride"), DAY_OFF, "traveller"),
    ("a metro entry in a car-free day", at("metro-entry"), DAY_OFF, "traveller"),
    ("a metro ride in Wuhan in one", at("metro-wuhan"), DAY_OFF, "traveller"),
    ("a metro ride in Guangzhou in one", at("metro-guangzhou"), DAY_OFF, "traveller"),
    ("a bus ride in one", BUS, DAY_OFF, "traveller"),
    ("a bus ride in Wuhan in one", at("bus-wuhan"), DAY_OFF, "traveller"),
    ("kilometres by rail in one", at("passenger-km-defra-2007"), DAY_OFF, "traveller"),
    ("kilometres by metro in one", at("passenger-km-by-city"), DAY_OFF, "traveller"),
    ("a bike ride in one", at("bike-share-trip"), DAY_OFF, "traveller"),
    ("a bus ride at its last second", at("bus-ride-by-code", MIDNIGHT + DAY - 1), DAY_OFF,
     "traveller"),
    ("driving in one", at("ev-driving"), DAY_OFF, "vehicle"),
    ("another driving the car in one", at("ev-driving", subject=None), DAY_OFF, "vehicle"),
    ("charging in one", at("ev-charging"), DAY_OFF, "vehicle"),
    ("charging through midnight into one", at("ev-charging", MIDNIGHT - HOUR, 2 * HOUR), DAY_OFF,
     "vehicle"),
    ("a toll in one", at("etc-payment"), DAY_OFF, "vehicle"),
    ("a car-free day that begins in one", at("car-free-day", TEN), DAY_OFF, "vehicle"),
    ("two cars of one owner", at("car-free-day", MIDNIGHT, vehicle=pseudonym("vehicle", "other")),
     DAY_OFF, "traveller"),
    ("charging while driving", at("ev-charging"), at("ev-driving", TEN + 60), "vehicle"),
    ("a toll while driving electric", at("etc-payment", TEN + 60), at("ev-driving"), "vehicle"),
    ("two cars at one charger", at("ev-charging"),
     at("ev-charging", TEN + 60, vehicle=pseudonym("vehicle", "another")), "meter"),
    ("a metro ride and its entry", at("metro-ride"), at("metro-entry", TEN), "traveller"),
    ("by a clock six minutes ahead", at("metro-ride"), at("metro-entry", TEN - 419), "traveller"),
    ("by a clock two minutes behind", at("metro-ride", seconds=600),
     at("metro-entry", TEN + 719), "traveller"),
    ("a metro ride twice", at("metro-ride"), at("metro-ride", TEN + 40), "traveller"),
    ("under another city's factor", at("metro-ride"), at("metro-guangzhou", TEN - 30), "traveller"),
    ("and with a screenshot", at("metro-ride"), at("metro-wuhan", TEN + 60), "traveller"),
    ("an entry under two cards", at("metro-entry", **SAME_TICKET),
     at("metro-entry", TEN + HOUR, subject=pseudonym("traveller", "a second card"), **SAME_TICKET),
     "ticket"),
    ("a bus ride by code and by screenshot", BUS, at("bus-wuhan", TEN + 300), "traveller"),
    ("a bus ride by code and by its kilometres", BUS, at("passenger-km-defra-2007", TEN + 60),
     "traveller"),
    ("kilometres under two factors", at("passenger-km-by-city"), at("passenger-km-defra-2007"),
     "traveller"),
    ("a bus ride while cycling", BUS, at("bike-share-trip", TEN - 300), "traveller"),
    ("a bus ride while driving", BUS, at("ev-driving", TEN - 300), "traveller"),
    ("a parcel as clothes and as carton", at("old-clothes", **SAME_PARCEL),
     at("carton-returned", TEN + DAY // 4, **SAME_PARCEL), "parcel"),
    ("clothes under two factors", at("old-clothes", **SAME_PARCEL),
     at("old-clothes-bir", **SAME_PARCEL), "parcel"),
    ("an order without cutlery and a clean plate", at("no-cutlery", **SAME_ORDER),
     at("clean-plate", **SAME_ORDER), "order"),
    ("a step counter that two people carry", at("walking", MIDNIGHT),
     at("walking", MIDNIGHT, subject=pseudonym("traveller", "a friend")), "meter"),
    ("a bill paid in two months", at("utility-e-bill"), at("utility-e-bill", TEN - 5 * DAY),
     "bill"),
]  # fmt: skip

TOGETHER: list[tuple[str, Made, Made]] = [
    ("a bus, then the metro seven minutes later", BUS, at("metro-ride", TEN + 420)),
    ("a bus, then a metro entry seven minutes later", BUS, at("metro-entry", TEN + 420)),
    ("the metro, then a bus two minutes later", at("metro-ride", seconds=600),
     at("bus-ride-by-code", TEN + 720)),
    ("the metro, then the metro two minutes later", at("metro-ride", seconds=600),
     at("metro-ride", TEN + 720)),
    ("a metro entry, then a bus seven minutes later", at("metro-entry"),
     at("bus-ride-by-code", TEN + 420)),
    ("two buses seven minutes apart", BUS,
     at("bus-ride-by-code", TEN + 420, ticket=number("ticket", "city-bus", "another"))),
    ("driving, then charging at once", at("ev-driving"), at("ev-charging", TEN + 1_800)),
    ("a car-free day, then driving at midnight", DAY_OFF, at("ev-driving", MIDNIGHT + DAY)),
    ("another person's metro ride", DAY_OFF,
     at("metro-ride", subject=pseudonym("traveller", "a neighbour"))),
    ("charging the other car", DAY_OFF,
     at("ev-charging", vehicle=pseudonym("vehicle", "the other car"))),
    ("two parcels", at("old-clothes", **SAME_PARCEL), at("carton-returned")),
    ("the bills of two months", at("utility-e-bill"),
     at("utility-e-bill", bill={**examples()["utility-e-bill"]["bill"], "month": "2026-01"})),
    ("a payment on the bus", BUS, at("e-payment")),
    ("a payment in the metro", at("metro-ride"), at("e-payment", TEN + 60)),
    ("a train ticket bought in a car-free day", DAY_OFF, at("train-e-ticket")),
    ("a cinema ticket and a train ticket", at("cinema-e-ticket"), at("train-e-ticket")),
    *((f"walking and {name}", at("walking", MIDNIGHT), at(name, examples()[name]["start"]))
      for name in examples() if name != "walking"),
]  # fmt: skip

NAMES = itertools.count()
CASES = [(label, one, two, where) for label, one, two, where in EXCLUDE]
CASES += [(label, one, two, "") for label, one, two in TOGETHER]


@pytest.mark.parametrize("is_reversed", [False, True], ids=["first", "second"])
@pytest.mark.parametrize(("one", "two", "where"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_two_activities_exclude_each_other_or_do_not(
    town: City, one: Made, two: Made, where: str, is_reversed: bool
) -> None:
    """In both orders: the first is recorded, the second only where it claims another stretch."""
    # What a case has in common is its own, or another case would have taken it.
    who = f"pair {next(NAMES)}"
    pair = [own(activity(who, change), who) for change in (one, two)]
    first, second = submit(town, *(reversed(pair) if is_reversed else pair))
    assert first is None
    assert second == (("span-taken", where) if where else None)


def own(made: Made, who: str) -> Made:
    """The same with each identifier made this person's own, the equal ones still equal."""
    mapped = dict(made)
    for field in ("subject", "vehicle", "meter"):
        if field in mapped:
            mapped[field] = pseudonym("traveller", f"{who} {mapped[field]}")
    for field in ("ticket", "order", "parcel"):
        if field in mapped:
            name = pseudonym(field, f"{who} {mapped[field]['number']}")
            mapped[field] = {**mapped[field], "number": name}
    if "bill" in mapped:
        account = pseudonym("bill", who)
        mapped["bill"] = {**mapped["bill"], "account": account}
    return mapped


def test_every_methodology_stands_in_a_pair() -> None:
    named = {change["scenario"] for _, one, two, _ in CASES for change in (one, two)}
    assert named == library().keys()


def test_a_day_of_all_examples_replays_alike(tmp_path: Path) -> None:
    """One person does everything on one day; the car-free day comes last and is in the way."""
    city = found_town(tmp_path)
    everything = sorted(examples().values(), key=lambda of: str(of["scenario"]) == "car-free-day")
    *others, last = submit(city, *everything)
    assert others == [None] * (len(library()) - 1)
    assert last == ("span-taken", "vehicle")
    check_replay(city)


# --- caps ---


@pytest.mark.parametrize(
    ("name", "seats", "last"),
    [
        ("e-payment", 10, "2026-03-02"),
        ("no-cutlery", 5, "2026-03-02"),
        ("carton-returned", 10, "2026-03-02"),
        ("metro-entry", 10, "2026-03-02"),
        ("bus-wuhan", 10, "2026-03-02"),
        ("etc-payment", 20, "2026-03-02"),
        ("utility-e-bill", 10, "2026-03-31"),
        ("cinema-e-ticket", 10, "2026-03-31"),
        ("train-e-ticket", 10, "2026-03-31"),
        ("clinic-booking", 5, "2026-03-31"),
        ("old-clothes", 10, "2026-03-31"),
    ],
)
def test_a_cap_is_shared_by_all_platforms(town: City, name: str, seats: int, last: str) -> None:
    """Seats in the order of arrival; one more is refused, and told until when."""
    who = f"cap {name}"
    made = [several(activity(who, at(name, MIDNIGHT + n * 1_000)), n) for n in range(seats + 1)]
    outcomes = submit(town, *made)
    assert outcomes == [None] * seats + [("cap-full", "cap")]
    day = parse_date(last)
    cap = next(part for part in parts_of(name) if part[0] == "cap")
    subject = pseudonym("traveller", f"person {who}")
    line = make_line(8, [cap[1], cap[2], subject], day)
    with town.store.snapshot() as snapshot:
        spans = list(snapshot.register().spans(line))
        holders = [snapshot.locate(span.holder) for span in spans]
        issuers = [snapshot.statement(place.index).issuer for place in holders if place]
    assert [(span.start, span.end) for span in spans] == [(n, n + 1) for n in range(seats)]
    assert issuers == [PLATFORMS[n % 2] for n in range(seats)]
    # In the next period there are seats again.
    later = activity(who, at(name, MIDNIGHT + DAY if last == "2026-03-02" else MIDNIGHT - 2 * DAY))
    assert submit(town, several(later, seats + 1)) == [None]


def parts_of(name: str) -> list[tuple[str, ...]]:
    """The class and the parts of each claim of a methodology's document."""
    return [(claim["class"], *claim["parts"]) for claim in parse_json(library()[name])["claims"]]


def several(made: Made, n: int) -> Made:
    """Another one of the same kind and person: its number, or its account, is new."""
    made = {**made, "id": f"several-{n}"}
    for field in ("ticket", "order", "parcel"):
        if field in made:
            name = pseudonym(field, f"{made[field]['number']} {n}")
            made[field] = {**made[field], "number": name}
    if "bill" in made:
        account = pseudonym("bill", f"{made['bill']['account']} {n}")
        made["bill"] = {**made["bill"], "account": account}
    return made


def test_two_step_counters_of_one_person_count_once(town: City) -> None:
    made = activity("two counters", at("walking", MIDNIGHT))
    other = {**made, "meter": pseudonym("meter", "a watch")}
    assert submit(town, made, other) == [None, ("cap-full", "cap")]
