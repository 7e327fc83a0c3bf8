"""The shift log: notes, and handovers with what stood at the time."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update

from sep2.rules.cursor import Keyset
from sep2.store.approval_tables import shift_entry as t
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.override_tables import override


async def add(db: Connection, **columns: Any) -> int:
    """The id of a new entry."""
    return await db.add(insert(t).values(columns))


async def one(db: Connection, number: int) -> Row[Any] | None:
    """An entry by its number."""
    return await db.one(select(t).where(t.c.id == number))


async def listed(db: Connection, page: Keyset) -> Following:
    """Entries, the newest first."""
    return await select_following(db, select(t).order_by(t.c.id.desc()), page)


async def last_handover(db: Connection) -> Row[Any] | None:
    """The handover that was made last."""
    query = select(t).where(t.c.kind == "handover").order_by(t.c.id.desc()).limit(1)
    return await db.one(query)


async def take(db: Connection, number: int, by: str, now: int) -> None:
    """Note who has taken a handover over."""
    await db.run(update(t).where(t.c.id == number).values(taken_by=by, taken=now))


async def hold(db: Connection, override_ids: Sequence[int], holder: str) -> None:
    """Have overrides be held by somebody else, who may release them alone."""
    await db.run(update(override).where(among(override.c.id, override_ids)).values(holder=holder))
