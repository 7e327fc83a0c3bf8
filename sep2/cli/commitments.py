"""`sep2 commitment`: which DER is promised to which service, hour by hour, and its moves from one to another."""

from typing import Annotated, Literal

import typer

from sep2.cli.api import api, at
from sep2.cli.market_times import KnownAt, day_or_moment, span_of, time_of
from sep2.cli.show import Limit, counted, listed, show
from sep2.cli.units import When
from sep2.cli.verb import verb
from sep2.partner import commitment_types as t
from sep2.rest.types import Listed

commitment = typer.Typer(no_args_is_help=True, help="Commitments: which DER serves which market or program, and when.")

Number = Annotated[int, typer.Argument(metavar="COMMITMENT", help="Its number.")]
HolderOption = Annotated[Literal["wholesale", "local", "retail"], typer.Option("--for", help="For whom.")]
Service = Annotated[str, typer.Option(help="energy, capacity, local_energy, …")]
ToAggregation = Annotated[str | None, typer.Option("--aggregation", help="Of a wholesale commitment.")]
Program = Annotated[str, typer.Option(help="Of a local or retail commitment.")]
Basis = Annotated[str, typer.Option(help="What it rests on, such as a contract.")]
Starts = Annotated[When, typer.Option("--from", parser=day_or_moment, metavar="TIME", help="When it begins.")]
Ends = Annotated[When, typer.Option("--to", parser=day_or_moment, metavar="TIME", help="When it ends.")]
MayStart = Annotated[When | None, typer.Option("--from", parser=day_or_moment, metavar="TIME", help="From when on.")]
MayEnd = Annotated[When | None, typer.Option("--to", parser=day_or_moment, metavar="TIME", help="Until when.")]
COLUMNS = ("no.", "DER", "service", "for", "when", "state")


@verb(commitment, "request", changes=True)
def request_commitment(
    der: Annotated[str, typer.Argument(metavar="DER", help="The DER's name.")],
    *,
    service: Service,
    start: Starts,
    end: Ends,
    holder: HolderOption = "wholesale",
    aggregation: ToAggregation = None,
    program: Program = "",
    basis: Basis = "request",
    market: Annotated[str | None, typer.Option("--profile", help="Whose rules; that of the aggregation.")] = None,
    hold: Annotated[bool, typer.Option("--hold", help="Hold the DER at once, or refuse it.")] = False,
) -> None:
    """Ask for a DER in a time; the answer says what excludes it. With --dry-run nothing is kept.

    [bold]sep2 commitment request D1 --service energy --aggregation V --from 2027-06-01T16:00Z --to 2027-06-01T20:00Z[/]
    """
    server = api()
    body = t.NewCommitment(
        der=der,
        service=service,
        start=time_of(server, start) or 0,
        end=time_of(server, end) or 0,
        holder=holder,
        aggregation=aggregation,
        program=program,
        basis=basis,
        profile=market,
        hold=hold,
    )
    _say(server.change("POST", "/market/commitments", t.CommitmentShown, body))


@verb(commitment, "list")
def list_commitments(
    *,
    der: Annotated[str | None, typer.Option(help="Only of this DER.")] = None,
    aggregation: Annotated[str | None, typer.Option(help="Only of this aggregation.")] = None,
    state: Annotated[
        Literal["requested", "held", "released", "denied"] | None, typer.Option(help="Only in this state.")
    ] = None,
    start: MayStart = None,
    end: MayEnd = None,
    limit: Limit = 100,
    known_at: KnownAt = None,
) -> None:
    """Who has which DER for which service, the earliest first."""
    server = api()
    query = {"der": der, "aggregation": aggregation, "state": state, "start": time_of(server, start)}
    times = {"end": time_of(server, end), "known_at": time_of(server, known_at)}
    found = server.get("/market/commitments", Listed[t.Commitment], limit=limit, **query, **times)
    rows = [_row(one) for one in found.items]
    show(found, listed(found.total, len(found.items), "commitment"), columns=COLUMNS, rows=rows)


@verb(commitment, "show")
def show_commitment(number: Number) -> None:
    """One commitment with what excludes it, and every way it stood."""
    one = api().get(at("market", "commitments", str(number)), t.CommitmentShown)
    rows = [(str(v.version), v.state, span_of(v.start, v.end), v.recorded_by, v.reason) for v in one.versions]
    show(one, _said(one), columns=("version", "state", "when", "by", "reason"), rows=rows)


@verb(commitment, "hold", changes=True)
def hold_commitment(number: Number) -> None:
    """Have a requested commitment hold its DER, unless something that excludes it does."""
    _say(api().change("POST", at("market", "commitments", str(number), "hold"), t.CommitmentShown))


@verb(commitment, "deny", changes=True)
def deny_commitment(number: Number, *, reason: Annotated[str, typer.Option(help="The rule that it breaks.")]) -> None:
    """Refuse a request."""
    path = at("market", "commitments", str(number), "deny")
    _say(api().change("POST", path, t.CommitmentShown, t.Denial(reason=reason)))


@verb(commitment, "release", changes=True)
def release_commitment(number: Number, *, start: MayStart = None, end: MayEnd = None) -> None:
    """Give a DER free again, in all of the commitment's time that is still to come or a part of it."""
    server = api()
    body = t.CommitmentPart(start=time_of(server, start), end=time_of(server, end))
    done = server.change("POST", at("market", "commitments", str(number), "release"), t.FreedCommitment, body)
    show(done, f"{done.commitment.der} is free {span_of(done.freed_from, done.freed_to)}.")


@verb(commitment, "move", changes=True)
def move_commitment(
    number: Number,
    *,
    holder: HolderOption,
    service: Service,
    start: MayStart = None,
    end: MayEnd = None,
    aggregation: ToAggregation = None,
    program: Program = "",
    basis: Basis = "move",
) -> None:
    """Have a DER serve somebody else for some hours: given up and taken over in one, or not at all.

    [bold]sep2 commitment move 7 --for local --service local_energy --program Evening --from 2027-06-01T18:00[/]
    """
    server = api()
    body = t.CommitmentMove(
        service=service,
        holder=holder,
        start=time_of(server, start),
        end=time_of(server, end),
        aggregation=aggregation,
        program=program,
        basis=basis,
    )
    _say(server.change("POST", at("market", "commitments", str(number), "move"), t.CommitmentShown, body))


def _say(one: t.CommitmentShown) -> None:
    rows = [(str(c.commitment), c.service, c.holder, span_of(c.start, c.end)) for c in one.conflicts]
    show(one, _said(one), columns=("excluded by", "service", "for", "when") if rows else (), rows=rows)


def _said(one: t.CommitmentShown) -> str:
    clashes = f"; {counted(len(one.conflicts), 'commitment')} excludes it" if one.conflicts else ""
    whose = one.aggregation or one.program
    return f"{one.id}: {one.der}, {one.service} for {whose}, is {one.state} {span_of(one.start, one.end)}{clashes}."


def _row(one: t.Commitment) -> tuple[str, ...]:
    whose = f"{one.holder}, {one.aggregation or one.program}"
    return (str(one.id), one.der, one.service, whose, span_of(one.start, one.end), one.state)
