"""The day in five runs: no limits, fixed limits, envelopes, a larger transformer, and perfect information."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from rich.table import Table
from rich.text import Text

from envelope.demo.criteria import DayFlow, Figures, figures, limits_of, solve_day
from envelope.demo.day import STEP_S, STEPS, Day
from envelope.demo.devices import DayPowers, Limits, simulate
from envelope.problem import OperatingLimits, Problem, steps_from
from envelope.study.perfect_information import least_curtailment
from gridmodel import Feeder, Network, Reduced, reduce
from gridmodel.model import admittance as grid
from sep2.errors import SepError
from sep2.terminal import add_row, shown

STATIC_EXPORT_W = 5000.0
STATIC_CHARGER_SHARE = 0.5
"""Today's practice: 5 kW of export per phase for each connection, and chargers fixed at half their rating."""

SIZES_VA = tuple(1e3 * kva for kva in (25, 50, 63, 100, 200, 315, 500, 750, 1000, 1500, 2000))
"""Standard ratings of Australian and British distribution transformers, VA."""
US_SIZES_VA = tuple(1e3 * kva for kva in (5, 10, 15, 25, 37.5, 50, 75, 100, 167, 250, 333, 500))
"""Standard ratings of single-phase distribution transformers in North America, VA."""
LOW_VOLTAGE_V = 1000.0

RUNS = ("none", "static", "envelope", "upgrade", "perfect_information")
WIDTH = len("219.4…255.1") + 1
"""columns of the table are no wider than its widest figures"""
TITLES = {
    "none": "no limits",
    "static": "fixed limits",
    "envelope": "envelopes",
    "upgrade": "larger transformer",
    "perfect_information": "perfect information",
}


class NoEquipment(SepError):
    """The transformers of that feeder can not be exchanged."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One run: powers of the day, their power flow, and figures."""

    powers: DayPowers
    flow: DayFlow
    figures: Figures


def run(reduced: Reduced, day: Day, powers: DayPowers) -> Run:
    """Return a day's powers with their AC power flow and figures."""
    flow = solve_day(reduced, powers.s_va, day.source_v)
    return Run(powers, flow, figures(day, powers, flow))


def without_limits(reduced: Reduced, day: Day) -> Run:
    """Return the day without limits: all available solar power and all requested charging."""
    return run(reduced, day, simulate(day, Limits.none(len(day.connection_ids))))


def fixed_limits(reduced: Reduced, day: Day) -> Run:
    """Return the day under today's practice."""
    phases = np.bincount(reduced.network.connections.port_connection, minlength=len(day.connection_ids))
    limits = Limits(np.full(len(phases), np.inf), STATIC_EXPORT_W * phases.astype(float))
    return run(reduced, day, simulate(day, limits, STATIC_CHARGER_SHARE))


def compare_runs(reduced: Reduced, day: Day, envelope: DayPowers) -> dict[str, Run]:
    """Return the five runs by name; envelope: the powers of the simulated day."""
    none = without_limits(reduced, day)
    larger = run(reduce(with_larger_transformer(reduced.network)), day, none.powers)
    found = {"none": none, "static": fixed_limits(reduced, day), "envelope": run(reduced, day, envelope)}
    return found | {"upgrade": larger, "perfect_information": run(reduced, day, perfect_dispatch(reduced, day))}


def perfect_dispatch(reduced: Reduced, day: Day) -> DayPowers:
    """Return the powers with the least curtailed solar energy, all of the day known before and every car charged."""
    cars, step, shape = day.cars, np.arange(STEPS)[:, None], day.pv_w.shape
    rate_w, asked_wh = np.zeros(shape), np.zeros(shape[1])
    rate_w[:, cars.home] = np.where((cars.arrives <= step) & (step < cars.departs), cars.rate_w, 0.0)
    asked_wh[cars.home] = cars.asked_wh
    problem = Problem(
        reduced=reduced,
        step_start=steps_from(day.start, STEP_S, STEPS),
        step_s=STEP_S,
        base_load_w=-day.base_va.real,
        base_load_var=-day.base_va.imag,
        flex_gen_w=day.pv_w,
        flex_load_w=rate_w,
        source_v=day.source_v,
        limits=limits_of(reduced),
    )
    found = least_curtailment(problem, asked_wh)
    missing_wh = cars.asked_wh - found.draw_w.sum(axis=0)[cars.home] * STEP_S / 3600
    return DayPowers(found.feed_w, found.draw_w, day.base_va + found.feed_w - found.draw_w, missing_wh)


