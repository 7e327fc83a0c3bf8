"""The commissioning of connections, and their customers."""

import sqlalchemy as sa
from alembic import op

revision = "r0027"
down_revision = "r0026"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the tables; connections that are there count as commissioned, and no customer of theirs is on record."""
    texts = [sa.Column(name, sa.Text(), server_default="", nullable=False) for name in ("phases_how", "phases_by")]
    op.create_table(
        "commissioning",
        sa.Column("connection_id", Id, nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("override_id", Id, nullable=True),
        sa.Column("phases", sa.String(length=8), server_default="", nullable=False),
        *texts,
        sa.Column("passed", sa.BigInteger(), nullable=True),
        sa.Column("passed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connection.id"],
            name=op.f("fk_commissioning_connection_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["override_id"], ["override.id"], name=op.f("fk_commissioning_override_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_commissioning")),
    )
    op.create_index(op.f("ix_commissioning_passed"), "commissioning", ["passed"])
    op.create_table(
        "customer",
        sa.Column("id", Id, nullable=False),
        sa.Column("connection_id", Id, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("reference", sa.String(length=80), server_default="", nullable=False),
        sa.Column("moved_in_by", sa.Text(), server_default="", nullable=False),
        sa.Column("moved_out_by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_customer_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_customer_connection_id_until"), "customer", ["connection_id", "until"])
