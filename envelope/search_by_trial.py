"""Limits that are found by trial: where a guarantee's box, or inverters' response, is more than one linear box.

Two kinds need it. A declared band's lower edges depend on the limits themselves. Limits that count on volt-watt let
voltages rise further than the limit, as long as inverters bring them back. Both are fitted as a problem for any
combination with a margin of each step, tried as a verification does, and fitted again with another margin.

Other limits are only confirmed in this way: where their worst state may be no corner of a linear box.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from envelope.calculation.solution import Solution
from envelope.calculation.statement import reactive_range
from envelope.constraints.declared_base import with_declared_base
from envelope.constraints.formulation import Formulation
from envelope.constraints.linear import LinearConstraints
from envelope.problem import Problem
from envelope.schedule import settled_box, verified_box
from envelope.verification.corner_trials import try_boxes
from envelope.verification.report import Effort
from envelope.verification.trial import Trial
from gridmodel.arrays import Mask, Real

SETTLING, HALVINGS, TURNS = 4, 6, 10
"""fits before declared edges and limits agree; trials that halve the volts given to volt-watt; trials thereafter"""
MOST_RELIEF_V = 24.0
"""volts beyond the limit, at most, that limits may count on volt-watt to bring back"""
CLEAR_V, CLEAR_PERCENT = 0.02, 0.05
"""kept free of limits in the last trial, as a verification looks elsewhere"""
BEYOND_V, BEYOND_PERCENT = 0.05, 0.1
"""kept free in addition to what a trial found"""
EFFORT, QUICK = Effort(random=8, inside=3, sign=60, greedy=1), Effort(random=3, inside=1, sign=40, greedy=0, climbs=0)
SEARCH = Effort(random=20, inside=5, sign=100, greedy=1)
LOST = 5.0
"""taken as beyond a limit, V or percent, where there is no power flow"""

SinglePass = Callable[[Problem, Formulation], Solution]


@dataclass(frozen=True, eq=False)
class StepMargin:
    """Margin of every constraint of a kind in each step; a negative one lets a limit be exceeded."""

    formulation: Formulation
    beyond: Real
    """(3, T) V over, V under, percent of a rating"""

    def per_row(self, rows: LinearConstraints, at_rest: Real, limit: Real) -> Real:
        """(T, R) in each constraint's own unit."""
        return np.asarray(self.beyond[rows.kind].T * rows.slack_unit(self.formulation.feeder))

    def said(self) -> str:
        """Empty: the guarantee and the reactive policy word it."""
        return ""


def confirm(
    problem: Problem, formulation: Formulation, single_pass: SinglePass, *, clear_v: float
) -> tuple[Solution, bool]:
    """Limits as one fit has them, with a margin in each step for what trials find beyond; and whether all steps hold.

    clear_v: V that are left in the last trial, as a verification looks elsewhere.
    """
    clear = np.array([clear_v, clear_v, 0.0])[:, None]
    more = np.array([BEYOND_V, BEYOND_V, BEYOND_PERCENT])[:, None]
    margin, misses, tried = np.zeros((3, formulation.steps)), np.zeros(formulation.steps), 0.0
    for turn in range(TURNS):
        fitted = formulation.with_margin(StepMargin(formulation, margin)) if margin.any() else formulation
        found = single_pass(problem, fitted)
        trial = _trial(problem, formulation, found, effort=replace(SEARCH, seed=100 + turn))
        tried += trial.scenarios
        beyond = _beyond(trial)
        failed = beyond > -clear
        if not failed.any():
            break
        misses += failed.any(axis=0)
        margin += np.where(failed, np.maximum(beyond + clear, 0.0) + more * misses, 0.0)
    if not margin.any() and not (formulation.paths.several or formulation.base.absorbs or clear_v):
        # Nothing was searched for: the trial only agreed.
        return found, not failed.any()
    figures = found.schedule.figures | {"solves": found.schedule.figures["solves"] + 2.0 * tried}
    return found._replace(schedule=replace(found.schedule, figures=figures)), not failed.any()


def _trial(
    problem: Problem, formulation: Formulation, found: Solution, *, effort: Effort, only: Mask | None = None
) -> Trial:
    """Trial of what clients may do under limits, also once all have taken them up where those are one common level."""
    schedule = found.schedule
    boxes = formulation.boxes(*verified_box(problem, schedule), limit_w=schedule.export_limit_w)
    if formulation.guarantee.common_level and formulation.paths.several:
        boxes += formulation.boxes(*settled_box(problem, schedule))
    return try_boxes(formulation, schedule, boxes, effort=effort, only=only)


def _beyond(trial: Trial) -> Real:
    """(3, T) V over, V under and percent beyond the limits, each the worst of its step."""
    found = np.where(np.isfinite(trial.worst.beyond), trial.worst.beyond, -np.inf)
    return np.where(trial.lost[None], LOST, found)


def find_by_trial(problem: Problem, formulation: Formulation, single_pass: SinglePass) -> Solution | None:
    """The limits; None where none that hold are found."""
    return _TrialSearch(problem, formulation, single_pass).found()


