"""A month of bike-share trips: every one accepted once, and refused from a second platform.

The sample in `tests/data` is made up, in the format of Citi Bike's trip files; its stations say
so.  Where the real file of January 2016 is at hand, in the folder that TALLY_DATA names or in
`../shared/data` beside the repository, the same is asserted of that.
"""

import csv
import datetime
import os
from pathlib import Path

import pytest
from support.city import City
from support.replay import check_held_by, check_provable, check_replay

from chain.admission import Admitted
from chain.reductions import Reduction
from keys.strict import parse_date

pytestmark = pytest.mark.usefixtures("database")

TOP = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TALLY_DATA") or TOP.parent / "shared" / "data")
SAMPLE = TOP / "tests" / "data" / "synthetic-trips.csv"
REAL = DATA / "citibike-jc-2016-01.csv"
EASTERN = -5 * 3600
FIRST_DAY = parse_date("2016-01-01")
BATCH = 1_000

SOURCES = [
    pytest.param(SAMPLE, 8, 1, id="synthetic"),
    pytest.param(
        REAL,
        7_479,
        1,
        id="january-2016",
        marks=pytest.mark.skipif(not REAL.is_file(), reason="the real file is not at hand"),
    ),
]


def unix(text: str) -> int:
    """Local time to the minute, at the one offset of a winter month."""
    local = datetime.datetime.strptime(text, "%m/%d/%Y %H:%M").replace(tzinfo=datetime.UTC)
    return int(local.timestamp()) - EASTERN


def read_trips(path: Path) -> list[tuple[str, int, int]]:
    """(bike, start, end) of each trip; the end is what `stoptime` says."""
    with path.open(newline="") as file:
        return [
            (row["bikeid"], unix(row["starttime"]), unix(row["stoptime"]))
            for row in csv.DictReader(file)
        ]


def submit_all(city: City, lines: list[bytes], platform: str) -> list[Admitted]:
    batches = [lines[at : at + BATCH] for at in range(0, len(lines), BATCH)]
    admitted = [city.admit(batch, platform) for batch in batches]
    city.sequencer.submit(admitted)
    city.sequencer.seal_all(city.now)
    return admitted


def reductions_of(admitted: list[Admitted]) -> list[Reduction]:
    return [reduction for one in admitted for reduction in one.entry.reductions]


@pytest.mark.parametrize(("path", "count", "longest_count"), SOURCES)
def test_every_trip_counts_once(path: Path, count: int, longest_count: int, tmp_path: Path) -> None:
    trips = read_trips(path)
    assert len(trips) == count
    city = City.found(tmp_path, first_day=FIRST_DAY, time=unix("3/1/2016 0:00"), offset=EASTERN)
    lines = [city.trip(*trip) for trip in trips]

    first = submit_all(city, lines, "metro-app")
    assert all(not city.answer(one.entry.statement).refusals for one in first)
    reductions = reductions_of(first)
    claim_counts = [len(reduction.claims) for reduction in reductions]
    assert max(claim_counts) == 19
    assert claim_counts.count(19) == longest_count
    with city.store.snapshot() as snapshot:
        head = snapshot.head()
        assert head is not None
        assert (head.recorded, head.refused, head.grams) == (count, 0, 52 * count)
        root = head.register_root

    second = submit_all(city, lines, "pay-app")
    holders = {reduction.claims[0]: reduction.holder for reduction in reductions}
    for one in second:
        answer = city.answer(one.entry.statement)
        assert len(answer.refusals) == len(one.entry.reductions)
        for position, refused in answer.refusals.items():
            claim = one.entry.reductions[position].claims[0]
            assert refused.code == "span-taken"
            assert refused.met is not None
            assert (refused.claim, refused.met.holder) == (0, holders[claim])
            assert answer.platforms[refused.met.holder] == "metro-app"

    city = city.reopen()
    with city.store.snapshot() as snapshot:
        head = snapshot.head()
        assert head is not None
        assert (head.recorded, head.refused, head.grams) == (count, count, 52 * count)
        assert head.register_root == root
    replayed = check_replay(city)
    claims = {claim.line + (claim.start or 0).to_bytes(8) for r in reductions for claim in r.claims}
    vehicles = [span for span in replayed.register.spans() if span.class_number == 2]
    assert {span.key for span in vehicles} == claims
    check_provable(city, second[-1].entry.statement)
    longest = claim_counts.index(19)
    for reduction in (reductions[0], reductions[longest], reductions[-1]):
        check_held_by(city, reduction)
