"""Tables and sentences that the envelope commands print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from envelope.problem import thermal_ratings as ratings
from envelope.schedule.curtailment import fairness
from envelope.schedule.ledger import Whole
from sep2.terminal import add_row, console, say

READING = (
    "Pairs are export/import. Price: mean kW against the first.",
    "Tenth: part of their capacity that the worst-off tenth of the connections may use.",
    "Breaks: largest violation at any corner that the limits allow, V and % of a rating.",
)


FILES = ("file", "report", "picture", "plan")


def show_summary(summary: dict[str, Any]) -> None:
    """Print a run: amounts, fairness, policy and time, then sentences about the rest."""
    table = Table("", "export", "import")
    pairs = (
        ("mean kW", "{export_kw:.1f}", "{import_kw:.1f}"),
        ("least connection, mean W", "{export_least_w:.0f}", "{import_least_w:.0f}"),
        ("Jain's index", "{export_jain:.2f}", "{import_jain:.2f}"),
    )
    for name, *cells in pairs:
        add_row(table, name, *(cell.format(**summary) for cell in cells))
    _add_fairness(table, summary["fairness"])
    console().print(table)
    say(
        f"{summary['feeder']}: {summary['connections']} connections, {summary['steps']} steps, {summary['guarantee']},"
        f" {summary['allocation']} of {summary['reference']}; {summary['seconds']:.2f} s,"
        f" {summary['solves']:.0f} power flows."
    )
    for line in summary_lines(summary):
        say(line)


def _add_fairness(table: Table, fairness: dict[str, dict[str, float]]) -> None:
    for key, name, form in (
        ("curtailed_kwh", "curtailed, kWh", "{:.0f}"),
        ("least_share", "least part granted", "{:.0%}"),
        ("worst_decile_share", "part granted to the worst-off tenth", "{:.0%}"),
        ("worst_decile_kwh", "curtailed of the worst-off tenth, kWh", "{:.1f}"),
    ):
        add_row(table, name, *(form.format(fairness[direction][key]) for direction in ("export", "import")))


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """Return the sentences below the table: assumptions, what binds, ratings, findings, the ledger, files."""
    lines = [
        *summary.get("assumed", ()),
        *_band_lines(summary.get("limits", {})),
        *_binding_lines(summary.get("held_back", {})),
    ]
    lines += [ratings.sentence(summary["thermal"])] if "thermal" in summary else []
    lines += summary["findings"]
    other = summary.get("beyond_guarantee")
    if other and max(other.values()) > 0.0:
        lines.append(
            f"{summary['guarantee'].split(' ')[0]}: clients that keep these limits in any other mix reach"
            f" {_beyond(other)} beyond; `sep2 envelope compare` shows what safer limits cost"
        )
    if "ledger" in summary:
        past = summary["ledger"]
        parts = (
            f"{direction} {past[direction]['curtailed_kwh']:.0f} kWh, the worst-off tenth"
            f" {past[direction]['worst_decile_kwh']:.1f} kWh ({past[direction]['worst_decile_share']:.0%} granted)"
            for direction in ("export", "import")
        )
        lines.append(f"Curtailed over the {past['days']:.1f} days in {past['file']}: {'; '.join(parts)}.")
    return [*lines, *(f"{name}: {summary[name]}" for name in FILES if name in summary)]


def _band_lines(limits: dict[str, Any]) -> list[str]:
    """Return the voltage bands, where connections are at several levels."""
    if not limits.get("bands"):
        return []
    first = f"{limits['v_min_v']:g} to {limits['v_max_v']:g} V"
    more = (f"{band['low_v']:.0f} to {band['high_v']:.0f} V at {band['nominal_v']:.0f} V" for band in limits["bands"])
    return [f"voltage limits ({limits['source']}), phase to neutral: {'; '.join([first, *more])}"]


def _binding_lines(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return which constraints bind most, per direction."""
    binding = {
        direction: ", ".join(f"{one['binding']} ({one['part']:.0%})" for one in most)
        for direction, most in found.items()
    }
    return [f"{direction} is held back by {what or 'nothing'}" for direction, what in binding.items()]


def _beyond(worst: dict[str, float]) -> str:
    return f"{worst['over_v']:+.1f} V over, {worst['under_v']:+.1f} V under, {worst['overload_percent']:+.1f} % load"


