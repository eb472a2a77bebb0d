"""Hashes, trees and lines: the compiled kernel gives what the Python gives."""

import carbon_tally_native as native
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.kernels import reference

from keys.errors import VerificationError

merkle, spans, lots = map(reference, ("chain.merkle", "chain.spans", "chain.lots"))
HASH = st.binary(min_size=32, max_size=32)
ENTRIES = st.dictionaries(HASH, st.integers(1, 2**40), min_size=1, max_size=40)


@given(datas=st.lists(st.binary(max_size=600), max_size=20))
def test_leaves_hash_alike(datas: list[bytes]) -> None:
    assert native.leaf_hashes(datas) == merkle.leaf_hashes(datas)


@given(leaves=st.lists(HASH, max_size=70))
def test_trees_are_the_same(leaves: list[bytes]) -> None:
    assert native.pair_up(leaves) == merkle.pair_up(leaves)
    assert native.root(leaves) == merkle.root(leaves)


@given(
    number=st.integers(1, 255),
    parts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), max_size=30),
    day=st.none() | st.integers(0, 65_535),
)
def test_lines_are_the_same(number: int, parts: list[str], day: int | None) -> None:
    assert native.make_line(number, parts, day) == spans.make_line(number, parts, day)


@given(entries=ENTRIES)
def test_lots_are_the_same(entries: dict[bytes, int]) -> None:
    ordered = sorted(entries.items())
    assert native.build_nodes(ordered) == lots.build_nodes(ordered)


ONE = bytes(32)


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [(ONE, 0)],
        [(ONE, -1)],
        [(ONE, 2**63)],
        [(ONE, 2**64)],
        [(ONE, 1), (ONE, 2)],
        [(ONE, 2**63 - 1), (b"\1" * 32, 1)],
    ],
)
def test_lots_are_refused_alike(entries: list[tuple[bytes, int]]) -> None:
    codes = set()
    for build in (native.build_nodes, lots.build_nodes):
        with pytest.raises(VerificationError) as caught:
            build(entries)
        codes.add(caught.value.code)
    assert len(codes) == 1
