"""Signed statements, submissions and what the ledger answers.

The ledger is the tests' city with one platform more, whose key is of the suite es256, and stands at
its first seal.
"""

import functools
from collections.abc import Sequence
from typing import Any

import cbor2
from support.bundles import world
from support.city import (
    FIRST_DAY,
    NOON,
    OFFSET,
    PLATFORMS,
    SCENARIOS,
    TODAY,
    founding_actions,
    genesis,
    key,
    scenario_document,
)
from support.forging import high_s
from support.vectors.common import Case, Vectors, accepted, refused
from support.vectors.common import methodology as said
from support.vectors.logs import MORNING, SEEDS, TRAM, Log, meal, outcome, ride, signer_of, trip
from support.vectors.units import units_ledger

from chain.genesis import enrol
from keys.participants import Role
from keys.statements import Statement, parse_statement
from keys.strict import dump_cbor, parse_cbor

Json = dict[str, Any]


@functools.cache
def first_genesis() -> Statement:
    """The genesis of the ledger to which the vectors submit."""
    platforms = (*PLATFORMS, TRAM)
    actions = [action for action in founding_actions() if action["action"] != "scenario"]
    actions.append(enrol(TRAM, "The tram", [Role.PLATFORM], signer_of(TRAM).public))
    actions += [
        {"action": "scenario", "document": scenario_document(n, m, platforms).decode()}
        for n, m in SCENARIOS.items()
    ]
    return genesis(actions=actions)


def first_log() -> Log:
    """That ledger, at its first seal."""
    return Log.found(first_genesis())


def submission_vectors() -> Vectors:
    """submissions.json."""
    log = first_log()
    state = log.state
    assert state is not None
    return Vectors(
        "From activities to a signed submission; statements in their one form; what a ledger "
        "takes, and what it answers.",
        [6, 7, 17],
        {
            "submissions": _submissions(log),
            "statements": _statements(log),
            "admission": _admission(log),
            "answers": _answers(),
        },
        {
            "genesis": log.statements[0].data,
            "seal": log.statements[1].data,
            "ledger": state.genesis.id,
            "origin": state.genesis.origin,
            "time": state.time,
            "next": state.index,
            "utc_offset": OFFSET,
            "classes": state.classes.document.decode(),
            "methodologies": [
                said(of.document) for versions in state.methodologies.values() for of in versions
            ],
            "scenarios": [
                of.document.document.decode()
                for versions in state.scenarios.values()
                for of in versions
            ],
            "seeds": SEEDS,
        },
    )


def _submissions(log: Log) -> list[Case]:
    midnight = NOON - 12 * 3600
    tried: list[tuple[str, str, list[bytes]]] = [
        ("three bus rides", "metro-app",
         [ride("ann", MORNING), ride("bob", MORNING), ride("ann", MORNING + 3600)]),
        ("one bus ride: the root is its leaf", "pay-app", [ride("zoe", MORNING)]),
        ("trips, one of them over midnight", "metro-app",
         [trip("bike-1", midnight - 600, midnight + 600), trip("bike-2", MORNING, NOON)]),
        ("five meals", "pay-app", [meal(f"eater-{n}", NOON) for n in range(5)]),
        ("signed with es256", TRAM, [ride("eve", MORNING), ride("eve", MORNING + 1800)]),
    ]  # fmt: skip
    made = []
    for name, platform, lines in tried:
        entry = log.submission(lines, platform)
        statement = entry.statement
        array = parse_cbor(statement.data).value
        body = statement.body
        made.append(
            accepted(
                f"submission: {name}",
                platform=platform,
                seed=SEEDS[platform],
                alg=statement.alg,
                scenario=body["scenario"],
                subject=statement.subject,
                expires=statement.expires,
                activities=[line.decode() for line in lines],
                reductions=[item.data for item in entry.reductions],
                leaves=[item.leaf for item in entry.reductions],
                root=bytes.fromhex(body["root"]),
                count=body["count"],
                grams=body["grams"],
                payload=statement.payload.decode(),
                protected=array[0],
                signed=statement.signed,
                signature=statement.signature,
                statement=statement.data,
                id=statement.id,
            )
        )
    return made


def read(name: str, statement: Statement) -> Case:
    """A statement, and all that it says."""
    return accepted(
        name,
        statement=statement.data,
        alg=statement.alg,
        kid=statement.kid,
        kind=statement.kind,
        issuer=statement.issuer,
        subject=statement.subject,
        audience=statement.audience,
        expires=statement.expires,
        payload=statement.payload.decode(),
        signature=statement.signature,
        id=statement.id,
    )


