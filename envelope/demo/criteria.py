"""Figures of a run: voltages, loading, curtailed solar energy and cars short of energy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from envelope.demo.day import STEP_S, Day
from envelope.demo.devices import ENOUGH_WH, DayPowers
from envelope.problem import OperatingLimits, voltage_criterion
from envelope.problem.limits import voltage_levels
from gridmodel import Reduced, port_va
from gridmodel.arrays import TURN, Complex, Index, Mask, Real
from gridmodel.flow import power_flow as flow
from sep2.errors import SepError

MEAN_STEPS, LOAD_STEPS = 600 // STEP_S, 1800 // STEP_S
"""Supply standards judge ten-minute means (EN 50160 4.2.2; AS 61000.3.100)."""
CRITERIA = ("as-61000.3.100", "ansi-c84.1-a")
"""The first that is meant for all customers' low voltages is the demonstration's."""


class NoSolution(SepError):
    """The day has power flows without a solution."""


@dataclass(frozen=True, slots=True, eq=False)
class PortBands:
    """Voltage limits at L ports, in V phase-to-neutral of the level that the limits' first band is for."""

    limits: OperatingLimits
    unit: Real
    """(L,) V across a port that count as 1 V of that level: 2 across both halves of a split-phase service."""
    low_v: Real
    high_v: Real
    """(L,)"""
    connection: Index
    """(L,) connection of each port."""


@dataclass(frozen=True, slots=True, eq=False)
class DayFlow:
    """Power flow of a day: T steps, L ports, B monitored branch phases."""

    voltage_v: Real
    """(T, L) at the customers, in V phase-to-neutral of the level that the limits' first band is for."""
    bands: PortBands
    """Limits of those."""
    loading: Real
    """(T, B) current over rating, of every branch phase with a rating."""
    is_transformer: Mask
    """(B,)"""
    transformer_va: Real
    """(T,) apparent power through the transformer."""
    unbalance: Real
    """(T,) largest ratio of negative to positive sequence voltage at any customer's three-phase node."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of one run of the day; voltages as in `DayFlow`."""

    max_voltage_v: float
    min_voltage_v: float
    p99_voltage_v: float
    p1_voltage_v: float
    customers_outside_voltage: int
    max_transformer_percent: float
    peak_kva: float
    max_line_percent: float
    hours_over_rating: float
    max_mean_load_percent: float
    """Highest half-hourly mean load of any rated part: ratings are thermal."""
    unbalance_p95_percent: float
    pv_available_kwh: float
    pv_curtailed_kwh: float
    pv_curtailed_percent: float
    ev_kwh_asked: float
    ev_kwh_by_departure: float
    evs: int
    evs_short: int

    @property
    def breaks(self) -> tuple[str, ...]:
        """Limits of the feeder that were exceeded."""
        found = {
            "voltage": self.customers_outside_voltage > 0,
            "rating": self.max_mean_load_percent > 100.0,
        }
        return tuple(name for name, broken in found.items() if broken)

    def as_json(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)


def limits_of(reduced: Reduced) -> OperatingLimits:
    """Return the voltage limits of a feeder's customers, per unit of their own nominal voltages."""
    levels = voltage_levels(reduced)
    fit = (name for name in CRITERIA if all(map(voltage_criterion(name).suits, levels)))
    return OperatingLimits.of(next(fit, CRITERIA[0])).at_levels(levels)


def port_bands(reduced: Reduced) -> PortBands:
    """Return the voltage limits at the customers' ports."""
    limits, network = limits_of(reduced), reduced.network
    nominal_v = network.terminal_nominal_v[network.connections.port_plus]
    low_v, high_v, unit = limits.voltages_at(nominal_v)
    across = unit * reduced.nominal_v / nominal_v
    return PortBands(limits, across, low_v / unit, high_v / unit, network.connections.port_connection)


def solve_day(reduced: Reduced, s_va: Complex, source_v: Complex | None) -> DayFlow:
    """Return the day's power flows; a connection's power is divided equally between its phases."""
    result = flow.solve(reduced, port_va(reduced.network, s_va), source_v)
    if not result.converged.all():
        raise NoSolution(f"{int((~result.converged).sum())} of {len(s_va)} steps; the feeder is far too weak")
    current = flow.currents(reduced, result)
    rated = np.isfinite(reduced.rating_a) & (reduced.rating_a > 0)
    kinds = np.array([reduced.network.branches.kind[k] for k in reduced.current_branch])[rated]
    phasor, bands = flow.phasors(reduced, result), port_bands(reduced)
    return DayFlow(
        voltage_v=np.abs(result.v) / bands.unit,
        bands=bands,
        loading=current[:, rated] / reduced.rating_a[rated],
        is_transformer=kinds == "transformer",
        transformer_va=_transformer_va(reduced, flow.current_phasors(reduced, result), phasor),
        unbalance=_unbalance(reduced, phasor),
    )


