"""Disturbances that active-power limits do not bound: circulating power, and reactive power allowed by policy.

Kept free as margins while a box is fitted, and tried at every corner when it is verified.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from envelope.constraints.base_case import BaseCase
from envelope.constraints.linear import LinearConstraints
from envelope.constraints.monitored_feeder import MonitoredFeeder, Sensitivity
from envelope.problem import AsForecast, Problem
from envelope.problem.circulating_power import capacity_used_w, circulates, circulating_w, simultaneous_w
from envelope.problem.margins import GROWTH
from gridmodel.arrays import Complex, Index, Mask, Real

STRAINED_PU = 0.15
"""how far voltages are from their nominal value, at most, in the states at which vars are measured"""


def free_var(policy: AsForecast, both_ways: Real) -> tuple[Real, Real]:
    """(T, C) and (T, C) least and most var that may be produced on top of a box: never > 0, never < 0.

    both_ways: (T, C) W that a connection can feed and draw at the same time, unseen by its meter.
    """
    most = np.broadcast_to(policy.free_var(both_ways.shape[1]), both_ways.shape)
    hidden = policy.hidden_var * both_ways
    return np.minimum(hidden, 0.0) - most, np.maximum(hidden, 0.0) + most


@dataclass(frozen=True, eq=False)
class UnboundedPower:
    """Power that active-power limits do not bound, per connection: T steps, C connections."""

    circulates: Mask
    """(C,) whether power may circulate between the phases of a connection"""
    circulating_w: Real
    """(T, C) most that may circulate"""
    capacity_used_w: Real
    """(T, C) part of it by which the capacity of a connection is shorter"""
    lo_var: Real
    hi_var: Real
    """(T, C) least and most var that may be produced on top of a box: never > 0, never < 0"""
    response_var: Real
    """(C,) most var that inverters produce or absorb in answer to their voltage"""
    unknown_var: Real
    """(C,) part of it that follows no credited curve, and so may come at any voltage"""
    above_w: Real
    below_w: Real
    """(T, C) most that a connection can be above, and below, its base load while power circulates"""
    flex_gen_w: Real
    flex_load_w: Real
    """(T, C) flexible power; voltages are strained by it where the effect of vars is measured"""


def unbounded_power(problem: Problem, feeder: MonitoredFeeder) -> UnboundedPower:
    """Power of a problem's connections that its limits do not bound."""
    whole, used_w, load = circulating_w(problem), capacity_used_w(problem), problem.base_load_w
    lo, hi = free_var(problem.reactive, simultaneous_w(problem))
    unsure = -problem.reactive.unsure_tan_phi_of(len(problem.connection_id)) * problem.flex_gen_w
    lo, hi = lo + np.minimum(unsure, 0.0), hi + np.maximum(unsure, 0.0)
    response_var = problem.reactive.answer_var(len(problem.connection_id))
    return UnboundedPower(
        circulates=circulates(problem),
        circulating_w=whole,
        capacity_used_w=used_w,
        lo_var=lo,
        hi_var=hi,
        response_var=response_var,
        unknown_var=np.maximum(response_var - feeder.credited_var, 0.0),
        above_w=problem.reach_export_w + load - whole,
        below_w=problem.reach_import_w - load - whole,
        flex_gen_w=problem.flex_gen_w,
        flex_load_w=problem.flex_load_w,
    )


class Reserve(Protocol):
    """A part of each constraint's limit that is kept free, whatever is allocated."""

    def per_row(self, rows: LinearConstraints, at_rest: Real, limit: Real) -> Real:
        """(T, R) in each constraint's own unit; `at_rest` and `limit` are (T, R) values."""
        ...

    def said(self) -> str:
        """How the guarantee is worded with it; empty where something else says it."""
        ...


