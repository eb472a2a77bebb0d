"""The register, and proofs that a span is held or a stretch is free: what breaks each rule."""

import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from support.city import OFFSET
from support.vectors.common import Case, Vectors, accepted, refused, span
from support.vectors.lines import GIVEN

from chain.calendar import Calendar
from chain.multiproofs import HIDDEN, KNOWN, Multiproof
from chain.proofs import (
    CLOSED,
    MANY_PARTS,
    OPENED,
    Absent,
    Free,
    Held,
    Inner,
    Leaf,
    Neighbour,
    Path,
    Present,
    Step,
)
from chain.register import Register
from chain.spans import (
    EMPTY_ROOT,
    FOREVER,
    Span,
    leaf_hash,
    make_holder,
    make_line,
    node_hash,
    value_hash,
)
from keys.strict import dump_json

Json = dict[str, Any]

CALENDAR = Calendar(OFFSET)
DAY = 20_000
MIDNIGHT = CALENDAR.start(DAY)
MIDDAY = MIDNIGHT + 43_200
ONE, OTHER = make_holder("reduction", b"one"), make_holder("reduction", b"other")
STARTS = [MIDDAY + 100 * number for number in range(7)]
WHOLE_DAY = (MIDNIGHT, MIDNIGHT + 86_400)


def traveller(number: int, day: int = DAY) -> bytes:
    """The line of some person."""
    return make_line(1, [f"{number:032x}"], day)


ANN, BOB, ZOE = traveller(1), traveller(2), traveller(3)
TICKET, NO_TICKET = make_line(4, ["city-bus", "0" * 32]), make_line(4, ["city-bus", "1" * 32])
CAP = make_line(8, ["ride", "day", "0" * 32], DAY)
SERIES = make_line(12, ["registry", "a"])
SPANS = [
    *(Span(ANN, start, start + 60, ONE) for start in STARTS),
    *(Span(BOB, start, start + 60, OTHER) for start in STARTS[:2]),
    *(Span(traveller(number), STARTS[0], STARTS[0] + 60, ONE) for number in range(4, 8)),
    Span(TICKET, 0, FOREVER, ONE),
    *(Span(CAP, seat, seat + 1, ONE) for seat in range(2)),
    *(Span(SERIES, 50 * number, 50 * number + 50, ONE) for number in range(4)),
]


def register_of(*spans: Span) -> Register:
    """A register with these spans, whatever they are."""
    made = Register()
    made.change(spans)
    return made


def register_vectors() -> Vectors:
    """register.json."""
    return Vectors(
        "The register's root, and proofs that a span is held, many are, or a stretch is free.",
        [12, 13, 30],
        {
            "roots": _roots(),
            "held": [*_held(), *_not_held()],
            "free": [*_free(), *_not_free()],
            "held_many": [*_held_many(), *_not_held_many()],
        },
        GIVEN,
    )


def _roots() -> list[Case]:
    tried = {
        "of nothing": [],
        "of one span": SPANS[:1],
        "of two spans on one line": SPANS[:2],
        "of two lines": [SPANS[0], SPANS[7]],
        "of two days": [
            SPANS[0],
            Span(traveller(1, DAY + 1), MIDDAY + 86_400, MIDDAY + 86_460, OTHER),
        ],
        "of lines that differ in their last bit": [
            Span(ANN, 5, 6, ONE),
            Span(ANN[:-1] + bytes([ANN[-1] ^ 1]), 5, 6, ONE),
        ],
        "of starts that differ in their last bit": [
            Span(SERIES, 4, 5, ONE),
            Span(SERIES, 5, 6, OTHER),
        ],
        "of many": SPANS,
    }
    return [
        accepted(
            f"root {name}", spans=[span(one) for one in spans], root=register_of(*spans).root()
        )
        for name, spans in tried.items()
    ]


def _proof(name: str, proof: Held | Free | Json, root: bytes, code: str | None = None) -> Case:
    said = proof if isinstance(proof, dict) else proof.as_json()
    given = {"root": root, "proof": dump_json(said).decode()}
    return accepted(name, **given) if code is None else refused(name, code, **given)


