"""The register: all live spans as one authenticated map, updated and searched in batches.

The tree is the one that `chain.spans` describes; its root depends on the spans alone, not on their
history.  To store it, it is cut into *pages*: each page holds a connected piece of the tree, up to
``PAGE_ITEMS_MAX`` items in the order of their keys.  An item is a span or the *stub* of a page
below.  A batch reads and writes each page that it touches once.

Between two neighbouring items stands exactly one inner node, the one that parts them; its prefix
is their longest common one.  So a page is a few columns, and needs no pointers:

    keys     32 bytes an item: the span's key, or the stub's prefix padded with zeros
    items    40 bytes an item: for a span, end (8) ‖ holder (32);
             for a stub, 0x80 ‖ bits of its prefix (1) ‖ page (6) ‖ hash (32)
    commons  1 byte an item: the common bits with the item before (0 for the first)
    nodes    32 bytes an item: the hash of the node that parts it from the one before

The node at the top of a range of items is where ``commons`` is least.  Encoded, a page is
``keys ‖ items ‖ commons ‖ nodes``.

As in a B-tree, a page that overflows is split, here at its top node, and its parts stand in the
page above; a page left with one item gives it back.  Which pages there are is a matter of storage
alone and is in no proof.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from struct import Struct
from typing import NamedTuple

from chain.multiproofs import HIDDEN, KNOWN, Multiproof, cover
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
    HASH_SIZE,
    KEY_SIZE,
    LINE_BITS,
    LINE_SIZE,
    Span,
    bit,
    common_bits,
    leaf_hash,
    node_head,
    prefix,
    value_hash,
)
from keys.errors import Fault, Usage

PAGE_ITEMS_MAX = 38
ROOT_PAGE = 1
PAGES_CACHED_MAX = 200_000
PAGES_DECODED_MAX = 8_192

ITEM_SIZE = 40
_STUB = 0x80
_ZERO_START = bytes(8)


class Page:
    """One page, decoded.  ``touched`` marks the items below which hashes are stale."""

    __slots__ = ("commons", "items", "keys", "nodes", "stale", "touched")

    def __init__(
        self, keys: list[bytes], items: list[bytes], commons: bytearray, nodes: list[bytes]
    ) -> None:
        self.keys = keys
        self.items = items
        self.commons = commons
        self.nodes = nodes
        self.touched = bytearray(len(keys))
        self.stale = False

    def encode(self) -> bytes:
        """The page as it is stored."""
        return b"".join((*self.keys, *self.items, self.commons, *self.nodes))

    @classmethod
    def decode(cls, data: bytes) -> "Page":
        """Read a stored page; raises `Fault` if its length is not a whole number of items."""
        count, rest = divmod(len(data), KEY_SIZE + ITEM_SIZE + 1 + HASH_SIZE)
        if rest:
            raise Fault("page-corrupt")
        columns = _columns(count).unpack(data)
        return cls(
            list(columns[:count]),
            list(columns[count : 2 * count]),
            bytearray(columns[2 * count]),
            list(columns[2 * count + 1 :]),
        )

    def put(self, place: int, key: bytes, item: bytes) -> None:
        """Insert an item at ``place``."""
        keys = self.keys
        self.commons.insert(place, common_bits(keys[place - 1], key) if place else 0)
        keys.insert(place, key)
        self.items.insert(place, item)
        self.nodes.insert(place, EMPTY_ROOT)
        self.touched.insert(place, 1)
        self._part(place + 1)

    def drop(self, place: int) -> None:
        """Remove the item at ``place``; its neighbours carry the mark that something changed."""
        for column in (self.keys, self.items, self.commons, self.nodes, self.touched):
            del column[place]
        self._part(place)
        for near in (place - 1, place):
            if 0 <= near < len(self.keys):
                self.touched[near] = 1

    def replace(
        self,
        place: int,
        keys: list[bytes],
        items: list[bytes],
        commons: bytearray,
        nodes: list[bytes],
    ) -> None:
        """Put the parts of a page below in the place of its stub."""
        # They part from the items around where the stub did.
        commons[0], nodes[0] = self.commons[place], self.nodes[place]
        here = slice(place, place + 1)
        self.keys[here], self.items[here], self.nodes[here] = keys, items, nodes
        self.commons[here] = commons
        self.touched[here] = b"\1" * len(keys)

    def part(self, low: int, high: int) -> "Page":
        """The items ``low`` to ``high`` as a page of their own; their hashes are not stale."""
        commons = self.commons[low:high]
        commons[0] = 0
        return Page(self.keys[low:high], self.items[low:high], commons, self.nodes[low:high])

    def ranges(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Cut items ``low`` to ``high`` at their top nodes until each range fits a page."""
        if high - low <= PAGE_ITEMS_MAX:
            yield low, high
        else:
            _, place = self.split(low, high)
            yield from self.ranges(low, place)
            yield from self.ranges(place, high)

    def _part(self, place: int) -> None:
        if place < len(self.keys):
            keys = self.keys
            self.commons[place] = common_bits(keys[place - 1], keys[place]) if place else 0

    def split(self, low: int, high: int) -> tuple[int, int]:
        """(bits, place): the top node over items ``low`` to ``high`` parts them at ``place``."""
        bits = min(self.commons[low + 1 : high])
        return bits, self.commons.index(bits, low + 1, high)

    def hash(self, low: int, high: int) -> bytes:
        """The hash of the tree over items ``low`` to ``high``, where nothing is stale."""
        if high - low == 1:
            return _item_hash(self.keys[low], self.items[low])
        return self.nodes[self.split(low, high)[1]]

    def rehash(self) -> bytes:
        """Compute the hashes above all touched items; returns the hash of the whole page."""
        if self.touched.count(1) == 1:
            return self._rehash_one(self.touched.index(1))
        keys, items, commons, nodes = self.keys, self.items, self.commons, self.nodes
        find = self.touched.find

        def climb(low: int, high: int) -> bytes:
            if high - low == 1:
                item = items[low]
                if item[0] & _STUB:
                    return item[8:]
                return sha256(b"\x10" + keys[low] + sha256(item).digest()).digest()
            bits = min(commons[low + 1 : high])
            place = commons.index(bits, low + 1, high)
            if find(1, low, high) < 0:
                return nodes[place]
            made = sha256(
                node_head(bits, keys[low]) + climb(low, place) + climb(place, high)
            ).digest()
            nodes[place] = made
            return made

        top = climb(0, len(keys))
        self.touched = bytearray(len(keys))
        return top

    def _rehash_one(self, place: int) -> bytes:
        """The same above a single touched item, which is what most pages of a large tree have."""
        keys, items, commons, nodes = self.keys, self.items, self.commons, self.nodes
        index = commons.index
        steps = []
        low, high = 0, len(keys)
        while high - low > 1:
            bits = min(commons[low + 1 : high])
            part = index(bits, low + 1, high)
            if place < part:
                steps.append((bits, part, part, high))
                high = part
            else:
                steps.append((bits, part, low, part))
                low = part
        key = keys[place]
        digest = _item_hash(key, items[place])
        steps.reverse()
        for bits, part, low, high in steps:
            count = high - low
            if count > 2:
                sibling = nodes[index(min(commons[low + 1 : high]), low + 1, high)]
            elif count == 2:
                sibling = nodes[low + 1]
            else:
                sibling = _item_hash(keys[low], items[low])
            if place < part:
                digest = sha256(node_head(bits, key) + digest + sibling).digest()
            else:
                digest = sha256(node_head(bits, key) + sibling + digest).digest()
            nodes[part] = digest
        self.touched[place] = 0
        return digest


