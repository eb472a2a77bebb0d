"""Lots, and the days of each submission.

Revision: 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import context, op

from chain.files import Files
from chain.paths import reductions_path
from chain.reductions import parse_reductions
from keys.statements import parse_statement

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lot",
        sa.Column("platform", sa.String(length=64), nullable=False),
        sa.Column("scenario", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False, comment="its reductions"),
        sa.Column("grams", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "scenario", "day", name=op.f("pk_lot")),
        sqlite_with_rowid=False,
    )
    submission_day = op.create_table(
        "submission_day",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False, comment="log index of the submission"),
        sa.PrimaryKeyConstraint("day", "index", name=op.f("pk_submission_day")),
        sqlite_with_rowid=False,
    )
    files: Files = context.config.attributes["files"]
    statement = sa.table("statement", sa.column("index"), sa.column("kind"), sa.column("data"))
    submissions = op.get_bind().execute(
        sa.select(statement.c.index, statement.c.data).where(statement.c.kind == "submission")
    )
    for index, data in submissions.all():
        root = bytes.fromhex(parse_statement(data).body["root"])
        reductions = parse_reductions(files.read(reductions_path(root)))
        days = sorted({reduction.day for reduction in reductions})
        op.bulk_insert(submission_day, [{"day": day, "index": index} for day in days])


def downgrade() -> None:
    op.drop_table("submission_day")
    op.drop_table("lot")
