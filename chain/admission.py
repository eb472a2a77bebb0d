"""Admission: from a platform's activities to a submission that the rules can take.

Stateless: the same functions serve the platform, which computes reductions and signs their root,
and the ledger, which computes them again from the activities and compares.  Any number of
processes can admit at once; none of them changes anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chain import merkle
from chain.activities import Activity, parse_activities
from chain.batches import Batch, InForce, compute
from chain.bulk import no_collection
from chain.effects import Entry
from chain.methodologies import Methodology
from chain.reductions import SUBMISSION_COUNT_MAX, Reduction, total_grams
from chain.rules import check_signed, check_submission, governing_methodology
from chain.state import State
from keys.errors import Malformed, Refusal
from keys.signer import Signer
from keys.statements import Statement, sign_statement


@dataclass(frozen=True)
class Admitted:
    """A submission whose reductions have been computed again: an entry and its activities."""

    entry: Entry
    activities: bytes
    subjects: Sequence[bytes | None] = ()
    """Whom each activity names (`chain.activities.Activity.subject`)."""

    @property
    def root(self) -> bytes:
        """The root of the reductions, which names their file."""
        return bytes.fromhex(self.entry.statement.body["root"])


def methodologies_in_force(state: State, platform: str) -> InForce:
    """What ``platform`` may report under, as far as ``state`` knows; answers are remembered."""
    known: dict[tuple[str, int], Methodology] = {}

    def in_force(scenario: str, day: int) -> Methodology:
        methodology = known.get((scenario, day))
        if methodology is None:
            methodology = governing_methodology(state, platform, scenario, day)
            known[scenario, day] = methodology
        return methodology

    return in_force


def reduce_activities(
    activities: Sequence[Activity], state: State, platform: str
) -> list[Reduction | Refusal]:
    """The reduction of each activity, or in its place why it earns none."""
    in_force = methodologies_in_force(state, platform)
    computed = compute([of.data for of in activities], state.calendar.offset, platform, in_force)
    compiled = iter(computed.batch if computed else ())
    left = set(computed.left if computed else range(len(activities)))
    day_of = state.calendar.day
    made: list[Reduction | Refusal] = []
    for place, activity in enumerate(activities):
        if place not in left:
            made.append(next(compiled))
            continue
        try:
            methodology = in_force(activity.fields["scenario"], day_of(activity.fields["start"]))
            made.append(methodology.reduce(activity, platform))
        except Refusal as refusal:
            made.append(refusal)
    return made


def sign_submission(
    signer: Signer, *, platform: str, ledger: bytes, expires: int, reductions: Sequence[Reduction]
) -> Statement:
    """The statement over 1 to 65,536 reductions of one scenario; ``ledger`` is the genesis id."""
    if not 1 <= len(reductions) <= SUBMISSION_COUNT_MAX:
        raise Malformed("submission-count", stated=len(reductions), given=len(reductions))
    scenario = reductions[0].scenario
    body = {
        "format": 1,
        "scenario": scenario,
        "count": len(reductions),
        "grams": total_grams(reductions),
        "root": merkle.root([reduction.leaf for reduction in reductions]).hex(),
    }
    return sign_statement(
        signer,
        kind="submission",
        issuer=platform,
        subject=scenario,
        audience=ledger,
        expires=expires,
        payload=body,
    )


@no_collection()
def admit(state: State, statement: Statement, lines: Sequence[bytes]) -> Admitted:
    """Check a submission against its activities; raises `Refusal` for the whole of it.

    ``state`` may lag behind the ledger: the rules decide once more when the block is made.
    """
    if statement.kind != "submission":
        raise Malformed("kind-unknown", kind=statement.kind)
    check_signed(state, statement)
    if not 1 <= len(lines) <= SUBMISSION_COUNT_MAX:
        raise Malformed("submission-count", stated=len(lines), given=len(lines))
    reductions, subjects = _reduce_all(lines, state, statement.issuer)
    check_submission(state, statement, reductions)
    return Admitted(Entry(statement, reductions), b"\n".join(lines) + b"\n", subjects)


def _reduce_all(
    lines: Sequence[bytes], state: State, platform: str
) -> tuple[Batch, list[bytes | None]]:
    """The reductions of activities that must all earn one, and whom each of them names."""
    in_force = methodologies_in_force(state, platform)
    computed = compute(lines, state.calendar.offset, platform, in_force)
    if computed and not computed.left:
        return computed.batch, computed.subjects
    reductions: list[Reduction] = []
    activities = parse_activities(lines)
    for number, reduction in enumerate(reduce_activities(activities, state, platform), 1):
        if isinstance(reduction, Refusal):
            raise Malformed("activity-invalid", line=number, reason=reduction.text())
        reductions.append(reduction)
    return Batch(reductions), [activity.subject for activity in activities]
