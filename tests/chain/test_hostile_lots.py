"""No tree of a lot, however dishonest, gives accepted proofs that contradict one another.

A contradiction is one reduction with two gram counts or two stretches, two reductions with
stretches that overlap, or one root with two totals.  A liar builds small trees with keys that
stand twice or out of place, children that state other totals than they have, wrong prefixes and
lengths, swapped and grafted nodes; and shows each set of leaves in each way that the tree has.
With one protection taken away, the same search does find contradictions.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations, pairwise
from random import Random
from typing import Any

import pytest

from chain import lots, multiproofs
from chain.lots import Lot, LotEntry, check_lot
from chain.multiproofs import HIDDEN, KNOWN, Multiproof
from keys.errors import VerificationError

KEYS = [sha256(bytes((number,))).digest() for number in range(6)]
BITS = 256


@dataclass
class Node:
    """A node as its builder means it: a leaf, or two children; and what its parent says of it."""

    entry: LotEntry | None = None
    bits: int = 0
    prefix: bytes = b""
    sides: tuple["Node", "Node"] | None = None
    stated: tuple[int, int] | None = None

    @property
    def totals(self) -> tuple[int, int]:
        """Its count and grams by the children's word."""
        if self.entry is not None:
            return 1, self.entry[1]
        assert self.sides
        left, right = (side.stated or side.totals for side in self.sides)
        return left[0] + right[0], left[1] + right[1]

    def child(self) -> bytes:
        """What its parent commits to."""
        count, grams = self.stated or self.totals
        return count.to_bytes(8, "big") + grams.to_bytes(8, "big") + self.hash()

    def hash(self) -> bytes:
        if self.entry is not None:
            return sha256(b"\x12" + self.entry[0] + self.entry[1].to_bytes(8, "big")).digest()
        assert self.sides
        left, right = (side.child() for side in self.sides)
        head = b"\x13" + self.bits.to_bytes(2, "big") + self.prefix
        return sha256(head + left + right).digest()

    def nodes(self) -> Iterator["Node"]:
        yield self
        for side in self.sides or ():
            yield from side.nodes()


