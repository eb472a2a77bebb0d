"""Opening a ledger's database: SQLite by default, PostgreSQL by its URL; migrations by Alembic."""

import os
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event

from chain.store.files import Files

_MIGRATIONS = Path(__file__).parent / "migrations"
SQLITE_CACHE_KIB = 262_144
# Pages of the log that precede a write-back: what is written often is then written back once.
SQLITE_WAL_PAGES = 65_536
SQLITE_BUSY_SECONDS = 60


def open_engine(url: str) -> Engine:
    """An engine for ``url``, its connections set up so that a commit survives a loss of power."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite database file."""
    return f"sqlite:///{os.fspath(path)}"


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transactions begin too late to guard what was read before a write.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{SQLITE_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {SQLITE_WAL_PAGES}")
    connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_SECONDS * 1000}")


def _begin_sqlite(connection: Any) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def migrate(engine: Engine, files: Files) -> None:
    """Bring the database's tables to the version that this code knows.

    files: the ledger's, from which new tables are filled.
    """
    config = Config()
    config.set_main_option("script_location", os.fspath(_MIGRATIONS))
    with engine.connect().execution_options(writes=True) as connection:
        config.attributes["connection"] = connection
        config.attributes["files"] = files
        command.upgrade(config, "head")
        connection.commit()
