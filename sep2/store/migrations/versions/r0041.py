"""Whether a dispatch was spread by the factors that its aggregator has declared."""

import sqlalchemy as sa
from alembic import op

revision = "r0041"
down_revision = "r0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; every dispatch before was spread by ratings."""
    op.add_column("dispatch_share", sa.Column("split_by", sa.String(8), nullable=False, server_default="rating"))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("dispatch_share", "split_by")
