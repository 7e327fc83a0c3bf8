"""The feeder as the engine sees it: power flow and exact sensitivities where limits can bind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from envelope.field_rules import BadProblem
from envelope.problem import GroupLimit, Problem, VoltVar, VoltWatt
from envelope.problem.divided import Divided
from envelope.problem.phase_split import flexible_share, on_any
from gridmodel.arrays import Complex, Index, Mask, Real
from gridmodel.flow import power_flow as flow
from gridmodel.flow.inverters import Inverters
from gridmodel.flow.kron import Reduced
from gridmodel.flow.sensitivity import current_rows, sensitivities, voltage_rows
from gridmodel.model.feeder import port_share

WHOLE = 1e-6
"""share of an inverter that counts as none"""
COARSE_V, FINE_V = 1e-3, 1e-5
"""a power flow has settled when no voltage is off by more: on the way to a box, and where it is judged"""


class FlowResult(NamedTuple):
    """Results of S power flows at the monitored places."""

    v_v: Real
    """(S, N) voltage magnitudes at connections, V; inf where the scenario did not settle"""
    i_a: Complex
    """(S, B + G) branch currents, A, and each group's sum off its middle, W"""
    converged: Mask


class Sensitivity(NamedTuple):
    """Derivatives at one state with respect to the active injection of each port."""

    dv: Real
    """(N, L) V per W"""
    di: Complex
    """(B + G, L) A per W; 1 where a port belongs to a group"""


