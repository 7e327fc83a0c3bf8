"""Why a connection is limited at a moment: override, schedule, envelope, group, default or contract."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from sep2.admin import find, views
from sep2.admin import types as t
from sep2.operations import in_force
from sep2.rest.route import Request
from sep2.rules.authority import SOURCES, Holding, Program, Role, effective
from sep2.rules.binding import DIRECTION_OF, of_direction
from sep2.rules.events import shows_at_once
from sep2.rules.limits import MODES
from sep2.store import controls, listing_controls, listing_curves, listing_register, overrides
from sep2.store.controls import Seen


async def explain_connection(rq: Request, asked: t.WhyQuery) -> t.Why:
    """What is in force at a connection at a moment, who says so and why, and what would hold otherwise."""
    row = await find.connection(rq.db, rq.ids["connection"])
    at = rq.now if asked.at is None else asked.at
    holder, others = await find.devices_at(rq.db, row)
    own = None if holder is None else await _of_device(rq, holder, at)
    return t.Why(
        connection_id=row.connection_id,
        device=None if holder is None else holder.lfdi,
        at=at,
        modes=[] if own is None else own.modes,
        next_change=None if own is None else own.next_change,
        others=[await _of_device(rq, device, at) for device in others.rows],
        other_devices=others.total,
    )


async def _of_device(rq: Request, device: Row[Any], at: int) -> t.DeviceWhy:
    """What is in force for one device at a moment, who says so and why, and what would hold otherwise."""
    groups = await listing_register.defaults_over(rq.db, device.id)
    seen = Seen(rq.now, superseded_at_once=shows_at_once(device.profile))
    standing = await controls.standing_for(rq.db, device.id, rq.now)
    programs = in_force.programs_from(groups, standing, seen)
    programs.append(await in_force.floor_over(rq.db, groups))
    names = await listing_curves.over(rq.db, device.id)
    writers = in_force.writers(standing)
    holds = views.holdings(groups, programs, at, names, writers=writers, device=device)
    shown = {one.mode: one for one in holds}
    found = effective(programs, at)
    modes = [
        await _mode(rq, shown[mode], _below(mode, held, programs, groups, at=at))
        for mode, held in sorted(found.items())
    ]
    return t.DeviceWhy(device=device.lfdi, name=device.name or "", modes=modes, next_change=_next(programs, at))


async def _mode(rq: Request, one: t.ModeInForce, below: list[str]) -> t.WhyMode:
    reason, number, operator = "", None, ""
    if one.control is not None:
        control = (await listing_controls.like(rq.db, one.control))[0]
        reason = control.reason
        number = await overrides.of_control(rq.db, control.id)
        if number is None and control.continues is not None:
            number = await overrides.of_control(rq.db, control.continues)
        override = None if number is None else await overrides.one(rq.db, number)
        operator = "" if override is None else override.operator
    source = one.source if one.group or one.source != "default" else "contract"
    binds = of_direction(reason, DIRECTION_OF.get(one.mode, "")) if source == "envelope" else ""
    return t.WhyMode(
        mode=one.mode,
        value=one.value,
        source=source,
        group=one.group,
        control=one.control,
        until=one.until,
        reason="" if binds else reason,
        binding=binds,
        override=number,
        operator=operator,
        below=below,
        unsupported=one.unsupported,
    )


def _below(mode: str, held: Holding, programs: Sequence[Program], groups: Sequence[Row[Any]], *, at: int) -> list[str]:
    """What each program that is less important would say of a mode, the most important first."""
    by_mrid: Mapping[int, Row[Any]] = {program.mrid: group for program, group in zip(programs, groups, strict=False)}
    rank = next(number for number, program in enumerate(programs) if program.mrid == held.program)
    said = []
    for program in programs[rank + 1 :]:
        one = effective([program], at).get(mode)
        if one is None:
            continue
        group = by_mrid.get(program.mrid)
        what = "default" if one.control is None else SOURCES.get(Role(group.role), "control") if group else "control"
        # Programs of overrides and schedules are called so: "wide override of connection NMI2".
        named = "" if group is None else f"the {group.name}" if what in group.name else f"{what} of {group.name}"
        who = named or "the contract, or the utility's default"
        unit = " W" if mode in MODES else ""
        said.append(f"{who}: {one.value}{unit}")
    return said


def _next(programs: Sequence[Program], at: int) -> int | None:
    """When a control begins or ends next."""
    edges = (edge for program in programs for said in program.controls for edge in (said.start, said.end))
    return min((edge for edge in edges if edge > at), default=None)
