"""Books: what one platform had recorded for one person, each reduction proved, and their totals.

Whoever has a book, a bank say, sees what the person did, what it saved and which points it earned,
and that each of these reductions is recorded, unchanged, counted nowhere else, and exactly what its
methodology gives for its activity.  A person has a pseudonym for each epoch, so a book may name
several.

A JSON document like a bundle (`verifier.bundles`), of which it has ``checkpoint``, ``genesis``,
``seal``, ``rules`` (at the last entry), ``classes``, ``books``, and the forms *document* and
*signer*.  The other fields::

    format         "tally-book/1"
    platform       who submitted all of it
    subjects       the pseudonyms of the person, in order
    from, until    the days to which it keeps, from the first to before the last, as dates; each
                   null where it keeps to none
    scenarios      [document, …]: the definitions of its scenarios on the days
    methodologies  [document, …]: the versions of their methodologies
    signers, submissions, log, claims
                   an excerpt (`verifier.excerpts`); the data of a reduction is its activity, one
                   line, verbatim

No reduction is in the file: it is computed again from its activity.  Submissions stand in the order
of the log, reductions in that of their submission.

A book does not show that it is all: whoever writes it may leave reductions out.  It shows nothing
of other platforms, nor whose the pseudonyms are.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from chain.activities import parse_activity
from chain.classes import GRAMMARS, is_slug
from chain.proofs import Held
from chain.reductions import Reduction
from keys.errors import Malformed
from keys.notes import Note
from keys.strict import DAY_MAX, FieldTypes, dump_date, fields, parse_base64, parse_date
from verifier.anchors import InHand, days_of
from verifier.bundles import (
    ANCHORS,
    Document,
    Logged,
    Policies,
    read_anchors,
    read_document,
    read_signer,
)
from verifier.excerpts import Excerpt, ExcerptChecker, read_hashes, read_shown
from verifier.policy import Policy
from verifier.reports import PROVISIONAL, VALID, Report, demand

FORMAT = "tally-book/1"
BOOK_REDUCTIONS_MAX = 4_096
BOOK_SUBJECTS_MAX = 64

_FIELDS: FieldTypes = {
    **ANCHORS,
    "platform": str,
    "subjects": list,
    "from": (str, type(None)),
    "until": (str, type(None)),
    "scenarios": list,
    "methodologies": list,
    "signers": list,
    "submissions": list,
    "log": str,
    "claims": str,
}


# --- totals ---


class Earned(NamedTuple):
    """A reduction as a book adds it up; ``behaviour``: its scenario and its methodology's id."""

    day: int
    behaviour: tuple[str, str]
    grams: int
    points: int


def total(entries: Sequence[Earned]) -> dict[str, int]:
    """Their count, grams and points."""
    return {
        "count": len(entries),
        "grams": sum(one.grams for one in entries),
        "points": sum(one.points for one in entries),
    }


def by_behaviour(entries: Iterable[Earned]) -> list[dict[str, Any]]:
    """The total of each behaviour, in the order of their names."""
    grouped = _grouped((one.behaviour, one) for one in entries)
    return [
        {"scenario": scenario, "methodology": methodology, **total(group)}
        for (scenario, methodology), group in grouped
    ]


def by_month(entries: Iterable[Earned]) -> list[dict[str, Any]]:
    """The total of each month, in their order."""
    grouped = _grouped((dump_date(one.day)[:7], one) for one in entries)
    return [{"month": month, **total(group)} for month, group in grouped]


def _grouped(named: Iterable[tuple[Any, Earned]]) -> list[tuple[Any, list[Earned]]]:
    groups: dict[Hashable, list[Earned]] = defaultdict(list)
    for name, one in named:
        groups[name].append(one)
    return sorted(groups.items())


# --- the file ---


@dataclass(frozen=True)
class Book:
    """A book, read."""

    checkpoint: Note
    genesis: Logged
    seal: Logged
    rules: Held
    classes: Document
    books: Held | None
    policies: Policies
    platform: str
    subjects: Sequence[str]
    days: tuple[int, int]
    scenarios: Sequence[Document]
    methodologies: Sequence[Document]
    excerpt: Excerpt


def read(value: dict[str, Any]) -> Book:
    """Read a book; raises `Malformed`."""
    given = fields(value, "book", _FIELDS)
    subjects = given["subjects"]
    if not is_slug(given["platform"]):
        raise Malformed("field-type", where="book", field="platform", expected="a name")
    if (
        not 1 <= len(subjects) <= BOOK_SUBJECTS_MAX
        or not all(isinstance(one, str) and GRAMMARS["pseudonym"](one) for one in subjects)
        or not _is_in_order(subjects)
    ):
        raise Malformed("book-subjects", limit=BOOK_SUBJECTS_MAX)
    submissions = [read_shown(item, str.encode) for item in given["submissions"]]
    if sum(len(one.reductions) for one in submissions) > BOOK_REDUCTIONS_MAX:
        raise Malformed("book-too-large", limit=BOOK_REDUCTIONS_MAX)
    return Book(
        **read_anchors(given),
        platform=given["platform"],
        subjects=subjects,
        days=read_days(given["from"], given["until"]),
        scenarios=[read_document(item, "scenario") for item in given["scenarios"]],
        methodologies=[read_document(item, "methodology") for item in given["methodologies"]],
        excerpt=Excerpt(
            signers=[read_signer(item) for item in given["signers"]],
            submissions=submissions,
            log=read_hashes(given["log"]),
            claims=parse_base64(given["claims"]),
        ),
    )


