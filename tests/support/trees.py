"""Trees of spans built by definition, apart from the code under test: honest ones, and others.

`root_of` is the tree of `chain.spans` by recursion over sorted keys.  `hostile_tree` is what an
operator who lies could commit to: a small tree over a few lines (two days of one traveller,
another traveller, a ticket, a cap) with keys out of place, wrong prefixes and lengths,
overlapping, doubled, empty or day-crossing spans, grafted, hollow and swapped nodes.  Whoever
makes a tree knows all of it: each node is listed with the path that leads to it.

`prove` is the liar's search for every claim that some proof gets accepted under the root.  It
tries each leaf as held with each pair of neighbours; and each line as free between each pair,
before the first, after the last, and with each node as the end of an absence.  What shows a
stretch free also shows all within it, so only the widest are tried.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from random import Random

from chain.proofs import (
    Absent,
    Free,
    Held,
    Inner,
    Leaf,
    Neighbour,
    Path,
    Present,
    SpanCheck,
    Step,
    check_free,
    check_held,
)
from chain.spans import FOREVER, Span, make_line
from keys.errors import VerificationError

ZERO = bytes(32)
KEY_BITS = 256
LINE_BITS = 192

# --- by definition ---


def leaf_bytes(span: Span) -> bytes:
    """The hash of the leaf of ``span``."""
    end = span.end.to_bytes(8, "big")
    start = span.start.to_bytes(8, "big")
    value = sha256(end + span.holder).digest()
    return sha256(b"\x10" + span.line + start + value).digest()


def prefix_bytes(bits: int, key: int) -> bytes:
    """The first ``bits`` of the 256 bits of ``key``, padded with zeros to whole bytes."""
    return (key >> (KEY_BITS - bits) << (-bits % 8)).to_bytes((bits + 7) // 8, "big")


def node_bytes(bits: int, prefix: bytes, left: bytes, right: bytes) -> bytes:
    """The hash of an inner node, whatever it commits to."""
    return sha256(b"\x11" + bits.to_bytes(2, "big") + prefix + left + right).digest()


def root_of(spans: Sequence[Span]) -> bytes:
    """The root over ``spans``, all their keys different."""
    ordered = sorted(spans, key=lambda span: (span.line, span.start))
    keys = [int.from_bytes(span.line + span.start.to_bytes(8, "big"), "big") for span in ordered]

    def node(low: int, high: int) -> bytes:
        if high - low == 1:
            return leaf_bytes(ordered[low])
        bits = KEY_BITS - (keys[low] ^ keys[high - 1]).bit_length()
        middle = next(i for i in range(low, high) if keys[i] >> (KEY_BITS - 1 - bits) & 1)
        return node_bytes(
            bits, prefix_bytes(bits, keys[low]), node(low, middle), node(middle, high)
        )

    return node(0, len(ordered)) if ordered else ZERO


# --- the lines of hostile trees ---

DAY = 20_000
MIDNIGHT = (DAY + 1) * 86_400  # at no offset from UTC; a multiple of 128
SPREAD = 64  # how far from the midnight between the two days spans begin


@dataclass(frozen=True)
class Line:
    """A line of the universe: what it is called, its 24 bytes, and where its spans may begin."""

    subject: str
    name: bytes
    axis: str
    low: int
    high: int

    @property
    def timeline(self) -> str:
        """What spans must not overlap on: in seconds, the days of one subject are one timeline."""
        return self.subject if self.axis == "seconds" else self.name.hex()

    def widest(self, start: int, end: int) -> list[tuple[int, int]]:
        """The widest stretches that the class allows within ``[start, end)``."""
        if self.axis == "seconds":
            start, end = max(start, self.low), min(end, self.high)
            return [(start, end)] if start < end else []
        if self.axis == "seats":
            return [(seat, seat + 1) for seat in range(start, min(end, self.high))]
        return [(0, FOREVER)]


def _traveller(subject: str, day: int) -> Line:
    low = day * 86_400
    return Line(subject, make_line(1, [subject], day), "seconds", low, low + 86_400)


ANN_BEFORE, ANN_AFTER = _traveller("ann", DAY), _traveller("ann", DAY + 1)
BOB, ZOE = _traveller("bob", DAY), _traveller("zoe", DAY)
TICKET = Line("ticket", make_line(4, ["bus", "t1"]), "whole", 0, FOREVER)
CAP = Line("cap", make_line(8, ["ride", "day", "ann"], DAY), "seats", 0, 4)
LINES = (ANN_BEFORE, ANN_AFTER, BOB, ZOE, TICKET, CAP)  # no tree has spans of Zoe on purpose
BY_NAME = {line.name: line for line in LINES}
_USED = (ANN_BEFORE, ANN_AFTER, BOB, TICKET, CAP)
_KEYS = [int.from_bytes(line.name + line.low.to_bytes(8, "big"), "big") for line in LINES]
_HOLDERS = [sha256(b"holder %d" % number).digest() for number in range(8)]
# Where the lines part: a key moved there changes its place among the lines.
_PARTINGS = sorted(
    {KEY_BITS - (one ^ other).bit_length() for one in _KEYS for other in _KEYS if one != other}
)

# --- hostile trees ---


class Node:
    """A node as its builder means it: a span, two children, or a bare hash."""

    __slots__ = ("bits", "hash", "left", "prefix", "right", "span")

    def __init__(self, span: Span | None = None) -> None:
        self.span = span
        self.bits = 0
        self.prefix = b""
        self.left: Node | None = None
        self.right: Node | None = None
        self.hash = ZERO

    def seal(self) -> bytes:
        """Compute the hashes of the node and of all below."""
        if self.span is not None:
            self.hash = leaf_bytes(self.span)
        elif self.left is not None and self.right is not None:
            self.hash = node_bytes(self.bits, self.prefix, self.left.seal(), self.right.seal())
        return self.hash

    def nodes(self) -> Iterator["Node"]:
        """The node and all below."""
        yield self
        if self.left is not None and self.right is not None:
            yield from self.left.nodes()
            yield from self.right.nodes()

    def forks(self) -> Iterator["Node"]:
        """The inner nodes from here down."""
        return (node for node in self.nodes() if node.left is not None)


@dataclass
class Place:
    """A node with the path that leads to it; ``sides`` tells where the path goes right."""

    path: Path
    sides: tuple[int, ...]
    span: Span | None
    inner: Inner | None
    key: int = field(init=False)
    line_only: bool = field(init=False)

    def __post_init__(self) -> None:
        self.key = 0 if self.span is None else int.from_bytes(self.span.key, "big")
        self.line_only = all(step.bits < LINE_BITS for step in self.path)

    def on_way(self, key: int) -> bool:
        """Whether the path's directions are those that ``key`` demands."""
        return all(
            step.bits < KEY_BITS and key >> (KEY_BITS - 1 - step.bits) & 1 == side
            for step, side in zip(self.path, self.sides, strict=True)
        )


