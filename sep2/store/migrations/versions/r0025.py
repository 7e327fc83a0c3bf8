"""Devices that follow EndDeviceControls, and answers to these."""

import sqlalchemy as sa
from alembic import op

revision = "r0025"
down_revision = "r0022"


def upgrade() -> None:
    """Add the columns; no device follows EndDeviceControls until an operator says so."""
    op.add_column("end_device", sa.Column("load_control_w", sa.BigInteger()))
    op.add_column("response", sa.Column("subject", sa.String(length=32)))
