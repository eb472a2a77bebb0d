"""A gateway of a city's platform: to its ledger in this process, without a service between."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from support.city import NOON, PSEUDONYMS, City, key

from api.gateway.gateway import Gateway, Settings
from api.gateway.queue import Queue
from api.outcomes import Item, Sent
from api.proving import prove_reduction
from chain.activities import parse_activities
from chain.admission import admit
from chain.reductions import Reduction
from chain.state import State
from chain.store import answers
from keys.errors import Refusal, Unreadable
from keys.oprf import PrivateKey
from keys.pseudonyms import Epoch, Pseudonymiser
from keys.statements import Statement
from keys.strict import dump_json, parse_json
from verifier.policies import policy_text
from verifier.policy import Policy, parse_policy

ZEROS = "0" * 64
Opened = Callable[..., Gateway]


def ride(name: str, person: str, start: int = NOON, **more: Any) -> bytes:
    """A bus ride as a platform knows it."""
    return dump_json(
        {
            "format": 1,
            "id": name,
            "scenario": "city-bus",
            "start": start,
            "end": start,
            "subject": person,
            "ticket": {"issuer": "city-bus", "number": f"T {name}"},
            "evidence": {"tier": "platform-record", "digest": ZEROS},
            "authorisation": ZEROS,
            **more,
        }
    )


class Direct:
    """A city's ledger as a gateway asks it.

    away: it cannot be reached.  silent: it does what it is asked, and the answer is lost.  Every
    statement that came is remembered.
    """

    def __init__(self, city: City, *keys: PrivateKey) -> None:
        self.city = city
        self.away = self.silent = self.stalled = False
        self.came: list[bytes] = []
        self._keys = {one.public: one for one in keys}

    def _reach(self) -> None:
        if self.away:
            raise Unreadable("service-unreachable", url="-", reason="away")

    def state(self) -> State:
        self._reach()
        state: State = self.city.state
        return state

    def send(
        self,
        statement: Statement,
        lines: Sequence[bytes],
        reductions: Sequence[Reduction] | None = None,
    ) -> Sent:
        self._reach()
        self.came.append(statement.data)
        city = self.city
        known = answers.answers(city.store, [statement.id])
        if statement.id not in known or isinstance(known[statement.id], Refusal):
            city.sequencer.submit([admit(city.state, statement, lines)])
        if not self.stalled:
            city.sequencer.seal_all(city.now)
        if self.silent:
            raise Unreadable("service-unreachable", url="-", reason="lost")
        found = answers.answers(city.store, [statement.id])[statement.id]
        if isinstance(found, Refusal):
            raise found
        items = [
            Item(number, activity, reduction)
            for number, (activity, reduction) in enumerate(
                zip(parse_activities(lines), reductions or [], strict=True), 1
            )
        ]
        return Sent(statement, items, found)

    def bundle(self, leaf: bytes, *, disclose: bool = False) -> bytes:
        self._reach()
        return dump_json(prove_reduction(self.city.store, leaf, disclose=disclose))

    def evaluate(self, epoch: Epoch, elements: Sequence[bytes]) -> tuple[Sequence[bytes], bytes]:
        self._reach()
        return self._keys[epoch.public].evaluate(elements)


def policy_of(city: City) -> Policy:
    """The trust policy of a city's log, without a quorum."""
    return parse_policy(policy_text(city.state.genesis.origin, key("operator").public).encode())


def gateway_of(
    ledger: Any,
    path: Path,
    *,
    city: City | None = None,
    platform: str = "metro-app",
    before: Pseudonymiser | None = PSEUDONYMS,
    batch: int = 3,
    seconds: float = 0,
    open_max: int = 1_000,
) -> Gateway:
    """A platform's gateway with its queue in a file; city: the ledger's, if it is no `Direct`."""
    city = city or ledger.city
    return Gateway(
        Queue(path, open_max),
        ledger,
        policy_of(city),
        platform=platform,
        signer=key(platform),
        before=before,
        settings=Settings(batch, seconds, keep_days=90),
        clock=lambda: city.now,
    )


def work(gateway: Gateway) -> None:
    """Step until there is nothing to do."""
    while gateway.step() == 0:
        pass


def rows(gateway: Gateway) -> list[Any]:
    """All results."""
    return [parse_json(line) for line in gateway.queue.results(0, 10_000)]
