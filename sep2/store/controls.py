"""DERControls, as facts; rows stay when a control is cancelled, superseded or over."""

from collections.abc import Collection, Sequence
from enum import Enum
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from sep2.rules.paging import Page
from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.page import Found, select_page
from sep2.store.tables import control as c
from sep2.store.tables import device_group, member, response
from sep2.store.tables_served import control_edition


class Part(Enum):
    """Which controls of a program a list shows."""

    ALL = "all of them"
    LOAD = "those that bound import or load"
    REST = "those that say anything else"


class Seen(NamedTuple):
    """Whose eyes a control is seen with, and when: CSIP-AUS shows scheduled ones as superseded at once."""

    now: int
    superseded_at_once: bool = True
    listed_after_end_s: int = 0
    """How long a control stays in its list after its latest end."""
    part: Part = Part.ALL

    @property
    def listed_since(self) -> int:
        """Controls that ended later are listed."""
        return self.now - self.listed_after_end_s


class Control(NamedTuple):
    """A stored control, column by column."""

    id: int
    device_group_id: int
    mrid: str
    description: str
    created: int
    start: int
    duration: int
    randomize_start: int | None
    randomize_duration: int | None
    earliest_start: int
    latest_end: int
    import_limit_w: int | None
    export_limit_w: int | None
    gen_limit_w: int | None
    load_limit_w: int | None
    modes: str
    ramp_tms: int | None
    device_category: int | None
    response_required: int
    source: str
    reason: str
    cancelled: int | None
    cancelled_as: int | None
    successor_created: int | None
    successor_start: int | None
    overlapped_since: int | None
    continues: int | None


WIDTH = len(Control._fields)
COLUMNS = tuple(c.c[name] for name in Control._fields)


def _controls(rows: Sequence[Row[Any]]) -> list[Control]:
    return [Control._make(row[:WIDTH]) for row in rows]


