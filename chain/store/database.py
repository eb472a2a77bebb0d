"""Opening a ledger's database: SQLite by default, PostgreSQL by its URL; migrations by Alembic.

On PostgreSQL the tables belong to the role that founds the ledger and migrates it.  A service may
run as a role of less right (`chain.store.roles`), for which the tables must be up to date.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Insert, create_engine, event, make_url, select, text
from sqlalchemy.exc import ProgrammingError

from chain.files import Files
from keys.errors import Unreadable

_MIGRATIONS = Path(__file__).parent / "migrations"
SQLITE_CACHE_KIB = 262_144
"""Of all connections of an engine together."""
# Pages of the log that precede a write-back: what is written often is then written back once.
SQLITE_WAL_PAGES = 65_536
SQLITE_BUSY_SECONDS = 60
CONNECTIONS_PER_THREAD = 3
"""A thread that writes may have a snapshot open meanwhile, and a second one within."""
POSTGRESQL_CONNECT_SECONDS = 10
# A peer that is gone without a word is noticed within so many seconds, at both ends.
_SILENCE_SECONDS = 10
_POSTGRESQL: dict[str, Any] = {
    "connect_timeout": POSTGRESQL_CONNECT_SECONDS,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": _SILENCE_SECONDS * 1000,
    "options": "-c tcp_keepalives_idle=4 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 "
    f"-c tcp_user_timeout={_SILENCE_SECONDS * 1000}",
}
# "tally", in ASCII: who migrates, one at a time.
_MIGRATING = 0x74616C6C79
_INSUFFICIENT_PRIVILEGE = "42501"


def open_engine(url: str, threads: int = 1) -> Engine:
    """An engine for ``url``, its connections set up so that a commit survives a loss of power.

    threads: how many use it at once; each finds a connection.
    """
    pool: dict[str, Any] = {
        "pool_size": threads,
        "max_overflow": (CONNECTIONS_PER_THREAD - 1) * threads,
        "pool_use_lifo": True,
        # What a statement carries belongs in no log.
        "hide_parameters": True,
    }
    if make_url(url).get_backend_name() == "postgresql":
        # The pool finds out by itself that the server was started again.
        engine = create_engine(url, **pool, pool_pre_ping=True, connect_args=_POSTGRESQL)
        event.listen(engine, "connect", _set_up_postgresql)
        return engine
    engine = create_engine(url, **pool)
    cache = SQLITE_CACHE_KIB // threads
    event.listen(engine, "connect", lambda made, _: _set_up_sqlite(made, cache))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite database file."""
    return f"sqlite:///{os.fspath(path)}"


def _set_up_postgresql(connection: Any, _record: object) -> None:
    # A server may be set up to answer before it has written; a ledger may not.
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') = 'off'"
    )
    connection.commit()


def _set_up_sqlite(connection: Any, cache: int) -> None:
    # The driver's own transactions begin too late to guard what was read before a write.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{cache}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {SQLITE_WAL_PAGES}")
    connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_SECONDS * 1000}")


def _begin_sqlite(connection: Any) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def migrate(engine: Engine, files: Files, revision: str | None = None) -> None:
    """Bring the database's tables to the version that this code knows, or to an older one.

    files: the ledger's, from which new tables are filled.  Raises `Unreadable` if the tables are
    of a version that is not known, or of an older one and this role may not change them.
    """
    scripts = ScriptDirectory(os.fspath(_MIGRATIONS))
    wanted = revision or scripts.get_current_head()
    with engine.connect() as connection:
        found = version(connection)
    if found == wanted:
        return
    if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
        raise Unreadable("database-version", found=found, known=wanted)
    config = Config()
    config.set_main_option("script_location", os.fspath(_MIGRATIONS))
    with engine.connect().execution_options(writes=True) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
        config.attributes["connection"] = connection
        config.attributes["files"] = files
        try:
            command.upgrade(config, str(wanted))
        except ProgrammingError as error:
            if getattr(error.orig, "sqlstate", None) != _INSUFFICIENT_PRIVILEGE:
                raise
            raise Unreadable("database-version", found=found, known=wanted) from error
        connection.commit()


def version(connection: Connection) -> str | None:
    """The version of the tables; None where there are none."""
    return MigrationContext.configure(connection).get_current_revision()


def execute_rows(
    connection: Connection, statement: Insert, columns: list[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Execute for many rows, with nothing done to each row on its way to the driver.

    On PostgreSQL the driver sends them all before it waits for an answer (pipeline mode).
    """
    if not rows:
        return
    compiled = statement.compile(dialect=connection.dialect, column_keys=columns)
    if compiled.positional:
        connection.exec_driver_sql(str(compiled), list(rows))
    else:
        named = [dict(zip(columns, row, strict=True)) for row in rows]
        connection.exec_driver_sql(str(compiled), named)


def execute_short_rows(
    connection: Connection, statement: Insert, columns: list[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """The same for rows of which none is the same twice, and that are short: on PostgreSQL an array
    for each column takes half the time."""
    if not rows or connection.dialect.name != "postgresql":
        execute_rows(connection, statement, columns, rows)
        return
    types = (statement.table.c[name].type.compile(connection.dialect) for name in columns)
    arrays = (f"%({name})b::{kind}[]" for name, kind in zip(columns, types, strict=True))
    source = select(text("*")).select_from(text(f"unnest({', '.join(arrays)})"))
    compiled = statement.from_select(columns, source).compile(dialect=connection.dialect)
    # The driver's own marks: binary, and nothing of it is a percent sign to be kept.
    marked = str(compiled).replace("%%(", "%(")
    values = dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))
    connection.exec_driver_sql(marked, values)
