"""The programs of backstops: which there are, and the devices in them."""

from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, func, insert, or_, select

from sep2.rules.authority import Role
from sep2.store import marks
from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.override_tables import override
from sep2.store.tables import client, connection, device_group, end_device, member, setting
from sep2.store.territory import below

MARK = "backstop:"
_OBEYS = or_(client.c.kind != "aggregator", client.c.lfdi != end_device.c.lfdi), client.c.removed.is_(None)
_ALL = (
    select(bindparam("group_id", type_=BigInteger), end_device.c.id, bindparam("now", type_=BigInteger))
    .join_from(end_device, client, client.c.id == end_device.c.client_id)
    .where(*_OBEYS)
)
_BELOW = _ALL.where(
    end_device.c.connection_id.in_(
        select(connection.c.id).where(connection.c.place_id.in_(select(below(bindparam("place_id")).c.id)))
    )
)
_INTO = ["device_group_id", "end_device_id", "since"]
_FILL = insert(member).from_select(_INTO, _ALL)
_FILL_BELOW = insert(member).from_select(_INTO, _BELOW)
_ONE = (
    select(end_device.c.id)
    .join_from(end_device, client, client.c.id == end_device.c.client_id)
    .where(end_device.c.id == bindparam("device_id"), *_OBEYS)
)
_IN = (
    select(member.c.device_group_id)
    .join_from(member, device_group, device_group.c.id == member.c.device_group_id)
    .where(member.c.end_device_id == bindparam("device_id"), device_group.c.role == Role.BACKSTOP)
)


async def programs(db: Connection) -> dict[int, int]:
    """The group of each backstop by the number of its place; 0 is the system."""
    return {int(key): int(group_id) for key, group_id in (await marks.starting_with(db, MARK)).items()}


async def note(db: Connection, key: int, group_id: int) -> None:
    """Note the group of a backstop."""
    await marks.put(db, f"{MARK}{key}", str(group_id))


async def drop(db: Connection, key: int) -> None:
    """Forget which group was a backstop's."""
    await db.run(delete(setting).where(setting.c.name == f"{MARK}{key}"))


async def fill(db: Connection, group_id: int, place_id: int | None, now: int) -> None:
    """Put every device that obeys into the group: of the system, or of what lies below a place."""
    said: dict[str, Any] = {"group_id": group_id, "now": now}
    if place_id is None:
        await db.run(_FILL, said)
    else:
        await db.run(_FILL_BELOW, said | {"place_id": place_id})


async def obeys(db: Connection, device_id: int) -> bool:
    """Whether a device obeys controls, and does not stand for an aggregator."""
    return await db.one(_ONE, device_id=device_id) is not None


async def groups_of(db: Connection, device_id: int) -> set[int]:
    """The backstops' programs that a device is in."""
    return {row.device_group_id for row in await db.all(_IN, device_id=device_id)}


async def count(db: Connection, group_id: int) -> int:
    """How many devices are in a group."""
    row = await db.one(select(func.count().label("n")).where(member.c.device_group_id == group_id))
    return row.n if row else 0


async def running(db: Connection, scope: str, subject: str, now: int) -> list[int]:
    """The backstops and drills of a scope that hold, by their numbers."""
    mine = override.c.scope == scope, override.c.subject == subject, among(override.c.kind, ("backstop", "drill"))
    query = select(override.c.id).where(*mine, override.c.end > now, override.c.released.is_(None))
    return [row.id for row in await db.all(query.order_by(override.c.id))]


async def last_drill(db: Connection, scope: str, subject: str) -> int | None:
    """When the backstop of a scope was rehearsed last, epoch seconds."""
    mine = override.c.scope == scope, override.c.subject == subject, override.c.kind == "drill"
    row = await db.one(select(func.max(override.c.created).label("at")).where(*mine))
    return row.at if row else None
