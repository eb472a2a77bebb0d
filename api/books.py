"""Books: a person's reductions by one platform, as a file that proves them (`verifier.books`), and
page by page for a program that shows them."""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

from api.proving import Proving, in_force
from chain.activities import parse_activity
from chain.methodologies import Methodology
from chain.spans import FOREVER
from chain.state import State
from chain.store.ledger import LedgerStore
from chain.store.snapshot import Place, Snapshot
from keys.errors import Fault, Usage
from keys.strict import DAY_MAX, dump_date
from verifier.anchors import days_of
from verifier.books import (
    BOOK_REDUCTIONS_MAX,
    BOOK_SUBJECTS_MAX,
    FORMAT,
    Earned,
    by_behaviour,
    by_month,
    total,
)

FINAL, PROVISIONAL, VOIDED = "final", "provisional", "voided"


class Asked(NamedTuple):
    """Whose book: a platform's, for 1 to 64 pseudonyms in order, on the days ``[first, until)``,
    under one scenario or all."""

    platform: str
    subjects: Sequence[str]
    first: int = 0
    until: int = DAY_MAX + 1
    scenario: str | None = None


class Row(NamedTuple):
    """A reduction of a book: where it stands, in which submission, under which scenario."""

    day: int
    holder: bytes
    place: Place
    root: bytes
    scenario: str


class Item(NamedTuple):
    """A reduction of a book, with what its activity says."""

    row: Row
    earned: Earned
    leaf: bytes
    status: str

    def as_json(self) -> dict[str, Any]:
        """It as JSON."""
        scenario, methodology = self.earned.behaviour
        return {
            "day": dump_date(self.row.day),
            "scenario": scenario,
            "methodology": methodology,
            "grams": self.earned.grams,
            "points": self.earned.points,
            "leaf": self.leaf.hex(),
            "index": self.row.place.index,
            "position": self.row.place.position,
            "status": self.status,
        }


def find_rows(snapshot: Snapshot, of: Asked, size: int = FOREVER) -> list[Row]:
    """The reductions of a book by day and holder, voided ones with them, as of the log's ``size``.

    Raises `Usage` if it asks for too many pseudonyms or reductions.
    """
    if not 1 <= len(of.subjects) <= BOOK_SUBJECTS_MAX:
        raise Usage("book-subjects", limit=BOOK_SUBJECTS_MAX)
    pseudonyms = [bytes.fromhex(subject) for subject in of.subjects]
    days = (of.first, of.until)
    booked = snapshot.book(pseudonyms, of.platform, days, limit=BOOK_REDUCTIONS_MAX + 1)
    if len(booked) > BOOK_REDUCTIONS_MAX:
        raise Usage("book-too-large", limit=BOOK_REDUCTIONS_MAX)
    submissions = snapshot.statements({one.place.index for one in booked})
    rows = []
    for day, holder, place in booked:
        body = submissions[place.index].body
        if place.index < size and of.scenario in (None, body["scenario"]):
            rows.append(Row(day, holder, place, bytes.fromhex(body["root"]), body["scenario"]))
    return rows


# --- as a file ---


class Written(NamedTuple):
    """A book, and how many reductions it holds."""

    document: dict[str, Any]
    reductions: int


def write_book(store: LedgerStore, of: Asked) -> Written:
    """The file of a book: what is recorded and not voided.

    Raises `Usage` if there is nothing, or more than a book holds.
    """
    with store.snapshot() as snapshot:
        rows = [row for row in find_rows(snapshot, of) if row.place.voided is None]
        if not rows:
            raise Usage("book-empty", platform=of.platform)
        proving = Proving(store, snapshot)

        def lines(root: bytes, _: Sequence[bytes], positions: Sequence[int]) -> list[str]:
            known = store.activities(root)
            if not all(known[position] for position in positions):
                raise Usage("activity-erased")  # since the snapshot was taken
            return [known[position].decode() for position in positions]

        places = sorted((row.place for row in rows), key=lambda at: (at.index, at.position))
        document = {
            "format": FORMAT,
            **proving.anchor(proving.head.size - 1),
            "platform": of.platform,
            "subjects": list(of.subjects),
            "from": dump_date(of.first) if of.first else None,
            "until": dump_date(of.until) if of.until <= DAY_MAX else None,
            **_definitions(proving, rows),
            **proving.excerpt(places, lines),
        }
    return Written(document, len(rows))


def _definitions(proving: Proving, rows: Sequence[Row]) -> dict[str, Any]:
    """What was in force for the reductions, each version once."""
    scenarios, methodologies = {}, {}
    for name, day in sorted({(row.scenario, row.day) for row in rows}):
        scenario = in_force(proving.state.scenarios[name], day)
        rule = in_force(proving.state.methodologies[scenario.document.methodology], day)
        scenarios[name, scenario.start] = scenario
        methodologies[rule.document.id, rule.start] = rule
    return {
        "scenarios": [proving.document("scenario", one) for one in scenarios.values()],
        "methodologies": [proving.document("methodology", one) for one in methodologies.values()],
    }


# --- page by page ---


class Page(NamedTuple):
    """A page of a book, and on the first page what all of it adds up to."""

    totals: dict[str, Any] | None
    items: Sequence[Item]


def page(
    store: LedgerStore,
    snapshot: Snapshot,
    of: Asked,
    *,
    size: int = FOREVER,
    after: tuple[int, bytes] | None = None,
    limit: int,
) -> Page:
    """At most ``limit`` reductions of a book, voided ones with them; see `find_rows`.

    after: the day and the holder of the last that was shown.  The totals are of those that are not
    voided.
    """
    rows = find_rows(snapshot, of, size)
    state = snapshot.state()
    if state is None:
        raise Usage("genesis-missing")
    if after is not None:
        rest = [row for row in rows if (row.day, row.holder) > after]
        return Page(None, list(_items(store, state, of.platform, rest[:limit])))
    every = list(_items(store, state, of.platform, rows))
    live = [item.earned for item in every if item.status != VOIDED]
    totals = {**total(live), "behaviours": by_behaviour(live), "months": by_month(live)}
    return Page(totals, every[:limit])


def _items(store: LedgerStore, state: State, platform: str, rows: Sequence[Row]) -> Iterator[Item]:
    """What the activities say, in the order of the rows; one that is erased meanwhile is left out.

    Raises `Fault` if a file is not the one that was submitted.
    """

    @cache
    def rule(scenario: str, day: int) -> Methodology:
        of = in_force(state.scenarios[scenario], day).document
        made: Methodology = in_force(state.methodologies[of.methodology], day).document
        return made

    lines: dict[Place, bytes] = {}
    for root, group in groupby(sorted(rows, key=lambda row: row.root), key=lambda row: row.root):
        known = store.activities(root)
        lines |= {row.place: known[row.place.position] for row in group}
    for row in rows:
        if not lines[row.place]:
            continue
        activity, by = parse_activity(lines[row.place]), rule(row.scenario, row.day)
        made = by.reduce(activity, platform)
        if made.holder != row.holder:
            raise Fault("reductions-differ", index=row.place.index)
        earned = Earned(row.day, (row.scenario, by.id), made.grams, by.points_of(activity))
        is_final = max(days_of(made, state.classes)) < state.closed_until
        status = FINAL if is_final else PROVISIONAL
        yield Item(row, earned, made.leaf, VOIDED if row.place.voided is not None else status)
