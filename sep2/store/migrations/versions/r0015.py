"""Which request a change and a delivery come from, whom a provider signs in, and messages without a number yet."""

import sqlalchemy as sa
from alembic import op

revision = "r0015"
down_revision = "r0014"


def upgrade() -> None:
    """Make room for the ids of requests, and for operators as a sign-in provider knows them."""
    for table in ("outbox", "delivery"):
        op.add_column(table, sa.Column("request", sa.String(40), nullable=False, server_default=""))
    with op.batch_alter_table("operator", table_kwargs={"sqlite_autoincrement": True}) as operator:
        operator.add_column(sa.Column("subject", sa.String(400), nullable=True))
        operator.create_unique_constraint(op.f("uq_operator_subject"), ["subject"])
    with op.batch_alter_table("webhook_message", table_kwargs={"sqlite_autoincrement": True}) as message:
        message.alter_column("sequence", existing_type=sa.BigInteger(), nullable=True)
