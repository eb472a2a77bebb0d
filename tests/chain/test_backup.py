"""Backups: taken while the ledger goes on, restored in either database, checked, gone on from."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import cbor2
import pytest
from support.books import UNIT, everybody
from support.certified import CertifiedCity
from support.city import NOON, TODAY, City, genesis
from support.postgres import IN_USE, Server, engine_of
from support.replay import check_replay

from chain.paths import CHECKPOINT, activities_path, lot_path, reductions_path
from chain.store import tables
from chain.store.backup import MANIFEST, back_up, restore
from chain.store.ledger import LedgerStore
from keys.errors import TallyError, Unreadable, Usage, VerificationError
from keys.strict import dump_json, parse_json

ENDLESS = Path(__file__).resolve().parents[1] / "support" / "endless.py"
KINDS = ("sqlite", "postgresql")


@pytest.fixture(autouse=True)
def server(postgres_server: Server) -> Iterator[None]:
    with postgres_server.use():
        yield


def store_in(kind: str, folder: Path) -> LedgerStore:
    return LedgerStore(folder, engine_of(folder) if kind == "postgresql" else None)


class Scene:
    """A ledger with something of everything: voided, refused, closed, certified, erased, and two
    submissions that wait."""

    def __init__(self, store: LedgerStore) -> None:
        self.city = city = CertifiedCity(store.folder, store=store)
        city.sequencer.post([genesis(actions=everybody(), unit_grams=UNIT, acceptance_days=2)])
        city.sequencer.seal_all(NOON)
        self.lines = [city.ride(person, NOON) for person in ("ann", "ben", "cat")]
        answer = city.submit(self.lines)
        city.post(city.void(answer, [2], "metro-app"))
        again = city.submit([*self.lines[2:], city.ride("ann", NOON + 60)])
        assert list(again.refusals) == [1]
        city.shut(TODAY + 1)
        certification = city.certify(TODAY, TODAY + 1)
        self.root = city.unchecked(self.lines).root
        self.leaves = [reduction.leaf for reduction in city.reduce(self.lines)]
        city.done(city.erasure(certification, self.leaves[:1]))
        assert city.store.activities(self.root) == [b"", *self.lines[1:]]
        self.waiting = [city.admit([city.ride("dan", city.now)])]
        self.waiting.append(city.unchecked([city.ride("eva", city.now)], expires=city.now - 1))
        city.sequencer.submit(self.waiting)

    def back_up(self, folder: Path) -> Path:
        back_up(self.city.store, folder)
        return folder


def restored(backup: Path, store: LedgerStore) -> City:
    """The city of a backup."""
    restore(backup, store)
    return City(store.folder, store=store)


def heads(city: City) -> Any:
    with city.store.snapshot() as snapshot:
        # Which pages the register is kept in is no part of the ledger.
        return [
            snapshot.block(height)._replace(next_page=0) for height in range(snapshot.height() + 1)
        ]


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("source", KINDS)
def test_what_is_restored_is_the_same_ledger_and_goes_on_alike(
    source: str, target: str, tmp_path: Path
) -> None:
    scene = Scene(store_in(source, tmp_path / "city"))
    city = scene.city
    backup = scene.back_up(tmp_path / "backup")
    other = restored(backup, store_in(target, tmp_path / "other"))
    other.now = city.now
    assert heads(other) == heads(city)
    assert (other.folder / CHECKPOINT).read_bytes() == (city.folder / CHECKPOINT).read_bytes()
    assert other.store.activities(scene.root) == [b"", *scene.lines[1:]]
    more = city.admit([city.ride("fay", city.now)])
    for one in (city, other):
        one.sequencer.submit([more])
        one.sequencer.seal_all(one.now)
        one.answer(scene.waiting[0].entry.statement)
        with pytest.raises(TallyError, match="expired"):
            one.answer(scene.waiting[1].entry.statement)
    assert heads(other) == heads(city)
    for one in (city, other):
        check_replay(one)
    for path in ("tile", "submissions", "activities", "lots"):
        assert contents(other.folder / path) == contents(city.folder / path)


def contents(folder: Path) -> dict[str, bytes]:
    """What is in the files of a folder; of partial tiles only the widest matter."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in files if ".p/" not in str(path)
    }


def test_what_was_erased_is_erased_again(tmp_path: Path) -> None:
    """A file may have been copied a moment before its activities were erased."""
    scene = Scene(store_in("sqlite", tmp_path / "city"))
    backup = scene.back_up(tmp_path / "backup")
    whole = b"".join(line + b"\n" for line in scene.lines)
    (backup / activities_path(scene.root)).write_bytes(whole)
    other = restored(backup, store_in("sqlite", tmp_path / "other"))
    assert other.store.activities(scene.root) == [b"", *scene.lines[1:]]


def test_a_backup_from_before_a_migration_is_migrated(tmp_path: Path) -> None:
    scene = Scene(store_in("sqlite", tmp_path / "city"))
    backup = scene.back_up(tmp_path / "backup")
    manifest = parse_json((backup / MANIFEST).read_bytes())
    manifest["version"] = "0002"
    for name in ("subject", "statistic"):
        del manifest["tables"][name]
    # Where a reduction stands was then asked by its holder alone.
    told = manifest["tables"]["reduction"]
    rows = BytesIO((backup / "tables/reduction/000000").read_bytes()[:-32])
    older = b"".join(cbor2.dumps(cbor2.load(rows)[1:]) for _ in range(told["rows"]))
    digest = sha256(older).digest()
    (backup / "tables/reduction/000000").write_bytes(older + digest)
    told |= {"columns": told["columns"][1:], "last": digest.hex()}
    (backup / MANIFEST).write_bytes(dump_json(manifest))
    other = restored(backup, store_in("sqlite", tmp_path / "other"))
    check_replay(other)
    with scene.city.store.snapshot() as before, other.store.snapshot() as after:
        assert list(after.reductions()) == list(before.reductions())
        for table in (tables.subject, tables.statistic):
            assert list(after.rows(table)) == list(before.rows(table))


