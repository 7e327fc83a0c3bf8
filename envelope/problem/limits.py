"""Operating limits: voltage criteria as data, current ratings, and the margins kept inside them."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import ClassVar, NamedTuple

import numpy as np

from envelope.field_rules import UNSAID_BY_DEFAULT, BadProblem, InstanceOf, ListOf, Numbers, Rule, validate
from gridmodel.arrays import Real
from gridmodel.flow.kron import Reduced
from sep2.errors import SepError

LOW_VOLTAGE_V = 1000.0
"""between phases; above it is medium voltage"""
SAME_LEVEL = 0.005
"""part by which nominal voltages of one level may differ"""
SUITS = 0.8, 1.25
"""nominal voltage over that of a criterion that is meant for it"""
NEAR_NOMINAL = 0.1
"""part by which it may be off one of the criterion's further nominal voltages"""
REACH = 1.08
"""A low-voltage band counts in the volts that its document states for nominal voltages up to so far beyond its ends:
networks often call a node by the no-load voltage of its transformer (250 V for 433 V)."""


class UnknownCriterion(SepError):
    """There is no voltage criterion of that name."""

    status = 404


@dataclass(frozen=True, slots=True)
class VoltageBand:
    """Band of the voltage at connections of one level, V phase-to-neutral."""

    nominal_v: float
    low_v: float
    high_v: float

    RULES: ClassVar[Mapping[str, Rule]] = {
        "nominal_v": Numbers(low=0.0, above=True),
        "low_v": Numbers(low=0.0, above=True),
        "high_v": Numbers(low=0.0, above=True),
    }

    def __post_init__(self) -> None:
        validate(self)
        if not self.low_v < self.high_v:
            raise BadProblem(f"bands: {self.nominal_v:g} V: high_v: {self.high_v:g} is not above low_v, {self.low_v:g}")

    def is_for(self, nominal_v: float) -> bool:
        """Whether connections of that nominal voltage are at this level."""
        return abs(nominal_v / self.nominal_v - 1.0) < SAME_LEVEL


class MediumBand(NamedTuple):
    """Band above 1 kV between phases, per unit of the nominal voltage, with the source of its figures."""

    low_pu: float
    high_pu: float
    source: str


@dataclass(frozen=True, slots=True)
class VoltageCriterion:
    """A named band for the voltage at a connection, V phase-to-neutral, with the source of its figures."""

    name: str
    title: str
    nominal_v: float
    low_v: float
    high_v: float
    statistic: str
    source: str
    medium: MediumBand
    nominals_v: Sequence[float] = ()
    """further low voltages for which the band holds per unit"""
    unbalance_percent: float | None = None

    def band(self, nominal_v: float) -> VoltageBand:
        """The band per unit of a nominal voltage, V phase-to-neutral, at the level that it belongs to."""
        low_pu, high_pu = self.low_v / self.nominal_v, self.high_v / self.nominal_v
        if is_medium_voltage(nominal_v):
            low_pu, high_pu, _ = self.medium
        return VoltageBand(nominal_v, low_pu * nominal_v, high_pu * nominal_v)

    def suits(self, nominal_v: float) -> bool:
        """Whether the criterion is meant for connections of a nominal voltage, V phase-to-neutral."""
        if is_medium_voltage(nominal_v) or SUITS[0] < nominal_v / self.nominal_v < SUITS[1]:
            return True
        return any(abs(nominal_v / own - 1.0) < NEAR_NOMINAL for own in self.nominals_v)


def is_medium_voltage(nominal_v: float) -> bool:
    """Whether a nominal voltage, V phase-to-neutral, is above 1 kV between phases."""
    return math.sqrt(3.0) * nominal_v > LOW_VOLTAGE_V


@cache
def voltage_criteria() -> dict[str, VoltageCriterion]:
    """All criteria that are known, by name."""
    text = resources.files("envelope").joinpath("data/voltage_criteria.toml").read_text(encoding="utf-8")
    return {
        name: VoltageCriterion(name=name, **said | {"medium": MediumBand(**said["medium"])})
        for name, said in tomllib.loads(text).items()
    }


def voltage_criterion(name: str) -> VoltageCriterion:
    """The criterion of that name."""
    known = voltage_criteria()
    if name not in known:
        raise UnknownCriterion(f"{name!r}; known are {', '.join(sorted(known))}")
    return known[name]


