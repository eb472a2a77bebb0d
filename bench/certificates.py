"""A certificate of 100 tonnes from a million reductions: written, its size, checked.

All of it is synthetic.  A platform submits bus rides of a month, a thousand at a time, each with
its traveller's time and its ticket; the days are closed, certified, issued from.  The checkpoints
are cosigned by three auditors of four.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from api.certificates import SAMPLES, write_certificate
from bench.city import NOW, OFFSET, ORIGIN, PLATFORM, TODAY, key
from bench.tables import show_table
from chain.admission import Admitted, sign_submission
from chain.calendar import DAY_SECONDS
from chain.certifications import certified
from chain.effects import Entry
from chain.genesis import default_classes, enrol, library, make_genesis, publish_methodology
from chain.holdings import Units, own_registry
from chain.issuances import divide, series_name
from chain.policies import WitnessPolicy
from chain.reductions import Claim, Reduction
from chain.sequencer import Sequencer
from chain.spans import FOREVER
from chain.store.ledger import LedgerStore
from keys.notes import Note, NoteKey, cosign, parse_note
from keys.participants import Role
from keys.statements import sign_statement
from keys.strict import dump_date, dump_json
from verifier.check import check_file
from verifier.policies import policy_text
from verifier.policy import parse_policy
from verifier.reports import VALID

REDUCTIONS = 1_000_000
SUBMISSION = 1_000
DAYS = 30
SCENARIO, METHODOLOGY = "city", "bus-ride-by-code"
GRAMS = 80
UNIT_GRAMS = 800_000
"""So that a million rides of 80 g make 100 units."""
AUDITORS = ("auditor-1", "auditor-2", "auditor-3", "auditor-4")
CHECKS = 5


def measure(folder: Path, reductions: int = REDUCTIONS, draws: int = SAMPLES) -> dict[str, float]:
    """Seconds and bytes of one certificate; ``folder``: where its ledger is made."""
    city = _City(folder)
    units = city.issue(reductions)
    notes = city.cosigned()
    began = time.perf_counter()
    written = write_certificate(city.store, units, draws=draws, notes=notes)
    data = dump_json(written.document)
    wrote = time.perf_counter() - began
    policy = parse_policy(policy_text(ORIGIN, key("operator").public, city.policy).encode())
    checks = []
    for _ in range(CHECKS):
        began = time.perf_counter()
        report = check_file(data, policy)
        checks.append(time.perf_counter() - began)
        if report.verdict != VALID:
            raise SystemExit("the benchmark's own certificate is not valid")
    city.store.engine.dispose()
    return {
        "reductions": reductions,
        "units": units.end - units.first,
        "draws": draws,
        "shown": written.reductions,
        "write_s": wrote,
        "bytes": len(data),
        "check_s": min(checks),
    }


def show(measured: dict[str, float]) -> None:
    """Print the table."""
    what = (
        f"certificate of {measured['units']:,} units from {measured['reductions']:,} reductions, "
        f"{measured['draws']:,} draws"
    )
    show_table(
        [what, ""],
        [
            ["written from a ledger on disk", f"{measured['write_s']:.1f} s"],
            ["size", f"{measured['bytes']:,} bytes"],
            ["checked by `tally-verify`'s code", f"{measured['check_s']:.2f} s"],
        ],
    )


class _City:
    """A ledger that is closed, certified and issued from."""

    def __init__(self, folder: Path) -> None:
        self.store = LedgerStore(folder)
        self.store.prepare()
        self.sequencer = Sequencer(self.store, key("operator"))
        self.now = NOW
        self._random = random.Random(1)
        keys = [NoteKey(f"{name}.example", key(name).public, cosigner=True) for name in AUDITORS]
        auditors = {"keys": [one.vkey for one in keys], "quorum": 3, "faults": 1}
        document = dump_json({"format": 1, "auditors": auditors})
        self.policy = WitnessPolicy(document)
        parties = {
            "operator": [Role.OPERATOR],
            "governor": [Role.GOVERNOR, Role.AUTHORITY],
            "verifier": [Role.VERIFIER],
            "holder": [Role.HOLDER],
            PLATFORM: [Role.PLATFORM],
        }
        scenario = {
            "format": 1,
            "id": SCENARIO,
            "title": {"en": "City", "zh": "城市"},
            "region": "city",
            "methodology": METHODOLOGY,
            "owner": "governor",
            "platforms": [PLATFORM],
            "authority": "governor",
            "crediting": {"from": "2026-01-01", "to": "2026-12-31"},
        }
        self._post(
            make_genesis(
                key("operator"),
                operator="operator",
                origin=ORIGIN,
                time=NOW,
                utc_offset=OFFSET,
                first_day=TODAY - DAYS,
                acceptance_days=1,
                unit_grams=UNIT_GRAMS,
                classes=default_classes({"ticket": ["bus"]}),
                actions=[
                    *(
                        enrol(name, name, roles, key(name).public)
                        for name, roles in parties.items()
                    ),
                    publish_methodology(library()[METHODOLOGY], TODAY - DAYS),
                    {"action": "scenario", "document": dump_json(scenario).decode()},
                ],
            )
        )
        # The policy comes by governance, and so is not in force at the genesis.
        self._govern({"action": "policy", "document": document.decode()})

    def _post(self, *statements: Any) -> None:
        self.sequencer.post(statements)
        self.sequencer.seal_all(self.now)
        for statement in statements:
            self.sequencer.answer(statement)

    def _sign(self, kind: str, by: str, body: dict[str, Any]) -> Any:
        return sign_statement(
            key(by),
            kind=kind,
            issuer=by,
            subject="bench",
            audience=self.sequencer.state.genesis.id,
            expires=self.now + 3600,
            payload={"format": 1, **body},
        )

    def _govern(self, *actions: dict[str, Any]) -> None:
        proposal = self._sign("proposal", "governor", {"actions": list(actions)})
        self._post(proposal, self._sign("approval", "governor", {"proposal": proposal.id.hex()}))

    def _wait(self, days: int) -> None:
        self.now += days * DAY_SECONDS
        # What sets the rules' clock is a seal, and a block has something in it.
        self._govern({"action": "threshold", "governors": 1, "instead_of": 1})

    def _rides(self, day: int, count: int) -> list[Reduction]:
        token, made = self._random.randbytes, []
        for _ in range(count):
            start = day * DAY_SECONDS - OFFSET + self._random.randrange(600, 70_000)
            traveller = Claim(day.to_bytes(2) + b"\1" + token(21), start - 60, start + 360)
            ticket = Claim(b"\0\0\4" + token(21), 0, FOREVER)
            claims, digest = (traveller, ticket), token(32)
            made.append(Reduction.make(PLATFORM, SCENARIO, 1, day, GRAMS, claims, digest))
        return made

    def issue(self, reductions: int) -> Units:
        """Submit, close, certify and issue; the units."""
        state, first = self.sequencer.state, TODAY - DAYS
        for number in range(reductions // SUBMISSION):
            rides = self._rides(first + number % DAYS, SUBMISSION)
            statement = sign_submission(
                key(PLATFORM),
                platform=PLATFORM,
                ledger=state.genesis.id,
                expires=self.now + 3600,
                reductions=rides,
            )
            self.sequencer.submit([Admitted(Entry(statement, rides), b"\n" * SUBMISSION)])
            self.sequencer.seal_all(self.now)
        self._wait(1)
        lots = list(self.store.gather(first, TODAY))
        totals = {"count": sum(lot.count for lot in lots), "grams": sum(lot.grams for lot in lots)}
        close = {"until": dump_date(TODAY), "lots": len(lots), **totals}
        self._post(self._sign("close", "operator", close))
        certification = self._sign("certification", "verifier", _certification(lots, totals))
        of = certified(certification, self.sequencer.state.today)
        self._post(certification)
        self._wait(1)
        state = self.sequencer.state
        units, left = divide(of.grams, UNIT_GRAMS)
        registry, series = own_registry(state), series_name(SCENARIO, PLATFORM, 2026)
        body = {
            "certification": of.as_json(),
            "notice": {
                "reference": "bench",
                "from": dump_date(of.day),
                "until": dump_date(state.today),
            },
            "registry": registry,
            "series": series,
            "vintage": 2026,
            "first": 1,
            "units": units,
            "carry": None,
            "carried_out": left,
            "owner": "holder",
            "account": "",
        }
        self._post(self._sign("issuance", "governor", body))
        return Units(registry, series, 1, 1 + units)

    def cosigned(self) -> list[Note]:
        """The last checkpoint, which ends the issuance's own block, cosigned."""
        with self.store.snapshot() as snapshot:
            head = snapshot.head()
        note = parse_note(head.checkpoint if head else b"")
        lines = [cosign(note.text, f"{n}.example", key(n), self.now) for n in AUDITORS[:3]]
        return [Note(note.text, (*note.signatures, *lines))]


def _certification(lots: Sequence[Any], totals: dict[str, int]) -> dict[str, Any]:
    return {
        "platform": PLATFORM,
        "scenario": SCENARIO,
        "from": dump_date(lots[0].day),
        "until": dump_date(lots[-1].day + 1),
        "lots": [[dump_date(lot.day), lot.count, lot.grams, lot.root.hex()] for lot in lots],
        "exclusions": [],
        **totals,
        "opinion": "unmodified",
        "criteria": "bench",
        "scope": "bench",
        "assurance": "reasonable",
        "materiality": "5",
        "sampling_plan": "0" * 64,
        "report": "0" * 64,
        "accreditation": "bench",
        "declarations": [],
    }


def main() -> int:
    """Measure it alone."""
    parser = argparse.ArgumentParser(prog="bench.certificates", description=__doc__)
    parser.add_argument("--reductions", type=int, default=REDUCTIONS)
    parser.add_argument("--draws", type=int, default=SAMPLES)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tally-bench-"))
    try:
        measured = measure(folder / "city", given.reductions, given.draws)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if given.json:
        print(json.dumps(measured))
    else:
        show(measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
