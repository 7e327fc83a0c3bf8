"""The most that a plant may feed or draw at each step: by AC power flow, against voltage bands and ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from envelope.planning.plant import Direction, Plant, with_plants
from envelope.planning.settings import OVERSIZE, UNITY, Setting
from envelope.planning.year import Year
from envelope.problem import OperatingLimits
from envelope.problem.limits import voltage_levels
from gridmodel.arrays import Complex, Index, Mask, Real
from gridmodel.flow import power_flow as flow
from gridmodel.flow.inverters import Curve, Inverters
from gridmodel.flow.kron import Reduced, reduce
from gridmodel.model.feeder import port_share
from gridmodel.model.network import Network

BLOCK = 4096
"""steps solved together"""
HALVINGS = 14
FINE_V, COARSE_V = 1e-6, 1e-3
"""error of voltages in the verification, and while a limit is sought"""


class PlantState(NamedTuple):
    """Excess at S steps with the plant at some power."""

    excess: Real
    """(S,) beyond the nearest limit, in its own unit: per unit of V or of a rating; negative: inside"""
    binding: Index
    """(S,) which one that is: a voltage, or beyond the voltages a current"""
    power_w: Real
    """(S,) that the plant in fact feeds or draws"""


class Ahead(NamedTuple):
    """Plants ahead in the queue, and how they are counted."""

    plants: tuple[Plant, ...]
    pro_rata: bool
    """whether they are limited by the same part of their size; False: they come first"""


@dataclass(frozen=True, eq=False)
class Hosting:
    """A network with a plant, and the days it is studied over. T steps."""

    network: Network
    """without the plant"""
    year: Year
    plant: Plant
    direction: Direction
    limits: OperatingLimits
    available: Real
    """(T,) part of its size that the plant can feed or draw, 0 to 1"""
    ahead: Ahead = field(default_factory=lambda: Ahead((), False))
    setting: Setting = UNITY

    def with_setting(self, setting: Setting) -> Hosting:
        """The same with another setting of the plant's inverters."""
        found = replace(self, setting=setting)
        # What does not depend on the setting is kept.
        for name in ("reduced", "_band", "_base", "_shares", "_known", "names"):
            found.__dict__[name] = getattr(self, name)
        return found

    @cached_property
    def reduced(self) -> Reduced:
        """The network with the plants, seen from its connections; voltages at connections only."""
        found = reduce(with_plants(self.network, (self.plant, *self.ahead.plants)))
        return found.watching(found.voltages_at_connections())

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of voltages and currents, as `PlantState.binding` counts them."""
        return (*self.reduced.voltage_names, *self.reduced.current_names)

    @cached_property
    def _band(self) -> tuple[Real, Real]:
        """(N,) per unit of nominal: lowest and highest voltage permitted, margins taken off."""
        nominal_v = self.reduced.node_nominal_v
        low_v, high_v, unit = self.limits.at_levels(voltage_levels(self.reduced)).voltages_at(nominal_v)
        margin_v = self.limits.margin_v * unit
        return (low_v + margin_v) / nominal_v, (high_v - margin_v) / nominal_v

    @cached_property
    def _base(self) -> Complex:
        """(T, L) VA injected at the ports by the customers."""
        network, customers = self.reduced.network, self.year.load_w.shape[1]
        of = network.connections.port_connection
        share = port_share(network)
        found = np.zeros((len(self.year.load_w), len(of)), dtype=np.complex128)
        own = of < customers
        found[:, own] = -(self.year.load_w + 1j * self.year.load_var)[:, of[own]] * share[own]
        return found

    @cached_property
    def _shares(self) -> tuple[Real, Real]:
        """(L,) part of the plant's power at each port, and (L,) W of the plants ahead at full size."""
        network, customers = self.reduced.network, self.year.load_w.shape[1]
        of, share = network.connections.port_connection, port_share(network)
        sizes = np.array([0.0] * customers + [0.0] + [one.size_w for one in self.ahead.plants])
        return np.where(of == customers, share, 0.0), sizes[of] * share

    def _others(self, at: Index, power_w: Real, full: bool) -> Complex:
        """(S, L) VA of the plants ahead, in the plant's direction."""
        if not self.ahead.plants:
            return np.zeros((len(at), 1), dtype=np.complex128)
        part = np.full(len(at), float(full)) * self.available[at]
        if self.ahead.pro_rata:
            part = np.minimum(power_w / max(self.plant.size_w, 1.0), self.available[at])
        return np.asarray(self.direction.sign * part[:, None] * self._shares[1], dtype=np.complex128)

    def _values(self, at: Index, power_w: Real, *, full: bool = True, tol_v: float) -> tuple[Real, Real, Real]:
        """(S, N) per unit voltage, (S, B) current over rating, (S,) W of the plant; not finite without a solution."""
        share, reduced = self._shares[0], self.reduced
        s_va = self._base[at] + self._others(at, power_w, full)
        own_w = self.direction.sign * power_w[:, None] * share
        ports = np.flatnonzero(share)
        inverters = None
        if self.setting.answers and self.direction is Direction.EXPORT:
            rated_va = OVERSIZE * self.plant.size_w * share[ports]
            inverters = Inverters(
                port=ports, s_rated_va=rated_va, available_w=own_w[:, ports], priority="var",
                reference_v=float(reduced.nominal_v[ports[0]]),
                volt_var=_of_rating(self.setting.volt_var), volt_watt=_of_rating(self.setting.volt_watt),
            )  # fmt: skip
        else:
            var = self.setting.tan_phi if self.direction is Direction.EXPORT else 0.0
            s_va = s_va + own_w * (1.0 + 1j * var)
        source = None if self.year.source_v is None else self.year.source_v[at]
        solved = flow.solve(reduced, s_va, source, inverters=inverters, tol_v=tol_v)
        with np.errstate(invalid="ignore"):
            volts = flow.voltages(reduced, solved) / reduced.node_nominal_v
            amps = flow.currents(reduced, solved) / reduced.rating_a
            fed = (solved.v * np.conj(solved.i))[:, ports].real.sum(axis=1)
        if inverters is None:
            fed = own_w.sum(axis=1)
        return volts, amps, np.asarray(self.direction.sign * fed)

    @cached_property
    def _known(self) -> dict[bool, tuple[Mask, dict[int, tuple[Real, Real]]]]:
        """By whether plants that come first feed all they can, what `_given` finds."""
        return {}

    def _given(self, full: bool) -> tuple[Mask, dict[int, tuple[Real, Real]]]:
        """(T,) steps beyond a limit without the plant, and there by step voltages and currents."""
        if full not in self._known:
            self._known[full] = self._without(full)
        return self._known[full]

    def _without(self, full: bool) -> tuple[Mask, dict[int, tuple[Real, Real]]]:
        found, kept = np.zeros(len(self._base), dtype=bool), {}
        different = np.unique(self.year.distinct)
        for start in range(0, len(different), BLOCK):
            at = different[start : start + BLOCK]
            volts, amps, _ = self._values(at, np.zeros(len(at)), full=full, tol_v=COARSE_V)
            for k in np.flatnonzero(self._beyond(volts, amps).max(axis=1) > 0.0):
                found[at[k]], kept[int(at[k])] = True, (volts[k], amps[k])
        return found[self.year.distinct], kept

    def _beyond(self, volts: Real, amps: Real, at: Index | None = None, *, full: bool = True) -> Real:
        """(S, N + B) beyond limits; where all others are beyond one without the plant, beyond what they reach.

        at: (S,) steps; None: against the limits themselves.
        """
        low, high = self._band
        most = np.full(amps.shape, 1.0 - self.limits.margin_current)
        lows, highs = np.broadcast_to(low, volts.shape).copy(), np.broadcast_to(high, volts.shape).copy()
        if at is not None:
            beyond, kept = self._given(full)
            for k in np.flatnonzero(beyond[at]):
                own_volts, own_amps = kept[int(self.year.distinct[at[k]])]
                lows[k], highs[k] = np.fmin(lows[k], own_volts - 1e-6), np.fmax(highs[k], own_volts + 1e-6)
                most[k] = np.fmax(most[k], own_amps + 1e-6)
        found = np.concatenate([np.maximum(volts - highs, lows - volts), amps - most], axis=1)
        # An element without a rating is never beyond it; a flow without a solution always is.
        unsolved = np.isnan(volts).any(axis=1)
        found = np.nan_to_num(found, nan=-1.0, posinf=9.0)
        found[unsolved] = np.where(np.arange(found.shape[1]) < volts.shape[1], 9.0, -1.0)
        return np.asarray(found)

    def state(self, at: Index, power_w: Real, *, full: bool = True, tol_v: float = FINE_V) -> PlantState:
        """Excess at steps `at` with the plant at (S,) W; full: whether plants that come first feed all they can."""
        first, of = self._once(at, power_w)
        at, power_w = at[first], power_w[first]
        excess, binding, fed = np.empty(len(at)), np.empty(len(at), dtype=np.intp), np.empty(len(at))
        for start in range(0, len(at), BLOCK):
            part = slice(start, start + BLOCK)
            volts, amps, fed[part] = self._values(at[part], power_w[part], full=full, tol_v=tol_v)
            beyond = self._beyond(volts, amps, at[part], full=full)
            excess[part], binding[part] = beyond.max(axis=1), beyond.argmax(axis=1)
        return PlantState(excess[of], binding[of], fed[of])

    @property
    def variants(self) -> Sequence[bool]:
        """Whether plants that come first feed all they can, or nothing: both must hold."""
        return (True, False) if self.ahead.plants and not self.ahead.pro_rata else (True,)

    def _once(self, at: Index, power_w: Real) -> tuple[Index, Index]:
        """Positions of different (steps, powers), and (S,) which of them each one is: days that repeat count once."""
        rows = np.column_stack([self.year.distinct[at], power_w, self.available[at]])
        _, first, of = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        return first, of.reshape(-1)

    def most(self, at: Index, upper_w: Real) -> tuple[Real, Index]:
        """(S,) most W at steps `at`, up to (S,) W, within a 16384th of that; and what binds there, -1 where nothing."""
        first, of = self._once(at, upper_w)
        found, what = self._most(at[first], upper_w[first])
        return found[of], what[of]

    def _most(self, at: Index, upper_w: Real) -> tuple[Real, Index]:
        """The same of different steps."""
        found, what = upper_w.copy(), np.full(len(at), -1, dtype=np.intp)
        for full in self.variants:
            tried = self.state(at, found, full=full, tol_v=COARSE_V)
            over = np.flatnonzero(tried.excess > 0.0)
            low, high = np.zeros(len(over)), found[over].copy()
            what[over] = tried.binding[over]
            for _ in range(HALVINGS):
                if not len(over):
                    break
                middle = 0.5 * (low + high)
                one = self.state(at[over], middle, full=full, tol_v=COARSE_V)
                fits = one.excess <= 0.0
                low, high = np.where(fits, middle, low), np.where(fits, high, middle)
                what[over] = np.where(fits, what[over], one.binding)
            found[over] = low
        return found, what

    def hours_without(self) -> float:
        """Hours of the days studied in which a limit is exceeded without the plant."""
        return float(self._given(self.variants[0])[0].sum()) * self.year.hours

    def verified(self, power_w: Real) -> Verified:
        """Whether (T,) W, half of them, and with plants ahead at full or at nothing, stay within all limits."""
        every = np.arange(len(power_w))
        broken, worst = np.zeros(len(power_w), dtype=bool), -np.inf
        for full in self.variants:
            for part in (1.0, 0.5):
                one = self.state(every, part * power_w, full=full)
                broken |= one.excess > 0.0
                worst = max(worst, float(one.excess.max()))
        return Verified(int(broken.sum()), worst, len(every) * 2 * len(self.variants))


def _of_rating(curve: Curve | None) -> Curve | None:
    """A curve in shares of the active power's size, as shares of the inverters' rating."""
    return None if curve is None else Curve(tuple((volts, share / OVERSIZE) for volts, share in curve.points))


class Verified(NamedTuple):
    """A verification of limits."""

    broken_steps: int
    worst: float
    """beyond the nearest limit with its margin, per unit of voltage or rating; negative: inside"""
    states: int