@lru_cache
def _columns(count: int) -> Struct:
    """The columns of a stored page of so many items."""
    return Struct(
        f"{KEY_SIZE}s" * count + f"{ITEM_SIZE}s" * count + f"{count}s" + f"{HASH_SIZE}s" * count
    )


def _item_hash(key: bytes, item: bytes) -> bytes:
    return item[8:] if item[0] & _STUB else leaf_hash(key, sha256(item).digest())


def _stub(page: int, digest: bytes, bits: int) -> bytes:
    return bytes((_STUB, bits)) + page.to_bytes(6) + digest


def _below(stub: bytes) -> int:
    return int.from_bytes(stub[2:8])


def _span(key: bytes, item: bytes) -> Span:
    return Span(
        key[:LINE_SIZE], int.from_bytes(key[LINE_SIZE:]), int.from_bytes(item[:8]), item[8:]
    )


def stored_spans(data: bytes) -> list[Span]:
    """The spans that a stored page holds itself, in order; raises `Fault`."""
    page = Page.decode(data)
    items = zip(page.keys, page.items, strict=True)
    return [_span(key, item) for key, item in items if not item[0] & _STUB]


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
        decoded_max: int = PAGES_DECODED_MAX,
    ) -> None:
        self._read = read or (lambda numbers: {})
        self._pages: dict[int, Page] = {}
        # Most pages are kept as they are stored: a hundredth of the objects, and a heap full of
        # small objects slows down all that allocates.
        self._stored: dict[int, bytes] = {}
        self._changed: dict[int, Page | None] = {}
        self._cached_max = cached_max
        self._decoded_max = decoded_max
        self.next_page = next_page

    # --- pages ---

    def _fetch(self, numbers: set[int]) -> None:
        missing = [number for number in numbers if number not in self._pages]
        if not missing:
            return
        stored = self._stored
        unread = [number for number in missing if number not in stored]
        if unread:
            stored.update(self._read(unread))
        for number in missing:
            if number in stored:
                page = Page.decode(stored[number])
                if not page.keys and number != ROOT_PAGE:
                    raise Fault("page-corrupt")
                self._pages[number] = page
            elif number == ROOT_PAGE:
                self._pages[number] = Page([], [], bytearray(), [])
            else:
                raise Fault("page-missing", page=number)

    def _page(self, number: int) -> Page:
        page = self._pages.get(number)
        if page is None:
            self._fetch({number})
            page = self._pages[number]
        return page

    def drain(self) -> dict[int, bytes | None]:
        """The pages changed since the last call, encoded; None for those to delete."""
        self.root()
        drained: dict[int, bytes | None] = {}
        for number, page in self._changed.items():
            self._stored.pop(number, None)
            drained[number] = None if page is None else page.encode()
            if page is not None:
                # Those that change are the last to be let go.
                self._pages[number] = self._pages.pop(number)
        self._changed.clear()
        for number in _oldest(self._pages, self._decoded_max):
            page = self._pages.pop(number)
            if number not in self._stored:
                self._stored[number] = page.encode()
        for number in _oldest(self._stored, self._cached_max):
            del self._stored[number]
        return drained

    # --- search ---

    def overlapping(
        self, wanted: Sequence[tuple[bytes, int, int]], most: int = FOREVER
    ) -> list[list[Span]]:
        """For each (line, start, end), the live spans on that line that overlap, last one first,
        at most so many."""
        found: list[list[Span]] = [[] for _ in wanted]
        # In the order of their ends, those that lead to one page stand side by side.
        ends = sorted(
            (line + end.to_bytes(8), query) for query, (line, _, end) in enumerate(wanted)
        )
        self._fetch({ROOT_PAGE})
        level = [(ROOT_PAGE, 0, len(ends))]
        while level:
            below: list[tuple[int, int, int]] = []
            for number, low, high in level:
                page = self._pages[number]
                keys, items = page.keys, page.items
                after = low
                while after < high:
                    first, after = after, after + 1
                    end, query = ends[first]
                    place = bisect_left(keys, end) - 1
                    if place < 0:
                        continue
                    key, item = keys[place], items[place]
                    if not item[0] & _STUB or item[1] >= LINE_BITS:
                        line, start, _ = wanted[query]
                        if key[:LINE_SIZE] == line:
                            reaching = self._reaching(number, end, start)
                            found[query] = list(islice(reaching, most))
                    elif _is_below(end, key, item[1]):
                        if after < high and _is_below(ends[after][0], key, item[1]):
                            beyond = _last_below(key, item[1]) + b"\0"
                            after = bisect_left(ends, (beyond,), after, high)
                        below.append((_below(item), first, after))
            self._fetch({number for number, _, _ in below})
            level = below
        return found

    def _reaching(self, number: int, end: bytes, start: int) -> Iterator[Span]:
        """Spans on the line of ``end``, from there back, as long as they reach past ``start``."""
        for span in self._before(number, end):
            if span.line != end[:LINE_SIZE] or span.end <= start:
                return
            yield span

    def _back(self, page: Page, place: int) -> Iterator[Span]:
        """Spans at and below the items from ``place`` back, in descending order."""
        for at in range(place, -1, -1):
            item = page.items[at]
            if not item[0] & _STUB:
                yield _span(page.keys[at], item)
            else:
                below = self._page(_below(item))
                yield from self._back(below, len(below.keys) - 1)

    def _before(self, number: int, key: bytes) -> Iterator[Span]:
        """Spans with keys below ``key``, in descending order."""
        page = self._page(number)
        place = bisect_left(page.keys, key) - 1
        if place >= 0 and page.items[place][0] & _STUB:
            yield from self._before(_below(page.items[place]), key)
            place -= 1
        yield from self._back(page, place)

    def _from(self, number: int, key: bytes) -> Iterator[Span]:
        """Spans with keys at or above ``key``, in ascending order."""
        page = self._page(number)
        # The item before may be a stub that reaches past the key.
        for place in range(max(bisect_right(page.keys, key) - 1, 0), len(page.keys)):
            item = page.items[place]
            if item[0] & _STUB:
                yield from self._from(_below(item), key)
            elif page.keys[place] >= key:
                yield _span(page.keys[place], item)

    def spans(self, line: bytes | None = None) -> Iterator[Span]:
        """All live spans in order, or those of one line."""
        for span in self._from(ROOT_PAGE, (line or b"").ljust(KEY_SIZE, b"\0")):
            if line is not None and span.line != line:
                return
            yield span

    def reaching(self, line: bytes, start: int, end: int) -> Iterator[Span]:
        """The live spans on a line that overlap ``[start, end)``, in order, read as they are
        taken."""
        yield from self.overlapping([(line, start, start + 1)], 1)[0]
        for span in self._from(ROOT_PAGE, line + (start + 1).to_bytes(8)):
            if span.line != line or span.start >= end:
                return
            yield span

    # --- change ---

    def change(self, put: Sequence[Span], drop: Sequence[Span] = ()) -> None:
        """Remove the spans ``drop``, then enter ``put``; each key at most once in each.

        The caller has decided that no two spans overlap; a span to remove must be there.
        Raises `Fault` otherwise.
        """
        changes: dict[bytes, bytes | None] = {span.key: None for span in drop}
        for span in put:
            changes[span.key] = span.end.to_bytes(8) + span.holder
        self._enter(ROOT_PAGE, sorted(changes.items()), 0, len(changes))

    def _enter(
        self, number: int, changes: list[tuple[bytes, bytes | None]], low: int, high: int
    ) -> None:
        page = self._page(number)
        self._changed[number] = page
        page.stale = True
        keys, items = page.keys, page.items
        while low < high:
            key, item = changes[low]
            place = bisect_right(keys, key) - 1
            if place >= 0:
                here = items[place]
                if here[0] & _STUB:
                    if _is_below(key, keys[place], here[1]):
                        until = low + 1
                        if until < high and _is_below(changes[until][0], keys[place], here[1]):
                            last = _last_below(keys[place], here[1])
                            until = bisect_right(changes, last, until, high, key=_first)
                        self._enter(_below(here), changes, low, until)
                        page.touched[place] = 1
                        low = until
                        continue
                elif keys[place] == key:
                    if item is None:
                        page.drop(place)
                    else:
                        items[place] = item
                        page.touched[place] = 1
                    low += 1
                    continue
            if item is None:
                raise Fault("span-not-there", key=key.hex())
            page.put(place + 1, key, item)
            low += 1

    def root(self) -> bytes:
        """The root of the register as it stands, 32 bytes."""
        page = self._page(ROOT_PAGE)
        if page.stale:
            self._settle(page)
            while len(page.keys) > PAGE_ITEMS_MAX:
                columns = self._parts(page, None)
                page.keys, page.items, page.commons, page.nodes = columns
                page.touched = bytearray(len(page.keys))
        return page.hash(0, len(page.keys)) if page.keys else EMPTY_ROOT

    def _settle(self, page: Page) -> bytes:
        """Bring the page up to date and give its hash; it may be too long afterwards."""
        rfind = page.touched.rfind
        place = rfind(1)
        while place >= 0:
            item = page.items[place]
            if item[0] & _STUB:
                self._settle_stub(page, place, _below(item))
                rfind = page.touched.rfind
            place = rfind(1, 0, place)
        page.stale = False
        return page.rehash() if page.keys else EMPTY_ROOT

    def _settle_stub(self, page: Page, place: int, number: int) -> None:
        child = self._page(number)
        if not child.stale:
            return
        digest = self._settle(child)
        count = len(child.keys)
        if count == 0:
            page.drop(place)
        elif count == 1:
            page.keys[place], page.items[place] = child.keys[0], child.items[0]
        elif count <= PAGE_ITEMS_MAX:
            # After a removal the prefix may be longer; the shorter one still covers the page.
            page.items[place] = page.items[place][:8] + digest
        else:
            page.replace(place, *self._parts(child, number))
        if count <= 1:
            del self._pages[number]
            self._changed[number] = None

    def _parts(
        self, page: Page, number: int | None
    ) -> tuple[list[bytes], list[bytes], bytearray, list[bytes]]:
        """Move a page that is too long to pages of their own, the first one to ``number``.

        Returns the columns of the items that stand for them.
        """
        keys, items, commons, nodes = [], [], bytearray(), []
        for low, high in page.ranges(0, len(page.keys)):
            if high - low == 1:
                key, item = page.keys[low], page.items[low]
            else:
                part = page.part(low, high)
                if number is None:
                    number = self.next_page
                    self.next_page += 1
                self._pages[number] = self._changed[number] = part
                key, item = self._stub_of(number, part)
                number = None
            keys.append(key)
            items.append(item)
            commons.append(page.commons[low])
            nodes.append(page.nodes[low])
        return keys, items, commons, nodes

    def _stub_of(self, number: int, page: Page) -> tuple[bytes, bytes]:
        bits, place = page.split(0, len(page.keys))
        key = prefix(bits, page.keys[0]).ljust(KEY_SIZE, b"\0")
        return key, _stub(number, page.nodes[place], bits)

    # --- proofs ---

    def _walk(self, key: bytes, bits_max: int) -> tuple[Path, Page, int, int]:
        """Follow ``key`` down, to where a node's prefix leaves its first ``bits_max`` bits.

        Returns the path so far, and the page and the range of items where it ended: one span, or
        the items below an inner node that does not lie above such keys.
        """
        self.root()
        steps: list[Step] = []
        page = self._page(ROOT_PAGE)
        low, high = 0, len(page.keys)
        while True:
            if high - low == 1:
                item = page.items[low]
                if not item[0] & _STUB:
                    break
                page = self._page(_below(item))
                low, high = 0, len(page.keys)
            bits, place = page.split(low, high)
            if bits >= bits_max or common_bits(page.keys[low], key) < bits:
                break
            if bit(key, bits):
                steps.append(Step(bits, page.hash(low, place)))
                low = place
            else:
                steps.append(Step(bits, page.hash(place, high)))
                high = place
        return tuple(steps), page, low, high

    def _leaf_path(self, key: bytes) -> Path:
        path, page, low, _ = self._walk(key, len(key) * 8)
        if page.keys[low] != key:
            raise Fault("span-not-there", key=key.hex())
        return path

    def _neighbours(
        self, line: bytes, start: int, after: int
    ) -> tuple[Neighbour | None, Leaf | None]:
        """The last span on the line that starts before ``start``; the first from ``after`` on."""
        earlier = next(self._before(ROOT_PAGE, line + start.to_bytes(8)), None)
        later = self._first_from(line, after)
        before = None
        if earlier is not None and earlier.line == line:
            before = Neighbour(
                earlier.start, earlier.end, earlier.holder, self._leaf_path(earlier.key)
            )
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
        self.root()
        page = self._page(ROOT_PAGE)
        keys = sorted(shown)
        items, bits = cover(_Part(self, page, 0, len(page.keys)), keys)
        leaves = iter(keys)
        made = [shown[next(leaves)] if item is None else (HIDDEN, item) for item in items]
        return Multiproof([mark for mark, _ in made], bits, [part for _, part in made]).to_bytes()

    def _first_from(self, line: bytes, start: int) -> Span | None:
        """The first span on the line that starts at or after ``start``."""
        if start == FOREVER:
            return None
        span = next(self._from(ROOT_PAGE, line + start.to_bytes(8)), None)
        return span if span is not None and span.line == line else None

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
        path, page, low, high = self._walk(line + _ZERO_START, LINE_BITS)
        if high - low == 1:
            key, item = page.keys[low], page.items[low]
            return Free(line, start, end, Absent(path, Leaf.of(key, sha256(item).digest())))
        bits, place = page.split(low, high)
        inner = Inner(
            bits, prefix(bits, page.keys[low]), page.hash(low, place), page.hash(place, high)
        )
        return Free(line, start, end, Absent(path, inner))


