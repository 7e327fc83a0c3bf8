"""What judging needs to know of devices in a time, and what it found."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Row, bindparam, delete, func, insert, or_, select, update

from sep2.store.connection import Connection
from sep2.store.controls import COLUMNS
from sep2.store.judged_tables import acted_for, exemption, judge_again, judged, judged_day, judged_sum
from sep2.store.many import among
from sep2.store.seen_tables import client_seen, program_told
from sep2.store.tables import (
    client,
    connection,
    control,
    default_control,
    device_group,
    end_device,
    member,
    mirror_meter_reading,
    mirror_usage_point,
    reading,
    response,
)
from sep2.store.upsert import adding, upsert, widening

WATT = 38
MEANS = (0, 2)
"""DataQualifierType: not said, and average; extremes are no means."""
OPT_OUTS = (4, 8, 10)
"""Response.status of who does not take part, or not to the end."""
SUMS = ("ok_s", "late_s", "breach_s", "opted_out_s", "unknown_s", "binding_s", "binding_ok_s", "breach_wh")
BITS = ("ok_bits", "unknown_bits", "binding_bits")
Ids = Sequence[int]

_THESE: Any = bindparam("these")
_SINCE, _UNTIL = bindparam("since", type_=BigInteger), bindparam("until", type_=BigInteger)
_REPORTED = ("set_max_w", "nameplate_w", "agreed_max_w", "agreed_nameplate_w", "modes_supported", "doe_modes_supported")
_SKEW = select(func.max(func.abs(client_seen.c.skew_s))).where(client_seen.c.client_id == client.c.id).scalar_subquery()
_DEVICES = (
    select(
        *(end_device.c[name] for name in ("id", "lfdi", "holds_net_limit", "registered", "load_control_w", *_REPORTED)),
        end_device.c.connection_id.label("connection_number"),
        client.c.id.label("client_id"),
        client.c.name.label("client_name"),
        client.c.profile,
        connection.c.connection_id.label("connection_name"),
        connection.c.place_id,
        end_device.c.make,
        _SKEW.label("skew_s"),
    )
    .join_from(end_device, client)
    .outerjoin(connection, connection.c.id == end_device.c.connection_id)
    .where(end_device.c.enabled, client.c.enabled)
    .order_by(end_device.c.id)
)
_AFTER = _DEVICES.where(end_device.c.id > bindparam("after", type_=BigInteger)).limit(bindparam("most"))
_CERTAIN = _DEVICES.where(among(end_device.c.id, _THESE))


async def devices_after(db: Connection, after: int, most: int) -> Sequence[Row[Any]]:
    """Devices that may connect, by their numbers, from the one after a number on."""
    return await db.all(_AFTER, after=after, most=most)


async def devices(db: Connection, ids: Ids) -> Sequence[Row[Any]]:
    """Certain devices, as far as they may connect, in the same form."""
    return await db.all(_CERTAIN, these=list(ids))


_HERE = select(end_device.c.connection_id).where(among(end_device.c.id, _THESE))
_BESIDE = _DEVICES.where(or_(among(end_device.c.id, _THESE), end_device.c.connection_id.in_(_HERE)))


async def beside(db: Connection, ids: Ids) -> Sequence[Row[Any]]:
    """Devices and those at the same connections, in the same form."""
    return await db.all(_BESIDE, these=list(ids))


_PEERS = select(end_device.c.id, end_device.c.connection_id).where(among(end_device.c.connection_id, _THESE))


async def peers(db: Connection, connection_ids: Ids) -> Sequence[Row[Any]]:
    """Every device at these connections: id, connection_id."""
    return await db.all(_PEERS, these=list(connection_ids))


_CONTROLS = (
    select(*COLUMNS, member.c.end_device_id, member.c.since, device_group.c.primacy, device_group.c.program_mrid)
    .join_from(member, device_group)
    .join(control, control.c.device_group_id == device_group.c.id)
    .where(among(member.c.end_device_id, _THESE), control.c.latest_end > _SINCE, control.c.earliest_start < _UNTIL)
)


async def controls(db: Connection, ids: Ids, since: int, until: int) -> Sequence[Row[Any]]:
    """Every control of these devices' programs that touches a time, whatever became of it, once for each device."""
    return await db.all(_CONTROLS, these=list(ids), since=since, until=until)


_CHANGED = (
    select(member.c.end_device_id, func.max(default_control.c.changed).label("changed"))
    .join_from(member, default_control, default_control.c.device_group_id == member.c.device_group_id)
    .where(among(member.c.end_device_id, _THESE))
    .group_by(member.c.end_device_id)
)


