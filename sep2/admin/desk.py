"""A moment or a day as a whole: which sources are in force, and the limits of a connection over a time."""

from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.admin import customers, find
from sep2.admin import types as t
from sep2.admin.telemetry import DAY_S, BadPeriod
from sep2.operations import diagrams, limit_course
from sep2.operations.limit_course import DIRECTIONS, SaidTo
from sep2.rest.route import Request
from sep2.rules.authority import ONLY_OVERRIDES, Role
from sep2.rules.events import shows_at_once
from sep2.rules.reach import unsupported
from sep2.rules.told_times import told
from sep2.store import in_force_counts

LONGEST_S = 31 * DAY_S
LARGE = 20_000
"""From so many connections on, counts are kept for some seconds: to count 100,000 costs as much as ten pages."""


async def show_in_force(rq: Request, asked: t.Nothing) -> t.InForceCounts:
    """How many connections hold limits of each source; of a very large utility not older than some seconds."""

    async def count() -> t.InForceCounts:
        return await _count_in_force(rq)

    return await rq.state.kept.answer("in force", rq.now, count, is_large=lambda found: _connections(found) > LARGE)


def _connections(found: t.InForceCounts) -> int:
    by_source = found.override + found.schedule + found.envelope + found.group + found.default
    return by_source + found.unreached


async def _count_in_force(rq: Request) -> t.InForceCounts:
    found = await in_force_counts.by_role(rq.db, rq.now)
    total, reached = await in_force_counts.places(rq.db)
    controlled = sum(found.values())
    return t.InForceCounts(
        at=rq.now,
        override=sum(found.get(role, 0) for role in ONLY_OVERRIDES),
        schedule=found.get(Role.SCHEDULE, 0),
        envelope=found.get(Role.CONNECTION, 0) + found.get(Role.DEVICE, 0),
        group=found.get(Role.GROUP, 0),
        default=max(0, reached - controlled),
        unreached=total - reached,
    )


async def show_limits(rq: Request, asked: t.LimitsQuery) -> t.ConnectionLimits:
    """The limits of a connection over a time, each with its source, and those that are to come."""
    place = await find.connection(rq.db, rq.ids["connection"])
    since = rq.now - DAY_S if asked.since is None else asked.since
    until = rq.now + DAY_S if asked.until is None else asked.until
    if not since < until <= since + LONGEST_S:
        raise BadPeriod(f"from: {told(since)} is not before until: {told(until)}, or more than 31 days before it")
    since = min(until, await customers.since_of(rq, place.id, since, earlier=asked.earlier))
    holder, others = await find.devices_at(rq.db, place)
    there = [*([] if holder is None else [holder]), *others.rows] if since < until else []
    said = await limit_course.said_to(rq.db, [device.id for device in there], (since, until))
    found = {device.id: _of_device(device, said[device.id], (since, until)) for device in there}
    own = None if holder is None else found.get(holder.id)
    engine_run, reaches = await diagrams.reaches_of(rq.db, place.id)
    return t.ConnectionLimits(
        connection=place.connection_id,
        device=place.device_lfdi,
        since=since,
        until=until,
        now=rq.now,
        runs=[] if own is None else own.runs,
        not_done={} if own is None else own.not_done,
        others=[found[device.id] for device in others.rows if device.id in found],
        other_devices=others.total,
        reaches=[t.ReachRun(**msgspec.structs.asdict(one)) for one in reaches if one.end > since and one.start < until],
        engine_run=engine_run,
    )


def _of_device(device: Row[Any], said: SaidTo, span: tuple[int, int]) -> t.DeviceLimits:
    runs = limit_course.course_of(said, span, at_once=shows_at_once(device.profile))
    return t.DeviceLimits(
        device=device.lfdi,
        name=device.name or "",
        runs=[t.LimitRun(**run._asdict()) for run in runs],
        not_done={DIRECTIONS[mode]: why for mode, why in unsupported(device, DIRECTIONS).items()},
    )
