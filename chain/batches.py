"""Batches: the reductions of a submission, asked for by columns, each by itself only where needed.

With the compiled kernel a submission passes through admission, the rules and the register without
a Python object for each of its reductions: it reads and makes files of reductions at once, and
says of which nothing more need be asked (`Batch.screen`).  What it does not take to be plain is
left to the Python, which knows every rule and every error.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import compress
from typing import Any, NamedTuple, overload

from chain import kernel, merkle
from chain.methodologies import Methodology
from chain.reductions import (
    Claim,
    Reduction,
    dump_reductions,
    parse_reductions,
    total_grams,
)
from keys.errors import NotAllowed

InForce = Callable[[str, int], Methodology]
"""(scenario, day) → the methodology by which a platform may report; raises `NotAllowed`."""


_Fields = tuple[
    tuple[str, str, int, int, int],
    list[tuple[bytes, int | None, int | None]],
    tuple[bytes, bytes, bytes, bytes],
]


class OfDay(NamedTuple):
    """Reductions of a batch that are of one day."""

    size: int
    grams: int
    entries: bytes
    """As entries of a lot (`chain.lots`), in the order of the batch."""


class Batch(Sequence[Reduction]):
    """Reductions by columns."""

    def __init__(self, reductions: Sequence[Reduction]) -> None:
        self._items = reductions

    @staticmethod
    def of(reductions: Sequence[Reduction]) -> "Batch":
        """These reductions as a batch."""
        return reductions if isinstance(reductions, Batch) else Batch(reductions)

    @staticmethod
    def read(data: bytes) -> "Batch":
        """Read a file of reductions, at most 65,536; raises `Malformed`."""
        compiled = kernel.native and kernel.native.Reductions.parse(data)
        return _Compiled(compiled) if compiled else Batch(parse_reductions(data))

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, place: int) -> Reduction: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Reduction]: ...
    def __getitem__(self, place: int | slice) -> Reduction | Sequence[Reduction]:
        return self._items[place]

    def to_bytes(self) -> bytes:
        """The file of them."""
        return dump_reductions(self._items)

    def root(self) -> bytes:
        """The root of the tree over them."""
        return merkle.root(self.leaves())

    def names(self) -> set[tuple[str, str]]:
        """The platforms and scenarios that they name."""
        return {(of.platform, of.scenario) for of in self._items}

    def leaves(self) -> list[bytes]:
        """The leaf hash of each."""
        return [of.leaf for of in self._items]

    def holders(self) -> list[bytes]:
        """What stands in the register for each."""
        return [of.holder for of in self._items]

    def days(self) -> list[int]:
        """The day of each."""
        return [of.day for of in self._items]

    def grams(self) -> list[int]:
        """The grams of each."""
        return [of.grams for of in self._items]

    def by_day(self, marked: Sequence[bool]) -> dict[int, OfDay]:
        """Those marked, by their days."""
        parts: dict[int, list[Reduction]] = {}
        for of in compress(self._items, marked):
            parts.setdefault(of.day, []).append(of)
        return {
            day: OfDay(
                len(part),
                total_grams(part),
                b"".join(of.leaf + of.grams.to_bytes(8) for of in part),
            )
            for day, part in parts.items()
        }

    def screen(
        self,
        methodologies: Mapping[int, Methodology],
        open_days: tuple[int, int],
        dated: Iterable[int],
    ) -> Sequence[Sequence[int] | None]:
        """Which ones the rules can record without a look at each, if the register has what they
        claim free: for each the seats of the caps that it claims one of, or None.

        Those whose claims are what their day's methodology demands, on open days (first, last);
        whose spans on lines of a day are of their own; and whose claims meet no other of the batch.
        dated: the numbers of the classes whose lines are a day's.
        """
        return [None] * len(self)

    def wanted(self, marked: Sequence[bool]) -> list[list[tuple[bytes, int, int]]]:
        """The spans that each of those marked claims: (line, start, end)."""
        return [
            [(c.line, c.start, c.end) for c in of.claims if c.start is not None and c.end]
            for of in compress(self._items, marked)
        ]

    def caps(self, marked: Sequence[bool]) -> list[list[bytes]]:
        """The lines of caps on which each of those marked claims a seat."""
        return [
            [claim.line for claim in of.claims if claim.start is None]
            for of in compress(self._items, marked)
        ]

    def spans(self, marked: Sequence[bool], seats: Sequence[int]) -> bytes:
        """All that those marked claim, held by them, as rows of the register (`chain.pages`).

        seats: which ones they got, in the order of `caps`.
        """
        given = iter(seats)
        rows = []
        for of in compress(self._items, marked):
            for claim in of.claims:
                start = next(given) if claim.start is None else claim.start
                end = (claim.end or start + 1).to_bytes(8)
                rows.append(claim.line + start.to_bytes(8) + end + of.holder)
        return b"".join(rows)


class _Compiled(Batch):
    """A batch in the compiled kernel."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def __reduce__(self) -> tuple[Any, ...]:
        # The file is the smallest form of it, and read again at once.
        return Batch.read, (self.to_bytes(),)

    @cached_property
    def _items(self) -> Sequence[Reduction]:  # type: ignore[override]
        items: list[_Fields] = self._compiled.items()
        return [
            Reduction(*head, tuple(Claim(*claim) for claim in claims), *hashes)
            for head, claims, hashes in items
        ]

    def __len__(self) -> int:
        return len(self._compiled)

    @overload
    def __getitem__(self, place: int) -> Reduction: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Reduction]: ...
    def __getitem__(self, place: int | slice) -> Reduction | Sequence[Reduction]:
        # One of them alone is asked for where it was refused.
        if isinstance(place, slice) or not 0 <= place < len(self):
            return self._items[place]
        return Reduction.parse(self._compiled.item(place))

    def __iter__(self) -> Iterator[Reduction]:
        return iter(self._items)

    def to_bytes(self) -> bytes:
        data: bytes = self._compiled.data()
        return data

    def root(self) -> bytes:
        root: bytes = self._compiled.root()
        return root

    def names(self) -> set[tuple[str, str]]:
        names: set[tuple[str, str]] = self._compiled.names()
        return names

    def leaves(self) -> list[bytes]:
        leaves: list[bytes] = self._compiled.leaves()
        return leaves

    def holders(self) -> list[bytes]:
        holders: list[bytes] = self._compiled.holders()
        return holders

    def days(self) -> list[int]:
        days: list[int] = self._compiled.days()
        return days

    def grams(self) -> list[int]:
        grams: list[int] = self._compiled.grams()
        return grams

    def by_day(self, marked: Sequence[bool]) -> dict[int, OfDay]:
        return {day: OfDay(*of) for day, of in self._compiled.by_day(marked).items()}

    def screen(
        self,
        methodologies: Mapping[int, Methodology],
        open_days: tuple[int, int],
        dated: Iterable[int],
    ) -> Sequence[Sequence[int] | None]:
        plans = {day: of.plan(day) for day, of in methodologies.items()}
        seats: list[list[int] | None] = self._compiled.screen(plans, open_days, bytes(dated))
        return seats

    def wanted(self, marked: Sequence[bool]) -> list[list[tuple[bytes, int, int]]]:
        wanted: list[list[tuple[bytes, int, int]]] = self._compiled.wanted(marked)
        return wanted

    def caps(self, marked: Sequence[bool]) -> list[list[bytes]]:
        caps: list[list[bytes]] = self._compiled.caps(marked)
        return caps

    def spans(self, marked: Sequence[bool], seats: Sequence[int]) -> bytes:
        spans: bytes = self._compiled.spans(marked, seats)
        return spans


class Computed(NamedTuple):
    """What was computed of activities."""

    batch: Batch
    """The reductions, in the order of their activities."""
    subjects: list[bytes | None]
    """Whom the activity of each names."""
    left: list[int]
    """The places of activities that it does not take to be plain, or to earn one."""


def compute(
    lines: Sequence[bytes], offset: int, platform: str, in_force: InForce
) -> Computed | None:
    """The reductions of activities, as far as the compiled kernel makes them; None without it.

    lines: an activity each; offset: of the ledger's days, in seconds.
    """
    if kernel.native is None:
        return None

    def plan_of(scenario: str, day: int) -> Any:
        with suppress(NotAllowed):
            return in_force(scenario, day).plan(day)

    made, subjects, left = kernel.native.reduce_lines(lines, offset, platform, plan_of)
    return Computed(_Compiled(made), subjects, left)
