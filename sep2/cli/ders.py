"""`sep2 der`: component DERs, one by one or as a sheet, and their customers' consents."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sep2.admin.types import market_register as t
from sep2.cli.api import api, at
from sep2.cli.bulk import PATIENCE_S, export_csv, read_csv
from sep2.cli.market_times import At, From, KnownAt, OfParty, PartyOption, as_of, day_or_moment, span_of, time_of
from sep2.cli.show import Limit, counted, listed, only, sentence, show
from sep2.cli.units import When, shown_power, watts
from sep2.cli.verb import verb
from sep2.rest.types import Done, Listed
from sep2.rules.market.register import DerFacts, DeviceType

der = typer.Typer(no_args_is_help=True, help="Component DERs: what takes part in markets behind one account.")
consent = typer.Typer(no_args_is_help=True, help="What customers agree to.")
der.add_typer(consent, name="consent")

Name = Annotated[str, typer.Argument(metavar="DER", help="The DER's name.")]
Serial = Annotated[str | None, typer.Option(help="The serial number of the device.")]
Make = Annotated[str | None, typer.Option(help="Who made it.")]
ModelName = Annotated[str | None, typer.Option(help="What its maker calls it.")]
Firmware = Annotated[str | None, typer.Option(help="The version of its firmware.")]
EsiId = Annotated[str | None, typer.Option(help="ESI id or NMI.")]
Phases = Annotated[str | None, typer.Option(help="A, ABC, …; S: split phase.")]
Study = Annotated[str | None, typer.Option("--interconnection", help="The interconnection agreement's reference.")]
LfdiOfDevice = Annotated[str | None, typer.Option("--lfdi", help="Of its EndDevice, if not that of its connection.")]
Power = Annotated[int | None, typer.Option(parser=watts, metavar="POWER", help="Nameplate, e.g. 5kW.")]
Account = Annotated[str | None, typer.Option("--account", help="The account with the utility.")]
At_ = Annotated[str | None, typer.Option("--connection", help="The connection's id, as in the server's register.")]
Meter = Annotated[str | None, typer.Option("--meter", help="The revenue meter.")]
Kind = Annotated[DeviceType | None, typer.Option("--type", help="What it is.")]
Confirmed = Annotated[bool, typer.Option("--confirmed", help="Ratings that look like kW typed as W are meant so.")]
Nem = Annotated[bool | None, typer.Option("--nem/--no-nem", help="Whether net metering pays for its energy.")]
Serves = Annotated[list[str] | None, typer.Option("--studied", help="Services the study covers; repeatable.")]
Programs = Annotated[list[str] | None, typer.Option("--retail-program", help="Repeatable.")]
AGREED = "What the interconnection agreement allows, e.g. 5kW."
ImportAgreed = Annotated[int | None, typer.Option("--import-agreement", parser=watts, metavar="POWER", help=AGREED)]
ExportAgreed = Annotated[int | None, typer.Option("--export-agreement", parser=watts, metavar="POWER", help=AGREED)]


@verb(der, "add", changes=True)
def add_der(
    name: Name,
    *,
    party: PartyOption,
    account: Annotated[str, typer.Option("--account", help="The account with the utility.")],
    connection: Annotated[str, typer.Option("--connection", help="The connection's id.")],
    meter: Annotated[str, typer.Option("--meter", help="The revenue meter.")],
    kind: Annotated[DeviceType, typer.Option("--type", help="What it is.")],
    max_gen: Annotated[int | None, typer.Option(parser=watts, metavar="POWER", help="Nameplate generation.")] = None,
    max_load: Annotated[int | None, typer.Option(parser=watts, metavar="POWER", help="Nameplate load.")] = None,
    import_agreement: ImportAgreed = None,
    export_agreement: ExportAgreed = None,
    serial: Serial = None,
    make: Make = None,
    model: ModelName = None,
    firmware: Firmware = None,
    esi_id: EsiId = None,
    phases: Phases = None,
    energy: Annotated[int | None, typer.Option("--energy-wh", help="Of a battery, Wh.")] = None,
    apparent_power: Annotated[int | None, typer.Option("--s-max-va", help="VA.")] = None,
    interconnection: Study = None,
    studied: Serves = None,
    nem: Nem = None,
    retail_program: Programs = None,
    lfdi: LfdiOfDevice = None,
    consent_by: Annotated[
        str | None, typer.Option("--consent-by", help="Who agrees to registration and telemetry.")
    ] = None,
    confirmed: Confirmed = False,
    start: From = None,
) -> None:
    """Add a component DER.

    [bold]sep2 der add D1 --party North --account 4711 --connection NMI1 --meter M1 --type battery --max-gen 5kW \
    --max-load 5kW --import-agreement 10kW --export-agreement 5kW --consent-by "C. Customer"[/]
    """
    server = api()
    said = _said(
        serial=serial,
        make=make,
        model=model,
        firmware=firmware,
        esi_id=esi_id,
        phases=phases,
        energy_wh=energy,
        s_max_va=apparent_power,
        interconnection_ref=interconnection,
        studied_services=studied,
        nem=nem,
        retail_programs=retail_program,
        lfdi=lfdi,
    )
    facts = DerFacts(
        edc_account=account,
        connection=connection,
        meter_id=meter,
        device_type=kind,
        max_gen_w=max_gen or 0,
        max_load_w=max_load or 0,
        import_agreement_w=(max_load or 0) if import_agreement is None else import_agreement,
        export_agreement_w=(max_gen or 0) if export_agreement is None else export_agreement,
        **said,
    )
    agreed = None if consent_by is None else t.NewConsent(scopes=["registration", "telemetry"], given_by=consent_by)
    body = t.NewDer(
        name=name, party=party, facts=facts, consent=agreed, confirmed=confirmed, valid_from=time_of(server, start)
    )
    made = server.change("POST", "/market/ders", t.Der, body)
    show(made, f"{made.name} is registered; next: sep2 aggregation member add AGGREGATION {made.name}")


def _said(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, [])}


@verb(der, "set", changes=True)
def set_der(
    name: Name,
    *,
    account: Account = None,
    connection: At_ = None,
    meter: Meter = None,
    kind: Kind = None,
    max_gen: Power = None,
    max_load: Power = None,
    import_agreement: ImportAgreed = None,
    export_agreement: ExportAgreed = None,
    serial: Serial = None,
    make: Make = None,
    model: ModelName = None,
    firmware: Firmware = None,
    phases: Phases = None,
    nem: Nem = None,
    lfdi: LfdiOfDevice = None,
    confirmed: Confirmed = False,
    start: From = None,
) -> None:
    """Have other things hold of a DER, from some time on; what is left out stays.

    Where it is a member of an aggregation that takes part, a change may open a review, as the market's rules say.
    """
    server = api()
    said = only(
        edc_account=account,
        connection=connection,
        meter_id=meter,
        device_type=kind,
        max_gen_w=max_gen,
        max_load_w=max_load,
        import_agreement_w=import_agreement,
        export_agreement_w=export_agreement,
        serial=serial,
        make=make,
        model=model,
        firmware=firmware,
        phases=phases,
        nem=nem,
        lfdi=lfdi,
    )
    body = t.DerChange(**said, confirmed=confirmed, valid_from=time_of(server, start))
    done = server.change("PUT", at("market", "ders", name), t.DerSet, body)
    opened = f"; under review: {', '.join(map(str, done.reviews))}" if done.reviews else ""
    show(done, f"{done.name} is changed, version {done.version}{opened}.")


@verb(der, "list")
def list_ders(*, party: OfParty = None, limit: Limit = 100, valid_at: At = None, known_at: KnownAt = None) -> None:
    """Component DERs: whose, where, how large, what a review limits them to."""
    server = api()
    query = as_of(server, valid_at, known_at)
    found = server.get("/market/ders", Listed[t.Der], limit=limit, party=party, **query)
    show(
        found,
        listed(found.total, len(found.items), "DER"),
        columns=("DER", "party", "connection", "meter", "type", "generation", "load", "limit", "consent", "device"),
        rows=(
            (
                one.name,
                one.party,
                one.facts.connection,
                one.facts.meter_id,
                one.facts.device_type,
                shown_power(one.facts.max_gen_w),
                shown_power(one.facts.max_load_w),
                shown_power(one.limit_w),
                "" if one.consent is None else ", ".join(one.consent.scopes),
                "" if one.device is None else one.device[:8],
            )
            for one in found.items
        ),
    )


@verb(der, "show")
def show_der(name: Name, *, valid_at: At = None, known_at: KnownAt = None) -> None:
    """One component DER, as it was at some time, by what was known then."""
    server = api()
    one = server.get(at("market", "ders", name), t.Der, **as_of(server, valid_at, known_at))
    rows = [
        (field, str(value))
        for field in DerFacts.__struct_fields__
        if (value := getattr(one.facts, field)) not in ("", [], None)
    ]
    agreed = (
        "no consent" if one.consent is None else f"{one.consent.given_by} agrees to {', '.join(one.consent.scopes)}"
    )
    limit = "" if one.limit_w is None else f", limited to {shown_power(one.limit_w)}"
    said = (
        f"{one.name} of {one.party}, {agreed}{limit}; {span_of(one.valid_from, one.valid_to)}, version {one.version}."
    )
    show(one, said, columns=("what", "is"), rows=rows)


@verb(der, "rename", changes=True)
def rename_der(
    name: Name, new_name: Annotated[str, typer.Argument(metavar="NEW", help="What it is to be called.")]
) -> None:
    """Call a DER something else."""
    done = api().change("POST", at("market", "ders", name, "rename"), t.Der, t.RenameEntry(name=new_name))
    show(done, f"It is called {done.name} now.")


@verb(der, "remove", changes=True)
def remove_der(name: Name) -> None:
    """Take a DER out of the register; what it was stays known as of earlier times."""
    done = api().change("DELETE", at("market", "ders", name), Done)
    show(done, sentence(done.message))


@verb(der, "import", changes=True)
def import_ders(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV; `sep2 der export` shows the columns.")],
    *,
    party: OfParty = None,
    confirmed: Confirmed = False,
) -> None:
    """Add the DERs of a CSV file: all of them, or none and what is wrong, by line and column. Powers are W.

    [bold]sep2 der import ders.csv --party North --dry-run[/]
    """
    body = t.NewDers(sheet=read_csv(file), party=party, confirmed=confirmed)
    done = api().change("POST", "/market/import/ders", t.DersAdded, body, patience_s=PATIENCE_S)
    show(done, f"{counted(done.added, 'DER')} added.")


@verb(der, "export")
def export_ders(
    *, to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Instead of the screen.")] = None
) -> None:
    """Print the DERs as CSV, as an import takes them."""
    export_csv("/market/export/ders", "DER", to)


@verb(consent, "give", changes=True)
def give_consent(
    name: Name,
    *,
    scope: Annotated[list[str], typer.Option(help="registration, telemetry, billing_data, …; repeatable.")],
    by: Annotated[str, typer.Option(help="Who agrees.")],
    expires: Annotated[When | None, typer.Option(parser=day_or_moment, metavar="TIME", help="Until when.")] = None,
    document: Annotated[str, typer.Option("--document-sha256", help="Of what was signed.")] = "",
) -> None:
    """Keep what a DER's customer agrees to, in place of what was agreed before."""
    server = api()
    scopes: list[Any] = scope  # the server knows which there are
    body = t.NewConsent(scopes=scopes, given_by=by, expires=time_of(server, expires), document_sha256=document)
    done = server.change("PUT", at("market", "ders", name, "consent"), t.Der, body)
    show(done, f"{by} agrees to {', '.join(scope)} for {done.name}.")


@verb(consent, "revoke", changes=True)
def revoke_consent(name: Name) -> None:
    """The customer agrees to nothing any more, from now on."""
    done = api().change("DELETE", at("market", "ders", name, "consent"), t.Der)
    show(done, f"The consent for {done.name} is revoked.")
