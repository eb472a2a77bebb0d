"""Signed statements, submissions and what the ledger answers; whole small ledgers entry by entry.

The ledger of `submission_vectors` is the tests' city with one platform more, whose key is of the
suite es256, and stands at its first seal.  `log_vectors` replays two: the small ledger of
`support.bundles`, and one in which governance does all that it can.
"""

import functools
from collections.abc import Sequence
from typing import Any

import cbor2
from support.bundles import ledger, rotation, vkey, world
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
    pseudonym,
    scenario_document,
)
from support.forging import high_s
from support.replay import Replayed
from support.vectors.common import Case, Vectors, accepted, refused, span
from support.vectors.common import methodology as said
from support.vectors.signing import signer

from chain import merkle
from chain.activities import parse_activities
from chain.admission import reduce_activities
from chain.blocks import make_checkpoint, make_seal
from chain.effects import Entry, Refused
from chain.genesis import enrol, library
from chain.merkle import Frontier
from chain.reductions import Reduction, total_grams
from chain.rules import void_list
from chain.spans import make_holder
from chain.state import rules_holder
from keys.participants import Role, key_holder, role_holder
from keys.signer import KeySigner
from keys.statements import Statement, parse_statement, sign_statement
from keys.strict import dump_cbor, dump_date, dump_json, parse_cbor, parse_json
from keys.suites import ES256

Json = dict[str, Any]
TRAM = "tram-app"
SEEDS = {name: f"tests/{name}" for name in ("operator", "governor", "verifier", *PLATFORMS, TRAM)}
MORNING = NOON - 3 * 3600


def signer_of(name: str) -> KeySigner:
    """The signer of a participant."""
    return signer(ES256.alg, SEEDS[name]) if name == TRAM else key(name)


class Log(Replayed):
    """A ledger in memory that decides on what it is given."""

    @classmethod
    def found(cls, statement: Statement) -> "Log":
        """A ledger with its genesis and its first seal."""
        log = cls()
        log.take(Entry(statement))
        log.seal()
        return log

    def seal(self, time: int = NOON) -> Statement:
        """Seal a block."""
        assert self.state is not None
        statement = make_seal(self.state, key("operator"), self.root(), time)
        self.take(Entry(statement))
        return statement

    def sign(self, kind: str, issuer: str, body: Json, **more: Any) -> Statement:
        """A statement for this ledger."""
        assert self.state is not None
        given = {
            "subject": kind,
            "audience": self.state.genesis.id,
            "expires": self.state.time + 3600,
            **more,
        }
        by = given.pop("by", None) or signer_of(issuer)
        return sign_statement(by, kind=kind, issuer=issuer, payload=body, **given)

    def reduce(self, lines: Sequence[bytes], platform: str) -> list[Reduction]:
        """The reductions of activities, none of which may be refused."""
        assert self.state is not None
        made = reduce_activities(parse_activities(lines), self.state, platform)
        reductions = [item for item in made if isinstance(item, Reduction)]
        assert len(reductions) == len(lines), made
        return reductions

    def submission(
        self, lines: Sequence[bytes], platform: str = "metro-app", **changes: Any
    ) -> Entry:
        """The submission of activities, with changes to what it says."""
        more = {
            name: changes.pop(name)
            for name in ("issuer", "kind", "audience", "expires", "by", "subject")
            if name in changes
        }
        reductions = self.reduce(lines, platform)
        body = {
            "format": 1,
            "scenario": reductions[0].scenario,
            "count": len(reductions),
            "grams": total_grams(reductions),
            "root": merkle.root([item.leaf for item in reductions]).hex(),
            **changes,
        }
        body = {name: value for name, value in body.items() if value is not None}
        kind, issuer = more.pop("kind", "submission"), more.pop("issuer", platform)
        more.setdefault("subject", reductions[0].scenario)
        return Entry(self.sign(kind, issuer, body, **more), reductions)

    def govern(self, *actions: Json) -> None:
        """Propose actions and approve them, in a block of their own."""
        proposal = self.sign("proposal", "governor", {"format": 1, "actions": list(actions)})
        body = {"format": 1, "proposal": proposal.id.hex()}
        self.take(Entry(proposal))
        self.take(Entry(self.sign("approval", "governor", body)))
        self.seal()


# --- activities ---


def _activity(scenario: str, of: str, start: int, end: int, **more: Any) -> bytes:
    return dump_json(
        {
            "format": 1,
            "id": of,
            "scenario": scenario,
            "start": start,
            "end": end,
            "evidence": {"tier": "platform-record", "digest": merkle.leaf_hash(of.encode()).hex()},
            "authorisation": merkle.leaf_hash(b"authorised").hex(),
            "nonce": merkle.leaf_hash(b"nonce of " + of.encode()).hex()[:32],
            **more,
        }
    )


def ride(person: str, start: int, ticket: str | None = None) -> bytes:
    """A bus ride."""
    number = pseudonym("ticket", ticket or f"{person}/{start}")
    return _activity(
        "city-bus",
        f"ride-{person}-{start}-{ticket or 0}",
        start,
        start,
        subject=pseudonym("traveller", person),
        ticket={"issuer": "city-bus", "number": number},
    )


def trip(bike: str, start: int, end: int, **more: Any) -> bytes:
    """A trip on a shared bike."""
    of = f"trip-{bike}-{start}"
    return _activity("city-bike", of, start, end, vehicle=pseudonym("vehicle", bike), **more)


def meal(person: str, start: int) -> bytes:
    """A meal without leftovers."""
    return _activity(
        "city-plate",
        f"meal-{person}-{start}",
        start,
        start,
        subject=pseudonym("traveller", person),
        order={"issuer": "canteen", "number": pseudonym("order", f"{person}/{start}")},
    )


# --- submissions.json ---


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
        read("statement: of a kind that is not known yet", log.sign("close", "operator", {})),
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


def outcome(of: Refused | None) -> Json | None:
    """What became of a reduction."""
    if of is None:
        return None
    return {"code": of.code, "claim": of.claim, "met": None if of.met is None else span(of.met)}


# --- log.json ---


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
    log.govern({"action": "rules", "version": 2, "consumes": rules_holder(1).hex()})
    log.govern({"action": "threshold", "governors": 2, "instead_of": 1})
    return log, [Entry(statement) for statement in log.statements]


def log_vectors() -> Vectors:
    """log.json."""
    small = [Entry(statement, _named(statement)) for statement in [*world().statements,
                                                                   world().last]]  # fmt: skip
    return Vectors(
        "Small ledgers, entry by entry: which spans each statement enters and removes, and the "
        "roots that follow.",
        [7, 8, 17, 21],
        {
            "ledgers": [
                _replayed("a city with one of everything", small),
                _replayed("a city that is governed", governed()[1]),
            ],
            "refused": _refused(),
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
        effects = log.take(entry)
        states.append(
            {
                "id": entry.statement.id,
                "put": [span(one) for one in effects.put],
                "drop": [span(one) for one in effects.drop],
                "outcomes": [outcome(one) for one in effects.outcomes],
                "register": log.root(),
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
        ("a kind that there is not", "kind-unknown", Entry(log.sign("close", "operator", {}))),
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


def city_void(statements: Sequence[Statement]) -> Statement:
    """The void of the small ledger."""
    return next(statement for statement in statements if statement.kind == "void")
