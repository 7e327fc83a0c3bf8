"""Changes of what is registered: named fields, names, places; and its removal."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from sep2.admin import find, floors, register, views
from sep2.admin import groups as group_routes
from sep2.admin import types as t
from sep2.errors import BadRequest
from sep2.operations import clients, connections, devices, groups, moves, naming, rates, removal, territory
from sep2.operations.mirrors import set_reading_sign
from sep2.rest.route import Request
from sep2.store import dependants
from sep2.store import devices as stored_devices
from sep2.store import naming as stored_names


class NothingToChange(BadRequest):
    """The request names no field to change."""


def said_in(asked: msgspec.Struct) -> dict[str, Any]:
    """The fields that a change names."""
    found = {name: getattr(asked, name) for name in asked.__struct_fields__ if getattr(asked, name) is not UNSET}
    if not found:
        raise NothingToChange(", ".join(asked.__struct_fields__))
    return found


async def change_client(rq: Request, asked: t.ClientChange) -> t.Client:
    """The client with the fields that were named changed; let in, or shut out, from its next request on."""
    row = await find.client(rq.db, rq.ids["client"])
    await clients.change_client(rq.db, row.id, said_in(asked), rq.now)
    return views.client(await find.client(rq.db, row.lfdi))


async def rename_client(rq: Request, asked: t.Rename) -> t.Client:
    """The client by its new name."""
    row = await find.client(rq.db, rq.ids["client"])
    await clients.rename_client(rq.db, row.id, asked.name)
    return views.client(await find.client(rq.db, row.lfdi))


async def remove_client(rq: Request, asked: t.Remove) -> t.Removed:
    """The client that may do nothing any more; its subscriptions end with status 4."""
    row = await find.client(rq.db, rq.ids["client"])
    to = None if asked.to is None else (await find.client(rq.db, asked.to)).id
    found = await removal.remove_client(rq.db, row.id, rq.now, with_devices=asked.with_devices, to=to)
    return removed("client", row.name, found, asked.to)


async def move_devices(rq: Request, asked: t.OtherClient) -> t.Moved:
    """How many devices of the client another one acts for now."""
    row, to = await find.client(rq.db, rq.ids["client"]), await find.client(rq.db, asked.client)
    numbers = await dependants.devices_of(rq.db, row.id)
    for device_id in numbers:
        await moves.move_to_client(rq.db, device_id, to.id, rq.now)
    return t.Moved(client=to.name, devices=len(numbers))


async def change_device(rq: Request, asked: t.DeviceChange) -> t.DeviceShown:
    """The device with the fields that were named changed."""
    row = await find.device(rq.db, rq.ids["device"])
    said = said_in(asked)
    if guaranteed := floors.of_change(rq, row, said):
        await stored_devices.update_one(rq.db, row.id, **guaranteed)
    if said:
        await devices.set_device(rq.db, row.id, said, rq.now)
    return await register.shown(rq, await find.device(rq.db, row.lfdi))


async def rename_device(rq: Request, asked: t.Rename) -> t.DeviceShown:
    """The device by its new name; one that is its own client is called so as a client too."""
    row = await find.device(rq.db, rq.ids["device"])
    if row.client_lfdi == row.lfdi:
        await clients.rename_client(rq.db, row.client_id, asked.name)
    else:
        await naming.check(rq.db, "device", asked.name, beside=row.id)
        await stored_names.rename(rq.db, "device", row.id, asked.name)
    return await register.shown(rq, await find.device(rq.db, row.lfdi))


async def move_device_to_client(rq: Request, asked: t.OtherClient) -> t.DeviceShown:
    """The device, for which another client acts from now on."""
    row, to = await find.device(rq.db, rq.ids["device"]), await find.client(rq.db, asked.client)
    await moves.move_to_client(rq.db, row.id, to.id, rq.now)
    return await register.shown(rq, await find.device(rq.db, row.lfdi))


async def change_connection(rq: Request, asked: t.ConnectionChange) -> t.Connection:
    """The connection with the fields that were named changed."""
    row = await find.connection(rq.db, rq.ids["connection"])
    await connections.change_connection(rq.db, row.id, said_in(asked), rq.now)
    return views.connection(await find.connection(rq.db, row.connection_id))


async def rename_connection(rq: Request, asked: t.RenameConnection) -> t.Connection:
    """The connection by its new id."""
    row = await find.connection(rq.db, rq.ids["connection"])
    await connections.rename_connection(rq.db, row.id, asked.name, rq.now)
    return views.connection(await find.connection(rq.db, asked.name))


async def remove_connection(rq: Request, asked: t.Remove) -> t.Removed:
    """The connection that is gone; its controls and overrides are withdrawn."""
    row = await find.connection(rq.db, rq.ids["connection"])
    to = None if asked.to is None else (await find.connection(rq.db, asked.to)).connection_id
    found = await removal.remove_connection(rq.db, row.id, rq.now, with_devices=asked.with_devices, to=to)
    return removed("connection", row.connection_id, found, to)


async def change_group(rq: Request, asked: t.GroupChange) -> t.Group:
    """The group with the fields that were named changed."""
    row = await find.group(rq.db, rq.ids["group"])
    said = said_in(asked)
    await groups.change_group(rq.db, row.id, said, rq.now)
    if "primacy" in said:
        await group_routes.keep_order(rq, row)
    return views.group(await find.group(rq.db, row.name))


async def rename_group(rq: Request, asked: t.Rename) -> t.Group:
    """The group by its new name."""
    row = await find.group(rq.db, rq.ids["group"])
    groups.refuse_own(row)
    await territory.refuse_own(rq.db, row.id)
    await naming.check(rq.db, "group", asked.name, beside=row.id)
    await stored_names.rename(rq.db, "group", row.id, asked.name)
    return views.group(await find.group(rq.db, asked.name))


async def remove_group(rq: Request, asked: t.Remove) -> t.Removed:
    """The group that is gone; its controls are withdrawn."""
    row = await find.group(rq.db, rq.ids["group"])
    to = None if asked.to is None else (await find.group(rq.db, asked.to)).id
    found = await removal.remove_group(rq.db, row.id, rq.now, with_devices=asked.with_devices, to=to)
    return removed("group", row.name, found, asked.to, leaves_members=True)


async def show_mirror(rq: Request, asked: t.Nothing) -> t.Mirror:
    """One mirror, by its number, its name or the beginning of its mRID."""
    return views.mirror(await find.mirror(rq.db, rq.ids["mirror"]))


async def change_mirror(rq: Request, asked: t.MirrorChange) -> t.Mirror:
    """The mirror with the fields that were named changed."""
    row = await find.mirror(rq.db, rq.ids["mirror"])
    said = said_in(asked)
    if "post_rate" in said:
        await rates.set_post_rate(rq.db, row.id, said["post_rate"], rq.now)
    if "reading_sign" in said:
        await set_reading_sign(rq.db, row.id, said["reading_sign"])
    return views.mirror(await find.mirror(rq.db, str(row.id)))


async def rename_mirror(rq: Request, asked: t.Rename) -> t.Mirror:
    """The mirror by the name that operators give it; its client is not told of that."""
    row = await find.mirror(rq.db, rq.ids["mirror"])
    await naming.check(rq.db, "mirror", asked.name, beside=row.id)
    await stored_names.rename(rq.db, "mirror", row.id, asked.name)
    return views.mirror(await find.mirror(rq.db, str(row.id)))


async def remove_mirror(rq: Request, asked: t.RemoveMirror) -> t.Removed:
    """The mirror that is gone, with its readings; its client may make it anew."""
    row = await find.mirror(rq.db, rq.ids["mirror"])
    found = await removal.remove_mirror(rq.db, row.id, with_readings=asked.with_readings)
    return removed("mirror", str(row.id), found, None)


async def rename_curve(rq: Request, asked: t.Rename) -> t.Curve:
    """The curve by the name that operators give it; what it says is never edited."""
    row = await find.curve(rq.db, rq.ids["curve"])
    await naming.check(rq.db, "curve", asked.name, beside=row.id)
    await stored_names.rename(rq.db, "curve", row.id, asked.name)
    return views.curve(await find.curve(rq.db, row.mrid))


def removed(
    noun: str,
    name: str,
    found: Mapping[str, int],
    to: str | None,
    *,
    leaves_members: bool = False,
    moves: Sequence[str] = ("device",),
) -> t.Removed:
    """What was removed, in words; moves: the kinds of what goes elsewhere."""
    stays = {kind: count for kind, count in found.items() if kind in moves and (to is not None or leaves_members)}
    gone = {kind: count for kind, count in found.items() if kind not in stays}
    message = f"{noun} {name} is removed"
    if said := removal.said_of(gone):
        message += f" with {said}"
    if said := removal.said_of(stays):
        message += f"; {said} {f'went to {to}' if to is not None else 'left it'}"
    return t.Removed(name=name, dependants=dict(found), message=message)
