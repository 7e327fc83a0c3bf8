"""Notifications that wait: at most one per subscription, always for the newest state."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Integer,
    Row,
    String,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.tables import client, receiver, subscription
from sep2.store.tables import delivery as t

_THESE: Any = bindparam("these")
_NOW: Any = bindparam("now", type_=BigInteger)
_STATUS: Any = bindparam("new_status", type_=Integer)
_WAITING = update(t).where(among(t.c.subscription_id, _THESE))
_REQUEST: Any = bindparam("new_request", type_=String)
_AGAIN = _WAITING.values(edition=t.c.edition + 1, status=_STATUS, request=_REQUEST)
_REVIVED = _WAITING.where(t.c.dead).values(dead=False, attempts=0, since=_NOW, due=_NOW)
_FRESH = insert(t).from_select(
    ["subscription_id", "receiver_id", "status", "edition", "attempts", "since", "due", "dead", "request"],
    select(
        subscription.c.id,
        subscription.c.receiver_id,
        _STATUS,
        literal(1),
        literal(0),
        _NOW,
        _NOW,
        literal(False),
        _REQUEST,
    ).where(among(subscription.c.id, _THESE), ~exists().where(t.c.subscription_id == subscription.c.id)),
)


async def put(db: Connection, subscription_ids: Sequence[int], now: int, *, status: int = 0, request: str = "") -> None:
    """Have these subscribers told; one that waits already is told once, of the newest state, and not sooner.

    request: the id of the request that made the change.
    """
    if not subscription_ids:
        return
    these = list(subscription_ids)
    await db.run(_AGAIN, {"these": these, "new_status": status, "new_request": request})
    await db.run(_REVIVED, {"these": these, "now": now})
    await db.run(_FRESH, {"these": these, "new_status": status, "now": now, "new_request": request})


_DUE = (
    select(t.c.subscription_id)
    .where(t.c.receiver_id == bindparam("receiver_id"), t.c.dead.is_(False), t.c.due <= _NOW)
    .order_by(t.c.due)
    .limit(bindparam("most"))
)


async def due(db: Connection, receiver_id: int, now: int, most: int) -> list[int]:
    """The subscriptions of which a receiver is to be told now, longest due first."""
    return [row.subscription_id for row in await db.all(_DUE, receiver_id=receiver_id, now=now, most=most)]


_ONE = (
    select(
        *(subscription.c[name] for name in ("id", "client_id", "end_device_id", "resource", "ids", "item_limit")),
        *(subscription.c[name] for name in ("subscribed_resource", "notification_uri", "last_digest", "receiver_id")),
        *(t.c[name] for name in ("edition", "attempts", "since", "due", "dead", "unsure", "error", "request")),
        client.c.lfdi.label("client_lfdi"),
        client.c.name.label("client_name"),
        client.c.receiver_hosts,
        client.c.removed.label("client_removed"),
        *(receiver.c[name] for name in ("place", "failures", "silent_since")),
    )
    .select_from(t)
    .join(subscription, subscription.c.id == t.c.subscription_id)
    .join(client, client.c.id == subscription.c.client_id)
    .join(receiver, receiver.c.id == subscription.c.receiver_id)
    .where(t.c.subscription_id == bindparam("subscription_id"))
)


async def one(db: Connection, subscription_id: int) -> Row[Any] | None:
    """What waits for a subscription, with the subscription itself, its client and its receiver."""
    return await db.one(_ONE, subscription_id=subscription_id)


_OF: Any = t.c.subscription_id == bindparam("of_subscription")
_DONE = delete(t).where(_OF, t.c.edition == bindparam("edition"))
_STILL_WAITS = update(t).where(_OF).values(attempts=0, error="", unsure=False)
_RECEIVED = (
    update(subscription).where(subscription.c.id == bindparam("of_subscription")).values(last_digest=bindparam("last"))
)


async def done(db: Connection, subscription_id: int, edition: int, *, digest: str | None = None) -> bool:
    """Forget a delivery that arrived, unless something changed meanwhile; whether nothing did.

    digest: of what the subscriber received now; None where nothing was sent, as it has received the same before.
    """
    if digest is not None:
        await db.later(_RECEIVED, {"of_subscription": subscription_id, "last": digest})
    if (await db.run(_DONE, {"of_subscription": subscription_id, "edition": edition})).rowcount:
        return True
    await db.run(_STILL_WAITS, {"of_subscription": subscription_id})
    return False


async def postpone(db: Connection, subscription_id: int, *, due: int, error: str, attempts: int, sent: bool) -> None:
    """Note a failed attempt and when the next one is due; `sent` says that it may have arrived all the same."""
    failed = {"attempts": attempts, "due": due, "error": error} | ({"unsure": True} if sent else {})
    await db.run(update(t).where(t.c.subscription_id == subscription_id).values(failed))


async def give_up(db: Connection, subscription_id: int) -> None:
    """Attempt this one no more, until it is replayed or something changes."""
    await db.run(update(t).where(t.c.subscription_id == subscription_id).values(dead=True))


async def give_up_at(db: Connection, receiver_id: int, since: int) -> int:
    """Attempt nothing more of what has waited for a receiver since then or longer; how many there were."""
    old = update(t).where(t.c.receiver_id == receiver_id, t.c.dead.is_(False), t.c.since <= since)
    return (await db.run(old.values(dead=True, error="the receiver gives no answer"))).rowcount


async def count_dead(db: Connection, receiver_id: int) -> int:
    """How many notifications to a receiver were given up."""
    row = await db.one(select(func.count().label("n")).where(t.c.receiver_id == receiver_id, t.c.dead))
    return row.n if row else 0


async def none_is_sure(db: Connection) -> None:
    """Note that of what waits, anything may have been sent by a process that ended before it could say so."""
    await db.run(update(t).where(t.c.unsure.is_(False)).values(unsure=True))


async def replay(db: Connection, subscription_id: int, now: int) -> int:
    """Have a delivery attempted at once, also one that had been given up; how many were found."""
    here = update(t).where(t.c.subscription_id == subscription_id)
    found = (await db.run(here.values(dead=False, attempts=0, since=now, due=now))).rowcount
    of = select(t.c.receiver_id).where(t.c.subscription_id == subscription_id).scalar_subquery()
    await db.run(update(receiver).where(receiver.c.id == of).values(rests_until=0, rests_at_least_until=0))
    return found


async def counts(db: Connection) -> dict[str, int]:
    """How many wait and how many were given up."""
    rows = await db.all(select(t.c.dead, func.count().label("n")).group_by(t.c.dead))
    found = {bool(row.dead): int(row.n) for row in rows}
    return {"waiting": found.get(False, 0), "dead": found.get(True, 0)}


async def shift(db: Connection, by_s: int) -> None:
    """Move the times of all that waits with a clock that was set to another time: pauses last as long as they did."""
    waiting = update(t).where(t.c.dead.is_(False))
    await db.run(waiting.values(since=t.c.since + by_s, due=t.c.due + by_s))


async def bring_forward(db: Connection, latest: int) -> None:
    """Have nothing wait beyond that time: what does was put off by a clock that was ahead."""
    await db.run(update(t).where(t.c.dead.is_(False), t.c.due > latest).values(due=latest))
