"""Ed25519 in its one strict reading, and the registry of suites, which takes further ones."""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from keys import suites
from keys.errors import Fault, Malformed
from keys.notes import Note, NoteKey, cosign, parse_vkey, sign_note, signed_by
from keys.signer import KeySigner, from_seed
from keys.statements import parse_statement, sign_statement
from keys.suites import ED25519, SMALL_ORDER_Y, SUITES, PublicKey, Suite

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
L = 2**252 + 27742317777372353535851937790883648493
IDENTITY = (0, 1)
Point = tuple[int, int]

# RFC 8032, section 7.1: secret key, public key, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]


def add(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - k, -1, P)
    return x % P, y % P


def times(n: int, point: Point) -> Point:
    total = IDENTITY
    while n:
        if n & 1:
            total = add(total, point)
        point, n = add(point, point), n >> 1
    return total


def x_of(y: int) -> int | None:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    for x in (root, root * pow(2, (P - 1) // 4, P) % P):
        if x * x % P == square:
            return x
    return None


def encode(point: Point) -> bytes:
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def scalar(message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(message).digest(), "little") % L


BASE_Y = 4 * pow(5, -1, P) % P
BASE_X = x_of(BASE_Y) or 0
BASE = (BASE_X if BASE_X % 2 == 0 else P - BASE_X, BASE_Y)


def small_order_points() -> set[Point]:
    """All eight, as the multiples of what is left of some point of the curve after L times it."""
    for y in range(2, 100):
        x = x_of(y)
        if x is not None:
            left = times(L, (x, y))
            points = {times(n, left) for n in range(8)}
            if len(points) == 8:
                return points
    raise AssertionError


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_rfc_8032_vectors(secret: str, public: str, message: str, signature: str) -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
    raw, text = bytes.fromhex(public), bytes.fromhex(message)
    assert ED25519.public_bytes(private) == raw
    assert ED25519.sign(private, text).hex() == signature
    assert ED25519.verify(raw, bytes.fromhex(signature), text)
    assert not ED25519.verify(raw, bytes.fromhex(signature), text + b"x")
    ED25519.check_public(raw)


def test_small_order_y_are_those_of_the_curve() -> None:
    assert {y for _, y in small_order_points()} == SMALL_ORDER_Y


def bad_publics() -> dict[str, bytes]:
    found = {f"small_order {i}": encode(p) for i, p in enumerate(sorted(small_order_points()))}
    for y in range(19):  # the values that fit 255 bits and are not below p
        for sign in (0, 1):
            found[f"non_canonical y = p + {y}, sign {sign}"] = (P + y | sign << 255).to_bytes(
                32, "little"
            )
    found["sign bit on x = 0, y = 1"] = (1 | 1 << 255).to_bytes(32, "little")
    found["sign bit on x = 0, y = -1"] = (P - 1 | 1 << 255).to_bytes(32, "little")
    off = next(y for y in range(2, 100) if x_of(y) is None)
    found["not on the curve"] = off.to_bytes(32, "little")
    found["empty"] = b""
    found["short"] = encode(BASE)[:31]
    found["long"] = encode(BASE) + b"\0"
    return found


@pytest.mark.parametrize("public", bad_publics().values(), ids=bad_publics())
def test_unsound_public_keys_are_refused(public: bytes) -> None:
    with pytest.raises(Malformed) as error:
        ED25519.check_public(public)
    assert error.value.code == "key-invalid"
    with pytest.raises(Malformed):
        PublicKey.from_json(PublicKey(-8, public).as_json())
    for signature in (encode(BASE) + (1).to_bytes(32, "little"), bytes(64)):
        assert not ED25519.verify(public, signature, b"any message")


def test_a_small_order_public_key_would_have_signed_everything() -> None:
    # S = 1, R = B: with A the identity, S B = R + h A whatever the message.
    signature = encode(BASE) + (1).to_bytes(32, "little")
    assert not ED25519.verify(encode(IDENTITY), signature, b"one")
    assert not ED25519.verify(encode(IDENTITY), signature, b"another")


def test_high_s_is_refused() -> None:
    signer = from_seed(b"signer")
    signature = signer.sign(b"message")
    s = int.from_bytes(signature[32:], "little")
    assert s < L
    for n in range(1, 15):
        high_s = (s + n * L).to_bytes(32, "little")
        assert not signer.public.verify(signature[:32] + high_s, b"message")
    assert not signer.public.verify(signature[:32] + L.to_bytes(32, "little"), b"message")


def test_a_signature_with_small_order_or_non_canonical_r_is_refused() -> None:
    signer = from_seed(b"signer")
    digest = bytearray(hashlib.sha512(signer.private.private_bytes_raw()).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 63 | 64
    secret = int.from_bytes(digest, "little")
    assert encode(times(secret, BASE)) == signer.public.raw
    # R the identity, so S = h a satisfies the equation; and R the same in its other encoding.
    for r in (encode(IDENTITY), (P + 1).to_bytes(32, "little")):
        s = scalar(r + signer.public.raw + b"message") * secret % L
        assert not signer.public.verify(r + s.to_bytes(32, "little"), b"message")


@given(st.binary(max_size=70), st.binary(max_size=70))
def test_verify_is_false_and_never_an_error(public: bytes, signature: bytes) -> None:
    assert not ED25519.verify(public, signature, b"")


@given(st.integers(0, 511))
def test_a_flipped_bit_is_refused(bit: int) -> None:
    signer = from_seed(b"signer")
    signature = int.from_bytes(signer.sign(b"message"), "big") ^ 1 << bit
    assert not signer.public.verify(signature.to_bytes(64, "big"), b"message")


def test_kid_and_json() -> None:
    public = from_seed(b"signer").public
    number = (2**64 - 8).to_bytes(8, "big")
    assert public.kid == hashlib.sha256(b"tally/kid/v1\n" + number + public.raw).digest()[:16]
    assert PublicKey.from_json(public.as_json()) == public
    for wrong in (
        None,
        {},
        {**public.as_json(), "kid": "x"},
        {**public.as_json(), "alg": -9},
        {**public.as_json(), "alg": True},
        {**public.as_json(), "public": str(public.as_json()["public"]).rstrip("=")},
    ):
        with pytest.raises(Malformed):
            PublicKey.from_json(wrong)


@dataclass(frozen=True)
class ToyKey:
    secret: bytes


class Toy(Suite):
    """Protects nothing; another algorithm, with other lengths."""

    def generate(self) -> ToyKey:
        return ToyKey(secrets.token_bytes(8))

    def public_bytes(self, private: Any) -> bytes:
        return hashlib.sha512(private.secret).digest()

    def sign(self, private: Any, message: bytes) -> bytes:
        return hashlib.md5(self.public_bytes(private) + message).digest()

    def verify(self, public: bytes, signature: bytes, message: bytes) -> bool:
        return signature == hashlib.md5(public + message).digest()

    def check_public(self, public: bytes) -> None:
        if len(public) != 64:
            raise Malformed("key-invalid")


@pytest.fixture
def toy() -> Iterator[Suite]:
    suite = Toy("toy", -70_000, 0xFA, 0xFB, ToyKey)
    suites.register(suite)
    yield suite
    del SUITES[suite.alg]


def test_a_further_suite_needs_no_other_format(toy: Suite) -> None:
    signer = KeySigner(suites.by_name("toy"), toy.generate())
    assert PublicKey.from_json(signer.public.as_json()) == signer.public
    assert suites.by_private(signer.private) is suites.by_alg(-70_000) is toy

    statement = sign_statement(
        signer,
        kind="submission",
        issuer="bus",
        subject="a batch",
        audience=bytes(32),
        expires=1,
        payload={},
    )
    assert parse_statement(statement.data) == statement
    assert statement.alg == -70_000
    assert statement.verify(signer.public)
    assert not statement.verify(from_seed(b"other").public)

    for cosigner, line, time in (
        (False, sign_note("text\n", "toy.example", signer), 0),
        (True, cosign("text\n", "toy.example", signer, 7), 7),
    ):
        key = NoteKey("toy.example", signer.public, cosigner)
        assert parse_vkey(key.vkey) == key
        assert signed_by(Note("text\n", (line,)), key) == time


def test_suites_that_lack_the_same_types_do_not_meet() -> None:
    suite = Toy("toy", -70_000, None, None, ToyKey)
    assert suites.register(suite) is suites.by_name("toy")
    del SUITES[suite.alg]


def test_what_each_suite_is_for() -> None:
    assert {
        suite.name: (suite.alg, suite.signs_statements, suite.note_type, suite.cosignature_type)
        for suite in SUITES.values()
    } == {
        "ed25519": (-8, True, 0x01, 0x04),
        "es256": (-7, True, None, None),
        "ml-dsa-44": (-48, False, None, 0x06),
    }


def test_a_suite_takes_no_other_suites_place(toy: Suite) -> None:
    for taken in (
        Toy("ed25519", -1, 0xF1, 0xF2, ToyKey),
        Toy("toy2", -8, 0xF1, 0xF2, ToyKey),
        Toy("toy2", -1, 0x01, 0xF2, ToyKey),
        Toy("toy2", -1, 0xF1, 0x01, ToyKey),
        Toy("toy2", -1, None, 0x06, ToyKey),
        Toy("es256", -1, None, None, ToyKey),
        Toy("toy2", -7, None, None, ToyKey),
    ):
        with pytest.raises(Fault) as error:
            suites.register(taken)
        assert error.value.code == "suite-taken"
    for look_up in (
        lambda: suites.by_alg(-9),
        lambda: suites.by_name("rsa"),
        lambda: suites.by_note_type(2),
        lambda: suites.by_private(object()),
        lambda: PublicKey(-9, b"").verify(b"", b""),
    ):
        with pytest.raises(Malformed) as unknown:
            look_up()
        assert unknown.value.code == "suite-unknown"
