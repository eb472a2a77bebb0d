"""An evening of transit card taps: what becomes of every row, and of every ride in the ledger.

The sample in `tests/data` is made up, in the columns of the taps that Shenzhen has opened; its
stations and cards say so, and it has every case.  Where the real file of 31 August 2018 is at
hand, in the folder that TALLY_DATA names or in `../shared/data` beside the repository, the same
is asserted of that.

Each number is written down here, and found once more by a plain model over the file: `sort_out`
and `find_rides` say what becomes of each line, `hold` what the ledger should take.
"""

import csv
import datetime
import io
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from support.city import (
    OFFSET,
    PSEUDONYMS,
    City,
    founding_actions,
    pseudonym,
    scenario_document,
)
from support.replay import check_held_by, check_provable, check_replay

from api import cli
from api.convert import Converted, Converter, read_rows
from api.mappings import read_mapping
from chain.activities import parse_activities
from chain.admission import reduce_activities
from chain.effects import Refused
from chain.genesis import library, publish_methodology
from chain.reductions import Reduction
from keys.catalogue import TEXTS
from keys.errors import Refusal
from keys.strict import parse_date

pytestmark = pytest.mark.usefixtures("database")

TOP = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TALLY_DATA") or TOP.parent / "shared" / "data")
SAMPLE = TOP / "tests" / "data" / "synthetic-taps.csv"
REAL = DATA / "shenzhen-transit-taps-2018-08-31.csv"
MAPPINGS = TOP / "docs" / "examples" / "mappings"
FIRST_DAY = parse_date("2018-08-31")
SECRET = PSEUDONYMS.secret
BATCH = 1_000
IN, OUT, BUS = "地铁入站", "地铁出站", "巴士"


@dataclass(frozen=True)
class Expected:
    """What a file gives."""

    kinds: dict[str, int]
    """Rows by deal_type."""
    rides: dict[str, int]
    """What becomes of the rows where a tap in and a tap out make a ride ..."""
    entries: dict[str, int]
    """... where taps in count alone ..."""
    boardings: dict[str, int]
    """... and where boardings of a bus count."""
    too_short: int
    """Rides that their methodology does not count."""
    ledger: dict[str, tuple[int, int]]
    """How many of each submission were recorded, and how many refused."""
    entries_met: dict[str, int]
    """Whose claims the refused taps in have met."""


SYNTHETIC = Expected(
    kinds={IN: 21, OUT: 16, BUS: 5, "充值": 1},
    rides={
        "converted": 18,
        "pair-same-place": 4,
        "pair-too-long": 2,
        "pair-unclosed": 5,
        "pair-unopened": 3,
        "row-passed-over": 6,
        "row-repeated": 2,
        "refused": 3,
    },
    entries={"converted": 18, "row-passed-over": 22, "row-repeated": 1, "refused": 2},
    boardings={"converted": 4, "row-passed-over": 37, "row-repeated": 1, "refused": 1},
    too_short=1,
    ledger={"rides": (7, 1), "rides again": (0, 8), "entries": (7, 10), "boardings": (2, 2)},
    entries_met={"metro-app": 9, "pay-app": 1},
)
SHENZHEN = Expected(
    kinds={IN: 9_360, OUT: 435, BUS: 205},
    rides={
        "converted": 290,
        "pair-same-place": 446,
        "pair-unclosed": 8_992,
        "pair-unopened": 67,
        "row-passed-over": 205,
    },
    entries={"converted": 9_360, "row-passed-over": 640},
    boardings={"converted": 205, "row-passed-over": 9_795},
    too_short=0,
    ledger={
        "rides": (145, 0),
        "rides again": (0, 145),
        "entries": (9_193, 167),
        "boardings": (205, 0),
    },
    entries_met={"metro-app": 145, "pay-app": 22},
)
SOURCES = [
    pytest.param(SAMPLE, SYNTHETIC, id="synthetic"),
    pytest.param(
        REAL,
        SHENZHEN,
        id="shenzhen-2018-08-31",
        marks=pytest.mark.skipif(not REAL.is_file(), reason="the real file is not at hand"),
    ),
]


# --- the model ---


