"""Numbers that hrefs are made of are given once; SQLite gave the last one anew when its row was gone."""

from alembic import op

revision = "r0002"
down_revision = "r0001"

IN_HREFS = (
    "device_group",
    "end_device",
    "control",
    "mirror_usage_point",
    "response",
    "log_event",
    "subscription",
)


def upgrade() -> None:
    """Have SQLite remember the largest number ever given; PostgreSQL does so anyway."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for table in IN_HREFS:
        with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass
