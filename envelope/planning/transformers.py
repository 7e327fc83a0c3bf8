"""Transformers of a feeder, what each supplies, and how it is loaded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envelope.field_rules import BadProblem
from envelope.planning.plant import rated_va
from envelope.problem import OperatingLimits
from envelope.problem.limits import voltage_levels
from gridmodel.arrays import Complex, Index, Mask, Real
from gridmodel.flow import power_flow as flow
from gridmodel.flow.kron import Reduced
from gridmodel.meter_data.readings import upstream
from gridmodel.model.feeder import port_share, port_va

BLOCK = 2048
"""steps solved together: voltages and currents of them are held in memory"""
BEYOND_PU = 10.0
"""loading where the power flow has no solution"""
LEAST_PU = 0.02
"""loading below which losses and voltage drop are not told from it"""


@dataclass(frozen=True, eq=False)
class Unit:
    """A transformer that supplies C connections directly, with R phases or legs."""

    id: str
    homes: Index
    """(C,) positions among the feeder's connections"""
    share: Real
    """(R, C) part of each connection's power on each phase"""
    rated_va: Real
    """(R,) VA of each phase at rated voltage"""
    column: Index
    """(R,) position of each phase among the watched currents"""
    kva: float
    """its rating"""


def units_of(reduced: Reduced) -> tuple[Unit, ...]:
    """Transformers with a rating that supply connections, without another one between."""
    network, above = reduced.network, np.array(upstream(reduced.network))
    found = []
    for branch, (kind, name) in enumerate(zip(network.branches.kind, network.branches.id, strict=True)):
        homes = np.flatnonzero(above == name)
        columns = np.flatnonzero(reduced.current_branch == branch)
        if kind != "transformer" or not len(homes) or not len(columns):
            continue
        phases = [reduced.current_phase[k] for k in columns]
        nominal_v = network.nodes.nominal_v[network.branches.to_node[branch]]
        phase_va = reduced.rating_a[columns] * nominal_v
        kva = (rated_va(network, name) or float(phase_va.sum())) / 1e3
        found.append(Unit(name, homes, _shares(reduced, homes, phases), phase_va, columns, kva))
    if not found:
        raise BadProblem(f"{network.name}: no transformer with a rating supplies a connection; nothing can be deferred")
    return tuple(found)


def _shares(reduced: Reduced, homes: Index, phases: list[str]) -> Real:
    """(R, C) part of a connection's power on each phase; what stands between two phases loads both by half."""
    connections = reduced.network.connections
    place, weight = {int(home): k for k, home in enumerate(homes)}, port_share(reduced.network)
    found = np.zeros((len(phases), len(homes)))
    for port, (connection, label) in enumerate(zip(connections.port_connection, connections.port_phase, strict=True)):
        letters = [letter for letter in label if letter in phases]
        for letter in letters if int(connection) in place else ():
            found[phases.index(letter), place[int(connection)]] += weight[port] / len(letters)
    return found


@dataclass(frozen=True, eq=False)
class Loading:
    """Power flow of T steps."""

    current_pu: Real
    """(T, B) current over rating, of every watched branch phase"""
    voltage_broken: Mask
    """(T,) whether the voltage at any connection is outside its band"""
    lines_over: Mask
    """(T,) whether a cable or line is over its rating"""

    def of(self, unit: Unit) -> Real:
        """(T,) load of a transformer over its rating, on its most loaded phase."""
        return np.asarray(self.current_pu[:, unit.column].max(axis=1))

    def replaced(self, at: Index, other: Loading) -> Loading:
        """The same with some steps taken from another one."""
        parts = (self.current_pu.copy(), self.voltage_broken.copy(), self.lines_over.copy())
        for part, new in zip(parts, (other.current_pu, other.voltage_broken, other.lines_over), strict=True):
            part[at] = new
        return Loading(*parts)


def loading_of(reduced: Reduced, limits: OperatingLimits, load_va: Complex, source_v: Complex | None = None) -> Loading:
    """Loading and voltages of (T, C) VA drawn; source_v: (T, 3) V or None."""
    at = reduced.voltages_at_connections()
    nominal_v = reduced.node_nominal_v[at]
    low_v, high_v, _ = limits.at_levels(voltage_levels(reduced)).voltages_at(nominal_v)
    is_line = np.array([reduced.network.branches.kind[k] == "line" for k in reduced.current_branch], dtype=bool)
    smaller = reduced.watching(at)
    current, broken = np.empty((len(load_va), len(reduced.rating_a))), np.zeros(len(load_va), dtype=bool)
    for start in range(0, len(load_va), BLOCK):
        part = slice(start, start + BLOCK)
        source = None if source_v is None else source_v[part]
        solved = flow.solve(smaller, port_va(reduced.network, -load_va[part]), source, tol_v=1e-3)
        with np.errstate(invalid="ignore"):
            # Where there is no solution the load is beyond what the feeder can carry.
            found = np.where(solved.converged[:, None], flow.currents(smaller, solved) / smaller.rating_a, BEYOND_PU)
            volts = flow.voltages(smaller, solved)
            broken[part] = ((volts < low_v) | (volts > high_v)).any(axis=1) | ~solved.converged
        current[part] = found
    return Loading(current, broken, np.asarray((np.nan_to_num(current[:, is_line]) > 1.0).any(axis=1)))


def phase_va(unit: Unit, load_va: Complex) -> Complex:
    """(…, R) VA on each phase, of (…, C) VA drawn at the unit's connections."""
    return np.asarray(load_va @ unit.share.T)


def losses_factor(unit: Unit, loading: Loading, load_va: Complex) -> Real:
    """(T, R) current over rating of the power flow, over that of the sums of (T, C) VA drawn; at least 1."""
    by_sums = np.abs(phase_va(unit, load_va[:, unit.homes])) / unit.rated_va
    factor = loading.current_pu[:, unit.column] / np.maximum(by_sums, LEAST_PU)
    return np.asarray(np.clip(factor, 1.0, 1.5))
