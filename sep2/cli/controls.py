"""`sep2 control`: send, list, show, watch, cancel."""

from typing import Annotated, Any

import typer

from sep2.admin import types as t
from sep2.cli.answers import DEVICE_COLUMNS, device_rows, status_of, summary
from sep2.cli.api import api, at
from sep2.cli.groups import ClientName, ConnectionName, GroupName, PlaceName
from sep2.cli.limits import LIMIT_COLUMNS, Export, Generation, Import, Load, limit_cells, limits_of
from sep2.cli.modes import modes_of, shown_mode, with_modes
from sep2.cli.show import Limit, counted, listed, print_table, show
from sep2.cli.times import now_of, resolved
from sep2.cli.units import When, shown_span, shown_time, span, when
from sep2.cli.verb import given, verb
from sep2.cli.watch import STEPS, follow
from sep2.terminal import say

control = typer.Typer(
    no_args_is_help=True, help="Controls: limits for an interval, sent to a group, a connection or a device."
)

Mrid = Annotated[str, typer.Argument(metavar="MRID", help="The control's mRID, how it begins, or `latest`.")]


@verb(control, "send", changes=True)
@with_modes
def send_control(
    *,
    group: GroupName = None,
    connection: ConnectionName = None,
    device: Annotated[
        str | None, typer.Option("--device", help="A device, by its name or LFDI, or how that begins.")
    ] = None,
    place: PlaceName = None,
    client: ClientName = None,
    system: Annotated[bool, typer.Option("--system", help="Every device there is.")] = False,
    import_limit: Import = None,
    export_limit: Export = None,
    generation_limit: Generation = None,
    load_limit: Load = None,
    said_modes: dict[str, Any],
    start: Annotated[When, typer.Option(parser=when, metavar="TIME", help="now, +10m, 18:00, tomorrow 6:30")] = "now",  # type: ignore[assignment]  # parsed like what is typed
    duration: Annotated[int, typer.Option("--for", parser=span, metavar="SPAN", help="90s, 10m, 1h30m")] = "5m",  # type: ignore[assignment]
    randomize: Annotated[
        int | None, typer.Option(parser=span, metavar="SPAN", help="Devices spread their start over so long.")
    ] = None,
    ramp: Annotated[
        int | None, typer.Option(parser=span, metavar="SPAN", help="Go over to it within so long (rampTms).")
    ] = None,
    reason: Annotated[str, typer.Option(help="For the record.")] = "",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also if a device that polls may see it only after its end.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Then follow it until every device has ended it.")] = False,
) -> None:
    """Send a control: what it limits or sets, from when on, for how long.

    [bold]sep2 control send --connection NMI1 --export 1.5kW --for 10m --watch[/]

    [bold]sep2 control send --group "feeder 7" --export 0 --import 3kW --start +15m --for 1h[/]

    [bold]sep2 control send --place T7 --export 2kW --start 18:00 --for 1h[/]

    [bold]sep2 control send --connection NMI1 --power-factor 0.95:absorb --max-power 60% --for 1h[/]

    [bold]sep2 control send --group "feeder 7" --curve 9F3C --for 2h[/]
    """
    if watch and given.get().dry_run:
        raise typer.BadParameter("--watch does nothing with --dry-run: no control is sent")
    server = api()
    begin = resolved(server, start)
    many = _many(place, client, system=system)
    path, name = ("/controls", many[1] or "the system") if many else _addressed(group, connection, device)
    if many and (watch or any((group, connection, device))):
        raise typer.BadParameter("--place, --client and --system stand alone, and --watch follows one control")
    new = t.NewControl(
        start=begin,
        duration=duration,
        limits=limits_of(import_limit, export_limit, generation_limit, load_limit),
        modes=modes_of(server, said_modes),
        ramp_tms=None if ramp is None else ramp * 100,
        randomize_start=randomize,
    )
    body = t.NewControls(controls=[new], reason=reason, anyway=anyway)
    echo = f"It says: {_echoed(new, now_of(server))}."
    if many:
        wide = t.ControlsForMany(
            scope=many[0],  # type: ignore[arg-type]
            subject=many[1],
            controls=[new],
            reason=reason,
            anyway=anyway,
        )
        return _show_many(server.change("POST", path, t.IssuedToMany, wide), name, echo)
    done = server.change("POST", path, t.Issued, body)
    if not watch or given.get().dry_run:
        said = f"{_said(done, name)} {echo} Watch it: sep2 control watch"
        return show(done, said, columns=NOTE_COLUMNS, rows=_note_rows(done))
    if not given.get().as_json:
        if done.notes:
            print_table(NOTE_COLUMNS, _note_rows(done))
        say(f"{_said(done, name)} {echo}")
    return follow(server, done.created or done.kept[:1], until="ended")


def _many(place: str | None, client: str | None, *, system: bool) -> tuple[str, str] | None:
    """The scope and the subject of a control for many places; None where it is for one."""
    named = [("place", place), ("aggregator", client), ("system", "" if system else None)]
    found = [(scope, subject) for scope, subject in named if subject is not None]
    if len(found) > 1:
        raise typer.BadParameter("give one of --place, --client and --system")
    return found[0] if found else None


