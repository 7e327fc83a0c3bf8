"""Tables of what an engine expects: the state of each feeder over a time, and what each connection could reach."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from sep2.store.columns import Id, metadata, time
from sep2.store.tables import connection, place

diagram = Table(
    "diagram",
    metadata,
    Column("feeder", Text, primary_key=True),
    Column("place_id", Id, ForeignKey(place.c.id, ondelete="SET NULL")),  # the narrowest that all of it lies below
    Column("run", String(64), nullable=False),
    time("made"),
    time("start"),
    Column("step_s", Integer, nullable=False),
    Column("steps", Integer, nullable=False),
    # The worst of the whole time: as a share of the rating, and in parts of the nominal voltage; NULL: not known.
    *(
        Column(f"{name}{part}", kind)
        for name in ("loading", "high", "low")
        for part, kind in (("", Float), ("_at", BigInteger), ("_where", Text))
    ),
    Column("high_limit", Float),  # that of the voltage which is worst, in parts of its nominal voltage
    Column("low_limit", Float),
    Column("report", Text, nullable=False, server_default=""),  # how it was verified, in a sentence
    Column("model", LargeBinary, nullable=False),  # nodes and branches, JSON, packed
    Column("series", LargeBinary, nullable=False),  # see operations.diagrams
    Index(None, "place_id"),
)
"""A feeder as an engine expects it, under the limits that it published; one row per feeder, of the latest run."""

expectation = Table(
    "expectation",
    metadata,
    Column("connection_id", Id, ForeignKey(connection.c.id, ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("feeder", Text, nullable=False),
    Column("run", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),  # see operations.diagrams.Reach, JSON, packed
    Index(None, "feeder"),
)
"""What each connection could reach over the time of the latest run, and what bound its limits."""
