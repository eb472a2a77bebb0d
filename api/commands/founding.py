"""`tally init`: open a ledger."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.options import command
from api.session import Session
from api.values import parse_offset, read_json, read_methodology, split_pair, write_file
from chain.calendar import Calendar
from chain.genesis import (
    ACCEPTANCE_DAYS,
    UNIT_GRAMS,
    default_classes,
    enrol,
    make_genesis,
    publish_methodology,
)
from chain.sequencer import Sequencer
from keys.errors import Malformed
from keys.participants import Role
from keys.signer import KeySigner
from keys.strict import dump_date, parse_date
from verifier.policies import policy_text

POLICY = "policy"


def add_to(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    command(app, "init")(init)


def init(
    session: Session,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    *,
    origin: Annotated[
        str,
        typer.Option(
            "--origin", metavar="NAME", help='The log\'s name, such as "example.org/tally/city".'
        ),
    ],
    operator: Annotated[
        str, typer.Option("--operator", metavar="ID", help="The participant who seals.")
    ] = "operator",
    governor: Annotated[
        list[str] | None,
        typer.Option(
            "--governor", metavar="ID", help='A governor; repeatable; by default "governor".'
        ),
    ] = None,
    threshold: Annotated[
        int, typer.Option("--threshold", min=1, help="How many governors approve a proposal.")
    ] = 1,
    utc_offset: Annotated[
        str, typer.Option("--utc-offset", metavar="±HH:MM", help="The offset of its days.")
    ] = "+08:00",
    first_day: Annotated[
        str | None,
        typer.Option("--first-day", metavar="DATE", help="The first day taken; by default today."),
    ] = None,
    acceptance_days: Annotated[
        int, typer.Option("--acceptance-days", min=0, help="For how long a day stays open.")
    ] = ACCEPTANCE_DAYS,
    unit_grams: Annotated[
        int, typer.Option("--unit-grams", min=1, help="Grams in a unit that is traded.")
    ] = UNIT_GRAMS,
    issuer: Annotated[
        list[str] | None,
        typer.Option(
            "--issuer",
            metavar="CLASS=NAME",
            help='Who gives tickets … their numbers, such as "ticket=city-bus"; repeatable.',
        ),
    ] = None,
    methodology: Annotated[
        list[str] | None,
        typer.Option(
            "--methodology",
            metavar="ID|FILE",
            help="In force from the first day; repeatable. Others are published when wanted.",
        ),
    ] = None,
    founding: Annotated[
        Path | None,
        typer.Option("--founding", metavar="FILE", help="A JSON list of further founding actions."),
    ] = None,
) -> None:
    """Open a ledger: keys where they are missing, the genesis, the first block, a policy."""
    offset = parse_offset(utc_offset)
    day = parse_date(first_day) if first_day else Calendar(offset).day(session.now)
    issuers: dict[str, list[str]] = {}
    for name, of in map(split_pair, issuer or ()):
        issuers.setdefault(name, []).append(of)
    documents = [read_methodology(source) for source in methodology or ()]
    further: Any = read_json(founding) if founding else []
    if not isinstance(further, list):
        raise Malformed("field-type", where=str(founding), field=".", expected="a list")
    store = session.new_store(folder)
    keys = session.keys_folder(folder)
    governors = governor or ["governor"]
    signers = {name: _key(session, keys / f"{name}.pem") for name in [operator, *governors]}
    actions = [
        enrol(name, name, _roles(name, operator, governors), made.public)
        for name, made in signers.items()
    ]
    actions += [publish_methodology(document, day) for document in documents]
    genesis = make_genesis(
        signers[operator],
        operator=operator,
        origin=origin,
        time=session.now,
        utc_offset=offset,
        first_day=day,
        actions=[*actions, *further],
        threshold=threshold,
        acceptance_days=acceptance_days,
        unit_grams=unit_grams,
        classes=default_classes(issuers),
    )
    sequencer = Sequencer(store, signers[operator])
    sequencer.post([genesis])
    sequencer.seal_all(session.now)
    sequencer.answer(genesis)
    policy = policy_text(origin, signers[operator].public, sequencer.state.policy)
    write_file(folder / POLICY, [policy.encode()])
    session.say("init-done", origin=origin, id=genesis.id.hex(), day=dump_date(day))
    session.facts(
        {
            "label-ledger": folder,
            "label-keys": keys,
            "label-participants": ", ".join(signers),
            "label-policy": folder / POLICY,
        }
    )
    session.print(policy.rstrip("\n"))
    session.result(
        {
            "ledger": str(folder),
            "genesis": genesis.id.hex(),
            "origin": origin,
            "first_day": dump_date(day),
            "utc_offset": offset,
            "keys": str(keys),
            "participants": list(signers),
            "policy": policy,
        }
    )


def _key(session: Session, path: Path) -> KeySigner:
    return session.load_key(path) if path.is_file() else session.new_key(path)


def _roles(name: str, operator: str, governors: list[str]) -> list[Role]:
    roles = [Role.OPERATOR] if name == operator else []
    return [*roles, Role.GOVERNOR] if name in governors else roles
