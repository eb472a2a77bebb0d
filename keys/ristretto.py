"""Whether 32 bytes are an element of ristretto255 (RFC 9496, section 4.3.1).

The rules hold the public keys of pseudonyms to this, and so does whoever replays them: without the
package that computes with elements (`keys.oprf`).
"""

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_MINUS_1 = pow(2, (_P - 1) // 4, _P)
ELEMENT_BYTES = 32


def is_element(encoded: bytes) -> bool:
    """Whether ``encoded`` is the one encoding of an element other than the identity."""
    s = int.from_bytes(encoded, "little")
    # The identity alone is 0; a negative number of the field is an odd one.
    if len(encoded) != ELEMENT_BYTES or not 0 < s < _P or s & 1:
        return False
    u1, u2 = (1 - s * s) % _P, (1 + s * s) % _P
    v = (-_D * u1 * u1 - u2 * u2) % _P
    square = v * u2 * u2 % _P
    root = pow(square, (_P + 3) // 8, _P)
    if root * root % _P != square:
        root = root * _SQRT_MINUS_1 % _P
    if not root or root * root % _P != square:
        return False
    # x is 2 s / sqrt(v), the even one of the two roots; y is u1 / u2.
    x = 2 * s * u2 * pow(root, -1, _P) % _P
    x = _P - x if x & 1 else x
    y = u1 * pow(u2, -1, _P) % _P
    return y != 0 and x * y % _P & 1 == 0
