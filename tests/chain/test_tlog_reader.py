"""The published log, read by a reader that was written from the C2SP texts alone."""

import ast
import sys
from pathlib import Path

import pytest
from support import tlog_reader
from support.city import NOON, ORIGIN, City, key
from support.tlog_reader import Log, ReadError, root_of_path, tile_name

from chain import merkle
from chain.blocks import log_key, make_checkpoint
from chain.merkle import Frontier
from chain.tiles import DirectoryReader, new_tiles, tile_path

VKEY = log_key(ORIGIN, key("operator").public).vkey
SIZES = (1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 66_000)


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def publish(folder: Path, *sizes: int) -> Log:
    """A log that was published at each of these sizes, in order, read at the last."""
    frontier = Frontier()
    for size in sizes:
        entries = [b"entry %d" % number for number in range(frontier.size, size)]
        write(folder, new_tiles(DirectoryReader(folder), frontier.size, entries))
        frontier = frontier.append([merkle.leaf_hash(entry) for entry in entries])
        write(folder, {"checkpoint": make_checkpoint(ORIGIN, frontier, key("operator"))})
    return Log(folder, VKEY)


def prove(log: Log, leaves: list[bytes], indices: list[int]) -> None:
    """Its paths lead to the root, and are those that the ledger's own tree gives."""
    for index in indices:
        path = log.inclusion(index)
        assert root_of_path(leaves[index], index, log.size, path) == log.root
        assert path == merkle.inclusion_path(leaves, index)


def test_it_uses_no_package_of_ours() -> None:
    tree = ast.parse(Path(tlog_reader.__file__).read_text("utf-8"))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [item.name for item in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}


def test_it_names_tiles_as_the_text_does() -> None:
    assert tile_name(1_234_067) == "x001/x234/067"
    assert [tile_name(number) for number in (0, 999, 1_000)] == ["000", "999", "x001/000"]


@pytest.mark.parametrize("size", SIZES)
def test_it_reads_logs_of_every_shape(tmp_path: Path, size: int) -> None:
    log = publish(tmp_path, size)
    assert (log.origin, log.size) == (ORIGIN, size)
    leaves = log.check()
    assert log.root == merkle.root(leaves)
    assert list(log.entries())[-1] == b"entry %d" % (size - 1)
    prove(log, leaves, sorted({0, size // 2, size - 1, min(255, size - 1), min(256, size - 1)}))
    files = {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()
    }
    assert files - {"checkpoint"} == log.paths()
    assert all((tmp_path / name).stat().st_size for name in files)


def test_the_files_are_those_of_the_texts_example(tmp_path: Path) -> None:
    paths = publish(tmp_path, 70_000).paths()
    assert len(paths) == 2 * 274 + 2 + 1
    assert {"tile/0/272", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17"} <= paths
    assert "tile/2/000.p/1" in paths


def test_it_reads_a_log_that_grew(tmp_path: Path) -> None:
    sizes = [1, 3, 200, 256, 300, 512, 1_000, 1_001]
    for at in range(1, len(sizes) + 1):
        log = publish(tmp_path / str(at), *sizes[:at])
        prove(log, log.check(), [0, log.size - 1])
        assert all((log.folder / name).is_file() for name in log.paths())


def test_where_a_partial_tile_is_gone_the_full_one_serves(tmp_path: Path) -> None:
    old = publish(tmp_path, 300)
    checkpoint = (tmp_path / "checkpoint").read_bytes()
    publish(tmp_path, 300, 600)
    for name in old.paths():
        if ".p/" in name and (tmp_path / name.partition(".p/")[0]).is_file():
            (tmp_path / name).unlink()
    (tmp_path / "checkpoint").write_bytes(checkpoint)
    again = Log(tmp_path, VKEY)
    assert again.size == 300
    prove(again, again.check(), [0, 299])


def test_it_reads_a_ledger(tmp_path: Path) -> None:
    city = City.found(tmp_path / "ledger")
    for first in range(0, 300, 100):
        rides = [city.ride(f"rider-{first + n}", NOON - 3600) for n in range(100)]
        city.sequencer.submit([city.admit([ride]) for ride in rides])
        city.sequencer.seal_all(city.now)
    log = Log(city.folder, VKEY)
    with city.store.snapshot() as snapshot:
        statements = [snapshot.statement(index).data for index in range(city.state.index)]
    assert log.size == city.state.index == 305
    assert list(log.entries()) == statements
    prove(log, log.check(), [0, 255, 256, log.size - 1])
    assert city.store.tree(log.size).root(log.size) == log.root
    city.store.engine.dispose()


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("tile/0/000", 40),
        ("tile/0/001.p/44", 40),
        ("tile/1/000.p/1", 7),
        ("tile/entries/000", 9),
        ("tile/entries/001.p/44", 9),
    ],
)
def test_it_finds_an_altered_file(tmp_path: Path, name: str, at: int) -> None:
    publish(tmp_path, 300)
    path = tmp_path / name
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ReadError):
        Log(tmp_path, VKEY).check()


def test_it_finds_a_missing_and_a_short_file(tmp_path: Path) -> None:
    publish(tmp_path, 300)
    path = tmp_path / tile_path(0, 0)
    full = path.read_bytes()
    for content in (full[:-32], full[:-1], full + bytes(32), b""):
        path.write_bytes(content)
        with pytest.raises(ReadError):
            Log(tmp_path, VKEY).check()
    path.unlink()
    with pytest.raises(ReadError):
        Log(tmp_path, VKEY).check()


def test_it_believes_no_other_key_and_no_other_text(tmp_path: Path) -> None:
    publish(tmp_path, 3)
    with pytest.raises(ReadError):
        Log(tmp_path, log_key(ORIGIN, key("someone").public).vkey)
    path = tmp_path / "checkpoint"
    good = path.read_text("utf-8")
    path.write_text(good.replace("\n3\n", "\n2\n"), "utf-8")
    with pytest.raises(ReadError):
        Log(tmp_path, VKEY)
