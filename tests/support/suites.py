"""Signers of the suites that no seed gives in the product: the same signer for the same name."""

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from keys.signer import KeySigner
from keys.suites import ES256, ML_DSA_44

P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def es256(name: str) -> KeySigner:
    """A P-256 signer."""
    secret = int.from_bytes(sha256(b"es256/" + name.encode()).digest()) % (P256_N - 1) + 1
    return KeySigner(ES256, ec.derive_private_key(secret, ec.SECP256R1()))


def ml_dsa(name: str) -> KeySigner:
    """An ML-DSA-44 signer."""
    seed = sha256(b"ml-dsa-44/" + name.encode()).digest()
    return KeySigner(ML_DSA_44, MLDSA44PrivateKey.from_seed_bytes(seed))


def high_s(signature: bytes) -> bytes:
    """The other ES256 signature with the same r that ECDSA takes."""
    return signature[:32] + (P256_N - int.from_bytes(signature[32:])).to_bytes(32)
