"""What devices report of their rating, which limits are sent as percentages of in profile csip."""

from typing import Any

from sep2.errors import Conflict
from sep2.operations import identifiers, inherited
from sep2.operations.alarms import SET_MAX_W
from sep2.operations.controls import limits_of
from sep2.rules import defaults as rules
from sep2.rules.limits import Limits
from sep2.rules.ratings import doubt_of, percent_of, rating
from sep2.rules.reach import CSIP, only_draws
from sep2.store import alarms, clients, defaults, devices, editions, outbox
from sep2.store.connection import Connection
from sep2.store.controls import Control


class NothingReported(Conflict):
    """The device has not reported a setMaxW of a watt or more, so there is nothing to agree to."""


async def take_report(db: Connection, device_id: int, reported: dict[str, Any], now: int) -> None:
    """Store what a device's DERSettings or DERCapability say of its rating, and serve percentages of it from now on.

    reported: columns of the device. A first setMaxW that is plausible counts as agreed to.
    """
    device = await devices.one(db, device_id)
    if device is None or all(getattr(device, name) == value for name, value in reported.items()):
        return
    await devices.update_one(db, device_id, **reported)
    fresh = await devices.one(db, device_id)
    if fresh is not None and fresh.agreed_max_w is None and fresh.set_max_w is not None and not doubt_of(fresh):
        await devices.update_one(db, device_id, agreed_max_w=fresh.set_max_w)
    await _follow(db, device, now)


async def agree_rating(db: Connection, device_id: int, now: int) -> None:
    """Have percentages be of the setMaxW that the device reports, however it came by it."""
    device = await devices.one(db, device_id)
    if device is None or device.set_max_w is None:
        raise NothingReported(device.lfdi if device else str(device_id))
    nameplate = device.nameplate_w or 0
    await devices.update_one(db, device_id, agreed_max_w=device.set_max_w, agreed_nameplate_w=nameplate)
    await _follow(db, device, now)


async def _follow(db: Connection, before: Any, now: int) -> None:
    """Raise or clear the alarm, and issue anew what reads differently; only profile csip is sent percentages."""
    device = await devices.one(db, before.id)
    owner = await clients.one(db, before.client_id)
    if device is None or owner is None or owner.profile != CSIP:
        return
    was, found = rating(before), rating(device)
    if found.doubt and not only_draws(device):
        holds = "0 %" if found.watts is None else f"percentages of {found.watts} W"
        detail = f"{found.doubt}; limits are sent as {holds}, until it reports another or `sep2 device agree-rating`"
        await alarms.add_members(db, SET_MAX_W, owner.lfdi, [device.lfdi], detail=detail, now=now)
    else:
        await alarms.drop_members(db, SET_MAX_W, [device.lfdi], now)
    if was.watts != found.watts:
        await _issue_anew(db, device.id, was.watts, found.watts, now=now)
        await _raise_defaults(db, device.id, was.watts, found.watts)


async def _issue_anew(db: Connection, device_id: int, before_w: int | None, rating_w: int | None, *, now: int) -> None:
    """Give every control whose percentage differs another mRID for this device: what is published is not edited."""
    rows = []
    for control in await editions.limiting(db, device_id, now):
        if _differs(limits_of(control), before_w, rating_w):
            created = await _created(db, device_id, control, now)
            mrid = await identifiers.fresh(db)
            rows.append({"control_id": control.id, "end_device_id": device_id, "mrid": mrid, "created": created})
    for row in rows:
        row |= {"since": now, "rating_w": rating_w, "before_w": before_w}
    await editions.add(db, rows)
    if rows:
        await outbox.changed(db, "DERControlList", edev=device_id)


async def _created(db: Connection, device_id: int, control: Control, now: int) -> int:
    """The creationTime of a new edition: later than that of the one before, so that it takes its place (10.2.3.3)."""
    known = await editions.of_control(db, device_id, control.id)
    return max([now, control.created + 1, *(one.created + 1 for one in known)])


async def _raise_defaults(db: Connection, device_id: int, before_w: int | None, rating_w: int | None) -> None:
    known = await inherited.house(db)
    held = await inherited.held_by(db, device_id, known)
    pairs = [
        (program.group_id, device_id)
        for at, program in enumerate(held.programs)
        if _differs(rules.limits_of(held.view(at, known.layout)), before_w, rating_w)
    ]
    await defaults.move(db, pairs, 1)
    await outbox.changed_each(db, "DefaultDERControl", [{"derp": group, "edev": device} for group, device in pairs])


def _differs(limits: Limits, before_w: int | None, rating_w: int | None) -> bool:
    bounds = [watts for watts in (limits.export_w, limits.gen_w) if watts is not None]
    return bool(bounds) and percent_of(min(bounds), before_w) != percent_of(min(bounds), rating_w)
