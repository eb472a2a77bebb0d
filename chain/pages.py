"""The pages in which the register is stored: its tree, cut into connected pieces.

The tree is the one that `chain.spans` describes; its root depends on the spans alone, not on their
history.  Each page holds a connected piece of it, up to ``items_max`` items in the order of their
keys.  An item is a span or the *stub* of a page below.  A batch reads and writes each page that it
touches once.

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

Pages that change no more go to an *archive*: files of pages one after the other, those below first.
The number of such a page says where it is, from the highest of its 48 bits:

    1 ‖ file (24) ‖ items of the file before it (17) ‖ items of the page (6)

Should something below it change all the same, the page is copied to one with a number of its own.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import islice, pairwise
from struct import Struct
from typing import NamedTuple

from chain.kernel import in_kernel
from chain.multiproofs import cover
from chain.spans import (
    EMPTY_ROOT,
    HASH_SIZE,
    KEY_BITS,
    KEY_SIZE,
    LINE_BITS,
    LINE_SIZE,
    Span,
    bit,
    common_bits,
    leaf_hash,
    node_head,
    prefix,
)
from keys.errors import Fault

ROOT_PAGE = 1
PAGES_DECODED_MAX = 8_192
ARCHIVED = 1 << 47
"""The numbers of pages in an archive begin here."""
_FILE_ITEMS = 1 << 17
_FILE_SHIFT, _PLACE_SHIFT = 23, 6

ITEM_SIZE = 40
ROW_SIZE = KEY_SIZE + ITEM_SIZE
STORED_SIZE = ROW_SIZE + 1 + HASH_SIZE
"""Bytes of an item and of what stands beside it, as it is stored."""
_STUB = 0x80

Steps = list[tuple[int, bytes]]
"""The bits of each inner node on a way down, and the hash of its other side."""
End = tuple[bytes, bytes] | tuple[int, bytes, bytes, bytes]
"""Where a way down ends: at the key of a span and its item; or at an inner node, by its bits, a key
below it, and the hashes of its two sides."""


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
        """Read a stored page; raises `Fault` unless its items are in order, and part as it says."""
        count, rest = divmod(len(data), STORED_SIZE)
        if rest:
            raise Fault("page-corrupt")
        columns = _columns(count).unpack(data)
        keys, commons = list(columns[:count]), bytearray(columns[2 * count])
        numbers = list(map(int.from_bytes, keys))
        parted = [KEY_BITS - (one ^ other).bit_length() for one, other in pairwise(numbers)]
        if list(commons[1:]) != parted or numbers != sorted(numbers):
            raise Fault("page-corrupt")
        return cls(keys, list(columns[count : 2 * count]), commons, list(columns[2 * count + 1 :]))

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

    def ranges(self, low: int, high: int, most: int) -> Iterator[tuple[int, int]]:
        """Cut items ``low`` to ``high`` at their top nodes until each range has ``most``."""
        if high - low <= most:
            yield low, high
        else:
            _, place = self.split(low, high)
            yield from self.ranges(low, place, most)
            yield from self.ranges(place, high, most)

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


class Archived(NamedTuple):
    """Where a page of an archive is: its file, and its first byte and its size there."""

    file: int
    start: int
    size: int

    @classmethod
    def of(cls, number: int) -> "Archived":
        """What the number of a page in an archive says."""
        place = (number >> _PLACE_SHIFT) % _FILE_ITEMS
        count = number % (1 << _PLACE_SHIFT)
        file = (number - ARCHIVED) >> _FILE_SHIFT
        return cls(file, place * STORED_SIZE, count * STORED_SIZE)

    @property
    def number(self) -> int:
        """The number of the page."""
        place, count = self.start // STORED_SIZE, self.size // STORED_SIZE
        return ARCHIVED | self.file << _FILE_SHIFT | place << _PLACE_SHIFT | count


@in_kernel
class Pages:
    """The pages of a register.

    ``read`` gives the stored bytes of pages by number, those that exist; it is asked for many at
    once.  `change` and `root` work in memory; `drain` gives the pages to store.  About
    ``cached_max`` pages are kept in memory.
    """

    def __init__(
        self,
        read: Callable[[Sequence[int]], Mapping[int, bytes]],
        items_max: int,
        next_page: int,
        cached_max: int,
    ) -> None:
        self._read = read
        self._items_max = items_max
        self._pages: dict[int, Page] = {}
        # Most pages are kept as they are stored: a hundredth of the objects, and a heap full of
        # small objects slows down all that allocates.
        self._stored: dict[int, bytes] = {}
        self._changed: dict[int, Page | None] = {}
        self._cached_max = cached_max
        self._decoded_max = min(cached_max, PAGES_DECODED_MAX)
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

    def overlapping(self, wanted: Sequence[tuple[bytes, int, int]], most: int) -> list[list[Span]]:
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

    def before(self, key: bytes) -> Span | None:
        """The last span with a key below ``key``."""
        return next(self._before(ROOT_PAGE, key), None)

    def following(self, key: bytes, most: int) -> list[Span]:
        """The first spans with keys at or above ``key``, at most so many."""
        return list(islice(self._from(ROOT_PAGE, key), most))

    # --- change ---

    def change(self, put: Sequence[Span], drop: Sequence[Span] = (), rows: bytes = b"") -> None:
        """Remove the spans ``drop``, then enter ``put`` and ``rows``, key ‖ item each; each key at
        most once in each.

        The caller has decided that no two spans overlap; a span to remove must be there.
        Raises `Fault` otherwise.
        """
        changes: dict[bytes, bytes | None] = {span.key: None for span in drop}
        for span in put:
            changes[span.key] = span.end.to_bytes(8) + span.holder
        for at in range(0, len(rows), ROW_SIZE):
            row = rows[at : at + ROW_SIZE]
            changes[row[:KEY_SIZE]] = row[KEY_SIZE:]
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

    def archive(self, first: bytes, last: bytes, file: int, most: int) -> bytes:
        """Move pages to a file of the archive, at most so many; its bytes.

        Those below which all keys that there can ever be are ``first`` to ``last``.  Where all of
        them are moved already, there are no bytes.
        """
        self.root()
        moved = bytearray()
        self._move(ROOT_PAGE, (first, last), file, most, moved)
        return bytes(moved)

    def _move(
        self, number: int, within: tuple[bytes, bytes], file: int, most: int, moved: bytearray
    ) -> int:
        """Move the pages below a page; how many more can be moved."""
        page = self._page(number)
        first, last = within
        meeting = [
            place
            for place, (key, item) in enumerate(zip(page.keys, page.items, strict=True))
            if item[0] & _STUB
            and _below(item) < ARCHIVED
            and key <= last
            and first <= _last_below(key, item[1])
        ]
        self._fetch({_below(page.items[place]) for place in meeting[:most]})
        for place in meeting:
            if most == 0:
                break
            key, item = page.keys[place], page.items[place]
            below = _below(item)
            most = self._move(below, within, file, most, moved)
            child = self._page(below)
            hot = any(of[0] & _STUB and _below(of) < ARCHIVED for of in child.items)
            if most and not hot and first <= key and _last_below(key, item[1]) <= last:
                data = child.encode()
                archived = Archived(file, len(moved), len(data))
                moved += data
                page.items[place] = _stub(archived.number, item[8:], item[1])
                self._changed[number], self._changed[below] = page, None
                del self._pages[below]
                most -= 1
        return most

    def root(self) -> bytes:
        """The root of the register as it stands, 32 bytes."""
        page = self._page(ROOT_PAGE)
        if page.stale:
            self._settle(page)
            while len(page.keys) > self._items_max:
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
        if number >= ARCHIVED:
            # What is archived stays as it is.
            del self._pages[number], self._changed[number]
            number, self.next_page = self.next_page, self.next_page + 1
            self._pages[number] = self._changed[number] = child
        count = len(child.keys)
        if count == 0:
            page.drop(place)
        elif count == 1:
            page.keys[place], page.items[place] = child.keys[0], child.items[0]
        elif count <= self._items_max:
            # After a removal the prefix may be longer; the shorter one still covers the page.
            page.items[place] = _stub(number, digest, page.items[place][1])
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
        for low, high in page.ranges(0, len(page.keys), self._items_max):
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

    def walk(self, key: bytes, bits_max: int) -> tuple[Steps, End]:
        """Follow ``key`` down, to where a node's prefix leaves its first ``bits_max`` bits.

        There must be a span at all.
        """
        self.root()
        steps: Steps = []
        page = self._page(ROOT_PAGE)
        low, high = 0, len(page.keys)
        while True:
            if high - low == 1:
                key_here, item = page.keys[low], page.items[low]
                if not item[0] & _STUB:
                    return steps, (key_here, item)
                page = self._page(_below(item))
                low, high = 0, len(page.keys)
            bits, place = page.split(low, high)
            if bits >= bits_max or common_bits(page.keys[low], key) < bits:
                return steps, (bits, page.keys[low], page.hash(low, place), page.hash(place, high))
            if bit(key, bits):
                steps.append((bits, page.hash(low, place)))
                low = place
            else:
                steps.append((bits, page.hash(place, high)))
                high = place

    def cover(self, keys: Sequence[bytes]) -> tuple[list[bytes | None], bytes]:
        """The items of the multiproof of these keys, and the bits between (`chain.multiproofs`)."""
        self.root()
        page = self._page(ROOT_PAGE)
        return cover(_Part(self, page, 0, len(page.keys)), keys)


class _Part(NamedTuple):
    """The items ``low`` to ``high`` of a page, all that are below one node."""

    pages: Pages
    page: Page
    low: int
    high: int

    def first(self) -> bytes:
        return self.page.keys[self.low]

    def child(self) -> bytes:
        return self.page.hash(self.low, self.high)

    def parts(self) -> "tuple[int, _Part, _Part] | None":
        pages, page, low, high = self
        if high - low == 1:
            item = page.items[low]
            if not item[0] & _STUB:
                return None
            page = pages._page(_below(item))
            low, high = 0, len(page.keys)
        bits, place = page.split(low, high)
        return bits, _Part(pages, page, low, place), _Part(pages, page, place, high)


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
