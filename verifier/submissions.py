"""The files of submissions: their reductions, and the activities that these were computed from.

What is asked of them here rests on the signed root and on what governance has decided, and on
nothing else that the log holds: so it may be asked before an entry's turn, and elsewhere
(`verifier.ahead`).
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from chain import merkle
from chain.activities import ACTIVITY_BYTES_MAX, parse_activities
from chain.admission import methodologies_in_force, reduce_activities
from chain.batches import Batch, compute
from chain.paths import activities_path, reductions_path
from chain.reductions import (
    REDUCTION_BYTES_MAX,
    SUBMISSION_COUNT_MAX,
    Reduction,
    split_reductions,
)
from chain.state import State
from keys.errors import Malformed, Refusal, Unreadable, VerificationError
from keys.statements import Statement
from keys.strict import parse_hex
from verifier.bundles import FILE_BYTES_MAX
from verifier.sources import Source

ACTIVITIES_AT_ONCE = 4_096


def submitted_by(statement: Statement) -> tuple[bytes, int]:
    """The root and the count of what a submission submits; raises `Malformed`."""
    root, count = parse_hex(statement.body.get("root"), 32), statement.body.get("count")
    if type(count) is not int or not 1 <= count <= SUBMISSION_COUNT_MAX:
        raise Malformed("submission-count", stated=count, given=0)
    return root, count


class Submissions(Protocol):
    """What a replay asks about a submission."""

    def reductions(self, root: bytes, count: int) -> Batch:
        """The reductions with this root.

        Raises `Malformed`, `VerificationError` "reductions-withheld", or `Unreadable`.
        """

    def blanks(
        self, state: State, platform: str, root: bytes, reductions: Sequence[Reduction]
    ) -> list[int]:
        """Compute each reduction again from its activity; the places where there is none.

        Raises `Refusal`, `VerificationError` "activities-withheld" or "activity-other", or
        `Unreadable`.
        """


class SourceSubmissions:
    """The submissions of a source."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def reductions(self, root: bytes, count: int) -> Batch:
        """See `Submissions.reductions`."""
        data = self._file(root, count)
        with suppress(Malformed):
            batch = Batch.read(data)
            if batch.root() == root:
                return batch
        return Batch(list(map(Reduction.parse, _split(data, root))))

    def items(self, root: bytes, count: int) -> list[bytes]:
        """The bytes of each of the reductions with this root; raises as above."""
        return _split(self._file(root, count), root)

    def _file(self, root: bytes, count: int) -> bytes:
        """The file of reductions that goes by this root; whether it is the one remains open."""
        bytes_max = min(count * (2 + REDUCTION_BYTES_MAX), FILE_BYTES_MAX)
        return self._read(reductions_path(root), bytes_max)

    def _read(self, path: str, bytes_max: int) -> bytes:
        """A file of the source; empty if it has none there that can be the one."""
        try:
            return self._source.read(path, bytes_max)
        except Unreadable as error:
            if error.code in ("source-missing", "source-too-long"):
                return b""
            raise

    def blanks(
        self, state: State, platform: str, root: bytes, reductions: Sequence[Reduction]
    ) -> list[int]:
        """See `Submissions.blanks`."""
        count = len(reductions)
        bytes_max = min(count * (ACTIVITY_BYTES_MAX + 1), FILE_BYTES_MAX)
        lines = self._read(activities_path(root), bytes_max).split(b"\n")
        if len(lines) != count + 1 or lines[-1]:
            raise VerificationError("activities-withheld", root=root.hex())
        shown = [place for place in range(count) if lines[place]]
        computed = None
        if len(shown) == count:
            in_force = methodologies_in_force(state, platform)
            computed = compute(lines[:-1], state.calendar.offset, platform, in_force)
        same = computed and computed.batch.to_bytes() == Batch.of(reductions).to_bytes()
        # One by one, to find the one that is another.
        for at in range(0, 0 if same else len(shown), ACTIVITIES_AT_ONCE):
            places = shown[at : at + ACTIVITIES_AT_ONCE]
            activities = parse_activities([lines[place] for place in places])
            made = reduce_activities(activities, state, platform)
            for place, again in zip(places, made, strict=True):
                if isinstance(again, Refusal) or again.data != reductions[place].data:
                    raise VerificationError("activity-other", position=place)
        return [place for place in range(count) if not lines[place]]


def _split(data: bytes, root: bytes) -> list[bytes]:
    """The bytes of each reduction of a file that must be the one with this root."""
    items: list[bytes] = []
    with suppress(Malformed):
        items = split_reductions(data)
    if merkle.root(merkle.leaf_hashes(items)) != root:
        raise VerificationError("reductions-withheld", root=root.hex())
    return items
