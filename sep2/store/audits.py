"""The log of what operators changed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, insert, select

from sep2.store.connection import Connection
from sep2.store.tables import audit as t


async def add(db: Connection, **columns: Any) -> None:
    """Note who did what to what; written in the transaction of the change."""
    await db.run(insert(t).values(columns))


async def latest(db: Connection, most: int) -> Sequence[Row[Any]]:
    """The latest entries, newest first."""
    return await db.all(select(t).order_by(t.c.id.desc()).limit(most))
