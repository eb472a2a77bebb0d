"""`tally history`: what governance has decided, when, and by whom.

It folds over the statements of governance in the log, as a replay does.  An action takes effect
with the last approval that its proposal needs; those of the genesis, with the genesis.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import typer

from api.options import LedgerFolder, command
from api.session import Ledger, Session
from api.values import printable, show_time
from chain.policies import WitnessPolicy
from chain.rules import replay_governance
from chain.state import State
from chain.store.snapshot import Snapshot
from keys.catalogue import LANGUAGES, text
from keys.participants import key_holder
from keys.statements import Statement
from keys.strict import parse_json
from keys.suites import PublicKey

Kind = Literal[
    "participants",
    "roles",
    "keys",
    "classes",
    "methodologies",
    "scenarios",
    "policy",
    "rules",
    "threshold",
    "pseudonyms",
    "proposals",
]
ACTIONS_OF: Mapping[str, Sequence[str]] = {
    "participants": ("enrol",),
    "roles": ("enrol", "grant", "withdraw"),
    "keys": ("enrol", "rotate", "revoke"),
    "classes": ("classes",),
    "methodologies": ("methodology",),
    "scenarios": ("scenario",),
    "policy": ("policy",),
    "rules": ("rules",),
    "threshold": ("threshold",),
    "pseudonyms": ("pseudonym-key",),
}


@dataclass
class Proposed:
    """A proposal, or the genesis, which needs no approval.

    index, time: of its statement, and of its block.  approvals: (index, participant) each.
    enacted: the index at which its actions took effect, if they have.
    """

    statement: Statement
    index: int
    time: int
    actions: Sequence[Mapping[str, Any]]
    approvals: list[tuple[int, str]] = field(default_factory=list)
    enacted: int | None = None


@dataclass(frozen=True)
class Change:
    """An action that took effect: at which index and time, from which proposal, and the state
    that all of its actions gave."""

    index: int
    time: int
    action: Mapping[str, Any]
    proposed: Proposed
    after: State


def add_to(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    command(app, "history")(history)


def history(
    session: Session,
    folder: LedgerFolder,
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help="What to show.")],
) -> None:
    """Show what governance has decided: when, what, who proposed and who approved."""
    ledger = session.open(folder)
    with ledger.store.snapshot() as snapshot:
        proposals, changes = read_history(snapshot)
    if kind == "proposals":
        _show_proposals(ledger, proposals)
    else:
        _show_changes(ledger, [c for c in changes if c.action["action"] in ACTIONS_OF[kind]])


# --- reading ---


def read_history(snapshot: Snapshot) -> tuple[list[Proposed], list[Change]]:
    """Every proposal, and every change, in the order of the log."""
    found: dict[bytes, Proposed] = {}
    changes: list[Change] = []
    state: State | None = None
    for row in snapshot.governance():
        state = replay_governance(state, row.statement, row.index, row.clock)
        body = row.statement.body
        if row.statement.kind == "genesis":
            actions = [*_founding(body), *body["actions"]]
            made = Proposed(row.statement, row.index, row.time, actions)
        elif row.statement.kind == "proposal":
            made = Proposed(row.statement, row.index, row.time, body["actions"])
            found[row.statement.id] = made
        elif row.statement.kind == "close":
            continue  # it decides nothing
        else:
            made = found[bytes.fromhex(body["proposal"])]
            made.approvals.append((row.index, row.statement.issuer))
        if made.statement.id not in state.proposals:
            made.enacted = row.index
            changes += [Change(row.index, row.time, act, made, state) for act in made.actions]
    return list(found.values()), changes


def _founding(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a genesis decides beside its actions, as actions."""
    return [
        {"action": "rules", "version": body["rules"]},
        {"action": "threshold", "governors": body["threshold"]},
        {"action": "classes", "document": body["classes"]},
    ]


# --- showing ---


