"""Certificates for the tests: a city with lots of several days, certified and issued from.

`issued_city` is made once a process, and nobody may change it; whoever wants another history takes
a `copy`.  Auditors' keys are those of `support.bundles`; a witness policy names them.
"""

import atexit
import functools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import independent_certificates
from support.books import UNIT, everybody
from support.bundles import AUDITORS, PLAIN, PLAIN_TEXT, cosignature, vkey
from support.certified import CertifiedCity
from support.city import NOON, OFFSET, TODAY, genesis, key
from support.postgres import url_of

from api.certificates import write_certificate
from chain.certifications import Certification
from chain.holdings import Units, new_holding
from chain.policies import WitnessPolicy
from keys.notes import Note, parse_note
from keys.statements import Statement
from keys.strict import dump_json
from verifier.anchors import InHand
from verifier.check import check_file
from verifier.policies import policy_text
from verifier.policy import Policy, parse_policy
from verifier.reports import Report

Json = dict[str, Any]
DAYS = (TODAY - 2, TODAY - 1, TODAY)
RIDES = 12
"""A day and submission."""
DRAWS = 40
DOCUMENT = dump_json(
    {
        "format": 1,
        "auditors": {"keys": [vkey(name) for name in AUDITORS], "quorum": 3, "faults": 1},
    }
)
TEXT = policy_text("ledger.example/city", key("operator").public, WitnessPolicy(DOCUMENT))
AUDITED: Policy = parse_policy(TEXT.encode())
"""The trust policy that asks for three of the four auditors."""
_SECOND = [independent_certificates.Policy(text.encode()) for text in (PLAIN_TEXT, TEXT)]


class IssuedCity(CertifiedCity):
    """A city whose days are closed, certified and issued from."""

    certification: Certification
    issuance: Statement

    def begun(self) -> "IssuedCity":
        """The ledger once it is founded."""
        self.sequencer.post([genesis(actions=everybody(), unit_grams=UNIT, acceptance_days=2)])
        self.sequencer.seal_all(NOON)
        return self

    @property
    def units(self) -> Units:
        """All units of the issuance."""
        body = self.issuance.body
        return Units(body["registry"], body["series"], body["first"], body["first"] + body["units"])

    def note(self, size: int, *names: str) -> Note:
        """The checkpoint of a size, cosigned by these auditors."""
        with self.store.snapshot() as snapshot:
            block = snapshot.first_block_after(size - 1)
        assert block is not None and block.size == size
        note = parse_note(block.checkpoint)
        lines = tuple(cosignature(note.text, name, self.now) for name in names)
        return Note(note.text, (*note.signatures, *lines))

    @property
    def own_size(self) -> int:
        """The size of the log at the end of the issuance's block."""
        with self.store.snapshot() as snapshot:
            found = snapshot.find(self.issuance.id)
            assert found is not None
            return snapshot.block(found[1]).size

    @property
    def size(self) -> int:
        return int(self.state.index)

    def certificate(
        self, *names: str, units: Units | None = None, draws: int = DRAWS, **more: Any
    ) -> Json:
        """A certificate, its checkpoints cosigned by these auditors."""
        notes = [self.note(size, *names) for size in {self.own_size, self.size}] if names else []
        written = write_certificate(
            self.store, units or self.units, draws=draws, notes=notes, **more
        )
        return json.loads(json.dumps(written.document))

    def move(self, kind: str, by: str, first: int, end: int, old: Any, **body: Any) -> Statement:
        """Post a statement that moves units."""
        units = self.units._replace(first=first, end=end)
        self._counter += 1
        return self.done(
            self.sign(
                kind,
                by,
                {"format": 1, "units": units._asdict(), "holding": old.as_json(), **body},
                str(self._counter),
            )
        )

    def offer(self, nonce: bytes = b"n" * 16) -> Statement:
        """Offer all units to an exchange."""
        units = self.units
        return self.move(
            "offer",
            "holder-1",
            units.first,
            units.end,
            new_holding(self.issuance),
            exchange="exchange-1",
            nonce=nonce.hex(),
            expires=self.now + 30 * 86_400,
        )


def build(
    folder: Path, excluded: int = 0, make: Callable[[Path], IssuedCity] | None = None
) -> IssuedCity:
    """A city with some rides on each of the days, by two submissions; ``excluded`` of them are."""
    city = IssuedCity(folder).begun() if make is None else make(folder)
    city.govern({"action": "policy", "document": DOCUMENT.decode()})
    for day in DAYS:
        noon = day * 86_400 + 12 * 3600 - OFFSET
        for half in range(2):
            riders = [f"rider-{day}-{half}-{n}" for n in range(RIDES // 2)]
            city.submit([city.ride(name, noon + 60 * n) for n, name in enumerate(riders)])
    city.submit([city.meal("eater", NOON)])
    city.shut(TODAY + 1)
    lots = city.lots(DAYS[0], TODAY + 1)
    leaves = [leaf for lot in lots for leaf in city.store.lot_tree(lot).keys][:excluded]
    city.certification = city.certify(DAYS[0], TODAY + 1, leaves)
    city.issuance = city.issue(city.certification)
    return city


@functools.cache
def issued_city() -> IssuedCity:
    """The city that the tests share; nobody may change it."""
    folder = tempfile.mkdtemp(prefix="tally-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return build(Path(folder) / "ledger")


def copy(folder: Path) -> IssuedCity:
    """The shared city in a folder of its own, to go on with."""
    if url_of(folder) is not None:
        # On a server no database outlives a module of tests, and nothing is shared.
        return build(folder)
    city = issued_city()
    city.store.engine.dispose()
    shutil.copytree(city.folder, folder)
    made = IssuedCity(folder)
    made.now, made._counter, made.carry = city.now, city._counter, city.carry
    made.certification, made.issuance = city.certification, city.issuance
    return made


@functools.cache
def _honest(names: tuple[str, ...]) -> str:
    return json.dumps(issued_city().certificate(*names))


def honest(*names: str) -> Json:
    """The certificate of the shared city, cosigned; for each caller one of its own."""
    made: Json = json.loads(_honest(names))
    return made


def dump(certificate: Json) -> bytes:
    return json.dumps(certificate, ensure_ascii=False, separators=(",", ":")).encode()


def second(certificate: Json | bytes, policy: Policy = PLAIN) -> str:
    """The verdict of the checker that was written from the specification alone."""
    data = certificate if isinstance(certificate, bytes) else dump(certificate)
    return str(independent_certificates.check(data, _SECOND[policy is AUDITED]))


def check(certificate: Json | bytes, policy: Policy = PLAIN, **hand: Any) -> Report:
    """The report on a certificate."""
    data = certificate if isinstance(certificate, bytes) else dump(certificate)
    return check_file(data, policy, InHand(**hand))


def failure(certificate: Json | bytes, policy: Policy = PLAIN, **hand: Any) -> str:
    """The check that a certificate fails and why, as "check: code"; the verdict is invalid."""
    report = check(certificate, policy, **hand)
    assert report.verdict == "invalid", report.verdict
    *passed, last = report.checks
    assert last.error is not None and all(check.error is None for check in passed)
    for lang in ("en", "zh"):
        assert "{" not in last.text(lang)
    if not hand:
        assert second(certificate, policy) == "invalid"
    return f"{last.code}: {last.error.code}"
