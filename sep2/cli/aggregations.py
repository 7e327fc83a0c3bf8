"""`sep2 aggregation`: what takes part in a market as one resource, and its members."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sep2.admin.types import market_register as t
from sep2.admin.types import market_reviews as r
from sep2.cli.api import api, at
from sep2.cli.bulk import PATIENCE_S, read_csv
from sep2.cli.factors import ppm_of, spread_of
from sep2.cli.market_times import At, From, KnownAt, OfParty, PartyOption, as_of, day_or_moment, span_of, time_of
from sep2.cli.reviews import said_of
from sep2.cli.show import Limit, counted, listed, only, sentence, show
from sep2.cli.units import When, shown_power, watts
from sep2.cli.verb import verb
from sep2.rest.types import Done, Listed
from sep2.rules.market.register import Agent

aggregation = typer.Typer(no_args_is_help=True, help="Aggregations: what takes part in a market as one resource.")
member = typer.Typer(no_args_is_help=True, help="The DERs of an aggregation, from when until when.")
aggregation.add_typer(member, name="member")

Name = Annotated[str, typer.Argument(metavar="AGGREGATION", help="Its name.")]
Power = Annotated[int | None, typer.Option(parser=watts, metavar="POWER", help="e.g. 1MW")]
Model = Annotated[
    Literal["single", "multi"] | None, typer.Option(help="At one node of the system operator, or several.")
]
Nodes = Annotated[list[str] | None, typer.Option("--node", help="A node of the system operator; repeatable.")]
Services = Annotated[list[str] | None, typer.Option("--service", help="energy, capacity, regulation, …; repeatable.")]
MarketAgent = Annotated[Agent | None, typer.Option(help="Who bids; as the market's profile says.")]
DispatchAgent = Annotated[Agent | None, typer.Option(help="Who dispatches; as the market's profile says.")]
Telemetry = Annotated[Literal["regulation", "large", "small"] | None, typer.Option(help="The class of its telemetry.")]
Factors = Annotated[
    list[str] | None,
    typer.Option("--factor", metavar="NODE=PERCENT", help="Of a dispatch that its members there do; repeatable."),
]
IsoId = Annotated[str | None, typer.Option("--iso-id", help="What the system operator calls it.")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the audit log.")]


@verb(aggregation, "add", changes=True)
def add_aggregation(
    name: Name,
    *,
    party: PartyOption,
    profile: Annotated[str, typer.Option(help="The market: `sep2 market profile list`.")],
    node: Annotated[list[str], typer.Option(help="A node of the system operator; repeatable.")],
    service: Annotated[list[str], typer.Option(help="energy, capacity, regulation, …; repeatable.")],
    inject: Annotated[int, typer.Option(parser=watts, metavar="POWER", help="What it may sell as injection.")],
    reduce: Annotated[int | None, typer.Option(parser=watts, metavar="POWER", help="As reduction of load.")] = None,
    model: Model = None,
    market_agent: MarketAgent = None,
    dispatch_agent: DispatchAgent = None,
    telemetry: Telemetry = None,
    iso_id: IsoId = None,
    factor: Factors = None,
    start: From = None,
) -> None:
    """Add an aggregation; its members come after.

    [bold]sep2 aggregation add VPP1 --party North --profile pjm --node N17 --service energy --inject 1MW[/]
    """
    server = api()
    body = t.NewAggregation(
        name=name,
        party=party,
        profile=profile,
        model=model or ("multi" if len(node) > 1 else "single"),
        iso_nodes=node,
        services=service,
        inject_w=inject,
        reduce_w=reduce or 0,
        market_agent=market_agent,
        dispatch_agent=dispatch_agent,
        telemetry_class=telemetry or "small",
        iso_resource_id=iso_id or "",
        declared_factors_ppm=ppm_of(factor or []),
        valid_from=time_of(server, start),
    )
    made = server.change("POST", "/market/aggregations", t.Aggregation, body)
    show(made, f'{made.name} is {made.status}; next: sep2 aggregation member add "{made.name}" DER…')


@verb(aggregation, "factors", changes=True)
def import_factors(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV: aggregation, iso_node, factor_ppm[, valid_from].")],
    *,
    start: From = None,
) -> None:
    """Declare the distribution factors of a CSV file: all of them, or none and what is wrong, by line and column.

    [bold]sep2 aggregation factors factors.csv --from 2027-06-01 --dry-run[/]
    """
    server = api()
    body = t.NewFactors(sheet=read_csv(file), valid_from=time_of(server, start))
    done = server.change("POST", "/market/import/factors", t.FactorsDeclared, body, patience_s=PATIENCE_S)
    show(done, f"Factors of {counted(done.declared, 'aggregation')} declared.")


@verb(aggregation, "set", changes=True)
def set_aggregation(
    name: Name,
    *,
    node: Nodes = None,
    service: Services = None,
    inject: Power = None,
    reduce: Power = None,
    model: Model = None,
    market_agent: MarketAgent = None,
    dispatch_agent: DispatchAgent = None,
    telemetry: Telemetry = None,
    iso_id: IsoId = None,
    factor: Factors = None,
    by_ratings: Annotated[
        bool, typer.Option("--factors-by-rating", help="No factor is declared: dispatch is spread as ratings are.")
    ] = False,
    start: From = None,
) -> None:
    """Have other things hold of an aggregation, from some time on; what is left out stays.

    [bold]sep2 aggregation set VPP1 --factor N17=60 --factor N18=40 --from 2027-06-01[/]
    """
    server = api()
    if by_ratings and factor:
        raise typer.BadParameter("--factor and --factors-by-rating contradict each other")
    said = only(
        model=model,
        iso_nodes=node or None,
        services=service or None,
        inject_w=inject,
        reduce_w=reduce,
        market_agent=market_agent,
        dispatch_agent=dispatch_agent,
        telemetry_class=telemetry,
        iso_resource_id=iso_id,
        declared_factors_ppm=ppm_of(factor) if factor else {} if by_ratings else None,
    )
    body = t.AggregationChange(**said, valid_from=time_of(server, start))
    done = server.change("PUT", at("market", "aggregations", name), t.Aggregation, body)
    show(done, f"{done.name} is {done.status}, version {done.version}.")


@verb(aggregation, "list")
def list_aggregations(
    *, party: OfParty = None, limit: Limit = 100, valid_at: At = None, known_at: KnownAt = None
) -> None:
    """Aggregations: whose, in which market, for which services, how many members."""
    server = api()
    query = as_of(server, valid_at, known_at)
    found = server.get("/market/aggregations", Listed[t.Aggregation], limit=limit, party=party, **query)
    show(
        found,
        listed(found.total, len(found.items), "aggregation"),
        columns=(
            "aggregation",
            "party",
            "market",
            "status",
            "services",
            "nodes",
            "sells",
            "members",
            "their nameplate",
        ),
        rows=(
            (
                one.name,
                one.party,
                one.profile,
                one.status,
                ", ".join(one.services),
                ", ".join(one.iso_nodes),
                shown_power(max(one.inject_w, one.reduce_w)),
                str(one.members),
                shown_power(one.members_max_gen_w),
            )
            for one in found.items
        ),
    )


@verb(aggregation, "show")
def show_aggregation(name: Name, *, valid_at: At = None, known_at: KnownAt = None) -> None:
    """One aggregation with its members, as it was at some time, by what was known then."""
    server = api()
    query = as_of(server, valid_at, known_at)
    one = server.get(at("market", "aggregations", name), t.Aggregation, **query)
    found = server.get(at("market", "aggregations", name, "members"), Listed[t.Member], limit=1000, **query)
    said = (
        f"{one.name} of {one.party} is {one.status} in {one.profile} for {', '.join(one.services)}; bids by "
        f"{one.market_agent}, dispatch by {one.dispatch_agent}; {counted(one.members, 'effective member')}."
        f"{spread_of(one)}"
    )
    show(one, said, columns=MEMBER_COLUMNS, rows=_rows(found))


MEMBER_COLUMNS = ("DER", "share", "node", "state", "holds")


def _rows(found: Listed[t.Member]) -> Any:
    return (
        (one.der, f"{one.share_ppm / 10_000:g} %", one.iso_node, one.state, span_of(one.valid_from, one.valid_to))
        for one in found.items
    )


@verb(aggregation, "rename", changes=True)
def rename_aggregation(
    name: Name, new_name: Annotated[str, typer.Argument(metavar="NEW", help="What it is to be called.")]
) -> None:
    """Call an aggregation something else."""
    path = at("market", "aggregations", name, "rename")
    done = api().change("POST", path, t.Aggregation, t.RenameEntry(name=new_name))
    show(done, f"It is called {done.name} now.")


@verb(aggregation, "remove", changes=True)
def remove_aggregation(name: Name) -> None:
    """Take an aggregation that does not take part out of the register."""
    done = api().change("DELETE", at("market", "aggregations", name), Done)
    show(done, sentence(done.message))


def _moved(name: str, verb_: str, reason: str) -> None:
    path = at("market", "aggregations", name, verb_)
    done = api().change("POST", path, t.Aggregation, t.Reasoned(reason=reason))
    until = "" if done.valid_to is None else f", until {span_of(done.valid_from, done.valid_to)}"
    show(done, f"{done.name} is {done.status}{until}.")


@verb(aggregation, "suspend", changes=True)
def suspend_aggregation(name: Name, *, reason: Reason) -> None:
    """Have an aggregation take no part in its market until it is reinstated."""
    _moved(name, "suspend", reason)


@verb(aggregation, "reinstate", changes=True)
def reinstate_aggregation(name: Name, *, reason: Reason) -> None:
    """Have a suspended aggregation take part again."""
    _moved(name, "reinstate", reason)


@verb(aggregation, "withdraw", changes=True)
def withdraw_aggregation(name: Name, *, reason: Reason) -> None:
    """Take an aggregation out of its market, after the notice that the market's rules name."""
    _moved(name, "withdraw", reason)


