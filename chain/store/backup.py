"""Backups: a copy of a ledger as of one block, in one form whatever the database.

    backup.json           what is in it; written last: a folder without it is no backup
    tables/NAME/N         the rows of a table, each a CBOR array, one after the other; at the end
                          SHA-256 over the one of file N - 1 and these rows
    tables/span/N         the spans of the register, likewise: line, start, end, holder
    submissions/…  activities/…  lots/…     as in the ledger's folder

The tables are read in one transaction, while the ledger goes on; then the files that their
statements and lots name, which are there before any row names them.  Tiles and checkpoint are not
in it, since they follow from the log, nor are the pages of the register, which follow from its
spans.

To restore is to put all of it into an empty folder and an empty database.  Before anything is
committed, the log is hashed again and compared with every block, the register is built again from
its spans, and every file is compared with the root that names it.  Then the log is published as
after a crash, which also erases again whatever the log says is erased.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import cbor2
from sqlalchemy import Connection, MetaData, Table, func, insert, inspect, select, update

from chain import merkle
from chain.activities import parse_activity
from chain.files import Files
from chain.lots import Lot, LotTree
from chain.merkle import Frontier, leaf_hashes
from chain.pages import ROOT_PAGE
from chain.paths import activities_path, lot_path, reductions_path
from chain.reductions import parse_reductions
from chain.register import Register
from chain.spans import HASH_SIZE, Span
from chain.store import tables
from chain.store.archive import Moved, archive_pages, archive_places, enter
from chain.store.database import execute_rows, migrate, version
from chain.store.ledger import LedgerStore, put_pages
from chain.store.snapshot import Memory, Snapshot, read_pages
from keys.errors import Malformed, Unreadable, Usage, VerificationError
from keys.notes import Checkpoint, parse_note
from keys.statements import Statement, parse_statement
from keys.strict import dump_json, parse_json

FORMAT = 1
MANIFEST = "backup.json"
SPANS = "span"
CHUNK_BYTES = 4_194_304
"""A file of rows is ended when it has grown to so many bytes."""
ROWS_AT_ONCE = 10_000
SPANS_AT_ONCE = 65_536
PAGES_CACHED = 4_096
# The pages and the archive are written anew, and a lead is of the processes that there are.
_LEFT_OUT = (tables.page, tables.page_file, tables.place_file, tables.lead)

Manifest = dict[str, Any]


def back_up(store: LedgerStore, folder: Path) -> Manifest:
    """Write a backup into a new or empty folder; what is in it.  Raises `Usage`."""
    _make_empty(folder)
    files = Files(folder)
    with store.snapshot() as snapshot:
        head = snapshot.head()
        if head is None:
            raise Usage("genesis-missing")
        manifest: Manifest = {
            "format": FORMAT,
            "version": snapshot.version(),
            "origin": snapshot.origin(),
            "height": head.height,
            "size": head.size,
            "root": head.frontier.root().hex(),
            "register": head.register_root.hex(),
            "tables": {
                table.name: _write(files, table.name, table.columns.keys(), rows)
                for table, rows in _rows(snapshot)
            },
        }
        spans = _spans(snapshot.register(PAGES_CACHED))
        manifest["tables"][SPANS] = _write(files, SPANS, Span._fields, spans)
    for path in _paths(_Reader(folder, manifest)):
        files.write({path: store.files.read(path)})
    files.write({MANIFEST: dump_json(manifest)})
    return manifest


def restore(folder: Path, store: LedgerStore) -> Manifest:
    """Restore a backup into a new or empty folder and an empty database; what was in it.

    Raises `Usage` if there is anything, `Unreadable` or `VerificationError` if the backup is not
    whole: then nothing is in the database.
    """
    backup = _Reader(folder, _manifest(folder))
    _make_empty(store.folder)
    _check_empty(store, backup.manifest["version"])
    _check_log(backup)
    _copy_files(backup, store.files)
    migrate(store.engine, store.files, backup.manifest["version"])
    with store.writing() as connection:
        _load(connection, backup)
        _build_register(connection, backup, store)
    store.prepare()
    store.publish()
    store.publish_cosigned()
    return backup.manifest


class _Reader:
    """The files and the rows of a backup."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.files = Files(folder)
        self.manifest = manifest

    def columns(self, name: str) -> list[str]:
        """The columns of a table."""
        return list(self.manifest["tables"][name]["columns"])

    def rows(self, name: str) -> Iterator[list[Any]]:
        """The rows of a table; raises `VerificationError` before one that was not written."""
        told = self.manifest["tables"][name]
        before = b""
        for number in range(told["files"]):
            path = _path(name, number)
            data = self.files.read(path)
            rows, before = data[:-HASH_SIZE], sha256(before + data[:-HASH_SIZE]).digest()
            if data[-HASH_SIZE:] != before:
                raise _differs(path)
            reading = BytesIO(rows)
            decoder = cbor2.CBORDecoder(reading)
            while reading.tell() < len(rows):
                yield decoder.decode()
        if before.hex() != told["last"]:
            raise _differs(name)

    def records(self, name: str) -> Iterator[dict[str, Any]]:
        """The rows of a table, by the names of its columns."""
        columns = self.columns(name)
        for row in self.rows(name):
            yield dict(zip(columns, row, strict=True))

    def statements(self) -> Iterator[Statement]:
        """The statements of the log, and those that wait."""
        for name in ("statement", "pending"):
            for record in self.records(name):
                yield parse_statement(record["data"])

    def lots(self) -> Iterator[Lot]:
        """The lots."""
        for record in self.records("lot"):
            yield Lot(**record)


