"""Assumptions of an envelope: while they hold, the last envelope is valid at any age; a violated one ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from envelope.constraints.limits import limit_tables
from envelope.constraints.monitored_feeder import monitor
from envelope.operation.measurements import HEAD, Measured, Measurements, Quantity
from envelope.problem import HeadVoltageMargin, Problem
from envelope.problem.divided import Divided
from gridmodel.arrays import Index, Real
from sep2.rules.told_times import told
from sep2.store.connection import Connection

SWITCHED = "topology"
"""The assumption that the feeder is switched as the plan has it."""


class FeederChange(NamedTuple):
    """Change of the feeder since the plan was made, and the connections for which it matters."""

    detail: str = ""
    """Empty: nothing."""
    reached: tuple[str, ...] | None = None
    """None: all."""


class ViolatedAssumption(NamedTuple):
    """An assumption that does not hold, and why."""

    assumption: str
    """topology, feeder, head_voltage or measured"""
    detail: str
    connections: tuple[str, ...] | None = None
    """Those whose limits rest on it; None: all."""

    def __str__(self) -> str:
        return f"{self.assumption}: {self.detail}"


@dataclass(frozen=True)
class Tolerance:
    """Tolerances of measurements, and the time for which a violation counts."""

    voltage_v: float = 0.5
    head_pu: float = 0.01
    """Around the assumed head voltage, where the problem declares no band."""
    current_pu: float = 0.01
    """Of the rating."""
    power_w: float = 500.0
    power_pu: float = 0.05
    """Beyond the capacity, W or per unit of it, whichever is larger, plus three standard deviations of the forecast."""
    hold_s: int = 3600
    """Time for which a violation counts; after it, until the next measurement inside the limits at that place."""
    lookback_s: int = 4 * 3600


@dataclass(frozen=True)
class Assumptions:
    """Sources that tell whether the assumptions hold. By default nothing is checked."""

    feeder_change: Callable[[], FeederChange] = FeederChange
    """Return what has changed in the feeder since the plan was made."""
    measurements: Measurements | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)

    async def check_declared(self, abnormal: str) -> list[ViolatedAssumption]:
        """Return the first assumption that is violated by declaration or by the feeder's files.

        abnormal: why the topology differs from the plan's; empty: it does not.
        """
        if abnormal:
            return [ViolatedAssumption(SWITCHED, abnormal)]
        changed = await asyncio.to_thread(self.feeder_change)
        return [ViolatedAssumption("feeder", *changed)] if changed.detail else []

    async def read_measurements(self, db: Connection, problem: Problem, now: int) -> Sequence[Measured]:
        """Return the measurements of the time that `tolerance.lookback_s` gives."""
        if self.measurements is None:
            return ()
        return await self.measurements(db, problem.connection_id, now - self.tolerance.lookback_s, now)

    def check_measured(self, problem: Problem, found: Iterable[Measured], now: int) -> list[ViolatedAssumption]:
        """Return the assumptions that measurements contradict: head voltage in its band, network inside its limits."""
        check, by_place = _MeasurementCheck(problem, self.tolerance), dict[tuple[str, Quantity], list[Measured]]()
        for one in found:
            by_place.setdefault((one.place, one.quantity), []).append(one)
        violated = []
        for (place, quantity), several in sorted(by_place.items()):
            ordered = sorted(several, key=lambda one: one.end)
            bad = [one for one in ordered if check.excess(one)]
            if bad and (bad[-1].end > now - self.tolerance.hold_s or bad[-1] is ordered[-1]):
                assumption = "head_voltage" if (place, quantity) == (HEAD, Quantity.VOLTAGE) else "measured"
                violated.append(ViolatedAssumption(assumption, check.excess(bad[-1])))
        return violated


class _MeasurementCheck:
    """Compares measurements with a problem's limits."""

    def __init__(self, problem: Problem, tolerance: Tolerance) -> None:
        self.problem, self.tolerance = problem, tolerance
        self._rating: dict[str, Real] | None = None

    def excess(self, one: Measured) -> str:
        """Return by what a measurement exceeds a limit; empty: by nothing, or the problem does not cover its time."""
        steps = steps_during(self.problem, one)
        if not steps.size:
            return ""
        if one.quantity is Quantity.CURRENT:
            return self._overload(one, steps)
        if one.quantity is not Quantity.VOLTAGE:
            return ""
        low, high = self._band(one.place, steps)
        if low <= one.value <= high:
            return ""
        where = "the head of the feeder" if one.place == HEAD else one.place
        return f"{one.value:.1f} V at {where} {_when(one)}, outside {low:.1f}..{high:.1f} V"

    def _band(self, place: str, steps: Index) -> tuple[float, float]:
        """Return the widest permitted voltage band of these steps, V."""
        slack = self.tolerance.voltage_v
        if place != HEAD:
            low_v, high_v, unit_v = self._connection_band.get(place, self._first_band)
            return low_v - slack * unit_v, high_v + slack * unit_v
        taken = self.problem.reduced.network.source.v if self.problem.source_v is None else self.problem.source_v
        size = np.broadcast_to(np.abs(taken), (1, self.problem.steps, 3))[:, steps]
        scenarios = self.problem.scenarios
        if scenarios is not None and scenarios.states.source_v is not None:
            size = np.concatenate([size, np.abs(scenarios.states.source_v)[:, steps]])
        low, high = self._head_pu(steps)
        return float((size.min(axis=(0, 2)) * low).min()), float((size.max(axis=(0, 2)) * high).max())

    @property
    def _first_band(self) -> tuple[float, float, float]:
        return self.problem.limits.v_min_v, self.problem.limits.v_max_v, 1.0

    @cached_property
    def _connection_band(self) -> dict[str, tuple[float, float, float]]:
        """Voltage limits at each connection, V, and V that count there as much as 1 V in the limits' first band."""
        network, limits = self.problem.reduced.network, self.problem.limits
        bands = limits.voltages_at(network.nodes.nominal_v[network.connections.node])
        return dict(zip(self.problem.connection_id, zip(*(part.tolist() for part in bands), strict=True), strict=True))

    def _head_pu(self, steps: Index) -> tuple[Real, Real]:
        """Return the declared or tolerated band of the head voltage, per unit of the assumed one, per step."""
        bands = [margin for margin in self.problem.margins if isinstance(margin, HeadVoltageMargin)]
        low, high = 1.0 - self.tolerance.head_pu, 1.0 + self.tolerance.head_pu
        sides = (bands[0].low_pu, bands[0].high_pu) if bands else (low, high)
        one, other = (np.broadcast_to(np.asarray(side), (self.problem.steps,))[steps] for side in sides)
        return one, other

    def _overload(self, one: Measured, steps: Index) -> str:
        if self._rating is None:
            self._rating = _ratings(self.problem)
        if one.place not in self._rating:
            return ""
        most = float(self._rating[one.place][steps].max())
        if one.value <= most * (1.0 + self.tolerance.current_pu):
            return ""
        return f"{one.value:.0f} A in {one.place} {_when(one)}, above {most:.0f} A"


