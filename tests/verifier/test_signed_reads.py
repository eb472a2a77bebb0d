"""Reads that members sign: the same signatures as the ledger's service takes, and no others."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from support.bundles import ledger
from support.city import City, key
from support.suites import es256, ml_dsa

from api.service import signatures
from api.service.signatures import Request
from keys.errors import Malformed, NotAllowed, TallyError, Usage
from keys.signer import Signer
from verifier.signed_reads import (
    CLOCK_SKEW_SECONDS_MAX,
    SIGNATURE_SECONDS_MAX,
    check_read,
    sign_read,
)

HOST, TARGET, NOW = "auditor.example:8090", "/submissions/00/aa", 1_772_424_000
Fields = dict[str, str]


@pytest.fixture(scope="module")
def city() -> City:
    return ledger().city


def signed(
    city: City,
    participant: str = "verifier",
    host: str = HOST,
    target: str = TARGET,
    **more: Any,
) -> Fields:
    signer: Signer = more.pop("signer", key(participant))
    ledger = more.pop("ledger", city.state.genesis.id)
    made = sign_read(
        "GET", host, target, signer, participant=participant, ledger=ledger, now=NOW, **more
    )
    return {name.lower(): value for name, value in made.items()}


def check(city: City, fields: Fields, **other: Any) -> str:
    given: dict[str, Any] = {"method": "GET", "host": HOST, "target": TARGET, "now": NOW, **other}
    return check_read(headers=fields, state=city.state, **given)


def refusal(city: City, fields: Fields, **other: Any) -> str:
    with pytest.raises(TallyError) as caught:
        check(city, fields, **other)
    assert isinstance(caught.value, NotAllowed | Malformed)
    return caught.value.code


@pytest.mark.parametrize("target", [TARGET, "/", "/a?", "/a?b=c&d", "/a/?/?"])
@pytest.mark.parametrize("host", [HOST, "Ledger.Example", "[::1]:80", "ledger.example:443"])
def test_they_are_what_the_service_takes_and_makes(city: City, host: str, target: str) -> None:
    fields = signed(city, host=host, target=target)
    request = Request("GET", target, [("host", host), *fields.items()])
    assert signatures.verify(request, city.state, NOW) == "verifier"
    theirs = signatures.sign(
        Request("GET", target, [("host", host)]),
        key("verifier"),
        participant="verifier",
        ledger=city.state.genesis.id,
        now=NOW,
    )
    fields = {name.lower(): value for name, value in theirs.items()}
    assert check(city, fields, host=host, target=target) == "verifier"


def test_each_is_signed_anew(city: City) -> None:
    assert signed(city) != signed(city)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"method": "POST"}, "request-signature-invalid"),
        ({"host": "other.example"}, "request-signature-invalid"),
        ({"target": "/submissions/00/ab"}, "request-signature-invalid"),
        ({"target": TARGET + "?all"}, "request-signature-invalid"),
        ({"now": NOW - CLOCK_SKEW_SECONDS_MAX - 1}, "request-signature-time"),
        (
            {"now": NOW + SIGNATURE_SECONDS_MAX + CLOCK_SKEW_SECONDS_MAX},
            "request-signature-time",
        ),
    ],
)
def test_they_are_for_one_request_and_time(city: City, other: dict[str, Any], why: str) -> None:
    assert refusal(city, signed(city), **other) == why


def test_they_hold_for_some_minutes(city: City) -> None:
    for now in (
        NOW - CLOCK_SKEW_SECONDS_MAX,
        NOW + SIGNATURE_SECONDS_MAX + CLOCK_SKEW_SECONDS_MAX - 1,
    ):
        assert check(city, signed(city), now=now) == "verifier"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (lambda city: {}, "request-unsigned"),
        (lambda city: signed(city, ledger=bytes(32)), "request-signature-ledger"),
        (lambda city: signed(city, "nobody"), "request-signature-invalid"),
        (lambda city: signed(city, signer=key("stranger")), "request-signature-invalid"),
        (lambda city: signed(city, signer=es256("verifier")), "request-signature-invalid"),
        # Its key ended when it was rotated.
        (lambda city: signed(city, "metro-app"), "request-signature-invalid"),
        (
            lambda city: signed(city, "metro-app", signer=key("metro-app/2")),
            "read-not-allowed",
        ),
        (lambda city: signed(city, "pay-app"), "read-not-allowed"),
    ],
)
def test_who_may_not_read(city: City, fields: Callable[[City], Fields], why: str) -> None:
    assert refusal(city, fields(city)) == why


@pytest.mark.parametrize(
    ("name", "pattern", "instead"),
    [
        ("signature-input", r"^tally=", "other="),
        ("signature-input", r"^", 'other=("@method");created=1, '),
        ("signature-input", r' "@query"', ""),
        ("signature-input", r'"@path"', '"@path";req'),
        ("signature-input", r";created=[0-9]+", ""),
        ("signature-input", r";created=([0-9]+)", r';created="\1"'),
        ("signature-input", r";created=[0-9]+", ";created=9999999999999999999"),
        ("signature-input", r";nonce=.*", ""),
        ("signature-input", r"$", ';nonce="again"'),
        ("signature-input", r"$", ";more=1"),
        ("signature-input", r"$", "\n"),
        ("signature", r"^tally=", "other="),
        ("signature", r":$", ""),
        ("signature", r"=:.*:$", "=:AAA:"),
    ],
)
def test_what_cannot_be_read(city: City, name: str, pattern: str, instead: str) -> None:
    fields = signed(city)
    changed = re.sub(pattern, instead, fields[name], count=1)
    assert changed != fields[name]
    assert refusal(city, {**fields, name: changed}) in (
        "request-signature-malformed",
        "base64-not-canonical",
    )


@pytest.mark.parametrize(
    ("pattern", "instead", "why"),
    [
        (r"expires=[0-9]+", f"expires={NOW + 10**6}", "request-signature-time"),
        (r"expires=[0-9]+", f"expires={NOW}", "request-signature-time"),
        (r'alg="ed25519"', 'alg="ecdsa-p256-sha256"', "request-signature-invalid"),
        (r'nonce="', 'nonce="x', "request-signature-invalid"),
    ],
)
def test_every_parameter_is_signed(city: City, pattern: str, instead: str, why: str) -> None:
    fields = signed(city)
    changed = re.sub(pattern, instead, fields["signature-input"])
    assert refusal(city, {**fields, "signature-input": changed}) == why


def test_what_signs_no_requests(city: City) -> None:
    with pytest.raises(Usage) as caught:
        signed(city, signer=ml_dsa("verifier"))
    assert caught.value.code == "suite-not-for-requests"
