"""Reductions: what an activity becomes under its methodology.  Members see them, all their hashes.

A reduction is the deterministic CBOR (RFC 8949, section 4.2.1) of::

    [1, platform, scenario, methodology version, day of its start, grams, [claim, …], digest]

where a claim is ``[day, line_id (22 bytes), start, end]``, or ``[day, line_id]`` on a cap, where
the rules give it the lowest free seat; ``digest`` is its activity's.  Its leaf hash is
``SHA-256(0x00 ‖ bytes)``; its holder in the register is that of kind "reduction" over the leaf.
A file of reductions is each one's length (2 bytes) and its bytes, one after the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from chain.classes import is_slug
from chain.spans import FOREVER, make_holder
from keys.errors import Malformed
from keys.strict import DAY_MAX, dump_cbor, fields, parse_cbor, parse_hex

REDUCTION_BYTES_MAX = 65_535
CLAIMS_MAX = 128
SUBMISSION_COUNT_MAX = 65_536
GRAMS_MAX = 2**53 - 1
_LINE_ID_SIZE = 22


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of a reduction: a span on a line, or a seat that the rules choose (start None)."""

    line: bytes
    start: int | None = None
    end: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # To pickle by attributes takes longer than to read the bytes again.
        return Claim, (self.line, self.start, self.end)

    @property
    def day(self) -> int:
        """The day of the line."""
        return int.from_bytes(self.line[:2])


@dataclass(frozen=True, slots=True)
class Reduction:
    """One reduction, its bytes and the hashes that stand for it."""

    platform: str
    scenario: str
    version: int
    day: int
    grams: int
    claims: tuple[Claim, ...]
    digest: bytes
    data: bytes
    leaf: bytes
    holder: bytes

    def __reduce__(self) -> tuple[Any, ...]:
        return Reduction, (
            self.platform,
            self.scenario,
            self.version,
            self.day,
            self.grams,
            self.claims,
            self.digest,
            self.data,
            self.leaf,
            self.holder,
        )

    @classmethod
    def make(
        cls,
        platform: str,
        scenario: str,
        version: int,
        day: int,
        grams: int,
        claims: tuple[Claim, ...],
        digest: bytes,
    ) -> "Reduction":
        """A reduction from its parts."""
        rows: list[list[int | bytes | None]] = [
            [c.day, c.line[2:]] if c.start is None else [c.day, c.line[2:], c.start, c.end]
            for c in claims
        ]
        data = dump_cbor([1, platform, scenario, version, day, grams, rows, digest])
        return cls._hashed(platform, scenario, version, day, grams, claims, digest, data)

    @classmethod
    def parse(cls, data: bytes) -> "Reduction":
        """Read a reduction; raises `Malformed` for any bytes but the one form."""
        if len(data) > REDUCTION_BYTES_MAX:
            raise Malformed("reduction-malformed", reason="it is too long")
        value = parse_cbor(data)
        if not isinstance(value, list) or len(value) != 8 or value[0] != 1:
            raise Malformed("reduction-malformed", reason="it is not a list of eight, format 1")
        _, platform, scenario, version, day, grams, rows, digest = value
        if not (is_slug(platform) and is_slug(scenario)):
            raise Malformed("reduction-malformed", reason="its platform or scenario is no name")
        for number, least, most in (
            (value[0], 1, 1),
            (version, 1, FOREVER),
            (day, 0, DAY_MAX),
            (grams, 1, GRAMS_MAX),
        ):
            if type(number) is not int or not least <= number <= most:
                raise Malformed("reduction-malformed", reason="a number is out of range")
        if not isinstance(digest, bytes) or len(digest) != 32:
            raise Malformed("reduction-malformed", reason="its activity digest is not 32 bytes")
        if not isinstance(rows, list) or not 1 <= len(rows) <= CLAIMS_MAX:
            raise Malformed("reduction-malformed", reason=f"it has not 1 to {CLAIMS_MAX} claims")
        claims = tuple(map(_read_claim, rows))
        return cls._hashed(platform, scenario, version, day, grams, claims, digest, data)

    @classmethod
    def _hashed(
        cls,
        platform: str,
        scenario: str,
        version: int,
        day: int,
        grams: int,
        claims: tuple[Claim, ...],
        digest: bytes,
        data: bytes,
    ) -> "Reduction":
        leaf = sha256(b"\0" + data).digest()
        return cls(
            platform,
            scenario,
            version,
            day,
            grams,
            claims,
            digest,
            data,
            leaf,
            make_holder("reduction", leaf),
        )


def _read_claim(row: Any) -> Claim:
    if isinstance(row, list) and len(row) in (2, 4):
        day, line_id, *span = row
        if (
            type(day) is int
            and 0 <= day <= DAY_MAX
            and isinstance(line_id, bytes)
            and len(line_id) == _LINE_ID_SIZE
        ):
            line = day.to_bytes(2) + line_id
            if not span:
                return Claim(line)
            start, end = span
            if type(start) is int and type(end) is int and 0 <= start < end <= FOREVER:
                return Claim(line, start, end)
    raise Malformed("reduction-malformed", reason="a claim is not [day, line, start, end]")


def dump_reductions(reductions: Iterable[Reduction]) -> bytes:
    """A file of reductions."""
    parts = []
    for reduction in reductions:
        parts.append(len(reduction.data).to_bytes(2))
        parts.append(reduction.data)
    return b"".join(parts)


def split_reductions(data: bytes) -> list[bytes]:
    """The bytes of each reduction of a file, at most 65,536; raises `Malformed`."""
    items: list[bytes] = []
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2])
        item = data[at + 2 : at + 2 + size]
        if at + 2 > len(data) or len(item) != size or len(items) >= SUBMISSION_COUNT_MAX:
            raise Malformed("reduction-malformed", reason="the file of reductions is cut off")
        items.append(item)
        at += 2 + size
    return items


def parse_reductions(data: bytes) -> list[Reduction]:
    """Read a file of reductions, at most 65,536; raises `Malformed`."""
    return list(map(Reduction.parse, split_reductions(data)))


def total_grams(reductions: Sequence[Reduction]) -> int:
    """The sum of the grams of ``reductions``."""
    return sum(reduction.grams for reduction in reductions)


Named = tuple[int, int, bytes]
"""A reduction as a statement names it: its submission's log index, its position, its holder."""


def read_named(items: Sequence[object], kind: str, *, least: int = 0) -> list[Named]:
    """The reductions that a statement of ``kind`` names, as {index, position, holder} each.

    Raises `Malformed`, "<kind>-list" if one is named twice, or fewer than ``least`` are.
    """
    named = []
    for item in items:
        given = fields(item, kind, {"index": int, "position": int, "holder": str})
        if given["index"] < 0 or given["position"] < 0:
            raise Malformed(f"{kind}-list")
        named.append((given["index"], given["position"], parse_hex(given["holder"], 32)))
    if not len({holder for _, _, holder in named}) == len(named) >= least:
        raise Malformed(f"{kind}-list")
    return named


def check_named(named: Sequence[Named], reductions: Sequence[Reduction], kind: str) -> None:
    """Raise `Malformed` unless these are the reductions that a statement of ``kind`` names."""
    if [holder for _, _, holder in named] != [reduction.holder for reduction in reductions]:
        raise Malformed(f"{kind}-list")
