"""`sep2 device`: what clients act for."""

from typing import Annotated

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.identities import BadChoice, Cert, Issue, LfdiOption, Pin, Profile, identity_of, lies_in
from sep2.cli.limits import LIMIT_COLUMNS, limit_cells
from sep2.cli.modes import shown_mode, shown_modes
from sep2.cli.show import Limit, listed, only, show
from sep2.cli.telemetry import From, Until, within
from sep2.cli.units import shown_power, shown_span, shown_time, span, watts
from sep2.cli.verb import verb
from sep2.rules.limits import MODES

device = typer.Typer(no_args_is_help=True, help="Devices: inverters, chargers, gateways.")
Make = Annotated[str | None, typer.Option(help="Maker and model, by which reports group devices.")]
Device = Annotated[str, typer.Argument(metavar="DEVICE", help="Its name or LFDI, or how its LFDI begins.")]

Floor = Annotated[
    str | None,
    typer.Option(metavar="RULE", help="The rule that guarantees its controllable loads a least limit, e.g. de-14a."),
]
LoadControl = Annotated[
    int | None,
    typer.Option(parser=watts, metavar="POWER", help="It follows EndDeviceControls, and draws at most so much: 7.2kW."),
]
Loads = Annotated[int | None, typer.Option(min=0, help="How many controllable loads it stands for.")]


@verb(device, "add", changes=True)
def add_device(
    name: Annotated[str, typer.Argument(help="What operators call it.")] = "",
    *,
    client: Annotated[str | None, typer.Option(help="The aggregator that acts for it: its name or LFDI.")] = None,
    cert: Cert = None,
    lfdi: LfdiOption = None,
    issue: Issue = None,
    connection: Annotated[str | None, typer.Option(help="The connection it is at.")] = None,
    net_limit: Annotated[
        bool, typer.Option(help="Whether it holds the connection's import and export limits, or has a part.")
    ] = True,
    pin: Pin = None,
    profile: Profile = None,
    floor: Floor = None,
    loads: Loads = None,
    make: Make = None,
    load_control: LoadControl = None,
) -> None:
    """Register a device: behind an aggregator, or one that connects by itself.

    [bold]sep2 device add --client Sunny --connection NMI1[/]  behind an aggregator; it is given an LFDI

    [bold]sep2 device add gateway --cert gateway.pem --connection NMI2[/]  connects by itself

    [bold]sep2 device add gateway --issue utility/pki --connection NMI2[/]  makes the certificate too, for trying out
    """
    _refuse_idle(client=client, profile=profile, connection=connection, net_limit=net_limit)
    who = None
    if client is None or cert is not None or issue is not None:
        who = identity_of(name or connection or "device", "device", cert=cert, lfdi=lfdi, issue=issue)
    body = t.NewDevice(
        lfdi=who.lfdi if who else lfdi,
        client=client,
        name=name or None,
        profile=profile,
        connection_id=connection,
        holds_net_limit=net_limit,
        pin=pin,
        floor=floor,
        controllable_loads=loads,
        make=make,
        load_control_w=load_control,
    )
    made = api().change("POST", "/devices", t.DeviceAdded, body)
    place = f" at {made.connection_id}" if made.connection_id else ""
    acting = f"{made.client} acts for it" if client else f"it connects by itself{lies_in(who) if who else ''}"
    known = " It was registered before; what it is called and speaks is as said now." if made.known else ""
    shut = "" if made.may_connect else f" It is still shut out; to let it in: sep2 client admit {made.client_lfdi}"
    show(made, f"Device {made.lfdi}{place} has PIN {made.pin:06d}; {acting}.{known}{shut}")


def _refuse_idle(*, client: str | None, profile: str | None, connection: str | None, net_limit: bool) -> None:
    """Refuse what `device add` would do nothing with: who acts for a device decides what it speaks."""
    if client is not None and profile is not None:
        raise BadChoice("--profile does nothing with --client: a device speaks what its aggregator does")
    if connection is None and not net_limit:
        raise BadChoice("--no-net-limit does nothing without --connection: there is no limit to hold")


@verb(device, "expect", changes=True)
def expect_device(
    name: Annotated[str, typer.Argument(help="What operators call it.")],
    *,
    cert: Cert = None,
    lfdi: LfdiOption = None,
    issue: Issue = None,
    profile: Profile = None,
    pin: Pin = None,
) -> None:
    """Let a device connect that registers itself, in-band, and says itself at which connection it is.

    [bold]sep2 device expect gateway --cert gateway.pem[/]
    """
    who = identity_of(name, "device", cert=cert, lfdi=lfdi, issue=issue)
    body = t.NewClient(name=name, lfdi=who.lfdi, kind="device", profile=profile, pin=pin, registration="in-band")
    made = api().change("POST", "/clients", t.Client, body)
    said = f"{made.name} may connect as {made.lfdi}{lies_in(who)}, and registers itself."
    if not made.enabled:
        said = f"{made.name} is still shut out; to let it in: sep2 client admit {made.lfdi}"
    show(made, said)


