"""A ledger in memory that vectors are made of, and activities for it."""

from collections.abc import Sequence
from typing import Any

from support.city import NOON, PLATFORMS, key, pseudonym
from support.replay import Replayed
from support.vectors.common import span
from support.vectors.signing import signer

from chain import merkle
from chain.activities import parse_activities
from chain.admission import reduce_activities
from chain.blocks import make_seal
from chain.effects import Entry, Refused
from chain.reductions import Reduction, total_grams
from keys.signer import KeySigner
from keys.statements import Statement, sign_statement
from keys.strict import dump_json
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


def outcome(of: Refused | None) -> Json | None:
    """What became of a reduction."""
    if of is None:
        return None
    return {"code": of.code, "claim": of.claim, "met": None if of.met is None else span(of.met)}