def _differs(what: str) -> VerificationError:
    return VerificationError("backup-differs", what=what)


def _manifest(folder: Path) -> Manifest:
    files = Files(folder)
    if not files.exists(MANIFEST):
        raise Unreadable("backup-missing", path=str(folder))
    manifest: Manifest = parse_json(files.read(MANIFEST))
    if manifest["format"] != FORMAT:
        raise Unreadable("backup-format", found=manifest["format"])
    return manifest


def _make_empty(folder: Path) -> None:
    """Make a folder for its owner alone; raises `Usage` if there is something in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Usage("folder-not-empty", path=str(folder))


def _check_empty(store: LedgerStore, wanted: str) -> None:
    """Raise `Usage` if a ledger is in the database already, or tables of another version."""
    if store.engine.dialect.name == "sqlite":
        return  # it is a file of the folder
    with store.engine.connect() as connection:
        found = version(connection)
        if found is None:
            return
        if found != wanted or connection.scalar(select(func.count()).select_from(tables.block)):
            raise Usage("database-not-empty")


# --- writing ---


def _path(name: str, number: int) -> str:
    return f"tables/{name}/{number:06}"


def _write(
    files: Files, name: str, columns: Iterable[str], rows: Iterable[Iterable[Any]]
) -> Manifest:
    before, count, number = b"", 0, 0
    gathered = bytearray()

    def end_file() -> None:
        nonlocal before, number
        before = sha256(before + gathered).digest()
        files.write({_path(name, number): bytes(gathered) + before})
        gathered.clear()
        number += 1

    for row in rows:
        gathered += cbor2.dumps(tuple(row))
        count += 1
        if len(gathered) >= CHUNK_BYTES:
            end_file()
    if gathered:
        end_file()
    return {"columns": list(columns), "rows": count, "files": number, "last": before.hex()}


def _rows(snapshot: Snapshot) -> Iterator[tuple[Table, Iterable[Iterable[Any]]]]:
    """The rows of each table that is in a backup."""
    for table in tables.metadata.sorted_tables:
        if table is tables.reduction:
            yield table, snapshot.reductions()
        elif table not in _LEFT_OUT:
            yield table, snapshot.rows(table)


def _spans(register: Register) -> Iterator[Span]:
    """All spans in order, while few pages are in memory."""
    spans = register.spans()
    while some := list(islice(spans, SPANS_AT_ONCE)):
        yield from some
        register.drain()


def _paths(backup: _Reader) -> Iterator[str]:
    """The files that the statements and the lots name."""
    for statement in backup.statements():
        if statement.kind == "submission":
            root = bytes.fromhex(statement.body["root"])
            yield from (reductions_path(root), activities_path(root))
    for lot in backup.lots():
        yield lot_path(lot.root)


# --- checking and reading ---


def _check_log(backup: _Reader) -> None:
    """Hash the log again, and compare it with the blocks."""
    origin, frontier = backup.manifest["origin"], Frontier()
    register = b""
    statements = backup.records("statement")
    for block in backup.records("block"):
        entries = list(islice(statements, block["size"] - frontier.size))
        read = [parse_statement(entry["data"]) for entry in entries]
        frontier = frontier.append(leaf_hashes([statement.data for statement in read]))
        register = block["register_root"]
        same = (
            [(entry["id"], entry["kind"], entry["issuer"]) for entry in entries]
            == [(statement.id, statement.kind, statement.issuer) for statement in read]
            and (block["size"], block["frontier"]) == (frontier.size, frontier.to_bytes())
            and (block["seal"], register.hex()) == (read[-1].id, read[-1].body.get("register"))
            and parse_note(block["checkpoint"]).text
            == Checkpoint(origin, frontier.size, frontier.root()).text
        )
        if not same:
            raise _differs(f"block {block['height']}")
    if next(statements, None) is not None:
        raise _differs("statement")
    told = backup.manifest
    if (told["root"], told["register"]) != (frontier.root().hex(), register.hex()):
        raise _differs(MANIFEST)


def _copy_files(backup: _Reader, files: Files) -> None:
    """Copy the files, each compared with the root that names it."""
    for statement in backup.statements():
        if statement.kind != "submission":
            continue
        root = bytes.fromhex(statement.body["root"])
        paths = reductions_path(root), activities_path(root)
        data, lines = (backup.files.read(path) for path in paths)
        try:
            reductions = parse_reductions(data)
            digests = [line and parse_activity(line).digest for line in lines.split(b"\n")]
        except Malformed as error:
            raise _differs(paths[0]) from error
        if merkle.root([reduction.leaf for reduction in reductions]) != root:
            raise _differs(paths[0])
        # One that was erased is an empty line.
        expected = [digest and of.digest for digest, of in zip(digests, reductions, strict=False)]
        if digests != [*expected, b""]:
            raise _differs(paths[1])
        files.write(dict(zip(paths, (data, lines), strict=True)))
    for lot in backup.lots():
        data = backup.files.read(lot_path(lot.root))
        tree = LotTree.parse(data)
        if (tree.count, tree.grams, tree.root) != lot[3:]:
            raise _differs(lot_path(lot.root))
        files.write({lot_path(lot.root): data})


def _load(connection: Connection, backup: _Reader) -> None:
    """Put the rows into the tables, which are those of the backup's version."""
    known = MetaData()
    known.reflect(connection)
    for table in known.sorted_tables:
        if table.name in backup.manifest["tables"]:
            columns, rows = backup.columns(table.name), backup.rows(table.name)
            while some := list(islice(rows, ROWS_AT_ONCE)):
                execute_rows(connection, insert(table), columns, [tuple(row) for row in some])
    if connection.dialect.name == "postgresql":
        last = select(func.max(tables.pending.c.number)).scalar_subquery()
        connection.execute(select(func.setval("pending_number_seq", func.coalesce(last, 1))))