@dataclass(frozen=True)
class OperatingLimits:
    """The limits of one calculation.

    The engine aims at the limits less the margins; what it accepts lies strictly inside the limits themselves.
    Voltages of another level than that of `v_min_v` and `v_max_v` have a band of their own in `bands`.
    """

    v_min_v: float = 216.0
    v_max_v: float = 253.0
    """V phase-to-neutral"""
    rating_factor: float | Real = 1.0
    """scalar or (T,): permitted current over the rating of everything in the network, per step (seasonal)"""
    transformer_factor: float | Real = 1.0
    """scalar or (T,): the same for transformers alone, such as `thermal.rating_factors`"""
    transformer_most_a: float = float("inf")
    """A per low-voltage phase that fuses and bushings bear, however cool the transformer is"""
    margin_v: float = 0.05
    """V of the band `v_min_v` to `v_max_v`; as much per unit in others"""
    margin_current: float = 0.002
    """fraction of the rating"""
    source: str = "as-61000.3.100"
    vuf_max_percent: float | None = None
    """negative over positive sequence at three-phase nodes with customers; None: not limited"""
    bands: Sequence[VoltageBand] = field(default=(), metadata=UNSAID_BY_DEFAULT)
    """of further voltage levels; a problem adds those that its connections need, from the criterion `source`"""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "v_min_v": Numbers(low=0.0, above=True),
        "v_max_v": Numbers(low=0.0, above=True),
        "rating_factor": Numbers("one or T", low=0.0, above=True),
        "transformer_factor": Numbers("one or T", low=0.0, above=True),
        "transformer_most_a": Numbers(low=0.0, above=True, high=float("inf")),
        "margin_v": Numbers(low=0.0, above=True),
        "margin_current": Numbers(low=0.0, above=True, high=0.5),
        "source": InstanceOf(str),
        "vuf_max_percent": Numbers(low=0.0, above=True, high=100.0),
        "bands": ListOf(VoltageBand),
    }

    def __post_init__(self) -> None:
        validate(self)
        if not self.v_min_v < self.v_max_v:
            raise BadProblem(f"v_max_v: {self.v_max_v:g} is not above v_min_v, {self.v_min_v:g}")

    @classmethod
    def of(cls, name: str, *, nominal_v: float | None = None) -> OperatingLimits:
        """Limits of a named criterion, scaled to another nominal voltage when one is given."""
        found = voltage_criterion(name)
        scale = 1.0 if nominal_v is None else nominal_v / found.nominal_v
        unbalance = found.unbalance_percent
        return cls(found.low_v * scale, found.high_v * scale, source=name, vuf_max_percent=unbalance)

    def band_at(self, nominal_v: float) -> VoltageBand | None:
        """The band of connections of a nominal voltage, V phase-to-neutral; None: these limits have none for it."""
        for band in self.bands:
            if band.is_for(nominal_v):
                return band
        if self.v_min_v / REACH <= nominal_v <= REACH * self.v_max_v:
            return VoltageBand(nominal_v, self.v_min_v, self.v_max_v)
        return None

    def at_levels(self, levels: Mapping[float, str]) -> OperatingLimits:
        """The limits with a band for each of these nominal voltages, V phase-to-neutral, and where each is found."""
        found = self
        for nominal_v in sorted(levels):
            if found.band_at(nominal_v) is None:
                found = replace(found, bands=(*found.bands, self._by_criterion(nominal_v, levels[nominal_v])))
        return found

    def widened(self, *, over_v: float = 0.0, under_v: float = 0.0) -> OperatingLimits:
        """The limits with bands that are wider by these V, and by as much per unit at further levels."""
        bands = []
        for band in self.bands:
            unit = self._unit(band)
            wider = replace(band, low_v=band.low_v - under_v * unit, high_v=band.high_v + over_v * unit)
            bands.append(wider)
        return replace(self, v_min_v=self.v_min_v - under_v, v_max_v=self.v_max_v + over_v, bands=tuple(bands))

    def _unit(self, band: VoltageBand) -> float:
        """V at the level of a band that count as much as 1 V in `v_min_v` to `v_max_v`."""
        return 2.0 * band.nominal_v / (self.v_min_v + self.v_max_v)

    def _by_criterion(self, nominal_v: float, where: str) -> VoltageBand:
        known = voltage_criteria().get(self.source)
        if known is None:
            raise BadProblem(
                f"limits: bands: none for {nominal_v:.0f} V, as at {where}, and source {self.source!r} is no known"
                f" criterion; {self.v_min_v:g} to {self.v_max_v:g} V is for another level"
            )
        return known.band(nominal_v)

    def voltages_at(self, nominal_v: Real) -> tuple[Real, Real, Real]:
        """(N,) V lower and upper limit at nominal voltages, and (N,) V that count there as much as 1 V in the first.

        Where there is no band, the first counts.
        """
        low_v, high_v, unit = (np.full(nominal_v.shape, value) for value in (self.v_min_v, self.v_max_v, 1.0))
        for band in self.bands:
            of_level = np.abs(nominal_v / band.nominal_v - 1.0) < SAME_LEVEL
            low_v[of_level], high_v[of_level] = band.low_v, band.high_v
            unit[of_level] = self._unit(band)
        return low_v, high_v, unit


def as_61000() -> OperatingLimits:
    """The default: 216 to 253 V."""
    return OperatingLimits.of("as-61000.3.100")


def voltage_levels(reduced: Reduced) -> dict[float, str]:
    """Nominal voltages at connections, V phase-to-neutral, each with one of its nodes."""
    at = reduced.voltages_at_connections()
    nominal_v, first = np.unique(reduced.node_nominal_v[at], return_index=True)
    names = [reduced.network.terminal_name(int(reduced.node_terminal[at[k]])) for k in first]
    return dict(zip(nominal_v.tolist(), names, strict=True))