class Tap(NamedTuple):
    """A row: its line, and what counts of it; no time if it cannot be read, no gate if cut off."""

    line: int
    kind: str
    card: str
    when: str
    time: int | None
    station: str
    gate: str | None


Ride = tuple[Tap, Tap]
Fates = dict[int, str]
"""What becomes of each line."""


def unix(text: str) -> int | None:
    try:
        local = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return None
    return int(local.replace(tzinfo=datetime.UTC).timestamp()) - OFFSET


def read_taps(path: Path) -> list[Tap]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Tap(
                *(line, row["deal_type"], row["card_no"], row["deal_date"]),
                *(unix(row["deal_date"]), row["station"], row["equ_no"]),
            )
            for line, row in enumerate(csv.DictReader(file), 2)
        ]


def sort_out(taps: Iterable[Tap], kinds: Sequence[str]) -> tuple[list[Tap], Fates]:
    """The taps of these kinds that can count, and what becomes of the others."""
    kept, fates, seen = [], {}, set()
    for tap in taps:
        same = (tap.kind, tap.card, tap.when, tap.gate)
        if tap.gate is None:
            fates[tap.line] = "refused"
        elif tap.kind not in kinds:
            fates[tap.line] = "row-passed-over"
        elif same in seen:
            fates[tap.line] = "row-repeated"
        elif tap.time is None:
            fates[tap.line] = "refused"
        else:
            fates[tap.line] = "converted"
            kept.append(tap)
        seen.add(same)
    return kept, fates


def find_rides(taps: Iterable[Tap]) -> tuple[list[Ride], Fates]:
    """An exit belongs to the card's last tap before it, if that is an entry."""
    by_card = defaultdict(list)
    kept, fates = sort_out(taps, (IN, OUT))
    for tap in kept:
        by_card[tap.card].append(tap)
    for tap in by_card.pop("", []):
        fates[tap.line] = "refused"
    rides = []
    for mine in by_card.values():
        mine.sort(key=lambda tap: (tap.time, tap.kind == IN))
        for before, tap in pairwise([None, *mine]):
            if tap.kind == IN:
                fates[tap.line] = "pair-unclosed"  # unless the next is an exit
            elif before is None or before.kind == OUT:
                fates[tap.line] = "pair-unopened"
            else:
                if tap.time - before.time > 4 * 3600:
                    fate = "pair-too-long"
                elif "-" in (before.station, tap.station) or before.station == tap.station:
                    fate = "pair-same-place"
                else:
                    fate = "converted"
                    rides.append((before, tap))
                fates[before.line] = fates[tap.line] = fate
    return sorted(rides, key=lambda ride: (ride[1].time, ride[1].line)), fates


class Taken:
    """What the ledger should hold of each card's time, and for which platform."""

    def __init__(self) -> None:
        self._spans: dict[str, list[tuple[int, int, str]]] = defaultdict(list)

    def claim(self, card: str, start: int, end: int, platform: str) -> str | None:
        """Claim from a minute before to a minute after; the platform that is met, if one is."""
        start, end = start - 60, end + 60
        met = sorted(span for span in self._spans[card] if span[0] < end and start < span[1])
        if met:
            return met[0][2]
        self._spans[card].append((start, end, platform))
        return None


# --- what is tested ---


def convert(
    name: str, path: Path, *, times: int = 1, without: str | None = None
) -> tuple[list[bytes], Converted]:
    """A file, or its rows so many times over, by a mapping of the examples."""
    document = json.loads((MAPPINGS / f"{name}.json").read_text("utf-8"))
    document.pop(without, None)
    head, _, body = path.read_text("utf-8").partition("\n")
    rows = read_rows(io.StringIO(head + "\n" + body * times, newline=""))
    header = list(next(rows).cells)
    converter = Converter(read_mapping(document), header, PSEUDONYMS, SECRET)
    return list(converter.lines(rows)), converter.result


