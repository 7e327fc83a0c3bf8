"""Tables of what overrides of aggregations need beside the desk's override: notices, answers, messages, outages."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from sep2.store.columns import Id, metadata, number, time, to
from sep2.store.market.tables import aggregation, component_der, party
from sep2.store.override_tables import override
from sep2.store.webhook_tables import webhook

market_override = Table(
    "market_override",
    metadata,
    number(),
    to(override),
    to(aggregation),
    Column("notice_class", String(12), nullable=False),  # planned forecast emergency
    Column("profile", String(32), nullable=False),
    Column("profile_sha256", String(64), nullable=False),
    Column("rules", Text, nullable=False),  # JSON: the profile's override rules as they were when it was issued
    Column("binding", Text, nullable=False),  # the element of the network that it is for
    Column("fairness_note", Text, nullable=False),  # why not all that are alike get the same
    Column("effect", Text, nullable=False),  # JSON: what it does to each DER, to plans, and who is alike
    time("reason_due", nullable=True),  # of an emergency: until when its reason has to be said
    time("reason_at", nullable=True),
    Column("reason_text", Text, nullable=False, server_default=""),
    Column("reason_by", Text, nullable=False, server_default=""),
    time("over_told", nullable=True),  # when parties were told that it is over
    Column("copied", Integer, nullable=False, server_default="0"),  # sequence of the last file in the outbox
    Column("ders", Text, nullable=False, server_default="[]"),  # JSON: names of DERs, where it is for these only
    Column("node", Text, nullable=False, server_default=""),  # where it is only for members at a node or place
    UniqueConstraint("override_id"),
    Index(None, "aggregation_id"),
    sqlite_autoincrement=True,
)
"""What makes an override of the desk one of an aggregation."""

override_notice = Table(
    "override_notice",
    metadata,
    number(),
    to(market_override),
    to(party),
    Column("rung", Integer, nullable=False),  # the first is 1
    Column("must_answer", Boolean, nullable=False),
    time("due"),
    Column("answer_s", Integer, nullable=False),
    Column("sent", Integer, nullable=False, server_default="0"),  # how often
    time("last_sent", nullable=True),
    time("answer_by", nullable=True),  # of the first time that it was sent
    time("next_at", nullable=True),  # when something is to be done about it; NULL: nothing any more
    time("answered_at", nullable=True),
    time("silent_at", nullable=True),  # when so many were left unanswered that a person has to call
    time("called_at", nullable=True),
    Column("called_by", Text, nullable=False, server_default=""),
    Column("called_note", Text, nullable=False, server_default=""),
    UniqueConstraint("market_override_id", "party_id", "rung"),
    Index(None, "next_at"),
    sqlite_autoincrement=True,
)
"""When a party is told of an override, how often it was, and whether it has answered."""

override_answer = Table(
    "override_answer",
    metadata,
    number(),
    to(market_override),
    to(party),
    Column("answer", String(8), nullable=False),  # ack nack partial
    Column("expected_w", BigInteger),
    Column("revised_plan", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("is_late", Boolean, nullable=False),
    time("recorded_at"),
    Column("dispute", String(12), nullable=False),  # open decided; empty: it is none
    Column("outcome", Text, nullable=False, server_default=""),
    time("closed_at", nullable=True),
    Column("closed_by", Text, nullable=False, server_default=""),
    Index(None, "market_override_id"),
    sqlite_autoincrement=True,
)
"""What a party says of an override; a refusal is a line of dispute, and lifts nothing."""

market_message = Table(
    "market_message",
    metadata,
    number(),
    to(party),
    Column("sequence", BigInteger, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),  # JSON
    Column("sha256", String(64), nullable=False),  # of the body
    time("created"),
    UniqueConstraint("party_id", "sequence"),
    sqlite_autoincrement=True,
)
"""What a party is told; never changed, and numbered per party without gaps."""

message_count = Table(
    "message_count",
    metadata,
    Column("party_id", Id, ForeignKey(party.c.id), primary_key=True),
    Column("last", BigInteger, nullable=False),
)
"""The number of the last message to a party; whoever writes one holds this row until the end of the transaction."""

party_webhook = Table(
    "party_webhook",
    metadata,
    number(),
    to(party),
    Column("webhook_id", Id, ForeignKey(webhook.c.id, ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    UniqueConstraint("party_id", "name_key"),
    Index(None, "webhook_id"),
    sqlite_autoincrement=True,
)
"""Receivers that parties have named for copies of their messages; each is one of the queue's receivers."""

market_outage = Table(
    "market_outage",
    metadata,
    number(),
    to(party),
    to(component_der, nullable=True),
    to(aggregation, nullable=True),
    time("start"),
    time("end"),
    Column("available_w", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Column("planned", Boolean, nullable=False),
    time("recorded_at"),
    Column("recorded_by", Text, nullable=False),
    Index(None, "component_der_id"),
    Index(None, "aggregation_id"),
    sqlite_autoincrement=True,
)
"""What a DER or an aggregation can not do for a time, as its party or an operator says."""
