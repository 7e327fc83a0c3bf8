"""`sep2 curve`: what inverters do along a curve (volt-var, volt-watt, frequency-watt, ride-through)."""

import re
from typing import Annotated, Any, get_args

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.groups import ConnectionName, DeviceName, GroupName, group_of
from sep2.cli.modes import SIDES, hundredths
from sep2.cli.show import Limit, listed, show
from sep2.cli.units import shown_time, span
from sep2.cli.verb import verb

curve = typer.Typer(no_args_is_help=True, help="Curves: what inverters do as voltage, frequency or power changes.")

Mrid = Annotated[str, typer.Argument(metavar="MRID", help="The curve's mRID, or how it begins.")]

KINDS = {
    re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", mode.removeprefix("opMod")).lower(): mode
    for mode in get_args(t.CurveKind)
}
"""The kinds of curves as people type them, each with the mode that links to it: volt-var is opModVoltVar's."""


def kind_of(text: str) -> Any:
    """The mode that a kind of curve is for."""
    if text not in (*KINDS, *KINDS.values()):
        raise typer.BadParameter(f"{text!r} is none of {', '.join(KINDS)}")
    return KINDS.get(text, text)


def point_of(text: str) -> t.CurvePoint:
    """98:0, or 100:0.95:absorb where y is a power factor."""
    parts = text.split(":")
    try:
        x, y = map(float, parts[:2])
        excitation = SIDES[parts[2]] if parts[2:] else None
    except (ValueError, KeyError):
        parts = []
    if not 2 <= len(parts) <= 3:
        raise typer.BadParameter(f"{text!r} is no point; write X:Y, or X:Y:absorb and X:Y:inject for a power factor")
    return t.CurvePoint(x=x, y=y, excitation=excitation)


def _pace(option: str, what: str) -> Any:
    return typer.Option(option, parser=span, metavar="SPAN", help=what)


def _share(option: str, what: str) -> Any:
    return typer.Option(option, parser=hundredths, metavar="PERCENT", help=what)


Response = Annotated[int | None, _pace("--response", "Make 90% of a change so fast: the open-loop response time.")]
Rise = Annotated[int | None, _share("--rise", "At most so much more of setMaxW in a second.")]
Fall = Annotated[int | None, _share("--fall", "At most so much less of setMaxW in a second.")]
Lag = Annotated[int | None, _pace("--lag", "The time constant of a first-order lag.")]
VRef = Annotated[int | None, _share("--v-ref", "volt-var: x is a percentage of so much of setVRef.")]
VRefLag = Annotated[int | None, _pace("--v-ref-lag", "volt-var: how slowly that follows: its time constant.")]


@verb(curve, "add", changes=True, before=("create",))
def add_curve(
    kind: Annotated[Any, typer.Argument(parser=kind_of, metavar="KIND", help=f"One of {', '.join(KINDS)}.")],
    points: Annotated[
        list[Any], typer.Argument(parser=point_of, metavar="X:Y…", help="1 to 10 points, from the least x to the most.")
    ],
    *,
    group: GroupName = None,
    connection: ConnectionName = None,
    device: DeviceName = None,
    reference: Annotated[
        str | None,
        typer.Option("--of", help="What a percentage of y is of: setMaxW, setMaxVar, statVarAvail or statWAvail."),
    ] = None,
    response: Response = None,
    rise: Rise = None,
    fall: Fall = None,
    lag: Lag = None,
    v_ref: VRef = None,
    autonomous_v_ref: Annotated[
        bool | None, typer.Option("--autonomous-v-ref", help="volt-var: the reference follows the measured voltage.")
    ] = None,
    v_ref_lag: VRefLag = None,
    description: Annotated[str, typer.Option(help="What clients are shown; at most 32 characters.")] = "",
) -> None:
    """Give a group a curve. Controls and the default use it with --curve.

    x is voltage in % of setVRef, frequency in Hz or power in % of setMaxW; for ride-through it is seconds.
    y is what is done there, in %; for watt-pf a power factor; for ride-through voltage in % or frequency in Hz.

    [bold]sep2 curve add volt-var 92:44 98:0 102:0 108:-44 --group "feeder 7" --response 5s[/]

    [bold]sep2 curve add lvrt-must-trip 2:45 2:70 21:70 21:88 --group "feeder 7"[/]

    [bold]sep2 curve add watt-pf --connection NMI1 -- -100:0.95:inject 0:1:inject 100:0.95:absorb[/]
    """
    server = api()
    name = group_of(server, group, connection, device)
    new = t.NewCurve(
        kind=kind,
        points=points,
        reference=_reference(reference),
        description=description,
        open_loop_tms=_hundredths_s(response),
        ramp_inc_tms=rise,
        ramp_dec_tms=fall,
        ramp_pt1_tms=_hundredths_s(lag),
        v_ref=v_ref,
        autonomous_v_ref=autonomous_v_ref,
        autonomous_v_ref_tms=_hundredths_s(v_ref_lag),
    )
    done = server.change("POST", at("groups", name, "curves"), t.CurveMade, new)
    said = f"is made for {done.group}" if done.new else f"of {done.group} says the same already"
    used = "sep2 default set … --curve" if connection is None else f"sep2 default set --connection {connection} --curve"
    show(done, f"Curve {done.mrid} {said}. Use it: {used} {done.mrid[:8]}")


def _reference(text: str | None) -> Any:
    if text is not None and text not in get_args(t.Reference):
        raise typer.BadParameter(f"--of is one of {', '.join(get_args(t.Reference))}")
    return text


def _hundredths_s(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 100


@verb(curve, "list")
def list_curves(*, group: GroupName = None, limit: Limit = 100) -> None:
    """Curves that controls and defaults may use, newest first."""
    found = api().get("/curves", t.Listed[t.Curve], group=group, limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "curve"),
        columns=("mRID", "name", "group", "kind", "points", "description"),
        rows=((one.mrid, one.name or "", one.group, one.kind, _points(one), one.description) for one in found.items),
    )


@verb(curve, "show")
def show_curve(mrid: Mrid) -> None:
    """One curve, point by point."""
    found = api().get(at("curves", mrid), t.Curve)
    since = f"made {shown_time(found.created)}" + (f", removed {shown_time(found.removed)}" if found.removed else "")
    show(
        found,
        f"Curve {found.mrid} of {found.group}, for {found.kind}, of {found.reference}; {since}.",
        columns=(f"x ({found.x_unit})", f"y ({found.y_unit})", ""),
        rows=((_number(point.x), _number(point.y), _side(point)) for point in found.points),
    )


@verb(curve, "rename", changes=True)
def rename_curve(
    mrid: Mrid, new: Annotated[str, typer.Argument(metavar="NAME", help="What operators call it.")]
) -> None:
    """Give a curve a name; what it says is never edited, and clients are not told of the name."""
    done = api().change("POST", at("curves", mrid, "rename"), t.Curve, t.Rename(name=new))
    show(done, f"Curve {done.mrid} is called {done.name}.")


@verb(curve, "remove", changes=True)
def remove_curve(mrid: Mrid) -> None:
    """Remove a curve that no default and no control that is not over uses."""
    done = api().change("DELETE", at("curves", mrid), t.Curve)
    show(done, f"Curve {done.mrid} of {done.group} is removed.")


def _points(one: t.Curve) -> str:
    return " ".join(":".join(filter(None, (_number(point.x), _number(point.y), _side(point)))) for point in one.points)


def _number(value: float) -> str:
    return f"{value:.12g}"


def _side(point: t.CurvePoint) -> str:
    return next((side for side, absorbs in SIDES.items() if absorbs is point.excitation), "")
