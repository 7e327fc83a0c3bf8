"""Customers who move in and out at an instant: what stood for one of them ends there, and so does judging."""

from typing import Any

from sqlalchemy import Row

from sep2.errors import Conflict
from sep2.operations import releasing
from sep2.operations.compliance import LONGEST_EXEMPTION_S, exempt
from sep2.operations.controls import withdraw
from sep2.rules.authority import OWN, Role
from sep2.store import controls, customers, dependants, groups
from sep2.store import devices as stored_devices
from sep2.store import overrides as stored_overrides
from sep2.store.connection import Connection

WHY = "the customer has moved out"
NOBODY = "no customer"
"""The reason for which a connection without a customer is not judged."""


class NobodyThere(Conflict):
    """Nobody lives at the connection: its last customer has moved out."""


async def move_out(db: Connection, row: Row[Any], now: int, *, by: str) -> int:
    """End the time of a connection's customer; how many controls and overrides of it ended with that.

    Nothing flexible is published there until somebody moves in; its contract and default hold. An interval that goes
    on over the instant is nobody's.
    """
    known = await customers.of_connection(db, row.id)
    if known and known[0].until is not None:
        raise NobodyThere(row.connection_id)
    if known:
        await customers.end(db, known[0].id, now, by)
    else:
        said = {"connection_id": row.id, "since": row.created, "moved_in_by": "", "until": now, "moved_out_by": by}
        await customers.add(db, **said)
    ended = await _end_standing(db, row, now)
    await exempt(db, row.id, (now, now + LONGEST_EXEMPTION_S), reason=NOBODY, operator=by, now=now)
    return ended


async def move_in(db: Connection, row: Row[Any], now: int, *, by: str, reference: str = "") -> int:
    """Begin the time of another customer; who still lived there moves out at the same instant. What ended with that."""
    ended = 0
    known = await customers.of_connection(db, row.id)
    if not known or known[0].until is None:
        ended = await move_out(db, row, now, by=by)
    await customers.add(db, connection_id=row.id, since=now, moved_in_by=by, reference=reference)
    await customers.end_exemption(db, row.id, NOBODY, now)
    return ended


async def _end_standing(db: Connection, row: Row[Any], now: int) -> int:
    """Withdraw what was sent to this connection, or to a device there, alone: envelopes, schedules and overrides.

    What holds for many places, such as a feeder's override, is not the customer's and goes on.
    """
    devices = [one.id for one in await dependants.devices_at(db, row.id)]
    programs = [*await groups.at_place(db, connection_id=row.id)]
    for device_id in devices:
        programs += await groups.at_place(db, device_id=device_id)
    ended = 0
    for group in programs:
        parts = await controls.standing(db, group.id, now) if group.role in (*OWN, Role.SCHEDULE) else []
        if parts:
            await withdraw(db, parts, now, reason=WHY)
            ended += len(parts)
    subjects = [("connection", row.connection_id)]
    subjects += [("device", device.lfdi) for one in devices if (device := await stored_devices.one(db, one))]
    for scope, subject in subjects:
        for override_id in await stored_overrides.live_of(db, scope, subject, now):
            await releasing.release(db, override_id, now, reason=WHY, spread_s=0)
            ended += 1
    return ended
