"""Whether the causes of standing alarms go on: controls that are not over, and modes that are still sent."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, exists, func, or_, select

from sep2.rules.limits import MODES
from sep2.store.connection import Connection
from sep2.store.controls import GOES_ON
from sep2.store.many import among
from sep2.store.seen_tables import client_seen
from sep2.store.tables import (
    client,
    control,
    default_control,
    end_device,
    member,
    mirror_meter_reading,
    mirror_usage_point,
    reading,
)

SIGNED = (38, 72)
"""UomType of W and Wh."""
EQUIPMENT = ("modes_supported", "doe_modes_supported", "load_control_w")
_LIMITS = dict(zip(MODES, ("import_limit_w", "export_limit_w", "gen_limit_w", "load_limit_w"), strict=True))


async def going_on(db: Connection, mrids: Sequence[str], now: int) -> set[str]:
    """Those of some controls that are neither over nor cancelled nor superseded."""
    query = select(control.c.mrid).where(among(control.c.mrid, mrids), *GOES_ON)
    return {row.mrid for row in await db.all(query, now=now)}


async def over_since(db: Connection, mrids: Sequence[str], at: int) -> set[str]:
    """Those of some controls that were over before a time, or are not known any more."""
    later = select(control.c.mrid).where(among(control.c.mrid, mrids), control.c.latest_end >= at)
    return set(mrids) - {row.mrid for row in await db.all(later)}


async def last_requests(db: Connection, lfdis: Sequence[str]) -> dict[str, int]:
    """When clients asked for something last, by their current LFDIs."""
    latest = func.max(client_seen.c.last_request).label("latest")
    query = select(client.c.lfdi, latest).join_from(client, client_seen).where(among(client.c.lfdi, lfdis))
    rows = await db.all(query.group_by(client.c.lfdi))
    return {row.lfdi: row.latest for row in rows if row.latest is not None}


async def unproven(db: Connection, before: int, most: int) -> Sequence[Row[Any]]:
    """Meters of power or energy whose sign nobody has proven, and which metered before a time: client_lfdi and lfdi."""
    old = exists().where(reading.c.mirror_meter_reading_id == mirror_meter_reading.c.id, reading.c.start < before)
    query = (
        select(client.c.lfdi.label("client_lfdi"), end_device.c.lfdi)
        .distinct()
        .join_from(mirror_usage_point, mirror_meter_reading)
        .join(end_device, end_device.c.id == mirror_usage_point.c.end_device_id)
        .join(client, client.c.id == end_device.c.client_id)
        .where(
            mirror_usage_point.c.reading_sign == "unproven",
            or_(*(mirror_meter_reading.c.uom == uom for uom in SIGNED)),
            old,
        )
    )
    return await db.all(query.order_by(client.c.lfdi, end_device.c.lfdi).limit(most))


async def sent_to(db: Connection, lfdi: str, mode: str, now: int) -> Sequence[Row[Any]]:
    """What differs in what they can carry among the devices of a client that are sent a mode, now or later on.

    Columns: profile, modes_supported, doe_modes_supported, load_control_w, and whether it is sent `by_default`.
    """
    groups = [
        select(control.c.device_group_id).where(*GOES_ON, _says(control.c, mode)),
        select(default_control.c.device_group_id).where(_says(default_control.c, mode)),
    ]
    query = (
        select(
            client.c.profile,
            *(end_device.c[name] for name in EQUIPMENT),
            member.c.device_group_id.in_(groups[1]).label("by_default"),
        )
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