@dataclass
class Tree:
    """A committed tree: its root, its nodes in their places, and its table of nodes."""

    root: bytes
    places: list[Place]
    # What the node over two children hashes to, whatever prefix it commits to.
    committed: dict[tuple[int, bytes, bytes], bytes]


def hostile_tree(rng: Random) -> Tree:
    """A small tree; its randomness, and so the tree, comes from ``rng`` alone."""
    # Half of the trees are honest but for one lie: among many, the clever ones would drown.
    sparing = rng.random() < 0.5
    tricks = rng.choices(_TRICKS, _WEIGHTS, k=1 if sparing else rng.randrange(5))
    spans = _spans(rng, tricks, sparing)
    leaves: dict[int, Span] = {}
    for span in spans:
        place = int.from_bytes(span.key, "big")
        while place in leaves:
            # A key that is there twice has to stand in a place that is not its own.
            place ^= 1 << _somewhere(rng)
        leaves[place] = span
    for _ in range(tricks.count("misplace")):
        _misplace(rng, leaves)
    top = _grow(rng, sorted(leaves.items()))
    for trick in tricks:
        top = _TAMPER[trick](rng, top) if trick in _TAMPER else top
    return _survey(rng, top)


def _misplace(rng: Random, leaves: dict[int, Span]) -> None:
    """Part a span's key from its place, by one bit."""
    place = rng.choice(list(leaves))
    span = leaves[place]
    if rng.random() < 0.5:
        moved = place ^ 1 << _somewhere(rng)
        if moved in leaves:
            return
        leaves[moved] = leaves.pop(place)
        place = moved
    else:
        # Where no two keys part, a bit changes no direction: only prefixes give it away.
        parting = {(one ^ other).bit_length() - 1 for one, other in pairwise(sorted(leaves))}
        quiet = set(range(SPREAD.bit_length() - 1)) - parting
        start = span.start ^ 1 << rng.choice(sorted(quiet) or [0])
        span = span._replace(start=start, end=min(max(span.end - span.start, 0) + start, FOREVER))
        leaves[place] = span
    earlier = max((other for other in leaves if other < place), default=place)
    if rng.random() < 0.7 and leaves[earlier].start < span.start:
        # The span that comes before it in the tree reaches to it, over those that it hides.
        leaves[earlier] = leaves[earlier]._replace(end=span.start)


