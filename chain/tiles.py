"""The log as static files: C2SP tlog-tiles.

*Hash tile* ``tile/<L>/<N>``: hashes ``n·256 … n·256 + 255`` of level L, side by side.  Level 0 are
the leaf hashes; each hash of a level above is the root of one full tile below, so hash i of level
L is the root of the perfect subtree over ``[i·256^L, (i + 1)·256^L)``.

*Entry bundle* ``tile/entries/<N>``: entries ``n·256 … n·256 + 255``, each after its length as a
uint16.

``<N>`` is written in groups of three digits, all but the last after an ``x``: 1234067 is
``x001/x234/067``.  The last tile of a level, while it is not full, is a *partial* one, and its name
ends in ``.p/<W>``, W from 1 to 255 being how much it holds.  A tree of size s has ``s div 256^L``
hashes on level L.  Empty tiles do not exist; full tiles and partial ones of one name never change.
Where the partial tile of a size is gone, the full one that took its place begins with it.
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from chain import merkle
from chain.merkle import HASH_SIZE, Frontier
from keys.errors import Malformed, Unreadable, Usage

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
TILE_LEVEL_MAX = 63
ENTRY_SIZE_MAX = 65_535
TILES_CACHED_MAX = 128

_PATH = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?",
    re.ASCII,
)


class TilePath(NamedTuple):
    """What a path names: the level (None for entries), the tile's number, and its width."""

    level: int | None
    number: int
    width: int


def _path(folder: str, number: int, width: int) -> str:
    name = f"{number % 1000:03}" + (f".p/{width}" if width < TILE_WIDTH else "")
    while number := number // 1000:
        name = f"x{number % 1000:03}/{name}"
    return f"tile/{folder}/{name}"


def tile_path(level: int, number: int, width: int = TILE_WIDTH) -> str:
    """The path of a hash tile, below the log's prefix."""
    return _path(str(level), number, width)


def entries_path(number: int, width: int = TILE_WIDTH) -> str:
    """The path of an entry bundle, below the log's prefix."""
    return _path("entries", number, width)


def parse_tile_path(path: str) -> TilePath:
    """Read what `tile_path` or `entries_path` wrote; raises `Malformed` "tile-path-malformed"."""
    if match := _PATH.fullmatch(path):
        folder, digits, partial = match.groups()
        level = None if folder == "entries" else int(folder)
        number = int(re.sub("[x/]", "", digits))
        width = int(partial or TILE_WIDTH)
        # Written again, only the one spelling gives the same path.
        if (level or 0) <= TILE_LEVEL_MAX and _path(folder, number, width) == path:
            return TilePath(level, number, width)
    raise Malformed("tile-path-malformed", path=path[:80])


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """An entry bundle of these entries; raises `Malformed` "entry-too-long"."""
    parts = []
    for entry in entries:
        if len(entry) > ENTRY_SIZE_MAX:
            raise Malformed("entry-too-long", size=len(entry), limit=ENTRY_SIZE_MAX)
        parts += [len(entry).to_bytes(2), entry]
    return b"".join(parts)


def decode_entries(data: bytes) -> list[bytes]:
    """The entries of a bundle; raises `Malformed` "entries-malformed"."""
    entries = []
    at = 0
    while at < len(data):
        start = at + 2
        at = start + int.from_bytes(data[at:start])
        entries.append(data[start:at])
    if at != len(data):
        raise Malformed("entries-malformed")
    return entries


class TileReader(Protocol):
    """Where tiles are read from, by the paths of `tile_path` and `entries_path`.

    What it returns may be kept for ever, and is judged by nobody but the caller's own proofs.
    """

    def read(self, path: str) -> bytes:
        """The file at ``path``; raises `Unreadable` "tile-missing" if there is none."""
        ...


