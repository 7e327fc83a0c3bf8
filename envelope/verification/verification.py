"""Whether a schedule keeps the limits: AC power flow at corners of the verified box, judged by an independent solver.

"Verified" means checked at the sign-worst corners, at random ones and by a greedy search for worse ones; it is a strong
test, not a proof.
"""

from __future__ import annotations

from dataclasses import replace

from envelope.constraints.formulation import formulate
from envelope.constraints.response_credit import as_credited
from envelope.problem import Problem
from envelope.schedule import EnvelopeSchedule, verified_box
from envelope.verification.report import USUAL, Effort, VerificationReport
from envelope.verification.trial import try_corners
from envelope.verification.wrong_phases import movable, verify_wrong_phases


def verify(
    problem: Problem, schedule: EnvelopeSchedule, *, solver: str | None = None, effort: Effort | None = None
) -> VerificationReport:
    """Power flow at the corners of what clients may do under a schedule, states in between included.

    solver: one of `solvers.SOLVERS`; default the independent one that knows what the feeder is made of.
    effort: default 20 random corners per step, and a stress with 10 % wrong phases beside.
    """
    asked, problem = effort or USUAL, as_credited(problem, schedule)
    box = verified_box(problem, schedule)
    report = try_corners(formulate(problem), schedule, box, solver=solver, effort=asked)
    stress = _stress(problem, schedule, asked)
    return replace(report, wrong_phases=stress, wrong_part=asked.wrong_phases)


def _stress(problem: Problem, schedule: EnvelopeSchedule, effort: Effort) -> tuple[float, float, float] | None:
    """Violations where the phases of the feeder differ from its model."""
    if not effort.wrong_phases or not movable(problem):
        return None
    return verify_wrong_phases(problem, schedule, part=effort.wrong_phases, seed=effort.seed).worst
