"""The customers of a connection, one after another; by when, and not by name."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, exists, func, insert, or_, select, update

from sep2.store.commissioning import is_open
from sep2.store.connection import Connection
from sep2.store.judged_tables import exemption
from sep2.store.site_tables import customer as t


def is_vacant(connection_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether the last customer of a connection has moved out; one of which no customer is on record is not vacant."""
    of_it = t.c.connection_id == connection_id
    return and_(exists().where(of_it), ~exists().where(of_it, t.c.until.is_(None)))


def kept_firm(connection_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether nothing flexible is published to a connection: it is being commissioned, or nobody lives there."""
    return or_(is_open(connection_id), is_vacant(connection_id))


async def of_connection(db: Connection, connection_id: int) -> Sequence[Row[Any]]:
    """The customers of a connection, the latest first."""
    return await db.all(select(t).where(t.c.connection_id == connection_id).order_by(t.c.id.desc()))


async def add(db: Connection, **columns: Any) -> int:
    """The number of a customer's time at a connection."""
    return await db.add(insert(t).values(columns))


async def end(db: Connection, number: int, until: int, by: str) -> None:
    """Note that a customer has moved out."""
    await db.run(update(t).where(t.c.id == number).values(until=until, moved_out_by=by))


async def since(db: Connection, connection_id: int) -> int:
    """When the connection's present customer moved in, or its last one out; 0 where none is on record."""
    row = await db.one(
        select(func.max(func.coalesce(t.c.until, t.c.since)).label("at")).where(t.c.connection_id == connection_id)
    )
    return (row.at or 0) if row else 0


async def end_exemption(db: Connection, connection_id: int, reason: str, now: int) -> None:
    """Have a connection be judged again from now on."""
    which = exemption.c.connection_id == connection_id, exemption.c.reason == reason, exemption.c.end > now
    await db.run(update(exemption).where(*which, exemption.c.start < now).values(end=now))
    await db.run(update(exemption).where(*which, exemption.c.start >= now).values(end=now + 1))