@functools.cache
def register() -> Register:
    """The register of all the spans."""
    return register_of(*SPANS)


@functools.cache
def root() -> bytes:
    """Its root."""
    return register().root()


def _held() -> list[Case]:
    tried = {
        "between two": (ANN, STARTS[3]),
        "the first of its line": (ANN, STARTS[0]),
        "the last of its line": (ANN, STARTS[-1]),
        "one of two": (BOB, STARTS[1]),
        "a ticket": (TICKET, 0),
        "a seat": (CAP, 1),
        "serial numbers that touch others": (SERIES, 50),
    }
    alone = register_of(SPANS[0])
    return [
        *(_proof(f"held: {name}", register().held(*of), root()) for name, of in tried.items()),
        _proof("held: alone in the register", alone.held(ANN, STARTS[0]), alone.root()),
    ]


def _before(start: int, line: bytes = ANN, of: Register | None = None) -> Neighbour:
    """The span that starts here, shown as the one before."""
    proof = (of or register()).held(line, start)
    return Neighbour(start, proof.span.end, proof.span.holder, proof.path)


def _after(start: int, line: bytes = ANN, of: Register | None = None) -> Leaf:
    """The span that starts here, shown as the one after."""
    proof = (of or register()).held(line, start)
    return Leaf(start, value_hash(proof.span.end, proof.span.holder), proof.path)


def _alone(one: Span) -> bytes:
    return leaf_hash(one.key, value_hash(one.end, one.holder))


