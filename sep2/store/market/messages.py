"""Messages to parties, numbered per party without gaps, and the receivers that get copies of them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, insert, select

from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.market.override_tables import market_message, message_count, party_webhook
from sep2.store.market.tables import party
from sep2.store.upsert import adding
from sep2.store.webhook_tables import webhook

_COUNT = message_count
_COUNTED = adding(_COUNT, ["party_id"], ["last"])


async def next_numbers(db: Connection, party_id: int, many: int) -> int:
    """The first of so many numbers of messages to a party; others who write to it wait until this transaction ends."""
    await db.run(_COUNTED, {"party_id": party_id, "last": many})
    return await last(db, party_id) - many + 1


async def add(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep messages."""
    await db.run(insert(market_message), list(rows))


def _messages() -> Select[Any]:
    return select(market_message, party.c.name.label("party_name")).join_from(market_message, party)


async def after(db: Connection, party_id: int, sequence: int, most: int) -> Sequence[Row[Any]]:
    """The messages to a party after one, in their order."""
    query = _messages().where(market_message.c.party_id == party_id, market_message.c.sequence > sequence)
    return await db.all(query.order_by(market_message.c.sequence).limit(most))


async def last(db: Connection, party_id: int) -> int:
    """The number of the last message to a party; 0 where there is none."""
    row = await db.one(select(_COUNT.c.last).where(_COUNT.c.party_id == party_id))
    return 0 if row is None else int(row.last)


async def listed(db: Connection, page: Keyset, *, party_id: int | None, subject: str | None = None) -> Following:
    """Messages to parties, the newest first; subject: what they are about, where one thing is asked for."""
    query = _messages().order_by(market_message.c.id.desc())
    if subject is not None:
        query = query.where(market_message.c.subject == subject)
    if party_id is not None:
        query = query.where(market_message.c.party_id == party_id)
    return await select_following(db, query, page)


async def hooks(db: Connection, party_ids: Collection[int]) -> Sequence[Row[Any]]:
    """The receivers that get copies of what these parties are told, by name."""
    columns = ("url", "enabled", "created", "delivered", "delivered_at", "failures", "error")
    query = select(party_webhook, *(webhook.c[name] for name in columns)).join_from(party_webhook, webhook)
    return await db.all(query.where(among(party_webhook.c.party_id, list(party_ids))).order_by(party_webhook.c.id))


async def add_hook(db: Connection, **columns: Any) -> None:
    """Have a receiver get copies of what a party is told."""
    await db.run(insert(party_webhook).values(columns))


async def about(db: Connection, kind: str, party_id: int, until: int) -> Sequence[Row[Any]]:
    """The messages to a party whose kind begins so, until a time, in their order."""
    t = market_message
    query = _messages().where(
        t.c.party_id == party_id, t.c.created <= until, t.c.kind.startswith(kind, autoescape=True)
    )
    return await db.all(query.order_by(t.c.sequence))
