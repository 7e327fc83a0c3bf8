"""`sep2 party`: aggregators, system operators and others whom the market knows."""

from typing import Annotated, Any

import typer

from sep2.admin.types import market_register as t
from sep2.cli.api import api, at
from sep2.cli.market_times import At, From, KnownAt, as_of, day_or_moment, span_of, time_of
from sep2.cli.show import Limit, listed, only, sentence, show
from sep2.cli.times import resolved
from sep2.cli.units import When
from sep2.cli.verb import verb
from sep2.rest.types import Done, Listed
from sep2.rules.market.register import Agreement, Contact, PartyKind, PartyStatus

party = typer.Typer(no_args_is_help=True, help="Parties of the market: aggregators, system operators, others.")
certificate = typer.Typer(no_args_is_help=True, help="Which certificates stand for a party.")
party.add_typer(certificate, name="certificate")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The party's name.")]
Kind = Annotated[PartyKind | None, typer.Option(help="What it is.")]
Status = Annotated[PartyStatus | None, typer.Option(help="An active party has a contact at any hour.")]
Contacts = Annotated[
    list[str] | None,
    typer.Option("--contact", metavar="ROLE:NAME:PHONE:EMAIL", help="Whom to call; repeatable, replaces all."),
]
AroundTheClock = Annotated[bool, typer.Option("--24x7", help="The contacts given answer at any hour.")]
Programmes = Annotated[list[str] | None, typer.Option("--programme", help="What it offers customers; repeatable.")]
MarketIds = Annotated[list[str] | None, typer.Option("--market-id", metavar="PROFILE=ID", help="E.g. pjm=NORTHVPP.")]
Ref = Annotated[str | None, typer.Option("--agreement", metavar="REF", help="The contract with the utility.")]
Signed = Annotated[
    When | None, typer.Option("--signed", parser=day_or_moment, metavar="TIME", help="When it was signed.")
]
Expires = Annotated[When | None, typer.Option("--expires", parser=day_or_moment, metavar="TIME", help="When it ends.")]


def _status(one: t.Party) -> str:
    return f"{one.status}, rehearses" if one.test else one.status


@verb(party, "add", changes=True)
def add_party(
    name: Name,
    *,
    kind: Kind = "aggregator",
    status: Status = "prospective",
    contact: Contacts = None,
    around_the_clock: AroundTheClock = False,
    programme: Programmes = None,
    market_id: MarketIds = None,
    agreement: Ref = None,
    signed: Signed = None,
    expires: Expires = None,
    test: Annotated[bool, typer.Option("--test", help="It only rehearses: no control is ever issued for it.")] = False,
    start: From = None,
) -> None:
    """Add a party of the market.

    [bold]sep2 party add North --status active --contact "desk:Ada:+15550100:desk@north.example" --24x7 \
    --agreement A-17 --signed 2026-11-01[/]
    """
    server = api()
    body = t.NewParty(
        name=name,
        kind=kind or "aggregator",
        status=status or "prospective",
        contacts=_contacts(contact, around_the_clock) or [],
        programmes=programme or [],
        market_ids=_ids(market_id) or {},
        agreement=_agreement(server, agreement, signed, expires),
        test=test,
        valid_from=time_of(server, start),
    )
    made = server.change("POST", "/market/parties", t.Party, body)
    show(made, f'{made.name} is {_status(made)}; next: sep2 der add … --party "{made.name}"')


@verb(party, "set", changes=True)
def set_party(
    name: Name,
    *,
    kind: Kind = None,
    status: Status = None,
    contact: Contacts = None,
    around_the_clock: AroundTheClock = False,
    programme: Programmes = None,
    market_id: MarketIds = None,
    agreement: Ref = None,
    signed: Signed = None,
    expires: Expires = None,
    start: From = None,
) -> None:
    """Have other things hold of a party, from some time on; what is left out stays."""
    server = api()
    said = only(
        kind=kind,
        status=status,
        contacts=_contacts(contact, around_the_clock),
        programmes=programme or None,
        market_ids=_ids(market_id),
        agreement=_agreement(server, agreement, signed, expires),
    )
    body = t.PartyChange(**said, valid_from=time_of(server, start))
    done = server.change("PUT", at("market", "parties", name), t.Party, body)
    show(done, f"{done.name} is {done.status}, version {done.version}.")


