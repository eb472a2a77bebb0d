"""The log's Merkle tree: RFC 9162, section 2.1, with SHA-256.

*Leaf*: ``SHA-256(0x00 ‖ entry)``.  *Node*: ``SHA-256(0x01 ‖ left ‖ right)``.  A tree of n > 1
leaves splits at k, the largest power of two below n: the first k leaves stand to the left.  A tree
of one leaf is that leaf's hash; the empty tree is the SHA-256 of nothing.  Level by level: nodes
pair up from the left, and a last one without a partner moves up as it is.

*Inclusion path*: the hashes of the siblings from the leaf to the root (section 2.1.3).
*Consistency path*: the least set of subtree hashes from which both roots follow (section 2.1.4).
Both are made of subtrees ``[start, end)`` of the tree, so one plan of ranges serves a tree in
memory and one in tiles alike.

*Cover*: for many leaves at once, the roots of the largest subtrees that hold none of them, from
left to right: what the leaves' inclusion paths have between them, each hash once.

*Frontier*: what is left of a tree that only grows, the roots of its perfect subtrees from left to
right, one for each set bit of the size.  Encoded: ``size (uint64) ‖ roots (32 bytes each)``.

Everything here is pure.  Hashes are 32 bytes; sizes and indices are at most 2^63 - 1.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from chain.kernel import in_kernel
from keys.errors import Malformed, Usage, VerificationError
from keys.strict import INTEGER_MAX

HASH_SIZE = 32
SIZE_MAX = INTEGER_MAX
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of the leaf that holds ``data`` (RFC 9162, section 2.1.1)."""
    return sha256(b"\x00" + data).digest()


