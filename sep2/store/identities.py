"""Certificates that stand for a client beside its current one, while one takes the place of the other."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update

from sep2.store.connection import Connection
from sep2.store.tables import client
from sep2.store.tables import client_identity as t


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
    .where(t.c.until <= bindparam("now"))
    .order_by(t.c.until)
    .limit(100)
)
_EXPECTED = select(t.c.lfdi, t.c.client_id).where(t.c.state == "expected")


async def ended(db: Connection, now: int) -> Sequence[Row[Any]]:
    """Those whose overlap is over, with their client's name and current LFDI."""
    return await db.all(_ENDED, now=now)


async def expected(db: Connection) -> dict[str, int]:
    """The certificates that nobody has used yet: the client of each LFDI."""
    return {row.lfdi: row.client_id for row in await db.all(_EXPECTED)}
