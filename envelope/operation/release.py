"""Whether a round's limits are published, wait for a person, or are calculated only; and what rounds have let out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from envelope.operation.mode import OperatingState, Stage
from envelope.schedule import EnvelopeSchedule
from sep2.store import marks
from sep2.store.connection import Connection

HIGHEST, WAITING = "envelope.highest:", "envelope.waiting:"
"""Marks, each with the feeder's name: the most that was let out by day, and the run that waits for a person."""
LOOKBACK_DAYS, DAY_S = 30, 86_400
LONGEST_MARK = 80


class LetOut(NamedTuple):
    """The most that limits let all connections of a feeder take or feed together in any step, W."""

    import_w: int
    export_w: int


@dataclass(frozen=True)
class Gate:
    """How much more than the highest of 30 days a round may let out by itself, %."""

    feeder_percent: float = 20.0
    system_percent: float = 5.0
    """of all feeders together, where there are several"""


class Ruling(NamedTuple):
    """Decision about a run: whether it is published."""

    is_published: bool
    stage: Stage
    why: str = ""
    """why it is not published; empty where it is"""

    @property
    def lets_tightening_pass(self) -> bool:
        """Whether what does not rise above the published limits goes out by itself."""
        return self.stage is Stage.PUBLISH

    @property
    def is_shadow(self) -> bool:
        """Whether no client is to get anything of it."""
        return self.stage is Stage.SHADOW


def mark_of(prefix: str, feeder: str) -> str:
    """Return the name of a feeder's mark; of a long path, its end."""
    return prefix + feeder[-(LONGEST_MARK - len(prefix)) :]


def let_out_by(schedule: EnvelopeSchedule, now: int) -> LetOut:
    """Return what a schedule lets out from now on."""
    ahead = schedule.step_start + schedule.step_s > now
    sums = [limit[ahead].sum(axis=1) for limit in (schedule.import_limit_w, schedule.export_limit_w)]
    return LetOut(*(int(np.max(one, initial=0)) for one in sums))


async def rule(
    db: Connection, feeder: str, schedule: EnvelopeSchedule, of: tuple[OperatingState, str, Gate | None], *, now: int
) -> Ruling:
    """Return what becomes of a run; of: the operator's decisions, the server's mode, and the gate.

    The run that is published already goes on, whatever was decided since about new ones.
    """
    state, server_mode, gate = of
    stage = state.stage_in(server_mode)
    if state.approved == schedule.run_id:
        return Ruling(stage is not Stage.SHADOW, stage, "" if stage is not Stage.SHADOW else _SHADOW)
    if stage is Stage.SHADOW:
        return Ruling(False, stage, _SHADOW)
    if stage is Stage.ADVISE:
        return Ruling(False, stage, "it waits for a person: sep2 envelope release")
    why = "" if gate is None else await excess(db, feeder, let_out_by(schedule, now), gate, now=now)
    return Ruling(not why, stage, why)


_SHADOW = "the feeder is in shadow: its limits are calculated and told to no client"


async def excess(db: Connection, feeder: str, new: LetOut, gate: Gate, *, now: int) -> str:
    """Return by how much a round lets out more than the gate allows, as a sentence; empty where it does not.

    The first round of a feeder has nothing to be compared with.
    """
    highest = await highest_of(db, feeder, now)
    if highest is None:
        return ""
    own = mark_of(HIGHEST, feeder)
    several = await marks.starting_with(db, HIGHEST)
    others = [await highest_of(db, name, now) for name in several if HIGHEST + name != own]
    for k, word in enumerate(LetOut._fields):
        direction, before, more = word.removesuffix("_w"), highest[k], new[k] - highest[k]
        bounds = [(gate.feeder_percent, before, "feeder")]
        if others:
            bounds.append((gate.system_percent, before + sum(one[k] for one in others if one), "system"))
        for percent, of_w, whose in bounds:
            if more > max(percent / 100 * of_w, 1.0):
                return (
                    f"{direction} of {new[k] / 1e6:.4g} MW is {more / 1e6:.4g} MW above the highest of 30 days,"
                    f" more than {percent:g} % of the {whose}'s {of_w / 1e6:.4g} MW"
                )
    return ""


async def highest_of(db: Connection, feeder: str, now: int) -> LetOut | None:
    """Return the most that a feeder's published rounds let out within 30 days; None: none was published."""
    days = await _days(db, feeder, now)
    return LetOut(*(max(column) for column in zip(*days.values(), strict=True))) if days else None


async def note_let_out(db: Connection, feeder: str, schedule: EnvelopeSchedule, now: int) -> None:
    """Note what a published run lets out."""
    days, new, today = await _days(db, feeder, now), let_out_by(schedule, now), str(now // DAY_S)
    before = days.get(today, LetOut(0, 0))
    after = LetOut(*map(max, before, new))
    if today not in days or after != before:
        kept = json.dumps(days | {today: after})
        await marks.put(db, mark_of(HIGHEST, feeder), kept)


async def _days(db: Connection, feeder: str, now: int) -> dict[str, LetOut]:
    said = json.loads(await marks.value(db, mark_of(HIGHEST, feeder)) or "{}")
    first = now // DAY_S - LOOKBACK_DAYS
    return {day: LetOut(*pair) for day, pair in said.items() if int(day) > first}
