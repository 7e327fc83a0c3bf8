"""When clients and devices were heard of, as the servers on this database have noted it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Row,
    Select,
    String,
    Subquery,
    Table,
    bindparam,
    case,
    delete,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.identities import client_with
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.seen_tables import client_seen, device_seen, program_told
from sep2.store.tables import client, connection, end_device, mirror_usage_point, subscription

LAST = ("last_request", "last_post", "last_answer")
COUNTS = ("requests", "posts", "answers")
SAID = ("address", "suite", "agent")
TOLD_KEPT_S = 3 * 86_400

Noted = Mapping[str, Any]
"""Values by column: counts are what came in since the last time; times and `skew_s` may be None, texts empty."""


def _values(names: Iterable[str], kind: Any) -> list[BindParameter[Any]]:
    return [bindparam(f"new_{name}", type_=kind) for name in names]


def _upsert(table: Table, key: str, source: Select[Any], *, names: Sequence[str]) -> Insert:
    """Add a row or renew it: counts are added, times and texts replaced where there is something to say."""
    made = insert(table).from_select([key, "server", *names], source)
    new = made.excluded
    changed: dict[str, ColumnElement[Any]] = {}
    for name in names:
        old = table.c[name]
        if name in (*COUNTS, "refusals"):
            changed[name] = old + new[name]
        elif name in SAID:
            changed[name] = case((new[name] != "", new[name]), else_=old)
        else:
            changed[name] = func.coalesce(new[name], old)
    return made.on_conflict_do_update(index_elements=[table.c[key], table.c.server], set_=changed)


_SERVER = bindparam("of_server", type_=String)
_HEARD = (*LAST, *COUNTS)
_OF_CLIENT = (*_HEARD, "refusals", "skew_s")
_NOTE_CLIENT = _upsert(
    client_seen,
    "client_id",
    select(client.c.id, _SERVER, *_values(_OF_CLIENT, BigInteger), *_values(SAID, String)).where(
        client.c.id == client_with(bindparam("of_lfdi", type_=String))
    ),
    names=(*_OF_CLIENT, *SAID),
)
_NOTE_DEVICE = _upsert(
    device_seen,
    "end_device_id",
    select(end_device.c.id, _SERVER, *_values(_HEARD, BigInteger)).where(
        end_device.c.id == bindparam("of_device", type_=BigInteger)
    ),
    names=_HEARD,
)
_AT = bindparam("of_at", type_=BigInteger)
_NOTE_TOLD = (
    insert(program_told)
    .from_select(
        ["end_device_id", "device_group_id", "at"],
        select(end_device.c.id, bindparam("of_group", type_=BigInteger), _AT).where(
            end_device.c.id == bindparam("of_device", type_=BigInteger)
        ),
    )
    .on_conflict_do_nothing()
)


async def note_clients(db: Connection, server: str, noted: Mapping[str, Noted]) -> None:
    """Write what one server has heard since the last time, by the LFDI of the certificate; strangers are left out."""
    if noted:
        await db.run(_NOTE_CLIENT, [{"of_server": server, "of_lfdi": lfdi, **_new(one)} for lfdi, one in noted.items()])


async def note_devices(db: Connection, server: str, noted: Mapping[int, Noted]) -> None:
    """The same of devices, by their numbers; one that was removed meanwhile is left out."""
    if noted:
        rows = [{"of_server": server, "of_device": device, **_new(one)} for device, one in noted.items()]
        await db.run(_NOTE_DEVICE, rows)


async def note_told(db: Connection, told: Sequence[tuple[int, int, int]]) -> None:
    """Which device's subscriber took a notification of which program's controls, and when."""
    if told:
        rows = [{"of_device": device, "of_group": group, "of_at": at} for device, group, at in told]
        await db.run(_NOTE_TOLD, rows)
        latest = max(at for _, _, at in told)
        await db.run(delete(program_told).where(program_told.c.at < latest - TOLD_KEPT_S))


def _new(noted: Noted) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in noted.items()}


def _together(
    table: Table, key: str, more: Iterable[ColumnElement[Any]] = (), whose: Select[Any] | None = None
) -> Subquery:
    """What all servers have noted: the latest times, and the sums of the counts; whose: ids, where not of all."""
    last = [func.max(table.c[name]).label(name) for name in LAST]
    counts = [func.sum(table.c[name]).cast(BigInteger).label(name) for name in COUNTS]
    query = select(table.c[key], *last, *counts, *more).group_by(table.c[key])
    return (query if whose is None else query.where(table.c[key].in_(whose))).subquery()


_REFUSALS = func.sum(client_seen.c.refusals).cast(BigInteger).label("refusals")
_CLIENTS = _together(client_seen, "client_id", [_REFUSALS])
_DEVICES = _together(device_seen, "end_device_id")
_POSTS = (
    select(mirror_usage_point.c.end_device_id, func.min(mirror_usage_point.c.post_rate).label("post_rate"))
    .group_by(mirror_usage_point.c.end_device_id)
    .subquery()
)
_POSTS_OF_CLIENT = (
    select(mirror_usage_point.c.client_id, func.min(mirror_usage_point.c.post_rate).label("post_rate"))
    .group_by(mirror_usage_point.c.client_id)
    .subquery()
)
_SUBSCRIBES = select(literal(1)).where(subscription.c.client_id == client.c.id).exists()


async def contacts(db: Connection) -> Sequence[Row[Any]]:
    """Every client that has access: id, name, kind, created, post_rate, subscribes, devices, and when it was heard of.

    Times are None for one that never was; post_rate is that of its fastest mirror, None without mirrors.
    """
    devices = select(func.count()).where(end_device.c.client_id == client.c.id).scalar_subquery()
    query = (
        select(
            *(client.c[name] for name in ("id", "name", "lfdi", "kind", "created")),
            *(_CLIENTS.c[name] for name in LAST),
            _POSTS_OF_CLIENT.c.post_rate,
            _SUBSCRIBES.label("subscribes"),
            devices.label("devices"),
        )
        .outerjoin(_CLIENTS, _CLIENTS.c.client_id == client.c.id)
        .outerjoin(_POSTS_OF_CLIENT, _POSTS_OF_CLIENT.c.client_id == client.c.id)
        .where(client.c.enabled)
    )
    return await db.all(query.order_by(client.c.id))


async def device_contacts(db: Connection) -> Sequence[Row[Any]]:
    """Every device that may connect: id, lfdi, client_id, registered, connection_name, post_rate, and the times."""
    query = (
        select(
            *(end_device.c[name] for name in ("id", "lfdi", "client_id", "registered")),
            connection.c.connection_id.label("connection_name"),
            *(_DEVICES.c[name] for name in LAST),
            _POSTS.c.post_rate,
            _SUBSCRIBES.label("subscribes"),
        )
        .join_from(end_device, client)
        .outerjoin(_DEVICES, _DEVICES.c.end_device_id == end_device.c.id)
        .outerjoin(_POSTS, _POSTS.c.end_device_id == end_device.c.id)
        .outerjoin(connection, connection.c.id == end_device.c.connection_id)
        .where(end_device.c.enabled, client.c.enabled)
    )
    return await db.all(query.order_by(end_device.c.id))


async def clients(db: Connection, page: Keyset, *, client_id: int | None = None) -> Following:
    """When clients were heard of, those never or longest ago first."""
    which: list[ColumnElement[bool]] = [client.c.removed.is_(None)]
    seen = _CLIENTS
    if client_id is not None:
        which.append(client.c.id == client_id)
        seen = _together(client_seen, "client_id", [_REFUSALS], select(client.c.id).where(client.c.id == client_id))
    query = (
        select(client.c.id, client.c.name, client.c.lfdi, *(seen.c[name] for name in (*_HEARD, "refusals")))
        .outerjoin(seen, seen.c.client_id == client.c.id)
        .where(*which)
        .order_by(func.coalesce(seen.c.last_request, 0), client.c.id)
    )
    return await select_following(db, query, page, select(client.c.id).where(*which))


async def latest_of(db: Connection, client_ids: Sequence[int]) -> dict[int, Row[Any]]:
    """By client what was noted where it was heard of last: address, suite, agent, skew_s and server."""
    query = select(*(client_seen.c[name] for name in ("client_id", *SAID, "skew_s", "server")))
    rows = await db.all(
        query.where(among(client_seen.c.client_id, client_ids)).order_by(func.coalesce(client_seen.c.last_request, 0))
    )
    return {row.client_id: row for row in rows}


async def skews(db: Connection) -> Sequence[Row[Any]]:
    """By client name the skew of its clock in seconds, where that is known, and when it answered last."""
    query = select(client.c.name, client.c.id, client_seen.c.skew_s, client_seen.c.last_answer).join_from(
        client_seen, client
    )
    return await db.all(query.where(client_seen.c.skew_s.is_not(None)).order_by(client_seen.c.last_answer))


async def devices(
    db: Connection, page: Keyset, *, client_id: int | None = None, device_id: int | None = None
) -> Following:
    """When devices were heard of, those never or longest ago first."""
    counting = select(end_device.c.id).join_from(end_device, client).where(client.c.removed.is_(None))
    named = ((end_device.c.client_id, client_id), (end_device.c.id, device_id))
    which = [column == value for column, value in named if value is not None]
    whose = select(end_device.c.id).where(*which) if which else None
    seen = _together(device_seen, "end_device_id", whose=whose)
    query = (
        select(
            end_device.c.id,
            end_device.c.lfdi,
            client.c.name.label("client_name"),
            connection.c.connection_id.label("connection_name"),
            *(seen.c[name] for name in _HEARD),
        )
        .join_from(end_device, client)
        .outerjoin(connection, connection.c.id == end_device.c.connection_id)
        .outerjoin(seen, seen.c.end_device_id == end_device.c.id)
        .where(client.c.removed.is_(None), *which)
        .order_by(func.coalesce(seen.c.last_request, seen.c.last_post, 0), end_device.c.id)
    )
    return await select_following(db, query, page, counting.where(*which))
