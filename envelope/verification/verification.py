"""Whether a schedule keeps the limits: AC power flow at corners of the verified box, judged by an independent solver.

"Verified" means checked at the sign-worst corners, at random ones and by a greedy search for worse ones; it is a strong
test, not a proof.
"""

from __future__ import annotations

from dataclasses import replace

from envelope.constraints.formulation import Formulation, formulate
from envelope.constraints.response_credit import as_credited
from envelope.constraints.without_flow import Intervals
from envelope.problem import Problem
from envelope.schedule import EnvelopeSchedule, settled_box, verified_box
from envelope.verification.contingencies import (
    AS_GUARANTEED,
    EFFORT,
    NO_RESPONSE,
    cases_of,
    region_curves,
    with_region_curves,
)
from envelope.verification.corner_trials import try_boxes, try_corners
from envelope.verification.report import USUAL, Contingency, Effort, VerificationReport
from envelope.verification.wrong_phases import movable, verify_wrong_phases


def verify(
    problem: Problem, schedule: EnvelopeSchedule, *, solver: str | None = None, effort: Effort | None = None
) -> VerificationReport:
    """Power flow at the corners of what clients may do under a schedule, states in between included.

    Intervals whose base load or firm minimum has no power flow are named; the others are verified.
    solver: one of `solvers.SOLVERS`; default the independent one that knows what the feeder is made of.
    effort: default 20 random corners per step, and a stress with 10 % wrong phases beside.
    """
    asked, problem = effort or USUAL, as_credited(problem, schedule)
    formulation = formulate(problem)
    intervals = Intervals.of(problem, formulation)
    if intervals.failed.any():
        problem = intervals.others()
        formulation = formulate(problem)
    box, settled = verified_box(problem, schedule), settled_box(problem, schedule)
    report = try_corners(formulation, schedule, box, solver=solver, effort=asked, settled=settled)
    stress = _stress(problem, schedule, asked)
    beside = try_contingencies(problem, formulation, schedule) if asked.contingencies else ()
    lost = intervals.sentences()
    return replace(report, wrong_phases=stress, wrong_part=asked.wrong_phases, contingencies=beside, without_flow=lost)


def try_contingencies(
    problem: Problem, formulation: Formulation, schedule: EnvelopeSchedule
) -> tuple[Contingency, ...]:
    """Events beyond a guarantee that rests on what homes or inverters do, and the same on the region's curves."""
    found, region, box = [], region_curves(problem), verified_box(problem, schedule)
    for event, judged, boxes in cases_of(problem, formulation, box, schedule.export_limit_w):
        if event != AS_GUARANTEED:
            found.append(Contingency(event, *try_boxes(judged, schedule, boxes, effort=EFFORT).most))
        if region is not None and event != NO_RESPONSE:
            on_curves = with_region_curves(problem, judged, region)
            worst = try_boxes(on_curves, schedule, boxes, effort=EFFORT).most
            found.append(Contingency(event, *worst, region=region.title))
    return tuple(found)


def _stress(problem: Problem, schedule: EnvelopeSchedule, effort: Effort) -> tuple[float, float, float] | None:
    """Violations where the phases of the feeder differ from its model."""
    if not effort.wrong_phases or not movable(problem):
        return None
    return verify_wrong_phases(problem, schedule, part=effort.wrong_phases, seed=effort.seed).worst
