"""ES256 in its one strict reading: published vectors, edges, and what must fail."""

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from support.suites import P256_N as N
from support.suites import es256, high_s

from keys import suites
from keys.errors import Malformed
from keys.notes import NoteKey, cosign, sign_note
from keys.signer import from_seed
from keys.statements import Statement, parse_statement, sign_statement
from keys.suites import ED25519, ES256, PublicKey

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
Point = tuple[int, int]
SIGNER = es256("signer")
SHA_256 = ec.ECDSA(hashes.SHA256())

# RFC 6979, appendix A.2.5: the key, and the two signatures with SHA-256.
SECRET = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
PUBLIC = bytes.fromhex(
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
SAMPLE = bytes.fromhex(
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
)
TEST = bytes.fromhex(
    "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
    "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"
)


def pair(r: int, s: int) -> bytes:
    return r.to_bytes(32) + s.to_bytes(32)


def encode(point: Point, first: int = 4) -> bytes:
    return bytes([first]) + pair(*point)


def decode(public: bytes) -> Point:
    return int.from_bytes(public[1:33]), int.from_bytes(public[33:])


def add(a: Point, b: Point) -> Point:
    """The sum of two points that are not each other's negative."""
    (x1, y1), (x2, y2) = a, b
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, P) if a == b else (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def times(n: int, point: Point) -> Point:
    total = None
    for bit in f"{n % N:b}":
        total = add(total, total) if total else None
        if bit == "1":
            total = add(total, point) if total else point
    assert total is not None
    return total


def lift(x: int) -> Point | None:
    """A point with this x, if there is one."""
    square = (x**3 - 3 * x + B) % P
    y = pow(square, (P + 1) // 4, P)
    return (x % P, y) if y * y % P == square else None


def scalar(message: bytes) -> int:
    return int.from_bytes(sha256(message).digest())


BASE = decode(ES256.public_bytes(ec.derive_private_key(1, ec.SECP256R1())))


# --- signatures ---


def test_rfc_6979_vectors() -> None:
    private = ec.derive_private_key(SECRET, ec.SECP256R1())
    assert ES256.public_bytes(private) == PUBLIC == encode(times(SECRET, BASE))
    assert ES256.verify(PUBLIC, TEST, b"test")
    assert not ES256.verify(PUBLIC, TEST, b"sample")
    assert ES256.sign(private, b"test") == TEST


def test_the_rfc_6979_vector_with_a_high_s_counts_in_its_low_form_alone() -> None:
    private = ec.derive_private_key(SECRET, ec.SECP256R1())
    r, s = int.from_bytes(SAMPLE[:32]), int.from_bytes(SAMPLE[32:])
    private.public_key().verify(encode_dss_signature(r, s), b"sample", SHA_256)
    assert not ES256.verify(PUBLIC, SAMPLE, b"sample")
    assert ES256.verify(PUBLIC, high_s(SAMPLE), b"sample")
    assert ES256.sign(private, b"sample") == high_s(SAMPLE)


@given(st.binary(max_size=40))
def test_every_signature_has_a_low_s_and_its_counterpart_is_refused(message: bytes) -> None:
    signature = SIGNER.sign(message)
    assert len(signature) == 64
    assert int.from_bytes(signature[32:]) <= N // 2
    assert SIGNER.public.verify(signature, message)
    assert not SIGNER.public.verify(high_s(signature), message)


def test_a_randomised_signature_counts_in_its_low_form() -> None:
    seen = set()
    for _ in range(8):
        r, s = decode_dss_signature(SIGNER.private.sign(b"message", SHA_256))
        signature = pair(r, min(s, N - s))
        assert SIGNER.public.verify(signature, b"message")
        seen.add(signature)
    assert len(seen) == 8


def test_s_may_be_half_of_the_order_and_no_more() -> None:
    # With a nonce of 1, r is the base point's x: the key is chosen so that s comes out.
    r, s = BASE[0] % N, N // 2
    secret = (s - scalar(b"message")) * pow(r, -1, N) % N
    public = encode(times(secret, BASE))
    assert ES256.verify(public, pair(r, s), b"message")
    assert not ES256.verify(public, pair(r, s + 1), b"message")
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    key.verify(encode_dss_signature(r, s + 1), b"message", SHA_256)


def test_r_is_reduced_by_the_order() -> None:
    # A nonce point whose x is not below n: r is x - n, and x itself is no r.
    point = next(found for x in range(N, N + 100) if (found := lift(x)))
    r, s = point[0] - N, 12345
    inverse = pow(r, -1, N)
    public = encode(add(times(s * inverse, point), times(-scalar(b"message") * inverse % N, BASE)))
    assert ES256.verify(public, pair(r, s), b"message")
    assert not ES256.verify(public, pair(r + N, s), b"message")


def signatures_out_of_bounds() -> dict[str, bytes]:
    good = SIGNER.sign(b"message")
    r, s = int.from_bytes(good[:32]), int.from_bytes(good[32:])
    return {
        "r is 0": pair(0, s),
        "s is 0": pair(r, 0),
        "both are 0": pair(0, 0),
        "both are 1": pair(1, 1),
        "r is n": pair(N, s),
        "r is n + 1": pair(N + 1, s),
        "r is p": pair(P, s),
        "r is all ones": pair(2**256 - 1, s),
        "s is n": pair(r, N),
        "s is n - 1": pair(r, N - 1),
        "s is n + 1": pair(r, N + 1),
        "s is all ones": pair(r, 2**256 - 1),
        "s is n - s": pair(r, N - s),
        "s is n + s": pair(r, (N + s) % 2**256),
        "r is n - r": pair(N - r, s),
        "r and s are exchanged": pair(s, r),
        "little-endian": good[31::-1] + good[:31:-1],
        "empty": b"",
        "r alone": good[:32],
        "one byte short": good[:-1],
        "one byte long": good + b"\0",
        "a zero before": b"\0" + good,
        "integers of 33 bytes": r.to_bytes(33) + s.to_bytes(33),
        "DER": encode_dss_signature(r, s),
    }


@pytest.mark.parametrize(
    "signature", signatures_out_of_bounds().values(), ids=signatures_out_of_bounds()
)
def test_a_signature_out_of_bounds_is_refused(signature: bytes) -> None:
    assert not SIGNER.public.verify(signature, b"message")


def test_a_signature_of_another_message_key_or_hash_is_refused() -> None:
    signature = SIGNER.sign(b"message")
    assert not SIGNER.public.verify(signature, b"messagf")
    assert not es256("other").public.verify(signature, b"message")
    for algorithm in (hashes.SHA384(), hashes.SHA512(), hashes.SHA3_256()):
        r, s = decode_dss_signature(SIGNER.private.sign(b"message", ec.ECDSA(algorithm)))
        assert not SIGNER.public.verify(pair(r, min(s, N - s)), b"message")


@given(st.integers(0, 511))
def test_a_flipped_bit_is_refused(bit: int) -> None:
    signature = int.from_bytes(SIGNER.sign(b"message")) ^ 1 << bit
    assert not SIGNER.public.verify(signature.to_bytes(64), b"message")


@given(st.binary(max_size=70), st.binary(max_size=70))
def test_verify_is_false_and_never_an_error(public: bytes, signature: bytes) -> None:
    assert not ES256.verify(public, signature, b"")
    assert not ES256.verify(PUBLIC, signature, b"")


# --- keys ---


def unsound_keys() -> dict[str, bytes]:
    raw = SIGNER.public.raw
    x, y = decode(raw)
    other = ec.derive_private_key(1, ec.SECP384R1()).public_key()
    koblitz = ec.derive_private_key(1, ec.SECP256K1()).public_key()
    uncompressed, compressed = PublicFormat.UncompressedPoint, PublicFormat.CompressedPoint
    small = next(found for n in range(1, 100) if (found := lift(n)))
    hybrid = 6 + y % 2
    return {
        "compressed": SIGNER.private.public_key().public_bytes(Encoding.X962, compressed),
        "hybrid": encode((x, y), hybrid),
        "hybrid, the wrong sign": encode((x, y), hybrid ^ 1),
        "compressed, filled up": raw[:33].replace(b"\4", bytes([2 + y % 2]), 1) + bytes(32),
        "first byte 5": encode((x, y), 5),
        "first byte 0": encode((x, y), 0),
        "without its first byte": raw[1:],
        "infinity": b"\0",
        "infinity, filled up": bytes(65),
        "infinity, uncompressed": b"\4" + bytes(64),
        "x is not below p": encode((small[0] + P, small[1])),
        "y is p": encode((x, P)),
        "y is all ones": encode((x, 2**256 - 1)),
        "both are p": encode((P, P)),
        "off the curve": encode((x, (y + 1) % P)),
        "y is 0": encode((x, 0)),
        "x and y are exchanged": encode((y, x)),
        "little-endian": b"\4" + raw[32:0:-1] + raw[:32:-1],
        "a point of secp256k1": koblitz.public_bytes(Encoding.X962, uncompressed),
        "a point of P-384": other.public_bytes(Encoding.X962, uncompressed),
        "SubjectPublicKeyInfo": SIGNER.private.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        ),
        "empty": b"",
        "short": raw[:64],
        "long": raw + b"\0",
    }


@pytest.mark.parametrize("public", unsound_keys().values(), ids=unsound_keys())
def test_an_unsound_key_is_refused(public: bytes) -> None:
    for read in (
        lambda: ES256.check_public(public),
        lambda: PublicKey.from_json(PublicKey(-7, public).as_json()),
    ):
        with pytest.raises(Malformed) as error:
            read()
        assert error.value.code == "key-invalid"
    assert not ES256.verify(public, SIGNER.sign(b"message"), b"message")


def test_a_key_reads_back() -> None:
    assert PublicKey.from_json(SIGNER.public.as_json()) == SIGNER.public
    number = (2**64 - 7).to_bytes(8)
    assert SIGNER.public.kid == sha256(b"tally/kid/v1\n" + number + SIGNER.public.raw).digest()[:16]


def test_a_key_of_another_curve_is_none_of_its_keys() -> None:
    for curve in (ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1()):
        with pytest.raises(Malformed):
            suites.by_private(ec.generate_private_key(curve))
    assert suites.by_private(SIGNER.private) is ES256


# --- between suites ---


def test_the_bytes_of_an_ed25519_key_are_no_es256_key_and_the_reverse() -> None:
    edwards = from_seed(b"signer").public
    for public in (PublicKey(-7, edwards.raw), PublicKey(-8, SIGNER.public.raw)):
        with pytest.raises(Malformed) as error:
            PublicKey.from_json(public.as_json())
        assert error.value.code == "key-invalid"
        for signer in (from_seed(b"signer"), SIGNER):
            assert not public.verify(signer.sign(b"message"), b"message")


def test_a_signature_of_one_suite_is_none_of_another() -> None:
    edwards = from_seed(b"signer")
    assert not ES256.verify(SIGNER.public.raw, edwards.sign(b"message"), b"message")
    assert not ED25519.verify(edwards.public.raw, SIGNER.sign(b"message"), b"message")


def test_it_has_no_type_in_notes() -> None:
    for code, refused in (
        ("suite-not-for-notes", lambda: NoteKey("a.example", SIGNER.public, cosigner=False)),
        ("suite-not-for-notes", lambda: sign_note("text\n", "a.example", SIGNER)),
        ("suite-not-for-cosignatures", lambda: NoteKey("a.example", SIGNER.public, cosigner=True)),
        ("suite-not-for-cosignatures", lambda: cosign("text\n", "a.example", SIGNER, 1)),
    ):
        with pytest.raises(Malformed) as error:
            refused()
        assert error.value.code == code


# --- in statements ---


def statement() -> Statement:
    return sign_statement(
        SIGNER,
        kind="submission",
        issuer="bus",
        subject="a batch",
        audience=bytes(32),
        expires=1,
        payload={},
    )


def signed_again(of: Statement, signature: bytes) -> Statement:
    data = of.data.replace(of.signature, signature)
    return parse_statement(data)


def test_a_statement_is_signed_and_verifies() -> None:
    made = statement()
    assert (made.alg, made.kid) == (-7, SIGNER.public.kid)
    assert parse_statement(made.data) == made
    assert made.verify(SIGNER.public)
    assert not made.verify(es256("other").public)


def test_another_signature_of_a_statement_gives_the_same_id() -> None:
    made = statement()
    r, s = decode_dss_signature(SIGNER.private.sign(made.signed, SHA_256))
    again = signed_again(made, pair(r, min(s, N - s)))
    assert again.data != made.data
    assert again.verify(SIGNER.public)
    assert again.id == made.id


def test_a_statement_with_a_high_s_does_not_verify() -> None:
    made = statement()
    assert not signed_again(made, high_s(made.signature)).verify(SIGNER.public)


def test_a_statement_under_the_other_suites_number_does_not_verify() -> None:
    edwards = from_seed(b"bus")
    made = statement()
    # The number in the header is changed, and what is then signed, is signed by either key.
    header = made.signed.index(b"\xa4\x01\x26")
    other = made.signed[: header + 2] + b"\x27" + made.signed[header + 3 :]
    assert other != made.signed
    for signer in (SIGNER, edwards):
        signature = signer.sign(other)
        forged = made.data.replace(b"\xa4\x01\x26", b"\xa4\x01\x27", 1)
        read = parse_statement(forged.replace(made.signature, signature))
        assert (read.alg, read.signed) == (-8, other)
        for public in (SIGNER.public, edwards.public, PublicKey(-8, SIGNER.public.raw)):
            assert not read.verify(public)
