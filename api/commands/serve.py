"""`tally serve`: the HTTP service of a ledger."""

import signal
import sys
from typing import Annotated

import typer

from api.commands.cosigning import Addresses
from api.commands.pseudonyms import keys_at_hand
from api.options import LedgerFolder, command
from api.session import Session
from api.values import split_pair


def add_to(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    command(app, "serve")(serve)


def serve(
    session: Session,
    folder: LedgerFolder,
    *,
    host: Annotated[
        str | None, typer.Option("--host", help="The address to listen at; else 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65_535, help="The port; 0 takes a free one.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=64, help="Processes that answer.")
    ] = None,
    cosigner: Addresses = None,
) -> None:
    """Serve a ledger over HTTP, and seal what comes in, until stopped."""
    # Only this command needs what the service stands on.
    from api.service.serving import Plan, Supervisor
    from api.service.settings import Settings

    cosigners = dict(map(split_pair, cosigner)) if cosigner else None
    given = {"host": host, "port": port, "workers": workers, "cosigners": cosigners}
    settings = Settings.model_validate(
        {**Settings().model_dump(), **{k: v for k, v in given.items() if v is not None}}
    )
    ledger = session.open(folder)
    paths = ledger.operator_keys()
    keys = [(path, session.passphrase(path)) for path in paths]
    kids = frozenset(session.load_key(path).public.kid for path in paths)
    pseudonym_keys = [(path, session.passphrase(path)) for path in keys_at_hand(ledger)]
    plan = Plan(
        folder.absolute(),
        session.database,
        settings,
        keys,
        kids,
        session.fixed_now,
        pseudonym_keys,
    )
    supervisor = Supervisor(plan)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stop())
    at_host, at_port = supervisor.address
    url = f"http://{at_host}:{at_port}"
    session.say("serving", url=url)
    session.result({"url": url})
    sys.stdout.flush()  # whoever started it through a pipe waits for the address
    supervisor.run()
