"""The first tables.

Revision: 0001, after nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "block",
        sa.Column(
            "height",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "first", sa.BigInteger(), nullable=False, comment="log index of the first statement"
        ),
        sa.Column(
            "size", sa.BigInteger(), nullable=False, comment="size of the log after the block"
        ),
        sa.Column("time", sa.BigInteger(), nullable=False, comment="unix seconds, from the seal"),
        sa.Column("seal", sa.LargeBinary(), nullable=False, comment="id of the seal's statement"),
        sa.Column("register_root", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False, comment="peaks of the log's tree"),
        sa.Column("checkpoint", sa.LargeBinary(), nullable=False, comment="signed note"),
        sa.Column(
            "receipt_signature", sa.LargeBinary(), nullable=False, comment="of all its receipts"
        ),
        sa.Column(
            "next_page",
            sa.BigInteger(),
            nullable=False,
            comment="first unused page of the register",
        ),
        sa.Column(
            "recorded", sa.BigInteger(), nullable=False, comment="reductions so far, less voided"
        ),
        sa.Column("refused", sa.BigInteger(), nullable=False, comment="reductions refused so far"),
        sa.Column(
            "grams", sa.BigInteger(), nullable=False, comment="grams recorded so far, less voided"
        ),
        sa.PrimaryKeyConstraint("height", name=op.f("pk_block")),
    )
    op.create_table(
        "page",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_page")),
    )
    op.create_table(
        "pending",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=True, comment="JSON"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_pending")),
        sa.UniqueConstraint("id", name=op.f("uq_pending_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "reduction",
        sa.Column("holder", sa.LargeBinary(), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False, comment="log index of the submission"),
        sa.Column("position", sa.Integer(), nullable=False, comment="place in the submission"),
        sa.Column("voided", sa.BigInteger(), nullable=True, comment="log index of the void"),
        sa.PrimaryKeyConstraint("holder", name=op.f("pk_reduction")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "refusal",
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("claim", sa.SmallInteger(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("line", sa.LargeBinary(), nullable=True),
        sa.Column("start", sa.BigInteger(), nullable=True),
        sa.Column("end", sa.BigInteger(), nullable=True),
        sa.Column("holder", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("index", "position", name=op.f("pk_refusal")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "statement",
        sa.Column(
            "index",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("id", sa.LargeBinary(), nullable=False, comment="hash of what is signed"),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("issuer", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["height"], ["block.height"], name=op.f("fk_statement_height_block")
        ),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_statement")),
        sa.UniqueConstraint("id", name=op.f("uq_statement_id")),
    )
    with op.batch_alter_table("statement", schema=None) as batch_op:
        batch_op.create_index("ix_statement_kind", ["kind", "index"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("statement", schema=None) as batch_op:
        batch_op.drop_index("ix_statement_kind")

    op.drop_table("statement")
    op.drop_table("refusal")
    op.drop_table("reduction")
    op.drop_table("pending")
    op.drop_table("page")
    op.drop_table("block")