@dataclass(frozen=True, eq=False)
class MonitoredFeeder:
    """A reduced network that monitors customers' voltages and one branch per distinct current."""

    reduced: Reduced
    groups: tuple[GroupLimit, ...] = ()
    flex_split: Sequence[str] | None = None
    """(C,) see `Problem.flex_split`"""
    inverters: Inverters | None = None
    """whose response to their own voltage counts for voltages; currents count volt-var where it makes them larger"""
    follows: Real | None = None
    """(K,) share of each of these inverters that responds; None: all of it"""
    silent: int = 0
    """how many of them may not respond at all, while the others respond in full; it is not known which"""
    level_unit_v: Real | None = None
    """see `voltage_unit_v`; None: 1 V everywhere"""

    @classmethod
    def of(
        cls, reduced: Reduced, groups: tuple[GroupLimit, ...] = (), *, flex_split: Sequence[str] | None = None
    ) -> MonitoredFeeder:
        """Monitors the voltages at connections, and of branches that carry the same current the weakest one."""
        return cls(at_customers(reduced), groups, flex_split)

    def subset(self, voltages: Index, currents: Index) -> MonitoredFeeder:
        """The same monitoring only these of its voltages and currents, and all its groups."""
        unit_v = None if self.level_unit_v is None else self.level_unit_v[voltages]
        reduced = self.reduced.watching(voltages, currents[currents < len(self.reduced.H)])
        return replace(self, reduced=reduced, level_unit_v=unit_v)

    @cached_property
    def voltage_unit_v(self) -> Real:
        """(N,) V at each monitored voltage that count as much as 1 V at the level of the limits' first band."""
        return np.ones(len(self.reduced.Zn)) if self.level_unit_v is None else self.level_unit_v

    @cached_property
    def rating_a(self) -> Real:
        """(B + G,) rating of each monitored current, A, and half the range of each group's sum, W."""
        return np.concatenate([self.reduced.rating_a, [group.half_range_w for group in self.groups]])

    @cached_property
    def transformer(self) -> Mask:
        """(B + G,) whether a monitored current is a transformer's."""
        return np.concatenate([of_transformers(self.reduced), np.zeros(len(self.groups), dtype=bool)])

    @cached_property
    def current_names(self) -> tuple[str, ...]:
        """(B + G,) such as "line L23, phase b" or "group depot"."""
        return (*self.reduced.current_names, *(f"group {group.name}" for group in self.groups))

    @cached_property
    def current_phase(self) -> tuple[str, ...]:
        """(B + G,) phase of each monitored current, and "sum" for each group."""
        return (*self.reduced.current_phase, *("sum" for _ in self.groups))

    @cached_property
    def membership(self) -> Real:
        """(G, L) 1 where a port belongs to a group."""
        position = {name: k for k, name in enumerate(self.reduced.network.connections.id)}
        found = np.zeros((len(self.groups), self.reduced.ports))
        for row, group in zip(found, self.groups, strict=True):
            members = [position[name] for name in group.connections]
            row[np.isin(self.port_connection, members)] = 1.0
        return found

    def group_sums(self, p_w: Real) -> Real:
        """(S, G) W by which each group's sum is off the middle of its range."""
        return np.asarray(p_w @ self.membership.T - np.array([group.middle_w for group in self.groups]))

    @property
    def connections(self) -> int:
        """Number of connections, C."""
        return len(self.reduced.network.connections)

    @property
    def port_connection(self) -> Index:
        """(L,) connection that each port belongs to."""
        return self.reduced.network.connections.port_connection

    @cached_property
    def port_share(self) -> Real:
        """(L,) part of its connection's flexible power that a port carries; evenly split where it is unknown."""
        return flexible_share(self.reduced.network, self.flex_split)

    @cached_property
    def port_part(self) -> Real:
        """(L,) most of its connection's flexible power that a port may carry: all of it where the split is unknown."""
        return np.where(self.any_phase, 1.0, self.port_share)

    @cached_property
    def base_share(self) -> Real:
        """(L,) part of its connection's base load that a port carries."""
        return port_share(self.reduced.network)

    @cached_property
    def any_phase(self) -> Mask:
        """(L,) ports of connections whose flexible power may be on any one of them (unknown phase or split)."""
        return on_any(self.reduced.network.connections, self.flex_split)

    def spread(self, power: Real) -> Real:
        """(S, L) port powers of (S, C) base powers, evenly split."""
        return np.asarray(power[..., self.port_connection] * self.base_share)

    def power_flow(self, s_va: Complex, source_v: Complex | None, *, tol_v: float = FINE_V) -> FlowResult:
        """Power flow at (S, L) port injections; `source_v` is (3,) or (S, 3)."""
        found = flow.solve(self.reduced, s_va, source_v, tol_v=tol_v)
        answered = found if self.inverters is None else self.power_flow_with_response(s_va, source_v, tol_v=tol_v)
        v = flow.voltages(self.reduced, answered)
        i = flow.current_phasors(self.reduced, found)
        if self.adds_var:
            i = larger(i, flow.current_phasors(self.reduced, answered))
        converged = found.converged & answered.converged
        v[~converged] = np.inf
        i[~converged] = np.inf
        return FlowResult(v, np.concatenate([i, self.group_sums(s_va.real)], axis=1) if self.groups else i, converged)

    @property
    def adds_var(self) -> bool:
        """Whether inverters may load branches by the var of their response; less active power counts in none."""
        return self.inverters is not None and self.inverters.volt_watt is None

    @property
    def credited_var(self) -> Real:
        """(C,) most var of the inverters whose response is known by its curve."""
        found = np.zeros(self.connections)
        if self.inverters is not None and self.adds_var:
            np.add.at(found, self.port_connection[self.inverters.port], self.inverters.s_rated_va)
        return found

    def power_flow_with_response(self, s_va: Complex, source_v: Complex | None, *, tol_v: float = FINE_V) -> flow.Flow:
        """The same power flow with inverters that respond to their own voltage.

        Of a port's injection, the responding share may be reduced; load behind the same meter is not counted on, as it
        would only lower the voltage.
        """
        inverters, s = self.inverters, np.atleast_2d(s_va)
        if inverters is not None and inverters.volt_watt is not None:
            part = 1.0 if self.follows is None else self.follows
            fed_w = part * np.maximum(s.real[:, inverters.port], 0.0)
            s = s.astype(np.complex128)
            s[:, inverters.port] -= fed_w
            inverters = replace(inverters, available_w=fed_w)
        return flow.solve(self.reduced, s, source_v, inverters=inverters, tol_v=tol_v)

    def response_va(self, s_va: Complex, source_v: Complex | None) -> Complex:
        """(S, L) VA that inverters add of themselves at (S, L) port injections; NaN where nothing settles."""
        found = self.power_flow_with_response(s_va, source_v)
        return np.asarray(found.v * np.conj(found.i) - s_va)

    def without_response(self) -> MonitoredFeeder:
        """The same feeder with no inverter that responds."""
        return replace(self, inverters=None, follows=None, silent=0)

    def with_silent(self, silent: Mask) -> MonitoredFeeder:
        """The same feeder with (K,) inverters that do not respond at all, while the others respond in full."""
        assert self.inverters is not None
        part = np.ones(len(silent)) if self.follows is None else self.follows
        full = self.inverters.s_rated_va / part
        inverters = replace(self.inverters, s_rated_va=np.where(silent, 0.0, full))
        return replace(self, inverters=inverters, follows=np.where(silent, 0.0, 1.0))

    def sensitivities(
        self, s_va: Complex, source_v: Complex | None, *, tan_phi: float | Real = 0.0, direction: complex = 1.0
    ) -> list[Sensitivity]:
        """Exact derivatives at each of (S, L) port injections, when each W injected absorbs `tan_phi` var.

        direction: what one more unit is; 1j gives derivatives by var. Not finite where the power flow does not settle.
        """
        found = flow.solve(self.reduced, s_va, source_v, tol_v=FINE_V)
        per_va = np.asarray(direction - 1j * tan_phi)
        by_p = sensitivities(self.reduced, s_va, found.v, direction=per_va, dtype=np.float32)
        credited = self.inverters is not None and self.inverters.volt_var is not None and direction == 1.0
        dv = self._response_derivatives(s_va, source_v) if credited else voltage_rows(self.reduced, found, by_p)
        both = zip(dv, current_rows(self.reduced, by_p), strict=True)
        return [Sensitivity(one, np.concatenate([di, self.membership])) for one, di in both]

    def _response_derivatives(self, s_va: Complex, source_v: Complex | None) -> Real:
        """(S, N, L) V per W with every inverter following its curve from where it is."""
        assert self.inverters is not None
        found, port = self.power_flow_with_response(s_va, source_v), self.inverters.port
        there, direction = found.v * np.conj(found.i), (1.0, 1j)
        by = [sensitivities(self.reduced, there, found.v, direction=np.asarray(to)) for to in direction]
        with np.errstate(invalid="ignore", divide="ignore"):
            turn = (np.conj(found.v) / np.abs(found.v))[:, port, None]
        own_by_w, own_by_var = ((turn * (self.reduced.Z[port] @ di)).real for di in by)
        by_w, by_var = (voltage_rows(self.reduced, found, di) for di in by)
        slope = self.inverters.slope_var_per_v(np.abs(found.v[:, port]))[:, None, :]
        # dq = slope dv and dv = own_by_w dp + own_by_var dq at the inverters' own ports.
        loop = np.eye(len(port)) - own_by_var[:, :, port] * slope
        return np.asarray(by_w + (by_var[:, :, port] * slope) @ np.linalg.solve(loop, own_by_w))


