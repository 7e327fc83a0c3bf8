"""`sep2 override`: send, extend, release, review, list, show, progress."""

from typing import Annotated, Any

import typer

from sep2.admin import types as t
from sep2.admin.types import market_overrides as m
from sep2.cli.api import api, at
from sep2.cli.effects import show_effect, shown_progress
from sep2.cli.groups import ClientName, PlaceName
from sep2.cli.limits import LIMIT_COLUMNS, Export, Generation, Import, Load, limit_cells, limits_of
from sep2.cli.market_effects import show_market_effect
from sep2.cli.modes import modes_of, shown_modes, with_modes
from sep2.cli.show import Limit, counted, listed, show
from sep2.cli.targets import Target, target_of
from sep2.cli.times import resolved
from sep2.cli.units import When, shown_span, shown_time, span, when
from sep2.cli.verb import verb
from sep2.rules.authority import REASONS

override = typer.Typer(
    no_args_is_help=True,
    help="Overrides: limits over everything else, for one connection or many, until a certain time.",
)

Draft = Annotated[bool, typer.Option("--draft", help="Only prepare it; `sep2 approval send` sends it.")]
Notice = Annotated[
    m.Notice | None, typer.Option(help="Of an aggregation: planned (announced ahead), forecast or emergency (at once).")
]
Digest = Annotated[str, typer.Option(metavar="DIGEST", help="Send it only if this is still its effect (see --json).")]
Number = Annotated[str, typer.Argument(metavar="ID", help="The override's number, or `latest`.")]


@verb(override, "send", changes=True)
@with_modes
def send_override(
    target: Target = None,
    *,
    connection: Annotated[str | None, typer.Option(help="One connection, by its id.")] = None,
    device: Annotated[str | None, typer.Option(help="One device, by its LFDI or how it begins.")] = None,
    group: Annotated[str | None, typer.Option(help="Every device of a group, by its name.")] = None,
    place: PlaceName = None,
    aggregator: ClientName = None,
    system: Annotated[bool, typer.Option("--system", help="Every device there is.")] = False,
    aggregation: Annotated[str | None, typer.Option(help="Members of an aggregation, which share the limits.")] = None,
    notice: Notice = None,
    binding: Annotated[str, typer.Option(metavar="ELEMENT", help="Of an aggregation: what is beyond its limits.")] = "",
    der: Annotated[list[str] | None, typer.Option(metavar="DER", help="Of an aggregation: only this member.")] = None,
    node: Annotated[str, typer.Option(help="Of an aggregation: only members at this node, or below this place.")] = "",
    fairness: Annotated[str, typer.Option(metavar="WHY", help="Why others at that element are not curtailed.")] = "",
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
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="A protected connection that it covers too; a second person has to agree."),
    ] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Also a limit far beyond what is there.")] = False,
    release: Annotated[
        bool,
        typer.Option("--release", help="Also more than what holds now; an engineer sends it, a second person agrees."),
    ] = False,
    digest: Digest = "",
    draft: Draft = False,
) -> None:
    """Limit one connection or many over envelopes and schedules, until a certain time.

    It only tightens: where something tighter holds, that stays, unless with --release. When it ends, what was below
    holds again.

    [bold]sep2 override send --connection NMI1 --export 0 --for 2h --reason overload --dry-run[/]

    [bold]sep2 override send transformer T7 --export 1.5kW --for 30m --reason emergency[/]

    [bold]sep2 override send aggregator Sunny --export 0 --for 1h --reason islanding[/]

    [bold]sep2 override send --system --load 2kW --until 19:00 --reason other --note "heat wave"[/]

    [bold]sep2 override send --aggregation VPP1 --export 200kW --for 1h --reason emergency --notice emergency[/]
    """
    options = {"connection": connection, "device": device, "group": group, "place": place, "aggregator": aggregator}
    options["aggregation"] = aggregation
    scope, subject = target_of(target, options, system=system)
    if duration is not None and until is not None:
        raise typer.BadParameter("--for and --until both say when it ends: give one of them")
    if duration is None and until is None:
        raise typer.BadParameter("an override has an end: give --for SPAN or --until TIME")
    server = api()
    begin = resolved(server, start)
    own = {"notice": notice, "binding": binding, "ders": der, "node": node, "fairness_note": fairness}
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
        also=also or [],
        release=release,
        digest=digest,
    )
    if scope == "aggregation" and (release or anyway):
        raise typer.BadParameter("--release and --anyway can not be given with --aggregation")
    if scope == "aggregation":
        new = _of_aggregation(body, {name: value for name, value in own.items() if value})
        show_market_effect(server.change("POST", "/market/overrides", m.MarketOverrideSent, new, draft=draft))
        return
    if any(own.values()):
        raise typer.BadParameter("--notice, --binding, --der, --node and --fairness are of an --aggregation")
    show_effect(server.change("POST", "/overrides", t.OverrideSent, body, draft=draft))


