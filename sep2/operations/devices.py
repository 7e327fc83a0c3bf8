"""EndDevices: registered by the operator, or in-band by the client that may act for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Row

from sep2.errors import BadValue, Conflict, NotFound
from sep2.operations import identifiers, inherited, naming, territory, unlimited
from sep2.operations.alarms import (
    CLAIM_REFUSED,
    DER_EVENT,
    DEVICE_MOVED,
    NO_SUCH_GROUP,
    SET_MAX_W,
    clear_alarm,
    raise_alarm,
)
from sep2.operations.groups import assign, drop_own_group, give_own_group, unassign, welcome
from sep2.rules.identifiers import is_lfdi, is_pin, new_pin, sfdi_of
from sep2.store import alarms, clients, connections, devices, groups, outbox, receivers
from sep2.store import naming as stored_names
from sep2.store.connection import Connection

BELOW_A_DEVICE = (
    "EndDevice",
    "DERProgram",
    "DERControlList",
    "DemandResponseProgramList",
    "EndDeviceControlList",
    "DefaultDERControl",
    "DER",
    "DERSettings",
    "DERStatus",
    "DERAvailability",
    "LogEventList",
)
"""Kinds of change that reach every subscription to an EndDevice and to what is below it."""


class DeviceTaken(Conflict):
    """An EndDevice with this LFDI is registered already."""

    def __init__(self, detail: str, device_id: int) -> None:
        super().__init__(detail)
        self.device_id = device_id


class UnknownDevice(NotFound):
    """There is no device of that name, and none whose LFDI begins so."""


class ConnectionTaken(Conflict):
    """Another EndDevice holds the import and export limits of this connection."""


class MoveRefused(Conflict):
    """This utility lets no device say that it is at another connection."""


class NoMoveAsked(Conflict):
    """The device does not say that it is at another connection."""


class BadDevice(BadValue):
    """The EndDevice can not be registered so."""


Move = Literal["ask", "at-once", "refuse"]
"""What becomes of a device that says it is at another connection, see `utility.connection_move`."""


@dataclass(frozen=True, slots=True)
class NewDevice:
    """An EndDevice to register; `client_id` is the one client that may act for it."""

    lfdi: str
    client_id: int
    connection_id: str | None = None
    holds_net_limit: bool = True
    pin: int | None = None
    post_rate: int | None = None
    device_category: int | None = None
    make: str | None = None
    load_control_w: int | None = None
    """What it draws at most, where it follows EndDeviceControls."""
    group: str = ""
    """The name of a group to join."""
    name: str | None = None
    """What operators call it."""


async def add_device(db: Connection, new: NewDevice, now: int) -> int:
    """Register an EndDevice; it joins the group of its connection, and the one that it is to join.

    One that does not hold its connection's net limits has a group of its own instead, for its part of them.
    """
    lfdi = new.lfdi.upper()
    if not is_lfdi(lfdi):
        raise BadDevice(f"lfdi: {new.lfdi[:60]!r} is not 40 hexadecimal digits")
    check_pin(new.pin)
    client = await _owner(db, new.client_id, lfdi)
    if new.pin is not None:
        pin = new.pin
    else:
        pin = client.pin if client.lfdi == lfdi and client.pin is not None else new_pin()
    if known := await devices.by_lfdi(db, lfdi):
        raise DeviceTaken(lfdi, known.id)
    name = await _name_of(db, new, client, lfdi)
    row_id, group_id = await _place(db, new)
    device_id = await devices.add(
        db,
        lfdi=lfdi,
        sfdi=sfdi_of(lfdi),
        client_id=new.client_id,
        connection_id=row_id,
        holds_net_limit=row_id is not None and new.holds_net_limit,
        pin=pin,
        enabled=True,
        post_rate=new.post_rate,
        device_category=new.device_category,
        make=new.make,
        load_control_w=new.load_control_w,
        name=name,
        fsa_mrid=await identifiers.fresh(db),
        changed=now,
        registered=now,
    )
    await outbox.changed(db, "EndDeviceList", client=new.client_id)
    if group_id is not None and new.holds_net_limit:
        await assign(db, group_id, device_id, now)
    elif group_id is not None:
        await give_own_group(db, device_id, now)
    await territory.settle(db, [device_id], now)
    if new.group:
        await _join(db, new.group, device_id, now)
    await welcome(db, device_id, now)
    return device_id


async def _name_of(db: Connection, new: NewDevice, client: Row[Any], lfdi: str) -> str | None:
    """What a new device is called; one that is its own client as that, where nothing else is called so."""
    if new.name is not None:
        return await naming.check(db, "device", new.name)
    if client.kind != "device" or client.lfdi != lfdi or await stored_names.holder(db, "device", client.name):
        return None
    return str(client.name)


async def _join(db: Connection, name: str, device_id: int, now: int) -> None:
    """Put a device into the group of that name; a client is not refused because the utility has no such group."""
    group = await groups.by_name(db, name)
    if group is not None:
        await assign(db, group.id, device_id, now)
    else:
        await raise_alarm(db, NO_SUCH_GROUP, name, "devices that register themselves are to join it", now=now)


def check_pin(pin: int | None) -> None:
    """Nothing, where a device may be registered with this pIN; None is any."""
    if pin is not None and not is_pin(pin):
        raise BadDevice(f"pIN: {pin} is not up to six digits whose sum is a multiple of ten")


async def _owner(db: Connection, client_id: int, lfdi: str) -> Row[Any]:
    """The client, where it may act for the LFDI: one that a certificate proves is its holder's alone."""
    client = await clients.one(db, client_id)
    if client is None:
        raise BadDevice(f"client_id: there is no client {client_id}")
    holder = await clients.by_lfdi(db, lfdi)
    if holder is not None and holder.id != client_id:
        raise BadDevice(f"lfdi: {lfdi} is that of another client")
    return client


