"""The files of pages and places that change no more; pages that lie in their rows.

Revision: 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "page_file",
        _number(),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_page_file")),
    )
    op.create_table(
        "place_file",
        _number(),
        sa.Column(
            "first", sa.LargeBinary(), nullable=False, comment="day and holder of its first row"
        ),
        sa.Column("last", sa.LargeBinary(), nullable=False, comment="of its last one"),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_place_file")),
    )
    if op.get_bind().dialect.name == "postgresql":
        # It fits one of the database's, and compressing it makes it no shorter.
        op.execute("ALTER TABLE page ALTER COLUMN data SET STORAGE PLAIN")


def _number() -> sa.Column[int]:
    return sa.Column(
        "number",
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        autoincrement=False,
        nullable=False,
    )


def downgrade() -> None:
    op.drop_table("place_file")
    op.drop_table("page_file")
