"""What the envelope commands print: tables and sentences of what was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from envelope import ratings
from envelope.fairness import fairness
from envelope.ledger import Whole

READING = (
    "Pairs are export/import. Price: means against the first.",
    "Worst tenth: what the worst-off tenth of the connections may use of what they could.",
    "Kept: inside the limits wherever the guarantee holds. Beyond: the worst at any corner, against the limit.",
)


def show_summary(summary: dict[str, Any]) -> None:
    """A run: how much, how evenly, by what policy, in what time; then what a person should know."""
    table = Table("", "export", "import")
    pairs = (
        ("mean kW", "{export_kw:.1f}", "{import_kw:.1f}"),
        ("least connection, mean W", "{export_least_w:.0f}", "{import_least_w:.0f}"),
        ("Jain's index", "{export_jain:.2f}", "{import_jain:.2f}"),
    )
    for name, *cells in pairs:
        table.add_row(name, *(cell.format(**summary) for cell in cells))
    _add_fairness(table, summary["fairness"])
    Console().print(table)
    typer.echo(
        f"{summary['feeder']}: {summary['connections']} connections, {summary['steps']} steps, {summary['guarantee']},"
        f" {summary['allocation']} of {summary['reference']}; {summary['seconds']:.2f} s,"
        f" {summary['solves']:.0f} power flows."
    )
    for line in told(summary):
        typer.echo(line)


def _add_fairness(table: Table, fairness: dict[str, dict[str, float]]) -> None:
    for key, name, form in (
        ("curtailed_kwh", "curtailed, kWh", "{:.0f}"),
        ("least_share", "least part granted", "{:.0%}"),
        ("worst_decile_share", "part granted to the worst-off tenth", "{:.0%}"),
        ("worst_decile_kwh", "curtailed of the worst-off tenth, kWh", "{:.1f}"),
    ):
        table.add_row(name, *(form.format(fairness[direction][key]) for direction in ("export", "import")))


def told(summary: dict[str, Any]) -> list[str]:
    """What goes below the table: ratings, findings, the ledger, files."""
    lines = [ratings.sentence(summary["thermal"])] if "thermal" in summary else []
    lines += summary["findings"]
    if "ledger" in summary:
        past = summary["ledger"]
        parts = (
            f"{direction} {past[direction]['curtailed_kwh']:.0f} kWh, the worst-off tenth"
            f" {past[direction]['worst_decile_kwh']:.1f} kWh ({past[direction]['worst_decile_share']:.0%} granted)"
            for direction in ("export", "import")
        )
        lines.append(f"Curtailed over the {past['days']:.1f} days in {past['file']}: {'; '.join(parts)}.")
    return [*lines, *(f"{name}: {summary[name]}" for name in ("file", "picture") if name in summary)]


def show_whole(found: Whole, most: int) -> None:
    """A ledger: its most curtailed connections, then how evenly all of it fell."""
    table = Table("connection", "export curtailed", "", "import curtailed", "")
    for k in found.order()[:most]:
        cells = []
        for direction in ("export", "import"):
            own = found.past[direction]
            cells += [f"{own.curtailed_wh[k] / 1e3:.1f} kWh", f"{own.share[k]:.0%}"]
        table.add_row(found.connection_id[k], *cells)
    Console().print(table)
    for direction, past in found.past.items():
        even = fairness(past)
        typer.echo(
            f"{direction}: {even.curtailed_kwh:.0f} of {even.asked_kwh:.0f} kWh curtailed over {found.days:.1f} days;"
            f" the worst-off tenth was granted {even.worst_decile_share:.0%}, the least {even.least_share:.0%};"
            f" Jain's index {even.jain:.2f}."
        )


def show_policies(rows: Sequence[dict[str, Any]]) -> None:
    """Policies side by side, each with its price against the first and what breaks at any corner."""
    table = Table(box=box.SIMPLE, padding=(0, 1))
    table.add_column("policy", min_width=18)
    for name in (
        "export\nkW", "import\nkW", "price\n%", "Jain", "worst\ntenth %", "kept", "beyond\nV", "beyond\n%",
    ):  # fmt: skip
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        kept = max(row["own_over_v"], row["own_under_v"], row["own_load_percent"]) <= 0.0
        price, tenth, jain = (
            [row[f"{direction}_{key}"] for direction in ("export", "import")]
            for key in ("price_percent", "worst_decile_share", "jain")
        )
        table.add_row(
            f"{row['guarantee']}, {row['allocation']}",
            f"{row['export_kw']:.1f}",
            f"{row['import_kw']:.1f}",
            f"{price[0]:+.0f}/{price[1]:+.0f}",
            f"{jain[0]:.2f}/{jain[1]:.2f}",
            f"{100 * tenth[0]:.0f}/{100 * tenth[1]:.0f}",
            "yes" if kept else "NO",
            f"{max(row['any_over_v'], row['any_under_v']):+.1f}",
            f"{row['any_load_percent']:+.1f}",
        )
    Console().print(table)
    first = rows[0]
    typer.echo(
        f"Beyond its guarantee, {first['guarantee']} breaks at corners that its limits allow:"
        f" {first['any_over_v']:+.1f} V over, {first['any_under_v']:+.1f} V under,"
        f" {first['any_load_percent']:+.1f} % load."
    )
    for line in READING:
        typer.echo(line)
