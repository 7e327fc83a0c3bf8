"""The tables of what was metered: mirrors, their series, sets of readings, and readings."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    text,
)

from sep2.store.columns import Id, metadata, names, number, time, to

mirror_usage_point = Table(
    "mirror_usage_point",
    metadata,
    number(),
    Column("mrid", String(32), nullable=False),
    Column("client_id", Id, ForeignKey("client.id"), nullable=False),
    Column("end_device_id", Id, ForeignKey("end_device.id"), nullable=False),
    Column("description", String(32), nullable=False, server_default=""),
    Column("version", Integer),
    Column("role_flags", Integer, nullable=False),
    Column("service_kind", Integer, nullable=False),
    Column("status", Integer, nullable=False),
    Column("post_rate", BigInteger),
    Column("reading_sign", String(10), nullable=False, server_default="unproven"),  # unproven as-posted reversed
    time("changed"),
    *names(),
    Index(None, "name_key", unique=True),
    UniqueConstraint("end_device_id", "mrid"),
    Index(None, "client_id", "mrid"),
    Index(None, "mrid"),
    sqlite_autoincrement=True,
)
"""What a client meters at an EndDevice; clients choose mRIDs, so that these are compared within one EndDevice."""

mirror_meter_reading = Table(
    "mirror_meter_reading",
    metadata,
    number(),
    to(mirror_usage_point),
    Column("mrid", String(32), nullable=False),
    Column("description", String(32), nullable=False, server_default=""),
    Column("version", Integer),
    Column("reading_type", LargeBinary, nullable=False),
    Column("uom", Integer, nullable=False),
    Column("multiplier", Integer, nullable=False),
    Column("flow_direction", Integer, nullable=False),
    Column("phase", Integer, nullable=False),
    Column("data_qualifier", Integer, nullable=False),
    time("last_update", nullable=True),
    time("next_update", nullable=True),
    Column("interval_s", BigInteger, nullable=False, server_default="0"),  # intervalLength; 0 is not said
    time("latest_start", nullable=True),  # of the reading that came in last
    UniqueConstraint("mirror_usage_point_id", "mrid"),
    Index(None, "mrid"),
)

reading_set = Table(
    "reading_set",
    metadata,
    number(),
    to(mirror_meter_reading),
    Column("mrid", String(32), nullable=False),
    time("start"),
    Column("duration", BigInteger, nullable=False),
    Column("description", String(32), nullable=False, server_default=""),
    Column("version", Integer),
    time("received"),
    UniqueConstraint("mirror_meter_reading_id", "mrid", "start"),
    Index(None, "mirror_meter_reading_id", "received"),
    sqlite_autoincrement=True,
)
"""A MirrorReadingSet as it was posted; with the same mRID and another start it is another set."""

reading = Table(
    "reading",
    metadata,
    Column("mirror_meter_reading_id", Id, ForeignKey(mirror_meter_reading.c.id), primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("duration", BigInteger, primary_key=True),
    # The localID or, without one, a number that tells readings of one time apart; 2^16 more where no set holds it.
    Column("local_id", Integer, primary_key=True),
    Column("consumption_block", SmallInteger, primary_key=True, server_default="-1"),  # -1 is not said
    Column("tou_tier", SmallInteger, primary_key=True, server_default="-1"),  # -1 is not said
    Column("local_id_octets", SmallInteger),  # NULL without a localID
    Column("reading_set_id", Id, nullable=False, server_default="0"),  # 0 for a reading that was posted by itself
    Column("value", BigInteger),  # NULL where the client posted none
    Column("quality", Integer),
    time("received"),
    Index(
        "ix_reading_reading_set_id",
        "reading_set_id",
        sqlite_where=text("reading_set_id <> 0"),
        postgresql_where=text("reading_set_id <> 0"),
    ),
)
"""Raw values; the true one is value * 10^multiplier in the unit of its ReadingType."""