@in_kernel
def leaf_hashes(datas: Iterable[bytes]) -> list[bytes]:
    """The leaf hash of each of ``datas``, in order."""
    return [sha256(b"\x00" + data).digest() for data in datas]


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the inner node above ``left`` and ``right`` (RFC 9162, section 2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


@in_kernel
def pair_up(nodes: Sequence[bytes]) -> list[bytes]:
    """The nodes above ``nodes``; a last one without a partner is left out."""
    pairs = zip(nodes[::2], nodes[1::2], strict=False)
    return [sha256(b"\x01" + left + right).digest() for left, right in pairs]


def levels(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """The nodes of each level, from the leaf hashes up to the root; one empty level if none.

    The subtree over ``[start, end)`` stands at level ``h = (end - start - 1).bit_length()``, place
    ``start >> h``, if it is perfect or reaches the end of the tree.
    """
    nodes = leaves
    built = [nodes]
    while len(nodes) > 1:
        above = pair_up(nodes)
        if len(nodes) & 1:
            above.append(nodes[-1])
        nodes = above
        built.append(nodes)
    return built


@in_kernel
def root(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree over these leaf hashes (RFC 9162, section 2.1.1)."""
    return levels(leaves)[-1][0] if leaves else EMPTY_ROOT


class Frontier(NamedTuple):
    """A tree that only grows: its size, and its perfect subtrees' roots from left to right."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def append(self, leaves: Sequence[bytes]) -> "Frontier":
        """The frontier after these leaf hashes are added."""
        old, new = list(self.hashes), []
        nodes, level = list(leaves), 0
        while nodes:
            if self.size >> level & 1:
                nodes.insert(0, old.pop())
            if len(nodes) & 1:
                new.append(nodes.pop())
            nodes = pair_up(nodes)
            level += 1
        return Frontier(self.size + len(leaves), (*old, *reversed(new)))

    def root(self) -> bytes:
        """The root of the tree."""
        if not self.hashes:
            return EMPTY_ROOT
        *lefts, node = self.hashes
        for left in reversed(lefts):
            node = node_hash(left, node)
        return node

    def to_bytes(self) -> bytes:
        """The frontier as it is kept."""
        return self.size.to_bytes(8) + b"".join(self.hashes)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Frontier":
        """Read what `to_bytes` wrote; raises `Malformed` "frontier-malformed"."""
        size = int.from_bytes(data[:8])
        if size > SIZE_MAX or len(data) != 8 + HASH_SIZE * size.bit_count():
            raise Malformed("frontier-malformed")
        return cls(size, split_hashes(data[8:]))


def split_hashes(data: bytes) -> tuple[bytes, ...]:
    """The hashes that stand side by side in ``data``."""
    return tuple(data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE))


def _split(start: int, end: int) -> int:
    return start + (1 << (end - start - 1).bit_length() - 1)


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The subtrees whose roots are the inclusion path, leaf to root (RFC 9162, section 2.1.3.1).

    Raises `Usage` "leaf-not-in-tree" unless ``0 <= index < size``.
    """
    if not 0 <= index < size:
        raise Usage("leaf-not-in-tree", index=index, size=size)
    start, end, ranges = 0, size, []
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(size1: int, size2: int) -> list[tuple[int, int]]:
    """The subtrees whose roots are the consistency path, in order (RFC 9162, section 2.1.4.1).

    Empty if the sizes are equal or the first is 0.  Raises `Usage` "sizes-out-of-order" unless
    ``0 <= size1 <= size2``.
    """
    if not 0 <= size1 <= size2:
        raise Usage("sizes-out-of-order", size1=size1, size2=size2)
    if not size1:
        return []
    start, end, ranges = 0, size2, []
    while end != size1:
        middle = _split(start, end)
        if size1 <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:  # otherwise what remains is the whole first tree, whose root the checker has
        ranges.append((start, end))
    return ranges[::-1]


def cover_ranges(indices: Iterable[int], size: int) -> list[tuple[int, int]]:
    """The subtrees whose roots are the cover of these leaves, from left to right.

    Raises `Usage` "leaf-not-in-tree" unless each is in the tree.
    """
    ordered = sorted(set(indices))
    for index in ordered[:1] + ordered[-1:]:
        if not 0 <= index < size:
            raise Usage("leaf-not-in-tree", index=index, size=size)
    ranges: list[tuple[int, int]] = []

    def visit(start: int, end: int, low: int, high: int) -> None:
        if low == high:
            ranges.append((start, end))
        elif end - start > 1:
            middle = _split(start, end)
            place = bisect_left(ordered, middle, low, high)
            visit(start, middle, low, place)
            visit(middle, end, place, high)

    visit(0, size, 0, len(ordered))
    return ranges


def _pick(built: Sequence[Sequence[bytes]], ranges: Iterable[tuple[int, int]]) -> list[bytes]:
    places = ((start, (end - start - 1).bit_length()) for start, end in ranges)
    return [built[level][start >> level] for start, level in places]


def inclusion_paths(leaves: Sequence[bytes], indices: Iterable[int]) -> list[list[bytes]]:
    """The inclusion path of each index in the tree over ``leaves``; hashes the tree once."""
    built = levels(leaves)
    return [_pick(built, inclusion_ranges(index, len(leaves))) for index in indices]


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The inclusion path of one leaf in the tree over ``leaves`` (RFC 9162, section 2.1.3.1)."""
    return inclusion_paths(leaves, [index])[0]


def cover(leaves: Sequence[bytes], indices: Iterable[int]) -> list[bytes]:
    """The cover of these leaves in the tree over ``leaves``."""
    return _pick(levels(leaves), cover_ranges(indices, len(leaves)))


def consistency_path(leaves: Sequence[bytes], size1: int) -> list[bytes]:
    """The path from the first ``size1`` leaves to all of them (RFC 9162, section 2.1.4.1)."""
    return _pick(levels(leaves), consistency_ranges(size1, len(leaves)))


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that follows from a leaf hash and its path (RFC 9162, section 2.1.3.2).

    Raises `VerificationError` "inclusion-invalid" if the path is not one of this index and size.
    """
    if not 0 <= index < size <= SIZE_MAX or any(len(x) != HASH_SIZE for x in (leaf, *path)):
        raise VerificationError("inclusion-invalid")
    node, at, last = leaf, index, size - 1
    for sibling in path:
        if not last:
            raise VerificationError("inclusion-invalid")
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise VerificationError("inclusion-invalid")
    return node


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf hash stands at ``index`` of the tree of ``size`` under ``root``.

    leaf: by `leaf_hash` from the entry itself, never taken from a proof.  size, root: of one
    checkpoint; a path alone may fit several sizes, and inner nodes look like leaves in some.
    Raises `VerificationError` "inclusion-invalid" (RFC 9162, section 2.1.3.2).
    """
    if root_from_inclusion(leaf, index, size, path) != root:
        raise VerificationError("inclusion-invalid")


def verify_cover(
    leaves: Mapping[int, bytes], size: int, hashes: Sequence[bytes], root: bytes
) -> None:
    """Check that each leaf hash, at least one, stands at its index of the tree of ``size``.

    What `verify_inclusion` says of its arguments holds here.  Raises `VerificationError`
    "inclusion-invalid".
    """
    ordered = sorted(leaves)
    sizes = {len(x) for x in (*leaves.values(), *hashes)}
    if not ordered or not 0 <= ordered[0] <= ordered[-1] < size <= SIZE_MAX or sizes != {HASH_SIZE}:
        raise VerificationError("inclusion-invalid")
    shown = iter(hashes)

    def node(start: int, end: int, low: int, high: int) -> bytes:
        if low == high:
            hidden = next(shown, None)
            if hidden is None:
                raise VerificationError("inclusion-invalid")
            return hidden
        if end - start == 1:
            return leaves[start]
        middle = _split(start, end)
        place = bisect_left(ordered, middle, low, high)
        return node_hash(node(start, middle, low, place), node(middle, end, place, high))

    if node(0, size, 0, len(ordered)) != root or next(shown, None) is not None:
        raise VerificationError("inclusion-invalid")


def verify_consistency(
    size1: int, root1: bytes, size2: int, root2: bytes, path: Sequence[bytes]
) -> None:
    """Check that the second tree begins with the first (RFC 9162, section 2.1.4.2).

    Equal trees and the empty first tree take the empty path.  Raises `VerificationError`
    "consistency-invalid".
    """
    if not 0 <= size1 <= size2 <= SIZE_MAX or any(
        len(x) != HASH_SIZE for x in (root1, root2, *path)
    ):
        raise VerificationError("consistency-invalid")
    if not size1 or size1 == size2:
        if path or (size1 == size2 and root1 != root2) or (not size1 and root1 != EMPTY_ROOT):
            raise VerificationError("consistency-invalid")
        return
    if not path:
        raise VerificationError("consistency-invalid")
    # A perfect first tree is a node of the second: its root is not sent again.
    first, *rest = path if size1 & (size1 - 1) else (root1, *path)
    at, last = size1 - 1, size2 - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    node1 = node2 = first
    for sibling in rest:
        if not last:
            raise VerificationError("consistency-invalid")
        if at & 1 or at == last:
            node1, node2 = node_hash(sibling, node1), node_hash(sibling, node2)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node2 = node_hash(node2, sibling)
        at, last = at >> 1, last >> 1
    if last or node1 != root1 or node2 != root2:
        raise VerificationError("consistency-invalid")


def merkletools_proof(index: int, size: int, path: Sequence[bytes]) -> list[dict[str, str]]:
    """An inclusion path as the package merkletools reads it: "left" or "right", and a hash in hex.

    Its ``validate_proof`` accepts it once ``hash_function`` is set to hash a 0x01 byte before what
    it is given.  Raises `VerificationError` "inclusion-invalid" if the path has another length.
    """
    ranges = inclusion_ranges(index, size)
    if len(ranges) != len(path):
        raise VerificationError("inclusion-invalid")
    sides = ("left" if start < index else "right" for start, _ in ranges)
    return [{side: sibling.hex()} for side, sibling in zip(sides, path, strict=True)]
