"""Certificates that clients have shown, so that an operator hears of it before they end."""

import sqlalchemy as sa
from alembic import op

revision = "r0010"
down_revision = "r0009"


def upgrade() -> None:
    """Add the table; it fills as clients connect."""
    op.create_table(
        "client_certificate",
        sa.Column("lfdi", sa.String(length=40), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lfdi", name=op.f("pk_client_certificate")),
    )
    op.create_index(op.f("ix_client_certificate_not_after"), "client_certificate", ["not_after"])
