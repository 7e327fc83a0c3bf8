"""Values that change while the server runs: poll rates that the operator set, and the server's own marks."""

from functools import cache

from sqlalchemy import Select, bindparam, delete, or_, select

from sep2.store.connection import Connection
from sep2.store.tables import setting as t
from sep2.store.upsert import upsert

_VALUE = select(t.c.value).where(t.c.name == bindparam("wanted"))


async def value(db: Connection, name: str) -> str | None:
    """The value of that name, if there is one."""
    if name not in db.memo:
        found = await db.one(_VALUE, wanted=name)
        db.memo[name] = found.value if found else None
    value: str | None = db.memo[name]
    return value


_PUT = upsert(t, ["name"], ["value"])


async def put(db: Connection, name: str, value: str) -> None:
    """Set a value."""
    db.memo.clear()
    await db.run(_PUT, {"name": name, "value": value})


async def remove(db: Connection, name: str) -> None:
    """Forget a value, if there is one."""
    db.memo.clear()
    await db.run(delete(t).where(t.c.name == name))


async def starting_with(db: Connection, prefix: str) -> dict[str, str]:
    """All values whose name begins so, by the rest of their name."""
    if (prefix, "*") not in db.memo:
        rows = await db.all(_starting_with(prefix))
        db.memo[prefix, "*"] = {row.name.removeprefix(prefix): row.value for row in rows}
    return dict(db.memo[prefix, "*"])


async def one_and_starting_with(db: Connection, name: str, prefix: str) -> tuple[str | None, dict[str, str]]:
    """The value of a name, and all values whose name begins so, by the rest of their name; in one statement."""
    found = {row.name: row.value for row in await db.all(_one_and_starting_with(prefix), wanted=name)}
    one = found.pop(name, None)
    return one, {key.removeprefix(prefix): value for key, value in found.items()}


@cache
def _one_and_starting_with(prefix: str) -> Select[tuple[str, str]]:
    begins = t.c.name.startswith(prefix, autoescape=True)
    return select(t.c.name, t.c.value).where(or_(t.c.name == bindparam("wanted"), begins))


@cache
def _starting_with(prefix: str) -> Select[tuple[str, str]]:
    return select(t.c.name, t.c.value).where(t.c.name.startswith(prefix, autoescape=True))
