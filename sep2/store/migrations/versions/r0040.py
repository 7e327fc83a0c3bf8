"""Since when a document of a device reads as it does."""

from alembic import op

from sep2.store.migrations.building import whole

revision = "r0040"
down_revision = "r0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; it is unknown of documents that were written before."""
    op.add_column("der_document", whole("since", nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("der_document", "since")
