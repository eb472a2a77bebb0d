"""Reading a ledger's database: everything that it tells, as of one block.

A snapshot is one transaction of the database; blocks that are made meanwhile do not move it.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    bindparam,
    func,
    select,
    tuple_,
)

from chain.effects import Refused
from chain.files import Files
from chain.lots import Lot
from chain.merkle import Frontier
from chain.pages import ARCHIVED, ROOT_PAGE, Archived
from chain.register import PAGES_CACHED_MAX, Register
from chain.rules import GOVERNANCE_KINDS, replay_governance
from chain.spans import FOREVER, Span
from chain.state import State
from chain.store import tables
from chain.store.archive import (
    Moved,
    PlaceFile,
    PlaceRow,
    all_places,
    archive_pages,
    archive_places,
    find_places,
    next_number,
    page_digests,
    place_files,
    place_key,
    read_archived,
)
from chain.store.database import version
from keys.errors import Fault, Usage
from keys.notes import NOTE_SIGNATURES_MAX, NoteKey, NoteSignature, format_note, parse_note
from keys.statements import Statement, parse_statement
from keys.strict import DAY_MAX, dump_date

PUBLISHED_AT_ONCE = 4_096
"""Entries of the log."""
ROWS_AT_ONCE = 1_000
_IN_MAX = 500
PAGES_REMEMBERED = 4_096
STATEMENTS_REMEMBERED = 256
# A proof asks for pages ten times: what it asks is put together once.
_PAGES = select(tables.page.c.number, tables.page.c.data).where(
    tables.page.c.number.in_(bindparam("numbers", expanding=True))
)


class Head(NamedTuple):
    """The last block."""

    height: int
    size: int
    time: int
    seal: bytes
    register_root: bytes
    frontier: Frontier
    checkpoint: bytes
    receipt_signature: bytes
    next_page: int
    recorded: int
    refused: int
    grams: int


@dataclass(frozen=True)
class Place:
    """Where a reduction stands: its submission's log index, its position, and if it is voided."""

    index: int
    position: int
    voided: int | None


class Booked(NamedTuple):
    """A reduction of a subject: its day, its holder, and where it stands."""

    day: int
    holder: bytes
    place: Place


@dataclass(frozen=True)
class Statistic:
    """How many reductions of a day, a platform or a scenario are recorded, and their grams."""

    of: int | str
    count: int
    grams: int


class Pending(NamedTuple):
    """An admitted statement that waits for a block."""

    number: int
    id: bytes
    data: bytes


@dataclass(frozen=True)
class Logged:
    """A statement of the log: its index, its block's time, and the rules' clock then."""

    index: int
    statement: Statement
    time: int
    clock: int


@dataclass
class Memory:
    """What snapshots of one ledger have read that others will ask for as well.

    state: the newest; what governance decides later goes on from it.  statements: entries of the
    log, which never change, by their indices.  page_files and place_files: the files of the
    archive, likewise: the digests of the first by their numbers, all of the others in order.
    """

    state: State | None = None
    statements: dict[int, Statement] = field(default_factory=dict)
    page_files: dict[int, bytes] = field(default_factory=dict)
    place_files: list[PlaceFile] = field(default_factory=list)
    _pages: tuple[int, dict[int, bytes]] = (-1, {})

    def pages(self, height: int) -> dict[int, bytes]:
        """The pages of the register that were read as of a block, to be added to."""
        of, pages = self._pages
        if of != height:
            pages = {}
            self._pages = height, pages
        return pages


