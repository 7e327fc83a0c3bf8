"""What comparing devices with the modes that they were sent needs to know of them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Row, bindparam, or_, select

from sep2.store.connection import Connection
from sep2.store.judged import MEANS
from sep2.store.many import among
from sep2.store.tables import (
    control,
    curve,
    default_control,
    der_document,
    member,
    mirror_meter_reading,
    mirror_usage_point,
    reading,
)

VOLT, WATT, VAR = 29, 38, 63
"""UomType."""
_THESE: Any = bindparam("these")
_SINCE, _UNTIL = bindparam("since", type_=BigInteger), bindparam("until", type_=BigInteger)
_SAID = or_(default_control.c.modes != "{}", control.c.id.is_not(None))
_WITH_MODES = (
    select(member.c.end_device_id)
    .join(default_control, default_control.c.device_group_id == member.c.device_group_id)
    .outerjoin(
        control,
        (control.c.device_group_id == member.c.device_group_id)
        & (control.c.modes != "{}")
        & (control.c.latest_end > _SINCE)
        & (control.c.earliest_start < _UNTIL),
    )
    .where(_SAID, member.c.end_device_id > bindparam("after", type_=BigInteger))
    .distinct()
    .order_by(member.c.end_device_id)
    .limit(bindparam("most"))
)


async def with_modes(db: Connection, after: int, most: int, span: tuple[int, int]) -> list[int]:
    """The numbers of devices that a default or a control of a time says modes to, from the one after a number on."""
    rows = await db.all(_WITH_MODES, after=after, most=most, since=span[0], until=span[1])
    return [row.end_device_id for row in rows]


_MEANS = (
    select(
        mirror_usage_point.c.end_device_id,
        *(mirror_usage_point.c[name] for name in ("role_flags", "reading_sign")),
        *(mirror_meter_reading.c[name] for name in ("multiplier", "flow_direction", "phase", "interval_s", "uom")),
        *(reading.c[name] for name in ("start", "duration", "value", "received", "reading_set_id")),
    )
    .join_from(mirror_usage_point, mirror_meter_reading)
    .join(reading, reading.c.mirror_meter_reading_id == mirror_meter_reading.c.id)
    .where(
        among(mirror_usage_point.c.end_device_id, _THESE),
        among(mirror_meter_reading.c.uom, (VOLT, WATT, VAR)),
        among(mirror_meter_reading.c.data_qualifier, MEANS),
        reading.c.start >= _SINCE,
        reading.c.start < _UNTIL,
        reading.c.value.is_not(None),
    )
)


async def means(db: Connection, ids: Sequence[int], since: int, until: int) -> Sequence[Row[Any]]:
    """Means of voltage, power and var that these devices posted, of readings that began in a time."""
    return await db.all(_MEANS, these=list(ids), since=since, until=until)


_SETTINGS = select(der_document.c.end_device_id, der_document.c.body).where(
    among(der_document.c.end_device_id, _THESE), der_document.c.kind == "DERSettings"
)


async def settings(db: Connection, ids: Sequence[int]) -> dict[int, bytes]:
    """The DERSettings of these devices."""
    return {row.end_device_id: bytes(row.body) for row in await db.all(_SETTINGS, these=list(ids))}


_CURVES = select(*(curve.c[n] for n in ("id", "points", "x_multiplier", "y_multiplier", "y_ref", "v_ref")))
_CURVES = _CURVES.add_columns(curve.c.autonomous_v_ref).where(among(curve.c.id, _THESE))


async def curves(db: Connection, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """These curves by their numbers."""
    return {row.id: row for row in await db.all(_CURVES, these=list(ids))} if ids else {}
