"""Metering mirrors: usage points, their series, and readings."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, exists, func, literal_column, select, update

from sep2.rules.paging import Page
from sep2.store.connection import Connection
from sep2.store.page import Found, select_page
from sep2.store.tables import end_device, mirror_meter_reading, mirror_usage_point, reading, reading_set
from sep2.store.upsert import upsert

p, s, r = mirror_usage_point, mirror_meter_reading, reading


IN_LISTS = (p.c.mrid.desc(), p.c.id.desc())
"""The order of usage points, as their index has it; ids tell apart what different devices call the same."""
OF_CLIENT = select(p.c.id).where(p.c.client_id == bindparam("client_id"))
_LISTED = (
    select(p, end_device.c.lfdi)
    .join_from(p, end_device)
    .where(p.c.client_id == bindparam("client_id"))
    .order_by(*IN_LISTS)
)


async def of_client(db: Connection, client_id: int, page: Page) -> Found[Row[Any]]:
    """The usage points that a client created, by mRID descending, each with the LFDI it mirrors."""
    return await select_page(db, _LISTED, page, counting=OF_CLIENT, client_id=client_id)


_ONE = (
    select(p, end_device.c.lfdi)
    .join_from(p, end_device)
    .where(p.c.id == bindparam("point_id"), p.c.client_id == bindparam("client_id"))
)


async def one(db: Connection, client_id: int, point_id: int) -> Row[Any] | None:
    """A usage point by its id, if the client created it."""
    return await db.known(_ONE, point_id=point_id, client_id=client_id)


async def by_mrid(db: Connection, device_id: int, mrid: str) -> Row[Any] | None:
    """A usage point by its mRID among those of one EndDevice."""
    return await db.one(select(p).where(p.c.mrid == mrid, p.c.end_device_id == device_id))


async def of_another_client(db: Connection, client_id: int, mrid: str) -> bool:
    """Whether another client has a usage point with that mRID."""
    return await db.one(select(p.c.id).where(p.c.mrid == mrid, p.c.client_id != client_id).limit(1)) is not None


_DEVICE_OF = select(p.c.end_device_id).where(p.c.id == bindparam("point_id"))


async def device_of(db: Connection, point_id: int) -> int | None:
    """The EndDevice that a usage point is about."""
    row = await db.one(_DEVICE_OF, point_id=point_id)
    return None if row is None else row.end_device_id


async def count_of(db: Connection, client_id: int) -> int:
    """How many usage points a client created."""
    row = await db.one(select(func.count().label("n")).where(p.c.client_id == client_id))
    return row.n if row else 0


_POINT_KEY = ("end_device_id", "mrid")
_SAID_ONCE = ("client_id", "post_rate")
"""What a usage point keeps from its creation; the operator may change its rate."""


async def put(db: Connection, **columns: Any) -> int:
    """The id of the usage point with that EndDevice and mRID, which says this from now on."""
    changed = [name for name in columns if name not in (*_POINT_KEY, *_SAID_ONCE)]
    row = await db.one(upsert(p, _POINT_KEY, changed).values(columns).returning(p.c.id))
    assert row is not None
    return int(row.id)


async def update_one(db: Connection, point_id: int, **columns: Any) -> int:
    """Change columns of a usage point; how many were found: one or none."""
    return (await db.run(update(p).where(p.c.id == point_id).values(columns))).rowcount


_SERIES = select(s.c.id, s.c.mrid, s.c.interval_s).where(s.c.mirror_usage_point_id == bindparam("point_id"))


async def series(db: Connection, point_id: int) -> Sequence[Row[Any]]:
    """The series of a usage point: id, mrid, interval_s."""
    return await db.all(_SERIES, point_id=point_id)


async def series_of_another_client(db: Connection, client_id: int, mrid: str) -> bool:
    """Whether another client has a series with that mRID."""
    query = select(s.c.id).join_from(s, p).where(s.c.mrid == mrid, p.c.client_id != client_id)
    return await db.one(query.limit(1)) is not None


_SERIES_KEY = ("mirror_usage_point_id", "mrid")


async def put_series(db: Connection, **columns: Any) -> int:
    """The id of the series with that usage point and mRID, which says this from now on."""
    changed = [name for name in columns if name not in _SERIES_KEY]
    row = await db.one(upsert(s, _SERIES_KEY, changed).values(columns).returning(s.c.id))
    assert row is not None
    return int(row.id)


_OF_SERIES = update(s).where(s.c.id == bindparam("of_series"))


async def update_series(db: Connection, series_id: int, **columns: Any) -> None:
    """Change columns of a series."""
    await db.later(_OF_SERIES, {"of_series": series_id, **columns})


_SET_KEY = ("mirror_meter_reading_id", "mrid", "start")
_SET_SAID = ("duration", "description", "version", "received")
_OF_ANY_OTHER = exists().where(
    r.c.mirror_meter_reading_id == bindparam("of_series"),
    r.c.start.between(bindparam("first"), bindparam("latest")),
    r.c.reading_set_id != 0,
    r.c.reading_set_id != literal_column("reading_set.id"),
)
_PUT_SET = upsert(reading_set, _SET_KEY, _SET_SAID).returning(reading_set.c.id, _OF_ANY_OTHER.label("meets_others"))


async def put_set(db: Connection, starts: Sequence[int], **columns: Any) -> Row[Any]:
    """The set of a series with that mRID and start, which says this from now on: id, meets_others.

    starts: of the readings that it has now. meets_others: whether other sets have readings in that time.
    """
    span = {"of_series": columns["mirror_meter_reading_id"], "first": min(starts), "latest": max(starts)}
    row = await db.one(_PUT_SET, **columns, **span)
    assert row is not None
    return row


_TIME = ("mirror_meter_reading_id", "start", "duration", "consumption_block", "tou_tier")
_READING_SAID = ("local_id_octets", "reading_set_id", "value", "quality", "received")
_PUT_READING = upsert(r, [column.name for column in r.primary_key], _READING_SAID)
_OF_OTHER_SETS = delete(r).where(
    *(r.c[name] == bindparam(f"of_{name}") for name in _TIME),
    r.c.reading_set_id != 0,
    r.c.reading_set_id != bindparam("of_set"),
)


async def put_readings(db: Connection, rows: Sequence[dict[str, Any]], meeting: Collection[int]) -> None:
    """Store readings. What a set says of a time replaces what other sets said of it, whatever their localIDs.

    Within one set the localID tells readings of one time apart; one that was posted by itself stays beside those of
    sets. meeting: the sets that meet others.
    """
    sets: dict[tuple[Any, ...], int] = {}
    last: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        time = tuple(row[name] for name in _TIME)
        last[*time, row["local_id"]] = row
        if row["reading_set_id"]:
            sets[time] = row["reading_set_id"]
    for set_id in meeting:
        await _take_from_other_sets(db, set_id, [time for time, of in sets.items() if of == set_id])
    stand = [row for time, row in last.items() if row["reading_set_id"] in (0, sets.get(time[:-1]))]
    if stand:
        await db.later(_PUT_READING, stand)


async def _take_from_other_sets(db: Connection, set_id: int, times: Sequence[tuple[Any, ...]]) -> None:
    """Forget what other sets of a series said of these times, which are keys of readings without their localID."""
    names = [f"of_{name}" for name in _TIME]
    if times:
        await db.run(_OF_OTHER_SETS, [dict(zip(names, one, strict=True)) | {"of_set": set_id} for one in times])


async def moments(db: Connection, series_id: int, start: int) -> Sequence[Row[Any]]:
    """The readings of one moment that were posted by themselves, by their number: local_id, value, quality."""
    query = select(r.c.local_id, r.c.value, r.c.quality).where(
        r.c.mirror_meter_reading_id == series_id, r.c.start == start, r.c.duration == 0, r.c.reading_set_id == 0
    )
    return await db.all(query.order_by(r.c.local_id))


async def remove(db: Connection, point_id: int) -> None:
    """Forget a usage point with its series and readings."""
    of_point = select(s.c.id).where(s.c.mirror_usage_point_id == point_id)
    await db.run_long(delete(r).where(r.c.mirror_meter_reading_id.in_(of_point)))
    await db.run_long(delete(reading_set).where(reading_set.c.mirror_meter_reading_id.in_(of_point)))
    await db.run(delete(s).where(s.c.mirror_usage_point_id == point_id))
    await db.run(delete(p).where(p.c.id == point_id))


async def hand_over(db: Connection, device_id: int, client_id: int) -> None:
    """Have another client post what is metered at a device."""
    await db.run(update(p).where(p.c.end_device_id == device_id).values(client_id=client_id))
