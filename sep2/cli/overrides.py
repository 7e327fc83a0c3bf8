"""`sep2 override`: send, release, list, show."""

from typing import Annotated, Any

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.groups import ClientName, PlaceName
from sep2.cli.limits import LIMIT_COLUMNS, Export, Generation, Import, Load, limit_cells, limits_of
from sep2.cli.modes import modes_of, shown_modes, with_modes
from sep2.cli.show import Limit, counted, listed, show
from sep2.cli.times import resolved
from sep2.cli.units import When, shown_span, shown_time, span, when
from sep2.cli.verb import verb
from sep2.rules.authority import REASONS
from sep2.terminal import Lines, shown

override = typer.Typer(
    no_args_is_help=True,
    help="Overrides: limits over everything else, for one connection or many, until a certain time.",
)

Number = Annotated[str, typer.Argument(metavar="ID", help="The override's number, or `latest`.")]


@verb(override, "send", changes=True)
@with_modes
def send_override(
    *,
    connection: Annotated[str | None, typer.Option(help="One connection, by its id.")] = None,
    device: Annotated[str | None, typer.Option(help="One device, by its LFDI or how it begins.")] = None,
    group: Annotated[str | None, typer.Option(help="Every device of a group, by its name.")] = None,
    place: PlaceName = None,
    aggregator: ClientName = None,
    system: Annotated[bool, typer.Option("--system", help="Every device there is.")] = False,
    import_limit: Import = None,
    export_limit: Export = None,
    generation_limit: Generation = None,
    load_limit: Load = None,
    said_modes: dict[str, Any],
    reason: Annotated[str, typer.Option(metavar="REASON", help=f"One of {', '.join(REASONS)}.")],
    note: Annotated[str, typer.Option(help="In your own words, for the record; `other` needs some.")] = "",
    start: Annotated[When, typer.Option(parser=when, metavar="TIME", help="now, +10m, 18:00, tomorrow 6:30")] = "now",  # type: ignore[assignment]  # parsed like what is typed
    duration: Annotated[
        int | None, typer.Option("--for", parser=span, metavar="SPAN", help="90s, 10m, 1h30m; this or --until.")
    ] = None,
    until: Annotated[When | None, typer.Option(parser=when, metavar="TIME", help="+2h, 19:00, tomorrow 6:30")] = None,
    ramp: Annotated[
        int | None, typer.Option(parser=span, metavar="SPAN", help="Go over to it within so long (rampTms).")
    ] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Also a limit far beyond what is there.")] = False,
) -> None:
    """Limit one connection or many over envelopes and schedules, until a certain time.

    It only tightens: where something tighter holds, that stays. When it ends, what was below holds again.

    [bold]sep2 override send --connection NMI1 --export 0 --for 2h --reason overload --dry-run[/]

    [bold]sep2 override send --place T7 --export 1.5kW --for 30m --reason emergency[/]

    [bold]sep2 override send --system --load 2kW --until 19:00 --reason other --note "heat wave"[/]
    """
    named = {"connection": connection, "device": device, "group": group, "place": place, "aggregator": aggregator}
    given_names = {scope: name for scope, name in named.items() if name is not None}
    if len(given_names) + system != 1:
        raise typer.BadParameter("give one of --connection, --device, --group, --place, --client and --system")
    if duration is not None and until is not None:
        raise typer.BadParameter("--for and --until both say when it ends: give one of them")
    if duration is None and until is None:
        raise typer.BadParameter("an override has an end: give --for SPAN or --until TIME")
    server = api()
    begin = resolved(server, start)
    scope, subject = next(iter(given_names.items()), ("system", ""))
    body = t.NewOverride(
        scope=scope,  # type: ignore[arg-type]
        subject=subject,
        limits=limits_of(import_limit, export_limit, generation_limit, load_limit),
        modes=modes_of(server, said_modes),
        ramp_tms=None if ramp is None else ramp * 100,
        start=begin,
        end=None if until is None else resolved(server, until, after=begin),
        duration=duration,
        reason=reason,
        note=note,
        anyway=anyway,
    )
    done = server.change("POST", "/overrides", t.OverrideSent, body)
    show(done, _said(done), columns=("place", *LIMIT_COLUMNS, "from", "until", "instead of", "then"), rows=_parts(done))


