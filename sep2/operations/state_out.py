"""What connections and groups are asked for now and next, for the utility's own systems."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations import in_force
from sep2.rules.authority import SOURCES, Holding, Role, effective
from sep2.rules.limits import MODES
from sep2.rules.metering import ReadingSign
from sep2.rules.reach import unsupported
from sep2.store import controls, listing_register, state_out
from sep2.store.connection import Connection
from sep2.store.controls import Seen

MOST_AHEAD = 100
EXPORT = 19
"""FlowDirection: power that the customer delivers (2030.5 FlowDirectionType)."""
NAMES = dict(zip(MODES, ("import_w", "export_w", "gen_w", "load_w"), strict=True))


class Limit(NamedTuple):
    """A limit that is in force: watts, who says it, in which group, by which control (none: a default), until when.

    unsupported: why the device does not do it; empty where it does.
    """

    watts: int
    source: str
    group: str
    control: str | None
    until: int | None
    unsupported: str


class Power(NamedTuple):
    """The latest power at a connection's site meter: watts, import where positive; when it ended and when it came."""

    watts: float
    end: int
    received: int


async def power_at(db: Connection, connection_ids: Sequence[int]) -> dict[int, Power]:
    """The latest power by connection, of meters whose sign is proven."""
    found = {}
    for row in await state_out.latest_power(db, connection_ids):
        factor = ReadingSign(row.reading_sign).factor
        if factor:
            way = -1 if row.flow_direction == EXPORT else 1
            watts = float(row.value * 10.0**row.multiplier * factor * way)
            found[row.connection] = Power(watts, row.start + row.duration, row.received)
    return found


async def limits_at(db: Connection, device: Row[Any], seen: Seen) -> dict[str, Limit]:
    """The limits that hold for a device, by import_w, export_w, gen_w and load_w.

    device: its `device_id`, and what decides what can be sent to it (`rules.reach.Equipment`).
    """
    groups = await listing_register.defaults_over(db, device.device_id)
    programs = in_force.programs_from(groups, await controls.standing_for(db, device.device_id, seen.now), seen)
    found = effective([*programs, await in_force.floor_over(db, groups)], seen.now)
    by_program = in_force.sources(groups)
    limits = {}
    for mode, one in found.items():
        if mode in NAMES:
            lacking = unsupported(device, {mode}, by_default=one.control is None)
            limits[NAMES[mode]] = _limit(one, by_program, lacking.get(mode, ""))
    return limits


def _limit(one: Holding, groups: dict[int, Row[Any]], lacking: str) -> Limit:
    group = groups.get(one.program)
    source = "default"
    if one.control is not None and group is not None:
        source = SOURCES.get(Role(group.role), "group")
    mrid = None if one.control is None else f"{one.control:032X}"
    return Limit(int(one.value), source, "" if group is None else group.name, mrid, one.until, lacking)


async def of_group(db: Connection, group_id: int, now: int) -> dict[str, Any] | None:
    """What a group is asked for: its controls that are not over and its default; None where it is gone."""
    group = await state_out.group(db, group_id)
    if group is None:
        return None
    found = await state_out.ahead(db, group_id, now, MOST_AHEAD)
    default = await state_out.default_of(db, group_id)
    return {
        "group": group.name,
        "connection_id": group.connection_name,
        "default": None if default is None else in_force.modes_of(default),
        "controls": [_control(row) for row in found],
    }


def _control(row: Row[Any]) -> dict[str, Any]:
    return {
        "mrid": row.mrid,
        "start": row.start,
        "end": row.start + row.duration,
        "asks": in_force.modes_of(row),
        "source": row.source,
        "reason": row.reason,
    }


def subject_group(subject: str) -> int | None:
    """The number in a message's subject `group N`."""
    kind, _, number = subject.partition(" ")
    return int(number) if kind == "group" and number.isdigit() else None
