"""Alarms with what operators did about them, one row for each cause; receivers of alarms with what they are told."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "r0020"
down_revision = "r0019"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
STANDING = sa.text("cleared IS NULL")
_TWICE = "EXISTS (SELECT 1 FROM alarm o WHERE o.code = alarm.code AND o.subject = alarm.subject AND o.cleared IS NULL"
_LATEST = "FROM alarm o WHERE o.code = alarm.code AND o.subject = alarm.subject AND o.cleared IS NULL"


def upgrade() -> None:
    """Add what is known of an alarm; what stands twice becomes one, and what stands was told of as it was raised."""
    with op.batch_alter_table("alarm") as alarm:
        alarm.add_column(sa.Column("count", sa.Integer(), nullable=False, server_default="1"))
        alarm.add_column(sa.Column("again", sa.Integer(), nullable=False, server_default="0"))
        for name in ("acknowledged", "shelved_until", "under", "announced", "escalated"):
            alarm.add_column(sa.Column(name, sa.BigInteger(), nullable=True))
        for name in ("acknowledged_by", "note", "shelved_by", "shelved_because"):
            alarm.add_column(sa.Column(name, sa.Text(), nullable=False, server_default=""))
        alarm.add_column(sa.Column("news", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    _join_doubles()
    op.execute("UPDATE alarm SET announced = raised, acknowledged = cleared")
    standing: Any = {"sqlite_where": STANDING, "postgresql_where": STANDING}
    op.create_index("uq_alarm_standing", "alarm", ["code", "subject"], unique=True, **standing)
    op.create_index("ix_alarm_news", "alarm", ["news"], sqlite_where=sa.text("news"), postgresql_where=sa.text("news"))
    op.create_index(op.f("ix_alarm_raised"), "alarm", ["raised"])
    op.create_table(
        "alarm_member",
        sa.Column("alarm_id", Id, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarm.id"], name=op.f("fk_alarm_member_alarm_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("alarm_id", "name", name=op.f("pk_alarm_member")),
    )
    with op.batch_alter_table("webhook") as webhook:
        webhook.add_column(sa.Column("codes", sa.Text(), nullable=False, server_default="[]"))
        webhook.add_column(sa.Column("hours", sa.String(length=16), nullable=False, server_default=""))
        webhook.add_column(sa.Column("escalation", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    _give_set_max_w_to_clients()


def _join_doubles() -> None:
    """The alarm that was raised first stands, with what was said of it last."""
    for column in ("detail", "priority"):
        newest = f"SELECT o.{column} {_LATEST} ORDER BY o.id DESC LIMIT 1"
        op.execute(f"UPDATE alarm SET {column} = ({newest}) WHERE cleared IS NULL AND {_TWICE} AND o.id > alarm.id)")  # noqa: S608
    op.execute(f"DELETE FROM alarm WHERE cleared IS NULL AND {_TWICE} AND o.id < alarm.id)")  # noqa: S608


def _give_set_max_w_to_clients() -> None:
    """What stood once for each device stands once for each client, with its devices as members."""
    connection = op.get_bind()
    query = """
        SELECT alarm.id, alarm.subject, alarm.detail, alarm.priority, alarm.raised, client.lfdi
        FROM alarm JOIN end_device ON end_device.lfdi = alarm.subject JOIN client ON client.id = end_device.client_id
        WHERE alarm.code = 'set_max_w' AND alarm.cleared IS NULL ORDER BY alarm.id
    """
    of_client: dict[str, int] = {}
    for row in connection.execute(sa.text(query)).all():
        if row.lfdi not in of_client:
            of_client[row.lfdi] = row.id
        elif row.id != of_client[row.lfdi]:
            connection.execute(sa.text("DELETE FROM alarm WHERE id = :id"), {"id": row.id})
        named = {"id": of_client[row.lfdi], "name": row.subject}
        connection.execute(sa.text("INSERT INTO alarm_member (alarm_id, name) VALUES (:id, :name)"), named)
    count = "(SELECT count(*) FROM alarm_member WHERE alarm_id = alarm.id)"
    for lfdi, number in of_client.items():
        stated = sa.text(f"UPDATE alarm SET subject = :lfdi, count = {count} WHERE id = :id")  # noqa: S608
        connection.execute(stated, {"lfdi": lfdi, "id": number})
