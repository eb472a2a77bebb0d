"""SCRAPI (draft-ietf-scitt-scrapi-11): registering statements, their receipts, the log's keys."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from support.city import NOON, ORIGIN, City, key
from support.service import Served, served

from api.service.settings import Settings
from chain.receipts import check_receipt
from keys.participants import key_holder
from keys.statements import Statement
from keys.strict import parse_cbor
from keys.suites import PublicKey

PROBLEM = "application/concise-problem-details+cbor"
COSE = {"Content-Type": "application/cose", "Accept": "application/cose"}


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    city = City.found(tmp_path / "ledger")
    yield city
    city.store.engine.dispose()


@pytest.fixture
def client(city: City) -> Iterator[Served]:
    with served(city) as client:
        yield client


@pytest.fixture
def idle(city: City) -> Iterator[Served]:
    """A service beside which nothing is sealed, and which does not wait for it."""
    with served(city, Settings(wait_seconds=0), sealing=False) as client:
        yield client


def proposal(city: City, until: str = "2026-04-01", **more: Any) -> Statement:
    action = {"action": "threshold", "governors": 1, "instead_of": 1}
    body = {"format": 1, "actions": [action]}
    return city.sign("proposal", more.pop("issuer", "governor"), body, until, **more)


def register(client: Served, data: bytes, **more: str) -> Any:
    return client.post("/entries", content=data, headers={**COSE, **more})


def problem(response: Any, status: int, title: str, code: str) -> dict[Any, Any]:
    """The problem that a response gives, which is in CBOR and in its one form."""
    assert response.status_code == status, response.content
    assert response.headers["content-type"] == PROBLEM
    assert int(response.headers["content-length"]) == len(response.content)
    made: dict[Any, Any] = parse_cbor(response.content)
    assert made.keys() == {-1, -2, 7807}
    assert (made[-1], made[7807][0], made[7807][1]) == (title, f"/errors/{code}", status)
    assert made[-2]
    return made


# --- registering ---


def test_a_statement_is_registered_and_gets_its_receipt(city: City, client: Served) -> None:
    statement = proposal(city)
    response = register(client, statement.data)
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/cose"
    assert response.headers["location"] == f"/entries/{statement.id.hex()}"
    _, index, _ = check_receipt(response.content, statement.data, key("operator").public, ORIGIN)
    with city.store.snapshot() as snapshot:
        assert snapshot.statement(index) == statement
    again = register(client, statement.data)
    assert (again.status_code, again.content) == (201, response.content)
    resolved = client.get(response.headers["location"], headers={"Accept": "application/cose"})
    assert (resolved.status_code, resolved.content) == (200, response.content)
    assert resolved.headers["content-type"] == "application/cose"
    assert resolved.headers["location"] == response.headers["location"]


def test_what_takes_longer_is_asked_for_at_the_same_place(city: City, idle: Served) -> None:
    statement = proposal(city)
    response = register(idle, statement.data)
    location = f"/entries/{statement.id.hex()}"
    assert (response.status_code, response.content) == (202, b"")
    assert response.headers["location"] == location
    assert int(response.headers["retry-after"]) > 0
    for _ in range(2):
        running = idle.get(location)
        assert (running.status_code, running.content) == (204, b"")
        assert running.headers["cache-control"] == "no-store"
        assert int(running.headers["retry-after"]) > 0
    assert register(idle, statement.data).status_code == 202
    city.sequencer.seal_all(city.now)
    found = idle.get(location)
    assert found.status_code == 200
    check_receipt(found.content, statement.data, key("operator").public, ORIGIN)


def test_every_entry_of_the_log_has_its_receipt(city: City, idle: Served) -> None:
    city.submit([city.ride("ann", NOON)])
    with city.store.snapshot() as snapshot:
        statements = [snapshot.statement(index) for index in range(city.state.index)]
    assert {statement.kind for statement in statements} >= {"genesis", "seal", "submission"}
    for index, statement in enumerate(statements):
        response = idle.get(f"/entries/{statement.id.hex()}")
        log = key("operator").public
        assert check_receipt(response.content, statement.data, log, ORIGIN)[1] == index


# --- what is refused ---


def test_a_submission_is_sent_elsewhere(city: City, idle: Served) -> None:
    statement = city.admit([city.ride("ann", NOON)]).entry.statement
    response = register(idle, statement.data)
    made = problem(response, 422, "Malformed request", "submission-elsewhere")
    assert "/v1/submissions" in made[-2]
    assert idle.get(f"/entries/{statement.id.hex()}").status_code == 404


def test_a_seal_is_not_taken_from_outside(city: City, idle: Served) -> None:
    statement = city.sign("seal", "operator", {"format": 1})
    problem(register(idle, statement.data), 422, "Malformed request", "kind-unknown")


@pytest.mark.parametrize("data", [b"", b"not COSE", b"\xd2\x84\x40\xa0\x40\x40", b"\xff" * 100])
def test_what_is_no_statement_is_malformed(idle: Served, data: bytes) -> None:
    response = register(idle, data)
    made = parse_cbor(response.content)
    problem(response, 422, "Malformed request", made[7807]["code"])


def test_who_may_not_sign_it_is_rejected(city: City, idle: Served) -> None:
    for statement, code in (
        (proposal(city, issuer="verifier"), "role-missing"),
        (proposal(city, issuer="nobody"), "participant-unknown"),
        (proposal(city, signer=key("somebody")), "signature-invalid"),
        (proposal(city, audience=bytes(32)), "statement-other-ledger"),
        (proposal(city, expires=NOON - 1), "statement-expired"),
    ):
        problem(register(idle, statement.data), 403, "Rejected", code)
        problem(idle.get(f"/entries/{statement.id.hex()}"), 404, "Not Found", "statement-not-known")


def test_what_the_rules_refuse_is_rejected_and_has_no_receipt(city: City, client: Served) -> None:
    body = {"format": 1, "proposal": "00" * 32}
    statement = city.sign("approval", "governor", body)
    problem(register(client, statement.data), 409, "Rejected", "proposal-unknown")
    response = client.get(f"/entries/{statement.id.hex()}")
    made = problem(response, 404, "Registration Failed", "registration-failed")
    assert "proposal" in made[-2]


def test_a_body_that_is_too_long_is_refused_in_cbor(idle: Served) -> None:
    response = register(idle, bytes(2**18))
    problem(response, 413, "Malformed request", "body-size")


def test_problems_come_in_the_readers_language(idle: Served) -> None:
    response = register(idle, b"", **{"Accept-Language": "zh"})
    made = parse_cbor(response.content)
    assert response.headers["content-language"] == "zh"
    assert any("\u4e00" <= char <= "\u9fff" for char in made[-2])


@pytest.mark.parametrize("entry", ["0" * 64, "0" * 63, "A" * 64, "x" * 300, "%00", "公交"])
def test_an_entry_that_is_not_known_is_not_found(idle: Served, entry: str) -> None:
    problem(idle.get(f"/entries/{entry}"), 404, "Not Found", "statement-not-known")


# --- keys ---


def log_keys(client: Served) -> list[dict[int, Any]]:
    response = client.get("/.well-known/scitt-keys", headers={"Accept": "application/cbor"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/cbor"
    keys = parse_cbor(response.content)
    assert isinstance(keys, list)
    return keys


def test_the_keys_verify_the_receipts(city: City, idle: Served) -> None:
    [cose] = log_keys(idle)
    public = key("operator").public
    assert cose == {1: 1, 2: public.kid, 3: -8, -1: 6, -2: public.raw}
    # By COSE alone, with nothing of ours.
    receipt = idle.get(f"/entries/{city.state.genesis.id.hex()}").content
    protected, _, payload, signature = cbor2.loads(receipt).value
    assert cbor2.loads(protected)[4] == cose[2]
    assert payload is None
    with city.store.snapshot() as snapshot:
        root = snapshot.block(0).frontier.root()
    signed = cbor2.dumps(["Signature1", protected, b"", root])
    Ed25519PublicKey.from_public_bytes(cose[-2]).verify(signature, signed)


def test_a_key_is_found_by_its_kid(idle: Served) -> None:
    [cose] = log_keys(idle)
    kid = base64.urlsafe_b64encode(cose[2]).decode().rstrip("=")
    response = idle.get(f"/.well-known/scitt-keys/{kid}")
    assert response.headers["content-type"] == "application/cbor"
    assert parse_cbor(response.content) == cose
    for other in ("AAAA", f"{kid}=", cose[2].hex(), "x"):
        response = idle.get(f"/.well-known/scitt-keys/{other}")
        problem(response, 404, "No such key", "log-key-unknown")


def test_a_key_that_signs_no_more_stays(city: City, idle: Served) -> None:
    old, new = key("operator").public, key("operator, again")
    receipt = idle.get(f"/entries/{city.state.genesis.id.hex()}").content
    city.sequencer = type(city.sequencer)(city.store, key("operator"), new)
    city.govern(
        {
            "action": "rotate",
            "participant": "operator",
            "key": new.public.as_json(),
            "consumes": key_holder(old).hex(),
        }
    )
    city.submit([city.ride("ann", NOON)])
    kids = [cose[2] for cose in log_keys(idle)]
    assert kids == [old.kid, new.public.kid]
    assert idle.get(f"/entries/{city.state.genesis.id.hex()}").content == receipt
    keys = {cose[2]: PublicKey(cose[3], cose[-2]) for cose in log_keys(idle)}
    with city.store.snapshot() as snapshot:
        last = snapshot.statement(city.state.index - 1)
    fresh = idle.get(f"/entries/{last.id.hex()}").content
    signer = cbor2.loads(cbor2.loads(fresh).value[0])[4]
    assert signer == new.public.kid
    check_receipt(fresh, last.data, keys[signer], ORIGIN)