@verb(party, "list")
def list_parties(*, limit: Limit = 100, valid_at: At = None, known_at: KnownAt = None) -> None:
    """Parties by name."""
    server = api()
    found = server.get("/market/parties", Listed[t.Party], limit=limit, **as_of(server, valid_at, known_at))
    show(
        found,
        listed(found.total, len(found.items), "party").replace("partys", "parties"),
        columns=("name", "kind", "status", "agreement", "programmes", "holds"),
        rows=(
            (
                one.name,
                one.kind,
                _status(one),
                "" if one.agreement is None else one.agreement.ref,
                ", ".join(one.programmes),
                span_of(one.valid_from, one.valid_to),
            )
            for one in found.items
        ),
    )


@verb(party, "show")
def show_party(name: Name, *, valid_at: At = None, known_at: KnownAt = None) -> None:
    """One party with its contacts and certificates."""
    server = api()
    one = server.get(at("market", "parties", name), t.Party, **as_of(server, valid_at, known_at))
    rows = [(who.role, who.name, who.phone, who.email, "any hour" if who.is_24x7 else "") for who in one.contacts]
    rows += [
        ("certificate", cert.lfdi, cert.purpose, span_of(cert.valid_from, cert.valid_to), "")
        for cert in one.certificates
    ]
    signed = "no agreement" if one.agreement is None else f"agreement {one.agreement.ref}"
    said = f"{one.name}: {one.kind}, {_status(one)}, {signed}; {span_of(one.valid_from, one.valid_to)}."
    show(one, said, columns=("role", "name", "phone", "e-mail", ""), rows=rows)


@verb(party, "rename", changes=True)
def rename_party(
    name: Name, new_name: Annotated[str, typer.Argument(metavar="NEW", help="What it is to be called.")]
) -> None:
    """Call a party something else."""
    done = api().change("POST", at("market", "parties", name, "rename"), t.Party, t.RenameEntry(name=new_name))
    show(done, f"It is called {done.name} now.")


@verb(party, "remove", changes=True)
def remove_party(name: Name) -> None:
    """Take a party out of the register; what it was stays known as of earlier times."""
    done = api().change("DELETE", at("market", "parties", name), Done)
    show(done, sentence(done.message))


@verb(certificate, "add", changes=True)
def add_certificate(
    name: Name,
    lfdi: Annotated[str, typer.Argument(metavar="LFDI", help="Of the certificate.")],
    *,
    purpose: Annotated[t.Purpose, typer.Option(help="What it is used for.")] = "both",
    start: From = None,
) -> None:
    """Have a certificate stand for a party."""
    server = api()
    body = t.NewPartyCertificate(lfdi=lfdi, purpose=purpose, valid_from=time_of(server, start))
    done = server.change("POST", at("market", "parties", name, "certificates"), t.Party, body)
    show(done, f"{lfdi} stands for {done.name}.")


@verb(certificate, "remove", changes=True)
def remove_certificate(
    name: Name, lfdi: Annotated[str, typer.Argument(metavar="LFDI", help="Of the certificate.")]
) -> None:
    """Have a certificate stand for a party no longer."""
    done = api().change("DELETE", at("market", "parties", name, "certificates", lfdi), t.Party)
    show(done, f"{lfdi} stands for {done.name} no longer.")


def _contacts(said: list[str] | None, around_the_clock: bool) -> list[Contact] | None:
    if not said:
        return None
    parts = [[*one.split(":", 3), "", "", ""][:4] for one in said]
    return [Contact(role=a, name=b, phone=c, email=d, is_24x7=around_the_clock) for a, b, c, d in parts]


def _ids(said: list[str] | None) -> dict[str, Any] | None:
    if not said:
        return None
    if wrong := [one for one in said if "=" not in one]:
        raise typer.BadParameter(f"--market-id {wrong[0]}: write PROFILE=ID")
    return dict(one.split("=", 1) for one in said)


def _agreement(server: Any, ref: str | None, signed: When | None, expires: When | None) -> Agreement | None:
    if ref is None:
        if signed is not None or expires is not None:
            raise typer.BadParameter("--signed and --expires belong to --agreement")
        return None
    if signed is None:
        raise typer.BadParameter("--agreement needs --signed")
    at_ = resolved(server, signed)
    return Agreement(ref=ref, signed=at_ or 0, expires=None if expires is None else resolved(server, expires))
