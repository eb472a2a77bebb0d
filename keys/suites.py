"""Signature suites: what a signature algorithm must be able to do, and which ones there are.

Everything that signs or verifies goes through a `Suite`, found by its COSE algorithm number.  A
further suite (SM2, ML-DSA) is a further call of `register`; no format names an algorithm.

A public key is written as JSON ``{"alg": -8, "public": base64}``.  Its ``kid`` is the first 16
bytes of SHA-256 over ``tally/kid/v1`` and a newline, the algorithm number (8 bytes, signed,
big-endian) and the key's raw bytes.

Ed25519 (RFC 8032, section 5.1) is held to one reading, so that no two verifiers differ.  A public
key is 32 bytes: y in little-endian, the sign of x in the top bit, with y < p, a point of the
curve, no sign bit where x = 0, and not one of the 8 points of small order, under which one
signature fits many messages.  A signature is R and S: S < L (RFC 8032, section 5.1.7, which makes
it the only S for its R), and R under the same rules as a key, except that whether it is a point
of the curve follows from the equation itself.
"""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from keys.errors import Fault, Malformed
from keys.strict import dump_base64, fields, parse_base64

KID_BYTES = 16
_KID_TAG = b"tally/kid/v1\n"


@dataclass(frozen=True)
class Suite(ABC):
    """One signature algorithm, with its numbers in the formats that name it.

    name: as people write it, such as "ed25519".  alg: COSE algorithm number (RFC 9053).
    note_type, cosignature_type: C2SP signed-note signature type bytes, for a plain note signature
    and for a timestamped cosignature.  private_type: the class of its private key objects.
    """

    name: str
    alg: int
    note_type: int
    cosignature_type: int
    private_type: type

    @abstractmethod
    def generate(self) -> Any:
        """A new private key."""

    @abstractmethod
    def public_bytes(self, private: Any) -> bytes:
        """The raw public key of ``private``."""

    @abstractmethod
    def sign(self, private: Any, message: bytes) -> bytes:
        """The signature of ``message``."""

    @abstractmethod
    def verify(self, public: bytes, signature: bytes, message: bytes) -> bool:
        """Whether ``signature`` is valid; false, never an error, for malformed keys as well."""

    @abstractmethod
    def check_public(self, public: bytes) -> None:
        """Raise `Malformed` "key-invalid" unless ``public`` is a sound key in its one encoding."""


SUITES: dict[int, Suite] = {}


def register(suite: Suite) -> Suite:
    """Add ``suite``; raises `Fault` if one of its names or numbers is another suite's."""
    for other in SUITES.values():
        if (
            suite.name == other.name
            or suite.alg == other.alg
            or {suite.note_type, suite.cosignature_type} & {other.note_type, other.cosignature_type}
        ):
            raise Fault("suite-taken", suite=suite.name, other=other.name)
    SUITES[suite.alg] = suite
    return suite


def by_alg(alg: int) -> Suite:
    """The suite with the COSE algorithm number ``alg``; raises `Malformed`."""
    suite = SUITES.get(alg)
    if suite is None:
        raise Malformed("suite-unknown", suite=alg)
    return suite


def by_name(name: str) -> Suite:
    """The suite called ``name``; raises `Malformed`."""
    for suite in SUITES.values():
        if suite.name == name:
            return suite
    raise Malformed("suite-unknown", suite=name[:80])


def by_note_type(note_type: int) -> tuple[Suite, bool]:
    """The suite with this signed-note type byte, and whether it is that of a cosignature."""
    for suite in SUITES.values():
        if note_type in (suite.note_type, suite.cosignature_type):
            return suite, note_type == suite.cosignature_type
    raise Malformed("suite-unknown", suite=f"0x{note_type:02x}")


def by_private(private: object) -> Suite:
    """The suite that ``private`` is a private key of; raises `Malformed`."""
    for suite in SUITES.values():
        if isinstance(private, suite.private_type):
            return suite
    raise Malformed("suite-unknown", suite=type(private).__name__)


