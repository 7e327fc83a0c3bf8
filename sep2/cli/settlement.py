"""`sep2 market settle`, and what was settled: statements, intervals, baselines, and the regulator's report."""

from typing import Annotated

import msgspec
import typer

from sep2.admin.types import market_evidence as e
from sep2.admin.types import market_settlement as t
from sep2.cli.api import Api, api, at
from sep2.cli.market import market as root
from sep2.cli.market_times import KnownAt, day_or_moment, time_of
from sep2.cli.show import Limit, counted, listed, show
from sep2.cli.units import When, shown_time
from sep2.cli.verb import verb
from sep2.rest.types import Listed

__all__ = ["root"]

PATIENCE_S = 3600
"""Of a month of a thousand DERs."""
Aggregation = Annotated[str, typer.Argument(metavar="AGGREGATION", help="Its name.")]
Starts = Annotated[When, typer.Option("--from", parser=day_or_moment, metavar="TIME", help="From when on.")]
Ends = Annotated[When, typer.Option("--to", parser=day_or_moment, metavar="TIME", help="Until when.")]
MayStart = Annotated[When | None, typer.Option("--from", parser=day_or_moment, metavar="TIME", help="From when on.")]
MayEnd = Annotated[When | None, typer.Option("--to", parser=day_or_moment, metavar="TIME", help="Until when.")]
Day = Annotated[str | None, typer.Option("--day", metavar="DATE", help="A local day of its market.")]


@verb(root, "settle", changes=True)
def settle_market(
    name: Aggregation,
    *,
    day: Day = None,
    start: MayStart = None,
    end: MayEnd = None,
    available: Annotated[
        list[str] | None,
        typer.Option(help="DER:WATTS that it could do at all, as its aggregator declares; repeatable."),
    ] = None,
) -> None:
    """Settle a day, or a time: delivered against instructed, and the energy that limits cost, by cause.

    Done by itself as the market's profile says; what says something new becomes a new version.

    [bold]sep2 market settle VPP1 --day 2027-06-01[/]
    """
    server = api()
    since, until = time_of(server, start), time_of(server, end)
    body = {"aggregation": name, "day": day, "start": since, "end": until}
    declared = [_available(one, since, until) for one in available or ()]
    asked = _converted({**body, "available": declared})
    _say(server.change("POST", "/market/settle", t.Settlement, asked, patience_s=PATIENCE_S))


def _converted(body: dict[str, object]) -> t.NewSettlement:
    try:
        return msgspec.convert(body, t.NewSettlement)
    except msgspec.ValidationError as wrong:
        raise typer.BadParameter(str(wrong)) from None


def _available(text: str, start: int | None, end: int | None) -> dict[str, object]:
    name, _, power = text.rpartition(":")
    if not name or not power.isascii() or not power.isdigit() or start is None or end is None:
        raise typer.BadParameter(f"--available {text}: DER:WATTS, with --from and --to")
    return {"der": name, "start": start, "end": end, "available_w": int(power)}


@verb(root, "settlement")
def show_settlement(name: Aggregation, *, start: MayStart = None, end: MayEnd = None, known_at: KnownAt = None) -> None:
    """What came of a time, by what was settled until now or until some time; of the last 30 days if none is said."""
    server = api()
    query = {**_span(server, start, end), "known_at": time_of(server, known_at)}
    _say(server.get(at("market", "settlements", name), t.Settlement, **query))


def _span(server: Api, start: When | None, end: When | None) -> dict[str, int | None]:
    return {"start": time_of(server, start), "end": time_of(server, end)}


def _say(one: t.Settlement) -> None:
    share = "not known" if one.delivered_share is None else f"{one.delivered_share:.1%}"
    firm = f"cannot tell, {one.firm.events} of {one.firm.needed} events" if one.firm.ratio is None else ""
    rows = [
        ("intervals", f"{one.intervals}: " + ", ".join(f"{n} {state}" for state, n in sorted(one.states.items()))),
        ("delivered", f"{share} of what was instructed; {one.missing} intervals not known"),
        ("overshoot", _kwh(one.overshoot_wh)),
        ("lost to overrides", f"{_kwh(one.lost_override_wh)}{_eligible(one.override_eligible)}"),
        ("lost to envelopes", f"{_kwh(one.lost_envelope_wh)}{_eligible(one.envelope_eligible)}"),
        ("own shortfall", _kwh(one.own_shortfall_wh)),
        ("beyond limits", _kwh(one.breach_wh)),
        ("firm", firm or f"{one.firm.ratio:.1%} of what is promised, {one.firm.firm_w} W"),
    ]
    new = "" if one.changed is None else f", {one.changed} of its rows new"
    span = f"{shown_time(one.start)} to {shown_time(one.end)}"
    show(one, f"{one.aggregation}, {span}{new}.", columns=("what", "is"), rows=rows)


def _eligible(whether: bool) -> str:
    return ", eligible" if whether else ", not eligible by the market's profile"


def _kwh(wh: int | None) -> str:
    return "?" if wh is None else f"{wh / 1000:.3f} kWh"


