"""Private keys, behind an interface that a hardware module or a remote service can fill as well.

At rest a key is one PEM file of encrypted PKCS#8 (RFC 5958, encryption PBES2 of RFC 8018), which
other tools read too; an ML-DSA key is in it as its seed (RFC 9881).  The file is made once,
readable by its owner alone, and never overwritten.  Its protection is that of the passphrase: the
key derivation is PBKDF2 with few rounds, so choose a long one.
"""

import hashlib
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keys import suites
from keys.errors import Malformed, Unreadable, Usage
from keys.suites import PublicKey, Suite

KEY_FILE_BYTES_MAX = 65_536
_ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


class Signer(Protocol):
    """Whatever can sign with one key, wherever that key is kept."""

    @property
    def public(self) -> PublicKey:
        """The public key that verifies what `sign` gives."""

    def sign(self, message: bytes) -> bytes:
        """The signature of ``message`` in the suite of `public`."""


@dataclass(frozen=True)
class KeySigner:
    """A signer whose private key is in memory."""

    suite: Suite
    private: Any = field(repr=False)

    @cached_property
    def public(self) -> PublicKey:
        """The public key that verifies what `sign` gives."""
        return PublicKey(self.suite.alg, self.suite.public_bytes(self.private))

    def sign(self, message: bytes) -> bytes:
        """The signature of ``message`` in the suite of `public`."""
        return self.suite.sign(self.private, message)


def generate(suite_name: str = suites.ED25519.name) -> KeySigner:
    """A signer with a new key; raises `Malformed` "suite-unknown"."""
    suite = suites.by_name(suite_name)
    return KeySigner(suite, suite.generate())


def from_seed(seed: bytes) -> KeySigner:
    """The same Ed25519 signer for the same seed.  For tests and demonstrations only: whoever
    guesses the seed has the key."""
    secret = hashlib.sha256(b"tally/seed/v1\n" + seed).digest()
    return KeySigner(suites.ED25519, Ed25519PrivateKey.from_private_bytes(secret))


def save(signer: KeySigner, path: Path | str, passphrase: bytes) -> None:
    """Write the key to a new file at ``path``; raises `Usage` if it cannot."""
    write_private(signer.private, path, passphrase)


def load(path: Path | str, passphrase: bytes) -> KeySigner:
    """Read the key at ``path``; raises `Unreadable` as `read_private` does, and if it is of no
    known suite."""
    private = read_private(path, passphrase)
    try:
        return KeySigner(suites.by_private(private), private)
    except Malformed:
        raise Unreadable("key-file-unreadable", path=path, reason="PKCS#8") from None


def write_private(private: Any, path: Path | str, passphrase: bytes) -> None:
    """Write a private key of `cryptography` to a new file; raises `Usage` if it cannot."""
    if not passphrase:
        raise Usage("key-passphrase-empty")
    try:
        pem: bytes = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase),
        )
    except ValueError as error:
        raise Usage("key-passphrase-long", reason=error) from None
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Usage("key-file-exists", path=path) from None
    except OSError as error:
        raise Usage("key-file-unwritable", path=path, reason=error.strerror) from None
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())


def read_private(path: Path | str, passphrase: bytes) -> Any:
    """Read a private key of `cryptography`.

    Raises `Unreadable`: "key-file-unreadable" if it is not there or holds no encrypted key,
    "key-passphrase-wrong" if the passphrase does not open it.
    """
    try:
        with open(path, "rb") as file:
            pem = file.read(KEY_FILE_BYTES_MAX)
    except OSError as error:
        raise Unreadable("key-file-unreadable", path=path, reason=error.strerror) from None
    if not pem.startswith(_ENCRYPTED):
        raise Unreadable("key-file-unreadable", path=path, reason="PKCS#8")
    if not passphrase:
        raise Unreadable("key-passphrase-wrong", path=path)
    try:
        return serialization.load_pem_private_key(pem, passphrase)
    except ValueError as error:
        # Only this one of the library's reasons can be told apart, and only by its words.
        if "password" in str(error).lower():
            raise Unreadable("key-passphrase-wrong", path=path) from None
        raise Unreadable("key-file-unreadable", path=path, reason="PKCS#8") from None
    except UnsupportedAlgorithm:
        raise Unreadable("key-file-unreadable", path=path, reason="PKCS#8") from None