def _build_register(connection: Connection, backup: _Reader, store: LedgerStore) -> None:
    """Build the register from its spans; raises `VerificationError` if its root is another."""
    named: dict[int, bytes] = {}

    def read(numbers: Sequence[int]) -> dict[int, bytes]:
        return read_pages(connection, numbers, store.files, named)

    register = Register(read, ROOT_PAGE + 1)
    closed, number = _closed_until(connection, store), 0
    spans = (Span(*row) for row in backup.rows(SPANS))
    while some := list(islice(spans, SPANS_AT_ONCE)):
        register.change(some)
        # They come in order: what is of the days before the last one is complete.
        until = min(closed, some[-1].day)
        while pages := archive_pages(store.files, register, until, number):
            put_pages(connection, register.drain())
            enter(connection, Moved(pages, None))
            number += 1
        put_pages(connection, register.drain())
    while places := closed and archive_places(store.files, connection, closed):
        enter(connection, Moved(None, places))
    if register.root().hex() != backup.manifest["register"]:
        raise _differs("register")
    last = select(func.max(tables.block.c.height)).scalar_subquery()
    connection.execute(
        update(tables.block)
        .where(tables.block.c.height == last)
        .values(next_page=register.next_page)
    )


def _closed_until(connection: Connection, store: LedgerStore) -> int:
    """The days before this one can be archived: none in tables from before there was an archive."""
    if not inspect(connection).has_table(tables.page_file.name):
        return 0
    state = Snapshot(connection, Memory(), store.files).state()
    return state.closed_until if state else 0
