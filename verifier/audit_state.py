"""What an auditor keeps for itself: enough to go on from the last seal that it has checked.

One SQLite file, ``audit.db``, in a folder of the auditor's own.  All that an audit learns goes in
within one transaction, which `save` ends at a seal: after a crash the file is as of the last
`save`, and the audit goes on there.  Nothing in it is read from the source a second time.

    page         the register's pages (`chain.register`)
    entry        of each entry of the log: the id of the statement, and the leaf hash
    governance   the statements that the rules' state is a fold of, with the rules' clock
    submission   of each submission: platform, scenario, root and count of its reductions
    live         the reductions of open days that were recorded, those of a submission and a day
                 together: what lots are made of
    voided       those of them that were voided since
    blank        activities that are not there, though submitted
    erased       activities that the log says are erased
    head         one row: where the audit stands
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from chain.lots import Lot, LotEntry, LotTree, read_entries
from chain.merkle import Frontier
from chain.pages import ROOT_PAGE
from chain.spans import EMPTY_ROOT
from keys.errors import Unreadable, Usage

DATABASE = "audit.db"
_VERSION = 2
_ASKED_AT_ONCE = 500
_CACHE_KIB = 65_536
_TABLES = """
CREATE TABLE page(number INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE entry(number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, leaf BLOB NOT NULL);
CREATE TABLE governance(number INTEGER PRIMARY KEY, data BLOB NOT NULL, clock INTEGER NOT NULL);
CREATE TABLE submission(
    number INTEGER PRIMARY KEY,
    platform TEXT NOT NULL, scenario TEXT NOT NULL, root BLOB NOT NULL, count INTEGER NOT NULL
);
CREATE TABLE live(day INTEGER, number INTEGER, entries BLOB NOT NULL, PRIMARY KEY(day, number));
CREATE TABLE voided(day INTEGER, leaf BLOB, number INTEGER NOT NULL, PRIMARY KEY(day, leaf));
CREATE TABLE blank(
    platform TEXT, day INTEGER, digest BLOB, number INTEGER NOT NULL,
    PRIMARY KEY(platform, day, digest)
) WITHOUT ROWID;
CREATE TABLE erased(
    platform TEXT, day INTEGER, digest BLOB, PRIMARY KEY(platform, day, digest)
) WITHOUT ROWID;
CREATE TABLE head(
    only INTEGER PRIMARY KEY CHECK (only = 0),
    frontier BLOB NOT NULL, height INTEGER NOT NULL, time INTEGER NOT NULL, seal BLOB NOT NULL,
    register BLOB NOT NULL, next_page INTEGER NOT NULL, tally TEXT NOT NULL, note BLOB NOT NULL
);
"""


@dataclass
class Tally:
    """What an audit has counted."""

    kinds: dict[str, int] = field(default_factory=dict)
    """Statements, by their kind."""
    recorded: int = 0
    refused: int = 0
    voided: int = 0
    grams: int = 0
    """Of what is recorded and not voided."""
    activities: int = 0
    """Reductions that were computed again from their activities."""

    @property
    def submitted(self) -> int:
        """Reductions in all submissions."""
        return self.recorded + self.refused


class Head(NamedTuple):
    """Where an audit stands: at a seal."""

    frontier: Frontier
    height: int
    time: int
    seal: bytes
    """The id of the last seal's statement."""
    register: bytes
    """The root of the register."""
    next_page: int
    tally: Tally
    note: bytes
    """The checkpoint whose audit was finished last; empty before the first."""


class Submitted(NamedTuple):
    """A submission, as far as later statements speak of it."""

    platform: str
    scenario: str
    root: bytes
    size: int
    """How many reductions it has."""


class AuditState:
    """The file, opened for one audit at a time."""

    def __init__(self, folder: Path) -> None:
        """Raises `Usage` "audit-state-busy" if another audit has it open, or `Unreadable`."""
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(folder / DATABASE, timeout=0, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise self._unreadable(str(error)) from error
        try:
            self._open()
        except sqlite3.Error as error:
            self.close()
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise Usage("audit-state-busy", path=str(folder)) from error
            raise self._unreadable(str(error)) from error

    def _open(self) -> None:
        run = self._database.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run(f"PRAGMA cache_size = -{_CACHE_KIB}")
        run("BEGIN IMMEDIATE")
        [version] = run("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _TABLES.split(";\n"):
                run(statement)
            run(f"PRAGMA user_version = {_VERSION}")
            # What is dropped later must not be the tables.
            run("COMMIT")
            run("BEGIN IMMEDIATE")
        elif version != _VERSION:
            self.close()
            raise self._unreadable(f"it is of version {version}")

    def _unreadable(self, reason: str) -> Unreadable:
        return Unreadable("audit-state-unreadable", path=str(self._folder), reason=reason)

    def close(self) -> None:
        """Let the file go; what was not saved is not in it."""
        self._database.close()

    # --- where it stands ---

    def head(self) -> Head:
        """Where the last `save` was; the beginning if there was none."""
        row = self._database.execute(
            "SELECT frontier, height, time, seal, register, next_page, tally, note FROM head"
        ).fetchone()
        if row is None:
            return Head(Frontier(), -1, 0, bytes(32), EMPTY_ROOT, ROOT_PAGE + 1, Tally(), b"")
        frontier, height, time, seal, register, next_page, tally, note = row
        frontier, tally = Frontier.from_bytes(frontier), Tally(**json.loads(tally))
        return Head(frontier, height, time, seal, register, next_page, tally, note)

    def save(self, head: Head) -> None:
        """Keep all that was entered, for good."""
        frontier, *middle, tally, note = head
        row = (frontier.to_bytes(), *middle, json.dumps(asdict(tally)), note)
        self._database.execute(
            "INSERT OR REPLACE INTO head VALUES (0, ?, ?, ?, ?, ?, ?, ?, ?)", row
        )
        self._database.execute("COMMIT")
        self._database.execute("BEGIN IMMEDIATE")

    @contextmanager
    def entering(self) -> Iterator[None]:
        """At its end, all that was entered and not saved is dropped.

        Raises `Unreadable` if the file cannot be read or written.
        """
        try:
            try:
                yield
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                self._database.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise self._unreadable(str(error)) from error

    # --- the register ---

    def pages(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """Those of the pages that are there."""
        found: dict[int, bytes] = {}
        for at in range(0, len(numbers), _ASKED_AT_ONCE):
            asked = numbers[at : at + _ASKED_AT_ONCE]
            marks = ",".join("?" * len(asked))
            query = f"SELECT number, data FROM page WHERE number IN ({marks})"  # noqa: S608
            found.update(self._database.execute(query, asked))
        return found

    def keep_pages(self, pages: Mapping[int, bytes | None]) -> None:
        """Enter pages that changed; None for those that are gone."""
        self._database.executemany(
            "INSERT OR REPLACE INTO page VALUES (?, ?)",
            [(number, data) for number, data in pages.items() if data is not None],
        )
        self._database.executemany(
            "DELETE FROM page WHERE number = ?",
            [(number,) for number, data in pages.items() if data is None],
        )

    # --- the log ---

    def keep_entry(self, number: int, identity: bytes, leaf: bytes) -> None:
        """Enter an entry of the log."""
        self._database.execute("INSERT INTO entry VALUES (?, ?, ?)", (number, identity, leaf))

    def number(self, identity: bytes) -> int | None:
        """Where the statement with this id was entered; None if it was not."""
        asked = "SELECT number FROM entry WHERE id = ?"
        row = self._database.execute(asked, (identity,)).fetchone()
        return None if row is None else int(row[0])

    def leaves(self, start: int, end: int) -> list[bytes]:
        """The leaf hashes of the entries ``[start, end)``."""
        asked = "SELECT leaf FROM entry WHERE number >= ? AND number < ? ORDER BY number"
        return [leaf for (leaf,) in self._database.execute(asked, (start, end))]

    def keep_governance(self, number: int, data: bytes, clock: int) -> None:
        """Enter a statement that the rules' state is a fold of."""
        self._database.execute("INSERT INTO governance VALUES (?, ?, ?)", (number, data, clock))

    def governance(self, start: int = 0) -> Iterator[tuple[int, bytes, int]]:
        """(number, statement, the rules' clock) of each from an entry on, in order."""
        asked = "SELECT * FROM governance WHERE number >= ? ORDER BY number"
        yield from self._database.execute(asked, (start,))

    # --- reductions ---

    def keep_submission(self, number: int, submitted: Submitted) -> None:
        """Enter a submission."""
        self._database.execute(
            "INSERT INTO submission VALUES (?, ?, ?, ?, ?)", (number, *submitted)
        )

    def submission(self, number: int) -> Submitted | None:
        """The submission at an index of the log; None if there stands another statement."""
        asked = "SELECT platform, scenario, root, count FROM submission WHERE number = ?"
        row = self._database.execute(asked, (number,)).fetchone()
        return None if row is None else Submitted(*row)

    def keep_live(self, number: int, day: int, entries: bytes) -> None:
        """Enter what a submission has recorded of a day: entries of a lot (`chain.lots`)."""
        self._database.execute("INSERT INTO live VALUES (?, ?, ?)", (day, number, entries))

    def drop_live(self, number: int, reductions: Iterable[tuple[int, bytes]]) -> None:
        """Take out what a void at ``number`` names: (day, leaf hash) of each."""
        self._database.executemany(
            "INSERT OR REPLACE INTO voided VALUES (?, ?, ?)",
            [(day, leaf, number) for day, leaf in reductions],
        )

    def lots(self, first: int, until: int) -> list[Lot]:
        """The lots of the days ``[first, until)``, sorted; a day is in memory at a time."""
        asked = "SELECT DISTINCT day FROM live WHERE day >= ? AND day < ?"
        days = [day for (day,) in self._database.execute(asked, (first, until))]
        return sorted(lot for day in days for lot in self._lots_of(day))

    def _lots_of(self, day: int) -> Iterator[Lot]:
        entries: dict[tuple[str, str], list[LotEntry]] = {}
        asked = "SELECT leaf, number FROM voided WHERE day = ?"
        voided = dict(self._database.execute(asked, (day,)))
        asked = (
            "SELECT platform, scenario, number, entries FROM live JOIN submission USING (number) "
            "WHERE day = ?"
        )
        for platform, scenario, number, rows in self._database.execute(asked, (day,)):
            # What was recorded again after the void is live.
            live = [of for of in read_entries(rows) if voided.get(of[0], -1) < number]
            if live:
                entries.setdefault((platform, scenario), []).extend(live)
        for name in list(entries):
            tree = LotTree(entries.pop(name))
            yield Lot(*name, day, tree.count, tree.grams, tree.root)

    def close_days(self, until: int) -> None:
        """Let go of the reductions of all days before ``until``: their lots are in the register."""
        self._database.execute("DELETE FROM live WHERE day < ?", (until,))
        self._database.execute("DELETE FROM voided WHERE day < ?", (until,))

    # --- erased activities ---

    def keep_blank(self, number: int, *activity: str | int | bytes) -> None:
        """Enter an activity (platform, day, digest) of a submission that is not there."""
        self._database.execute(
            "INSERT OR IGNORE INTO blank VALUES (?, ?, ?, ?)", (*activity, number)
        )

    def keep_erased(self, *activity: str | int | bytes) -> None:
        """Enter an activity (platform, day, digest) that the log says is erased."""
        self._database.execute("INSERT OR IGNORE INTO erased VALUES (?, ?, ?)", activity)

    def first_blank(self) -> int | None:
        """The first submission with an activity that is not there, and that nothing erased."""
        asked = (
            "SELECT number FROM blank AS b WHERE NOT EXISTS (SELECT 1 FROM erased AS e WHERE "
            "(e.platform, e.day, e.digest) = (b.platform, b.day, b.digest)) "
            "ORDER BY number LIMIT 1"
        )
        row = self._database.execute(asked).fetchone()
        return None if row is None else int(row[0])
