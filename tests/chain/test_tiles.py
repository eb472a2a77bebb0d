"""The log as tiles: paths, bundles, growth, and every proof against the tree in memory."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain import merkle
from chain.merkle import Frontier
from chain.tiles import (
    ENTRY_SIZE_MAX,
    DirectoryReader,
    TilePath,
    TileTree,
    decode_entries,
    encode_entries,
    entries_path,
    new_tiles,
    parse_tile_path,
    tile_path,
)
from keys.errors import Malformed, Unreadable, Usage, VerificationError

LARGE = 70_000  # three levels, as in the example of the specification
ENTRIES = [b"entry %d" % number for number in range(LARGE)]
LEAVES = merkle.leaf_hashes(ENTRIES)


class MemoryReader(dict[str, bytes]):
    """Tiles in memory, which count how often they are read."""

    reads = 0

    def read(self, path: str) -> bytes:
        self.reads += 1
        try:
            return self[path]
        except KeyError:
            raise Unreadable("tile-missing", path=path) from None


def published(*sizes: int) -> MemoryReader:
    """A log that was published at each of these sizes, in order."""
    reader = MemoryReader()
    old = 0
    for size in sizes:
        reader.update(new_tiles(reader, old, ENTRIES[old:size]))
        old = size
    return reader


@pytest.fixture(scope="module")
def large() -> MemoryReader:
    return published(*range(9_000, LARGE, 9_000), LARGE)


# --- paths and bundles ---


@pytest.mark.parametrize(
    ("path", "parsed"),
    [
        ("tile/0/000", TilePath(0, 0, 256)),
        ("tile/0/000.p/1", TilePath(0, 0, 1)),
        ("tile/0/272.p/255", TilePath(0, 272, 255)),
        ("tile/63/999", TilePath(63, 999, 256)),
        ("tile/1/x001/000", TilePath(1, 1000, 256)),
        ("tile/0/x001/x234/067", TilePath(0, 1234067, 256)),
        ("tile/0/x001/x234/067.p/8", TilePath(0, 1234067, 8)),
        ("tile/entries/x001/x234/067", TilePath(None, 1234067, 256)),
        ("tile/entries/012.p/34", TilePath(None, 12, 34)),
        ("tile/0/x009/x223/x372/x036/x854/x775/807", TilePath(0, 2**63 - 1, 256)),
    ],
)
def test_paths_are_written_and_read(path: str, parsed: TilePath) -> None:
    level, number, width = parsed
    made = entries_path(number, width) if level is None else tile_path(level, number, width)
    assert made == path
    assert parse_tile_path(path) == parsed


@given(level=st.none() | st.integers(0, 63), number=st.integers(0, 2**63 - 1), width=st.data())
def test_any_path_reads_back(level: int | None, number: int, width: st.DataObject) -> None:
    wide = width.draw(st.integers(1, 256))
    path = entries_path(number, wide) if level is None else tile_path(level, number, wide)
    assert parse_tile_path(path) == (level, number, wide)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/100/000",
        "tile/-1/000",
        "tile/entry/000",
        "tile/0/x000/001",
        "tile/0/x00/001",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "tile/0/../../secret",
    ],
)
def test_other_spellings_are_refused(path: str) -> None:
    with pytest.raises(Malformed, match="tile-path-malformed"):
        parse_tile_path(path)


@given(entries=st.lists(st.binary(max_size=300), max_size=20))
def test_bundles_read_back(entries: list[bytes]) -> None:
    assert decode_entries(encode_entries(entries)) == entries


def test_a_bundle_is_what_the_specification_says() -> None:
    assert encode_entries([b"ab", b"", b"c" * 258]) == b"\0\2ab" + b"\0\0" + b"\1\2" + b"c" * 258


def test_an_entry_of_the_greatest_length_fits_and_a_longer_one_does_not() -> None:
    longest = bytes(ENTRY_SIZE_MAX)
    assert decode_entries(encode_entries([longest])) == [longest]
    with pytest.raises(Malformed, match="entry-too-long"):
        encode_entries([b"", longest + b"\0"])


@pytest.mark.parametrize("data", [b"\0", b"\0\1", b"\0\2a", b"\0\1a\0", b"\0\1a\0\3bc"])
def test_a_bundle_that_breaks_off_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed, match="entries-malformed"):
        decode_entries(data)


# --- growth ---


def test_a_tree_of_70000_has_the_tiles_of_the_specification(large: MemoryReader) -> None:
    files = new_tiles(MemoryReader(), 0, ENTRIES)
    assert files.keys() == {
        *(tile_path(0, number) for number in range(273)),
        *(entries_path(number) for number in range(273)),
        "tile/0/273.p/112",
        "tile/entries/273.p/112",
        "tile/1/000",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    }
    assert {path: large[path] for path in files} == files


def test_a_tree_of_256_has_a_full_tile_and_the_first_hash_of_the_next_level() -> None:
    files = new_tiles(MemoryReader(), 0, ENTRIES[:256])
    assert files == {
        "tile/0/000": b"".join(LEAVES[:256]),
        "tile/1/000.p/1": merkle.root(LEAVES[:256]),
        "tile/entries/000": encode_entries(ENTRIES[:256]),
    }


@given(steps=st.lists(st.integers(0, 700), min_size=1, max_size=6))
def test_growth_in_steps_writes_what_growth_at_once_writes(steps: list[int]) -> None:
    sizes = [sum(steps[: count + 1]) for count in range(len(steps))]
    reader = published(*sizes)
    for path, data in new_tiles(MemoryReader(), 0, ENTRIES[: sizes[-1]]).items():
        assert reader[path] == data
    assert TileTree(reader, sizes[-1]).root(sizes[-1]) == merkle.root(LEAVES[: sizes[-1]])


@pytest.mark.parametrize(
    ("old", "new"),
    [(0, 1), (255, 256), (256, 257), (200, 1300), (65_535, 65_537), (65_536, 65_540)],
)
def test_a_crash_between_any_two_files_changes_nothing(old: int, new: int) -> None:
    before = published(old)
    files = new_tiles(before, old, ENTRIES[old:new])
    for count in (0, 1, len(files) // 2, len(files)):
        reader = MemoryReader(before)
        reader.update(list(files.items())[:count])
        assert new_tiles(reader, old, ENTRIES[old:new]) == files
    # Old partial tiles may go once the full ones are there.
    after = MemoryReader({**before, **files})
    for path in before:
        level, number, _ = parse_tile_path(path)
        full = entries_path(number) if level is None else tile_path(level, number)
        if path != full and full in after:
            del after[path]
    assert new_tiles(after, old, ENTRIES[old:new]) == files


def test_growth_reads_only_the_right_edge() -> None:
    reader = published(LARGE - 1)
    reader.reads = 0
    files = new_tiles(reader, LARGE - 1, ENTRIES[LARGE - 1 :])
    assert reader.reads == 2
    assert files.keys() == {"tile/0/273.p/112", "tile/entries/273.p/112"}


def test_growth_by_nothing_writes_nothing_and_reads_nothing() -> None:
    assert new_tiles(MemoryReader(), 5, []) == {}


def test_too_long_an_entry_writes_nothing() -> None:
    with pytest.raises(Malformed, match="entry-too-long"):
        new_tiles(MemoryReader(), 0, [bytes(ENTRY_SIZE_MAX + 1)])


# --- proofs ---


def check_size(tree: TileTree, size: int, indices: Iterator[int], sizes: Iterator[int]) -> None:
    leaves = LEAVES[:size]
    root = merkle.root(leaves)
    assert tree.root(size) == root
    assert tree.frontier(size) == Frontier().append(leaves)
    chosen = list(indices)
    for index, path in zip(chosen, merkle.inclusion_paths(leaves, chosen), strict=True):
        assert tree.inclusion(index, size) == path
        some = {index, 0, size // 2}
        assert tree.cover(some, size) == merkle.cover(LEAVES[:size], some)
        merkle.verify_inclusion(LEAVES[index], index, size, path, root)
    for size1 in sizes:
        path = tree.consistency(size1, size)
        assert path == merkle.consistency_path(leaves, size1)
        merkle.verify_consistency(size1, tree.root(size1), size, root, path)


def test_proofs_agree_with_the_tree_in_memory_for_all_sizes_to_300() -> None:
    reader = published(*range(301))
    last = TileTree(reader, 300)
    for size in range(301):
        indices = {*range(0, size, 17), *range(max(0, size - 2), size)}
        for tree in (TileTree(reader, size), last):
            check_size(tree, size, iter(sorted(indices)), iter(range(0, size + 1, 13)))


def test_proofs_agree_with_the_tree_in_memory_on_three_levels(large: MemoryReader) -> None:
    draw = random.Random(9162)
    tree = TileTree(large, LARGE)
    edges = [255, 256, 257, 65_535, 65_536, 65_537, 65_536 + 256, 69_888, LARGE]
    for size in [*edges, *(draw.randint(1, LARGE) for _ in range(12))]:
        indices = [0, size - 1, *(draw.randrange(size) for _ in range(6))]
        check_size(tree, size, iter(indices), iter([1, size, draw.randint(1, size)]))


def test_every_published_checkpoint_keeps_its_proofs(large: MemoryReader) -> None:
    for size in range(9_000, LARGE, 9_000):
        root = merkle.root(LEAVES[:size])
        tree = TileTree(large, size)
        assert tree.root(size) == root
        merkle.verify_inclusion(LEAVES[77], 77, size, tree.inclusion(77, size), root)


def test_a_partial_tile_that_is_gone_is_read_from_the_full_one() -> None:
    reader = published(200, 300)
    del reader["tile/0/000.p/200"], reader["tile/entries/000.p/200"]
    tree = TileTree(reader, 200)
    assert tree.root(200) == merkle.root(LEAVES[:200])
    assert list(tree.entries(0, 200)) == ENTRIES[:200]


def test_entries_are_read_from_anywhere(large: MemoryReader) -> None:
    tree = TileTree(large, LARGE)
    spans = [(0, 0), (0, 1), (255, 257), (100, 900), (256, 512), (69_990, LARGE), (LARGE, LARGE)]
    for start, end in spans:
        assert list(tree.entries(start, end)) == ENTRIES[start:end]


def test_entries_come_one_bundle_at_a_time(large: MemoryReader) -> None:
    large.reads = 0
    entries = TileTree(large, LARGE).entries(10, LARGE)
    assert next(entries) == ENTRIES[10]
    assert large.reads == 1


def test_tiles_are_read_once_for_many_proofs(large: MemoryReader) -> None:
    tree = TileTree(large, LARGE)
    large.reads = 0
    for index in range(2_000, 2_100):
        tree.inclusion(index, LARGE)
    assert large.reads <= 6


def test_a_directory_serves_what_was_written(tmp_path: Path) -> None:
    for path, data in new_tiles(MemoryReader(), 0, ENTRIES[:600]).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    reader = DirectoryReader(tmp_path)
    tree = TileTree(reader, 600)
    assert tree.root(600) == merkle.root(LEAVES[:600])
    assert list(tree.entries(0, 600)) == ENTRIES[:600]
    with pytest.raises(Unreadable, match="tile-missing"):
        reader.read(tile_path(0, 7))
    with pytest.raises(Malformed, match="tile-path-malformed"):
        reader.read("../secret")


# --- what is refused ---


@pytest.mark.parametrize("path", ["tile/0/001.p/44", "tile/entries/001.p/44", "tile/0/000"])
@pytest.mark.parametrize("change", ["missing", "short", "long"])
def test_a_damaged_tile_is_an_error_that_names_it(path: str, change: str) -> None:
    reader = published(300)
    tree = TileTree(reader, 300)
    match change:
        case "missing":
            del reader[path]
        case "short":
            data = decode_entries(reader[path])[:-1] if "entries" in path else None
            reader[path] = reader[path][:-32] if data is None else encode_entries(data)
        case "long":
            reader[path] += bytes(32)  # one hash more, or sixteen empty entries
    with pytest.raises((Unreadable, Malformed)) as caught:
        tree.inclusion(280, 300)
        tree.inclusion(0, 300)
        list(tree.entries(0, 300))
    assert caught.value.code == ("tile-missing" if change == "missing" else "tile-malformed")
    assert caught.value.details["path"] == path


def test_a_wrong_hash_in_a_tile_gives_no_proof_that_holds() -> None:
    reader = published(300)
    reader["tile/0/000"] = bytes(32) + reader["tile/0/000"][32:]
    root = merkle.root(LEAVES[:300])
    tree = TileTree(reader, 300)
    with pytest.raises(VerificationError, match="inclusion-invalid"):
        merkle.verify_inclusion(LEAVES[1], 1, 300, tree.inclusion(1, 300), root)


def test_nothing_is_proved_beyond_what_is_published() -> None:
    tree = TileTree(published(10), 10)
    for ask in (
        lambda: tree.root(11),
        lambda: tree.root(-1),
        lambda: tree.inclusion(0, 11),
        lambda: tree.consistency(3, 11),
        lambda: tree.entries(0, 11),
    ):
        with pytest.raises(Usage, match="tree-size-not-published"):
            ask()
    with pytest.raises(Usage, match="leaf-not-in-tree"):
        tree.inclusion(10, 10)
    for out_of_order in (lambda: tree.consistency(5, 4), lambda: tree.entries(5, 4)):
        with pytest.raises(Usage, match="sizes-out-of-order"):
            out_of_order()