def _show_many(done: t.IssuedToMany, name: str, echo: str) -> None:
    to = f"{counted(done.places, 'place')}, {counted(done.devices, 'device')} of {name}"
    kept = f"; at {done.kept} it said the same already" if done.kept else ""
    replaced = f", in place of {counted(done.superseded, 'older one')}" if done.superseded else ""
    above = f" At {counted(len(done.outranked), 'device')} something more important holds." if done.outranked else ""
    said = f"{counted(len(done.created), 'control')} sent to {to}{replaced}{kept}.{above} {echo} "
    said += "See them: sep2 control list"
    if done.left_out:
        said += f" Left out, because protected: {', '.join(one.connection_id for one in done.left_out[:10])}."
    show(done, said, columns=NOTE_COLUMNS, rows=_note_rows(done))


NOTE_COLUMNS = ("LFDI", "connection", "what", "why")


def _note_rows(done: t.Issued | t.IssuedToMany) -> list[tuple[str, ...]]:
    """One line for each device that the control does not reach as it is meant."""
    rows: list[tuple[str, ...]] = [
        (note.lfdi, note.connection_id or "", note.code, note.sentence) for note in done.notes
    ]
    if done.noted > len(rows):
        rows.append((f"and {done.noted - len(rows)} more", "", "", ""))
    return rows


def _addressed(group: str | None, connection: str | None, device: str | None) -> tuple[str, str]:
    """Where a control is sent, and whom it is for."""
    if [group, connection, device].count(None) != 2:
        raise typer.BadParameter("give one of --group NAME, --connection ID and --device LFDI")
    if group is not None:
        return at("groups", group, "controls"), group
    if connection is not None:
        return at("connections", connection, "controls"), f"connection {connection}"
    return at("devices", device or "", "controls"), f"device {device}"


def _echoed(new: t.NewControl, now: int) -> str:
    """What was understood: limits with units, start and end in full."""
    limits = dict(zip(LIMIT_COLUMNS, limit_cells(new.limits), strict=True))
    asks = [f"{what} at most {power}" for what, power in limits.items() if power]
    asks += [f"{name} {shown_mode(name, value)}" for name, value in new.modes.items()]
    start = now if new.start is None else new.start
    return f"{', '.join(asks) or 'nothing'}; from {shown_time(start)} until {shown_time(start + new.duration)}"


def _said(done: t.Issued, name: str) -> str:
    if not done.created:
        return f"Control {done.kept[0]} says the same already; nothing is sent."
    replaced = f", in place of {counted(len(done.superseded), 'older one')}" if done.superseded else ""
    to = f"{counted(done.devices, 'device')} of {name}"
    said = f"Control {done.created[0]} is sent to {to}{replaced}.{_parts(done)}"
    if not done.outranked:
        return said
    above = [f"{one.connection_id or one.lfdi} ({one.by} until {shown_time(one.until)})" for one in done.outranked[:10]]
    more = f" and {len(done.outranked) - 10} more" if len(done.outranked) > 10 else ""
    return f"{said} More important there, at least for a while: {', '.join(above)}{more}."


def _parts(done: t.Issued) -> str:
    """In how many parts a control is, and what follows from that."""
    if len(done.created) < 2:
        return ""
    late = f", or up to {shown_span(done.late_s)} later" if done.late_s else ""
    return f" It is in {len(done.created)} parts, so that it holds where something more important ends{late}."


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
        columns=("mRID", "group", "status", "start", "for", *LIMIT_COLUMNS, "modes", "source"),
        rows=(
            (
                c.mrid,
                c.group,
                status_of(c),
                shown_time(c.start),
                shown_span(c.duration),
                *limit_cells(c.limits),
                ", ".join(c.modes),
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


@verb(control, "watch")
def watch_control(
    mrid: Mrid = "latest",
    *,
    until: Annotated[str, typer.Option(help="received, started or ended: what every device has to answer.")] = "ended",
    patience: Annotated[
        int, typer.Option(parser=span, metavar="SPAN", help="Give up when an answer is so long overdue.")
    ] = "10m",  # type: ignore[assignment]  # parsed like what is typed
) -> None:
    """Follow a control until every device has answered; ends with status 1 if one has not.

    [bold]sep2 control watch[/]  the control that was sent last

    [bold]sep2 control watch 4F2A --until started[/]
    """
    if until not in STEPS:
        raise typer.BadParameter(f"--until is one of {', '.join(STEPS)}")
    follow(api(), [mrid], until=until, patience_s=patience)


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
    holds = "holds" if done.reissued == 1 else "hold"
    again = f" {counted(done.reissued, 'control')} of what it had replaced {holds} again." if done.reissued else ""
    show(done, f"Control {done.mrid} is cancelled.{again} Watch it: sep2 control watch {done.mrid[:8]}")
