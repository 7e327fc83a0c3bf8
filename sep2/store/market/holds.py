"""Overrides and backstops that hold where component DERs are."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, exists, or_, select

from sep2.rules.authority import LOOSENING
from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.override_tables import override, override_control
from sep2.store.tables import connection, control, device_group, end_device, member

_SAID = (
    *("id", "kind", "start", "end", "released", "shares", "modes"),
    *("import_limit_w", "export_limit_w", "gen_limit_w", "load_limit_w"),
)


async def over(
    db: Connection, names: Collection[str], lfdis: Collection[str], *, span: tuple[int, int], at: int | None = None
) -> Sequence[Row[Any]]:
    """Overrides that hold in a part of [start, end) for devices at these connections, or for these devices.

    Each has `connection_name`, `lfdi`, `holds_net_limit`, and `at_connection` and `at_device`, the numbers of where it
    was sent. at: as it was known then. What loosens limits is left out.
    """
    o, there = override, or_(among(connection.c.connection_id, list(names)), among(end_device.c.lfdi, list(lfdis)))
    part = control.alias()
    # It may have been withdrawn from this place alone; what of it was issued anew names what it continues.
    is_part = or_(part.c.id == control.c.id, part.c.continues == control.c.id)
    stands = exists().where(
        is_part, or_(part.c.cancelled.is_(None), part.c.cancelled > (span[0] if at is None else at))
    )
    query = (
        select(
            *(o.c[name] for name in _SAID),
            connection.c.connection_id.label("connection_name"),
            end_device.c.lfdi,
            end_device.c.holds_net_limit,
            device_group.c.connection_id.label("at_connection"),
            device_group.c.end_device_id.label("at_device"),
        )
        .distinct()
        .join_from(end_device, member, member.c.end_device_id == end_device.c.id)
        .join(device_group, device_group.c.id == member.c.device_group_id)
        .join(control, control.c.device_group_id == device_group.c.id)
        .join(override_control, override_control.c.control_id == control.c.id)
        .join(o, o.c.id == override_control.c.override_id)
        .outerjoin(connection, connection.c.id == end_device.c.connection_id)
        .where(there, o.c.start < span[1], o.c.end > span[0], control.c.latest_end > span[0], o.c.kind != LOOSENING)
        .where(stands)
    )
    if at is None:
        query = query.where(or_(o.c.released.is_(None), o.c.released > span[0]))
    else:
        query = query.where(o.c.created <= at)
    return await db.all(query.order_by(o.c.id))
