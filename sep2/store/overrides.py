"""Overrides: what an operator asked for over everything else, and the controls that it was issued as."""

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import BigInteger, Row, bindparam, cast, func, insert, or_, select, update

from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.many import among
from sep2.store.override_tables import override, override_control
from sep2.store.tables import (
    client,
    connection,
    control,
    device_group,
    end_device,
    member,
    subscription,
)
from sep2.store.territory import below

_SCOPES = {
    "connection": end_device.c.connection_id == bindparam("subject_id"),
    "device": end_device.c.id == bindparam("subject_id"),
    "group": end_device.c.id.in_(
        select(member.c.end_device_id).where(member.c.device_group_id == bindparam("subject_id"))
    ),
    "place": end_device.c.connection_id.in_(
        select(connection.c.id).where(connection.c.place_id.in_(select(below(bindparam("subject_id")).c.id)))
    ),
    "aggregator": end_device.c.client_id == bindparam("subject_id"),
    "system": end_device.c.id > bindparam("subject_id"),
}
_BESIDE_IT = end_device.alias()
_AT_SITE = (
    select(cast(func.sum(_BESIDE_IT.c.least_load_w), BigInteger))
    .where(_BESIDE_IT.c.connection_id == end_device.c.connection_id)
    .scalar_subquery()
)
_DEVICES = (
    select(
        end_device.c.id,
        end_device.c.lfdi,
        end_device.c.client_id,
        end_device.c.holds_net_limit,
        end_device.c.set_max_w,
        end_device.c.nameplate_w,
        end_device.c.agreed_max_w,
        end_device.c.agreed_nameplate_w,
        end_device.c.modes_supported,
        end_device.c.doe_modes_supported,
        end_device.c.least_load_w,
        _AT_SITE.label("site_least_w"),
        end_device.c.enabled,
        end_device.c.connection_id.label("place_id"),
        client.c.name.label("client_name"),
        client.c.profile,
        end_device.c.load_control_w,
        client.c.enabled.label("client_enabled"),
        connection.c.connection_id.label("connection_name"),
        connection.c.firm_import_w,
        connection.c.firm_export_w,
        connection.c.protected,
    )
    .join_from(end_device, client, client.c.id == end_device.c.client_id)
    .outerjoin(connection, connection.c.id == end_device.c.connection_id)
    # An aggregator's own entry obeys no control.
    .where(or_(client.c.kind != "aggregator", client.c.lfdi != end_device.c.lfdi), client.c.removed.is_(None))
    .order_by(end_device.c.id)
)


async def devices_in(db: Connection, scope: str, subject_id: int) -> Sequence[Row[Any]]:
    """The devices of a scope, each with its client and its connection; subject_id: 0 for the whole system."""
    return await db.all(_DEVICES.where(_SCOPES[scope]), subject_id=subject_id)


async def devices_with(db: Connection, ids: Collection[int]) -> Sequence[Row[Any]]:
    """The same of devices that are named by their numbers."""
    return await db.all(_DEVICES.where(among(end_device.c.id, list(ids))))


async def add(db: Connection, **columns: Any) -> int:
    """The id of a new override."""
    return await db.add(insert(override).values(columns))


_TIE = insert(override_control)


async def tie(db: Connection, override_id: int, control_ids: Sequence[int]) -> None:
    """Note which controls an override was issued as."""
    if control_ids:
        rows = [{"override_id": override_id, "control_id": number} for number in control_ids]
        await db.run(_TIE, rows)


async def one(db: Connection, override_id: int) -> Row[Any] | None:
    """An override by its id."""
    return await db.one(select(override).where(override.c.id == override_id))


async def latest(db: Connection) -> Row[Any] | None:
    """The override that was made last."""
    return await db.one(select(override).order_by(override.c.id.desc()).limit(1))


async def listed(db: Connection, page: Keyset, *, live_at: int | None, unreviewed: bool = False) -> Following:
    """Overrides, the newest first; live_at: only those that are neither over nor released.

    unreviewed: only those that somebody else has to look at, and has not.
    """
    query = select(override).order_by(override.c.id.desc())
    if live_at is not None:
        query = query.where(override.c.end > live_at, override.c.released.is_(None))
    if unreviewed:
        query = query.where(override.c.review_by.is_not(None), override.c.reviewed.is_(None))
    return await select_following(db, query, page)


async def protected_in(db: Connection, override_id: int) -> list[str]:
    """The ids of protected connections that an override was issued at."""
    query = (
        select(connection.c.connection_id)
        .distinct()
        .join_from(override_control, control, control.c.id == override_control.c.control_id)
        .join(member, member.c.device_group_id == control.c.device_group_id)
        .join(end_device, end_device.c.id == member.c.end_device_id)
        .join(connection, connection.c.id == end_device.c.connection_id)
        .where(override_control.c.override_id == override_id, connection.c.protected != "none")
    )
    return [row.connection_id for row in await db.all(query)]


