"""DERControls, as facts; rows stay when a control is cancelled, superseded or over."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, exists, func, insert, or_, select, update

from sep2.rules.paging import Page
from sep2.store.connection import Connection
from sep2.store.page import Found, select_page
from sep2.store.tables import control, device_group, end_device, member, response


class Seen(NamedTuple):
    """Whose eyes a control is seen with, and when: CSIP-AUS shows scheduled ones as superseded at once."""

    now: int
    superseded_at_once: bool = True


def is_active(seen: Seen) -> tuple[ColumnElement[bool], ...]:
    """What makes a control one of the active list, as `rules.events.status` decides it."""
    c = control.c
    conditions = [
        c.latest_end > seen.now,
        c.earliest_start <= seen.now,
        c.cancelled.is_(None),
        or_(c.successor_start.is_(None), c.successor_start > seen.now),
    ]
    if seen.superseded_at_once:
        conditions.append(or_(c.successor_created.is_(None), c.successor_created >= c.earliest_start))
    return tuple(conditions)


def _in_order(query: Select[Any]) -> Select[Any]:
    return query.order_by(control.c.start, control.c.created.desc(), control.c.mrid.desc())


_LIVE = _in_order(
    select(control).where(control.c.device_group_id == bindparam("group_id"), control.c.latest_end > bindparam("now"))
)
_LIVE_AFTER = _LIVE.where(control.c.start > bindparam("after"))


async def live(db: Connection, group_id: int, page: Page, now: int) -> Found:
    """Controls of one program whose interval has not passed, earliest first."""
    if page.after is None:
        return await select_page(db, _LIVE, page, group_id=group_id, now=now)
    return await select_page(db, _LIVE_AFTER, page, group_id=group_id, now=now, after=page.after)


async def active(db: Connection, group_id: int, page: Page, seen: Seen) -> Found:
    """Controls of one program that hold now."""
    query = select(control).where(control.c.device_group_id == group_id, *is_active(seen))
    return await select_page(db, _in_order(query), page)


async def one(db: Connection, control_id: int) -> Row[Any] | None:
    """A control by its id."""
    return await db.one(select(control).where(control.c.id == control_id))


async def in_group(db: Connection, group_id: int, control_id: int) -> Row[Any] | None:
    """A control by its id, if it is of that program."""
    return await db.one(select(control).where(control.c.id == control_id, control.c.device_group_id == group_id))


async def by_mrid(db: Connection, mrid: str) -> Row[Any] | None:
    """A control by its mRID."""
    return await db.one(select(control).where(control.c.mrid == mrid))


async def standing(db: Connection, group_id: int, now: int) -> Sequence[Row[Any]]:
    """Controls of one program that are not over, cancelled or superseded: what a new one has to reckon with."""
    query = select(control).where(
        control.c.device_group_id == group_id,
        control.c.latest_end > now,
        control.c.cancelled.is_(None),
        or_(control.c.successor_start.is_(None), control.c.successor_start > now),
    )
    return await db.all(_in_order(query))


async def add(db: Connection, columns: Sequence[dict[str, Any]]) -> list[int]:
    """The ids of new controls."""
    return [await db.add(insert(control).values(row)) for row in columns]


async def update_many(db: Connection, ids: Sequence[int], **columns: Any) -> None:
    """Change the same columns of several controls."""
    await db.run(update(control).where(control.c.id.in_(ids)).values(columns))


async def addressed_to(db: Connection, mrid: str, device_id: int) -> int | None:
    """The id of the control with that mRID, if the device is in its group or answered it while it was."""
    belongs = exists().where(member.c.device_group_id == control.c.device_group_id, member.c.end_device_id == device_id)
    answered = exists().where(response.c.control_id == control.c.id, response.c.end_device_id == device_id)
    found = await db.one(select(control.c.id).where(control.c.mrid == mrid, or_(belongs, answered)))
    return found.id if found else None


async def turning(db: Connection, after: int, until: int) -> Sequence[int]:
    """The groups of which a control began, gave way or ended in (after, until]."""
    c = control.c
    turns = [and_(when > after, when <= until) for when in (c.earliest_start, c.latest_end, c.successor_start)]
    return [row[0] for row in await db.all(select(c.device_group_id).where(or_(*turns)).distinct())]


async def next_turn(db: Connection, after: int) -> int | None:
    """The next time at which a control begins, gives way or ends."""
    times = [control.c.earliest_start, control.c.latest_end, control.c.successor_start]
    soonest = [select(func.min(when)).where(when > after).scalar_subquery() for when in times]
    row = await db.one(select(*soonest))
    return min((at for at in row or () if at is not None), default=None)


async def ahead_per_device(db: Connection, group_id: int, now: int) -> int:
    """The most controls that any one device of the group still has to hold."""
    of_group = select(member.c.end_device_id).where(member.c.device_group_id == group_id)
    query = (
        select(func.count().label("n"))
        .select_from(member)
        .join(control, control.c.device_group_id == member.c.device_group_id)
        .where(member.c.end_device_id.in_(of_group), control.c.latest_end > now, control.c.cancelled.is_(None))
        .where(control.c.successor_created.is_(None))
        .group_by(member.c.end_device_id)
    )
    return max((row.n for row in await db.all(query)), default=0)


async def all_of(db: Connection, page: Page, *, group_id: int | None = None, live_at: int | None = None) -> Found:
    """Controls for the operator, with the name of their group."""
    query = select(control, device_group.c.name.label("group_name")).join_from(control, device_group)
    if group_id is not None:
        query = query.where(control.c.device_group_id == group_id)
    if live_at is not None:
        query = query.where(control.c.latest_end > live_at)
    return await select_page(db, _in_order(query), page)


async def targets(db: Connection, control_id: int) -> Sequence[Row[Any]]:
    """The devices that a control is published to: id and LFDI."""
    query = (
        select(end_device.c.id, end_device.c.lfdi)
        .join(member, member.c.end_device_id == end_device.c.id)
        .join(control, control.c.device_group_id == member.c.device_group_id)
    )
    return await db.all(query.where(control.c.id == control_id).order_by(end_device.c.id))
