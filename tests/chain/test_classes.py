"""The registry of classes, the names of lines, and which spans a class allows."""

import copy
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chain.classes
from chain.calendar import Calendar
from chain.classes import AXES, GRAMMARS, Classes, is_slug
from chain.spans import FOREVER, LINE_SIZE, make_holder, make_line
from keys.errors import Malformed, VerificationError

LIBRARY = Path(chain.classes.__file__).with_name("library") / "classes.json"
DOCUMENT = LIBRARY.read_bytes()
EAST = Calendar(8 * 3600)
ISSUERS = {"ticket": ["city-bus", "metro"], "order": ["shop"]}
PSEUDONYM = "0123456789abcdef" * 2
DAY = 20_515
MIDNIGHT = EAST.start(DAY)


def registry(**changes: Any) -> dict[str, Any]:
    """The default document, read, with some of its fields changed."""
    return {**json.loads(DOCUMENT), **changes}


def classes(**changes: Any) -> Classes:
    return Classes(json.dumps(registry(**changes)).encode(), EAST)


CLASSES = classes(issuers=ISSUERS)


# --- the document ---


def test_the_default_registry() -> None:
    read = Classes(DOCUMENT, EAST)
    assert read.document == DOCUMENT
    assert read.issuers == {}
    assert [item.number for item in read.all] == list(range(1, 23))
    expected = {
        "traveller": ("seconds", True, "reduction"),
        "vehicle": ("seconds", True, "reduction"),
        "meter": ("seconds", True, "reduction"),
        "ticket": ("whole", False, "reduction"),
        "order": ("whole", False, "reduction"),
        "parcel": ("whole", False, "reduction"),
        "bill": ("whole", False, "reduction"),
        "cap": ("seats", True, "reduction"),
        "issuance": ("days", False, "issuance"),
        "certification": ("days", False, "certification"),
        "lot": ("days", False, "lot"),
        "serial": ("serials", False, "holding"),
        "carry": ("ordinal", False, "issuance"),
        "key": ("index", False, "key"),
        "role": ("index", False, "grant"),
        "methodology": ("days", False, "methodology"),
        "scenario": ("days", False, "scenario"),
        "books": ("days", False, "close"),
        "policy": ("index", False, "policy"),
        "rules": ("index", False, "rules"),
        "classes": ("index", False, "classes"),
        "pseudonyms": ("days", False, "pseudonym-key"),
    }
    found = {item.name: (item.axis, item.dated, item.claimed_by) for item in read.all}
    assert found == expected


def test_every_class_of_the_default_registry_says_what_it_stops_in_two_languages() -> None:
    for item in CLASSES.all:
        assert set(item.stops) == {"en", "zh"} and all(item.stops.values())


def test_activities_are_seconds_and_whole_lines_that_reductions_claim() -> None:
    names = {item.name for item in CLASSES.all if item.is_activity}
    assert names == {"traveller", "vehicle", "meter", "ticket", "order", "parcel", "bill"}
    assert CLASSES.activity_numbers == set(range(1, 8))


def test_a_class_by_its_name() -> None:
    assert CLASSES.named("cap").number == 8
    with pytest.raises(Malformed) as caught:
        CLASSES.named("captain")
    assert caught.value.code == "class-unknown"


TRAVELLER = registry()["classes"][0]
TICKET = registry()["classes"][3]
SUBJECT = TRAVELLER["parts"][0]
PERIOD = {"name": "period", "grammar": "period", "normaliser": "none"}


def one(**changes: Any) -> dict[str, Any]:
    """A registry of the class `traveller` alone, changed; a field set to ... is left out."""
    item = {name: value for name, value in {**TRAVELLER, **changes}.items() if value is not ...}
    return {"format": 1, "classes": [item], "issuers": {}}


