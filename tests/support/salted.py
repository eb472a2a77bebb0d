"""A toy signature suite whose every signature is another: what registering a suite is worth."""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from keys import suites
from keys.errors import Malformed
from keys.signer import KeySigner
from keys.suites import Suite


@dataclass(frozen=True)
class SaltedKey:
    """A toy private key."""

    secret: bytes


class Salted(Suite):
    """No security at all: the public key signs as well."""

    def generate(self) -> SaltedKey:
        return SaltedKey(secrets.token_bytes(8))

    def public_bytes(self, private: Any) -> bytes:
        return hashlib.sha512(private.secret).digest()

    def sign(self, private: Any, message: bytes) -> bytes:
        salt = secrets.token_bytes(8)
        return salt + hashlib.sha256(salt + self.public_bytes(private) + message).digest()

    def verify(self, public: bytes, signature: bytes, message: bytes) -> bool:
        salt = signature[:8]
        return signature == salt + hashlib.sha256(salt + public + message).digest()

    def check_public(self, public: bytes) -> None:
        if len(public) != 64:
            raise Malformed("key-invalid")


@contextmanager
def salted() -> Iterator[KeySigner]:
    """A signer of the toy suite, which is registered for as long."""
    suite = Salted("salted", -70_001, 0xF8, 0xF9, SaltedKey)
    suites.register(suite)
    try:
        yield KeySigner(suite, suite.generate())
    finally:
        del suites.SUITES[suite.alg]
