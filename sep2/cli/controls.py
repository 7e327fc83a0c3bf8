"""`sep2 control`: send, list, show, cancel; `sep2 control watch` is in watch.py."""

from typing import Annotated

import typer

from sep2.admin import types as t
from sep2.cli.api import Api, api, at
from sep2.cli.groups import ConnectionName, GroupName, group_of
from sep2.cli.register import LIMIT_COLUMNS, Limit, limit_cells
from sep2.cli.show import counted, listed, show
from sep2.cli.units import When, shown_span, shown_time, span, watts, when
from sep2.cli.verb import verb

control = typer.Typer(no_args_is_help=True, help="Controls: limits for an interval, sent to a group or a connection.")

STATUS = ("scheduled", "active", "cancelled", "cancelled", "superseded")
RESPONSE = {
    1: "received",
    2: "started",
    3: "completed",
    4: "opted out",
    5: "opted in",
    6: "cancelled",
    7: "superseded",
    8: "partly, opted out",
    9: "partly, opted in",
    10: "did not take part",
    11: "aborted",
    252: "rejected, bad parameters",
    253: "rejected, bad request",
    254: "rejected, already over",
}
"""Response.status of DERControls (2030.5 table 27), as people say it."""

Mrid = Annotated[str, typer.Argument(metavar="MRID", help="The control's mRID, how it begins, or `latest`.")]


def status_of(one: t.Control) -> str:
    """The status of a control in a word; one that ran its course is completed."""
    return "completed" if one.over and one.status == 1 else STATUS[one.status]


@verb(control, "send", changes=True)
def send_control(
    *,
    group: GroupName = None,
    connection: ConnectionName = None,
    import_limit: Annotated[
        int | None, typer.Option("--import", parser=watts, metavar="POWER", help="e.g. 5kW")
    ] = None,
    export_limit: Annotated[
        int | None, typer.Option("--export", parser=watts, metavar="POWER", help="e.g. 1.5kW")
    ] = None,
    gen_limit: Annotated[
        int | None, typer.Option("--generation", parser=watts, metavar="POWER", help="e.g. 5kW")
    ] = None,
    load_limit: Annotated[int | None, typer.Option("--load", parser=watts, metavar="POWER", help="e.g. 5kW")] = None,
    start: Annotated[
        When, typer.Option(parser=when, metavar="TIME", help="now, +10m, or 2026-01-31T14:30+10:00")
    ] = "now",  # type: ignore[assignment]  # parsed like what is typed
    duration: Annotated[int, typer.Option("--for", parser=span, metavar="SPAN", help="90s, 10m, 1h30m")] = "5m",  # type: ignore[assignment]
    randomize: Annotated[
        int | None, typer.Option(parser=span, metavar="SPAN", help="Devices spread their start over so long.")
    ] = None,
    reason: Annotated[str, typer.Option(help="For the record.")] = "",
) -> None:
    """Send a control: what it limits, from when on, for how long.

    [bold]sep2 control send --connection NMI1 --export 1.5kW --for 10m[/]

    [bold]sep2 control send --group "feeder 7" --export 0 --import 3kW --start +15m --for 1h[/]
    """
    server = api()
    name = group_of(server, group, connection)
    new = t.NewControl(
        start=_start(server, start),
        duration=duration,
        limits=t.Limits(import_w=import_limit, export_w=export_limit, gen_w=gen_limit, load_w=load_limit),
        randomize_start=randomize,
    )
    body = t.NewControls(controls=[new], reason=reason)
    done = server.change("POST", at("groups", name, "controls"), t.Issued, body)
    show(done, _said(done, name))


def _start(server: Api, start: When) -> int | None:
    """The start in epoch seconds; None is the server's now, which only the server knows at the moment it matters."""
    if start.at is not None or start.ahead == 0:
        return start.at
    return server.get("/status", t.Status).now + start.ahead


def _said(done: t.Issued, name: str) -> str:
    if not done.created:
        return f"Control {done.kept[0]} says the same already; nothing is sent."
    replaced = f", in place of {counted(len(done.superseded), 'older one')}" if done.superseded else ""
    to = f"{counted(done.devices, 'device')} of {name}"
    return f"Control {done.created[0]} is sent to {to}{replaced}. Watch it: sep2 control watch"


@verb(control, "list")
def list_controls(
    *,
    group: GroupName = None,
    over: Annotated[bool, typer.Option("--over", help="Also those that are over.")] = False,
    limit: Limit = 100,
) -> None:
    """Controls that hold or are to come, earliest first."""
    found = api().get("/controls", t.Listed[t.Control], group=group, over=over, limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "control"),
        columns=("mRID", "group", "status", "start", "for", *LIMIT_COLUMNS, "source"),
        rows=(
            (
                c.mrid,
                c.group,
                status_of(c),
                shown_time(c.start),
                shown_span(c.duration),
                *limit_cells(c.limits),
                c.source,
            )
            for c in found.items
        ),
    )


@verb(control, "show")
def show_control(mrid: Mrid = "latest") -> None:
    """One control, and what each device answered to it."""
    found = api().get(at("controls", mrid), t.ControlShown)
    show(found, summary(found), columns=DEVICE_COLUMNS, rows=device_rows(found))


DEVICE_COLUMNS = ("LFDI", "connection", "through", "received", "started", "ended", "answer", "note")
ENDS = (3, 4, 6, 7, 8, 9, 10, 11, 252, 253, 254)


def device_rows(found: t.ControlShown) -> list[tuple[str, ...]]:
    """One line per device: when it received, started and ended the control."""
    return [
        (
            one.lfdi,
            one.connection_id or "",
            one.client,
            shown_time(one.responses.get(1)),
            shown_time(one.responses.get(2)),
            shown_time(next((one.responses[status] for status in ENDS if status in one.responses), None)),
            answer_of(one),
            one.note,
        )
        for one in found.devices
    ]


def answer_of(one: t.Reached) -> str:
    """The last thing a device answered, in words."""
    if not one.responses:
        return "nothing yet"
    last = next((status for status in (*ENDS, 2, 1) if status in one.responses), max(one.responses))
    return RESPONSE.get(last, f"status {last}")


def summary(found: t.ControlShown) -> str:
    """A control in one line."""
    limits = dict(zip(LIMIT_COLUMNS, limit_cells(found.limits), strict=True))
    asked = ", ".join(f"{what} {power}" for what, power in limits.items() if power) or ", ".join(found.modes)
    times = f"{shown_time(found.start)} for {shown_span(found.duration)}"
    answered = sum(bool(one.responses) for one in found.devices)
    return (
        f"Control {found.mrid} ({asked}; {times}) is {status_of(found)}; "
        f"{answered} of {counted(len(found.devices), 'device')} answered."
    )


@verb(control, "cancel", changes=True)
def cancel_control(
    mrid: Mrid,
    *,
    reason: Annotated[str, typer.Option(help="For the record.")] = "",
    randomized: Annotated[bool, typer.Option("--randomized", help="Devices spread the change in time.")] = False,
) -> None:
    """Withdraw a control before or during its interval."""
    body = t.Cancel(reason=reason, randomized=randomized)
    done = api().change("POST", at("controls", mrid, "cancel"), t.Cancelled, body)
    show(done, f"Control {done.mrid} is cancelled. Watch it: sep2 control watch {done.mrid[:8]}")
