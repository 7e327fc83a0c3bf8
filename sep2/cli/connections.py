"""`sep2 connection`: customers' points in the network."""

from typing import Annotated

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.identities import BadChoice
from sep2.cli.places import show_moved
from sep2.cli.show import Limit, To, WithDevices, counted, listed, only, sentence, show
from sep2.cli.units import shown_power, shown_time, watts
from sep2.cli.verb import verb

connection = typer.Typer(no_args_is_help=True, help="Connections: customers' points in the network.")
Named = Annotated[str, typer.Argument(metavar="ID", help="Its id, e.g. the NMI.")]
FirmPower = Annotated[
    int | None, typer.Option(parser=watts, metavar="POWER", help="What the contract guarantees, e.g. 1.5kW.")
]

Marked = Annotated[
    t.Protected | None,
    typer.Option(
        help="none, life_support or critical: commands that bound what it draws leave it out.", show_default=False
    ),
]


@verb(connection, "add", changes=True)
def add_connection(
    name: Annotated[str, typer.Argument(metavar="ID", help="Its id, e.g. the NMI; at most 32 characters.")],
    *,
    description: Annotated[str, typer.Option(help="For operators.")] = "",
    firm_import: FirmPower = None,
    firm_export: FirmPower = None,
    place: Annotated[str | None, typer.Option(help="The place that it is at, such as its transformer.")] = None,
    protected: Marked = None,
) -> None:
    """Add a customer's point in the network, with a group of its own.

    [bold]sep2 connection add NMI1 --firm-export 1.5kW[/]
    """
    body = t.NewConnection(
        connection_id=name,
        description=description,
        place=place,
        firm_import_w=firm_import,
        firm_export_w=firm_export,
        protected=protected or "none",
    )
    made = api().change("POST", "/connections", t.Connection, body)
    show(made, f"Connection {made.connection_id} is known; next: sep2 device add --connection {made.connection_id} …")


@verb(connection, "list")
def list_connections(
    *,
    place: Annotated[str | None, typer.Option(help="Only those at a place, or below it.")] = None,
    limit: Limit = 100,
) -> None:
    """Connections by their id, and which device holds each one's limits."""
    found = api().get("/connections", t.Listed[t.Connection], place=place, limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "connection"),
        columns=("id", "place", "firm import", "firm export", "device", "description"),
        rows=(
            (
                c.connection_id,
                c.place or "",
                shown_power(c.firm_import_w),
                shown_power(c.firm_export_w),
                c.device or "",
                c.description,
            )
            for c in found.items
        ),
    )


@verb(connection, "show")
def show_connection(name: Named) -> None:
    """One connection: its contract, its devices and its programs."""
    found = api().get(at("connections", name), t.Connection)
    devices = api().get("/devices", t.Listed[t.Device], connection=found.connection_id, limit=100)
    firm = [
        f"{what} {shown_power(w)}"
        for what, w in (("import", found.firm_import_w), ("export", found.firm_export_w))
        if w is not None
    ]
    said = f"; its contract guarantees {' and '.join(firm)}" if firm else ""
    said += "" if found.protected == "none" else f"; it is marked {found.protected}"
    show(
        found,
        f"Connection {found.connection_id} has {counted(devices.total, 'device')}{said}.",
        columns=("device", "name", "client", "holds its limits"),
        rows=((d.lfdi, d.name or "", d.client, "yes" if d.holds_net_limit else "a part") for d in devices.items),
    )


@verb(connection, "set", changes=True)
def set_connection(
    name: Named,
    *,
    description: Annotated[str | None, typer.Option(help="For operators.")] = None,
    firm_import: FirmPower = None,
    firm_export: FirmPower = None,
    protected: Marked = None,
) -> None:
    """Change what is registered of a connection; what is not named stays.

    [bold]sep2 connection set NMI1 --firm-export 5kW[/]
    """
    firm_w = {"firm_import_w": firm_import, "firm_export_w": firm_export}
    said = only(description=description, protected=protected, **firm_w)
    done = api().change("PUT", at("connections", name), t.Connection, t.ConnectionChange(**said))
    firm = (
        f"import {shown_power(done.firm_import_w) or 'not set'}, export {shown_power(done.firm_export_w) or 'not set'}"
    )
    marked = "" if done.protected == "none" else f" It is marked {done.protected}."
    said_now = f"Connection {done.connection_id} is changed; its contract guarantees: {firm}.{marked}"
    show(done, f"{said_now} Its devices are told.")


