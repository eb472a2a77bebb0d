"""A ledger as an older program left it: its tables taken back to an earlier version."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from chain.store import database
from chain.store.ledger import LedgerStore


def take_back(store: LedgerStore, revision: str) -> None:
    """Undo the migrations after ``revision``; what they have added is gone."""
    config = Config()
    folder = Path(database.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    with store.engine.connect().execution_options(writes=True) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
        connection.commit()
    store.engine.dispose()