def _not_held() -> list[Case]:
    good = register().held(ANN, STARTS[3])
    before, after = good.before, good.after
    assert before is not None and after is not None
    path = good.path
    made: list[Case] = []

    def bad(name: str, code: str, proof: Held | Json, under: bytes | None = None) -> None:
        made.append(_proof(name, proof, under or root(), code))

    def committed(name: str, code: str, one: Span, rule: int = 1) -> None:
        """The operator did enter it."""
        others = register_of(*(other for other in SPANS if other.line != one.line), one)
        bad(f"rule {rule}: {name}", code, others.held(one.line, one.start), others.root())

    day_after = MIDNIGHT + 86_400
    committed("beyond its day", "span-class", Span(ANN, MIDDAY, day_after + 1, ONE))
    committed("from before its day", "span-class", Span(ANN, MIDNIGHT - 1, MIDDAY, ONE))
    committed(
        "on another day than its line",
        "span-class",
        Span(traveller(1, DAY + 1), MIDDAY, MIDDAY + 60, ONE),
    )
    committed("two seats", "span-class", Span(CAP, 0, 2, ONE))
    committed("a part of a ticket", "span-class", Span(TICKET, 0, 1, ONE))
    committed("a ticket but its start", "span-class", Span(TICKET, 1, FOREVER, ONE))
    committed(
        "a ticket with a day",
        "span-day",
        Span(make_line(4, ["city-bus", "0" * 32], DAY), 0, FOREVER, ONE),
    )
    committed("a class that there is not", "class-unknown", Span(make_line(255, ["x"]), 0, 9, ONE))
    empty = Span(SERIES, 5, 5, ONE)
    bad("rule 1: nothing", "span-invalid", Held(empty, (), None, None), _alone(empty))

    steps = {
        "bits that do not grow": (path[1], path[0], *path[2:]),
        "a step twice": (path[0], *path),
        "bits that no key has": (*path[:-1], Step(256, path[-1].sibling)),
        "more bits than a key has": (*path[:-1], Step(FOREVER, path[-1].sibling)),
    }
    for name, steps_of in steps.items():
        bad(f"path: {name}", "path-not-descending", replace(good, path=steps_of))
    zero = (*path[:-1], Step(path[-1].bits, EMPTY_ROOT))
    bad("path: a sibling of zeros", "path-sibling-invalid", replace(good, path=zero))
    one = SPANS[0]
    hollow = Held(one, (Step(255, EMPTY_ROOT),), None, None)
    bad(
        "path: a sibling of zeros that is committed",
        "path-sibling-invalid",
        hollow,
        node_hash(255, one.key, _alone(one), EMPTY_ROOT),
    )

    wrong: dict[str, Path] = {
        "a step missing at the top": path[1:],
        "a step missing at the bottom": path[:-1],
        "no path": (),
        "a step more at the bottom": (*path, Step(255, ONE)),
        "other bits than are committed": (*path[:-1], Step(path[-1].bits + 1, path[-1].sibling)),
        "two siblings swapped": (
            Step(path[0].bits, path[1].sibling),
            Step(path[1].bits, path[0].sibling),
            *path[2:],
        ),
    }
    for name, steps_of in wrong.items():
        bad(f"rule 2: {name}", "held-root-differs", replace(good, path=steps_of))
    of = good.span
    for name, other in {
        "another holder": of._replace(holder=OTHER),
        "a second shorter": of._replace(end=of.end - 1),
        "a second longer": of._replace(end=of.end + 1),
        "another start": of._replace(start=of.start + 1),
        "another line": of._replace(line=BOB),
    }.items():
        bad(f"rule 2: {name}", "held-root-differs", replace(good, span=other))
    bad("rule 2: under another root", "held-root-differs", good, register_of(*SPANS[1:]).root())
    bad("rule 2: under the root of nothing", "held-root-differs", good, EMPTY_ROOT)
    # Without the prefix in its hash, a node could lead to a leaf that stands elsewhere.
    bare = _without_prefix(one, SPANS[7])
    bad(
        "rule 2: a node that does not commit to its prefix",
        "held-root-differs",
        Held(one, (Step(bare[0], _alone(SPANS[7])),), None, None),
        bare[1],
    )

    bad(
        "rule 3: the neighbour before is left out", "neighbour-left-out", replace(good, before=None)
    )
    bad(
        "rule 3: the neighbour but one",
        "neighbour-not-adjacent",
        replace(good, before=_before(STARTS[1])),
    )
    bad(
        "rule 3: the neighbour after, as the one before",
        "neighbour-overlaps",
        replace(good, before=_before(STARTS[4])),
    )
    bad(
        "rule 3: the span itself as the one before",
        "neighbour-overlaps",
        replace(good, before=_before(STARTS[3])),
    )
    bad(
        "rule 3: a neighbour of another line",
        "neighbour-root-differs",
        replace(good, before=_before(STARTS[0], BOB)),
    )
    bad(
        "rule 3: a neighbour said to end earlier",
        "neighbour-root-differs",
        replace(good, before=replace(before, end=before.end - 1)),
    )
    bad(
        "rule 3: a neighbour of another holder",
        "neighbour-root-differs",
        replace(good, before=replace(before, holder=OTHER)),
    )
    bad("rule 4: the neighbour after is left out", "neighbour-left-out", replace(good, after=None))
    bad(
        "rule 4: both neighbours are left out",
        "neighbour-left-out",
        replace(good, before=None, after=None),
    )
    bad(
        "rule 4: the neighbour but one",
        "neighbour-not-adjacent",
        replace(good, after=_after(STARTS[5])),
    )
    bad(
        "rule 4: the neighbour before, as the one after",
        "neighbour-overlaps",
        replace(good, after=_after(STARTS[2])),
    )
    bad(
        "rule 4: the span itself as the one after",
        "neighbour-overlaps",
        replace(good, after=_after(STARTS[3])),
    )
    bad(
        "rule 4: a neighbour said to start later",
        "neighbour-root-differs",
        replace(good, after=replace(after, start=after.start + 1)),
    )
    bad(
        "rule 4: a neighbour of another value",
        "neighbour-root-differs",
        replace(good, after=replace(after, value=OTHER)),
    )
    for name, spans in {
        "partly": [(0, 10), (5, 15)],
        "at the end": [(0, 10), (9, 10)],
        "one inside another": [(0, 100), (10, 20)],
    }.items():
        both = register_of(*(Span(SERIES, *at, ONE) for at in spans))
        for place, at in zip((4, 3), spans, strict=True):
            bad(
                f"rule {place}: committed spans that overlap {name}",
                "neighbour-overlaps",
                both.held(SERIES, at[0]),
                both.root(),
            )
    for name, code, value in _misshapen(good.as_json()):
        bad(f"form: {name}", code, value)
    before_path, after_path = dump_json({**good.as_json(), "path": []}).split(b'"path":[]', 1)
    step = dump_json(good.as_json()["path"][0])
    pieces = [(before_path + b'"path":[' + step, 1), (b"," + step, 256), (b"]" + after_path, 1)]
    name = "form: more steps than may be"
    return [*made, refused(name, "field-type", root=root(), bytes=pieces)]


