"""`sep2 group`, `sep2 default`: sets of devices, and what holds for them when no control is active."""

from typing import Annotated, Any

import typer

from sep2.admin import types as t
from sep2.cli.api import Api, api, at
from sep2.cli.limits import LIMIT_COLUMNS, Export, Generation, Import, Load, limit_cells, limits_of
from sep2.cli.modes import enter_service, hundredths, modes_of, shown_mode, shown_modes, with_modes
from sep2.cli.show import Limit, counted, listed, only, sentence, show
from sep2.cli.units import shown_power, shown_time
from sep2.cli.verb import verb
from sep2.rules.limits import MODES

group = typer.Typer(no_args_is_help=True, help="Groups: sets of devices, each with one DERProgram.")
default = typer.Typer(no_args_is_help=True, help="Defaults: what holds when no control is active.")

GroupName = Annotated[str | None, typer.Option("--group", help="A group, by its name.")]
ConnectionName = Annotated[str | None, typer.Option("--connection", help="A connection, by its id.")]
DeviceName = Annotated[
    str | None, typer.Option("--device", help="A device that does not hold its connection's net limits, by its LFDI.")
]
PlaceName = Annotated[
    str | None, typer.Option("--place", help="Every device below a place, such as a transformer, by its name.")
]
ClientName = Annotated[
    str | None,
    typer.Option("--client", "--aggregator", help="Every device that a client acts for, by its name or LFDI."),
]
Named = Annotated[str, typer.Argument(metavar="GROUP", help="The group's name.")]


def group_of(server: Api, group: str | None, connection: str | None, device: str | None = None) -> str:
    """The name of the group that is meant: one by its name, or the one that is a connection's or a device's own."""
    if [group, connection, device].count(None) != 2:
        raise typer.BadParameter("give one of --group NAME, --connection ID and --device LFDI")
    if group is not None:
        return group
    if connection is not None:
        return server.get(at("connections", connection), t.Connection).group
    found = server.get(at("devices", device or ""), t.DeviceShown)
    if found.group is None:
        raise typer.BadParameter(f"{found.lfdi} has no group of its own; give its connection or a group it is in")
    return found.group


@verb(group, "add", changes=True, before=("create",))
def add_group(
    name: Annotated[str, typer.Argument(help="What operators call it.")],
    *,
    primacy: Annotated[int, typer.Option(min=0, max=255, help="The lower wins.")],
    level: Annotated[
        t.Level, typer.Option(help="SY system, ST, SS, FD feeder, SG, TF transformer, SP service point, or NT: none.")
    ] = "NT",
    description: Annotated[str, typer.Option(help="What clients are shown; at most 32 characters.")] = "",
) -> None:
    """Add a group, with an empty default.

    [bold]sep2 group add "feeder 7" --level FD --primacy 7[/]
    """
    body = t.NewGroup(name=name, level=level, primacy=primacy, description=description)
    made = api().change("POST", "/groups", t.Group, body)
    show(made, f'Group {made.name} is made; next: sep2 group assign "{made.name}" LFDI …')


@verb(group, "assign", changes=True)
def assign(
    name: Named, devices: Annotated[list[str], typer.Argument(metavar="LFDI…", help="LFDIs, or how they begin.")]
) -> None:
    """Put devices into a group; its controls and its default hold for them at once."""
    done = api().change("POST", at("groups", name, "devices"), t.Group, t.Members(devices=devices))
    show(done, f"Group {done.name} has {counted(done.devices, 'device')}.")


@verb(group, "unassign", changes=True)
def unassign(
    name: Named, device: Annotated[str, typer.Argument(metavar="LFDI", help="Its LFDI, or how it begins.")]
) -> None:
    """Take a device out of a group."""
    done = api().change("DELETE", at("groups", name, "devices", device), t.Group)
    show(done, f"Group {done.name} has {counted(done.devices, 'device')}.")


@verb(group, "show")
def show_group(name: Named) -> None:
    """One group: its level, its primacy, how many devices it has."""
    found = api().get(at("groups", name), t.Group)
    devices = counted(found.devices, "device")
    show(
        found,
        f'{found.name} has {devices}: sep2 device list --group "{found.name}"',
        columns=("name", "level", "primacy", "description", "mRID"),
        rows=[(found.name, found.level, str(found.primacy), found.description, found.mrid)],
    )


@verb(group, "set", changes=True)
def set_group(
    name: Named,
    *,
    primacy: Annotated[int | None, typer.Option(min=0, max=255, help="The lower wins.")] = None,
    level: Annotated[t.Level | None, typer.Option(help="SY, ST, SS, FD, SG, TF, SP or NT: none.")] = None,
    description: Annotated[str | None, typer.Option(help="What clients are shown; at most 32 characters.")] = None,
) -> None:
    """Change what is said of a group; what is not named stays.

    [bold]sep2 group set "feeder 7" --primacy 8[/]
    """
    body = t.GroupChange(**only(primacy=primacy, level=level, description=description))
    done = api().change("PUT", at("groups", name), t.Group, body)
    show(done, f"Group {done.name} has primacy {done.primacy} and level {done.level}; its devices are told.")


@verb(group, "primacy", changes=True, hidden=True)
def set_primacy(name: Named, primacy: Annotated[int, typer.Argument(min=0, max=255, help="The lower wins.")]) -> None:
    """The earlier form of `sep2 group set NAME --primacy N`."""
    done = api().change("PUT", at("groups", name), t.Group, t.GroupChange(primacy=primacy))
    show(done, f"Group {done.name} has primacy {done.primacy}. From now on: sep2 group set NAME --primacy {primacy}")


