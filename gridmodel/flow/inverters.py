"""What inverters do by themselves: fixed power factor, volt-var and volt-watt, solved together with the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gridmodel.arrays import Complex, Index, Real
from gridmodel.errors import GridError
from gridmodel.flow.kron import Reduced

SLOPE_STEP = 1e-5
"""per unit of voltage to both sides, where a curve's slope is asked for"""


@dataclass(frozen=True, slots=True)
class Curve:
    """Piecewise linear in voltage, flat beyond its ends: points (per-unit voltage, share), voltages ascending."""

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        try:
            volts, share = np.array(self.points, dtype=np.float64).reshape(-1, 2).T
        except (TypeError, ValueError):
            raise GridError(f"curve {self.points!r}: its points are pairs of numbers, voltage and share") from None
        if len(volts) < 2 or not np.all(np.diff(volts) > 0.0) or not np.all(np.isfinite([volts, share])):
            raise GridError(f"curve {self.points}: needs two points or more, finite and at ascending voltages")

    def at(self, v_pu: Real) -> Real:
        """The share at each voltage."""
        volts, share = np.array(self.points).T
        return np.asarray(np.interp(v_pu, volts, share))

    @property
    def steepest(self) -> float:
        """Greatest slope, share per per-unit voltage."""
        v, share = np.array(self.points).T
        return float(np.abs(np.diff(share) / np.diff(v)).max())


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Inverters:
    """K inverters at ports; their power comes on top of the injections that the power flow is given."""

    port: Index
    """(K,) ports, each at most once"""
    s_rated_va: Real
    """(K,)"""
    available_w: Real
    """(K,) or (S, K) what the sun or the battery offers, export positive"""
    reference_v: float
    """the voltage that is 1.0 of the curves, V across the port"""
    volt_var: Curve | None = None
    """share of `reactive_base` produced (over-excited positive)"""
    volt_watt: Curve | None = None
    """share of s_rated_va that may be produced"""
    tan_phi: float = 0.0
    """q over p where there is no volt-var curve; negative absorbs while producing"""
    reactive_base: Literal["rated", "available"] = "rated"
    """volt-var in shares of s_rated_va, or of what active power leaves of it"""
    priority: Literal["watt", "var"] = "watt"
    """which of the two gives way when s_rated_va is reached"""

    def power_va(self, v: Real, available_w: Real) -> Complex:
        """(n, K) VA produced at port voltage magnitudes v (n, K)."""
        v_pu, rated = v / self.reference_v, self.s_rated_va
        p = available_w
        if self.volt_watt is not None:
            p = np.minimum(p, self.volt_watt.at(v_pu) * rated)
        p = np.clip(p, -rated, rated)
        if self.volt_var is None:
            q = self.tan_phi * p
        else:
            base = np.sqrt(rated**2 - p**2) if self.reactive_base == "available" else rated
            q = self.volt_var.at(v_pu) * base
        if self.priority == "var":
            q = np.clip(q, -rated, rated)
            room = np.sqrt(rated**2 - q**2)
            p = np.clip(p, -room, room)
        else:
            room = np.sqrt(rated**2 - p**2)
            q = np.clip(q, -room, room)
        return np.asarray(p + 1j * q)

    def slope_var_per_v(self, v: Real) -> Real:
        """(K,) var per V of the volt-var curve at port voltage magnitudes; at a kink the mean of both sides."""
        if self.volt_var is None:
            return np.zeros(len(self.port))
        around = [self.volt_var.at(v / self.reference_v + step) for step in (SLOPE_STEP, -SLOPE_STEP)]
        return (around[0] - around[1]) / (2.0 * SLOPE_STEP) * self.s_rated_va / self.reference_v


class Response:
    """Inverters of one block of scenarios, approaching their curves step by step.

    Answering a voltage at once would swing around the solution where curves are steep. Each step goes the share of the
    way that is best when the curves' greatest slope acts everywhere.
    """

    def __init__(self, inverters: Inverters, reduced: Reduced, s: Complex, block: slice) -> None:
        available = np.asarray(inverters.available_w, dtype=np.float64)
        self.inverters, self.port = inverters, inverters.port
        self.available_w = np.broadcast_to(
            available[block] if available.ndim == 2 else available, (len(s), len(self.port))
        )
        self.others = s[:, self.port].copy()
        self.share = 2.0 / (2.0 + _gain(inverters, reduced))
        self.power = inverters.power_va(np.abs(reduced.no_load())[:1, self.port], self.available_w)
        self.update(s)

    def update(self, s: Complex) -> None:
        """Brings s (n, L) to what the inverters do by now."""
        s[:, self.port] = self.others + self.power

    def follow(self, at: Index, s: NDArray[Any], v: NDArray[Any], i: NDArray[Any]) -> None:
        """One step of the scenarios `at`: s and i (n, L) are brought to what the inverters do at v."""
        seen = v[:, self.port]
        wanted = self.inverters.power_va(np.abs(seen).astype(np.float64), self.available_w[at])
        self.power[at] += self.share * (wanted - self.power[at])
        whole = self.others[at] + self.power[at]
        s[:, self.port] = whole
        i[:, self.port] = np.conj(whole / seen)


def _gain(inverters: Inverters, reduced: Reduced) -> float:
    """Greatest possible change of the wanted powers for a unit change of the powers, all curves at their steepest."""
    slope = sum(c.steepest for c in (inverters.volt_var, inverters.volt_watt) if c is not None)
    if inverters.volt_var is None and inverters.volt_watt is not None:
        slope *= np.hypot(1.0, inverters.tan_phi)
    va_per_v = slope * inverters.s_rated_va / inverters.reference_v
    z = np.abs(reduced.Z[np.ix_(inverters.port, inverters.port)]) / inverters.reference_v
    return float((z * va_per_v).sum(axis=1).max(initial=0.0))
