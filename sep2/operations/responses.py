"""What devices answer to controls."""

from functools import partial

from sep2.errors import BadValue
from sep2.operations.alarms import CONTROL_REJECTED
from sep2.rules.identifiers import companion_mrid
from sep2.rules.reach import companion_role
from sep2.store import alarms, controls, devices, responses
from sep2.store.connection import Connection

STATUSES = frozenset({*range(1, 15), 252, 253, 254})
"""Response.status of the 2018 edition; the rest is reserved there."""


REJECTED = frozenset({252, 253, 254})
"""The control's parameters are invalid, or it does not apply, or it came when it was over."""


class BadResponse(BadValue):
    """The response can not be taken."""


class NoEventOfDevice(BadResponse):
    """The response is to what this device was not told."""


async def answer(
    db: Connection, device_id: int, *, mrid: str, status: int | None, created: int | None, now: int
) -> int:
    """Store a response; late ones are taken too, for clients keep theirs through an outage."""
    if status is None or status not in STATUSES:
        raise BadResponse(f"status: {status} is reserved")
    add = partial(
        responses.add, db, device_id, status=status, created=now if created is None else created, received=now
    )
    added = await add(mrid)
    if added is None and (other := await _as_load_control(db, mrid, device_id)) is not None:
        added = await add(other, subject=mrid)
    if added is None:
        raise NoEventOfDevice(f"subject: {mrid} is not an event of this device")
    if status in REJECTED:
        await _warn(db, added.control_id, device_id, now)
    return int(added.id)


async def _as_load_control(db: Connection, mrid: str, device_id: int) -> str | None:
    """The mRID of the control that a device may know as the EndDeviceControl of another one."""
    device = await devices.one(db, device_id)
    if device is None or device.load_control_w is None:
        return None
    return companion_mrid(mrid, companion_role(device.load_control_w))


async def _warn(db: Connection, control_id: int, device_id: int, now: int) -> None:
    """Tell operators which devices can not carry a control out."""
    control, device = await controls.one(db, control_id), await devices.one(db, device_id)
    if control is not None and device is not None:
        detail = "devices answer that they can not carry it out; `sep2 response list --control` says why"
        await alarms.add_members(db, CONTROL_REJECTED, control.mrid, [device.lfdi], detail=detail, now=now)
