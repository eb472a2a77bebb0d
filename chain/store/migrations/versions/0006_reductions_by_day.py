"""Where reductions stand, by their days.

Revision: 0006, after 0005.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from chain.files import Files
from chain.paths import reductions_path
from chain.reductions import parse_reductions
from keys.statements import parse_statement

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = ("holder", "index", "position", "voided")


def upgrade() -> None:
    op.execute("CREATE TEMPORARY TABLE moved AS SELECT * FROM reduction")
    reduction = _made_anew("day", "holder")
    for rows in _rows():
        op.bulk_insert(reduction, rows)
    op.execute("DROP TABLE moved")


def _made_anew(*key: str) -> sa.Table:
    """The table once more, empty, with this key."""
    op.drop_table("reduction")
    day = sa.Column("day", sa.Integer(), autoincrement=False, nullable=False)
    return op.create_table(
        "reduction",
        *([day] if "day" in key else []),
        sa.Column("holder", sa.LargeBinary(), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False, comment="log index of the submission"),
        sa.Column("position", sa.Integer(), nullable=False, comment="place in the submission"),
        sa.Column("voided", sa.BigInteger(), comment="log index of the void"),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_reduction")),
        sqlite_with_rowid=False,
    )


def _rows() -> Iterator[list[dict[str, Any]]]:
    """The rows of each submission, with the days of its reductions."""
    files: Files = context.config.attributes["files"]
    statement = sa.table("statement", sa.column("index"), sa.column("data"))
    moved = sa.table("moved", *map(sa.column, _COLUMNS))
    found = sa.select(moved, statement.c.data).join(statement, statement.c.index == moved.c.index)
    rows = op.get_bind().execute(found.order_by(moved.c.index, moved.c.position)).mappings()
    for data, of in groupby(rows, lambda row: bytes(row["data"])):
        root = bytes.fromhex(parse_statement(data).body["root"])
        reductions = parse_reductions(files.read(reductions_path(root)))
        yield [
            {"day": reductions[row["position"]].day, **{name: row[name] for name in _COLUMNS}}
            for row in of
        ]


def downgrade() -> None:
    op.execute("CREATE TEMPORARY TABLE moved AS SELECT * FROM reduction")
    older = _made_anew("holder")
    moved = sa.table("moved", *map(sa.column, _COLUMNS))
    op.execute(older.insert().from_select(_COLUMNS, sa.select(moved)))
    op.execute("DROP TABLE moved")
