"""Calculate operating envelopes: base case, feasible boxes, then limits in whole watts."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from envelope.calculation.schedule_assembly import assemble
from envelope.calculation.solution import Solution, solve
from envelope.calculation.unbalance_scaling import scale_for_unbalance
from envelope.constraints.formulation import Formulation, formulate
from envelope.constraints.response_credit import without_credit
from envelope.problem import Problem, run_id
from envelope.problem.margins import ConstraintCoefficients
from envelope.schedule import EnvelopeSchedule, settled_box, verified_box
from envelope.schedule.findings import NOT_DECLARED, UNCREDITED
from envelope.search_by_trial import find_by_trial
from envelope.verification import Effort
from envelope.verification.corner_trials import try_corners
from gridmodel.arrays import Real

ROUNDS, BEYOND_V, CLEAR = 8, 0.05, 0.5
"""rounds of the search for states worse than a corner, volts kept free beyond the worst that was found, and the part of
the declared margin that must be left, as other searches look elsewhere"""
SEARCH = Effort(random=20, inside=5, sign=100, greedy=1, judge_all=True, wrong_phases=0.0)


def calculate(problem: Problem) -> EnvelopeSchedule:
    """Limits for every connection and interval, checked by AC power flow at the worst corners.

    Raises `BadProblem` for input that makes no sense; a base load that breaches a limit gives zero room and its reason.
    """
    return solve_with_boxes(problem).schedule


def solve_with_boxes(problem: Problem) -> Solution:
    """The same with the boxes that the limits were taken from, for explanations."""
    formulation = formulate(problem)
    inverters = formulation.feeder.inverters
    if formulation.band is not None or (inverters is not None and inverters.volt_watt is not None):
        return _by_trial(problem, formulation)
    if inverters is not None:
        return _search(problem, formulation)
    if formulation.guarantee.common_level and formulation.paths.several:
        return _as_published(problem, formulation)
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


def _as_published(problem: Problem, formulation: Formulation) -> Solution:
    """Limits of one common level that also hold as they are published, where some take over those of a later step.

    Such limits are no common level any more; what they exceed a limit by is kept free, and the level found again.
    """
    margin = SearchMargin(0.0, 0.0, formulation.feeder.voltage_unit_v)
    found = _single_pass(problem, formulation)
    for _ in range(ROUNDS):
        box, settled = (boxed(problem, found.schedule) for boxed in (verified_box, settled_box))
        report = try_corners(formulation, found.schedule, box, solver="reduced", effort=SEARCH, settled=settled)
        if report.inside:
            break
        over_v, under_v, load = (_more(one.slack_units) for one in (report.over, report.under, report.overload))
        margin = margin.more(over_v, under_v, 0.01 * load)
        found = _single_pass(problem, formulation.with_margin(margin))
    return found


def _single_pass(problem: Problem, formulation: Formulation) -> Solution:
    """Boxes and schedule of a problem, without a search for states between their corners."""
    began = time.perf_counter()
    boxes = solve(formulation)
    scaling = scale_for_unbalance(formulation, boxes)
    schedule = assemble(problem, formulation, boxes, scaling)
    schedule.figures["seconds"] = time.perf_counter() - began
    return Solution(schedule, boxes)


@dataclass(frozen=True)
class SearchMargin:
    """Margin of all constraints, for states found beyond the corners at which a box was measured."""

    over_v: float
    under_v: float
    """V at the level of the limits' first band"""
    unit_v: Real
    """(N,) V that count as much at each monitored voltage"""
    load_part: float = 0.0
    """part of each current's limit"""

    def more(self, over_v: float, under_v: float, load_part: float = 0.0) -> SearchMargin:
        """The same and more."""
        return SearchMargin(
            self.over_v + over_v, self.under_v + under_v, self.unit_v, load_part=self.load_part + load_part
        )

    def per_row(self, rows: ConstraintCoefficients, at_rest: Real, limit: Real) -> Real:
        """(T, R) the same for every constraint of a kind."""
        voltage = rows.kind < 2
        unit_v = np.where(voltage, self.unit_v[np.where(voltage, rows.element, 0)], 1.0)
        volts = np.array([self.over_v, self.under_v, 0.0])[rows.kind] * unit_v
        return np.asarray(volts + np.where(voltage, 0.0, self.load_part * limit))

    def said(self) -> str:
        """Empty: the reactive policy words it."""
        return ""


def _search(problem: Problem, formulation: Formulation) -> Solution:
    """Limits that also hold between their corners, or without any volt-var credit where none are found.

    Another corner than a constraint's worst one may be worse where inverters respond less. Each round looks for such
    states as a verification does, and keeps free what it finds.
    """
    unit_v = formulation.feeder.voltage_unit_v
    margin, looked = SearchMargin(0.0, 0.0, unit_v), 0.0
    # Too steep a curve oscillates, even with nothing flexible running.
    converges = bool(formulation.base_flow.converged.all())
    for turn in range(ROUNDS if converges else 0):
        found = _single_pass(problem, formulation.with_margin(margin))
        box, effort = verified_box(problem, found.schedule), replace(SEARCH, seed=100 + turn)
        report = try_corners(formulation, found.schedule, box, solver="reduced", effort=effort)
        looked += report.scenarios
        spare = CLEAR * problem.limits.margin_v
        worst = report.over.slack_units, report.under.slack_units
        if report.inside and max(worst) <= -spare:
            figures = found.schedule.figures | {"solves": found.schedule.figures["solves"] + 2.0 * looked}
            return found._replace(schedule=replace(found.schedule, figures=figures))
        margin = margin.more(*(_more(beyond + spare) for beyond in worst))
    return _uncredited(problem)


def _uncredited(problem: Problem) -> Solution:
    """Limits without any credit for inverters' response."""
    plain = solve_with_boxes(replace(problem, reactive=without_credit(problem)))
    kind = problem.reactive.rule.split(" ")[0]
    said = f"{UNCREDITED}: limits that count on {kind} did not hold between their corners; they do without it"
    findings = (*plain.schedule.findings, said)
    return plain._replace(schedule=replace(plain.schedule, run_id=run_id(problem), findings=findings))


def _more(beyond_v: float) -> float:
    return beyond_v + BEYOND_V if beyond_v > 0.0 else 0.0
