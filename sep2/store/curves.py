"""DERCurves; a curve that is removed is listed no longer, and stays for as long as controls that linked to it may."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from sep2.rules.paging import Page
from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.page import Found, select_page
from sep2.store.tables import control, default_control
from sep2.store.tables import curve as c

_GROUP = c.c.device_group_id == bindparam("group_id")
_LISTED = select(c).where(_GROUP, c.c.removed.is_(None)).order_by(c.c.created.desc(), c.c.mrid.desc())
_LISTED_AFTER = _LISTED.where(c.c.created > bindparam("after"))
_IN_GROUP = select(c).where(_GROUP, c.c.id == bindparam("curve_id"))


async def add(db: Connection, **columns: Any) -> int:
    """The id of a new curve."""
    return await db.add(insert(c).values(columns))


async def listed(db: Connection, group_id: int, page: Page) -> Found[Row[Any]]:
    """The curves of one program, newest first."""
    if page.after is None:
        return await select_page(db, _LISTED, page, group_id=group_id)
    return await select_page(db, _LISTED_AFTER, page, group_id=group_id, after=page.after)


async def standing(db: Connection, group_id: int) -> Sequence[Row[Any]]:
    """All curves of one program."""
    return await db.all(_LISTED, group_id=group_id)


async def in_group(db: Connection, group_id: int, curve_id: int) -> Row[Any] | None:
    """A curve by its id, if it is of that program; also one that is removed, since a past control may link to it."""
    return await db.one(_IN_GROUP, group_id=group_id, curve_id=curve_id)


async def one(db: Connection, curve_id: int) -> Row[Any] | None:
    """A curve by its id."""
    return await db.one(select(c).where(c.c.id == curve_id))


async def mrids(db: Connection, ids: Sequence[int]) -> dict[int, str]:
    """The mRIDs of these curves, by id."""
    return {row.id: row.mrid for row in await db.all(select(c.c.id, c.c.mrid).where(among(c.c.id, ids)))}


async def remove(db: Connection, curve_id: int, now: int) -> None:
    """List a curve no longer."""
    await db.run(update(c).where(c.c.id == curve_id).values(removed=now))


async def modes_of_controls(db: Connection, group_id: int, now: int) -> Sequence[Row[Any]]:
    """The mRID and the modes of every control of a group that is not over and has modes beside its limits."""
    not_over = control.c.device_group_id == group_id, control.c.latest_end > now, control.c.modes != "{}"
    return await db.all(select(control.c.mrid, control.c.modes).where(*not_over).order_by(control.c.id))


async def modes_of_default(db: Connection, group_id: int) -> Row[Any] | None:
    """The modes of a group's default."""
    query = select(default_control.c.mrid, default_control.c.modes)
    return await db.one(query.where(default_control.c.device_group_id == group_id))
