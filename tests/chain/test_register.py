"""The register, held against a plain list of intervals, through storing and opening again."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from support.trees import root_of

from chain import pages, register
from chain.calendar import Calendar
from chain.classes import Classes
from chain.genesis import default_classes
from chain.pages import ARCHIVED, ROOT_PAGE, Archived, Page
from chain.proofs import Absent, Free, Held, Present, check_free, check_held
from chain.register import Register
from chain.spans import EMPTY_ROOT, Span, make_line
from keys.errors import Fault, Usage, VerificationError

ALLOWS = Classes(default_classes(), Calendar(8 * 3600)).allows
DAY = 20_000
MIDNIGHT = Calendar(8 * 3600).start(DAY)
# Lines with many spans and lines with few; where their spans begin.
LONG = [(make_line(12, ["registry", f"series-{number}"]), 0) for number in range(3)]
SHORT = [(make_line(9, [f"platform-{number}", "bus"]), 0) for number in range(40)]
DATED = [(make_line(1, [f"{number:032x}"], DAY), MIDNIGHT) for number in range(12)]
LINES = LONG + SHORT + DATED
HOLDERS = [sha256(bytes((number,))).digest() for number in range(4)]
PAGE_SIZES = (4, 5, 40)


class Store:
    """Pages in a dictionary, and files of an archive, with a tally of what is read and written."""

    def __init__(self) -> None:
        self.pages: dict[int, bytes] = {}
        self.files: list[bytes] = []
        self.reads: Counter[int] = Counter()
        self.writes: Counter[int] = Counter()

    def read(self, numbers: Sequence[int]) -> Mapping[int, bytes]:
        self.reads.update(numbers)
        found = {number: self.pages[number] for number in numbers if number in self.pages}
        for number in numbers:
            if number >= ARCHIVED:
                at = Archived.of(number)
                found[number] = self.files[at.file][at.start : at.start + at.size]
        return found

    def write(self, drained: Mapping[int, bytes | None]) -> None:
        self.writes.update(list(drained))
        for number, page in drained.items():
            if page is None:
                self.pages.pop(number, None)
            else:
                self.pages[number] = page

    def forget(self) -> None:
        self.reads.clear()
        self.writes.clear()


def reopen(of: Register, store: Store, cached_max: int = register.PAGES_CACHED_MAX) -> Register:
    """Store what is left to store, and open anew."""
    store.write(of.drain())
    return Register(store.read, of.next_page, cached_max)


def filled(spans: Sequence[Span]) -> tuple[Register, Store]:
    """A register of ``spans``, freshly opened."""
    store = Store()
    made = Register(store.read)
    made.change(spans)
    made = reopen(made, store)
    store.forget()
    return made, store


def serials(count: int, line: bytes = LONG[0][0], width: int = 3, step: int = 5) -> list[Span]:
    """Spans of one width on a long line, with gaps between."""
    return [
        Span(line, step * number, step * number + width, HOLDERS[number % 4])
        for number in range(count)
    ]


def scattered(count: int) -> list[Span]:
    """One span on each of many lines."""
    return [
        Span(make_line(9, [f"platform-{number}", "bike"]), number % 7, 1000, HOLDERS[number % 4])
        for number in range(count)
    ]


def overlapping(spans: Sequence[Span], line: bytes, start: int, end: int) -> list[Span]:
    """By the plain list: the last one first."""
    found = [one for one in spans if one.line == line and one.start < end and start < one.end]
    return sorted(found, key=lambda span: span.start, reverse=True)


def check_against(made: Register, spans: Sequence[Span], queries: Sequence[tuple[bytes, int, int]]):
    """Every search and proof of ``made`` says what the plain list says."""
    root = root_of(spans)
    assert made.root() == root
    assert list(made.spans()) == sorted(spans, key=lambda span: span.key)
    expected = [overlapping(spans, *query) for query in queries]
    assert made.overlapping(queries) == expected
    held = {span.key: span for span in spans}
    for (line, start, end), found in zip(queries, expected, strict=True):
        assert list(made.spans(line)) == [s for s in sorted(spans) if s.line == line]
        if found:
            with pytest.raises(Usage, match="span-not-free"):
                made.free(line, start, end)
        else:
            free = made.free(line, start, end)
            check_free(root, free, ALLOWS)
            assert Free.from_json(free.as_json()) == free
            assert (free.evidence is None) == (not spans)
            assert isinstance(free.evidence, Present) == any(s.line == line for s in spans)
        span = held.get(line + start.to_bytes(8))
        if span is None:
            with pytest.raises(Usage, match="span-not-held"):
                made.held(line, start)
        else:
            proof = made.held(line, start)
            assert proof.span == span
            check_held(root, proof, ALLOWS)
            assert Held.from_json(proof.as_json()) == proof
            with pytest.raises(VerificationError):
                check_held(sha256(root).digest(), proof, ALLOWS)


# --- against a plain list ---


class Intervals(RuleBasedStateMachine):
    """A register that changes in batches, beside a plain list of spans."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.register = Register(self.store.read)
        self.spans: dict[bytes, Span] = {}

    def change(self, put: dict[bytes, Span], drop: list[Span]) -> None:
        self.register.change(list(put.values()), drop)
        for span in drop:
            del self.spans[span.key]
        self.spans |= put

    def vacant(self, line: bytes, start: int, end: int, put: dict[bytes, Span]) -> bool:
        taken = [*self.spans.values(), *put.values()]
        return not overlapping(taken, line, start, end)

    @initialize(count=st.sampled_from((0, 1, 2, 30, 200)), line=st.sampled_from(LONG))
    def begin(self, count: int, line: tuple[bytes, int]) -> None:
        self.change({span.key: span for span in serials(count, line[0])}, [])

    @rule(
        wanted=st.lists(
            st.tuples(
                st.sampled_from(LINES),
                st.integers(0, 400),
                st.integers(1, 30),
                st.sampled_from(HOLDERS),
            ),
            max_size=60,
        ),
        data=st.data(),
    )
    def claim_and_leave(
        self, wanted: list[tuple[tuple[bytes, int], int, int, bytes]], data: st.DataObject
    ) -> None:
        """Enter what is vacant, remove some, and move the ends of others, in one batch."""
        there = sorted(self.spans.values())
        some = st.lists(st.sampled_from(there), unique=True) if there else st.just([])
        touched = data.draw(some)
        drop, move = touched[::2], touched[1::2]
        put = {span.key: span._replace(end=span.start + 1) for span in move}
        for (line, base), start, length, holder in wanted:
            if self.vacant(line, base + start, base + start + length, put):
                span = Span(line, base + start, base + start + length, holder)
                put[span.key] = span
        self.change(put, drop)

    @rule(line=st.sampled_from(LINES))
    def leave_a_line(self, line: tuple[bytes, int]) -> None:
        self.change({}, [span for span in self.spans.values() if span.line == line[0]])

    @rule()
    def settle(self) -> None:
        self.register.root()

    @rule(cached_max=st.sampled_from((0, 3, 1000)))
    def open_again(self, cached_max: int) -> None:
        self.register = reopen(self.register, self.store, cached_max)

    @rule(
        wanted=st.lists(
            st.tuples(st.sampled_from(LINES), st.integers(0, 450), st.integers(1, 200)), max_size=8
        )
    )
    def ask(self, wanted: list[tuple[tuple[bytes, int], int, int]]) -> None:
        queries = [
            (line, base + start, base + start + length) for (line, base), start, length in wanted
        ]
        queries += [(span.line, span.start, span.end) for span in list(self.spans.values())[:3]]
        check_against(self.register, list(self.spans.values()), queries)

    @rule(until=st.sampled_from((0, DAY, DAY + 1, DAY + 9)), most=st.sampled_from((1, 3, 1000)))
    def archive(self, until: int, most: int) -> None:
        """Pages of days go to a file; should their lines change all the same, they may."""
        data = self.register.archive(until, len(self.store.files), most)
        assert data == b"" or until > DAY
        if data:
            self.store.files.append(data)
            self.store_pages()
        if most == 1000:
            assert self.register.archive(until, len(self.store.files), most) == b""

    @rule()
    def store_pages(self) -> None:
        """What is stored is one tree of pages: none left over, none too long."""
        self.store.write(self.register.drain())
        assert self.register.drain() == {}
        reached, level = {ROOT_PAGE}, [ROOT_PAGE]
        while level:
            number = level.pop()
            items = Page.decode(self.store.read([number]).get(number, b"")).items
            assert len(items) <= register.PAGE_ITEMS_MAX
            below = [int.from_bytes(item[2:8]) for item in items if item[0] & 0x80]
            assert not reached & set(below)
            reached |= set(below)
            level += below
        assert set(self.store.pages) <= reached


