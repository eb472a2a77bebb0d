"""`tally key …`: private keys, the secret of pseudonyms, and which key is in force."""

import secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.founding import POLICY
from api.commands.governing import enact, report
from api.options import By, LedgerFolder, command
from api.proving import policy_text
from api.session import Ledger, Session
from api.values import write_file
from chain.sequencer import CLOCK_LAG_SECONDS_MAX
from keys.errors import Usage
from keys.notes import NoteKey
from keys.participants import key_holder
from keys.pseudonyms import PSEUDONYM_BYTES

Participant = Annotated[str, typer.Argument(metavar="ID", help="The participant.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(help="Keys: make, show, rotate, revoke.", no_args_is_help=True)
    app.add_typer(group, name="key")
    command(group, "new")(new)
    command(group, "show")(show)
    command(group, "rotate")(rotate)
    command(group, "revoke")(revoke)
    command(group, "secret", ledger=False)(secret)


def new(session: Session, participant: Participant) -> None:
    """Make a key for a participant: DIR/ID.pem, encrypted, with --keys DIR."""
    path = session.keys_folder() / f"{participant}.pem"
    public = session.new_key(path).public
    session.say("key-made", id=participant, path=str(path))
    session.result({"participant": participant, "path": str(path), "key": public.as_json()})


def show(
    session: Session,
    participant: Participant,
    *,
    origin: Annotated[
        str | None,
        typer.Option("--origin", metavar="NAME", help="Show it as the key of this log as well."),
    ] = None,
) -> None:
    """Show the public part of a participant's key, in --keys DIR."""
    public = session.load_key(session.keys_folder() / f"{participant}.pem").public
    written = public.as_json()
    vkey = NoteKey(origin, public, cosigner=False).vkey if origin else None
    session.facts(
        {
            "label-participant": participant,
            "label-algorithm": written["alg"],
            "label-public-key": written["public"],
            "label-key-id": public.kid.hex(),
            **({"label-log-key": vkey} if vkey else {}),
        }
    )
    session.result(
        {"participant": participant, "key": written, "kid": public.kid.hex(), "vkey": vkey}
    )


def rotate(session: Session, folder: LedgerFolder, participant: Participant, *, by: By) -> None:
    """Give a participant a new key; the old one ends where the new one begins."""
    ledger = session.open(folder)
    old = ledger.public_key(participant)
    path = ledger.key_path(participant, waiting=True)
    made = session.load_key(path) if path.is_file() else session.new_key(path)
    action: dict[str, Any] = {
        "action": "rotate",
        "participant": participant,
        "key": made.public.as_json(),
        "consumes": key_holder(old).hex(),
    }
    if participant == ledger.operator:
        # The seal of the block in which this happens is still signed with the old key.
        idle = ledger.now - ledger.state.time > CLOCK_LAG_SECONDS_MAX
        with ledger.store.snapshot() as snapshot:
            if snapshot.pending_count():
                raise Usage("rotate-pending")
        action["at"] = ledger.state.index + (4 if idle else 3)
    outcome = enact(ledger, by, [action])
    if outcome.index is not None:
        ledger.signer(participant)  # which puts the new key's file in the place of the old one's
        _renew_policy(ledger, participant)
    report(ledger, outcome, "key-rotated", id=participant)


def revoke(session: Session, folder: LedgerFolder, participant: Participant, *, by: By) -> None:
    """End a participant's key; what was signed in time stays signed."""
    ledger = session.open(folder)
    if participant == ledger.operator:
        raise Usage("operator-key-needed", id=participant)
    consumes = key_holder(ledger.public_key(participant)).hex()
    action = {"action": "revoke", "participant": participant, "consumes": consumes}
    report(ledger, enact(ledger, by, [action]), "key-revoked", id=participant)


def secret(
    session: Session,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to make.")],
) -> None:
    """Make a secret from which pseudonyms are computed."""
    if path.exists():
        raise Usage("key-file-exists", path=str(path))
    write_file(path, [secrets.token_hex(2 * PSEUDONYM_BYTES).encode() + b"\n"], private=True)
    session.say("secret-made", path=str(path))
    session.result({"path": str(path)})


def _renew_policy(ledger: Ledger, participant: str) -> None:
    if participant == ledger.operator:
        text = policy_text(ledger.state.genesis.origin, ledger.log_key)
        write_file(ledger.folder / POLICY, [text.encode()])
