"""A synthetic city: activities that a seed determines, for demonstrations, tests and benchmarks.

Nothing here happened.  Every activity says so: its attribute ``data`` is "synthetic".  The same
arguments give the same bytes.

`city_day` is a day of bus rides by code, bike trips and clean plates, as two or more platforms
report them; the second reports a share of the first one's rides as well, by clocks that differ by
up to 25 seconds, under names of its own.  But for those, no two activities claim the same.
`rides` is the same kind of thing for benchmarks: bus rides with two claims each, none of which
meets another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from chain.calendar import DAY_SECONDS, Calendar
from keys.errors import Usage
from keys.pseudonyms import Pseudonymiser

BUS, BIKE, PLATE = "city-bus", "city-bike", "city-plate"
"""The scenarios of the synthetic city."""
BUS_COMPANY, CANTEEN = "city-bus", "canteen"
"""The issuers of its tickets and of its orders."""
CLOCK_SECONDS_MAX = 25
PLATFORM_SHARES = (60, 40)
SHARED_PERCENT = 10
_MORNING, _LUNCH, _EVENING = (6 * 3600, 10 * 3600), (11 * 3600, 14 * 3600), (16 * 3600, 21 * 3600)
_TRIP_SECONDS = (300, 2_400)
_OFFSET = 8 * 3600
_ZEROS = "0" * 64


@dataclass(frozen=True)
class Day:
    """A synthetic day: each platform's lines, and how many of them others report as well."""

    lines: dict[str, list[bytes]]
    shared: int


@dataclass(frozen=True, slots=True)
class _Event:
    scenario: str
    start: int
    end: int
    person: str
    thing: str
    """The ticket, the bike or the order."""


def city_day(
    seed: int,
    count: int,
    day: int,
    calendar: Calendar,
    pseudonymiser: Pseudonymiser,
    platforms: Sequence[str] = ("metro-app", "pay-app"),
) -> Day:
    """``count`` activities of one day, and those that the second platform reports as well.

    day: a day number of ``calendar``.  Raises `Usage` unless there are two platforms.
    """
    if len(platforms) != 2:
        raise Usage("synthetic-platforms")
    random = Random(f"tally/synthetic/{seed}/{day}")  # noqa: S311
    own: tuple[list[_Event], list[_Event]] = ([], [])
    for event in _events(random, count, calendar.start(day)):
        own[random.choices((0, 1), PLATFORM_SHARES)[0]].append(event)
    rides = [event for event in own[0] if event.scenario != PLATE]
    shared = random.sample(rides, len(rides) * SHARED_PERCENT // 100)
    again = [_by_another_clock(event, random) for event in shared]
    second = sorted([*own[1], *again], key=lambda event: event.start)
    named = _Names(pseudonymiser, day)
    return Day(
        {
            platform: _write(platform, events, random, named)
            for platform, events in zip(platforms, (own[0], second), strict=True)
        },
        len(again),
    )


def _events(random: Random, count: int, midnight: int) -> list[_Event]:
    """What people do: each at most a trip in the morning, a plate at noon, a trip at night."""
    made: list[_Event] = []
    person = 0
    while len(made) < count:
        person += 1
        for trips, window in ((True, _MORNING), (False, _LUNCH), (True, _EVENING)):
            if random.random() < 0.4:
                continue
            start = midnight + random.randrange(*window)
            number = len(made)
            if not trips:
                made.append(_Event(PLATE, start, start, f"person-{person}", f"order-{number}"))
            elif random.random() < 0.7:
                made.append(_Event(BUS, start, start, f"person-{person}", f"ticket-{number}"))
            else:
                # A bike has one trip in the morning and one at night: its trips never meet.
                end = start + random.randrange(*_TRIP_SECONDS)
                made.append(_Event(BIKE, start, end, f"person-{person}", f"bike-{person}"))
    return sorted(made[:count], key=lambda event: event.start)


def _by_another_clock(event: _Event, random: Random) -> _Event:
    shift = random.choice((-1, 1)) * random.randint(1, CLOCK_SECONDS_MAX)
    return _Event(event.scenario, event.start + shift, event.end + shift, event.person, event.thing)


class _Names:
    """Pseudonyms of one day."""

    def __init__(self, pseudonymiser: Pseudonymiser, day: int) -> None:
        self._pseudonymiser = pseudonymiser
        self._day = day

    def of(self, line_class: str, identifiers: Sequence[str]) -> dict[str, str]:
        made = self._pseudonymiser.pseudonyms(line_class, self._day, identifiers)
        return dict(zip(identifiers, made, strict=True))


_THINGS = {BUS: "ticket", PLATE: "order", BIKE: "vehicle"}


def _write(platform: str, events: Sequence[_Event], random: Random, named: _Names) -> list[bytes]:
    people = named.of("traveller", [event.person for event in events])
    things = {
        line_class: named.of(
            line_class, [e.thing for e in events if _THINGS[e.scenario] == line_class]
        )
        for line_class in _THINGS.values()
    }
    lines = []
    for number, event in enumerate(events, 1):
        line_class = _THINGS[event.scenario]
        thing = things[line_class][event.thing]
        if event.scenario == BIKE:
            named_thing = f'"vehicle":"{thing}"'
        else:
            issuer = BUS_COMPANY if event.scenario == BUS else CANTEEN
            named_thing = f'"{line_class}":{{"issuer":"{issuer}","number":"{thing}"}}'
        lines.append(
            _line(
                f"{platform}-{number}",
                event.scenario,
                event.start,
                event.end,
                people[event.person],
                named_thing,
                random.getrandbits(128),
            )
        )
    return lines


def _line(
    name: str, scenario: str, start: int, end: int, subject: str, thing: str, nonce: int
) -> bytes:
    return (
        f'{{"format":1,"id":"{name}","scenario":"{scenario}","start":{start},"end":{end},'
        f'"subject":"{subject}",{thing},"attributes":{{"data":"synthetic"}},'
        f'"evidence":{{"tier":"platform-record","digest":"{_ZEROS}"}},'
        f'"authorisation":"{_ZEROS}","nonce":"{nonce:032x}"}}'
    ).encode()


def rides(
    seed: int, count: int, start_day: int, days: int = 1, *, offset: int = _OFFSET
) -> list[bytes]:
    """``count`` bus rides spread over ``days`` days, of as many people with as many tickets.

    start_day: a day number at ``offset`` seconds east of UTC.  Pseudonyms are random: computing
    them is no part of what a benchmark of the ledger measures.
    """
    return list(iter_rides(seed, count, start_day, days, offset=offset))


def iter_rides(
    seed: int, count: int, start_day: int, days: int = 1, *, offset: int = _OFFSET
) -> Iterator[bytes]:
    """What `rides` gives, one by one."""
    random = Random(f"tally/rides/{seed}")  # noqa: S311
    midnight = start_day * DAY_SECONDS - offset
    first, last = _MORNING[0], _EVENING[1]
    bits = random.getrandbits
    for number in range(count):
        start = midnight + (number * days // count) * DAY_SECONDS
        start += first + bits(31) % (last - first)
        ticket = f'"ticket":{{"issuer":"{BUS_COMPANY}","number":"{bits(128):032x}"}}'
        yield _line(f"ride-{number}", BUS, start, start, f"{bits(128):032x}", ticket, bits(128))
