"""Feeders as an engine expects them, the make of devices, and texts sorted by code points for searching by prefix."""

import sqlalchemy as sa
from alembic import op

revision = "r0022"
down_revision = "r0021"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
PREFIXES = (
    ("connection", "name_key", "TEXT"),
    ("client", "name_key", "TEXT"),
    ("client", "lfdi", "VARCHAR(40)"),
    ("place", "name_key", "TEXT"),
    ("device_group", "name_key", "TEXT"),
    ("end_device", "name_key", "TEXT"),
    ("end_device", "lfdi", "VARCHAR(40)"),
    ("control", "mrid", "VARCHAR(32)"),
    ("audit", "subject", "TEXT"),
)
"""Texts that are looked for by how they begin: sorted by code points, as SQLite does, their indexes serve that."""
SECONDS = ("ok_s", "late_s", "breach_s", "opted_out_s", "unknown_s", "binding_s", "binding_ok_s")
AT_PLACES = "JOIN connection c ON c.connection_id = d.connection_name AND c.place_id IS NOT NULL"
SUMS = (
    ("total", "''", ""),
    ("client", "d.client_name", ""),
    ("make", "''", ""),
    ("place", "CAST(c.place_id AS TEXT)", AT_PLACES),
)
"""What was judged before is summed up: kind, name and the table that the name is of."""


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
    op.add_column("end_device", sa.Column("make", sa.Text(), nullable=True))
    op.create_index(op.f("ix_end_device_make"), "end_device", ["make"])
    op.create_index(op.f("ix_end_device_connection_id"), "end_device", ["connection_id"])
    op.drop_index(op.f("ix_control_latest_end"), "control")
    op.create_index(op.f("ix_control_latest_end_id_cancelled"), "control", ["latest_end", "id", "cancelled"])
    people = sa.text("source <> 'envelope'")
    op.create_index("ix_control_of_people", "control", ["latest_end"], sqlite_where=people, postgresql_where=people)
    op.create_index(op.f("ix_device_group_role"), "device_group", ["role"])
    stands = sa.text("cleared IS NULL")
    order = ["priority", "raised", "id"]
    op.create_index("ix_alarm_standing", "alarm", order, sqlite_where=stands, postgresql_where=stands)
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"])
    if op.get_bind().dialect.name == "postgresql":
        for table, column, kind in PREFIXES:
            op.execute(f'ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind} COLLATE "C"')
    op.create_table(
        "judged_sum",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("direction", sa.String(length=10), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in SECONDS),
        sa.Column("breach_wh", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "day", "name", "direction", name=op.f("pk_judged_sum")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_judged_sum_kind_name_day"), "judged_sum", ["kind", "name", "day"])
    op.create_index(op.f("ix_judged_day_connection_name_day"), "judged_day", ["connection_name", "day"])
    sums = ", ".join(f"SUM(d.{name})" for name in (*SECONDS, "breach_wh"))
    for kind, name, joined in SUMS:
        by = "d.day, d.direction" if name == "''" else f"d.day, d.direction, {name}"
        op.execute(
            f"INSERT INTO judged_sum SELECT '{kind}', d.day, {name}, d.direction, {sums} "  # noqa: S608 - of constants
            f"FROM judged_day d {joined} GROUP BY {by}"
        )
