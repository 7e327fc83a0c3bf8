"""How far ahead limits are planned: noted by who plans, and looked at by those who ask whether all is well."""

import json
from typing import Any, NamedTuple

from sep2.operations.alarms import PLAN_ENDING, ROUND_LATE, clear_alarm, raise_alarm
from sep2.rules.alarm_kinds import ACT_NOW, ACT_SOON
from sep2.rules.told_times import told
from sep2.store import marks
from sep2.store.connection import Connection

SOON_S, NOW_S = 6 * 3600, 3600
"""Of a plan of a day or more: what is left of it when it is an alarm, and when it is one to act on at once."""
SOON, NOW = 1 / 4, 1 / 24
"""The same of a shorter one, as parts of it."""
LATE_S = 600
"""A round that is later than its step by so much is late."""
_MARK, _ROUND = "plan:", "round:"
_LONGEST = 80


class Round(NamedTuple):
    """How the latest round over a feeder ended, and what it stands on."""

    at: int
    ended: str
    """published, waiting, shadow, static, failed, no clients or kept"""
    step_s: int
    """length of the plan's steps, s; 0: no plan could be read"""
    until: int
    """end of its horizon, epoch seconds"""
    rolls: bool
    """whether a round has to follow at every step, without an end"""
    run: str = ""
    waiting: str = ""
    """the run that a person may let be published"""
    why: str = ""
    stage: str = ""
    import_w: int = 0
    export_w: int = 0
    """most that its limits let all connections take, and feed, in any step"""
    notes: tuple[str, ...] = ()
    """what its base load stands on, as sentences"""
    inputs: tuple[str, ...] = ()
    """live inputs with their ages"""
    late: tuple[str, ...] = ()
    """those of them that are too old"""

    @property
    def due(self) -> int | None:
        """When the next round has to be over; None: the horizon has ended, and none is expected."""
        if not self.rolls and self.at + self.step_s >= self.until:
            return None
        return self.at + max(self.step_s, LATE_S) + LATE_S


async def note_plan(db: Connection, feeder: str, span: tuple[int, int], now: int) -> None:
    """Note when the plan of a feeder begins and ends whose limits are published; an alarm tells ahead of its end."""
    begins, ends = span
    await marks.put(db, _mark(_MARK, feeder), f"{ends} {begins}")
    await _tell_end(db, _name(_MARK, feeder), span, now)


async def _tell_end(db: Connection, feeder: str, span: tuple[int, int], now: int) -> None:
    begins, ends = span
    left, length = ends - now, ends - begins
    if left > min(SOON_S, SOON * length):
        await clear_alarm(db, PLAN_ENDING, feeder, now)
        return
    detail = f"the plan ends at {told(ends)}; defaults hold from then on"
    priority = ACT_NOW if left <= min(NOW_S, NOW * length) else ACT_SOON
    await raise_alarm(db, PLAN_ENDING, feeder, detail, now=now, priority=priority)


async def forget_plan(db: Connection, feeder: str, now: int) -> None:
    """Nothing is planned for a feeder any more: other limits hold there, which do not end."""
    await marks.remove(db, _mark(_MARK, feeder))
    await clear_alarm(db, PLAN_ENDING, _name(_MARK, feeder), now)


async def planned_until(db: Connection) -> dict[str, int]:
    """When the plan of each feeder ends, epoch seconds."""
    return {feeder: ends for feeder, (_, ends) in (await _spans(db)).items()}


async def _spans(db: Connection) -> dict[str, tuple[int, int]]:
    """When the plan of each feeder begins and ends; an older mark has its end alone."""
    found = {}
    for feeder, said in (await marks.starting_with(db, _MARK)).items():
        ends, *begins = map(int, said.split())
        found[feeder] = (begins[0] if begins else ends - 86_400), ends
    return found


async def look_at_plans(db: Connection, now: int) -> None:
    """Raise what is due about plans and rounds, and clear what is over, also while no engine works."""
    for feeder, span in (await _spans(db)).items():
        await _tell_end(db, feeder, span, now)
    for feeder, made in (await rounds(db)).items():
        if made.due is not None and now > made.due:
            detail = f"the last round ended {(now - made.at) // 60} min ago ({made.ended})"
            await raise_alarm(db, ROUND_LATE, feeder, detail, now=now)
        else:
            await clear_alarm(db, ROUND_LATE, feeder, now)


async def note_round(db: Connection, feeder: str, made: Round) -> None:
    """Note how a round over a feeder ended."""
    await marks.put(db, _mark(_ROUND, feeder), json.dumps(made._asdict()))


async def rounds(db: Connection) -> dict[str, Round]:
    """The latest round over each feeder."""
    return {feeder: _round(json.loads(said)) for feeder, said in (await marks.starting_with(db, _ROUND)).items()}


def round_name(feeder: str) -> str:
    """The name by which `rounds` gives a feeder: of a long path, its end."""
    return _name(_ROUND, feeder)


async def latest_round(db: Connection, feeder: str) -> Round | None:
    """The latest round over a feeder; None: there was none."""
    said = await marks.value(db, _mark(_ROUND, feeder))
    return None if said is None else _round(json.loads(said))


def _round(said: dict[str, Any]) -> Round:
    """A round as it was noted; lists become tuples."""
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
    return Round(**fields)


def _name(prefix: str, feeder: str) -> str:
    """The name by which marks of this kind give a feeder."""
    return _mark(prefix, feeder).removeprefix(prefix)


def _mark(prefix: str, feeder: str) -> str:
    """The mark of a feeder; of a long path, its end."""
    return prefix + feeder[-(_LONGEST - len(prefix)) :]
