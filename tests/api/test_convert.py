"""Conversion of CSV files: what becomes of a row, and which rows are refused and why."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from api.convert import Converter, open_csv, read_rows
from api.mappings import ColumnMapping, citibike_mapping, read_mapping, read_zone
from api.normalisers import normalise
from chain.activities import parse_activity
from keys.errors import Malformed, TallyError, Unreadable, Usage
from keys.pseudonyms import KeyedHash

SECRET = b"a secret that the tests share..."
PSEUDONYMS = KeyedHash(SECRET)
TOP = Path(__file__).resolve().parents[2]
SAMPLE = TOP / "tests" / "data" / "synthetic-trips.csv"
DATA = Path(os.environ.get("TALLY_DATA") or TOP.parent / "shared" / "data")
REAL = DATA / "citibike-jc-2016-01.csv"
NEW_YORK = "America/New_York"
NINE = 1_772_413_200  # 2026-03-02T09:00:00+08:00


def pseudonym(line_class: str, identifier: str) -> str:
    return PSEUDONYMS.pseudonyms(line_class, 0, [identifier])[0]


def convert(
    text: str, mapping: ColumnMapping | dict[str, Any] | None = None, ambiguous: str = "refuse"
) -> tuple[list[dict[str, Any]], Converter]:
    rows = read_rows(io.StringIO(text, newline=""))
    header = list(next(rows).cells)
    if mapping is None:
        mapping = citibike_mapping(header, "city-bike", NEW_YORK)
    elif isinstance(mapping, dict):
        mapping = read_mapping(mapping)
    converter = Converter(mapping, header, PSEUDONYMS, SECRET, ambiguous=ambiguous)
    lines = list(converter.lines(rows))
    for line in lines:
        parse_activity(line)
    return [json.loads(line) for line in lines], converter


def refusals(converter: Converter) -> list[tuple[int, str]]:
    return [(number, refusal.code) for number, refusal in converter.result.refused]


# --- Citi Bike ---

OLD = "tripduration,starttime,stoptime,start station id,bikeid,usertype\n"


@pytest.mark.parametrize(
    ("header", "row", "start", "seconds", "name"),
    [
        (OLD, "362,1/1/2016 0:02,1/1/2016 0:08,3186,24647,Subscriber", 1_451_624_520, 360, None),
        (OLD, "362,7/1/2016 0:02:30,7/1/2016 0:08:00,1,24647,x", 1_467_345_750, 330, None),
        (
            "Trip Duration,Start Time,Stop Time,Bike ID\n",
            "362,2016-01-01 00:02:00,2016-01-01 00:08:00,24647",
            *(1_451_624_520, 360, None),
        ),
        (
            '"ride_id","rideable_type","started_at","ended_at","bike_id"\n',
            "A847FADBBC638E45,docked_bike,2016-01-01 00:02:00.998,2016-01-01 00:08:00.001,24647",
            *(1_451_624_520, 360, "A847FADBBC638E45"),
        ),
    ],
)
def test_the_forms_that_citi_bike_has_published(
    header: str, row: str, start: int, seconds: int, name: str | None
) -> None:
    [made], _ = convert(header + row + "\n")
    assert (made["start"], made["end"]) == (start, start + seconds)
    assert made["vehicle"] == pseudonym("vehicle", "24647")
    assert made["scenario"] == "city-bike"
    assert "subject" not in made
    assert made["id"] == name or (name is None and made["id"].startswith("2-"))


def test_a_file_that_names_no_bike_is_refused() -> None:
    header = "ride_id,rideable_type,started_at,ended_at,member_casual\n"
    with pytest.raises(Malformed) as raised:
        convert(header)
    assert raised.value.code == "column-missing"
    assert "bikeid" in str(raised.value)


def test_converting_again_gives_the_same_bytes() -> None:
    text = OLD + "362,1/1/2016 0:02,1/1/2016 0:08,1,7,x\n" * 2
    first, _ = convert(text)
    again, _ = convert(text)
    assert first == again
    one, other = first
    assert one["evidence"] == other["evidence"]
    assert one["nonce"] != other["nonce"]


@pytest.mark.parametrize(
    ("ambiguous", "expected"),
    [("refuse", None), ("earlier", 1_478_410_200), ("later", 1_478_413_800)],
)
def test_an_hour_that_comes_twice_is_never_guessed(ambiguous: str, expected: int | None) -> None:
    text = OLD + "60,11/6/2016 1:30,11/6/2016 1:40,1,7,x\n"
    made, converter = convert(text, ambiguous=ambiguous)
    if expected is None:
        assert refusals(converter) == [(2, "time-ambiguous")]
    else:
        assert [item["start"] for item in made] == [expected]


@pytest.mark.parametrize("ambiguous", ["refuse", "earlier", "later"])
def test_an_hour_that_never_came_is_refused(ambiguous: str) -> None:
    text = OLD + "60,3/13/2016 2:30,3/13/2016 3:10,1,7,x\n60,3/13/2016 1:59,3/13/2016 3:01,1,7,x\n"
    made, converter = convert(text, ambiguous=ambiguous)
    assert refusals(converter) == [(2, "time-skipped")]
    assert [item["end"] - item["start"] for item in made] == [120]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("60,1/1/2016 0:08,1/1/2016 0:02,1,7,x", "row-times"),
        ("60,1/1/2016 0:08,13/1/2016 0:12,1,7,x", "cell-time"),
        ("60,,1/1/2016 0:12,1,7,x", "cell-empty"),
        ("60,1/1/2016 0:08,1/1/2016 0:12,1,- -,x", "cell-empty"),
        ("60,1/1/2016 0:08,1/1/2016 0:12,1,7", "row-cells"),
        ("60,1/1/1869 0:08,1/1/1869 0:12,1,7,x", "field-type"),
    ],
)
def test_a_row_that_cannot_be_converted_is_reported_with_its_line(row: str, code: str) -> None:
    good = "60,1/1/2016 0:02,1/1/2016 0:08,1,7,x\n"
    made, converter = convert(OLD + good + row + "\n" + good)
    assert refusals(converter) == [(3, code)]
    assert len(made) == converter.result.count == 2
    _, refusal = converter.result.refused[0]
    assert refusal.text("zh") != refusal.text("en")


def test_a_sample_of_trips_is_converted_whole() -> None:
    with open_csv(SAMPLE) as file:
        made, converter = convert(file.read())
    assert (len(made), refusals(converter)) == (8, [])
    assert converter.result.first == min(item["start"] for item in made)
    assert converter.result.last == max(item["end"] for item in made)


@pytest.mark.skipif(not REAL.is_file(), reason="the real file is not at hand")
def test_every_trip_of_january_2016_is_converted() -> None:
    with open_csv(REAL) as file:
        made, converter = convert(file.read())
    assert (len(made), refusals(converter)) == (7_479, [])
    assert len({item["vehicle"] for item in made}) == 241
    assert max(item["end"] - item["start"] for item in made) > 17 * 86_400


# --- a mapping ---

MAPPING: dict[str, Any] = {
    "format": 1,
    "scenario": "city-bus",
    "zone": "+08:00",
    "fields": {
        "id": {"column": ["card", "time"]},
        "start": {"column": "time", "format": ["%Y-%m-%d %H:%M:%S", "iso", "unix", "unix-ms"]},
        "subject": {"column": "card"},
        "ticket.issuer": {"constant": "city-bus"},
        "ticket.number": {"column": ["card", "time"]},
        "attributes.mode": {"column": "kind"},
        "quantities.metres": {"column": "km", "scale": "1000"},
    },
    "only": {"kind": ["bus", "night bus"]},
}
HEADER = "time,card,kind,km\n"


def test_a_mapping_gives_each_field_from_its_columns() -> None:
    [made], converter = convert(
        HEADER + "2026-03-02 09:00:00, ab-12 ,bus,3.2509\n2026-03-02 09:05:00,2,metro,1\n", MAPPING
    )
    assert converter.result.left_out == {"row-passed-over": [3]}
    assert made == {
        "format": 1,
        "id": "ab-12/2026-03-02 09:00:00",
        "scenario": "city-bus",
        "start": NINE,
        "end": NINE,
        "subject": pseudonym("traveller", "AB12"),
        "ticket": {
            "issuer": "city-bus",
            "number": pseudonym("ticket", "ab-12/2026-03-0209:00:00"),
        },
        "attributes": {"mode": "bus"},
        "quantities": {"metres": 3250},
        "evidence": {"tier": "platform-record", "digest": made["evidence"]["digest"]},
        "authorisation": "0" * 64,
        "nonce": made["nonce"],
    }
    assert len(made["nonce"]) == 32


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-02T09:00:00",
        "2026-03-02T10:00:00+09:00",
        "2026-03-02T01:00:00Z",
        str(NINE),
        "1772413200.0",
    ],
)
def test_times_in_any_of_the_formats(time: str) -> None:
    made, converter = convert(HEADER + f"{time},1,bus,\n", MAPPING)
    if "." in time:
        assert refusals(converter) == [(2, "cell-time")]
    else:
        assert [item["start"] for item in made] == [NINE]
        assert "quantities" not in made[0]


def test_the_first_time_may_be_the_first_second_of_all() -> None:
    fields = {"start": {"column": "time", "format": "unix"}}
    _, converter = convert("time\n5\n0\n7\n", MAPPING | {"fields": fields, "only": {}})
    assert (converter.result.first, converter.result.last) == (0, 7)


@pytest.mark.parametrize("cell", ["-1", "1e3", "1,5", "٣", "0x10", "."])
def test_a_quantity_is_a_plain_decimal(cell: str) -> None:
    _, converter = convert(HEADER + f'{NINE},1,bus,"{cell}"\n', MAPPING)
    assert refusals(converter) == [(2, "cell-number")]


def test_a_pseudonym_may_stand_in_the_file() -> None:
    fields = MAPPING["fields"] | {"subject": {"column": "card", "is_pseudonym": True}}
    given = "0123456789abcdef" * 2
    made, converter = convert(
        HEADER + f"{NINE},{given},bus,\n{NINE},12,bus,\n", MAPPING | {"fields": fields}
    )
    assert [item["subject"] for item in made] == [given]
    assert refusals(converter) == [(3, "cell-no-pseudonym")]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"format": 2}, "format-unknown"),
        ({"extra": 1}, "field-unknown"),
        ({"zone": "Mars/Olympus"}, "zone-unknown"),
        ({"delimiter": "::"}, "field-type"),
        ({"only": {"kind": "bus"}}, "field-type"),
        ({"empty": "-"}, "field-type"),
        ({"once": ["card", 1]}, "field-type"),
        ({"once": ["when"]}, "column-missing"),
        ({"fields": {"id": {"column": "card"}}}, "field-missing"),
        ({"fields": {"start": {"column": "time", "constant": "x"}}}, "field-type"),
        ({"fields": {"start": {}}}, "field-type"),
        ({"fields": {"start": {"column": "time"}, "nonce": {"column": "card"}}}, "field-unknown"),
        ({"fields": {"start": {"column": "time"}, "cap.subject": {"column": "card"}}},
         "field-unknown"),
        ({"fields": {"start": {"column": "when"}}}, "column-missing"),
        ({"fields": {"start": {"column": []}}}, "field-type"),
        ({"fields": {"start": {"column": "time", "format": []}}}, "field-type"),
        ({"fields": {"start": {"column": "time", "format": "%d%d"}}}, "field-type"),
        ({"fields": {"start": {"column": "time", "format": ["iso", "%Q"]}}}, "field-type"),
        ({"fields": {"start": {"column": "time"},
                     "quantities.metres": {"column": "km", "scale": "-1"}}},
         "decimal-not-canonical"),
    ],
)  # fmt: skip
def test_a_mapping_that_cannot_be_used_is_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(TallyError) as raised:
        convert(HEADER, MAPPING | change)
    assert raised.value.code == code


# --- paired rows ---

PAIRED: dict[str, Any] = {
    "format": 1,
    "scenario": "city-metro",
    "zone": "+08:00",
    "empty": ["-"],
    "pair": {"key": ["card"], "column": "kind", "open": ["in"], "close": ["out"], "longest": 3600},
    "fields": {
        "start": {"column": "time"},
        "end": {"column": "time", "row": "close"},
        "subject": {"column": "card"},
        "attributes.from": {"column": "stop"},
        "attributes.to": {"column": "stop", "row": "close"},
    },
}
PAIRED_HEADER = "time,card,kind,stop\n"
TAPS = "2026-03-02 09:20,7,out,-\n2026-03-02 09:00,7,in,north\n"


def test_two_rows_make_one_activity() -> None:
    [made], converter = convert(PAIRED_HEADER + TAPS, PAIRED)
    assert (made["start"], made["end"]) == (NINE, NINE + 1_200)
    assert made["attributes"] == {"from": "north"}
    assert made["id"].startswith("3-")
    assert made["evidence"]["digest"].startswith(made["id"][2:])
    assert (converter.result.rows, converter.result.count) == (2, 1)
    assert not converter.result.left_out


def test_both_rows_of_a_pair_that_cannot_be_converted_are_reported() -> None:
    fields = PAIRED["fields"] | {"subject": {"column": "card", "is_pseudonym": True}}
    made, converter = convert(PAIRED_HEADER + TAPS, PAIRED | {"fields": fields})
    assert made == []
    assert refusals(converter) == [(2, "cell-no-pseudonym"), (3, "cell-no-pseudonym")]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": []}, "field-type"),
        ({"key": "card"}, "field-type"),
        ({"key": ["who"]}, "column-missing"),
        ({"column": "what"}, "column-missing"),
        ({"differ": "where"}, "column-missing"),
        ({"close": ["out", "in"]}, "field-type"),
        ({"longest": "3600"}, "field-type"),
        ({"shortest": 60}, "field-unknown"),
    ],
)
def test_a_pair_that_cannot_be_told_is_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(TallyError) as raised:
        convert(PAIRED_HEADER, PAIRED | {"pair": PAIRED["pair"] | change})
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"start": {"column": "time", "row": "close"}}, "field-type"),
        ({"end": {"column": "time"}}, "field-type"),
        ({"subject": {"column": "card", "row": "first"}}, "field-type"),
    ],
)
def test_a_pair_begins_with_one_row_and_ends_with_the_other(
    change: dict[str, Any], code: str
) -> None:
    with pytest.raises(Malformed) as raised:
        read_mapping(PAIRED | {"fields": PAIRED["fields"] | change})
    assert raised.value.code == code


def test_a_row_is_named_only_where_rows_are_paired() -> None:
    with pytest.raises(Malformed) as raised:
        read_mapping({name: value for name, value in PAIRED.items() if name != "pair"})
    assert raised.value.code == "field-unknown"


# --- files ---


def test_records_over_several_lines_keep_their_line_numbers() -> None:
    text = 'a,b\r\n"one\r\ntwo",1\r\n\r\nthree,2\r\n'
    rows = list(read_rows(io.StringIO(text, newline="")))
    assert [(row.number, list(row.cells)) for row in rows] == [
        (1, ["a", "b"]),
        (2, ["one\r\ntwo", "1"]),
        (5, ["three", "2"]),
    ]


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b'a,b\n"never closed', "utf-8"),
        (b"a,b\n\xff\xfe,1\n", "utf-8"),
        (b"a,b\n", "utf-16"),
        (b"a,b\n+2AA-,1\n", "utf-7"),
        (b"a,b\n", "undefined"),
    ],
)
def test_a_file_that_is_no_csv_cannot_be_read(data: bytes, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(data)
    with open_csv(path, encoding) as file, pytest.raises(Unreadable) as raised:
        list(read_rows(file))
    assert raised.value.code == "csv-unreadable"


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes("\ufefftime,card\n".encode())
    with open_csv(path) as file:
        assert next(read_rows(file)).cells == ["time", "card"]


def test_an_unknown_encoding_is_said(tmp_path: Path) -> None:
    (tmp_path / "file.csv").touch()
    for encoding in ("no-such-encoding", "", "\0", "hex"):
        with pytest.raises(Usage):
            open_csv(tmp_path / "file.csv", encoding)
    with pytest.raises(Unreadable):
        open_csv(tmp_path / "other.csv")


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "+25:00", ""])
def test_a_zone_has_a_name_or_is_an_offset(name: str) -> None:
    with pytest.raises(Usage):
        read_zone(name)


@pytest.mark.parametrize(
    ("line_class", "written", "normal"),
    [
        ("vehicle", " 川A·１２345 ", "川A12345"),
        ("vehicle", "b-4711", "B4711"),
        ("traveller", "138 0013 8000", "13800138000"),
        ("ticket", "Ab 12-x", "Ab12-x"),
        ("order", "Ｎｏ.7", "No.7"),
    ],
)
def test_identifiers_have_one_spelling(line_class: str, written: str, normal: str) -> None:
    assert normalise(line_class, written) == normal
    assert normalise(line_class, normal) == normal
