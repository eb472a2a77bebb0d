"""The lead: which one process seals the blocks of a ledger.

Any number of processes may work on one ledger; the one that has the lead seals.  The lead is a
lock that ends with its process or with its connection, so that another takes over within seconds:
on PostgreSQL a session's advisory lock, on a connection of its own; on SQLite a lock on the file
``.leading`` in the ledger's folder.

A process may lose the lead without noticing, stopped or cut off as it is.  So whoever takes the
lead raises the *epoch*, and each transaction of a leader that changes the log first checks that the
epoch is still its own.  One that was overtaken commits nothing, and what is not committed is never
published.
"""

import contextlib
import fcntl
import os
from abc import ABC, abstractmethod
from io import BufferedWriter
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from chain.store import tables
from keys.errors import Conflict

LEAD_FILE = ".leading"
# "lead", in ASCII.  An advisory lock is one database's, and a database is one ledger's.
_LEADING = 0x6C656164
# A leader that is stopped within a transaction holds up the next one for no longer.
_STOPPED_SECONDS = 10


class Lead(ABC):
    """The right to seal, until another process takes it over; as a context, it ends with it."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def fence(self, connection: Connection) -> None:
        """Raise `Conflict` if another process took over; none can until the transaction ends."""
        columns: list[ColumnElement[Any]] = [tables.lead.c.epoch]
        if connection.dialect.name == "postgresql":
            timeout = "idle_in_transaction_session_timeout"
            columns.append(func.set_config(timeout, f"{_STOPPED_SECONDS}s", True))
        found = connection.execute(select(*columns).with_for_update(read=True)).one()
        if found.epoch != self.epoch:
            raise Conflict("sequencer-overtaken")

    def check(self) -> None:
        """Raise `Conflict` if the lock is no longer there, for who waits for work meanwhile."""
        if not self._is_held():
            raise Conflict("sequencer-overtaken")

    @abstractmethod
    def _is_held(self) -> bool: ...

    @abstractmethod
    def close(self) -> None:
        """Give the lead up."""

    def __enter__(self) -> "Lead":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _SessionLead(Lead):
    """An advisory lock of a PostgreSQL session."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(_raise_epoch(connection))
        self._connection = connection

    def _is_held(self) -> bool:
        try:
            return self._connection.scalar(select(1)) == 1
        except SQLAlchemyError:
            return False

    def close(self) -> None:
        self._connection.close()


class _FileLead(Lead):
    """A lock on a file of the ledger's folder."""

    def __init__(self, engine: Engine, file: BufferedWriter) -> None:
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            super().__init__(_raise_epoch(connection))
        self._file = file

    def _is_held(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._file.name))
        except OSError:
            return False

    def close(self) -> None:
        self._file.close()


def take_lead(engine: Engine, folder: Path) -> Lead | None:
    """Take the lead; None where another process has it."""
    with contextlib.ExitStack() as stack:
        lead: Lead
        if engine.dialect.name == "postgresql":
            connecting = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection = stack.enter_context(connecting)
            connection.detach()
            if not connection.scalar(select(func.pg_try_advisory_lock(_LEADING))):
                return None
            lead = _SessionLead(connection)
        else:
            file = stack.enter_context(open(folder / LEAD_FILE, "wb"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            lead = _FileLead(engine, file)
        stack.pop_all()
        return lead


def _raise_epoch(connection: Connection) -> int:
    epoch = tables.lead.c.epoch
    raised = update(tables.lead).values(epoch=epoch + 1).returning(epoch)
    return int(connection.execute(raised).scalar_one())