def larger(one: Complex, other: Complex) -> Complex:
    """Of two tables of phasors, each entry's larger."""
    return np.where(np.abs(one) >= np.abs(other), one, other)


def of_transformers(reduced: Reduced) -> Mask:
    """(B,) whether a current is a transformer's: what it may be can change by the hour."""
    kinds = reduced.network.branches.kind
    return np.array([kinds[k] == "transformer" for k in reduced.current_branch], dtype=bool)


@lru_cache(maxsize=16)
def at_customers(reduced: Reduced) -> Reduced:
    """The same network monitored where customers are, and on one branch per distinct current; kept for later rounds."""
    return reduced.watching(voltages=reduced.voltages_at_connections(), currents=weakest_branches(reduced))


def weakest_branches(reduced: Reduced) -> Index:
    """Positions of the monitored currents left when, of those that carry the same current, the lowest rating stays.

    A transformer and a line in series both stay.
    """
    seen = np.concatenate([reduced.H, reduced.Hw * np.abs(reduced.network.source.v).mean() / 10.0], axis=1)
    size = np.abs(seen).max(initial=1e-12)
    rounded = np.round(np.concatenate([seen.real, seen.imag], axis=1) / size, 6).astype(np.float64) * 1e6
    phase = 2 * np.unique(np.array(reduced.current_phase), return_inverse=True)[1] + of_transformers(reduced)
    # One number per row, the same for the same row: sorting numbers is far cheaper than sorting rows.
    draw = np.random.default_rng(0).integers(-(2**40), 2**40, rounded.shape[1] + 1)
    with np.errstate(over="ignore"):
        key = rounded.astype(np.int64) @ draw[:-1] + phase * draw[-1]
    group = np.unique(key, return_inverse=True)[1]
    order = np.lexsort((reduced.rating_a, group.ravel()))
    first = np.concatenate([[True], np.diff(group.ravel()[order]) != 0]) if len(order) else np.zeros(0, dtype=bool)
    return np.sort(order[first]).astype(np.intp)


