"""Operating limits as tables: the band of each monitored voltage, and what each monitored current may be, per step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from envelope.constraints.monitored_feeder import MonitoredFeeder
from envelope.problem import OperatingLimits
from gridmodel.arrays import Index, Real

NARROWEST_V, LEAST = 1e-3, 1e-6
"""band that is left of a voltage where reserves take more than there is, so that there is no headroom; the same for
currents, as a part"""


class Bounds(NamedTuple):
    """Bounds of T steps."""

    low_v: Real
    high_v: Real
    """(T, N) of each monitored voltage"""
    current_a: Real
    """(T, B + G) of each monitored current, A, and of each group's sum off its middle, W"""


@dataclass(frozen=True, eq=False)
class LimitTables:
    """Limits of N monitored voltages, B monitored currents and G group sums in T steps, and the margins inside them."""

    low_v: Real
    high_v: Real
    """(T, N) V"""
    current_a: Real
    """(T, B + G) A; of group sums W"""
    margin_v: Real
    """(N,) V of each voltage"""
    margin_current: float
    """part of each current"""
    reserved_a: Real | None = None
    """(T, B + G) kept free of each current beside the margin"""

    def bounds(self, *, margin: float) -> Bounds:
        """The limits, less `margin` times the declared margins."""
        current_a = self.current_a * (1.0 - margin * self.margin_current)
        if self.reserved_a is not None:
            current_a = np.maximum(current_a - self.reserved_a, LEAST * current_a)
        return Bounds(self.low_v + margin * self.margin_v, self.high_v - margin * self.margin_v, current_a)

    def subset(self, voltages: Index, currents: Index, *, groups: int) -> LimitTables:
        """The limits of some voltages and currents, and of all groups: see `MonitoredFeeder.subset`."""
        branches = self.current_a.shape[1] - groups
        kept = np.concatenate([currents[currents < branches], branches + np.arange(groups)])
        reserved = None if self.reserved_a is None else self.reserved_a[:, kept]
        return replace(
            self,
            low_v=self.low_v[:, voltages],
            high_v=self.high_v[:, voltages],
            margin_v=self.margin_v[voltages],
            current_a=self.current_a[:, kept],
            reserved_a=reserved,
        )

    def less_reserves(self, over_v: float | Real, under_v: float | Real, reserved_a: Real) -> LimitTables:
        """The limits less these reserves: V from above and below of all, or (N,), and (T, B + G) of each current."""
        low, high = self.low_v + under_v, self.high_v - over_v
        middle = 0.5 * (self.low_v + self.high_v)
        closed = high - low < NARROWEST_V
        return replace(
            self,
            low_v=np.where(closed, middle, low),
            high_v=np.where(closed, middle + NARROWEST_V, high),
            reserved_a=reserved_a,
        )


def limit_tables(limits: OperatingLimits, feeder: MonitoredFeeder, steps: int) -> LimitTables:
    """The limits of a feeder's monitored voltages and currents in each step."""
    shape = (steps, len(feeder.reduced.Zn))
    low_v, high_v, unit_v = limits.voltages_at(feeder.reduced.node_nominal_v)
    return LimitTables(
        low_v=np.broadcast_to(low_v, shape),
        high_v=np.broadcast_to(high_v, shape),
        current_a=_permitted_a(limits, feeder, steps),
        margin_v=limits.margin_v * unit_v,
        margin_current=limits.margin_current,
    )


def _permitted_a(limits: OperatingLimits, feeder: MonitoredFeeder, steps: int) -> Real:
    """(T, B + G) permitted currents, A, and group sums, W."""
    factor = np.asarray(limits.rating_factor, dtype=float)
    table = np.broadcast_to(factor[:, None] if factor.ndim else factor, (steps, len(feeder.reduced.rating_a)))
    parts = [np.ones(steps) if group.part is None else group.part for group in feeder.groups]
    sums = np.stack(parts, axis=1) if parts else np.zeros((steps, 0))
    table = np.concatenate([table, sums], axis=1) * feeder.rating_a
    of = feeder.transformer
    own = np.broadcast_to(np.asarray(limits.transformer_factor, dtype=float), (steps,))
    table[:, of] = np.minimum(table[:, of] * own[:, None], limits.transformer_most_a)
    return np.asarray(table)
