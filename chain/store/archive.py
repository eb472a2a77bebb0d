"""The archive: what closed days leave in the database, in files beside the ledger.

    register/aa/DIGEST      pages of the register, one after the other (`chain.pages`)
    places/aa/DIGEST        where reductions stand: rows of day (2) ‖ holder (32) ‖ log index of the
                            submission (6) ‖ place in it (2) ‖ log index of the void, or 0 (6)

A file is named by its SHA-256.  The rows of all files of places, in the order of their numbers, are
one sequence in the order of days and holders.

Once the books of a day are closed, nothing happens on its lines any more, and nothing becomes of
its reductions (`chain.rules`).  So each block takes some of it along: it is written to new files,
and the block's one transaction enters the files, deletes the rows, and stores the pages above,
which now lead to the file.  Roots, proofs and answers stay as they are, and whoever reads as of an
earlier block finds the rows.

The files are there before the transaction.  One that no row names was left by a crash, and is
removed by whoever takes the lead next, since those that had it before can commit nothing more.  Two
writers never write one file with two contents, since its content names it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from struct import Struct
from typing import NamedTuple

from sqlalchemy import Connection, Table, delete, func, insert, select

from chain.files import Files
from chain.pages import Archived
from chain.paths import PLACES, REGISTER, pages_path, places_path
from chain.register import Register
from chain.store import tables

PAGES_AT_ONCE = 1_024
"""Pages that a block takes along at most: about 3 MB, and a tenth of a second."""
PLACES_AT_ONCE = 16_384
"""Likewise: 0.8 MB."""
_DAY, _KEY_SIZE = Struct(">H"), 34
_PLACE = Struct(">H32s6sH6s")

PlaceRow = tuple[int, bytes, int, int, int | None]
"""The day, the holder, the submission's log index, the place in it, and the void's log index."""


class PageFile(NamedTuple):
    """A file of pages: its number, which the numbers of its pages name, and its digest."""

    number: int
    digest: bytes


class PlaceFile(NamedTuple):
    """A file of places: its number, the keys of its first and last rows, and its digest."""

    number: int
    first: bytes
    last: bytes
    digest: bytes


class Moved(NamedTuple):
    """What a block moves to the archive."""

    pages: PageFile | None
    places: PlaceFile | None


def place_key(day: int, holder: bytes) -> bytes:
    """By what a row of places is found."""
    return _DAY.pack(day) + holder


def next_number(connection: Connection, table: Table) -> int:
    """The number of the next file of a kind."""
    last = connection.scalar(select(func.max(table.c.number)))
    return 0 if last is None else int(last) + 1


# --- moving ---


def archive_pages(files: Files, register: Register, until: int, number: int) -> PageFile | None:
    """Write pages of the days before ``until`` to the file of this number; None: there are none."""
    data = register.archive(until, number, PAGES_AT_ONCE)
    if not data:
        return None
    made = PageFile(number, sha256(data).digest())
    files.write({pages_path(made.digest): data})
    return made


def archive_places(files: Files, connection: Connection, until: int) -> PlaceFile | None:
    """The same for the places of reductions, the first ones of the table."""
    of = tables.reduction
    wanted = select(of).where(of.c.day < until).order_by(of.c.day, of.c.holder)
    rows = connection.execute(wanted.limit(PLACES_AT_ONCE)).all()
    if not rows:
        return None
    data = b"".join(
        _PLACE.pack(day, holder, index.to_bytes(6), position, (voided or 0).to_bytes(6))
        for day, holder, index, position, voided in rows
    )
    made = PlaceFile(
        next_number(connection, tables.place_file),
        place_key(*rows[0][:2]),
        place_key(*rows[-1][:2]),
        sha256(data).digest(),
    )
    files.write({places_path(made.digest): data})
    return made


def enter(connection: Connection, moved: Moved) -> None:
    """Enter the files, and take off the places that are in them."""
    if moved.pages is not None:
        connection.execute(insert(tables.page_file), moved.pages._asdict())
    if moved.places is not None:
        connection.execute(insert(tables.place_file), moved.places._asdict())
        of, last = tables.reduction.c, moved.places.last
        (day,) = _DAY.unpack_from(last)
        gone = delete(tables.reduction)
        connection.execute(gone.where(of.day < day))
        connection.execute(gone.where(of.day == day, of.holder <= last[_DAY.size :]))


def remove_strays(files: Files, connection: Connection) -> None:
    """Remove the files that no block names; only whoever leads may."""
    for folder, path, of in (
        (REGISTER, pages_path, tables.page_file),
        (PLACES, places_path, tables.place_file),
    ):
        named = {path(digest) for digest in connection.scalars(select(of.c.digest))}
        for found in files.paths(folder):
            if found not in named:
                files.remove(found)


# --- reading ---


def page_digests(connection: Connection, numbers: Sequence[int]) -> dict[int, bytes]:
    """The digests of files of pages, by their numbers."""
    of = tables.page_file
    rows = connection.execute(select(of.c.number, of.c.digest).where(of.c.number.in_(numbers)))
    return dict(map(tuple, rows))


def read_archived(
    files: Files, places: Sequence[Archived], named: dict[int, bytes]
) -> dict[int, bytes]:
    """Pages of the archive, by their numbers; ``named``: the digests of its files.

    Raises `Unreadable` if a file is not there; of one that is too short, or that is not named,
    pages are missing.
    """
    known = (at for at in places if at.file in named)
    read = ((at, files.read(pages_path(named[at.file]), at.start, at.size)) for at in known)
    return {at.number: data for at, data in read if len(data) == at.size}


def place_files(connection: Connection, first: int) -> list[PlaceFile]:
    """The files of places from a number on, in order."""
    of = tables.place_file
    rows = connection.execute(select(of).where(of.c.number >= first).order_by(of.c.number))
    return [PlaceFile(*row) for row in rows]


def find_places(files: Files, index: Sequence[PlaceFile], keys: Sequence[bytes]) -> list[PlaceRow]:
    """The rows with these keys that are in the archive; ``index``: its files of places.

    Raises `Unreadable` if a file is not there.
    """

    def file_of(key: bytes) -> PlaceFile | None:
        place = bisect_right(index, key, key=lambda of: of.first) - 1
        return index[place] if place >= 0 and key <= index[place].last else None

    found: list[PlaceRow] = []
    for of, wanted in groupby(sorted(keys), file_of):
        if of is not None:
            with files.mapped(places_path(of.digest)) as data:
                rows = range(len(data) // _PLACE.size)

                def key_at(row: int, data: bytes = data) -> bytes:
                    return data[row * _PLACE.size : row * _PLACE.size + _KEY_SIZE]

                for key in wanted:
                    row = bisect_left(rows, key, key=key_at)
                    if row < len(rows) and key_at(row) == key:
                        found.append(_row(data, row))
    return found


def all_places(files: Files, index: Sequence[PlaceFile]) -> Iterator[PlaceRow]:
    """All rows that are in the archive, in order."""
    for of in index:
        data = files.read(places_path(of.digest))
        yield from (_row(data, row) for row in range(len(data) // _PLACE.size))


def _row(data: bytes, row: int) -> PlaceRow:
    day, holder, index, position, voided = _PLACE.unpack_from(data, row * _PLACE.size)
    return day, holder, int.from_bytes(index), position, int.from_bytes(voided) or None
