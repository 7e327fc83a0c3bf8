"""What is in force for a device, or will be, of all that its programs say."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from sep2.operations import inherited
from sep2.operations.issuing import limits_of
from sep2.rules import events
from sep2.rules.authority import Holding, Program, Said, Stretch, course, effective
from sep2.rules.defaults import FROM_FLOOR, NO_FLOOR, merged
from sep2.rules.limits import MODES, Limits
from sep2.store import controls, listing_register
from sep2.store.connection import Connection
from sep2.store.controls import Control, Seen

FLOOR, LEAST_PRIMACY = -1, 256
"""The number in place of a program's mRID, and the primacy, of what bounds a device that no default bounds."""


async def holdings(db: Connection, device_id: int, seen: Seen) -> dict[str, Holding]:
    """What is in force for a device, mode by mode; limits by the CSIP-AUS modes that they are sent as."""
    return effective(await programs_of(db, device_id, seen), seen.now)


async def course_of(db: Connection, device_id: int, seen: Seen, span: tuple[int, int], *, above: int) -> list[Stretch]:
    """What holds for a device over a time by programs whose primacy is more than `above`: less important ones."""
    programs = [one for one in await programs_of(db, device_id, seen) if one.primacy > above]
    return course(programs, *span)


async def programs_of(db: Connection, device_id: int, seen: Seen) -> list[Program]:
    """The programs of a device with what stands in each and its default; what is over or withdrawn is left out."""
    groups = await listing_register.defaults_over(db, device_id)
    found = programs_from(groups, await controls.standing_for(db, device_id, seen.now), seen)
    return [*found, await floor_over(db, groups)]


async def floor_over(db: Connection, groups: Sequence[Row[Any]]) -> Program:
    """What bounds a device where no default does, as the least important of its programs, which `groups` are.

    That is the contract of its connection, or else the utility's default.
    """
    return floor_below(groups, await inherited.house(db))


def floor_below(groups: Sequence[Row[Any]], house: inherited.House) -> Program:
    """The same, from what the server has noted of its settings."""
    floor = inherited.floor_at(groups[0], house) if groups else NO_FLOOR
    found = merged(tuple(inherited.said_of(row) for row in groups), floor)
    bounds = {name: one.value for name, one in found.items() if one.source == FROM_FLOOR}
    return Program(FLOOR, LEAST_PRIMACY, default=bounds)


def programs_from(groups: Iterable[Row[Any]], standing: Iterable[Control], seen: Seen) -> list[Program]:
    """The same from rows: of groups with their defaults, and of controls."""
    said: dict[int, list[Said]] = defaultdict(list)
    for row in standing:
        held = events.held(row, row.latest_end, superseded_at_once=seen.superseded_at_once)
        if held is not None:
            said[row.device_group_id].append(Said(int(row.mrid, 16), row.created, *held, modes_of(row)))
    return [
        Program(
            int(row.program_mrid, 16), row.primacy, said[row.device_group_id], modes_of(row), int(row.mrid, 16)
        )
        for row in groups
    ]  # fmt: skip


def writers(standing: Iterable[Control]) -> dict[int, str]:
    """The source of each control, by its mRID as a number."""
    return {int(one.mrid, 16): one.source for one in standing}


def modes_of(row: Any) -> dict[str, Any]:
    """The limits and modes of a stored control or default, by wire name."""
    limits = zip(MODES, limits_of(row), strict=True)
    found: dict[str, Any] = {mode: watts for mode, watts in limits if watts is not None}
    return {**found, **json.loads(row.modes)}


def limits_in(modes: Mapping[str, Holding]) -> Limits:
    """The limits among modes in force."""
    return Limits(*(modes[mode].value if mode in modes else None for mode in MODES))


def sources(groups: Sequence[Row[Any]]) -> dict[int, Row[Any]]:
    """Groups by the mRID of their program."""
    return {int(row.program_mrid, 16): row for row in groups}