def prefix_of(bits: int, key: int) -> bytes:
    return (key >> (BITS - bits) << (-bits % 8)).to_bytes((bits + 7) // 8, "big")


def grow(leaves: list[tuple[int, LotEntry]]) -> Node:
    """The tree over leaves in the places given."""
    if len(leaves) == 1:
        return Node(leaves[0][1])
    bits = BITS - (leaves[0][0] ^ leaves[-1][0]).bit_length()
    middle = next(at for at, leaf in enumerate(leaves) if leaf[0] >> (BITS - 1 - bits) & 1)
    sides = grow(leaves[:middle]), grow(leaves[middle:])
    return Node(None, bits, prefix_of(bits, leaves[0][0]), sides)


def hostile(rng: Random) -> Node:
    places: dict[int, LotEntry] = {}
    for _ in range(rng.randrange(2, 6)):
        key, grams = rng.choice(KEYS), rng.randrange(1, 5)
        place = int.from_bytes(key, "big")
        while place in places or rng.random() < 0.1:
            # A reduction that stands twice, or out of its place.
            place ^= 1 << (BITS - 1 - rng.randrange(4))
        places[place] = key, grams
    top = grow(sorted(places.items()))
    for _ in range(rng.randrange(3)):
        node = rng.choice(list(top.nodes()))
        forks = [fork for fork in top.nodes() if fork.sides]
        fork = rng.choice(forks) if forks else None
        trick = rng.choice(("state", "state", "prefix", "bits", "swap", "graft"))
        if trick == "state" and node is not top:
            count, grams = node.totals
            node.stated = max(count + rng.randrange(-1, 2), 0), max(grams + rng.randrange(-2, 3), 0)
        elif fork is not None and fork.sides is not None:
            if trick == "prefix":
                fork.prefix = prefix_of(fork.bits, int.from_bytes(rng.choice(KEYS), "big"))
            elif trick == "bits":
                fork.bits = max(fork.bits + rng.choice((-1, 1)), 0)
                fork.prefix = prefix_of(fork.bits, int.from_bytes(rng.choice(KEYS), "big"))
            elif trick == "swap":
                fork.sides = fork.sides[::-1]
            elif trick == "graft" and fork not in node.nodes():
                fork.sides = (node, fork.sides[1])
    return top


def arrange(
    node: Node, chosen: set[int], at: list[int]
) -> tuple[list[LotEntry | bytes], list[int]]:
    """The items of a proof that shows the leaves with these numbers, in the order of the tree."""
    leaves = sum(one.entry is not None for one in node.nodes())
    if not chosen & set(range(at[0], at[0] + leaves)):
        at[0] += leaves
        return [node.child()], []
    if node.entry is not None:
        at[0] += 1
        return [node.entry], []
    assert node.sides
    left, before = arrange(node.sides[0], chosen, at)
    right, behind = arrange(node.sides[1], chosen, at)
    return [*left, *right], [*before, node.bits, *behind]


Proved = set[tuple[tuple[int, int], bytes, int, int]]


def prove(top: Node) -> Proved:
    """(totals, key, grams, start) of everything that some proof gets accepted under the root."""
    proved: Proved = set()
    count = sum(node.entry is not None for node in top.nodes())
    for size in range(1, count + 1):
        for chosen in combinations(range(count), size):
            items, bits = arrange(top, set(chosen), [0])
            entries = [item for item in items if not isinstance(item, bytes)]
            parts = [item if isinstance(item, bytes) else b"" for item in items]
            marks = [HIDDEN if part else KNOWN for part in parts]
            proof = Multiproof(marks, bytes(bits), parts).to_bytes()
            for stated in {top.totals, (count, sum(e[1] for e in entries))}:
                lot = Lot("metro-app", "city-bus", 1, *stated, top.hash())
                try:
                    starts = check_lot(lot, entries, proof)
                except VerificationError:
                    continue
                for (key, grams), start in zip(entries, starts, strict=True):
                    proved.add((stated, key, grams, start))
    return proved


def contradicts(proved: Proved) -> bool:
    stretches = sorted({(start, grams, key) for _, key, grams, start in proved})
    return (
        len({totals for totals, *_ in proved}) > 1
        or len({key for *_, key in stretches}) != len(stretches)
        or any(one[0] + one[1] > other[0] for one, other in pairwise(stretches))
        or any(start + grams > totals[1] for totals, _, grams, start in proved)
    )


def search(seed: int, count: int) -> tuple[int, int]:
    """How many reductions are proved in so many trees, and how many trees contradict themselves."""
    rng = Random(seed)
    proved = contradicting = 0
    for _ in range(count):
        found = prove(hostile(rng))
        proved += len(found)
        contradicting += contradicts(found)
    return proved, contradicting


@pytest.mark.parametrize("part", [0, *(pytest.param(n, marks=pytest.mark.long) for n in (1, 2))])
def test_no_hostile_lot_contradicts_itself(part: int) -> None:
    proved, contradicting = search(part, 1_500)
    print(proved, contradicting)
    assert contradicting == 0
    # The search would say nothing if nothing were accepted.
    assert proved > 1_500


class Always(int):
    """A number that is equal to any."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


def lax_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiproofs, "common_bits", lambda one, other: Always(0))
    monkeypatch.setattr(multiproofs, "bit", lambda key, position: Always(0))


def lax_totals(monkeypatch: pytest.MonkeyPatch) -> None:
    real = lots._totals

    def totals(child: bytes) -> Any:
        count, grams = real(child)
        return Always(count), Always(grams)

    monkeypatch.setattr(lots, "_totals", totals)


@pytest.mark.parametrize("take_away", [lax_order, lax_totals])
def test_with_one_protection_taken_away_there_are_contradictions(
    take_away: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    take_away(monkeypatch)
    assert search(1, 600)[1] > 10
