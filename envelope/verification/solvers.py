"""Power flow solvers by name, behind one call: the independent one that judges, and the fast one that calculates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from envelope.constraints.monitored_feeder import COARSE_V, FlowResult, MonitoredFeeder
from envelope.field_rules import BadProblem
from gridmodel.arrays import Complex
from gridmodel.flow import power_flow as flow
from gridmodel.flow.kron import Reduced
from gridmodel.solvers.power_grid_model import Magnitudes, Model, cannot_model

Solver = Callable[[Complex, Complex], FlowResult]
"""(S, L) W, (S, L) var and (S, 3) V in; values at the monitored places out"""

TOLERANCE_PU = 1e-8
"""when power-grid-model's iterations end: microvolts on a customer's voltage"""
SOLVERS = ("power-grid-model", "opendss", "pandapower", "reduced")


def independent_solver(feeder: MonitoredFeeder) -> str:
    """Name of the solver that judges a feeder: power-grid-model, or OpenDSS where that has no model of it."""
    return "opendss" if cannot_model(feeder.reduced.network) else "power-grid-model"


def solver_of(feeder: MonitoredFeeder, name: str) -> Solver:
    """The solver of that name for a feeder."""
    # A solver is told what inverters do; they do not respond by themselves.
    feeder = replace(feeder, inverters=None)
    if name == "reduced":
        return feeder.power_flow
    if name == "power-grid-model":
        return _magnitudes_only(Model(feeder.reduced, tolerance_pu=TOLERANCE_PU), feeder)
    if name == "opendss":
        return _magnitudes_only(_Circuit(feeder.reduced), feeder)
    if name == "pandapower":
        from gridmodel.solvers.pandapower import Net

        return _magnitudes_only(Net(feeder.reduced), feeder)
    raise BadProblem(f"no solver {name!r}; there are {', '.join(SOLVERS)}")


def search_solver(feeder: MonitoredFeeder) -> Solver:
    """The engine's own power flow in single precision, to a millivolt, by which the worst corners are found.

    Another solver judges those that it finds.
    """
    reduced = feeder.reduced
    by_i, by_source = (
        np.concatenate(tables).T.astype(np.complex64) for tables in ((reduced.Zn, reduced.H), (reduced.Wn, reduced.Hw))
    )

    def solve(s_va: Complex, source_v: Complex) -> FlowResult:
        found = flow.solve(reduced, s_va, source_v, tol_v=COARSE_V)
        phasors = found.i.astype(np.complex64) @ by_i + found.source_v.astype(np.complex64) @ by_source
        phasors[~found.converged] = np.inf
        volts, amps = np.abs(phasors[:, : len(reduced.Zn)]), phasors[:, len(reduced.Zn) :]
        if feeder.groups:
            amps = np.concatenate([amps, feeder.group_sums(s_va.real)], axis=1)
        return FlowResult(volts, amps, found.converged)

    return solve


class _Circuit:
    """A feeder in OpenDSS, in a process of its own."""

    def __init__(self, reduced: Reduced) -> None:
        from gridmodel.engine_process import RemoteObject

        self.remote = RemoteObject("circuit", reduced)

    def magnitudes(self, s_va: Complex, source_v: Complex | None = None) -> Magnitudes:
        """Voltages and currents for (S, L) VA and (S, 3) V."""
        found: Magnitudes = self.remote.do("magnitudes", s_va, source_v)
        return found


class IndependentModel(Protocol):
    """Another engine's model of the feeder."""

    def magnitudes(self, s_va: Complex, source_v: Complex | None = None) -> Magnitudes:
        """Voltages and currents for (S, L) VA and (S, 3) V."""


def _magnitudes_only(judge: IndependentModel, feeder: MonitoredFeeder) -> Solver:
    """An engine of its own; of the currents only the magnitudes are known."""

    def solve(s_va: Complex, source_v: Complex) -> FlowResult:
        found = judge.magnitudes(s_va, source_v)
        currents = np.concatenate([found.i_a, feeder.group_sums(s_va.real)], axis=1)
        return FlowResult(found.v_v, currents.astype(np.complex128), found.converged)

    return solve
