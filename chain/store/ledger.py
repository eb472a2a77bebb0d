"""A ledger on disk: a folder with the database, the published log, and the reductions.

    ledger.db                   unless the database is elsewhere
    checkpoint, tile/…          the published log (C2SP tlog-tiles)
    submissions/aa/ROOT         the reductions of a submission, by the root it signs
    activities/aa/ROOT.ndjson   the activities behind them, verbatim; private

A block is there once its one transaction is committed; `publish` then writes its tiles and its
checkpoint from the database, and is also what start-up calls: after a crash at any point the same
function does what is left to do, and does nothing twice.
"""

import contextlib
import fcntl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Engine,
    Insert,
    Row,
    Table,
    bindparam,
    delete,
    func,
    insert,
    null,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from chain.merkle import Frontier
from chain.reductions import Reduction, parse_reductions, split_reductions
from chain.register import Register
from chain.rules import Entry, Refused, apply
from chain.spans import FOREVER, Span
from chain.state import State
from chain.store import tables
from chain.store.database import migrate, open_engine, sqlite_url
from chain.store.files import Files, System
from chain.tiles import DirectoryReader, TileTree, new_tiles
from keys.errors import Fault, Unreadable, Usage
from keys.notes import parse_checkpoint, parse_note
from keys.statements import Statement, parse_statement

CHECKPOINT = "checkpoint"
_GOVERNANCE = ("genesis", "proposal", "approval")
_IN_MAX = 500
_PUBLISH_ENTRIES_MAX = 65_536


class Head(NamedTuple):
    """The last block."""

    height: int
    size: int
    time: int
    seal: bytes
    register_root: bytes
    frontier: Frontier
    checkpoint: bytes
    receipt_signature: bytes
    next_page: int
    recorded: int
    refused: int
    grams: int


@dataclass(frozen=True)
class Place:
    """Where a reduction stands: its submission's log index, its position, and if it is voided."""

    index: int
    position: int
    voided: int | None


class Pending(NamedTuple):
    """An admitted statement that waits for a block."""

    number: int
    data: bytes


@dataclass(frozen=True)
class Block:
    """What a block adds to the database; all of it in one transaction."""

    head: Head
    first: int
    statements: Sequence[Statement]
    recorded: Sequence[tuple[bytes, int, int]]
    """(holder, index, position) of each reduction recorded."""
    voided: Sequence[tuple[bytes, int]]
    """(holder, index of the void)."""
    refusals: Sequence[tuple[int, int, Refused]]
    """(index, position, why)."""
    pages: Mapping[int, bytes | None]
    done: Sequence[int]
    """Numbers of the pending statements that are in the block."""
    refused: Sequence[tuple[int, str]]
    """Pending statements that the rules refused: number, and the refusal as JSON."""


class _Replay:
    """A view for replaying governance, which asks nothing of the register."""

    def seen(self, identity: bytes) -> bool:
        return False

    def overlapping(
        self, wanted: Sequence[tuple[bytes, int, int]], most: int = FOREVER
    ) -> list[list[Span]]:
        raise Fault("replay-register")

    def root(self) -> bytes:
        raise Fault("replay-register")


