"""`tally propose`, `approve`, and the shortcuts that enrol participants and publish documents.

A shortcut proposes one action.  Where one approval is enough it also approves, and the action is
in force with the block that is sealed; otherwise the proposal waits for the other governors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.founding import POLICY
from api.commands.history import read_history
from api.options import By, LedgerFolder, command
from api.session import Ledger, Session
from api.values import read_file, read_json, read_methodology, write_file
from chain.genesis import enrol as enrol_action
from chain.genesis import publish_methodology
from chain.governance import read_actions
from chain.methodologies import Methodology
from chain.policies import WitnessPolicy
from chain.scenarios import Scenario
from chain.spans import make_holder
from chain.state import RULES_VERSION, InForce, rules_holder
from keys.errors import Malformed
from keys.participants import Participant, Role
from keys.statements import Statement
from keys.strict import dump_date, dump_json, parse_date, parse_hex, parse_json
from keys.suites import PublicKey
from verifier.policies import policy_text


@dataclass(frozen=True)
class Outcome:
    """What became of a proposal: its id, the log index at which it was enacted, if it was, and how
    many have approved it."""

    proposal: bytes
    index: int | None
    approvals: int


def enact(ledger: Ledger, by: str, actions: Sequence[Mapping[str, Any]]) -> Outcome:
    """Propose actions and, where the threshold is one, approve them."""
    body = {"format": 1, "actions": list(actions)}
    proposal = ledger.sign("proposal", by, "actions", body)
    if ledger.state.threshold > 1:
        ledger.post([proposal])
        return Outcome(proposal.id, None, 0)
    _post(ledger, [proposal, ledger.sign("approval", by, "actions", _approves(proposal.id))])
    return _outcome(ledger, proposal.id)


def _post(ledger: Ledger, statements: Sequence[Statement]) -> None:
    """Post statements; the trust policy in the ledger's folder follows what they decide."""
    before = _policy(ledger)
    ledger.post(statements)
    after = _policy(ledger)
    if after != before:
        write_file(ledger.folder / POLICY, [after.encode()])


def _outcome(ledger: Ledger, proposal: bytes) -> Outcome:
    """What the log says of a proposal: one that no longer waits may have been enacted, or have
    expired with the seal."""
    with ledger.store.snapshot() as snapshot:
        proposals, _ = read_history(snapshot)
    found = next(one for one in proposals if one.statement.id == proposal)
    return Outcome(proposal, found.enacted, len(found.approvals))


def _policy(ledger: Ledger) -> str:
    return policy_text(ledger.state.genesis.origin, ledger.log_key, ledger.state.policy)


def report(ledger: Ledger, outcome: Outcome, code: str, /, **details: object) -> None:
    """Print what became of a proposal; ``code`` says what was done, if it was."""
    session = ledger.session
    if outcome.index is None:
        missing = ledger.state.threshold - outcome.approvals
        session.say("proposal-waits", id=outcome.proposal.hex(), missing=missing)
    else:
        session.say(code, index=outcome.index, **details)
    session.result(
        {
            "proposal": outcome.proposal.hex(),
            "enacted": outcome.index is not None,
            "index": outcome.index,
            "approvals": outcome.approvals,
            "threshold": ledger.state.threshold,
        }
    )


def _approves(proposal: bytes) -> dict[str, Any]:
    return {"format": 1, "proposal": proposal.hex()}


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    command(app, "propose")(propose)
    command(app, "approve")(approve)
    command(app, "enrol")(enrol)
    group = typer.Typer(
        help="Publish methodologies, scenarios, issuers, a witness policy, rules.",
        no_args_is_help=True,
    )
    app.add_typer(group, name="publish")
    command(group, "methodology")(publish_a_methodology)
    command(group, "scenario")(publish_a_scenario)
    command(group, "issuer")(publish_an_issuer)
    command(group, "policy")(publish_a_policy)
    command(group, "rules")(publish_rules)


def propose(
    session: Session,
    folder: LedgerFolder,
    actions: Annotated[
        Path, typer.Argument(metavar="ACTIONS", help="A JSON list of actions of governance.")
    ],
    *,
    by: By,
) -> None:
    """Propose actions of governance; they wait for approvals."""
    ledger = session.open(folder)
    body = {"format": 1, "actions": read_actions(read_json(actions), ledger.state.rules)}
    proposal = ledger.sign("proposal", by, "actions", body)
    ledger.post([proposal])
    report(ledger, Outcome(proposal.id, None, 0), "proposal-enacted")


def approve(
    session: Session,
    folder: LedgerFolder,
    proposal: Annotated[str, typer.Argument(metavar="PROPOSAL", help="The proposal's id.")],
    *,
    by: By,
) -> None:
    """Approve a proposal; with the last approval that it needs, it is enacted."""
    ledger = session.open(folder)
    identity = parse_hex(proposal, 32)
    _post(ledger, [ledger.sign("approval", by, "actions", _approves(identity))])
    report(ledger, _outcome(ledger, identity), "proposal-enacted")


