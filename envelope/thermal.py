"""How hot a transformer gets, how fast that ages it, and how much it may carry in each step (IEEE C57.91)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from sep2.errors import SepError

Array = NDArray[np.float64]
DAY_S = 86_400
HIGHEST_RATING = 3.0
"""per unit; above, the model says nothing"""


class UnknownTransformer(SepError):
    """There are no thermal parameters of that name."""

    status = 404


@dataclass(frozen=True, slots=True)
class ThermalModel:
    """Parameters of one kind of transformer, with the source of its figures."""

    name: str
    title: str
    top_oil_rise_c: float
    """over ambient, at rated load"""
    hot_spot_rise_c: float
    """over top oil, at rated load"""
    loss_ratio: float
    """load loss at rated load over no-load loss"""
    oil_exponent: float
    winding_exponent: float
    oil_time_constant_s: float
    winding_time_constant_s: float
    life_h: float
    reference_hot_spot_c: float
    """hot spot at which the insulation ages one hour per hour"""
    ageing_k: float
    source: str

    def oil_rise_c(self, load_pu: Array) -> Array:
        """Top oil over ambient that a load ends at."""
        return np.asarray(
            self.top_oil_rise_c * ((load_pu**2 * self.loss_ratio + 1.0) / (self.loss_ratio + 1.0)) ** self.oil_exponent
        )

    def winding_rise_c(self, load_pu: Array) -> Array:
        """Hot spot over top oil that a load ends at."""
        return np.asarray(self.hot_spot_rise_c * np.abs(load_pu) ** (2.0 * self.winding_exponent))

    def ageing(self, hot_spot_c: Array) -> Array:
        """Hours of life used per hour."""
        reference = self.ageing_k / (self.reference_hot_spot_c + 273.0)
        return np.asarray(np.exp(reference - self.ageing_k / (hot_spot_c + 273.0)))


@cache
def thermal_models() -> dict[str, ThermalModel]:
    """All parameters that are known, by name."""
    text = resources.files("envelope").joinpath("data/transformer_thermal.toml").read_text(encoding="utf-8")
    return {name: ThermalModel(name=name, **values) for name, values in tomllib.loads(text).items()}


def thermal_model(name: str = "onan-65") -> ThermalModel:
    """The parameters of that name."""
    known = thermal_models()
    if name not in known:
        raise UnknownTransformer(f"{name!r}; known are {', '.join(sorted(known))}")
    return known[name]


@dataclass(frozen=True)
class Trace:
    """Temperatures at the end of each step, and what they cost."""

    top_oil_c: Array
    hot_spot_c: Array
    """(T,) the hottest within each step"""
    life_used_percent: float
    """over the whole series"""


@dataclass(frozen=True)
class ThermalPolicy:
    """What a utility permits; `k_max` is the least of fuse, bushing and tap changer over the rating."""

    hot_spot_c: float = 120.0
    top_oil_c: float = 105.0
    life_percent_per_day: float = 0.0133
    k_max: float = 1.5


def simulate(model: ThermalModel, load_pu: Array, ambient_c: Array, step_s: int, *, days: int = 6) -> Trace:
    """Temperatures over a day that has been like this for some days: (T,) load and ambient, constant in each step."""
    oil = float(model.oil_rise_c(np.asarray(load_pu[-1])))
    winding = float(model.winding_rise_c(np.asarray(load_pu[-1])))
    ends = model.oil_rise_c(load_pu), model.winding_rise_c(load_pu)
    keep = np.exp(-step_s / model.oil_time_constant_s), np.exp(-step_s / model.winding_time_constant_s)
    top_oil, hot = np.empty(len(load_pu)), np.empty(len(load_pu))
    for _ in range(days):
        for t in range(len(load_pu)):
            before = oil + winding
            oil = ends[0][t] + (oil - ends[0][t]) * keep[0]
            winding = ends[1][t] + (winding - ends[1][t]) * keep[1]
            top_oil[t] = ambient_c[t] + oil
            # Within a step the sum runs between its ends, or rises to the winding's end while the oil is still cooling.
            hot[t] = ambient_c[t] + max(oil + winding, before)
    used = float(model.ageing(hot).sum() * step_s / 3600.0 / model.life_h * 100.0)
    return Trace(top_oil, hot, used)


def rating_factors(model: ThermalModel, ambient_c: Array, step_s: int, policy: ThermalPolicy) -> Array:
    """(T,) permitted load over the rating in each step, when every step of every day is loaded to it.

    Loading to the rating throughout is the hottest prior state that any step can start from.
    """
    factor = _steady(model, ambient_c, policy)
    for _ in range(400):
        trace = simulate(model, factor, ambient_c, step_s)
        hot = np.maximum(trace.hot_spot_c - policy.hot_spot_c, trace.top_oil_c - policy.top_oil_c)
        if hot.max() > 1e-6:
            # What is hot now was loaded before: the steps up to it give way together.
            late = np.maximum.accumulate(hot[::-1])[::-1]
            factor = factor * np.where(late > 0.0, 1.0 - np.clip(late / 400.0, 0.001, 0.05), 1.0)
        elif trace.life_used_percent > policy.life_percent_per_day * len(ambient_c) * step_s / DAY_S:
            factor = factor * 0.997
        else:
            break
    return factor


def _steady(model: ThermalModel, ambient_c: Array, policy: ThermalPolicy) -> Array:
    """(T,) load that could be carried for ever at each step's ambient."""
    low, high = np.zeros(len(ambient_c)), np.full(len(ambient_c), min(policy.k_max, HIGHEST_RATING))
    for _ in range(40):
        middle = 0.5 * (low + high)
        oil = ambient_c + model.oil_rise_c(middle)
        fits = (oil <= policy.top_oil_c) & (oil + model.winding_rise_c(middle) <= policy.hot_spot_c)
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    top = min(policy.k_max, HIGHEST_RATING)
    oil = ambient_c + model.oil_rise_c(np.asarray(top))
    whole = (oil <= policy.top_oil_c) & (oil + model.winding_rise_c(np.asarray(top)) <= policy.hot_spot_c)
    return np.where(whole, top, low)
