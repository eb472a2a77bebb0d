"""Admitting what was sent: submissions and other statements, many against one look at the ledger.

A submission is the body of its request: a line with the signed statement, then its activities
(`api.service.routes.submissions`).  What is known here already is not admitted again: it may have
expired by now, its answer has not.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from api.service.limits import Rate
from chain.activities import parse_activities, split_lines
from chain.admission import Admitted, admit
from chain.reductions import Reduction
from chain.rules import check_signed
from chain.state import State
from chain.store.ledger import LedgerStore
from keys.errors import Malformed, Usage
from keys.statements import STATEMENT_BYTES_MAX, Statement, parse_statement
from keys.strict import fields, parse_base64, parse_json

_T = TypeVar("_T")
FIRST_LINE_BYTES_MAX = STATEMENT_BYTES_MAX * 4 // 3 + 64


Sent = bytes | Statement
"""The body of a submission's request, or a statement of another kind."""


@dataclass(frozen=True)
class Taken:
    """What was admitted: a statement; if it is a new submission, as it is to be kept."""

    statement: Statement
    admitted: Admitted | None = None
    is_known: bool = False

    @property
    def reductions(self) -> Sequence[Reduction] | None:
        """Those of a new submission."""
        return None if self.admitted is None else self.admitted.entry.reductions


class Admitting:
    """Admits to one ledger; ``rate`` is what each participant may send, by ``clock``."""

    def __init__(self, store: LedgerStore, rate: Rate, clock: Callable[[], float]) -> None:
        self._store = store
        self._rate = rate
        self._clock = clock

    def admit(self, sent: Sequence[Sent]) -> list[Taken | Exception]:
        """Each of them, or why it is not admitted; raises `Usage` before the genesis."""
        read = [_attempt(_read, one) for one in sent]
        identities = [one.statement.id for one in read if isinstance(one, _Read)]
        with self._store.snapshot() as snapshot:
            state = snapshot.state()
            known = snapshot.known_or_waiting(identities)
        if state is None:
            raise Usage("genesis-missing")
        return [
            one if isinstance(one, Exception) else _attempt(self._admit, one, state, known)
            for one in read
        ]

    def _admit(self, read: "_Read", state: State, known: Collection[bytes]) -> Taken:
        statement, lines = read.statement, read.lines
        if statement.id in known:
            self._check_same(read)
            return Taken(statement, is_known=True)
        if lines is None:
            # No stranger may fill the queue, and no participant alone.
            check_signed(state, statement)
            taken = Taken(statement)
        else:
            taken = Taken(statement, admit(state, statement, lines))
        self._rate.take(statement.issuer, self._clock())
        return taken

    def _check_same(self, read: "_Read") -> None:
        """Raise `Malformed` unless these are the activities of a submission that is known.

        Its statement is anyone's to read; what was refused of it is not.
        """
        if read.lines is None:
            return
        reductions = self._store.reductions(bytes.fromhex(read.statement.body["root"]))
        given = [activity.digest for activity in parse_activities(read.lines)]
        if given != [one.digest for one in reductions]:
            raise Malformed("submission-root")


@dataclass(frozen=True)
class _Read:
    """A statement, with the lines of its activities if it is a submission."""

    statement: Statement
    lines: Sequence[bytes] | None = None


def _read(sent: Sent) -> _Read:
    if isinstance(sent, Statement):
        return _Read(sent)
    first, *lines = split_lines(sent) or [b""]
    given = fields(
        parse_json(first, bytes_max=FIRST_LINE_BYTES_MAX), "submission", {"statement": str}
    )
    statement = parse_statement(parse_base64(given["statement"]))
    if statement.kind != "submission":
        raise Malformed("kind-unknown", kind=statement.kind)
    return _Read(statement, lines)


def _attempt(do: Callable[..., _T], *given: object) -> _T | Exception:
    """What it gives, or raises: of this one alone, for its request to answer."""
    try:
        return do(*given)
    except Exception as error:
        return error