def _somewhere(rng: Random) -> int:
    """A position in a key, from its end: mostly among its last bits, or where lines part."""
    kind = rng.random()
    if kind < 0.7:
        return rng.randrange(SPREAD.bit_length() - 1)
    if kind < 0.9:
        return KEY_BITS - 1 - rng.choice(_PARTINGS)
    return rng.randrange(KEY_BITS)


def _spans(rng: Random, tricks: Sequence[str], sparing: bool) -> list[Span]:
    count = rng.randrange(2, 8)
    main = rng.choices(_USED, (5, 5, 1, 1, 1))[0]
    dense = rng.random() < 0.8
    spans: list[Span] = []
    for number in range(count):
        line = main if dense and number else rng.choice(_USED)
        spans.append(_span(rng, line))
    if sparing or rng.random() < 0.3:
        spans = _apart(spans)
    for trick in tricks:
        at = rng.randrange(len(spans))
        span = spans[at]
        if trick == "overlap":
            spans[at] = span._replace(end=min(span.end + rng.randrange(1, SPREAD), FOREVER))
        elif trick == "twice":
            spans.append(span._replace(holder=rng.choice(_HOLDERS)))
            if rng.random() < 0.5:
                spans[-1] = spans[-1]._replace(end=span.start + rng.randrange(1, SPREAD))
        elif trick == "extra":
            spans.append(_span(rng, rng.choice(_USED)))
        elif trick == "beyond":
            spans[at] = rng.choice(
                [
                    span._replace(line=ANN_BEFORE.name, start=MIDNIGHT - 4, end=MIDNIGHT + 12),
                    span._replace(line=ANN_BEFORE.name, start=MIDNIGHT + 3, end=MIDNIGHT + 6),
                    span._replace(line=ANN_AFTER.name, start=MIDNIGHT - 8, end=MIDNIGHT + 2),
                    span._replace(line=CAP.name, start=1, end=3),
                    span._replace(line=TICKET.name, start=1, end=FOREVER),
                    span._replace(end=FOREVER + 1 + span.start % 16),
                    span._replace(start=FOREVER + 1 + span.start % 16),
                ]
            )
        elif trick == "empty":
            spans[at] = span._replace(end=max(span.start - rng.randrange(3), 0))
    return spans


def _span(rng: Random, line: Line) -> Span:
    holder = rng.choice(_HOLDERS)
    length = rng.choice((2, 2, 4, SPREAD))
    if line.axis == "whole":
        return Span(line.name, 0, FOREVER, holder)
    if line.axis == "seats":
        seat = rng.randrange(line.high)
        return Span(line.name, seat, seat + 1, holder)
    if line is ANN_AFTER:
        start = MIDNIGHT + rng.randrange(SPREAD)
        return Span(line.name, start, start + rng.randrange(1, length), holder)
    start = MIDNIGHT - SPREAD + rng.randrange(SPREAD)
    return Span(line.name, start, min(start + rng.randrange(1, length), MIDNIGHT), holder)


def _apart(spans: Sequence[Span]) -> list[Span]:
    """The spans cut short, or left out, until none overlaps another."""
    made: dict[bytes, Span] = {}
    starts = sorted({(span.line, span.start) for span in spans})
    for span in spans:
        later = [start for line, start in starts if line == span.line and start > span.start]
        made[span.key] = span._replace(end=min([span.end, *later]))
    return list(made.values())


def _grow(rng: Random, leaves: list[tuple[int, Span]]) -> Node:
    """The tree over leaves in the places given; a prefix may be that of a misplaced one."""
    if len(leaves) == 1:
        return Node(leaves[0][1])
    node = Node()
    node.bits = KEY_BITS - (leaves[0][0] ^ leaves[-1][0]).bit_length()
    middle = next(at for at, leaf in enumerate(leaves) if leaf[0] >> (KEY_BITS - 1 - node.bits) & 1)
    key = leaves[0][0]
    if rng.random() < 0.2:
        key = int.from_bytes(rng.choice(leaves)[1].key, "big")
    node.prefix = prefix_bytes(node.bits, key)
    node.left = _grow(rng, leaves[:middle])
    node.right = _grow(rng, leaves[middle:])
    return node


