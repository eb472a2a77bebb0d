"""Receipts and statements, read by packages that have nothing to do with us.

cwt needs an older cbor2 than ours, so both stand in an environment of their own, ``.venv-foreign``.
It is made once, from requirements/foreign.txt, and again when that file changes.
"""

import fcntl
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.city import NOON, City
from support.service import served
from support.suites import es256, high_s

from chain import merkle
from chain.receipts import check_receipt, make_receipt, sign_tree
from keys import signer
from keys.errors import VerificationError
from keys.signer import KeySigner
from keys.statements import parse_statement, sign_statement
from keys.suites import ED25519, PublicKey

TOP = Path(__file__).resolve().parents[2]
LOCK = TOP / "requirements" / "foreign.txt"
FOLDER = TOP / ".venv-foreign"
PYTHON = FOLDER / "env" / "bin" / "python"
READERS = Path(__file__).with_name("readers.py")

ORIGIN = "ledger.example/city"
OPERATOR = signer.from_seed(b"operator")
OTHER = signer.from_seed(b"other")
SUITES = {"ed25519": (OPERATOR, OTHER), "es256": (es256("operator"), es256("other"))}
"""For each suite that signs statements, two signers."""
ENTRIES = [b"entry %d" % number for number in range(11)]
LEAVES = merkle.leaf_hashes(ENTRIES)


