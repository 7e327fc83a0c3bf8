"""Trials of the corners of what clients may do: by an independent solver, or by the engine's own."""

from __future__ import annotations

from dataclasses import replace

from envelope.constraints.formulation import Formulation
from envelope.problem.guarantees import GuaranteedBox
from envelope.schedule import EnvelopeSchedule
from envelope.verification.acceptance import accepted_limits
from envelope.verification.report import Effort, VerificationReport
from envelope.verification.solvers import independent_solver, search_solver, solver_of
from envelope.verification.trial import Trial
from envelope.verification.unbalance import verify_unbalance
from gridmodel.arrays import Mask, Real


def try_corners(
    formulation: Formulation,
    schedule: EnvelopeSchedule,
    box: tuple[Real, Real],
    *,
    solver: str | None,
    effort: Effort,
    settled: tuple[Real, Real] | None = None,
) -> VerificationReport:
    """Power flow at the corners of what clients may do under a schedule, on the network as the model says it is.

    box: (T, C) lowest and highest net injection while clients keep the schedule (`envelope.schedule.verified_box`);
    settled: once all have taken up new limits, where limits are one common level: a smaller one may be worse there.
    """
    feeder = formulation.feeder
    judge = solver or independent_solver(feeder)
    searched = judge != "reduced" and not effort.judge_all
    accepted = accepted_limits(formulation, schedule, most=effort.sign)
    boxes = formulation.boxes(*box, limit_w=schedule.export_limit_w)
    if settled is not None and formulation.guarantee.common_level and formulation.paths.several:
        boxes += formulation.boxes(*settled)
    solve = search_solver(feeder) if searched else solver_of(feeder, judge)
    trial = Trial(formulation, boxes, effort, solve, accepted=accepted)
    trial.run()
    if searched:
        trial = trial.solved_by(solver_of(feeder, judge))
    unbalanced = verify_unbalance(formulation, trial.boxes, effort, judge=judge)
    return replace(trial.report(judge, schedule.guarantee), unbalance=unbalanced)


def try_boxes(
    formulation: Formulation,
    schedule: EnvelopeSchedule,
    boxes: tuple[GuaranteedBox, ...],
    *,
    effort: Effort,
    only: Mask | None = None,
) -> Trial:
    """The trial of all corners of these boxes by the engine's own solver; only: (T,) steps that are tried."""
    accepted, solver = (
        accepted_limits(formulation, schedule, most=effort.sign),
        solver_of(formulation.feeder, "reduced"),
    )
    trial = Trial(formulation, boxes, effort, solver, accepted=accepted, only=only)
    trial.run()
    return trial
