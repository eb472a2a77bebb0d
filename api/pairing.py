"""Pairing: two rows of a file that tell one event, such as a tap in and a tap out.

One row *opens* and a later one of the same key *closes*.  Rows count in the order of their times,
whatever their order in the file, so all of them are held in memory and sorted.  In one second,
what closes comes first: nothing begins and ends in one moment.  What opens waits for the next row
of its key:

* it closes, and no more than ``longest`` seconds have passed: the two are a pair;
* it closes, but later: neither of the two counts, "pair-too-long";
* it closes, but where it opened, or one of the two places is not known: "pair-same-place" (asked
  only of ends that have a place);
* it opens too: the one that waited has no end, "pair-unclosed", and the new one waits.

What closes where nothing waits has no beginning, "pair-unopened".  What still waits at the end of
the file is "pair-unclosed".  Every end is given back once.
"""

from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

Row = TypeVar("Row")


class End(NamedTuple, Generic[Row]):
    """One end of what may be a pair."""

    time: int
    opens: bool
    key: Hashable
    place: str | None
    """Where it is, empty if that is not known; None if places play no part."""
    row: Row


def pair_up(ends: Iterable[End[Row]], longest: int) -> Iterator[tuple[str | None, tuple[Row, ...]]]:
    """The rows of each pair with None, those of the other ends with the reason, as they close."""
    waiting: dict[Hashable, End[Row]] = {}
    for end in sorted(ends, key=lambda end: (end.time, end.opens)):
        before = waiting.pop(end.key, None)
        if end.opens:
            waiting[end.key] = end
            if before is not None:
                yield "pair-unclosed", (before.row,)
        elif before is None:
            yield "pair-unopened", (end.row,)
        else:
            yield _judge(before, end, longest), (before.row, end.row)
    for before in waiting.values():
        yield "pair-unclosed", (before.row,)


def _judge(before: End[Row], end: End[Row], longest: int) -> str | None:
    if end.time - before.time > longest:
        return "pair-too-long"
    if end.place is not None and (end.place == before.place or not (before.place and end.place)):
        return "pair-same-place"
    return None
