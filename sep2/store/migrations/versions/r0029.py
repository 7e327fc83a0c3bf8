"""Judge a device's day by the client that acted for it: a day on which another one took over has a row for each."""

import sqlalchemy as sa
from alembic import op

revision = "r0029"
down_revision = "r0028"
branch_labels = None
depends_on = None

KEY = ["end_device_id", "direction", "day"]
TABLES = ("judged", "judged_day")
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Days judged so far are those of the present client of their device."""
    op.create_table(
        "acted_for",
        sa.Column("end_device_id", NUMBER, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("client_id", NUMBER, nullable=False),
        sa.Column("client_name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("end_device_id", "until", name="pk_acted_for"),
    )
    op.create_index("ix_acted_for_client_name", "acted_for", ["client_name"])
    for name in TABLES:
        op.add_column(name, sa.Column("client_id", NUMBER, nullable=False, server_default="0"))
        present = f"(SELECT client_id FROM end_device WHERE end_device.id = {name}.end_device_id)"  # noqa: S608
        op.execute(f"UPDATE {name} SET client_id = coalesce({present}, 0)")  # noqa: S608 — our own names
    _key([*KEY, "client_id"])


def downgrade() -> None:
    """Where two clients acted on one day, what is of the earlier number stays."""
    same = " AND ".join(f"other.{name} = judged_day.{name}" for name in KEY)
    earlier = f"SELECT 1 FROM judged_day other WHERE other.client_id < judged_day.client_id AND {same}"  # noqa: S608
    op.execute(f"DELETE FROM judged_day WHERE EXISTS ({earlier})")  # noqa: S608 — our own names
    _key(KEY)
    for name in TABLES:
        with op.batch_alter_table(name) as table:
            table.drop_column("client_id")
    op.drop_table("acted_for")


def _key(columns: list[str]) -> None:
    with op.batch_alter_table("judged_day") as day:
        day.drop_constraint("pk_judged_day", type_="primary")
        day.create_primary_key("pk_judged_day", columns)
