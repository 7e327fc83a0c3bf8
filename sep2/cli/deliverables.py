"""`sep2 aggregation deliverable`: what members of an aggregation can do together within the network's limits."""

from typing import Annotated

import typer

from sep2.cli.aggregations import Name
from sep2.cli.aggregations import aggregation as root
from sep2.cli.api import api, at
from sep2.cli.market_times import KnownAt, day_or_moment, span_of, time_of
from sep2.cli.show import counted, show
from sep2.cli.units import When, shown_power, span
from sep2.cli.verb import verb
from sep2.partner import deliverable_types as t

__all__ = ["root"]

COLUMNS = ("node", "DERs", "when", "least", "most", "firm", "least is bound by", "most is bound by")


@verb(root, "deliverable")
def show_deliverable(
    name: Name,
    *,
    level: Annotated[t.Level, typer.Option(help="Nodes by which DERs are summed.")] = "all",
    start: Annotated[When | None, typer.Option("--from", parser=day_or_moment, metavar="TIME", help="From.")] = None,
    end: Annotated[When | None, typer.Option("--to", parser=day_or_moment, metavar="TIME", help="Until.")] = None,
    step: Annotated[
        int | None, typer.Option(parser=span, metavar="SPAN", help="Length of a step; as the published run.")
    ] = None,
    known_at: KnownAt = None,
) -> None:
    """What an aggregation's members can do: sums of their published limits and reach, injection positive.

    [bold]sep2 aggregation deliverable VPP1 --level transformer --from 2027-06-01 --to 2027-06-02[/]
    """
    server = api()
    query = {"start": time_of(server, start), "end": time_of(server, end), "known_at": time_of(server, known_at)}
    path = at("market", "aggregations", name, "deliverable")
    found = server.get(path, t.Deliverables, level=level, step_s=step, **query)
    rows = [_row(node, one) for node in found.nodes for one in node.spans]
    said = f"{found.aggregation}: {counted(len(found.nodes), 'node')}, from {_runs(found.run_ids)}."
    why = "".join(f" {cause}: {text}." for cause, text in found.details.items() if _is_said(found, cause))
    none = f" {found.none_because}." if found.none_because else ""
    show(found, said + why + none, columns=COLUMNS, rows=rows)


def _runs(ids: list[str]) -> str:
    return f"run {', '.join(one[:12] for one in ids)}" if ids else "no published run"


def _is_said(found: t.Deliverables, cause: str) -> bool:
    return any(one.cause == cause for node in found.nodes for one in node.spans)


def _row(node: t.NodeDeliverable, one: t.DeliverableSpan) -> tuple[str, ...]:
    when = span_of(one.start, one.end)
    if one.cause:
        return (node.node, str(node.members), when, "", "", "", f"cannot tell: {one.cause}", "")
    firm = f"{shown_power(one.firm_min_w)} to {shown_power(one.firm_max_w)}"
    powers = shown_power(one.min_w), shown_power(one.max_w), firm
    return (node.node, str(node.members), when, *powers, one.binding_min, one.binding_max)
