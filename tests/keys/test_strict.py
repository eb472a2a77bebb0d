"""Strict reading: one value has one spelling, and nothing but `Malformed` comes out."""

import base64
import json
import unicodedata

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import Malformed
from keys.strict import (
    DAY_MAX,
    INTEGER_MAX,
    INTEGER_MIN,
    dump_base64,
    dump_cbor,
    dump_date,
    dump_json,
    fields,
    parse_base64,
    parse_cbor,
    parse_date,
    parse_decimal,
    parse_hex,
    parse_json,
    parse_text,
)


def code(error: pytest.ExceptionInfo[Malformed]) -> str:
    str(error.value), dump_json(error.value.as_json())  # what is refused can still be told
    return error.value.code


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":1,"a":1}', "json-duplicate-key"),
        (b'{"b":{"a":1,"\\u0061":2}}', "json-duplicate-key"),
        (b'{"\\ud800":1,"\\ud800":2}', "json-duplicate-key"),
        (b"1.0", "json-float"),
        (b"[1e3]", "json-float"),
        (b"-0.0", "json-float"),
        (b"NaN", "json-float"),
        (b"[Infinity]", "json-float"),
        (b"-Infinity", "json-float"),
        (b"9223372036854775808", "json-integer-range"),
        (b"-9223372036854775809", "json-integer-range"),
        (b"9" * 60_000, "json-integer-range"),
        (b"[" * 17 + b"]" * 17, "json-depth"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, "json-depth"),
        (b"[" * 60_000, "json-depth"),
        (b'"' + b" " * 65_535 + b'"', "json-size"),
        (b'"\xff"', "text-not-utf8"),
        (b'"\xed\xa0\x80"', "text-not-utf8"),
        (b'"\\ud800"', "text-not-utf8"),
        (b'["\\udc00\\ud800"]', "text-not-utf8"),
        (b'{"\\ud83d":1}', "text-not-utf8"),
        ('"e\u0301"'.encode(), "text-not-nfc"),
        (b'"e\\u0301"', "text-not-nfc"),
        ('"\\u0065\u0301"'.encode(), "text-not-nfc"),
        (b'{"a":{"e\\u0301":1}}', "text-not-nfc"),
        (b'["\\u212b"]', "text-not-nfc"),
        (b"", "json-invalid"),
        (b"\xef\xbb\xbf1", "json-invalid"),
        (b"1 1", "json-invalid"),
        (b"{'a':1}", "json-invalid"),
        (b"[1,]", "json-invalid"),
        (b"01", "json-invalid"),
        (b'"\t"', "json-invalid"),
    ],
)
def test_json_that_is_refused(data: bytes, expected: str) -> None:
    with pytest.raises(Malformed) as error:
        parse_json(data)
    assert code(error) == expected


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"[" * 16 + b"]" * 16, None),
        (b'"[[[[[[[[[[[[[[[[[[[[{{{{{{{{{{"', "[" * 20 + "{" * 10),
        (b'["\\"[[[[[[[[[[[[[[[[[[[["]', ['"' + "[" * 20]),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b" 9223372036854775807 ", INTEGER_MAX),
        (b"-9223372036854775808", INTEGER_MIN),
    ],
)
def test_json_that_is_accepted(data: bytes, value: object) -> None:
    assert parse_json(data) == (value if value is not None else json.loads(data))


def test_an_unclosed_string_is_read_in_one_pass() -> None:
    # Quadratic reading of this would take minutes; a hang fails the suite's own time limit.
    with pytest.raises(Malformed) as error:
        parse_json(b"[" * 17 + b'"' + b'\\"' * 500_000, bytes_max=2_000_000)
    assert code(error) == "json-depth"


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20).filter(
    lambda value: unicodedata.is_normalized("NFC", value)
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(INTEGER_MIN, INTEGER_MAX) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_json_round_trip(value: object) -> None:
    assert parse_json(dump_json(value), depth_max=100) == value
    escaped = json.dumps(value).encode()
    assert parse_json(escaped, depth_max=100) == value


@given(st.binary(max_size=80) | st.text(alphabet='{}[]",:\\ue0381-.x', max_size=60).map(str.encode))
def test_json_raises_nothing_but_malformed(data: bytes) -> None:
    try:
        parse_json(data)
    except Malformed as error:
        dump_json(error.as_json())


@pytest.mark.parametrize("value", ["e\u0301", "\u212b", "\ud800", "a\udfff"])
def test_text_that_is_refused(value: str) -> None:
    with pytest.raises(Malformed):
        parse_text(value)


def test_text_that_is_accepted() -> None:
    for value in ("", "plain", "\u00e9", "碳普惠", "\U0001f600"):
        assert parse_text(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "QQ",
        "QQ=",
        "QR==",
        "Q Q==",
        "QQ==\n",
        "QQ==QQ==",
        "-_-_",
        "\u00e9AAA",
        "=",
        None,
        7,
        b"QQ==",
    ],
)
def test_base64_that_is_refused(value: object) -> None:
    with pytest.raises(Malformed) as error:
        parse_base64(value)
    assert code(error) == "base64-not-canonical"


