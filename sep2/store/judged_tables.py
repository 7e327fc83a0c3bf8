"""The tables of what was judged: how limits were kept, by day and, where they were not, by interval."""

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from sep2.store.columns import Id, metadata, number, time
from sep2.store.tables import connection, end_device


def _device() -> Column[int]:
    """The number of an EndDevice, which is given once: what was judged outlives the device."""
    return Column("end_device_id", Id, primary_key=True, autoincrement=False)


def _direction() -> Column[str]:
    return Column("direction", String(10), primary_key=True)  # import export generation load


judged = Table(
    "judged",
    metadata,
    _device(),
    _direction(),
    Column("start", BigInteger, primary_key=True),
    Column("duration_s", Integer, nullable=False),
    Column("state", String(10), nullable=False),  # late breach opted_out
    Column("allowed_w", Float, nullable=False),
    Column("measured_w", Float),  # NULL: opted out, and not measured
    Column("covered_s", Integer, nullable=False),
    Column("binding", Boolean, nullable=False),
    Column("breach_wh", Float, nullable=False),
    Column("control", String(32), nullable=False, server_default=""),  # mRID; empty: a default
    Column("client_id", Id, nullable=False, server_default="0"),  # who acted for the device then
    Index(None, "start"),
)
"""Intervals in which a limit was not kept; those in which it was, and unknown ones, are bits of their day."""

judged_day = Table(
    "judged_day",
    metadata,
    _device(),
    _direction(),
    Column("day", BigInteger, primary_key=True),  # its beginning by the utility's local time
    Column("client_id", Id, primary_key=True, autoincrement=False, server_default="0"),  # who acted for it then
    Column("lfdi", String(40), nullable=False),
    Column("client_name", Text, nullable=False),  # as it was called
    Column("connection_name", String(32), nullable=False),  # its id; empty: none
    *(
        Column(f"{name}_s", Integer, nullable=False)
        for name in ("ok", "late", "breach", "opted_out", "unknown", "binding", "binding_ok")
    ),
    Column("breach_wh", Float, nullable=False),
    Column("ok_bits", LargeBinary, nullable=False),
    Column("unknown_bits", LargeBinary, nullable=False),
    Column("binding_bits", LargeBinary, nullable=False),  # of those that are ok
    Column("reason", String(16), nullable=False, server_default=""),  # of the latest unknown interval
    Index(None, "day"),
    Index(None, "client_name", "day"),
    Index(None, "connection_name", "day"),
)
"""The sums of a day, and a bit for every five minutes of it, the first one the lowest bit of the first octet."""

acted_for = Table(
    "acted_for",
    metadata,
    _device(),
    Column("until", BigInteger, primary_key=True),
    Column("client_id", Id, nullable=False),
    Column("client_name", Text, nullable=False),
    Index(None, "client_name"),
)
"""Clients that acted for a device until another one took over; what it did until then is judged as theirs."""

judged_sum = Table(
    "judged_sum",
    metadata,
    Column("kind", String(8), primary_key=True),  # total, client, place or make
    Column("day", BigInteger, primary_key=True),
    Column("name", Text, primary_key=True),  # of the client or make, as it was called; the number of a place
    _direction(),
    *(
        Column(f"{name}_s", BigInteger, nullable=False)
        for name in ("ok", "late", "breach", "opted_out", "unknown", "binding", "binding_ok")
    ),
    Column("breach_wh", Float, nullable=False),
    Index(None, "kind", "name", "day"),
    sqlite_with_rowid=False,
)
"""The sums of a day over all devices, over those of a client, at a place and of a make, as they were when judged."""

judge_again = Table(
    "judge_again",
    metadata,
    Column("end_device_id", Id, ForeignKey(end_device.c.id, ondelete="CASCADE"), primary_key=True),
    time("since"),
    time("until"),
    Column("times", Integer, nullable=False, server_default="0"),  # how often more was noted
)
"""Devices of which readings came in after their intervals were judged, or whose meter's sign was proven since."""

exemption = Table(
    "exemption",
    metadata,
    number(),
    Column("connection_id", Id, ForeignKey(connection.c.id, ondelete="CASCADE"), nullable=False),
    time("start"),
    time("end"),
    Column("reason", Text, nullable=False),
    Column("operator", Text, nullable=False),
    time("created"),
    Index(None, "connection_id", "end"),
    sqlite_autoincrement=True,
)
"""Times in which a connection is not judged, because an operator said so."""
