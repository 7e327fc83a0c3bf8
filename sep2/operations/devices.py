"""EndDevices: registered by the operator, or in-band by the client that may act for them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from sep2.errors import BadValue, Conflict, NotFound
from sep2.operations import identifiers
from sep2.operations.alarms import DEVICE_MOVED, NO_SUCH_GROUP, raise_alarm
from sep2.operations.groups import assign, drop_own_group, give_own_group, unassign
from sep2.rules.identifiers import is_lfdi, is_pin, new_pin, sfdi_of
from sep2.store import clients, connections, devices, groups, outbox, receivers
from sep2.store.connection import Connection

BELOW_A_DEVICE = (
    "EndDevice",
    "DERProgram",
    "DERControlList",
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


class NoSuchDevice(NotFound):
    """No such EndDevice is registered."""


class ConnectionTaken(Conflict):
    """Another EndDevice holds the import and export limits of this connection."""


class BadDevice(BadValue):
    """The EndDevice can not be registered so."""


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
    group: str = ""
    """The name of a group to join."""


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
        fsa_mrid=await identifiers.fresh(db),
        changed=now,
        registered=now,
    )
    await outbox.changed(db, "EndDeviceList", client=new.client_id)
    if group_id is not None and new.holds_net_limit:
        await assign(db, group_id, device_id, now)
    elif group_id is not None:
        await give_own_group(db, device_id, now)
    if new.group:
        await _join(db, new.group, device_id, now)
    return device_id


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


async def place_device(db: Connection, device_id: int, connection_id: str, now: int) -> None:
    """Move a device to a connection and into the group that is its own, as a ConnectionPoint says.

    A client may do so (CSIP-AUS), and gets rid of one connection's limits by it: operators are told.
    """
    device = await devices.one(db, device_id)
    if device is None:
        raise NoSuchDevice(str(device_id))
    place = await connections.by_name(db, connection_id)
    if place is None:
        raise BadDevice(f"connectionPointId: there is no connection {connection_id!r}")
    if device.connection_id == place.id:
        return
    if await devices.net_limit_holder(db, place.id):
        raise ConnectionTaken(connection_id)
    if device.connection_id is not None:
        before = await connections.name_of(db, device.connection_id)
        await raise_alarm(
            db, DEVICE_MOVED, device.lfdi, f"it says that it is at {connection_id}, no more {before}", now=now
        )
    await _leave_place(db, device.connection_id, device_id, now)
    await devices.update_one(db, device_id, connection_id=place.id, holds_net_limit=True, changed=now)
    await assign(db, place.device_group_id, device_id, now)
    await outbox.changed(db, "EndDevice", edev=device_id)


async def _leave_place(db: Connection, row_id: int | None, device_id: int, now: int) -> None:
    await drop_own_group(db, device_id, now)
    group = await groups.of_connection(db, row_id) if row_id is not None else None
    if group is not None and await groups.is_member(db, group.id, device_id):
        await unassign(db, group.id, device_id, now)


async def remove_device(db: Connection, device_id: int, now: int) -> bool:
    """Forget a device; its subscribers are told that it is gone. Whether the client that it was is forgotten with it.

    A device that connects by itself may then no longer connect, nor register itself again, until it is added anew.
    """
    device = await devices.one(db, device_id)
    if device is None:
        raise NoSuchDevice(str(device_id))
    for kind in BELOW_A_DEVICE:
        await outbox.changed(db, kind, edev=device_id)
    await drop_own_group(db, device_id, now)
    await devices.remove(db, device_id)
    await receivers.forget_unused(db, device.client_id)
    await outbox.changed(db, "EndDeviceList", client=device.client_id)
    client = await clients.one(db, device.client_id)
    is_client = client is not None and client.kind == "device" and client.lfdi == device.lfdi
    if not is_client or await devices.any_of(db, device.client_id):
        return False
    await clients.remove(db, device.client_id)
    return True


async def change_device(
    db: Connection, device_id: int, *, now: int, post_rate: int | None, device_category: int | None
) -> None:
    """Take over what a client may say of its own EndDevice."""
    device = await devices.one(db, device_id)
    if device is None:
        raise NoSuchDevice(str(device_id))
    await devices.update_one(db, device_id, post_rate=post_rate, device_category=device_category, changed=now)
    await outbox.changed(db, "EndDevice", edev=device_id, client=device.client_id)
