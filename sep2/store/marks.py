"""Values that change while the server runs: poll rates that the operator set, and the server's own marks."""

from functools import cache

from sqlalchemy import Select, bindparam, delete, insert, select, update

from sep2.store.connection import Connection
from sep2.store.tables import setting as t

_VALUE = select(t.c.value).where(t.c.name == bindparam("wanted"))


async def value(db: Connection, name: str) -> str | None:
    """The value of that name, if there is one."""
    found = await db.one(_VALUE, wanted=name)
    return found.value if found else None


async def put(db: Connection, name: str, value: str) -> None:
    """Set a value."""
    if not (await db.run(update(t).where(t.c.name == name).values(value=value))).rowcount:
        await db.run(insert(t).values(name=name, value=value))


async def remove(db: Connection, name: str) -> None:
    """Forget a value, if there is one."""
    await db.run(delete(t).where(t.c.name == name))


async def starting_with(db: Connection, prefix: str) -> dict[str, str]:
    """All values whose name begins so, by the rest of their name."""
    return {row.name.removeprefix(prefix): row.value for row in await db.all(_starting_with(prefix))}


@cache
def _starting_with(prefix: str) -> Select[tuple[str, str]]:
    return select(t.c.name, t.c.value).where(t.c.name.startswith(prefix, autoescape=True))
