"""Proofs that a span is held or a stretch is free: what is accepted, and each forgery by name."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.trees import root_of

from chain.calendar import Calendar
from chain.classes import Classes
from chain.genesis import default_classes
from chain.proofs import (
    Absent,
    Free,
    Held,
    Inner,
    Leaf,
    Neighbour,
    Path,
    Present,
    Step,
    check_free,
    check_held,
)
from chain.register import Register
from chain.spans import EMPTY_ROOT, FOREVER, Span, make_line, node_hash
from keys.errors import Malformed, VerificationError

CALENDAR = Calendar(8 * 3600)
ALLOWS = Classes(default_classes(), CALENDAR).allows
DAY = 20_000
MIDNIGHT = CALENDAR.start(DAY)
NOON = MIDNIGHT + 43_200
HOLDER, OTHER_HOLDER = sha256(b"one").digest(), sha256(b"other").digest()


def traveller(number: int, day: int = DAY) -> bytes:
    return make_line(1, [f"{number:032x}"], day)


ANN, BOB, ZOE = traveller(1), traveller(2), traveller(3)
TICKET, NO_TICKET = make_line(4, ["bus", "0" * 32]), make_line(4, ["bus", "1" * 32])
CAP = make_line(8, ["ride", "day", "0" * 32], DAY)
SERIES = make_line(12, ["registry", "a"])
STARTS = [NOON + 100 * number for number in range(7)]


def rides(line: bytes, holder: bytes = HOLDER) -> list[Span]:
    return [Span(line, start, start + 60, holder) for start in STARTS]


SPANS = [
    *rides(ANN),
    *rides(BOB, OTHER_HOLDER)[:2],
    *(rides(traveller(number))[0] for number in range(4, 8)),
    Span(TICKET, 0, FOREVER, HOLDER),
    *(Span(CAP, seat, seat + 1, HOLDER) for seat in range(2)),
    *(Span(SERIES, 50 * number, 50 * number + 50, HOLDER) for number in range(4)),
]


def register_of(*spans: Span) -> Register:
    made = Register()
    made.change(spans)
    return made


REGISTER = register_of(*SPANS)
ROOT = REGISTER.root()
HELD = REGISTER.held(ANN, STARTS[3])
GAP = (STARTS[3] + 60, STARTS[4])
FREE = REGISTER.free(ANN, *GAP)
FIRST, LAST = REGISTER.held(ANN, STARTS[0]), REGISTER.held(ANN, STARTS[-1])


def absences(kind: type[Leaf] | type[Inner]) -> Iterator[Free]:
    """Proofs for lines that are not there, which end in a leaf or in an inner node."""
    for number in range(10, 200):
        line = traveller(number)
        proof = REGISTER.free(line, NOON, NOON + 60)
        if isinstance(proof.evidence, Absent) and isinstance(proof.evidence.end, kind):
            yield proof


BY_LEAF, BY_INNER = next(absences(Leaf)), next(absences(Inner))
# One that ends under nodes whose bit lengths are no whole bytes, so that there is padding.
PADDED = next(
    proof
    for proof in absences(Inner)
    if isinstance(proof.evidence, Absent)
    and isinstance(proof.evidence.end, Inner)
    and proof.evidence.end.bits % 8
)


def refused(
    code: str, proof: Held | Free, root: bytes = ROOT, allows: Callable[..., None] = ALLOWS
) -> None:
    """The proof is refused, and for this reason."""
    with pytest.raises(VerificationError) as caught:
        accept(proof, root, allows)
    assert caught.value.code == code


def accept(
    proof: Held | Free, root: bytes = ROOT, allows: Callable[..., None] = ALLOWS
) -> Held | Free:
    if isinstance(proof, Held):
        check_held(root, proof, allows)
    else:
        check_free(root, proof, allows)
    return proof


def before(proof: Held | Free) -> Neighbour:
    found = proof.before if isinstance(proof, Held) else present(proof).before
    assert found is not None
    return found


def after(proof: Held | Free) -> Leaf:
    found = proof.after if isinstance(proof, Held) else present(proof).after
    assert found is not None
    return found


def present(proof: Free) -> Present:
    assert isinstance(proof.evidence, Present)
    return proof.evidence


def absent(proof: Free) -> Absent:
    assert isinstance(proof.evidence, Absent)
    return proof.evidence


def inner(proof: Free) -> Inner:
    end = absent(proof).end
    assert isinstance(end, Inner)
    return end


def neighbour(start: int, line: bytes = ANN) -> Neighbour:
    """The span that starts here, shown as the one before."""
    proof = REGISTER.held(line, start)
    return Neighbour(start, proof.span.end, proof.span.holder, proof.path)


def follower(start: int, line: bytes = ANN) -> Leaf:
    """The span that starts here, shown as the one after."""
    proof = REGISTER.held(line, start)
    return Leaf(start, value(proof.span), proof.path)


def value(span: Span) -> bytes:
    return sha256(span.end.to_bytes(8, "big") + span.holder).digest()


def ends_in(proof: Free, **changes: Any) -> Free:
    """The proof with its end changed."""
    evidence = absent(proof)
    return replace(proof, evidence=replace(evidence, end=replace(evidence.end, **changes)))


# --- what is accepted ---


def test_the_register_is_the_tree_of_its_definition() -> None:
    assert root_of(SPANS) == ROOT


@pytest.mark.parametrize("proof", [HELD, FIRST, LAST, FREE, BY_LEAF, BY_INNER, PADDED])
def test_honest_proofs_are_accepted_and_read_back(proof: Held | Free) -> None:
    accept(proof)
    assert type(proof).from_json(proof.as_json()) == proof


@pytest.mark.parametrize("span", SPANS)
def test_every_span_is_held(span: Span) -> None:
    proof = REGISTER.held(span.line, span.start)
    assert proof.span == span
    accept(Held.from_json(proof.as_json()))


@pytest.mark.parametrize(
    ("line", "start", "end"),
    [
        (ANN, MIDNIGHT, STARTS[0]),
        (ANN, *GAP),
        (ANN, GAP[0], GAP[0] + 1),
        (ANN, GAP[1] - 1, GAP[1]),
        (ANN, STARTS[-1] + 60, MIDNIGHT + 86_400),
        (ZOE, MIDNIGHT, MIDNIGHT + 86_400),
        (NO_TICKET, 0, FOREVER),
        (CAP, 2, 3),
        (SERIES, 200, FOREVER),
        (make_line(12, ["registry", "b"]), 0, FOREVER),
    ],
)
def test_every_gap_is_free(line: bytes, start: int, end: int) -> None:
    accept(Free.from_json(REGISTER.free(line, start, end).as_json()))


def test_a_single_span_is_held_and_contradicts_other_lines() -> None:
    made = register_of(SPANS[0])
    held, free = made.held(ANN, STARTS[0]), made.free(BOB, NOON, NOON + 1)
    assert held.path == () and absent(free).path == ()
    accept(held, made.root())
    accept(free, made.root())


# --- the path ---


def with_path(proof: Held, path: Path) -> Held:
    return replace(proof, path=path)


def test_path_bits_that_do_not_increase() -> None:
    path = HELD.path
    refused("path-not-descending", with_path(HELD, (path[1], path[0], *path[2:])))
    refused("path-not-descending", with_path(HELD, (path[0], *path)))
    refused("path-not-descending", with_path(HELD, (*path, path[-1])))


@pytest.mark.parametrize("bits", [-1, 256, 2**63 - 1])
def test_path_bits_that_no_key_has(bits: int) -> None:
    at = 0 if bits < 0 else -1
    path = list(HELD.path)
    path[at] = Step(bits, path[at].sibling)
    refused("path-not-descending", with_path(HELD, tuple(path)))
    last = after(HELD)
    refused("path-not-descending", replace(HELD, after=replace(last, path=tuple(path))))


def test_a_sibling_of_zeros() -> None:
    path = (*HELD.path[:-1], Step(HELD.path[-1].bits, EMPTY_ROOT))
    refused("path-sibling-invalid", with_path(HELD, path))


def test_a_zero_sibling_that_is_committed() -> None:
    span = SPANS[0]
    leaf = sha256(b"\x10" + span.key + value(span)).digest()
    left = Held(span, (Step(255, EMPTY_ROOT),), None, None)
    refused("path-sibling-invalid", left, node_hash(255, span.key, leaf, EMPTY_ROOT))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_sibling_of_another_size(size: int) -> None:
    path = (*HELD.path[:-1], Step(HELD.path[-1].bits, bytes(range(size))))
    refused("path-sibling-invalid", with_path(HELD, path))


def test_a_missing_step() -> None:
    refused("held-root-differs", with_path(HELD, HELD.path[1:]))
    refused("held-root-differs", with_path(HELD, HELD.path[:-1]))
    refused("held-root-differs", with_path(HELD, ()))


def test_a_trailing_step() -> None:
    refused("held-root-differs", with_path(HELD, (*HELD.path, Step(255, HOLDER))))
    refused("held-root-differs", with_path(HELD, (Step(0, HOLDER), *HELD.path)))


def test_other_bits_than_are_committed() -> None:
    path = (*HELD.path[:-1], Step(HELD.path[-1].bits + 1, HELD.path[-1].sibling))
    refused("held-root-differs", with_path(HELD, path))


def test_siblings_that_are_swapped() -> None:
    first, second, *rest = HELD.path
    path = (Step(first.bits, second.sibling), Step(second.bits, first.sibling), *rest)
    refused("held-root-differs", with_path(HELD, path))


def test_a_proof_under_another_root() -> None:
    later = register_of(*SPANS, Span(ZOE, NOON, NOON + 1, HOLDER)).root()
    refused("held-root-differs", HELD, later)
    refused("neighbour-root-differs", FREE, later)
    refused("free-root-differs", BY_LEAF, later)
    refused("free-root-differs", BY_INNER, later)


# --- the span ---


def test_an_altered_holder_end_start_or_line() -> None:
    span = HELD.span
    for altered in (
        span._replace(holder=OTHER_HOLDER),
        span._replace(end=span.end - 1),
        span._replace(end=span.end + 1),
        span._replace(start=span.start + 1),
        span._replace(line=BOB),
    ):
        refused("held-root-differs", replace(HELD, span=altered))


@pytest.mark.parametrize(
    ("start", "end"), [(5, 5), (6, 5), (-1, 5), (0, FOREVER + 1), (FOREVER, FOREVER)]
)
def test_a_span_that_cannot_be(start: int, end: int) -> None:
    refused("span-invalid", replace(HELD, span=Span(SERIES, start, end, HOLDER)))
    refused("span-invalid", Free(SERIES, start, end, FREE.evidence))


def test_an_empty_span_that_is_committed() -> None:
    span = Span(SERIES, 5, 5, HOLDER)
    refused("span-invalid", Held(span, (), None, None), root_of([span]))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_holder_of_another_size(size: int) -> None:
    refused("span-invalid", replace(HELD, span=HELD.span._replace(holder=bytes(size))))
    nearest = replace(before(HELD), holder=bytes(size))
    refused("span-invalid", replace(HELD, before=nearest))
    refused("span-invalid", replace(HELD, after=replace(after(HELD), value=bytes(size))))


def test_a_line_of_another_size() -> None:
    refused("span-invalid", replace(HELD, span=HELD.span._replace(line=ANN + b"\0")))
    refused("span-invalid", replace(FREE, line=ANN[:-1]))


@pytest.mark.parametrize(
    ("code", "span"),
    [
        ("span-class", Span(ANN, NOON, MIDNIGHT + 86_401, HOLDER)),
        ("span-class", Span(ANN, MIDNIGHT - 1, NOON, HOLDER)),
        ("span-class", Span(ANN, NOON + 86_400, NOON + 86_460, HOLDER)),
        ("span-class", Span(traveller(1, DAY + 1), NOON, NOON + 60, HOLDER)),
        ("span-class", Span(CAP, 0, 2, HOLDER)),
        ("span-class", Span(TICKET, 0, 1, HOLDER)),
        ("span-class", Span(TICKET, 1, FOREVER, HOLDER)),
        ("span-day", Span(make_line(4, ["bus", "0" * 32], DAY), 0, FOREVER, HOLDER)),
        ("span-day", Span(make_line(12, ["registry", "a"], 1), 0, 9, HOLDER)),
        ("class-unknown", Span(make_line(0, ["x"]), 0, 9, HOLDER)),
        ("class-unknown", Span(make_line(255, ["x"]), 0, 9, HOLDER)),
    ],
    ids=[
        *("beyond-its-day", "before-its-day", "on-another-day", "on-the-line-of-another-day"),
        *("two-seats", "a-ticket-in-part", "a-ticket-but-its-start"),
        *("a-ticket-with-a-day", "a-serial-with-a-day", "class-zero", "class-unheard-of"),
    ],
)
def test_a_committed_span_that_its_class_does_not_allow(code: str, span: Span) -> None:
    """The operator did enter it, alone or with others: it is held no more for that."""
    made = register_of(span)
    proof = made.held(span.line, span.start)
    refused(code, proof, made.root())
    accept(proof, made.root(), lambda line, start, end: None)
    others = register_of(*(one for one in SPANS if one.line != span.line), span)
    refused(code, others.held(span.line, span.start), others.root())
    refused(code, Free(span.line, span.start, span.end, None), EMPTY_ROOT)


# --- the neighbours ---


def test_neighbours_that_are_swapped() -> None:
    earlier, later = neighbour(STARTS[2]), follower(STARTS[4])
    swapped = neighbour(STARTS[4]), follower(STARTS[2])
    assert (before(HELD), after(HELD)) == (earlier, later)
    refused("neighbour-overlaps", replace(HELD, before=swapped[0], after=swapped[1]))
    swapped = neighbour(STARTS[4]), follower(STARTS[3])
    refused("neighbour-overlaps", replace(FREE, evidence=Present(*swapped)))


def test_a_neighbour_that_is_left_out() -> None:
    refused("neighbour-left-out", replace(HELD, before=None))
    refused("neighbour-left-out", replace(HELD, after=None))
    refused("neighbour-left-out", replace(HELD, before=None, after=None))
    refused("neighbour-left-out", replace(FREE, evidence=Present(None, after(FREE))))
    refused("neighbour-left-out", replace(FREE, evidence=Present(before(FREE), None)))


def test_a_first_or_last_span_that_is_not() -> None:
    first = Present(None, follower(STARTS[1]))
    refused("neighbour-left-out", Free(ANN, MIDNIGHT, STARTS[1], first))
    last = Present(neighbour(STARTS[-2]), None)
    refused("neighbour-left-out", Free(ANN, STARTS[-2] + 60, MIDNIGHT + 86_400, last))


def test_no_neighbour_at_all() -> None:
    refused("free-evidence-missing", replace(FREE, evidence=Present(None, None)))


def test_a_neighbour_further_away() -> None:
    for far in (STARTS[0], STARTS[1]):
        refused("neighbour-not-adjacent", replace(HELD, before=neighbour(far)))
    for far in (STARTS[5], STARTS[6]):
        refused("neighbour-not-adjacent", replace(HELD, after=follower(far)))


@pytest.mark.parametrize("low", range(5))
@pytest.mark.parametrize("high", range(2, 7))
def test_a_gap_with_spans_in_it(low: int, high: int) -> None:
    if low + 1 < high:
        around = Present(neighbour(STARTS[low]), follower(STARTS[high]))
        refused("neighbour-not-adjacent", Free(ANN, STARTS[low] + 60, STARTS[high], around))


def test_a_committed_span_that_no_start_can_have() -> None:
    """Nothing starts at 2^63 or later; still the span before is not the last on its line."""
    span, beyond = Span(SERIES, 5, 6, HOLDER), Span(SERIES, 2**63 + 5, 2**63 + 6, HOLDER)
    root, path = root_of([span, beyond]), (Step(192, root_of([beyond])),)
    refused("neighbour-left-out", Held(span, path, None, None), root)
    after = Leaf(beyond.start, value(beyond), (Step(192, root_of([span])),))
    refused("neighbour-overlaps", Held(span, path, None, after), root)
    shown = Neighbour(5, 6, HOLDER, path)
    refused("neighbour-left-out", Free(SERIES, 7, 9, Present(shown, None)), root)


def test_a_committed_empty_span_where_the_free_stretch_begins() -> None:
    empty = Span(SERIES, 5, 5, HOLDER)
    shown = Present(Neighbour(5, 5, HOLDER, ()), None)
    refused("neighbour-overlaps", Free(SERIES, 5, 9, shown), root_of([empty]))
    accept(Free(SERIES, 6, 9, shown), root_of([empty]))


def test_the_span_as_its_own_neighbour() -> None:
    refused("neighbour-overlaps", replace(HELD, before=neighbour(STARTS[3])))
    refused("neighbour-overlaps", replace(HELD, after=follower(STARTS[3])))


def test_a_neighbour_of_another_line() -> None:
    refused("neighbour-root-differs", replace(HELD, before=neighbour(STARTS[0], BOB)))
    refused("neighbour-root-differs", replace(LAST, after=Leaf(LAST.span.end, HOLDER, LAST.path)))
    other = Present(neighbour(STARTS[1], BOB), None)
    refused("neighbour-root-differs", Free(ANN, STARTS[-1] + 60, MIDNIGHT + 86_400, other))


def test_an_altered_neighbour() -> None:
    for altered in (
        replace(before(HELD), end=before(HELD).end - 1),
        replace(before(HELD), end=0),
        replace(before(HELD), start=before(HELD).start + 1),
        replace(before(HELD), holder=OTHER_HOLDER),
        replace(before(HELD), path=before(HELD).path[1:]),
    ):
        refused("neighbour-root-differs", replace(HELD, before=altered))
        refused("neighbour-root-differs", replace(FREE, evidence=Present(altered, after(FREE))))
    for changed in (
        replace(after(HELD), start=after(HELD).start + 1),
        replace(after(HELD), value=OTHER_HOLDER),
        replace(after(HELD), path=after(HELD).path[:-1]),
    ):
        refused("neighbour-root-differs", replace(HELD, after=changed))
        refused("neighbour-root-differs", replace(FREE, evidence=Present(before(FREE), changed)))


@pytest.mark.parametrize("bounds", [(-1, 0), (0, -1), (1, 0)])
def test_a_free_stretch_that_reaches_into_a_neighbour(bounds: tuple[int, int]) -> None:
    wider = replace(FREE, start=FREE.start + bounds[0], end=FREE.end + bounds[1])
    if bounds[0] < 0:
        refused("neighbour-overlaps", wider)
    else:
        accept(wider)
    refused("neighbour-overlaps", replace(FREE, end=FREE.end + 1))


@pytest.mark.parametrize(
    "spans",
    [
        [(0, 10, HOLDER), (5, 15, OTHER_HOLDER)],
        [(0, 10, HOLDER), (9, 10, HOLDER)],
        [(0, 100, HOLDER), (10, 20, HOLDER), (30, 40, HOLDER)],
    ],
    ids=["partly", "at-the-end", "inside"],
)
def test_committed_spans_that_overlap_are_not_both_held(
    spans: list[tuple[int, int, bytes]],
) -> None:
    """A register can be made to hold them; none of those that another reaches into is held."""
    made = register_of(*(Span(SERIES, *span) for span in spans))
    start, end, _ = spans[0]
    refused("neighbour-overlaps", made.held(SERIES, start), made.root())
    refused("neighbour-overlaps", made.held(SERIES, spans[1][0]), made.root())
    between = Present(before(made.held(SERIES, spans[1][0])), None)
    refused("neighbour-overlaps", Free(SERIES, start + 1, end, between), made.root())


# --- a line that is absent ---


def test_an_inner_node_shown_as_a_leaf() -> None:
    """Two children of 32 bytes look like a key and a value; their tag tells them apart."""
    early, late = Span(traveller(1, 5), 0, 1, HOLDER), Span(traveller(1, 40_000), 0, 1, HOLDER)
    root = root_of([early, late])
    left, right = root_of([early]), root_of([late])
    assert root == node_hash(0, early.key, left, right)
    end = Leaf(int.from_bytes(left[24:]), right, (), left[:24])
    refused("free-root-differs", Free(ZOE, NOON, NOON + 1, Absent((), end)), root)
    shown = Span(left[:24], 0, 1, HOLDER)
    refused("held-root-differs", Held(shown, (), None, None), root, lambda line, start, end: None)


def test_an_inner_node_in_the_place_of_the_span() -> None:
    """The path that stops above the leaf, with what stands there as if it were the end."""
    refused("held-root-differs", with_path(HELD, HELD.path[:-1]))
    top = HELD.path[0]
    refused("held-root-differs", with_path(HELD, (top,)))


def line_path(line: bytes) -> Path:
    """The path to a line that is there: down to where its spans part."""
    start = next(span.start for span in SPANS if span.line == line)
    return tuple(step for step in REGISTER.held(line, start).path if step.bits < 192)


def nodes_towards(proof: Held) -> Iterator[tuple[Path, Inner]]:
    """The inner nodes on the way to a held span, each with the path to it."""
    span, path = proof.span, proof.path
    digest = root_of([span])
    for at in range(len(path) - 1, -1, -1):
        bits, sibling = path[at]
        right = span.key[bits >> 3] >> (7 - bits % 8) & 1
        children = (sibling, digest) if right else (digest, sibling)
        whole = int.from_bytes(span.key, "big") >> (256 - bits) << (-bits % 8)
        yield path[:at], Inner(bits, whole.to_bytes((bits + 7) // 8, "big"), *children)
        digest = node_hash(bits, span.key, *children)


def test_an_absence_that_ends_too_high() -> None:
    """No node on the way to a line contradicts it, whether the line is there or not."""
    for path, node in nodes_towards(HELD):
        if node.bits < 192:
            refused("absent-end-invalid", Free(ANN, *GAP, Absent(path, node)))
    path = absent(BY_LEAF).path
    assert path
    for towards, node in nodes_towards(REGISTER.held(ANN, STARTS[0])):
        if towards == path[: len(towards)] and len(towards) < len(path):
            high = replace(BY_LEAF, evidence=Absent(towards, node))
            if node.bits == path[len(towards)].bits:
                refused("absent-end-invalid", high)


def test_an_absence_that_ends_too_low() -> None:
    """Below a node of 192 bits every key is of one line; there is nothing more to contradict."""
    low = [(path, node) for path, node in nodes_towards(HELD) if node.bits >= 192]
    assert len(low) > 1
    for path, node in low[:-1]:
        refused("absent-path-too-long", Free(ANN, *GAP, Absent(path, node)))
    end = Leaf(HELD.span.start, value(HELD.span), (), ANN)
    refused("absent-path-too-long", Free(ANN, *GAP, Absent(HELD.path, end)))
    refused("absent-path-too-long", replace(BY_LEAF, evidence=Absent(HELD.path, end)))


def test_an_absence_that_ends_below_a_node_of_just_a_line() -> None:
    """The node of 192 bits says that the line is there, whatever hangs below it."""
    other = root_of([SPANS[0]])
    key = SERIES + bytes(8)
    end = Leaf(SPANS[0].start, value(SPANS[0]), (), ANN)
    low = Free(SERIES, 0, 9, Absent((Step(192, HOLDER),), end))
    refused("absent-path-too-long", low, node_hash(192, key, other, HOLDER))
    high = Free(SERIES, 0, 9, Absent((Step(191, HOLDER),), end))
    right = key[23] & 1
    accept(high, node_hash(191, key, *((HOLDER, other) if right else (other, HOLDER))))


def test_an_absence_of_a_line_that_is_there_by_its_own_top_node() -> None:
    path, node = [(path, node) for path, node in nodes_towards(HELD) if node.bits >= 192][-1]
    assert path == line_path(ANN)
    refused("absent-end-invalid", Free(ANN, *GAP, Absent(path, node)))


def test_an_absence_of_a_line_that_is_there_by_its_own_leaf() -> None:
    ticket = REGISTER.held(TICKET, 0)
    end = Leaf(0, value(ticket.span), (), TICKET)
    refused("absent-end-invalid", Free(TICKET, 0, FOREVER, Absent(ticket.path, end)))


@pytest.mark.parametrize("line", [ANN, BOB, CAP, TICKET], ids=["ann", "bob", "cap", "ticket"])
@pytest.mark.parametrize("proof", [BY_LEAF, BY_INNER], ids=["leaf", "inner"])
def test_an_absence_of_a_line_that_is_there_by_the_proof_for_another(
    line: bytes, proof: Free
) -> None:
    whole = {ANN: GAP, BOB: GAP, CAP: (5, 6), TICKET: (0, FOREVER)}[line]
    with pytest.raises(VerificationError):
        accept(Free(line, *whole, proof.evidence))


def test_an_absence_by_a_leaf_under_a_false_name() -> None:
    refused("free-root-differs", ends_in(BY_LEAF, line=traveller(999)))
    refused("free-root-differs", ends_in(BY_LEAF, start=0))
    refused("free-root-differs", ends_in(BY_LEAF, value=OTHER_HOLDER))
    refused("absent-end-invalid", ends_in(BY_LEAF, line=BY_LEAF.line))
    refused("absent-end-invalid", ends_in(BY_LEAF, line=b""))
    refused("absent-end-invalid", ends_in(BY_LEAF, value=b""))


def test_an_absence_by_a_wrong_prefix() -> None:
    """The node on the way to a line that is there, with a prefix that would contradict it."""
    path, node = next((path, node) for path, node in nodes_towards(HELD) if node.bits < 192)
    wrong = bytes((node.prefix[0] ^ 0x80,)) + node.prefix[1:]
    refused("free-root-differs", Free(ANN, *GAP, Absent(path, replace(node, prefix=wrong))))
    shown = inner(BY_INNER)
    wrong = bytes((shown.prefix[0] ^ 0x80,)) + shown.prefix[1:]
    refused("free-root-differs", ends_in(BY_INNER, prefix=wrong))


def test_an_absence_by_a_prefix_with_padding() -> None:
    shown = inner(PADDED)
    padded = shown.prefix[:-1] + bytes((shown.prefix[-1] | 1,))
    refused("absent-end-invalid", ends_in(PADDED, prefix=padded))


def test_an_absence_by_a_prefix_of_another_length() -> None:
    shown = inner(BY_INNER)
    refused("absent-end-invalid", ends_in(BY_INNER, prefix=shown.prefix + b"\0"))
    refused("absent-end-invalid", ends_in(BY_INNER, prefix=shown.prefix[:-1]))


@pytest.mark.parametrize("bits", [-1, 256, 70_000])
def test_an_absence_by_a_node_with_bits_that_no_key_has(bits: int) -> None:
    prefix = bytes(max(bits + 7, 0) // 8)
    refused("absent-end-invalid", ends_in(BY_INNER, bits=bits, prefix=prefix))


def test_an_absence_by_a_node_that_is_not_below_its_path() -> None:
    path = absent(BY_INNER).path
    assert path
    bits = path[-1].bits
    contradicting = bytes((BY_INNER.line[0] ^ 0x80,)).ljust((bits + 7) // 8, b"\0")
    refused("absent-end-invalid", ends_in(BY_INNER, bits=bits, prefix=contradicting))


@pytest.mark.parametrize("child", [EMPTY_ROOT, b"", bytes(31), bytes(33)])
def test_an_absence_by_a_node_with_an_invalid_child(child: bytes) -> None:
    refused("absent-end-invalid", ends_in(BY_INNER, left=child))
    refused("absent-end-invalid", ends_in(BY_INNER, right=child))


def test_an_absence_by_a_node_with_other_children() -> None:
    shown = inner(BY_INNER)
    refused("free-root-differs", ends_in(BY_INNER, left=shown.right, right=shown.left))


def test_an_absence_with_a_path_cut_short() -> None:
    for proof in (BY_LEAF, BY_INNER):
        evidence = absent(proof)
        shorter = replace(evidence, path=evidence.path[1:])
        refused("free-root-differs", replace(proof, evidence=shorter))


# --- the empty register ---


@pytest.mark.parametrize(
    ("line", "start", "end"), [(ANN, *GAP), (TICKET, 0, FOREVER), (CAP, 0, 1), (SERIES, 0, 9)]
)
def test_the_zero_root_proves_that_everything_is_free(line: bytes, start: int, end: int) -> None:
    accept(Free(line, start, end, None), EMPTY_ROOT)


def test_the_zero_root_proves_nothing_else() -> None:
    refused("held-root-differs", HELD, EMPTY_ROOT)
    refused("held-root-differs", Held(HELD.span, (), None, None), EMPTY_ROOT)
    refused("neighbour-root-differs", FREE, EMPTY_ROOT)
    refused("free-root-differs", BY_LEAF, EMPTY_ROOT)
    refused("free-root-differs", BY_INNER, EMPTY_ROOT)


def test_another_root_does_not_prove_that_everything_is_free() -> None:
    refused("free-root-differs", replace(FREE, evidence=None))
    refused("free-root-differs", replace(BY_LEAF, evidence=None))


# --- JSON ---

PROOFS = {"held": HELD, "present": FREE, "leaf": BY_LEAF, "inner": BY_INNER, "first": FIRST}
Site = tuple[str | int, ...]


def sites(value: object, site: Site = ()) -> Iterator[tuple[Site, Any]]:
    """Every value within a document, and where it stands."""
    yield site, value
    if isinstance(value, dict):
        for name, item in value.items():
            yield from sites(item, (*site, name))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from sites(item, (*site, at))


def put(document: Any, site: Site, value: object) -> Any:
    """A copy of ``document`` with another value at ``site``."""
    if not site:
        return value
    made = copy.deepcopy(document)
    holder = made
    for name in site[:-1]:
        holder = holder[name]
    holder[site[-1]] = value
    return made


def drop(document: Any, site: Site) -> Any:
    made = copy.deepcopy(document)
    holder = made
    for name in site[:-1]:
        holder = holder[name]
    del holder[site[-1]]
    return made


def malformed(value: Any, site: Site) -> Iterator[object]:
    """What cannot stand in the place of ``value``."""
    yield from (True, 1.5, (), b"", "x")
    if value is not None and site[-1:] not in (("before",), ("after",)):
        yield None
    if isinstance(value, str):
        yield from (7, [], {}, "", value[:-1], value[:-2], value + "00", f"0x{value[2:]}")
        yield from (value[:-1] + "g", value[:-1] + "G", f" {value[1:]}", value[:-1] + "\uff11")
        if value != value.upper():
            yield value.upper()
        yield value[:-2] + " 1"
    if isinstance(value, int):
        yield from ("7", str(value), [], {})
        if site[-2:-1] and site[-2] != "path" and "path" not in site:
            yield from (-1, 2**63, 2**64)
    if isinstance(value, list):
        yield from (7, {}, "[]", dict(enumerate(value)))
        if site[-1] == "path":
            yield from ([[1]], [[]], [[1, "00" * 32, 1]], [["1", "00" * 32]], [{"bits": 1}])
            yield from ([[True, "00" * 32]], [[1.0, "00" * 32]], [None], [[None, None]])
            yield [[number % 256, "11" * 32] for number in range(257)]
    if isinstance(value, dict):
        yield from (7, [], list(value), {}, {**value, "more": 1}, {**value, "": None})


def bad_documents(name: str) -> Iterator[object]:
    document = PROOFS[name].as_json()
    for site, value in sites(document):
        yield from (put(document, site, bad) for bad in malformed(value, site))
        if site and isinstance(site[-1], str) and site[-1] not in ("present", "absent"):
            yield drop(document, site)
    if name != "held":
        extra = {"present": None, "absent": None, **document}
        yield extra


@pytest.mark.parametrize("name", PROOFS)
def test_malformed_json_of_every_field_is_refused_as_malformed(name: str) -> None:
    count = 0
    for document in bad_documents(name):
        with pytest.raises(Malformed):
            type(PROOFS[name]).from_json(document)
        count += 1
    assert count > 200


def test_evidence_of_two_kinds_is_malformed() -> None:
    both = {**FREE.as_json(), "absent": BY_LEAF.as_json()["absent"]}
    ends = put(BY_LEAF.as_json(), ("absent", "inner"), BY_INNER.as_json()["absent"]["inner"])
    neither = put(BY_LEAF.as_json(), ("absent",), {"path": []})
    for document in (both, ends, neither):
        with pytest.raises(Malformed):
            Free.from_json(document)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Held | Free, Any, Site]:
    """An accepted proof, its JSON with one value changed, and where."""
    proof = draw(st.sampled_from(list(PROOFS.values())))
    document = proof.as_json()
    site, value = draw(st.sampled_from([found for found in sites(document) if found[0]]))
    choices: list[st.SearchStrategy[Any]] = [st.none(), st.integers(-2, 2**64), st.text(max_size=4)]
    if isinstance(value, str):
        flip = st.tuples(st.integers(0, len(value) - 1), st.sampled_from("0123456789abcdef"))
        choices += 3 * [flip.map(lambda at: value[: at[0]] + at[1] + value[at[0] + 1 :])]
        same = [other for _, other in sites(document) if isinstance(other, str)]
        choices.append(st.sampled_from(same))
    if isinstance(value, int):
        choices += 2 * [st.integers(-70, 70).map(lambda by: value + by), st.integers(0, 255)]
    if isinstance(value, list) and value:
        cut = st.integers(0, len(value) - 1)
        choices += [
            cut.map(lambda at: value[:at] + value[at + 1 :]),
            cut.map(lambda at: [*value[:at], value[at], *value[at:]]),
            st.permutations(value),
        ]
    return proof, put(document, site, draw(st.one_of(choices))), site


def is_free(line: bytes, start: int, end: int) -> bool:
    return not any(s.line == line and s.start < end and start < s.end for s in SPANS)


@settings(max_examples=10 * settings().max_examples)
@given(mutated())
def test_a_changed_proof_is_refused_or_is_the_same(given: tuple[Held | Free, Any, Site]) -> None:
    proof, document, site = given
    try:
        read = accept(type(proof).from_json(document))
    except (Malformed, VerificationError):
        return
    if isinstance(read, Free) and site[0] in ("line", "start", "end"):
        # Free is also any stretch within, or another line that the same node contradicts.
        assert is_free(read.line, read.start, read.end)
        assert read.evidence == proof.evidence  # type: ignore[union-attr]
    else:
        assert read == proof
        assert read.as_json() == document


@pytest.mark.parametrize("name", PROOFS)
def test_every_hexadecimal_digit_counts(name: str) -> None:
    """Each hash, key and prefix of an accepted proof, one digit of it changed."""
    proof = PROOFS[name]
    document = proof.as_json()
    for site, text in sites(document):
        if isinstance(text, str) and site != ("line",):
            for at in (0, len(text) // 2, len(text) - 1):
                other = text[:at] + f"{int(text[at], 16) ^ 1:x}" + text[at + 1 :]
                with pytest.raises(VerificationError):
                    accept(type(proof).from_json(put(document, site, other)))
