"""Whose reductions are whose, and what is recorded by day, platform and scenario.

Revision: 0004, after 0003.
"""

from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql, sqlite

from chain.files import Files
from chain.paths import activities_path, reductions_path
from chain.reductions import Reduction, parse_reductions
from chain.store.subjects import read_subjects, subject_rows
from keys.statements import parse_statement

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_IN_MAX = 500


def upgrade() -> None:
    subject = op.create_table(
        "subject",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("pseudonym", sa.LargeBinary(), nullable=False),
        sa.Column("holder", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("day", "pseudonym", "holder", name=op.f("pk_subject")),
        sqlite_with_rowid=False,
    )
    statistic = op.create_table(
        "statistic",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("platform", sa.String(length=64), nullable=False),
        sa.Column("scenario", sa.String(length=64), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False, comment="reductions"),
        sa.Column("grams", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "platform", "scenario", name=op.f("pk_statistic")),
        sqlite_with_rowid=False,
    )
    files: Files = context.config.attributes["files"]
    sums: dict[tuple[int, str, str], tuple[int, int]] = {}
    for index, root in _submissions():
        reductions = parse_reductions(files.read(reductions_path(root)))
        _fill_subjects(files, subject, root, reductions)
        recorded = _recorded(index, reductions) if index is not None else {}
        for position, of in enumerate(reductions):
            if (live := recorded.get((of.holder, position))) is not None:
                name = (of.day, of.platform, of.scenario)
                count, grams = sums.get(name, (0, 0))
                sums[name] = count + live, grams + live * of.grams
    rows = [
        {"day": day, "platform": platform, "scenario": scenario, "count": count, "grams": grams}
        for (day, platform, scenario), (count, grams) in sums.items()
    ]
    op.bulk_insert(statistic, rows)


def _submissions() -> Iterator[tuple[int | None, bytes]]:
    """(log index, root) of every submission; those that wait have no index yet."""
    logged = sa.table("statement", sa.column("index"), sa.column("kind"), sa.column("data"))
    found = sa.select(logged.c.index, logged.c.data).where(logged.c.kind == "submission")
    pending = sa.table("pending", sa.column("data"))
    waiting = sa.select(sa.null(), pending.c.data)
    for index, data in [*op.get_bind().execute(found), *op.get_bind().execute(waiting)]:
        statement = parse_statement(data)
        if statement.kind == "submission":
            yield index, bytes.fromhex(statement.body["root"])


def _fill_subjects(
    files: Files, subject: sa.Table, root: bytes, reductions: Sequence[Reduction]
) -> None:
    path = activities_path(root)
    lines = files.read(path).split(b"\n")[:-1] if files.exists(path) else []
    rows = subject_rows(read_subjects(lines), reductions)
    if rows:
        dialect = postgresql if op.get_bind().dialect.name == "postgresql" else sqlite
        columns = ("day", "pseudonym", "holder")
        op.get_bind().execute(
            # An activity may have been submitted more than once.
            dialect.insert(subject).on_conflict_do_nothing(),
            [dict(zip(columns, row, strict=True)) for row in rows],
        )


def _recorded(index: int, reductions: Sequence[Reduction]) -> Mapping[tuple[bytes, int], bool]:
    """(holder, position) of the reductions of a submission that are recorded: whether they live."""
    of = sa.table("reduction", *map(sa.column, ("holder", "index", "position", "voided")))
    found: dict[tuple[bytes, int], bool] = {}
    for at in range(0, len(reductions), _IN_MAX):
        holders = [reduction.holder for reduction in reductions[at : at + _IN_MAX]]
        rows = sa.select(of.c.holder, of.c.position, of.c.voided).where(
            of.c.holder.in_(holders), of.c.index == index
        )
        for holder, position, voided in op.get_bind().execute(rows):
            found[holder, position] = voided is None
    return found


def downgrade() -> None:
    op.drop_table("statistic")
    op.drop_table("subject")
