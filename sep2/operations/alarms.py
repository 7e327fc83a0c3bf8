"""Alarms: raised once for each code and subject, until the cause is gone or an operator clears them."""

from sep2.rules.limits import Limits
from sep2.store import alarms, devices
from sep2.store.connection import Connection

CERTIFICATE_EXPIRING = "certificate_expiring"
CLOCK_JUMP = "clock_jump"
DEVICE_MOVED = "device_moved"
NO_IMPORT_CONTROL = "no_import_control"
SET_MAX_W = "set_max_w"
NO_SUCH_GROUP = "no_such_group"
PROFILE_MISMATCH = "profile_mismatch"
TOO_MANY_REQUESTS = "too_many_requests"


async def warn_of_inexpressible(db: Connection, group_id: int, limits: Limits, now: int) -> None:
    """Tell operators which devices of a group can not be told these limits in their profile."""
    american = [device for device in await devices.members(db, group_id) if device.profile == "csip"]
    if limits.import_w is not None or limits.load_w is not None:
        detail = "an import limit can not be expressed in profile csip"
        await alarms.raise_many(db, NO_IMPORT_CONTROL, [device.lfdi for device in american], detail, now=now)
    if limits.export_w is not None or limits.gen_w is not None:
        silent = [device.lfdi for device in american if device.set_max_w is None]
        detail = "an export limit is sent in percent of setMaxW, and the device has not reported its own"
        await alarms.raise_many(db, SET_MAX_W, silent, detail, now=now)


async def raise_alarm(
    db: Connection, code: str, subject: str, detail: str, *, now: int, priority: int | None = None
) -> None:
    """Raise an alarm; one that stands already is not raised again. priority: where it is not that of its kind."""
    await alarms.raise_one(db, code, subject, detail, now=now, priority=priority)


async def clear_alarm(db: Connection, code: str, subject: str, now: int) -> None:
    """The cause is gone."""
    await alarms.clear(db, code, subject, now)
