"""What stands beside a published program at its own primacy."""

from collections.abc import Sequence

from sqlalchemy import bindparam, select

from sep2.store.connection import Connection
from sep2.store.controls import COLUMNS, GOES_ON, WIDTH, Control
from sep2.store.many import among
from sep2.store.tables import control, device_group, member

_OWN, _OF_OWN, _OTHER, _OF_OTHER = device_group.alias(), member.alias(), device_group.alias(), member.alias()
_NEWER = control.alias()
_RIVALS = (
    select(*COLUMNS, _OTHER.c.primacy)
    .distinct()
    .join_from(_OWN, _OF_OWN, _OF_OWN.c.device_group_id == _OWN.c.id)
    .join(_OF_OTHER, _OF_OTHER.c.end_device_id == _OF_OWN.c.end_device_id)
    .join(_OTHER, (_OTHER.c.id == _OF_OTHER.c.device_group_id) & (_OTHER.c.primacy == _OWN.c.primacy))
    .join(control, control.c.device_group_id == _OTHER.c.id)
    .join(_NEWER, (_NEWER.c.device_group_id == _OWN.c.id) & (_NEWER.c.created >= control.c.created))
    .where(among(_OWN.c.id, bindparam("groups")), _OTHER.c.id != _OWN.c.id, *GOES_ON)
    .where(_NEWER.c.cancelled.is_(None), _NEWER.c.latest_end > bindparam("now"))
    .where(_NEWER.c.earliest_start < control.c.latest_end, control.c.earliest_start < _NEWER.c.latest_end)
    .order_by(control.c.id)
)


async def rivals(db: Connection, groups: Sequence[int], now: int) -> list[tuple[Control, int]]:
    """What stands in other programs of the same primacy for a device of these groups, said before what stands in them.

    Each with the primacy; at the same time, whatever they ask for.
    """
    rows = await db.all(_RIVALS, groups=groups, now=now)
    return [(Control._make(row[:WIDTH]), row.primacy) for row in rows]
