"""Changes that were made under an idempotency key, and how they were answered."""

from typing import Any

from sqlalchemy import Row, delete, insert, select

from sep2.store.connection import Connection
from sep2.store.operator_tables import idempotency as t


async def one(db: Connection, operator: str, key: str, *, since: int) -> Row[Any] | None:
    """The change that an operator made under a key since a time: digest and answer."""
    query = select(t.c.digest, t.c.answer).where(t.c.operator == operator, t.c.key == key, t.c.at >= since)
    return await db.one(query)


async def add(db: Connection, **columns: Any) -> None:
    """Keep a change; a Clash where another of the same key is kept meanwhile."""
    await db.run(insert(t).values(columns))


async def forget(db: Connection, *, before: int) -> None:
    """Forget changes from before a time."""
    await db.run(delete(t).where(t.c.at < before))
