"""How many connections hold limits, and of whom."""

from sqlalchemy import func, select

from sep2.store.connection import Connection
from sep2.store.controls import IS_ACTIVE
from sep2.store.tables import connection, control, device_group, end_device, member


async def by_role(db: Connection, now: int) -> dict[str, int]:
    """Connections by the role of the most important program whose control is active at one of their devices."""
    active = (
        select(
            end_device.c.connection_id.label("place"),
            device_group.c.role,
            func.row_number()
            .over(partition_by=end_device.c.connection_id, order_by=device_group.c.primacy)
            .label("rank"),
        )
        .join_from(control, device_group, device_group.c.id == control.c.device_group_id)
        .join(member, member.c.device_group_id == device_group.c.id)
        .join(end_device, end_device.c.id == member.c.end_device_id)
        .where(end_device.c.connection_id.is_not(None), IS_ACTIVE[False])
        .subquery()
    )
    query = select(active.c.role, func.count().label("n")).where(active.c.rank == 1).group_by(active.c.role)
    return {row.role: row.n for row in await db.all(query, now=now)}


async def places(db: Connection) -> tuple[int, int]:
    """How many connections there are, and at how many of them is a device."""
    everywhere = select(func.count()).select_from(connection).scalar_subquery().label("everywhere")
    reached = select(func.count(end_device.c.connection_id.distinct())).scalar_subquery().label("reached")
    row = await db.one(select(everywhere, reached))
    return (row.everywhere, row.reached) if row else (0, 0)
