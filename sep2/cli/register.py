"""`sep2 aggregator`, `sep2 device`, `sep2 connection`: who may connect, for what, and where."""

from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.limits import LIMIT_COLUMNS, limit_cells
from sep2.cli.modes import shown_modes, shown_value
from sep2.cli.show import Limit, counted, listed, show
from sep2.cli.units import shown_power, shown_time, watts
from sep2.cli.verb import given, verb
from sep2.rules.limits import MODES
from sep2.settings import ProfileName, Registration

aggregator = typer.Typer(no_args_is_help=True, help="Aggregators: one certificate, many devices.")
device = typer.Typer(no_args_is_help=True, help="Devices: inverters, chargers, gateways.")
connection = typer.Typer(no_args_is_help=True, help="Connections: customers' points in the network.")

Cert = Annotated[Path | None, typer.Option(help="The client's certificate, PEM or DER; its LFDI is taken from it.")]
LfdiOption = Annotated[str | None, typer.Option(help="The LFDI, 40 hexadecimal digits, instead of a certificate.")]
Issue = Annotated[
    Path | None, typer.Option(help="Issue a certificate and key into this folder, e.g. DIR/pki. For trying out.")
]
Profile = Annotated[ProfileName | None, typer.Option(help="What it speaks.", show_default="the utility's")]


Pin = Annotated[
    int | None,
    typer.Option(
        help="The PIN it is registered with: up to six digits whose sum is a multiple of ten.",
        show_default="a random one",
    ),
]


class BadChoice(typer.BadParameter):
    """Options that do not go together."""


class Identity(NamedTuple):
    """Who a client is, and where its certificate lies if it was issued just now."""

    lfdi: str
    file: Path | None = None


def identity_of(name: str, kind: str, *, cert: Path | None, lfdi: str | None, issue: Path | None) -> Identity:
    """The identity that was given as a certificate or an LFDI, or that is issued now."""
    if sum(option is not None for option in (cert, lfdi, issue)) != 1:
        raise BadChoice("give one of --cert FILE, --lfdi LFDI and --issue DIR")
    if lfdi is not None:
        return Identity(lfdi)
    if cert is not None:
        from cryptography.hazmat.primitives.serialization import Encoding

        from certs import lfdi_of
        from certs.identity import read_certificates

        return Identity(lfdi_of(read_certificates(cert)[0].public_bytes(Encoding.DER)))
    assert issue is not None
    return _issued(name, kind, issue)


def _issued(name: str, kind: str, folder: Path) -> Identity:
    """A test identity of that name: the one in the folder, or a new one."""
    from certs.identity import Files
    from certs.identity import Identity as Certified
    from certs.pki import open_pki
    from certs.profile import Policy

    pki = open_pki(folder)
    file_name = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    files = Files.named(folder, file_name)
    if files.chain.exists():
        return Identity(Certified.load(files).lfdi, files.chain)
    issuer = pki.issuer
    issue = issuer.issue_aggregator if kind == "aggregator" else issuer.issue_device
    made = issue(name, purposes=(Policy.TEST,))
    if given.get().dry_run:
        return Identity(made.lfdi)
    return Identity(made.lfdi, pki.save(made, file_name).chain)


@verb(aggregator, "add", changes=True)
def add_aggregator(
    name: Annotated[str, typer.Argument(help="What operators call it.")],
    *,
    cert: Cert = None,
    lfdi: LfdiOption = None,
    issue: Issue = None,
    profile: Profile = None,
    registration: Annotated[Registration | None, typer.Option(help="Who registers its devices.")] = None,
    pen: Annotated[int | None, typer.Option(help="Its IANA private enterprise number.")] = None,
    pin: Pin = None,
    receiver: Annotated[
        list[str] | None,
        typer.Option(help="host (port 443) or host:port that it may have notifications sent to; repeatable."),
    ] = None,
    connection: Annotated[
        list[str] | None, typer.Option(help="Add this connection too, with a device for it to act for; repeatable.")
    ] = None,
) -> None:
    """Authorise an aggregator, by its certificate's LFDI.

    [bold]sep2 aggregator add Sunny --cert sunny.pem --receiver hooks.sunny.example[/]

    [bold]sep2 aggregator add Sunny --issue utility/pki --connection NMI1[/]  makes all it needs for trying out
    """
    who = identity_of(name, "aggregator", cert=cert, lfdi=lfdi, issue=issue)
    body = t.NewClient(
        name=name,
        lfdi=who.lfdi,
        profile=profile,
        registration=registration,
        pen=pen,
        pin=pin,
        receiver_hosts=receiver or [],
        connections=connection or [],
    )
    made = api().change("POST", "/clients", t.Client, body)
    acts = f", and acts for {counted(made.devices - 1, 'device')}" if connection else ""
    show(made, f"Aggregator {made.name} may connect as {made.lfdi}{_lies_in(who)}{acts}.")


