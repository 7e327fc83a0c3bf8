"""What single devices are served otherwise than their groups say: tables that hold rows only where that is so."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table

from sep2.store.columns import Id, metadata
from sep2.store.tables import control, device_group, end_device

served_default = Table(
    "served_default",
    metadata,
    Column("device_group_id", Id, ForeignKey(device_group.c.id), primary_key=True),
    Column("end_device_id", Id, ForeignKey(end_device.c.id), primary_key=True),
    Column("moved", Integer, nullable=False),
    Index(None, "end_device_id"),
)
"""By how much the version of a DefaultDERControl, as one device is served it, differs from that of the group's own row:
what it inherits changes, too. There is a row only where it does differ."""

control_edition = Table(
    "control_edition",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("control_id", Id, ForeignKey(control.c.id, ondelete="CASCADE"), nullable=False),
    Column("end_device_id", Id, ForeignKey(end_device.c.id), nullable=False),
    Column("mrid", String(32), nullable=False, unique=True),
    Column("created", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("rating_w", BigInteger),
    Column("before_w", BigInteger),
    Index(None, "end_device_id", "control_id"),
    Index(None, "control_id"),
    sqlite_autoincrement=True,
)
"""A control issued anew to one device, because from `since` on the rating that its percentages are of is `rating_w`,
no more `before_w` (NULL: not known)."""

keeper = Table(
    "keeper",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("until", Float(53), nullable=False),
)
"""Processes that keep what they have read, and until when, by the clock of the database; see `store.keepers`."""
