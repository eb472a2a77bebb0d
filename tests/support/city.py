"""A small city for the tests: a ledger with an operator, a governor, platforms and scenarios.

Keys come from seeds and time stands still unless a test moves it, so that every byte is the same
in every run.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from support.postgres import engine_of

from chain.activities import Activity, parse_activities, parse_activity
from chain.admission import Admitted, admit, reduce_activities, sign_submission
from chain.effects import Entry
from chain.files import System
from chain.genesis import (
    default_classes,
    enrol,
    library,
    make_genesis,
    publish_methodology,
)
from chain.reductions import Reduction
from chain.sequencer import Sequencer
from chain.store.answers import Answer
from chain.store.ledger import LedgerStore
from keys.errors import Refusal
from keys.participants import Role
from keys.pseudonyms import KeyedHash
from keys.signer import KeySigner, from_seed
from keys.statements import Statement, sign_statement
from keys.strict import dump_date, dump_json, parse_date

ORIGIN = "ledger.example/city"
OFFSET = 8 * 3600
FIRST_DAY = parse_date("2026-01-01")
NOON = (parse_date("2026-03-02") * 86_400) + 12 * 3600 - OFFSET
"""Unix seconds: noon of 2 March 2026 in the city."""
TODAY = parse_date("2026-03-02")
PLATFORMS = ("metro-app", "pay-app")
SCENARIOS = {
    "city-bus": "bus-ride-by-code",
    "city-bike": "bike-share-trip",
    "city-plate": "clean-plate",
}
PSEUDONYMS = KeyedHash(b"a secret that the tests share...")


def key(name: str) -> KeySigner:
    """The signer of a participant."""
    return from_seed(b"tests/" + name.encode())


def pseudonym(class_name: str, identifier: str) -> str:
    """The pseudonym of an identifier, the same for every platform."""
    return PSEUDONYMS.pseudonyms(class_name, 0, [identifier])[0]


def scenario_document(name: str, methodology: str, platforms: Sequence[str] = PLATFORMS) -> bytes:
    return dump_json(
        {
            "format": 1,
            "id": name,
            "title": {"en": name, "zh": name},
            "region": "city",
            "methodology": methodology,
            "owner": "governor",
            "platforms": list(platforms),
            "authority": "governor",
            "crediting": {"from": "2016-01-01", "to": "2030-12-31"},
        }
    )


def founding_actions(first_day: int = FIRST_DAY) -> list[dict[str, Any]]:
    actions = [
        enrol("operator", "The operator", [Role.OPERATOR], key("operator").public),
        enrol("governor", "The governor", [Role.GOVERNOR, Role.AUTHORITY], key("governor").public),
        enrol("verifier", "The verifier", [Role.VERIFIER], key("verifier").public),
    ]
    actions += [enrol(name, name, [Role.PLATFORM], key(name).public) for name in PLATFORMS]
    actions += [publish_methodology(library()[m], first_day) for m in sorted(SCENARIOS.values())]
    actions += [
        {"action": "scenario", "document": scenario_document(n, m).decode()}
        for n, m in SCENARIOS.items()
    ]
    return actions


def genesis(
    first_day: int = FIRST_DAY, time: int = NOON, offset: int = OFFSET, **more: Any
) -> Statement:
    more.setdefault("actions", founding_actions(first_day))
    more.setdefault("classes", default_classes({"ticket": ["city-bus"], "order": ["canteen"]}))
    return make_genesis(
        key("operator"),
        operator="operator",
        origin=ORIGIN,
        time=time,
        utc_offset=offset,
        first_day=first_day,
        **more,
    )


class City:
    """A ledger in a folder, and everyone's keys."""

    def __init__(
        self, folder: Path, system: System | None = None, store: LedgerStore | None = None
    ) -> None:
        self.folder = folder
        self.now = NOON
        self.store = store or LedgerStore(folder, engine_of(folder), system)
        self.store.prepare()
        self.sequencer = Sequencer(self.store, key("operator"))
        self._counter = 0

    @classmethod
    def found(cls, folder: Path, system: System | None = None, **more: Any) -> "City":
        city = cls(folder, system)
        statement = genesis(**more)
        city.now = max(city.now, statement.body["time"])
        city.sequencer.post([statement])
        city.sequencer.seal_all(city.now)
        return city

    def reopen(self, system: System | None = None) -> "City":
        """The same ledger, read anew."""
        self.store.engine.dispose()
        city = City(self.folder, system)
        city.now, city._counter = self.now, self._counter
        return city

    @property
    def state(self) -> Any:
        return self.sequencer.state

    # --- activities ---

    def _activity(self, scenario: str, start: int, end: int, **more: Any) -> bytes:
        self._counter += 1
        return dump_json(
            {
                "format": 1,
                "id": f"a-{self._counter}",
                "scenario": scenario,
                "start": start,
                "end": end,
                "evidence": {"tier": "platform-record", "digest": "0" * 64},
                "authorisation": "1" * 64,
                "nonce": f"{self._counter:032x}",
                **more,
            }
        )

    def ride(self, person: str, start: int, ticket: str | None = None) -> bytes:
        """A bus ride: 80 g, the traveller's [start - 60, start + 360) and the ticket."""
        return self._activity(
            "city-bus",
            start,
            start,
            subject=pseudonym("traveller", person),
            ticket={
                "issuer": "city-bus",
                "number": pseudonym("ticket", ticket or f"{person}/{start}"),
            },
        )

    def trip(self, bike: str, start: int, end: int, person: str | None = None) -> bytes:
        """A bike trip: 52 g, the bike's time, and the person's where there is one."""
        more = {"subject": pseudonym("traveller", person)} if person else {}
        return self._activity("city-bike", start, end, vehicle=pseudonym("vehicle", bike), **more)

    def meal(self, person: str, start: int, order: str | None = None) -> bytes:
        """A clean plate: 144 g, the order and the one seat of the meal slot."""
        return self._activity(
            "city-plate",
            start,
            start,
            subject=pseudonym("traveller", person),
            order={
                "issuer": "canteen",
                "number": pseudonym("order", order or f"{person}/{start}"),
            },
        )

    def activity(self, line: bytes) -> Activity:
        return parse_activity(line)

    # --- submitting ---

    def sign(
        self, kind: str, issuer: str, body: dict[str, Any], subject: str = "-", **more: Any
    ) -> Statement:
        return sign_statement(
            more.pop("signer", None) or key(issuer),
            kind=kind,
            issuer=issuer,
            subject=subject,
            audience=more.pop("audience", self.state.genesis.id),
            expires=more.pop("expires", self.now + 3600),
            payload=body,
        )

    def reduce(self, lines: Iterable[bytes], platform: str = "metro-app") -> list[Reduction]:
        made = reduce_activities(parse_activities(list(lines)), self.state, platform)
        reductions = []
        for item in made:
            if isinstance(item, Refusal):
                raise item
            reductions.append(item)
        return reductions

    def admit(
        self, lines: Sequence[bytes], platform: str = "metro-app", expires: int | None = None
    ) -> Admitted:
        statement = sign_submission(
            key(platform),
            platform=platform,
            ledger=self.state.genesis.id,
            expires=expires or self.now + 3600,
            reductions=self.reduce(lines, platform),
        )
        return admit(self.state, statement, lines)

    def unchecked(
        self, lines: Sequence[bytes], platform: str = "metro-app", **more: Any
    ) -> Admitted:
        """A submission as a platform signs it, that has not passed admission."""
        reductions = more.pop("reductions", None) or self.reduce(lines, platform)
        statement = sign_submission(
            more.pop("signer", None) or key(platform),
            platform=platform,
            ledger=more.pop("ledger", self.state.genesis.id),
            expires=more.pop("expires", self.now + 3600),
            reductions=reductions,
        )
        subjects = [activity.subject for activity in parse_activities(lines)]
        return Admitted(Entry(statement, reductions), b"\n".join(lines) + b"\n", subjects)

    def submit(self, lines: Sequence[bytes], platform: str = "metro-app") -> Answer:
        """Submit, seal, and give the answer."""
        admitted = self.admit(lines, platform)
        self.sequencer.submit([admitted])
        self.sequencer.seal_all(self.now)
        return self.answer(admitted.entry.statement)

    def answer(self, statement: Statement) -> Answer:
        answer = self.sequencer.answer(statement)
        if answer is None:
            raise AssertionError("the statement still waits")
        return answer

    def post(self, *statements: Statement) -> None:
        """Post other statements and seal."""
        self.sequencer.post(statements)
        self.sequencer.seal_all(self.now)

    def govern(self, *actions: dict[str, Any]) -> Statement:
        """Propose and approve actions; the approval's statement."""
        proposal = self.sign("proposal", "governor", {"format": 1, "actions": list(actions)})
        approval = self.sign("approval", "governor", {"format": 1, "proposal": proposal.id.hex()})
        self.post(proposal, approval)
        self.answer(approval)
        return approval

    def void(self, answer: Answer, positions: Sequence[int], issuer: str) -> Statement:
        """The statement that voids reductions of a submission."""
        with self.store.snapshot() as snapshot:
            root = bytes.fromhex(snapshot.statement(answer.index).body["root"])
        reductions = self.store.reductions(root)
        return self.sign(
            "void",
            issuer,
            {
                "format": 1,
                "reason": "test",
                "reductions": [
                    {"index": answer.index, "position": p, "holder": reductions[p].holder.hex()}
                    for p in positions
                ],
            },
        )

    def close(self, until: int, issuer: str = "operator", **other: int) -> Statement:
        """The statement that closes the books of all days before ``until``, as they stand."""
        lots = self.store.gather(self.state.closed_until, until)
        body = {
            "format": 1,
            "until": dump_date(until),
            "lots": len(lots),
            "count": sum(lot.count for lot in lots),
            "grams": sum(lot.grams for lot in lots),
        }
        return self.sign("close", issuer, {**body, **other})
