"""Whole small ledgers, entry by entry, and what the rules refuse in them.

Three are replayed: the small ledger of `support.bundles`, one in which governance does all that it
can, and one whose days are closed, certified and issued from (`support.vectors.units`).
"""

import functools
from collections.abc import Sequence
from typing import Any

from support.bundles import ledger, rotation, vkey, world
from support.city import NOON, OFFSET, TODAY, genesis, key, scenario_document
from support.oprf import BASE, encode, times
from support.replay import Replayed
from support.vectors import units
from support.vectors.common import Case, Vectors, accepted, refused, span
from support.vectors.logs import Log, outcome, ride

from chain import merkle
from chain.blocks import make_checkpoint, make_seal
from chain.effects import Entry
from chain.genesis import enrol, library
from chain.merkle import Frontier
from chain.reductions import Reduction, total_grams
from chain.rules import void_list
from chain.spans import make_holder
from chain.state import rules_holder
from keys.participants import Role, key_holder, role_holder
from keys.statements import Statement
from keys.strict import dump_date, dump_json, parse_date, parse_json


@functools.cache
def governed() -> tuple[Log, list[Entry]]:
    """A ledger in which every action of governance is taken, and its entries."""
    log = Log.found(genesis(rules=1))
    state = log.state
    assert state is not None
    methodology = parse_json(library()["bus-ride-by-code"]) | {"version": 2, "grams": "90"}
    scenario = parse_json(scenario_document("city-bus", "bus-ride-by-code", ["metro-app"]))
    classes = parse_json(state.classes.document)
    classes["issuers"]["ticket"] = ["city-bus", "ferry"]
    following = dump_date(TODAY + 3)
    auditors = [vkey(f"auditor-{n}") for n in range(1, 5)]
    witnessing = {"format": 1, "auditors": {"keys": auditors, "quorum": 3, "faults": 1}}
    log.govern(
        enrol("second", "Another governor", [Role.GOVERNOR], key("second").public),
        enrol("ferry-app", "The ferry", [Role.PLATFORM], key("ferry-app").public),
        {"action": "classes", "document": dump_json(classes).decode(),
         "consumes": make_holder("classes", state.classes.document).hex()},
    )  # fmt: skip
    held = state.methodologies["bus-ride-by-code"][0].document.holder
    held_scenario = state.scenarios["city-bus"][0].document.holder
    log.govern(
        {"action": "methodology", "document": dump_json(methodology).decode(), "from": following,
         "consumes": held.hex()},
        {"action": "scenario", "document": dump_json(scenario).decode(), "from": following,
         "consumes": held_scenario.hex()},
        {"action": "policy", "document": dump_json(witnessing).decode()},
    )  # fmt: skip
    log.govern(
        rotation("pay-app", key("pay-app"), key("pay-app/2")),
        {"action": "revoke", "participant": "ferry-app",
         "consumes": key_holder(key("ferry-app").public).hex()},
        {"action": "grant", "participant": "verifier", "role": "auditor"},
        {"action": "withdraw", "participant": "verifier", "role": "verifier",
         "consumes": role_holder("verifier", Role.VERIFIER).hex()},
    )  # fmt: skip
    log.govern({"action": "rules", "version": 3, "consumes": rules_holder(1).hex()})
    first, second = (encode(times(number, BASE)) for number in (1, 2))
    log.govern(
        {"action": "pseudonym-key", "from": "2027-01-01", "key": first.hex()},
        {"action": "pseudonym-key", "from": "2028-01-01", "key": second.hex(),
         "consumes": make_holder("pseudonyms", first).hex()},
        {"action": "threshold", "governors": 2, "instead_of": 1},
    )  # fmt: skip
    # At the end of the year a ride over the border of two epochs, and one after it.
    midnight = parse_date("2027-01-01") * 86_400 - OFFSET
    log.seal(midnight - 3600)
    rides = log.submission([ride("ann", midnight), ride("bob", midnight + 60)])
    log.take(rides)
    log.seal(midnight)
    return log, [
        rides if statement is rides.statement else Entry(statement) for statement in log.statements
    ]


def log_vectors() -> Vectors:
    """log.json."""
    small = [Entry(statement, _named(statement)) for statement in [*world().statements,
                                                                   world().last]]  # fmt: skip
    return Vectors(
        "Small ledgers, entry by entry: which spans each statement enters and removes, and the "
        "roots that follow.",
        [7, 8, 17, 21, 26, 27, 28, 29, 31, 33],
        {
            "ledgers": [
                _replayed("a city with one of everything", small),
                _replayed("a city that is governed", governed()[1]),
                _replayed(units.NAME, units.units_ledger().entries),
            ],
            "refused": [*_refused(), *_too_early(), *units.units_ledger().tried],
        },
    )


def _named(statement: Statement) -> list[Reduction]:
    """The reductions that a statement of the small ledger names."""
    statements, batches = world().statements, world().batches
    if statement.kind == "submission":
        return batches[statements.index(statement)]
    if statement.kind == "void":
        return [batches[index][position] for index, position, _ in void_list(statement)]
    return []


