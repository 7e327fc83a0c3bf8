"""What clients choose is compared inside their own EndDevice, and every reading that was acknowledged is kept."""

import re

import sqlalchemy as sa
from alembic import op

revision = "r0011"
down_revision = "r0010"

TEN_YEARS_S = 315_576_000
_INTERVAL = re.compile(rb"<intervalLength>(\d{1,10})</intervalLength>")

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Store sets of readings; key readings by tier and block too; key mirrors by device; free LogEvents of a key."""
    op.add_column("client", sa.Column("pin", sa.Integer(), nullable=True))
    _key_mirrors()
    _tell_intervals()
    _forget_what_can_not_be_served()
    _make_sets()
    _move_readings()
    _free_log_events()


def _key_mirrors() -> None:
    with op.batch_alter_table("mirror_usage_point", table_kwargs={"sqlite_autoincrement": True}) as point:
        point.drop_constraint(op.f("uq_mirror_usage_point_client_id_mrid"), type_="unique")
        point.create_unique_constraint(op.f("uq_mirror_usage_point_end_device_id_mrid"), ["end_device_id", "mrid"])
        point.create_index(op.f("ix_mirror_usage_point_client_id_mrid"), ["client_id", "mrid"])
        point.create_index(op.f("ix_mirror_usage_point_mrid"), ["mrid"])


def _tell_intervals() -> None:
    """Take the intervalLength out of each ReadingType that is stored."""
    op.add_column("mirror_meter_reading", sa.Column("interval_s", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("mirror_meter_reading", sa.Column("latest_start", sa.BigInteger(), nullable=True))
    series = sa.table(
        "mirror_meter_reading",
        sa.column("id", Id),
        sa.column("reading_type", sa.LargeBinary),
        sa.column("interval_s", sa.BigInteger),
    )
    core = op.get_bind()
    for number, said in core.execute(sa.select(series.c.id, series.c.reading_type)).all():
        if found := _INTERVAL.search(said):
            core.execute(sa.update(series).where(series.c.id == number).values(interval_s=int(found[1])))


def _forget_what_can_not_be_served() -> None:
    """Readings whose time is no time, such as one in milliseconds: a GET of their set failed ever since."""
    op.execute(
        f"DELETE FROM reading WHERE start < 0 OR start > received + {TEN_YEARS_S} "  # noqa: S608 - numbers of our own
        f"OR duration < 0 OR duration > 2 * {TEN_YEARS_S}"
    )


def _make_sets() -> None:
    op.create_table(
        "reading_set",
        sa.Column("id", Id, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("mirror_meter_reading_id", Id, nullable=False),
        sa.Column("mrid", sa.String(length=32), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("duration", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.String(length=32), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mirror_meter_reading_id"],
            ["mirror_meter_reading.id"],
            name=op.f("fk_reading_set_mirror_meter_reading_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading_set")),
        sa.UniqueConstraint(
            "mirror_meter_reading_id", "mrid", "start", name=op.f("uq_reading_set_mirror_meter_reading_id_mrid_start")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_reading_set_mirror_meter_reading_id_received"), "reading_set", ["mirror_meter_reading_id", "received"]
    )
    op.execute(
        "INSERT INTO reading_set (mirror_meter_reading_id, mrid, start, duration, received) "
        "SELECT mirror_meter_reading_id, set_mrid, min(start), max(start + duration) - min(start), max(received) "
        "FROM reading WHERE set_mrid <> '' GROUP BY mirror_meter_reading_id, set_mrid"
    )


def _move_readings() -> None:
    """Copy the readings: neither database changes a primary key of so many columns in less."""
    op.rename_table("reading", "reading_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE reading_before RENAME CONSTRAINT pk_reading TO pk_reading_before")
    op.create_table(
        "reading",
        sa.Column("mirror_meter_reading_id", Id, nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("duration", sa.BigInteger(), nullable=False),
        sa.Column("local_id", sa.Integer(), nullable=False),
        sa.Column("consumption_block", sa.SmallInteger(), server_default="-1", nullable=False),
        sa.Column("tou_tier", sa.SmallInteger(), server_default="-1", nullable=False),
        sa.Column("local_id_octets", sa.SmallInteger(), nullable=True),
        sa.Column("reading_set_id", Id, server_default="0", nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=True),
        sa.Column("quality", sa.Integer(), nullable=True),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mirror_meter_reading_id"], ["mirror_meter_reading.id"], name=op.f("fk_reading_mirror_meter_reading_id")
        ),
        sa.PrimaryKeyConstraint(
            "mirror_meter_reading_id",
            "start",
            "duration",
            "local_id",
            "consumption_block",
            "tou_tier",
            name=op.f("pk_reading"),
        ),
    )
    op.execute(
        "INSERT INTO reading (mirror_meter_reading_id, start, duration, local_id, local_id_octets, reading_set_id, "
        "value, quality, received) "
        "SELECT r.mirror_meter_reading_id, r.start, r.duration, "
        "CASE WHEN g.id IS NULL THEN 65536 + r.local_id ELSE r.local_id END, 2, coalesce(g.id, 0), "
        "r.value, r.quality, r.received FROM reading_before AS r LEFT JOIN reading_set AS g "
        "ON g.mirror_meter_reading_id = r.mirror_meter_reading_id AND g.mrid = r.set_mrid"
    )
    op.drop_table("reading_before")
    some = sa.text("reading_set_id <> 0")
    op.create_index(
        "ix_reading_reading_set_id", "reading", ["reading_set_id"], sqlite_where=some, postgresql_where=some
    )


def _free_log_events() -> None:
    """Two LogEvents are one where they are equal in all they say, which no key of a table tells of absent values."""
    with op.batch_alter_table("log_event", table_kwargs={"sqlite_autoincrement": True}) as event:
        event.drop_constraint(_log_event_key(), type_="unique")
        event.create_index(
            op.f("ix_log_event_end_device_id_created_log_event_id"), ["end_device_id", "created", "log_event_id"]
        )


def _log_event_key() -> str:
    """The key's name, which PostgreSQL has shortened."""
    found = sa.inspect(op.get_bind()).get_unique_constraints("log_event")
    return str(found[0]["name"])
