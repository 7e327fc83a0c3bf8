"""What an envelope takes for granted: while it holds, the last envelope stands, however old; else it is invalid."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from envelope.constraints.limits import limit_tables
from envelope.constraints.monitored_feeder import monitor
from envelope.operation.measurements import HEAD, Measured, Measurements, Quantity
from envelope.problem import HeadVoltageMargin, Problem
from gridmodel.arrays import Index, Real
from sep2.store.connection import Connection


class Broken(NamedTuple):
    """A premise that does not hold, and why."""

    premise: str
    """topology, feeder, head_voltage or measured"""
    detail: str

    def __str__(self) -> str:
        return f"{self.premise}: {self.detail}"


@dataclass(frozen=True)
class Tolerance:
    """How far off a measurement may be, and for how long it counts."""

    voltage_v: float = 0.5
    head_pu: float = 0.01
    """around the head voltage that was taken, where the problem declares no band"""
    current_part: float = 0.01
    """of the rating"""
    power_w: float = 500.0
    power_part: float = 0.05
    """beyond reach: the larger of the two, and three standard deviations of the forecast where it has some"""
    calm_s: int = 3600
    """a breach counts for so long, and until its place was measured inside again"""
    lookback_s: int = 4 * 3600


@dataclass(frozen=True)
class Premises:
    """How to find out whether the premises hold. By default nothing is looked at."""

    feeder: Callable[[], str] = str
    """what of the feeder has changed since the plan was made; empty: nothing"""
    measurements: Measurements | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)

    async def declared(self, abnormal: str) -> list[Broken]:
        """The first that is known not to hold without measuring anything."""
        if abnormal:
            return [Broken("topology", abnormal)]
        changed = await asyncio.to_thread(self.feeder)
        return [Broken("feeder", changed)] if changed else []

    async def measured(self, db: Connection, problem: Problem, now: int) -> Sequence[Measured]:
        """What was measured of late."""
        if self.measurements is None:
            return ()
        return await self.measurements(db, problem.connection_id, now - self.tolerance.lookback_s, now)

    def breached(self, problem: Problem, found: Iterable[Measured], now: int) -> list[Broken]:
        """Those that measurements contradict: the head's voltage in its band, and every limit of the network kept."""
        judge, by_place = _Judge(problem, self.tolerance), dict[tuple[str, Quantity], list[Measured]]()
        for one in found:
            by_place.setdefault((one.place, one.quantity), []).append(one)
        broken = []
        for (place, quantity), several in sorted(by_place.items()):
            ordered = sorted(several, key=lambda one: one.end)
            bad = [one for one in ordered if judge.excess(one)]
            if bad and (bad[-1].end > now - self.tolerance.calm_s or bad[-1] is ordered[-1]):
                premise = "head_voltage" if (place, quantity) == (HEAD, Quantity.VOLTAGE) else "measured"
                broken.append(Broken(premise, judge.excess(bad[-1])))
        return broken


class _Judge:
    """What measurements may say under a problem."""

    def __init__(self, problem: Problem, tolerance: Tolerance) -> None:
        self.problem, self.tolerance = problem, tolerance
        self._rating: dict[str, Real] | None = None

    def excess(self, one: Measured) -> str:
        """What is wrong with a measurement; empty where nothing is, or where nothing was calculated for its time."""
        steps = steps_during(self.problem, one)
        if not steps.size:
            return ""
        if one.quantity is Quantity.CURRENT:
            return self._over(one, steps)
        if one.quantity is not Quantity.VOLTAGE:
            return ""
        low, high = self._band(one.place, steps)
        if low <= one.value <= high:
            return ""
        where = "the head of the feeder" if one.place == HEAD else one.place
        return f"{one.value:.1f} V at {where} from {one.start} for {one.duration} s, outside {low:.1f}..{high:.1f} V"

    def _band(self, place: str, steps: Index) -> tuple[float, float]:
        """The widest that a voltage may be anywhere in these steps."""
        slack = self.tolerance.voltage_v
        if place != HEAD:
            return self.problem.limits.v_min_v - slack, self.problem.limits.v_max_v + slack
        taken = self.problem.reduced.network.source.v if self.problem.source_v is None else self.problem.source_v
        size = np.broadcast_to(np.abs(taken), (self.problem.steps, 3))[steps]
        low, high = self._head_pu(steps)
        return float((size.min(axis=1) * low).min()), float((size.max(axis=1) * high).max())

    def _head_pu(self, steps: Index) -> tuple[Real, Real]:
        """Declared, or tolerated, part of the head voltage that was taken, per step."""
        bands = [margin for margin in self.problem.margins if isinstance(margin, HeadVoltageMargin)]
        low, high = 1.0 - self.tolerance.head_pu, 1.0 + self.tolerance.head_pu
        sides = (bands[0].low_pu, bands[0].high_pu) if bands else (low, high)
        one, other = (np.broadcast_to(np.asarray(side), (self.problem.steps,))[steps] for side in sides)
        return one, other

    def _over(self, one: Measured, steps: Index) -> str:
        if self._rating is None:
            watched = monitor(self.problem)
            table = limit_tables(self.problem.limits, watched, self.problem.steps).current_a
            self._rating = dict(zip(watched.current_names, table.T, strict=True))
        if one.place not in self._rating:
            return ""
        most = float(self._rating[one.place][steps].max())
        if one.value <= most * (1.0 + self.tolerance.current_part):
            return ""
        return f"{one.value:.0f} A in {one.place} from {one.start} for {one.duration} s, above {most:.0f} A"


def steps_during(problem: Problem, one: Measured) -> Index:
    """The steps that a measurement touches."""
    end = max(one.end, one.start + 1)
    return np.flatnonzero((problem.step_start < end) & (problem.step_start + problem.step_s > one.start))


def beyond_reach(problem: Problem, found: Iterable[Measured], tolerance: Tolerance) -> dict[str, str]:
    """By connection, what the latest measured power is beyond what it could reach; empty where it is not."""
    latest: dict[str, Measured] = {}
    for one in found:
        known = latest.get(one.place)
        if one.quantity is Quantity.POWER and (known is None or one.end >= known.end):
            latest[one.place] = one
    column = {name: k for k, name in enumerate(problem.connection_id)}
    return {name: _beyond(problem, one, column[name], tolerance) for name, one in latest.items() if name in column}


def _beyond(problem: Problem, one: Measured, column: int, tolerance: Tolerance) -> str:
    steps = steps_during(problem, one)
    if not steps.size:
        return ""
    sigma = 0.0
    if problem.base_sigma_w is not None:
        sigma = float(np.broadcast_to(problem.base_sigma_w, problem.base_load_w.shape)[steps, column].max())
    for word, value, reach in (
        ("import", one.value, problem.reach_import_w),
        ("export", -one.value, problem.reach_export_w),
    ):
        most = max(float(reach[steps, column].max()), 0.0)
        if value > most + max(tolerance.power_w, tolerance.power_part * most) + 3.0 * sigma:
            return f"{word} of {value:.0f} W from {one.start} for {one.duration} s; no more than {most:.0f} W is known"
    return ""
