"""The table of places in the network."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from sep2.store.columns import Id, metadata, number, time

place = Table(
    "place",
    metadata,
    number(),
    Column("kind", String(16), nullable=False),  # see rules.territory
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("parent_id", Id, ForeignKey("place.id")),
    Column("device_group_id", Id, nullable=False),  # no foreign key: groups refer to connections, these to places
    time("created"),
    Index(None, "name_key", unique=True),
    Index(None, "parent_id"),
    Index(None, "device_group_id", unique=True),
    sqlite_autoincrement=True,
)
"""A part of the network that connections are at, and the group of all devices below it."""
