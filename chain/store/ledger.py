"""A ledger on disk: a folder with the database, the published log, and the reductions.

    ledger.db                   unless the database is elsewhere
    checkpoint, tile/…          the published log (C2SP tlog-tiles)
    checkpoint.final            its last final checkpoint
    submissions/aa/ROOT         the reductions of a submission, by the root it signs
    activities/aa/ROOT.ndjson   the activities behind them, verbatim; private; where one was
                                erased (`chain.store.erasing`), an empty line
    lots/aa/ROOT                the reductions of a lot, by its root (`chain.lots`)
    register/aa/DIGEST          what closed days leave in the database: pages of the register,
    places/aa/DIGEST            and where their reductions stand (`chain.store.archive`)

A block is there once its one transaction is committed; `publish` then writes its tiles and its
checkpoint from the database, and is also what start-up calls: after a crash at any point the same
function does what is left to do, and does nothing twice.
"""

import contextlib
import fcntl
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, bindparam, delete, insert, null, update
from sqlalchemy.dialects import postgresql, sqlite

from chain.batches import Batch
from chain.effects import Refused
from chain.files import Files, System
from chain.lots import Lot, LotEntry, LotTree
from chain.paths import (
    CHECKPOINT,
    FINAL_CHECKPOINT,
    activities_path,
    lot_path,
    reductions_path,
)
from chain.reductions import Reduction, parse_reductions, split_reductions
from chain.register import Register
from chain.spans import FOREVER, Span
from chain.store import tables
from chain.store.archive import Moved, enter, remove_strays
from chain.store.database import execute_rows, execute_short_rows, migrate, open_engine, sqlite_url
from chain.store.erasing import erase
from chain.store.leading import Lead, take_lead
from chain.store.snapshot import Head, Memory, Place, Snapshot
from chain.store.subjects import SubjectRow
from chain.store.submissions import SubmissionTrees
from chain.tiles import DirectoryReader, TileTree, new_tiles
from keys.errors import Fault, Unreadable, VerificationError
from keys.notes import NoteSignature, parse_checkpoint, parse_note
from keys.statements import Statement
from keys.strict import dump_json

_SUBJECT_COLUMNS = ["day", "pseudonym", "holder"]
_NO_SPAN = (None,) * len(Span._fields)


@dataclass(frozen=True)
class Block:
    """What a block adds to the database; all of it in one transaction."""

    head: Head
    first: int
    statements: Sequence[Statement]
    recorded: Sequence[tuple[int, bytes, int, int]]
    """(day, holder, index, position) of each reduction recorded."""
    voided: Sequence[tuple[int, bytes, int]]
    """(day, holder, index of the void)."""
    refusals: Sequence[tuple[int, int, Refused]]
    """(index, position, why)."""
    days: Sequence[tuple[int, int]]
    """(day, index) of each submission, for each day on which a reduction of it is."""
    statistics: Mapping[tuple[int, str, str], tuple[int, int]]
    """(day, platform, scenario): by how much its count and its grams change."""
    lots: Sequence[Lot]
    """The lots that a close made."""
    pages: Mapping[int, bytes | None]
    moved: Moved | None
    """Where some of the pages to delete are from now on, and some places of reductions."""
    done: Sequence[int]
    """Numbers of the pending statements that are in the block."""
    refused: Sequence[tuple[int, str]]
    """Pending statements that the rules refused: number, and the refusal as JSON."""


