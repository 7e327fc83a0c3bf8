"""Tables of overrides."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from sep2.store.columns import Id, limits, metadata, number, time
from sep2.store.tables import control

override = Table(
    "override",
    metadata,
    number(),
    Column("scope", String(16), nullable=False),  # connection device group aggregator system aggregation
    Column("subject", Text, nullable=False),  # a name, an LFDI, or nothing
    *limits(),
    Column("modes", Text, nullable=False, server_default="{}"),
    Column("shares", Text, nullable=False, server_default="{}"),  # JSON: limits by place, where they are not the same
    time("start"),
    time("end"),
    Column("reason", String(24), nullable=False),  # see rules.authority.REASONS
    Column("note", Text, nullable=False, server_default=""),
    Column("operator", Text, nullable=False),
    time("created"),
    time("released", nullable=True),
    Column("kind", String(16), nullable=False, server_default="override"),  # override backstop drill
    Column("share", Integer, nullable=False, server_default="100"),  # of the devices that a drill covers, percent
    Column("holder", Text, nullable=False, server_default=""),  # who took it over; empty: who sent it
    Column("second", Text, nullable=False, server_default=""),  # who agreed to it
    time("review_by", nullable=True),  # until when somebody else has to look at what was sent alone
    time("reviewed", nullable=True),
    Column("reviewer", Text, nullable=False, server_default=""),
    time("review_at", nullable=True),  # of a disconnect: its end as it was asked for, beyond which it is held on
    Column("report", Text, nullable=False, server_default=""),  # of a drill that is over, JSON
    Index(None, "end"),
    sqlite_autoincrement=True,
)
"""What an operator asked for over everything else, for whom, until when and why."""

override_control = Table(
    "override_control",
    metadata,
    Column("override_id", Id, ForeignKey(override.c.id), primary_key=True),
    Column("control_id", Id, ForeignKey(control.c.id, ondelete="CASCADE"), primary_key=True),
    Index(None, "control_id"),
)
"""The controls that an override was issued as; parts that were issued anew name them in `control.continues`."""
