"""Looking over everything: search, the calendar of what was issued, and reports."""

from typing import Any

from sqlalchemy import Row

from sep2.admin import compliance, find
from sep2.admin import types as t
from sep2.admin.telemetry import DAY_S, BadPeriod
from sep2.errors import BadValue
from sep2.operations.compliance import Rollup
from sep2.operations.judging import policy_of
from sep2.rest.route import Request
from sep2.rules import cursor
from sep2.rules.told_times import told
from sep2.store import listing_calendar, listing_search
from sep2.store.listing_compliance import Whose


class TooMuch(BadValue):
    """That would be too much at once."""


MOST_BARS = 200
LONGEST_S = 62 * DAY_S


async def search(rq: Request, asked: t.SearchQuery) -> list[t.Hit]:
    """What begins so, of everything that has a name or a number."""
    said = asked.q.strip()
    found = [
        *await listing_search.numbered(rq.db, said, asked.limit),
        *await listing_search.named(rq.db, said, asked.limit),
    ]
    return [t.Hit(**one._asdict()) for one in dict.fromkeys(found)][: asked.limit]


async def show_calendar(rq: Request, asked: t.CalendarQuery) -> t.Calendar:
    """What operators have issued over a time, alike ones together."""
    local = policy_of(rq.state.settings.utility, rq.state.house.poll_rate("DERProgramList")).local
    since = local.day_of(rq.now) if asked.since is None else asked.since
    until = since + DAY_S if asked.until is None else asked.until
    if not since < until <= since + LONGEST_S:
        raise BadPeriod(f"from: {told(since)} is not before until: {told(until)}, or more than 62 days before it")
    bars = [_override_bar(row) for row in await listing_calendar.overrides(rq.db, (since, until), MOST_BARS + 1)]
    bars += [_issued_bar(row) for row in await listing_calendar.issued(rq.db, (since, until), MOST_BARS + 1)]
    counts = await listing_calendar.envelopes(rq.db, (since, until)) if asked.envelopes else {}
    return t.Calendar(
        since=since,
        until=until,
        bars=bars[:MOST_BARS],
        more=len(bars) > MOST_BARS,
        envelopes=[t.HourCount(start=hour, count=count) for hour, count in sorted(counts.items())],
    )


def _override_bar(row: Row[Any]) -> t.CalendarBar:
    return t.CalendarBar(
        source="override",
        subject=f"{row.scope} {row.subject}".strip(),
        count=1,
        start=row.start,
        end=row.end if row.released is None else min(row.end, row.released),
        limits=_limits(row),
        reason=row.reason,
        id=str(row.id),
    )


def _issued_bar(row: Row[Any]) -> t.CalendarBar:
    return t.CalendarBar(
        source=row.role,
        subject=row.name,
        count=row.n,
        start=row.earliest_start,
        end=row.latest_end,
        limits=_limits(row),
        reason=row.reason,
        id=row.mrid,
    )


def _limits(row: Row[Any]) -> t.Limits:
    return t.Limits(
        import_w=row.import_limit_w, export_w=row.export_limit_w, gen_w=row.gen_limit_w, load_w=row.load_limit_w
    )


async def report_compliance(rq: Request, asked: t.ReportQuery) -> t.Listed[t.ReportRow]:
    """How limits were kept over a time (the last 30 days), in the form that a regulator is given."""
    local = policy_of(rq.state.settings.utility, rq.state.house.poll_rate("DERProgramList")).local
    until = rq.now if asked.until is None else asked.until
    since = local.day_of(max(0, until - 30 * DAY_S)) if asked.since is None else asked.since
    if since >= until:
        raise BadPeriod(f"from: {told(since)} is not before {told(until)}")
    if (
        asked.by == "connection"
        and until - since > 2 * DAY_S
        and (asked.place, asked.client, asked.make) == (None,) * 3
    ):
        raise TooMuch("by: connection: name a place, a client or a make, or at most two days")
    whose = Whose(
        client=None if asked.client is None else (await find.client(rq.db, asked.client)).name,
        place_id=None if asked.place is None else (await find.place(rq.db, asked.place)).id,
        direction=asked.direction,
        make=asked.make,
    )
    found = await compliance.part_of(rq, whose, (since, until), asked)
    period = [local.iso(at) for at in (since, until)]
    return t.Listed(
        total=found.total,
        items=[_row(one, asked.by, period) for one in found.rollups],
        next=None if found.next is None else cursor.encode(found.next),
    )


def _row(one: Rollup, by: str, period: list[str]) -> t.ReportRow:
    sums = one.sums

    def hours(seconds: int) -> float:
        return round(seconds / 3600, 3)

    def percent(share: float | None) -> float | None:
        return None if share is None else round(100 * share, 2)

    return t.ReportRow(
        period_start=period[0],
        period_end=period[1],
        by=by,
        name=one.name,
        limited_h=hours(sums.limited_s),
        obedience_percent=percent(sums.obedience),
        coverage_percent=percent(sums.coverage),
        kept_h=hours(sums.ok_s),
        late_h=hours(sums.late_s),
        breach_h=hours(sums.breach_s),
        opted_out_h=hours(sums.opted_out_s),
        unknown_h=hours(sums.unknown_s),
        binding_h=hours(sums.binding_s),
        kept_when_binding_percent_at_least=percent(sums.binding_bound),
        beyond_limit_kwh=round(sums.breach_wh / 1000, 3),
    )
