"""Room for an operator's controls: what was calculated for a device is told more coarsely, never more loosely."""

from collections.abc import Sequence
from typing import Any

from sep2.operations.issuing import NewControl, limits_of
from sep2.operations.resuming import Around, Writing, alive, around, write
from sep2.rules import events
from sep2.rules.authority import OWN
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval, coarsened
from sep2.store import controls, groups
from sep2.store.connection import Connection
from sep2.store.controls import Control

LEFT_TO_OPERATORS = 2
"""Controls that envelopes leave free of what a device may hold ahead."""
BY_PEOPLE = ("operator", "override")
"""The sources of controls that a person has asked for; they are never made coarser."""


async def make(db: Connection, group_id: int, now: int, most: int) -> None:
    """Have every device of a group hold at most so many controls, as far as what was calculated for it can give way.

    The far end of a device's envelope is told in longer intervals, each with the tightest of the limits it takes in.
    """
    counts = await controls.ahead_per_device(db, group_id, now)
    for device_id, count in counts.items():
        if count > most:
            for row in await groups.of_device(db, device_id):
                if row.role in OWN:
                    await _coarsen(db, row, now, count - most)


def left(near: Around, wanted: Sequence[Interval], *, most: int) -> int:
    """How many controls an envelope may have ahead in a group, of so many that each of its devices may hold in all.

    Two are left to operators, besides what they have sent; and a cut is made where something stronger ends.
    """
    if not wanted:
        return max(1, most - LEFT_TO_OPERATORS)
    ahead = {
        program: sum(row.successor_created is None for row in rows)
        for program, rows in near.standing.items()
        if program != near.group_id
    }
    ahead[near.group_id] = sum(row.source in BY_PEOPLE and row.successor_created is None for row in near.own)
    others = [sum(ahead.get(program, 0) for program in programs) for programs in near.devices.values()]
    cuts = near.cuts(_over(wanted)) if near.has_stronger else ()
    return max(1, most - LEFT_TO_OPERATORS - max(others, default=0) - len(cuts))


async def _coarsen(db: Connection, group: Any, now: int, fewer: int) -> None:
    near = await around(db, group, now, now)
    rows = [row for row in near.standing[group.id] if alive(row, now) and row.modes == "{}"]
    for source in sorted({row.source for row in rows if row.source not in BY_PEOPLE}):
        live = [_interval(row) for row in rows if row.source == source and row.successor_created is None]
        cuts = near.cuts(_over(live)) if live else []
        joined = [one for one in coarsened(live, fewer, now, cuts) if one not in live]
        asked = [NewControl(start=one.start, duration=one.end - one.start, limits=one.limits) for one in joined]
        if asked:
            await write(db, group.id, [Writing(one, source) for one in asked], now)


def _over(live: Sequence[Interval]) -> NewControl:
    """One control from the first to the last of them: where that would be cut, they are not joined."""
    first, last = min(one.start for one in live), max(one.end for one in live)
    return NewControl(start=first, duration=last - first, limits=Limits(0, 0, 0, 0))


def _interval(row: Control) -> Interval:
    held = events.held(row, row.latest_end, superseded_at_once=True)
    assert held is not None
    return Interval(row.start, held[1], limits_of(row))
