"""Tables of what waits for a second person, and of the shift log."""

from sqlalchemy import Column, Index, Integer, String, Table, Text

from sep2.store.columns import metadata, number, time

approval = Table(
    "approval",
    metadata,
    number(),
    Column("state", String(16), nullable=False),  # draft waiting approved refused withdrawn
    Column("verb", String(40), nullable=False),  # the name of the route's handler
    Column("ids", Text, nullable=False),  # of its path, JSON
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),  # as it was asked for, JSON
    Column("sheet", Text, nullable=False),  # what it would do, as the asker saw it, JSON
    Column("why", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("asker", Text, nullable=False),
    Column("role", Integer, nullable=False),  # that the asker had, see rules.roles
    time("created"),
    time("expires"),
    Column("decider", Text, nullable=False, server_default=""),
    time("decided", nullable=True),
    Column("answer", Text, nullable=False, server_default=""),
    Index(None, "state", "expires"),
    sqlite_autoincrement=True,
)
"""A change that one person has asked for and another one has to agree to, or that is only prepared (a draft)."""

shift_entry = Table(
    "shift_entry",
    metadata,
    number(),
    time("at"),
    Column("kind", String(16), nullable=False),  # note or handover
    Column("operator", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("standing", Text, nullable=False, server_default=""),  # what stood at a handover, JSON
    Column("taken_by", Text, nullable=False, server_default=""),
    time("taken", nullable=True),
    sqlite_autoincrement=True,
)
"""What operators write down for each other; a handover lists what stands, and is taken over by somebody else."""
