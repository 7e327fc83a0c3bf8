"""Have an index in the order of an EndDeviceList."""

from alembic import op
from sqlalchemy import text

revision = "r0028"
down_revision = "r0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """It takes the place of one with fewer columns."""
    op.create_index("ix_end_device_listed", "end_device", ["client_id", text("changed DESC"), "sfdi", "id"])
    op.drop_index("ix_end_device_client_id_changed", "end_device")


def downgrade() -> None:
    """Back to what was there."""
    op.create_index("ix_end_device_client_id_changed", "end_device", ["client_id", "changed"])
    op.drop_index("ix_end_device_listed", "end_device")
