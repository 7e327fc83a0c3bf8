"""Voltages at the heads of low-voltage feeders: the medium voltage solved at its worst corners, taps frozen and moved.

Customers move within seconds, taps within minutes. So a tap may stand wherever it would rest in any state of this
interval or of the one before, or where it stands now, while the feeders are already in another state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np

from envelope.field_rules import BadProblem
from envelope.medium_voltage.feeder_head import HeadBox, NoFlow
from envelope.medium_voltage.operator_limits import OperatorLimit
from gridmodel.arrays import Complex, Index, Mask, Real
from gridmodel.flow.sensitivity import sensitivities
from gridmodel.flow.taps import Tapped
from gridmodel.model import admittance as build
from gridmodel.model.network import Network
from gridmodel.model.regulators import Regulator

SWEEPS = 6
"""over the controls, each with the others at both ends of where they may stand"""
BETWEEN = np.arange(1, 8) / 8.0
"""states between the two ends of all boxes, where power turns round and a control with it"""
HEAD_PHASES = ("abc", "a", "b", "c", "a+b", "a+c", "b+c")
"""phases at which a feeder's head may stand"""
MOST_COMBINED = 4
"""controls, or switched capacitors, with all combinations tried; of more, all alike and each against the rest"""


@dataclass(frozen=True, eq=False)
class MediumVoltage:
    """A medium-voltage feeder; its connections are the heads of low-voltage feeders, by name."""

    network: Network
    regulators: tuple[Regulator, ...] | None = None
    """default: those of the network's equipment"""
    source_v: Complex | None = None
    """(3,) or (T, 3) V; default the network's own"""
    source_low_pu: float = 1.0
    source_high_pu: float = 1.0
    """band of the voltage behind it, over `source_v`"""
    other_va: Complex | None = None
    """(T, C) what connections that are no feeder inject, W + j var; default nothing"""
    switching: tuple[str, ...] = ()
    """capacitors that may be open or closed at any moment; the others stay as they are"""
    limits: tuple[OperatorLimit, ...] = ()
    """on the sum of the power of some feeders"""

    def __post_init__(self) -> None:
        if not 0.5 < self.source_low_pu <= 1.0 <= self.source_high_pu < 1.5:
            raise BadProblem(f"source_low_pu {self.source_low_pu:g}, source_high_pu {self.source_high_pu:g}: low <= 1")
        equipment = self.network.equipment
        known = () if equipment is None else tuple(capacitor.id for capacitor in equipment.capacitors)
        for name in self.switching:
            if name not in known:
                raise BadProblem(f"switching: capacitor {name} is not in the network")

    def ports_of(self, name: str) -> Index:
        """(P,) ports of a feeder's head, one per phase that it stands at."""
        connections = self.network.connections
        if name not in self._place:
            raise BadProblem(f"feeder {name}: the medium voltage has no connection of that name")
        at = self._place[name]
        if connections.phase[at] not in HEAD_PHASES:
            known = ", ".join(HEAD_PHASES)
            raise BadProblem(
                f"feeder {name}: its connection has phase {connections.phase[at]}; one of {known} is needed"
            )
        return self._ports[at]

    def columns_of(self, name: str) -> Index:
        """(P,) which of phases a, b, c these are."""
        return np.array(["abc".index(self.network.connections.port_phase[k]) for k in self.ports_of(name)])

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.network.connections.id)}

    @cached_property
    def _ports(self) -> list[Index]:
        of = self.network.connections.port_connection
        return np.split(np.arange(len(of)), np.flatnonzero(np.diff(of)) + 1)

    def head_v(self, v: Complex, name: str, otherwise: Complex) -> Complex:
        """(M, T, 3) V at a feeder's head of (M, T, L) at all ports; phases that it has not are (T, 3) `otherwise`."""
        found = np.broadcast_to(otherwise, (*v.shape[:-1], 3)).copy()
        found[..., self.columns_of(name)] = v[..., self.ports_of(name)]
        return found

    def sources(self, steps: int) -> Complex:
        """(T, 3) V of the source."""
        given = self.network.source.v if self.source_v is None else self.source_v
        return np.broadcast_to(np.asarray(given, dtype=np.complex128), (steps, 3))

    def states(self) -> list[Tapped]:
        """The network with its capacitors in every state that they may be in."""
        equipment = self.network.equipment
        if not self.switching or equipment is None:
            return [Tapped(self.network, self.regulators)]
        found = []
        for closed in combinations(len(self.switching)):
            state = dict(zip(self.switching, closed, strict=True))
            capacitors = tuple(replace(c, closed=state.get(c.id, c.closed)) for c in equipment.capacitors)
            found.append(Tapped(build.network(replace(equipment, capacitors=capacitors)), self.regulators))
        return found