def _statements(log: Log) -> list[Case]:
    """Statements of every kind, and what is none."""
    kinds = {statement.kind: statement for statement in world().statements[1:]}
    kinds = {one.kind: one for one in units_ledger().log.statements[1:]} | kinds
    body = {"format": 1, "origin": "example.org/city"}
    kinds["genesis"] = log.sign("genesis", "operator", body, audience=None)
    made = [read(f"statement: a {kind}", statement) for kind, statement in kinds.items()]
    entry = log.submission([ride("ann", MORNING)])
    good = entry.statement
    made += [
        read("statement: a submission with es256", log.submission([ride("eve", MORNING)], TRAM)
             .statement),
        read("statement: a subject beyond ASCII", log.submission([ride("ann", MORNING)],
             subject="城市公交 " + "é" * 100).statement),
        read("statement: of a kind that is not known yet", log.sign("barter", "operator", {})),
        read("statement: under an algorithm that nobody knows", parse_statement(
            _assembled(good, protected={1: -65_000}))),
        read("statement: without a future", log.submission([ride("ann", MORNING)], expires=0)
             .statement),
        read("statement: the same with another signature: the same id", parse_statement(
            _assembled(good, signature=bytes(64)))),
    ]  # fmt: skip
    claims = parse_cbor(parse_cbor(good.data).value[0])[15]
    malformed, cbor = "statement-malformed", "cbor-not-canonical"

    def header(**changes: Any) -> bytes:
        return _assembled(good, protected={int(n[1:]): value for n, value in changes.items()})

    def claim(number: int, value: object) -> bytes:
        return header(_15={k: v for k, v in {**claims, number: value}.items() if v is not None})

    data = good.data
    tried: list[tuple[str, str, bytes]] = [
        ("nothing", cbor, b""),
        ("without its tag", malformed, data[1:]),
        ("of another tag", cbor, b"\xd1" + data[1:]),
        ("with its tag in two bytes", cbor, b"\xd8\x12" + data[1:]),
        ("something after it", cbor, data + b"\0"),
        ("a byte less", cbor, data[:-1]),
        ("an array of no definite length", cbor, b"\xd2\x9f" + data[2:] + b"\xff"),
        ("an array of three", malformed, dump_cbor(cbor2.CBORTag(18, [b"", {}, b"{}"]))),
        ("an array of five", malformed, _assembled(good, more=[b""])),
        ("an unprotected header", cbor, _assembled(good, unprotected={4: good.kid})),
        ("an unprotected header that is a list", malformed, _assembled(good, unprotected=[])),
        ("a protected header that is a map", cbor, _assembled(good, raw={1: -8})),
        ("a protected header out of order", cbor, _assembled(good, raw=_shuffled(good))),
        ("a protected header of more than 1,024 bytes", malformed,
         _assembled(good, raw=bytes(1_025))),
        ("a payload that is a text", malformed, _assembled(good, payload="{}")),
        ("a payload that is nil", malformed, _assembled(good, payload=None)),
        ("a payload that is a list", malformed, _assembled(good, payload=b"[]")),
        ("a payload with a field twice", "json-duplicate-key",
         _assembled(good, payload=b'{"a":1,"a":1}')),
        ("a payload with a fraction", "json-float", _assembled(good, payload=b'{"a":1.0}')),
        ("an empty signature", malformed, _assembled(good, signature=b"")),
        ("a signature that is a text", malformed, _assembled(good, signature="x")),
        ("a field more in the header", malformed, header(_5=b"")),
        ("an algorithm that is a text", malformed, header(_1="EdDSA")),
        ("an algorithm that is a fraction", malformed, header(_1=-8.0)),
        ("an algorithm beyond 64 bits", malformed, header(_1=-(2**63) - 1)),
        ("another content type", malformed, header(_3="application/json")),
        ("a content type of a kind in capitals", malformed,
         header(_3="application/vnd.tally.Seal+json")),
        ("a content type of no kind", malformed, header(_3="application/vnd.tally.+json")),
        ("a content type of a kind of 33 characters", malformed,
         header(_3=f"application/vnd.tally.{'a' * 33}+json")),
        ("a content type that is a number", malformed, header(_3=50)),
        ("a kid of 15 bytes", malformed, header(_4=good.kid[:15])),
        ("a kid that is a text", malformed, header(_4=good.kid.hex()[:16])),
        ("claims that are no map", malformed, header(_15=[])),
        ("a claim more", malformed, claim(5, 1)),
        ("no issuer", malformed, claim(1, None)),
        ("an issuer that is no name", malformed, claim(1, "Metro App")),
        ("an empty subject", malformed, claim(2, "")),
        ("a subject of 129 characters", malformed, claim(2, "a" * 129)),
        ("a subject with a line feed", malformed, claim(2, "a\nb")),
        ("a subject that turns text round", malformed, claim(2, "a\u202eb")),
        ("a subject with a line separator", malformed, claim(2, "a\u2028b")),
        ("a subject in another form than NFC", "text-not-nfc", claim(2, "e\u0301")),
        ("no audience", malformed, claim(3, None)),
        ("an audience in capitals", "hex-not-canonical", claim(3, "AB" * 32)),
        ("an audience that is bytes", "hex-not-canonical", claim(3, bytes(32))),
        ("an audience of 31 bytes", "hex-not-canonical", claim(3, "ab" * 31)),
        ("no expiry", malformed, claim(4, None)),
        ("an expiry below 0", malformed, claim(4, -1)),
        ("an expiry beyond 63 bits", malformed, claim(4, 2**63)),
        ("an expiry that is a fraction", malformed, claim(4, 1.0)),
        ("a genesis with an audience", malformed,
         header(_3="application/vnd.tally.genesis+json")),
    ]  # fmt: skip
    made += [refused(f"statement: {name}", code, statement=of) for name, code, of in tried]
    long = _assembled(good, payload=b'{"a":"' + b"x" * 65_600 + b'"}')
    at = long.index(b"x" * 65_600)
    pieces = [(long[:at], 1), (b"x", 65_600), (long[at + 65_600 :], 1)]
    return [*made, refused("statement: longer than may be", "statement-size", bytes=pieces)]


