"""The published log under one signed checkpoint: each entry is proved to be in it as it is read.

Entries come in bundles of 256, the leaves of one tile.  The root of their leaf hashes is a leaf, so
to speak, of the tree of all tiles, which has the log's root: the inclusion path of the first entry,
without the steps within its tile, leads there (RFC 9162, section 2.1.3).  So what a source gives is
proved tile by tile, and nothing is kept for it.
"""

from collections.abc import Iterator, Sequence

from chain import merkle
from chain.tiles import ENTRY_SIZE_MAX, TILE_WIDTH, TileTree, read_entries, read_hashes
from keys.errors import VerificationError
from keys.notes import Checkpoint
from verifier.sources import Source, SourceTiles

TILE_BYTES_MAX = TILE_WIDTH * (2 + ENTRY_SIZE_MAX)


class Log:
    """The log of a checkpoint, in the tiles of a source."""

    def __init__(self, source: Source, checkpoint: Checkpoint) -> None:
        """Raises `VerificationError` "log-root-differs" if the tiles are not the checkpoint's."""
        self.size = checkpoint.size
        self._root = checkpoint.root
        self._reader = SourceTiles(source, TILE_BYTES_MAX)
        self._tree = TileTree(self._reader, self.size)
        if self._tree.root(self.size) != self._root:
            raise self._differs()

    def _differs(self) -> VerificationError:
        return VerificationError("log-root-differs", size=self.size)

    def _holds(self, number: int, leaves: Sequence[bytes]) -> bool:
        """Whether these are the leaf hashes of a tile."""
        path = self._tree.inclusion(number * TILE_WIDTH, self.size)
        above, tiles = path[(len(leaves) - 1).bit_length() :], -(-self.size // TILE_WIDTH)
        try:
            merkle.verify_inclusion(merkle.root(leaves), number, tiles, above, self._root)
        except VerificationError:
            return False
        return True

    def _width(self, number: int) -> int:
        return min(TILE_WIDTH, self.size - number * TILE_WIDTH)

    def leaves(self, number: int) -> tuple[bytes, ...]:
        """The leaf hashes of a tile; raises `VerificationError` "log-root-differs"."""
        hashes = read_hashes(self._reader, 0, number, self._width(number))
        if not self._holds(number, hashes):
            raise self._differs()
        return hashes

    def begins_with(self, size: int, root: bytes) -> bool:
        """Whether its first entries are shown to be the tree of this size, at most its own."""
        path = self.consistency(size)
        try:
            merkle.verify_consistency(size, root, self.size, self._root, path)
        except VerificationError:
            return False
        return True

    def root_at(self, size: int) -> bytes:
        """The root of its first entries, as its tiles say."""
        return self._tree.root(size)

    def consistency(self, size: int) -> list[bytes]:
        """The consistency path from its first entries."""
        return self._tree.consistency(size, self.size)

    def entries(self, start: int) -> Iterator[bytes]:
        """The entries from ``start`` on, read a bundle at a time.

        Raises `VerificationError` "entry-differs" with the index of one that is not the signed one,
        once those before it are given.
        """
        for number in range(start // TILE_WIDTH, -(-self.size // TILE_WIDTH)):
            first = number * TILE_WIDTH
            bundle = read_entries(self._reader, number, self._width(number))
            hashes = tuple(merkle.leaf_hashes(bundle))
            signed = hashes if self._holds(number, hashes) else self.leaves(number)
            for place in range(max(start - first, 0), len(bundle)):
                if hashes[place] != signed[place]:
                    raise VerificationError("entry-differs", index=first + place)
                yield bundle[place]

    def inclusion(self, index: int, data: bytes) -> list[bytes]:
        """The inclusion path of an entry; raises `VerificationError` if it is not the one."""
        path = self._tree.inclusion(index, self.size)
        merkle.verify_inclusion(merkle.leaf_hash(data), index, self.size, path, self._root)
        return path