def run(*command: str, **options: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def foreign() -> Path:
    """The Python of an environment that holds exactly what the lock names."""
    FOLDER.mkdir(exist_ok=True)
    ready = FOLDER / "ready"
    wanted = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    with open(FOLDER / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run in several processes
        if not (ready.exists() and ready.read_text() == wanted):
            run(sys.executable, "-m", "venv", "--clear", str(FOLDER / "env"))
            install = ("-m", "pip", "install", "--quiet", "--require-hashes")
            run(str(PYTHON), *install, "-r", str(LOCK))
            ready.write_text(wanted)
    return PYTHON


def pem(public: PublicKey) -> str:
    key: Ed25519PublicKey | ec.EllipticCurvePublicKey
    if public.alg == ED25519.alg:
        key = Ed25519PublicKey.from_public_bytes(public.raw)
    else:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public.raw)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def job(
    kind: str,
    data: bytes,
    public: PublicKey,
    entry: bytes = b"",
    named: PublicKey = OPERATOR.public,
) -> dict[str, str]:
    """What a reader is asked; ``named``: the key that the statement names."""
    return {
        "kind": kind,
        "data": data.hex(),
        "key": pem(public),
        "kid": named.kid.hex(),
        "entry": entry.hex(),
    }


def ask(python: Path, jobs: list[dict[str, str]]) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = json.loads(
        run(str(python), "-I", str(READERS), input=json.dumps(jobs))
    )
    assert len(answers) == len(jobs)
    return answers


def receipt(index: int, size: int) -> bytes:
    leaves = LEAVES[:size]
    path = merkle.inclusion_path(leaves, index)
    signature = sign_tree(OPERATOR, ORIGIN, size, merkle.root(leaves))
    return make_receipt(OPERATOR.public, ORIGIN, size, index, path, signature)


def test_scitt_cose_accepts_our_receipts(foreign: Path) -> None:
    places = [(index, size) for size in range(1, 12) for index in range(size)]
    public = OPERATOR.public
    answers = ask(
        foreign, [job("receipt", receipt(i, size), public, ENTRIES[i]) for i, size in places]
    )
    for (index, size), answer in zip(places, answers, strict=True):
        assert answer == {
            "accepted": True,
            "place": [size, index, merkle.root(LEAVES[:size]).hex()],
            "claims": [ORIGIN, f"tree/{size}"],
            "errors": [],
        }


def test_scitt_cose_refuses_what_we_refuse(foreign: Path) -> None:
    good, public = receipt(4, 11), OPERATOR.public
    flipped = [
        good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        for at in (20, len(good) // 2, len(good) - 1)
    ]
    protected, unprotected, _, signature = cbor2.loads(good).value
    attached = [protected, unprotected, merkle.root(LEAVES), signature]
    cases = [
        *(job("receipt", altered, public, ENTRIES[4]) for altered in flipped),
        job("receipt", cbor2.dumps(cbor2.CBORTag(18, attached)), public, ENTRIES[4]),
        job("receipt", good + b"\0", public, ENTRIES[4]),
        job("receipt", good[:-1], public, ENTRIES[4]),
        job("receipt", good, public, ENTRIES[5]),
        job("receipt", good, OTHER.public, ENTRIES[4]),
    ]
    for case, answer in zip(cases, ask(foreign, cases), strict=True):
        assert answer["accepted"] is False
        assert answer["errors"]
        key = OPERATOR.public if case["key"] == pem(public) else OTHER.public
        with pytest.raises(VerificationError):
            check_receipt(bytes.fromhex(case["data"]), bytes.fromhex(case["entry"]), key, ORIGIN)


def test_both_read_what_the_service_gives(foreign: Path, tmp_path: Path) -> None:
    city = City.found(tmp_path / "ledger")
    city.submit([city.ride("ann", NOON), city.ride("bob", NOON)])
    with city.store.snapshot() as snapshot:
        statements = [snapshot.statement(index) for index in range(city.state.index)]
    with served(city, sealing=False) as client:
        [cose] = cbor2.loads(client.get("/.well-known/scitt-keys").content)
        log = PublicKey(cose[3], cose[-2])
        given = [client.get(f"/entries/{statement.id.hex()}").content for statement in statements]
    origin = city.state.genesis.origin
    issuers = [city.state.participants[s.issuer].keys[0].public for s in statements]
    city.store.engine.dispose()
    receipts = [
        job("receipt", receipt, log, statement.data, log)
        for receipt, statement in zip(given, statements, strict=True)
    ]
    signed = [
        job("statement", statement.data, public, named=public)
        for statement, public in zip(statements, issuers, strict=True)
    ]
    answers = ask(foreign, receipts + signed)
    assert all(answer["accepted"] for answer in answers), answers
    read = answers[: len(receipts)]
    assert [answer["place"][1] for answer in read] == list(range(len(statements)))
    assert {answer["claims"][0] for answer in read} == {origin}
    assert [answer["claims"][0] for answer in answers[len(receipts) :]] == [
        statement.issuer for statement in statements
    ]


@pytest.mark.parametrize("suite", SUITES)
def test_cwt_decodes_our_statements(foreign: Path, suite: str) -> None:
    by, _ = SUITES[suite]
    audience = hashlib.sha256(b"genesis").digest()
    payload = '{"period":"2026-01","note":"公交"}'.encode()
    made = {
        audience: sign_statement(
            by,
            kind=kind,
            issuer="operator",
            subject="关于 block 7",
            audience=audience,
            expires=1_800_000_000,
            payload=payload,
        )
        for kind, audience in (("genesis", None), ("seal", audience))
    }
    cases = [
        job("statement", statement.data, by.public, named=by.public) for statement in made.values()
    ]
    for (aud, statement), answer in zip(made.items(), ask(foreign, cases), strict=True):
        content_type = f"application/vnd.tally.{statement.kind}+json"
        assert answer == {
            "accepted": True,
            "again": True,
            "claims": ["operator", "关于 block 7", aud and aud.hex(), 1_800_000_000],
            "headers": [by.public.alg, content_type, by.public.kid.hex(), {}],
            "payload": payload.hex(),
        }


def seal(by: KeySigner) -> bytes:
    return sign_statement(
        by,
        kind="seal",
        issuer="operator",
        subject="block 7",
        audience=bytes(32),
        expires=1_800_000_000,
        payload=b'{"grams":144}',
    ).data


@pytest.mark.parametrize("suite", SUITES)
def test_cwt_refuses_an_altered_statement(foreign: Path, suite: str) -> None:
    by, other = SUITES[suite]
    statement = seal(by)
    cases = [
        job("statement", altered, public, named=by.public)
        for altered, public in (
            (statement.replace(b"144", b"145"), by.public),
            (statement.replace(b"block 7", b"block 8"), by.public),
            (statement[:-1] + bytes([statement[-1] ^ 1]), by.public),
            (statement, other.public),
        )
    ]
    for answer in ask(foreign, cases):
        assert answer == {"accepted": False, "again": False, "error": "VerifyError"}


def test_what_foreign_readers_leave_open_we_refuse(foreign: Path) -> None:
    # ECDSA takes a high s as well; the statement is the same, and its bytes have two forms.
    by, _ = SUITES["es256"]
    read = parse_statement(seal(by))
    data = read.data.replace(read.signature, high_s(read.signature))
    [answer] = ask(foreign, [job("statement", data, by.public, named=by.public)])
    assert answer["accepted"] and answer["again"]
    assert not parse_statement(data).verify(by.public)
