"""Proofs about spans: *held* (this span is live, with this holder) and *free* (no span overlaps).

A proof is checked against one register root; `chain.spans` gives the hashes.  What is accepted:

1. A *path* lists, from the root down, for each inner node its bit length and the hash of the
   child that is not on the way (`Step`).  The node's prefix and the direction are computed from
   the key, never taken from the proof.
2. Bit lengths strictly increase, each at most 255; all paths of a proof end in the same root.
3. *Held*: ``start < end``; the class of the line allows the span; the neighbours on the line are
   shown, the one before ends at or before ``start``, the one after starts at or after ``end``.
4. There is no span after on the line exactly if no node of the path of 192 bits or more has the
   key on its left.  Otherwise the path of the span after shares the nodes down to the deepest
   such node, leaves it to the right, and goes left only.  Mirrored for the span before.
5. *Free*, when the line has spans: the last that starts before ``start``, which ends by it, and
   the first that starts at or after ``end``, side by side by rule 4; where one is missing, the
   other is the first or the last of its line.  When the line has none: following the line's 24
   bytes leads, by nodes shorter than 192 bits, to a leaf of another line, or to an inner node,
   shown in full, whose prefix contradicts the line.
6. A root of 32 zero bytes proves that everything is free, and is never a child.
7. The class of the line decides what a span on it may be: seconds within the day of the line, one
   seat, day 0 on a line without a day (`chain.classes`).

Many spans at once (`check_held_many`) are held by one multiproof (`chain.multiproofs`), by the same
rules in another form.  Its leaves are the spans, which the reader knows, and the neighbours that
stand on their lines: one before a span *opened* (``start (8) ‖ end (8) ‖ holder (32)``, mark 2),
one that only comes after a span *closed* (``start (8) ‖ value (32)``, mark 3).  Two items that are
parted at 192 bits or more are of one line.  Where one of them is a span, the other is no hidden
subtree, on the span's left it is open, and they do not overlap.

In JSON: hashes in lower-case hexadecimal, a path as a list of ``[bits, hash]``; see `Held.as_json`
and `Free.as_json`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from chain.multiproofs import HIDDEN, KNOWN, Item, Multiproof, fold
from chain.spans import (
    EMPTY_ROOT,
    FOREVER,
    HASH_SIZE,
    KEY_BITS,
    LINE_BITS,
    LINE_SIZE,
    Span,
    bit,
    common_bits,
    leaf_hash,
    node_hash,
    prefix,
    value_hash,
)
from keys.errors import Malformed, VerificationError
from keys.strict import fields, parse_hex

OPENED, CLOSED = 2, 3
MANY_PARTS = (0, HASH_SIZE, 8 + 8 + HASH_SIZE, 8 + HASH_SIZE)
"""The sizes of what an item of a multiproof of spans shows, by its mark."""

SpanCheck = Callable[[bytes, int, int], None]
"""Raises `VerificationError` if the class of a line does not allow ``[start, end)`` on it."""


class Step(NamedTuple):
    """One inner node on the way down: its bit length, and the child that is not on the way."""

    bits: int
    sibling: bytes


Path = tuple[Step, ...]


@dataclass(frozen=True)
class Neighbour:
    """A span of the same line that comes before, opened so that its end can be seen."""

    start: int
    end: int
    holder: bytes
    path: Path


@dataclass(frozen=True)
class Leaf:
    """A leaf shown without what it holds.

    As a neighbour after, ``start`` stands on the same line; as the end of an absence proof,
    ``line`` is the other line on which it stands.
    """

    start: int
    value: bytes
    path: Path = ()
    line: bytes = b""

    @classmethod
    def of(cls, key: bytes, value: bytes) -> "Leaf":
        """The leaf at ``key``, as the end of an absence proof."""
        return cls(int.from_bytes(key[LINE_SIZE:]), value, (), key[:LINE_SIZE])


@dataclass(frozen=True)
class Inner:
    """An inner node shown in full."""

    bits: int
    prefix: bytes
    left: bytes
    right: bytes


@dataclass(frozen=True)
class Present:
    """The line has spans: its neighbours of a free stretch; at least one of them."""

    before: Neighbour | None
    after: Leaf | None


@dataclass(frozen=True)
class Absent:
    """The line has no spans: the path that its name leads, and what stands at its end."""

    path: Path
    end: Leaf | Inner


@dataclass(frozen=True)
class Held:
    """Proof that a span is live and that no neighbour reaches into it."""

    span: Span
    path: Path
    before: Neighbour | None
    after: Leaf | None

    def as_json(self) -> dict[str, Any]:
        """The proof as it stands in a bundle."""
        return {
            **self.span.as_json(),
            "path": _path_json(self.path),
            "before": _before_json(self.before),
            "after": _after_json(self.after),
        }

    @classmethod
    def from_json(cls, value: object) -> "Held":
        """Read a proof; raises `Malformed`."""
        given = fields(
            value,
            "held",
            {
                "line": str,
                "start": int,
                "end": int,
                "holder": str,
                "path": list,
                "before": (dict, type(None)),
                "after": (dict, type(None)),
            },
        )
        return cls(
            Span(
                parse_hex(given["line"], LINE_SIZE),
                _number(given["start"]),
                _number(given["end"]),
                parse_hex(given["holder"], HASH_SIZE),
            ),
            _read_path(given["path"]),
            _read_before(given["before"]),
            _read_after(given["after"]),
        )


@dataclass(frozen=True)
class Free:
    """Proof that no live span on ``line`` overlaps ``[start, end)``; evidence None: no spans."""

    line: bytes
    start: int
    end: int
    evidence: Present | Absent | None

    def as_json(self) -> dict[str, Any]:
        """The proof as it stands in a bundle."""
        made: dict[str, Any] = {"line": self.line.hex(), "start": self.start, "end": self.end}
        match self.evidence:
            case Present(before, after):
                made["present"] = {"before": _before_json(before), "after": _after_json(after)}
            case Absent(path, Leaf() as leaf):
                made["absent"] = {
                    "path": _path_json(path),
                    "leaf": {
                        "line": leaf.line.hex(),
                        "start": leaf.start,
                        "value": leaf.value.hex(),
                    },
                }
            case Absent(path, Inner() as inner):
                made["absent"] = {
                    "path": _path_json(path),
                    "inner": {
                        "bits": inner.bits,
                        "prefix": inner.prefix.hex(),
                        "left": inner.left.hex(),
                        "right": inner.right.hex(),
                    },
                }
        return made

    @classmethod
    def from_json(cls, value: object) -> "Free":
        """Read a proof; raises `Malformed`."""
        given = fields(
            value,
            "free",
            {"line": str, "start": int, "end": int},
            {"present": dict, "absent": dict},
        )
        evidence: Present | Absent | None = None
        if "present" in given and "absent" in given:
            raise Malformed("field-unknown", where="free", field="absent")
        if "present" in given:
            optional = (dict, type(None))
            shown = fields(given["present"], "present", {"before": optional, "after": optional})
            evidence = Present(_read_before(shown["before"]), _read_after(shown["after"]))
        elif "absent" in given:
            evidence = _read_absent(given["absent"])
        return cls(
            parse_hex(given["line"], LINE_SIZE),
            _number(given["start"]),
            _number(given["end"]),
            evidence,
        )


# --- acceptance ---


def check_held(root: bytes, proof: Held, allows: SpanCheck) -> None:
    """Accept ``proof`` under ``root`` by the rules above, or raise `VerificationError`."""
    span = proof.span
    _check_span(span.line, span.start, span.end, allows)
    _check_holder(span.holder)
    top = path_root(span.key, leaf_hash(span.key, value_hash(span.end, span.holder)), proof.path)
    if top != root:
        raise VerificationError("held-root-differs")
    _check_neighbours(root, proof)


def check_held_many(root: bytes, spans: Iterable[Span], proof: bytes, allows: SpanCheck) -> None:
    """Accept that all ``spans`` are held under ``root``, or raise `VerificationError`.

    proof: their multiproof, as `chain.register.Register.held_many` gives it.  A span that stands
    twice among them is refused: a span has one holder.
    """
    shown = Multiproof.parse(proof, MANY_PARTS)
    ordered = sorted(spans)
    if shown.marks.count(KNOWN) != len(ordered):
        raise VerificationError("multiproof-leaves")
    for span in ordered:
        _check_span(span.line, span.start, span.end, allows)
        _check_holder(span.holder)
    if any(one.key == other.key for one, other in pairwise(ordered)):
        raise VerificationError("span-twice")
    leaves = _read_leaves(shown, ordered)
    items = [leaf.item for leaf in leaves]
    if fold(node_hash, items, shown.bits) != root:
        raise VerificationError("held-root-differs")
    for bits, (left, right) in zip(shown.bits, pairwise(leaves), strict=True):
        if bits >= LINE_BITS and KNOWN in (left.mark, right.mark):
            # A closed leaf cannot show that it ends before a span; a hidden one shows nothing.
            if left.end is None or right.start is None:
                raise VerificationError("neighbour-left-out")
            if not left.end <= right.start <= FOREVER:
                raise VerificationError("neighbour-overlaps")


class _Leaf(NamedTuple):
    """An item of a multiproof of spans; what it does not show is None."""

    mark: int
    item: Item
    start: int | None = None
    end: int | None = None


def _read_leaves(shown: Multiproof, spans: Sequence[Span]) -> list[_Leaf]:
    """The items of a multiproof of ``spans``: a neighbour is on the line of the span it is next
    to."""
    leaves: list[_Leaf] = []
    place = 0
    for at, (mark, part) in enumerate(zip(shown.marks, shown.parts, strict=True)):
        start, end = int.from_bytes(part[:8]), int.from_bytes(part[8:16])
        if mark == KNOWN:
            line, start, end, holder = spans[place]
            place += 1
            value = value_hash(end, holder)
            made = _Leaf(mark, _item(line, start, value), start, end)
        elif mark == HIDDEN:
            made = _Leaf(mark, Item(None, part))
        elif mark == OPENED:
            if shown.marks[at + 1 : at + 2] != [KNOWN]:
                raise VerificationError("multiproof-malformed")
            value = value_hash(end, part[16:])
            made = _Leaf(mark, _item(spans[place].line, start, value), start, end)
        else:
            if shown.marks[max(at - 1, 0)] != KNOWN:
                raise VerificationError("multiproof-malformed")
            made = _Leaf(mark, _item(spans[place - 1].line, start, part[8:]), start)
        leaves.append(made)
    return leaves


def _item(line: bytes, start: int, value: bytes) -> Item:
    key = line + start.to_bytes(8)
    return Item(key, leaf_hash(key, value))


def check_free(root: bytes, proof: Free, allows: SpanCheck) -> None:
    """Accept ``proof`` under ``root`` by the rules above, or raise `VerificationError`."""
    _check_span(proof.line, proof.start, proof.end, allows)
    match proof.evidence:
        case None:
            if root != EMPTY_ROOT:
                raise VerificationError("free-root-differs")
        case Present(before, after):
            _check_gap(root, proof, before, after)
        case Absent(path, end):
            _check_absent(root, proof.line, path, end)


def _check_span(line: bytes, start: int, end: int, allows: SpanCheck) -> None:
    if len(line) != LINE_SIZE or not 0 <= start < end <= FOREVER:
        raise VerificationError("span-invalid")
    allows(line, start, end)


def _check_holder(holder: bytes) -> None:
    if len(holder) != HASH_SIZE:
        raise VerificationError("span-invalid")


def _check_neighbours(root: bytes, proof: Held) -> None:
    """Rule 3: the neighbours of a held span do not reach into it, and none is left out."""
    span, before, after = proof.span, proof.before, proof.after
    if before is None:
        _check_first(span.key, proof.path)
    else:
        key = _check_before(root, span.line, before, span.start)
        _check_side_by_side(key, before.path, span.key, proof.path)
    if after is None:
        _check_last(span.key, proof.path)
    else:
        key = _check_after(root, span.line, after, span.end)
        _check_side_by_side(span.key, proof.path, key, after.path)


def _check_gap(root: bytes, proof: Free, before: Neighbour | None, after: Leaf | None) -> None:
    """Rule 5, when the line has spans."""
    if before is not None:
        before_key = _check_before(root, proof.line, before, proof.start)
        if after is None:
            _check_last(before_key, before.path)
    if after is not None:
        after_key = _check_after(root, proof.line, after, proof.end)
        if before is None:
            _check_first(after_key, after.path)
    if before is not None and after is not None:
        _check_side_by_side(before_key, before.path, after_key, after.path)
    if before is None and after is None:
        raise VerificationError("free-evidence-missing")


def _check_before(root: bytes, line: bytes, before: Neighbour, start: int) -> bytes:
    """The span before starts before ``start``, ends by it, and is under the root; its key."""
    if not 0 <= before.start < start or not 0 <= before.end <= start:
        raise VerificationError("neighbour-overlaps")
    _check_holder(before.holder)
    key = line + before.start.to_bytes(8)
    value = value_hash(before.end, before.holder)
    if path_root(key, leaf_hash(key, value), before.path) != root:
        raise VerificationError("neighbour-root-differs")
    return key


def _check_after(root: bytes, line: bytes, after: Leaf, end: int) -> bytes:
    """The span after starts at or after ``end`` and is under the root; its key."""
    if not end <= after.start <= FOREVER:
        raise VerificationError("neighbour-overlaps")
    if len(after.value) != HASH_SIZE:
        raise VerificationError("span-invalid")
    key = line + after.start.to_bytes(8)
    if path_root(key, leaf_hash(key, after.value), after.path) != root:
        raise VerificationError("neighbour-root-differs")
    return key


def _check_absent(root: bytes, line: bytes, path: Path, end: Leaf | Inner) -> None:
    """Rule 5, when the line has no spans."""
    # Only nodes shorter than a line's name can stand above a place where the line is not.
    if any(step.bits >= LINE_BITS for step in path):
        raise VerificationError("absent-path-too-long")
    key = line + bytes(8)
    match end:
        case Leaf():
            other = end.line + end.start.to_bytes(8)
            if len(end.line) != LINE_SIZE or len(end.value) != HASH_SIZE or end.line == line:
                raise VerificationError("absent-end-invalid")
            digest = leaf_hash(other, end.value)
        case Inner(bits, shown, left, right):
            matched = min(bits, LINE_BITS)
            if (
                not (path[-1].bits if path else -1) < bits < KEY_BITS
                or len(shown) != (bits + 7) // 8
                or EMPTY_ROOT in (left, right)
                or len(left) != HASH_SIZE
                or len(right) != HASH_SIZE
            ):
                raise VerificationError("absent-end-invalid")
            padded = shown.ljust(len(key), b"\0")
            if prefix(bits, padded) != shown or common_bits(padded, key) >= matched:
                raise VerificationError("absent-end-invalid")
            digest = node_hash(bits, padded, left, right)
    if path_root(key, digest, path) != root:
        raise VerificationError("free-root-differs")


def path_root(key: bytes, digest: bytes, path: Path) -> bytes:
    """The root to which ``path`` leads from ``digest`` at ``key`` (rules 1, 2 and 6)."""
    last = KEY_BITS
    for bits, sibling in reversed(path):
        if not 0 <= bits < last:
            raise VerificationError("path-not-descending")
        if len(sibling) != HASH_SIZE or sibling == EMPTY_ROOT:
            raise VerificationError("path-sibling-invalid")
        last = bits
        if bit(key, bits):
            digest = node_hash(bits, key, sibling, digest)
        else:
            digest = node_hash(bits, key, digest, sibling)
    return digest


def _check_first(key: bytes, path: Path) -> None:
    if any(step.bits >= LINE_BITS and bit(key, step.bits) for step in path):
        raise VerificationError("neighbour-left-out")


def _check_last(key: bytes, path: Path) -> None:
    if any(step.bits >= LINE_BITS and not bit(key, step.bits) for step in path):
        raise VerificationError("neighbour-left-out")


def _check_side_by_side(left: bytes, left_path: Path, right: bytes, right_path: Path) -> None:
    """Rule 4: no leaf stands between ``left`` and ``right``, both of one line and one root."""
    fork = -1
    for place, step in enumerate(left_path):
        if step.bits >= LINE_BITS and not bit(left, step.bits):
            fork = place
    if fork < 0 or fork >= len(right_path) or common_bits(left, right) != left_path[fork].bits:
        raise VerificationError("neighbour-not-adjacent")
    shared = left_path[:fork], right_path[:fork]
    if shared[0] != shared[1] or left_path[fork].bits != right_path[fork].bits:
        raise VerificationError("neighbour-not-adjacent")
    if any(bit(right, step.bits) for step in right_path[fork + 1 :]):
        raise VerificationError("neighbour-not-adjacent")


# --- JSON ---


def _path_json(path: Path) -> list[list[object]]:
    return [[step.bits, step.sibling.hex()] for step in path]


def _before_json(before: Neighbour | None) -> dict[str, object] | None:
    if before is None:
        return None
    return {
        "start": before.start,
        "end": before.end,
        "holder": before.holder.hex(),
        "path": _path_json(before.path),
    }


def _after_json(after: Leaf | None) -> dict[str, object] | None:
    if after is None:
        return None
    return {"start": after.start, "value": after.value.hex(), "path": _path_json(after.path)}


def _number(value: int) -> int:
    if not 0 <= value <= FOREVER:
        raise Malformed("json-integer-range")
    return value


def _read_path(value: list[Any]) -> Path:
    steps = []
    for pair in value:
        if not (isinstance(pair, list) and len(pair) == 2 and type(pair[0]) is int):
            raise Malformed("field-type", where="path", field="step", expected="[bits, hash]")
        steps.append(Step(pair[0], parse_hex(pair[1], HASH_SIZE)))
    if len(steps) > KEY_BITS:
        raise Malformed("field-type", where="path", field="steps", expected="at most 256")
    return tuple(steps)


def _read_before(value: object) -> Neighbour | None:
    if value is None:
        return None
    given = fields(value, "before", {"start": int, "end": int, "holder": str, "path": list})
    return Neighbour(
        _number(given["start"]),
        _number(given["end"]),
        parse_hex(given["holder"], HASH_SIZE),
        _read_path(given["path"]),
    )


def _read_after(value: object) -> Leaf | None:
    if value is None:
        return None
    given = fields(value, "after", {"start": int, "value": str, "path": list})
    return Leaf(
        _number(given["start"]), parse_hex(given["value"], HASH_SIZE), _read_path(given["path"])
    )


def _read_absent(value: object) -> Absent:
    given = fields(value, "absent", {"path": list}, {"leaf": dict, "inner": dict})
    if ("leaf" in given) == ("inner" in given):
        raise Malformed("field-missing", where="absent", field="leaf or inner")
    path = _read_path(given["path"])
    if "leaf" in given:
        shown = fields(given["leaf"], "leaf", {"line": str, "start": int, "value": str})
        return Absent(
            path,
            Leaf(
                _number(shown["start"]),
                parse_hex(shown["value"], HASH_SIZE),
                (),
                parse_hex(shown["line"], LINE_SIZE),
            ),
        )
    shown = fields(given["inner"], "inner", {"bits": int, "prefix": str, "left": str, "right": str})
    bits = shown["bits"]
    if not 0 <= bits < KEY_BITS:
        raise Malformed("field-type", where="inner", field="bits", expected="0 to 255")
    return Absent(
        path,
        Inner(
            bits,
            parse_hex(shown["prefix"], (bits + 7) // 8),
            parse_hex(shown["left"], HASH_SIZE),
            parse_hex(shown["right"], HASH_SIZE),
        ),
    )
