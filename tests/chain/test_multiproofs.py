"""Multiproofs of the register: many spans held at once, by the rules of the proofs one by one."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.trees import Place, hostile_tree, prove, root_of

from chain import multiproofs, proofs
from chain.calendar import Calendar
from chain.classes import Classes
from chain.multiproofs import HIDDEN, KNOWN, Multiproof
from chain.proofs import CLOSED, MANY_PARTS, OPENED, check_held, check_held_many
from chain.register import Register
from chain.spans import FOREVER, Span, common_bits, leaf_hash, make_line, value_hash
from keys.errors import Usage, VerificationError

CLASSES = Classes(
    Path(proofs.__file__).with_name("library").joinpath("classes.json").read_bytes(), Calendar(0)
)
LINES = [make_line(9, [f"platform-{number}", "bus"]) for number in range(6)]
HOLDERS = [sha256(bytes((number,))).digest() for number in range(3)]


def allows(line: bytes, start: int, end: int) -> None:
    """Any span on any line."""


@st.composite
def registers(draw: st.DrawFn) -> list[Span]:
    """Disjoint spans on a few lines."""
    spans = []
    for line in draw(st.lists(st.sampled_from(LINES), min_size=1, unique=True)):
        cuts = sorted(draw(st.sets(st.integers(0, 60), min_size=2, max_size=14)))
        for start, end in zip(cuts[::2], cuts[1::2], strict=False):
            spans.append(Span(line, start, end, draw(st.sampled_from(HOLDERS))))
    return spans


def register_of(spans: Sequence[Span]) -> Register:
    made = Register()
    made.change(spans)
    made.root()
    return made


def town(count: int = 300) -> tuple[Register, list[Span]]:
    """A register of several pages."""
    spans = []
    for number in range(count):
        line = make_line(9, [f"p-{number}", "bus"])
        for start in range(number % 4 + 1):
            spans.append(Span(line, 10 * start, 10 * start + 5, HOLDERS[number % 3]))
    return register_of(spans), spans


@given(registers(), st.data())
def test_whatever_is_held_is_held_together(spans: list[Span], data: st.DataObject) -> None:
    register = register_of(spans)
    wanted = data.draw(st.lists(st.sampled_from(spans), min_size=1, unique=True))
    proof = register.held_many(wanted)
    check_held_many(register.root(), wanted, proof, allows)
    assert Multiproof.parse(proof, MANY_PARTS).to_bytes() == proof
    assert register.held_many(wanted[::-1]) == proof
    for span in wanted:
        altered = data.draw(
            st.sampled_from(
                [
                    span._replace(end=span.end + 1),
                    span._replace(start=span.start + 1),
                    span._replace(holder=bytes(32)),
                    span._replace(line=make_line(9, ["other", "bus"])),
                ]
            )
        )
        others = [altered if one == span else one for one in wanted]
        with pytest.raises(VerificationError):
            check_held_many(register.root(), others, proof, allows)


def test_a_large_register_is_proved_through_its_pages() -> None:
    register, spans = town()
    wanted = Random(1).sample(spans, 120)
    proof = register.held_many(wanted)
    check_held_many(register.root(), wanted, proof, allows)
    one_by_one = sum(
        40 + 33 * len(path)
        for span in wanted
        for held in [register.held(span.line, span.start)]
        for path in (held.path, *(near.path for near in (held.before, held.after) if near))
    )
    assert len(proof) < one_by_one / 3


def test_every_altered_byte_is_refused() -> None:
    register, spans = town(40)
    wanted = spans[5:12]
    proof = register.held_many(wanted)
    for at in range(len(proof)):
        for change in (1, 0x80):
            altered = bytearray(proof)
            altered[at] ^= change
            with pytest.raises(VerificationError):
                check_held_many(register.root(), wanted, bytes(altered), allows)
    for other in (b"", proof[:-1], proof + b"\0", proof[:3], bytes(4), b"\xff\xff\xff\xff"):
        with pytest.raises(VerificationError) as refused:
            check_held_many(register.root(), wanted, other, allows)
        assert refused.value.code == "multiproof-malformed"


def refusal(root: bytes, wanted: Sequence[Span], proof: Multiproof) -> str:
    with pytest.raises(VerificationError) as refused:
        check_held_many(root, wanted, proof.to_bytes(), allows)
    return refused.value.code


def test_a_span_stands_once_among_many() -> None:
    register, spans = town(4)
    proof = Multiproof.parse(register.held_many(spans[:2]), MANY_PARTS)
    assert refusal(register.root(), [spans[0], spans[0]], proof) == "span-twice"
    other = spans[0]._replace(holder=HOLDERS[2])
    assert refusal(register.root(), [spans[0], other], proof) == "span-twice"
    assert refusal(register.root(), spans[:1], proof) == "multiproof-leaves"


def test_what_is_not_live_is_not_proved() -> None:
    register, spans = town(4)
    for other in (spans[0]._replace(end=6), Span(LINES[0], 0, 5, HOLDERS[0])):
        with pytest.raises(Usage):
            register.held_many([spans[1], other])


# --- forgeries ---


def shown(spans: Sequence[Span], marks: dict[int, int], others: Sequence[Span]) -> Multiproof:
    """A multiproof of a register of ``spans`` and ``others``, whether or not they overlap, that
    shows the spans, by where they start, with these marks."""
    apart = register_of([*(span._replace(end=span.start + 1) for span in spans), *others])
    full = Multiproof.parse(
        apart.held_many([span._replace(end=span.start + 1) for span in spans]), MANY_PARTS
    )
    ordered = iter(sorted(spans))
    made, parts = [], []
    for known, hidden in zip(full.marks, full.parts, strict=True):
        if known == HIDDEN:
            made.append(HIDDEN)
            parts.append(hidden)
            continue
        span = next(ordered)
        start, value = span.start.to_bytes(8), value_hash(span.end, span.holder)
        as_marked = {
            KNOWN: b"",
            HIDDEN: leaf_hash(span.key, value),
            OPENED: start + span.end.to_bytes(8) + span.holder,
            CLOSED: start + value,
        }
        made.append(marks.get(span.start, KNOWN))
        parts.append(as_marked[made[-1]])
    return Multiproof(made, full.bits, parts)


def test_neighbours_are_shown_and_do_not_overlap() -> None:
    # They part so that no two of them are all that is below a node.
    one, two, three = (Span(LINES[0], start, start + 5, HOLDERS[0]) for start in (0, 10, 20))
    others = [Span(LINES[1], 0, 9, HOLDERS[1])]
    root = root_of([one, two, three, *others])
    good = shown([one, two, three], {0: OPENED, 20: CLOSED}, others)
    assert good.to_bytes() == register_of([one, two, three, *others]).held_many([two])
    check_held_many(root, [two], good.to_bytes(), allows)
    for marks, claimed, code in (
        ({0: HIDDEN, 20: CLOSED}, [two], "neighbour-left-out"),
        ({0: OPENED, 20: HIDDEN}, [two], "neighbour-left-out"),
        # One that is between two others ends where the second can see it.
        ({10: CLOSED}, [one, three], "neighbour-left-out"),
        ({0: CLOSED, 20: CLOSED}, [two], "multiproof-malformed"),
        ({0: OPENED, 20: OPENED}, [two], "multiproof-malformed"),
    ):
        proof = shown([one, two, three], marks, others)
        assert refusal(root, claimed, proof) == code

    long = one._replace(end=11)
    root = root_of([long, two, three, *others])
    for marks, claimed in (
        ({20: CLOSED}, [long, two]),
        ({0: OPENED, 20: CLOSED}, [two]),
        ({10: OPENED}, [long, three]),
    ):
        proof = shown([long, two, three], marks, others)
        assert refusal(root, claimed, proof) == "neighbour-overlaps"
    beyond = Span(LINES[0], FOREVER + 1, FOREVER + 2, HOLDERS[0])
    part = beyond.key[24:] + value_hash(beyond.end, beyond.holder)
    proof = Multiproof((KNOWN, CLOSED), bytes((common_bits(one.key, beyond.key),)), (b"", part))
    assert refusal(root_of([one, beyond]), [one], proof) == "neighbour-overlaps"


def test_bits_that_do_not_increase_and_hidden_pairs_are_refused() -> None:
    register, spans = town(8)
    full = Multiproof.parse(register.held_many(spans), MANY_PARTS)
    root = register.root()
    assert HIDDEN not in full.marks
    level = Multiproof(full.marks, bytes([full.bits[0]] * len(full.bits)), full.parts)
    assert refusal(root, spans, level) == "path-not-descending"
    two = Multiproof((HIDDEN, HIDDEN, KNOWN), bytes((9, 3)), (b"1" * 32, b"2" * 32, b""))
    assert refusal(root, spans[:1], two) == "multiproof-order"
    zero = Multiproof((HIDDEN, KNOWN), bytes((3,)), (bytes(32), b""))
    assert refusal(root, spans[:1], zero) == "path-sibling-invalid"


# --- hostile trees ---


def attempts(places: list[Place]) -> Iterator[tuple[list[Span], bytes]]:
    """Multiproofs that a liar can make who knows the tree: spans claimed, and the bytes."""
    leaves = [p for p in places if p.span and all(step.bits < 256 for step in p.path)]
    for size in range(1, min(len(leaves), 5) + 1):
        for chosen in combinations(leaves, size):
            try:
                items, bits = arrange(chosen, 0)
            except LookupError:
                continue  # paths of which not all can be in one tree
            at = [place for place, item in enumerate(items) if isinstance(item, Span)]
            for count in range(1, min(size, 2) + 1):
                for claimed in combinations(at, count):
                    proof = mark(items, bits, claimed)
                    if proof is not None:
                        yield [item for n in claimed if isinstance(item := items[n], Span)], proof


def arrange(places: Sequence[Place], depth: int) -> tuple[list[Span | bytes], list[int]]:
    """The items over these leaves as the tree has them, and the bits between."""
    if len(places[0].path) == depth and len(places) == 1:
        return [span for place in places if (span := place.span)], []
    here = {place.path[depth].bits for place in places}
    if len(here) > 1:
        raise LookupError
    halves = [[p for p in places if p.sides[depth] == side] for side in (0, 1)]
    (left, before), (right, behind) = (
        arrange(half, depth + 1) if half else ([places[0].path[depth].sibling], [])
        for half in halves
    )
    return [*left, *right], [*before, *here, *behind]


def mark(items: list[Span | bytes], bits: list[int], claimed: Sequence[int]) -> bytes | None:
    """The multiproof of the items that are claimed; None if another could not be shown in it."""
    marks, parts = [], []
    for at, item in enumerate(items):
        if isinstance(item, bytes):
            marks.append(HIDDEN)
            parts.append(item)
            continue
        start, end = (number.to_bytes(8) for number in (item.start, item.end))
        if at in claimed:
            marks.append(KNOWN)
            parts.append(b"")
        elif at + 1 in claimed:
            marks.append(OPENED)
            parts.append(start + end + item.holder)
        elif at - 1 in claimed:
            marks.append(CLOSED)
            parts.append(start + value_hash(item.end, item.holder))
        else:
            return None
    return Multiproof(marks, bytes(bits), parts).to_bytes()


def accepted(root: bytes, places: list[Place]) -> set[Span]:
    found: set[Span] = set()
    for claimed, proof in attempts(places):
        try:
            check_held_many(root, claimed, proof, CLASSES.allows)
        except VerificationError:
            continue
        found.update(claimed)
    return found


def search(seed: int, count: int) -> tuple[int, int]:
    """How many spans multiproofs show held in hostile trees, and how many single proofs do not."""
    rng = Random(seed)
    held = beyond = 0
    for _ in range(count):
        tree = hostile_tree(rng)
        found = accepted(tree.root, tree.places)
        single = {one.span for one in prove(tree, CLASSES.allows) if one.span is not None}
        held += len(found)
        beyond += len(found - single)
    return held, beyond


@pytest.mark.parametrize("part", [0, *(pytest.param(n, marks=pytest.mark.long) for n in (1, 2))])
def test_in_hostile_trees_many_show_nothing_that_one_does_not(part: int) -> None:
    held, beyond = search(part, 1_000)
    print(held, beyond)
    assert beyond == 0
    assert held > 1_000


def test_without_the_bits_of_the_keys_they_would(monkeypatch: pytest.MonkeyPatch) -> None:
    real = multiproofs.common_bits
    assert real(b"\0", b"\1") == 7

    class Any(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    monkeypatch.setattr(multiproofs, "common_bits", lambda one, other: Any(real(one, other)))
    assert search(1, 400)[1] > 0


def test_one_by_one_says_the_same() -> None:
    register, spans = town(30)
    for span in spans:
        check_held(register.root(), register.held(span.line, span.start), allows)
        check_held_many(register.root(), [span], register.held_many([span]), allows)
    whole = Span(LINES[0], 0, FOREVER, HOLDERS[0])
    alone = register_of([whole])
    assert len(alone.held_many([whole])) == 5
    check_held_many(alone.root(), [whole], alone.held_many([whole]), allows)