@verb(connection, "move", changes=True)
def move_connections(
    names: Annotated[list[str], typer.Argument(metavar="ID…", help="Their ids.")],
    *,
    to: Annotated[str | None, typer.Option("--to", help="The place they are at from now on.")] = None,
    nowhere: Annotated[bool, typer.Option("--nowhere", help="They are at no place.")] = False,
) -> None:
    """Put connections at another place, such as a transformer; what holds for their devices follows at once.

    [bold]sep2 connection move NMI1 NMI2 --to T7[/]
    """
    if (to is None) != nowhere:
        raise BadChoice("give one of --to PLACE and --nowhere")
    if to is not None:
        body = t.PutConnections(connections=names)
        done = api().change("POST", at("places", to, "connections"), t.PlaceMoved, body)
        return show_moved(done, f"{counted(len(names), 'connection')} at {to}")
    for name in names:
        show_moved(api().change("DELETE", at("connections", name, "place"), t.PlaceMoved), f"{name} is at no place")
    return None


@verb(connection, "rename", changes=True)
def rename_connection(name: Named, new: Annotated[str, typer.Argument(metavar="NEW", help="Its new id.")]) -> None:
    """Give a connection another id; its devices read it as their ConnectionPoint."""
    done = api().change("POST", at("connections", name, "rename"), t.Connection, t.RenameConnection(name=new))
    show(done, f"Connection {name} is called {done.connection_id}; its devices are told.")


@verb(connection, "remove", changes=True)
def remove_connection(name: Named, *, with_devices: WithDevices = False, to: To = None) -> None:
    """Remove a connection; its controls and overrides are withdrawn.

    [bold]sep2 connection remove NMI1 --to NMI2[/]  its devices are at NMI2 then
    """
    body = t.Remove(with_devices=with_devices, to=to)
    done = api().change("DELETE", at("connections", name), t.Removed, body)
    show(done, sentence(done.message))


@verb(connection, "erase", changes=True)
def erase_connection(name: Named) -> None:
    """Erase what is stored of a connection's customer: readings, imported measurements, texts, audit details.

    The connection itself, its contract, its devices, controls, responses and the sums of days stay, and so does the
    audit log's chain. A second person has to agree in production.

    [bold]sep2 connection erase NMI1 --dry-run[/]
    """
    done = api().change("POST", at("connections", name, "erase"), t.Erased, t.Erase())
    texts = f"descriptions are now {done.label}; {counted(done.audit_details, 'entry')} of the audit log"
    erased = f"{counted(done.readings, 'reading')} of {done.connection_id} are erased"
    show(done, f"{erased}; {texts} lost their details. Imported measurements go too.")


def _moved(done: t.CustomerMoved, what: str) -> str:
    ended = f"{counted(done.ended, 'command')} that stood ended there"
    return f"{done.connection}: {what} at {shown_time(done.at)}; {ended}, and what is from before is not shown with it."


@verb(connection, "move-in", changes=True)
def move_in(
    name: Named, *, reference: Annotated[str, typer.Option(help="Of the customer, in your own records.")] = ""
) -> None:
    """Another customer lives at a connection from now on; what stood for the one before ends at this instant.

    [bold]sep2 connection move-in NMI1 --reference C-88[/]
    """
    done = api().change("POST", at("connections", name, "move-in"), t.CustomerMoved, t.MoveIn(reference=reference))
    show(done, _moved(done, "a customer moved in"))


@verb(connection, "move-out", changes=True)
def move_out(name: Named) -> None:
    """Nobody lives at a connection from now on; no flexible limit is published to it until somebody moves in.

    [bold]sep2 connection move-out NMI1[/]
    """
    done = api().change("POST", at("connections", name, "move-out"), t.CustomerMoved)
    show(done, _moved(done, "its customer moved out"))


@verb(connection, "customers")
def list_customers(name: Named) -> None:
    """When customers of a connection moved in and out, the latest first."""
    found = api().get(at("connections", name, "customers"), list[t.Customer])
    rows = [(shown_time(one.since), shown_time(one.until), one.reference, one.moved_in_by) for one in found]
    columns = ("since", "until", "reference", "recorded by")
    show(found, f"{counted(len(found), 'customer')} on record.", columns=columns, rows=rows)
