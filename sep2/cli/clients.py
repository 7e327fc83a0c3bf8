"""`sep2 client` (also `aggregator`, `gateway`): who may connect."""

from typing import Annotated

import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.identities import BadChoice, Cert, Issue, LfdiOption, Pin, Profile, identity_of, lies_in
from sep2.cli.show import Limit, To, WithDevices, counted, listed, only, sentence, show
from sep2.cli.units import shown_time, span
from sep2.cli.verb import verb
from sep2.settings import Registration

client = typer.Typer(no_args_is_help=True, help="Clients: aggregators and gateways, one certificate each.")
Named = Annotated[str, typer.Argument(metavar="CLIENT", help="Its name or LFDI.")]
Receivers = Annotated[
    list[str] | None,
    typer.Option(help="host (port 443) or host:port that it may have notifications sent to; repeatable."),
]


@verb(client, "add", changes=True)
def add_client(
    name: Annotated[str, typer.Argument(help="What operators call it.")],
    *,
    cert: Cert = None,
    lfdi: LfdiOption = None,
    issue: Issue = None,
    profile: Profile = None,
    registration: Annotated[Registration | None, typer.Option(help="Who registers its devices.")] = None,
    pen: Annotated[int | None, typer.Option(help="Its IANA private enterprise number.")] = None,
    pin: Pin = None,
    receiver: Receivers = None,
    connection: Annotated[
        list[str] | None, typer.Option(help="Add this connection too, with a device for it to act for; repeatable.")
    ] = None,
) -> None:
    """Authorise an aggregator, by its certificate's LFDI.

    [bold]sep2 client add Sunny --cert sunny.pem --receiver hooks.sunny.example[/]

    [bold]sep2 client add Sunny --issue utility/pki --connection NMI1[/]  makes all it needs for trying out
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
    show(made, f"Aggregator {made.name} may connect as {made.lfdi}{lies_in(who)}{acts}.")


@verb(client, "list")
def list_clients(limit: Limit = 100) -> None:
    """All clients: aggregators, and devices that connect by themselves."""
    found = api().get("/clients", t.Listed[t.Client], limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "client"),
        columns=("name", "kind", "LFDI", "profile", "devices", "may connect"),
        rows=((c.name, c.kind, c.lfdi, c.profile, str(c.devices), "yes" if c.enabled else "no") for c in found.items),
    )


@verb(client, "block", changes=True)
def block_client(name: Named) -> None:
    """Shut a client out, from its next request on."""
    done = api().change("PUT", at("clients", name), t.Client, t.ClientChange(enabled=False))
    show(done, f"{done.name} may no longer connect. To let it in again: sep2 client admit {done.lfdi}")


@verb(client, "admit", changes=True)
def admit_client(name: Named) -> None:
    """Let a client in again."""
    done = api().change("PUT", at("clients", name), t.Client, t.ClientChange(enabled=True))
    show(done, f"{done.name} may connect.")


@verb(client, "show")
def show_client(name: Named) -> None:
    """One client: its certificates, what it speaks, and what it acts for."""
    found = api().get(at("clients", name), t.ClientShown)
    may = "may connect" if found.enabled else "may not connect"
    hosts = f"; notifications go to {' '.join(found.receiver_hosts)}" if found.receiver_hosts else ""
    acts = f"{counted(found.devices, 'device')}: sep2 device list --client {found.lfdi[:8]}"
    show(
        found,
        f"{found.name} ({found.kind}, {found.profile}) {may} and acts for {acts}{hosts}.",
        columns=("LFDI", "certificate", "since", "overlap until", "ends", "subject"),
        rows=(
            (one.lfdi, one.state, shown_time(one.since), shown_time(one.until), shown_time(one.not_after), one.subject)
            for one in found.certificates
        ),
    )


@verb(client, "replace-certificate", changes=True)
def replace_certificate(
    name: Named,
    *,
    cert: Cert = None,
    lfdi: LfdiOption = None,
    overlap: Annotated[int, typer.Option(parser=span, metavar="SPAN", help="How long both certificates work.")] = "30d",  # type: ignore[assignment]  # parsed like what is typed
    finish: Annotated[bool, typer.Option("--finish", help="End the overlap: only the new one works.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Forget the new one, which was never used.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Finish even if the new one was never used.")] = False,
) -> None:
    """Let another certificate take the place of a client's; for a while both work.

    Devices, PINs, mirrors, subscriptions and owed answers stay. A device that is its own client is served with the
    LFDI of the certificate that it shows.

    [bold]sep2 client replace-certificate Sunny --cert new.pem --overlap 30d[/]

    [bold]sep2 client replace-certificate Sunny --finish[/]
    """
    if (cert is not None or lfdi is not None) + finish + cancel != 1:
        raise BadChoice("give one of --cert FILE (or --lfdi LFDI), --finish and --cancel")
    path = at("clients", name)
    if finish:
        body = t.FinishReplacement(anyway=anyway)
        done = api().change("POST", f"{path}/finish-replacement", t.CertificateReplaced, body)
        return show(done, f"Only {done.current} stands for {done.client}; {done.other} is refused from now on.")
    if cancel:
        done = api().change("POST", f"{path}/cancel-replacement", t.CertificateReplaced)
        return show(done, f"{done.other} stands for nobody; {done.current} is {done.client} as before.")
    who = identity_of(name, "aggregator", cert=cert, lfdi=lfdi, issue=None)
    new = t.NewCertificate(lfdi=who.lfdi, overlap=overlap)
    done = api().change("POST", f"{path}/replace-certificate", t.CertificateReplaced, new)
    both = f"{done.current} and {done.other} both stand for {done.client} until {shown_time(done.until)}"
    return show(done, f"{both}. Once it uses the new one: sep2 client replace-certificate {name} --finish")


@verb(client, "set", changes=True)
def set_client(
    name: Named,
    *,
    profile: Profile = None,
    registration: Annotated[Registration | None, typer.Option(help="Who registers its devices.")] = None,
    pen: Annotated[int | None, typer.Option(help="Its IANA private enterprise number.")] = None,
    pin: Pin = None,
    receiver: Receivers = None,
) -> None:
    """Change what is registered of a client; what is not named stays, receivers are replaced.

    [bold]sep2 client set Sunny --profile csip-aus-1.2 --receiver hooks.sunny.example[/]
    """
    said = only(profile=profile, registration=registration, pen=pen, pin=pin, receiver_hosts=receiver)
    done = api().change("PUT", at("clients", name), t.Client, t.ClientChange(**said))
    show(done, f"{done.name} speaks {done.profile}; receivers: {' '.join(done.receiver_hosts) or 'none'}.")


@verb(client, "rename", changes=True)
def rename_client(name: Named, new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")]) -> None:
    """Call a client otherwise."""
    done = api().change("POST", at("clients", name, "rename"), t.Client, t.Rename(name=new))
    show(done, f"Client {done.lfdi} is called {done.name}.")


@verb(client, "move", changes=True)
def move_devices(name: Named, *, to: Annotated[str, typer.Option(help="The client that acts for them then.")]) -> None:
    """Have another client act for all devices of this one; their programs, PINs, mirrors and answers stay.

    [bold]sep2 client move Sunny --to Gale[/]
    """
    done = api().change("POST", at("clients", name, "move-devices"), t.Moved, t.OtherClient(client=to))
    show(done, f"{done.client} acts for {counted(done.devices, 'device')} of {name} from now on.")


@verb(client, "remove", changes=True)
def remove_client(name: Named, *, with_devices: WithDevices = False, to: To = None) -> None:
    """Remove a client: it may do nothing any more, its subscriptions end, its name is free.

    [bold]sep2 client remove Sunny --to Gale[/]  Gale acts for its devices then

    [bold]sep2 client remove Sunny --with-devices[/]
    """
    body = t.Remove(with_devices=with_devices, to=to)
    done = api().change("DELETE", at("clients", name), t.Removed, body)
    show(done, sentence(done.message))
