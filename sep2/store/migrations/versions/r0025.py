"""Devices that follow EndDeviceControls, and answers to these."""

import sqlalchemy as sa
from alembic import op

revision = "r0025"
down_revision = "r0023"


def upgrade() -> None:
    """Add the columns; no device follows EndDeviceControls until an operator says so."""
    op.add_column("end_device", sa.Column("load_control_w", sa.BigInteger()))
    where = sa.text("device_category IS NOT NULL AND load_control_w IS NULL")
    named = "ix_end_device_told_no_load"
    op.create_index(named, "end_device", ["client_id"], sqlite_where=where, postgresql_where=where)
    op.add_column("response", sa.Column("subject", sa.String(length=32)))
