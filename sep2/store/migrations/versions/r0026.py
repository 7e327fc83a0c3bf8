"""Have indexes for what operators look at: alarms that nobody saw, what holds now, and when envelopes begin."""

from alembic import op
from sqlalchemy import text

revision = "r0026"
down_revision = "r0025"
branch_labels = None
depends_on = None

GONE = text("cleared IS NOT NULL AND acknowledged IS NULL AND announced IS NOT NULL")

REMOVED = text("removed IS NOT NULL")


def upgrade() -> None:
    """Each index of controls takes the place of one with fewer columns."""
    op.create_index("ix_alarm_gone", "alarm", ["raised", "id"], sqlite_where=GONE, postgresql_where=GONE)
    op.drop_index("ix_client_removed", "client")
    op.create_index("ix_client_removed", "client", ["removed"], sqlite_where=REMOVED, postgresql_where=REMOVED)
    op.drop_index("ix_control_latest_end_id_cancelled", "control")
    in_force = ["latest_end", "id", "cancelled", "earliest_start", "successor_start", "device_group_id"]
    op.create_index("ix_control_in_force", "control", in_force)
    op.drop_index("ix_control_earliest_start", "control")
    op.create_index("ix_control_begins", "control", ["earliest_start", "source", "cancelled"])


def downgrade() -> None:
    """Back to what was there."""
    op.drop_index("ix_control_begins", "control")
    op.create_index("ix_control_earliest_start", "control", ["earliest_start"])
    op.drop_index("ix_control_in_force", "control")
    op.create_index("ix_control_latest_end_id_cancelled", "control", ["latest_end", "id", "cancelled"])
    op.drop_index("ix_client_removed", "client")
    op.create_index("ix_client_removed", "client", ["removed"])
    op.drop_index("ix_alarm_gone", "alarm")
