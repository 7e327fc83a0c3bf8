"""Curves, which controls and defaults link to; and what a default says of entering service."""

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"


ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add a table of curves, and a column to defaults."""
    op.create_table(
        "curve",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("device_group_id", ID, nullable=False),
        sa.Column("mrid", sa.String(length=32), nullable=False),
        sa.Column("description", sa.String(length=32), server_default="", nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("points", sa.Text(), nullable=False),
        sa.Column("x_multiplier", sa.Integer(), nullable=False),
        sa.Column("y_multiplier", sa.Integer(), nullable=False),
        sa.Column("y_ref", sa.Integer(), nullable=False),
        sa.Column("open_loop_tms", sa.Integer(), nullable=True),
        sa.Column("ramp_dec_tms", sa.Integer(), nullable=True),
        sa.Column("ramp_inc_tms", sa.Integer(), nullable=True),
        sa.Column("ramp_pt1_tms", sa.Integer(), nullable=True),
        sa.Column("v_ref", sa.Integer(), nullable=True),
        sa.Column("autonomous_v_ref", sa.Boolean(), nullable=True),
        sa.Column("autonomous_v_ref_tms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["device_group_id"], ["device_group.id"], name=op.f("fk_curve_device_group_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_curve")),
        sa.UniqueConstraint("mrid", name=op.f("uq_curve_mrid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("curve") as curve:
        curve.create_index(op.f("ix_curve_device_group_id_created"), ["device_group_id", "created"])
    with op.batch_alter_table("default_control") as default_control:
        default_control.add_column(sa.Column("enter_service", sa.Text(), server_default="{}", nullable=False))