def _fork(rng: Random, top: Node) -> Node:
    """Some inner node whose length a key can have; one without a place in the tree if none is."""
    return rng.choice([node for node in top.forks() if node.bits < KEY_BITS] or [Node()])


def _wrong_prefix(rng: Random, top: Node) -> Node:
    node = _fork(rng, top)
    key = rng.choice(_KEYS)
    if rng.random() < 0.5 and node.bits:
        key = int.from_bytes(node.prefix.ljust(32, b"\0"), "big")
        key ^= 1 << (KEY_BITS - 1 - rng.randrange(node.bits))
    node.prefix = prefix_bytes(node.bits, key)
    return top


def _wrong_bits(rng: Random, top: Node) -> Node:
    node = _fork(rng, top)
    key = int.from_bytes(node.prefix.ljust(32, b"\0"), "big")
    if node.bits >= LINE_BITS:
        key |= rng.choice((0, MIDNIGHT, MIDNIGHT - SPREAD)) % (1 << (KEY_BITS - node.bits))
    near = (node.bits + rng.choice((-9, -2, -1, 1, 2, 9))) % KEY_BITS
    node.bits = rng.choice((near, near, LINE_BITS, LINE_BITS - 1, 0, KEY_BITS - 1))
    node.prefix = prefix_bytes(node.bits, key)
    if rng.random() < 0.1:
        node.bits = rng.choice((256, 257, 65_535))  # more than a key has, on the same prefix
    return top


def _hollow(rng: Random, top: Node) -> Node:
    child = Node()
    child.hash = rng.choice((ZERO, ZERO, rng.randbytes(32)))
    return _hang(rng, _fork(rng, top), child, top)


def _graft(rng: Random, top: Node) -> Node:
    """Put a node that is in the tree where another was, or beside the top."""
    source = rng.choice(list(top.nodes()))
    if rng.random() < 0.3:
        above = Node()
        above.bits = max(min(top.bits, KEY_BITS) - rng.choice((1, 2, 9)), 0)
        above.prefix = prefix_bytes(above.bits, rng.choice(_KEYS))
        above.left, above.right = rng.choice(((top, source), (source, top)))
        return above
    node = _fork(rng, top)
    return top if node in source.nodes() else _hang(rng, node, source, top)


def _hang(rng: Random, node: Node, child: Node, top: Node) -> Node:
    if node.left is not None:
        if rng.random() < 0.5:
            node.left = child
        else:
            node.right = child
    return top


def _swap(rng: Random, top: Node) -> Node:
    node = _fork(rng, top)
    node.left, node.right = node.right, node.left
    return top


_TAMPER = {
    "prefix": _wrong_prefix,
    "bits": _wrong_bits,
    "hollow": _hollow,
    "graft": _graft,
    "swap": _swap,
}
_TRICKS = (
    *("misplace", "overlap", "prefix", "bits", "twice", "extra"),
    *("beyond", "empty", "hollow", "graft", "swap"),
)
_WEIGHTS = (14, 8, 3, 2, 2, 1, 2, 1, 1, 1, 1)


def _survey(rng: Random, top: Node) -> Tree:
    tree = Tree(top.seal(), [], {})

    def visit(node: Node, path: Path, sides: tuple[int, ...]) -> None:
        if node.left is None or node.right is None:
            if node.span is not None:
                tree.places.append(Place(path, sides, node.span, None))
            return
        left, right = node.left, node.right
        inner = Inner(node.bits, node.prefix, left.hash, right.hash)
        tree.places.append(Place(path, sides, None, inner))
        tree.committed[node.bits, left.hash, right.hash] = node.hash
        visit(left, (*path, Step(node.bits, right.hash)), (*sides, 0))
        visit(right, (*path, Step(node.bits, left.hash)), (*sides, 1))

    visit(top, (), ())
    if rng.random() < 0.25:
        tree.places += list(_variants(rng, rng.choice(tree.places)))
    return tree