@pytest.mark.parametrize(
    ("code", "document"),
    [
        ("field-type", []),
        ("field-missing", {}),
        ("field-missing", {"format": 1, "classes": []}),
        ("field-missing", {"format": 1, "issuers": {}}),
        ("field-unknown", registry(note="")),
        ("field-type", registry(format="1")),
        ("field-type", registry(format=True)),
        ("format-unknown", registry(format=2)),
        ("format-unknown", registry(format=0)),
        ("field-type", registry(classes={})),
        ("field-type", registry(issuers=[])),
        ("field-type", registry(classes=["traveller"])),
        *(("field-missing", one(**{name: ...})) for name in TRAVELLER),
        *(("field-type", one(**{name: None})) for name in TRAVELLER),
        ("field-unknown", one(note="")),
        ("field-type", one(number=0)),
        ("field-type", one(number=256)),
        ("field-type", one(number=-1)),
        ("field-type", one(number="1")),
        ("field-type", one(number=True)),
        ("field-type", one(name="")),
        ("field-type", one(name="Traveller")),
        ("field-type", one(name="a b")),
        ("field-type", one(name="a" * 65)),
        ("field-type", one(axis="metres")),
        ("field-type", one(axis="")),
        ("field-type", one(dated=False)),
        ("field-type", one(dated=1)),
        ("field-type", one(axis="whole", dated=True)),
        ("field-type", one(axis="days", dated=True)),
        ("field-type", one(axis="seats", dated=False, parts=[SUBJECT, PERIOD])),
        ("field-type", one(axis="seats", parts=[SUBJECT])),
        ("field-type", one(axis="seats", parts=[PERIOD, SUBJECT])),
        ("field-missing", one(stops={"en": "one trip counted twice"})),
        ("field-unknown", one(stops={"en": "", "zh": "", "fr": ""})),
        ("field-type", one(stops={"en": "", "zh": 1})),
        ("field-type", one(longest=0)),
        ("field-type", one(longest=-1)),
        ("field-type", one(parts=["subject"])),
        ("field-missing", one(parts=[{"name": "subject", "grammar": "slug"}])),
        ("field-unknown", one(parts=[{**SUBJECT, "more": ""}])),
        ("field-type", one(parts=[{**SUBJECT, "grammar": "anything"}])),
        ("field-type", one(parts=[{**SUBJECT, "grammar": 1}])),
        ("class-twice", registry(classes=[TRAVELLER, TRAVELLER])),
        ("class-twice", registry(classes=[TRAVELLER, {**TICKET, "number": 1}])),
        ("class-twice", registry(classes=[TRAVELLER, {**TICKET, "name": "traveller"}])),
        ("class-unknown", registry(issuers={"tram": ["metro"]})),
        ("class-unknown", registry(issuers={"traveller": ["metro"]})),
        ("field-type", registry(issuers={"ticket": "metro"})),
        ("field-type", registry(issuers={"ticket": ["Metro"]})),
        ("field-type", registry(issuers={"ticket": [1]})),
        ("field-type", registry(issuers={"ticket": None})),
    ],
)
def test_a_bad_registry_is_refused(code: str, document: object) -> None:
    with pytest.raises(Malformed) as caught:
        Classes(json.dumps(document).encode(), EAST)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("code", "document"),
    [
        ("json-invalid", b""),
        ("json-invalid", DOCUMENT[:-3]),
        ("json-duplicate-key", DOCUMENT.replace(b'"issuers":', b'"format":1,"issuers":')),
        ("json-float", DOCUMENT.replace(b'"format":1', b'"format":1.0')),
        ("json-integer-range", DOCUMENT.replace(b"9223372036854775807", b"9223372036854775808")),
        ("json-size", DOCUMENT + b" " * 65_536),
        ("text-not-utf8", DOCUMENT.replace(b"one trip", b"one \xff trip")),
    ],
)
def test_a_registry_that_is_not_strict_json_is_refused(code: str, document: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        Classes(document, EAST)
    assert caught.value.code == code


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("grammar", GRAMMARS)
def test_every_axis_and_every_grammar_can_be_read(axis: str, grammar: str) -> None:
    parts = [{**SUBJECT, "grammar": grammar}, PERIOD]
    document = one(axis=axis, dated=axis in ("seconds", "seats"), parts=parts)
    read = Classes(json.dumps(document).encode(), EAST)
    assert read.all[0].parts[0] == ("subject", grammar, "identity")
    assert read.all[0].axis == axis


@pytest.mark.parametrize("changes", [{"number": 255}, {"number": 1}, {"longest": 1}])
def test_the_bounds_of_numbers_can_be_read(changes: dict[str, int]) -> None:
    read = Classes(json.dumps(one(**changes)).encode(), EAST).all[0]
    for name, value in changes.items():
        assert getattr(read, name) == value


# --- the names of lines ---


def test_a_line_worked_out_by_hand() -> None:
    parts = cbor2.dumps(["metro", PSEUDONYM])
    assert parts == b"\x82\x65metro\x78\x20" + PSEUDONYM.encode()
    named = sha256(b"tally/line/v1\n" + parts).digest()
    assert CLASSES.line("ticket", ["metro", PSEUDONYM]) == b"\0\0" + b"\4" + named[:21]


def test_a_dated_line_worked_out_by_hand() -> None:
    parts = b"\x81\x78\x20" + PSEUDONYM.encode()
    named = sha256(b"tally/line/v1\n" + parts + b"\x50\x23").digest()
    assert DAY.to_bytes(2, "big") == b"\x50\x23"
    assert CLASSES.line("traveller", [PSEUDONYM], DAY) == b"\x50\x23" + b"\1" + named[:21]


def test_a_line_of_no_parts_worked_out_by_hand() -> None:
    assert CLASSES.line("books", []) == b"\0\0\x12" + sha256(b"tally/line/v1\n\x80").digest()[:21]


def test_a_holder_worked_out_by_hand() -> None:
    assert make_holder("reduction", b"leaf") == sha256(b"tally/holder/reduction/v1\nleaf").digest()


@given(
    st.integers(1, 255),
    st.lists(st.text("abc-", min_size=1, max_size=5), max_size=3),
    st.none() | st.integers(0, 65_535),
)
def test_lines_with_different_names_differ(number: int, parts: list[str], day: int | None) -> None:
    line = make_line(number, parts, day)
    assert len(line) == LINE_SIZE and line[2] == number
    assert int.from_bytes(line[:2]) == (day or 0)
    # No text can stand for two, and the day is part of the name: days cannot be linked.
    others = [
        make_line(number, [*parts, "x"], day),
        make_line(number, ["".join(["x", *parts])], day),
        make_line(number, parts, 1 if day is None else None),
        make_line(number, parts, 7 if day != 7 else 8),
    ]
    assert line[3:] not in [other[3:] for other in others]


@pytest.mark.parametrize(
    ("code", "name", "parts", "day"),
    [
        ("class-unknown", "tram", [PSEUDONYM], DAY),
        ("line-day", "traveller", [PSEUDONYM], None),
        ("line-day", "ticket", ["metro", PSEUDONYM], DAY),
        ("line-parts", "traveller", [], DAY),
        ("line-parts", "traveller", [PSEUDONYM, PSEUDONYM], DAY),
        ("line-part", "traveller", [PSEUDONYM.upper()], DAY),
        ("line-part", "traveller", [PSEUDONYM[:-1]], DAY),
        ("line-part", "traveller", [PSEUDONYM + "\n"], DAY),
        ("line-part", "ticket", ["Metro", PSEUDONYM], None),
        ("issuer-unknown", "ticket", ["shop", PSEUDONYM], None),
        ("issuer-unknown", "parcel", ["shop", PSEUDONYM], None),
    ],
)
def test_a_line_that_cannot_be_named(
    code: str, name: str, parts: list[str], day: int | None
) -> None:
    with pytest.raises(Malformed) as caught:
        CLASSES.line(name, parts, day)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("grammar", "good", "bad"),
    [
        (
            "slug",
            ["a", "0", "bus-ride", "v1.2", "a" * 64],
            ["", "A", "a_b", "-a", "a-", "a--b", "a.-b", "a" * 65, "a\n", "\u0430", "\uff11"],
        ),
        ("participant", ["metro-app"], ["metro app"]),
        ("issuer", ["metro"], ["Metro"]),
        ("pseudonym", [PSEUDONYM], ["", PSEUDONYM[1:], PSEUDONYM + "0", "g" * 32, "A" * 32]),
        ("period", ["day", "month", "year"], ["week", "Day", ""]),
        (
            "month",
            ["2026-01", "2026-12", "1970-10"],
            ["2026-00", "2026-13", "2026-1", "26-01", "2026-01-01", "2026-01\n", "２０２６-01"],
        ),
        ("text", ["A/b_c~!", "x" * 64], ["", "a b", "x" * 65, "\u00e9", "a\n", "\x7f"]),
    ],
)
def test_the_grammars_of_parts(grammar: str, good: list[str], bad: list[str]) -> None:
    for value in good:
        assert GRAMMARS[grammar](value)
    for value in bad:
        assert not GRAMMARS[grammar](value)


