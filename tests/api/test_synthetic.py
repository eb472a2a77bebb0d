"""The synthetic city: the same for the same seed, says what it is, and collides where it should."""

import json
from pathlib import Path

import pytest
from support.city import FIRST_DAY, NOON, OFFSET, PSEUDONYMS, TODAY, City

from api.synthetic import city_day, rides
from chain.calendar import Calendar
from keys.errors import Usage

pytestmark = pytest.mark.usefixtures("database")

CALENDAR = Calendar(OFFSET)
NEXT_DAY = NOON + 86_400


@pytest.mark.parametrize("seed", [1, 2])
def test_only_what_is_reported_twice_is_refused(seed: int, tmp_path: Path) -> None:
    day = city_day(seed, 400, TODAY, CALENDAR, PSEUDONYMS)
    first, second = day.lines.values()
    assert len(first) + len(second) == 400 + day.shared
    assert day.shared > 0
    city = City.found(tmp_path, first_day=FIRST_DAY, time=NEXT_DAY)
    refused = []
    for platform, lines in day.lines.items():
        by_scenario: dict[str, list[bytes]] = {}
        for line in lines:
            by_scenario.setdefault(json.loads(line)["scenario"], []).append(line)
        assert set(by_scenario) == {"city-bus", "city-bike", "city-plate"}
        for batch in by_scenario.values():
            refused += city.submit(batch, platform).refusals.values()
    assert len(refused) == day.shared
    assert {refusal.code for refusal in refused} == {"span-taken"}


def test_every_activity_says_that_it_is_synthetic() -> None:
    day = city_day(1, 50, TODAY, CALENDAR, PSEUDONYMS)
    lines = [*rides(1, 5, TODAY), *(line for lines in day.lines.values() for line in lines)]
    assert {json.loads(line)["attributes"]["data"] for line in lines} == {"synthetic"}


def test_a_seed_determines_every_byte() -> None:
    one, same, other = (city_day(seed, 50, TODAY, CALENDAR, PSEUDONYMS) for seed in (1, 1, 2))
    assert one == same
    assert one != other
    assert rides(1, 20, TODAY) == rides(1, 20, TODAY) != rides(2, 20, TODAY)


def test_the_city_has_two_platforms() -> None:
    with pytest.raises(Usage):
        city_day(1, 10, TODAY, CALENDAR, PSEUDONYMS, ["alone"])


def test_rides_have_two_claims_each_and_never_meet(tmp_path: Path) -> None:
    lines = rides(7, 600, TODAY - 2, days=3)
    city = City.found(tmp_path, first_day=FIRST_DAY, time=NEXT_DAY)
    reductions = city.reduce(lines)
    assert {len(reduction.claims) for reduction in reductions} == {2}
    assert {reduction.day for reduction in reductions} == {TODAY - 2, TODAY - 1, TODAY}
    assert not city.submit(lines).refusals
