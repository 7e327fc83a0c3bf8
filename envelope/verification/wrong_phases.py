"""Verification against a wrong model: some customers connected to another phase than it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from envelope.constraints.formulation import formulate
from envelope.constraints.response_credit import as_credited
from envelope.field_rules import BadProblem
from envelope.problem import Problem
from envelope.problem.phase_split import BALANCED
from envelope.schedule import EnvelopeSchedule, verified_box
from envelope.verification.corner_trials import try_corners
from envelope.verification.report import Effort, VerificationReport
from gridmodel.flow.kron import reduce
from gridmodel.model.admittance import network

PHASES = ("a", "b", "c")


def movable(problem: Problem) -> list[int]:
    """Positions of the connections that could stand on another phase of their node."""
    equipment = problem.reduced.network.equipment
    if equipment is None:
        return []
    phases = {node.id: node.phases for node in equipment.nodes}
    return [k for k, c in enumerate(equipment.connections) if c.phase in PHASES and set(PHASES) <= set(phases[c.node])]


def with_wrong_phases(problem: Problem, part: float, seed: int) -> Problem:
    """The same problem on a feeder where this part of the single-phase connections is on another phase."""
    equipment = problem.reduced.network.equipment
    if equipment is None:
        raise BadProblem("the network is known by its admittances only: its phases cannot be changed")
    rng = np.random.default_rng(seed)
    found = movable(problem)
    chosen = set(rng.permutation(found)[: round(part * len(found))].tolist())
    moved = tuple(
        replace(c, phase=PHASES[(PHASES.index(c.phase) + int(rng.integers(1, 3))) % 3]) if k in chosen else c
        for k, c in enumerate(equipment.connections)
    )
    split = problem.flex_split
    if split is not None:
        # All that a single-phase connection does is on its own phase, wherever that is.
        split = tuple(BALANCED if k in chosen else said for k, said in enumerate(split))
    return replace(problem, reduced=reduce(network(replace(equipment, connections=moved))), flex_split=split)


def verify_wrong_phases(
    problem: Problem, schedule: EnvelopeSchedule, *, part: float = 0.1, seed: int = 1, solver: str = "reduced"
) -> VerificationReport:
    """The worst of a schedule's corners when this part of the phases is wrong."""
    effort = Effort(random=5, inside=0, sign=100, greedy=0, seed=seed)
    wrong = with_wrong_phases(as_credited(problem, schedule), part, seed)
    return try_corners(formulate(wrong), schedule, verified_box(wrong, schedule), solver=solver, effort=effort)
