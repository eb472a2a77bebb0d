"""What cosigners have signed, which blocks are final, and the links of the chain of policies.

Revision: 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cosignature",
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="of the key"),
        sa.Column("key_id", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False, comment="as in the note's line"),
        sa.ForeignKeyConstraint(
            ["height"], ["block.height"], name=op.f("fk_cosignature_height_block")
        ),
        sa.PrimaryKeyConstraint("height", "name", "key_id", name=op.f("pk_cosignature")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "final",
        _height(),
        sa.ForeignKeyConstraint(["height"], ["block.height"], name=op.f("fk_final_height_block")),
        sa.PrimaryKeyConstraint("height", name=op.f("pk_final")),
    )
    op.create_table(
        "policy_link",
        _height(),
        sa.Column("data", sa.LargeBinary(), nullable=False, comment="JSON"),
        sa.ForeignKeyConstraint(
            ["height"], ["block.height"], name=op.f("fk_policy_link_height_block")
        ),
        sa.PrimaryKeyConstraint("height", name=op.f("pk_policy_link")),
    )


def _height() -> sa.Column[int]:
    return sa.Column(
        "height",
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        autoincrement=False,
        nullable=False,
    )


def downgrade() -> None:
    op.drop_table("policy_link")
    op.drop_table("final")
    op.drop_table("cosignature")
