"""A group of its own for each device that holds no net limits."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"


def upgrade() -> None:
    """Let a group be one device's own."""
    with op.batch_alter_table("device_group", table_kwargs={"sqlite_autoincrement": True}) as device_group:
        device_group.add_column(
            sa.Column("end_device_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        device_group.create_index(op.f("ix_device_group_end_device_id"), ["end_device_id"], unique=True)
        device_group.create_foreign_key(op.f("fk_device_group_end_device_id"), "end_device", ["end_device_id"], ["id"])
