"""Inverters that answer their own voltage, credited to voltages: what they do, and what lies between corners.

A box is measured at its corners with the answer on. Where an answer begins or ends, a curve has a kink: a neighbour who
feeds a little less may absorb so much less that a voltage rises. Such states are looked for as limits are calculated
and tried when they are verified.
"""

from __future__ import annotations

import numpy as np

from envelope.constraints.joint_paths import JointPaths
from envelope.constraints.monitored_feeder import FlowResult, MonitoredFeeder
from envelope.verification.solvers import Solver
from gridmodel.arrays import Complex, Index, Real

TURNS = 4
"""steps towards the point where an inverter's own voltage is at a kink"""


def solve_with_response(
    feeder: MonitoredFeeder, solver: Solver, s_va: Complex, source_v: Complex, *, voltages: bool
) -> FlowResult:
    """Values by a solver that is told what inverters answer: voltages, if wanted, with that, currents without it."""
    values = solver(s_va, source_v)
    if feeder.inverters is None or not voltages:
        return values
    answer = np.nan_to_num(feeder.response_var(s_va, source_v))
    answered = solver(s_va + 1j * answer, source_v)
    return FlowResult(answered.v_v, values.i_a, values.converged & answered.converged)


def at_curve_kinks(
    joint: JointPaths, at: tuple[Index, Index], away: Real, *, rng: np.random.Generator, box_w: tuple[Real, ...]
) -> Real:
    """(S, L) W away from the base: corners from which some inverters have moved to where their answer changes.

    at: states of the joint paths and their steps; box_w: (S, L) least and most W away.
    """
    feeder, inverters = joint.base.feeder, joint.base.feeder.inverters
    if inverters is None or inverters.volt_var is None:
        return away
    port = inverters.port
    slope = feeder.reduced.Z[port, port].real / inverters.reference_v
    edges = inverters.reference_v * np.array([v for v, _ in inverters.volt_var.points])
    chosen = rng.random((len(away), len(port))) < 0.5
    edge = edges[rng.integers(len(edges), size=chosen.shape)]
    low, high = (end[:, port] for end in box_w)
    moved = away.copy()
    for _ in range(TURNS):
        v = np.abs(feeder.power_flow_with_response(joint.injections(*at, moved), joint.source(*at)).v[:, port])
        off = np.where(np.isfinite(v), v - edge, 0.0)
        moved[:, port] = np.where(chosen, np.clip(moved[:, port] - off / slope, low, high), moved[:, port])
    return moved
