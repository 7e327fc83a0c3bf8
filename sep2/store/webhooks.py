"""Webhooks of the utility's own systems, and the messages that wait for them."""

import json
import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, bindparam, delete, func, insert, select, update

from sep2.rules.cursor import Keyset
from sep2.rules.webhooks import Said, Wish, wants
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.market.override_tables import party_webhook
from sep2.store.webhook_tables import webhook as t
from sep2.store.webhook_tables import webhook_message as message

_WAITING = select(func.count()).where(message.c.webhook_id == t.c.id, message.c.dead.is_(False)).scalar_subquery()
_DEAD = select(func.count()).where(message.c.webhook_id == t.c.id, message.c.dead).scalar_subquery()
_HEARERS = select(t.c.id, t.c.topics, t.c.least_priority, t.c.codes, t.c.hours, t.c.escalation).where(t.c.enabled)


AT_ONCE = 1000
"""Messages that are given numbers in one transaction."""


class Message(NamedTuple):
    """Something to tell: what it is about, and its data; without them the newest state when it is sent."""

    topic: str
    kind: str
    subject: str
    data: dict[str, Any] | None = None
    said: Said | None = None
    """Of an alarm: what receivers decide by whether they want to hear it."""


async def any_hears(db: Connection, topic: str) -> bool:
    """Whether some receiver wants to be told of a topic."""
    return any(topic in json.loads(row.topics) for row in await db.all(_HEARERS))


async def tell(db: Connection, messages: Sequence[Message], now: int, *, minute: int = 0) -> None:
    """Put messages into the queue of every receiver that wants them, in the transaction of what they tell.

    minute: of the day, by local time; for alarms.
    """
    if not messages:
        return
    hearers = await db.all(_HEARERS)
    are_escalated = any(row.escalation for row in hearers)
    for hearer in hearers:
        topics = json.loads(hearer.topics)
        wish = wish_of(hearer)
        heard = [
            one
            for one in messages
            if one.topic in topics and (one.said is None or wants(wish, one.said, minute, are_escalated=are_escalated))
        ]
        await put(db, hearer.id, heard, now)


def wish_of(row: Row[Any]) -> Wish:
    """Which alarms a receiver wants to be told of."""
    return Wish(row.least_priority, frozenset(json.loads(row.codes)), row.hours, row.escalation)


async def tell_one(db: Connection, webhook_id: int, one: Message, now: int) -> int:
    """Put a message into the queue of one receiver; its number."""
    await put(db, webhook_id, [one], now)
    await number(db, webhook_id)
    row = await db.one(select(t.c.next_sequence).where(t.c.id == webhook_id))
    return row.next_sequence - 1 if row else 0


async def put(db: Connection, webhook_id: int, messages: Sequence[Message], now: int) -> None:
    """Put messages into the queue of one receiver, without a number.

    Whoever gave one here would hold the receiver's row, and others of the same alarm wait.
    """
    rows = [
        {
            "webhook_id": webhook_id,
            "message_id": f"msg_{secrets.token_hex(16)}",
            "topic": one.topic,
            "kind": one.kind,
            "subject": one.subject,
            "data": None if one.data is None else json.dumps(one.data),
            "at": now,
        }
        for one in messages
        if one.data is not None or not await _waits(db, webhook_id, one)
    ]
    if rows:
        await db.run(insert(message), rows)


_FRESH = (
    select(message.c.id)
    .where(message.c.webhook_id == bindparam("webhook_id"), message.c.sequence.is_(None))
    .order_by(message.c.id)
    .limit(AT_ONCE)
)


async def has_fresh(db: Connection, webhook_id: int) -> bool:
    """Whether messages wait that have no number yet."""
    return await db.one(_FRESH, webhook_id=webhook_id) is not None


async def number(db: Connection, webhook_id: int) -> None:
    """Give the messages that have none their numbers, in the order in which they came."""
    row = await db.one(select(t.c.next_sequence).where(t.c.id == webhook_id).with_for_update())
    fresh = await db.all(_FRESH, webhook_id=webhook_id)
    if row is None or not fresh:
        return
    numbers = [{"own_id": one.id, "own_number": row.next_sequence + n} for n, one in enumerate(fresh)]
    await db.run(_NUMBERED, numbers)
    await db.run(update(t).where(t.c.id == webhook_id).values(next_sequence=row.next_sequence + len(fresh)))


