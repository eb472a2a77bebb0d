"""Closing the books: from then on nothing that happened on those days is recorded or voided.

The payload of a **close** (format 1)::

    until   the date up to which the books are closed, that day not included
    lots    how many lots the days in between give
    count   the reductions in them
    grams   the grams of those

It closes all days from the end of the last close, or from the ledger's first day, up to ``until``:
a later date than that, each of its days ``acceptance_days`` in the past by the rules' clock.  Every
platform, scenario and day with a recorded reduction, not voided by then, becomes a lot
(`chain.lots`), and the span on the line ``books`` is moved.  The totals in the payload are what
whoever signs has seen; a close that would shut in something else is refused.
"""

from dataclasses import replace

from chain.effects import Effects, Entry
from chain.records import payload
from chain.spans import Span, make_holder
from chain.state import State, View
from keys.errors import Conflict, NotAllowed
from keys.statements import Statement
from keys.strict import dump_date, parse_date


def closed_by(state: State, statement: Statement) -> State:
    """The state once the statement has closed its days; raises `Malformed`."""
    body = payload(statement, {"until": str, "lots": int, "count": int, "grams": int})
    return replace(state, closed_until=parse_date(body["until"]))


def close(state: State, entry: Entry, view: View) -> Effects:
    """The effects of a close."""
    after = closed_by(state, entry.statement)
    first, until = state.closed_until, after.closed_until
    if until <= first:
        raise Conflict("close-again", until=dump_date(until), closed_until=dump_date(first))
    last = max(state.today - state.genesis.acceptance_days, 0)
    if until > last:
        raise NotAllowed("close-too-early", until=dump_date(until), last=dump_date(last))
    lots = view.lots(first, until)
    found = {
        "lots": len(lots),
        "count": sum(lot.count for lot in lots),
        "grams": sum(lot.grams for lot in lots),
    }
    for name, number in found.items():
        stated = entry.statement.body[name]
        if stated != number:
            raise Conflict("close-differs", what=name, stated=stated, found=number)
    put = [Span(state.classes.line("books", []), 0, until, make_holder("books", b""))]
    for lot in lots:
        line = state.classes.line("lot", [lot.platform, lot.scenario])
        put.append(Span(line, lot.day, lot.day + 1, lot.holder))
    return Effects(after, put)