def share_of_possible(runs: Mapping[str, Run]) -> float:
    """Return solar energy used under envelopes as a part of that with perfect information; 1 where there is none."""
    used = {name: found.figures.pv_available_kwh - found.figures.pv_curtailed_kwh for name, found in runs.items()}
    most = used["perfect_information"]
    return used["envelope"] / most if most > 0.0 else 1.0


def with_larger_transformer(network: Network) -> Network:
    """Return the feeder with the next rating of every transformer to low voltage, at equal per-unit impedances."""
    equipment = network.equipment
    if equipment is None:
        raise NoEquipment(f"{network.name} is known by its admittances only; no transformer can be exchanged in it")
    transformers = tuple(
        replace(each, s_rated_va=next_size_va(each.s_rated_va)) if each.lv_v < LOW_VOLTAGE_V else each
        for each in equipment.transformers
    )
    taps = tuple(replace(each, s_rated_va=next_size_va(each.s_rated_va, US_SIZES_VA)) for each in equipment.centre_taps)
    return grid.network(replace(equipment, transformers=transformers, centre_taps=taps))


def next_size_va(size_va: float, sizes_va: tuple[float, ...] = SIZES_VA) -> float:
    """Return the next larger standard rating, VA; 1.5 times the given one beyond the largest."""
    return next((size for size in sizes_va if size > 1.01 * size_va), 1.5 * size_va)


def changes_table(feeder: Feeder) -> Table | None:
    """Return a table of differences from the published feeder; None: there are none."""
    if not feeder.changes:
        return None
    made = Table(
        title=Text(shown(f"{feeder.name}: what differs from the published data")),
        title_style="bold",
        header_style="bold",
    )
    for column in ("element", "value", "published", "here", "why"):
        made.add_column(column, justify="right" if column in ("published", "here") else "left")
    previous = ""
    for change in feeder.changes:
        why, previous = "" if change.why == previous else change.why, change.why
        add_row(made, change.element, change.field, f"{change.before:g}", f"{change.after:g}", why)
    return made


ROWS: tuple[tuple[str, str, str], ...] = (
    ("customers outside {:g} to {:g} V", "customers_outside_voltage", "{:d}"),
    ("highest voltage, V", "max_voltage_v", "{:.1f}"),
    ("lowest voltage, V", "min_voltage_v", "{:.1f}"),
    ("voltage P1 and P99, V", "p1_voltage_v p99_voltage_v", "{:.1f}…{:.1f}"),
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


def runs_table(runs: Mapping[str, Run]) -> Table:
    """Return a table of the runs; exceeded limits are highlighted."""
    made = Table(title="The same day, five times", title_style="bold", header_style="bold")
    made.add_column("")
    for name in runs:
        title = TITLES[name]
        made.add_column(title if len(title) <= WIDTH else title.replace(" ", "\n"), justify="right")
    limits = runs["none"].flow.bands.limits
    for label, fields, form in ROWS:
        made.add_row(
            label.format(limits.v_min_v, limits.v_max_v),
            *(_cell(found.figures, fields.split(), form, limits) for found in runs.values()),
        )
    return made


def _cell(found: Figures, fields: list[str], form: str, limits: OperatingLimits) -> str:
    text = form.format(*(getattr(found, field) for field in fields))
    bad = {
        "customers_outside_voltage": found.customers_outside_voltage > 0,
        "max_voltage_v": found.max_voltage_v > limits.v_max_v,
        "min_voltage_v": found.min_voltage_v < limits.v_min_v,
        "max_transformer_percent": found.max_transformer_percent > 100.0,
        "max_line_percent": found.max_line_percent > 100.0,
        "hours_over_rating": found.hours_over_rating > 0.0,
        "evs_short": found.evs_short > 0,
    }
    return f"[bold red]{text}[/]" if bad.get(fields[0], False) else text
