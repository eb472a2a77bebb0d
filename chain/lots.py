"""Lots: the reductions of one platform, scenario and day, once the books of the day are closed.

A lot is a tree of the same kind as the register (`chain.spans`), with one more thing committed to:
every child of a node carries the count and the grams below it.  So a total is proved, and no
reduction can stand in a lot twice, since a key has one place.

*Key*: the leaf hash of the reduction, 32 bytes.  *Child*: ``count (8) ‖ grams (8) ‖ hash (32)``.

*Leaf*: ``SHA-256(0x12 ‖ key ‖ grams (8))``, with the count 1.

*Inner node*: ``SHA-256(0x13 ‖ bits (2) ‖ prefix ‖ left child (48) ‖ right child (48))``; its count
and its grams are the sums of its children's.  Everywhere 1 ≤ count ≤ grams < 2^63, since a
reduction is of one gram at least.

The *record* of a lot is the CBOR array ``[platform, scenario, day, count, grams, root]``, the root
being the hash of the top node; it holds the span ``[day, day + 1)`` on the line ``lot`` of the
platform and the scenario.

In the order of its keys, each reduction of a lot has the stretch ``[start, start + grams)`` of
grams, ``start`` being the grams of all before it.  Whoever draws an offset finds one reduction,
with a chance in proportion to its grams, and a proof shows where its stretch begins.

A *file of a lot* is each reduction's key and grams (8), in the order of the keys.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from chain.kernel import in_kernel
from chain.multiproofs import HIDDEN, KNOWN, Item, Multiproof, cover, fold
from chain.spans import FOREVER, HASH_SIZE, KEY_SIZE, make_holder, node_heads
from keys.errors import VerificationError
from keys.strict import dump_cbor, dump_date, fields, parse_date, parse_hex

_ANNOTATION_SIZE = 16
CHILD_SIZE = _ANNOTATION_SIZE + HASH_SIZE
ENTRY_SIZE = KEY_SIZE + 8
_PARTS = (0, CHILD_SIZE)
_node_head = node_heads(0x13)

LotEntry = tuple[bytes, int]
"""A reduction in a lot: its leaf hash and its grams."""


class Lot(NamedTuple):
    """The record of a lot; lots sort by platform, scenario and day."""

    platform: str
    scenario: str
    day: int
    count: int  # type: ignore[assignment]  # a tuple has a method of this name
    grams: int
    root: bytes

    @property
    def holder(self) -> bytes:
        """What stands for it in the register."""
        return make_holder("lot", dump_cbor(list(self)))

    def as_json(self) -> dict[str, Any]:
        """The record as programs read it."""
        return {**self._asdict(), "day": dump_date(self.day), "root": self.root.hex()}

    @classmethod
    def from_json(cls, value: object) -> "Lot":
        """Read a record; raises `Malformed`."""
        texts, numbers = ("platform", "scenario", "day", "root"), ("count", "grams")
        given = fields(value, "lot", {**dict.fromkeys(texts, str), **dict.fromkeys(numbers, int)})
        return cls(
            given["platform"],
            given["scenario"],
            parse_date(given["day"]),
            given["count"],
            given["grams"],
            parse_hex(given["root"], HASH_SIZE),
        )


def _child(annotation: int, digest: bytes) -> bytes:
    return annotation.to_bytes(_ANNOTATION_SIZE) + digest


def _leaf(key: bytes, grams: int) -> bytes:
    """The child that a reduction is."""
    if not 1 <= grams <= FOREVER:
        raise VerificationError("lot-bounds")
    return _child(1 << 64 | grams, sha256(b"\x12" + key + grams.to_bytes(8)).digest())


def _totals(child: bytes) -> tuple[int, int]:
    """The count and the grams that a child states; raises `VerificationError` "lot-bounds"."""
    count, grams = int.from_bytes(child[:8]), int.from_bytes(child[8:_ANNOTATION_SIZE])
    if not 1 <= count <= grams <= FOREVER:
        raise VerificationError("lot-bounds")
    return count, grams


def lot_node(bits: int, key: bytes, left: bytes, right: bytes) -> bytes:
    """The child that an inner node is; raises `VerificationError` "lot-bounds"."""
    counts, grams = zip(_totals(left), _totals(right), strict=True)
    # Below 2^64 the sums do not run into one another; whoever reads them looks at the bound.
    annotation = sum(counts) << 64 | sum(grams)
    return _child(annotation, sha256(_node_head(bits, key) + left + right).digest())


@in_kernel
def build_nodes(entries: Sequence[LotEntry]) -> tuple[list[bytes], bytes, list[bytes], bytes]:
    """The leaves of a lot, the bits and the nodes between them, and the top one, as children.

    entries: in the order of their keys, at least one, no key twice.  Between two neighbouring
    leaves stands the node that parts them, as in a page of the register (`chain.pages`): its bits
    and the child that it is have the place of the second.  Raises `VerificationError`.
    """
    if not entries or sum(grams for _, grams in entries) > FOREVER:
        raise VerificationError("lot-bounds")
    leaves = [_leaf(key, grams) for key, grams in entries]
    numbers = [int.from_bytes(key) for key, _ in entries]
    commons = [0, *(256 - (one ^ other).bit_length() for one, other in pairwise(numbers))]
    if max(commons) == 256:
        raise VerificationError("lot-key-twice")
    nodes = [b""] * len(entries)
    head, read, hashed = _node_head, int.from_bytes, sha256
    # What stands to the left of nodes whose right side is not finished: annotation, child.
    waiting: list[tuple[int, int, bytes]] = []
    annotation, child = read(leaves[0][:_ANNOTATION_SIZE]), leaves[0]

    def close(until: int) -> None:
        nonlocal annotation, child
        while waiting and commons[waiting[-1][0]] > until:
            place, left_annotation, left = waiting.pop()
            annotation += left_annotation
            digest = hashed(head(commons[place], entries[place][0]) + left + child).digest()
            child = nodes[place] = annotation.to_bytes(_ANNOTATION_SIZE) + digest

    for place in range(1, len(entries)):
        close(commons[place])
        waiting.append((place, annotation, child))
        child = leaves[place]
        annotation = read(child[:_ANNOTATION_SIZE])
    close(-1)
    return leaves, bytes(commons), nodes, child


def read_entries(data: bytes) -> Iterator[LotEntry]:
    """Entries as a file of a lot has them, one after the other."""
    for at in range(0, len(data), ENTRY_SIZE):
        row = data[at : at + ENTRY_SIZE]
        yield row[:KEY_SIZE], int.from_bytes(row[KEY_SIZE:])


class LotTree:
    """The tree of a lot, built at once from all its reductions."""

    def __init__(self, entries: Iterable[LotEntry]) -> None:
        """entries: at least one, no key twice, in any order; raises `VerificationError`."""
        ordered = sorted(entries)
        self.keys = [key for key, _ in ordered]
        self._starts = list(accumulate((grams for _, grams in ordered), initial=0))
        self._leaves, self._commons, self._nodes, self.top = build_nodes(ordered)

    @property
    def count(self) -> int:
        """How many reductions it has."""
        return len(self.keys)

    @property
    def grams(self) -> int:
        """The grams of all of them."""
        return self._starts[-1]

    @property
    def root(self) -> bytes:
        """The hash of the top node."""
        return self.top[_ANNOTATION_SIZE:]

    def entries(self) -> Iterator[LotEntry]:
        """Each reduction's key and grams, in the order of the keys."""
        for place, key in enumerate(self.keys):
            yield key, self._starts[place + 1] - self._starts[place]

    def at(self, offset: int) -> LotEntry:
        """The reduction whose stretch of grams holds ``offset``, 0 ≤ offset < grams."""
        place = bisect_right(self._starts, offset) - 1
        return self.keys[place], self._starts[place + 1] - self._starts[place]

    def prove(self, keys: Iterable[bytes]) -> bytes:
        """The multiproof of these reductions, at least one; raises `Fault` if one is not there."""
        items, bits = cover(_Part(self, 0, self.count), sorted(set(keys)))
        marks = [KNOWN if child is None else HIDDEN for child in items]
        return Multiproof(marks, bits, [child or b"" for child in items]).to_bytes()

    def to_bytes(self) -> bytes:
        """The file of the lot."""
        return b"".join(key + grams.to_bytes(8) for key, grams in self.entries())

    @classmethod
    def parse(cls, data: bytes) -> "LotTree":
        """Build the tree from a file of a lot; raises `VerificationError`."""
        if len(data) % ENTRY_SIZE:
            raise VerificationError("lot-file")
        return cls(read_entries(data))