def _assembled(
    of: Statement,
    *,
    protected: dict[int, Any] | None = None,
    raw: Any = None,
    more: Sequence[Any] = (),
    **changes: Any,
) -> bytes:
    """A statement with parts of it exchanged."""
    shown, unprotected, payload, signature = parse_cbor(of.data).value
    if protected is not None:
        shown = dump_cbor({**parse_cbor(shown), **protected})
    parts = {"unprotected": unprotected, "payload": payload, "signature": signature, **changes}
    return dump_cbor(cbor2.CBORTag(18, [shown if raw is None else raw, *parts.values(), *more]))


def _shuffled(of: Statement) -> bytes:
    """The protected header with its first key last."""
    shown = parse_cbor(parse_cbor(of.data).value[0])
    return cbor2.dumps({number: shown[number] for number in (3, 4, 15, 1)})


def _admission(log: Log) -> list[Case]:
    lines = [ride("ann", MORNING), ride("bob", MORNING)]
    assert log.state is not None
    good = log.submission(lines)
    resigned = parse_statement(
        _assembled(good.statement, signature=high_s(good.statement.signature))
    )
    mixed = [lines[0], meal("bob", NOON)]
    early = TODAY - 1_000
    tram = log.submission(lines, TRAM).statement
    r, s = tram.signature[:32], int.from_bytes(tram.signature[32:])
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    tram_high = parse_statement(_assembled(tram, signature=r + (order - s).to_bytes(32)))
    old = ride("ann", MORNING - (TODAY - early) * 86_400)

    def of(**changes: Any) -> Statement:
        return log.submission(lines, **changes).statement

    tried: list[tuple[str, str | None, Statement, list[bytes]]] = [
        ("two rides", None, good.statement, lines),
        ("two rides, signed with es256", None, tram, lines),
        ("a day that has not begun: the rules decide", None,
         log.submission([ride("ann", NOON + 2 * 86_400)]).statement,
         [ride("ann", NOON + 2 * 86_400)]),
        ("for another ledger", "statement-other-ledger", of(audience=bytes(32)), lines),
        ("expired", "statement-expired", of(expires=log.state.time), lines),
        ("by nobody", "participant-unknown", of(issuer="nobody", by=key("nobody")), lines),
        ("by another's key", "signature-invalid", of(by=key("pay-app")), lines),
        ("in another's name", "signature-invalid", of(issuer="pay-app", by=key("metro-app")),
         lines),
        ("with S + L", "signature-invalid", resigned, lines),
        ("with the higher s of es256", "signature-invalid", tram_high, lines),
        ("with no signature", "signature-invalid",
         parse_statement(_assembled(good.statement, signature=bytes(64))), lines),
        ("by who is no platform", "role-missing", of(issuer="verifier", by=key("verifier")),
         lines),
        ("of another kind", "kind-unknown", of(kind="void"), lines),
        ("of another format", "format-unknown", of(format=2), lines),
        ("with a field more", "field-unknown", of(more=1), lines),
        ("with a field less", "field-missing", of(scenario=None), lines),
        ("with a count that is a text", "field-type", of(count="2"), lines),
        ("with more than are given", "submission-count", of(count=3), lines),
        ("with fewer than are given", "submission-count", of(count=1), lines),
        ("with nothing", "submission-count", of(), []),
        ("with other grams", "submission-grams", of(grams=161), lines),
        ("with another root", "submission-root", of(root="00" * 32), lines),
        ("with a root in capitals", "hex-not-canonical", of(root="AB" * 32), lines),
        ("with the activities in another order", "submission-root", of(), lines[::-1]),
        ("with another activity", "submission-root", of(),
         [lines[0], ride("bob", MORNING, "another")]),
        ("with the white space of an activity changed", "submission-root", of(),
         [lines[0], lines[1].replace(b":", b": ", 1)]),
        ("with an activity that is none", "activity-invalid", of(), [lines[0], b"{}"]),
        ("with an activity that earns nothing", "activity-invalid", of(),
         [lines[0], lines[1].replace(b"platform-record", b"hearsay")]),
        ("of another scenario", "submission-mixed", of(scenario="city-bike"), lines),
        ("of two scenarios", "submission-mixed", log.submission(mixed).statement, mixed),
        ("with an activity of no scenario", "activity-invalid", of(),
         [lines[0], lines[1].replace(b"city-bus", b"city-bux")]),
        ("with an activity of a day without a methodology", "activity-invalid", of(),
         [lines[0], old]),
    ]  # fmt: skip
    return [
        accepted(
            f"admission: {name}", statement=one.data, activities=[line.decode() for line in given]
        )
        if code is None
        else refused(
            f"admission: {name}",
            code,
            statement=one.data,
            activities=[line.decode() for line in given],
        )
        for name, code, one, given in tried
    ]


