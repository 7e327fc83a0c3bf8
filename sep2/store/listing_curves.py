"""What operators look up of curves."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, select

from sep2.rules.cursor import Keyset
from sep2.rules.names import key_of
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.listing_register import MOST_CANDIDATES
from sep2.store.tables import curve, device_group, member


async def like(db: Connection, start: str) -> Sequence[Row[Any]]:
    """The first curves whose mRID begins so."""
    found = _named().where(curve.c.mrid.startswith(start, autoescape=True))
    return await db.all(found.order_by(curve.c.mrid).limit(MOST_CANDIDATES))


async def named(db: Connection, name: str) -> Row[Any] | None:
    """The curve of that name."""
    return await db.one(_named().where(curve.c.name_key == key_of(name)))


async def all_of(db: Connection, page: Keyset, *, group_id: int | None = None) -> Following:
    """Curves that are not removed, with the name of their group, newest first."""
    query = _named().where(curve.c.removed.is_(None)).order_by(curve.c.created.desc(), curve.c.mrid.desc())
    if group_id is not None:
        query = query.where(curve.c.device_group_id == group_id)
    return await select_following(db, query, page)


async def over(db: Connection, device_id: int) -> dict[int, str]:
    """The mRIDs of all curves of a device's programs, by their ids; also of those that are removed."""
    query = select(curve.c.id, curve.c.mrid).join(member, member.c.device_group_id == curve.c.device_group_id)
    return {row.id: row.mrid for row in await db.all(query.where(member.c.end_device_id == device_id))}


def _named() -> Select[Any]:
    return select(curve, device_group.c.name.label("group_name")).join_from(curve, device_group)
