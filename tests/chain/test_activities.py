"""Activities: the one form, and everything that is not it."""

import hashlib
import json
from typing import Any

import pytest

from chain.activities import (
    ACTIVITY_BYTES_MAX,
    LINE_FIELDS,
    parse_activities,
    parse_activity,
    split_lines,
)
from chain.spans import FOREVER
from keys.errors import Malformed

GOOD: dict[str, Any] = {
    "format": 1,
    "id": "a-1",
    "scenario": "city-bus",
    "start": 1_772_424_000,
    "end": 1_772_424_300,
    "evidence": {"tier": "platform-record", "digest": "0" * 64},
    "authorisation": "1" * 64,
    "nonce": "ab" * 16,
}
FULL: dict[str, Any] = {
    **GOOD,
    "subject": "0" * 32,
    "vehicle": "1" * 32,
    "meter": "2" * 32,
    "ticket": {"issuer": "city-bus", "number": "3" * 32},
    "order": {"issuer": "canteen", "number": "4" * 32},
    "parcel": {"carrier": "post", "number": "5" * 32},
    "bill": {"issuer": "grid", "account": "6" * 32, "month": "2026-02"},
    "attributes": {"mode": "bus", "region": "华东"},
    "quantities": {"metres": 0, "grams": FOREVER},
}


def dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def code(data: bytes) -> str | None:
    try:
        parse_activity(data)
    except Malformed as error:
        return error.code
    return None


@pytest.mark.parametrize("given", [GOOD, FULL], ids=["least", "full"])
def test_what_is_read_is_what_stands_there(given: dict[str, Any]) -> None:
    data = dump(given)
    activity = parse_activity(data)
    assert activity.fields == given
    assert activity.data is data
    expected = hashlib.sha256(b"tally/activity/v1\n" + data).digest()
    assert activity.digest == expected


def test_other_bytes_are_another_activity() -> None:
    """Nothing is written again to check a hash, so a space makes a difference."""
    compact = json.dumps(GOOD, separators=(",", ":")).encode()
    assert parse_activity(compact).fields == parse_activity(dump(GOOD)).fields
    assert parse_activity(compact).digest != parse_activity(dump(GOOD)).digest


@pytest.mark.parametrize("name", GOOD)
def test_each_field_is_needed(name: str) -> None:
    assert code(dump({k: v for k, v in GOOD.items() if k != name})) == "field-missing"


ANOTHER_TYPE: list[Any] = [None, True, "1", 1, [], {}]


@pytest.mark.parametrize("name", FULL)
def test_each_field_has_its_type(name: str) -> None:
    for value in ANOTHER_TYPE:
        if type(value) is not type(FULL[name]):
            assert code(dump({**FULL, name: value})) == "field-type", value


CHANGED: list[tuple[dict[str, Any], str | None]] = [
    ({"format": 2}, "format-unknown"),
    ({"note": ""}, "field-unknown"),
    ({"id": ""}, "field-type"),
    ({"id": "x" * 128}, None),
    ({"id": "x" * 129}, "field-type"),
    ({"start": GOOD["end"]}, None),
    ({"start": GOOD["end"] + 1}, "field-type"),
    ({"start": -1}, "field-type"),
    ({"start": FOREVER, "end": FOREVER}, None),
    ({"end": 2**63}, "json-integer-range"),
    ({"evidence": {"tier": "photo"}}, "field-type"),
    ({"evidence": {"digest": "0" * 64}}, "field-type"),
    ({"evidence": {"tier": 1, "digest": "0" * 64}}, "field-type"),
    ({"evidence": {"tier": "photo", "digest": "0" * 63}}, "field-type"),
    ({"evidence": {"tier": "photo", "digest": "0" * 66}}, "field-type"),
    ({"evidence": {"tier": "photo", "digest": "A" * 64}}, "field-type"),
    ({"evidence": {"tier": "photo", "digest": "0" * 64, "note": ""}}, "field-type"),
    ({"authorisation": "1" * 62}, "field-type"),
    ({"authorisation": "G" * 64}, "field-type"),
    ({"nonce": "ab" * 15}, "field-type"),
    ({"nonce": "ab" * 64}, None),
    ({"nonce": "ab" * 65}, "field-type"),
    ({"nonce": "ab" * 16 + "a"}, "field-type"),
    ({"nonce": "AB" * 16}, "field-type"),
    ({"nonce": "\u0661" * 32}, "field-type"),
    ({"quantities": {"metres": -1}}, "field-type"),
    ({"quantities": {"metres": True}}, "field-type"),
    ({"quantities": {"metres": "1"}}, "field-type"),
    ({"attributes": {"mode": 1}}, "field-type"),
    ({"attributes": {"mode": None}}, "field-type"),
    ({"ticket": {"issuer": "city-bus"}}, "field-type"),
    ({"ticket": {"issuer": "city-bus", "number": 1}}, "field-type"),
    ({"ticket": {"issuer": "city-bus", "number": "1", "date": "x"}}, "field-type"),
    ({"id": "e\u0301"}, "text-not-nfc"),
    ({"id": "\u00e9"}, None),
]