class LedgerStore:
    """The folder of a ledger and its database."""

    def __init__(
        self, folder: Path, engine: Engine | None = None, system: System | None = None
    ) -> None:
        self.folder = folder
        self.files = Files(folder, system)
        self.engine = engine or open_engine(sqlite_url(folder / "ledger.db"))
        self._memory = Memory()
        self.trees = SubmissionTrees(self.files)

    def prepare(self) -> None:
        """Make the folder and the tables, or bring them to the version that this code knows."""
        self.folder.mkdir(parents=True, exist_ok=True)
        migrate(self.engine, self.files)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The ledger as it is now, unmoved by blocks that are made meanwhile."""
        options: dict[str, Any] = {}
        if self.engine.dialect.name == "postgresql":
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self.engine.connect().execution_options(**options) as connection:
            yield Snapshot(connection, self._memory, self.files)

    # --- reductions and activities ---

    def reductions(self, root: bytes) -> list[Reduction]:
        """The reductions of the submission with this root; raises `Unreadable`."""
        return parse_reductions(self.files.read(reductions_path(root)))

    def batch(self, root: bytes) -> Batch:
        """The same, as a batch; raises `Unreadable`."""
        return Batch.read(self.files.read(reductions_path(root)))

    def reduction_bytes(self, root: bytes) -> list[bytes]:
        """The bytes of each of them, for who wants a few; raises `Unreadable`."""
        return split_reductions(self.files.read(reductions_path(root)))

    def activities(self, root: bytes) -> list[bytes]:
        """The activities of the submission with this root, a line each; raises `Unreadable`.

        One that was erased is empty.
        """
        return self.files.read(activities_path(root)).split(b"\n")[:-1]

    # --- lots ---

    def gather(self, first: int, until: int) -> dict[Lot, LotTree]:
        """The lots of the days ``[first, until)`` as they stand, in order, with their trees.

        Raises `Fault` if a file of reductions is not the one that was submitted.
        """
        entries: dict[tuple[str, str, int], list[LotEntry]] = {}
        with self.snapshot() as snapshot:
            for index in snapshot.submissions_on(first, until):
                root = bytes.fromhex(snapshot.statement(index).body["root"])
                batch = self.batch(root)
                if batch.root() != root:
                    raise Fault("reductions-differ", index=index)
                [(platform, scenario)] = batch.names()
                days, holders = batch.days(), batch.holders()
                closing = {day for day in days if first <= day < until}
                places = snapshot.live(holders, closing)
                rows = zip(holders, days, batch.leaves(), batch.grams(), strict=True)
                for position, (holder, day, leaf, grams) in enumerate(rows):
                    # One that was voided may be live again, but elsewhere.
                    if places.get(holder) == Place(index, position, None):
                        entries.setdefault((platform, scenario, day), []).append((leaf, grams))
        trees = {name: LotTree(entries[name]) for name in sorted(entries)}
        return {Lot(*name, t.count, t.grams, t.root): t for name, t in trees.items()}

    def lot_tree(self, lot: Lot) -> LotTree:
        """The tree of a closed lot, from its file; raises `Unreadable`, or `VerificationError` if
        it is not the lot's."""
        tree = LotTree.parse(self.files.read(lot_path(lot.root)))
        if (tree.count, tree.grams, tree.root) != lot[3:]:
            raise VerificationError("lot-file")
        return tree

    # --- changes ---

    def enqueue(
        self,
        statements: Iterable[Statement],
        files: Mapping[str, bytes],
        subjects: Sequence[SubjectRow] = (),
    ) -> None:
        """Keep admitted statements, and what they name, until a block takes them.

        A statement that waits already stays where it is; one that was refused waits again.
        """
        self.files.write(files)
        pending = tables.pending
        rows = [{"id": s.id, "data": s.data, "refusal": None} for s in statements]
        if not rows:
            return
        with self.writing() as connection:
            made = _insert(connection, pending)
            connection.execute(
                made.on_conflict_do_update(
                    index_elements=["id"],
                    set_={"refusal": None, "data": made.excluded.data},
                    where=pending.c.refusal.is_not(None),
                ),
                rows,
            )
            subject = _insert(connection, tables.subject).on_conflict_do_nothing()
            # In the order of the table: neighbours share a page, and two writers never wait for
            # each other in a circle.
            execute_short_rows(connection, subject, _SUBJECT_COLUMNS, sorted(subjects))

    def lead(self) -> Lead | None:
        """Take the lead (`chain.store.leading`); None where another process has it."""
        lead = take_lead(self.engine, self.folder)
        if lead is not None:
            with contextlib.ExitStack() as stack:
                stack.enter_context(lead)
                with self.engine.connect() as connection:
                    remove_strays(self.files, connection)
                stack.pop_all()
        return lead

    def archive(self, register: Register, until: int) -> Moved:
        """Write some of what the days before ``until`` leave to new files, and flush them.

        The block whose pages are drained next is to name them.
        """
        with self.snapshot() as snapshot:
            return snapshot.archive(register, until)

    def commit(self, block: Block, lead: Lead | None = None) -> None:
        """Enter a block, all of it or nothing.

        Raises IntegrityError if its height is taken, `Conflict` if ``lead`` was taken over.
        """
        with self.writing(lead) as connection:
            self._commit(connection, block)

    def dismiss(
        self, done: Sequence[int], refused: Sequence[tuple[int, str]], lead: Lead | None = None
    ) -> None:
        """Take pending statements off when there is no block to make; see `Block`."""
        with self.writing(lead) as connection:
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
            # Neighbours share a page; of what was voided and recorded again the last one counts.
            recorded = {row[:2]: row for row in sorted(block.recorded)}
            execute_short_rows(
                connection,
                made.on_conflict_do_update(
                    index_elements=["day", "holder"],
                    set_={
                        "index": made.excluded.index,
                        "position": made.excluded.position,
                        "voided": null(),
                    },
                ),
                ["day", "holder", "index", "position"],
                list(recorded.values()),
            )
        if block.voided:
            reduction = tables.reduction
            connection.execute(
                update(reduction)
                # One that the block records again after the void is not voided.
                .where(
                    reduction.c.day == bindparam("on"),
                    reduction.c.holder == bindparam("of"),
                    reduction.c.index < bindparam("by"),
                )
                .values(voided=bindparam("by")),
                [{"on": day, "of": holder, "by": index} for day, holder, index in block.voided],
            )
        if block.refusals:
            execute_short_rows(
                connection,
                insert(tables.refusal),
                ["index", "position", "code", "claim", "day", *Span._fields],
                [
                    (index, position, why.code, why.claim, why.day, *(why.met or _NO_SPAN))
                    for index, position, why in block.refusals
                ],
            )
        if block.days:
            days = [{"day": day, "index": index} for day, index in block.days]
            connection.execute(insert(tables.submission_day), days)
        if block.statistics:
            statistic = tables.statistic
            sums = _insert(connection, statistic)
            connection.execute(
                sums.on_conflict_do_update(
                    index_elements=["day", "platform", "scenario"],
                    set_={
                        "count": statistic.c.count + sums.excluded.count,
                        "grams": statistic.c.grams + sums.excluded.grams,
                    },
                ),
                [
                    {"day": d, "platform": p, "scenario": s, "count": count, "grams": grams}
                    for (d, p, s), (count, grams) in block.statistics.items()
                ],
            )
        if block.lots:
            connection.execute(insert(tables.lot), [lot._asdict() for lot in block.lots])
        put_pages(connection, block.pages)
        if block.moved is not None:
            enter(connection, block.moved)
        _take_off(connection, block.done, block.refused)

    @contextlib.contextmanager
    def writing(self, lead: Lead | None = None) -> Iterator[Connection]:
        """A transaction that writes; raises `Conflict` if ``lead`` was taken over."""
        connecting = self.engine.connect().execution_options(writes=True)
        with connecting as connection, connection.begin():
            if lead is not None:
                lead.fence(connection)
            yield connection

    # --- what others have signed ---

    def enter_cosignatures(
        self,
        cosignatures: Iterable[tuple[int, NoteSignature]],
        final: Collection[int] = (),
        links: Mapping[int, Mapping[str, Any]] | None = None,
        lead: Lead | None = None,
    ) -> None:
        """Enter verified cosignatures (height, line), the heights of the blocks that have the
        quorum with them, and links of the chain of policies by their height; what is there already
        stays.  Raises `Conflict` if ``lead`` was taken over."""
        rows: dict[Table, list[dict[str, Any]]] = {
            tables.cosignature: [
                {
                    "height": height,
                    "name": line.name,
                    "key_id": line.key_id,
                    "signature": line.signature,
                }
                for height, line in cosignatures
            ],
            tables.final: [{"height": height} for height in final],
            tables.policy_link: [
                {"height": height, "data": dump_json(link)}
                for height, link in (links or {}).items()
            ],
        }
        with self.writing(lead) as connection:
            for table, made in rows.items():
                if made:
                    connection.execute(_insert(connection, table).on_conflict_do_nothing(), made)

    # --- the published log ---

    def published_size(self) -> int:
        """The size of the published checkpoint; 0 before the first."""
        if not self.files.exists(CHECKPOINT):
            return 0
        return parse_checkpoint(parse_note(self.files.read(CHECKPOINT)).text).size

    def publish(self) -> None:
        """Do what every block asks for that is committed and not published.

        Its activities are erased, its tiles written, and last of all its checkpoint.
        """
        with self._publishing():
            size = self.published_size()
            self._check_published(size)
            while True:
                with self.snapshot() as snapshot:
                    block = snapshot.block_to_publish(size)
                    if block is None:
                        return
                    entries = snapshot.entries(size, block.size)
                    note = snapshot.note(block)
                    self._erase(snapshot, size, block.size)
                reader = DirectoryReader(self.folder)
                self.files.write(new_tiles(reader, size, entries))
                self.files.write({CHECKPOINT: note})
                size = block.size

    def publish_cosigned(self) -> None:
        """Write the published checkpoint again, and the last final one, as they are cosigned by
        now."""
        with self._publishing(), self.snapshot() as snapshot:
            size = self.published_size()
            block = snapshot.first_block_after(size - 1) if size else None
            if block is None:
                return
            made = {CHECKPOINT: snapshot.note(block)}
            height = snapshot.final_height()
            if 0 <= height <= block.height:
                made[FINAL_CHECKPOINT] = snapshot.note(snapshot.block(height))
            self.files.write(
                {path: data for path, data in made.items() if self._is_new(path, data)}
            )

    def _is_new(self, path: str, data: bytes) -> bool:
        return not self.files.exists(path) or self.files.read(path) != data

    def erase_again(self) -> int:
        """Erase what all erasures of the log name, as after files were put back from a copy.

        How many activities there still were.
        """
        with self._publishing(), self.snapshot() as snapshot:
            return self._erase(snapshot)

    def _erase(self, snapshot: Snapshot, first: int = 0, until: int = FOREVER) -> int:
        logged = snapshot.logged(["erasure"], first)
        erasures = (of.statement for of in logged if of.index < until)
        return erase(self.files, snapshot, erasures, self._forget)

    def _forget(self, rows: Sequence[SubjectRow]) -> None:
        """Take out whose reductions these were."""
        if not rows:
            return
        subject = tables.subject
        gone = delete(subject).where(
            *(subject.c[name] == bindparam(f"of_{name}") for name in _SUBJECT_COLUMNS)
        )
        given = [
            {f"of_{name}": value for name, value in zip(_SUBJECT_COLUMNS, row, strict=True)}
            for row in rows
        ]
        with self.writing() as connection:
            connection.execute(gone, given)

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
        return self.published_tree()

    def published_tree(self) -> TileTree:
        """The log's tree, as far as it is published."""
        return TileTree(DirectoryReader(self.folder), self.published_size())


def open_store(folder: Path, url: str | None = None, *, threads: int = 1) -> LedgerStore:
    """Open an existing ledger; raises `Unreadable` if there is none.

    url: its database, if it is not the SQLite file in its folder; threads: how many use it at once.
    """
    file = folder / "ledger.db"
    if url is None and not file.is_file():
        raise Unreadable("ledger-missing", path=str(folder))
    store = LedgerStore(folder, open_engine(url or sqlite_url(file), threads))
    store.prepare()
    return store


def put_pages(connection: Connection, pages: Mapping[int, bytes | None]) -> None:
    """Store pages of the register, and delete those that are None."""
    page = tables.page
    made = _insert(connection, page)
    execute_rows(
        connection,
        made.on_conflict_do_update(index_elements=["number"], set_={"data": made.excluded.data}),
        ["number", "data"],
        sorted((number, data) for number, data in pages.items() if data is not None),
    )
    gone = [{"of": number} for number, data in pages.items() if data is None]
    if gone:
        connection.execute(delete(page).where(page.c.number == bindparam("of")), gone)


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


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what happens on a conflict, in the database's own dialect."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