@pytest.mark.parametrize("page_items", PAGE_SIZES)
def test_the_register_is_a_list_of_intervals(
    monkeypatch: pytest.MonkeyPatch, page_items: int
) -> None:
    monkeypatch.setattr(register, "PAGE_ITEMS_MAX", page_items)
    run_state_machine_as_test(Intervals)


# --- the root depends on the spans alone ---


@given(
    keys=st.sets(st.tuples(st.sampled_from(LINES), st.integers(0, 300)), min_size=1, max_size=60),
    seed=st.integers(0, 2**32),
)
def test_the_root_does_not_depend_on_history(
    keys: set[tuple[tuple[bytes, int], int]], seed: int
) -> None:
    rng = Random(seed)
    spans = [Span(line, base + start, base + start + 1, HOLDERS[0]) for (line, base), start in keys]
    roots = set()
    for _ in range(3):
        rng.shuffle(spans)
        made = Register()
        detour = [span._replace(start=span.start + 1000, end=span.end + 1000) for span in spans]
        cut = rng.randrange(len(spans) + 1)
        made.change(detour)
        if rng.random() < 0.5:
            made.root()
        made.change(spans[:cut], detour[:cut])
        made.change(spans[cut:], detour[cut:])
        roots.add(made.root())
    assert roots == {root_of(spans)}


