"""The day four times over: without limits, with today's fixed limits, with envelopes, and with a larger transformer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from rich.table import Table
from rich.text import Text

from envelope.demo.criteria import Figures, Solved, figures, solved
from envelope.demo.day import Day
from envelope.demo.devices import Limits, Played, play
from gridmodel import Feeder, Network, Reduced, reduce
from gridmodel.model import admittance as grid
from sep2.errors import SepError
from sep2.terminal import add_row, shown

STATIC_EXPORT_W = 5000.0
STATIC_CHARGER_SHARE = 0.5
"""Today's practice: 5 kW of export per phase for everyone, and chargers fixed at half their rating."""

SIZES_VA = tuple(1e3 * kva for kva in (25, 50, 63, 100, 200, 315, 500, 750, 1000, 1500, 2000))
"""Distribution transformers as Australian and British utilities stock them."""
LOW_VOLTAGE_V = 1000.0

RUNS = ("none", "static", "envelope", "upgrade")
TITLES = {
    "none": "no limits",
    "static": "fixed limits",
    "envelope": "envelopes",
    "upgrade": "larger transformer",
}


class NoEquipment(SepError):
    """The transformers of that feeder can not be exchanged."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One of the four: how the day went, in the power flow, in figures."""

    played: Played
    solved: Solved
    figures: Figures


def run(reduced: Reduced, day: Day, played: Played) -> Run:
    """A played day in the AC power flow."""
    found = solved(reduced, played.s_va, day.source_v)
    return Run(played, found, figures(day, played, found))


def without_limits(reduced: Reduced, day: Day) -> Run:
    """Everyone feeds in what the roof gives and charges when the car wants to."""
    return run(reduced, day, play(day, Limits.none(len(day.connection_ids))))


def fixed_limits(reduced: Reduced, day: Day) -> Run:
    """Today's practice."""
    phases = np.bincount(reduced.network.connections.slot_connection, minlength=len(day.connection_ids))
    limits = Limits(np.full(len(phases), np.inf), STATIC_EXPORT_W * phases.astype(float))
    return run(reduced, day, play(day, limits, STATIC_CHARGER_SHARE))


def four_runs(reduced: Reduced, day: Day, envelope: Played) -> dict[str, Run]:
    """The four runs by name; the envelope's is the day as it was played."""
    none = without_limits(reduced, day)
    larger = run(reduce(with_larger_transformer(reduced.network)), day, none.played)
    found = {"none": none, "static": fixed_limits(reduced, day), "envelope": run(reduced, day, envelope)}
    return found | {"upgrade": larger}


def with_larger_transformer(network: Network) -> Network:
    """The same feeder with the next size of every transformer to low voltage, per-unit impedances kept."""
    equipment = network.equipment
    if equipment is None:
        raise NoEquipment(f"{network.name} is known by its admittances only; no transformer can be exchanged in it")
    transformers = tuple(
        replace(each, s_rated_va=next_size_va(each.s_rated_va)) if each.lv_v < LOW_VOLTAGE_V else each
        for each in equipment.transformers
    )
    return grid.network(replace(equipment, transformers=transformers))


def next_size_va(size_va: float) -> float:
    """The next larger transformer in stock; half as much again beyond the largest."""
    return next((size for size in SIZES_VA if size > 1.01 * size_va), 1.5 * size_va)


def changes(feeder: Feeder) -> Table | None:
    """What differs from the feeder as published, or None where nothing does."""
    if not feeder.changes:
        return None
    made = Table(
        title=Text(shown(f"{feeder.name}: what differs from the published data")),
        title_style="bold",
        header_style="bold",
    )
    for column in ("element", "value", "published", "here", "why"):
        made.add_column(column, justify="right" if column in ("published", "here") else "left")
    said = ""
    for change in feeder.changes:
        why, said = "" if change.why == said else change.why, change.why
        add_row(made, change.element, change.field, f"{change.before:g}", f"{change.after:g}", why)
    return made


ROWS: tuple[tuple[str, str, str], ...] = (
    ("customers outside 216 to 253 V", "customers_outside_voltage", "{:d}"),
    ("highest voltage, V", "max_voltage_v", "{:.1f}"),
    ("lowest voltage, V", "min_voltage_v", "{:.1f}"),
    ("voltage P1 and P99, V", "p1_voltage_v p99_voltage_v", "{:.1f} … {:.1f}"),
    ("transformer, % of rating (worst phase)", "max_transformer_percent", "{:.0f}"),
    ("transformer peak, kVA", "peak_kva", "{:.0f}"),
    ("cable, % of rating (worst)", "max_line_percent", "{:.0f}"),
    ("hours over a rating", "hours_over_rating", "{:.1f}"),
    ("voltage unbalance P95, %", "unbalance_p95_percent", "{:.2f}"),
    ("solar curtailed, kWh", "pv_curtailed_kwh", "{:.0f}"),
    ("solar curtailed, %", "pv_curtailed_percent", "{:.1f}"),
    ("car energy asked, kWh", "ev_kwh_asked", "{:.0f}"),
    ("car energy by departure, kWh", "ev_kwh_by_departure", "{:.0f}"),
    ("cars short at departure", "evs_short", "{:d}"),
)


def table(runs: Mapping[str, Run]) -> Table:
    """The four runs side by side; what breaks a limit stands out."""
    made = Table(title="The same day, four times", title_style="bold", header_style="bold")
    made.add_column("")
    for name in runs:
        made.add_column(TITLES[name], justify="right")
    for label, fields, form in ROWS:
        made.add_row(label, *(_cell(found.figures, fields.split(), form) for found in runs.values()))
    return made


def _cell(found: Figures, fields: list[str], form: str) -> str:
    text = form.format(*(getattr(found, field) for field in fields))
    bad = {
        "customers_outside_voltage": found.customers_outside_voltage > 0,
        "max_voltage_v": found.max_voltage_v > 253.0,
        "min_voltage_v": found.min_voltage_v < 216.0,
        "max_transformer_percent": found.max_transformer_percent > 100.0,
        "max_line_percent": found.max_line_percent > 100.0,
        "hours_over_rating": found.hours_over_rating > 0.0,
        "evs_short": found.evs_short > 0,
    }
    return f"[bold red]{text}[/]" if bad.get(fields[0], False) else text