async def _place(db: Connection, new: NewDevice) -> tuple[int | None, int | None]:
    """The connection of a new device and the group that goes with it; one device per connection holds its limits."""
    if new.connection_id is None:
        return None, None
    place = await connections.by_name(db, new.connection_id)
    if place is None:
        raise BadDevice(f"connection_id: there is no connection {new.connection_id!r}")
    if new.holds_net_limit and (holder := await devices.net_limit_holder(db, place.id)):
        raise ConnectionTaken(f"{new.connection_id} is held by {holder.lfdi}")
    return place.id, place.device_group_id


async def claim_place(db: Connection, device_id: int, connection_id: str, now: int, *, move: Move = "ask") -> None:
    """Take a ConnectionPoint that a client wrote for its device (CSIP-AUS).

    A first place is taken at once. Another one would leave the limits of the first behind: an operator is told, and
    decides, unless the utility lets devices move at once, or refuses that they do.
    """
    device = await _known(db, device_id)
    place = await _place_named(db, connection_id)
    if device.connection_id == place.id:
        await _settle_claim(db, device, now)
        return
    if holder := await devices.net_limit_holder(db, place.id):
        detail = f"it says that it is at {connection_id}, whose limits {holder.lfdi} holds"
        raise _refused(ConnectionTaken(f"{connection_id} is held by {holder.lfdi}"), device, detail)
    if device.connection_id is None:
        await _move(db, device, place, now=now)
        return
    if move == "refuse":
        raise _refused(MoveRefused(connection_id), device, f"it says that it is at {connection_id}, and may not move")
    before = await connections.name_of(db, device.connection_id)
    said = f"it says that it is at {connection_id}, no more {before}"
    if move == "at-once":
        await _move(db, device, place, now=now)
        await raise_alarm(db, DEVICE_MOVED, device.lfdi, said, now=now)
        return
    await devices.update_one(db, device_id, claimed_connection=connection_id, changed=now)
    await outbox.changed(db, "EndDevice", edev=device_id)
    answer = f"`sep2 device move {device.lfdi[:8]} --to {connection_id}`, or `… --stay`"
    await raise_alarm(db, DEVICE_MOVED, device.lfdi, f"{said}; until an operator agrees it stays: {answer}", now=now)


def _refused(refusal: Conflict, device: Any, detail: str) -> Conflict:
    """The same with an alarm: a device that claims a place it can not have is somewhere else than is registered."""
    refusal.alarm = CLAIM_REFUSED, device.lfdi, detail
    return refusal


async def place_device(
    db: Connection, device_id: int, connection_id: str, now: int, *, holds_net_limit: bool = True
) -> None:
    """Move a device to a connection, as an operator decides; into the connection's group, or into one of its own."""
    device = await _known(db, device_id)
    place = await _place_named(db, connection_id)
    holder = await devices.net_limit_holder(db, place.id)
    if holds_net_limit and holder is not None and holder.id != device_id:
        raise ConnectionTaken(f"{connection_id} is held by {holder.lfdi}")
    if device.connection_id == place.id and device.holds_net_limit == holds_net_limit:
        await _settle_claim(db, device, now)
        return
    await _move(db, device, place, now=now, holds_net_limit=holds_net_limit)


async def keep_place(db: Connection, device_id: int, now: int) -> None:
    """Refuse the move that a device has asked for: it stays where it is."""
    device = await _known(db, device_id)
    if device.claimed_connection is None:
        raise NoMoveAsked(device.lfdi)
    await _settle_claim(db, device, now)


async def _known(db: Connection, device_id: int) -> Any:
    device = await devices.one(db, device_id)
    if device is None:
        raise UnknownDevice(str(device_id))
    return device


async def _place_named(db: Connection, connection_id: str) -> Any:
    place = await connections.by_name(db, connection_id)
    if place is None:
        raise BadDevice(f"connectionPointId: there is no connection {connection_id!r}")
    return place


