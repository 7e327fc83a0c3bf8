"""Power that meters have posted and that cannot be there."""

from typing import Any

from sqlalchemy import Float, bindparam, case, cast, func, select

from sep2.rules.readings import DER
from sep2.store.connection import Connection
from sep2.store.tables import client, connection, end_device, mirror_meter_reading, mirror_usage_point, reading

WATTS = 38
"""UomType of power."""
TIMES_RATING = 2
LEAST_SITE_W = 50_000
"""What any service connection may carry: a site's meter sees loads as well, of which no rating is known."""


def _greatest(*columns: Any) -> Any:
    """The greatest of some columns; what is NULL counts as 0."""
    found: Any = func.coalesce(columns[0], 0)
    for column in columns[1:]:
        found = case((func.coalesce(column, 0) > found, column), else_=found)
    return found


_FACTOR = case({power: 10.0**power for power in range(-9, 10)}, value=mirror_meter_reading.c.multiplier, else_=0.0)
_POWER_W = cast(func.abs(reading.c.value), Float) * _FACTOR
_RATING_W = _greatest(end_device.c.set_max_w, end_device.c.nameplate_w)
_SITE_W = _greatest(
    end_device.c.set_max_w, end_device.c.nameplate_w, connection.c.firm_import_w, connection.c.firm_export_w
)
_IS_DER = mirror_usage_point.c.role_flags.op("&")(DER) != 0
_MOST_W = case((_IS_DER, TIMES_RATING * _RATING_W), (TIMES_RATING * _SITE_W > LEAST_SITE_W, TIMES_RATING * _SITE_W))
_BEYOND = (
    select(
        client.c.lfdi.label("client_lfdi"),
        end_device.c.lfdi,
        func.max(_POWER_W).label("power_w"),
    )
    .join_from(mirror_meter_reading, reading, reading.c.mirror_meter_reading_id == mirror_meter_reading.c.id)
    .join(mirror_usage_point, mirror_usage_point.c.id == mirror_meter_reading.c.mirror_usage_point_id)
    .join(end_device, end_device.c.id == mirror_usage_point.c.end_device_id)
    .join(client, client.c.id == end_device.c.client_id)
    .outerjoin(connection, connection.c.id == end_device.c.connection_id)
    .where(
        mirror_meter_reading.c.uom == WATTS,
        mirror_meter_reading.c.latest_start >= bindparam("since"),
        reading.c.start >= bindparam("since"),
        func.coalesce(case((_MOST_W > 0, _MOST_W)), case((_IS_DER, 1e300), else_=LEAST_SITE_W)) < _POWER_W,
    )
    .group_by(client.c.lfdi, end_device.c.lfdi)
    .order_by(client.c.lfdi, end_device.c.lfdi)
    .limit(bindparam("most"))
)


async def beyond_ratings(db: Connection, since: int, most: int) -> list[tuple[str, str, float]]:
    """Devices of which power was posted, of a time since then, that is beyond all reason: client's LFDI, LFDI, watts.

    A DER that has reported no rating can not be judged.
    """
    rows = await db.all(_BEYOND, since=since, most=most)
    return [(row.client_lfdi, row.lfdi, row.power_w) for row in rows]
