"""Margins for uncertain forecasts, head voltage and impedance, kept free in each constraint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from envelope.field_rules import BadProblem, InstanceOf, Numbers, Rule, validate
from gridmodel.arrays import Index, Real, Single

GROWTH = 1.25
"""effects are taken this much larger than at the base state: near a limit the same power moves voltages more"""


class ConstraintCoefficients(Protocol):
    """The part of R linear constraints that a margin needs."""

    @property
    def kind(self) -> Index:
        """(R,) 0 over-voltage, 1 under-voltage, 2 overload."""
        ...

    @property
    def element(self) -> Index:
        """(R,) monitored voltage, or monitored current."""
        ...

    @property
    def rise_up(self) -> Single:
        """(R, C) rise per W that a connection's upper end moves up, never negative."""
        ...

    @property
    def rise_down(self) -> Single:
        """(R, C) rise per W that its lower end moves down, never negative."""
        ...


@runtime_checkable
class Margin(Protocol):
    """Room kept free, whatever is allocated."""

    def per_row(self, rows: ConstraintCoefficients, at_rest: Real, limit: Real) -> Real:
        """(T, R) in each constraint's own unit; `at_rest` and `limit` are (T, R) values."""
        ...

    def said(self) -> str:
        """How the guarantee is worded with it; empty where something else says it."""
        ...


@dataclass(frozen=True, eq=False)
class BoxMargin:
    """Every base load anywhere within a band of its own, all of them at their worst at once."""

    delta_w: Real
    """(C,) or (T, C)"""

    RULES: ClassVar[Mapping[str, Rule]] = {"delta_w": Numbers("one or C or TC", low=0.0)}

    def __post_init__(self) -> None:
        validate(self)

    def per_row(self, rows: ConstraintCoefficients, at_rest: Real, limit: Real) -> Real:
        """Sum of what each band moves the constraint."""
        delta = np.broadcast_to(self.delta_w, (len(at_rest), rows.rise_up.shape[1]))
        return np.asarray(GROWTH * delta @ np.maximum(rows.rise_up, rows.rise_down).T)

    def said(self) -> str:
        """The base is anywhere in its bands."""
        return "base within its bands"


@dataclass(frozen=True, eq=False)
class ChanceMargin:
    """Independent forecast errors and one that is common to all, up to so many standard deviations of their effect."""

    sigma_w: Real
    """(C,) or (T, C)"""
    z: float = 3.0
    common_w: Real | None = None
    """(C,) or (T, C) watts per standard deviation of an error that all share, such as the weather"""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "sigma_w": Numbers("one or C or TC", low=0.0),
        "z": Numbers(low=0.0),
        "common_w": Numbers("one or C or TC"),
    }

    def __post_init__(self) -> None:
        validate(self)

    def per_row(self, rows: ConstraintCoefficients, at_rest: Real, limit: Real) -> Real:
        """z times the standard deviation of each constraint: aggregates vary less than their parts."""
        weight = np.maximum(rows.rise_up, rows.rise_down)
        shape = (len(at_rest), weight.shape[1])
        variance = np.broadcast_to(self.sigma_w, shape) ** 2 @ (weight**2).T
        if self.common_w is not None:
            variance = variance + (np.broadcast_to(self.common_w, shape) @ (rows.rise_up - rows.rise_down).T) ** 2
        return np.asarray(GROWTH * self.z * np.sqrt(variance))

    def said(self) -> str:
        """The base is within z sigma of the aggregate."""
        return f"base within {self.z:g} sigma"


@dataclass(frozen=True, eq=False)
class ScenarioMargin:
    """The worst of some demand paths, each the same for all of the network."""

    load_w: Real
    """(K, T, C)"""
    base_load_w: Real
    """(T, C) the forecast they scatter around"""

    RULES: ClassVar[Mapping[str, Rule]] = {"load_w": Numbers("KTC"), "base_load_w": Numbers("TC")}

    def __post_init__(self) -> None:
        validate(self)
        if self.load_w.shape[1:] != self.base_load_w.shape:
            raise BadProblem(
                f"load_w has shape {self.load_w.shape}; expected paths like base_load_w, {self.base_load_w.shape}"
            )

    def per_row(self, rows: ConstraintCoefficients, at_rest: Real, limit: Real) -> Real:
        """The largest linear rise over all paths, never negative."""
        signed = rows.rise_up - rows.rise_down
        rises = np.stack([(self.base_load_w - path) @ signed.T for path in self.load_w])
        return np.asarray(GROWTH * np.maximum(rises.max(axis=0), 0.0))

    def said(self) -> str:
        """The base is one of the paths."""
        return f"base within {len(self.load_w)} scenarios"


