"""Devices whose export neither a default nor a contract bounds."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, exists, func, or_, select

from sep2.store.alarm_tables import alarm_member
from sep2.store.connection import Connection
from sep2.store.tables import alarm, client, connection, default_control, end_device, member

_BOUNDS = or_(
    default_control.c.export_limit_w.is_not(None),
    default_control.c.gen_limit_w.is_not(None),
    default_control.c.modes.contains('"opModMaxLimW"'),
)
_BOUND = exists(
    select(member.c.since)
    .join_from(member, default_control, default_control.c.device_group_id == member.c.device_group_id)
    .where(member.c.end_device_id == end_device.c.id, member.c.device_group_id != bindparam("newcomers"), _BOUNDS)
    .correlate(end_device)
)
_CONTRACT = exists().where(
    connection.c.id == end_device.c.connection_id, end_device.c.holds_net_limit, connection.c.firm_export_w.is_not(None)
)
_OBEYS = or_(client.c.kind != "aggregator", client.c.lfdi != end_device.c.lfdi)
_GENERATES = or_(
    end_device.c.load_control_w.is_(None),
    func.coalesce(end_device.c.set_max_w, 0) > 0,
    func.coalesce(end_device.c.nameplate_w, 0) > 0,
)
"""A charger that has reported no generation exports nothing, see `rules.reach.only_draws`."""
_UNBOUND: ColumnElement[bool] = and_(_OBEYS, _GENERATES, ~_CONTRACT, ~_BOUND)


def _devices(*columns: Any) -> Select[Any]:
    query = select(*columns).join_from(end_device, client, client.c.id == end_device.c.client_id)
    return query.where(client.c.removed.is_(None))


_CLIENT = client.c.lfdi.label("client_lfdi"), client.c.kind.label("client_kind")
_DEVICE = _devices(end_device.c.lfdi, end_device.c.client_id, *_CLIENT, _UNBOUND.label("unbound")).where(
    end_device.c.id == bindparam("device_id")
)
_OF_CLIENT = _devices(end_device.c.id).where(end_device.c.client_id == bindparam("client_id"), _UNBOUND).limit(1)
_IN_GROUP = end_device.c.id.in_(select(member.c.end_device_id).where(member.c.device_group_id == bindparam("group_id")))
_OF_ALL = (
    _devices(*_CLIENT, func.min(end_device.c.lfdi).label("lfdi")).where(_UNBOUND).group_by(client.c.lfdi, client.c.kind)
)
_OF_MEMBERS = _OF_ALL.where(_IN_GROUP)
_NAMED = exists().where(alarm_member.c.alarm_id == alarm.c.id, alarm_member.c.name == client.c.lfdi)
_STANDING = (
    select(client.c.id, client.c.lfdi)
    .join_from(client, alarm, or_(alarm.c.subject == client.c.lfdi, _NAMED))
    .where(alarm.c.code == bindparam("code"), alarm.c.cleared.is_(None))
    .where(exists().where(end_device.c.client_id == client.c.id, _IN_GROUP))
)


async def device(db: Connection, device_id: int, newcomers: int) -> Row[Any] | None:
    """A device: lfdi, client_id, client_lfdi, client_kind; `unbound`: at most the newcomers' default bounds it."""
    return await db.one(_DEVICE, device_id=device_id, newcomers=newcomers)


async def has_any(db: Connection, client_id: int, newcomers: int) -> bool:
    """Whether any device of a client is unbound."""
    return await db.one(_OF_CLIENT, client_id=client_id, newcomers=newcomers) is not None


async def of_members(db: Connection, group_id: int, newcomers: int) -> Sequence[Row[Any]]:
    """The clients that have unbound devices in a group: client_lfdi, client_kind, and the lfdi of one of them."""
    return await db.all(_OF_MEMBERS, group_id=group_id, newcomers=newcomers)


async def of_all(db: Connection, newcomers: int) -> Sequence[Row[Any]]:
    """The clients that have unbound devices: client_lfdi, client_kind, and the lfdi of one of them."""
    return await db.all(_OF_ALL, newcomers=newcomers)


async def standing(db: Connection, code: str, group_id: int) -> Sequence[Row[Any]]:
    """The clients that an alarm of that code is about, and which have devices in a group: id, lfdi."""
    return await db.all(_STANDING, code=code, group_id=group_id)
