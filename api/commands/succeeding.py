"""`tally succession …`, `tally succeed`: go on with a ledger from an auditor's store of it."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.founding import POLICY
from api.options import By, LedgerFolder, command
from api.session import Session
from api.succession import (
    Stored,
    bring_links,
    decided,
    dump_statements,
    links_in,
    proposed,
    read_statements,
    read_store,
    rotation,
    take_over,
)
from api.values import STATEMENT_SECONDS, read_file, read_json, write_file
from chain.sequencer import Sequencer
from keys.errors import NotAllowed, Usage
from keys.statements import Statement, sign_statement
from keys.suites import PublicKey
from verifier.bundles import FILE_BYTES_MAX
from verifier.policies import policy_text
from verifier.policy import POLICY_BYTES_MAX, parse_policy
from verifier.sources import open_source

Store = Annotated[
    str,
    typer.Argument(metavar="STORE", help="What an auditor has stored of the ledger: folder, URL."),
]
Decision = Annotated[
    Path, typer.Argument(metavar="FILE", help="The governors' statements, passed on as one file.")
]
Trust = Annotated[
    Path, typer.Option("--policy", metavar="POLICY", help="The trust policy of the ledger so far.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(
        help="Let governors decide, without the ledger, who operates it.", no_args_is_help=True
    )
    app.add_typer(group, name="succession")
    command(group, "propose")(propose)
    command(group, "approve")(approve)
    command(app, "succeed")(succeed)


def propose(
    session: Session,
    store: Store,
    file: Decision,
    *,
    policy: Trust,
    public: Annotated[
        Path,
        typer.Option(
            "--public", metavar="KEY", help='The successor\'s key, {"alg": …, "public": …}.'
        ),
    ],
    by: By,
) -> None:
    """Propose, and approve, that the operator's key is another from here on."""
    stored = _read(store, policy)
    key = PublicKey.from_json(read_json(public))
    key.check()
    proposal = _sign(session, stored, "proposal", by, rotation(stored, key))
    _pass_on(session, stored, file, by, [proposal])


def approve(session: Session, store: Store, file: Decision, *, policy: Trust, by: By) -> None:
    """Approve what is proposed in FILE, and add the approval to it."""
    _pass_on(session, _read(store, policy), file, by, read_statements(read_file(file)))


def _read(store: str, policy: Path) -> Stored:
    return read_store(open_source(store), parse_policy(read_file(policy, POLICY_BYTES_MAX)))


def _sign(
    session: Session, stored: Stored, kind: str, by: str, body: dict[str, object]
) -> Statement:
    return sign_statement(
        session.signer(session.keys_folder(), by, stored.state),
        kind=kind,
        issuer=by,
        subject="actions",
        audience=stored.state.genesis.id,
        expires=max(session.now, stored.state.time) + STATEMENT_SECONDS,
        payload=body,
    )


def _pass_on(
    session: Session, stored: Stored, file: Path, by: str, statements: list[Statement]
) -> None:
    """Add an approval to the statements, and write the file."""
    proposal = statements[0]
    key = proposed(proposal, stored)
    body: dict[str, object] = {"format": 1, "proposal": proposal.id.hex()}
    made = [*statements, _sign(session, stored, "approval", by, body)]
    is_enough = _key_after(stored, made) == key
    write_file(file, [dump_statements(made)])
    facts = {"id": stored.operator, "key": key.kid.hex(), "size": stored.log.size}
    session.say("succession-approved", path=file, **facts)
    threshold, approvals = stored.state.threshold, len(made) - 1
    session.say(
        "succession-enough" if is_enough else "succession-waits", missing=threshold - approvals
    )
    session.result(
        {
            "operator": stored.operator,
            "key": key.as_json(),
            "proposal": proposal.id.hex(),
            "approvals": approvals,
            "threshold": threshold,
            "size": stored.log.size,
        }
    )


def _key_after(stored: Stored, statements: list[Statement]) -> PublicKey | None:
    """The operator's key once these statements stand in the log; raises `Refusal`."""
    state = decided(stored, statements)
    key = state.participants[stored.operator].key_at(state.index)
    return None if key is None else key.public


def succeed(
    session: Session,
    store: Store,
    folder: LedgerFolder,
    file: Decision,
    *,
    policy: Trust,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle",
            metavar="FILE",
            help="A bundle or a certificate of the ledger, which shows its chain of policies.",
        ),
    ] = None,
) -> None:
    """Open the ledger again from STORE, and make its next block, under the key that FILE decides.

    The key is the operator's in --keys; by default in LEDGER-keys.
    """
    trusted = parse_policy(read_file(policy, POLICY_BYTES_MAX))
    stored = read_store(open_source(store), trusted)
    links = links_in(read_file(bundle, FILE_BYTES_MAX), trusted, stored) if bundle else []
    statements = read_statements(read_file(file))
    wanted = proposed(statements[0], stored)
    signer = session.load_key(session.keys_folder(folder) / f"{stored.operator}.pem")
    if _key_after(stored, statements) != wanted:
        missing = stored.state.threshold - len(statements) + 1
        raise NotAllowed("succession-not-approved", missing=missing)
    if signer.public != wanted:
        raise NotAllowed("seal-key-missing", participant=stored.operator, index=stored.log.size)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Usage("folder-not-empty", path=str(folder))
    made = session.new_store(folder)
    sequencer = Sequencer(made, signer)
    with session.progress("progress-taking-over", stored.log.size) as advance:
        missing = take_over(stored, made, sequencer, signer, advance)
    bring_links(made, links)
    sequencer.post(statements)
    head = sequencer.succeed(session.now)
    state = sequencer.state
    text = policy_text(state.genesis.origin, signer.public, state.policy)
    write_file(folder / POLICY, [text.encode()])
    session.say("succession-done", size=stored.log.size, height=head.height, new=head.size)
    if not stored.signed.is_witnessed:
        session.say("succession-unwitnessed")
    if missing:
        session.say("succession-activities", count=missing)
    session.facts({"label-ledger": folder, "label-policy": folder / POLICY})
    session.print(text.rstrip("\n"))
    session.result(
        {
            "ledger": str(folder),
            "taken_over": stored.log.size,
            "height": head.height,
            "size": head.size,
            "witnessed": stored.signed.is_witnessed,
            "activities_missing": missing,
            "policy": text,
        }
    )
