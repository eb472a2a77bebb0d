"""Bundles for the tests: a small ledger with one of everything, and an operator who forges.

`ledger` is a city's ledger, made once a process: rides, bike trips over midnight (one of 19
claims), meals under a cap, refusals, a void, a key that was rotated.

`World` holds all that the operator of a ledger has, every entry, every span and every key, and
makes bundles of it apart from `api.proving`.  A test that forges takes a copy, changes what it
likes, and signs anew: what then still fails, fails against the strongest operator.
"""

import atexit
import functools
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from support.city import NOON, ORIGIN, TODAY, City, key

from chain import merkle
from chain.admission import admit
from chain.blocks import make_checkpoint
from chain.calendar import DAY_SECONDS
from chain.classes import Classes
from chain.merkle import Frontier
from chain.reductions import Reduction
from chain.register import Register
from chain.spans import FOREVER, Span, make_holder
from chain.store.answers import Answer
from keys.notes import NoteKey, NoteSignature, cosign, format_note, parse_note
from keys.participants import Role, key_holder
from keys.signer import Signer
from keys.statements import Statement, sign_statement
from keys.strict import dump_base64
from keys.suites import PublicKey
from verifier.bundles import FORMAT
from verifier.check import check_file
from verifier.policy import Policy, parse_policy
from verifier.reports import Report

Json = dict[str, Any]

# --- policies ---

LOG_VKEY = NoteKey(ORIGIN, key("operator").public, cosigner=False).vkey
AUDITORS = ("auditor-1", "auditor-2", "auditor-3", "auditor-4")
WITNESSES = ("witness-1", "witness-2", "witness-3")


def vkey(name: str, key_name: str | None = None) -> str:
    """The verifier key of a cosigner."""
    return NoteKey(f"{key_name or name}.example", key(name).public, cosigner=True).vkey


PLAIN_TEXT = f"log {LOG_VKEY}\nquorum none\n"
QUORUM_TEXT = "".join(
    [
        f"log {LOG_VKEY}\n",
        *(f"witness {name} {vkey(name)}\n" for name in (*AUDITORS, *WITNESSES)),
        f"group auditors 3 {' '.join(AUDITORS)}\n",
        f"group witnesses 2 {' '.join(WITNESSES)}\n",
        "group both all auditors witnesses\nquorum both\n",
    ]
)
ENOUGH = (*AUDITORS[:3], *WITNESSES[:2])
PLAIN: Policy = parse_policy(PLAIN_TEXT.encode())
QUORUM: Policy = parse_policy(QUORUM_TEXT.encode())


def cosignature(text: str, name: str, time: int = NOON) -> NoteSignature:
    """What ``name`` adds to the note of a checkpoint."""
    return cosign(text, f"{name}.example", key(name), time)


def cosigned(bundle: Json, *names: str) -> Json:
    """The bundle with further cosignatures on its checkpoint."""
    note = parse_note(bundle["checkpoint"].encode())
    lines = tuple(cosignature(note.text, name) for name in names)
    return with_signatures(bundle, (*note.signatures, *lines))


def with_signatures(bundle: Json, lines: Sequence[NoteSignature]) -> Json:
    """The bundle with other signature lines under its checkpoint."""
    note = replace(parse_note(bundle["checkpoint"].encode()), signatures=tuple(lines))
    return {**bundle, "checkpoint": format_note(note).decode()}


# --- checking ---


def dump(bundle: Json) -> bytes:
    """The bundle as a file."""
    return json.dumps(bundle, ensure_ascii=False).encode()


def check(bundle: Json | bytes, policy: Policy = PLAIN) -> Report:
    """The report on a bundle."""
    return check_file(bundle if isinstance(bundle, bytes) else dump(bundle), policy)