def fates_of(lines: Iterable[bytes], result: Converted, rides: Sequence[Ride] = ()) -> Fates:
    """What became of each line, as the converter tells it; no line twice."""
    exits = {entry.line: exit.line for entry, exit in rides}
    told = [(number, "refused") for number, _ in result.refused]
    told += [(number, code) for code, numbers in result.left_out.items() for number in numbers]
    for line in lines:
        number = line_of(line)
        told += [(n, "converted") for n in (number, exits.get(number)) if n]
    assert len(dict(told)) == len(told) == result.rows
    return dict(told)


def found(folder: Path) -> City:
    scenarios = {"city-metro": "metro-ride", "city-metro-entry": "metro-entry"}
    actions = founding_actions(FIRST_DAY)
    for name, methodology in scenarios.items():
        actions += [
            publish_methodology(library()[methodology], FIRST_DAY),
            {"action": "scenario", "document": scenario_document(name, methodology).decode()},
        ]
    return City.found(folder, first_day=FIRST_DAY, actions=actions)


class Outcome(NamedTuple):
    """What became of a reduction."""

    line: int
    reduction: Reduction
    refused: Refused | None
    platform: str | None
    """The platform that holds what it has met."""


def submit(city: City, lines: Sequence[bytes], platform: str) -> tuple[list[Outcome], list[str]]:
    """Submit what earns something; why the rest earns nothing."""
    made = reduce_activities(parse_activities(lines), city.state, platform)
    why = [item.code for item in made if isinstance(item, Refusal)]
    good = [line for line, item in zip(lines, made, strict=True) if isinstance(item, Reduction)]
    batches = [good[at : at + BATCH] for at in range(0, len(good), BATCH)]
    admitted = [city.admit(batch, platform) for batch in batches]
    city.sequencer.submit(admitted)
    city.sequencer.seal_all(city.now)
    outcomes = []
    for batch, one in zip(batches, admitted, strict=True):
        answer = city.answer(one.entry.statement)
        for position, reduction in enumerate(one.entry.reductions):
            refused = answer.refusals.get(position)
            holder = refused.met.holder if refused and refused.met else b""
            met = answer.platforms.get(holder)
            outcomes.append(Outcome(line_of(batch[position]), reduction, refused, met))
    check_provable(city, admitted[-1].entry.statement)
    return outcomes, why


def line_of(activity: bytes) -> int:
    """The line of the file that an activity is named for."""
    return int(json.loads(activity)["id"].partition("-")[0])


def totals(city: City) -> tuple[object, ...]:
    with city.store.snapshot() as snapshot:
        head = snapshot.head()
    assert head is not None
    return head.recorded, head.refused, head.grams, head.register_root


@pytest.mark.parametrize(("path", "expected"), SOURCES)
def test_every_row_is_accounted_for_once(path: Path, expected: Expected) -> None:
    taps = read_taps(path)
    assert Counter(tap.kind for tap in taps) == expected.kinds
    rides, fates = find_rides(taps)
    assert fates.keys() == set(range(2, len(taps) + 2))
    lines, result = convert("metro-rides", path)
    assert fates_of(lines, result, rides) == fates
    assert Counter(fates.values()) == expected.rides
    for name, kind, counts in (
        ("metro-entries", IN, expected.entries),
        ("bus-boardings", BUS, expected.boardings),
    ):
        _, fates = sort_out(taps, (kind,))
        assert fates_of(*convert(name, path)) == fates
        assert Counter(fates.values()) == counts