def _transformer_va(reduced: Reduced, current: Complex, phasor: Complex) -> Real:
    """Return the apparent power at the transformer's low-voltage side, (T,) VA."""
    branches = reduced.network.branches
    at = {int(terminal): n for n, terminal in enumerate(reduced.node_terminal)}
    total = np.zeros(len(current), dtype=complex)
    for column, (branch, side, phase) in enumerate(
        zip(reduced.current_branch, reduced.current_side, reduced.current_phase, strict=True)
    ):
        if branches.kind[branch] == "transformer":
            ends = branches.terminals[branch, 3 * side : 3 * side + 3]
            terminal = next(t for t in ends if t >= 0 and reduced.network.terminal_phase[t] == phase)
            total += phasor[:, at[int(terminal)]] * np.conj(current[:, column])
    return np.abs(total)


def _unbalance(reduced: Reduced, phasor: Complex) -> Real:
    """Return the largest voltage unbalance over the customers' three-phase nodes, (T,)."""
    network = reduced.network
    at = {(int(network.terminal_node[t]), network.terminal_phase[t]): n for n, t in enumerate(reduced.node_terminal)}
    nodes = [n for n in sorted(set(network.connections.node.tolist())) if all((n, p) in at for p in "abc")]
    if not nodes:
        return np.zeros(len(phasor))
    va, vb, vc = (phasor[:, [at[n, p] for n in nodes]] for p in "abc")
    positive, negative = va + TURN * vb + TURN**2 * vc, va + TURN**2 * vb + TURN * vc
    return np.asarray((np.abs(negative) / np.abs(positive)).max(axis=1), dtype=float)


def figures(day: Day, played: DayPowers, found: DayFlow) -> Figures:
    """Return the figures of one run."""
    hour = STEP_S / 3600
    mean_v = _means(found.voltage_v, MEAN_STEPS)
    outside = ((mean_v > found.bands.high_v) | (mean_v < found.bands.low_v)).any(axis=0)
    lines = found.loading[:, ~found.is_transformer]
    available, used = day.pv_w.sum() * hour / 1e3, played.pv_w.sum() * hour / 1e3
    asked = day.cars.asked_wh.sum() / 1e3
    return Figures(
        max_voltage_v=_round(found.voltage_v.max()),
        min_voltage_v=_round(found.voltage_v.min()),
        p99_voltage_v=_round(np.percentile(found.voltage_v, 99)),
        p1_voltage_v=_round(np.percentile(found.voltage_v, 1)),
        customers_outside_voltage=len(np.unique(found.bands.connection[outside])),
        max_transformer_percent=_round(100 * found.loading[:, found.is_transformer].max(initial=0.0)),
        peak_kva=_round(found.transformer_va.max() / 1e3),
        max_line_percent=_round(100 * lines.max(initial=0.0)),
        hours_over_rating=_round(float((found.loading > 1.0).any(axis=1).sum()) * hour),
        max_mean_load_percent=_round(100 * _means(found.loading, LOAD_STEPS).max(initial=0.0)),
        unbalance_p95_percent=_round(100 * np.percentile(found.unbalance, 95)),
        pv_available_kwh=_round(available),
        pv_curtailed_kwh=_round(available - used),
        pv_curtailed_percent=_round(100 * (1 - used / available)) if available else 0.0,
        ev_kwh_asked=_round(asked),
        ev_kwh_by_departure=_round(asked - played.missing_wh.sum() / 1e3),
        evs=len(day.cars),
        evs_short=int((played.missing_wh > ENOUGH_WH).sum()),
    )


def _means(fine: Real, steps: int) -> Real:
    """Return means of so many steps each, (T / steps, N)."""
    return np.asarray(fine.reshape(-1, steps, fine.shape[1]).mean(axis=1))


def _round(value: float) -> float:
    """Return two decimals: as a report shows, and far above differences by the order of additions."""
    return round(float(value), 2)
