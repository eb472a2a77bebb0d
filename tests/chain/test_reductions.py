"""Reductions: one encoding, read strictly; files of them."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.reductions import (
    CLAIMS_MAX,
    GRAMS_MAX,
    Claim,
    Reduction,
    dump_reductions,
    parse_reductions,
    total_grams,
)
from chain.spans import FOREVER, make_holder
from keys.errors import Malformed
from keys.strict import DAY_MAX, dump_cbor

LINE_ID = bytes([2]) + bytes(range(21))
LINE = (20_514).to_bytes(2) + LINE_ID
CAP = (20_514).to_bytes(2) + b"\x08" + bytes(21)
DIGEST = bytes(range(32))
REDUCTION = Reduction.make(
    "metro-app", "city-bike", 1, 20_514, 52, (Claim(LINE, 1, 2), Claim(CAP)), DIGEST
)
ROWS: list[Any] = [[20_514, LINE_ID, 1, 2], [20_514, CAP[2:]]]
GOOD: list[Any] = [1, "metro-app", "city-bike", 1, 20_514, 52, ROWS, DIGEST]

LINES = st.binary(min_size=24, max_size=24)
CLAIMS = st.one_of(
    LINES.map(Claim),
    st.builds(
        lambda line, ends: Claim(line, *sorted(ends)),
        LINES,
        st.lists(st.integers(0, FOREVER), min_size=2, max_size=2, unique=True),
    ),
)
REDUCTIONS = st.builds(
    Reduction.make,
    st.sampled_from(["a", "metro-app", "x.y-z"]),
    st.sampled_from(["b", "city-bike"]),
    st.integers(1, FOREVER),
    st.integers(0, DAY_MAX),
    st.integers(1, GRAMS_MAX),
    st.lists(CLAIMS, min_size=1, max_size=5).map(tuple),
    st.binary(min_size=32, max_size=32),
)


def test_the_encoding_is_as_documented() -> None:
    assert REDUCTION.data == dump_cbor(GOOD)
    assert REDUCTION.leaf == hashlib.sha256(b"\0" + REDUCTION.data).digest()
    assert REDUCTION.holder == make_holder("reduction", REDUCTION.leaf)
    assert Reduction.parse(REDUCTION.data) == REDUCTION
    assert REDUCTION.claims[0].day == 20_514


@given(REDUCTIONS)
def test_round_trip(reduction: Reduction) -> None:
    assert Reduction.parse(reduction.data) == reduction


@given(REDUCTIONS, st.data())
def test_a_flipped_bit_is_another_reduction_or_none(reduction: Reduction, data: Any) -> None:
    place = data.draw(st.integers(0, len(reduction.data) * 8 - 1))
    flipped = bytearray(reduction.data)
    flipped[place // 8] ^= 1 << place % 8
    try:
        other = Reduction.parse(bytes(flipped))
    except Malformed:
        return
    assert other.data == flipped
    assert other.leaf != reduction.leaf
    made = Reduction.make(
        other.platform,
        other.scenario,
        other.version,
        other.day,
        other.grams,
        other.claims,
        other.digest,
    )
    assert made == other


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_malformed(data: bytes) -> None:
    try:
        assert Reduction.parse(data).data == data
    except Malformed as error:
        assert error.code in ("reduction-malformed", "cbor-not-canonical")


NOT_CANONICAL: dict[str, bytes] = {
    "nothing": b"",
    "a trailing byte": REDUCTION.data + b"\0",
    "cut off": REDUCTION.data[:-1],
    "an array without its length": b"\x9f" + REDUCTION.data[1:] + b"\xff",
    "an integer longer than needed": b"\x88\x18\x01" + REDUCTION.data[2:],
    "a float": b"\x88\xf9\x3c\x00" + REDUCTION.data[2:],
}


@pytest.mark.parametrize("name", NOT_CANONICAL)
def test_another_encoding_is_refused(name: str) -> None:
    with pytest.raises(Malformed) as error:
        Reduction.parse(NOT_CANONICAL[name])
    assert error.value.code in ("cbor-not-canonical", "reduction-malformed")


def at(place: int, value: Any) -> list[Any]:
    return [*GOOD[:place], value, *GOOD[place + 1 :]]


def row(*values: Any) -> list[Any]:
    return at(6, [[*values]])


MALFORMED: dict[str, Any] = {
    "a map": {1: 2},
    "a number": 1,
    "seven parts": GOOD[:7],
    "nine parts": [*GOOD, 1],
    "another format": at(0, 2),
    "a format that is true": at(0, True),
    "a platform in bytes": at(1, b"metro-app"),
    "a platform in capitals": at(1, "Metro"),
    "no platform": at(1, ""),
    "a long platform": at(1, "a" * 65),
    "a scenario with a line feed": at(2, "city-bike\n"),
    "a scenario that is none": at(2, None),
    "version 0": at(3, 0),
    "a version that is true": at(3, True),
    "a version beyond": at(3, 2**63),
    "a version as text": at(3, "1"),
    "a day below 0": at(4, -1),
    "a day beyond": at(4, DAY_MAX + 1),
    "no grams": at(5, 0),
    "negative grams": at(5, -52),
    "grams beyond": at(5, GRAMS_MAX + 1),
    "grams of a big integer": at(5, 2**70),
    "no claims": at(6, []),
    "claims in a map": at(6, {1: 1}),
    "too many claims": at(6, ROWS[:1] * (CLAIMS_MAX + 1)),
    "a short digest": at(7, bytes(31)),
    "a digest in text": at(7, "0" * 32),
    "a claim of three": row(20_514, LINE_ID, 1),
    "a claim of five": row(20_514, LINE_ID, 1, 2, 3),
    "a claim of one": row(20_514),
    "an empty claim": row(),
    "a claim that is a number": at(6, [1]),
    "a claim with a short line": row(20_514, LINE_ID[1:], 1, 2),
    "a claim with a line in text": row(20_514, "x" * 22, 1, 2),
    "a claim on a day beyond": row(DAY_MAX + 1, LINE_ID, 1, 2),
    "a claim on a day that is true": row(True, LINE_ID, 1, 2),
    "an empty span": row(20_514, LINE_ID, 2, 2),
    "a span backwards": row(20_514, LINE_ID, 3, 2),
    "a span from below 0": row(20_514, LINE_ID, -1, 2),
    "a span beyond for ever": row(20_514, LINE_ID, 1, 2**63),
    "a span from null": row(20_514, LINE_ID, None, 2),
    "a span from true": row(20_514, LINE_ID, True, 2),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_fields(name: str) -> None:
    with pytest.raises(Malformed) as error:
        Reduction.parse(dump_cbor(MALFORMED[name]))
    assert error.value.code == "reduction-malformed"


def test_the_most_claims() -> None:
    data = dump_cbor(at(6, ROWS[:1] * CLAIMS_MAX))
    assert len(Reduction.parse(data).claims) == CLAIMS_MAX
    with pytest.raises(Malformed) as error:
        Reduction.parse(dump_cbor(at(7, bytes(70_000))))
    assert error.value.code == "reduction-malformed"


@given(st.lists(REDUCTIONS, max_size=5))
def test_files(reductions: list[Reduction]) -> None:
    data = dump_reductions(reductions)
    assert parse_reductions(data) == reductions
    assert total_grams(reductions) == sum(r.grams for r in reductions)
    for size in {0, 1, 2, 3, len(data) // 2, len(data) - 1} - {len(data)}:
        if 0 <= size < len(data):
            try:
                assert (
                    parse_reductions(data[:size])
                    == reductions[: len(parse_reductions(data[:size]))]
                )
            except Malformed as error:
                assert error.code in ("reduction-malformed", "cbor-not-canonical")


def test_a_file_cut_off_is_refused() -> None:
    data = dump_reductions([REDUCTION, REDUCTION])
    for size in (1, 2, len(data) // 2 + 1, len(data) - 1):
        with pytest.raises(Malformed):
            parse_reductions(data[:size])
