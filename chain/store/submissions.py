"""Files of reductions as trees: where each reduction stands in its file, and its path to the root.

A proof wants one reduction of thousands.  So the trees of the files that were asked for last are
remembered, without the reductions themselves: 72 bytes for each.
"""

import threading
from array import array
from collections import OrderedDict
from itertools import accumulate

from chain import merkle
from chain.files import Files
from chain.merkle import HASH_SIZE
from chain.paths import reductions_path
from chain.reductions import split_reductions

TREES_BYTES_MAX = 64 * 2**20


class SubmissionTree:
    """The tree over the reductions of one file."""

    def __init__(self, data: bytes) -> None:
        """data: the file; raises `Malformed`."""
        datas = split_reductions(data)
        self._starts = array("Q", accumulate((2 + len(one) for one in datas), initial=0))
        self._levels = [b"".join(nodes) for nodes in merkle.levels(merkle.leaf_hashes(datas))]

    def __len__(self) -> int:
        return len(self._starts) - 1

    @property
    def size(self) -> int:
        """Its bytes in memory."""
        return sum(map(len, self._levels)) + len(self._starts) * self._starts.itemsize

    def within(self, position: int) -> tuple[int, int]:
        """Where the bytes of a reduction begin and end in the file."""
        return self._starts[position] + 2, self._starts[position + 1]

    def leaf(self, position: int) -> bytes:
        """The leaf hash of a reduction."""
        return self._node(0, position)

    def path(self, position: int) -> list[bytes]:
        """The inclusion path of a reduction; raises `Usage` "leaf-not-in-tree"."""
        ranges = merkle.inclusion_ranges(position, len(self))
        heights = (((end - start - 1).bit_length(), start) for start, end in ranges)
        return [self._node(height, start >> height) for height, start in heights]

    def _node(self, height: int, place: int) -> bytes:
        return self._levels[height][HASH_SIZE * place : HASH_SIZE * (place + 1)]


class SubmissionTrees:
    """The trees that were asked for last, by the roots of their files."""

    def __init__(self, files: Files, bytes_max: int = TREES_BYTES_MAX) -> None:
        self._files = files
        self._bytes_max = bytes_max
        self._trees: OrderedDict[bytes, SubmissionTree] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def tree(self, root: bytes) -> SubmissionTree:
        """The tree of the submission with this root; raises `Unreadable`."""
        with self._lock:
            tree = self._trees.get(root)
            if tree is not None:
                self._trees.move_to_end(root)
                return tree
        tree = SubmissionTree(self._files.read(reductions_path(root)))
        with self._lock:
            if root not in self._trees:
                self._trees[root] = tree
                self._size += tree.size
            while self._size > self._bytes_max:
                self._size -= self._trees.popitem(last=False)[1].size
        return tree

    def reduction_bytes(self, root: bytes, position: int) -> bytes:
        """The bytes of one reduction of it; raises `Unreadable`."""
        start, end = self.tree(root).within(position)
        return self._files.read(reductions_path(root), start, end - start)
