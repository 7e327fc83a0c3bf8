"""How limits were kept: sums, intervals in which they were not, one connection's course, how fast limits arrive."""

from collections.abc import Sequence

from sep2.admin import customers, find
from sep2.admin import types as t
from sep2.admin.telemetry import DAY_S, BadPeriod
from sep2.operations import compliance
from sep2.operations.compliance import Arrival, Part, Rollup
from sep2.operations.judging import Policy, policy_of
from sep2.operations.judging_again import judged_until
from sep2.rest.route import Request, listed, page
from sep2.rules import cursor
from sep2.rules.told_times import told
from sep2.store import listing_compliance
from sep2.store.listing_compliance import Whose

MANY, SUMS_LAST_S = 2000, 60.0
"""Sums of so many names are put in order anew every minute."""
HALF_S, MOST_NAMES = 1800, 100
"""Local hours begin at a half of an hour of UTC in some zones. Names of a list by hours."""
Named = t.ComplianceQuery | t.BrokenQuery | t.ReachingQuery | t.HoursQuery


async def list_compliance(rq: Request, asked: t.ComplianceQuery) -> t.ComplianceSums:
    """How limits were kept over a time: obedience and coverage by connection, client, group, day and others."""
    local = _policy(rq).local
    # Whole days are sums that are kept; of names by the hundred thousand, one day is quickly put in order.
    back = 0 if asked.by in ("connection", "device") else DAY_S
    usual = local.day_of(max(0, rq.now - back)) if asked.since is None and asked.until is None else asked.since
    span = _span(rq, usual, asked.until)
    whose = await _whose(rq, asked, asked.direction)
    known = await judged_until(rq.db)
    found = await part_of(rq, whose, span, asked)
    return t.ComplianceSums(
        items=[_sums(one) for one in found.rollups],
        total=found.total,
        next=None if found.next is None else cursor.encode(found.next),
        since=span[0],
        until=span[1],
        judged_until=known,
    )


async def part_of(rq: Request, whose: Whose, span: tuple[int, int], asked: t.ComplianceQuery | t.ReportQuery) -> Part:
    """A part of the sums by name; of very many names, those of the last minute where nothing was judged since."""
    local, known = _policy(rq).local, await judged_until(rq.db) or 0
    after = None if asked.after is None else cursor.decode(asked.after)

    async def find() -> Part:
        return await compliance.part_of(
            rq.db, whose, span, by=asked.by, local=local, judged_until=known, after=after, limit=asked.limit
        )

    days = compliance.whole_days(span, local, known) or span
    key = ("compliance", whose, days, known, asked.by, asked.after, asked.limit)
    return await rq.state.kept.answer(key, rq.now, find, is_large=lambda part: part.total > MANY, lasts_s=SUMS_LAST_S)


async def list_broken_limits(rq: Request, asked: t.BrokenQuery) -> t.Listed[t.Broken]:
    """Intervals in which a limit was not kept: what was allowed and what was measured, the latest first."""
    span = _span(rq, asked.since, asked.until)
    whose = await _whose(rq, asked, asked.direction)
    found = await listing_compliance.intervals(rq.db, whose, span, page(asked), state=asked.state)
    items = [
        t.Broken(
            connection=row.place,
            device=row.lfdi,
            client=row.client_name,
            direction=row.direction,
            start=row.start,
            duration_s=row.duration_s,
            state=row.state,
            allowed_w=row.allowed_w,
            measured_w=row.measured_w,
            covered_s=row.covered_s,
            breach_wh=row.breach_wh,
            control=row.control,
        )
        for row in found.rows
    ]
    return listed(found, items)


async def list_hours(rq: Request, asked: t.HoursQuery) -> t.Listed[t.BeyondHours]:
    """Energy beyond limits by the hour of the day, of those with most of it first."""
    usual = max(0, rq.now - 7 * DAY_S) if asked.since is None and asked.until is None else asked.since
    span, local = _span(rq, usual, asked.until), _policy(rq).local
    whose = (await _whose(rq, asked, asked.direction))._replace(make=asked.make)
    rows = await listing_compliance.beyond_by_time(
        rq.db, whose, span, by=asked.by, step_s=HALF_S, most=min(asked.limit, MOST_NAMES)
    )
    found = {row.name: t.BeyondHours(name=row.name, wh=[0.0] * 24, intervals=[0] * 24) for row in rows}
    for row in rows:
        hour = local.minute_of_day(int(row.step)) // 60
        found[row.name].wh[hour] += float(row.wh)
        found[row.name].intervals[hour] += int(row.intervals)
    items = sorted(found.values(), key=lambda one: (-sum(one.wh), one.name))
    return t.Listed(items=items, total=len(items), next=None)