@pytest.mark.parametrize("value", [None, 1, b"a", ["a"], True])
def test_only_text_is_a_slug(value: object) -> None:
    assert not is_slug(value)


# --- what a class allows ---

TRAVELLER_LINE = CLASSES.line("traveller", [PSEUDONYM], DAY)
TICKET_LINE = CLASSES.line("ticket", ["metro", PSEUDONYM])
CAP_LINE = CLASSES.line("cap", ["bus-ride", "day", PSEUDONYM], DAY)
SERIAL_LINE = CLASSES.line("serial", ["registry", "A-1"])
BOOKS_LINE = CLASSES.line("books", [])
SHORT = copy.deepcopy(TRAVELLER) | {"number": 30, "name": "short", "longest": 600}
SHORT_CLASSES = classes(classes=[SHORT, {**TICKET, "longest": 100}])
SHORT_LINE = SHORT_CLASSES.line("short", [PSEUDONYM], DAY)


@pytest.mark.parametrize(
    ("line", "start", "end"),
    [
        (TRAVELLER_LINE, MIDNIGHT, MIDNIGHT + 86_400),
        (TRAVELLER_LINE, MIDNIGHT, MIDNIGHT + 1),
        (TRAVELLER_LINE, MIDNIGHT + 86_399, MIDNIGHT + 86_400),
        (TICKET_LINE, 0, FOREVER),
        (CAP_LINE, 0, 1),
        (CAP_LINE, 9_999, 10_000),
        (SERIAL_LINE, 0, FOREVER),
        (SERIAL_LINE, FOREVER - 1, FOREVER),
        (BOOKS_LINE, DAY, DAY + 1),
    ],
)
def test_a_span_that_is_allowed(line: bytes, start: int, end: int) -> None:
    CLASSES.allows(line, start, end)


