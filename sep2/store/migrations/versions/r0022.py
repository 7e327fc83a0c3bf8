"""Feeders as an engine expects them, and what it expects of each connection."""

import sqlalchemy as sa
from alembic import op

revision = "r0022"
down_revision = "r0019"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the tables; the engine fills them with its next run."""
    figures = [
        sa.Column(f"{name}{part}", kind, nullable=True)
        for name in ("loading", "high", "low")
        for part, kind in (("", sa.Float()), ("_at", sa.BigInteger()), ("_where", sa.Text()))
    ]
    op.create_table(
        "diagram",
        sa.Column("feeder", sa.Text(), nullable=False),
        sa.Column("place_id", Id, nullable=True),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("made", sa.BigInteger(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("step_s", sa.Integer(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        *figures,
        sa.Column("high_limit", sa.Float(), nullable=True),
        sa.Column("low_limit", sa.Float(), nullable=True),
        sa.Column("report", sa.Text(), server_default="", nullable=False),
        sa.Column("model", sa.LargeBinary(), nullable=False),
        sa.Column("series", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name=op.f("fk_diagram_place_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("feeder", name=op.f("pk_diagram")),
    )
    op.create_index(op.f("ix_diagram_place_id"), "diagram", ["place_id"])
    op.create_table(
        "expectation",
        sa.Column("connection_id", Id, autoincrement=False, nullable=False),
        sa.Column("feeder", sa.Text(), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_expectation_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_expectation")),
    )
    op.create_index(op.f("ix_expectation_feeder"), "expectation", ["feeder"])