def _show_changes(ledger: Ledger, changes: Sequence[Change]) -> None:
    session = ledger.session
    session.table(
        (
            *("column-index", "column-time", "column-change"),
            *("column-proposed-by", "column-approved-by"),
        ),
        [
            (
                change.index,
                show_time(change.time, ledger.state.calendar),
                _say(change, session.lang),
                change.proposed.statement.issuer,
                _approvers(change.proposed),
            )
            for change in changes
        ],
    )
    session.result(
        [
            {
                "index": change.index,
                "time": change.time,
                "action": change.action,
                "text": {lang: _say(change, lang) for lang in LANGUAGES},
                "proposal": change.proposed.statement.id.hex(),
                "proposed_by": change.proposed.statement.issuer,
                "approved_by": [name for _, name in change.proposed.approvals],
            }
            for change in changes
        ]
    )


def _show_proposals(ledger: Ledger, proposals: Sequence[Proposed]) -> None:
    session, calendar = ledger.session, ledger.state.calendar
    outcomes = [_outcome(ledger.state, proposed) for proposed in proposals]
    session.table(
        (
            *("column-index", "column-time", "column-change", "column-proposed-by"),
            *("column-approved-by", "column-outcome", "column-id"),
        ),
        [
            (
                proposed.index,
                show_time(proposed.time, calendar),
                ", ".join(action["action"] for action in proposed.actions),
                proposed.statement.issuer,
                _approvers(proposed),
                session.text(f"history-{outcome}"),
                proposed.statement.id.hex(),
            )
            for proposed, outcome in zip(proposals, outcomes, strict=True)
        ],
    )
    session.result(
        [
            {
                "index": proposed.index,
                "time": proposed.time,
                "proposal": proposed.statement.id.hex(),
                "expires": proposed.statement.expires,
                "actions": proposed.actions,
                "proposed_by": proposed.statement.issuer,
                "approvals": [{"index": index, "by": name} for index, name in proposed.approvals],
                "outcome": outcome,
                "enacted": proposed.enacted,
            }
            for proposed, outcome in zip(proposals, outcomes, strict=True)
        ]
    )


def _outcome(state: State, proposed: Proposed) -> str:
    if proposed.enacted is not None:
        return "enacted"
    return "waiting" if proposed.statement.id in state.waiting else "expired"


def _approvers(proposed: Proposed) -> str:
    return ", ".join(name for _, name in proposed.approvals) or "–"


def _say(change: Change, lang: str) -> str:
    """What an action has changed, in words."""
    return printable(text(f"history-{change.action['action']}", lang, **_details(change)))


def _details(change: Change) -> dict[str, Any]:
    """What the text of an action names."""
    action = change.action
    following = change.index + 1 if change.index else 0
    match action["action"]:
        case "enrol":
            kid = PublicKey.from_json(action["key"]).kid.hex()
            roles = ", ".join(action["roles"]) or "–"
            return {**action, "roles": roles, "kid": kid, "start": following}
        case "rotate":
            public = PublicKey.from_json(action["key"])
            keys = change.after.participants[action["participant"]].keys
            start = next(key.start for key in keys if key.public == public)
            return {**action, "kid": public.kid.hex(), "start": start}
        case "revoke":
            keys = change.after.participants[action["participant"]].keys
            ended = next(k for k in keys if key_holder(k.public).hex() == action["consumes"])
            return {**action, "kid": ended.public.kid.hex(), "end": ended.end}
        case "grant":
            return {**action, "start": following}
        case "withdraw":
            return {**action, "end": action.get("at", following)}
        case "classes":
            document = parse_json(action["document"].encode())
            issuers = (f"{of}: {', '.join(n)}" for of, n in document["issuers"].items())
            return {"count": len(document["classes"]), "issuers": "; ".join(issuers) or "–"}
        case "methodology":
            document = parse_json(action["document"].encode())
            return {**document, "day": action["from"]}
        case "scenario":
            document = parse_json(action["document"].encode())
            day = action.get("from", document["crediting"]["from"])
            return {**document, "day": day, "platforms": ", ".join(document["platforms"]) or "–"}
        case "pseudonym-key":
            return {**action, "day": action["from"]}
        case "policy":
            policy = WitnessPolicy(action["document"].encode())
            return {
                "quorum": policy.auditors.quorum,
                "count": len(policy.auditors.keys),
                "faults": policy.faults,
                "least": policy.witnesses.quorum,
                "witnesses": len(policy.witnesses.keys),
            }
    return dict(action)
