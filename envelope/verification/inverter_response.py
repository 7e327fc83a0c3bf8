"""Inverters that respond to their own voltage, credited to voltages: verified at kinks, and with others silent.

A box is measured at its corners with the response on. Where a response begins or ends, a curve has a kink: a neighbour
who feeds a little less may absorb so much less that a voltage rises. Where only a share of inverters is counted to
follow, any of them may be among the others. Such states are looked for as limits are calculated and tried when they are
verified.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from envelope.constraints.joint_paths import JointPaths
from envelope.constraints.monitored_feeder import COARSE_V, FlowResult, MonitoredFeeder, larger
from envelope.verification.solvers import Solver
from gridmodel.arrays import Complex, Index, Mask, Real

TURNS = 4
"""steps towards the point where an inverter's own voltage is at a kink"""
RANDOM_PATTERNS = 2
"""random choices of the inverters that do not follow, beside those farthest from the head, of all and of each phase"""


def solve_with_response(
    feeder: MonitoredFeeder, solver: Solver, s_va: Complex, source_v: Complex, *, voltages: bool
) -> FlowResult:
    """Values by a solver that is told the inverters' response, if voltages are wanted: those with that.

    Currents count volt-var where it makes them larger, and never what volt-watt takes away.
    """
    values = solver(s_va, source_v)
    if feeder.inverters is None or not voltages:
        return values
    found = np.nan_to_num(feeder.response_va(s_va, source_v))
    answer = found if feeder.inverters.volt_watt is not None else np.asarray(1j * found.imag)
    answered = solver(s_va + answer, source_v)
    i_a = larger(values.i_a, answered.i_a) if feeder.adds_var else values.i_a
    return FlowResult(answered.v_v, i_a, values.converged & answered.converged)


def at_curve_kinks(
    joint: JointPaths, at: tuple[Index, Index], away: Real, *, rng: np.random.Generator, box_w: tuple[Real, ...]
) -> Real:
    """(S, L) W away from the base: corners from which some inverters have moved to where their response changes.

    at: states of the joint paths and their steps; box_w: (S, L) least and most W away.
    """
    feeder, inverters = joint.base.feeder, joint.base.feeder.inverters
    if inverters is None:
        return away
    curves = [curve for curve in (inverters.volt_var, inverters.volt_watt) if curve is not None]
    port = inverters.port
    slope = feeder.reduced.Z[port, port].real / inverters.reference_v
    edges = inverters.reference_v * np.array([v for curve in curves for v, _ in curve.points])
    chosen = rng.random((len(away), len(port))) < 0.5
    edge = edges[rng.integers(len(edges), size=chosen.shape)]
    low, high = (end[:, port] for end in box_w)
    moved = away.copy()
    for _ in range(TURNS):
        injected, source = joint.injections(*at, moved), joint.source(*at)
        v = np.abs(feeder.power_flow_with_response(injected, source, tol_v=COARSE_V).v[:, port])
        off = np.where(np.isfinite(v), v - edge, 0.0)
        moved[:, port] = np.where(chosen, np.clip(moved[:, port] - off / slope, low, high), moved[:, port])
    return moved


def silent_patterns(feeder: MonitoredFeeder, rng: np.random.Generator) -> Iterator[Mask]:
    """(K,) inverters that do not follow, as many as a declared share leaves out; none where all are counted.

    Those farthest from the head by their impedance come first, of all phases and of each, then random ones.
    """
    inverters = feeder.inverters
    if inverters is None or not feeder.silent:
        return
    distance = np.abs(feeder.reduced.Z[inverters.port][:, inverters.port]).sum(axis=1)
    labels = np.array(feeder.reduced.network.connections.port_phase)[inverters.port]
    keys = [distance, *(np.where(labels == phase, distance + distance.max(), distance) for phase in np.unique(labels))]
    for key in [*keys, *(rng.random(len(labels)) for _ in range(RANDOM_PATTERNS))]:
        silent = np.zeros(len(labels), dtype=bool)
        silent[np.argsort(-key, kind="stable")[: feeder.silent]] = True
        yield silent
