"""Certificates that stand for a client beside its current one, while one takes the place of the other."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, delete, func, insert, select, update

from sep2.store.connection import Connection
from sep2.store.tables import client
from sep2.store.tables import client_identity as t

ACTS = t.c.state != "gone"


def client_with(lfdi: Any) -> ColumnElement[int]:
    """The id of the client that has this LFDI: that of its current certificate, or of one beside that."""
    current = select(client.c.id).where(client.c.lfdi == lfdi).scalar_subquery()
    beside = select(t.c.client_id).where(t.c.lfdi == lfdi, ACTS).scalar_subquery()
    return func.coalesce(current, beside)


async def add(db: Connection, **columns: Any) -> None:
    """One more certificate of a client."""
    await db.run(insert(t).values(columns))


async def of_client(db: Connection, client_id: int) -> Sequence[Row[Any]]:
    """The certificates of a client beside its current one."""
    return await db.all(select(t).where(t.c.client_id == client_id).order_by(t.c.since, t.c.lfdi))


async def one(db: Connection, lfdi: str) -> Row[Any] | None:
    """A certificate beside a current one, by its LFDI."""
    return await db.one(select(t).where(t.c.lfdi == lfdi))


async def update_one(db: Connection, lfdi: str, **columns: Any) -> None:
    """Change columns of one."""
    await db.run(update(t).where(t.c.lfdi == lfdi).values(columns))


async def remove(db: Connection, lfdi: str) -> None:
    """It stands for nobody any more."""
    await db.run(delete(t).where(t.c.lfdi == lfdi))


async def remove_all(db: Connection, client_id: int) -> None:
    """None of a client's stands for it any more."""
    await db.run(delete(t).where(t.c.client_id == client_id))


_ENDED = (
    select(t, client.c.name, client.c.lfdi.label("current"))
    .join_from(t, client, client.c.id == t.c.client_id)
    .where(t.c.until <= bindparam("now"), ACTS)
    .order_by(t.c.until)
    .limit(100)
)


async def ended(db: Connection, now: int) -> Sequence[Row[Any]]:
    """Those whose overlap is over, with their client's name and current LFDI."""
    return await db.all(_ENDED, now=now)
