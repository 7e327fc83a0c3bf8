"""Tables of alarms: what asks an operator to act, and what each of them is about."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, text

from sep2.store.columns import Id, metadata, number, time

STANDING = text("cleared IS NULL")
GONE = text("cleared IS NOT NULL AND acknowledged IS NULL AND announced IS NOT NULL")

alarm = Table(
    "alarm",
    metadata,
    number(),
    Column("code", String(40), nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("priority", Integer, nullable=False, server_default="3"),  # 1 act now, 2 act soon, 3 this day
    time("raised"),
    time("cleared", nullable=True),
    Column("count", Integer, nullable=False, server_default="1"),  # of what it is about, such as silent devices
    Column("again", Integer, nullable=False, server_default="0"),  # how often its cause came back shortly after its end
    time("acknowledged", nullable=True),
    Column("acknowledged_by", Text, nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
    time("shelved_until", nullable=True),
    Column("shelved_by", Text, nullable=False, server_default=""),
    Column("shelved_because", Text, nullable=False, server_default=""),
    Column("under", BigInteger),  # the alarm that explains this one, which is not announced meanwhile
    time("announced", nullable=True),  # when receivers were told
    time("escalated", nullable=True),
    Column("news", Boolean, nullable=False, server_default=text("false")),  # it is to be looked at by who announces
    Index(None, "code", "subject"),
    Index("uq_alarm_standing", "code", "subject", unique=True, sqlite_where=STANDING, postgresql_where=STANDING),
    Index("ix_alarm_news", "news", sqlite_where=text("news"), postgresql_where=text("news")),
    Index(None, "raised"),
    Index("ix_alarm_gone", "raised", "id", sqlite_where=GONE, postgresql_where=GONE),
    Index("ix_alarm_standing", "priority", "raised", "id", sqlite_where=STANDING, postgresql_where=STANDING),
)
"""One row for each cause, from when it is raised until it is cleared; of one code and subject at most one stands."""

alarm_member = Table(
    "alarm_member",
    metadata,
    Column("alarm_id", Id, ForeignKey(alarm.c.id, ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
)
"""The names of what an alarm is about, where that is several; of very many the first ones."""
