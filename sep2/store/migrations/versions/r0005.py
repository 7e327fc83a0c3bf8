"""What commissioning has found of a meter's sign."""

import sqlalchemy as sa
from alembic import op

revision = "r0005"
down_revision = "r0004"


def upgrade() -> None:
    """Let a mirror's sign be proven; none of those that are there is."""
    op.add_column(
        "mirror_usage_point",
        sa.Column("reading_sign", sa.String(length=10), server_default="unproven", nullable=False),
    )