def test_nothing_is_restored_over_what_is_there(tmp_path: Path) -> None:
    scene = Scene(store_in("sqlite", tmp_path / "city"))
    backup = scene.back_up(tmp_path / "backup")
    before = heads(scene.city)
    with pytest.raises(Usage, match="folder-not-empty"):
        restore(backup, store_in("sqlite", tmp_path / "city"))
    with pytest.raises(Usage, match="folder-not-empty"):
        scene.back_up(tmp_path / "backup")
    assert heads(scene.city) == before
    # The folder is new, but its database has a ledger.
    elsewhere = City.found(tmp_path / "elsewhere")
    elsewhere.store.engine.dispose()
    shutil.rmtree(elsewhere.folder)
    with pytest.raises(Usage, match="database-not-empty"):
        restore(backup, store_in("postgresql", elsewhere.folder))
    with pytest.raises(Usage, match="genesis-missing"):
        empty = store_in("sqlite", tmp_path / "empty")
        empty.prepare()
        back_up(empty, tmp_path / "none")


def flip(path: Path, at: int = 40) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def submission(scene: Scene, path: Callable[[bytes], str]) -> str:
    return path(scene.waiting[0].root)


def of_lot(scene: Scene) -> str:
    with scene.city.store.snapshot() as snapshot:
        return lot_path(snapshot.lots()[0].root)


DAMAGE: dict[str, tuple[Callable[[Scene], str], str]] = {
    "a block": (lambda _: "tables/block/000000", "tables/block"),
    "an entry of the log": (lambda _: "tables/statement/000000", "tables/statement"),
    "a place of a reduction": (lambda _: "tables/reduction/000000", "tables/reduction"),
    "a span": (lambda _: "tables/span/000000", "tables/span"),
    "reductions": (lambda scene: submission(scene, reductions_path), "submissions/"),
    "activities": (lambda scene: submission(scene, activities_path), "activities/"),
    "a lot": (of_lot, "lots/"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_backup_is_not_restored(name: str, tmp_path: Path) -> None:
    scene = Scene(store_in("sqlite", tmp_path / "city"))
    backup = scene.back_up(tmp_path / "backup")
    path, said = DAMAGE[name]
    flip(backup / path(scene))
    store = store_in("sqlite", tmp_path / "other")
    with pytest.raises(TallyError) as damaged:
        restore(backup, store)
    assert said in str(damaged.value)
    assert not (store.folder / CHECKPOINT).exists()
    if (store.folder / "ledger.db").exists():
        with store.snapshot() as snapshot:
            assert snapshot.head() is None


def test_a_backup_whose_root_is_another_is_not_restored(tmp_path: Path) -> None:
    scene = Scene(store_in("sqlite", tmp_path / "city"))
    backup = scene.back_up(tmp_path / "backup")
    good = parse_json((backup / MANIFEST).read_bytes())
    for number, name in enumerate(("root", "register")):
        (backup / MANIFEST).write_bytes(dump_json({**good, name: "00" * 32}))
        with pytest.raises(VerificationError, match="backup-differs"):
            restore(backup, store_in("sqlite", tmp_path / str(number)))
    (backup / MANIFEST).write_bytes(dump_json({**good, "format": 2}))
    with pytest.raises(Unreadable, match="backup-format"):
        restore(backup, store_in("sqlite", tmp_path / "two"))


def test_a_backup_that_was_not_finished_is_none(tmp_path: Path) -> None:
    scene = Scene(store_in("sqlite", tmp_path / "city"))
    backup = scene.back_up(tmp_path / "backup")
    (backup / MANIFEST).unlink()
    with pytest.raises(Unreadable, match="backup-missing"):
        restore(backup, store_in("sqlite", tmp_path / "other"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_backup_while_another_process_submits_and_seals(kind: str, tmp_path: Path) -> None:
    city = City(tmp_path / "city", store=store_in(kind, tmp_path / "city"))
    city.sequencer.post([genesis()])
    city.sequencer.seal_all(city.now)
    surroundings = {n: v for n, v in os.environ.items() if kind == "postgresql" or n != IN_USE}
    process = subprocess.Popen(
        [sys.executable, str(ENDLESS), str(city.folder), "1"],
        stdout=subprocess.PIPE,
        text=True,
        env=surroundings,
    )
    try:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().split() for _ in range(40)]
        back_up(city.store, tmp_path / "backup")
        assert process.poll() is None
    finally:
        process.kill()
    process.communicate()
    other = restored(tmp_path / "backup", store_in(kind, tmp_path / "other"))
    with other.store.snapshot() as snapshot:
        for word, name, *_ in acknowledged:
            identity = bytes.fromhex(name)
            found = snapshot.find(identity) is not None
            assert found or (word == "kept" and identity in snapshot.waiting([identity]))
    assert heads(other) == heads(city)[: len(heads(other))]
    other.now = city.now + 1_000_000
    other.submit([other.ride("fay", other.now)])
    check_replay(other)