@dataclass(frozen=True, eq=False)
class CirculatingPower:
    """Power that is fed on one phase of a connection and drawn from another."""

    feeder: MonitoredFeeder
    power: UnboundedPower

    def per_row(self, rows: LinearConstraints, at_rest: Real, limit: Real) -> Real:
        """(T, R) rise of each constraint with the worst pair of phases."""
        whole, taken = self.power.circulating_w, self.power.capacity_used_w
        # Where capacity was shortened by it, the constraint must also bear that part as plain import or export.
        kept = taken @ (rows.rise_up + rows.rise_down).T
        return np.asarray(GROWTH * (kept + (whole - taken) @ self._span(rows).T))

    def _span(self, rows: LinearConstraints) -> Real:
        """(R, C) difference between the ports of a connection that move a constraint most and least."""
        of = self.feeder.port_connection
        span = np.zeros((rows.count, self.feeder.connections))
        for connection in np.flatnonzero(self.power.circulates):
            span[:, connection] = np.ptp(rows.sensitivity[:, of == connection], axis=1)
        return span

    def said(self) -> str:
        """The worst phase."""
        return "unknown splits on their worst phases"


@dataclass(frozen=True, eq=False)
class ReactiveDisturbance:
    """Vars within their policy, each connection's at its worst."""

    base: BaseCase
    power: UnboundedPower
    lo_var: Real
    hi_var: Real
    """(T, C) never above, never below zero"""
    voltages: bool = True
    """whether voltages must bear it, or currents alone"""

    @cached_property
    def measured(self) -> list[Sensitivity]:
        """By var, at rest and where all feed or draw as much as voltages bear."""
        return self.base.feeder.sensitivities(*_strained(self.base, self.power), direction=1j)

    def per_row(self, rows: LinearConstraints, at_rest: Real, limit: Real) -> Real:
        """(T, R) rise of each constraint with the worst vars, largest over the measured states."""
        to = _by_port(self.base.feeder)
        found = np.zeros_like(at_rest)
        for at in self.measured:
            slope = np.empty((rows.count, len(to)))
            for kind, sign in ((0, 1.0), (1, -1.0)):
                slope[rows.kind == kind] = sign * at.dv[rows.element[rows.kind == kind]]
            load = rows.kind == 2
            slope[load] = (np.conj(rows.facet[load])[:, None] * at.di[rows.element[load]]).real
            # A group's sum is of watts.
            slope[load] *= (rows.element[load] < len(self.base.feeder.reduced.rating_a))[:, None]
            up, down = np.maximum(slope, 0.0) @ to, np.maximum(-slope, 0.0) @ to
            found = np.maximum(found, self.hi_var @ up.T - self.lo_var @ down.T)
        return np.asarray(GROWTH * np.where(self.voltages | (rows.kind == 2), found, 0.0))

    def said(self) -> str:
        """The policy says it."""
        return ""


def _by_port(feeder: MonitoredFeeder) -> Real:
    """(L, C) part of a connection's vars at a port: evenly, or all of it where its phase is not known."""
    to = np.zeros((len(feeder.port_connection), feeder.connections))
    to[np.arange(len(to)), feeder.port_connection] = feeder.port_part
    return to


def _strained(base: BaseCase, power: UnboundedPower) -> tuple[Complex, Complex]:
    """(S, L) VA at the horizon's mean: at rest, and with the largest part of capacity that voltages bear; (3,) V."""
    feeder = base.feeder
    source, of = base.source_v.mean(axis=0), feeder.port_connection
    found = [base.ports_va.mean(axis=0)]
    part = 0.5 ** np.arange(10.0)[:, None]
    rest = feeder.power_flow(found[0][None], source).v_v
    for sign, reach in ((1.0, power.flex_gen_w), (-1.0, power.flex_load_w)):
        trial = found[0] + sign * part * (reach.mean(axis=0)[of] * feeder.port_share)
        near = np.abs(feeder.power_flow(trial, source).v_v / rest - 1.0).max(axis=1, initial=0.0) < STRAINED_PU
        if near.any():
            found.append(trial[near.argmax()])
    return np.array(found), source


