"""`sep2 find`, `network`, `calendar`, `report` and the verb `history`: looking over everything."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, get_args

import msgspec
import typer

from sep2.admin import types as t
from sep2.cli.api import api, at
from sep2.cli.exporting import export
from sep2.cli.limits import LIMIT_COLUMNS, limit_cells
from sep2.cli.show import Limit, counted, listed, show
from sep2.cli.telemetry import From, Until, within
from sep2.cli.units import shown_time
from sep2.cli.verb import verb
from sep2.rules.names import last_part

root = typer.Typer()
feeder = typer.Typer(no_args_is_help=True, help="Feeders that are modelled: what is expected of them.")
report = typer.Typer(no_args_is_help=True, help="Reports: how limits were kept, over a month or any time.")


@verb(root, "find")
def find_things(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="How a name, connection, LFDI or mRID begins.")],
    limit: Annotated[int, typer.Option(min=1, max=50, help="How many at most.")] = 20,
) -> None:
    """Find connections, clients, devices and all else by how a name or number begins.

    [bold]sep2 find NMI41[/]
    """
    found = api().get("/search", list[t.Hit], q=text, limit=limit)
    show(
        found,
        f"{counted(len(found), 'result')} for {text!r}.",
        columns=("kind", "name or id", "of it"),
        rows=((one.kind, one.id, one.detail) for one in found),
    )


@verb(root, "network")
def show_network(
    place: Annotated[str | None, typer.Argument(metavar="PLACE", help="What lies below it; without: all.")] = None,
    limit: Limit = 100,
) -> None:
    """Places with the worst loading and voltage that is expected below them, the most urgent first.

    [bold]sep2 network FD7[/]
    """
    found = api().get("/network", t.NetworkBelow, place=place, limit=limit)
    feeders = f"; modelled here: {', '.join(map(last_part, found.feeders))}" if found.feeders else ""
    show(
        found,
        f"{counted(found.total, 'place')} {f'directly below {place}' if place else 'at the top'}{feeders}.",
        columns=("place", "kind", "loading", "highest voltage", "lowest voltage", "devices"),
        rows=(
            (
                one.place.name,
                one.place.kind,
                shown_figure(one.loading),
                shown_figure(one.high),
                shown_figure(one.low),
                str(one.place.devices),
            )
            for one in found.below
        ),
    )


def shown_figure(one: t.Figure | None) -> str:
    """A figure in percent, when and where; `?` where nothing is known."""
    return "?" if one is None else f"{100 * one.value:.1f} % at {shown_time(one.at)}, {one.where}"


@verb(feeder, "list")
def list_feeders(limit: Limit = 100) -> None:
    """Feeders that are modelled, with the worst that is expected of each."""
    found = api().get("/feeders", t.Listed[t.FeederListed], limit=limit)
    show(
        found,
        listed(found.total, len(found.items), "feeder"),
        columns=("feeder", "place", "loading", "highest voltage", "lowest voltage", "until"),
        rows=(
            (
                last_part(one.feeder),
                one.place or "",
                *map(shown_figure, (one.loading, one.high, one.low)),
                shown_time(one.until),
            )
            for one in found.items
        ),
    )


@verb(feeder, "show")
def show_feeder(name: Annotated[str, typer.Argument(metavar="FEEDER", help="Its name.")]) -> None:
    """A feeder hour by hour: its highest loading and its voltages, as they are expected."""
    found = api().get(at("feeders", name), t.FeederShown)
    hours = [one for one in found.course if one.start % 3600 == 0]
    show(
        found,
        f"Feeder {name}, run {found.feeder.run[:8]}: {found.feeder.report}",
        columns=("from", "highest loading", "lowest voltage", "highest voltage"),
        rows=((shown_time(one.start), *map(_share, (one.loading, one.low, one.high))) for one in hours),
    )


def _share(value: float | None) -> str:
    return "?" if value is None else f"{100 * value:.1f} %"


@verb(root, "calendar")
def show_calendar(*, since: From = None, until: Until = None) -> None:
    """What operators have issued over a time: overrides, schedules, controls of groups; alike ones together.

    [bold]sep2 calendar --from 00:00[/]
    """
    server = api()
    found = server.get("/calendar", t.Calendar, **within(server, since, until))
    show(
        found,
        f"{counted(len(found.bars), 'entry')} from {shown_time(found.since)} until {shown_time(found.until)}.",
        columns=("source", "of", "alike", "from", "until", *LIMIT_COLUMNS, "reason"),
        rows=(
            (
                one.source,
                one.subject,
                str(one.count),
                shown_time(one.start),
                shown_time(one.end),
                *limit_cells(one.limits),
                one.reason,
            )
            for one in found.bars
        ),
    )


By = Annotated[str, typer.Option(help=f"One of {', '.join(get_args(t.ReportBy))}.")]
Place = Annotated[str | None, typer.Option(help="Only below this place.")]
Client = Annotated[str | None, typer.Option(help="Only of this client.")]
Make = Annotated[str | None, typer.Option(help="Only devices of this make.")]
COLUMNS: dict[str, type] = {
    field.name: str if field.type is str else float for field in msgspec.structs.fields(t.ReportRow)
}


@verb(report, "show")
def show_report(
    *,
    by: By = "month",
    place: Place = None,
    client: Client = None,
    make: Make = None,
    since: From = None,
    until: Until = None,
    limit: Limit = 500,
) -> None:
    """How limits were kept: obedience, coverage and energy beyond limits, over the last 30 days or any time.

    [bold]sep2 report show --by client[/]
    """
    server = api()
    asked = {"by": by, "place": place, "client": client, "make": make, **within(server, since, until)}
    found = server.get("/reports/compliance", t.Listed[t.ReportRow], **asked, limit=limit)
    show(
        found,
        f"{listed(found.total, len(found.items), 'row')} Unknown time is never counted as kept.",
        columns=(by, "limited", "obedience", "coverage", "beyond the limit"),
        rows=(
            (
                one.name,
                f"{one.limited_h:.1f} h",
                _percent(one.obedience_percent),
                _percent(one.coverage_percent),
                f"{one.beyond_limit_kwh:.3f} kWh",
            )
            for one in found.items
        ),
    )


@verb(report, "export")
def export_report(
    file: Annotated[Path, typer.Argument(help="Where to: .csv or .parquet; - is standard output.", allow_dash=True)],
    *,
    by: By = "month",
    place: Place = None,
    client: Client = None,
    make: Make = None,
    since: From = None,
    until: Until = None,
) -> None:
    """Write the report to a file, in the form that a regulator is given: local times, hours, percent and kWh.

    [bold]sep2 report export july.csv --by feeder[/]
    """
    server = api()
    asked = {"by": by, "place": place, "client": client, "make": make, **within(server, since, until)}
    rows = server.all("/reports/compliance", t.Listed[t.ReportRow], **asked)
    count = export(file, COLUMNS, (msgspec.structs.asdict(one) for one in rows))
    if str(file) != "-":
        show(t.Done(message=f"{count}"), f"{counted(count, 'row')} written to {file}.")


def _percent(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f} %"


def history_of(noun: t.HistoryNoun) -> Callable[..., None]:
    """The command `history` of a noun."""

    def show_history(
        of: Annotated[str, typer.Argument(metavar=noun.upper(), help="Its name or id, also of one that is gone.")],
        limit: Limit = 50,
    ) -> None:
        found = api().get("/history", t.Listed[t.Entry], noun=noun, of=of, limit=limit)
        show(
            found,
            listed(found.total, len(found.items), "entry"),
            columns=("time", "operator", "verb", "subject", "outcome", "asked"),
            rows=(
                (shown_time(one.at), one.operator, one.verb, one.subject, one.outcome, _asked(one))
                for one in found.items
            ),
        )

    show_history.__doc__ = f"Who changed this {noun}, when and how, newest first."
    return show_history


def _asked(entry: t.Entry) -> str:
    asked = (msgspec.json.decode(entry.detail) or {}).get("asked") or {}
    return ", ".join(f"{name} {value}" for name, value in asked.items() if value not in (None, [], {}))


def add_history(noun: t.HistoryNoun, app: typer.Typer) -> None:
    """Give a noun the verb `history`."""
    verb(app, "history")(history_of(noun))