def _lies_in(who: Identity) -> str:
    return f" with {who.file}" if who.file else ""


@verb(aggregator, "list")
def list_aggregators(limit: Limit = 100) -> None:
    """All clients: aggregators, and devices that connect by themselves."""
    found = api().get("/clients", t.Listed[t.Client], limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "client"),
        columns=("name", "kind", "LFDI", "profile", "devices", "may connect"),
        rows=((c.name, c.kind, c.lfdi, c.profile, str(c.devices), "yes" if c.enabled else "no") for c in found.items),
    )


@verb(aggregator, "block", changes=True)
def block_aggregator(client: Annotated[str, typer.Argument(help="Its name or LFDI.")]) -> None:
    """Shut a client out, from its next request on."""
    done = api().change("PUT", at("clients", client), t.Client, t.ClientChange(enabled=False))
    show(done, f"{done.name} may no longer connect. To let it in again: sep2 aggregator admit {done.lfdi}")


@verb(aggregator, "admit", changes=True)
def admit_aggregator(client: Annotated[str, typer.Argument(help="Its name or LFDI.")]) -> None:
    """Let a client in again."""
    done = api().change("PUT", at("clients", client), t.Client, t.ClientChange(enabled=True))
    show(done, f"{done.name} may connect.")


@verb(device, "add", changes=True)
def add_device(
    name: Annotated[str, typer.Argument(help="What operators call it, if it connects by itself.")] = "",
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
) -> None:
    """Register a device: behind an aggregator, or one that connects by itself.

    [bold]sep2 device add --client Sunny --connection NMI1[/]  behind an aggregator; it is given an LFDI

    [bold]sep2 device add gateway --cert gateway.pem --connection NMI2[/]  connects by itself

    [bold]sep2 device add gateway --issue utility/pki --connection NMI2[/]  makes the certificate too, for trying out
    """
    _refuse_idle(name, client=client, profile=profile, issue=issue, connection=connection, net_limit=net_limit)
    who = None
    if client is None or cert is not None or issue is not None:
        who = identity_of(name or connection or "device", "device", cert=cert, lfdi=lfdi, issue=issue)
    body = t.NewDevice(
        lfdi=who.lfdi if who else lfdi,
        client=client,
        name=name or None if client is None else None,
        profile=profile,
        connection_id=connection,
        holds_net_limit=net_limit,
        pin=pin,
    )
    made = api().change("POST", "/devices", t.DeviceAdded, body)
    place = f" at {made.connection_id}" if made.connection_id else ""
    acting = f"{made.client} acts for it" if client else f"it connects by itself{_lies_in(who) if who else ''}"
    known = " It was registered before; what it is called and speaks is as said now." if made.known else ""
    shut = "" if made.may_connect else f" It is still shut out; to let it in: sep2 aggregator admit {made.client_lfdi}"
    show(made, f"Device {made.lfdi}{place} has PIN {made.pin:06d}; {acting}.{known}{shut}")


def _refuse_idle(
    name: str,
    *,
    client: str | None,
    profile: str | None,
    issue: Path | None,
    connection: str | None,
    net_limit: bool,
) -> None:
    """Refuse what `device add` would do nothing with: who acts for a device decides what it speaks."""
    if client is not None and profile is not None:
        raise BadChoice("--profile does nothing with --client: a device speaks what its aggregator does")
    if client is not None and name and issue is None:
        raise BadChoice("NAME does nothing with --client: only a client has one, or a certificate that is issued")
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
    said = f"{made.name} may connect as {made.lfdi}{_lies_in(who)}, and registers itself."
    if not made.enabled:
        said = f"{made.name} is still shut out; to let it in: sep2 aggregator admit {made.lfdi}"
    show(made, said)


@verb(device, "list")
def list_devices(
    client: Annotated[str | None, typer.Option(help="Only those of one aggregator.")] = None,
    group: Annotated[str | None, typer.Option(help="Only those of one group.")] = None,
    limit: Limit = 100,
) -> None:
    """Devices in the order of their registration."""
    found = api().get("/devices", t.Listed[t.Device], client=client, group=group, limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "device"),
        columns=("LFDI", "client", "connection", "profile", "registered"),
        rows=((d.lfdi, d.client, d.connection_id or "", d.profile, shown_time(d.registered)) for d in found.items),
    )


@verb(device, "show")
def show_device(name: Annotated[str, typer.Argument(metavar="LFDI", help="Its LFDI, or how it begins.")]) -> None:
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


