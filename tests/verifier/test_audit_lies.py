"""A dishonest operator breaks one rule at a time: the audit names the entry and why.

The third column says whether somebody who has one bundle and the policy, which asks for no quorum,
believes the lie; None where no bundle speaks of it.  With a quorum it rests on auditors, who audit
before they cosign.
"""

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.bundles import PLAIN, check
from support.city import key
from support.dishonest import ACTS, MemorySource, publish, world
from support.offers import code as code_of
from support.offers import offer, sealed_at

from chain import merkle
from keys.catalogue import LANGUAGES
from keys.notes import parse_checkpoint, parse_note
from keys.statements import parse_statement
from keys.strict import parse_base64, parse_hex
from verifier.audit import Audit, AuditReport
from verifier.audit_state import AuditState
from verifier.auditor import Auditor, Witness
from verifier.witness import Answer

TOP = Path(__file__).resolve().parents[2]
_ROW = re.compile(r"^\| ([^|]+) \| `([a-z-]+)` \| (the [a-z ]+) \| ([^|]+) \| `verifier/", re.M)
LIES: dict[str, tuple[str, int | None, str | None, bool | None]] = {
    "rewrites an old statement": ("signature-invalid", 2, "submission", False),
    "drops a statement": ("seal-register", 2, "seal", True),
    "drops a statement that was seen, and seals anew": ("entry-rewritten", 2, "submission", None),
    "forks for one reader": ("entry-rewritten", 18, "submission", True),
    "shows an older checkpoint than before": ("checkpoint-stale", None, None, None),
    "reorders statements": ("seal-register", 3, "seal", True),
    "enters a statement twice": ("statement-known", 18, "submission", True),
    "replays a statement of another ledger": (
        "statement-other-ledger",
        18,
        "submission",
        False,
    ),
    "accepts what has expired": ("statement-expired", 18, "submission", True),
    "accepts a key that has ended": ("signature-invalid", 18, "submission", False),
    "withholds the reductions of a submission": ("reductions-withheld", 2, "submission", True),
    "shows other reductions than were submitted": ("reductions-withheld", 2, "submission", True),
    "backdates a seal": ("seal-backdated", 18, "seal", True),
    "ends the log without a seal": ("seal-not-last", 2, "submission", None),
    "signs the checkpoint with a key that is not its own": (
        "checkpoint-log-unknown",
        None,
        None,
        False,
    ),
    "seals a register with an overlapping span": ("seal-register", 19, "seal", False),
    "seals a register with a hidden key": ("seal-register", 19, "seal", False),
    "seals a register with a span removed": ("seal-register", 18, "seal", True),
    "records a reduction with a class left out": (
        "reduction-not-allowed",
        18,
        "submission",
        False,
    ),
    "records a reduction with grams above the bound": (
        "reduction-not-allowed",
        18,
        "submission",
        False,
    ),
    "gives a seat that is out of range": ("seal-register", 18, "seal", False),
    "closes a day early": ("close-too-early", 18, "close", True),
    "reopens a closed day": ("seal-register", 33, "seal", True),
    "leaves a reduction out of its lot": ("close-differs", 23, "close", True),
    "issues more than is certified": ("issuance-sum", 31, "issuance", False),
    "certifies with a forged role": ("role-missing", 25, "certification", True),
}

PROVED = {
    "drops a statement",
    "drops a statement that was seen, and seals anew",
    "forks for one reader",
    "replays a statement of another ledger",
    "accepts what has expired",
    "backdates a seal",
    "ends the log without a seal",
}
"""What the evidence proves by itself; of the others, a replay has to tell."""


def test_every_lie_is_in_the_table() -> None:
    assert LIES.keys() == ACTS.keys()


def audited(folder: Path, name: str) -> AuditReport:
    """The audit of a lie, by somebody who has seen what was shown before."""
    lie = ACTS[name]()
    kept = AuditState(folder)
    try:
        if lie.before is not None:
            assert Audit(MemorySource(lie.before), PLAIN, kept).run().wrong is None
        return Audit(MemorySource(lie.files), PLAIN, kept).run()
    finally:
        kept.close()


@pytest.mark.parametrize("name", LIES)
def test_the_audit_names_the_entry_and_why(name: str, tmp_path: Path) -> None:
    code, index, kind, _ = LIES[name]
    report = audited(tmp_path, name)
    assert report.verdict == "failed"
    wrong = report.wrong
    assert wrong is not None
    assert (wrong.error.code, wrong.index, wrong.kind) == (code, index, kind)
    for lang in LANGUAGES:
        assert wrong.error.text(lang) in report.text(lang)
        assert "{" not in report.text(lang)
    assert json.loads(json.dumps(report.as_json()))["wrong"]["error"]["code"] == code


