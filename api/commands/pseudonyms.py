"""`tally pseudonyms …`: the keys behind pseudonyms, each from a day on.

The private key of an epoch lies in the folder of the keys as ``pseudonyms-<first day>.pem``
(`keys.oprf`); its public part is published in the ledger before the epoch begins, or with the
genesis that opens the ledger (``tally init --founding``).
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.governing import enact, report
from api.options import By, LedgerFolder, Out, command
from api.session import Ledger, Session
from api.values import write_file
from chain.genesis import default_classes
from chain.governance import ACTIONS
from chain.spans import make_holder
from chain.state import epoch_holder
from keys.errors import Usage
from keys.strict import dump_date, dump_json, parse_date, parse_json

Since = Annotated[
    str, typer.Option("--from", metavar="DATE", help="The first day of its epoch, a 1 January.")
]
_CLASS = "pseudonyms"


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(help="Keys behind pseudonyms: make, publish.", no_args_is_help=True)
    app.add_typer(group, name="pseudonyms")
    command(group, "new-key")(new_key)
    command(group, "publish")(publish)


def key_path(folder: Path, start: int) -> Path:
    """The file of the private key of the epoch that begins on ``start``."""
    return folder / f"pseudonyms-{dump_date(start)}.pem"


def keys_at_hand(ledger: Ledger) -> list[Path]:
    """The files of private keys of the ledger's epochs, as far as they are here."""
    folder = ledger.session.keys_folder(ledger.folder)
    paths = [key_path(folder, epoch.start) for epoch in ledger.state.epochs]
    return [path for path in paths if path.is_file()]


def new_key(session: Session, folder: LedgerFolder, *, since: Since, out: Out = None) -> None:
    """Make the key of an epoch; --out writes the action that opens a ledger with it, for init."""
    from keys.oprf import PrivateKey

    path = key_path(session.keys_folder(folder), parse_date(since))
    made = PrivateKey.generate()
    session.keep(path, lambda passphrase: made.save(path, passphrase))
    action = {"action": "pseudonym-key", "from": since, "key": made.public.hex()}
    if out is not None:
        write_file(out, [dump_json([action]) + b"\n"])
    session.say("pseudonym-key-made", day=since, path=path, key=made.public.hex())
    session.result({"path": str(path), "action": action})


def publish(
    session: Session,
    folder: LedgerFolder,
    *,
    since: Since,
    by: By,
    public: Annotated[
        str | None,
        typer.Option(
            "--public", metavar="HEX", help="The public key, where its private key is not here."
        ),
    ] = None,
) -> None:
    """Publish the key of an epoch that is to come."""
    ledger = session.open(folder)
    needed, version = ACTIONS["pseudonym-key"].since, ledger.state.rules
    if version < needed:
        raise Usage("pseudonyms-rules", needed=needed, version=version)
    if public is None:
        from keys.oprf import PrivateKey

        path = key_path(session.keys_folder(folder), parse_date(since))
        public = PrivateKey.load(path, session.passphrase(path)).public.hex()
    action = {"action": "pseudonym-key", "from": since, "key": public}
    if ledger.state.epochs:
        action["consumes"] = epoch_holder(ledger.state.epochs[-1]).hex()
    outcome = enact(ledger, by, [*_class_action(ledger), action])
    report(ledger, outcome, "pseudonym-key-published", day=since)


def _class_action(ledger: Ledger) -> list[dict[str, Any]]:
    """What adds the class of lines on which the keys stand, where an older registry lacks it."""
    classes = ledger.state.classes
    if _CLASS in classes.by_name:
        return []
    registry = parse_json(classes.document)
    known = parse_json(default_classes())["classes"]
    registry["classes"] += [of for of in known if of["name"] == _CLASS]
    consumes = make_holder("classes", classes.document).hex()
    return [{"action": "classes", "document": dump_json(registry).decode(), "consumes": consumes}]
