"""Signature suites: what a signature algorithm must be able to do, and which ones there are.

Everything that signs or verifies goes through a `Suite`, found by its COSE algorithm number.  A
further suite (SM2) is a further call of `register`.  A suite says what it is for: statements,
plain signatures of notes, cosignatures of checkpoints.

    ed25519    -8   public key 32 bytes, signature 64; for statements, notes and cosignatures
    es256      -7   public key 65 bytes, signature 64; for statements
    ml-dsa-44  -48  public key 1,312 bytes, signature 2,420; for cosignatures

A public key is written as JSON ``{"alg": -8, "public": base64}``.  Its ``kid`` is the first 16
bytes of SHA-256 over ``tally/kid/v1`` and a newline, the algorithm number (8 bytes, signed,
big-endian) and the key's raw bytes.

Ed25519 (RFC 8032, section 5.1) is held to one reading, so that no two verifiers differ.  A public
key is 32 bytes: y in little-endian, the sign of x in the top bit, with y < p, a point of the
curve, no sign bit where x = 0, and not one of the 8 points of small order, under which one
signature fits many messages.  A signature is R and S: S < L (RFC 8032, section 5.1.7, which makes
it the only S for its R), and R under the same rules as a key, except that whether it is a point
of the curve follows from the equation itself.

ES256 is ECDSA with SHA-256 (RFC 9053, section 2.1) on P-256 (FIPS 186-5).  A public key is 0x04, x
and y (SEC 1, section 2.3.3, uncompressed), 32 bytes each in big-endian and below p, a point of the
curve.  A signature is r and s, 32 bytes each in big-endian, with 1 <= r < n and 1 <= s <= (n - 1)
/ 2: of the two s that fit, the lower one.  Signing is deterministic (RFC 6979), so that no bad
random number gives the key away.

ML-DSA-44 (FIPS 204) is not pre-hashed and has the empty context; its number is that of RFC 9964.
Every public key of the right length is sound.
"""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keys.errors import Fault, Malformed
from keys.strict import dump_base64, fields, parse_base64

KID_BYTES = 16
_KID_TAG = b"tally/kid/v1\n"


@dataclass(frozen=True)
class Suite(ABC):
    """One signature algorithm, with its numbers in the formats that name it.

    name: as people write it, such as "ed25519".  alg: COSE algorithm number (RFC 9053).
    note_type, cosignature_type: C2SP signed-note signature type bytes, for a plain note signature
    and for a timestamped cosignature; None if it is not for that.  private_type: the class of its
    private key objects.  signs_statements: whether participants may have its keys.
    """

    name: str
    alg: int
    note_type: int | None
    cosignature_type: int | None
    private_type: type
    signs_statements: bool = True

    def type_byte(self, cosigner: bool) -> int:
        """The type byte of cosignatures, or of plain ones; raises `Malformed` if there is none."""
        found = self.cosignature_type if cosigner else self.note_type
        if found is None:
            raise Malformed(
                "suite-not-for-cosignatures" if cosigner else "suite-not-for-notes", suite=self.name
            )
        return found

    def owns(self, private: object) -> bool:
        """Whether ``private`` is a private key of this suite."""
        return isinstance(private, self.private_type)

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
    types = {suite.note_type, suite.cosignature_type} - {None}
    for other in SUITES.values():
        if (
            suite.name == other.name
            or suite.alg == other.alg
            or types & {other.note_type, other.cosignature_type}
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
        if suite.owns(private):
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
        """Read ``{"alg", "public"}``, a participant's key, strictly, and check it.

        Raises `Malformed`, also for a key of a suite that does not sign statements.
        """
        read = fields(value, "public key", {"alg": int, "public": str})
        suite = by_alg(read["alg"])
        if not suite.signs_statements:
            raise Malformed("suite-not-for-statements", suite=suite.name)
        return cls(suite.alg, parse_base64(read["public"])).check()

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


_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of P-256."""


@lru_cache(maxsize=4096)
def _p256_public(public: bytes) -> ec.EllipticCurvePublicKey:
    if len(public) != 65 or public[0] != 0x04:
        raise Malformed("key-invalid")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    except ValueError:
        raise Malformed("key-invalid") from None


class Es256(Suite):
    """ECDSA with SHA-256 on P-256, strict as this module's beginning tells."""

    def owns(self, private: object) -> bool:
        return isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(
            private.curve, ec.SECP256R1
        )

    def generate(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    def public_bytes(self, private: ec.EllipticCurvePrivateKey) -> bytes:
        return private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(self, private: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
        algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        r, s = decode_dss_signature(private.sign(message, algorithm))
        return r.to_bytes(32) + min(s, _N - s).to_bytes(32)

    def verify(self, public: bytes, signature: bytes, message: bytes) -> bool:
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        if len(signature) != 64 or not 0 < r < _N or not 0 < s <= _N // 2:
            return False
        try:
            algorithm = ec.ECDSA(hashes.SHA256())
            _p256_public(public).verify(encode_dss_signature(r, s), message, algorithm)
        except (Malformed, InvalidSignature):
            return False
        return True

    def check_public(self, public: bytes) -> None:
        _p256_public(public)


# COSE also has -9, ECDSA with SHA-256 on P-256 and nothing else (RFC 9864); as with -8 above, the
# older number is the one that foreign COSE libraries know.
ES256 = register(
    Es256(
        name="es256",
        alg=-7,
        note_type=None,
        cosignature_type=None,
        private_type=ec.EllipticCurvePrivateKey,
    )
)


class MlDsa44(Suite):
    """Pure ML-DSA-44 (FIPS 204) with the empty context."""

    def generate(self) -> MLDSA44PrivateKey:
        return MLDSA44PrivateKey.generate()

    def public_bytes(self, private: MLDSA44PrivateKey) -> bytes:
        return private.public_key().public_bytes_raw()

    def sign(self, private: MLDSA44PrivateKey, message: bytes) -> bytes:
        return private.sign(message)

    def verify(self, public: bytes, signature: bytes, message: bytes) -> bool:
        try:
            MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
        except (ValueError, InvalidSignature):
            return False
        return True

    def check_public(self, public: bytes) -> None:
        try:
            MLDSA44PublicKey.from_public_bytes(public)
        except ValueError:
            raise Malformed("key-invalid") from None


ML_DSA_44 = register(
    MlDsa44(
        name="ml-dsa-44",
        alg=-48,
        note_type=None,
        cosignature_type=0x06,
        private_type=MLDSA44PrivateKey,
        signs_statements=False,
    )
)