def _in_order(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(*COLUMNS).where(*conditions).order_by(c.c.start, c.c.created.desc(), c.c.mrid.desc())


_NOW: BindParameter[int] = bindparam("now")
_GROUP = c.c.device_group_id == bindparam("group_id")
_NOT_REPLACED = or_(c.c.successor_start.is_(None), c.c.successor_start > _NOW)
_NOT_REPLACED_BEFORE = or_(c.c.successor_created.is_(None), c.c.successor_created >= c.c.earliest_start)
GOES_ON = (c.c.latest_end > _NOW, c.c.cancelled.is_(None), _NOT_REPLACED)

IS_ACTIVE = {
    False: and_(*GOES_ON, c.c.earliest_start <= _NOW),
    True: and_(*GOES_ON, c.c.earliest_start <= _NOW, _NOT_REPLACED_BEFORE),
}
"""What makes a control one of the active list, as `rules.events.status` decides it, by `Seen.superseded_at_once`."""

_BOUNDS_LOAD = or_(c.c.import_limit_w.is_not(None), c.c.load_limit_w.is_not(None))
IN_PART: dict[Part, ColumnElement[bool]] = {
    Part.ALL: true(),
    Part.LOAD: _BOUNDS_LOAD,
    Part.REST: or_(~_BOUNDS_LOAD, c.c.export_limit_w.is_not(None), c.c.gen_limit_w.is_not(None), c.c.modes != "{}"),
}
"""What makes a control one of a list, by what the list shows."""

_LIVE = {part: _in_order(_GROUP, c.c.latest_end > _NOW, shown) for part, shown in IN_PART.items()}
_LIVE_AFTER = {part: query.where(c.c.start > bindparam("after")) for part, query in _LIVE.items()}
_ACTIVE = {
    (at_once, part): _in_order(_GROUP, active, shown)
    for at_once, active in IS_ACTIVE.items()
    for part, shown in IN_PART.items()
}
_STANDING = _in_order(_GROUP, *GOES_ON)
_ONE = select(*COLUMNS).where(c.c.id == bindparam("control_id"))
_IN_GROUP = _ONE.where(_GROUP)


async def live(db: Connection, group_id: int, page: Page, seen: Seen) -> Found[Control]:
    """Controls of one program that are listed, earliest first."""
    since = seen.listed_since
    if page.after is None:
        found = await select_page(db, _LIVE[seen.part], page, group_id=group_id, now=since)
    else:
        found = await select_page(db, _LIVE_AFTER[seen.part], page, group_id=group_id, now=since, after=page.after)
    return Found(found.total, _controls(found.rows))


async def active(db: Connection, group_id: int, page: Page, seen: Seen) -> Found[Control]:
    """Controls of one program that hold now."""
    found = await select_page(db, _ACTIVE[seen.superseded_at_once, seen.part], page, group_id=group_id, now=seen.now)
    return Found(found.total, _controls(found.rows))


async def one(db: Connection, control_id: int) -> Control | None:
    """A control by its id."""
    row = await db.one(_ONE, control_id=control_id)
    return None if row is None else Control._make(row)


_SEVERAL = select(*COLUMNS).where(among(c.c.id, bindparam("these")))


async def several(db: Connection, ids: Collection[int]) -> dict[int, Control]:
    """Controls by their ids."""
    return {one.id: one for one in _controls(await db.all(_SEVERAL, these=list(ids)))}


async def in_group(db: Connection, group_id: int, control_id: int) -> Control | None:
    """A control by its id, if it is of that program."""
    row = await db.one(_IN_GROUP, control_id=control_id, group_id=group_id)
    return None if row is None else Control._make(row)


async def standing(db: Connection, group_id: int, now: int) -> list[Control]:
    """Controls of one program that are not over, cancelled or superseded: what a new one has to reckon with."""
    return _controls(await db.all(_STANDING, group_id=group_id, now=now))


_LEFT = c.c.latest_end > _NOW, c.c.cancelled.is_(None)
_NOT_OVER = _in_order(_GROUP, *_LEFT)


async def not_over(db: Connection, group_id: int, now: int) -> list[Control]:
    """Controls of one program that are neither over nor cancelled; also those that were superseded."""
    return _controls(await db.all(_NOT_OVER, group_id=group_id, now=now))


_NOT_OVER_EACH = _in_order(among(c.c.device_group_id, bindparam("groups")), *_LEFT)


async def not_over_each(db: Connection, groups: Collection[int], now: int) -> dict[int, list[Control]]:
    """The same of several programs, by their ids; one of which there is nothing is left out."""
    found: dict[int, list[Control]] = {}
    for row in await db.all(_NOT_OVER_EACH, groups=list(groups), now=now) if groups else ():
        found.setdefault(row.device_group_id, []).append(Control._make(row))
    return found


_PARTS = _in_order(or_(among(c.c.id, bindparam("roots")), among(c.c.continues, bindparam("roots"))), *_LEFT)


async def parts_of(db: Connection, roots: Sequence[int], now: int) -> list[Control]:
    """Controls and the parts of them that were issued anew, as far as they are neither over nor cancelled."""
    return _controls(await db.all(_PARTS, roots=list(roots), now=now))


_IN = member.alias()
_BESIDE = member.alias()
_AROUND = (
    select(_IN.c.device_group_id.label("around"), _BESIDE.c.end_device_id, _BESIDE.c.device_group_id)
    .add_columns(device_group.c.primacy)
    .join_from(_IN, _BESIDE, _BESIDE.c.end_device_id == _IN.c.end_device_id)
    .join(device_group, device_group.c.id == _BESIDE.c.device_group_id)
    .where(among(_IN.c.device_group_id, bindparam("groups")))
)
_GROUPS_AROUND = (
    select(_BESIDE.c.device_group_id)
    .join_from(_IN, _BESIDE, _BESIDE.c.end_device_id == _IN.c.end_device_id)
    .where(_IN.c.device_group_id == bindparam("group_id"))
)
_STANDING_AROUND = _in_order(
    c.c.device_group_id.in_(_GROUPS_AROUND), *GOES_ON, c.c.earliest_start <= bindparam("until")
)


async def programs_around(db: Connection, groups: Sequence[int]) -> Sequence[Row[Any]]:
    """All programs of each device of several groups: around (the group), end_device_id, device_group_id, primacy."""
    return await db.all(_AROUND, groups=groups)


async def standing_around(db: Connection, group_id: int, now: int, until: int) -> list[Control]:
    """What stands in any program of a group's devices, and begins before `until`."""
    return _controls(await db.all(_STANDING_AROUND, group_id=group_id, now=now, until=until))


_STANDING_FOR = _in_order(
    c.c.device_group_id.in_(select(member.c.device_group_id).where(member.c.end_device_id == bindparam("device_id"))),
    *GOES_ON,
)


async def standing_for(db: Connection, device_id: int, now: int) -> list[Control]:
    """What stands in any program of a device."""
    return _controls(await db.all(_STANDING_FOR, device_id=device_id, now=now))


_STANDING_FOR_EACH = (
    select(*COLUMNS, member.c.end_device_id)
    .join_from(member, c, c.c.device_group_id == member.c.device_group_id)
    .where(among(member.c.end_device_id, bindparam("devices")), *GOES_ON)
    .order_by(c.c.start, c.c.created.desc(), c.c.mrid.desc())
)


async def standing_for_each(db: Connection, device_ids: Sequence[int], now: int) -> dict[int, list[Control]]:
    """The same of several devices, by their ids."""
    found: dict[int, list[Control]] = {}
    for row in await db.all(_STANDING_FOR_EACH, devices=list(device_ids), now=now) if device_ids else ():
        found.setdefault(row.end_device_id, []).append(Control._make(row[:WIDTH]))
    return found


async def latest_created_of(db: Connection, groups: Sequence[int], now: int) -> int:
    """The latest creationTime of several programs' controls that are not over; 0 where there are none."""
    return max((await latest_created_each(db, groups, now)).values(), default=0)


_LATEST_EACH = (
    select(c.c.device_group_id, func.max(c.c.created).label("latest"))
    .where(among(c.c.device_group_id, bindparam("groups")), c.c.latest_end > _NOW)
    .group_by(c.c.device_group_id)
)


async def latest_created_each(db: Connection, groups: Sequence[int], now: int) -> dict[int, int]:
    """The same of each program that has any, by its id."""
    return {row.device_group_id: row.latest for row in await db.all(_LATEST_EACH, groups=groups, now=now)}


ADDED_AT_ONCE = 500
"""Rows written in one statement: few enough for what waits for the event loop to have its turn in between."""
_ADD = insert(c)
_ADD_MANY = _ADD.returning(c.c.id, sort_by_parameter_order=True)


async def add(db: Connection, columns: Sequence[dict[str, Any]]) -> list[int]:
    """The ids of new controls, in their order; all have the same columns."""
    if len(columns) == 1:
        return [(await db.run(_ADD, columns[0])).inserted_id]
    return [row.id for part in _parts(columns) for row in await db.execute(_ADD_MANY, part)]


def _parts(columns: Sequence[dict[str, Any]]) -> list[Sequence[dict[str, Any]]]:
    return [columns[start : start + ADDED_AT_ONCE] for start in range(0, len(columns), ADDED_AT_ONCE)]


async def update_many(db: Connection, ids: Sequence[int], **columns: Any) -> None:
    """Change the same columns of several controls."""
    await db.run(_update(tuple(columns)), {"these": list(ids), **{f"new_{name}": columns[name] for name in columns}})


class Successor(NamedTuple):
    """From when on a control is superseded, and when that was said."""

    control_id: int
    created: int
    start: int


_SUPERSEDE = (
    update(c)
    .where(c.c.id == bindparam("control_id"))
    .values(successor_created=bindparam("said"), successor_start=bindparam("starts"))
)


async def supersede(db: Connection, several: Sequence[Successor]) -> None:
    """Note by what controls are superseded."""
    if several:
        rows = [{"control_id": one.control_id, "said": one.created, "starts": one.start} for one in several]
        await db.run(_SUPERSEDE, rows)


@cache
def _update(names: tuple[str, ...]) -> Update:
    """The statement that changes these columns; to build it anew each time would cost more than to run it."""
    given = {name: bindparam(f"new_{name}", type_=c.c[name].type) for name in names}
    return update(c).where(among(c.c.id, bindparam("these"))).values(given)


_BELONGS = exists().where(
    member.c.device_group_id == c.c.device_group_id, member.c.end_device_id == bindparam("device_id")
)
_ANSWERED = exists().where(response.c.control_id == c.c.id, response.c.end_device_id == bindparam("device_id"))
_EDITED = select(control_edition.c.control_id).where(
    control_edition.c.mrid == bindparam("mrid"), control_edition.c.end_device_id == bindparam("device_id")
)
_NAMED = or_(c.c.mrid == bindparam("mrid"), c.c.id == _EDITED.scalar_subquery())
ADDRESSED = select(c.c.id).where(_NAMED, or_(_BELONGS, _ANSWERED))
"""The id of the control with an `mrid`, if the device `device_id` is in its group or answered it while it was.

One that was issued anew to the device alone is known by that mRID, too.
"""


_OF_GROUP = select(member.c.end_device_id).where(member.c.device_group_id == bindparam("group_id"))
_AHEAD = (
    select(member.c.end_device_id, func.count().label("n"))
    .select_from(member)
    .join(c, c.c.device_group_id == member.c.device_group_id)
    .where(member.c.end_device_id.in_(_OF_GROUP), c.c.latest_end > _NOW, c.c.cancelled.is_(None))
    .where(c.c.successor_created.is_(None))
    .group_by(member.c.end_device_id)
)


async def ahead_per_device(db: Connection, group_id: int, now: int) -> dict[int, int]:
    """How many controls each device of the group still has to hold, in all its programs."""
    return {row.end_device_id: row.n for row in await db.all(_AHEAD, group_id=group_id, now=now)}


_RECENT = select(c.c.created).order_by(c.c.id.desc()).limit(1000).subquery()
_LATEST_CREATION = select(func.max(_RECENT.c.created).label("at"))


async def latest_creation(db: Connection) -> int:
    """The latest creationTime among the controls that were added last; 0 where there are none."""
    found = await db.one(_LATEST_CREATION)
    return int(found.at or 0) if found else 0