@verb(group, "rename", changes=True)
def rename_group(name: Named, new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")]) -> None:
    """Call a group otherwise."""
    done = api().change("POST", at("groups", name, "rename"), t.Group, t.Rename(name=new))
    show(done, f"Group {name} is called {done.name}.")


@verb(group, "remove", changes=True)
def remove_group(
    name: Named,
    *,
    with_devices: Annotated[bool, typer.Option("--with-devices", help="Let its devices go.")] = False,
    to: Annotated[str | None, typer.Option("--to", help="The group that its devices are put into.")] = None,
) -> None:
    """Remove a group; its controls are withdrawn, its devices stay registered.

    [bold]sep2 group remove "feeder 7" --to "feeder 8"[/]
    """
    body = t.Remove(with_devices=with_devices, to=to)
    done = api().change("DELETE", at("groups", name), t.Removed, body)
    show(done, sentence(done.message))


@verb(group, "list")
def list_groups(
    *,
    every: Annotated[bool, typer.Option("--all", help="Also the programs of operators at each connection.")] = False,
    limit: Limit = 100,
) -> None:
    """Groups, the most important first."""
    found = api().get("/groups", t.Listed[t.Group], every=every, limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "group"),
        columns=("name", "level", "primacy", "devices", "description"),
        rows=((g.name, g.level, str(g.primacy), str(g.devices), g.description) for g in found.items),
    )


@verb(default, "set", changes=True)
@with_modes
def set_default(
    *,
    group: GroupName = None,
    connection: ConnectionName = None,
    device: DeviceName = None,
    import_limit: Import = None,
    export_limit: Export = None,
    generation_limit: Generation = None,
    load_limit: Load = None,
    said_modes: dict[str, Any],
    ramp_rate: Annotated[
        int | None, typer.Option(parser=hundredths, metavar="PERCENT", help="Change by so much of setMaxW in a second.")
    ] = None,
    soft_ramp_rate: Annotated[
        int | None, typer.Option(parser=hundredths, metavar="PERCENT", help="The same, while it starts softly.")
    ] = None,
    enter: Annotated[
        list[Any] | None,
        typer.Option(
            "--enter-service",
            parser=enter_service,
            metavar="WHAT=VALUE",
            help="delay=300s, random-delay=9s, ramp=9s, low-volt=92%, high-volt=105%, low-freq=59.5Hz, high-freq=60Hz",
        ),
    ] = None,
) -> None:
    """Set what holds for a group when no control is active; what is left out is no longer set.

    [bold]sep2 default set --connection NMI1 --export 1.5kW --import 5kW[/]

    [bold]sep2 default set --group "feeder 7" --curve 9F3C --ramp-rate 1% --enter-service delay=300s[/]
    """
    server = api()
    name = group_of(server, group, connection, device)
    new = t.NewDefault(
        limits=limits_of(import_limit, export_limit, generation_limit, load_limit),
        modes=modes_of(server, said_modes),
        set_grad_w=ramp_rate,
        set_soft_grad_w=soft_ramp_rate,
        enter_service=dict(enter or ()),
    )
    done = server.change("PUT", at("groups", name, "default"), t.Default, new)
    what = "is set" if done.limits != t.Limits() or _beside(done) else "limits nothing now"
    _show(done, f"The default of {done.group} {what}; its devices are told.")


@verb(default, "clear", changes=True)
def clear_default(*, group: GroupName = None, connection: ConnectionName = None, device: DeviceName = None) -> None:
    """Have a group's default say nothing; what less important programs say holds then.

    [bold]sep2 default clear --connection NMI1[/]
    """
    server = api()
    name = group_of(server, group, connection, device)
    done = server.change("PUT", at("groups", name, "default"), t.Default, t.NewDefault())
    _show(done, f"The default of {done.group} limits nothing now; its devices are told.")


@verb(default, "show")
def show_default(*, group: GroupName = None, connection: ConnectionName = None, device: DeviceName = None) -> None:
    """Show what holds for a group when no control is active; with --device what a device is served, and from where."""
    server = api()
    if device is not None and group is None and connection is None:
        return _show_served(server.get(at("devices", device, "default"), t.ServedDefault))
    name = group_of(server, group, connection, device)
    found = server.get(at("groups", name, "default"), t.Default)
    return _show(found, f"The default of {found.group}, since {shown_time(found.changed)}.")


def _show_served(found: t.ServedDefault) -> None:
    what = f"as the default of {found.group}" if found.group else "nothing: it is in no group"
    show(
        found,
        f"Device {found.lfdi} is served {what}.",
        columns=("mode", "value", "from", "not done"),
        rows=((one.name, _value(one), one.group or one.by, one.unsupported) for one in found.modes),
    )


def _value(one: t.ServedMode) -> str:
    return shown_power(one.value) if one.name in MODES else shown_mode(one.name, one.value)


def _show(found: t.Default, said: str) -> None:
    show(found, said, columns=(*LIMIT_COLUMNS, "beside"), rows=[(*limit_cells(found.limits), _beside(found))])


def _beside(found: t.Default) -> str:
    ramps = {"setGradW": found.set_grad_w, "setSoftGradW": found.set_soft_grad_w}
    said = found.modes | {name: ramp for name, ramp in ramps.items() if ramp is not None} | found.enter_service
    return shown_modes(said)
