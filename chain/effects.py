"""What goes into the rules and what comes out: entries, effects, and refusals of reductions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chain.reductions import Reduction
from chain.spans import Span
from chain.state import State
from keys.statements import Statement


@dataclass(frozen=True)
class Entry:
    """A statement, with the reductions that it names: those submitted, or those to void."""

    statement: Statement
    reductions: Sequence[Reduction] = ()


@dataclass(frozen=True)
class Refused:
    """Why one reduction of a submission was not recorded."""

    code: str
    claim: int
    met: Span | None = None
    day: int = 0


@dataclass(frozen=True)
class Effects:
    """What a statement does: the next state, spans entered (or their ends moved) and removed,

    and for each reduction of a submission None if it is recorded, or why it is not.
    """

    state: State
    put: Sequence[Span] = ()
    drop: Sequence[Span] = ()
    outcomes: Sequence[Refused | None] = field(default=())