def _of_aggregation(body: t.NewOverride, own: dict[str, Any]) -> m.NewMarketOverride:
    """The same as an override of an aggregation; own: what only such have."""
    names = ("limits", "modes", "start", "end", "duration", "reason", "note", "also", "digest")
    same = {name: getattr(body, name) for name in names}
    return m.NewMarketOverride(aggregation=body.subject, **{"notice": "forecast", **own}, **same)


@verb(override, "extend", changes=True)
def extend_override(
    number: Number,
    *,
    duration: Annotated[
        int | None, typer.Option("--for", parser=span, metavar="SPAN", help="So much longer; this or --until.")
    ] = None,
    until: Annotated[When | None, typer.Option(parser=when, metavar="TIME", help="+2h, 19:00, tomorrow 6:30")] = None,
    draft: Draft = False,
) -> None:
    """Let an override hold on after its end, with the same limits, as another one from there on.

    [bold]sep2 override extend latest --for 1h[/]
    """
    if (duration is None) == (until is None):
        raise typer.BadParameter("give one of --for SPAN and --until TIME")
    server = api()
    body = t.Extend(duration=duration, end=None if until is None else resolved(server, until))
    show_effect(server.change("POST", at("overrides", number, "extend"), t.OverrideSent, body, draft=draft))


@verb(override, "review", changes=True)
def review_override(
    number: Number, *, note: Annotated[str, typer.Option(help="In your own words, for the record.")] = ""
) -> None:
    """Say that you have looked at an override that somebody else sent alone.

    [bold]sep2 override list --unreviewed[/]  and  [bold]sep2 override review 12[/]
    """
    done = api().change("POST", at("overrides", number, "review"), t.Override, t.Review(note=note))
    show(done, f"Override {done.id} by {done.operator} is reviewed.")


@verb(override, "progress")
def show_progress(number: Number = "latest") -> None:
    """How far an override has come: who received and started it, and the power that is held back by when."""
    found = api().get(at("overrides", number, "progress"), t.Progress)
    show(found, shown_progress(found))


@verb(override, "release", changes=True, before=("undo",))
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


COLUMNS = ("ID", "kind", "scope", "of", *LIMIT_COLUMNS, "modes", "from", "until", "state", "reason", "by")


def _cells(one: t.Override) -> tuple[str, ...]:
    reason = f"{one.reason}: {one.note}" if one.note else one.reason
    times = shown_time(one.start), shown_time(one.end)
    limits = limit_cells(one.limits), shown_modes(one.modes)
    by = f"{one.operator} and {one.second}" if one.second else one.operator
    return (str(one.id), one.kind, one.scope, one.subject, *limits[0], limits[1], *times, one.state, reason, by)


@verb(override, "list")
def list_overrides(
    *,
    over: Annotated[bool, typer.Option("--over", help="Also those that are over or released.")] = False,
    unreviewed: Annotated[
        bool, typer.Option("--unreviewed", help="Only those that one person sent alone, and nobody has looked at.")
    ] = False,
    connection: Annotated[str | None, typer.Option(help="Only those of this connection alone.")] = None,
    limit: Limit = 100,
) -> None:
    """Overrides that hold or are to come, the newest first."""
    asked = {"over": over, "unreviewed": unreviewed, "connection": connection}
    found = api().get("/overrides", t.Listed[t.Override], **asked, limit=limit)
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
