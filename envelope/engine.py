"""Calculate operating envelopes: base case, feasible boxes, then limits in whole watts."""

from __future__ import annotations

import time
from dataclasses import replace

from envelope.calculation.schedule_assembly import assemble
from envelope.calculation.solution import Solution, solve
from envelope.calculation.unbalance_scaling import scale_for_unbalance
from envelope.constraints.formulation import Formulation, formulate
from envelope.constraints.response_credit import without_credit
from envelope.constraints.without_flow import Intervals
from envelope.problem import Problem, run_id
from envelope.schedule import EnvelopeSchedule
from envelope.schedule.findings import NOT_DECLARED, UNCREDITED
from envelope.search_by_trial import confirm, find_by_trial

CLEAR = 0.5
"""part of the declared margin that must be left in a trial where inverters respond, as other searches look elsewhere"""


def calculate(problem: Problem) -> EnvelopeSchedule:
    """Limits for every connection and interval, checked by AC power flow at the worst corners.

    Raises `BadProblem` for input that makes no sense; a base load that breaches a limit gives zero room and its reason,
    and so does an interval without a power flow, as long as there are others: `NoPowerFlow`.
    """
    return solve_with_boxes(problem).schedule


def solve_with_boxes(problem: Problem) -> Solution:
    """The same with the boxes that the limits were taken from, for explanations."""
    formulation = formulate(problem)
    intervals = Intervals.of(problem, formulation)
    if not intervals.failed.any():
        return _solved(problem, formulation)
    others = intervals.others()
    found = _solved(others, formulate(others))
    return found._replace(schedule=intervals.marked(found.schedule))


def _solved(problem: Problem, formulation: Formulation) -> Solution:
    """The solution of a problem whose base load and firm minimum have a power flow in every interval."""
    inverters = formulation.feeder.inverters
    if formulation.band is not None or (inverters is not None and inverters.volt_watt is not None):
        return _by_trial(problem, formulation)
    if inverters is not None:
        return _credited(problem, formulation)
    # As they are published, limits of one level are none any more: some take over those of a later step. And the worst
    # state of a connection that absorbs var as it feeds may be that in which it does neither.
    if formulation.guarantee.common_level or formulation.base.absorbs:
        return _confirmed(problem, formulation)[0]
    return _single_pass(problem, formulation)


def _by_trial(problem: Problem, formulation: Formulation) -> Solution:
    """Limits of a declared band, or that count on volt-watt; where none are found, limits that do without either."""
    began = time.perf_counter()
    found = None if formulation.guarantee.common_level else find_by_trial(problem, formulation, _single_pass)
    if found is None and formulation.band is not None and formulation.feeder.inverters is None:
        # Limits for any combination keep the declared band as well.
        found = _single_pass(problem, replace(formulation, band=None))
        said = f"{NOT_DECLARED}: no larger limits held within the declared band; these hold for any combination"
        found = found._replace(schedule=replace(found.schedule, findings=(*found.schedule.findings, said)))
    if found is None:
        return _uncredited(problem)
    found.schedule.figures["seconds"] = time.perf_counter() - began
    return found


def _single_pass(problem: Problem, formulation: Formulation) -> Solution:
    """Boxes and schedule of a problem, without a search for states between their corners."""
    began = time.perf_counter()
    boxes = solve(formulation)
    scaling = scale_for_unbalance(formulation, boxes)
    schedule = assemble(problem, formulation, boxes, scaling)
    schedule.figures["seconds"] = time.perf_counter() - began
    return Solution(schedule, boxes)


def _confirmed(problem: Problem, formulation: Formulation, *, clear_v: float = 0.0) -> tuple[Solution, bool]:
    """Limits that also hold in states found by trial, or the last that were found; and whether they hold."""
    began = time.perf_counter()
    found, holds = confirm(problem, formulation, _single_pass, clear_v=clear_v)
    found.schedule.figures["seconds"] = time.perf_counter() - began
    return found, holds


def _credited(problem: Problem, formulation: Formulation) -> Solution:
    """Limits that count on volt-var, or without any credit where none are found.

    Another corner than a constraint's worst one may be worse where inverters respond less.
    """
    # Too steep a curve oscillates, even with nothing flexible running.
    if not formulation.base_flow.converged.all():
        return _uncredited(problem)
    found, holds = _confirmed(problem, formulation, clear_v=CLEAR * problem.limits.margin_v)
    return found if holds else _uncredited(problem)


def _uncredited(problem: Problem) -> Solution:
    """Limits without any credit for inverters' response."""
    plain = solve_with_boxes(replace(problem, reactive=without_credit(problem)))
    kind = problem.reactive.rule.split(" ")[0]
    said = f"{UNCREDITED}: limits that count on {kind} did not hold between their corners; they do without it"
    findings = (*plain.schedule.findings, said)
    return plain._replace(schedule=replace(plain.schedule, run_id=run_id(problem), findings=findings))
