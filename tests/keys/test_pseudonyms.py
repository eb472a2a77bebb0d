"""Pseudonyms: the same everywhere, separate by class, and nothing without the secret."""

import hashlib
import hmac

import cbor2
import pytest

from keys.errors import Malformed, Usage
from keys.pseudonyms import KeyedHash, Pseudonymiser

SECRET = bytes(range(32))
IDENTIFIERS = ["13800000000", "京A12345", "", "a" * 1000, "13800000000"]


def test_a_pseudonym_is_the_same_on_every_platform_and_day() -> None:
    one: Pseudonymiser = KeyedHash(SECRET)
    first = one.pseudonyms("traveller", 20_000, IDENTIFIERS)
    assert first == KeyedHash(SECRET).pseudonyms("traveller", 20_001, IDENTIFIERS)
    assert first[0] == first[4]
    assert len(set(first)) == 4
    assert all(len(made) == 32 and made == bytes.fromhex(made).hex() for made in first)
    assert one.pseudonyms("traveller", 0, []) == []


def test_the_format() -> None:
    message = b"tally/pseudonym/v1\n" + cbor2.dumps(["vehicle", "京A12345"])
    expected = hmac.new(SECRET, message, hashlib.sha256).hexdigest()[:32]
    assert KeyedHash(SECRET).pseudonyms("vehicle", 0, ["京A12345"]) == [expected]


def test_classes_and_secrets_keep_apart() -> None:
    made = {
        pseudonym
        for secret in (SECRET, SECRET[::-1])
        for name in ("traveller", "vehicle", "traveller-")
        for pseudonym in KeyedHash(secret).pseudonyms(name, 0, ["a", "b"])
    }
    assert len(made) == 12


def test_what_is_refused() -> None:
    with pytest.raises(Usage) as short:
        KeyedHash(b"short")
    assert short.value.code == "pseudonym-secret-short"
    for identifier in ("e\u0301", "\ud800"):
        with pytest.raises(Malformed):
            KeyedHash(SECRET).pseudonyms("traveller", 0, ["fine", identifier])


def test_the_secret_is_not_shown() -> None:
    assert repr(SECRET) not in repr(KeyedHash(SECRET))