class Disturbance(NamedTuple):
    """Something unseen on top of a corner."""

    circulating: Real | None
    """(L,) -1, 0 or 1: where circulating power is fed and drawn"""
    var: Real | None
    """(T, L) produced beside what the corner counts with"""
    voltages: bool
    """whether voltages must bear it, or currents alone"""


@dataclass(frozen=True, eq=False)
class Disturbances:
    """All disturbances that may be superposed on any corner, and what is kept free of constraints for them."""

    base: BaseCase
    power: UnboundedPower

    @property
    def feeder(self) -> MonitoredFeeder:
        """Monitored feeder of the base case."""
        return self.base.feeder

    @cached_property
    def reserves(self) -> tuple[Reserve, ...]:
        """Reserves for circulating power, for vars within their policy, and for the response of inverters."""
        power, found = self.power, list[Reserve]()
        if power.circulating_w.any():
            found.append(CirculatingPower(self.feeder, power))
        if power.lo_var.any() or power.hi_var.any():
            found.append(ReactiveDisturbance(self.base, power, power.lo_var, power.hi_var))
        if power.unknown_var.any():
            answer = np.broadcast_to(power.unknown_var, power.lo_var.shape)
            found.append(ReactiveDisturbance(self.base, power, -answer, answer, voltages=False))
        return tuple(found)

    @cached_property
    def states(self) -> list[Disturbance]:
        """Each of them, one at a time."""
        of = self.feeder.port_connection
        labels = np.array(self.feeder.reduced.network.connections.port_phase)
        lo, hi = (bound[:, of] * self._part for bound in (self.power.lo_var, self.power.hi_var))
        answer = self.power.unknown_var[of] * self._part
        answers = np.broadcast_to(answer, lo.shape)
        found: list[Disturbance] = []
        for up in _patterns(labels):
            if lo.any() or hi.any():
                found.append(Disturbance(None, np.where(up, hi, lo), True))
            if answer.any():
                found.append(Disturbance(None, np.where(up, answers + hi, lo - answers), False))
        moved = self.power.circulates[of]
        pairs = [self._between(*pair, labels, moved) for pair in permutations(np.unique(labels[moved]).tolist(), 2)]
        return [*found, *(Disturbance(pair, None, True) for pair in pairs if pair.any())]

    @property
    def _part(self) -> Real:
        """(L,) part of a connection's vars at a port."""
        return self.feeder.port_share

    def _between(self, source: str, sink: str, labels: NDArray[np.str_], moved: Mask) -> Real:
        """(L,) 1 where it is fed and -1 where it is drawn, for connections that have both."""
        of = self.feeder.port_connection
        feeds, draws = moved & (labels == source), moved & (labels == sink)
        both = np.intersect1d(of[feeds], of[draws])
        return np.where(np.isin(of, both), feeds.astype(float) - draws.astype(float), 0.0)

    def superpose(self, state: Disturbance, steps: Index, away: Real) -> tuple[Real, Real]:
        """(S, L) W away from the base and (S, L) var, with the state on top of a corner."""
        var = np.zeros_like(away) if state.var is None else state.var[steps]
        if state.circulating is None:
            return away, var
        whole = self.power.circulating_w[steps][:, self.feeder.port_connection]
        return self._shortened(steps, away) + whole * state.circulating, var

    def _shortened(self, steps: Index, away: Real) -> Real:
        """(S, L) corners, shortened to the capacity that circulating power leaves each connection."""
        of, power = self.feeder.port_connection, self.power
        net = away @ (of[:, None] == np.arange(self.feeder.connections))
        most = np.where(net > 0.0, power.above_w[steps], power.below_w[steps])
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(net == 0.0, 1.0, np.clip(most / np.abs(net), 0.0, 1.0))
        return np.asarray(away * np.where(power.circulates, part, 1.0)[:, of])


def _patterns(labels: NDArray[np.str_]) -> Iterator[Mask]:
    """(L,) ports at their most, the others at their least: every combination of up to four phases."""
    phases = np.unique(labels)[:4]
    for code in range(2 ** len(phases)):
        yield np.isin(labels, [phase for k, phase in enumerate(phases) if code >> k & 1])