@pytest.mark.parametrize(
    ("lines", "fate"),
    [
        pytest.param([2, 3], "converted", id="in and out"),
        pytest.param([4, 5], "converted", id="the exit stands first in the file"),
        pytest.param([6, 8], "converted", id="in and out, both repeated"),
        pytest.param([7, 9], "row-repeated", id="the repeats"),
        pytest.param([10], "pair-unclosed", id="in alone"),
        pytest.param([11], "pair-unopened", id="out alone"),
        pytest.param([12], "pair-unclosed", id="in, and in again a minute later"),
        pytest.param([13, 14], "converted", id="the later one counts"),
        pytest.param([15], "pair-unopened", id="out again"),
        pytest.param([16, 17], "converted", id="four hours"),
        pytest.param([18, 19], "pair-too-long", id="a second more"),
        pytest.param([20, 21], "pair-same-place", id="out where it went in"),
        pytest.param([22, 23], "pair-same-place", id="in at no known station"),
        pytest.param([24, 25], "converted", id="over midnight"),
        pytest.param([26, 27, 28, 29], "converted", id="out and in again in one second"),
        pytest.param([30, 31], "converted", id="in 59 seconds, too short for the methodology"),
        pytest.param([32], "pair-unclosed", id="in and out in one second: in"),
        pytest.param([33], "pair-unopened", id="in and out in one second: out"),
        pytest.param([34, 35, 36, 37, 38, 41], "row-passed-over", id="no taps of a metro"),
        pytest.param([39, 40], "pair-unclosed", id="in twice"),
        pytest.param([42, 43, 44], "refused", id="no such time, no card, cut off"),
    ],
)
def test_each_case_of_the_sample(lines: list[int], fate: str) -> None:
    rides, _ = find_rides(read_taps(SAMPLE))
    made, result = convert("metro-rides", SAMPLE)
    fates = fates_of(made, result, rides)
    assert {fates[line] for line in lines} == {fate}


@pytest.mark.parametrize(("path", "expected"), SOURCES)
def test_a_ride_takes_its_fields_from_either_row(path: Path, expected: Expected) -> None:
    rides, _ = find_rides(read_taps(path))
    lines, result = convert("metro-rides", path)
    assert len(lines) == len(rides) == expected.rides["converted"] // 2
    for line, (entry, exit) in zip(lines, rides, strict=True):
        made = json.loads(line)
        assert (made["start"], made["end"]) == (entry.time, exit.time)
        assert made["subject"] == pseudonym("traveller", entry.card.replace("-", ""))
        assert made["attributes"]["from"] == entry.station
        assert made["attributes"]["to"] == exit.station
        texts = path.read_text("utf-8").split("\n")
        both = f"{texts[entry.line - 1]}\n{texts[exit.line - 1]}"
        assert made["evidence"]["digest"] == sha256(both.encode()).hexdigest()
    assert result.first == min(entry.time for entry, _ in rides)
    assert result.last == max(exit.time for _, exit in rides)


@pytest.mark.parametrize(("path", "expected"), SOURCES)
@pytest.mark.parametrize("name", ["metro-rides", "metro-entries", "bus-boardings"])
def test_a_file_that_repeats_itself_gives_the_same_bytes(
    name: str, path: Path, expected: Expected
) -> None:
    once, first = convert(name, path)
    assert convert(name, path)[0] == once
    twice, second = convert(name, path, times=2)
    assert twice == once
    untaken = set(first.left_out["row-passed-over"])
    untaken |= {number for number, why in first.refused if why.code == "row-cells"}
    last = first.rows + 1
    repeated = {number - first.rows for number in second.left_out["row-repeated"] if number > last}
    assert repeated == set(range(2, last + 1)) - untaken