def read_days(since: str | None, until: str | None) -> tuple[int, int]:
    """The days ``[from, until)`` of two dates, each of which may be left open.

    Raises `Malformed`.
    """
    first = 0 if since is None else parse_date(since)
    return first, DAY_MAX + 1 if until is None else parse_date(until)


def _is_in_order(items: Iterable[Any]) -> bool:
    return all(one < other for one, other in pairwise(items))


class Checker(ExcerptChecker):
    """The checks of one book."""

    def __init__(self, book: Book, policy: Policy, report: Report) -> None:
        super().__init__(book, policy, report)
        self.book = book
        self.reductions: list[Reduction] = []
        self.entries: list[Earned] = []

    def run(self, hand: InHand) -> None:
        """All checks, and the verdict."""
        book, (first, until) = self.book, self.book.days
        self.facts |= {
            "kind": "book",
            "platform": book.platform,
            "subjects": list(book.subjects),
            "from": dump_date(first),
            "until": dump_date(until) if until <= DAY_MAX else None,
        }
        self.check_anchor(hand, None)
        self._definitions()
        bodies = self._signed_submissions()
        self._activities(bodies)
        self._held_claims()
        self._totals()
        is_final = self._is_final()
        self.check_witnessed(VALID if is_final else PROVISIONAL)
        self.report.said = "book-valid" if is_final else "book-provisional"

    def _definitions(self) -> None:
        with self._step("book-definitions") as details:
            self._define(self.book.scenarios, self.book.methodologies)
            details["scenarios"] = ", ".join(of.id for _, of in self.scenarios)
            details["versions"] = ", ".join(f"{of.id} {of.version}" for _, of in self.methodologies)

    def _signed_submissions(self) -> list[dict[str, Any]]:
        submissions = self.book.excerpt.submissions
        with self._step("book-submissions") as details:
            demand(_is_in_order(one.index for one in submissions), "book-order")
            bodies = self._submissions(self.book.excerpt, self.book.platform)
            details.update(count=len(bodies), platform=self.book.platform)
        return bodies

    def _activities(self, bodies: Sequence[dict[str, Any]]) -> None:
        """Each activity is the person's, and what its methodology gives for it is recorded."""
        with self._step("book-activities") as details:
            for submission, body in zip(self.book.excerpt.submissions, bodies, strict=True):
                demand(_is_in_order(one.position for one in submission.reductions), "book-order")
                made = [self._reduction(one.data, body) for one in submission.reductions]
                self._placed(submission, body, made)
                self.reductions += made
            details["count"] = len(self.reductions)

    def _reduction(self, line: bytes, body: dict[str, Any]) -> Reduction:
        """What an activity gives by the methodology in force on its day."""
        book, activity = self.book, parse_activity(line)
        given = activity.fields
        demand(given.get("subject") in book.subjects, "book-other-subject", id=given["id"])
        day = self.calendar.day(given["start"])
        demand(book.days[0] <= day < book.days[1], "book-other-day", id=given["id"])
        rule = self._rule(book.platform, given["scenario"], day)
        reduction = rule.reduce(activity, book.platform)
        behaviour = (reduction.scenario, rule.id)
        self.entries.append(Earned(day, behaviour, reduction.grams, rule.points_of(activity)))
        return reduction

    def _held_claims(self) -> None:
        with self._step("book-claims") as details:
            details["count"] = self._claims(self.book.excerpt, self.reductions)

    def _totals(self) -> None:
        """What they add up to; each sum is a line of the report."""
        sums = total(self.entries)
        behaviours, months = by_behaviour(self.entries), by_month(self.entries)
        with self._step("book-total") as details:
            details.update(sums)
        for row in behaviours:
            with self._step("book-behaviour") as details:
                details.update(row)
        for row in months:
            with self._step("book-month") as details:
                details.update(row)
        self.facts |= {
            **sums,
            "behaviours": behaviours,
            "months": months,
            "reductions": [
                {
                    "day": dump_date(one.day),
                    "scenario": one.behaviour[0],
                    "methodology": one.behaviour[1],
                    "grams": one.grams,
                    "points": one.points,
                    "leaf": of.leaf.hex(),
                }
                for one, of in zip(self.entries, self.reductions, strict=True)
            ],
        }

    def _is_final(self) -> bool:
        """Whether the books of all its days are closed."""
        with self._step("books") as details:
            days = [day for of in self.reductions for day in days_of(of, self.classes)]
            return max(days) < self._closed(details)
