"""Tables of webhooks: the utility's own systems that are told of alarms and state, and what waits for them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from sep2.store.columns import Id, metadata, number, time

webhook = Table(
    "webhook",
    metadata,
    number(),
    Column("name", String(80), nullable=False),
    Column("folded", String(160), nullable=False, unique=True),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("topics", Text, nullable=False),  # JSON: a sorted list
    Column("least_priority", Integer, nullable=False),  # of alarms: 1 only the most urgent, 3 all
    Column("codes", Text, nullable=False, server_default="[]"),  # JSON: of alarms; empty: every code
    Column("hours", String(16), nullable=False, server_default=""),  # of alarms, by local time, 07:00-18:00
    Column("escalation", Boolean, nullable=False, server_default=text("false")),  # only of those nobody acknowledged
    Column("enabled", Boolean, nullable=False),
    time("created"),
    Column("next_sequence", BigInteger, nullable=False, server_default="1"),
    Column("delivered", BigInteger, nullable=False, server_default="0"),  # the sequence number that it took last
    time("delivered_at", nullable=True),
    Column("failures", Integer, nullable=False, server_default="0"),  # attempts in a row
    time("failing_since", nullable=True),
    Column("rests_until", BigInteger, nullable=False, server_default="0"),
    Column("error", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)
"""Who is told, what of, and whether it answers. The secret signs what is sent, so that it is kept as it is."""

webhook_message = Table(
    "webhook_message",
    metadata,
    number(),
    Column("webhook_id", Id, ForeignKey(webhook.c.id, ondelete="CASCADE"), nullable=False),
    Column("sequence", BigInteger),  # NULL until who sends looks: numbers are given in the order of commits
    Column("message_id", String(40), nullable=False),
    Column("topic", String(24), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("subject", Text, nullable=False),
    Column("data", Text),  # JSON; NULL: the newest state of the subject when it is sent
    time("at"),
    Column("dead", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("webhook_id", "sequence"),
    Index(None, "webhook_id", "dead", "sequence"),
    sqlite_autoincrement=True,
)
"""What waits to be sent, in the order of its sequence; of a subject's state at most one waits."""