@pytest.mark.parametrize(("path", "expected"), SOURCES)
def test_every_ride_counts_once(path: Path, expected: Expected, tmp_path: Path) -> None:
    taps = read_taps(path)
    taken = Taken()
    city = found(tmp_path)

    rides, _ = find_rides(taps)
    counted = [ride for ride in rides if ride[1].time - ride[0].time >= 60]
    lines, _ = convert("metro-rides", path)
    first, why = submit(city, lines, "metro-app")
    assert why == ["duration-out-of-bounds"] * (len(rides) - len(counted))
    assert len(why) == expected.too_short
    assert [one.platform for one in first] == [
        taken.claim(entry.card, entry.time, exit.time, "metro-app") for entry, exit in counted
    ]
    holders = {one.reduction.holder for one in first if one.refused is None}

    # A second reporter of the same taps gets nothing, and is told whose each ride is.
    again, _ = submit(city, lines, "pay-app")
    assert [one.platform for one in again] == ["metro-app"] * len(first)
    for one, mine in zip(again, first, strict=True):
        assert one.refused is not None and one.refused.met is not None
        assert one.refused.met.holder in holders
        if mine.refused is None:
            claim = mine.reduction.claims[0]
            met = one.refused.met
            assert (met.holder, met.line) == (mine.reduction.holder, claim.line)
            assert (met.start, met.end) == (claim.start, claim.end)

    # Nor does it by reading the taps in alone, where a ride or an earlier tap has the time.
    entries = [tap for tap in sort_out(taps, (IN,))[0] if tap.card]
    read, why = submit(city, convert("metro-entries", path)[0], "pay-app")
    assert why == ["activity-field-missing"] * (expected.entries["converted"] - len(entries))
    assert [one.platform for one in read] == [
        taken.claim(tap.card, tap.time, tap.time + 300, "pay-app") for tap in entries
    ]
    assert Counter(one.platform for one in read if one.refused) == expected.entries_met

    boardings, _ = sort_out(taps, (BUS,))
    buses, why = submit(city, convert("bus-boardings", path)[0], "metro-app")
    assert why == []
    assert [one.platform for one in buses] == [
        taken.claim(tap.card, tap.time, tap.time + 300, "metro-app") for tap in boardings
    ]
    sent = {"rides": first, "rides again": again, "entries": read, "boardings": buses}
    for name, made in sent.items():
        refused = sum(one.refused is not None for one in made)
        assert (len(made) - refused, refused) == expected.ledger[name], name
    everything = [one for made in sent.values() for one in made]
    assert {one.refused.code for one in everything if one.refused} == {"span-taken"}
    recorded = [one.reduction for one in everything if one.refused is None]
    before = totals(city)
    assert before[:3] == (
        len(recorded),
        len(everything) - len(recorded),
        sum(reduction.grams for reduction in recorded),
    )

    # The same after a restart, and for whoever replays the log.
    city = city.reopen()
    assert totals(city) == before
    check_replay(city)
    for reduction in (recorded[0], recorded[-1]):
        check_held_by(city, reduction)


def test_a_repeat_that_the_mapping_does_not_look_for_is_refused_by_the_ledger(
    tmp_path: Path,
) -> None:
    city = found(tmp_path)
    known, result = convert("metro-entries", SAMPLE)
    lines, _ = convert("metro-entries", SAMPLE, without="once")
    assert len(lines) == len(known) + 1
    outcomes, _ = submit(city, lines, "metro-app")
    by_line = {one.line: one for one in outcomes}
    [repeated] = result.left_out["row-repeated"]
    first, again = by_line[repeated - 1], by_line[repeated]
    assert first.refused is None
    assert again.refused is not None and again.refused.met is not None
    assert again.refused.met.holder == first.reduction.holder
    assert again.platform == "metro-app"


# --- the command ---


@pytest.mark.parametrize(("path", "expected"), SOURCES)
def test_the_command_explains_every_row(
    path: Path,
    expected: Expected,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret").write_text(SECRET.hex(), "ascii")
    mapping = MAPPINGS / "metro-rides.json"

    def run(out: str, *more: str) -> str:
        arguments = ["convert", "csv", str(path), "--mapping", str(mapping), "--out", out]
        status = cli.main([*arguments, "--secret-file", "secret", *more])
        assert status == (1 if "refused" in expected.rides else 0)
        return capsys.readouterr().out

    told = json.loads(run("rides.ndjson", "--json"))
    fates = find_rides(read_taps(path))[1]
    assert told["rows"] == len(fates)
    assert told["converted"] == expected.rides["converted"] // 2
    assert {item["line"] for item in told["refused"]} == lines_with("refused", fates)
    assert [item["code"] for item in told["left_out"]] == sorted(
        expected.rides.keys() - {"converted", "refused"}
    )
    shown = {"en": run("again.ndjson", "--lang", "en"), "zh": run("again.ndjson", "--lang", "zh")}
    for item in told["left_out"]:
        assert set(item["lines"]) == lines_with(item["code"], fates)
        assert item["count"] == len(item["lines"]) == expected.rides[item["code"]]
        assert tuple(item["text"].values()) == TEXTS[item["code"]]
        assert all(item["text"][lang] in text for lang, text in shown.items())
    assert Path("again.ndjson").read_bytes() == Path("rides.ndjson").read_bytes()


def lines_with(fate: str, fates: Fates) -> set[int]:
    return {line for line, one in fates.items() if one == fate}
