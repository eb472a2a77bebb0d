"""The archive: pages of the register that change no more, in files beside the ledger.

    register/aa/DIGEST      pages one after the other (`chain.pages`), named by the file's SHA-256

Once the books of a day are closed, nothing happens on its lines any more (`chain.rules`).  So each
block takes some pages of closed days along: they are written to a new file, and the block's one
transaction enters the file, deletes their rows, and stores the pages above, which now lead to the
file.  Roots and proofs stay as they are, and whoever reads as of an earlier block finds the rows.

The file is there before the transaction.  One that no row names was left by a crash, and is removed
by whoever takes the lead next, since those that had it before can commit nothing more.  Two writers
never write one file with two contents, since its content names it.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from chain.files import Files
from chain.pages import Archived
from chain.paths import REGISTER, pages_path
from chain.register import Register
from chain.store import tables

PAGES_AT_ONCE = 2_048
"""Pages that a block takes along at most: about 6 MB, and a fraction of a second."""


class PageFile(NamedTuple):
    """A file of pages: its number, which the numbers of its pages name, and its digest."""

    number: int
    digest: bytes


def archive_pages(files: Files, register: Register, until: int, number: int) -> PageFile | None:
    """Write pages of the days before ``until`` to the file of this number; None: there are none."""
    data = register.archive(until, number, PAGES_AT_ONCE)
    if not data:
        return None
    made = PageFile(number, sha256(data).digest())
    files.write({pages_path(made.digest): data})
    return made


def next_number(connection: Connection) -> int:
    """The number of the next file."""
    last = connection.scalar(select(func.max(tables.page_file.c.number)))
    return 0 if last is None else int(last) + 1


def digests(connection: Connection, numbers: Sequence[int]) -> dict[int, bytes]:
    """The digests of files, by their numbers."""
    of = tables.page_file
    rows = connection.execute(select(of.c.number, of.c.digest).where(of.c.number.in_(numbers)))
    return dict(map(tuple, rows))


def read_archived(
    files: Files, places: Sequence[Archived], named: dict[int, bytes]
) -> dict[int, bytes]:
    """Pages of the archive, by their numbers; ``named``: the digests of its files.

    Raises `Unreadable` if a file is not there; of one that is too short, pages are missing.
    """
    read = ((at, files.read(pages_path(named[at.file]), at.start, at.size)) for at in places)
    return {at.number: data for at, data in read if len(data) == at.size}


def remove_strays(files: Files, connection: Connection) -> None:
    """Remove the files that no block names; only whoever leads may."""
    of = tables.page_file.c.digest
    named = {pages_path(digest) for digest in connection.scalars(select(of))}
    for path in files.paths(REGISTER):
        if path not in named:
            files.remove(path)
