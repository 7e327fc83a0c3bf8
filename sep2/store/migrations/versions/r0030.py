"""Have a table of the processes that keep what they have read."""

import sqlalchemy as sa
from alembic import op

revision = "r0030"
down_revision = "r0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody keeps anything yet."""
    op.create_table(
        "keeper",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("until", sa.Float(53), nullable=False),
    )


def downgrade() -> None:
    """Back to what was there."""
    op.drop_table("keeper")
