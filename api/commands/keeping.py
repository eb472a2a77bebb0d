"""`tally key …`: private keys, the secret of pseudonyms, and which key is in force."""

import secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.governing import enact, report
from api.options import By, LedgerFolder, command
from api.session import Ledger, Session
from api.values import write_file
from keys.errors import NotAllowed, Usage
from keys.notes import NoteKey
from keys.participants import Participant, key_holder
from keys.pseudonyms import PSEUDONYM_BYTES
from keys.suites import ED25519, SUITES, PublicKey, by_alg, by_name

Id = Annotated[str, typer.Argument(metavar="ID", help="The participant.")]
SUITE_NAMES = "|".join(suite.name for suite in SUITES.values())


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(help="Keys: make, show, rotate, revoke.", no_args_is_help=True)
    app.add_typer(group, name="key")
    command(group, "new")(new)
    command(group, "show")(show)
    command(group, "rotate")(rotate)
    command(group, "revoke")(revoke)
    command(group, "secret", ledger=False)(secret)


def new(
    session: Session,
    participant: Id,
    *,
    suite: Annotated[
        str, typer.Option("--suite", metavar=SUITE_NAMES, help="The signature algorithm.")
    ] = ED25519.name,
) -> None:
    """Make a key for a participant: DIR/ID.pem, encrypted, with --keys DIR."""
    path = session.keys_folder() / f"{Participant(participant, participant).id}.pem"
    public = session.new_key(path, suite).public
    session.say("key-made", id=participant, path=str(path))
    session.result({"participant": participant, "path": str(path), "key": public.as_json()})


def show(
    session: Session,
    participant: Id,
    *,
    origin: Annotated[
        str | None,
        typer.Option("--origin", metavar="NAME", help="Show it as the key of this log as well."),
    ] = None,
    cosigner: Annotated[
        str | None,
        typer.Option(
            "--cosigner", metavar="NAME", help="Show it as the key of this cosigner as well."
        ),
    ] = None,
) -> None:
    """Show the public part of a participant's key, in --keys DIR."""
    public = session.load_key(session.keys_folder() / f"{participant}.pem").public
    written = public.as_json()
    vkey = NoteKey(origin, public, cosigner=False).vkey if origin else None
    cosigner_vkey = NoteKey(cosigner, public, cosigner=True).vkey if cosigner else None
    session.facts(
        {
            "label-participant": participant,
            "label-algorithm": written["alg"],
            "label-public-key": written["public"],
            "label-key-id": public.kid.hex(),
            **({"label-log-key": vkey} if vkey else {}),
            **({"label-cosigner-key": cosigner_vkey} if cosigner_vkey else {}),
        }
    )
    session.result(
        {
            "participant": participant,
            "key": written,
            "kid": public.kid.hex(),
            "vkey": vkey,
            "cosigner_vkey": cosigner_vkey,
        }
    )


def rotate(
    session: Session,
    folder: LedgerFolder,
    participant: Id,
    *,
    by: By,
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite",
            metavar=SUITE_NAMES,
            help="The new key's signature algorithm; by default the old one's.",
        ),
    ] = None,
) -> None:
    """Give a participant a new key; the old one ends where the new one begins."""
    ledger = session.open(folder)
    old = _last_key(ledger, participant)
    wanted = by_name(suite) if suite else by_alg(old.alg)
    if participant == ledger.operator:
        wanted.type_byte(cosigner=False)  # it signs the checkpoints as well
    path = ledger.key_path(participant, waiting=True)
    made = session.load_key(path) if path.is_file() else session.new_key(path, wanted.name)
    if made.suite != wanted:
        raise Usage("key-waits", path=str(path), suite=made.suite.name)
    action: dict[str, Any] = {
        "action": "rotate",
        "participant": participant,
        "key": made.public.as_json(),
        "consumes": key_holder(old).hex(),
    }
    outcome = enact(ledger, by, [action])
    if outcome.index is not None:
        ledger.signer(participant)  # which puts the new key's file in the place of the old one's
    report(ledger, outcome, "key-rotated", id=participant)


def revoke(session: Session, folder: LedgerFolder, participant: Id, *, by: By) -> None:
    """End a participant's key; what was signed in time stays signed."""
    ledger = session.open(folder)
    if participant == ledger.operator:
        raise Usage("operator-key-needed", id=participant)
    consumes = key_holder(_last_key(ledger, participant)).hex()
    action = {"action": "revoke", "participant": participant, "consumes": consumes}
    report(ledger, enact(ledger, by, [action]), "key-revoked", id=participant)


def _last_key(ledger: Ledger, participant: str) -> PublicKey:
    """The key that an action would follow or end: it may be revoked already, or be to begin yet."""
    if participant not in ledger.state.participants:
        raise NotAllowed("participant-unknown", participant=participant)
    return ledger.state.participants[participant].keys[-1].public


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
