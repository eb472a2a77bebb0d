"""The lead.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    lead = op.create_table(
        "lead",
        sa.Column(
            "epoch",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="how often the lead was taken",
        ),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_lead")),
    )
    op.bulk_insert(lead, [{"epoch": 0}])


def downgrade() -> None:
    op.drop_table("lead")
