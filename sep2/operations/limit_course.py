"""Which limits held for a device over a time, and will: by direction, source and control."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations import in_force, inherited
from sep2.operations.held_stretches import held_until_withdrawn
from sep2.rules.authority import ONLY_OVERRIDES, Holding, Program, Said, Stretch, course, said_by
from sep2.rules.limits import MODES
from sep2.store import judged, listing_register
from sep2.store.connection import Connection

DIRECTIONS = dict(zip(MODES, ("import", "export", "generation", "load"), strict=True))


class LimitRun(NamedTuple):
    """A time in which one limit held: watts, who says it, in which group, by which control (none: a default)."""

    direction: str
    start: int
    end: int
    watts: int
    source: str
    group: str
    control: str | None
    reason: str


async def limit_course(
    db: Connection, device_id: int, span: tuple[int, int], *, at_once: bool, without_overrides: bool = False
) -> list[LimitRun]:
    """The limits of a device from span[0] until span[1], also those that were withdrawn meanwhile.

    Defaults are those of now: what they were before is not on record.
    at_once: whether a scheduled control shows as superseded as soon as its successor is made.
    without_overrides: what would have held if no override and no backstop had.
    """
    said = (await said_to(db, [device_id], span))[device_id]
    return course_of(said, span, at_once=at_once, without_overrides=without_overrides)


class SaidTo(NamedTuple):
    """What was said to a device over a time: groups with their defaults, their controls, and the utility's floor."""

    groups: Sequence[Row[Any]]
    rows: Sequence[Row[Any]]
    house: inherited.House

    @property
    def has_overrides(self) -> bool:
        """Whether any override or backstop was among it."""
        only = {row.id for row in self.groups if row.role in ONLY_OVERRIDES}
        return any(row.device_group_id in only for row in self.rows)


async def said_to(db: Connection, device_ids: Sequence[int], span: tuple[int, int]) -> dict[int, SaidTo]:
    """What was said to each of these devices over a time."""
    groups = await listing_register.defaults_over_each(db, device_ids)
    house = await inherited.house(db)
    rows: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in await judged.controls(db, device_ids, *span):
        rows[row.end_device_id].append(row)
    return {one: SaidTo(groups.get(one, []), rows[one], house) for one in device_ids}


def course_of(said: SaidTo, span: tuple[int, int], *, at_once: bool, without_overrides: bool = False) -> list[LimitRun]:
    """The limits of a device over a time from what was said to it: see `limit_course`."""
    groups = [row for row in said.groups if not (without_overrides and row.role in ONLY_OVERRIDES)]
    programs = [*_programs(groups, said.rows, at_once=at_once), in_force.floor_below(groups, said.house)]
    by_program, by_mrid = in_force.sources(groups), {int(row.mrid, 16): row for row in said.rows}
    stretches = course(programs, *span)
    found: list[LimitRun] = []
    for mode, direction in DIRECTIONS.items():
        there = [one for one in stretches if mode in one.modes]
        found += _joined([_run(one, one.modes[mode], direction, (by_program, by_mrid)) for one in there])
    return found


def _programs(groups: Sequence[Row[Any]], rows: Sequence[Row[Any]], *, at_once: bool) -> list[Program]:
    said: dict[int, list[Said]] = defaultdict(list)
    for row in rows:
        held = held_until_withdrawn(row, at_once=at_once)
        if held is not None:
            said[row.device_group_id].append(Said(int(row.mrid, 16), row.created, *held, in_force.modes_of(row)))
    return [
        Program(int(row.program_mrid, 16), row.primacy, said[row.device_group_id], in_force.modes_of(row), None)
        for row in groups
    ]


def _run(
    stretch: Stretch, one: Holding, direction: str, known: tuple[dict[int, Row[Any]], dict[int, Row[Any]]]
) -> LimitRun:
    group, row = known[0].get(one.program), known[1].get(one.control or -1)
    source = "default"
    if row is not None and group is not None:
        source = said_by(group.role, row.source) or "group"
    return LimitRun(
        direction,
        stretch.start,
        stretch.end,
        int(one.value),
        source,
        "" if group is None else group.name,
        None if row is None else row.mrid,
        "" if row is None else row.reason,
    )


def _joined(runs: Sequence[LimitRun]) -> list[LimitRun]:
    """The same with neighbours joined that say the same."""
    found: list[LimitRun] = []
    for run in runs:
        last = found[-1] if found else None
        if last is not None and last.end == run.start and last._replace(start=0, end=0) == run._replace(start=0, end=0):
            found[-1] = last._replace(end=run.end)
        else:
            found.append(run)
    return found
