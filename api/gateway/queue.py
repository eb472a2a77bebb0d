"""The gateway's queue: one SQLite file that holds each line from when it is taken to its result.

A line is in one of four states, and every step from one to the next is one transaction, so that
the gateway may end at any point and go on from there::

    taken ──▶ made ──▶ signed ──▶ done
      │         │         └─▶ made, where the statement expired
      └─────────┴─▶ done, refused before it was ever sent

    taken   what the platform gave is kept, identifiers and all, with the nonce of its activity
    made    the activity is kept in its place; the identifiers are gone from the file
    signed  it is in a batch: a signed statement, kept before it is sent for the first time, so
            that what is sent again are the same bytes
    done    it has its result, one line of JSON; the activity is gone as well

What tells a line that is given again from another of the same id is an HMAC-SHA256 of what it
says, under its nonce: of the identifiers nothing else is left.  Results have numbers, in the order
in which they were found, that are never used again; they are kept for some time, and then the
line is forgotten.

Only one gateway uses a queue; its lock is the file beside it that ends in ``.lock``.
"""

import contextlib
import fcntl
import hmac
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    event,
    func,
    insert,
    select,
    update,
)

from api.gateway.lines import NONCE_BYTES, Line
from chain.store.database import open_engine, sqlite_url
from keys.errors import Busy, Conflict, Refusal, Unreadable, Usage
from keys.strict import dump_json

FORMAT = 1
THREADS = 8
TOGETHER = 500
"""So many ids are looked for in one query."""
TAKEN, MADE, SIGNED, DONE = "taken", "made", "signed", "done"
OPEN = (TAKEN, MADE, SIGNED)

