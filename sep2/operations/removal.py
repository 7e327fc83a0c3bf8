"""Removing clients, connections, groups and mirrors: what depends on them is named first, and goes too or elsewhere."""

from collections.abc import Mapping
from typing import Any

from sep2.errors import BadValue, Conflict
from sep2.operations import devices, groups, mirrors, moves, overrides, territory
from sep2.operations.clients import UnknownClient
from sep2.operations.groups import BadGroup, UnknownGroup
from sep2.operations.inherited import house
from sep2.operations.retiring import retire
from sep2.rules.authority import Role
from sep2.store import alarms, clients, connections, deliveries, dependants, subscriptions
from sep2.store import devices as stored_devices
from sep2.store import groups as stored_groups
from sep2.store import overrides as stored_overrides
from sep2.store.connection import Connection

GONE = 4
"""Notification.status: the subscribed resource no longer exists for the subscriber."""


class HasDependants(Conflict):
    """Others depend on it; say what becomes of them."""


class BadRemoval(BadValue):
    """It can not be removed so."""


def said_of(found: Mapping[str, int]) -> str:
    """Counts in words, such as `57 devices, 1 mirror`."""
    return ", ".join(
        f"{count} {noun if count == 1 or noun == 'series' else f'{noun}s'}" for noun, count in found.items() if count
    )


def _settle(name: str, found: Mapping[str, int], *, with_them: bool, to: int | None, needs: str = "device") -> None:
    """Refuse where something depends on it and nobody said what becomes of that."""
    if with_them and to is not None:
        raise BadRemoval("with_devices: they are removed too, or go elsewhere (to); say one")
    if found[needs] and not with_them and to is None:
        raise HasDependants(f"{name}: {said_of(found)}")


async def remove_client(
    db: Connection, client_id: int, now: int, *, with_devices: bool = False, to: int | None = None
) -> dict[str, int]:
    """Remove a client; its devices are removed too, or another client acts for them. What depended on it, by kind.

    Its certificates may do nothing from now on, its name is free, and its subscriptions end with status 4. It is
    forgotten once that is told.
    """
    row = await clients.one(db, client_id)
    if row is None or row.removed is not None:
        raise UnknownClient(str(client_id))
    found = await dependants.of_client(db, client_id)
    _settle(row.name, found, with_them=with_devices, to=to)
    for device_id in await dependants.devices_of(db, client_id):
        if to is not None:
            await moves.move_to_client(db, device_id, to, now)
        else:
            await _leave_or_remove(db, device_id, row, now)
    row = await clients.one(db, client_id)
    if row is not None and row.removed is None:
        await end_client(db, client_id, row.lfdi, now)
    return found


async def end_client(db: Connection, client_id: int, lfdi: str, now: int) -> None:
    """Let a client do nothing any more, and have its subscribers told of the end; alarms about it are cleared."""
    await alarms.clear_about(db, lfdi, now)
    await deliveries.put(db, await subscriptions.ids_of(db, client_id), now, status=GONE)
    db.changed = True
    await clients.update_one(db, client_id, removed=now, enabled=False, name_key=None)


async def _leave_or_remove(db: Connection, device_id: int, client: Any, now: int) -> None:
    """A device is forgotten; the one that is the client itself stays until its subscribers are told."""
    device = await stored_devices.one(db, device_id)
    if device is None or device.lfdi != client.lfdi:
        await devices.remove_device(db, device_id, now)
        return
    await groups.leave_all(db, device_id, now)
    free = {"connection_id": None, "holds_net_limit": False, "claimed_connection": None, "name": None}
    await stored_devices.update_one(db, device_id, **free, name_key=None, changed=now)


async def remove_connection(
    db: Connection, row_id: int, now: int, *, with_devices: bool = False, to: str | None = None
) -> dict[str, int]:
    """Remove a connection; its devices are removed too, or are at another one. What depended on it, by kind.

    Its controls and overrides are withdrawn; they can still be looked up.
    """
    name = await connections.name_of(db, row_id)
    assert name is not None
    found = await dependants.of_connection(db, row_id, now)
    _settle(name, found, with_them=with_devices, to=None if to is None else 0)
    for row in await dependants.devices_at(db, row_id):
        if to is None:
            await devices.remove_device(db, row.id, now)
        else:
            await devices.place_device(db, row.id, to, now, holds_net_limit=row.holds_net_limit)
    for override_id in await stored_overrides.live_of(db, "connection", name, now):
        await overrides.release(db, override_id, now, reason="the connection is removed", spread_s=0)
    for group in await stored_groups.at_place(db, connection_id=row_id):
        await retire(db, group, now)
    await connections.remove(db, row_id)
    return found


async def remove_group(
    db: Connection, group_id: int, now: int, *, with_devices: bool = False, to: int | None = None
) -> dict[str, int]:
    """Remove a group of the operator's; its devices are let go, or are put into another one. What depended on it."""
    group = await stored_groups.one(db, group_id)
    if group is None or group.removed is not None:
        raise UnknownGroup(str(group_id))
    if group.role != Role.GROUP or (await house(db)).newcomers == group_id:
        raise BadGroup(f"group: {group.name} is not the operator's to remove")
    if to == group_id:
        raise BadRemoval("to: is the group that is removed")
    await territory.refuse_own(db, group_id)
    found = await dependants.of_group(db, group_id, now)
    _settle(group.name, found, with_them=with_devices, to=to)
    for device_id in await stored_groups.member_ids(db, group_id):
        if to is not None and not await stored_groups.is_member(db, to, device_id):
            await groups.assign(db, to, device_id, now)
        if await stored_groups.is_member(db, group_id, device_id):
            await groups.unassign(db, group_id, device_id, now)
    await retire(db, group, now)
    return found


async def remove_mirror(db: Connection, mirror_id: int, *, with_readings: bool = False) -> dict[str, int]:
    """Forget a MirrorUsagePoint with its readings; its client may make it anew. What depended on it, by kind."""
    found = await dependants.of_mirror(db, mirror_id)
    if found["reading"] and not with_readings:
        raise HasDependants(f"mirror {mirror_id}: {said_of(found)}")
    await mirrors.delete_mirror(db, mirror_id)
    return found