async def control_ids(db: Connection, override_id: int) -> list[int]:
    """The controls that an override was issued as; parts issued anew since name them as what they continue."""
    query = select(override_control.c.control_id).where(override_control.c.override_id == override_id)
    return [row.control_id for row in await db.all(query.order_by(override_control.c.control_id))]


async def released(db: Connection, override_id: int, now: int) -> None:
    """Note that an override was released."""
    await db.run(update(override).where(override.c.id == override_id).values(released=now))


async def of_control(db: Connection, control_id: int) -> int | None:
    """The override that a control belongs to, if it does to one."""
    query = select(override_control.c.override_id).where(override_control.c.control_id == control_id)
    row = await db.one(query)
    return row.override_id if row else None


async def places_of(db: Connection, override_id: int) -> Sequence[Row[Any]]:
    """The programs that an override was issued in, and to how many devices each speaks: id, name, devices."""
    devices = select(func.count()).where(member.c.device_group_id == device_group.c.id).scalar_subquery()
    query = (
        select(device_group.c.id, device_group.c.name, devices.label("devices"))
        .distinct()
        .join_from(override_control, control, control.c.id == override_control.c.control_id)
        .join(device_group, device_group.c.id == control.c.device_group_id)
    )
    return await db.all(query.where(override_control.c.override_id == override_id).order_by(device_group.c.name))


async def sent_to(db: Connection, override_id: int) -> set[tuple[int | None, int | None]]:
    """The places that an override was sent to: the number of each one's connection or device."""
    query = (
        select(device_group.c.connection_id, device_group.c.end_device_id)
        .distinct()
        .join_from(override_control, control, control.c.id == override_control.c.control_id)
        .join(device_group, device_group.c.id == control.c.device_group_id)
    )
    rows = await db.all(query.where(override_control.c.override_id == override_id))
    return {(row.connection_id, row.end_device_id) for row in rows}


_ITS = override_control.alias(), control.alias(), device_group.alias()
_ITS_PLACES = (
    select(_ITS[2].c.connection_id, _ITS[2].c.end_device_id)
    .distinct()
    .join_from(_ITS[0], _ITS[1], _ITS[1].c.id == _ITS[0].c.control_id)
    .join(_ITS[2], _ITS[2].c.id == _ITS[1].c.device_group_id)
    .where(_ITS[0].c.override_id == bindparam("override_id"))
    .subquery()
)
_BESIDE = (
    select(
        override, device_group.c.connection_id.label("at_connection"), device_group.c.end_device_id.label("at_device")
    )
    .distinct()
    .join_from(override, override_control, override_control.c.override_id == override.c.id)
    .join(control, control.c.id == override_control.c.control_id)
    .join(device_group, device_group.c.id == control.c.device_group_id)
    .join(
        _ITS_PLACES,
        or_(
            device_group.c.connection_id == _ITS_PLACES.c.connection_id,
            device_group.c.end_device_id == _ITS_PLACES.c.end_device_id,
        ),
    )
    .where(
        override.c.id != bindparam("override_id"),
        override.c.released.is_(None),
        override.c.end > bindparam("now"),
        override.c.start < bindparam("until"),
    )
    .order_by(override.c.id)
)


async def beside(db: Connection, override_id: int, now: int, until: int) -> Sequence[Row[Any]]:
    """Overrides that hold between two times where one was issued: each with `at_connection` or `at_device`, a place."""
    return await db.all(_BESIDE, override_id=override_id, now=now, until=until)


_FOLLOWED = (
    *("DERControlList", "ActiveDERControlList", "DERProgramList", "DERProgram"),
    *("EndDeviceControlList", "DemandResponseProgramList"),
)
_OF_CLIENT = select(subscription.c.resource, subscription.c.ids).where(
    subscription.c.client_id == bindparam("client_id"), among(subscription.c.resource, _FOLLOWED)
)


async def subscribed(db: Connection, client_ids: Sequence[int], programs: Collection[int]) -> set[int]:
    """The devices of some clients of which a subscription is told at once what changes in these programs."""
    found = set[int]()
    for client_id in client_ids:
        for row in await db.all(_OF_CLIENT, client_id=client_id):
            ids = json.loads(row.ids)
            if ids.get("derp", ids.get("fsa")) in programs or ids.get("fsa") == 0:
                found.add(ids["edev"])
    return found


async def live_of(db: Connection, scope: str, subject: str, now: int) -> list[int]:
    """The overrides of a scope that are neither over nor released."""
    mine = override.c.scope == scope, override.c.subject == subject
    query = select(override.c.id).where(*mine, override.c.end > now, override.c.released.is_(None))
    return [row.id for row in await db.all(query.order_by(override.c.id))]
