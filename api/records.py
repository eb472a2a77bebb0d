"""The records of a ledger, found for whoever signs what builds on them, and for readers.

A statement that builds on a certification, an issuance, left-over grams or units carries the record
that stands for them (`chain.records`).  What a record says is in the log's statements; whether it
stands, the register tells, which knows it by its holder alone.  So it must be known which statement
made which holder: an `Origins` learns it from the log once, and goes on from there.
"""

import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from chain.calendar import Calendar
from chain.certifications import Certification, Withdrawn, certified
from chain.holdings import MOVES, Holding, Units, moved, new_holding
from chain.issuances import Carry, Issuance, carried, issued
from chain.records import Record
from chain.spans import FOREVER, Span
from chain.state import State
from chain.store.snapshot import Logged, Snapshot
from keys.errors import Usage

_KINDS = ("certification", "withdrawal", "issuance", "correction", "deposit", *MOVES)


class Held(NamedTuple):
    """Units of one span, and the record that stands for them."""

    units: Units
    holding: Holding


class Origins:
    """Which statement of a log made which record; 200 bytes for each."""

    def __init__(self) -> None:
        self._size = 0
        self._by_holder: dict[bytes, int] = {}
        self._series: dict[tuple[str, str], None] = {}
        self._lock = threading.Lock()

    def learn(self, snapshot: Snapshot, state: State) -> None:
        """Read what the log has had since; ``state``: of the snapshot."""
        with self._lock:
            for logged in snapshot.logged(_KINDS, self._size):
                for record in read_records(logged, state.calendar):
                    self._by_holder[record.holder] = logged.index
                units = _new_units(logged)
                if units is not None:
                    self._series[units.registry, units.series] = None
            self._size = max(self._size, state.index)

    def series(self) -> list[tuple[str, str]]:
        """The registry and the name of each series of units, in the order in which they came."""
        with self._lock:
            return list(self._series)

    def places(self, holders: Iterable[bytes]) -> dict[bytes, int]:
        """The log index of the statement that made each of these."""
        with self._lock:
            return {holder: self._by_holder[holder] for holder in holders}


def read_records(logged: Logged, calendar: Calendar) -> Iterator[Record]:
    """The records that a statement made."""
    statement, kind = logged.statement, logged.statement.kind
    if kind == "certification":
        yield certified(statement, calendar.day(logged.clock))
    elif kind == "withdrawal":
        of = Certification.read(statement.body["certification"])
        yield Withdrawn(of.statement, statement.id)
    elif kind == "deposit":
        yield new_holding(statement)
    elif kind in MOVES:
        yield moved(statement)
    else:
        yield carried(statement)
    if kind == "issuance":
        yield issued(statement)
        yield new_holding(statement)


def _new_units(logged: Logged) -> Units | Issuance | None:
    """Units that a statement brought in."""
    if logged.statement.kind == "deposit":
        return Units.read(logged.statement.body["units"])
    if logged.statement.kind == "issuance":
        return issued(logged.statement)
    return None


class Records:
    """The records of a ledger as of one block; its snapshot must stay open.

    origins: what is known of the log already.
    """

    def __init__(self, snapshot: Snapshot, state: State, origins: Origins | None = None) -> None:
        self._snapshot = snapshot
        self._classes = state.classes
        self._calendar = state.calendar
        self._register = snapshot.register()
        self._origins = origins or Origins()
        self._origins.learn(snapshot, state)

    def certification(self, statement: bytes) -> Certification:
        """The record of a certification, standing or not, by its statement; raises `Usage`."""
        for record in self._made(statement, "certification"):
            if isinstance(record, Certification):
                return record
        raise Usage("certification-unknown", id=statement.hex())

    def issuance(self, statement: bytes) -> Issuance:
        """The record of an issuance by its statement; raises `Usage`."""
        for record in self._made(statement, "issuance"):
            if isinstance(record, Issuance):
                return record
        raise Usage("issuance-unknown", id=statement.hex())

    def _made(self, statement: bytes, kind: str) -> Iterator[Record]:
        """The records that a statement of this kind made, if there is one with this id."""
        place = self._snapshot.find(statement)
        if place is not None:
            for logged in self._snapshot.logged([kind], place[0], 1):
                if logged.index == place[0]:
                    yield from read_records(logged, self._calendar)

    def _standing(self, spans: Iterable[Span]) -> list[tuple[Span, Record]]:
        """Spans with the records that stand for them."""
        held = list(spans)
        places = self._origins.places(span.holder for span in held)
        records: dict[bytes, Record] = {}
        for logged in self._snapshot.logged_at(places.values()):
            for record in read_records(logged, self._calendar):
                records[record.holder] = record
        return [(span, records[span.holder]) for span in held]

    def on(self, line: bytes, start: int = 0, end: int = FOREVER) -> list[tuple[Span, Record]]:
        """The live spans that overlap, in their order, and the records that stand for them."""
        [spans] = self._register.overlapping([(line, start, end)])
        return self._standing(reversed(spans))

    def carry(self, platform: str, scenario: str) -> Carry | None:
        """What is left over for the next issuance; None before the first."""
        found = self.on(self._classes.line("carry", [platform, scenario]))
        return next((record for _, record in found if isinstance(record, Carry)), None)

    def next_serial(self, registry: str, series: str) -> int:
        """The first serial number of a series that is not issued yet."""
        found = self.on(self._classes.line("serial", [registry, series]))
        return found[-1][0].end if found else 1

    def holdings(
        self, after: tuple[str, str, int] = ("", "", 0), limit: int = FOREVER
    ) -> list[Held]:
        """Units by registry, series and serial number: those of the first ``limit`` spans that
        reach past a registry, a series and a serial number."""
        made: list[Held] = []
        for name in sorted(self._origins.series()):
            if name >= after[:2]:
                first = after[2] if name == after[:2] else 0
                made += self._held(Units(*name, first, FOREVER), limit - len(made))
        return made

    def holding(self, units: Units) -> Holding:
        """The record that stands for the first of ``units``; raises `Usage`."""
        for held in self._held(units._replace(end=units.first + 1), 1):
            return held.holding
        raise Usage("units-unknown", series=units.series, serial=units.first)

    def _held(self, within: Units, limit: int) -> list[Held]:
        """The units of the first spans within a stretch, at most ``limit``."""
        line = self._classes.line("serial", [within.registry, within.series])
        spans = islice(self._register.reaching(line, within.first, within.end), limit)
        return [
            Held(within._replace(first=span.start, end=span.end), record)
            for span, record in self._standing(spans)
            if isinstance(record, Holding)
        ]