def failure(bundle: Json | bytes, policy: Policy = PLAIN) -> str:
    """The check that a bundle fails and why, as "check: code"; the verdict must be invalid."""
    report = check(bundle, policy)
    assert report.verdict == "invalid", report.verdict
    *passed, last = report.checks
    assert last.error is not None and all(check.error is None for check in passed)
    for lang in ("en", "zh"):
        assert "{" not in last.text(lang)
    return f"{last.code}: {last.error.code}"


# --- a ledger with one of everything ---


class Entries(NamedTuple):
    """What the small ledger holds: the answer to each of its submissions."""

    city: City
    rides: Answer
    trips: Answer
    meals: Answer
    second: Answer
    """Of the other platform: position 0 is refused, 1 is recorded."""
    again: Answer
    """Of the other platform: what a void gave free again."""
    rotated: Answer
    """Signed with a key that began after the others."""


VOIDED = 3
"""The position of the ride that was voided."""


@functools.cache
def ledger() -> Entries:
    """The small ledger; nobody may change it."""
    folder = tempfile.mkdtemp(prefix="tally-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    city = City.found(Path(folder) / "ledger")
    morning = NOON - 4 * 3600
    midnight = NOON - 12 * 3600
    rides = city.submit([city.ride(f"rider-{n}", morning + 60 * n) for n in range(7)])
    trips = city.submit(
        [
            city.trip("bike-1", NOON - 18 * DAY_SECONDS, NOON - 3600),
            city.trip("bike-2", midnight - 600, midnight + 600, person="cyclist"),
            city.trip("bike-3", morning, morning + 900),
            city.trip("bike-3", morning + 900, morning + 1800),
            city.trip("bike-3", morning + 3600, morning + 4500),
        ]
    )
    meals = city.submit([city.meal(f"eater-{n}", NOON + n) for n in range(3)])
    second = city.submit(
        [city.ride("rider-1", morning + 90), city.ride("rider-1", morning + 3600)], "pay-app"
    )
    city.post(city.void(rides, [VOIDED], "governor"))
    again = city.submit(
        [city.ride(f"rider-{VOIDED}", morning + 60 * VOIDED, ticket="new")], "pay-app"
    )
    city.govern(rotation("metro-app", key("metro-app"), key("metro-app/2")))
    lines = [city.ride("rider-2", NOON)]
    rotated = sign_reductions(city.reduce(lines), city.state.genesis.id, key("metro-app/2"))
    city.sequencer.submit([admit(city.state, rotated, lines)])
    city.sequencer.seal_all(city.now)
    return Entries(city, rides, trips, meals, second, again, city.answer(rotated))


def rotation(participant: str, old: Signer, new: Signer) -> Json:
    """The action that gives a participant another key."""
    return {
        "action": "rotate",
        "participant": participant,
        "key": new.public.as_json(),
        "consumes": key_holder(old.public).hex(),
    }


def sign_reductions(
    reductions: Sequence[Reduction],
    audience: bytes,
    signer: Signer | None = None,
    platform: str = "metro-app",
    **changes: Any,
) -> Statement:
    """The submission of reductions, with changes to what it says."""
    body = {
        "format": 1,
        "scenario": reductions[0].scenario,
        "count": len(reductions),
        "grams": sum(reduction.grams for reduction in reductions),
        "root": merkle.root([reduction.leaf for reduction in reductions]).hex(),
        **changes,
    }
    return sign_statement(
        signer or key(platform),
        kind="submission",
        issuer=platform,
        subject="forged",
        audience=audience,
        expires=NOON + 3600,
        payload=body,
    )


# --- an operator who forges ---


def logged(statements: Sequence[Statement], index: int) -> Json:
    """The entry at ``index`` of a log, with its path."""
    leaves = [merkle.leaf_hash(statement.data) for statement in statements]
    return {
        "index": index,
        "data": dump_base64(statements[index].data),
        "path": hexes(merkle.inclusion_path(leaves, index)),
    }


def hexes(hashes: Sequence[bytes]) -> list[str]:
    """Hashes as bundles write them."""
    return [digest.hex() for digest in hashes]


@dataclass
class World:
    """A ledger in memory, in the hands of its operator: nothing that is put in is checked."""

    statements: list[Statement]
    """The log without its last seal, which `sealed` makes."""
    spans: dict[bytes, Span]
    batches: dict[int, list[Reduction]]
    """The reductions of each submission, by its index."""
    documents: dict[bytes, bytes]
    """Scenarios, methodologies and classes, by their holders."""
    keys: dict[bytes, PublicKey]
    """Public keys, by their holders."""
    classes: Classes
    last: Statement
    """The last seal."""
    log: Signer = field(default_factory=lambda: key("operator"))
    origin: str = ORIGIN

    @classmethod
    def of(cls, city: City) -> "World":
        """All that the operator of ``city`` has."""
        state = city.state
        with city.store.snapshot() as snapshot:
            statements = [snapshot.statement(index) for index in range(state.index)]
            spans = {span.key: span for span in snapshot.register().spans()}
            batches = {
                index: city.store.reductions(bytes.fromhex(statement.body["root"]))
                for index, statement in enumerate(statements)
                if statement.kind == "submission"
            }
        versions = [*state.scenarios.values(), *state.methodologies.values()]
        documents = {
            version.document.holder: version.document.document for of in versions for version in of
        }
        holder = make_holder("classes", state.classes.document)
        return cls(
            statements[:-1],
            spans,
            batches,
            documents
            | {holder: state.classes.document}
            | {of.document.holder: of.document.document for of in state.policies},
            {
                key_holder(span.public): span.public
                for participant in state.participants.values()
                for span in participant.keys
            },
            state.classes,
            statements[-1],
        )

    def copy(self) -> "World":
        """A copy to do with as one likes."""
        return replace(
            self,
            statements=list(self.statements),
            spans=dict(self.spans),
            batches=dict(self.batches),
            documents=dict(self.documents),
            keys=dict(self.keys),
        )

    @property
    def genesis_id(self) -> bytes:
        """The ledger's identity."""
        return self.statements[0].id

    def line(self, name: str, *parts: str) -> bytes:
        """A line without a day."""
        return self.classes.line(name, parts)

    # --- changing it ---

    def put(self, *spans: Span) -> None:
        """Enter spans, in place of those with the same keys."""
        self.spans |= {span.key: span for span in spans}

    def drop(self, *spans: Span) -> None:
        """Remove spans."""
        for span in spans:
            del self.spans[span.key]

    def append(self, statement: Statement) -> int:
        """Log a statement; its index."""
        self.statements.append(statement)
        return len(self.statements) - 1

    def submit(
        self,
        reductions: Sequence[Reduction],
        *,
        hold: bool = True,
        signer: Signer | None = None,
        platform: str = "metro-app",
        **changes: Any,
    ) -> int:
        """Log a submission and, if ``hold``, let its reductions hold their claims; its index."""
        statement = sign_reductions(
            reductions, self.genesis_id, signer or key("metro-app/2"), platform, **changes
        )
        index = self.append(statement)
        self.batches[index] = list(reductions)
        for reduction in reductions if hold else ():
            for claim in reduction.claims:
                start = 0 if claim.start is None else claim.start
                end = start + 1 if claim.end is None else claim.end
                self.put(Span(claim.line, start, end, reduction.holder))
        return index

    def publish(self, line: bytes, document: bytes, kind: str, start: int, end: int) -> None:
        """Put a document in force on ``[start, end)``."""
        holder = make_holder(kind, document)
        self.documents[holder] = document
        self.put(Span(line, start, end, holder))

    def close(self, until: int) -> None:
        """Close the books of all days before ``until``."""
        self.put(Span(self.line("books"), 0, until, make_holder("books", b"")))

    # --- signing it ---

    def seal(self, signer: Signer | None = None, **changes: Any) -> Statement:
        """The seal over all of it."""
        more = {name: changes.pop(name) for name in ("issuer", "audience") if name in changes}
        return sign_statement(
            signer or self.log,
            **{
                "kind": "seal",
                "issuer": "operator",
                "subject": "forged",
                "audience": self.genesis_id,
                "expires": NOON + 86_400,
                "payload": {**self.last.body, "register": self.register().root().hex(), **changes},
                **more,
            },
        )

    def sealed(self, seal: Statement | None = None) -> "Sealed":
        """It, with a seal at its end and a checkpoint over all."""
        return Sealed(self.copy(), [*self.statements, seal or self.seal()])

    def register(self) -> Register:
        """The register over its spans."""
        register = Register()
        register.change(list(self.spans.values()))
        return register


class Sealed:
    """A world as of a checkpoint, and the bundles that can be made of it."""

    def __init__(self, world: World, statements: list[Statement]) -> None:
        self.world = world
        self.statements = statements
        self.register = world.register()
        frontier = Frontier().append([merkle.leaf_hash(item.data) for item in statements])
        self.checkpoint = make_checkpoint(world.origin, frontier, world.log).decode()
        self.root = frontier.root()

    @property
    def size(self) -> int:
        """The size of the log."""
        return len(self.statements)

    def held(self, line: bytes, point: int) -> Json:
        """The proof of the span on ``line`` that covers ``point``."""
        for span in self.world.spans.values():
            if span.line == line and span.start <= point < span.end:
                return self.register.held(line, span.start).as_json()
        raise AssertionError("nothing is held there")

    def document(self, line: bytes, point: int) -> Json:
        """The document in force at ``point``."""
        held = self.held(line, point)
        return {
            "document": self.world.documents[bytes.fromhex(held["holder"])].decode(),
            "held": held,
        }

    def common(self, kind: str) -> Json:
        """What every bundle has."""
        world = self.world
        return {
            "format": FORMAT,
            "kind": kind,
            "checkpoint": self.checkpoint,
            "genesis": logged(self.statements, 0),
            "seal": logged(self.statements, self.size - 1),
            "rules": self.held(world.line("rules"), self.size - 1),
            "classes": self.document(world.line("classes"), self.size - 1),
            "books": self.held(world.line("books"), 0),
            "policies": self.policies(),
        }

    def policies(self) -> Json:
        """Every witness policy, and no links between them."""
        line = self.world.line("policy")
        spans = sorted(span for span in self.world.spans.values() if span.line == line)
        free = None if spans else self.register.free(line, 0, FOREVER).as_json()
        governed = [self.document(line, span.start) for span in spans]
        return {"governed": governed, "free": free, "links": []}

    def submitted(self, index: int) -> Json:
        """A submission, and the right of who signed it."""
        world, issuer = self.world, self.statements[index].issuer
        key_held = self.held(world.line("key", issuer), index)
        return {
            "submission": logged(self.statements, index),
            "signer": {
                "key": world.keys[bytes.fromhex(key_held["holder"])].as_json(),
                "key_held": key_held,
                "role_held": self.held(world.line("role", issuer, Role.PLATFORM.value), index),
            },
        }

    def reduction(self, index: int, position: int, activity: bytes | None = None) -> Json:
        """The bundle of a reduction."""
        world = self.world
        leaves = [reduction.leaf for reduction in world.batches[index]]
        reduction = world.batches[index][position]
        scenario = self.document(world.line("scenario", reduction.scenario), reduction.day)
        methodology = json.loads(scenario["document"])["methodology"]
        return {
            **self.common("reduction"),
            **self.submitted(index),
            "reduction": {
                "position": position,
                "data": dump_base64(reduction.data),
                "path": hexes(merkle.inclusion_path(leaves, position)),
            },
            "scenario": scenario,
            "methodology": self.document(world.line("methodology", methodology), reduction.day),
            "claims": [
                self.held(claim.line, self.seat(claim.line, reduction) or claim.start or 0)
                for claim in reduction.claims
            ],
            "activity": None if activity is None else activity.decode(),
        }

    def seat(self, line: bytes, reduction: Reduction) -> int:
        """Where on ``line`` the reduction holds a span; 0 if nowhere."""
        spans = self.world.spans.values()
        return next((s.start for s in spans if s.line == line and s.holder == reduction.holder), 0)

    def span(self, index: int, position: int, claim: int = 0) -> Json:
        """The bundle of who holds a span: one of the claims of a reduction."""
        leaves = [reduction.leaf for reduction in self.world.batches[index]]
        reduction = self.world.batches[index][position]
        line = reduction.claims[claim].line
        return {
            **self.common("span"),
            **self.submitted(index),
            "leaf": {
                "position": position,
                "hash": leaves[position].hex(),
                "path": hexes(merkle.inclusion_path(leaves, position)),
            },
            "held": self.held(line, self.seat(line, reduction)),
        }

    def free(self, line: bytes, start: int, end: int) -> Json:
        """The bundle of a free stretch."""
        return {**self.common("free"), "free": self.register.free(line, start, end).as_json()}


@functools.cache
def world() -> World:
    """The world of the small ledger; take a copy before you change it."""
    return World.of(ledger().city)


@functools.cache
def honest() -> Sealed:
    """The small ledger as it is."""
    return world().sealed(world().last)


def activity(answer: Answer, position: int) -> bytes:
    """The activity of a submitted reduction."""
    root = bytes.fromhex(honest().statements[answer.index].body["root"])
    return ledger().city.store.activities(root)[position]


def stretch(answer: Answer, position: int, claim: int = 0) -> tuple[bytes, int, int]:
    """(line, start, end) of a claim of a submitted reduction; of a seat, its line's first."""
    found = world().batches[answer.index][position].claims[claim]
    return found.line, found.start or 0, found.end or 1


@functools.cache
def samples() -> dict[str, Json]:
    """A bundle of each kind that there is, all of the small ledger as it is."""
    small, made = ledger(), honest()
    line, start, end = stretch(small.trips, 2)
    voided, voided_start, _ = stretch(small.rides, VOIDED)
    ticket = stretch(small.rides, VOIDED, 1)
    seat, _, _ = stretch(small.meals, 0, 1)
    nobody = world().classes.line("traveller", ["0" * 32], TODAY)
    return {
        "ride": made.reduction(small.rides.index, 0),
        "ride, disclosed": made.reduction(small.rides.index, 1, activity(small.rides, 1)),
        "trip of 19 days": made.reduction(small.trips.index, 0, activity(small.trips, 0)),
        "trip over midnight": made.reduction(small.trips.index, 1, activity(small.trips, 1)),
        "trip between two": made.reduction(small.trips.index, 3),
        "meal": made.reduction(small.meals.index, 1, activity(small.meals, 1)),
        "ride after a void": made.reduction(small.again.index, 0, activity(small.again, 0)),
        "ride after a rotation": made.reduction(small.rotated.index, 0),
        "ride beside a refusal": made.reduction(small.second.index, 1),
        "span of seconds": made.span(small.trips.index, 3),
        "span of a day": made.span(small.trips.index, 0, 7),
        "span of a ticket": made.span(small.rides.index, 2, 1),
        "span of a seat": made.span(small.meals.index, 0, 1),
        "span after a void": made.span(small.again.index, 0),
        "free before all": made.free(line, start - 600, start),
        "free between two": made.free(line, end + 900, end + 1800),
        "free after all": made.free(line, end + 20_000, end + 20_060),
        "free ticket of a void": made.free(ticket[0], 0, FOREVER),
        "free around a span": made.free(voided, voided_start - 900, voided_start),
        "free seat": made.free(seat, 1, 2),
        "free of an absent line": made.free(nobody, NOON, NOON + 60),
    }
