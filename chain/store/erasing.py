"""Erasing activities, as the erasures in the log say (`chain.certifications`).

The statement is the instruction: its block is not published before its activities are erased, so
that after a crash the same is done again, and what is done already stays as it is.

An erased activity is an empty line.  The line feed stays, so the others keep their positions; no
activity is an empty line.  A platform may have submitted an activity more than once: whatever it
reported on the day of a reduction that is named, under the digest of its activity, is erased.
"""

from collections.abc import Callable, Iterable, Sequence

from chain.certifications import Certification, erasure_list
from chain.files import Files
from chain.paths import activities_path, reductions_path
from chain.reductions import Reduction, parse_reductions, split_reductions
from chain.store.snapshot import Snapshot
from chain.store.subjects import SubjectRow, read_subjects, subject_rows
from keys.statements import Statement

Forget = Callable[[Sequence[SubjectRow]], None]
"""Takes out of the database whose reductions these were."""


def erase(files: Files, snapshot: Snapshot, erasures: Iterable[Statement], forget: Forget) -> int:
    """Erase the activities that these statements name; how many lines there still were."""
    return sum(_erase(files, snapshot, statement, forget) for statement in erasures)


def _erase(files: Files, snapshot: Snapshot, erasure: Statement, forget: Forget) -> int:
    platform = Certification.read(erasure.body["certification"]).platform
    named = _named(files, snapshot, erasure)
    digests = {reduction.digest for reduction in named}
    days = {reduction.day for reduction in named}
    erased = 0
    for index in sorted({index for d in days for index in snapshot.submissions_on(d, d + 1)}):
        submission = snapshot.statement(index)
        root = _root(submission)
        path = activities_path(root)
        if submission.issuer != platform or not files.exists(path):
            continue
        lines = files.read(path).split(b"\n")
        reductions = parse_reductions(files.read(reductions_path(root)))
        found = [
            position
            for position, reduction in enumerate(reductions)
            if reduction.digest in digests and lines[position]
        ]
        if found:
            whose = read_subjects(lines[position] for position in found)
            # First: afterwards no line tells any more which rows were its.
            forget(subject_rows(whose, [reductions[position] for position in found]))
            for position in found:
                lines[position] = b""
            files.write({path: b"\n".join(lines)})
        erased += len(found)
    return erased


def _named(files: Files, snapshot: Snapshot, erasure: Statement) -> list[Reduction]:
    named, items = [], {}
    for index, position, _ in erasure_list(erasure):
        if index not in items:
            root = _root(snapshot.statement(index))
            items[index] = split_reductions(files.read(reductions_path(root)))
        named.append(Reduction.parse(items[index][position]))
    return named


def _root(submission: Statement) -> bytes:
    return bytes.fromhex(submission.body["root"])