class Snapshot:
    """The ledger as of one block, read in one transaction; close it soon."""

    def __init__(self, connection: Connection, memory: Memory, files: Files) -> None:
        self._connection = connection
        self._memory = memory
        self._files = files
        self._head: Head | None = None

    def head(self) -> Head | None:
        """The last block, or None before the first."""
        if self._head is None:
            row = self._connection.execute(
                select(tables.block).order_by(tables.block.c.height.desc()).limit(1)
            ).first()
            self._head = _head(row) if row is not None else None
        return self._head

    def block(self, height: int) -> Head:
        """A block by its height; raises `Usage`."""
        row = self._connection.execute(
            select(tables.block).where(tables.block.c.height == height)
        ).first()
        if row is None:
            raise Usage("block-unknown", height=height)
        return _head(row)

    def blocks(self, size: int, after: int, limit: int) -> list[Head]:
        """The first ``limit`` blocks above the height ``after`` that a log of ``size`` has."""
        block = tables.block
        wanted = select(block).where(block.c.height > after, block.c.size <= size)
        rows = self._connection.execute(wanted.order_by(block.c.height).limit(limit))
        return list(map(_head, rows))

    def receipted(self, height: int) -> Head:
        """The first block from ``height`` on of which receipts are signed: those that were taken
        over from another operator have none.  Raises `Usage`."""
        block = tables.block
        signed = func.length(block.c.receipt_signature) > 0
        wanted = select(block).where(block.c.height >= height, signed)
        row = self._connection.execute(wanted.order_by(block.c.height).limit(1)).first()
        if row is None:
            raise Usage("block-unknown", height=height)
        return _head(row)

    def taken_over(self) -> int:
        """The height of the last block that another operator has sealed; -1 if there is none."""
        return self.receipted(0).height - 1

    def height(self) -> int:
        """The height of the last block; -1 before the first."""
        found = self._connection.scalar(select(func.max(tables.block.c.height)))
        return -1 if found is None else int(found)

    # --- what others have signed ---

    def note(self, block: Head, keys: Collection[NoteKey] = ()) -> bytes:
        """The checkpoint of a block with the cosignatures that it has so far.

        A note has room for so many lines: first come those of ``keys``, by default of the policy
        in force at the block's seal.
        """
        note, state = parse_note(block.checkpoint), self.state()
        policy = state.policy_at(block.size - 1) if state else None
        first = {(key.name, key.key_id) for key in keys or (policy.keys if policy else ())}
        cosigned = self.cosignatures(block.height)
        cosigned.sort(key=lambda line: (line.name, line.key_id) not in first)
        lines = (*note.signatures, *cosigned)
        return format_note(replace(note, signatures=lines[:NOTE_SIGNATURES_MAX]))

    def cosignatures(self, height: int) -> list[NoteSignature]:
        """The cosignatures of a block's checkpoint, by name and key id."""
        of = tables.cosignature
        rows = select(of.c.name, of.c.key_id, of.c.signature).where(of.c.height == height)
        return [
            NoteSignature(*row)
            for row in self._connection.execute(rows.order_by(of.c.name, of.c.key_id))
        ]

    def last_cosigned(self, key: NoteKey) -> int:
        """The height of the last block that a key has cosigned; -1 if there is none."""
        of = tables.cosignature
        rows = select(func.max(of.c.height)).where(of.c.name == key.name, of.c.key_id == key.key_id)
        found = self._connection.scalar(rows)
        return -1 if found is None else int(found)

    def cosigned_after(self, height: int) -> list[int]:
        """The heights above this one of blocks with cosignatures."""
        of = tables.cosignature.c.height
        return list(self._connection.scalars(select(of).where(of > height).distinct()))

    def final_height(self) -> int:
        """The height of the last final block (`chain.finality`); -1 if there is none."""
        found = self._connection.scalar(select(func.max(tables.final.c.height)))
        return -1 if found is None else int(found)

    def has_quorum(self, height: int) -> bool:
        """Whether a block's own checkpoint has the quorum."""
        rows = select(tables.final.c.height).where(tables.final.c.height == height)
        return self._connection.scalar(rows) is not None

    def links(self, until: int = FOREVER) -> list[dict[str, Any]]:
        """The chain of policies (`verifier.policies`) up to a block."""
        of = tables.policy_link
        rows = select(of.c.data).where(of.c.height <= until).order_by(of.c.height)
        return [json.loads(data) for data in self._connection.scalars(rows)]

    # --- the rules' view ---

    def state(self) -> State | None:
        """What the rules know: the fold of governance, and the position of the log."""
        head = self.head()
        if head is None:
            return None
        known = self._memory.state
        if known is not None and known.height > head.height:
            known = None  # this snapshot was taken before the memory was
        if known is not None and known.height == head.height:
            return known
        state = known
        for row in self.governance(known.index if known else 0):
            state = replay_governance(state, row.statement, row.index, row.clock)
        if state is None:
            raise Fault("genesis-missing")
        state = replace(
            state, index=head.size, time=head.time, height=head.height, previous=head.seal
        )
        newest = self._memory.state
        if newest is None or newest.height < head.height:
            self._memory.state = state
        return state

    def governance(self, first: int = 0) -> Iterator[Logged]:
        """The statements of governance from the index ``first`` on, in the order of the log."""
        return self.logged(GOVERNANCE_KINDS, first)

    def logged(
        self, kinds: Iterable[str], first: int = 0, limit: int | None = None
    ) -> Iterator[Logged]:
        """The statements of these kinds from the index ``first`` on, in the order of the log: all,
        or the first ``limit`` of them."""
        statement = tables.statement
        wanted = self._with_times().where(
            statement.c.kind.in_(list(kinds)), statement.c.index >= first
        )
        rows = self._connection.execute(wanted.order_by(statement.c.index).limit(limit))
        return map(self._logged, rows)

    def logged_at(self, indices: Collection[int]) -> Iterator[Logged]:
        """The statements at these indices."""
        rows = self._among(self._with_times(), tables.statement.c.index, indices)
        return map(self._logged, rows)

    def _with_times(self) -> Select[Any]:
        """Statements with the times of their blocks, and of the blocks before."""
        statement, block = tables.statement, tables.block
        before = block.alias()
        return (
            select(statement.c.index, statement.c.data, block.c.time, before.c.time)
            .join_from(statement, block, block.c.height == statement.c.height)
            .join(before, before.c.height == statement.c.height - 1, isouter=True)
        )

    def _logged(self, row: Row[Any]) -> Logged:
        index, data, time, clock = tuple(row)
        # In the first block there is no seal yet: the clock is the genesis's.
        then = self.statement(0).body["time"] if clock is None else clock
        return Logged(index, parse_statement(data), time, then)

    def origin(self) -> str:
        """The log's origin, from its genesis."""
        return str(self.statement(0).body["origin"])

    def register(self, cached_max: int = PAGES_CACHED_MAX) -> Register:
        """The register as of this block, for proofs."""
        head = self.head()
        return Register(self.pages, head.next_page if head else ROOT_PAGE + 1, cached_max)

    def pages(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """Stored pages of the register, those that exist."""
        head = self.head()
        known = self._memory.pages(head.height if head else -1)
        found = {number: known[number] for number in numbers if number in known}
        missing = [number for number in numbers if number not in found]
        found |= read_pages(self._connection, missing, self._files, self._memory.page_files)
        if len(known) < PAGES_REMEMBERED:  # the top of the register is what comes first
            known.update(found)
        return found

    def archive(self, register: Register, until: int) -> Moved:
        """Write some of what the days before ``until`` leave to new files."""
        number = next_number(self._connection, tables.page_file)
        return Moved(
            archive_pages(self._files, register, until, number),
            archive_places(self._files, self._connection, until),
        )

    def statement(self, index: int) -> Statement:
        """An entry of the log; raises `Usage`."""
        known = self._memory.statements
        found = known.get(index)
        if found is not None and self._head is not None and index < self._head.size:
            return found
        data = self._connection.scalar(
            select(tables.statement.c.data).where(tables.statement.c.index == index)
        )
        if data is None:
            raise Usage("statement-unknown", index=index)
        statement = parse_statement(data)
        if len(known) >= STATEMENTS_REMEMBERED:
            known.clear()
        known[index] = statement
        return statement

    def statements(self, indices: Collection[int]) -> dict[int, Statement]:
        """The entries of the log at these indices."""
        of = tables.statement
        rows = self._among(select(of.c.index, of.c.data), of.c.index, indices)
        return {index: parse_statement(data) for index, data in rows}

    def find(self, identity: bytes) -> tuple[int, int] | None:
        """(index, height) of the statement with this id."""
        return self.found([identity]).get(identity)

    def found(self, identities: Sequence[bytes]) -> dict[bytes, tuple[int, int]]:
        """(index, height) of those of the statements that are in the log, by their ids."""
        statement = tables.statement
        columns = select(statement.c.id, statement.c.index, statement.c.height)
        rows = self._among(columns, statement.c.id, identities)
        return {identity: (index, height) for identity, index, height in rows}

    def height_of(self, index: int) -> int:
        """The height of the block that holds an entry; raises `Usage`."""
        height = self._connection.scalar(
            select(tables.statement.c.height).where(tables.statement.c.index == index)
        )
        if height is None:
            raise Usage("statement-unknown", index=index)
        return int(height)

    def known(self, identities: Sequence[bytes]) -> set[bytes]:
        """Those of the statement ids that are in the log."""
        return set(self.found(identities))

    def issuers(self, indices: Collection[int]) -> dict[int, str]:
        """Who signed the entries at these indices."""
        statement = tables.statement
        columns = select(statement.c.index, statement.c.issuer)
        return dict(self._among(columns, statement.c.index, indices))

    def block_statements(self, height: int) -> list[tuple[int, str, str]]:
        """(index, kind, issuer) of the statements of a block."""
        statement = tables.statement
        rows = self._connection.execute(
            select(statement.c.index, statement.c.kind, statement.c.issuer)
            .where(statement.c.height == height)
            .order_by(statement.c.index)
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def locate(self, holder: bytes) -> Place | None:
        """Where the reduction with this holder stands."""
        return self.places([holder]).get(holder)

    def places(
        self, holders: Collection[bytes], days: Collection[int] | None = None
    ) -> dict[bytes, Place]:
        """Where the reductions with these holders stand, those that were ever recorded.

        They are looked for on all days, which takes longer, or on those where they can be.
        """
        of, every = tables.reduction, select(tables.statistic.c.day).distinct()
        columns = select(of.c.holder, of.c.index, of.c.position, of.c.voided)
        among = every if days is None else list(days)
        rows = self._among(columns.where(of.c.day.in_(among)), of.c.holder, holders)
        found = {holder: Place(*place) for holder, *place in rows}
        missing, index = set(holders) - found.keys(), self._place_files()
        if missing and index:
            if days is None:
                days = self._connection.scalars(every).all()
            archived = range(int.from_bytes(index[-1].last[:2]) + 1)
            keys = [place_key(day, of) for day in days if day in archived for of in missing]
            for _, holder, at, position, voided in find_places(self._files, index, keys):
                found[holder] = Place(at, position, voided)
        return found

    def _place_files(self) -> list[PlaceFile]:
        known = self._memory.place_files
        if more := place_files(self._connection, len(known)):
            # Not added to: another thread may look at it, or do the same.
            self._memory.place_files = known = [*known, *more]
        return known

    def reductions(self) -> Iterator[PlaceRow]:
        """Where all reductions stand that were ever recorded, by day and holder."""
        yield from all_places(self._files, self._place_files())
        yield from map(tuple, self.rows(tables.reduction))

    def holding(self, spans: Collection[Span], days: Iterable[int] = ()) -> dict[bytes, Place]:
        """Where the reductions stand that hold these spans, most of them on ``days`` or on the
        days of their lines."""
        holders = {span.holder for span in spans}
        found = self.places(holders, {*days, *(span.day for span in spans)})
        return found | self.places(holders - found.keys())

    def live(
        self, holders: Collection[bytes], days: Collection[int] | None = None
    ) -> dict[bytes, Place]:
        """Where those of the holders stand whose reductions are recorded and not voided."""
        found = self.places(holders, days).items()
        return {holder: place for holder, place in found if place.voided is None}

    def submissions_on(self, first: int, until: int) -> list[int]:
        """The log indices of the submissions with reductions on the days ``[first, until)``."""
        of = tables.submission_day
        rows = select(of.c.index).where(of.c.day >= first, of.c.day < until)
        return list(self._connection.scalars(rows.distinct().order_by(of.c.index)))

    def submissions(
        self, first: int, size: int, days: range, platform: str | None, limit: int
    ) -> list[tuple[int, Statement]]:
        """The first ``limit`` submissions from the index ``first`` on, of a log of ``size``, with
        reductions on ``days``: all, or those of a platform."""
        statement, on = tables.statement, tables.submission_day
        wanted = select(statement.c.index, statement.c.data).where(
            statement.c.kind == "submission",
            statement.c.index >= first,
            statement.c.index < size,
        )
        if days != range(DAY_MAX + 1):
            among = select(on.c.index).where(on.c.day >= days.start, on.c.day < days.stop)
            wanted = wanted.where(statement.c.index.in_(among))
        if platform is not None:
            wanted = wanted.where(statement.c.issuer == platform)
        rows = self._connection.execute(wanted.order_by(statement.c.index).limit(limit))
        return [(index, parse_statement(data)) for index, data in rows]

    def book(
        self,
        pseudonyms: Collection[bytes],
        platform: str,
        days: tuple[int, int],
        *,
        limit: int,
    ) -> list[Booked]:
        """What a platform ever had recorded for these pseudonyms on the days ``[first, until)``:
        the first ``limit`` of it, by day and holder."""
        subject, statistic = tables.subject, tables.statistic
        # Days come first in the table, so that what is written together lies together.
        known = select(statistic.c.day).where(
            statistic.c.platform == platform,
            statistic.c.day >= days[0],
            statistic.c.day < days[1],
        )
        wanted = (
            select(subject.c.day, subject.c.holder)
            .where(subject.c.day.in_(known), subject.c.pseudonym.in_(pseudonyms))
            .order_by(subject.c.day, subject.c.holder)
        )
        booked: list[Booked] = []
        for rows in self._connection.execute(wanted).partitions(ROWS_AT_ONCE):
            on = {day for day, _ in rows}
            places = self.places([holder for _, holder in rows], on)
            issuers = self.issuers({place.index for place in places.values()})
            booked += [
                Booked(day, holder, places[holder])
                for day, holder in rows
                if holder in places and issuers[places[holder].index] == platform
            ]
            if len(booked) >= limit:
                break
        return booked[:limit]

    def statistics(
        self,
        by: str,
        days: tuple[int, int],
        *,
        platform: str | None = None,
        scenario: str | None = None,
        after: int | str | None = None,
        limit: int | None = None,
    ) -> list[Statistic]:
        """What is recorded and not voided, on the days ``[first, until)``, by "day", "platform" or
        "scenario", in the order of these: all, or what is of a platform or of a scenario; the
        first ``limit``, or those after a day or a name."""
        of = tables.statistic
        key, count = of.c[by], func.sum(of.c["count"])
        wanted = (
            select(key, count, func.sum(of.c.grams))
            .where(of.c.day >= days[0], of.c.day < days[1])
            .group_by(key)
            .having(count > 0)
            .order_by(key)
            .limit(limit)
        )
        if after is not None:
            wanted = wanted.where(key > after)
        if platform is not None:
            wanted = wanted.where(of.c.platform == platform)
        if scenario is not None:
            wanted = wanted.where(of.c.scenario == scenario)
        # PostgreSQL adds up to its decimals.
        return [
            Statistic(name, int(count), int(grams))
            for name, count, grams in self._connection.execute(wanted)
        ]

    def lots(
        self,
        platform: str | None = None,
        scenario: str | None = None,
        *,
        days: tuple[int, int] = (0, DAY_MAX + 1),
        after: tuple[str, str, int] | None = None,
        limit: int | None = None,
    ) -> list[Lot]:
        """The lots of closed days ``[first, until)``, sorted: all, or those of a platform or a
        scenario; the first ``limit`` of them, or those after a platform, a scenario and a day."""
        lot = tables.lot
        order = (lot.c.platform, lot.c.scenario, lot.c.day)
        wanted = select(*(lot.c[name] for name in Lot._fields)).order_by(*order).limit(limit)
        wanted = wanted.where(lot.c.day >= days[0], lot.c.day < days[1])
        if platform is not None:
            wanted = wanted.where(lot.c.platform == platform)
        if scenario is not None:
            wanted = wanted.where(lot.c.scenario == scenario)
        if after is not None:
            wanted = wanted.where(tuple_(*order) > tuple_(*after))
        return [Lot(*row) for row in self._connection.execute(wanted)]

    def lot(self, platform: str, scenario: str, day: int) -> Lot:
        """The lot of a platform, a scenario and a day; raises `Usage`."""
        for lot in self.lots(platform, scenario, days=(day, day + 1)):
            return lot
        raise Usage("lot-unknown", platform=platform, scenario=scenario, day=dump_date(day))

    def lot_platform(self, root: bytes) -> str | None:
        """Whose lot has this root; None if there is none."""
        lot = tables.lot
        return self._connection.scalar(select(lot.c.platform).where(lot.c.root == root).limit(1))

    def refusals(self, index: int) -> dict[int, Refused]:
        """The reductions of a submission that were refused, by their position."""
        return self.refusals_of([index])[index]

    def refusals_of(self, indices: Collection[int]) -> dict[int, dict[int, Refused]]:
        """The same for each of some submissions."""
        refusal = tables.refusal
        made: dict[int, dict[int, Refused]] = {index: {} for index in indices}
        rows = self._among(select(refusal), refusal.c.index, indices)
        for row in sorted(rows, key=lambda row: (row.index, row.position)):
            met = None
            if row.line is not None:
                met = Span(row.line, row.start, row.end, row.holder)
            made[row.index][row.position] = Refused(row.code, row.claim, met, row.day)
        return made

    def known_or_waiting(self, identities: Sequence[bytes]) -> set[bytes]:
        """Those of the statement ids that are in the log, or wait for a block."""
        waiting = self.waiting(identities).items()
        return self.known(identities) | {of for of, refusal in waiting if refusal is None}

    def pending(self, limit: int) -> list[Pending]:
        """Admitted statements that wait for a block, in the order in which they came."""
        pending = tables.pending
        rows = self._connection.execute(
            select(pending.c.number, pending.c.id, pending.c.data)
            .where(pending.c.refusal.is_(None))
            .order_by(pending.c.number)
            .limit(limit)
        )
        return [Pending(*row) for row in rows]

    def waiting(self, identities: Sequence[bytes]) -> dict[bytes, str | None]:
        """Those that are pending: the refusal of each, as JSON, or None while it waits."""
        pending = tables.pending
        columns = select(pending.c.id, pending.c.refusal)
        return dict(self._among(columns, pending.c.id, identities))

    def kept(self, identity: bytes) -> Statement:
        """The statement with this id, in the log or pending; raises `Usage`."""
        for of in (tables.statement, tables.pending):
            data = self._connection.scalar(select(of.c.data).where(of.c.id == identity))
            if data is not None:
                return parse_statement(data)
        raise Usage("statement-not-known", id=identity.hex())

    def waiting_numbers(self) -> tuple[int, int] | None:
        """The first and the last number of the statements that wait; None: none waits."""
        number = tables.pending.c.number
        first, last = self._connection.execute(
            select(func.min(number), func.max(number)).where(tables.pending.c.refusal.is_(None))
        ).one()
        return None if first is None else (first, last)

    def pending_count(self) -> int:
        """How many admitted statements wait for a block."""
        pending = tables.pending
        return (
            self._connection.scalar(
                select(func.count()).select_from(pending).where(pending.c.refusal.is_(None))
            )
            or 0
        )

    def entries(self, start: int, end: int) -> list[bytes]:
        """The bytes of the log's entries ``start`` to ``end``."""
        statement = tables.statement
        return list(
            self._connection.scalars(
                select(statement.c.data)
                .where(statement.c.index >= start, statement.c.index < end)
                .order_by(statement.c.index)
            )
        )

    def _among(
        self, columns: Select[Any], of: ColumnElement[Any], wanted: Collection[Any]
    ) -> Iterator[Any]:
        """The rows of a query of which the column ``of`` has one of the values."""
        values = list(wanted)
        for at in range(0, len(values), _IN_MAX):
            rows = columns.where(of.in_(values[at : at + _IN_MAX]))
            yield from self._connection.execute(rows)

    def version(self) -> str | None:
        """The version of the tables."""
        return version(self._connection)

    def rows(self, table: Table) -> Iterator[Row[Any]]:
        """All rows of a table, in the order of its key."""
        statement = select(table).order_by(*table.primary_key.columns)
        yield from self._connection.execute(
            statement, execution_options={"yield_per": ROWS_AT_ONCE}
        )

    def block_to_publish(self, size: int) -> Head | None:
        """The last of the blocks beyond ``size`` that are well published together; None: none."""
        row = self._connection.execute(
            select(tables.block)
            .where(tables.block.c.size > size, tables.block.c.size <= size + PUBLISHED_AT_ONCE)
            .order_by(tables.block.c.height.desc())
            .limit(1)
        ).first()
        return _head(row) if row is not None else self.first_block_after(size)

    def first_block_after(self, size: int) -> Head | None:
        """The first block that ends beyond ``size``."""
        row = self._connection.execute(
            select(tables.block)
            .where(tables.block.c.size > size)
            .order_by(tables.block.c.height)
            .limit(1)
        ).first()
        return _head(row) if row is not None else None


def read_pages(
    connection: Connection, numbers: Sequence[int], files: Files, named: dict[int, bytes]
) -> dict[int, bytes]:
    """Stored pages of the register, those that exist; the digests of the archive's files are
    remembered in ``named``."""
    rows = [number for number in numbers if number < ARCHIVED]
    found: dict[int, bytes] = {}
    for at in range(0, len(rows), _IN_MAX):
        asked = {"numbers": rows[at : at + _IN_MAX]}
        found.update(map(tuple, connection.execute(_PAGES, asked)))
    if len(rows) < len(numbers):
        places = [Archived.of(number) for number in numbers if number >= ARCHIVED]
        unknown = list({at.file for at in places} - named.keys())
        for at in range(0, len(unknown), _IN_MAX):
            named |= page_digests(connection, unknown[at : at + _IN_MAX])
        found |= read_archived(files, places, named)
    return found


def _head(row: Row[Any]) -> Head:
    values = row._mapping
    given: dict[str, Any] = {name: values[name] for name in Head._fields}
    return Head(**{**given, "frontier": Frontier.from_bytes(values["frontier"])})
