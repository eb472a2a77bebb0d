"""No tree, however dishonest, gives accepted proofs that contradict one another.

A contradiction is a held span and a free stretch that overlap, or two different held spans that
do: on one line, or on two days of one traveller.  With one protection taken away, the same search
does find some; so the trees are dishonest enough.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path as FilePath
from random import Random

import pytest
from support.trees import LINES, contradictions, hostile_tree, prove

from chain import proofs
from chain.calendar import Calendar
from chain.classes import Classes
from chain.proofs import Path, SpanCheck
from chain.spans import EMPTY_ROOT, KEY_BITS, bit, node_hash
from keys.errors import VerificationError

CLASSES = Classes(
    FilePath(proofs.__file__).with_name("library").joinpath("classes.json").read_bytes(),
    Calendar(0),
)
Committed = dict[tuple[int, bytes, bytes], bytes]


@dataclass
class Found:
    """What a search through many trees came to."""

    trees: int = 0
    held: int = 0
    free: int = 0
    contradicting: int = 0

    def __str__(self) -> str:
        return (
            f"{self.trees:,} trees: {self.held:,} held and {self.free:,} free accepted, "
            f"{self.contradicting:,} trees with contradictions"
        )


def search(seed: int, count: int, allows: SpanCheck, committed: Committed | None = None) -> Found:
    """Search ``count`` trees; ``committed`` is filled with the table of nodes of each in turn."""
    found = Found()
    rng = Random(seed)
    for _ in range(count):
        tree = hostile_tree(rng)
        if committed is not None:
            committed.clear()
            committed.update(tree.committed)
        proved = prove(tree, allows)
        held = sum(one.span is not None for one in proved)
        found.trees += 1
        found.held += held
        found.free += len(proved) - held
        found.contradicting += contradictions(proved) > 0
    return found


@pytest.mark.parametrize("part", range(2))
def test_no_hostile_tree_contradicts_itself(part: int) -> None:
    found = search(part, 2_500, CLASSES.allows)
    print(found)
    assert found.contradicting == 0
    # The search would say nothing if nothing were accepted.
    assert found.held > found.trees and found.free > found.trees


@pytest.mark.long
@pytest.mark.parametrize("part", range(40))
def test_no_hostile_tree_of_a_million_contradicts_itself(part: int) -> None:
    total = Found()
    began = time.monotonic()
    for step in range(5):
        found = search(1_000 + 5 * part + step, 5_000, CLASSES.allows)
        for name, value in vars(found).items():
            setattr(total, name, getattr(total, name) + value)
        print(f"part {part}: {total} ({time.monotonic() - began:.0f} s)")
    assert total.contradicting == 0


def test_the_search_leaves_out_nothing_that_is_accepted() -> None:
    rng = Random(7)
    for _ in range(150):
        tree = hostile_tree(rng)
        quick = set(prove(tree, CLASSES.allows))
        thorough = set(prove(tree, CLASSES.allows, everything=True))
        assert quick == thorough


def test_the_lines_of_the_search_are_lines_of_their_classes() -> None:
    for line in LINES:
        start, end = line.widest(0, 2**63 - 1)[0]
        CLASSES.allows(line.name, start, end)


# --- with one protection taken away ---


def without_prefix(committed: Committed) -> Callable[[bytes, bytes, Path], bytes]:
    """`path_root` with the prefix taken from the tree, whatever it is, and not from the key."""

    def path_root(key: bytes, digest: bytes, path: Path) -> bytes:
        last = KEY_BITS
        for bits, sibling in reversed(path):
            if not 0 <= bits < last or sibling == EMPTY_ROOT:
                raise VerificationError("path-not-descending")
            last = bits
            children = (sibling, digest) if bit(key, bits) else (digest, sibling)
            digest = committed.get((bits, *children)) or node_hash(bits, key, *children)
        return digest

    return path_root


def test_without_the_prefix_check_there_are_contradictions(monkeypatch: pytest.MonkeyPatch) -> None:
    committed: Committed = {}
    monkeypatch.setattr(proofs, "path_root", without_prefix(committed))
    found = search(1, 1_000, CLASSES.allows, committed)
    print(found)
    assert found.contradicting > 10


def test_without_the_prefix_check_on_neighbours_there_are_contradictions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    committed: Committed = {}
    lax, strict = without_prefix(committed), proofs.path_root

    def with_lax(check: Callable[..., bytes]) -> Callable[..., bytes]:
        def checked(*given: object) -> bytes:
            proofs.path_root = lax
            try:
                return check(*given)
            finally:
                proofs.path_root = strict

        return checked

    monkeypatch.setattr(proofs, "_check_before", with_lax(proofs._check_before))
    monkeypatch.setattr(proofs, "_check_after", with_lax(proofs._check_after))
    found = search(1, 6_000, CLASSES.allows, committed)
    print(found)
    assert found.contradicting > 3


def test_without_the_neighbours_of_held_there_are_contradictions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proofs, "_check_neighbours", lambda root, proof: None)
    found = search(1, 1_000, CLASSES.allows)
    print(found)
    assert found.contradicting > 10


def test_without_the_day_check_there_are_contradictions() -> None:
    found = search(1, 1_000, lambda line, start, end: None)
    print(found)
    assert found.contradicting > 10
