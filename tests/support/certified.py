"""A city whose days are closed, certified and issued from: what is erased, sampled and paid out."""

from collections.abc import Sequence
from typing import Any

from support.books import DAY, UNIT, everybody
from support.city import NOON, City, genesis, key

from chain.certifications import Certification, certified
from chain.files import System
from chain.holdings import own_registry
from chain.issuances import Carry, carried, divide, issued, series_name
from chain.lots import Lot
from chain.sequencer import Sequencer
from keys.errors import Refusal
from keys.statements import Statement
from keys.strict import dump_date

PLATFORM, SCENARIO = "metro-app", "city-bus"


class CertifiedCity(City):
    """Its bus rides, by the app of its metro; a unit is of ``UNIT`` grams."""

    carry: Carry | None = None

    @classmethod
    def open(cls, folder: Any, system: System | None = None) -> "CertifiedCity":
        city = cls(folder, system)
        statement = genesis(actions=everybody(), unit_grams=UNIT, acceptance_days=2)
        city.sequencer.post([statement])
        city.sequencer.seal_all(NOON)
        return city

    def wait(self, days: int) -> None:
        """Let days pass, by the ledger's clock as well."""
        self.now += days * DAY
        self.govern({"action": "threshold", "governors": 1, "instead_of": 1})

    def done(self, statement: Statement) -> Statement:
        """Post a statement; raises the `Refusal` of the rules."""
        # A command may have sealed a block since.
        self.sequencer = Sequencer(self.store, key("operator"))
        self.post(statement)
        self.answer(statement)
        return statement

    def refusal(self, statement: Statement) -> str:
        """The code with which a statement is refused."""
        try:
            self.done(statement)
        except Refusal as refusal:
            return refusal.code
        raise AssertionError("it was accepted")

    def shut(self, until: int) -> None:
        """Close the days before ``until``, when their time has come."""
        self.wait(max(until + 2 - self.state.today, 1))
        self.done(self.close(until))

    def lots(self, since: int, until: int) -> list[Lot]:
        with self.store.snapshot() as snapshot:
            lots = snapshot.lots(PLATFORM, SCENARIO)
        return [lot for lot in lots if since <= lot.day < until]

    def certify(
        self, since: int, until: int, excluded: Sequence[bytes] = (), **more: Any
    ) -> Certification:
        """Certify closed days; ``excluded``: leaf hashes."""
        lots = self.lots(since, until)
        places = []
        grams = sum(lot.grams for lot in lots)
        with self.store.snapshot() as snapshot:
            for leaf in excluded:
                index, position, reduction = self.find(snapshot, leaf)
                grams -= reduction.grams
                holder = reduction.holder.hex()
                places.append({"index": index, "position": position, "holder": holder})
        body = {
            "format": 1,
            "platform": PLATFORM,
            "scenario": SCENARIO,
            "from": dump_date(since),
            "until": dump_date(until),
            "lots": [[dump_date(lot.day), lot.count, lot.grams, lot.root.hex()] for lot in lots],
            "exclusions": places,
            "count": sum(lot.count for lot in lots) - len(excluded),
            "grams": grams,
            "opinion": "unmodified",
            "criteria": "a standard",
            "scope": "all reductions of the period",
            "assurance": "reasonable",
            "materiality": "5",
            "sampling_plan": "1" * 64,
            "report": "2" * 64,
            "accreditation": "a body, no. 1",
            "declarations": [],
            **more,
        }
        # Two of the same days would be one statement.
        self._counter += 1
        statement = self.sign("certification", "verifier", body, str(self._counter))
        day = self.state.today
        self.done(statement)
        return certified(statement, day)

    def find(self, snapshot: Any, leaf: bytes) -> Any:
        """The log index, the position, and the reduction with this leaf hash."""
        for logged in snapshot.logged(["submission"]):
            reductions = self.store.reductions(bytes.fromhex(logged.statement.body["root"]))
            for position, reduction in enumerate(reductions):
                if reduction.leaf == leaf:
                    return logged.index, position, reduction
        raise AssertionError("it is nowhere")

    def issue(self, of: Certification) -> Statement:
        """Issue from a certification, a day after it."""
        self.wait(1)
        units, left = divide(of.grams + (self.carry.grams if self.carry else 0), UNIT)
        vintage = int(dump_date(of.since)[:4])
        with self.store.snapshot() as snapshot:
            made = [issued(logged.statement) for logged in snapshot.logged(["issuance"])]
        statement = self.sign(
            "issuance",
            "governor",
            {
                "format": 1,
                "certification": of.as_json(),
                "notice": {
                    "reference": "a notice",
                    "from": dump_date(self.state.today - 1),
                    "until": dump_date(self.state.today),
                },
                "registry": own_registry(self.state),
                "series": series_name(SCENARIO, PLATFORM, vintage),
                "vintage": vintage,
                "first": max((one.first + one.units for one in made), default=1),
                "units": units,
                "carry": self.carry.as_json() if self.carry else None,
                "carried_out": left,
                "owner": "holder-1",
                "account": "",
            },
        )
        self.carry = carried(self.done(statement))
        return statement

    def correct(self, issuance: Statement, grams: int) -> Statement:
        """Take grams off the carry."""
        assert self.carry is not None
        body = {
            "format": 1,
            "issuance": issued(issuance).as_json(),
            "carry": self.carry.as_json(),
            "grams": grams,
            "reason": "an error",
        }
        statement = self.sign("correction", "governor", body)
        self.carry = carried(self.done(statement))
        return statement

    def erasure(self, of: Certification, leaves: Sequence[bytes], **more: Any) -> Statement:
        """The statement that erases the activities behind reductions."""
        named = []
        with self.store.snapshot() as snapshot:
            for leaf in leaves:
                index, position, reduction = self.find(snapshot, leaf)
                holder = reduction.holder.hex()
                named.append({"index": index, "position": position, "holder": holder})
        body = {
            "format": 1,
            "certification": of.as_json(),
            "reductions": named,
            "reason": "asked for",
            **more,
        }
        self._counter += 1
        return self.sign("erasure", "operator", body, str(self._counter))
