"""Devices that another client acts for from now on."""

from typing import Any

from sep2.errors import BadValue
from sep2.operations import unlimited
from sep2.operations.clients import UnknownClient
from sep2.operations.devices import BELOW_A_DEVICE, UnknownDevice
from sep2.store import clients, devices, judged, mirrors, outbox
from sep2.store.connection import Connection


class BadMove(BadValue):
    """Nobody else can act for that device so."""


async def move_to_client(db: Connection, device_id: int, client_id: int, now: int) -> None:
    """Have another client act for a device: its place, programs, PIN, mirrors and answers stay as they are.

    Subscriptions of the client before end with status 4 where they are about the device.
    """
    device, new = await devices.one(db, device_id), await clients.one(db, client_id)
    if device is None:
        raise UnknownDevice(str(device_id))
    if new is None or new.removed is not None:
        raise UnknownClient(str(client_id))
    if device.client_id == client_id:
        return
    old = await clients.one(db, device.client_id)
    _check(device, old, new)
    await devices.update_one(db, device_id, client_id=client_id, changed=now)
    if old is not None:
        # Two moves in one second: what was before both is the first one's.
        await judged.note_acted(db, device_id, now, client_id=old.id, client_name=old.name)
    await mirrors.hand_over(db, device_id, client_id)
    for kind in (*BELOW_A_DEVICE, "FunctionSetAssignmentsList"):
        await outbox.changed(db, kind, edev=device_id)
    for number in (device.client_id, client_id):
        await outbox.changed(db, "EndDeviceList", client=number)
    await unlimited.look_at_device(db, device_id, now)
    if old is not None:
        await unlimited.look_at_client(db, old.id, old.lfdi, now)


def _check(device: Any, old: Any, new: Any) -> None:
    if old is not None and old.lfdi == device.lfdi:
        what = "stands for an aggregator" if old.kind == "aggregator" else "connects by itself with its own certificate"
        raise BadMove(f"device: {device.lfdi} {what}")
    if new.kind != "aggregator":
        raise BadMove(f"client: {new.name} acts for itself only")
