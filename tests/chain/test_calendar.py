"""Days at a fixed offset, spans cut at midnight, and the ends of periods."""

import calendar
import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.calendar import DAY_SECONDS, OFFSET_SECONDS_MAX, Calendar
from keys.strict import dump_date, parse_date

EAST, WEST, NONE = Calendar(8 * 3600), Calendar(-5 * 3600), Calendar(0)
ODD = Calendar(5 * 3600 + 45 * 60)
CALENDARS = [EAST, WEST, NONE, ODD]
OFFSETS = st.integers(-OFFSET_SECONDS_MAX, OFFSET_SECONDS_MAX)
TIMES = st.integers(2 * DAY_SECONDS, 65_000 * DAY_SECONDS)


def local(of: Calendar, text: str) -> int:
    """The unix second of a local date and time, by the standard library."""
    zone = datetime.timezone(datetime.timedelta(seconds=of.offset))
    return int(datetime.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


@pytest.mark.parametrize("of", CALENDARS)
@pytest.mark.parametrize(
    ("text", "date", "seconds"),
    [
        ("2026-03-02T00:00:00", "2026-03-02", 0),
        ("2026-03-02T23:59:59", "2026-03-02", 86_399),
        ("2026-03-01T23:59:59", "2026-03-01", 86_399),
        ("2028-02-29T12:00:00", "2028-02-29", 43_200),
        ("1970-01-02T00:00:01", "1970-01-02", 1),
    ],
)
def test_a_day_is_the_local_date(of: Calendar, text: str, date: str, seconds: int) -> None:
    time = local(of, text)
    assert dump_date(of.day(time)) == date
    assert of.seconds(time) == seconds
    assert of.start(of.day(time)) == time - seconds


def test_east_of_utc_the_day_begins_earlier_and_west_later() -> None:
    day = parse_date("2026-03-02")
    assert EAST.start(day) == NONE.start(day) - 8 * 3600
    assert WEST.start(day) == NONE.start(day) + 5 * 3600
    evening = local(NONE, "2026-03-01T18:00:00")
    assert (EAST.day(evening), NONE.day(evening), WEST.day(evening)) == (day, day - 1, day - 1)


@given(OFFSETS, TIMES)
def test_every_second_lies_in_its_day(offset: int, time: int) -> None:
    of = Calendar(offset)
    day = of.day(time)
    assert of.start(day) <= time < of.start(day + 1) == of.start(day) + DAY_SECONDS
    assert of.start(day) + of.seconds(time) == time


# --- cut at midnight ---


@given(OFFSETS, TIMES, st.integers(1, 20 * DAY_SECONDS))
def test_the_pieces_partition_the_span_each_within_its_day(
    offset: int, start: int, length: int
) -> None:
    of = Calendar(offset)
    end = start + length
    pieces = of.cut(start, end)
    assert pieces[0][1] == start and pieces[-1][2] == end
    for (day, _, last), (next_day, first, _) in pairwise(pieces):
        assert (next_day, first) == (day + 1, last)
    for day, first, last in pieces:
        assert of.start(day) <= first < last <= of.start(day + 1)


MIDNIGHT = EAST.start(20_000)


@pytest.mark.parametrize(
    ("start", "end", "pieces"),
    [
        (-100, -1, [(19_999, -100, -1)]),
        (-100, 0, [(19_999, -100, 0)]),
        (0, 1, [(20_000, 0, 1)]),
        (-1, 1, [(19_999, -1, 0), (20_000, 0, 1)]),
        (0, 86_400, [(20_000, 0, 86_400)]),
        (0, 86_401, [(20_000, 0, 86_400), (20_001, 86_400, 86_401)]),
        (-5, 86_400, [(19_999, -5, 0), (20_000, 0, 86_400)]),
    ],
    ids=[
        *("within-a-day", "up-to-midnight", "from-midnight", "across-midnight"),
        *("a-whole-day", "a-day-and-a-second", "from-before-to-midnight"),
    ],
)
def test_cut_at_midnight(start: int, end: int, pieces: list[tuple[int, int, int]]) -> None:
    cut = EAST.cut(MIDNIGHT + start, MIDNIGHT + end)
    assert [(day, first - MIDNIGHT, last - MIDNIGHT) for day, first, last in cut] == pieces


def test_a_trip_of_18_days_is_19_pieces() -> None:
    start = local(WEST, "2016-01-05T18:00:00")
    pieces = WEST.cut(start, start + 18 * DAY_SECONDS)
    assert len(pieces) == 19
    assert [day for day, _, _ in pieces] == list(range(WEST.day(start), WEST.day(start) + 19))


# --- the ends of periods ---


@pytest.mark.parametrize(
    ("period", "date", "end"),
    [
        ("day", "2026-02-10", "2026-02-10"),
        ("day", "2026-12-31", "2026-12-31"),
        ("month", "2026-01-01", "2026-01-31"),
        ("month", "2026-01-31", "2026-01-31"),
        ("month", "2026-02-10", "2026-02-28"),
        ("month", "2028-02-10", "2028-02-29"),
        ("month", "2028-02-29", "2028-02-29"),
        ("month", "2100-02-01", "2100-02-28"),
        ("month", "2000-02-01", "2000-02-29"),
        ("month", "2026-04-30", "2026-04-30"),
        ("month", "2026-12-01", "2026-12-31"),
        ("month", "2026-12-31", "2026-12-31"),
        ("year", "2026-01-01", "2026-12-31"),
        ("year", "2028-02-29", "2028-12-31"),
        ("year", "2026-12-31", "2026-12-31"),
        ("year", "1970-01-01", "1970-12-31"),
    ],
)
def test_the_last_day_of_a_period(period: str, date: str, end: str) -> None:
    for of in CALENDARS:
        assert dump_date(of.period_end(parse_date(date), period)) == end


@given(st.integers(0, 65_000))
def test_a_month_ends_where_the_standard_library_says(day: int) -> None:
    date = datetime.date.fromisoformat(dump_date(day))
    last = calendar.monthrange(date.year, date.month)[1]
    assert dump_date(NONE.period_end(day, "month")) == date.replace(day=last).isoformat()
    assert dump_date(NONE.period_end(day, "year")) == f"{date.year}-12-31"
