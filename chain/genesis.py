"""The genesis: the first statement of a ledger, and what a new ledger begins with.

Its payload, all of which is fixed for ever or changes only by governance::

    format           1
    origin           the log's name in checkpoints, such as "example.org/tally/city"
    time             unix seconds
    utc_offset       seconds east of UTC, for the days of the ledger
    first_day        the first day of which activities are taken; the days before are closed
    acceptance_days  for how many days after it a day stays open at least
    unit_grams       grams in a unit that can be traded
    threshold        how many governors must approve a proposal
    rules            version of the rules that the ledger begins with
    classes          the registry of classes, as text (`chain.classes`)
    actions          founding actions (`chain.governance`): at least the operator, a governor

The ledger's identity is the id of this statement; every later one names it as its audience.
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from chain.state import RULES_VERSION
from keys.participants import Role
from keys.signer import Signer
from keys.statements import Statement, sign_statement
from keys.strict import dump_date, dump_json, parse_json
from keys.suites import PublicKey

UNIT_GRAMS = 1_000_000
ACCEPTANCE_DAYS = 30
GENESIS_EXPIRES_SECONDS = 86_400
_CLASSES = "classes"


def library() -> dict[str, bytes]:
    """The methodologies that come with this distribution: id to document."""
    folder = resources.files("chain") / "library"
    return {
        name.name.removesuffix(".json"): name.read_bytes()
        for name in sorted(folder.iterdir(), key=lambda item: item.name)
        if name.name.endswith(".json") and name.name != f"{_CLASSES}.json"
    }


def default_classes(issuers: Mapping[str, Sequence[str]] | None = None) -> bytes:
    """The registry of classes that comes with this distribution, with issuers by class name."""
    document = (resources.files("chain") / "library" / f"{_CLASSES}.json").read_bytes()
    if not issuers:
        return document
    registry = parse_json(document)
    registry["issuers"] = {name: sorted(names) for name, names in sorted(issuers.items())}
    return dump_json(registry)


def enrol(participant: str, name: str, roles: Sequence[Role], public: PublicKey) -> dict[str, Any]:
    """The action that enrols a participant."""
    return {
        "action": "enrol",
        "participant": participant,
        "name": name,
        "roles": [role.value for role in roles],
        "key": public.as_json(),
    }


def publish_methodology(document: bytes, day: int) -> dict[str, Any]:
    """The action that puts the first version of a methodology in force from ``day``."""
    return {"action": "methodology", "document": document.decode(), "from": dump_date(day)}


def make_genesis(
    signer: Signer,
    *,
    operator: str,
    origin: str,
    time: int,
    utc_offset: int,
    first_day: int,
    actions: Sequence[Mapping[str, Any]],
    threshold: int = 1,
    acceptance_days: int = ACCEPTANCE_DAYS,
    unit_grams: int = UNIT_GRAMS,
    classes: bytes | None = None,
    rules: int = RULES_VERSION,
) -> Statement:
    """Sign the genesis of a new ledger; ``actions`` enrol at least the operator and a governor."""
    body = {
        "format": 1,
        "origin": origin,
        "time": time,
        "utc_offset": utc_offset,
        "first_day": dump_date(first_day),
        "acceptance_days": acceptance_days,
        "unit_grams": unit_grams,
        "threshold": threshold,
        "rules": rules,
        "classes": (classes or default_classes()).decode(),
        "actions": list(actions),
    }
    return sign_statement(
        signer,
        kind="genesis",
        issuer=operator,
        subject=origin,
        audience=None,
        expires=time + GENESIS_EXPIRES_SECONDS,
        payload=body,
    )