def _without_prefix(one: Span, other: Span) -> tuple[int, bytes]:
    """Where two keys part, and the hash of the node over them with a prefix of zeros."""
    bits = 8 * 32 - (int.from_bytes(one.key) ^ int.from_bytes(other.key)).bit_length()
    first, second = sorted((one, other), key=lambda span: span.key)
    return bits, node_hash(bits, bytes(32), _alone(first), _alone(second))


def _misshapen(good: Json) -> Iterator[tuple[str, str, Json]]:
    def with_step(step: object) -> Json:
        return {**good, "path": [*good["path"][:-1], step]}

    bits, sibling = good["path"][-1]
    yield "a field more", "field-unknown", {**good, "more": 1}
    yield "no neighbours", "field-missing", {k: v for k, v in good.items() if k != "before"}
    yield "a line in capitals", "hex-not-canonical", {**good, "line": good["line"].upper()}
    yield "a line of 23 bytes", "hex-not-canonical", {**good, "line": good["line"][2:]}
    yield "a holder of 31 bytes", "hex-not-canonical", {**good, "holder": good["holder"][2:]}
    yield "a start that is a text", "field-type", {**good, "start": str(good["start"])}
    yield "a start below 0", "json-integer-range", {**good, "start": -1}
    yield "a path that is an object", "field-type", {**good, "path": {}}
    yield "a step of one", "field-type", with_step([bits])
    yield "a step of three", "field-type", with_step([bits, sibling, 0])
    yield "bits that are a text", "field-type", with_step([str(bits), sibling])
    yield "bits below 0", "path-not-descending", with_step([-1, sibling])
    yield "a sibling of 31 bytes", "hex-not-canonical", with_step([bits, sibling[2:]])


def _free() -> list[Case]:
    tried = {
        "before the first": (ANN, MIDNIGHT, STARTS[0]),
        "between two": (ANN, STARTS[3] + 60, STARTS[4]),
        "one second between two": (ANN, STARTS[3] + 70, STARTS[3] + 71),
        "after the last": (ANN, STARTS[-1] + 60, MIDNIGHT + 86_400),
        "a whole day": (ZOE, *WHOLE_DAY),
        "a ticket": (NO_TICKET, 0, FOREVER),
        "a seat": (CAP, 2, 3),
        "serial numbers for ever": (SERIES, 200, FOREVER),
    }
    kinds = {
        "an absent line, by a leaf": next(_absences(Leaf)),
        "an absent line, by an inner node": next(_absences(Inner)),
    }
    return [
        *(_proof(f"free: {name}", register().free(*of), root()) for name, of in tried.items()),
        *(_proof(f"free: {name}", proof, root()) for name, proof in kinds.items()),
        _proof("free: a day, under the root of nothing", Free(ANN, *WHOLE_DAY, None), EMPTY_ROOT),
        _proof(
            "free: a ticket, under the root of nothing", Free(TICKET, 0, FOREVER, None), EMPTY_ROOT
        ),
    ]


def _absences(kind: type[Leaf] | type[Inner]) -> Iterator[Free]:
    """Proofs for lines that are not there, which end in a leaf or in an inner node."""
    for number in range(10, 200):
        proof = register().free(traveller(number), MIDDAY, MIDDAY + 60)
        evidence = proof.evidence
        if not isinstance(evidence, Absent) or not evidence.path:
            continue
        end = evidence.end
        # An inner node whose bits are no whole bytes, so that its prefix is padded.
        if isinstance(end, kind) and (isinstance(end, Leaf) or end.bits % 8):
            yield proof


