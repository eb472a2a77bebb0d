"""Taking in: admitted submissions and other statements wait in the database for a block.

When a function here returns, what it was given survives a crash.  What is in the log already has
its answer (`chain.store.answers`), and does not wait again.
"""

from collections.abc import Mapping, Sequence

from chain.admission import Admitted
from chain.batches import Batch
from chain.paths import activities_path, reductions_path
from chain.store.ledger import LedgerStore
from chain.store.subjects import SubjectRow, subject_rows
from keys.errors import Malformed
from keys.statements import Statement


def submit(store: LedgerStore, submissions: Sequence[Admitted]) -> None:
    """Keep admitted submissions, their reductions, their activities, and of whom these are."""
    files = {}
    there = []
    subjects: list[SubjectRow] = []
    for admitted in submissions:
        batch, named = Batch.of(admitted.entry.reductions), admitted.subjects
        files[reductions_path(admitted.root)] = batch.to_bytes()
        path = activities_path(admitted.root)
        if store.files.exists(path):
            # It is the same, but for what was erased since, and that is not to come back.
            there.append(path)
            lines = store.files.read(path).split(b"\n")
            named = [whose if line else None for whose, line in zip(named, lines, strict=False)]
        else:
            files[path] = admitted.activities
        subjects += subject_rows(named, batch)
    store.files.keep(there)
    _enqueue(store, [admitted.entry.statement for admitted in submissions], files, subjects)


def post(store: LedgerStore, statements: Sequence[Statement]) -> None:
    """Keep other statements; raises `Malformed` for a kind that does not come this way.

    Whoever takes them from strangers checks their signatures first (`chain.rules.check_signed`).
    """
    for statement in statements:
        # Submissions come with their reductions, and seals are made by the sequencer alone.
        if statement.kind in ("submission", "seal"):
            raise Malformed("kind-unknown", kind=statement.kind)
    _enqueue(store, statements, {})


def _enqueue(
    store: LedgerStore,
    statements: Sequence[Statement],
    files: Mapping[str, bytes],
    subjects: Sequence[SubjectRow] = (),
) -> None:
    with store.snapshot() as snapshot:
        known = snapshot.known([statement.id for statement in statements])
    store.enqueue([s for s in statements if s.id not in known], files, subjects)