class _TrialSearch:
    """One search under way."""

    def __init__(self, problem: Problem, formulation: Formulation, single_pass: SinglePass) -> None:
        self.problem, self.formulation, self.single_pass = problem, formulation, single_pass
        self.plain, inverters = formulation, formulation.feeder.inverters
        self.watts = inverters is not None and inverters.volt_watt is not None
        if self.watts:
            # Its constraints are those of voltages that no inverter brings back.
            feeder = formulation.feeder.without_response()
            self.plain = formulation.with_base(replace(formulation.base, feeder=feeder))
        self.margin = np.zeros((3, formulation.steps))
        self.scenarios = 0.0
        self.misses = np.zeros(formulation.steps)
        """(T,) trials that a step has failed"""
        self.edges: Real | None = None
        self.first = self.solution = self._fit(None)

    def found(self) -> Solution | None:
        """Settle the declared edges, give volt-watt its volts, and keep free what trials find."""
        if not self.formulation.base_flow.converged.all():
            return None
        if self.watts:
            self.margin[0] = -MOST_RELIEF_V
        self._settle_band()
        if self.watts:
            self._halve_relief()
        return self._finished() if self._keep_free() else None

    def _keep_free(self) -> bool:
        """Keep free what trials find, in the steps in which they do; whether all steps hold in the end."""
        clear = np.array([CLEAR_V, CLEAR_V, CLEAR_PERCENT])[:, None]
        more = np.array([BEYOND_V, BEYOND_V, BEYOND_PERCENT])[:, None]
        everyone: Mask = np.ones(self.formulation.steps, dtype=bool)
        todo = everyone
        for turn in range(TURNS):
            self._refit()
            beyond = self._beyond(QUICK, seed=100 + turn, only=todo)
            if (beyond <= -clear).all():
                beyond = self._beyond(EFFORT, seed=200 + turn, only=everyone)
                if (beyond <= -clear).all():
                    return True
            failed = (beyond > -clear).any(axis=0)
            self.misses += failed
            # What is kept free grows with each miss, as limits and declared edges move with it.
            self.margin += np.where(beyond > -clear, np.maximum(beyond + clear, 0.0) + more * self.misses, 0.0)
            todo = np.asarray(failed)
        return False

    def _settle_band(self) -> None:
        if self.formulation.band is not None:
            for _ in range(SETTLING):
                self.edges = self.solution.schedule.export_limit_w.astype(float)
                self.solution = self._fit(self.edges)

    def _halve_relief(self) -> None:
        """Per step the most volts beyond the limit that inverters bring back, by halving."""
        kept, most = np.zeros(self.formulation.steps), np.full(self.formulation.steps, MOST_RELIEF_V)
        everyone = np.ones(self.formulation.steps, dtype=bool)
        for turn in range(HALVINGS):
            self._refit()
            holds = (self._beyond(QUICK, seed=turn, only=everyone) <= 0.0).all(axis=0)
            kept, most = np.where(holds, -self.margin[0], kept), np.where(holds, most, -self.margin[0])
            if (kept == most).all():
                break
            self.margin[0] = -0.5 * (kept + most)
        self.margin[0] = -kept

    def _refit(self) -> None:
        """Fit again with declared edges that only fall, so that no edge is counted on that limits then undercut."""
        if self.edges is not None:
            self.edges = np.minimum(self.edges, self.solution.schedule.export_limit_w)
        self.solution = self._fit(self.edges)

    def _fit(self, edges: Real | None) -> Solution:
        """One fit with the margins; edges: (T, C) export limits that declared edges follow, None: no such edges."""
        fitted = replace(self.plain, band=None)
        if edges is not None:
            fitted = with_declared_base(self.plain, edges, self.solution.schedule.import_limit_w.astype(float))
        return self.single_pass(self.problem, fitted.with_margin(StepMargin(self.formulation, self.margin)))

    def _beyond(self, effort: Effort, *, seed: int, only: Mask) -> Real:
        """(3, T) V over, V under and percent beyond the limits in some steps, each the worst of its step."""
        trial = _trial(self.problem, self.formulation, self.solution, effort=replace(effort, seed=seed), only=only)
        self.scenarios += trial.scenarios
        return _beyond(trial)

    def _finished(self) -> Solution:
        """The solution with headroom from the base load, and with the status of the base load itself."""
        schedule, first = self.solution.schedule, self.first.schedule
        shift = self.solution.boxes[0].fit.base.p_w + self.problem.base_load_w
        export_room = np.where(self.problem.flex_gen_w > 0.0, np.maximum(schedule.export_room_w + shift, 0.0), 0.0)
        import_room = np.where(self.problem.flex_load_w > 0.0, np.maximum(schedule.import_room_w - shift, 0.0), 0.0)
        figures = schedule.figures | {"solves": schedule.figures["solves"] + 2.0 * self.scenarios}
        whole = replace(
            schedule,
            export_room_w=export_room,
            import_room_w=import_room,
            reactive=reactive_range(self.problem, self.formulation, export_room),
            status=first.status,
            infeasibility=first.infeasibility,
            firm_corners=first.firm_corners,
            findings=first.findings,
            figures=figures,
        )
        return self.solution._replace(schedule=whole)