def monitor(problem: Problem) -> MonitoredFeeder:
    """The monitored feeder of a problem, with groups, phase splits and the inverter response that it credits."""
    if isinstance(problem.reduced, Divided):
        count, name = len(problem.reduced.parts.low), problem.reduced.network.name
        raise BadProblem(f"{name}: is calculated in {count} low-voltage parts; this is for one of them")
    plain = MonitoredFeeder.of(problem.reduced, problem.groups, flex_split=problem.flex_split)
    unit_v = problem.limits.voltages_at(plain.reduced.node_nominal_v)[2] if problem.limits.bands else None
    return replace(with_credited_inverters(problem, plain), level_unit_v=unit_v)


def with_credited_inverters(problem: Problem, feeder: MonitoredFeeder) -> MonitoredFeeder:
    """The feeder with the response that voltages may count on.

    None is counted on where it is not known, or not between a phase and neutral.
    """
    policy = problem.reactive
    if not isinstance(policy, VoltVar | VoltWatt) or policy.curve is None:
        return feeder
    share = policy.credited_share(feeder.connections)
    whole = np.broadcast_to(policy.most_var if isinstance(policy, VoltVar) else policy.size_w, share.shape)
    size = (share * whole)[feeder.port_connection] * feeder.port_share
    port = np.flatnonzero((size > 0.0) & between_phase_and_neutral(feeder))
    if not len(port):
        return feeder
    watts = isinstance(policy, VoltWatt)
    inverters = Inverters(
        port=port,
        s_rated_va=size[port],
        available_w=np.zeros(len(port)),
        reference_v=policy.reference_v,
        volt_var=None if watts else policy.curve,
        volt_watt=policy.curve if watts else None,
    )
    # What is measured is known of each inverter; a declared share may leave out any of them.
    silent = math.ceil((1.0 - policy.declared_share) * len(port) - WHOLE)
    return replace(feeder, inverters=inverters, follows=share[feeder.port_connection][port], silent=silent)


def between_phase_and_neutral(feeder: MonitoredFeeder) -> Mask:
    """(L,) ports of a known phase between it and neutral, whose voltage an inverter there measures."""
    return np.asarray(~feeder.any_phase & (feeder.reduced.network.connections.port_minus < 0))
