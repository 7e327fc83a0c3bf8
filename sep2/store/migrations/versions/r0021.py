"""Authority: protected connections, least loads, backstops, second persons, the shift log, seals of the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "r0021"
down_revision = "r0020"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the columns and tables; no connection is protected and no device has a least load until somebody says so."""
    _add_columns()
    _add_approval()
    _add_shift_entry()
    _add_audit_seal()


def _add_columns() -> None:
    with op.batch_alter_table("connection") as connection:
        connection.add_column(sa.Column("protected", sa.String(length=16), server_default="none", nullable=False))
    with op.batch_alter_table("end_device") as device:
        device.add_column(sa.Column("floor_rule", sa.String(length=40), nullable=True))
        device.add_column(sa.Column("controllable_loads", sa.Integer(), nullable=True))
        device.add_column(sa.Column("least_load_w", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("override") as override:
        override.add_column(sa.Column("kind", sa.String(length=16), server_default="override", nullable=False))
        override.add_column(sa.Column("share", sa.Integer(), server_default="100", nullable=False))
        override.add_column(sa.Column("holder", sa.Text(), server_default="", nullable=False))
        override.add_column(sa.Column("second", sa.Text(), server_default="", nullable=False))
        override.add_column(sa.Column("review_by", sa.BigInteger(), nullable=True))
        override.add_column(sa.Column("reviewed", sa.BigInteger(), nullable=True))
        override.add_column(sa.Column("reviewer", sa.Text(), server_default="", nullable=False))
        override.add_column(sa.Column("review_at", sa.BigInteger(), nullable=True))
        override.add_column(sa.Column("report", sa.Text(), server_default="", nullable=False))
    with op.batch_alter_table("operator") as operator:
        operator.add_column(sa.Column("totp", sa.String(length=64), nullable=True))
        operator.add_column(sa.Column("totp_step", sa.BigInteger(), nullable=True))


def _add_approval() -> None:
    op.create_table(
        "approval",
        sa.Column("id", Id, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("verb", sa.String(length=40), nullable=False),
        sa.Column("ids", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sheet", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("asker", sa.Text(), nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("decider", sa.Text(), server_default="", nullable=False),
        sa.Column("decided", sa.BigInteger(), nullable=True),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_approval_state_expires"), "approval", ["state", "expires"])


def _add_shift_entry() -> None:
    op.create_table(
        "shift_entry",
        sa.Column("id", Id, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("standing", sa.Text(), server_default="", nullable=False),
        sa.Column("taken_by", sa.Text(), server_default="", nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift_entry")),
        sqlite_autoincrement=True,
    )


def _add_audit_seal() -> None:
    op.create_table(
        "audit_seal",
        sa.Column("id", Id, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("audit_id", Id, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_seal")),
        sqlite_autoincrement=True,
    )
