"""`sep2 why`: what limits a connection at a moment, and who says so."""

from typing import Annotated

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.modes import shown_mode
from sep2.cli.show import show
from sep2.cli.times import resolved
from sep2.cli.units import When, shown_power, shown_time, when
from sep2.cli.verb import verb
from sep2.rules.binding import in_words
from sep2.rules.limits import MODES
from sep2.terminal import Lines, shown

root = typer.Typer()
LIMITS = dict(zip(MODES, ("import", "export", "generation", "load"), strict=True))


@verb(root, "why")
def explain_connection(
    name: Annotated[str, typer.Argument(metavar="CONNECTION", help="Its id, e.g. the NMI.")],
    *,
    moment: Annotated[
        When, typer.Option("--at", parser=when, metavar="TIME", help="now, +10m, 18:00, tomorrow 6:30")
    ] = "now",  # type: ignore[assignment]  # parsed like what is typed
) -> None:
    """Say what limits a connection at a moment: an override, a schedule, its envelope, a group, a default or contract.

    [bold]sep2 why NMI1 --at 18:00[/]
    """
    server = api()
    found = server.get(f"{at('connections', name)}/why", t.Why, at=resolved(server, moment))
    when_said = shown_time(found.at)
    lines = [*_of_connection(found, when_said), *(line for one in found.others for line in _of_other(found, one))]
    if found.other_devices > len(found.others):
        lines.append(
            f"{len(found.others)} of {found.other_devices} other devices are shown: `sep2 device show` has each."
        )
    return show(found, Lines("\n".join(shown(line, 4000) for line in lines)))


def _of_connection(found: t.Why, when_said: str) -> list[str]:
    if found.device is None:
        why = "no device there does" if found.other_devices else "no device is there"
        return [f"At {when_said} nobody holds the limits of {found.connection_id}: {why}."]
    if not found.modes:
        return [f"At {when_said} nothing limits {found.connection_id}."]
    lines = [f"{found.connection_id} at {when_said}:", *(_sentence(found, one) for one in found.modes)]
    return lines + _next(found.next_change)


def _of_other(found: t.Why, one: t.DeviceWhy) -> list[str]:
    """The limits of a device that does not hold those of its connection."""
    name = one.name or one.device
    if not one.modes:
        return [f"Nothing limits its device {name} beside."]
    return [f"Its device {name} beside:", *(_sentence(found, mode) for mode in one.modes), *_next(one.next_change)]


def _next(change: int | None) -> list[str]:
    return [] if change is None else [f"The next change is at {shown_time(change)}."]


def _sentence(found: t.Why, one: t.WhyMode) -> str:
    what = LIMITS.get(one.mode)
    said = f"{what} at most {shown_power(one.value)}" if what else f"{one.mode} {shown_mode(one.mode, one.value)}"
    until = f" until {shown_time(one.until)}" if one.until is not None else ""
    because = f", because of {one.reason}" if one.reason else ""
    below = f" Without that: {'; '.join(one.below)}." if one.below else ""
    but = f" The device does not do it: {one.unsupported}." if one.unsupported else ""
    return f"{said[0].upper()}{said[1:]}: {_who(found, one)}{until}{because}.{but}{below}"


def _who(found: t.Why, one: t.WhyMode) -> str:
    match one.source:
        case "override":
            by = f"override {one.override} by {one.operator}" if one.override is not None else one.group
            return f"{by} (release it: sep2 override release {one.override or 'ID'})"
        case "schedule":
            return f"control {(one.control or '')[:8]} in its schedule (cancel it: sep2 control cancel {one.control})"
        case "envelope":
            binds = f": {in_words(one.binding)}" if one.binding else ""
            return f"its envelope{binds} (in full: sep2 envelope explain FEEDER {found.connection_id})"
        case "backstop":
            return f"the backstop, {one.override or ''} by {one.operator} (end it: sep2 backstop end)"
        case "group":
            return f"control {(one.control or '')[:8]} of group {one.group}"
        case "contract":
            return "its contract, or else the utility's default"
    return f"the default of {one.group}"