def test_a_register_without_spans_has_the_empty_root() -> None:
    assert Register().root() == EMPTY_ROOT == root_of([])
    made = Register()
    made.change(serials(300))
    made.change([], serials(300))
    assert made.root() == EMPTY_ROOT
    assert made.overlapping([(LONG[0][0], 0, 10)]) == [[]]
    check_free(EMPTY_ROOT, made.free(LONG[0][0], 0, 10), ALLOWS)


def test_a_root_worked_out_by_hand() -> None:
    line = LONG[0][0]
    one, other = Span(line, 4, 6, HOLDERS[0]), Span(line, 6, 7, HOLDERS[1])

    def leaf(span: Span) -> bytes:
        value = sha256(span.end.to_bytes(8, "big") + span.holder).digest()
        return sha256(b"\x10" + line + span.start.to_bytes(8, "big") + value).digest()

    # 4 is 100 and 6 is 110 in binary: the keys share their first 254 bits.
    prefix = line + (4).to_bytes(8, "big")
    root = sha256(b"\x11" + (254).to_bytes(2, "big") + prefix + leaf(one) + leaf(other)).digest()
    made = Register()
    made.change([one, other])
    assert made.root() == root


# --- long lines and many lines ---


@pytest.mark.parametrize("page_items", PAGE_SIZES)
@pytest.mark.parametrize(
    "spans",
    [
        serials(700),
        serials(700, width=5),
        scattered(400),
        [*serials(150), *serials(150, LONG[1][0]), *scattered(150)],
    ],
    ids=["long", "long-without-gaps", "scattered", "mixed"],
)
def test_long_lines_and_many_lines(
    monkeypatch: pytest.MonkeyPatch, page_items: int, spans: list[Span]
) -> None:
    monkeypatch.setattr(register, "PAGE_ITEMS_MAX", page_items)
    made, _ = filled(spans)
    line = LONG[0][0]
    queries = [(line, 0, 1), (line, 3, 5), (line, 100, 1600), (line, 2**40, 2**41)]
    queries += [(LONG[2][0], 5, 6), (SHORT[0][0], 0, 9), (DATED[0][0], MIDNIGHT, MIDNIGHT + 9)]
    queries += [(span.line, span.start, span.end) for span in spans[::60]]
    queries += [(span.line, span.end, span.end + 2) for span in spans[::60]]
    check_against(made, spans, queries)
    # Every third goes, every other ends earlier.
    gone, moved = spans[::3], [span._replace(end=span.start + 1) for span in spans[1::3]]
    made.change(moved, gone)
    check_against(made, [*moved, *spans[2::3]], queries)


def test_an_absent_line_is_shown_by_a_leaf_or_by_an_inner_node() -> None:
    one = Span(SHORT[0][0], 1, 2, HOLDERS[0])
    absent = SHORT[1][0]
    made, _ = filled([one])
    proof = made.free(absent, 0, 9)
    assert isinstance(proof.evidence, Absent) and proof.evidence.path == ()
    check_free(made.root(), proof, ALLOWS)
    made, _ = filled([one, one._replace(start=5, end=6)])
    proof = made.free(absent, 0, 9)
    assert isinstance(proof.evidence, Absent) and proof.evidence.path == ()
    check_free(made.root(), proof, ALLOWS)


# --- what it refuses ---


@pytest.mark.parametrize("start", [7, 5_000])
@pytest.mark.parametrize("count", [0, 1, 700])
def test_dropping_a_span_that_is_not_there_is_a_fault(count: int, start: int) -> None:
    made, _ = filled(serials(count))
    with pytest.raises(Fault, match="span-not-there"):
        made.change([], [Span(LONG[0][0], start, start + 1, HOLDERS[0])])


def test_dropping_from_a_line_that_is_not_there_is_a_fault() -> None:
    made, _ = filled(serials(700))
    with pytest.raises(Fault, match="span-not-there"):
        made.change([], [Span(SHORT[0][0], 0, 1, HOLDERS[0])])


USES: list[Callable[[Register], object]] = [
    lambda made: made.root() and list(made.spans()),
    lambda made: made.overlapping([(LONG[0][0], 0, 4_000)]),
    lambda made: [made.held(LONG[0][0], 5 * number) for number in range(700)],
    lambda made: made.change([span._replace(end=span.start + 1) for span in serials(700)]),
]


