"""How far the database has come, and the controls that were lost with what a copy of it does not hold."""

from sqlalchemy import bindparam, delete, func, insert, select, union_all, update

from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.restored_tables import database_age
from sep2.store.restored_tables import lost_control as t
from sep2.store.tables import connection, control, end_device
from sep2.store.tables_served import control_edition
from sep2.store.upsert import upsert

_AGE = select(database_age.c.count.label("n"))
_OLDER = update(database_age).values(count=database_age.c.count + 1)
_HEARD = upsert(t, ("mrid", "lfdi"), ("status", "last_heard"))
_KNOWN = union_all(
    select(control.c.id).where(control.c.mrid == bindparam("mrid")),
    select(control_edition.c.id).where(control_edition.c.mrid == bindparam("mrid")),
)
_COUNT = select(func.count().label("n")).select_from(t)


async def age(db: Connection) -> int:
    """How far the database has come; 0 for a new one."""
    row = await db.one(_AGE)
    return row.n if row else 0


async def grow_older(db: Connection) -> int:
    """Count one more; the count."""
    if not (await db.run(_OLDER)).rowcount:
        await db.run(insert(database_age).values(id=1, count=1))
    return await age(db)


async def set_age(db: Connection, count: int) -> None:
    """Have it count from here on."""
    await db.run(delete(database_age))
    await db.run(insert(database_age).values(id=1, count=count))


async def is_known(db: Connection, mrid: str) -> bool:
    """Whether there is a control of that mRID, or one that was issued anew under it, whoever it is for."""
    return bool(await db.all(_KNOWN, mrid=mrid))


async def heard_of(db: Connection, mrid: str, lfdi: str, *, status: int, now: int) -> None:
    """A device has answered to a control that is not known."""
    said = {"mrid": mrid, "lfdi": lfdi, "status": status, "first_heard": now, "last_heard": now}
    await db.run(_HEARD, said)


async def count_lost(db: Connection) -> int:
    """How many are known to be lost, by control and device."""
    row = await db.one(_COUNT)
    return row.n if row else 0


async def lost(db: Connection, page: Keyset) -> Following:
    """Each with the connection and the name of its device, if that is registered; the first heard of first."""
    query = select(t, end_device.c.name, connection.c.connection_id.label("connection_name"))
    query = query.outerjoin(end_device, end_device.c.lfdi == t.c.lfdi)
    query = query.outerjoin(connection, connection.c.id == end_device.c.connection_id)
    return await select_following(db, query.order_by(t.c.id), page)


async def forget_lost(db: Connection) -> None:
    """Forget them all."""
    await db.run(delete(t))