_NUMBERED = update(message).where(message.c.id == bindparam("own_id")).values(sequence=bindparam("own_number"))
_SAME = (
    select(message.c.id)
    .where(message.c.webhook_id == bindparam("webhook_id"), message.c.dead.is_(False))
    .where(message.c.subject == bindparam("subject"), message.c.topic == bindparam("topic"), message.c.data.is_(None))
    .limit(1)
)


async def _waits(db: Connection, webhook_id: int, one: Message) -> bool:
    """Whether the state of that subject waits to be told already; what is told is the newest then."""
    return await db.one(_SAME, webhook_id=webhook_id, subject=one.subject, topic=one.topic) is not None


def _webhooks() -> Select[Any]:
    return select(t, _WAITING.label("waiting"), _DEAD.label("dead"))


async def listed(db: Connection, page: Keyset) -> Following:
    """Receivers by name, each with how many messages wait and were given up."""
    return await select_following(db, _webhooks().order_by(t.c.folded), page)


async def failing(db: Connection) -> list[str]:
    """The names of receivers that take nothing just now."""
    query = select(t.c.name).where(t.c.enabled, t.c.failing_since.is_not(None)).order_by(t.c.folded)
    return [row.name for row in await db.all(query)]


async def named(db: Connection, folded: str) -> Row[Any] | None:
    """The receiver of that name, folded."""
    return await db.one(_webhooks().where(t.c.folded == folded))


async def add(db: Connection, **columns: Any) -> int:
    """The id of a new receiver."""
    return await db.add(insert(t).values(columns))


async def change(db: Connection, webhook_id: int, **columns: Any) -> None:
    """Change a receiver."""
    await db.run(update(t).where(t.c.id == webhook_id).values(columns))


async def remove(db: Connection, webhook_id: int) -> None:
    """Forget a receiver, and what waits for it."""
    await db.run(delete(message).where(message.c.webhook_id == webhook_id))
    await db.run(delete(party_webhook).where(party_webhook.c.webhook_id == webhook_id))
    await db.run(delete(t).where(t.c.id == webhook_id))


async def replay(db: Connection, webhook_id: int) -> int:
    """Send again what was given up, and at once what waits; how many were given up."""
    given_up = update(message).where(message.c.webhook_id == webhook_id, message.c.dead)
    found = (await db.run(given_up.values(dead=False))).rowcount
    await db.run(update(t).where(t.c.id == webhook_id).values(rests_until=0, failing_since=None))
    return found


_DUE = (
    select(t)
    .where(t.c.enabled, t.c.rests_until <= bindparam("now"))
    .where(select(message.c.id).where(message.c.webhook_id == t.c.id, message.c.dead.is_(False)).exists())
)
_FIRST = (
    select(message)
    .where(message.c.webhook_id == bindparam("webhook_id"), message.c.dead.is_(False), message.c.sequence.is_not(None))
    .order_by(message.c.sequence)
    .limit(bindparam("most"))
)


async def due(db: Connection, now: int) -> Sequence[Row[Any]]:
    """The receivers that something is to be sent to now."""
    return await db.all(_DUE, now=now)


async def first(db: Connection, webhook_id: int, most: int = 1) -> Sequence[Row[Any]]:
    """The messages that are to be sent next."""
    return await db.all(_FIRST, webhook_id=webhook_id, most=most)


async def taken(db: Connection, row: Row[Any], now: int) -> None:
    """A receiver has taken a message."""
    await db.run(delete(message).where(message.c.id == row.id))
    said = {"delivered": row.sequence, "delivered_at": now, "failures": 0, "failing_since": None, "error": ""}
    await db.run(update(t).where(t.c.id == row.webhook_id).values(said | {"rests_until": 0}))


async def give_up_before(db: Connection, webhook_id: int, at: int) -> int:
    """Give up messages that wait since before a time; how many."""
    old = update(message).where(message.c.webhook_id == webhook_id, message.c.dead.is_(False), message.c.at < at)
    return (await db.run(old.values(dead=True))).rowcount