class _Part(NamedTuple):
    """The reductions ``low`` to ``high`` of a tree, all that are below one node."""

    tree: LotTree
    low: int
    high: int

    def _split(self) -> int:
        commons = self.tree._commons[self.low + 1 : self.high]
        return self.low + 1 + commons.index(min(commons))

    def first(self) -> bytes:
        return self.tree.keys[self.low]

    def child(self) -> bytes:
        if self.high - self.low == 1:
            return self.tree._leaves[self.low]
        return self.tree._nodes[self._split()]

    def parts(self) -> "tuple[int, _Part, _Part] | None":
        if self.high - self.low == 1:
            return None
        tree, low, high = self
        place = self._split()
        return tree._commons[place], _Part(tree, low, place), _Part(tree, place, high)


def check_lot(lot: Lot, entries: Sequence[LotEntry], proof: bytes) -> list[int]:
    """Accept that ``entries`` are in the lot, by their multiproof, or raise `VerificationError`.

    entries: in the order of their keys.  Returns for each where its stretch of grams begins.
    """
    shown = Multiproof.parse(proof, _PARTS)
    if shown.marks.count(KNOWN) != len(entries):
        raise VerificationError("multiproof-leaves")
    given = iter(entries)
    items, starts, reached = [], [], 0
    for mark, part in zip(shown.marks, shown.parts, strict=True):
        if mark == KNOWN:
            key, grams = next(given)
            item = Item(key, _leaf(key, grams))
            starts.append(reached)
        else:
            item = Item(None, part)
        items.append(item)
        reached += _totals(item.child)[1]
    top = fold(lot_node, items, shown.bits)
    if (*_totals(top), top[_ANNOTATION_SIZE:]) != lot[3:]:
        raise VerificationError("lot-root-differs")
    return starts