class Band(NamedTuple):
    """Head voltage over its centre, (T,) each; what customers without load would see."""

    low_pu: Real
    high_pu: Real

    def holds(self, other: Band) -> bool:
        """Whether the other lies inside."""
        return bool(np.all(self.low_pu <= other.low_pu) and np.all(self.high_pu >= other.high_pu))

    def around(self, other: Band, spare: float) -> Band:
        """Both, and a little more than the other."""
        return Band(
            np.minimum(self.low_pu, other.low_pu - spare),
            np.maximum(self.high_pu, other.high_pu + spare),
        )

    def towards(self, other: Band, part: float) -> Band:
        """Part of the way to a narrower one."""
        return Band(
            self.low_pu + part * (other.low_pu - self.low_pu), self.high_pu + part * (other.high_pu - self.high_pu)
        )


class TapRange(NamedTuple):
    """Positions between which each tap may stand, (T, R), with the source at one end of its band."""

    source_pu: float
    low: Index
    high: Index


class Heads(NamedTuple):
    """Head voltages and tap positions that the medium voltage brings about."""

    v: Complex
    """(M, T, L) V at every port in M states of each step"""
    ranges: tuple[TapRange, ...]
    injected: Complex
    """(K, T, L) VA at the corners that were tried"""


def combinations(count: int) -> list[tuple[bool, ...]]:
    """Every choice between two ends for `count` things; of many, all alike and each against the rest."""
    if count <= MOST_COMBINED:
        return list(product((False, True), repeat=count))
    alike = [(side,) * count for side in (False, True)]
    one = [tuple((k == odd) != side for k in range(count)) for odd in range(count) for side in (False, True)]
    return [*alike, *one]


def heads(medium: MediumVoltage, boxes: Mapping[str, HeadBox], states: list[Tapped]) -> Heads:
    """Voltages over all states of the feeders' boxes, of the taps, the capacitors and the source."""
    lo, hi = spread(medium, boxes)
    steps = len(lo)
    source, first = medium.sources(steps), states[0]
    corners = np.concatenate([_corners(first, lo, hi, source), _between(lo, hi)])
    found, ranges = [], []
    for factor in dict.fromkeys((medium.source_low_pu, medium.source_high_pu)):
        ends = tap_range(states, corners, factor * source)
        ranges.append(TapRange(factor, *ends))
        for upper in combinations(len(first.regulators)):
            taps = np.where(np.array(upper, dtype=bool), ends[1], ends[0])
            found += [_voltages(state, taps, corners, factor * source) for state in states]
    v = np.concatenate(found)
    if not np.isfinite(v).all():
        failed = np.asarray(~np.isfinite(v).all(axis=(0, 2)))
        raise NoFlow("the medium voltage has no power flow at a corner of the feeders' boxes", failed)
    return Heads(v, tuple(ranges), corners)


def loadings(medium: MediumVoltage, found: Heads, states: list[Tapped]) -> dict[str, float]:
    """Per rated branch of the medium voltage, the most that it carries at any corner, over its rating."""
    worst: dict[str, float] = {}
    corners, steps = found.injected.shape[:2]
    flat = found.injected.reshape(corners * steps, -1)
    for stood, state in product(found.ranges, states):
        source = np.tile(stood.source_pu * medium.sources(steps), (corners, 1))
        ends = (stood.low,) if np.array_equal(stood.low, stood.high) else (stood.low, stood.high)
        for taps in ends:
            for name, loading in state.loading(np.tile(taps, (corners, 1)), flat, source).items():
                worst[name] = max(worst.get(name, 0.0), loading)
    return worst


def overloads(worst: Mapping[str, float]) -> list[str]:
    """Findings about overloaded branches of the medium voltage."""
    return [
        f"overload: {name} of the medium voltage at {100 * loading:.0f} %: a limit on the feeders behind it would help"
        for name, loading in worst.items()
        if loading > 1.0
    ]


def spread(medium: MediumVoltage, boxes: Mapping[str, HeadBox]) -> tuple[Complex, Complex]:
    """(T, L) least and most at every port, W + j var."""
    connections = medium.network.connections
    steps = len(next(iter(boxes.values())).lo_va)
    shape = steps, len(connections)
    other = np.zeros(shape, dtype=np.complex128) if medium.other_va is None else np.asarray(medium.other_va)
    if other.shape != shape:
        raise BadProblem(f"other_va has shape {other.shape}; expected {shape} (steps, connections)")
    share = np.bincount(connections.port_connection, minlength=len(connections))
    lo = (other / share)[:, connections.port_connection]
    hi = lo.copy()
    for name, box in boxes.items():
        ports, phases = medium.ports_of(name), medium.columns_of(name)
        lo[:, ports], hi[:, ports] = box.lo_va[:, phases], box.hi_va[:, phases]
    return lo, hi


