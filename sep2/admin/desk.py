"""A moment or a day as a whole: which sources are in force, and the limits of a connection over a time."""

from sep2.admin import find, views
from sep2.admin import types as t
from sep2.admin.telemetry import DAY_S, BadPeriod
from sep2.operations.limit_course import limit_course
from sep2.rest.route import Request
from sep2.rules.authority import ONLY_OVERRIDES, Role
from sep2.store import in_force_counts

LONGEST_S = 31 * DAY_S


async def show_in_force(rq: Request, asked: t.Nothing) -> t.InForceCounts:
    """How many connections hold limits of each source now."""
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
        raise BadPeriod(f"from: {since} is not before until: {until}, or more than 31 days before it")
    runs: list[t.LimitRun] = []
    if place.device_lfdi is not None:
        device = await find.device(rq.db, place.device_lfdi)
        at_once = views.superseded_at_once(device.profile)
        found = await limit_course(rq.db, device.id, (since, until), at_once=at_once)
        runs = [t.LimitRun(**run._asdict()) for run in found]
    return t.ConnectionLimits(
        connection=place.connection_id,
        device=place.device_lfdi,
        since=since,
        until=until,
        now=rq.now,
        runs=runs,
    )
