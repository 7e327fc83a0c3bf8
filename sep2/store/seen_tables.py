"""The tables of who was heard of and when, and of what was told or written at some time and has changed since."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table, Text

from sep2.store.columns import Id, metadata, number, time
from sep2.store.tables import client, device_group, end_device


def _heard() -> list[Column[int]]:
    """Times of the latest request, post (of readings, documents, LogEvents) and answer (Response), and their counts."""
    times = [time(f"last_{what}", nullable=True) for what in ("request", "post", "answer")]
    counts = ("requests", "posts", "answers")
    return [*times, *(Column(name, BigInteger, nullable=False, server_default="0") for name in counts)]


def _server() -> Column[str]:
    """The origin of the server process that the client spoke to."""
    return Column("server", String(255), primary_key=True)


client_seen = Table(
    "client_seen",
    metadata,
    Column("client_id", Id, ForeignKey(client.c.id, ondelete="CASCADE"), primary_key=True),
    _server(),
    *_heard(),
    Column("refusals", BigInteger, nullable=False, server_default="0"),
    Column("address", Text, nullable=False, server_default=""),
    Column("suite", Text, nullable=False, server_default=""),
    Column("agent", Text, nullable=False, server_default=""),
    Column("skew_s", BigInteger),  # the client's clock less the server's; NULL before three answers
)
"""When each client was heard of; every server on one database has its own row."""

device_seen = Table(
    "device_seen",
    metadata,
    Column("end_device_id", Id, ForeignKey(end_device.c.id, ondelete="CASCADE"), primary_key=True),
    _server(),
    *_heard(),
)
"""The same of requests that named an EndDevice, of readings of it, and of its answers."""

program_told = Table(
    "program_told",
    metadata,
    Column("end_device_id", Id, ForeignKey(end_device.c.id, ondelete="CASCADE"), primary_key=True),
    Column("device_group_id", Id, ForeignKey(device_group.c.id, ondelete="CASCADE"), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Index(None, "at"),
)
"""When a subscriber has taken a notification of the controls of a program, for which device; kept for some days."""

document_history = Table(
    "document_history",
    metadata,
    number(),
    Column("end_device_id", Id, ForeignKey(end_device.c.id, ondelete="CASCADE"), nullable=False),
    Column("kind", String(20), nullable=False),  # DERCapability, DERSettings …, LoadShedAvailability
    Column("body", LargeBinary, nullable=False),
    time("received"),
    Index(None, "end_device_id", "kind", "received"),
    sqlite_autoincrement=True,
)
"""Each edition of a document that differs from the one before."""