@pytest.mark.parametrize(
    ("code", "line", "start", "end"),
    [
        ("span-class", TRAVELLER_LINE, MIDNIGHT - 1, MIDNIGHT + 1),
        ("span-class", TRAVELLER_LINE, MIDNIGHT, MIDNIGHT + 86_401),
        ("span-class", TRAVELLER_LINE, MIDNIGHT - 60, MIDNIGHT),
        ("span-class", TRAVELLER_LINE, MIDNIGHT + 86_400, MIDNIGHT + 86_460),
        ("span-class", TRAVELLER_LINE, MIDNIGHT + 5, MIDNIGHT + 5),
        ("span-class", TRAVELLER_LINE, MIDNIGHT + 5, MIDNIGHT + 4),
        ("span-class", CAP_LINE, 0, 2),
        ("span-class", CAP_LINE, 1, 1),
        ("span-class", CAP_LINE, -1, 0),
        ("span-class", CAP_LINE, FOREVER, FOREVER + 1),
        ("span-class", TICKET_LINE, 0, FOREVER - 1),
        ("span-class", TICKET_LINE, 1, FOREVER),
        ("span-class", TICKET_LINE, 0, FOREVER + 1),
        ("span-class", SERIAL_LINE, 9, 9),
        ("span-class", SERIAL_LINE, -1, 9),
        ("span-class", SERIAL_LINE, 0, FOREVER + 1),
        ("span-day", make_line(12, ["registry", "A-1"], 1), 0, 9),
        ("span-day", b"\0\1" + TICKET_LINE[2:], 0, FOREVER),
        ("class-unknown", make_line(23, ["x"]), 0, 9),
        ("class-unknown", bytes(24), 0, 9),
    ],
)
def test_a_span_that_is_not_allowed(code: str, line: bytes, start: int, end: int) -> None:
    with pytest.raises(VerificationError) as caught:
        CLASSES.allows(line, start, end)
    assert caught.value.code == code


def test_a_span_longer_than_its_class_has() -> None:
    SHORT_CLASSES.allows(SHORT_LINE, MIDNIGHT, MIDNIGHT + 600)
    with pytest.raises(VerificationError, match="span-class"):
        SHORT_CLASSES.allows(SHORT_LINE, MIDNIGHT, MIDNIGHT + 601)


@given(st.integers(-14 * 3600, 14 * 3600), st.integers(1, 65_000), st.data())
def test_exactly_the_seconds_of_its_day_are_allowed(
    offset: int, day: int, data: st.DataObject
) -> None:
    read = Classes(DOCUMENT, Calendar(offset))
    line = read.line("traveller", [PSEUDONYM], day)
    begin, end = Calendar(offset).start(day), Calendar(offset).start(day + 1)
    near = st.integers(begin - 5, begin + 5) | st.integers(end - 5, end + 5)
    low, high = data.draw(near), data.draw(near)
    if begin <= low < high <= end:
        read.allows(line, low, high)
    else:
        with pytest.raises(VerificationError, match="span-class"):
            read.allows(line, low, high)
