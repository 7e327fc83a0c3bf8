"""Scenarios: joint paths of what no limit bounds, in place of margins from standard deviations.

A path says for every step, at one or more moments of it, what all connections draw by themselves and what the voltage
at the head of the feeder is. What moves together in a path is counted together: roofs under one cloud, homes at supper
time, a tap changer. A forecast fills this type with its sample paths; `of_day` makes it from a measured day, and
`of_history` from past days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from envelope.field_rules import BadProblem, Numbers, Rule, validate
from gridmodel.arrays import Complex, Index, Real

Number = TypeVar("Number", bound=np.generic)


class ScenarioStates(NamedTuple):
    """S states of each of T steps, every moment of every path; C connections."""

    load_w: Real
    load_var: Real
    """(S, T, C) base load, import positive, and var consumed"""
    source_v: Complex | None
    """(S, T, 3) V at the head of the feeder; None: as the problem has it"""


@dataclass(frozen=True, eq=False)
class Scenarios:
    """K joint paths over T steps with M moments in each; C connections. Watts drawn and var consumed are positive."""

    load_w: Real
    """(K, T, M, C) base load: all that is not controlled, passive solar taken off"""
    load_var: Real
    """(K, T, M, C)"""
    solar_w: Real | None = None
    """(K, T, M, C) passive solar within the base load, produced positive; None: not known apart"""
    source_v: Complex | None = None
    """(K, T, M, 3) V phase-to-neutral at the head of the feeder; None: as `Problem.source_v` has it"""
    share: float = 1.0
    """part of the paths that all limits hold for in each interval; below 1 the paths that strain them most are left"""
    coincide: bool = True
    """whether least demand, most solar and highest head voltage of an interval may come at one moment, and the other
    way round; False: only moments as they are in the paths"""
    bands: bool = False
    """whether a connection with limits may be anywhere between them that its own band of the paths lets it be, whatever
    others do; False: where no device of its own can move it, it follows the path as those without limits do"""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "load_w": Numbers("KTMC"),
        "load_var": Numbers("KTMC"),
        "solar_w": Numbers("KTMC", low=0.0),
        "source_v": Numbers("KTM3", of=complex, low=0.0, above=True),
        "share": Numbers(low=0.0, high=1.0, above=True),
        "coincide": Numbers(of=bool),
        "bands": Numbers(of=bool),
    }

    def __post_init__(self) -> None:
        validate(self)
        for name in ("load_var", "solar_w", "source_v"):
            value = getattr(self, name)
            if value is not None and value.shape[:3] != self.load_w.shape[:3]:
                raise BadProblem(
                    f"{name} has {value.shape[:3]} paths, steps and moments; expected {self.load_w.shape[:3]} as load_w"
                )

    @property
    def paths(self) -> int:
        """Number of paths, K."""
        return len(self.load_w)

    @property
    def moments(self) -> int:
        """Number of moments in each step, M."""
        return int(self.load_w.shape[2])

    @cached_property
    def states(self) -> ScenarioStates:
        """All moments of all paths, and per path and step the two in which extremes of its moments come together."""
        picked = [self._at(moment, moment, moment) for moment in self._each_moment()]
        if self.coincide and self.moments > 1:
            picked += [self._at(*moments) for moments in (self._together(1.0), self._together(-1.0))]
        load_w, load_var, source_v = zip(*picked, strict=True)
        known = [one for one in source_v if one is not None]
        return ScenarioStates(
            np.concatenate(load_w), np.concatenate(load_var), np.concatenate(known) if known else None
        )

    @property
    def of_path(self) -> Index:
        """(S,) path that each state belongs to."""
        return np.tile(np.arange(self.paths), len(self.states.load_w) // self.paths)

    @cached_property
    def load_lo_w(self) -> Real:
        """(T, C) least base load of each connection in any state."""
        return np.asarray(self.states.load_w.min(axis=0))

    @cached_property
    def load_hi_w(self) -> Real:
        """(T, C) most base load of each connection in any state."""
        return np.asarray(self.states.load_w.max(axis=0))

    @property
    def mean_w(self) -> Real:
        """(T, C) mean base load, W: a forecast that the paths scatter around."""
        return np.asarray(self.load_w.mean(axis=(0, 2)))

    @property
    def mean_var(self) -> Real:
        """(T, C) its reactive power, var."""
        return np.asarray(self.load_var.mean(axis=(0, 2)))

    @property
    def mean_source_v(self) -> Complex | None:
        """(T, 3) mean head voltage, V; None where the paths have none."""
        return None if self.source_v is None else np.asarray(self.source_v.mean(axis=(0, 2)))

    def said(self) -> str:
        """Wording in a guarantee, such as "base and head voltage on each of 8 joint paths"."""
        many = f"each of {self.paths} joint paths" if self.paths > 1 else "one joint path"
        if self.share < 1.0:
            many = f"at least {100 * self.share:g} % of {self.paths} joint paths in each interval"
        moving = "base and head voltage" if self.source_v is not None else "base"
        extremes = ", extremes of an interval together" if self.coincide and self.moments > 1 else ""
        bands = ", connections with limits anywhere in their own bands" if self.bands else ""
        return f"{moving} on {many}{extremes}{bands}"

    def _each_moment(self) -> list[Index]:
        """(K, T) of each moment's number."""
        return [np.full(self.load_w.shape[:2], moment) for moment in range(self.moments)]

    def _together(self, sign: float) -> tuple[Index, Index, Index]:
        """(K, T) moments of least demand, most solar and highest head voltage; sign -1: of the opposite."""
        demand = self.load_w if self.solar_w is None else self.load_w + self.solar_w
        least = (-sign * demand.sum(axis=3)).argmax(axis=2)
        sunny = least if self.solar_w is None else (sign * self.solar_w.sum(axis=3)).argmax(axis=2)
        high = least if self.source_v is None else (sign * np.abs(self.source_v).mean(axis=3)).argmax(axis=2)
        return least, sunny, high

    def _at(self, least: Index, sunny: Index, high: Index) -> tuple[Real, Real, Complex | None]:
        """(K, T, C) W and var and (K, T, 3) V with demand, solar and head voltage each at a moment of its own."""
        demand, var = _picked(self.load_w, least), _picked(self.load_var, least)
        if self.solar_w is not None:
            demand = demand + _picked(self.solar_w, least) - _picked(self.solar_w, sunny)
        return demand, var, None if self.source_v is None else _picked(self.source_v, high)


