"""Whom an override of an aggregation is for, so that it reaches those who join later."""

import sqlalchemy as sa
from alembic import op

revision = "r0036e"
down_revision = "r0035"
branch_labels = None
depends_on = None

COLUMNS = {"ders": "[]", "node": ""}


def upgrade() -> None:
    """Add the columns; an override that was sent before is for all members."""
    for name, default in COLUMNS.items():
        op.add_column("market_override", sa.Column(name, sa.Text, nullable=False, server_default=default))


def downgrade() -> None:
    """Drop them."""
    for name in COLUMNS:
        op.drop_column("market_override", name)
