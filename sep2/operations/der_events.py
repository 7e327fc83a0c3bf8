"""Faults that devices report, by LogEvents and by DERStatus.alarmStatus (2030.5 10.10): one alarm for each device."""

from collections.abc import Collection

from sep2.operations.alarms import DER_EVENT
from sep2.rules.alarm_kinds import ACT_SOON, THIS_DAY
from sep2.store import alarms, devices
from sep2.store.connection import Connection

FAULTS = (
    "over current",
    "over voltage",
    "under voltage",
    "over frequency",
    "under frequency",
    "voltage imbalance",
    "current imbalance",
    "emergency, local",
    "emergency, remote",
    "low input power",
    "phase rotation",
)
"""By their bit in alarmStatus; the LogEvent of one has twice that number as its code, and the next for its end."""
URGENT = frozenset({"over voltage", "under voltage", "emergency, local", "emergency, remote"})
DER_FUNCTIONS, STANDARD = 11, 2
"""LogEvent.functionSet and profileID of the codes that the standard defines."""


async def take_log_event(
    db: Connection, device_id: int, *, function_set: int, profile_id: int, code: int, now: int
) -> None:
    """Raise or clear the fault that a LogEvent tells of; other events are for the list only."""
    if function_set != DER_FUNCTIONS or profile_id != STANDARD or code // 2 >= len(FAULTS):
        return
    lfdi = await _lfdi(db, device_id)
    standing = set(await alarms.members_about(db, DER_EVENT, lfdi))
    fault = FAULTS[code // 2]
    await _set(db, lfdi, standing - {fault} if code % 2 else standing | {fault}, now)


async def take_alarm_status(db: Connection, device_id: int, bits: int, now: int) -> None:
    """Have exactly the faults stand that a DERStatus says."""
    lfdi = await _lfdi(db, device_id)
    await _set(db, lfdi, {fault for bit, fault in enumerate(FAULTS) if bits >> bit & 1}, now)


async def _lfdi(db: Connection, device_id: int) -> str:
    return await devices.lfdi_of(db, device_id) or ""


async def _set(db: Connection, lfdi: str, faults: Collection[str], now: int) -> None:
    if not faults:
        await alarms.over(db, DER_EVENT, lfdi, now)
        return
    priority = ACT_SOON if URGENT.intersection(faults) else THIS_DAY
    names = sorted(faults)
    detail = f"it reports {', '.join(names)}"
    await alarms.raise_one(db, DER_EVENT, lfdi, detail, now=now, priority=priority, members=names)