@dataclass(frozen=True, eq=False)
class HeadVoltageMargin:
    """Voltage at the head of the feeder anywhere in a band around what was taken; the band may differ by step."""

    low_pu: float | Real = 0.99
    high_pu: float | Real = 1.01
    """scalar or (T,)"""
    currents: int | None = None
    """how many of the monitored currents are currents; those after them are sums of power, which no voltage moves"""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "low_pu": Numbers("one or T", low=0.0, above=True),
        "high_pu": Numbers("one or T", low=0.0, above=True),
        "currents": Numbers(of=int, low=0),
    }

    def __post_init__(self) -> None:
        validate(self)
        if len({1, np.size(self.low_pu), np.size(self.high_pu)}) > 2:
            raise BadProblem(f"high_pu: {np.size(self.high_pu)} steps, and low_pu has {np.size(self.low_pu)}")
        if np.any(np.less(self.high_pu, self.low_pu)):
            raise BadProblem(f"high_pu: {np.min(self.high_pu):g} is below low_pu")

    def per_row(self, rows: ConstraintCoefficients, at_rest: Real, limit: Real) -> Real:
        """Voltages follow the head; currents of constant power go against it."""
        up, down = (np.broadcast_to(np.maximum(d, 0.0), len(limit)) for d in (self._up, self._down))
        part = np.stack([up, down, down], axis=1)[:, rows.kind]
        if self.currents is not None:
            part[:, (rows.kind == 2) & (rows.element >= self.currents)] = 0.0
        return np.asarray(GROWTH * np.abs(limit) * part)

    @property
    def _up(self) -> Real:
        return np.asarray(self.high_pu, dtype=float) - 1.0

    @property
    def _down(self) -> Real:
        return 1.0 - np.asarray(self.low_pu, dtype=float)

    def said(self) -> str:
        """The head voltage is in its band."""
        return f"head voltage within {float(np.min(self.low_pu)):.4g}..{float(np.max(self.high_pu)):.4g} pu"


@dataclass(frozen=True)
class ImpedanceMargin:
    """Every effect larger than modelled by up to this part."""

    part: float = 0.05

    RULES: ClassVar[Mapping[str, Rule]] = {"part": Numbers(low=0.0, high=1.0)}

    def __post_init__(self) -> None:
        validate(self)

    def per_row(self, rows: ConstraintCoefficients, at_rest: Real, limit: Real) -> Real:
        """Shrink the distance between base load and limit by the factor."""
        return np.asarray(np.maximum(limit - at_rest, 0.0) * self.part / (1.0 + self.part))

    def said(self) -> str:
        """Impedances are known within a part."""
        return f"impedances within {100 * self.part:g} %"


@dataclass(frozen=True, eq=False)
class AutonomousResponse:
    """Volt-var of inverters: counted in every current, never credited to a voltage."""

    q_max_var: Real
    """(C,) most that a connection's inverters may produce or absorb by themselves"""
    wording: str = "volt-var counted, not credited"

    RULES: ClassVar[Mapping[str, Rule]] = {"q_max_var": Numbers("C", low=0.0), "wording": InstanceOf(str)}

    def __post_init__(self) -> None:
        validate(self)

    def per_row(self, rows: ConstraintCoefficients, at_rest: Real, limit: Real) -> Real:
        """Rise of each current with all of that reactive power, at any angle."""
        weight = np.maximum(rows.rise_up, rows.rise_down)
        out = np.zeros_like(at_rest)
        for element in np.unique(rows.element[rows.kind == 2]):
            facets = np.flatnonzero((rows.kind == 2) & (rows.element == element))
            # Over all directions the largest projection is the size itself, of a var as of a watt.
            out[:, facets] = GROWTH * float(weight[facets].max(axis=0) @ self.q_max_var)
        return out

    def said(self) -> str:
        """Wording of the credit."""
        return self.wording