@verb(device, "move", changes=True)
def move_device(
    name: Annotated[str, typer.Argument(metavar="LFDI", help="Its LFDI, or how it begins.")],
    *,
    to: Annotated[str | None, typer.Option("--to", help="The connection it is at from now on.")] = None,
    stay: Annotated[bool, typer.Option("--stay", help="Refuse the move that it asks for.")] = False,
    net_limit: Annotated[
        bool, typer.Option(help="Whether it holds the connection's import and export limits, or has a part.")
    ] = True,
) -> None:
    """Put a device at another connection, or decide on a move that its client asks for.

    [bold]sep2 device move 3E4F --to NMI2[/]

    [bold]sep2 device move 3E4F --stay[/]
    """
    if (to is None) != stay:
        raise BadChoice("give one of --to ID and --stay")
    if to is None:
        found = api().change("POST", at("devices", name, "stay"), t.DeviceShown)
        return show(found, f"Device {found.lfdi} stays at {found.connection_id}.")
    body = t.Place(connection_id=to, holds_net_limit=net_limit)
    found = api().change("PUT", at("devices", name, "connection"), t.DeviceShown, body)
    return show(found, f"Device {found.lfdi} is at {found.connection_id}; its client is told.")


@verb(device, "agree-rating", changes=True)
def agree_rating(name: Annotated[str, typer.Argument(metavar="LFDI", help="Its LFDI, or how it begins.")]) -> None:
    """Agree to the setMaxW that a device reports: limits are sent in percent of it (profile csip)."""
    found = api().change("POST", at("devices", name, "agree-rating"), t.DeviceShown)
    show(found, f"Limits of {found.lfdi} are sent in percent of {shown_power(found.rating_w)}.")


SAID_BY = {"default": "the default of {}", "envelope": "the envelope of {}", "group": "group {}"} | {
    "operator": "what an operator sent to {}"
}
"""How a source is said, by the name of its group; operators' programs have names of their own."""


CONTRACT = "its contract, or else the utility's default"
"""Who says what holds where no program does."""


def _shown(one: t.ModeInForce) -> str:
    return shown_power(one.value) if one.mode in MODES else shown_value(one.value)


def _binding(found: t.DeviceShown) -> str:
    """What binds a device, mode by mode, who says so, and until when."""
    by: dict[tuple[str, str, int | None], list[str]] = {}
    for one in found.in_force:
        by.setdefault((one.source, one.group, one.until), []).append(f"{one.mode} {_shown(one)}")
    said = [
        f"{' and '.join(modes)} by {SAID_BY.get(source, '{}').format(group) if group else CONTRACT}"
        f"{f' until {shown_time(until)}' if until else ''}"
        for (source, group, until), modes in by.items()
    ]
    return f"in force: {'; '.join(said)}" if said else "nothing limits it"


@verb(device, "remove", changes=True)
def remove_device(name: Annotated[str, typer.Argument(metavar="LFDI", help="Its LFDI, or how it begins.")]) -> None:
    """Forget a device and everything it wrote; its client is told.

    One that connects by itself may no longer connect; its certificate can be added again. Where clients register
    themselves, it may do so again.
    """
    done = api().change("DELETE", at("devices", name), t.Done)
    show(done, f"{done.message[0].upper()}{done.message[1:]}.")


FirmPower = Annotated[
    int | None, typer.Option(parser=watts, metavar="POWER", help="What the contract guarantees, e.g. 1.5kW.")
]


@verb(connection, "add", changes=True)
def add_connection(
    name: Annotated[str, typer.Argument(metavar="ID", help="Its id, e.g. the NMI; at most 32 characters.")],
    description: Annotated[str, typer.Option(help="For operators.")] = "",
    firm_import: FirmPower = None,
    firm_export: FirmPower = None,
) -> None:
    """Add a customer's point in the network, with a group of its own.

    [bold]sep2 connection add NMI1 --firm-export 1.5kW[/]
    """
    body = t.NewConnection(
        connection_id=name, description=description, firm_import_w=firm_import, firm_export_w=firm_export
    )
    made = api().change("POST", "/connections", t.Connection, body)
    show(made, f"Connection {made.connection_id} is known; next: sep2 device add --connection {made.connection_id} …")


@verb(connection, "list")
def list_connections(limit: Limit = 100) -> None:
    """Connections by their id, and which device holds each one's limits."""
    found = api().get("/connections", t.Listed[t.Connection], limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "connection"),
        columns=("id", "firm import", "firm export", "device", "description"),
        rows=(
            (c.connection_id, shown_power(c.firm_import_w), shown_power(c.firm_export_w), c.device or "", c.description)
            for c in found.items
        ),
    )
