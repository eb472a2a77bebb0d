"""Whose reductions are whose: the rows of the table ``subject``, by which a book is found.

A row is a day, a pseudonym and a holder, and the rows are kept in this order: what one day brings
lies together, so that a table of many years costs no more to write than one of a few days.  Rows
come with a submission that waits, whatever the rules will say of its reductions; they go when the
activity that names the person is erased.
"""

from collections.abc import Iterable, Sequence

from chain.activities import parse_activity
from chain.batches import Batch
from chain.reductions import Reduction

SubjectRow = tuple[int, bytes, bytes]
"""The day, the pseudonym and the holder of a reduction whose activity names a person."""


def read_subjects(lines: Iterable[bytes]) -> list[bytes | None]:
    """Whom each activity of a file names; of one that was erased, nobody."""
    return [parse_activity(line).subject if line else None for line in lines]


def subject_rows(
    named: Iterable[bytes | None], reductions: Sequence[Reduction]
) -> list[SubjectRow]:
    """The rows of reductions, of which ``named`` gives the subject of each activity."""
    batch = Batch.of(reductions)
    return [
        (day, whose, holder)
        for whose, day, holder in zip(named, batch.days(), batch.holders(), strict=False)
        if whose is not None
    ]