metadata = MetaData()
batch_table = Table(
    "batch",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("statement", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
line_table = Table(
    "line",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("state", String, nullable=False),
    Column("scenario", String, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("time", BigInteger, nullable=False),  # when it was taken
    Column("data", LargeBinary),  # what was given, then the activity
    Column("reduction", LargeBinary),
    Column("points", BigInteger),
    Column("batch", Integer, ForeignKey("batch.number")),
    Column("position", Integer),
    Index("ix_line_state", "state", "scenario", "number", "time"),
    Index("ix_line_batch", "batch", "position"),
    sqlite_autoincrement=True,
)
result_table = Table(
    "result",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("time", BigInteger, nullable=False, index=True),
    Column("data", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

_line, _result = line_table.c, result_table.c
_KEPT = (_line.id, _line.nonce, _line.data, _line.reduction, _line.points)

Row = Mapping[str, Any]
"""A result: what became of a line, as JSON.  Its ``id`` is the line's."""


@dataclass(frozen=True)
class Kept:
    """A line in the queue; data: what was given, or the activity."""

    id: str
    nonce: bytes
    data: bytes
    reduction: bytes | None
    points: int | None


@dataclass(frozen=True)
class Computed:
    """A line whose activity earns a reduction."""

    id: str
    reduction: bytes
    points: int | None


@dataclass(frozen=True)
class Batch:
    """A signed submission on its way."""

    number: int
    statement: bytes
    lines: Sequence[Kept]


@dataclass(frozen=True)
class Found:
    """What the queue has of a line that was given; result: None while it waits."""

    is_new: bool
    result: bytes | None = None


class Queue:
    """The queue in the file ``path``, made where there is none.

    open_max: so many lines wait at most.  Raises `Usage` if another gateway uses it, `Unreadable`
    if it is of a format that is not known.
    """

    def __init__(self, path: Path, open_max: int = 1_000_000) -> None:
        self._open_max = open_max
        # It holds what people did: nobody else reads it, nor what SQLite keeps beside it.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._lock = open(path.with_name(f"{path.name}.lock"), "wb")  # noqa: SIM115 (until closed)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise Usage("queue-in-use", path=path) from None
        self.engine = open_engine(sqlite_url(path), THREADS)
        event.listen(self.engine, "connect", _set_up)
        with self._writing() as connection:
            found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if found not in (0, FORMAT):
                raise Unreadable("database-version", found=found, known=FORMAT)
            metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {FORMAT}")
        self._wipe()

    def close(self) -> None:
        """Let go of the file."""
        self.engine.dispose()
        self._lock.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One transaction, durable when this ends."""
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    # --- what comes in ---

    def take(self, lines: Sequence[Line], time: int) -> list[Found | Refusal]:
        """Keep lines; for each what is known of it, or why it is refused.

        When it returns they survive a crash.  Raises `Busy` if there is no room for all of them.
        """
        found: list[Found | Refusal] = []
        new: dict[str, dict[str, Any]] = {}
        with self._writing() as connection:
            known = self._known(connection, [line.id for line in lines])
            for line in lines:
                row = new.get(line.id) or known.get(line.id)
                if row is None:
                    new[line.id] = _row(line, time)
                    found.append(Found(True))
                elif hmac.compare_digest(row["fingerprint"], _fingerprint(row["nonce"], line)):
                    found.append(Found(False, row["result"]))
                else:
                    found.append(Conflict("line-id-taken", id=line.id))
            if new:
                waiting = self._count(connection, OPEN)
                if waiting + len(new) > self._open_max:
                    raise Busy("queue-full", retry_after=10, limit=self._open_max)
                connection.execute(
                    insert(line_table),
                    [{k: v for k, v in row.items() if k != "result"} for row in new.values()],
                )
        return found

    def _known(self, connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        query = (
            select(_line.id, _line.nonce, _line.fingerprint, _result.number, _result.data)
            .select_from(line_table.outerjoin(result_table, _line.id == _result.id))
            .where(_line.id.in_(bindparam("ids", expanding=True)))
        )
        return {
            row.id: {
                "nonce": row.nonce,
                "fingerprint": row.fingerprint,
                "result": None if row.data is None else _shown(row.number, row.data),
            }
            for at in range(0, len(ids), TOGETHER)
            for row in connection.execute(query, {"ids": ids[at : at + TOGETHER]})
        }

    # --- from state to state ---

    def taken(self, limit: int) -> list[Kept]:
        """The first lines whose activity is not made yet."""
        query = select(*_KEPT).where(_line.state == TAKEN).order_by(_line.number).limit(limit)
        with self.engine.connect() as connection:
            return [Kept(*row) for row in connection.execute(query)]

    def make(self, activities: Mapping[str, bytes], refused: Sequence[Row], time: int) -> None:
        """Keep activities in the place of the lines that they were made from."""
        with self._writing() as connection:
            for name, activity in activities.items():
                connection.execute(
                    update(line_table)
                    .where(_line.id == name, _line.state == TAKEN)
                    .values(state=MADE, data=activity)
                )
            self._end(connection, refused, time)
        self._wipe()

    def _wipe(self) -> None:
        """Overwrite what SQLite's write-ahead log still holds of what was deleted."""
        with contextlib.closing(self.engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def due(self, count: int, time: int) -> str | None:
        """A scenario with so many activities that are to be signed, or one taken by ``time``."""
        query = (
            select(_line.scenario)
            .where(_line.state == MADE)
            .group_by(_line.scenario)
            .having((func.count() >= count) | (func.min(_line.time) <= time))
            .order_by(func.min(_line.number))
            .limit(1)
        )
        with self.engine.connect() as connection:
            return connection.scalar(query)

    def made(self, scenario: str, limit: int) -> list[Kept]:
        """The first activities of a scenario that are in no batch."""
        query = (
            select(*_KEPT)
            .where(_line.state == MADE, _line.scenario == scenario)
            .order_by(_line.number)
            .limit(limit)
        )
        with self.engine.connect() as connection:
            return [Kept(*row) for row in connection.execute(query)]

    def sign(
        self,
        statement: bytes | None,
        computed: Sequence[Computed],
        refused: Sequence[Row],
        time: int,
    ) -> None:
        """Keep a signed batch; ``refused`` are those that are in none."""
        with self._writing() as connection:
            if statement is not None:
                self._put(connection, statement, computed)
            self._end(connection, refused, time)

    def _put(self, connection: Connection, statement: bytes, computed: Sequence[Computed]) -> None:
        number = connection.scalar(
            insert(batch_table).values(statement=statement).returning(batch_table.c.number)
        )
        connection.execute(
            update(line_table)
            .where(_line.id == bindparam("name"))
            .values(state=SIGNED, batch=number, **_as_given("reduction", "points", "position")),
            [
                {
                    "name": one.id,
                    "to_reduction": one.reduction,
                    "to_points": one.points,
                    "to_position": position,
                }
                for position, one in enumerate(computed)
            ],
        )

    def first(self) -> Batch | None:
        """The batch that is to be sent next."""
        with self.engine.connect() as connection:
            found = connection.execute(
                select(batch_table).order_by(batch_table.c.number).limit(1)
            ).first()
            if found is None:
                return None
            query = select(*_KEPT).where(_line.batch == found.number).order_by(_line.position)
            lines = [Kept(*row) for row in connection.execute(query)]
        return Batch(found.number, found.statement, lines)

    def end(self, batch: Batch, results: Sequence[Row], time: int) -> None:
        """Keep what became of all lines of a batch."""
        with self._writing() as connection:
            self._end(connection, results, time)
            connection.execute(delete(batch_table).where(batch_table.c.number == batch.number))

    def undo(self, batch: Batch) -> None:
        """Give a batch up whose statement can never be recorded: its lines are signed anew."""
        with self._writing() as connection:
            self._undo(connection, batch)

    def split(self, batch: Batch, parts: Sequence[tuple[bytes, Sequence[Computed]]]) -> None:
        """Keep batches in the place of one that was refused."""
        with self._writing() as connection:
            self._undo(connection, batch)
            for statement, computed in parts:
                self._put(connection, statement, computed)

    def _undo(self, connection: Connection, batch: Batch) -> None:
        connection.execute(
            update(line_table)
            .where(_line.batch == batch.number)
            .values(state=MADE, batch=None, position=None, reduction=None, points=None)
        )
        connection.execute(delete(batch_table).where(batch_table.c.number == batch.number))

    def _end(self, connection: Connection, results: Sequence[Row], time: int) -> None:
        if not results:
            return
        connection.execute(
            insert(result_table),
            [{"id": row["id"], "time": time, "data": dump_json(row)} for row in results],
        )
        connection.execute(
            update(line_table)
            .where(_line.id == bindparam("name"))
            .values(state=DONE, data=None, reduction=None, batch=None, position=None),
            [{"name": row["id"]} for row in results],
        )

    # --- what became of them ---

    def results(self, after: int, limit: int) -> list[bytes]:
        """Results in the order of their numbers, a line each."""
        query = (
            select(_result.number, _result.data)
            .where(_result.number > after)
            .order_by(_result.number)
            .limit(limit)
        )
        with self.engine.connect() as connection:
            return [_shown(*row) for row in connection.execute(query)]

    def find(self, name: str) -> Found | None:
        """What is known of the line with this id; None if there is none."""
        with self.engine.connect() as connection:
            known = self._known(connection, [name]).get(name)
        return Found(False, known["result"]) if known else None

    def forget(self, time: int) -> None:
        """Drop the lines whose results were found before ``time``."""
        old = _result.time < time
        with self._writing() as connection:
            connection.execute(
                delete(line_table).where(_line.id.in_(select(_result.id).where(old)))
            )
            connection.execute(delete(result_table).where(old))

    def counts(self) -> dict[str, int]:
        """How many lines are in each state."""
        query = select(_line.state, func.count()).group_by(_line.state)
        with self.engine.connect() as connection:
            found = {row.state: row[1] for row in connection.execute(query)}
        return {state: found.get(state, 0) for state in (*OPEN, DONE)}

    def oldest(self) -> int | None:
        """When the line was taken that has waited longest."""
        query = select(func.min(_line.time)).where(_line.state.in_(OPEN))
        with self.engine.connect() as connection:
            found: int | None = connection.scalar(query)
        return found

    def _count(self, connection: Connection, states: Sequence[str]) -> int:
        query = select(func.count()).select_from(line_table).where(_line.state.in_(states))
        return int(connection.scalar(query) or 0)


def _set_up(connection: Any, _record: object) -> None:
    # What is deleted is overwritten.
    connection.execute("PRAGMA secure_delete = ON")


def _row(line: Line, time: int) -> dict[str, Any]:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return {
        "id": line.id,
        "state": TAKEN,
        "scenario": line.scenario,
        "nonce": nonce,
        "fingerprint": _fingerprint(nonce, line),
        "time": time,
        "data": line.content,
        "result": None,
    }


def _fingerprint(nonce: bytes, line: Line) -> bytes:
    return hmac.digest(nonce, line.content, "sha256")


def _as_given(*names: str) -> dict[str, Any]:
    """Columns whose values come with each row; the names must not be those of the columns."""
    return {name: bindparam(f"to_{name}") for name in names}


def _shown(number: int, data: bytes) -> bytes:
    """A result as it is given out, with its number as the cursor."""
    return b'{"cursor":%d,' % number + data[1:]
