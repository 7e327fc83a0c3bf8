"""Whom an override of an aggregation is for, so that it reaches those who join later; parties that only rehearse."""

import sqlalchemy as sa
from alembic import op

revision = "r0036"
down_revision = "r0035"
branch_labels = None
depends_on = None

COLUMNS = {"ders": "[]", "node": ""}


def upgrade() -> None:
    """Add the columns; overrides that were sent before are for all members, and parties are none for tests."""
    for name, default in COLUMNS.items():
        op.add_column("market_override", sa.Column(name, sa.Text, nullable=False, server_default=default))
    op.add_column("party", sa.Column("is_test", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("party", "is_test")
    for name in COLUMNS:
        op.drop_column("market_override", name)
