"""How hot a transformer gets, how fast that ages it, and how much it may carry in each step (IEEE C57.91)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import ClassVar

import numpy as np

from envelope.field_rules import UNKNOWN, BadProblem, Numbers, Rule, validate
from gridmodel.arrays import Mask, Real
from sep2.errors import SepError

DAY_S = 86_400
HIGHEST_RATING = 3.0
"""per unit; above, the model says nothing"""
WITHIN_S = 60.0
"""temperatures are looked at so often within a step, where load and ambient stand still"""
LOWEST_RATING = 0.05
"""per unit; a policy that leaves less leaves nothing"""
POSITIVE = Numbers(low=0.0, above=True)
LOAD, STEP = Numbers("T", low=-100.0, high=100.0), Numbers(of=int, low=0, above=True)
AMBIENT = Numbers("T", low=-90.0, high=200.0)
"""wide enough to tell a slip of the unit, and narrow enough for the exponentials"""


class UnknownTransformer(SepError):
    """There are no thermal parameters of that name."""

    status = 404


class TooHot(SepError):
    """The transformer breaks the policy with next to no load."""

    status = 400


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

    RULES: ClassVar[Mapping[str, Rule]] = dict.fromkeys(
        (
            "top_oil_rise_c", "hot_spot_rise_c", "loss_ratio", "oil_exponent", "winding_exponent",
            "oil_time_constant_s", "winding_time_constant_s", "life_h", "reference_hot_spot_c", "ageing_k",
        ),
        POSITIVE,
    )  # fmt: skip

    def __post_init__(self) -> None:
        validate(self)
        if self.oil_time_constant_s == self.winding_time_constant_s:
            raise BadProblem("winding_time_constant_s: is the oil's; a winding warms faster")

    def oil_rise_c(self, load_pu: Real) -> Real:
        """Top oil over ambient that a load ends at."""
        return np.asarray(
            self.top_oil_rise_c * ((load_pu**2 * self.loss_ratio + 1.0) / (self.loss_ratio + 1.0)) ** self.oil_exponent
        )

    def winding_rise_c(self, load_pu: Real) -> Real:
        """Hot spot over top oil that a load ends at."""
        return np.asarray(self.hot_spot_rise_c * np.abs(load_pu) ** (2.0 * self.winding_exponent))

    def ageing(self, hot_spot_c: Real) -> Real:
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
    """Temperatures step by step, and what they cost."""

    top_oil_c: Real
    hot_spot_c: Real
    """(T,) the hottest within each step"""
    life_used_percent: float
    """over the whole series"""

    def life_percent_per_day(self, step_s: int) -> float:
        """Life used, as a mean per day."""
        return self.life_used_percent * DAY_S / (len(self.top_oil_c) * step_s)


@dataclass(frozen=True)
class ThermalPolicy:
    """Thermal policy of a utility; `k_max` is the highest load over the rating by tap changer or maker."""

    hot_spot_c: float = 120.0
    top_oil_c: float = 105.0
    life_percent_per_day: float = 0.0133
    k_max: float = 1.5

    RULES: ClassVar[Mapping[str, Rule]] = dict.fromkeys(
        ("hot_spot_c", "top_oil_c", "life_percent_per_day", "k_max"), POSITIVE
    )

    def __post_init__(self) -> None:
        validate(self)

    def permits(self, trace: Trace, step_s: int) -> bool:
        """Whether temperatures and ageing stay inside."""
        return bool(
            trace.hot_spot_c.max() <= self.hot_spot_c + 1e-6
            and trace.top_oil_c.max() <= self.top_oil_c + 1e-6
            and trace.life_percent_per_day(step_s) <= self.life_percent_per_day * (1.0 + 1e-9)
        )


def simulate(model: ThermalModel, load_pu: Real, ambient_c: Real, step_s: int) -> Trace:
    """Temperatures over a series that has always been like this: (T,) load and ambient, constant in each step."""
    ambient_c, step_s = AMBIENT("ambient_c", ambient_c, UNKNOWN), STEP("step_s", step_s, UNKNOWN)
    load_pu = LOAD("load_pu", load_pu, {"T": len(ambient_c)})
    taus = np.array([model.oil_time_constant_s, model.winding_time_constant_s])
    ends = np.stack([model.oil_rise_c(load_pu), model.winding_rise_c(load_pu)], axis=1)
    started = np.roll(_lagging(ends, np.exp(-step_s / taus)), 1, axis=0)
    away = started - ends
    times = _times(away, taus, step_s)
    rises = ends[:, None, :] + away[:, None, :] * np.exp(-times[:, :, None] / taus)
    hot = ambient_c[:, None] + rises.sum(axis=2)
    speed = model.ageing(hot)
    used_h = (0.5 * (speed[:, 1:] + speed[:, :-1]) * np.diff(times, axis=1)).sum() / 3600.0
    top_oil = ambient_c + rises[:, :, 0].max(axis=1)
    return Trace(top_oil, hot.max(axis=1), float(100.0 * used_h / model.life_h))


def _times(away: Real, taus: Real, step_s: int) -> Real:
    """(T, M) seconds into each step at which temperatures are looked at, that of the hottest moment among them.

    The hot spot can be hottest inside a step: the winding warms to its load while the oil is still cooling.
    """
    even = np.linspace(0.0, step_s, max(2, round(step_s / WITHIN_S) + 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        turn = np.log(-away[:, 1] * taus[0] / (away[:, 0] * taus[1])) / (1.0 / taus[1] - 1.0 / taus[0])
    turn = np.clip(np.where(np.isfinite(turn), turn, 0.0), 0.0, step_s)
    return np.sort(np.column_stack([np.tile(even, (len(away), 1)), turn]), axis=1)


def _lagging(ends: Real, keep: Real) -> Real:
    """(T, K) what follows `ends` at first order, at the end of each step, when the series has always been repeating."""
    from scipy.signal import lfilter

    found = np.empty_like(ends)
    for k, kept in enumerate(keep):
        whole = 1.0 - kept ** len(ends)
        last = (1.0 - kept) * (ends[:, k] * kept ** np.arange(len(ends) - 1, -1, -1)).sum() / whole
        found[:, k] = lfilter([1.0 - kept], [1.0, -kept], ends[:, k], zi=[kept * last])[0]
    return found


def rating_factors(model: ThermalModel, ambient_c: Real, step_s: int, policy: ThermalPolicy) -> Real:
    """(T,) permitted load over the rating in each step, when every step of every day is loaded to it.

    Loading to the rating throughout is the hottest prior state that any step can start from.
    """
    ambient_c = AMBIENT("ambient_c", ambient_c, UNKNOWN)
    factor = _steady(model, ambient_c, policy)
    for _ in range(400):
        trace = simulate(model, factor, ambient_c, step_s)
        hot = np.maximum(trace.hot_spot_c - policy.hot_spot_c, trace.top_oil_c - policy.top_oil_c)
        if hot.max() <= 1e-6:
            break
        # What is hot now was loaded before: the steps up to it give way together.
        late = np.maximum.accumulate(hot[::-1])[::-1]
        factor = factor * np.where(late > 0.0, 1.0 - np.clip(late / 400.0, 0.001, 0.05), 1.0)
    return factor * _scale(model, factor, (ambient_c, step_s), policy)


def _scale(model: ThermalModel, factor: Real, when: tuple[Real, int], policy: ThermalPolicy) -> float:
    """Largest part of `factor`, up to all of it, that keeps the policy."""
    ambient_c, step_s = when

    def fits(scale: float) -> bool:
        return policy.permits(simulate(model, scale * factor, ambient_c, step_s), step_s)

    if fits(1.0):
        return 1.0
    if not fits(LOWEST_RATING):
        raise TooHot(f"ambient of up to {ambient_c.max():.0f} C, hot spot up to {policy.hot_spot_c:g} C")
    low, high = LOWEST_RATING, 1.0
    for _ in range(24):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _steady(model: ThermalModel, ambient_c: Real, policy: ThermalPolicy) -> Real:
    """(T,) load that could be carried for ever at each step's ambient."""
    low, high = np.zeros(len(ambient_c)), np.full(len(ambient_c), min(policy.k_max, HIGHEST_RATING))
    top = high.copy()
    for _ in range(40):
        middle = 0.5 * (low + high)
        fits = _bears(model, middle, ambient_c, policy)
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return np.where(_bears(model, top, ambient_c, policy), top, low)


def _bears(model: ThermalModel, load_pu: Real, ambient_c: Real, policy: ThermalPolicy) -> Mask:
    """(T,) whether a load keeps the temperatures of the policy for ever."""
    oil = ambient_c + model.oil_rise_c(load_pu)
    return np.asarray((oil <= policy.top_oil_c) & (oil + model.winding_rise_c(load_pu) <= policy.hot_spot_c))
