"""How far an override has come at its devices."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, case, func, or_, select, update

from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.override_tables import override
from sep2.store.tables import connection, control, device_group, end_device, member, response

RECEIVED, STARTED = 1, 2
DECLINED = (4, 8, 10, 252, 253, 254)
"""Responses that say a device does not follow a control (2030.5 table 27)."""


def _first(*statuses: int) -> Any:
    said = case((among(response.c.status, statuses), response.c.received))
    return func.min(said)


async def reached(db: Connection, control_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """The devices that controls, and parts of them issued anew, are for.

    Columns: id, lfdi, connection_name, rating_w, limit_w, and when each was first received, started and declined.
    """
    answered = and_(response.c.control_id == control.c.id, response.c.end_device_id == end_device.c.id)
    query = (
        select(
            end_device.c.id,
            end_device.c.lfdi,
            connection.c.connection_id.label("connection_name"),
            func.coalesce(end_device.c.set_max_w, end_device.c.nameplate_w, 0).label("rating_w"),
            func.min(
                func.coalesce(
                    control.c.export_limit_w, control.c.gen_limit_w, control.c.load_limit_w, control.c.import_limit_w, 0
                )
            ).label("limit_w"),
            _first(RECEIVED, STARTED).label("received"),
            _first(STARTED).label("started"),
            _first(*DECLINED).label("declined"),
        )
        .join_from(control, device_group, device_group.c.id == control.c.device_group_id)
        .join(member, member.c.device_group_id == device_group.c.id)
        .join(end_device, end_device.c.id == member.c.end_device_id)
        .outerjoin(connection, connection.c.id == end_device.c.connection_id)
        .outerjoin(response, answered)
        .where(or_(among(control.c.id, control_ids), among(control.c.continues, control_ids)))
        .group_by(end_device.c.id, end_device.c.lfdi, connection.c.connection_id, end_device.c.set_max_w,
                  end_device.c.nameplate_w)
        .order_by(end_device.c.id)
    )  # fmt: skip
    return await db.all(query)


async def note(db: Connection, override_id: int, **columns: Any) -> None:
    """Change columns of an override: who agreed, who has to look at it, the report of a drill."""
    await db.run(update(override).where(override.c.id == override_id).values(columns))


async def unreviewed(db: Connection) -> Sequence[Row[Any]]:
    """Overrides that one person sent alone, and that nobody else has looked at since; the oldest first."""
    query = select(override).where(override.c.review_by.is_not(None), override.c.reviewed.is_(None))
    return await db.all(query.order_by(override.c.id))


async def drills_over(db: Connection, now: int) -> Sequence[Row[Any]]:
    """Drills that are over, and whose report is not kept yet."""
    query = select(override).where(
        among(override.c.kind, ("backstop", "drill")), override.c.report == "", override.c.end <= now
    )
    return await db.all(query.order_by(override.c.id).limit(20))


async def live(db: Connection, now: int) -> Sequence[Row[Any]]:
    """Overrides that are neither over nor released."""
    query = select(override).where(override.c.end > now, override.c.released.is_(None))
    return await db.all(query.order_by(override.c.id))
