"""The log of what operators changed."""

from typing import Any

from sqlalchemy import insert

from sep2.store.connection import Connection
from sep2.store.tables import audit as t


async def add(db: Connection, **columns: Any) -> None:
    """Note who did what to what; written in the transaction of the change."""
    await db.run(insert(t).values(columns))
