"""Receivers of notifications as rows of their own, digests of what subscribers received, changes that are set aside."""

import sqlalchemy as sa
from alembic import op

revision = "r0009"
down_revision = "r0008"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make a receiver of every place that a client has notifications sent to; what waits there still waits."""
    op.create_table(
        "receiver",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("silent_since", sa.BigInteger(), nullable=True),
        sa.Column("rests_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rests_at_least_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_receiver_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receiver")),
        sa.UniqueConstraint("client_id", "place", name=op.f("uq_receiver_client_id_place")),
    )
    op.execute("INSERT INTO receiver (client_id, place) SELECT DISTINCT client_id, receiver FROM subscription")
    _subscriptions()
    _deliveries()
    op.add_column("outbox", sa.Column("attempts", sa.Integer(), server_default="0", nullable=False))
    op.add_column("outbox", sa.Column("set_aside", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("outbox", sa.Column("error", sa.Text(), server_default="", nullable=False))


def _subscriptions() -> None:
    op.add_column("subscription", sa.Column("receiver_id", ID, nullable=True))
    op.execute(
        "UPDATE subscription SET receiver_id = (SELECT id FROM receiver"
        " WHERE receiver.client_id = subscription.client_id AND receiver.place = subscription.receiver)"
    )
    with op.batch_alter_table("subscription", table_kwargs={"sqlite_autoincrement": True}) as subscription:
        subscription.add_column(sa.Column("last_digest", sa.String(length=32), server_default="", nullable=False))
        subscription.alter_column("receiver_id", existing_type=ID, nullable=False)
        subscription.drop_column("receiver")
        subscription.create_foreign_key(op.f("fk_subscription_receiver_id"), "receiver", ["receiver_id"], ["id"])
        subscription.create_index(op.f("ix_subscription_receiver_id"), ["receiver_id"])


def _deliveries() -> None:
    op.add_column("delivery", sa.Column("receiver_id", ID, nullable=True))
    op.execute(
        "UPDATE delivery SET receiver_id ="
        " (SELECT receiver_id FROM subscription WHERE subscription.id = delivery.subscription_id)"
    )
    with op.batch_alter_table("delivery") as delivery:
        delivery.add_column(sa.Column("unsure", sa.Boolean(), server_default=sa.false(), nullable=False))
        delivery.alter_column("receiver_id", existing_type=ID, nullable=False)
        delivery.create_foreign_key(op.f("fk_delivery_receiver_id"), "receiver", ["receiver_id"], ["id"])
        delivery.create_index(op.f("ix_delivery_dead_receiver_id_due"), ["dead", "receiver_id", "due"])
        delivery.drop_index(op.f("ix_delivery_dead_due"))