def _answers() -> list[Case]:
    """What is recorded and what is refused, submission by submission."""
    midnight = NOON - 12 * 3600
    bike = [("bike-1", MORNING, MORNING + 600), ("bike-1", MORNING + 600, MORNING + 900)]
    first = FIRST_DAY * 86_400 - OFFSET
    sequences: dict[str, list[tuple[str, list[bytes]]]] = {
        "all are recorded": [
            ("metro-app", [ride("ann", MORNING), ride("bob", MORNING)]),
            ("pay-app", [ride("ann", MORNING + 3600)]),
        ],
        "one ride on two platforms": [
            ("metro-app", [ride("ann", MORNING), ride("bob", MORNING)]),
            ("pay-app", [ride("ann", MORNING + 30, "another"), ride("zoe", MORNING)]),
        ],
        "one ticket on two days": [
            ("metro-app", [ride("ann", MORNING, "ticket")]),
            ("pay-app", [ride("ann", MORNING - 86_400, "ticket")]),
        ],
        "twice in one submission": [
            ("metro-app", [ride("ann", MORNING, "a"), ride("ann", MORNING + 60, "b")]),
        ],
        "what a refused reduction would have claimed stays free": [
            ("metro-app", [ride("ann", MORNING, "a")]),
            ("metro-app", [ride("ann", MORNING, "b")]),
            ("metro-app", [ride("bob", MORNING, "b")]),
        ],
        "side by side is no overlap": [
            ("metro-app", [trip(*bike[0]), trip(*bike[1])]),
        ],
        "two guards that touch": [
            ("metro-app", [ride("ann", MORNING), ride("ann", MORNING + 420)]),
            ("metro-app", [ride("ann", MORNING + 419)]),
        ],
        "over midnight, met on the second day": [
            ("metro-app", [trip("bike-1", midnight - 600, midnight + 600)]),
            ("pay-app", [trip("bike-1", midnight + 599, midnight + 700)]),
        ],
        "a cap of one meal": [
            ("metro-app", [meal("ann", NOON), meal("bob", NOON)]),
            ("pay-app", [meal("ann", NOON + 60), meal("ann", NOON + 6 * 3600)]),
        ],
        "a day whose books are closed": [
            ("metro-app", [ride("ann", first + 3600), ride("bob", first + 30)]),
        ],
        "a day that has not begun": [
            ("metro-app", [ride("ann", NOON + 86_400), ride("ann", NOON + 2 * 86_400)]),
            ("metro-app", [trip("bike-1", midnight + 2 * 86_400 - 60, midnight + 2 * 86_400)]),
        ],
    }
    made = []
    for name, submissions in sequences.items():
        log = first_log()
        shown, outcomes = [], []
        for platform, lines in submissions:
            entry = log.submission(lines, platform)
            outcomes.append([outcome(one) for one in log.take(entry).outcomes])
            shown.append(
                {
                    "statement": entry.statement.data,
                    "activities": [line.decode() for line in lines],
                }
            )
        made.append(accepted(f"answers: {name}", submissions=shown, outcomes=outcomes))
    return made
