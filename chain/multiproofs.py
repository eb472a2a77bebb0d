"""Multiproofs: many keys of one path-compressed tree, each node that they share shown once.

The register (`chain.spans`) and the tree of a lot (`chain.lots`) are such trees.  Their keys are
32 bytes; the node that parts two of them has the length of their longest common prefix.  A node
commits to its two *children*, of a fixed size: in the register a child is a hash, in a lot it is
``count (8) ‖ grams (8) ‖ hash``.

A multiproof lists *items* in the order of their keys: each leaf that is shown, and between them
each largest subtree below which none is, as its child.  Between two neighbouring items stands
exactly one inner node, the one that parts them; it is named by its bit length.  As bytes::

    number of items (4) ‖ marks ‖ bits ‖ parts

*marks*: two bits an item, the first in the highest bits of the first byte, zeros at the end; they
say what the item is: 0 a leaf that the reader knows, 1 a hidden child, others as the tree says.
*bits*: one byte between each two items.  *parts*: what each item shows, by its mark of a fixed
size, nothing for a leaf that the reader knows.

The tree follows: of the nodes between a run of items, the one with the least bits is on top.  What
is accepted (`fold`):

1. Bits strictly increase downwards.
2. Where both sides of a node show a leaf, its bits are the longest common prefix of their keys,
   the left one being less.  Where one side does, the key's bit there is 0 on the left, 1 on the
   right.  The prefix that is hashed is the key's, never one from the proof.
3. No node has a hidden child on both sides: it would be hidden itself.
4. The hash of a child is never 32 zero bytes.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from chain.spans import EMPTY_ROOT, HASH_SIZE, bit, common_bits
from keys.errors import Fault, VerificationError

KNOWN, HIDDEN = 0, 1
_COUNT_SIZE = 4

Node = Callable[[int, bytes, bytes, bytes], bytes]
"""The child that an inner node is, from its bits, a key below it, and its two children."""


class Item(NamedTuple):
    """An item: a leaf with its key, or a hidden subtree (key None), as a child of its node."""

    key: bytes | None
    child: bytes


@dataclass(frozen=True)
class Multiproof:
    """A multiproof, read: the mark of each item, the bits between them, what each item shows."""

    marks: Sequence[int]
    bits: bytes
    parts: Sequence[bytes]

    def to_bytes(self) -> bytes:
        """The one form in bytes."""
        packed = bytearray(-(-len(self.marks) // 4))
        for place, mark in enumerate(self.marks):
            packed[place >> 2] |= mark << (6 - 2 * (place & 3))
        return b"".join(
            (len(self.marks).to_bytes(_COUNT_SIZE), packed, self.bits, *self.parts),
        )

    @classmethod
    def parse(cls, data: bytes, sizes: Sequence[int]) -> "Multiproof":
        """Read a multiproof; ``sizes``: of the part of each mark that the tree has.

        Raises `VerificationError` "multiproof-malformed" for any bytes but the one form.
        """
        count = int.from_bytes(data[:_COUNT_SIZE])
        bits_at = _COUNT_SIZE + -(-count // 4)
        at = bits_at + count - 1
        if not count or len(data) < at:
            raise VerificationError("multiproof-malformed")
        marks = [data[_COUNT_SIZE + (p >> 2)] >> (6 - 2 * (p & 3)) & 3 for p in range(count)]
        if max(marks) >= len(sizes):
            raise VerificationError("multiproof-malformed")
        parts = []
        for mark in marks:
            parts.append(data[at : at + sizes[mark]])
            at += sizes[mark]
        made = cls(marks, data[bits_at : bits_at + count - 1], parts)
        # The bits beyond the last mark, and whatever is missing or trails.
        if made.to_bytes() != data or len(data) != at:
            raise VerificationError("multiproof-malformed")
        return made


def fold(node: Node, items: Sequence[Item], bits: bytes) -> bytes:
    """The top of the tree over ``items``, as a child; raises `VerificationError` by the rules."""
    heights: list[int] = []
    left: list[Item] = []

    def merge(last: Item) -> Item:
        at, first = heights.pop(), left.pop()
        if first.key is None:
            apart = last.key is not None and bit(last.key, at) == 1
        elif last.key is None:
            apart = bit(first.key, at) == 0
        else:
            apart = common_bits(first.key, last.key) == at and first.key < last.key
        key = first.key or last.key
        if key is None or not apart:
            raise VerificationError("multiproof-order")
        return Item(key, node(at, key, first.child, last.child))

    for item in items:
        if item.child[-HASH_SIZE:] == EMPTY_ROOT:
            raise VerificationError("path-sibling-invalid")
    last = items[0]
    for at, item in zip(bits, items[1:], strict=True):
        while heights and heights[-1] > at:
            last = merge(last)
        if heights and heights[-1] == at:
            raise VerificationError("path-not-descending")
        heights.append(at)
        left.append(last)
        last = item
    while heights:
        last = merge(last)
    return last.child


# --- proving ---


class Subtree(Protocol):
    """A part of a tree, as a proof is made of it."""

    def first(self) -> bytes:
        """The least key below, or its prefix filled up with zeros."""

    def child(self) -> bytes:
        """What its node commits to for it."""

    def parts(self: "Tree") -> "tuple[int, Tree, Tree] | None":
        """The bits of its top node and the two sides of it; None if it is one leaf."""


Tree = TypeVar("Tree", bound=Subtree)


def cover(top: Subtree, keys: Sequence[bytes]) -> tuple[list[bytes | None], bytes]:
    """The items that a multiproof of ``keys`` (sorted, at least one) has, and the bits between.

    An item is the child of a hidden subtree, or None for the next of the keys.  Raises `Fault` if
    a key is not in the tree.
    """
    items: list[bytes | None] = []
    bits = bytearray()

    def visit(tree: Subtree, low: int, high: int) -> None:
        if low == high:
            items.append(tree.child())
            return
        parts = tree.parts()
        if parts is None:
            if high - low > 1 or tree.first() != keys[low]:
                raise Fault("key-not-there", key=keys[low].hex())
            items.append(None)
            return
        at, left, right = parts
        middle = bisect_left(keys, right.first(), low, high)
        visit(left, low, middle)
        bits.append(at)
        visit(right, middle, high)

    visit(top, 0, len(keys))
    return items, bytes(bits)