@verb(device, "list")
def list_devices(
    *,
    client: Annotated[str | None, typer.Option(help="Only those of one aggregator.")] = None,
    group: Annotated[str | None, typer.Option(help="Only those of one group.")] = None,
    connection: Annotated[str | None, typer.Option(help="Only those at one connection.")] = None,
    uncontrolled: Annotated[
        bool, typer.Option("--uncontrolled", help="Only chargers and other loads that can be told no limit of theirs.")
    ] = False,
    limit: Limit = 100,
) -> None:
    """Devices in the order of their registration."""
    asked = {"client": client, "group": group, "connection": connection, "uncontrolled": uncontrolled or None}
    found = api().get("/devices", t.Listed[t.Device], **asked, limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "device"),
        columns=("LFDI", "name", "client", "connection", "profile", "registered"),
        rows=(
            (d.lfdi, d.name or "", d.client, d.connection_id or "", d.profile, shown_time(d.registered))
            for d in found.items
        ),
    )


@verb(device, "show")
def show_device(name: Device) -> None:
    """Everything about one device: PIN, groups, and what is in force now."""
    found = api().get(at("devices", name), t.DeviceShown)
    said = f"{found.lfdi} has PIN {found.pin:06d}, SFDI {found.sfdi}, and connects through {found.client}"
    hints = ""
    if found.claimed_connection is not None:
        hints += (
            f"; it says that it is at {found.claimed_connection}: sep2 device move {found.lfdi[:8]} --to … or --stay"
        )
    if found.profile == "csip" and found.rating_doubt:
        hints += f"; {found.rating_doubt}"
    show(
        found,
        f"{said}; {_binding(found)}{hints}.",
        columns=("group", "primacy", "in force", "until", *LIMIT_COLUMNS, "modes"),
        rows=(
            (
                f.group,
                str(f.primacy),
                f.control or "default",
                shown_time(f.until),
                *limit_cells(f.limits),
                shown_modes(f.modes),
            )
            for f in found.groups
        ),
    )


@verb(device, "modes")
def show_modes(name: Device, *, since: From = None, until: Until = None) -> None:
    """Compare what its own meter measured with the modes that it was sent: curves, power factor, var, set-points.

    Generation and injected var are positive. Of the last two hours where no time is given.

    [bold]sep2 device modes 3E4F --from -6h[/]
    """
    server = api()
    found = server.get(at("devices", name, "modes"), t.DeviceModes, **within(server, since, until))
    misfits = sum(one.fit == "does not fit" for one in found.items)
    unknown = sum(one.fit == "unknown" for one in found.items)
    said = f"Of {len(found.items)} intervals of modes at {found.lfdi} {misfits} do not fit, {unknown} are unknown."
    show(
        found,
        said if found.items else f"At {found.lfdi} no mode was in force for a whole interval of the meter.",
        columns=("from", "mode", "", "asked for", "measured", "why"),
        rows=(
            (shown_time(one.start), one.mode, one.fit, _asked(one), _amount(one.measured, one.unit), one.why)
            for one in found.items
        ),
    )


def _asked(one: t.ModeMeasured) -> str:
    if one.least is None:
        return f"at most {_amount(one.most, one.unit)}" if one.most is not None else ""
    ends = dict.fromkeys(_amount(end, one.unit) for end in (one.least, one.most))
    return " to ".join(ends)


def _amount(value: float | None, unit: str) -> str:
    return "" if value is None else f"{round(value)} {unit}"


@verb(device, "move", changes=True)
def move_device(
    name: Device,
    *,
    to: Annotated[str | None, typer.Option("--to", help="The connection it is at from now on.")] = None,
    client: Annotated[str | None, typer.Option(help="The client that acts for it from now on.")] = None,
    stay: Annotated[bool, typer.Option("--stay", help="Refuse the move that it asks for.")] = False,
    net_limit: Annotated[
        bool, typer.Option(help="Whether it holds the connection's import and export limits, or has a part.")
    ] = True,
) -> None:
    """Put a device at another connection or behind another client, or decide on a move that its client asks for.

    [bold]sep2 device move 3E4F --to NMI2[/]

    [bold]sep2 device move 3E4F --client Sunny[/]

    [bold]sep2 device move 3E4F --stay[/]
    """
    if (to is not None) + (client is not None) + stay != 1:
        raise BadChoice("give one of --to ID, --client NAME and --stay")
    if stay:
        found = api().change("POST", at("devices", name, "stay"), t.DeviceShown)
        return show(found, f"Device {found.lfdi} stays at {found.connection_id}.")
    if client is not None:
        found = api().change("PUT", at("devices", name, "client"), t.DeviceShown, t.OtherClient(client=client))
        return show(found, f"{found.client} acts for device {found.lfdi}; the client before is told that it is gone.")
    body = t.Place(connection_id=to or "", holds_net_limit=net_limit)
    found = api().change("PUT", at("devices", name, "connection"), t.DeviceShown, body)
    return show(found, f"Device {found.lfdi} is at {found.connection_id}; its client is told.")


