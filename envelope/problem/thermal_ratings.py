"""Transformer ratings in each step of a day, from the weather: the least of heat, ageing, fuse and bushing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from envelope.field_rules import BadProblem
from envelope.problem.limits import OperatingLimits
from envelope.problem.thermal import ThermalModel, ThermalPolicy, Trace, rating_factors, simulate, thermal_model
from gridmodel.arrays import Real
from gridmodel.readers.meant import unused_in
from gridmodel.readers.tables import read_csv

DAY_S = 86_400
AMBIENT_COLUMNS = ("at", "temp_c")


@dataclass(frozen=True, eq=False)
class ThermalRating:
    """The rating of a kind of transformer over a horizon, and what it costs to use it to the full all the time."""

    model: ThermalModel
    policy: ThermalPolicy
    ambient_c: Real
    factor: Real
    """(T,) permitted load over the rated one"""
    full: Trace
    """temperatures and ageing when it is loaded to that at every step"""

    @classmethod
    def of(cls, name: str, ambient_c: Real, step_s: int, policy: ThermalPolicy) -> ThermalRating:
        """The rating of a model of `thermal.thermal_models` at (T,) ambient temperatures."""
        model = thermal_model(name)
        factor = rating_factors(model, ambient_c, step_s, policy)
        return cls(model, policy, ambient_c, factor, simulate(model, factor, ambient_c, step_s))

    def limits(self, limits: OperatingLimits, fuse_a: float | None = None) -> OperatingLimits:
        """The limits with transformers rated so; fuse_a: A per low-voltage phase that fuse and bushing bear."""
        most = limits.transformer_most_a if fuse_a is None else min(fuse_a, limits.transformer_most_a)
        return replace(limits, transformer_factor=self.factor, transformer_most_a=most)

    def figures(self, step_s: int) -> dict[str, float | str]:
        """Figures for a report of a run."""
        return {
            "model": self.model.name,
            "source": self.model.source,
            "least_percent": float(100.0 * self.factor.min()),
            "most_percent": float(100.0 * self.factor.max()),
            "ambient_least_c": float(self.ambient_c.min()),
            "ambient_most_c": float(self.ambient_c.max()),
            "hot_spot_c": float(self.full.hot_spot_c.max()),
            "top_oil_c": float(self.full.top_oil_c.max()),
            "life_percent_per_day": self.full.life_percent_per_day(step_s),
        }


def sentence(found: dict[str, float | str]) -> str:
    """The figures in one line."""
    said = (
        "Transformers ({model}) may carry {least_percent:.0f} to {most_percent:.0f} % of their rating at"
        " {ambient_least_c:.0f} to {ambient_most_c:.0f} C; loaded so all the time they reach {hot_spot_c:.0f} C"
        " (top oil {top_oil_c:.0f} C) and use {life_percent_per_day:.4f} % of their life a day."
    )
    return said.format(**found)


def unused_of_ambient(said: str) -> str:
    """Which columns of an ambient's file are not used, in a sentence; empty: none, or it is a number."""
    path = Path(said)
    unused = unused_in(read_csv(path, AMBIENT_COLUMNS).columns, AMBIENT_COLUMNS) if path.suffix == ".csv" else ""
    return f"--ambient {said}: {unused}" if unused else ""


def ambient_of(said: str, step_start: NDArray[np.int64], step_s: int) -> Real:
    """(T,) ambient temperature, C: a number for all steps, or a CSV file with the columns at and temp_c.

    Of several days in a file each time of day (UTC) counts as it was on the hottest.
    """
    try:
        return np.full(len(step_start), float(said))
    except ValueError:
        pass
    path = Path(said)
    if path.suffix != ".csv":
        raise BadProblem(f"--ambient {said!r}: neither a temperature nor a .csv file")
    hottest: dict[int, float] = {}
    for row in read_csv(path, AMBIENT_COLUMNS):
        second = row.epoch_s("at") % DAY_S
        hottest[second] = max(hottest.get(second, -np.inf), row.number("temp_c"))
    if not hottest:
        raise BadProblem(f"{path}: no temperatures")
    at = np.array(sorted(hottest))
    value = np.array([hottest[second] for second in at.tolist()])
    found = np.empty(len(step_start))
    for k, second in enumerate((step_start % DAY_S).tolist()):
        inside = value[(at - second) % DAY_S < step_s]
        # A reading holds until the next one, past midnight too.
        found[k] = max(float(value[np.searchsorted(at, second, side="right") - 1]), float(inside.max(initial=-np.inf)))
    return found
