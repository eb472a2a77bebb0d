"""Spans on lines: the one thing that the ledger keeps unique, and how it is hashed.

A *claim* is a half-open span ``[start, end)`` of integers on a *line*.  The register is the
authenticated map of all live spans.  All integers are unsigned and big-endian.

*Line*: 24 bytes, ``day (2) ‖ line_id (22)``; the line_id is the class's number (1) and the first
21 bytes of SHA-256 over ``"tally/line/v1" LF ‖ CBOR array of the line's parts (texts)`` and, on a
dated line, ``‖ day (2)``.  The day is counted from 1970-01-01 at the ledger's fixed offset from
UTC; it is 0 on lines that are not dated.

*Key*: 32 bytes, ``line (24) ‖ start (8)``.  Spans of one line are neighbours in the order of keys.

*Leaf*: ``SHA-256(0x10 ‖ key ‖ value)`` with ``value = SHA-256(end (8) ‖ holder (32))``.

*Inner node*: ``SHA-256(0x11 ‖ bits (2) ‖ prefix ‖ left ‖ right)``: ``bits`` is the length of the
longest common prefix of all keys below, ``prefix`` those bits, padded with zeros to whole bytes.
Keys with a 0 at position ``bits`` stand to the left.  The prefix is committed so that no builder
can hide a key where a proof does not look.  A tree with no spans has a root of 32 zero bytes.

The *holder* says what claims the span: ``SHA-256("tally/holder/" ‖ kind ‖ "/v1" LF ‖ content)``.
"""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import NamedTuple

from chain.kernel import in_kernel
from keys.strict import dump_cbor

FOREVER = 2**63 - 1
LINE_SIZE = 24
KEY_SIZE = 32
HASH_SIZE = 32
LINE_BITS = LINE_SIZE * 8
KEY_BITS = KEY_SIZE * 8
EMPTY_ROOT = bytes(HASH_SIZE)


class Span(NamedTuple):
    """A live span: its line (24 bytes), the half-open ``[start, end)``, and its holder."""

    line: bytes
    start: int
    end: int
    holder: bytes

    @property
    def key(self) -> bytes:
        """The span's key in the register, 32 bytes."""
        return self.line + self.start.to_bytes(8)

    @property
    def day(self) -> int:
        """The day of a dated line; 0 on others."""
        return int.from_bytes(self.line[:2])

    @property
    def class_number(self) -> int:
        """The number of the line's class."""
        return self.line[2]

    def as_json(self) -> dict[str, object]:
        """The span as programs read it."""
        return {
            "line": self.line.hex(),
            "start": self.start,
            "end": self.end,
            "holder": self.holder.hex(),
        }


@in_kernel
def make_line(class_number: int, parts: Iterable[str], day: int | None = None) -> bytes:
    """The 24 bytes of a line; ``day`` is None on lines that are not dated."""
    stamp = b"" if day is None else day.to_bytes(2)
    named = sha256(b"tally/line/v1\n" + dump_cbor(list(parts)) + stamp).digest()
    return (stamp or b"\0\0") + bytes((class_number,)) + named[:21]


def make_holder(kind: str, content: bytes) -> bytes:
    """The 32 bytes that stand in the register for what claims a span."""
    return sha256(b"tally/holder/" + kind.encode() + b"/v1\n" + content).digest()


def value_hash(end: int, holder: bytes) -> bytes:
    """What a leaf commits to beside its key."""
    return sha256(end.to_bytes(8) + holder).digest()


def leaf_hash(key: bytes, value: bytes) -> bytes:
    """The hash of a leaf, from its key and its value hash."""
    return sha256(b"\x10" + key + value).digest()


#: The last byte of a prefix that ends ``rest`` bits into it; nothing if it ends on a whole byte.
_LAST = [
    [bytes((byte & 0xFF00 >> rest & 0xFF,)) * (rest > 0) for byte in range(256)]
    for rest in range(8)
]


def node_heads(tag: int) -> Callable[[int, bytes], bytes]:
    """What inner nodes of a path-compressed tree hash before their children, by bits and key.

    It is the tag (1), the bit length (2) and the prefix: the first ``bits`` bits of the key.
    """
    tags = [bytes((tag,)) + bits.to_bytes(2) for bits in range(KEY_BITS)]

    def head(bits: int, key: bytes) -> bytes:
        whole = bits >> 3
        return tags[bits] + key[:whole] + _LAST[bits & 7][key[whole]]

    return head


node_head = node_heads(0x11)


def node_hash(bits: int, key: bytes, left: bytes, right: bytes) -> bytes:
    """The hash of the inner node whose prefix is the first ``bits`` bits of ``key``."""
    return sha256(node_head(bits, key) + left + right).digest()


def prefix(bits: int, key: bytes) -> bytes:
    """The first ``bits`` bits of ``key``, padded with zeros to whole bytes."""
    return node_head(bits, key)[3:]


def bit(key: bytes, position: int) -> int:
    """The bit of ``key`` at ``position``, counted from the most significant."""
    return key[position >> 3] >> (7 - (position & 7)) & 1


def common_bits(one: bytes, other: bytes) -> int:
    """The length in bits of the longest common prefix of two byte strings of one size."""
    return 8 * len(one) - (int.from_bytes(one) ^ int.from_bytes(other)).bit_length()
