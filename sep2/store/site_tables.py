"""The tables of what a connection goes through: its commissioning, and its customers."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from sep2.store.columns import Id, metadata, number, time

commissioning = Table(
    "commissioning",
    metadata,
    Column("connection_id", Id, ForeignKey("connection.id", ondelete="CASCADE"), primary_key=True),
    time("opened"),
    Column("opened_by", Text, nullable=False),
    Column("override_id", Id, ForeignKey("override.id", ondelete="SET NULL")),  # the test; NULL: none was sent
    Column("phases", String(8), nullable=False, server_default=""),  # as they were proven; empty: not yet
    Column("phases_how", Text, nullable=False, server_default=""),
    Column("phases_by", Text, nullable=False, server_default=""),
    time("passed", nullable=True),
    Column("passed_by", Text, nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
    Index(None, "passed"),
)
"""A connection that is, or was, commissioned; until it has passed, no flexible limit is published to it."""

customer = Table(
    "customer",
    metadata,
    number(),
    Column("connection_id", Id, ForeignKey("connection.id", ondelete="CASCADE"), nullable=False),
    time("since"),
    time("until", nullable=True),
    Column("reference", String(80), nullable=False, server_default=""),  # in the utility's own records
    Column("moved_in_by", Text, nullable=False, server_default=""),  # who recorded it; empty: nobody did
    Column("moved_out_by", Text, nullable=False, server_default=""),
    Index(None, "connection_id", "until"),
    sqlite_autoincrement=True,
)
"""A customer's time at a connection; who it is, the utility's own records say."""