class Snapshot:
    """The ledger as of one block, read in one transaction; close it soon."""

    def __init__(self, store: "LedgerStore", connection: Connection) -> None:
        self._store = store
        self._connection = connection

    def head(self) -> Head | None:
        """The last block, or None before the first."""
        row = self._connection.execute(
            select(tables.block).order_by(tables.block.c.height.desc()).limit(1)
        ).first()
        return _head(row) if row is not None else None

    def block(self, height: int) -> Head:
        """A block by its height; raises `Usage`."""
        row = self._connection.execute(
            select(tables.block).where(tables.block.c.height == height)
        ).first()
        if row is None:
            raise Usage("block-unknown", height=height)
        return _head(row)

    def state(self) -> State | None:
        """What the rules know: the fold of governance, and the position of the log."""
        head = self.head()
        if head is None:
            return None
        statement, block = tables.statement, tables.block
        before = block.alias()
        rows = self._connection.execute(
            select(statement.c.index, statement.c.data, before.c.time)
            .join_from(statement, before, before.c.height == statement.c.height - 1, isouter=True)
            .where(statement.c.kind.in_(_GOVERNANCE))
            .order_by(statement.c.index)
        )
        state: State | None = None
        for index, data, time in rows:
            if state is not None:
                state = _at(state, index=index, time=state.time if time is None else time)
            state = apply(state, Entry(parse_statement(data)), _Replay()).state
        if state is None:
            raise Fault("genesis-missing")
        return _at(state, index=head.size, time=head.time, height=head.height, previous=head.seal)

    def origin(self) -> str:
        """The log's origin, from its genesis."""
        return str(self.statement(0).body["origin"])

    def register(self) -> Register:
        """The register as of this block, for proofs."""
        head = self.head()
        return Register(self.pages, head.next_page if head else 2)

    def pages(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """Stored pages of the register, those that exist."""
        page = tables.page
        found: dict[int, bytes] = {}
        for at in range(0, len(numbers), _IN_MAX):
            wanted = page.c.number.in_(numbers[at : at + _IN_MAX])
            for number, data in self._connection.execute(
                select(page.c.number, page.c.data).where(wanted)
            ):
                found[number] = data
        return found

    def statement(self, index: int) -> Statement:
        """An entry of the log; raises `Usage`."""
        data = self._connection.scalar(
            select(tables.statement.c.data).where(tables.statement.c.index == index)
        )
        if data is None:
            raise Usage("statement-unknown", index=index)
        return parse_statement(data)

    def find(self, identity: bytes) -> tuple[int, int] | None:
        """(index, height) of the statement with this id."""
        statement = tables.statement
        row = self._connection.execute(
            select(statement.c.index, statement.c.height).where(statement.c.id == identity)
        ).first()
        return (row[0], row[1]) if row is not None else None

    def height_of(self, index: int) -> int:
        """The height of the block that holds an entry; raises `Usage`."""
        height = self._connection.scalar(
            select(tables.statement.c.height).where(tables.statement.c.index == index)
        )
        if height is None:
            raise Usage("statement-unknown", index=index)
        return int(height)

    def known(self, identities: Sequence[bytes]) -> set[bytes]:
        """Those of the statement ids that are in the log."""
        found: set[bytes] = set()
        for at in range(0, len(identities), _IN_MAX):
            wanted = tables.statement.c.id.in_(identities[at : at + _IN_MAX])
            found.update(self._connection.scalars(select(tables.statement.c.id).where(wanted)))
        return found

    def block_statements(self, height: int) -> list[tuple[int, str, str]]:
        """(index, kind, issuer) of the statements of a block."""
        statement = tables.statement
        rows = self._connection.execute(
            select(statement.c.index, statement.c.kind, statement.c.issuer)
            .where(statement.c.height == height)
            .order_by(statement.c.index)
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def locate(self, holder: bytes) -> Place | None:
        """Where the reduction with this holder stands."""
        reduction = tables.reduction
        row = self._connection.execute(
            select(reduction.c.index, reduction.c.position, reduction.c.voided).where(
                reduction.c.holder == holder
            )
        ).first()
        return Place(*row) if row is not None else None

    def live(self, holders: Sequence[bytes]) -> dict[bytes, Place]:
        """Where those of the holders stand whose reductions are recorded and not voided."""
        reduction = tables.reduction
        found: dict[bytes, Place] = {}
        for at in range(0, len(holders), _IN_MAX):
            wanted = reduction.c.holder.in_(holders[at : at + _IN_MAX])
            rows = self._connection.execute(
                select(reduction.c.holder, reduction.c.index, reduction.c.position).where(
                    wanted, reduction.c.voided.is_(None)
                )
            )
            found.update((holder, Place(index, position, None)) for holder, index, position in rows)
        return found

    def refusals(self, index: int) -> dict[int, Refused]:
        """The reductions of a submission that were refused, by their position."""
        rows = self._connection.execute(
            select(tables.refusal)
            .where(tables.refusal.c.index == index)
            .order_by(tables.refusal.c.position)
        )
        made: dict[int, Refused] = {}
        for row in rows:
            met = None
            if row.line is not None:
                met = Span(row.line, row.start, row.end, row.holder)
            made[row.position] = Refused(row.code, row.claim, met, row.day)
        return made

    def pending(self, limit: int) -> list[Pending]:
        """Admitted statements that wait for a block, in the order in which they came."""
        pending = tables.pending
        rows = self._connection.execute(
            select(pending.c.number, pending.c.data)
            .where(pending.c.refusal.is_(None))
            .order_by(pending.c.number)
            .limit(limit)
        )
        return [Pending(*row) for row in rows]

    def waiting(self, identity: bytes) -> str | None:
        """None if a statement is not pending; "" if it waits; its refusal, as JSON."""
        pending = tables.pending
        row = self._connection.execute(
            select(pending.c.refusal).where(pending.c.id == identity)
        ).first()
        return None if row is None else row[0] or ""

    def pending_count(self) -> int:
        """How many admitted statements wait for a block."""
        pending = tables.pending
        return (
            self._connection.scalar(
                select(func.count()).select_from(pending).where(pending.c.refusal.is_(None))
            )
            or 0
        )

    def entries(self, start: int, end: int) -> list[bytes]:
        """The bytes of the log's entries ``start`` to ``end``."""
        statement = tables.statement
        return list(
            self._connection.scalars(
                select(statement.c.data)
                .where(statement.c.index >= start, statement.c.index < end)
                .order_by(statement.c.index)
            )
        )

    def first_block_after(self, size: int) -> Head | None:
        """The first block that ends beyond ``size``."""
        row = self._connection.execute(
            select(tables.block)
            .where(tables.block.c.size > size)
            .order_by(tables.block.c.height)
            .limit(1)
        ).first()
        return _head(row) if row is not None else None

    def reductions(self, root: bytes) -> list[Reduction]:
        """The reductions of a submission, from its file."""
        return self._store.reductions(root)


class LedgerStore:
    """The folder of a ledger and its database."""

    def __init__(
        self, folder: Path, engine: Engine | None = None, system: System | None = None
    ) -> None:
        self.folder = folder
        self.files = Files(folder, system)
        self.engine = engine or open_engine(sqlite_url(folder / "ledger.db"))

    def prepare(self) -> None:
        """Make the folder and the tables, or bring them to the version that this code knows."""
        self.folder.mkdir(parents=True, exist_ok=True)
        migrate(self.engine)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The ledger as it is now, unmoved by blocks that are made meanwhile."""
        options: dict[str, Any] = {}
        if self.engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"
        with self.engine.connect().execution_options(**options) as connection:
            yield Snapshot(self, connection)

    # --- reductions and activities ---

    def reductions(self, root: bytes) -> list[Reduction]:
        """The reductions of the submission with this root; raises `Unreadable`."""
        return parse_reductions(self.files.read(reductions_path(root)))

    def reduction_bytes(self, root: bytes) -> list[bytes]:
        """The bytes of each of them, for who wants a few; raises `Unreadable`."""
        return split_reductions(self.files.read(reductions_path(root)))

    def activities(self, root: bytes) -> list[bytes]:
        """The activities of the submission with this root, a line each; raises `Unreadable`."""
        return self.files.read(activities_path(root)).split(b"\n")[:-1]

    # --- changes ---

    def enqueue(self, statements: Iterable[Statement], files: Mapping[str, bytes]) -> None:
        """Keep admitted statements, and what they name, until a block takes them.

        A statement that waits already stays where it is; one that was refused waits again.
        """
        self.files.write(files)
        pending = tables.pending
        rows = [{"id": s.id, "data": s.data, "refusal": None} for s in statements]
        if not rows:
            return
        with self._write() as connection:
            made = _insert(connection, pending)
            connection.execute(
                made.on_conflict_do_update(
                    index_elements=["id"],
                    set_={"refusal": None, "data": made.excluded.data},
                    where=pending.c.refusal.is_not(None),
                ),
                rows,
            )

    def commit(self, block: Block) -> None:
        """Enter a block, all of it or nothing; raises IntegrityError if its height is taken."""
        with self._write() as connection:
            self._commit(connection, block)

    def dismiss(self, done: Sequence[int], refused: Sequence[tuple[int, str]]) -> None:
        """Take pending statements off when there is no block to make; see `Block`."""
        with self._write() as connection:
            _take_off(connection, done, refused)

    def _commit(self, connection: Connection, block: Block) -> None:
        head = block.head
        connection.execute(
            insert(tables.block),
            {
                **head._asdict(),
                "frontier": head.frontier.to_bytes(),
                "first": block.first,
            },
        )
        connection.execute(
            insert(tables.statement),
            [
                {
                    "index": index,
                    "id": statement.id,
                    "height": head.height,
                    "kind": statement.kind,
                    "issuer": statement.issuer,
                    "data": statement.data,
                }
                for index, statement in enumerate(block.statements, block.first)
            ],
        )
        if block.recorded:
            # A voided reduction may be submitted, and recorded, again.
            made = _insert(connection, tables.reduction)
            _execute_rows(
                connection,
                made.on_conflict_do_update(
                    index_elements=["holder"],
                    set_={
                        "index": made.excluded.index,
                        "position": made.excluded.position,
                        "voided": null(),
                    },
                ),
                ["holder", "index", "position"],
                block.recorded,
            )
        if block.voided:
            reduction = tables.reduction
            connection.execute(
                update(reduction)
                # One that the block records again after the void is not voided.
                .where(reduction.c.holder == bindparam("of"), reduction.c.index < bindparam("by"))
                .values(voided=bindparam("by")),
                [{"of": holder, "by": index} for holder, index in block.voided],
            )
        if block.refusals:
            connection.execute(
                insert(tables.refusal),
                [
                    {
                        "index": index,
                        "position": position,
                        "code": why.code,
                        "claim": why.claim,
                        "day": why.day,
                        **_met(why.met),
                    }
                    for index, position, why in block.refusals
                ],
            )
        page = tables.page
        pages = _insert(connection, page)
        _execute_rows(
            connection,
            pages.on_conflict_do_update(
                index_elements=["number"], set_={"data": pages.excluded.data}
            ),
            ["number", "data"],
            [(number, data) for number, data in block.pages.items() if data is not None],
        )
        gone = [{"of": number} for number, data in block.pages.items() if data is None]
        if gone:
            connection.execute(delete(page).where(page.c.number == bindparam("of")), gone)
        _take_off(connection, block.done, block.refused)

    @contextlib.contextmanager
    def _write(self) -> Iterator[Connection]:
        connecting = self.engine.connect().execution_options(writes=True)
        with connecting as connection, connection.begin():
            yield connection

    # --- the published log ---

    def published_size(self) -> int:
        """The size of the published checkpoint; 0 before the first."""
        if not self.files.exists(CHECKPOINT):
            return 0
        return parse_checkpoint(parse_note(self.files.read(CHECKPOINT)).text).size

    def publish(self) -> None:
        """Write the tiles and the checkpoint of every block that is committed but not published."""
        with self._publishing():
            size = self.published_size()
            self._check_published(size)
            while True:
                with self.snapshot() as snapshot:
                    block = snapshot.first_block_after(size)
                    if block is None:
                        return
                    entries = snapshot.entries(size, block.size)
                reader = DirectoryReader(self.folder)
                self.files.write(new_tiles(reader, size, entries))
                self.files.write({CHECKPOINT: block.checkpoint})
                size = block.size

    def _check_published(self, size: int) -> None:
        """Raise `Fault` if the database is not the one that published the checkpoint.

        One that was put back from an old copy would go on to sign a second log of the same sizes.
        """
        if size:
            shown = parse_checkpoint(parse_note(self.files.read(CHECKPOINT)).text)
            with self.snapshot() as snapshot:
                block = snapshot.first_block_after(size - 1)
            if block is None or (block.size, block.frontier.root()) != (size, shown.root):
                raise Fault("published-differs", size=size)

    @contextlib.contextmanager
    def _publishing(self) -> Iterator[None]:
        """One process at a time, so that the checkpoint never goes back."""
        with open(self.folder / ".publishing", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def tree(self, size: int) -> TileTree:
        """The log's tree, from its published tiles; raises `Usage` if it is not published."""
        if self.published_size() < size:
            self.publish()
        return TileTree(DirectoryReader(self.folder), self.published_size())


def reductions_path(root: bytes) -> str:
    """The file of a submission's reductions."""
    return f"submissions/{root.hex()[:2]}/{root.hex()}"


def activities_path(root: bytes) -> str:
    """The file of a submission's activities."""
    return f"activities/{root.hex()[:2]}/{root.hex()}.ndjson"


def open_store(folder: Path, url: str | None = None, system: System | None = None) -> LedgerStore:
    """Open an existing ledger; raises `Unreadable` if there is none."""
    if url is None and not (folder / "ledger.db").is_file():
        raise Unreadable("ledger-missing", path=str(folder))
    store = LedgerStore(folder, open_engine(url) if url else None, system)
    store.prepare()
    return store


def _head(row: Row[Any]) -> Head:
    values = row._mapping
    given: dict[str, Any] = {name: values[name] for name in Head._fields}
    return Head(**{**given, "frontier": Frontier.from_bytes(values["frontier"])})


def _at(state: State, **position: Any) -> State:
    return replace(state, **position)


def _met(span: Span | None) -> dict[str, object]:
    if span is None:
        return {"line": None, "start": None, "end": None, "holder": None}
    return span._asdict()


def _take_off(
    connection: Connection, done: Sequence[int], refused: Sequence[tuple[int, str]]
) -> None:
    pending = tables.pending
    if done:
        connection.execute(
            delete(pending).where(pending.c.number == bindparam("of")),
            [{"of": number} for number in done],
        )
    if refused:
        connection.execute(
            update(pending)
            .where(pending.c.number == bindparam("of"))
            .values(refusal=bindparam("why")),
            [{"of": number, "why": why} for number, why in refused],
        )


def _execute_rows(
    connection: Connection, statement: Insert, columns: list[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Execute for many rows with nothing done to each row on its way to the driver."""
    if not rows:
        return
    compiled = statement.compile(dialect=connection.dialect, column_keys=columns)
    if compiled.positional:
        connection.exec_driver_sql(str(compiled), list(rows))
    else:
        named = [dict(zip(columns, row, strict=True)) for row in rows]
        connection.exec_driver_sql(str(compiled), named)


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what happens on a conflict, in the database's own dialect."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