async def defaults_changed(db: Connection, ids: Ids) -> dict[int, int]:
    """When a default of each of these devices was changed last."""
    return {row.end_device_id: row.changed for row in await db.all(_CHANGED, these=list(ids))}


_POWER = (
    select(
        mirror_usage_point.c.end_device_id,
        mirror_usage_point.c.id.label("mirror_id"),
        *(mirror_usage_point.c[name] for name in ("role_flags", "reading_sign")),
        *(mirror_meter_reading.c[name] for name in ("multiplier", "flow_direction", "phase", "interval_s")),
        *(reading.c[name] for name in ("start", "duration", "value", "received", "reading_set_id")),
    )
    .join_from(mirror_usage_point, mirror_meter_reading)
    .join(reading, reading.c.mirror_meter_reading_id == mirror_meter_reading.c.id)
    .where(
        among(mirror_usage_point.c.end_device_id, _THESE),
        mirror_meter_reading.c.uom == WATT,
        mirror_meter_reading.c.data_qualifier.in_(MEANS),
        reading.c.start >= _SINCE,
        reading.c.start < _UNTIL,
        reading.c.value.is_not(None),
    )
)


async def power(db: Connection, ids: Ids, since: int, until: int) -> Sequence[Row[Any]]:
    """Mean power that was posted for these devices, of readings that began in a time."""
    return await db.all(_POWER, these=list(ids), since=since, until=until)


_OPT_OUTS = select(response.c.control_id, response.c.end_device_id, func.min(response.c.created).label("at")).where(
    among(response.c.control_id, _THESE), response.c.status.in_(OPT_OUTS)
)
_OPT_OUTS = _OPT_OUTS.group_by(response.c.control_id, response.c.end_device_id)


async def opt_outs(db: Connection, control_ids: Ids) -> dict[tuple[int, int], int]:
    """By control and device when its customer opted out of it."""
    rows = await db.all(_OPT_OUTS, these=list(control_ids))
    return {(row.control_id, row.end_device_id): row.at for row in rows}


_TOLD = select(program_told.c.end_device_id, program_told.c.device_group_id, program_told.c.at).where(
    among(program_told.c.end_device_id, _THESE), program_told.c.at >= _SINCE
)


async def told(db: Connection, ids: Ids, since: int) -> Sequence[Row[Any]]:
    """When these devices' subscribers took notifications of which program, in the order in which they did."""
    return await db.all(_TOLD.order_by(program_told.c.at), these=list(ids), since=since)


_EXEMPT = select(exemption).where(
    among(exemption.c.connection_id, _THESE), exemption.c.start < _UNTIL, exemption.c.end > _SINCE
)


async def exemptions(db: Connection, connection_ids: Ids, since: int, until: int) -> Sequence[Row[Any]]:
    """The exemptions of connections that touch a time."""
    return await db.all(_EXEMPT, these=list(connection_ids), since=since, until=until)


_ACTED = select(acted_for).where(among(acted_for.c.end_device_id, _THESE)).order_by(acted_for.c.until)


async def acted(db: Connection, ids: Ids) -> Sequence[Row[Any]]:
    """Who acted for these devices before their present clients, and until when: the earliest first."""
    return await db.all(_ACTED, these=list(ids))


async def note_acted(db: Connection, device_id: int, until: int, *, client_id: int, client_name: str) -> None:
    """Note that another client acts for a device from a time on."""
    row = {"end_device_id": device_id, "until": until, "client_id": client_id, "client_name": client_name}
    await db.run(upsert(acted_for, ["end_device_id", "until"], ["client_id", "client_name"]), row)


_DAYS = select(judged_day).where(
    among(judged_day.c.end_device_id, _THESE), judged_day.c.day >= _SINCE, judged_day.c.day <= _UNTIL
)
_ROWS = select(judged).where(among(judged.c.end_device_id, _THESE), judged.c.start >= _SINCE, judged.c.start < _UNTIL)


async def days(db: Connection, ids: Ids, first: int, last: int) -> Sequence[Row[Any]]:
    """What was judged of these devices on the days that began from `first` to `last`."""
    return await db.all(_DAYS, these=list(ids), since=first, until=last)


async def rows(db: Connection, ids: Ids, since: int, until: int) -> Sequence[Row[Any]]:
    """The intervals that began in a time and in which these devices did not keep a limit."""
    return await db.all(_ROWS.order_by(judged.c.start), these=list(ids), since=since, until=until)