@verb(aggregation, "submit", changes=True)
def submit_aggregation(name: Name) -> None:
    """Hand an aggregation, or its new members, in for the utility's review: the clock runs when nothing is missing."""
    done = api().change("POST", at("market", "aggregations", name, "submit"), r.ReviewShown)
    rows = [(one,) for one in done.missing]
    show(done, said_of(done), columns=("missing",) if rows else (), rows=rows)


@verb(member, "add", changes=True)
def add_members(
    name: Name,
    ders: Annotated[list[str], typer.Argument(metavar="DER…", help="DERs of the same party.")],
    *,
    share: Annotated[float, typer.Option(min=0, max=100, help="Of each DER, percent.")] = 100,
    node: Annotated[str, typer.Option(help="Where the aggregation has several.")] = "",
    start: From = None,
    until: Annotated[
        When | None, typer.Option("--to", parser=day_or_moment, metavar="TIME", help="Until when.")
    ] = None,
) -> None:
    """Have DERs be members; a review makes them effective: sep2 aggregation submit.

    [bold]sep2 aggregation member add VPP1 D1 D2 --from 2027-06-01 --to 2028-06-01[/]
    """
    server = api()
    body = t.NewMembers(
        ders=ders,
        share_ppm=round(share * 10_000),
        iso_node=node,
        valid_from=time_of(server, start),
        valid_to=time_of(server, until),
    )
    done = server.change("POST", at("market", "aggregations", name, "members"), Listed[t.Member], body)
    show(done, f'{counted(len(ders), "member")} proposed; next: sep2 aggregation submit "{name}"')


@verb(member, "remove", changes=True)
def remove_member(
    name: Name,
    der: Annotated[str, typer.Argument(metavar="DER", help="Who leaves.")],
    *,
    when: Annotated[
        When | None, typer.Option("--at", parser=day_or_moment, metavar="TIME", help="When it leaves.")
    ] = None,
) -> None:
    """Have a DER be a member no longer, now or from some time on."""
    server = api()
    body = t.EndMember(valid_to=time_of(server, when))
    done = server.change("DELETE", at("market", "aggregations", name, "members", der), Listed[t.Member], body)
    show(done, f"{der} leaves {name}; {counted(done.total, 'entry')} left.")


@verb(member, "list")
def list_members(name: Name, *, limit: Limit = 100, valid_at: At = None, known_at: KnownAt = None) -> None:
    """The members of an aggregation that are not over then, those to come too."""
    server = api()
    query = as_of(server, valid_at, known_at)
    found = server.get(at("market", "aggregations", name, "members"), Listed[t.Member], limit=limit, **query)
    show(found, listed(found.total, len(found.items), "entry"), columns=MEMBER_COLUMNS, rows=_rows(found))