def _variants(rng: Random, place: Place) -> Iterator[Place]:
    """The same node, claimed to be led to by another path."""
    if not place.path:
        return
    at = rng.randrange(len(place.path))
    path, sides = place.path, place.sides
    step = path[at]
    for bits in (step.bits + 1, max(step.bits - 1, 0), rng.randrange(KEY_BITS)):
        changed = (*path[:at], Step(bits, step.sibling), *path[at + 1 :])
        yield Place(changed, sides, place.span, place.inner)
    yield Place(path[:at] + path[at + 1 :], sides[:at] + sides[at + 1 :], place.span, place.inner)
    twice = path[: at + 1] + path[at:]
    yield Place(twice, sides[: at + 1] + sides[at:], place.span, place.inner)


# --- the search ---


@dataclass(frozen=True)
class Stretch:
    """What one accepted proof says: a span is held, or (span None) a stretch is free."""

    line: Line
    start: int
    end: int
    span: Span | None = None


def prove(tree: Tree, allows: SpanCheck, *, everything: bool = False) -> list[Stretch]:
    """All that has an accepted proof under the root, each held span once.

    everything: try also what nobody would, such as neighbours that overlap or of another line.
    """
    return [*_all_held(tree, allows, everything), *_all_free(tree, allows, everything)]


def contradictions(proved: Sequence[Stretch]) -> int:
    """How many pairs overlap on one timeline: two different held spans, or one held, one free."""
    found = 0
    held = [one for one in proved if one.span]
    for number, one in enumerate(held):
        for other in [*held[:number], *(some for some in proved if not some.span)]:
            if (
                one.line.timeline == other.line.timeline
                and one.start < other.end
                and other.start < one.end
                and one.span != other.span
            ):
                found += 1
    return found


def _neighbour(place: Place) -> Neighbour:
    span = place.span
    assert span
    return Neighbour(span.start, span.end, span.holder, place.path)


def _after(place: Place) -> Leaf:
    span = place.span
    assert span
    return Leaf(span.start, sha256(span.end.to_bytes(8, "big") + span.holder).digest(), place.path)


def _all_held(tree: Tree, allows: SpanCheck, everything: bool) -> Iterator[Stretch]:
    leaves = [
        (place, place.span)
        for place in tree.places
        if place.span and place.span.start <= FOREVER and (everything or place.on_way(place.key))
    ]
    seen: set[Span] = set()
    for place, span in leaves:
        if span in seen or span.line not in BY_NAME:
            continue
        befores: list[Neighbour | None] = [None]
        afters: list[Leaf | None] = [None]
        for near, other in leaves:
            same = other.line == span.line
            if everything or (same and other.start < span.start and other.end <= span.start):
                befores.append(_neighbour(near))
            if everything or (same and other.start >= span.end):
                afters.append(_after(near))
        tries = (Held(span, place.path, before, after) for before in befores for after in afters)
        if any(_accepted(tree.root, proof, allows) for proof in tries):
            seen.add(span)
            yield Stretch(BY_NAME[span.line], span.start, span.end, span)


def _all_free(tree: Tree, allows: SpanCheck, everything: bool) -> Iterator[Stretch]:
    for line in LINES:
        near = [
            (place, place.span)
            for place in tree.places
            if place.span
            and place.span.start <= FOREVER
            and (everything or (place.span.line == line.name and place.on_way(place.key)))
        ]
        tries: list[tuple[int, int, Present | Absent | None]] = []
        for place, span in near:
            start = max(span.start + 1, span.end)
            tries.append((start, FOREVER, Present(_neighbour(place), None)))
            tries.append((0, span.start, Present(None, _after(place))))
            for other_place, other in near:
                if start < other.start:
                    both = Present(_neighbour(place), _after(other_place))
                    tries.append((start, other.start, both))
        key = int.from_bytes(line.name + bytes(8), "big")
        for place in tree.places:
            if everything or (place.line_only and place.on_way(key)):
                end = place.inner or Leaf.of(place.key.to_bytes(32, "big"), _after(place).value)
                tries.append((0, FOREVER, Absent(place.path, end)))
        if everything:
            tries.append((0, FOREVER, None))
        for low, high, evidence in tries:
            for start, end_at in line.widest(low, high):
                proof = Free(line.name, start, end_at, evidence)
                if not _accepted(tree.root, proof, allows):
                    break
                yield Stretch(line, start, end_at)


def _accepted(root: bytes, proof: Held | Free, allows: SpanCheck) -> bool:
    try:
        if isinstance(proof, Held):
            check_held(root, proof, allows)
        else:
            check_free(root, proof, allows)
    except VerificationError:
        return False
    return True
