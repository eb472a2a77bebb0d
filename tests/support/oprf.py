"""RFC 9497 in verifiable mode, ristretto255-SHA512, a second time and from the RFCs alone.

Slow and without secrets: every scalar that the RFC draws at random is given.  RFC 9496 gives the
group, RFC 9380 (section 5.3.1) the hashing.
"""

from collections.abc import Sequence
from hashlib import sha512

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
I = pow(2, (P - 1) // 4, P)  # noqa: E741 (the square root of -1)
CONTEXT = b"OPRFV1-\x01-ristretto255-SHA512"
Point = tuple[int, int, int, int]
"""x, y, z, t with x y = z t."""


# --- RFC 9496 ---


def _absolute(number: int) -> int:
    return P - number if number & 1 else number


def _root(u: int, v: int) -> tuple[bool, int]:
    """SQRT_RATIO_M1, section 4.2."""
    r = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    if check in (-u % P, -u * I % P):
        r = r * I % P
    return check in (u % P, -u % P), _absolute(r)


_, INVSQRT_A_MINUS_D = _root(1, -1 - D)
_, _AD_MINUS_ONE = _root(-D - 1, 1)
# The RFC's constant is the odd one of the two roots.
SQRT_AD_MINUS_ONE = P - _AD_MINUS_ONE


def add(a: Point, b: Point) -> Point:
    """The sum of two points (RFC 8032, section 5.1.4)."""
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    k, m = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
    c, d = 2 * D * t1 * t2, 2 * z1 * z2
    e, f, g, h = m - k, d - c, d + c, m + k
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number: int, point: Point) -> Point:
    """A multiple of a point."""
    total: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = add(total, point)
        point, number = add(point, point), number >> 1
    return total


def decode(encoded: bytes) -> Point:
    """Section 4.3.1; raises `ValueError`."""
    s = int.from_bytes(encoded, "little")
    u1, u2 = 1 - s * s, 1 + s * s
    v = (-D * u1 * u1 - u2 * u2) % P
    square, inverse = _root(1, v * u2 * u2 % P)
    x = _absolute(2 * s * inverse * u2 % P)
    y = u1 * inverse * inverse * u2 * v % P
    if len(encoded) != 32 or s >= P or s & 1 or not square or x * y % P & 1 or y == 0:
        raise ValueError("no element")
    return x, y, 1, x * y % P


def encode(point: Point) -> bytes:
    """Section 4.3.2."""
    x, y, z, t = point
    u1, u2 = (z + y) * (z - y) % P, x * y % P
    _, inverse = _root(1, u1 * u2 * u2 % P)
    den1, den2 = inverse * u1 % P, inverse * u2 % P
    z_inverse = den1 * den2 * t % P
    if t * z_inverse % P & 1:
        x, y, den2 = y * I % P, x * I % P, den1 * INVSQRT_A_MINUS_D % P
    if x * z_inverse % P & 1:
        y = -y
    return _absolute(den2 * (z - y) % P).to_bytes(32, "little")


def _map(data: bytes) -> Point:
    """MAP, section 4.3.4."""
    number = int.from_bytes(data, "little") % 2**255 % P
    r = I * number * number % P
    u, v = (r + 1) * (1 - D * D) % P, (-1 - r * D) * (r + D) % P
    square, s = _root(u, v)
    c = P - 1
    if not square:
        s, c = P - _absolute(s * number % P), r
    n = (c * (r - 1) * (D - 1) ** 2 - v) % P
    w0, w1, w2, w3 = 2 * s * v, n * SQRT_AD_MINUS_ONE, 1 - s * s, 1 + s * s
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def from_uniform(data: bytes) -> Point:
    """A point from 64 bytes."""
    return add(_map(data[:32]), _map(data[32:]))


BASE = decode(bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))


# --- RFC 9497 ---


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2) + data


def _uniform(data: bytes, tag: bytes) -> bytes:
    """expand_message_xmd to 64 bytes."""
    tag += bytes((len(tag),))
    first = sha512(bytes(128) + data + (64).to_bytes(2) + b"\0" + tag).digest()
    return sha512(first + b"\1" + tag).digest()


def scalar(data: bytes, tag: bytes = b"HashToScalar-" + CONTEXT) -> int:
    """HashToScalar."""
    return int.from_bytes(_uniform(data, tag), "little") % L


def derive(seed: bytes, info: bytes) -> int:
    """DeriveKeyPair: the private key."""
    return scalar(seed + _sized(info) + b"\0", b"DeriveKeyPair" + CONTEXT)


def public(key: int) -> bytes:
    """The public key of a private one."""
    return encode(times(key, BASE))


def _hashed(data: bytes) -> Point:
    return from_uniform(_uniform(data, b"HashToGroup-" + CONTEXT))


def blind(data: bytes, by: int) -> bytes:
    """The blinded element of an input."""
    return encode(times(by, _hashed(data)))


def evaluate(key: int, blinded: Sequence[bytes]) -> list[bytes]:
    """What the elements become."""
    return [encode(times(key, decode(element))) for element in blinded]


def _composite(known: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes]) -> list[Point]:
    seed = sha512(_sized(known) + _sized(b"Seed-" + CONTEXT)).digest()
    sums: list[Point] = [(0, 1, 1, 0), (0, 1, 1, 0)]
    for place, pair in enumerate(zip(blinded, evaluated, strict=True)):
        written = b"".join(map(_sized, pair))
        weight = scalar(_sized(seed) + place.to_bytes(2) + written + b"Composite")
        sums = [add(s, times(weight, decode(e))) for s, e in zip(sums, pair, strict=True)]
    return sums


def _challenge(known: bytes, *points: Point) -> int:
    written = b"".join(_sized(encode(point)) for point in points)
    return scalar(_sized(known) + written + b"Challenge")


def prove(key: int, blinded: Sequence[bytes], evaluated: Sequence[bytes], by: int) -> bytes:
    """GenerateProof, with the random scalar ``by``."""
    known = public(key)
    m, z = _composite(known, blinded, evaluated)
    c = _challenge(known, m, z, times(by, BASE), times(by, m))
    return c.to_bytes(32, "little") + ((by - c * key) % L).to_bytes(32, "little")


def proves(
    known: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes], proof: bytes
) -> bool:
    """VerifyProof."""
    m, z = _composite(known, blinded, evaluated)
    c, s = (int.from_bytes(part, "little") for part in (proof[:32], proof[32:]))
    t2 = add(times(s, BASE), times(c, decode(known)))
    return c == _challenge(known, m, z, t2, add(times(s, m), times(c, z)))


def output(data: bytes, by: int, evaluated: bytes) -> bytes:
    """Finalize, after the proof was verified."""
    unblinded = encode(times(pow(by, -1, L), decode(evaluated)))
    return sha512(_sized(data) + _sized(unblinded) + b"Finalize").digest()