def tap_range(states: list[Tapped], s: Complex, source_v: Complex) -> tuple[Index, Index]:
    """(T, R) and (T, R): between which positions each tap may stand in each step."""
    steps, present = s.shape[1], states[0].present
    low = high = np.tile(present, (steps, 1))
    for _ in range(SWEEPS if len(present) else 0):
        before = low, high
        low, high = low.copy(), high.copy()
        for which in range(len(present)):
            low[:, which], high[:, which] = _range_of(states, which, (low, high), (s, source_v))
        if np.array_equal(low, before[0]) and np.array_equal(high, before[1]):
            return low, high
    # Controls that keep chasing each other: all of it.
    return (np.minimum(low, before[0]), np.maximum(high, before[1])) if len(present) else (low, high)


def _range_of(
    states: list[Tapped], which: int, ends: tuple[Index, Index], given: tuple[Complex, Complex]
) -> tuple[Index, Index]:
    """(T,) and (T,) of one control while the others stand anywhere between `ends`."""
    s, source_v = given
    corners, steps = s.shape[:2]
    flat, source = s.reshape(corners * steps, -1), np.tile(source_v, (corners, 1))
    nowhere = np.iinfo(np.intp).max
    low, high = np.full(steps, nowhere), np.full(steps, -nowhere)
    holds = np.zeros(steps, dtype=bool)
    for state in states:
        for others in ends:
            found = state.resting(np.tile(others, (corners, 1)), flat, source, which=which)
            still = found.holds.reshape(corners, steps)
            low = np.minimum(low, np.where(found.holds, nowhere, found.low).reshape(corners, steps).min(axis=0))
            high = np.maximum(high, np.where(found.holds, -nowhere, found.high).reshape(corners, steps).max(axis=0))
            holds |= still.any(axis=0)
    return _carried(low, high, holds, int(states[0].present[which]))


def _carried(low: Index, high: Index, holds: Mask, present: int) -> tuple[Index, Index]:
    """Where taps may still stand from before: the last step's rest, and all before it where a control stands still."""
    stood_low, stood_high = low.copy(), high.copy()
    rest = present, present
    stood = present, present
    for t in range(len(low)):
        before = stood if holds[t] or rest[0] > rest[1] else rest
        stood = min(low[t], before[0]), max(high[t], before[1])
        stood_low[t], stood_high[t] = stood
        rest = low[t], high[t]
    return stood_low, stood_high


def _voltages(state: Tapped, taps: Index, s: Complex, source_v: Complex) -> Complex:
    """(K, T, L) V at every port."""
    corners, steps = s.shape[:2]
    found = state.state(np.tile(taps, (corners, 1)), s.reshape(corners * steps, -1), np.tile(source_v, (corners, 1)))
    return found.v.reshape(s.shape)


def _between(lo: Complex, hi: Complex) -> Complex:
    """(K, T, L) states on the way from everyone's least to everyone's most."""
    return np.asarray(lo + BETWEEN[:, None, None] * (hi - lo))


def _corners(grid: Tapped, lo: Complex, hi: Complex, source_v: Complex) -> Complex:
    """(K, T, L) the corners that move each voltage most, to neutral and between phases, and all at one end."""
    middle, source = 0.5 * (lo + hi).mean(axis=0), source_v.mean(axis=0)
    v = grid.state(grid.present, middle, source).v
    reduced = grid.reduced(grid.present)
    rows = []
    for direction in (1.0, 1j):
        dv = reduced.Z @ sensitivities(reduced, middle[None], v, direction=np.asarray(direction))[0]
        of = reduced.network.connections.port_connection
        pairs = [(a, b) for a, b in product(range(len(of)), repeat=2) if a < b and of[a] == of[b]]
        first, second = (np.array([pair[k] for pair in pairs], dtype=np.intp) for k in (0, 1))
        seen, change = [v[0], v[0, first] - v[0, second]], [dv, dv[first] - dv[second]]
        u = np.concatenate(seen)
        rows.append((np.conj(u)[:, None] * np.concatenate(change)).real / np.abs(u)[:, None])
    high = np.concatenate(rows, axis=1) > 0.0
    every = np.ones(len(middle), dtype=bool)
    alike = [np.concatenate([p & every, q & every]) for p, q in product((every, ~every), repeat=2)]
    patterns = np.unique(np.concatenate([high, ~high, alike]), axis=0)
    p_high, q_high = np.split(patterns, 2, axis=1)
    return np.where(p_high[:, None], hi.real, lo.real) + 1j * np.where(q_high[:, None], hi.imag, lo.imag)