@pytest.mark.parametrize("use", USES, ids=["spans", "overlapping", "held", "change"])
def test_a_missing_page_is_a_fault(use: Callable[[Register], object]) -> None:
    made, store = filled(serials(700))
    for number in [number for number in store.pages if number != ROOT_PAGE][1::2]:
        del store.pages[number]
    with pytest.raises(Fault, match="page-missing"):
        use(made)


@pytest.mark.parametrize("use", USES, ids=["spans", "overlapping", "held", "change"])
@pytest.mark.parametrize("cut", [1, 40, 104, 100_000])
def test_a_corrupt_page_is_a_fault(use: Callable[[Register], object], cut: int) -> None:
    made, store = filled(serials(700))
    for number, page in store.pages.items():
        store.pages[number] = page[:-cut] if number % 3 == 0 else page
    with pytest.raises(Fault, match="page-corrupt"):
        use(made)


# --- one read and one write for each touched page ---


def batch(count: int, shift: int) -> list[Span]:
    """New spans in the gaps of `serials`, and on lines of their own."""
    line = LONG[0][0]
    gaps = [Span(line, 5 * n + 3, 5 * n + 4, HOLDERS[1]) for n in range(shift, shift + count)]
    return [*gaps, *(span._replace(start=2000, end=2001) for span in scattered(count))]


@pytest.mark.parametrize("page_items", PAGE_SIZES)
def test_a_batch_reads_and_writes_each_touched_page_once(
    monkeypatch: pytest.MonkeyPatch, page_items: int
) -> None:
    monkeypatch.setattr(register, "PAGE_ITEMS_MAX", page_items)
    spans = [*serials(1_500), *scattered(1_500)]
    made, store = filled(spans)
    stored, new_from = len(store.pages), made.next_page
    put = batch(300, 200)
    drop = [*serials(1_500)[250:400], *scattered(300)[::2]]
    made.overlapping([(span.line, span.start, span.end) for span in put])
    made.change(put, drop)
    made.root()
    store.write(made.drain())
    made.root()
    assert max(store.reads.values()) == 1
    assert max(store.writes.values()) == 1
    # Nothing was written that the batch did not touch, and most of the register was not read.
    assert {number for number in store.writes if number < new_from} <= set(store.reads)
    assert len(store.reads) < stored
    kept = {span.key: span for span in spans} | {span.key: span for span in put}
    for span in drop:
        del kept[span.key]
    assert made.root() == root_of(list(kept.values()))


def test_one_span_touches_only_the_pages_above_it() -> None:
    made, store = filled([*serials(3_000), *scattered(3_000)])
    made.change([Span(LONG[0][0], 5 * 1_000 + 3, 5 * 1_000 + 4, HOLDERS[0])])
    store.write(made.drain())
    assert len(store.reads) == len(store.writes) <= 5 < len(store.pages) // 20


def test_searching_reads_each_level_at_once() -> None:
    made, store = filled(scattered(3_000))
    asked: list[int] = []
    made = Register(lambda numbers: asked.append(len(numbers)) or store.read(numbers))
    made.overlapping([(span.line, span.start, span.end) for span in scattered(3_000)])
    assert len(asked) <= 5 and sum(asked) == len(store.pages)
    assert max(store.reads.values()) == 1


def test_pages_beyond_the_cache_are_read_again() -> None:
    spans = scattered(500)
    made, store = filled(spans)
    made = Register(store.read, made.next_page, cached_max=3)
    for _ in range(2):
        assert list(made.spans()) == sorted(spans)
        assert made.drain() == {}
    assert max(store.reads.values()) > 1
    assert made.root() == root_of(spans)


def test_pages_let_go_in_memory_keep_what_changed_in_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "PAGES_DECODED_MAX", 2)
    spans = scattered(1_000)
    made, store = filled(spans[:500])
    made = Register(store.read, made.next_page)
    for at in range(500, 1_000, 50):
        made.change(spans[at : at + 50])
        store.write(made.drain())
        assert list(made.spans()) == sorted(spans[: at + 50])
    assert made.root() == root_of(spans)
    assert max(store.reads.values()) == 1


@pytest.mark.parametrize("count", [5, 2_000])
def test_no_more_spans_than_were_asked_for(count: int) -> None:
    """A claim over a long line meets all its spans; to refuse it, one is enough."""
    line = LONG[0][0]
    made = Register()
    made.change([Span(line, start, start + 1, bytes(32)) for start in range(count)])
    for most in (1, 3):
        (found,) = made.overlapping([(line, 0, count)], most)
        assert [span.start for span in found] == [count - 1 - n for n in range(most)]