def _nodes_towards(proof: Held) -> Iterator[tuple[Path, Inner]]:
    """The inner nodes on the way to a held span from the leaf up, each with the path to it."""
    of, path = proof.span, proof.path
    digest = _alone(of)
    for at in range(len(path) - 1, -1, -1):
        bits, sibling = path[at]
        is_right = of.key[bits >> 3] >> (7 - bits % 8) & 1
        children = (sibling, digest) if is_right else (digest, sibling)
        whole = int.from_bytes(of.key) >> (256 - bits) << (-bits % 8)
        yield path[:at], Inner(bits, whole.to_bytes((bits + 7) // 8), *children)
        digest = node_hash(bits, of.key, *children)


def _not_free() -> list[Case]:
    gap = (STARTS[3] + 60, STARTS[4])
    good = register().free(ANN, *gap)
    by_leaf, by_inner = next(_absences(Leaf)), next(_absences(Inner))
    made: list[Case] = []

    def bad(name: str, code: str, proof: Free | Json, under: bytes | None = None) -> None:
        made.append(_proof(name, proof, under or root(), code))

    def ends_in(proof: Free, **changes: Any) -> Free:
        evidence = proof.evidence
        assert isinstance(evidence, Absent)
        return replace(proof, evidence=replace(evidence, end=replace(evidence.end, **changes)))

    def present(start: int, end: int, before: Neighbour | None, after: Leaf | None) -> Free:
        return Free(ANN, start, end, Present(before, after))

    evidence = good.evidence
    assert isinstance(evidence, Present)
    before, after = evidence.before, evidence.after
    assert before is not None and after is not None
    bad(
        "rule 5: nothing, under a root of something",
        "free-root-differs",
        replace(good, evidence=None),
    )
    bad(
        "rule 5: no evidence for a line that is absent",
        "free-root-differs",
        replace(by_leaf, evidence=None),
    )
    bad("rule 6: neither neighbour", "free-evidence-missing", present(*gap, None, None))
    bad(
        "rule 6: the neighbour before is left out", "neighbour-left-out", present(*gap, None, after)
    )
    bad(
        "rule 6: the neighbour after is left out", "neighbour-left-out", present(*gap, before, None)
    )
    bad(
        "rule 6: a span that is said to be the first",
        "neighbour-left-out",
        present(MIDNIGHT, STARTS[1], None, _after(STARTS[1])),
    )
    bad(
        "rule 6: a span that is said to be the last",
        "neighbour-left-out",
        present(STARTS[-2] + 60, MIDNIGHT + 86_400, _before(STARTS[-2]), None),
    )
    for low, high in ((2, 4), (0, 6), (3, 5)):
        bad(
            f"rule 6: a gap from {low} to {high}, with spans in it",
            "neighbour-not-adjacent",
            present(STARTS[low] + 60, STARTS[high], _before(STARTS[low]), _after(STARTS[high])),
        )
    bad(
        "rule 6: a second into the span before",
        "neighbour-overlaps",
        replace(good, start=good.start - 1),
    )
    bad(
        "rule 6: a second into the span after",
        "neighbour-overlaps",
        replace(good, end=good.end + 1),
    )
    bad(
        "rule 6: a neighbour of another line",
        "neighbour-root-differs",
        present(STARTS[-1] + 60, MIDNIGHT + 86_400, _before(STARTS[1], BOB), None),
    )
    bad(
        "rule 6: a neighbour said to end earlier",
        "neighbour-root-differs",
        present(gap[0] - 1, gap[1], replace(before, end=before.end - 1), after),
    )
    bad(
        "rule 6: under another root", "neighbour-root-differs", good, register_of(*SPANS[1:]).root()
    )
    inside = register_of(Span(SERIES, 0, 100, ONE), Span(SERIES, 10, 20, ONE))
    hidden = Present(_before(10, SERIES, inside), None)
    bad(
        "rule 6: behind a span within a longer one",
        "neighbour-overlaps",
        Free(SERIES, 15, 100, hidden),
        inside.root(),
    )
    empty = Span(SERIES, 5, 5, ONE)
    shown = Present(Neighbour(5, 5, ONE, ()), None)
    bad(
        "rule 6: an empty span where the stretch begins",
        "neighbour-overlaps",
        Free(SERIES, 5, 9, shown),
        _alone(empty),
    )
    bad(
        "rule 6: a stretch that its class does not allow",
        "span-class",
        replace(good, start=MIDNIGHT - 1),
    )
    bad("rule 6: an empty stretch", "span-invalid", replace(good, start=good.end))

    held = register().held(ANN, STARTS[3])
    ticket = register().held(TICKET, 0)
    low = [(path, node) for path, node in _nodes_towards(held) if node.bits >= 192]
    high = [(path, node) for path, node in _nodes_towards(held) if node.bits < 192]
    bad(
        "rule 7: a line that is there, by a node within it",
        "absent-path-too-long",
        Free(ANN, *gap, Absent(*low[0])),
    )
    bad(
        "rule 7: a line that is there, by its top node",
        "absent-end-invalid",
        Free(ANN, *gap, Absent(*low[-1])),
    )
    bad(
        "rule 7: a line that is there, by a node above it",
        "absent-end-invalid",
        Free(ANN, *gap, Absent(*high[0])),
    )
    own = Leaf(0, value_hash(FOREVER, ONE), (), TICKET)
    bad(
        "rule 7: a line that is there, by its own leaf",
        "absent-end-invalid",
        Free(TICKET, 0, FOREVER, Absent(ticket.path, own)),
    )
    bad(
        "rule 7: a line that is there, by the proof of another",
        "free-root-differs",
        Free(BOB, *gap, by_leaf.evidence),
    )
    bad(
        "rule 7: a leaf under a false name",
        "free-root-differs",
        ends_in(by_leaf, line=traveller(999)),
    )
    bad("rule 7: a leaf of another value", "free-root-differs", ends_in(by_leaf, value=OTHER))
    bad(
        "rule 7: a leaf of the line itself",
        "absent-end-invalid",
        ends_in(by_leaf, line=by_leaf.line),
    )
    node = by_inner.evidence
    assert isinstance(node, Absent) and isinstance(node.end, Inner)
    end = node.end
    path, top = high[0]
    flipped = bytes([top.prefix[0] ^ 0x80]) + top.prefix[1:]
    bad(
        "rule 7: a node on the way, with a prefix that would contradict",
        "free-root-differs",
        Free(ANN, *gap, Absent(path, replace(top, prefix=flipped))),
    )
    bad(
        "rule 7: a prefix with something after its bits",
        "absent-end-invalid",
        ends_in(by_inner, prefix=end.prefix[:-1] + bytes([end.prefix[-1] | 1])),
    )
    bad(
        "rule 7: the children swapped",
        "free-root-differs",
        ends_in(by_inner, left=end.right, right=end.left),
    )
    bad("rule 7: a child of zeros", "absent-end-invalid", ends_in(by_inner, left=EMPTY_ROOT))
    bits = node.path[-1].bits
    beside = bytes([by_inner.line[0] ^ 0x80]).ljust((bits + 7) // 8, b"\0")
    bad(
        "rule 7: a node that is not below its path",
        "absent-end-invalid",
        ends_in(by_inner, bits=bits, prefix=beside),
    )
    bad(
        "rule 7: a path cut short",
        "free-root-differs",
        replace(by_inner, evidence=replace(node, path=node.path[1:])),
    )
    first, second = Span(traveller(1, 5), 0, 1, ONE), Span(traveller(1, 40_000), 0, 1, ONE)
    left, right = _alone(first), _alone(second)
    posed = Leaf(int.from_bytes(left[24:]), right, (), left[:24])
    if posed.start <= FOREVER:
        bad(
            "rule 7: an inner node shown as a leaf",
            "free-root-differs",
            Free(ZOE, MIDDAY, MIDDAY + 1, Absent((), posed)),
            node_hash(0, first.key, left, right),
        )

    said = good.as_json()
    both = {**said, "absent": by_leaf.as_json()["absent"]}
    ends = copy.deepcopy(by_leaf.as_json())
    ends["absent"]["inner"] = by_inner.as_json()["absent"]["inner"]
    bad("form: evidence of two kinds", "field-unknown", both)
    bad("form: two ends", "field-missing", ends)
    bad("form: no end", "field-missing", {**by_leaf.as_json(), "absent": {"path": []}})
    bad("form: a field more in a stretch", "field-unknown", {**said, "more": 1})
    bad("form: an end beyond for ever", "json-integer-range", {**said, "end": FOREVER + 1})
    long = copy.deepcopy(by_inner.as_json())
    long["absent"]["inner"]["prefix"] += "00"
    bad("form: a prefix a byte too long", "hex-not-canonical", long)
    return made


# --- many at once ---


def _many(
    name: str,
    spans: Sequence[Span],
    proof: bytes | Multiproof,
    code: str | None = None,
    of: Register | None = None,
) -> Case:
    data = proof.to_bytes() if isinstance(proof, Multiproof) else proof
    given = {"root": (of or register()).root(), "spans": [span(one) for one in spans]}
    if code is None:
        return accepted(f"held_many: {name}", **given, proof=data)
    return refused(f"held_many: {name}", code, **given, proof=data)


def _held_many() -> list[Case]:
    ann, bob, ticket, caps, series = SPANS[:7], SPANS[7:9], SPANS[13], SPANS[14:16], SPANS[16:]
    tried = {
        "one between two": ann[3:4],
        "one alone on its line": [ticket],
        "one, not next to another": [ann[1], ann[5]],
        "neighbours": ann[2:5],
        "two that touch": series[1:3],
        "a whole line": bob,
        "of many lines": [ann[0], ann[6], bob[1], ticket, caps[0], series[3]],
        "all": SPANS,
    }
    alone = register_of(SPANS[0])
    return [
        *(_many(name, spans, register().held_many(spans)) for name, spans in tried.items()),
        _many("alone in the register", SPANS[:1], alone.held_many(SPANS[:1]), of=alone),
    ]


def _shown(spans: Sequence[Span], marks: Mapping[int, int]) -> Multiproof:
    """A multiproof of a register of three spans of Ann's and one of Bob's: the span at each place
    is shown by its mark; the spans may overlap."""
    apart = [one._replace(end=one.start + 1) for one in spans]
    full = Multiproof.parse(register_of(*apart, SPANS[7]).held_many(apart), MANY_PARTS)
    ordered = iter(sorted(enumerate(spans), key=lambda item: item[1]))
    made, parts = [], []
    for known, hidden in zip(full.marks, full.parts, strict=True):
        if known == HIDDEN:
            made.append(HIDDEN)
            parts.append(hidden)
            continue
        place, one = next(ordered)
        start, value = one.start.to_bytes(8), value_hash(one.end, one.holder)
        as_marked = {
            KNOWN: b"",
            HIDDEN: leaf_hash(one.key, value),
            OPENED: start + one.end.to_bytes(8) + one.holder,
            CLOSED: start + value,
        }
        made.append(marks.get(place, KNOWN))
        parts.append(as_marked[made[-1]])
    return Multiproof(made, full.bits, parts)


def _not_held_many() -> list[Case]:
    some = [SPANS[1], SPANS[3], SPANS[13]]
    data = register().held_many(some)
    good = Multiproof.parse(data, MANY_PARTS)
    hidden = good.marks.index(HIDDEN)
    zero = [*good.parts[:hidden], bytes(32), *good.parts[hidden + 1 :]]
    first, *others = some
    ann = SPANS[:7]
    every = Multiproof.parse(register().held_many(ann), MANY_PARTS)
    level = Multiproof(every.marks, bytes([every.bits[0]]) * len(every.bits), every.parts)
    at = every.bits.index(max(every.bits))
    parted = bytes([*every.bits[:at], every.bits[at] + 1, *every.bits[at + 1 :]])
    pair = Multiproof([HIDDEN, *good.marks], b"\xff" + good.bits, [good.parts[hidden], *good.parts])
    turned = Multiproof([KNOWN, HIDDEN], bytes([_one_bit(SPANS[13])]), [b"", good.parts[hidden]])
    two = [SPANS[0], SPANS[0]._replace(holder=OTHER)]
    tried: list[tuple[str, str, Sequence[Span], bytes | Multiproof]] = [
        ("form: nothing", "multiproof-malformed", some, b""),
        ("form: a byte less", "multiproof-malformed", some, data[:-1]),
        ("form: a byte more", "multiproof-malformed", some, data + b"\0"),
        ("form: a span less than is shown", "multiproof-leaves", some[:-1], data),
        ("rule 1: all bits are equal", "path-not-descending", ann, level),
        ("rule 2: two leaves parted at another bit", "multiproof-order", ann,
         Multiproof(every.marks, parted, every.parts)),
        ("rule 3: a leaf on the other side", "multiproof-order", [SPANS[13]], turned),
        ("rule 4: two hidden subtrees below a node", "multiproof-order", some, pair),
        ("rule 5: a child that is zero", "path-sibling-invalid", some,
         Multiproof(good.marks, good.bits, zero)),
        ("rule 6: a span that is empty", "span-invalid",
         [first._replace(end=first.start), *others], data),
        ("rule 6: a span beyond its day", "span-class",
         [first._replace(end=first.end + 86_400), *others], data),
        ("rule 6: one span twice", "span-twice", [SPANS[0], SPANS[0]],
         register().held_many(SPANS[:2])),
        ("rule 6: one span for two holders", "span-twice", two, register().held_many(SPANS[:2])),
        ("rule 8: another end", "held-root-differs", [first._replace(end=first.end - 1), *others],
         data),
        ("rule 8: another holder", "held-root-differs", [first._replace(holder=OTHER), *others],
         data),
        ("rule 8: another line", "held-root-differs", [*some[:2], SPANS[13]._replace(
            line=NO_TICKET)], data),
    ]  # fmt: skip
    made = [_many(name, spans, proof, code) for name, code, spans, proof in tried]
    three = [SPANS[0], SPANS[2], SPANS[4]]
    reaching = [three[0]._replace(end=three[1].start + 1), *three[1:]]
    before, after = {0: OPENED, 2: CLOSED}, "neighbour-left-out"
    hostile: list[tuple[str, str, Sequence[Span], Mapping[int, int]]] = [
        ("rule 7: the neighbour before is closed", "multiproof-malformed", three,
         {0: CLOSED, 2: CLOSED}),
        ("rule 7: the neighbour after is opened", "multiproof-malformed", three,
         {0: OPENED, 2: OPENED}),
        ("rule 9: the neighbour before is hidden", after, three, {0: HIDDEN, 2: CLOSED}),
        ("rule 9: the neighbour after is hidden", after, three, {0: OPENED, 2: HIDDEN}),
        ("rule 9: one between two is closed", after, three, {1: CLOSED}),
        ("rule 9: the one before reaches into it", "neighbour-overlaps", reaching, before),
        ("rule 9: one reaches into another", "neighbour-overlaps", reaching, {2: CLOSED}),
        ("rule 9: it reaches into the one after", "neighbour-overlaps", reaching,
         {1: CLOSED, 2: HIDDEN}),
    ]  # fmt: skip
    for name, code, spans, marks in hostile:
        known = [one for place, one in enumerate(spans) if place not in marks]
        of = register_of(*spans, SPANS[7])
        made.append(_many(name, known, _shown(spans, marks), code, of))
    return made


def _one_bit(of: Span) -> int:
    """The first bit of a span's key that is 1."""
    return 256 - int.from_bytes(of.key).bit_length()
