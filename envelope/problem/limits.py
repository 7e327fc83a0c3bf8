"""Operating limits: voltage criteria as data, current ratings, and the margins kept inside them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import ClassVar

from envelope.field_rules import BadProblem, InstanceOf, Numbers, Rule, validate
from gridmodel.arrays import Real
from sep2.errors import SepError


class UnknownCriterion(SepError):
    """There is no voltage criterion of that name."""

    status = 404


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
    unbalance_percent: float | None = None


@cache
def voltage_criteria() -> dict[str, VoltageCriterion]:
    """All criteria that are known, by name."""
    text = resources.files("envelope").joinpath("data/voltage_criteria.toml").read_text(encoding="utf-8")
    return {name: VoltageCriterion(name=name, **fields) for name, fields in tomllib.loads(text).items()}


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
    """

    v_min_v: float = 216.0
    v_max_v: float = 253.0
    rating_factor: float | Real = 1.0
    """scalar or (T,): permitted current over the rating of everything in the network, per step (seasonal)"""
    transformer_factor: float | Real = 1.0
    """scalar or (T,): the same for transformers alone, such as `thermal.rating_factors`"""
    transformer_most_a: float = float("inf")
    """A per low-voltage phase that fuses and bushings bear, however cool the transformer is"""
    margin_v: float = 0.05
    margin_current: float = 0.002
    """fraction of the rating"""
    source: str = "as-61000.3.100"
    vuf_max_percent: float | None = None
    """negative over positive sequence at three-phase nodes with customers; None: not limited"""

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


def as_61000() -> OperatingLimits:
    """The default: 216 to 253 V."""
    return OperatingLimits.of("as-61000.3.100")
