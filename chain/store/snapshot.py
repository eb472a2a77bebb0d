"""Reading a ledger's database: everything that it tells, as of one block.

A snapshot is one transaction of the database; blocks that are made meanwhile do not move it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select

from chain.effects import Refused
from chain.lots import Lot
from chain.merkle import Frontier
from chain.register import Register
from chain.rules import GOVERNANCE_KINDS, replay_governance
from chain.spans import Span
from chain.state import State
from chain.store import tables
from keys.errors import Fault, Usage
from keys.statements import Statement, parse_statement
from keys.strict import dump_date

_IN_MAX = 500


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


class Pending(NamedTuple):
    """An admitted statement that waits for a block."""

    number: int
    data: bytes


@dataclass(frozen=True)
class Logged:
    """A statement of the log: its index, its block's time, and the rules' clock then."""

    index: int
    statement: Statement
    time: int
    clock: int


class Snapshot:
    """The ledger as of one block, read in one transaction; close it soon."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def head(self) -> Head | None:
        """The last block, or None before the first."""
        row = self._connection.execute(
            select(tables.block).order_by(tables.block.c.height.desc()).limit(1)
        ).first()
        return _head(row) if row is not None else None

    def block(self, height: int) -> Head:
        """A block by its height; raises `Usage`."""
        row = self._connection.execute(
            select(tables.block).where(tables.block.c.height == height)
        ).first()
        if row is None:
            raise Usage("block-unknown", height=height)
        return _head(row)

    def state(self) -> State | None:
        """What the rules know: the fold of governance, and the position of the log."""
        head = self.head()
        if head is None:
            return None
        state: State | None = None
        for row in self.governance():
            state = replay_governance(state, row.statement, row.index, row.clock)
        if state is None:
            raise Fault("genesis-missing")
        return replace(
            state, index=head.size, time=head.time, height=head.height, previous=head.seal
        )

    def governance(self) -> Iterator[Logged]:
        """The statements of governance, in the order of the log."""
        return self.logged(GOVERNANCE_KINDS)

    def logged(self, kinds: Iterable[str]) -> Iterator[Logged]:
        """The statements of these kinds, in the order of the log."""
        statement, block = tables.statement, tables.block
        before = block.alias()
        rows = self._connection.execute(
            select(statement.c.index, statement.c.data, block.c.time, before.c.time)
            .join_from(statement, block, block.c.height == statement.c.height)
            .join(before, before.c.height == statement.c.height - 1, isouter=True)
            .where(statement.c.kind.in_(list(kinds)))
            .order_by(statement.c.index)
        )
        for index, data, time, clock in rows:
            # In the first block there is no seal yet: the clock is the genesis's.
            then = self.statement(0).body["time"] if clock is None else clock
            yield Logged(index, parse_statement(data), time, then)

    def origin(self) -> str:
        """The log's origin, from its genesis."""
        return str(self.statement(0).body["origin"])

    def register(self) -> Register:
        """The register as of this block, for proofs."""
        head = self.head()
        return Register(self.pages, head.next_page if head else 2)

    def pages(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """Stored pages of the register, those that exist."""
        page = tables.page
        found: dict[int, bytes] = {}
        for at in range(0, len(numbers), _IN_MAX):
            wanted = page.c.number.in_(numbers[at : at + _IN_MAX])
            for number, data in self._connection.execute(
                select(page.c.number, page.c.data).where(wanted)
            ):
                found[number] = data
        return found

    def statement(self, index: int) -> Statement:
        """An entry of the log; raises `Usage`."""
        data = self._connection.scalar(
            select(tables.statement.c.data).where(tables.statement.c.index == index)
        )
        if data is None:
            raise Usage("statement-unknown", index=index)
        return parse_statement(data)

    def find(self, identity: bytes) -> tuple[int, int] | None:
        """(index, height) of the statement with this id."""
        statement = tables.statement
        row = self._connection.execute(
            select(statement.c.index, statement.c.height).where(statement.c.id == identity)
        ).first()
        return (row[0], row[1]) if row is not None else None

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
        found: set[bytes] = set()
        for at in range(0, len(identities), _IN_MAX):
            wanted = tables.statement.c.id.in_(identities[at : at + _IN_MAX])
            found.update(self._connection.scalars(select(tables.statement.c.id).where(wanted)))
        return found

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
        reduction = tables.reduction
        row = self._connection.execute(
            select(reduction.c.index, reduction.c.position, reduction.c.voided).where(
                reduction.c.holder == holder
            )
        ).first()
        return Place(*row) if row is not None else None

    def live(self, holders: Sequence[bytes]) -> dict[bytes, Place]:
        """Where those of the holders stand whose reductions are recorded and not voided."""
        reduction = tables.reduction
        found: dict[bytes, Place] = {}
        for at in range(0, len(holders), _IN_MAX):
            wanted = reduction.c.holder.in_(holders[at : at + _IN_MAX])
            rows = self._connection.execute(
                select(reduction.c.holder, reduction.c.index, reduction.c.position).where(
                    wanted, reduction.c.voided.is_(None)
                )
            )
            found.update((holder, Place(index, position, None)) for holder, index, position in rows)
        return found

    def submissions_on(self, first: int, until: int) -> list[int]:
        """The log indices of the submissions with reductions on the days ``[first, until)``."""
        of = tables.submission_day
        rows = select(of.c.index).where(of.c.day >= first, of.c.day < until)
        return list(self._connection.scalars(rows.distinct().order_by(of.c.index)))

    def lots(self, platform: str | None = None, scenario: str | None = None) -> list[Lot]:
        """The lots of closed days, sorted: all, or those of a platform or a scenario."""
        lot = tables.lot
        wanted = select(*(lot.c[name] for name in Lot._fields))
        if platform is not None:
            wanted = wanted.where(lot.c.platform == platform)
        if scenario is not None:
            wanted = wanted.where(lot.c.scenario == scenario)
        rows = self._connection.execute(wanted.order_by(lot.c.platform, lot.c.scenario, lot.c.day))
        return [Lot(*row) for row in rows]

    def lot(self, platform: str, scenario: str, day: int) -> Lot:
        """The lot of a platform, a scenario and a day; raises `Usage`."""
        found = next((lot for lot in self.lots(platform, scenario) if lot.day == day), None)
        if found is None:
            raise Usage("lot-unknown", platform=platform, scenario=scenario, day=dump_date(day))
        return found

    def refusals(self, index: int) -> dict[int, Refused]:
        """The reductions of a submission that were refused, by their position."""
        rows = self._connection.execute(
            select(tables.refusal)
            .where(tables.refusal.c.index == index)
            .order_by(tables.refusal.c.position)
        )
        made: dict[int, Refused] = {}
        for row in rows:
            met = None
            if row.line is not None:
                met = Span(row.line, row.start, row.end, row.holder)
            made[row.position] = Refused(row.code, row.claim, met, row.day)
        return made

    def pending(self, limit: int) -> list[Pending]:
        """Admitted statements that wait for a block, in the order in which they came."""
        pending = tables.pending
        rows = self._connection.execute(
            select(pending.c.number, pending.c.data)
            .where(pending.c.refusal.is_(None))
            .order_by(pending.c.number)
            .limit(limit)
        )
        return [Pending(*row) for row in rows]

    def waiting(self, identity: bytes) -> str | None:
        """None if a statement is not pending; "" if it waits; its refusal, as JSON."""
        pending = tables.pending
        row = self._connection.execute(
            select(pending.c.refusal).where(pending.c.id == identity)
        ).first()
        return None if row is None else row[0] or ""

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

    def first_block_after(self, size: int) -> Head | None:
        """The first block that ends beyond ``size``."""
        row = self._connection.execute(
            select(tables.block)
            .where(tables.block.c.size > size)
            .order_by(tables.block.c.height)
            .limit(1)
        ).first()
        return _head(row) if row is not None else None


def _head(row: Row[Any]) -> Head:
    values = row._mapping
    given: dict[str, Any] = {name: values[name] for name in Head._fields}
    return Head(**{**given, "frontier": Frontier.from_bytes(values["frontier"])})
