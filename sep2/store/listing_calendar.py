"""What operators have issued over a time, alike ones together, and how many envelopes begin in each hour."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, literal_column, or_, select

from sep2.rules.authority import Role
from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.override_tables import override
from sep2.store.tables import control, device_group

HOUR_S = 3600
_LIMITS = [control.c[f"{name}_limit_w"] for name in ("import", "export", "gen", "load")]


async def overrides(db: Connection, span: tuple[int, int], most: int) -> Sequence[Row[Any]]:
    """Overrides that touch a time, the earliest first."""
    ended = func.coalesce(override.c.released, override.c.end)
    query = select(override).where(
        override.c.end > span[0], override.c.start < span[1], ended > span[0], ended > override.c.start
    )
    return await db.all(query.order_by(override.c.start, override.c.id).limit(most))


async def issued(db: Connection, span: tuple[int, int], most: int) -> Sequence[Row[Any]]:
    """Controls of schedules and groups that touch a time; alike ones in one row, with how many and the first name."""
    alike = (
        device_group.c.role,
        control.c.earliest_start,
        control.c.latest_end,
        control.c.reason,
        control.c.source,
        *_LIMITS,
    )
    query = (
        select(
            *alike,
            func.count().label("n"),
            func.min(device_group.c.name).label("name"),
            func.min(control.c.mrid).label("mrid"),
        )
        .join_from(device_group, control, control.c.device_group_id == device_group.c.id)
        .where(
            # Not by the index of roles: each connection has a schedule's program, and few have anything in it.
            among(func.coalesce(device_group.c.role, ""), (Role.SCHEDULE, Role.GROUP)),
            # As the index says it that has these few controls, and none of the many of envelopes.
            control.c.source != literal_column("'envelope'"),
            control.c.latest_end > span[0],
            control.c.earliest_start + 0 < span[1],
            control.c.cancelled.is_(None),
            or_(control.c.successor_start.is_(None), control.c.successor_start > control.c.earliest_start),
        )
        .group_by(*alike)
    )
    return await db.all(query.order_by(control.c.earliest_start, control.c.latest_end).limit(most))


async def envelopes(db: Connection, span: tuple[int, int]) -> dict[int, int]:
    """How many controls of envelopes begin in each hour of a time, by the hour's beginning."""
    hour = (control.c.earliest_start - control.c.earliest_start % HOUR_S).label("hour")
    query = select(hour, func.count().label("n")).where(
        control.c.source == "envelope",
        control.c.earliest_start >= span[0],
        control.c.earliest_start < span[1],
        control.c.cancelled.is_(None),
    )
    return {row.hour: row.n for row in await db.all(query.group_by(hour))}