async def _settle_claim(db: Connection, device: Any, now: int) -> None:
    """Nothing is asked any more of where a device is."""
    await clear_alarm(db, CLAIM_REFUSED, device.lfdi, now)
    if device.claimed_connection is None:
        return
    await devices.update_one(db, device.id, claimed_connection=None, changed=now)
    await clear_alarm(db, DEVICE_MOVED, device.lfdi, now)
    await outbox.changed(db, "EndDevice", edev=device.id)


async def _move(db: Connection, device: Any, place: Any, *, now: int, holds_net_limit: bool = True) -> None:
    """Put a device at a connection; it joins what goes with that before it leaves what went with the one before."""
    before = await inherited.held_by(db, device.id)
    columns = {"connection_id": place.id, "holds_net_limit": holds_net_limit, "claimed_connection": None}
    await devices.update_one(db, device.id, **columns, changed=now)
    await inherited.follow_device(db, before)
    for code in (DEVICE_MOVED, CLAIM_REFUSED):
        await clear_alarm(db, code, device.lfdi, now)
    if holds_net_limit:
        if not await groups.is_member(db, place.device_group_id, device.id):
            await assign(db, place.device_group_id, device.id, now)
        await drop_own_group(db, device.id, now)
    else:
        await give_own_group(db, device.id, now)
    if device.connection_id is not None and device.connection_id != place.id:
        group = await groups.of_connection(db, device.connection_id)
        if group is not None and await groups.is_member(db, group.id, device.id):
            await unassign(db, group.id, device.id, now)
    await territory.settle(db, [device.id], now)
    await unlimited.look_at_device(db, device.id, now)
    await outbox.changed(db, "EndDevice", edev=device.id)


async def remove_device(db: Connection, device_id: int, now: int) -> bool:
    """Forget a device; its subscribers are told that it is gone. Whether the client that it was is forgotten with it.

    A device that connects by itself may then no longer connect, until it is added anew; where clients register
    themselves, it may do that.
    """
    device = await devices.one(db, device_id)
    if device is None:
        raise UnknownDevice(str(device_id))
    for kind in BELOW_A_DEVICE:
        await outbox.changed(db, kind, edev=device_id)
    await drop_own_group(db, device_id, now)
    await devices.remove(db, device_id)
    await receivers.forget_unused(db, device.client_id)
    for code in (DEVICE_MOVED, CLAIM_REFUSED, DER_EVENT):
        await clear_alarm(db, code, device.lfdi, now)
    await alarms.drop_members(db, SET_MAX_W, [device.lfdi], now)
    await outbox.changed(db, "EndDeviceList", client=device.client_id)
    client = await clients.one(db, device.client_id)
    if client is not None:
        await unlimited.look_at_client(db, client.id, client.lfdi, now)
    is_client = client is not None and client.kind == "device" and client.lfdi == device.lfdi
    if not is_client or await devices.any_of(db, device.client_id):
        return False
    await clients.remove(db, device.client_id)
    return True


async def set_device(db: Connection, device_id: int, said: Mapping[str, Any], now: int) -> None:
    """Change what operators say of an EndDevice: post_rate, device_category, pin, enabled, load_control_w.

    One that is not enabled is shown as such, and nothing below it is served to its client. Percentages of another load
    are other EndDeviceControls, with other mRIDs.
    """
    device = await _known(db, device_id)
    if "pin" in said:
        check_pin(said["pin"])
    if "enabled" in said:
        owner = await clients.one(db, device.client_id)
        if owner is not None and owner.kind == "aggregator" and owner.lfdi == device.lfdi:
            raise BadDevice(f"enabled: {device.lfdi} stands for the aggregator {owner.name}; block the client")
    await devices.update_one(db, device_id, **said, changed=now)
    if device.load_control_w != said.get("load_control_w", device.load_control_w):
        for kind in ("FunctionSetAssignmentsList", "DERControlList"):
            await outbox.changed(db, kind, edev=device_id)
        await unlimited.look_at_device(db, device_id, now)
        if said["load_control_w"] is not None and not device.set_max_w and not device.nameplate_w:
            await alarms.drop_members(db, SET_MAX_W, [device.lfdi], now)
    for kind in BELOW_A_DEVICE if "enabled" in said else ("EndDevice",):
        await outbox.changed(db, kind, edev=device_id)


async def change_device(
    db: Connection, device_id: int, *, now: int, post_rate: int | None, device_category: int | None
) -> None:
    """Take over what a client may say of its own EndDevice."""
    device = await devices.one(db, device_id)
    if device is None:
        raise UnknownDevice(str(device_id))
    await devices.update_one(db, device_id, post_rate=post_rate, device_category=device_category, changed=now)
    await outbox.changed(db, "EndDevice", edev=device_id, client=device.client_id)
