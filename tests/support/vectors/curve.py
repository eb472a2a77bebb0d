"""The curve of Ed25519, for signatures that no honest signer makes.  RFC 8032, section 5.1."""

from hashlib import sha512

from keys.signer import KeySigner

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """The sum of two points."""
    (x1, y1), (x2, y2) = a, b
    k = _D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - k, -1, P)
    return x % P, y % P


def times(number: int, point: Point) -> Point:
    """A multiple of a point."""
    total = (0, 1)
    while number:
        if number & 1:
            total = add(total, point)
        point, number = add(point, point), number >> 1
    return total


def encode(point: Point) -> bytes:
    """A point as keys and signatures have it."""
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def x_of(y: int) -> int | None:
    """The even x of a point of the curve; None if there is none."""
    square = (y * y - 1) * pow(_D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    for x in (root, root * pow(2, (P - 1) // 4, P) % P):
        if x * x % P == square:
            return min(x, P - x, key=lambda other: other % 2)
    return None


def _point(y: int) -> Point:
    x = x_of(y)
    if x is None:
        raise AssertionError("not on the curve")
    return x, y


BASE = _point(4 * pow(5, -1, P) % P)


def of_order_8() -> Point:
    """A point of order 8: what is left of some point of the curve after L times it."""
    for y in range(2, 100):
        if x_of(y) is not None:
            left = times(L, _point(y))
            if times(4, left) != (0, 1):
                return left
    raise AssertionError("none found")


def hashed(*parts: bytes) -> int:
    """k of a signature."""
    return int.from_bytes(sha512(b"".join(parts)).digest(), "little") % L


def secret(signer: KeySigner) -> int:
    """The secret scalar of a key."""
    digest = sha512(signer.private.private_bytes_raw()).digest()
    return int.from_bytes(digest[:32], "little") & ~7 & (1 << 254) - 1 | 1 << 254


def sign_as(public: bytes, scalar: int, message: bytes, beside: Point = (0, 1)) -> bytes:
    """A signature under ``public`` by ``scalar``; R is a multiple of the base, and ``beside``."""
    nonce = hashed(b"nonce", message)
    shown = encode(add(times(nonce, BASE), beside))
    answer = (nonce + hashed(shown, public, message) * scalar) % L
    return shown + answer.to_bytes(32, "little")