_BREACHES = (
    select(judged, end_device.c.lfdi, client.c.name.label("client_name"), connection.c.connection_id.label("place"))
    .join_from(judged, end_device, end_device.c.id == judged.c.end_device_id)
    .join(client, client.c.id == judged.c.client_id)
    .outerjoin(connection, connection.c.id == end_device.c.connection_id)
    .where(judged.c.start >= _SINCE, judged.c.state == "breach")
    .order_by(judged.c.start)
)


_DISPUTED = (
    select(
        judged_day.c.day,
        judged_day.c.unknown_bits,
        judged_day.c.lfdi,
        judged_day.c.connection_name,
        client.c.lfdi.label("client_lfdi"),
    )
    .join_from(judged_day, client, client.c.id == judged_day.c.client_id)
    .where(judged_day.c.day >= _SINCE, judged_day.c.reason == "disputed")
)


async def disputed(db: Connection, since: int) -> Sequence[Row[Any]]:
    """The days since one of which the latest unknown interval was so because meters disagree."""
    return await db.all(_DISPUTED, since=since)


async def breaches(db: Connection, since: int) -> Sequence[Row[Any]]:
    """The intervals since a time that were beyond a limit, earliest first: lfdi, client_name and place beside them."""
    return await db.all(_BREACHES, since=since)


_KEY = ("end_device_id", "direction", "day", "client_id")
_PUT_DAY = upsert(judged_day, _KEY, [column.name for column in judged_day.c if column.name not in _KEY])


_ADD = adding(judged_sum, ("kind", "day", "name", "direction"), SUMS)


async def add_sums(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add seconds and watt-hours to the sums of a day, by kind and name."""
    if rows:
        await db.run(_ADD, [dict(row) for row in rows])


async def replace(
    db: Connection, ids: Ids, span: tuple[int, int], *, found: Sequence[Mapping[str, Any]], of_days: Sequence[Any]
) -> None:
    """Have these intervals, and these days, stand for what was judged of the devices in a time."""
    since, until = span
    old = delete(judged).where(among(judged.c.end_device_id, _THESE), judged.c.start >= _SINCE, judged.c.start < _UNTIL)
    await db.run(old, {"these": list(ids), "since": since, "until": until})
    if found:
        await db.run(insert(judged), list(found))
    if of_days:
        await db.run(_PUT_DAY, list(of_days))


_NOTE = widening(judge_again, ["end_device_id"], "since", "until", times="times")
"""One statement: of two writes at once each adds its time to what the other has noted."""


async def note_late(db: Connection, device_id: int, since: int, until: int) -> None:
    """Have a time of a device judged again, together with what is noted of it already."""
    await db.later(_NOTE, {"end_device_id": device_id, "since": since, "until": until})


_LATE = (
    select(judge_again)
    .where(judge_again.c.end_device_id > bindparam("after", type_=BigInteger))
    .order_by(judge_again.c.end_device_id)
    .limit(bindparam("most"))
)


async def late(db: Connection, after: int, most: int) -> Sequence[Row[Any]]:
    """Devices that are to be judged again, and of what time, by their numbers, from the one after a number on."""
    return await db.all(_LATE, after=after, most=most)


async def done_late(db: Connection, several: Iterable[Row[Any]]) -> None:
    """Forget that these are to be judged again, unless more came in meanwhile."""
    for row in several:
        await db.run(
            delete(judge_again).where(
                judge_again.c.end_device_id == row.end_device_id, judge_again.c.times == row.times
            )
        )


async def rename_client(db: Connection, before: str, name: str) -> None:
    """Have what was judged under a client's earlier name stand under its new one."""
    await db.run(update(judged_day).where(judged_day.c.client_name == before).values(client_name=name))
    await db.run(update(acted_for).where(acted_for.c.client_name == before).values(client_name=name))
    theirs = judged_sum.c.kind == "client", judged_sum.c.name == before
    columns = [judged_sum.c[one] for one in ("kind", "day", "direction", *SUMS)]
    moved = await db.all(select(*columns).where(*theirs))
    # Another client may have had the new name in the past: its sums are kept under it, and these added.
    await db.run(delete(judged_sum).where(*theirs))
    await add_sums(db, [{**row._asdict(), "name": name} for row in moved])


async def rename_connection(db: Connection, ids: Ids, before: str, name: str) -> None:
    """The same of a connection, for the devices that are at it."""
    which = among(judged_day.c.end_device_id, ids), judged_day.c.connection_name == before
    await db.run(update(judged_day).where(*which).values(connection_name=name))


async def add_exemption(db: Connection, **columns: Any) -> int:
    """The id of a new exemption."""
    return await db.add(insert(exemption).values(columns))