@verb(device, "rename", changes=True)
def rename_device(
    name: Device, new: Annotated[str, typer.Argument(help="What operators call it from now on.")]
) -> None:
    """Give a device a name, or another one."""
    done = api().change("POST", at("devices", name, "rename"), t.DeviceShown, t.Rename(name=new))
    show(done, f"Device {done.lfdi} is called {done.name}.")


@verb(device, "set", changes=True)
def set_device(
    name: Device,
    *,
    pin: Pin = None,
    post_rate: Annotated[int | None, typer.Option("--post-every", parser=span, metavar="SPAN", help="e.g. 5m")] = None,
    floor: Floor = None,
    loads: Loads = None,
    make: Make = None,
    load_control: LoadControl = None,
    no_load_control: Annotated[
        bool, typer.Option("--no-load-control", help="It follows EndDeviceControls no more.")
    ] = False,
) -> None:
    """Change what is registered of a device; what is not named stays.

    [bold]sep2 device set 3E4F --post-every 5m[/]

    [bold]sep2 device set 3E4F --load-control 7.2kW[/]  a charger of a csip client is bounded by demand response
    """
    if no_load_control and load_control is not None:
        raise BadChoice("give one of --load-control POWER and --no-load-control")
    said = only(
        ["load_control_w"] if no_load_control else [],
        pin=pin,
        post_rate=post_rate,
        floor=floor,
        controllable_loads=loads,
        make=make,
        load_control_w=load_control,
    )
    body = t.DeviceChange(**said)
    done = api().change("PUT", at("devices", name), t.DeviceShown, body)
    least = f"; no limit of its load is below {shown_power(done.least_load_w)}" if done.least_load_w else ""
    show(done, f"Device {done.lfdi} has PIN {done.pin:06d}{posts(done)}{least}; its client is told.")


def posts(found: t.DeviceShown) -> str:
    """How often it posts, where that is set."""
    return f" and posts every {shown_span(found.post_rate)}" if found.post_rate else ""


@verb(device, "block", changes=True)
def block_device(name: Device) -> None:
    """Shut one device out: its client is shown that it is not enabled, and nothing below it."""
    done = api().change("PUT", at("devices", name), t.DeviceShown, t.DeviceChange(enabled=False))
    show(done, f"Device {done.lfdi} is blocked; its client is told. To let it in again: sep2 device admit {done.lfdi}")


@verb(device, "admit", changes=True)
def admit_device(name: Device) -> None:
    """Let one device in again."""
    done = api().change("PUT", at("devices", name), t.DeviceShown, t.DeviceChange(enabled=True))
    show(done, f"Device {done.lfdi} is served again.")


@verb(device, "agree-rating", changes=True)
def agree_rating(name: Device) -> None:
    """Agree to the setMaxW that a device reports: limits are sent in percent of it (profile csip)."""
    found = api().change("POST", at("devices", name, "agree-rating"), t.DeviceShown)
    show(found, f"Limits of {found.lfdi} are sent in percent of {shown_power(found.rating_w)}.")


SAID_BY = {
    "default": "the default of {}",
    "envelope": "the envelope of {}",
    "group": "group {}",
    "operator": "what an operator sent to {}",
}
"""How a source is said, by the name of its group; operators' programs have names of their own."""


CONTRACT = "its contract, or else the utility's default"
"""Who says what holds where no program does."""


def _shown(one: t.ModeInForce) -> str:
    return shown_power(one.value) if one.mode in MODES else shown_mode(one.mode, one.value)


def _but(one: t.ModeInForce) -> str:
    return f" (not done: {one.unsupported})" if one.unsupported else ""


def _binding(found: t.DeviceShown) -> str:
    """What binds a device, mode by mode, who says so, and until when."""
    by: dict[tuple[str, str, int | None], list[str]] = {}
    for one in found.in_force:
        by.setdefault((one.source, one.group, one.until), []).append(f"{one.mode} {_shown(one)}{_but(one)}")
    said = [
        f"{' and '.join(modes)} by {SAID_BY.get(source, '{}').format(group) if group else CONTRACT}"
        f"{f' until {shown_time(until)}' if until else ''}"
        for (source, group, until), modes in by.items()
    ]
    return f"in force: {'; '.join(said)}" if said else "nothing limits it"


@verb(device, "remove", changes=True)
def remove_device(name: Device) -> None:
    """Forget a device and everything it wrote; its client is told.

    One that connects by itself may no longer connect; its certificate can be added again. Where clients register
    themselves, it may do so again.
    """
    done = api().change("DELETE", at("devices", name), t.Done)
    show(done, f"{done.message[0].upper()}{done.message[1:]}.")
