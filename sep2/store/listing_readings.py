"""What operators look up of what was metered: series, their latest values, and readings over a time."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Row, Select, and_, bindparam, exists, func, or_, select, tuple_

from sep2.store.chosen import chosen
from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.tables import (
    client,
    connection,
    end_device,
    mirror_meter_reading,
    mirror_usage_point,
    reading,
)

r, s, p = reading, mirror_meter_reading, mirror_usage_point


class Of(NamedTuple):
    """Whose readings: all that are given must fit; quantities by UomType."""

    connection_id: int | None = None
    device_id: int | None = None
    client_id: int | None = None
    group_id: int | None = None
    place_id: int | None = None
    """of the place and of all places below it"""
    uoms: Sequence[int] | None = None
    site_only: bool = False
    """only of meters that see the whole connection"""


class Key(NamedTuple):
    """The place of a reading in the order of its series: what comes after it is the next page."""

    start: int
    duration: int
    local_id: int
    block: int
    tier: int


BEFORE_ALL = Key(-1, -1, -1, -2, -2)
REACHES_S = 86_400
"""How long before a time readings are looked for that reach into it."""
_KEY = [r.c.mirror_meter_reading_id, r.c.start, r.c.duration, r.c.local_id, r.c.consumption_block, r.c.tou_tier]


def _series(of: Of) -> Select[Any]:
    query = (
        select(
            s.c.id.label("series_id"),
            s.c.description,
            *(s.c[name] for name in ("uom", "multiplier", "flow_direction", "phase", "data_qualifier", "interval_s")),
            s.c.latest_start,
            p.c.id.label("mirror_id"),
            p.c.role_flags,
            p.c.reading_sign,
            end_device.c.lfdi,
            client.c.name.label("client_name"),
            connection.c.connection_id.label("connection_name"),
        )
        .join_from(s, p)
        .join(end_device, end_device.c.id == p.c.end_device_id)
        .join(client, client.c.id == end_device.c.client_id)
        .outerjoin(connection, connection.c.id == end_device.c.connection_id)
    )
    return query.where(*_conditions(of))


def _conditions(of: Of) -> list[ColumnElement[bool]]:
    pairs = (
        (end_device.c.connection_id, of.connection_id),
        (end_device.c.id, of.device_id),
        (end_device.c.client_id, of.client_id),
    )
    found = chosen(pairs, end_device.c.id, group_id=of.group_id, place_id=of.place_id)
    if of.uoms is not None:
        found.append(among(s.c.uom, of.uoms))
    if of.site_only:
        found.append(p.c.role_flags.bitwise_and(1 << 1) != 0)
    return found


async def series(db: Connection, of: Of, *, after: int = 0, limit: int = 1000) -> Sequence[Row[Any]]:
    """Series in the order of their numbers, from the one after `after` on."""
    query = _series(of).where(s.c.id > after).order_by(s.c.id)
    return await db.all(query.limit(limit))


async def latest(db: Connection, of: Of, *, after: int = 0, limit: int = 1000) -> Sequence[Row[Any]]:
    """Series, each with the reading that came in last: start, duration, value, quality, received; None without any."""
    found = _series(of).where(s.c.id > after).order_by(s.c.id).limit(limit).subquery()
    last = (
        select(
            *(r.c[name] for name in ("mirror_meter_reading_id", "start", "duration", "value", "quality", "received")),
            func.row_number()
            .over(partition_by=r.c.mirror_meter_reading_id, order_by=(r.c.received.desc(), r.c.local_id.desc()))
            .label("place"),
        )
        .join_from(found, r, and_(r.c.mirror_meter_reading_id == found.c.series_id, r.c.start == found.c.latest_start))
        .subquery()
    )
    query = select(found, *(last.c[name] for name in ("start", "duration", "value", "quality", "received")))
    joined = query.outerjoin(last, and_(last.c.mirror_meter_reading_id == found.c.series_id, last.c.place == 1))
    return await db.all(joined.order_by(found.c.series_id))


_OTHER = reading.alias()
_SAID_LATER = exists().where(
    *(_OTHER.c[name] == r.c[name] for name in ("mirror_meter_reading_id", "start", "duration")),
    *(_OTHER.c[name] == r.c[name] for name in ("consumption_block", "tou_tier")),
    tuple_(_OTHER.c.received, _OTHER.c.reading_set_id) > tuple_(r.c.received, r.c.reading_set_id),
)
"""One time said by a set and by a reading of its own: what came in last counts."""
_SINCE, _UNTIL = bindparam("since", type_=BigInteger), bindparam("until", type_=BigInteger)
_AFTER = [bindparam(f"after_{name}", type_=BigInteger) for name in Key._fields]
_BETWEEN = (
    select(*_KEY, r.c.value, r.c.quality, r.c.received)
    .where(
        r.c.mirror_meter_reading_id == bindparam("series_id", type_=BigInteger),
        r.c.start < _UNTIL,
        r.c.start >= _SINCE - REACHES_S,
        or_(r.c.start >= _SINCE, r.c.start + r.c.duration > _SINCE),
        tuple_(*_KEY[1:]) > tuple_(*_AFTER),
        ~_SAID_LATER,
    )
    .order_by(*_KEY)
    .limit(bindparam("most", type_=BigInteger))
)


async def between(
    db: Connection, series_id: int, span: tuple[int, int], *, after: Key = BEFORE_ALL, limit: int = 1000
) -> Sequence[Row[Any]]:
    """Readings of a series that touch a time, by their key: start, duration, value, quality, received and the key."""
    values: dict[str, int] = {f"after_{name}": number for name, number in after._asdict().items()}
    since, until = span
    return await db.all(_BETWEEN, series_id=series_id, since=since, until=until, most=limit, **values)
