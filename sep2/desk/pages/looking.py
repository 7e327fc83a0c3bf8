"""Search, the calendar of what was issued, and reports."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import quote

import msgspec
from msgspec import Meta

from sep2.admin import compliance, controls, looking
from sep2.admin import types as t
from sep2.desk.door import Visit
from sep2.rest.types import Asked, Epoch
from sep2.rules.days import LocalTime

DAY_S, WEEK_S = 86_400, 7 * 86_400
WIDTH, BAR = 960, 18
PAGE = 100
LINKS = {
    "connection": "/desk/connection?id={}",
    "place": "/desk/network?place={}",
    "client": "/desk/client?name={}",
    "device": "/desk/device?id={}",
    "group": "/desk/override?scope=group&subject={}",
    "feeder": "/desk/network?feeder={}",
    "control": "/desk/controls?control={}",
    "override": "/desk/release?id={}",
}
BY = {
    "month": "Month",
    "day": "Day",
    "client": "Aggregator or client",
    "make": "Make",
    "transformer": "Transformer",
    "feeder": "Feeder",
    "connection": "Connection",
    "group": "Group",
    "total": "All together",
}
HOURS_BY: dict[str, Literal["connection", "client", "place"]] = {
    "connection": "connection",
    "transformer": "place",
    "feeder": "place",
}
"""By what energy beyond limits is shown over the day; for the others by client."""
MOST_SHOWN, MOST_HOURS = 500, 20


class Words(Asked, frozen=True, kw_only=True):
    """What is looked for."""

    q: Annotated[str, Meta(max_length=80)] = ""


async def show_search(visit: Visit, asked: Words) -> dict[str, Any]:
    """What begins with a text, each with its page."""
    said = asked.q.strip()
    found: list[t.Hit] = await visit.ask(looking.search, t.SearchQuery(q=said)) if said else []
    return {"q": said, "found": [(one, LINKS[one.kind].format(quote(one.id, safe=""))) for one in found]}


class CalendarQuery(Asked, frozen=True, kw_only=True):
    """Which day or week, whether envelopes are counted too, where the list of controls goes on, and one control."""

    day: Epoch | None = None
    week: bool = False
    envelopes: bool = False
    after: str | None = None
    control: Annotated[str, Meta(max_length=32)] = ""


class Bar(NamedTuple):
    """What operators issued, as it is drawn: from the left, how wide, and in which row."""

    one: t.CalendarBar
    x: float
    width: float
    y: float


async def show_controls(visit: Visit, asked: CalendarQuery) -> dict[str, Any]:
    """The calendar of a day or week, and controls that are not over as a list."""
    local = _local(visit)
    since = local.day_of(visit.now if asked.day is None else asked.day)
    until = local.day_of(since + (WEEK_S if asked.week else DAY_S) + DAY_S // 2)
    query = t.CalendarQuery(since=since, until=until, envelopes=asked.envelopes)
    found: t.Calendar = await visit.ask(looking.show_calendar, query)
    scale = WIDTH / (until - since)
    most = max((one.count for one in found.envelopes), default=1)
    return {
        "found": await visit.ask(controls.list_controls, t.ControlQuery(limit=PAGE, after=asked.after)),
        "control": await visit.ask(controls.show_control, control=asked.control) if asked.control else None,
        "calendar": found,
        "bars": _bars(found.bars, (since, until), scale),
        "density": [
            ((one.start - since) * scale, 3600 * scale, one.count, 30 * one.count / most) for one in found.envelopes
        ],
        "ticks": [((at - since) * scale, at) for at in _ticks(local, since, until, week=asked.week)],
        "now_x": (visit.now - since) * scale if since <= visit.now < until else None,
        "asked": asked,
        "since": since,
        "before": local.day_of(since - (WEEK_S if asked.week else DAY_S) + DAY_S // 2),
        "next_one": until,
        "width": WIDTH,
        "may": visit.may(controls.cancel_control),
        "needs": visit.needs(controls.cancel_control),
    }


def _bars(bars: Sequence[t.CalendarBar], span: tuple[int, int], scale: float) -> list[Bar]:
    """Each in a row of its own, cut to the time that is shown."""
    since, until = span
    return [
        Bar(
            one,
            (max(one.start, since) - since) * scale,
            max(3.0, (min(one.end, until) - max(one.start, since)) * scale),
            30.0 + BAR * k,
        )
        for k, one in enumerate(bars)
    ]


def _ticks(local: LocalTime, since: int, until: int, *, week: bool) -> list[int]:
    if not week:
        return list(range(since, until, 3 * 3600))
    found = [since]
    while (following := local.day_of(found[-1] + DAY_S + DAY_S // 2)) < until:
        found.append(following)
    return found


def _local(visit: Visit) -> LocalTime:
    return visit.state.settings.utility.local


class ReportQuery(Asked, frozen=True, kw_only=True):
    """By what, over which days (as dates), and of which place, client or make."""

    by: t.ReportBy = "month"
    since: Annotated[str, Meta(max_length=10)] = msgspec.field(default="", name="from")
    until: Annotated[str, Meta(max_length=10)] = ""
    place: Annotated[str, Meta(max_length=200)] = ""
    client: Annotated[str, Meta(max_length=200)] = ""
    make: Annotated[str, Meta(max_length=200)] = ""


async def show_report(visit: Visit, asked: ReportQuery) -> dict[str, Any]:
    """How limits were kept, in a form that can be downloaded."""
    local = _local(visit)
    today = local.day_of(visit.now)
    refused, since, until = "", local.day_of(today - 29 * DAY_S), visit.now
    try:
        since = _day(local, asked.since, since)
        until = _day(local, asked.until, until, end=True)
    except ValueError:
        refused = "from, until: write dates such as 2026-07-31"
    until = max(until, since + 1)
    query = t.ReportQuery(
        by=asked.by,
        since=since,
        until=until,
        place=asked.place or None,
        client=asked.client or None,
        make=asked.make or None,
        limit=MOST_SHOWN,
    )
    found: t.Listed[t.ReportRow] = await visit.ask(looking.report_compliance, query)
    hours: t.Listed[t.BeyondHours] = await visit.ask(
        compliance.list_hours,
        t.HoursQuery(
            by=HOURS_BY.get(asked.by, "client"),
            since=since,
            until=until,
            place=query.place,
            client=query.client,
            make=query.make,
            limit=MOST_HOURS,
        ),
    )
    given = {
        name: value for name, value in (("place", asked.place), ("client", asked.client), ("make", asked.make)) if value
    }
    address = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in (
        ("by", asked.by), ("from", since), ("until", until), ("limit", MOST_SHOWN), *given.items()
    ))  # fmt: skip
    return {
        "found": found,
        "hours": hours.items,
        "most_wh": max((max(one.wh) for one in hours.items), default=0.0),
        "asked": asked,
        "about": asked.place,
        "by": BY | ({} if asked.by in BY else {asked.by: asked.by.capitalize()}),
        "since": local.name_of(since),
        "until": local.name_of(until - 1),
        "refused": refused,
        "csv": f"/reports/compliance?{address}",
    }


def _day(local: LocalTime, said: str, default: int, *, end: bool = False) -> int:
    """When a day begins that was typed as a date, or when it ends."""
    if not said:
        return default
    noon = int(datetime.fromisoformat(said + "T12:00:00+00:00").timestamp()) - local.offset_s
    return local.day_of(noon + DAY_S) if end else local.day_of(noon)