class DirectoryReader:
    """Tiles in a directory that holds the folder ``tile``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> bytes:
        """The file at ``path``; raises `Malformed` unless it is the path of a tile."""
        parse_tile_path(path)
        try:
            return (self._root / path).read_bytes()
        except OSError:
            raise Unreadable("tile-missing", path=path) from None


def _read(reader: TileReader, paths: Callable[[int], str], width: int) -> tuple[bytes, int]:
    """The tile of ``width``, or the full one that begins with it; and the width that it has."""
    try:
        return reader.read(paths(width)), width
    except Unreadable:
        if width == TILE_WIDTH:
            raise
    try:
        return reader.read(paths(TILE_WIDTH)), TILE_WIDTH
    except Unreadable:
        raise Unreadable("tile-missing", path=paths(width)) from None


def read_hashes(reader: TileReader, level: int, number: int, width: int) -> tuple[bytes, ...]:
    """The first ``width`` hashes of a hash tile; raises `Unreadable`, `Malformed`."""
    paths = functools.partial(tile_path, level, number)
    data, width_read = _read(reader, paths, width)
    if len(data) != HASH_SIZE * width_read:
        raise Malformed("tile-malformed", path=paths(width_read))
    return merkle.split_hashes(data)[:width]


def read_entries(reader: TileReader, number: int, width: int) -> list[bytes]:
    """The first ``width`` entries of an entry bundle; raises `Unreadable`, `Malformed`."""
    paths = functools.partial(entries_path, number)
    data, width_read = _read(reader, paths, width)
    entries = decode_entries(data)
    if len(entries) != width_read:
        raise Malformed("tile-malformed", path=paths(width_read))
    return entries[:width]


def new_tiles(reader: TileReader, old_size: int, entries: Sequence[bytes]) -> dict[str, bytes]:
    """Every file to write so that the tree of ``old_size`` grows by ``entries``: path to content.

    Reads only the partial tiles at the right edge of the old tree, or the full ones that took
    their place: run again after some or all of the files are there, it gives the same ones.
    Raises `Malformed` "entry-too-long", `Unreadable` "tile-missing".
    """
    files: dict[str, bytes] = {}
    number, width = divmod(old_size, TILE_WIDTH)
    held = read_entries(reader, number, width) if width and entries else []
    held += entries
    for at in range(0, len(held), TILE_WIDTH):
        bundle = held[at : at + TILE_WIDTH]
        files[entries_path(number + at // TILE_WIDTH, len(bundle))] = encode_entries(bundle)

    level, count = 0, old_size
    nodes = merkle.leaf_hashes(entries)
    while nodes:
        number, width = divmod(count, TILE_WIDTH)
        if width:
            nodes[:0] = read_hashes(reader, level, number, width)
        full = []
        for at in range(0, len(nodes), TILE_WIDTH):
            tile = nodes[at : at + TILE_WIDTH]
            files[tile_path(level, number + at // TILE_WIDTH, len(tile))] = b"".join(tile)
            if len(tile) == TILE_WIDTH:
                full.append(merkle.root(tile))
        level, count, nodes = level + 1, count // TILE_WIDTH, full
    return files


class TileTree:
    """The tree of ``log_size`` leaves in published tiles, and proofs for every size up to it.

    Nothing read is trusted: a proof from wrong tiles fails against the root of a signed checkpoint.
    """

    def __init__(self, reader: TileReader, log_size: int) -> None:
        self._reader = reader
        self._log_size = log_size
        self._levels = functools.lru_cache(TILES_CACHED_MAX)(self._read_levels)

    def _read_levels(self, level: int, number: int) -> list[Sequence[bytes]]:
        count = self._log_size >> TILE_HEIGHT * level
        width = min(TILE_WIDTH, count - number * TILE_WIDTH)
        return merkle.levels(read_hashes(self._reader, level, number, width))

    def _subtree(self, start: int, end: int) -> Frontier:
        """The frontier of the leaves ``[start, end)``, where they are a subtree of some size."""
        hashes = []
        at = start
        for height in reversed(range((end - start).bit_length())):
            if end - start >> height & 1:
                level, rest = divmod(height, TILE_HEIGHT)
                number, place = divmod(at >> height, TILE_WIDTH >> rest)
                hashes.append(self._levels(level, number)[rest][place])
                at += 1 << height
        return Frontier(end - start, tuple(hashes))

    def _within(self, size: int) -> None:
        if not 0 <= size <= self._log_size:
            raise Usage("tree-size-not-published", size=size, log_size=self._log_size)

    def _roots(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        return [self._subtree(start, end).root() for start, end in ranges]

    def frontier(self, size: int) -> Frontier:
        """The frontier of the tree of ``size``, from which it can grow on.

        Raises `Usage` "tree-size-not-published", as do the others here.
        """
        self._within(size)
        return self._subtree(0, size)

    def root(self, size: int) -> bytes:
        """The root of the tree of ``size``."""
        return self.frontier(size).root()

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The inclusion path of a leaf; raises `Usage` "leaf-not-in-tree"."""
        self._within(size)
        return self._roots(merkle.inclusion_ranges(index, size))

    def cover(self, indices: Iterable[int], size: int) -> list[bytes]:
        """The cover of leaves (`chain.merkle`); raises `Usage` "leaf-not-in-tree"."""
        self._within(size)
        return self._roots(merkle.cover_ranges(indices, size))

    def consistency(self, size1: int, size2: int) -> list[bytes]:
        """The consistency path between two sizes; raises `Usage` "sizes-out-of-order"."""
        self._within(size2)
        return self._roots(merkle.consistency_ranges(size1, size2))

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """The entries ``[start, end)``, read one bundle at a time."""
        self._within(end)
        if not 0 <= start <= end:
            raise Usage("sizes-out-of-order", size1=start, size2=end)
        return self._entries(start, end)

    def _entries(self, start: int, end: int) -> Iterator[bytes]:
        for first in range(start - start % TILE_WIDTH, end, TILE_WIDTH):
            width = min(TILE_WIDTH, self._log_size - first)
            bundle = read_entries(self._reader, first // TILE_WIDTH, width)
            yield from bundle[max(0, start - first) : end - first]
