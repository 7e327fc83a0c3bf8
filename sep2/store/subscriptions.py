"""Subscriptions: a row of the resource table and its ids, never a URL."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Row,
    bindparam,
    delete,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)

from sep2.rules.paging import Page
from sep2.store import receivers
from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.page import Found, select_page
from sep2.store.tables import delivery
from sep2.store.tables import receiver as told_at
from sep2.store.tables import subscription as t
from sep2.store.upsert import upsert

_LISTED = select(t).where(t.c.end_device_id == bindparam("device_id")).order_by(t.c.id)


_KEY = ("end_device_id", "resource", "ids", "notification_uri")
_RENEWED = ("receiver_id", "level", "item_limit", "last_digest")
_SAME = select(t.c.id).where(*(t.c[name] == bindparam(name) for name in _KEY))
_ONE = select(t).where(t.c.end_device_id == bindparam("device_id"), t.c.id == bindparam("subscription_id"))
_COUNT = select(func.count().label("n")).where(t.c.client_id == bindparam("client_id"))
_PUT = upsert(t, _KEY, _RENEWED).returning(t.c.id)
_REPLACE = update(t).where(t.c.id == bindparam("this"))
_RECEIVER = select(told_at.c.place).join(t, t.c.receiver_id == told_at.c.id).where(t.c.id == bindparam("this"))
_DELIVER_TO = update(delivery).where(delivery.c.subscription_id == bindparam("this"))


async def of_device(db: Connection, device_id: int, page: Page) -> Found[Row[Any]]:
    """A device's subscriptions; their hrefs sort as their numbers do."""
    return await select_page(db, _LISTED, page, device_id=device_id)


async def one(db: Connection, device_id: int, subscription_id: int) -> Row[Any] | None:
    """A subscription of a device by its id."""
    return await db.one(_ONE, device_id=device_id, subscription_id=subscription_id)


async def same(db: Connection, *, end_device_id: int, resource: str, ids: str, notification_uri: str) -> int | None:
    """The id of the subscription to the same resource with the same receiver."""
    said = {"resource": resource, "ids": ids, "notification_uri": notification_uri}
    found = await db.one(_SAME, end_device_id=end_device_id, **said)
    return found.id if found else None


async def count_of(db: Connection, client_id: int) -> int:
    """How many subscriptions a client has."""
    row = await db.one(_COUNT, client_id=client_id)
    return row.n if row else 0


async def add(db: Connection, *, client_id: int, receiver: str, **columns: Any) -> int:
    """The id of the subscription to that resource, told at `receiver` (host:port); new, or renewed by two at once."""
    receiver_id = await receivers.named(db, client_id, receiver)
    said = {"client_id": client_id, "receiver_id": receiver_id, "last_digest": "", **columns}
    row = await db.one(_PUT, **said)
    assert row is not None
    return int(row.id)


async def replace(db: Connection, subscription_id: int, *, client_id: int, receiver: str, **columns: Any) -> None:
    """Change columns of a client's subscription; it is told of the next change even if it has received the same."""
    before = await db.one(_RECEIVER, this=subscription_id)
    if before is not None and before.place == receiver:
        await db.later(_REPLACE, {"this": subscription_id, "last_digest": "", **columns})
        return
    receiver_id = await receivers.named(db, client_id, receiver)
    said = {"receiver_id": receiver_id, "last_digest": "", **columns}
    await db.run(_REPLACE, {"this": subscription_id, **said})
    await db.run(_DELIVER_TO, {"this": subscription_id, "receiver_id": receiver_id})
    await receivers.forget_unused(db, client_id)


async def remove(db: Connection, subscription_id: int) -> None:
    """End a subscription, with what waits for it."""
    of = await db.one(select(t.c.client_id).where(t.c.id == subscription_id))
    if of is None:
        return
    await db.run(delete(delivery).where(delivery.c.subscription_id == subscription_id))
    await db.run(delete(t).where(t.c.id == subscription_id))
    await receivers.forget_unused(db, of.client_id)


async def to_resource(db: Connection, resource: str, keys: Sequence[str], client_id: int | None) -> Sequence[Row[Any]]:
    """The subscriptions to a row of the resource table whose ids are one of `keys`; % stands for any number."""
    exact = [key for key in keys if "%" not in key]
    matches: list[ColumnElement[bool]] = [t.c.ids.like(key) for key in keys if "%" in key]
    if exact:
        matches.append(among(t.c.ids, exact))
    query = select(t.c.id, t.c.ids).where(t.c.resource == resource, or_(false(), *matches))
    if client_id is not None:
        query = query.where(t.c.client_id == client_id)
    return await db.all(query)


async def any_to(db: Connection, resources: Sequence[str]) -> set[str]:
    """Those rows of the resource table to which there is any subscription."""
    return {row.resource for row in await db.all(_any_to(tuple(resources)))}


@cache
def _any_to(resources: tuple[str, ...]) -> CompoundSelect[tuple[str]]:
    """One look into the index for each of a few names that are known when the program is written."""
    wanted = [select(literal(one).label("resource")).where(exists().where(t.c.resource == one)) for one in resources]
    return union_all(*wanted)


async def ids_of(db: Connection, client_id: int) -> list[int]:
    """All subscriptions of a client."""
    return [row.id for row in await db.all(select(t.c.id).where(t.c.client_id == client_id).order_by(t.c.id))]