class _Part(NamedTuple):
    """The items ``low`` to ``high`` of a page, all that are below one node."""

    register: Register
    page: Page
    low: int
    high: int

    def first(self) -> bytes:
        return self.page.keys[self.low]

    def child(self) -> bytes:
        return self.page.hash(self.low, self.high)

    def parts(self) -> "tuple[int, _Part, _Part] | None":
        register, page, low, high = self
        if high - low == 1:
            item = page.items[low]
            if not item[0] & _STUB:
                return None
            page = register._page(_below(item))
            low, high = 0, len(page.keys)
        bits, place = page.split(low, high)
        return bits, _Part(register, page, low, place), _Part(register, page, place, high)


def _is_below(key: bytes, top: bytes, bits: int) -> bool:
    """Whether ``key`` begins with the first ``bits`` bits of ``top``."""
    whole = bits >> 3
    if key[:whole] != top[:whole]:
        return False
    rest = bits & 7
    return not rest or (key[whole] ^ top[whole]) >> (8 - rest) == 0


def _oldest(pages: Mapping[int, object], most: int) -> list[int]:
    """The pages that came in longest ago, beyond so many: a dict keeps its order."""
    return list(islice(pages, max(len(pages) - most, 0)))


def _first(change: tuple[bytes, bytes | None]) -> bytes:
    return change[0]


def _last_below(key: bytes, bits: int) -> bytes:
    """The greatest key with the first ``bits`` bits of ``key``."""
    return (int.from_bytes(key) | (1 << (KEY_SIZE * 8 - bits)) - 1).to_bytes(KEY_SIZE)