def of_day(
    load_w: Real, load_var: Real, *, moments: int, solar_w: Real | None = None, source_v: Complex | None = None
) -> Scenarios:
    """Return a measured day as one path: T·M times, with M of them, `moments`, in each step.

    load_w, load_var: (T·M, C) base load and its var; solar_w: (T·M, C) passive solar within it; source_v: (T·M, 3) V.
    """
    solar = None if solar_w is None else solar_w[None]
    source = None if source_v is None else source_v[None]
    return of_history(load_w[None], load_var[None], solar, source, moments=moments)


def of_history(
    load_w: Real, load_var: Real, solar_w: Real | None = None, source_v: Complex | None = None, *, moments: int = 1
) -> Scenarios:
    """Return past days, or the sample paths of a forecast, as paths: joint over connections and over the day.

    load_w, load_var, solar_w: (K, T·M, C), and source_v: (K, T·M, 3), with M times, `moments`, in each step.
    """
    solar = None if solar_w is None else _stepped("solar_w", solar_w, moments)
    source = None if source_v is None else _stepped("source_v", source_v, moments)
    return Scenarios(_stepped("load_w", load_w, moments), _stepped("load_var", load_var, moments), solar, source)


def around(scenarios: Scenarios, base_load_w: Real, base_load_var: Real) -> Scenarios:
    """Return the paths moved so that in each step they scatter around (T, C) a forecast's W and var.

    Errors of past days, each joint over all connections, are so added to today's forecast.
    """
    more_w, more_var = base_load_w - scenarios.mean_w, base_load_var - scenarios.mean_var
    return Scenarios(
        scenarios.load_w + more_w[:, None],
        scenarios.load_var + more_var[:, None],
        scenarios.solar_w,
        scenarios.source_v,
        scenarios.share,
        scenarios.coincide,
        scenarios.bands,
    )


def _stepped(name: str, value: NDArray[Number], moments: int) -> NDArray[Number]:
    """(K, T, M, ...) of (K, T·M, ...)."""
    if value.ndim != 3 or moments < 1 or value.shape[1] % moments:
        raise BadProblem(f"{name} has shape {value.shape}; expected paths, times that {moments} divides, and places")
    return value.reshape(len(value), -1, moments, value.shape[2])


def _picked(table: NDArray[Number], moment: Index) -> NDArray[Number]:
    """(K, T, ...) of (K, T, M, ...) at (K, T) moments."""
    return np.asarray(np.take_along_axis(table, moment[:, :, None, None], axis=2)[:, :, 0])