@given(st.binary(max_size=70))
def test_base64_round_trip(data: bytes) -> None:
    written = dump_base64(data)
    assert written == base64.b64encode(data).decode()
    assert parse_base64(written) == parse_base64(written, len(data)) == data
    with pytest.raises(Malformed):
        parse_base64(written, len(data) + 1)


@pytest.mark.parametrize("value", ["AB", "a", "abcd", " a", "g0", "\u0661\u0661", None, b"ab"])
def test_hex_that_is_refused(value: object) -> None:
    with pytest.raises(Malformed) as error:
        parse_hex(value, 1)
    assert code(error) == "hex-not-canonical"


@given(st.binary(max_size=40))
def test_hex_round_trip(data: bytes) -> None:
    assert parse_hex(data.hex(), len(data)) == data


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0", (0, 0)), ("204.2", (2042, 1)), ("0.001", (1, 3)), ("10", (10, 0))],
)
def test_decimals(value: str, expected: tuple[int, int]) -> None:
    assert parse_decimal(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *("", "-1", "+1", "01", "1.0", "1.", ".5", "1e3", "1_0", " 1", "1\n", "\u0661", "NaN"),
        *("9" * 19, "0." + "0" * 18 + "1", 1, None),
    ],
)
def test_decimals_that_are_refused(value: object) -> None:
    with pytest.raises(Malformed) as error:
        parse_decimal(value)
    assert code(error) == "decimal-not-canonical"


@given(st.integers(0, DAY_MAX))
def test_date_round_trip(day: int) -> None:
    assert parse_date(dump_date(day)) == day


@pytest.mark.parametrize(
    "value",
    [
        *("1969-12-31", "2149-06-07", "2026-02-29", "2026-1-1", "20260101", "2026-01-01T00"),
        *("", "2026-W1", "\u0662026-01-01", None, 0, True, [], {}),
    ],
)
def test_dates_that_are_refused(value: object) -> None:
    with pytest.raises(Malformed) as error:
        parse_date(value)
    assert code(error) == "date-invalid"


@given(
    st.recursive(
        st.integers(INTEGER_MIN, INTEGER_MAX) | st.binary(max_size=30) | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.integers(0, 300), inner, max_size=4)
        ),
        max_leaves=10,
    )
)
def test_cbor_round_trip(value: object) -> None:
    assert parse_cbor(dump_cbor(value), depth_max=100) == value


@pytest.mark.parametrize(
    "data",
    [
        "",  # nothing
        "1800",  # 0 in two bytes
        "190017",  # 23 in three bytes
        "1b0000000000000001",  # 1 in nine bytes
        "5800",  # a length in two bytes
        "9800",  # an array's length in two bytes
        "9fff",  # indefinite array
        "bfff",  # indefinite map
        "5f4100ff",  # indefinite bytes
        "7f6161ff",  # indefinite text
        "a201000100",  # duplicate label
        "a202000100",  # labels out of order
        "0000",  # trailing bytes
        "8101ff",  # trailing break
        "82",  # cut short
        "61ff",  # text that is not UTF-8
        "c24101",  # a small integer written as a big one
        "5bffffffffffffffff",  # a length that nothing follows
        "9bffffffffffffffff",
        "81" * 17 + "00",  # too deep
        "81" * 60_000,
        "d823" + "6128",  # a tag whose content is wrong
        "d81c81d81d00",  # a value that holds itself
    ],
)
def test_cbor_that_is_refused(data: str) -> None:
    with pytest.raises(Malformed) as error:
        parse_cbor(bytes.fromhex(data))
    assert code(error) == "cbor-not-canonical"


@given(st.binary(max_size=60))
def test_cbor_raises_nothing_but_malformed(data: bytes) -> None:
    try:
        value = parse_cbor(data)
    except Malformed:
        return
    assert cbor2.dumps(value, canonical=True) == data


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], "field-type"),
        ({}, "field-missing"),
        ({"n": 1, "x": 1}, "field-unknown"),
        ({"n": True}, "field-type"),
        ({"n": "1"}, "field-type"),
        ({"n": None}, "field-type"),
        ({"n": 1, "t": 1}, "field-type"),
    ],
)
def test_fields_that_are_refused(value: object, expected: str) -> None:
    with pytest.raises(Malformed) as error:
        fields(value, "thing", {"n": int}, {"t": (str, bool)})
    assert code(error) == expected


def test_fields_that_are_accepted() -> None:
    for value in ({"n": 1}, {"n": 0, "t": ""}):
        assert fields(value, "thing", {"n": int}, {"t": str}) is value