def _replayed(name: str, entries: Sequence[Entry]) -> Case:
    log = Replayed()
    states = []
    for entry in entries:
        before = log.state
        effects = log.take(entry)
        states.append(
            {
                "id": entry.statement.id,
                "put": [span(one) for one in effects.put],
                "drop": [span(one) for one in effects.drop],
                "outcomes": [outcome(one) for one in effects.outcomes],
                "register": log.root(),
                "records": units.records(log, before, entry),
            }
        )
    assert log.state is not None
    frontier = Frontier().append([merkle.leaf_hash(entry.statement.data) for entry in entries])
    origin = log.state.genesis.origin
    return accepted(
        name,
        entries=[
            {
                "statement": entry.statement.data,
                "reductions": [item.data for item in entry.reductions],
            }
            for entry in entries
        ],
        states=states,
        root=frontier.root(),
        checkpoint=make_checkpoint(origin, frontier, key("operator")).decode(),
    )


def _refused() -> list[Case]:
    """What the rules refuse, as of some entry of the small ledger or the governed one."""
    city, small = ledger(), world()
    statements = [*small.statements, small.last]
    end = len(statements)
    log = Log()
    for statement in statements:
        log.take(Entry(statement, _named(statement)))
    rides = small.batches[city.rides.index]
    state = log.state
    assert state is not None

    def void(*positions: int, issuer: str = "metro-app", **more: Any) -> Entry:
        listed = [
            {"index": city.rides.index, "position": p, "holder": rides[p].holder.hex()}
            for p in positions
        ]
        body = {"format": 1, "reason": "test", "reductions": listed} | more
        by = key("metro-app/2") if issuer == "metro-app" else None
        return Entry(log.sign("void", issuer, body, by=by), [rides[p] for p in positions])

    def seal(**changes: Any) -> Entry:
        body = make_seal(state, key("operator"), log.root(), NOON).body | changes
        return Entry(log.sign("seal", "operator", body))

    def proposal(*actions: Any) -> Entry:
        return Entry(log.sign("proposal", "governor", {"format": 1, "actions": list(actions)}))

    approval = log.sign("approval", "governor", {"format": 1, "proposal": "00" * 32})
    reductions = [rides[0]]
    lie = Reduction.make(
        rides[0].platform, rides[0].scenario, rides[0].version, rides[0].day, 8_000,
        rides[0].claims, rides[0].digest)  # fmt: skip
    by = key("metro-app/2")

    def submission(of: Sequence[Reduction], **more: Any) -> Entry:
        body = {
            "format": 1, "scenario": "city-bus", "count": len(of), "grams": total_grams(of),
            "root": merkle.root([item.leaf for item in of]).hex()}  # fmt: skip
        return Entry(log.sign("submission", "metro-app", body, by=more.pop("by", by), **more), of)

    tried: list[tuple[str, str, Entry]] = [
        ("a statement that stands in the log", "statement-known",
         Entry(city_void(statements), _named(city_void(statements)))),
        ("a statement of another ledger", "statement-other-ledger",
         submission(reductions, audience=bytes(32))),
        ("a statement that has expired", "statement-expired",
         submission(reductions, expires=state.time)),
        ("a key that was rotated", "signature-invalid",
         submission(reductions, by=key("metro-app"))),
        ("a genesis that is not first", "kind-unknown",
         Entry(log.sign("genesis", "operator", {"format": 1}, audience=None))),
        ("a kind that there is not", "kind-unknown", Entry(log.sign("barter", "operator", {}))),
        ("a proposal by a platform", "role-missing",
         Entry(log.sign("proposal", "pay-app", {"format": 1, "actions": []}))),
        ("a seal by a governor", "role-missing", Entry(log.sign("seal", "governor", {}))),
        ("a reduction with other grams than its methodology gives", "reduction-not-allowed",
         submission([lie])),
        ("a proposal of nothing", "field-type", proposal()),
        ("a proposal of an action that there is not", "action-unknown",
         proposal({"action": "print-money"})),
        ("an approval of nothing", "proposal-unknown", Entry(approval)),
        ("a void of what was voided", "void-not-held", void(3)),
        ("a void of what another platform submitted", "void-not-own",
         void(0, issuer="pay-app")),
        ("a void of nothing", "void-list", void()),
        ("a void of one reduction twice", "void-list", void(0, 0)),
        ("a void by an operator", "role-missing", void(0, issuer="operator")),
        ("a seal of another height", "seal-out-of-order", seal(height=99)),
        ("a seal after another", "seal-out-of-order", seal(previous="00" * 32)),
        ("a seal before its time", "seal-backdated", seal(time=NOON - 1)),
        ("a seal of another register", "seal-register", seal(register="00" * 32)),
        ("a seal of another format", "format-unknown", seal(format=2)),
    ]  # fmt: skip
    return [
        refused(
            f"refused: {name}",
            code,
            after="a city with one of everything",
            at=end,
            statement=entry.statement.data,
            reductions=[item.data for item in entry.reductions],
        )
        for name, code, entry in tried
    ]


def _too_early() -> list[Case]:
    """What the first version of the rules does not know."""
    early = Log.found(governed()[1][0].statement)
    body = {"format": 1, "until": "2026-03-01", "lots": 0, "count": 0, "grams": 0}
    return [
        refused(
            "refused: a close by the first version of the rules",
            "kind-unknown",
            after="a city that is governed",
            at=2,
            statement=early.sign("close", "operator", body).data,
            reductions=[],
        )
    ]


def city_void(statements: Sequence[Statement]) -> Statement:
    """The void of the small ledger."""
    return next(statement for statement in statements if statement.kind == "void")
