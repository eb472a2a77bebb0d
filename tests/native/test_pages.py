"""The register's pages: both kernels make, search and prove the same ones; damage is a fault."""

import random
from collections.abc import Mapping, Sequence

import carbon_tally_native as native
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.kernels import reference

from chain.spans import Span
from keys.errors import Fault

python = reference("chain.pages")
LINES = [day + b"\1" + bytes((n,)) * 21 for day in (b"\0\0", b"\x50\x22") for n in range(6)]
SPANS = st.builds(
    Span,
    st.sampled_from(LINES),
    st.integers(0, 300) | st.integers(0, 2**40),
    st.integers(2**41, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
)
BATCHES = st.lists(
    st.tuples(st.lists(SPANS, max_size=60, unique_by=lambda span: span.key), st.randoms()),
    max_size=6,
)


def read_of(stored: Mapping[int, bytes]) -> object:
    def read(numbers: Sequence[int]) -> dict[int, bytes]:
        return {number: stored[number] for number in numbers if number in stored}

    return read


@given(batches=BATCHES, items_max=st.sampled_from((2, 3, 38)), cached=st.sampled_from((0, 3, 99)))
def test_both_kernels_keep_the_same_pages(
    batches: list[tuple[list[Span], random.Random]], items_max: int, cached: int
) -> None:
    stored: list[dict[int, bytes]] = [{}, {}]
    both = [
        kind(read_of(pages), items_max, 2, cached)
        for kind, pages in zip((native.Pages, python.Pages), stored, strict=True)
    ]
    live: dict[bytes, Span] = {}
    for put, choose in batches:
        gone = choose.sample(sorted(live), len(live) // 3)
        drop = [live.pop(key) for key in gone]
        live |= {span.key: span for span in put}
        wanted = [(span.line, span.start, span.end) for span in put]
        most = choose.choice((1, 3, 2**63 - 1))
        keys = sorted(choose.sample(sorted(live), min(9, len(live))))
        said = []
        for pages, kept in zip(both, stored, strict=True):
            pages.change(put, drop)
            drained = pages.drain()
            kept |= {number: data for number, data in drained.items() if data is not None}
            for number in [number for number, data in drained.items() if data is None]:
                kept.pop(number, None)
            said.append(
                [
                    pages.root(),
                    pages.next_page,
                    drained,
                    [list(map(tuple, found)) for found in pages.overlapping(wanted, most)],
                    [pages.before(key) for key in keys],
                    [list(map(tuple, pages.following(key, 5))) for key in keys],
                    [pages.walk(key, bits) for key in keys for bits in (192, 256)],
                    pages.cover(keys) if keys else None,
                ]
            )
        assert said[0] == said[1]
        assert stored[0] == stored[1]


DAYS = [day.to_bytes(2) for day in (0, 8, 9, 10, 11, 12)]
DATED = st.builds(
    Span,
    st.builds(lambda day, n: day + bytes((1, n)) * 11, st.sampled_from(DAYS), st.integers(0, 255)),
    st.integers(0, 300),
    st.just(2**41),
    st.binary(min_size=32, max_size=32),
)
CLOSES = st.lists(
    st.tuples(
        st.lists(DATED, max_size=60, unique_by=lambda span: span.key),
        st.integers(1, 13),
        st.sampled_from((1, 2, 99)),
        st.randoms(),
    ),
    min_size=1,
    max_size=6,
)


@given(closes=CLOSES, items_max=st.sampled_from((2, 3, 38)), cached=st.sampled_from((0, 3, 99)))
def test_both_kernels_archive_the_same_pages(
    closes: list[tuple[list[Span], int, int, random.Random]], items_max: int, cached: int
) -> None:
    """Also where what is archived changes later on; and the tree is that of one without archive."""
    stored: list[dict[int, bytes]] = [{}, {}, {}]
    files: list[list[bytes]] = [[], []]

    def read_from(kept: Mapping[int, bytes], archive: Sequence[bytes]) -> object:
        def read(numbers: Sequence[int]) -> dict[int, bytes]:
            found = {number: kept[number] for number in numbers if number in kept}
            for number in numbers:
                if number >= python.ARCHIVED:
                    at = python.Archived.of(number)
                    assert at.number == number
                    found[number] = archive[at.file][at.start : at.start + at.size]
            return found

        return read

    both = [
        kind(read_from(pages, archive), items_max, 2, cached)
        for kind, pages, archive in zip(
            (native.Pages, python.Pages), stored[:2], files, strict=True
        )
    ]
    plain = native.Pages(read_of(stored[2]), items_max, 2, cached)
    live: dict[bytes, Span] = {}
    for put, until, most, choose in closes:
        drop = [live.pop(key) for key in choose.sample(sorted(live), len(live) // 4)]
        live |= {span.key: span for span in put}
        wanted = [(span.line, span.start, span.end) for span in put]
        keys = sorted(choose.sample(sorted(live), min(9, len(live))))
        said = []
        for number, pages in enumerate([*both, plain]):
            pages.change(put, drop)
            moved = b""
            if pages is not plain:
                first, last = b"\0\1".ljust(32, b"\0"), (until - 1).to_bytes(2).ljust(32, b"\xff")
                moved = pages.archive(first, last, len(files[number]), most)
                files[number].append(moved)
            drained = pages.drain()
            stored[number] |= {n: data for n, data in drained.items() if data is not None}
            for gone in [n for n, data in drained.items() if data is None]:
                stored[number].pop(gone, None)
            said.append(
                [
                    pages.root(),
                    [list(map(tuple, found)) for found in pages.overlapping(wanted, 3)],
                    [list(map(tuple, pages.following(key, 5))) for key in keys],
                    [pages.walk(key, bits) for key in keys for bits in (192, 256)],
                    pages.cover(keys) if keys else None,
                    *([moved, drained, pages.next_page] if pages is not plain else []),
                ]
            )
        assert said[0] == said[1]
        assert said[2] == said[0][:5]


def test_removing_what_is_not_there_is_a_fault() -> None:
    pages = native.Pages(read_of({}), 38, 2, 99)
    with pytest.raises(Fault, match="span-not-there"):
        pages.change([], [Span(LINES[0], 1, 2, bytes(32))])


def sound(seed: int, count: int) -> dict[int, bytes]:
    """The pages of a register of some size."""
    choose = random.Random(seed)
    pages = native.Pages(read_of({}), 4, 2, 99)
    spans = [
        Span(choose.choice(LINES), choose.randrange(2**20), 2**41, choose.randbytes(32))
        for _ in range(count)
    ]
    pages.change(list({span.key: span for span in spans}.values()), [])
    return pages.drain()


def damage(stored: Mapping[int, bytes], choose: random.Random) -> dict[int, bytes]:
    """One to three pages changed: bits, lengths, places, numbers, or all of it."""
    pages = dict(stored)
    for _ in range(choose.randint(1, 3)):
        number = choose.choice(list(pages))
        page = bytearray(pages[number])
        match choose.randrange(7):
            case 0 if page:
                page[choose.randrange(len(page))] ^= 1 << choose.randrange(8)
            case 1:
                del page[choose.randrange(len(page) + 1) :]
            case 2:
                page += choose.randbytes(choose.choice((1, 105, 210)))
            case 3:
                page = bytearray(choose.randbytes(105 * choose.randrange(5)))
            case 4:
                page = bytearray(pages[choose.choice(list(pages))])
            case 5 if len(page) >= 105:
                # A stub that leads somewhere else, perhaps in a circle.
                at = len(page) // 105 * 32
                item = at + 40 * choose.randrange(len(page) // 105)
                page[item : item + 8] = (
                    b"\x80" + choose.randbytes(1) + bytes((0, 0, 0, 0, 0, choose.randrange(6)))
                )
            case _:
                page.clear()
        pages[number] = bytes(page)
    return pages


def fuzz(cases: int, seed: int) -> int:
    """Use damaged pages in every way; how many of the uses were refused."""
    choose = random.Random(seed)
    wholes = [sound(n, count) for n, count in enumerate((0, 1, 3, 9, 30, 90))]
    refused = 0
    for _ in range(cases):
        pages = native.Pages(read_of(damage(choose.choice(wholes), choose)), 4, 99, 99)
        line, start = choose.choice(LINES), choose.randrange(2**20)
        span, key = Span(line, start, start + 1, bytes(32)), line + start.to_bytes(8)
        uses = [
            lambda: pages.overlapping([(line, start, start + 9)], 3),  # noqa: B023
            lambda: pages.before(key),  # noqa: B023
            lambda: pages.following(key, 9),  # noqa: B023
            lambda: pages.change([span], []),  # noqa: B023
            lambda: pages.change([], [span]),  # noqa: B023
            lambda: pages.walk(key, choose.choice((0, 192, 256))),  # noqa: B023
            lambda: pages.cover([key]),  # noqa: B023
            lambda: pages.archive(LINES[0] + bytes(8), LINES[-1] + bytes(8), 1, 3),  # noqa: B023
            pages.drain,
        ]
        for use in choose.sample(uses, 3):
            try:
                use()
            except Fault as fault:
                assert fault.code != "kernel-panicked"
                refused += 1
    return refused


def test_damaged_pages_are_a_fault_or_as_good_as_any() -> None:
    assert fuzz(3_000, 1) > 1_000


@pytest.mark.long
def test_a_million_damaged_pages() -> None:
    assert sum(fuzz(10_000, seed) for seed in range(2, 102)) > 300_000