def _when(one: Measured) -> str:
    return f"from {told(one.start)} for {one.duration} s"


def _ratings(problem: Problem) -> dict[str, Real]:
    """Return the (T,) A that each branch phase may carry, by its name."""
    if isinstance(problem.reduced, Divided):
        factor = np.broadcast_to(np.asarray(problem.limits.rating_factor, dtype=float), (problem.steps,))
        named = zip(problem.reduced.current_names, problem.reduced.rating_a.tolist(), strict=True)
        return {name: factor * rating for name, rating in named}
    feeder = monitor(problem)
    table = limit_tables(problem.limits, feeder, problem.steps).current_a
    return dict(zip(feeder.current_names, table.T, strict=True))


def steps_during(problem: Problem, one: Measured) -> Index:
    """Return the steps that a measurement touches."""
    end = max(one.end, one.start + 1)
    return np.flatnonzero((problem.step_start < end) & (problem.step_start + problem.step_s > one.start))


def beyond_capacity(problem: Problem, found: Iterable[Measured], tolerance: Tolerance) -> dict[str, str]:
    """Return by connection how the latest measured power exceeds its capacity; empty where it does not."""
    latest: dict[str, Measured] = {}
    for one in found:
        known = latest.get(one.place)
        if one.quantity is Quantity.POWER and (known is None or one.end >= known.end):
            latest[one.place] = one
    column = {name: k for k, name in enumerate(problem.connection_id)}
    return {
        name: _excess_power(problem, one, column[name], tolerance) for name, one in latest.items() if name in column
    }


def _excess_power(problem: Problem, one: Measured, column: int, tolerance: Tolerance) -> str:
    steps = steps_during(problem, one)
    if not steps.size:
        return ""
    sigma = 0.0
    if problem.base_sigma_w is not None:
        sigma = float(np.broadcast_to(problem.base_sigma_w, problem.base_load_w.shape)[steps, column].max())
    for word, value, capacity in (
        ("import", one.value, problem.reach_import_w),
        ("export", -one.value, problem.reach_export_w),
    ):
        most = max(float(capacity[steps, column].max()), 0.0)
        if value > most + max(tolerance.power_w, tolerance.power_pu * most) + 3.0 * sigma:
            return f"{word} of {value:.0f} W {_when(one)}; no more than {most:.0f} W is known"
    return ""
