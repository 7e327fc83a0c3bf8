"""How far ahead limits are planned: noted by who plans, and looked at by those who ask whether all is well."""

from datetime import UTC, datetime

from sep2.operations.alarms import PLAN_ENDING, clear_alarm, raise_alarm
from sep2.rules.alarm_kinds import ACT_NOW, ACT_SOON
from sep2.store import marks
from sep2.store.connection import Connection

SOON_S, NOW_S = 6 * 3600, 3600
"""Of a plan of a day or more: what is left of it when it is an alarm, and when it is one to act on at once."""
SOON, NOW = 1 / 4, 1 / 24
"""The same of a shorter one, as parts of it."""
_MARK = "plan:"


async def note_plan(db: Connection, feeder: str, span: tuple[int, int], now: int) -> None:
    """Note when the plan of a feeder begins and ends whose limits are published; an alarm tells ahead of its end."""
    begins, ends = span
    await marks.put(db, f"{_MARK}{feeder}"[:80], str(ends))
    left, length = ends - now, ends - begins
    if left > min(SOON_S, SOON * length):
        await clear_alarm(db, PLAN_ENDING, feeder, now)
        return
    detail = f"the plan ends at {datetime.fromtimestamp(ends, UTC):%Y-%m-%d %H:%MZ}; defaults hold from then on"
    priority = ACT_NOW if left <= min(NOW_S, NOW * length) else ACT_SOON
    await raise_alarm(db, PLAN_ENDING, feeder, detail, now=now, priority=priority)


async def forget_plan(db: Connection, feeder: str, now: int) -> None:
    """Nothing is planned for a feeder any more: other limits hold there, which do not end."""
    await marks.remove(db, f"{_MARK}{feeder}"[:80])
    await clear_alarm(db, PLAN_ENDING, feeder, now)


async def planned_until(db: Connection) -> dict[str, int]:
    """When the plan of each feeder ends, epoch seconds."""
    return {feeder: int(at) for feeder, at in (await marks.starting_with(db, _MARK)).items()}
