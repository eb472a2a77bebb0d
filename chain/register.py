"""The register: all live spans as one authenticated map, updated and searched in batches.

`chain.spans` describes its tree, `chain.pages` how it is stored, `chain.proofs` what is proved.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256

from chain.multiproofs import HIDDEN, KNOWN, Multiproof
from chain.pages import ROOT_PAGE, Pages, Steps
from chain.proofs import (
    CLOSED,
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
from chain.spans import (
    EMPTY_ROOT,
    FOREVER,
    KEY_BITS,
    KEY_SIZE,
    LINE_BITS,
    LINE_SIZE,
    Span,
    prefix,
    value_hash,
)
from keys.errors import Fault, Usage

PAGE_ITEMS_MAX = 38
PAGES_CACHED_MAX = 200_000
_ZERO_START = bytes(8)
_SPANS_AT_ONCE = 64


class Register:
    """The register over stored pages.

    ``read`` gives the stored bytes of pages by number, those that exist; it is asked for many at
    once.  `change` and `root` work in memory; `drain` gives the pages to store.
    """

    def __init__(
        self,
        read: Callable[[Sequence[int]], Mapping[int, bytes]] | None = None,
        next_page: int = ROOT_PAGE + 1,
        cached_max: int = PAGES_CACHED_MAX,
    ) -> None:
        self._pages = Pages(read or (lambda numbers: {}), PAGE_ITEMS_MAX, next_page, cached_max)

    @property
    def next_page(self) -> int:
        """The first page number that is not used."""
        return self._pages.next_page

    def drain(self) -> dict[int, bytes | None]:
        """The pages changed since the last call, encoded; None for those to delete."""
        return self._pages.drain()

    def archive(self, until: int, file: int, most: int) -> bytes:
        """Move pages of days that are over to a file of the archive (`chain.pages`); its bytes.

        Those in which there can be no spans but on lines of the days before ``until``, at most so
        many.  Where all of them are moved already, there are no bytes.  `drain` gives them among
        the pages to delete.
        """
        if until <= 1:
            return b""
        # On day 0 are the lines that have no day.
        first, last = (1).to_bytes(2), (until - 1).to_bytes(2)
        return self._pages.archive(
            first.ljust(KEY_SIZE, b"\0"), last.ljust(KEY_SIZE, b"\xff"), file, most
        )

    # --- search ---

    def overlapping(
        self, wanted: Sequence[tuple[bytes, int, int]], most: int = FOREVER
    ) -> list[list[Span]]:
        """For each (line, start, end), the live spans on that line that overlap, last one first,
        at most so many."""
        found = self._pages.overlapping(wanted, most)
        return [[Span(*span) for span in spans] if spans else [] for spans in found]

    def _from(self, key: bytes) -> Iterator[Span]:
        """Spans with keys at or above ``key``, in ascending order, read as they are taken."""
        while True:
            spans = self._pages.following(key, _SPANS_AT_ONCE)
            for fields in spans:
                span = Span(*fields)
                yield span
            if len(spans) < _SPANS_AT_ONCE:
                return
            key = (int.from_bytes(span.key) + 1).to_bytes(KEY_SIZE)

    def spans(self, line: bytes | None = None) -> Iterator[Span]:
        """All live spans in order, or those of one line."""
        for span in self._from((line or b"").ljust(KEY_SIZE, b"\0")):
            if line is not None and span.line != line:
                return
            yield span

    def reaching(self, line: bytes, start: int, end: int) -> Iterator[Span]:
        """The live spans on a line that overlap ``[start, end)``, in order, read as they are
        taken."""
        yield from self.overlapping([(line, start, start + 1)], 1)[0]
        for span in self._from(line + (start + 1).to_bytes(8)):
            if span.line != line or span.start >= end:
                return
            yield span

    # --- change ---

    def change(self, put: Sequence[Span], drop: Sequence[Span] = (), rows: bytes = b"") -> None:
        """Remove the spans ``drop``, then enter ``put`` and ``rows`` (`chain.pages`); each key
        at most once in each.

        The caller has decided that no two spans overlap; a span to remove must be there.
        Raises `Fault` otherwise.
        """
        self._pages.change(put, drop, rows)

    def root(self) -> bytes:
        """The root of the register as it stands, 32 bytes."""
        return self._pages.root()

    # --- proofs ---

    def _leaf_path(self, key: bytes) -> Path:
        steps, end = self._pages.walk(key, KEY_BITS)
        if end[0] != key:
            raise Fault("span-not-there", key=key.hex())
        return _path(steps)

    def _neighbours(
        self, line: bytes, start: int, after: int
    ) -> tuple[Neighbour | None, Leaf | None]:
        """The last span on the line that starts before ``start``; the first from ``after`` on."""
        earlier = self._pages.before(line + start.to_bytes(8))
        later = self._first_from(line, after)
        before = None
        if earlier is not None and earlier[0] == line:
            span = Span(*earlier)
            before = Neighbour(span.start, span.end, span.holder, self._leaf_path(span.key))
        successor = None
        if later is not None:
            value = value_hash(later.end, later.holder)
            successor = Leaf(later.start, value, self._leaf_path(later.key))
        return before, successor

    def held(self, line: bytes, start: int) -> Held:
        """Prove that the span which starts here is held, and by whom.

        Raises `Usage` "span-not-held" if no live span starts at ``start``.
        """
        span = self._first_from(line, start)
        if span is None or span.start != start:
            raise Usage("span-not-held")
        before, after = self._neighbours(line, start, start + 1)
        return Held(span, self._leaf_path(span.key), before, after)

    def held_many(self, spans: Sequence[Span]) -> bytes:
        """The multiproof that these spans are held, one at least and none twice.

        See `chain.proofs.check_held_many`.  Raises `Usage` "span-not-held" if one is not live.
        """
        if self.overlapping([span[:3] for span in spans]) != [[span] for span in spans]:
            raise Usage("span-not-held")
        known = {span.key for span in spans}
        before = self.overlapping([(span.line, 0, span.start) for span in spans], 1)
        shown: dict[bytes, tuple[int, bytes]] = dict.fromkeys(known, (KNOWN, b""))
        for span in (self._first_from(span.line, span.end) for span in spans):
            if span is not None:
                value = value_hash(span.end, span.holder)
                shown.setdefault(span.key, (CLOSED, span.key[LINE_SIZE:] + value))
        for span in (one for spans in before for one in spans):
            if span.key not in known:
                part = span.key[LINE_SIZE:] + span.end.to_bytes(8) + span.holder
                shown[span.key] = OPENED, part
        keys = sorted(shown)
        items, bits = self._pages.cover(keys)
        leaves = iter(keys)
        made = [shown[next(leaves)] if item is None else (HIDDEN, item) for item in items]
        return Multiproof([mark for mark, _ in made], bits, [part for _, part in made]).to_bytes()

    def _first_from(self, line: bytes, start: int) -> Span | None:
        """The first span on the line that starts at or after ``start``."""
        if start == FOREVER:
            return None
        found = self._pages.following(line + start.to_bytes(8), 1)
        return Span(*found[0]) if found and found[0][0] == line else None

    def free(self, line: bytes, start: int, end: int) -> Free:
        """Prove that no live span on the line overlaps ``[start, end)``.

        Raises `Usage` "span-not-free" if one does.
        """
        if self.overlapping([(line, start, end)])[0]:
            raise Usage("span-not-free")
        before, after = self._neighbours(line, start, end)
        if before or after:
            return Free(line, start, end, Present(before, after))
        if self.root() == EMPTY_ROOT:
            return Free(line, start, end, None)
        steps, at = self._pages.walk(line + _ZERO_START, LINE_BITS)
        match at:
            case (key, item):
                leaf = Leaf.of(key, sha256(item).digest())
                return Free(line, start, end, Absent(_path(steps), leaf))
            case (bits, key, left, right):
                inner = Inner(bits, prefix(bits, key), left, right)
                return Free(line, start, end, Absent(_path(steps), inner))


def _path(steps: Steps) -> Path:
    return tuple(Step(bits, sibling) for bits, sibling in steps)
