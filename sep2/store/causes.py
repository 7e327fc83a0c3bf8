"""Whether the causes of standing alarms go on: controls that are not over, and modes that are still sent."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, or_, select

from sep2.rules.limits import MODES
from sep2.store.connection import Connection
from sep2.store.controls import GOES_ON
from sep2.store.many import among
from sep2.store.tables import client, control, default_control, end_device, member

_LIMITS = dict(zip(MODES, ("import_limit_w", "export_limit_w", "gen_limit_w", "load_limit_w"), strict=True))


async def going_on(db: Connection, mrids: Sequence[str], now: int) -> set[str]:
    """Those of some controls that are neither over nor cancelled nor superseded."""
    query = select(control.c.mrid).where(among(control.c.mrid, mrids), *GOES_ON)
    return {row.mrid for row in await db.all(query, now=now)}


async def sent_to(db: Connection, lfdi: str, mode: str, now: int) -> Sequence[Row[Any]]:
    """What differs in what they can carry among the devices of a client that are sent a mode, now or later on.

    Columns: profile, modes_supported and doe_modes_supported.
    """
    groups = [
        select(control.c.device_group_id).where(*GOES_ON, _says(control.c, mode)),
        select(default_control.c.device_group_id).where(_says(default_control.c, mode)),
    ]
    query = (
        select(client.c.profile, end_device.c.modes_supported, end_device.c.doe_modes_supported)
        .distinct()
        .join_from(client, end_device, end_device.c.client_id == client.c.id)
        .join(member, member.c.end_device_id == end_device.c.id)
        .where(client.c.lfdi == bindparam("lfdi"), or_(*(member.c.device_group_id.in_(one) for one in groups)))
    )
    return await db.all(query, lfdi=lfdi, now=now)


def _says(columns: Any, mode: str) -> ColumnElement[bool]:
    name = _LIMITS.get(mode)
    found: ColumnElement[bool] = (
        columns.modes.contains(f'"{mode}"', autoescape=True) if name is None else columns[name].is_not(None)
    )
    return found
