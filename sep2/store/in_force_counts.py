"""How many connections hold limits, and of whom."""

from typing import Any

from sqlalchemy import Select, and_, bindparam, case, exists, func, select, union_all

from sep2.rules.authority import Role
from sep2.store.connection import Connection
from sep2.store.controls import GOES_ON, IS_ACTIVE
from sep2.store.tables import connection, control, device_group, end_device, member

_RANKS = {
    Role.OVERRIDE: 1,
    Role.WIDE_OVERRIDE: 2,
    Role.SCHEDULE: 3,
    Role.CONNECTION: 4,
    Role.DEVICE: 5,
    Role.GROUP: 6,
}
"""Which role counts where several have an active control at a connection: the least number."""
_RANK = case(_RANKS, value=device_group.c.role)
_ACTIVE = control.c.device_group_id == device_group.c.id
# With the sum, so that the index by ends is taken: few end from now on, and all of the past have begun.
_IS_ACTIVE = and_(*GOES_ON, control.c.earliest_start + 0 <= bindparam("now"))
_HERE = exists().where(end_device.c.connection_id == device_group.c.connection_id)


def _at_places() -> Any:
    """Each connection with the rank of an active program of its own, of a device, or of a group."""
    own = (
        select(device_group.c.connection_id.label("place"), _RANK.label("rank"))
        .join_from(control, device_group, _ACTIVE)
        .where(_IS_ACTIVE, device_group.c.connection_id.is_not(None), _HERE)
    )
    # Groups, and programs of a single device, are few: from these to their controls, and not the other way round.
    held = exists().where(_ACTIVE, IS_ACTIVE[False], control.c.latest_end + 0 > 0)
    of_device = (
        select(end_device.c.connection_id, _RANK)
        .join_from(device_group, end_device, end_device.c.id == device_group.c.end_device_id)
        .where(device_group.c.end_device_id > 0, end_device.c.connection_id + 0 > 0, held)
    )
    of_group = (
        select(end_device.c.connection_id, _RANK)
        .join_from(device_group, member, member.c.device_group_id == device_group.c.id)
        .join(end_device, end_device.c.id == member.c.end_device_id)
        .where(device_group.c.role == Role.GROUP, end_device.c.connection_id.is_not(None), held)
    )
    return union_all(own, of_device, of_group).subquery()


def _by_rank() -> Select[Any]:
    found = _at_places()
    least = select(func.min(found.c.rank).label("rank")).group_by(found.c.place).subquery()
    return select(least.c.rank, func.count().label("n")).group_by(least.c.rank)


_BY_RANK = _by_rank()


async def by_role(db: Connection, now: int) -> dict[str, int]:
    """Connections by the role of the most important program whose control is active at one of their devices."""
    roles = {rank: role for role, rank in _RANKS.items()}
    return {roles[row.rank]: row.n for row in await db.all(_BY_RANK, now=now)}


async def places(db: Connection) -> tuple[int, int]:
    """How many connections there are, and at how many of them is a device."""
    everywhere = select(func.count()).select_from(connection).scalar_subquery().label("everywhere")
    reached = select(func.count(end_device.c.connection_id.distinct())).scalar_subquery().label("reached")
    row = await db.one(select(everywhere, reached))
    return (row.everywhere, row.reached) if row else (0, 0)