def _parts(done: t.OverrideSent) -> list[tuple[str, ...]]:
    """One line for each part of each place."""
    return [
        (
            place.place,
            *limit_cells(part.limits),
            shown_time(part.start),
            shown_time(part.end),
            ", ".join(part.replaces),
            place.after,
        )
        for place in done.places
        for part in place.parts
    ]


def _said(done: t.OverrideSent) -> str:
    """An override in words: whom it covers, what it replaces, until when, what holds then, who knows by when."""
    covers = f"{counted(done.connections, 'connection')}, {counted(done.devices, 'device')}"
    lines = [
        f"Override {done.id} covers {covers} until {shown_time(done.end)}, in place of {_sources(done.replaces)}.",
        f"After it: {_sources(done.after)}"
        + (f", gone over to by {shown_time(done.until)}." if done.until > done.end else "."),
    ]
    polling = done.devices - done.told_at_once
    told = [f"{counted(done.told_at_once, 'device')} notified at once"] if done.told_at_once else []
    late = ", some of them perhaps only after its end" if done.known_by >= done.end else ""
    told += [f"{counted(polling, 'device')} at the next poll, by {shown_time(done.known_by)}{late}"] if polling else []
    lines += [f"Told: {', '.join(told)}."] if told else []
    lines += [f"Not told: {one.lfdi}: {one.why}." for one in done.untold[:10]]
    if len(done.untold) > 10:
        lines.append(f"Not told: {len(done.untold) - 10} more; --json shows all.")
    lines += [done.warning] if done.warning else []
    return Lines("\n".join(shown(line, 4000) for line in [*lines, f"To withdraw it: sep2 override release {done.id}"]))


def _sources(found: dict[str, int]) -> str:
    return ", ".join(f"{name} ({number})" if number > 1 else name for name, number in found.items()) or "nothing"


@verb(override, "release", changes=True)
def release_override(
    number: Number,
    *,
    reason: Annotated[str, typer.Option(help="For the record.")] = "",
    spread: Annotated[
        int | None,
        typer.Option(
            parser=span, metavar="SPAN", show_default="10m", help="Let many places go over so long; 0s: all at once."
        ),
    ] = None,
) -> None:
    """Withdraw an override; what it had taken the place of holds again.

    [bold]sep2 override release latest[/]

    [bold]sep2 override release 12 --spread 0s --reason "false alarm"[/]
    """
    body = t.Release(reason=reason, spread=spread)
    done = api().change("POST", at("overrides", number, "release"), t.OverrideReleased, body)
    spread_said = f", spread until {shown_time(done.until)}" if done.until > (done.released or 0) else ""
    show(
        done,
        f"Override {done.id} is released; what was below holds again{spread_said}. "
        f"Who polls knows by {shown_time(done.known_by)}.",
    )


COLUMNS = ("ID", "scope", "of", *LIMIT_COLUMNS, "modes", "from", "until", "state", "reason", "by")


def _cells(one: t.Override) -> tuple[str, ...]:
    reason = f"{one.reason}: {one.note}" if one.note else one.reason
    times = shown_time(one.start), shown_time(one.end)
    limits = limit_cells(one.limits), shown_modes(one.modes)
    return (str(one.id), one.scope, one.subject, *limits[0], limits[1], *times, one.state, reason, one.operator)


@verb(override, "list")
def list_overrides(
    *,
    over: Annotated[bool, typer.Option("--over", help="Also those that are over or released.")] = False,
    limit: Limit = 100,
) -> None:
    """Overrides that hold or are to come, the newest first."""
    found = api().get("/overrides", t.Listed[t.Override], over=over, limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "override"),
        columns=COLUMNS,
        rows=(_cells(one) for one in found.items),
    )


@verb(override, "show")
def show_override(number: Number = "latest") -> None:
    """One override: for whom it is, until when, and the controls that it is issued as."""
    found = api().get(at("overrides", number), t.OverrideShown)
    left = shown_span(found.end - found.start)
    stand = "stands" if len(found.controls) == 1 else "stand"
    show(
        found,
        f"Override {found.id} is {found.state}, {left} long, at {counted(len(found.places), 'place')} "
        f"with {counted(found.devices, 'device')}; {counted(len(found.controls), 'control')} {stand} for it.",
        columns=COLUMNS,
        rows=[_cells(found)],
    )