async def show_compliance(rq: Request, asked: t.CourseQuery) -> t.ConnectionCompliance:
    """How one connection kept its limits: sums by direction, and its states over a time."""
    place = await find.connection(rq.db, rq.ids["connection"])
    name, whose, local = place.connection_id, Whose(connection=place.connection_id), _policy(rq).local
    start, end = _span(rq, asked.since, asked.until)
    since = await customers.since_of(rq, place.id, start, earlier=asked.earlier)
    span = min(since, end - 1), end
    by_direction = await compliance.roll_up(rq.db, whose, span, by="direction", local=local)
    course = await compliance.course_of(rq.db, whose, span, local)
    days = await listing_compliance.days(rq.db, whose, "connection", (local.day_of(span[0]), local.day_of(span[1] - 1)))
    return t.ConnectionCompliance(
        connection=name,
        by_direction=[_sums(one) for one in by_direction],
        course=[
            t.Run(direction=run.direction, device=run.device, start=run.start, end=run.end, state=run.state.value)
            for run in course
        ],
        unknown_because={row.direction: row.reason for row in days if row.reason},
    )


async def show_reaching(rq: Request, asked: t.ReachingQuery) -> t.Reaching:
    """How long controls take to be delivered, received, started and kept, over all devices that they are for."""
    control = None if asked.control is None else await find.control(rq.db, asked.control)
    span = _span(rq, asked.since, asked.until) if control is None else (control.created, control.created + 1)
    whose = await _whose(rq, asked)
    number = None if control is None else control.id
    found = await compliance.arrivals(rq.db, whose, span, _policy(rq), control_id=number)
    return t.Reaching(
        controls=len({one.control for one in found}),
        delivered=_delay(found, "delivered"),
        received=_delay(found, "received"),
        started=_delay(found, "started"),
        first_ok=_delay(found, "first_ok"),
        items=[t.Arrival(**one._asdict()) for one in found[: asked.most]],
    )


async def exempt_connection(rq: Request, asked: t.NewExemption) -> t.Done:
    """The connection is not judged for a time; what is judged already stays."""
    place = await find.connection(rq.db, rq.ids["connection"])
    start = rq.now if asked.start is None else asked.start
    span = start, start + asked.duration
    await compliance.exempt(rq.db, place.id, span, reason=asked.reason, operator=rq.operator, now=rq.now)
    return t.Done(message=f"connection {place.connection_id} is not judged until {span[1]}")


async def list_exemptions(rq: Request, asked: t.Span) -> t.Listed[t.Exemption]:
    """Exemptions that are not over."""
    found = await listing_compliance.exemptions(rq.db, page(asked), since=rq.now)
    items = [
        t.Exemption(
            id=row.id,
            connection=row.place,
            start=row.start,
            end=row.end,
            reason=row.reason,
            operator=row.operator,
            created=row.created,
        )
        for row in found.rows
    ]
    return listed(found, items)


def _policy(rq: Request) -> Policy:
    return policy_of(rq.state.settings.utility, rq.state.house.poll_rate("DERProgramList"))


def _span(rq: Request, since: int | None, until: int | None) -> tuple[int, int]:
    end = rq.now if until is None else until
    start = max(0, end - DAY_S) if since is None else since
    if start >= end:
        raise BadPeriod(f"from: {told(start)} is not before {told(end)}")
    return start, end


async def _whose(rq: Request, asked: Named, direction: str | None = None) -> Whose:
    """Who is named; each must be there."""
    return Whose(
        None if asked.connection is None else (await find.connection(rq.db, asked.connection)).connection_id,
        None if asked.device is None else (await find.device(rq.db, asked.device)).id,
        None if asked.client is None else (await find.client(rq.db, asked.client)).name,
        None if asked.group is None else (await find.group(rq.db, asked.group)).id,
        direction,
        None if asked.place is None else (await find.place(rq.db, asked.place)).id,
    )


def _sums(one: Rollup) -> t.Compliance:
    sums = one.sums
    return t.Compliance(
        name=one.name,
        obedience=sums.obedience,
        coverage=sums.coverage,
        limited_s=sums.limited_s,
        ok_s=sums.ok_s,
        late_s=sums.late_s,
        breach_s=sums.breach_s,
        opted_out_s=sums.opted_out_s,
        unknown_s=sums.unknown_s,
        binding_s=sums.binding_s,
        binding_bound=sums.binding_bound,
        breach_wh=round(sums.breach_wh, 3),
    )


def _delay(found: Sequence[Arrival], stage: str) -> t.Delay:
    seconds = [getattr(one, stage) - one.issued for one in found if getattr(one, stage) is not None]
    half = compliance.percentiles(seconds)
    return t.Delay(count=len(seconds), p50_s=half[0] if half else None, p95_s=half[1] if half else None)