@verb(root, "intervals")
def list_intervals(
    name: Aggregation,
    *,
    start: MayStart = None,
    end: MayEnd = None,
    limit: Limit = 100,
    known_at: KnownAt = None,
) -> None:
    """Settled intervals of an aggregation and its DERs, the earliest first; of the last 30 days if none is said."""
    server = api()
    query = {**_span(server, start, end), "known_at": time_of(server, known_at)}
    found = server.get(at("market", "settlements", name, "intervals"), Listed[t.Interval], limit=limit, **query)
    rows = [
        (
            *(shown_time(one.start), one.der or "all", "" if one.want_w is None else f"{one.want_w} W"),
            *("" if one.limit_w is None else f"{one.limit_w} W", _kwh(one.measured_wh), one.state),
            *(_kwh(one.lost_override_wh), _kwh(one.lost_envelope_wh), str(one.version)),
        )
        for one in found.items
    ]
    columns = ("from", "DER", "wanted", "limit", "measured", "state", "lost to override", "to envelope", "version")
    show(found, listed(found.total, len(found.items), "entry"), columns=columns, rows=rows)


@verb(root, "firm")
def show_firm(name: Aggregation, *, known_at: KnownAt = None) -> None:
    """What is firm of an aggregation's promise, by its settled dispatches, and each of these.

    [bold]sep2 market firm VPP1[/]
    """
    server = api()
    one = server.get(at("market", "firm", name), t.FirmCapacity, known_at=time_of(server, known_at))
    rows = [
        (
            *(event.dispatch, shown_time(event.start), shown_time(event.end), f"{event.ordered_w} W"),
            "not known" if event.ratio is None else f"{event.ratio:.1%}",
            str(event.missing),
        )
        for event in one.by_event
    ]
    if one.ratio is None:
        said = f"{name}: cannot tell, {one.events} of {one.needed} events."
    else:
        said = (
            f"{name}: {one.firm_w} W are firm of {one.promised_w} W, {one.ratio:.1%}: number {one.rank} from below of"
            f" {counted(one.events, 'event')}, which {1 - one.quantile:.0%} of all reach ({one.confidence:.0%} sure)."
        )
    show(one, said, columns=("dispatch", "from", "until", "asked", "delivered", "not known"), rows=rows)


@verb(root, "baseline")
def show_baseline(
    der: Annotated[str, typer.Argument(metavar="DER", help="The DER's name.")],
    *,
    day: Annotated[str, typer.Option(metavar="DATE", help="The day of the event.")],
    hours: Annotated[str, typer.Option(metavar="FIRST-END", help="Local hours, e.g. 16-20.")],
    method: Annotated[
        str | None, typer.Option(help="Such as average_10_of_10, meter_before, generation_meter; that of the profile.")
    ] = None,
    profile: Annotated[str, typer.Option(help="Whose days and adjustment.")] = "custom",
    with_limited: Annotated[bool, typer.Option("--with-limited", help="Also days that a limit curtailed.")] = False,
) -> None:
    """The load that would have been without an event, and how much less was drawn.

    [bold]sep2 market baseline D1 --day 2027-06-01 --hours 16-20 --profile pjm[/]
    """
    first, _, end = hours.partition("-")
    query = {"day": day, "first_hour": first, "end_hour": end, "profile": profile, "method": method}
    more = {"with_limited": "true"} if with_limited else {}
    one = api().get(at("market", "baselines", der), t.BaselineShown, **query, **more)
    rows = [
        (f"{row.hour:02}:00", f"{row.baseline_w:.0f} W", "?" if row.metered_w is None else f"{row.metered_w:.0f} W")
        for row in one.hours
    ]
    reduced = "not known" if one.reduced_wh is None else _kwh(round(one.reduced_wh))
    said = f"{one.method} over {counted(len(one.days), 'day')}, adjusted by {one.adjustment:g}: {reduced} less drawn."
    show(one, said, columns=("hour", "baseline", "metered"), rows=rows)


@verb(root, "report")
def report_market(*, start: Starts, end: Ends) -> None:
    """For the regulator: counts, clocks, reasons, hours, kWh and fairness; no customer is named.

    [bold]sep2 market report --from 2027-01-01 --to 2027-04-01 --json[/]
    """
    server = api()
    one = server.get("/market/report", e.MarketReport, start=time_of(server, start), end=time_of(server, end))
    rows = [
        (
            *(row.aggregation, row.party, f"{row.settled_h:g} h", f"{row.limited_h:g} h", _kwh(row.instructed_wh)),
            *(_kwh(row.lost_override_wh), _kwh(row.lost_envelope_wh)),
            "–" if row.lost_part is None else f"{row.lost_part:.1%}",
        )
        for row in one.by_aggregation
    ]
    reviews = one.reviews
    days = "–" if reviews.median_days is None else f"{reviews.median_days:.1f}"
    said = (
        f"{counted(one.ders, 'DER')}; reviews: {reviews.submitted} submitted, {reviews.decided} decided after {days}"
        f" days (median), {reviews.late} late; dispatch: {one.dispatches}, {one.late_dispatches} late,"
        f" {one.beyond_limit} beyond limits; overrides: {one.overrides.sent} over {one.overrides.hours:.1f} h,"
        f" {one.overrides.unlike} not like for like, {one.overrides.unanswered} unanswered,"
        f" {one.overrides.unexplained} unexplained, {counted(one.overrides.disputes, 'dispute')}."
    )
    columns = ("aggregation", "party", "settled", "limited", "instructed", "lost to override", "to envelope", "part")
    show(one, said, columns=columns, rows=rows)