def show_whole(found: Whole, most: int) -> None:
    """Print a ledger: its most curtailed connections, then how evenly curtailment is distributed."""
    table = Table("connection", "export curtailed", "", "import curtailed", "")
    for k in found.order()[:most]:
        cells = []
        for direction in ("export", "import"):
            own = found.past[direction]
            cells += [f"{own.curtailed_wh[k] / 1e3:.1f} kWh", f"{own.share[k]:.0%}"]
        add_row(table, found.connection_id[k], *cells)
    console().print(table)
    for direction, past in found.past.items():
        even = fairness(past)
        say(
            f"{direction}: {even.curtailed_kwh:.0f} of {even.asked_kwh:.0f} kWh curtailed over {found.days:.1f} days;"
            f" the worst-off tenth was granted {even.worst_decile_share:.0%}, the least {even.least_share:.0%};"
            f" Jain's index {even.jain:.2f}."
        )


def show_policies(rows: Sequence[dict[str, Any]], bound: Mapping[str, float]) -> None:
    """Print policies, each with its cost against the first and the largest violation at any corner."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("guarantee", "allocation"):
        table.add_column(name, no_wrap=True)
    for name in ("export\nkW", "import\nkW", "price\n%", "tenth\n%", "Jain's\nindex", "breaks\nV / %"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        price, tenth, jain = (
            [row[f"{direction}_{key}"] for direction in ("export", "import")]
            for key in ("price_percent", "worst_decile_share", "jain")
        )
        add_row(
            table,
            row["guarantee"],
            row["allocation"],
            f"{row['export_kw']:.1f}",
            f"{row['import_kw']:.1f}",
            f"{price[0]:+.0f}/{price[1]:+.0f}",
            f"{100 * tenth[0]:.0f}/{100 * tenth[1]:.0f}",
            f"{jain[0]:.2f}/{jain[1]:.2f}",
            f"{max(row['any_over_v'], row['any_under_v']):+.1f}/{row['any_load_percent']:+.1f}",
        )
    console().print(table)
    for line in (*READING, *_concluded(rows), *_recovered(rows, bound)):
        say(line)


def _recovered(rows: Sequence[dict[str, Any]], bound: Mapping[str, float]) -> list[str]:
    """The possible power, and the part of it that each policy recovers."""
    parts = (
        f"{row['guarantee']}, {row['allocation']} {row['export_of_possible']:.0%}/{row['import_of_possible']:.0%}"
        for row in rows
    )
    return [
        f"With perfect information, {bound['export_kw']:.1f} kW of export or {bound['import_kw']:.1f} kW of import are"
        " possible on average, all devices under one control and the other direction idle.",
        f"Withheld even then: {'; '.join(_withheld(bound, direction) for direction in ('export', 'import'))}.",
        f"Part of that which each policy recovers: {'; '.join(parts)}.",
    ]


def _withheld(bound: Mapping[str, float], direction: str) -> str:
    """Power of a direction that perfect information withholds, by what withholds it."""
    ratings, voltage = (bound[f"{direction}_withheld_by_{what}_kw"] for what in ("ratings", "voltage"))
    return f"{ratings:.1f} kW of {direction} by ratings of cables and transformers, {voltage:.1f} kW more by voltage"


def _concluded(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return violations beyond the first guarantee, each guarantee's cost, and guarantees that do not hold."""
    first = rows[0]
    worst = {key: first[f"any_{short}"] for key, short in _SHORT.items()}
    lines = [f"Beyond its guarantee, {first['guarantee']} breaks at corners that its limits allow: {_beyond(worst)}."]
    if max(worst.values()) <= 0.0:
        lines = [f"Here even {first['guarantee']} breaks at no corner that its limits allow."]
    alike = [row for row in rows[1:] if row["allocation"] == first["allocation"]]
    if alike:
        costs = (
            f"{row['guarantee']} {row['export_price_percent']:+.0f} % export,"
            f" {row['import_price_percent']:+.0f} % import"
            for row in alike
        )
        lines.append(f"What a guarantee costs at the same allocation ({first['allocation']}): {'; '.join(costs)}.")
    lines += [
        f"NOT inside its own guarantee: {row['guarantee']}, {row['allocation']}."
        for row in rows
        if max(row[f"own_{short}"] for short in _SHORT.values()) > 0.0
    ]
    return lines


_SHORT = {"over_v": "over_v", "under_v": "under_v", "overload_percent": "load_percent"}
"""Figures of a verification, and their names in a row of policies."""
