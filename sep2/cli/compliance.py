"""`sep2 compliance`: who keeps limits, who does not, and of whom it is not known."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.exporting import export
from sep2.cli.selection import ALL, Selection
from sep2.cli.show import Limit, counted, listed, show
from sep2.cli.telemetry import From, Until, within
from sep2.cli.units import shown_span, shown_time, span
from sep2.cli.verb import verb

compliance = typer.Typer(
    no_args_is_help=True, help="Compliance: how limits were kept, by what meters posted; unknown never counts as kept."
)

By = Annotated[str, typer.Option("--by", help=f"Sums by {', '.join(get_args(t.By))}.")]
Direction = Annotated[str | None, typer.Option(help="Only import, export, generation or load.")]
SHOWN = ("name", "obedience", "coverage", "limited", "ok", "late", "breach", "opted out", "unknown", "beyond limits")
COLUMNS: dict[str, type] = {
    "name": str,
    **{"obedience": float, "coverage": float},
    **dict.fromkeys(
        ("limited_s", "ok_s", "late_s", "breach_s", "opted_out_s", "unknown_s", "binding_s"),
        int,
    ),
    **{"binding_bound": float, "breach_wh": float},
}
BROKEN: dict[str, type] = {
    **{"connection": str, "device": str, "client": str, "direction": str, "start": int, "duration_s": int},
    **{"state": str, "allowed_w": float, "measured_w": float, "covered_s": int, "breach_wh": float, "control": str},
}


@verb(compliance, "list")
def list_compliance(
    *,
    by: By = "connection",
    of: Selection = ALL,
    direction: Direction = None,
    since: From = None,
    until: Until = None,
    limit: Limit = 100,
) -> None:
    """Obedience and coverage over a time, a day up to now; the least obedient first, what is unknown last."""
    server = api()
    query = {**of.query(), "direction": direction}
    times = within(server, since, until)
    found = server.get("/compliance", t.ComplianceSums, by=by, limit=limit, **query, **times)
    show(found, _said(found, by), columns=SHOWN, rows=(_row(one) for one in found.items))


def _said(found: t.ComplianceSums, by: str) -> str:
    if found.judged_until is None:
        return "Nothing is judged yet: intervals are judged once their readings are due."
    judged = f"Judged up to {shown_time(found.judged_until)}."
    if not found.total:
        return f"No limit has been in force in this time. {judged}"
    more = f"{len(found.items)} of {found.total}" if found.total > len(found.items) else str(found.total)
    return f"{more} by {by}. {judged}"


def _row(one: t.Compliance) -> tuple[str, ...]:
    seconds = (one.limited_s, one.ok_s, one.late_s, one.breach_s, one.opted_out_s, one.unknown_s)
    spans = (shown_span(second) if second else "" for second in seconds)
    return (one.name, _share(one.obedience), _share(one.coverage), *spans, f"{one.breach_wh:.1f} Wh")


def _share(share: float | None) -> str:
    return "?" if share is None else f"{100 * share:.1f} %"


@verb(compliance, "show")
def show_compliance(
    connection: Annotated[str, typer.Argument(help="The connection's id.")],
    *,
    since: From = None,
    until: Until = None,
) -> None:
    """How one connection kept its limits: by direction, and when it did not, or when nobody knows."""
    server = api()
    times = within(server, since, until)
    found = server.get(at("compliance", "connections", connection), t.ConnectionCompliance, **times)
    said = "; ".join(
        f"{one.name}: obedience {_share(one.obedience)} × coverage {_share(one.coverage)}, {one.breach_wh:.1f} Wh over"
        for one in found.by_direction
    )
    why = "; ".join(f"{name} unknown: {reason}" for name, reason in found.unknown_because.items())
    show(
        found,
        f"Connection {connection}: {said or 'no limit has been in force in this time'}{f' ({why})' if why else ''}.",
        columns=("direction", "from", "to", "state"),
        rows=((run.direction, shown_time(run.start), shown_time(run.end), run.state) for run in found.course),
    )


@verb(compliance, "broken")
def list_broken(
    *,
    of: Selection = ALL,
    direction: Direction = None,
    state: Annotated[str | None, typer.Option(help="Only late, breach or opted_out.")] = None,
    since: From = None,
    until: Until = None,
    limit: Limit = 100,
) -> None:
    """Intervals in which a limit was not kept: what was allowed, what was measured; the latest first."""
    server = api()
    query = {**of.query(), "direction": direction}
    times = within(server, since, until)
    found = server.get("/compliance/broken", t.Listed[t.Broken], state=state, limit=limit, **query, **times)
    show(
        found,
        listed(found.total, len(found.items), "interval"),
        columns=("start", "for", "connection", "client", "direction", "state", "allowed", "measured", "beyond"),
        rows=(
            (
                *(shown_time(one.start), shown_span(one.duration_s), one.connection or "", one.client or ""),
                *(one.direction, one.state, f"{one.allowed_w:.0f} W"),
                *("?" if one.measured_w is None else f"{one.measured_w:.0f} W", f"{one.breach_wh:.1f} Wh"),
            )
            for one in found.items
        ),
    )


@verb(compliance, "hours")
def list_hours(
    *,
    by: Annotated[str, typer.Option(help="client, place or connection.")] = "client",
    of: Selection = ALL,
    direction: Direction = None,
    since: From = None,
    until: Until = None,
    limit: Limit = 20,
) -> None:
    """Energy beyond limits in Wh by the hour of the day, the names with most of it first; a week up to now."""
    server = api()
    query = {**of.query(), "by": by, "direction": direction, "limit": limit, **within(server, since, until)}
    found = server.get("/compliance/hours", t.Listed[t.BeyondHours], **query)
    show(
        found,
        listed(found.total, len(found.items), "name") if found.items else "Nothing was beyond a limit.",
        columns=("name", *(f"{hour:02}" for hour in range(24))),
        rows=((one.name, *(f"{wh:.0f}" if wh else "" for wh in one.wh)) for one in found.items),
    )


@verb(compliance, "reaching")
def show_reaching(
    *,
    control: Annotated[str | None, typer.Option(help="One control: its mRID's beginning, or latest.")] = None,
    of: Selection = ALL,
    since: From = None,
    until: Until = None,
    limit: Limit = 100,
) -> None:
    """How long controls take until they are delivered, received, started, and kept for a whole interval."""
    server = api()
    query = {**of.query(), "control": control, "most": limit}
    found = server.get("/compliance/reaching", t.Reaching, **query, **within(server, since, until))
    stages = ("delivered", "received", "started", "first_ok")
    said = "; ".join(f"{name.replace('_', ' ')} {_delay(getattr(found, name))}" for name in stages)
    show(
        found,
        f"{counted(found.controls, 'control')}, half and 95 % of devices within: {said}.",
        columns=("control", "connection", "device", "issued", "delivered", "received", "started", "first ok"),
        rows=(
            (
                *(one.control[:12], one.connection or "", one.device[:12], shown_time(one.issued)),
                *(_after(one.issued, getattr(one, name)) for name in stages),
            )
            for one in found.items
        ),
    )


def _delay(delay: t.Delay) -> str:
    if delay.p50_s is None or delay.p95_s is None:
        return "none yet"
    return f"{shown_span(max(0, delay.p50_s))} and {shown_span(max(0, delay.p95_s))} ({delay.count})"


def _after(issued: int, then: int | None) -> str:
    return "" if then is None else f"+{shown_span(max(0, then - issued))}"


@verb(compliance, "export")
def export_compliance(
    file: Annotated[Path, typer.Argument(help="Where to: .csv or .parquet; - is standard output.", allow_dash=True)],
    *,
    by: By = "connection",
    broken: Annotated[bool, typer.Option("--broken", help="Intervals in which limits were not kept.")] = False,
    of: Selection = ALL,
    since: From = None,
    until: Until = None,
) -> None:
    """Write sums, or with --broken each interval in which a limit was not kept, to a file; times in epoch seconds."""
    server = api()
    query = {**of.query(), **within(server, since, until)}
    if broken:
        rows = (_fields(one, BROKEN) for one in server.all("/compliance/broken", t.Listed[t.Broken], **query))
        count = export(file, BROKEN, rows)
    else:
        rows = (_fields(one, COLUMNS) for one in server.all("/compliance", t.ComplianceSums, by=by, **query))
        count = export(file, COLUMNS, rows)
    if str(file) != "-":
        show(t.Done(message=f"{count}"), f"{counted(count, 'row')} written to {file}.")


def _fields(one: object, columns: dict[str, type]) -> dict[str, object]:
    return {name: getattr(one, name) for name in columns}


@verb(compliance, "exempt", changes=True)
def exempt(
    connection: Annotated[str, typer.Argument(help="The connection's id.")],
    lasts: Annotated[int, typer.Option("--for", parser=span, metavar="SPAN", help="From now on, e.g. 7d.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit log and the reports.")],
) -> None:
    """Judge a connection no more for a time, such as while its meter is exchanged; what is judged already stays."""
    body = t.NewExemption(duration=lasts, reason=reason)
    done = api().change("POST", at("connections", connection, "exemptions"), t.Done, body)
    show(done, f"Connection {connection} is not judged for {shown_span(lasts)}.")


@verb(compliance, "exemptions")
def list_exemptions(limit: Limit = 100) -> None:
    """Connections that are not judged, until when and why."""
    found = api().get("/exemptions", t.Listed[t.Exemption], limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "exemption"),
        columns=("connection", "from", "to", "reason", "by"),
        rows=(
            (one.connection, shown_time(one.start), shown_time(one.end), one.reason, one.operator)
            for one in found.items
        ),
    )
