"""The first tables."""

from alembic import op

from sep2.store.tables import metadata

revision = "r0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    metadata.create_all(op.get_bind())