@dataclass(frozen=True)
class PublicKey:
    """A public key: COSE algorithm number and raw bytes.

    Keys from outside come through `from_json` or `check`; `verify` is false under an unsound one.
    """

    alg: int
    raw: bytes

    @classmethod
    def from_json(cls, value: object) -> "PublicKey":
        """Read ``{"alg", "public"}`` strictly, and check the key; raises `Malformed`."""
        read = fields(value, "public key", {"alg": int, "public": str})
        return cls(read["alg"], parse_base64(read["public"])).check()

    def as_json(self) -> dict[str, object]:
        """The key as `from_json` reads it."""
        return {"alg": self.alg, "public": dump_base64(self.raw)}

    def check(self) -> "PublicKey":
        """This key, if its suite is known and finds it sound; raises `Malformed`."""
        by_alg(self.alg).check_public(self.raw)
        return self

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether ``signature`` over ``message`` is this key's; raises `Malformed`."""
        return by_alg(self.alg).verify(self.raw, signature, message)

    def digest(self, tag: bytes) -> bytes:
        """SHA-256 over ``tag``, the algorithm number and the key, as ids of keys are made."""
        return hashlib.sha256(tag + self.alg.to_bytes(8, "big", signed=True) + self.raw).digest()

    @cached_property
    def kid(self) -> bytes:
        """The key id in statements: 16 bytes."""
        return self.digest(_KID_TAG)[:KID_BYTES]


# The curve of RFC 8032, section 5.1: -x^2 + y^2 = 1 + d x^2 y^2 modulo p, with order L.
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_L = 2**252 + 27742317777372353535851937790883648493
_SIGN = 1 << 255

# The y of all points whose order divides 8: of order 1, 2, 4, 8 and 8.
_Y8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SMALL_ORDER_Y = frozenset({1, _P - 1, 0, _Y8, _P - _Y8})


def _y(encoded: bytes) -> int:
    """The y of an encoded point; raises `Malformed` if it is not below p, or of small order.

    x = 0 only where y is 1 or -1, both of small order: so a sign bit on x = 0 ends here too.
    """
    y = int.from_bytes(encoded, "little") & ~_SIGN
    if y >= _P or y in SMALL_ORDER_Y:
        raise Malformed("key-invalid")
    return y


@lru_cache(maxsize=4096)
def _ed25519_public(public: bytes) -> Ed25519PublicKey:
    if len(public) != 32:
        raise Malformed("key-invalid")
    y = _y(public)
    # On the curve exactly if x^2 = (y^2 - 1) / (d y^2 + 1) is a square (Euler's criterion).
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    if pow(square, (_P - 1) // 2, _P) != 1:
        raise Malformed("key-invalid")
    return Ed25519PublicKey.from_public_bytes(public)


class Ed25519(Suite):
    """Pure Ed25519 (RFC 8032), strict as this module's beginning tells."""

    def generate(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.generate()

    def public_bytes(self, private: Ed25519PrivateKey) -> bytes:
        return private.public_key().public_bytes_raw()

    def sign(self, private: Ed25519PrivateKey, message: bytes) -> bytes:
        return private.sign(message)

    def verify(self, public: bytes, signature: bytes, message: bytes) -> bool:
        if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= _L:
            return False
        try:
            _y(signature[:32])
            _ed25519_public(public).verify(signature, message)
        except (Malformed, InvalidSignature):
            return False
        return True

    def check_public(self, public: bytes) -> None:
        _ed25519_public(public)


# COSE also has -19, Ed25519 and nothing else (RFC 9864).  -8, EdDSA on whichever curve the key
# has, is the one that foreign COSE libraries know; here it means Ed25519 alone.
ED25519 = register(
    Ed25519(
        name="ed25519",
        alg=-8,
        note_type=0x01,
        cosignature_type=0x04,
        private_type=Ed25519PrivateKey,
    )
)