@pytest.mark.parametrize("name", [name for name, row in LIES.items() if row[1] is not None])
def test_the_evidence_is_signed_by_the_operator(name: str, tmp_path: Path) -> None:
    code, index, kind, _ = LIES[name]
    wrong = audited(tmp_path, name).wrong
    assert wrong is not None and wrong.evidence is not None
    evidence = json.loads(json.dumps(wrong.evidence))
    assert evidence["error"]["code"] == code
    assert check(evidence).verdict == ("proved" if name in PROVED else "stated")
    entry, seal = evidence["entry"], evidence["seal"]
    size, root = _signed(evidence["checkpoint"])
    assert entry["index"] == index
    assert parse_statement(_proved(entry, size, root)).kind == kind
    assert seal["index"] == size - 1
    _proved(seal, size, root)
    seen = evidence["seen"]
    assert (seen is not None) == (code == "entry-rewritten")
    if seen is not None:
        # Two notes by one key, with different leaves at one index.
        leaf, path = parse_hex(seen["leaf"], 32), [parse_hex(item, 32) for item in seen["path"]]
        size, root = _signed(seen["checkpoint"])
        merkle.verify_inclusion(leaf, seen["index"], size, path, root)
        assert seen["index"] == index
        assert leaf != merkle.leaf_hash(parse_base64(entry["data"]))


def _signed(note: str) -> tuple[int, bytes]:
    signed = PLAIN.check(parse_note(note.encode()))
    assert parse_checkpoint(parse_note(note.encode()).text) == signed.checkpoint
    return signed.checkpoint.size, signed.checkpoint.root


def _proved(logged: dict[str, Any], size: int, root: bytes) -> bytes:
    data = parse_base64(logged["data"])
    path = [parse_hex(item, 32) for item in logged["path"]]
    merkle.verify_inclusion(merkle.leaf_hash(data), logged["index"], size, path, root)
    return data


WITNESSED = {
    "drops a statement that was seen, and seals anew": 400,
    "forks for one reader": 409,
    "shows an older checkpoint than before": 400,
    "signs the checkpoint with a key that is not its own": 403,
}
"""The answers of an ordinary witness, where they are not 200."""


def offered(name: str, witness: Witness, source: MemorySource) -> Answer:
    """The answer to a lie, by somebody who has cosigned what was shown before."""
    lie = ACTS[name]()
    if lie.before is not None:
        source.files = lie.before
        assert witness.add_checkpoint(offer(lie.before).dump()).status == 200
    source.files = lie.files
    old = witness.latest.size if witness.latest else 0
    return witness.add_checkpoint(offer(lie.files, old).dump())


@pytest.mark.parametrize("name", LIES)
def test_the_auditor_does_not_cosign_it(name: str, tmp_path: Path) -> None:
    lie, source = ACTS[name](), MemorySource({})
    own = key("auditor-1")
    with closing(
        Auditor(tmp_path, PLAIN, own, "auditor", source, lambda: sealed_at(lie.files))
    ) as auditor:
        answer = offered(name, auditor, source)
        before, refuses = auditor.latest, auditor.refuses
        # An ordinary witness finds what contradicts it, and nothing else.
        if name in WITNESSED:
            assert answer.status == WITNESSED[name]
            assert refuses == ("checkpoint-forked" if answer.status == 409 else None)
            return
        assert (answer.status, code_of(answer)) == (422, LIES[name][0])
        withheld = LIES[name][0] == "reductions-withheld"
        assert (before, refuses) == (None, None if withheld else LIES[name][0])
        # What the log has signed is not forgotten.
        source.files = publish(world().sealed(world().last))
        honest = auditor.add_checkpoint(offer(source.files).dump())
        assert (honest.status, code_of(honest)) == (
            (200, None) if withheld else (422, "auditor-refuses")
        )


@pytest.mark.parametrize("name", LIES)
def test_an_ordinary_witness_cosigns_what_goes_on(name: str, tmp_path: Path) -> None:
    with closing(Witness(tmp_path, PLAIN, key("witness-1"), "witness")) as witness:
        answer = offered(name, witness, MemorySource({}))
        assert answer.status == WITNESSED.get(name, 200)


@pytest.mark.parametrize("name", [name for name, row in LIES.items() if row[3] is not None])
def test_whether_a_light_client_is_fooled(name: str) -> None:
    bundle = ACTS[name]().bundle
    assert bundle is not None
    assert (check(bundle).verdict in ("valid", "provisional")) == LIES[name][3]


def test_where_no_bundle_speaks_of_it() -> None:
    without = {name for name, row in LIES.items() if row[3] is None}
    assert without == {name for name in LIES if ACTS[name]().bundle is None}


def test_the_threat_model_says_the_same() -> None:
    text = (TOP / "docs" / "threat-model.md").read_text("utf-8")
    said = {name: (code, at, fooled) for name, code, at, fooled in _ROW.findall(text)}
    words = {None: "–", True: "yes", False: "no"}
    assert said == {
        name: (code, f"the {kind or 'log as a whole'}", words[fooled])
        for name, (code, _, kind, fooled) in LIES.items()
    }
