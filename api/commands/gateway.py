"""`tally gateway`: a platform's way to a ledger's service, for programs in any language."""

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.options import As, command
from api.session import Session, key_path
from api.values import read_file, read_secret
from chain.reductions import SUBMISSION_COUNT_MAX
from keys.errors import Busy, Unreadable, Usage
from keys.pseudonyms import KeyedHash
from keys.signer import Signer
from verifier.policy import parse_policy

if TYPE_CHECKING:
    from api.client import Client

PORT_MAX = 65_535
PATIENCE_SECONDS = 2.0
"""How long the client tries a thing again by itself; the gateway does so for ever."""


def add_to(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    command(app, "gateway")(gateway)


def gateway(
    session: Session,
    url: Annotated[str, typer.Argument(metavar="URL", help="The ledger's service.")],
    *,
    platform: As,
    policy_file: Annotated[
        Path, typer.Option("--policy", metavar="FILE", help="The trust policy.")
    ],
    queue_file: Annotated[
        Path, typer.Option("--queue", metavar="FILE", help="Where lines wait; made if not there.")
    ],
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where it takes lines.")
    ] = "127.0.0.1:8090",
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="DIR", help="Where it takes files.")
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(
            "--secret-file",
            metavar="FILE",
            help="The secret behind pseudonyms, where the ledger has no key for them.",
        ),
    ] = None,
    batch: Annotated[
        int,
        typer.Option("--batch", min=1, max=SUBMISSION_COUNT_MAX, help="Activities sent together."),
    ] = 1_000,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="How long fewer wait to be sent.")
    ] = 1.0,
    keep_days: Annotated[
        int, typer.Option("--keep-days", min=1, help="For how long results are kept.")
    ] = 90,
) -> None:
    """Take a platform's activities, with plain identifiers, and bring them to a ledger."""
    # Only this command needs what the gateway stands on.
    from api.client import Client
    from api.gateway.folder import Folder
    from api.gateway.gateway import Gateway, Settings
    from api.gateway.queue import Queue
    from api.gateway.running import listening, run
    from api.service import logs

    now = session.fixed_now
    clock = time.time if now is None else lambda: float(now)
    policy = parse_policy(read_file(policy_file))
    before = None if secret_file is None else KeyedHash(read_secret(secret_file))
    with Client(url, policy, clock=clock, patience=PATIENCE_SECONDS) as anyone:
        signer = _signer(session, platform, anyone)
    with (
        Client(
            url,
            policy,
            participant=platform,
            signer=signer,
            clock=clock,
            patience=PATIENCE_SECONDS,
        ) as client,
        contextlib.closing(Queue(queue_file)) as queue,
        listening(*_address(listen)) as socket,
    ):
        made = Gateway(
            queue,
            client,
            policy,
            platform=platform,
            signer=signer,
            before=before,
            settings=Settings(batch, seconds, keep_days),
            clock=clock,
        )
        at_host, at_port = socket.getsockname()[:2]
        session.say("serving", url=f"http://{at_host}:{at_port}")
        session.result({"url": f"http://{at_host}:{at_port}"})
        logs.install()
        run(made, Folder(folder, made) if folder else None, socket)


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > PORT_MAX:
        raise Usage("address-invalid", value=listen)
    return host, int(port)


def _signer(session: Session, platform: str, client: "Client") -> Signer:
    """The platform's key: the one that the ledger knows, if it can be asked."""
    folder = session.keys_folder()
    try:
        state = client.state()
    except (Busy, Unreadable):
        return session.load_key(key_path(folder, platform))
    return session.signer(folder, platform, state)