@pytest.mark.parametrize(("changed", "expected"), CHANGED)
def test_values_out_of_bounds(changed: dict[str, Any], expected: str | None) -> None:
    assert code(dump({**GOOD, **changed})) == expected


LINE = dump(GOOD)
BYTES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "json-invalid"),
    "no object": (b"[]", "field-type"),
    "two objects": (LINE + LINE, "json-invalid"),
    "a key twice": (LINE[:-1] + b',"start":1}', "json-duplicate-key"),
    "a key twice by an escape": (LINE[:-1] + b',"st\\u0061rt":1}', "json-duplicate-key"),
    "a float": (LINE.replace(b'"format": 1', b'"format": 1.0'), "json-float"),
    "an exponent": (LINE.replace(b'"format": 1', b'"format": 1e0'), "json-float"),
    "not a number": (LINE.replace(b'"format": 1', b'"format": NaN'), "json-float"),
    "a line feed": (LINE[:-1] + b"\n}", "activity-line-feed"),
    "a line feed after it": (LINE + b"\n", "activity-line-feed"),
    "a carriage return": (LINE + b"\r", "activity-line-feed"),
    "too deep": (LINE[:-1] + b',"attributes":{"a":' + b"[" * 4 + b"]" * 4 + b"}}", "json-depth"),
    "a byte order mark": (b"\xef\xbb\xbf" + LINE, "json-invalid"),
    "not UTF-8": (LINE.replace(b"a-1", b"\xff\xff\xff"), "text-not-utf8"),
    "half a surrogate pair": (LINE.replace(b"a-1", b"\\ud800"), "text-not-utf8"),
    "too long": (LINE[:-1] + b" " * ACTIVITY_BYTES_MAX + b"}", "json-size"),
}


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_no_activity(name: str) -> None:
    data, expected = BYTES[name]
    assert code(data) == expected


def test_the_longest_activity() -> None:
    data = LINE[:-1] + b" " * (ACTIVITY_BYTES_MAX - len(LINE)) + b"}"
    assert len(data) == ACTIVITY_BYTES_MAX
    assert code(data) is None


def test_a_batch_names_the_line_that_is_wrong() -> None:
    assert [activity.data for activity in parse_activities([LINE, dump(FULL)])] == [
        LINE,
        dump(FULL),
    ]
    with pytest.raises(Malformed) as error:
        parse_activities([LINE, b"{}", LINE])
    assert error.value.code == "activity-invalid"
    assert error.value.details["line"] == 2
    assert set(LINE_FIELDS) == {"ticket", "order", "parcel", "bill"}


def test_lines_of_a_file() -> None:
    assert split_lines(b"a\nb\n") == split_lines(b"a\nb") == [b"a", b"b"]
    assert split_lines(b"") == []
    # An empty line is an activity that is none, and is not passed over.
    assert split_lines(b"a\n\nb\n") == [b"a", b"", b"b"]
