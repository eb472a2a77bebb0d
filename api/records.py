"""The records of a ledger, found for whoever signs what builds on them.

A statement that builds on a certification, an issuance, left-over grams or units carries the record
that stands for them (`chain.records`).  What a record says is in the log's statements; whether it
stands, the register tells.
"""

from collections.abc import Iterator
from typing import NamedTuple

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


class Records:
    """The records of a ledger as of one block; its snapshot must stay open."""

    def __init__(self, snapshot: Snapshot, state: State) -> None:
        self._classes = state.classes
        self._calendar = state.calendar
        self._register = snapshot.register()
        self._by_holder: dict[bytes, Record] = {}
        self._certifications: dict[bytes, Certification] = {}
        self._issuances: dict[bytes, Issuance] = {}
        self._series: dict[tuple[str, str], None] = {}
        for logged in snapshot.logged(_KINDS):
            for record in self._read(logged):
                self._by_holder[record.holder] = record

    def _read(self, logged: Logged) -> Iterator[Record]:
        """The records that a statement made."""
        statement, kind = logged.statement, logged.statement.kind
        if kind == "certification":
            day = self._calendar.day(logged.clock)
            yield self._certifications.setdefault(statement.id, certified(statement, day))
        elif kind == "withdrawal":
            of = Certification.read(statement.body["certification"])
            yield Withdrawn(of.statement, statement.id)
        elif kind == "deposit":
            units = Units.read(statement.body["units"])
            self._series[units.registry, units.series] = None
            yield new_holding(statement)
        elif kind in MOVES:
            yield moved(statement)
        else:
            yield carried(statement)
        if kind == "issuance":
            made = self._issuances.setdefault(statement.id, issued(statement))
            self._series[made.registry, made.series] = None
            yield made
            yield new_holding(statement)

    def certification(self, statement: bytes) -> Certification:
        """The record of a certification, standing or not, by its statement; raises `Usage`."""
        if statement not in self._certifications:
            raise Usage("certification-unknown", id=statement.hex())
        return self._certifications[statement]

    def issuance(self, statement: bytes) -> Issuance:
        """The record of an issuance by its statement; raises `Usage`."""
        if statement not in self._issuances:
            raise Usage("issuance-unknown", id=statement.hex())
        return self._issuances[statement]

    def on(self, line: bytes, start: int = 0, end: int = FOREVER) -> list[tuple[Span, Record]]:
        """The live spans that overlap, in their order, and the records that stand for them."""
        [spans] = self._register.overlapping([(line, start, end)])
        return [(span, self._by_holder[span.holder]) for span in reversed(spans)]

    def carry(self, platform: str, scenario: str) -> Carry | None:
        """What is left over for the next issuance; None before the first."""
        found = self.on(self._classes.line("carry", [platform, scenario]))
        return next((record for _, record in found if isinstance(record, Carry)), None)

    def next_serial(self, registry: str, series: str) -> int:
        """The first serial number of a series that is not issued yet."""
        found = self.on(self._classes.line("serial", [registry, series]))
        return found[-1][0].end if found else 1

    def holdings(self) -> Iterator[Held]:
        """All units, in the order in which their series came, and of their serial numbers."""
        for registry, series in self._series:
            yield from self._held(Units(registry, series, 0, FOREVER))

    def holding(self, units: Units) -> Holding:
        """The record that stands for the first of ``units``; raises `Usage`."""
        for held in self._held(units._replace(end=units.first + 1)):
            return held.holding
        raise Usage("units-unknown", series=units.series, serial=units.first)

    def _held(self, within: Units) -> Iterator[Held]:
        line = self._classes.line("serial", [within.registry, within.series])
        for span, record in self.on(line, within.first, within.end):
            if isinstance(record, Holding):
                yield Held(within._replace(first=span.start, end=span.end), record)