def enrol(
    session: Session,
    folder: LedgerFolder,
    participant: Annotated[str, typer.Argument(metavar="ID", help="The new participant.")],
    *,
    by: By,
    role: Annotated[list[Role], typer.Option("--role", help="What it may be; repeatable.")],
    name: Annotated[str | None, typer.Option("--name", help="Its name, as people read it.")] = None,
    public: Annotated[
        Path | None,
        typer.Option(
            "--public",
            metavar="FILE",
            help='Its public key, {"alg": …, "public": …}, where its private key is not here.',
        ),
    ] = None,
) -> None:
    """Enrol a participant with its key, which is made here if there is none yet."""
    ledger = session.open(folder)
    path = ledger.key_path(Participant(participant, participant).id)
    if public is not None:
        key = PublicKey.from_json(read_json(public))
    else:
        key = (session.load_key(path) if path.is_file() else session.new_key(path)).public
    action = enrol_action(participant, name or participant, role, key)
    outcome = enact(ledger, by, [action])
    report(ledger, outcome, "participant-enrolled", id=participant, roles=", ".join(role))


def publish_a_methodology(
    session: Session,
    folder: LedgerFolder,
    source: Annotated[str, typer.Argument(metavar="ID|FILE", help="The methodology.")],
    *,
    since: Annotated[
        str, typer.Option("--from", metavar="DATE", help="In force from this day on.")
    ],
    by: By,
) -> None:
    """Publish a version of a methodology, in force from a day that is to come."""
    ledger = session.open(folder)
    document = read_methodology(source)
    made = Methodology(document, ledger.state.classes)
    start = parse_date(since)
    action = publish_methodology(document, start)
    action |= _superseded(ledger.state.methodologies.get(made.id, ()), start)
    report(
        ledger,
        enact(ledger, by, [action]),
        "document-published",
        id=made.id,
        day=dump_date(start),
    )


def publish_a_scenario(
    session: Session,
    folder: LedgerFolder,
    document: Annotated[Path, typer.Argument(metavar="FILE", help="The scenario.")],
    *,
    by: By,
    since: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="DATE", help="By default, the first day of its crediting period."
        ),
    ] = None,
) -> None:
    """Publish a scenario, or a new definition of one."""
    ledger = session.open(folder)
    data = read_file(document)
    made = Scenario(data)
    start = parse_date(since) if since else made.days[0]
    action = {"action": "scenario", "document": data.decode()}
    action |= {"from": dump_date(start)} if since else {}
    action |= _superseded(ledger.state.scenarios.get(made.id, ()), start)
    report(
        ledger,
        enact(ledger, by, [action]),
        "document-published",
        id=made.id,
        day=dump_date(start),
    )


def publish_an_issuer(
    session: Session,
    folder: LedgerFolder,
    line_class: Annotated[
        str, typer.Argument(metavar="CLASS", help="A class of lines, such as ticket.")
    ],
    issuer: Annotated[str, typer.Argument(metavar="NAME", help="Who gives the numbers.")],
    *,
    by: By,
) -> None:
    """Add an issuer of tickets, orders, parcels or bills to the registry of classes."""
    ledger = session.open(folder)
    old = ledger.state.classes.document
    registry = parse_json(old)
    issuers = registry["issuers"].setdefault(line_class, [])
    registry["issuers"][line_class] = sorted({*issuers, issuer})
    action = {
        "action": "classes",
        "document": dump_json(registry).decode(),
        "consumes": make_holder("classes", old).hex(),
    }
    outcome = enact(ledger, by, [action])
    report(ledger, outcome, "issuer-published", id=issuer, name=line_class)


def publish_a_policy(
    session: Session,
    folder: LedgerFolder,
    document: Annotated[Path, typer.Argument(metavar="FILE", help="The witness policy.")],
    *,
    by: By,
) -> None:
    """Publish a witness policy: whose cosignatures make a checkpoint final."""
    ledger = session.open(folder)
    made = WitnessPolicy(read_file(document))
    action = {"action": "policy", "document": made.document.decode()}
    if ledger.state.policy is not None:
        action["consumes"] = ledger.state.policy.holder.hex()
    outcome = enact(ledger, by, [action])
    auditors = made.auditors
    details = {"quorum": auditors.quorum, "count": len(auditors.keys)}
    report(ledger, outcome, "policy-published", **details)


def publish_rules(
    session: Session,
    folder: LedgerFolder,
    version: Annotated[int, typer.Argument(metavar="VERSION", help="By default, the newest.")] = (
        RULES_VERSION
    ),
    *,
    by: By,
) -> None:
    """Put a later version of the rules in force."""
    ledger = session.open(folder)
    consumes = rules_holder(ledger.state.rules).hex()
    action = {"action": "rules", "version": version, "consumes": consumes}
    report(ledger, enact(ledger, by, [action]), "rules-published", version=version)


def _superseded(versions: Sequence[InForce[Any]], start: int) -> dict[str, str]:
    """What an action names of the version that it ends."""
    if not versions or versions[-1].end <= start:
        return {}
    if start <= versions[-1].start:
        raise Malformed("document-too-early", day=dump_date(versions[-1].start))
    return {"consumes": versions[-1].document.holder.hex()}
