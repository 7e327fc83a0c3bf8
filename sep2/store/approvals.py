"""Changes that wait for a second person, and drafts."""

from typing import Any

from sqlalchemy import Row, insert, select, update

from sep2.rules.cursor import Keyset
from sep2.store.approval_tables import approval
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following

OPEN = ("draft", "waiting")


async def add(db: Connection, **columns: Any) -> int:
    """The id of a new request."""
    return await db.add(insert(approval).values(columns))


async def one(db: Connection, number: int) -> Row[Any] | None:
    """A request by its number."""
    return await db.one(select(approval).where(approval.c.id == number))


async def locked(db: Connection, number: int) -> Row[Any] | None:
    """The same for a change; others who are about to decide on it wait until this transaction ends."""
    return await db.one(select(approval).where(approval.c.id == number).with_for_update())


async def latest(db: Connection) -> Row[Any] | None:
    """The request that was made last."""
    return await db.one(select(approval).order_by(approval.c.id.desc()).limit(1))


async def listed(db: Connection, page: Keyset, *, open_at: int | None) -> Following:
    """Requests, the newest first; open_at: only those that somebody can still decide on then."""
    query = select(approval).order_by(approval.c.id.desc())
    if open_at is not None:
        query = query.where(approval.c.state.in_(OPEN), approval.c.expires > open_at)
    return await select_following(db, query, page)


async def decide(db: Connection, number: int, **columns: Any) -> None:
    """Note what came of a request."""
    await db.run(update(approval).where(approval.c.id == number).values(columns))


async def waiting(db: Connection, now: int) -> list[Row[Any]]:
    """The requests that wait for a second person."""
    query = select(approval).where(approval.c.state == "waiting", approval.c.expires > now)
    return list(await db.all(query.order_by(approval.c.id)))


async def expired(db: Connection, now: int) -> list[Row[Any]]:
    """The requests that nobody has decided on in time."""
    query = select(approval).where(approval.c.state.in_(OPEN), approval.c.expires <= now)
    return list(await db.all(query.order_by(approval.c.id)))
