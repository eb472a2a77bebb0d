"""`tally database …`, `tally backup`, `tally restore`: where a ledger is kept, and copies of it."""

from pathlib import Path
from typing import Annotated

import typer

from api.options import LedgerFolder, command
from api.session import Session
from chain.store.backup import Manifest, back_up
from chain.store.backup import restore as restore_backup
from chain.store.roles import grant as grant_role
from keys.errors import Usage


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(help="The ledger's database.", no_args_is_help=True)
    app.add_typer(group, name="database")
    command(group, "upgrade")(upgrade)
    command(group, "grant")(grant)
    command(app, "backup")(backup)
    command(app, "restore")(restore)


def upgrade(session: Session, folder: LedgerFolder) -> None:
    """Bring the database's tables to the version that this program needs, as their owner."""
    with session.open(folder).store.snapshot() as snapshot:
        found = snapshot.version()
    session.say("database-upgraded", version=found)
    session.result({"version": found})


def grant(
    session: Session,
    folder: LedgerFolder,
    *,
    role: Annotated[str, typer.Option("--role", metavar="NAME", help="The role of the service.")],
) -> None:
    """Give a PostgreSQL role what the service needs, as the owner: no change to the log."""
    store = session.open(folder).store
    found = store.engine.dialect.name
    if found != "postgresql":
        raise Usage("database-needs-postgresql", found=found)
    with store.writing() as connection:
        made = grant_role(connection, role)
    session.say("database-granted", role=role)
    session.result({"role": role, "statements": made})


def backup(
    session: Session,
    folder: LedgerFolder,
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="A new or empty folder for the backup.")
    ],
) -> None:
    """Write a copy of the ledger as of its last block, while it goes on; keys are not in it."""
    manifest = back_up(session.open(folder).store, out)
    session.say("backup-done", path=str(out), **_shown(manifest))
    session.result(manifest)


def restore(
    session: Session,
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="The backup's folder.")],
    folder: LedgerFolder,
) -> None:
    """Put a backup into a new folder and an empty database, and check all of it."""
    manifest = restore_backup(source, session.store(folder))
    session.say("restore-done", **_shown(manifest))
    session.result(manifest)


def _shown(manifest: Manifest) -> dict[str, object]:
    return {name: manifest[name] for name in ("height", "size")}
