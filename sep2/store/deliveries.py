"""Notifications that wait: at most one per subscription, always for the newest state."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, select, update

from sep2.store.connection import Connection
from sep2.store.tables import delivery as t
from sep2.store.tables import subscription


async def put(db: Connection, subscription_ids: Sequence[int], now: int, *, status: int = 0) -> None:
    """Have these subscribers told; one that waits already is told once, of the newest state, and not sooner."""
    if not subscription_ids:
        return
    waiting = update(t).where(t.c.subscription_id.in_(subscription_ids))
    await db.run(waiting.values(edition=t.c.edition + 1, status=status))
    await db.run(waiting.where(t.c.dead).values(dead=False, attempts=0, since=now, due=now))
    known = {
        row.subscription_id
        for row in await db.all(select(t.c.subscription_id).where(t.c.subscription_id.in_(subscription_ids)))
    }
    fresh = [
        {"subscription_id": one, "status": status, "edition": 1, "attempts": 0, "since": now, "due": now, "dead": False}
        for one in subscription_ids
        if one not in known
    ]
    if fresh:
        await db.run(insert(t).values(fresh))


_RANK = func.row_number().over(partition_by=subscription.c.receiver, order_by=(t.c.due, t.c.since))
_RANKED = (
    select(*t.c, subscription.c.receiver, _RANK.label("rank"))
    .join_from(t, subscription)
    .where(t.c.dead.is_(False), t.c.due <= bindparam("now"))
    .subquery()
)
_DUE = select(_RANKED).where(_RANKED.c.rank <= bindparam("most")).order_by(_RANKED.c.rank)


async def due(db: Connection, now: int, most: int) -> Sequence[Row[Any]]:
    """The deliveries to attempt now, at most so many for each receiver, so that a slow one holds up no other."""
    return await db.all(_DUE, now=now, most=most)


async def next_due(db: Connection) -> int | None:
    """When the next attempt is due."""
    row = await db.one(select(func.min(t.c.due).label("at")).where(t.c.dead.is_(False)))
    return row.at if row else None


async def done(db: Connection, subscription_id: int, edition: int) -> None:
    """Forget a delivery that arrived, unless something changed meanwhile."""
    await db.run(delete(t).where(t.c.subscription_id == subscription_id, t.c.edition == edition))
    again = update(t).where(t.c.subscription_id == subscription_id)
    await db.run(again.values(attempts=0, error=""))


async def postpone(db: Connection, subscription_id: int, due: int, error: str, *, dead: bool = False) -> None:
    """Note a failed attempt and when the next one is due, or that there is none."""
    failed = update(t).where(t.c.subscription_id == subscription_id)
    await db.run(failed.values(attempts=t.c.attempts + 1, due=due, error=error, dead=dead))


async def put_off(db: Connection, receiver: str, until: int) -> None:
    """Attempt nothing at a receiver before then: it does not answer."""
    there = select(subscription.c.id).where(subscription.c.receiver == receiver)
    waiting = update(t).where(t.c.subscription_id.in_(there), t.c.dead.is_(False), t.c.due < until)
    await db.run(waiting.values(due=until))


async def replay(db: Connection, subscription_id: int, now: int) -> int:
    """Have a delivery attempted at once, also one that had been given up; how many were found."""
    again = update(t).where(t.c.subscription_id == subscription_id)
    return (await db.run(again.values(dead=False, attempts=0, since=now, due=now))).rowcount


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
