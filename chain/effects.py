"""What goes into the rules and what comes out: entries, effects, and refusals of reductions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chain.reductions import Reduction
from chain.spans import FOREVER, Span
from chain.state import State, View
from keys.statements import Statement


@dataclass(frozen=True)
class Entry:
    """A statement, with the reductions that it names: submitted, to void, excluded, or erased."""

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
    rows: bytes = b""
    """More spans entered, as the register's pages have them: key ‖ end ‖ holder each."""


def held(view: View, reduction: Reduction) -> list[Span]:
    """The spans of all claims of a reduction; none at all if it does not hold each of them."""
    wanted = [(c.line, c.start or 0, c.end or FOREVER) for c in reduction.claims]
    found = [
        span
        for spans in view.overlapping(wanted)
        for span in spans
        if span.holder == reduction.holder
    ]
    return found if len(found) == len(reduction.claims) else []
