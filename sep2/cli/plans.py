"""`sep2 plan`: what aggregators intend, handed in for them and shown with the verdicts on it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from sep2.cli.api import api, at
from sep2.cli.market_times import day_or_moment, span_of, time_of
from sep2.cli.show import Limit, counted, listed, show
from sep2.cli.units import When, shown_power, shown_time, span
from sep2.cli.verb import verb
from sep2.partner import plan_types as t
from sep2.rest.types import Listed

plan = typer.Typer(no_args_is_help=True, help="Plans: what aggregations intend, and what the network says to it.")

COLUMNS = ("no.", "plan", "aggregation", "version", "when", "state", "flags")
CREDIT = ("DER", "day", "kept", "counts", "may rise to", "worst excess")
STEPS = ("node", "when", "low", "plan", "high", "verdict", "allowed", "bound by")


@verb(plan, "submit", changes=True)
def submit_plan(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="plan.json or plan.csv.")],
    *,
    aggregation: Annotated[str | None, typer.Option(help="Whose plan it is.")] = None,
    step: Annotated[int | None, typer.Option(parser=span, metavar="SPAN", help="Length of a step: 5m to 1h.")] = None,
    day: Annotated[str | None, typer.Option(metavar="DATE", help="The local day that it covers whole.")] = None,
    basis: Annotated[t.Basis | None, typer.Option(help="What it rests on; bid.")] = None,
    service: Annotated[str | None, typer.Option(help="energy, capacity, …; energy.")] = None,
    name: Annotated[str | None, typer.Option(help="The same name again is the next version.")] = None,
    waive_firm: Annotated[bool, typer.Option("--waive-firm", help="Contract minimums give way to the band.")] = False,
) -> None:
    """Hand in a plan for an aggregator; all that is wrong with it is said at once, and its verdict follows.

    A sheet has a line for each step: node or der, start (with its offset), low_kw, plan_kw, high_kw. JSON says what
    `POST /market/plans` takes; options take the place of what it says.

    [bold]sep2 plan submit plan.csv --aggregation VPP1 --step 15m --day 2027-03-14 --dry-run[/]
    """
    server = api()
    said = {
        "aggregation": aggregation,
        "step_s": step,
        "day": day,
        "basis": basis,
        "service": service,
        "name": name,
        "waive_firm": waive_firm or None,
    }
    body = _converted({**_read(file), **{field: value for field, value in said.items() if value is not None}})
    done = server.change("POST", "/market/plans", t.Plan, body)
    late = " It came too late for its day: what was planned before stands." if done.late else ""
    show(done, f"{done.name} of {done.aggregation} is plan {done.id} version {done.version}, {done.state}.{late}")


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text("utf-8")
        if file.suffix.lower() != ".json":
            return {"csv": text}
        return msgspec.json.decode(text, type=dict[str, Any])
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError) as wrong:
        raise typer.BadParameter(f"{file} can not be read: {wrong}") from None


def _converted(body: dict[str, Any]) -> t.NewPlan:
    try:
        return msgspec.convert(body, t.NewPlan)
    except msgspec.ValidationError as wrong:
        raise typer.BadParameter(str(wrong)) from None


@verb(plan, "list")
def list_plans(
    *,
    aggregation: Annotated[str | None, typer.Option(help="Only of this aggregation.")] = None,
    start: Annotated[When | None, typer.Option("--from", parser=day_or_moment, metavar="TIME", help="From.")] = None,
    end: Annotated[When | None, typer.Option("--to", parser=day_or_moment, metavar="TIME", help="Until.")] = None,
    every: Annotated[bool, typer.Option("--every", help="Also versions that a later one has replaced.")] = False,
    limit: Limit = 100,
) -> None:
    """Plans, the latest first, with what was found of each."""
    server = api()
    query = {"aggregation": aggregation, "start": time_of(server, start), "end": time_of(server, end)}
    more = {"every": "true"} if every else {}
    found = server.get("/market/plans", Listed[t.Plan], limit=limit, **query, **more)
    rows = [_row(one) for one in found.items]
    show(found, listed(found.total, len(found.items), "plan"), columns=COLUMNS, rows=rows)


@verb(plan, "show")
def show_plan(
    number: Annotated[int, typer.Argument(metavar="PLAN", help="Its number.")],
    *,
    version: Annotated[int | None, typer.Option(min=1, help="The one that stands.")] = None,
) -> None:
    """One plan: each step's band, what the network allows there, what binds, and why it is not known."""
    one = api().get(at("market", "plans", str(number)), t.PlanShown, version=version)
    last = one.verdicts[-1] if one.verdicts else None
    why = f" ({one.cause}{f': {last.detail}' if last and last.detail else ''})" if one.cause else ""
    run = f", by run {', '.join(each[:12] for each in last.run_ids)}" if last and last.run_ids else ""
    said = f"{one.name} of {one.aggregation}, version {one.version} of {len(one.versions)}: {one.state}{why}{run}"
    verdicts = f"; {counted(len(one.verdicts), 'verdict')}." if one.verdicts else "."
    rows = [row for node in one.nodes for row in _steps(node, one.step_s)]
    show(one, said + verdicts, columns=STEPS, rows=rows)


@verb(plan, "credit")
def show_credit(
    aggregation: Annotated[str, typer.Argument(metavar="AGGREGATION", help="Its name.")],
    *,
    every: Annotated[bool, typer.Option("--every", help="All judged days, not only each member's last one.")] = False,
) -> None:
    """How members kept the bands of accepted plans, and how far their next ones count in limits.

    At 100 % a member is counted with no more than its band, so that others get what it leaves; at 0 % with all that it
    can do, as if there were no plan. It rises slowly as bands are kept, and falls at once (`sep2 market profile show`).
    """
    path = at("market", "aggregations", aggregation, "credit")
    found = api().get(path, t.Credit, **({"every": "true"} if every else {}))
    rows = [_credit_row(one) for one in found.days]
    many = counted(len({one.der for one in found.days}), "member")
    none = " No day has been judged: a plan has to be accepted, and a day with it settled." if not rows else ""
    show(found, f"{many} of {found.aggregation} with judged plans.{none}", columns=CREDIT, rows=rows)


def _credit_row(one: t.KeptDay) -> tuple[str, ...]:
    parts = (f"{100 * part:.0f} %" for part in (one.credit, one.target, one.worst))
    return (one.der, shown_time(one.day), f"{one.kept} of {one.tested}", *parts)


def _row(one: t.Plan) -> tuple[str, ...]:
    flags = ["late"] if one.late else [] if one.stands else ["superseded"]
    state = f"{one.state}: {one.cause}" if one.cause else one.state
    span = span_of(one.start, one.end)
    return (str(one.id), one.name, one.aggregation, str(one.version), span, state, ", ".join(flags))


def _steps(node: t.PlanNodeShown, step_s: int) -> Iterator[tuple[str, ...]]:
    """Steps of a node as rows, equal neighbours as one."""
    begun: t.PlanStep | None = None
    for n, one in enumerate(node.steps):
        begun = begun or one
        after = node.steps[n + 1] if n + 1 < len(node.steps) else None
        if after is None or msgspec.structs.replace(after, start=one.start) != one:
            powers = shown_power(round(one.low_w)), shown_power(round(one.plan_w)), shown_power(round(one.high_w))
            allowed = "" if one.max_w is None else f"{shown_power(one.min_w)} to {shown_power(one.max_w)}"
            verdict = f"{one.state}: {one.cause}" if one.cause else one.state
            yield (node.node, span_of(begun.start, one.start + step_s), *powers, verdict, allowed, one.binding)
            begun = None
