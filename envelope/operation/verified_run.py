"""Calculate a schedule and verify it, with the limits that are still in force at clients."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from envelope.operation.clients import uncontrolled_connections
from envelope.operation.limits_in_force import with_limits_in_force, without_limits_in_force
from envelope.problem import Problem, run_id
from envelope.problem.divided import Divided
from envelope.schedule import EnvelopeSchedule, findings
from envelope.schedule.scaling import FACTORS, NOT_SCALED, scaled
from gridmodel.arrays import Real
from sep2.errors import SepError
from sep2.operations.market.bands import Counted
from sep2.store.database import Database

if TYPE_CHECKING:
    from envelope.verification import VerificationReport


log = logging.getLogger(__name__)


class NotVerified(SepError):
    """The limits do not keep the feeder inside its limits at every corner."""


class VerifiedRun(NamedTuple):
    """A problem, its schedule, and the report of a verification that it passed."""

    problem: Problem
    schedule: EnvelopeSchedule
    report: VerificationReport
    counted: Problem | None = None
    """The problem with the limits in force, as it was calculated; None: the same."""
    at: int = 0
    """When it was calculated."""
    factor: float | Real = 1.0
    """Part of the headroom that was kept so that the limits verify; in a divided network (C,) of each connection."""
    without_plans: VerifiedRun | None = None
    """The run that counts with no aggregator's plan, where this one does."""
    planned: Sequence[Counted] = ()
    """Members with accepted plans, whether they count in its limits or not."""
    uncounted: str = ""
    """Why accepted plans that are believed do not count in its limits; empty: they do, or would change nothing."""

    @property
    def unplanned(self) -> VerifiedRun:
        """The run of the same problem that counts with no plan."""
        return self.without_plans or self

    @property
    def as_calculated(self) -> Problem:
        """The problem with the limits in force."""
        return self.counted or self.problem


async def calculate_verified(
    database: Database, problem: Problem, now: int, *, published: str, solver: str | None, causes: Sequence[str]
) -> VerifiedRun:
    """Return a verified run of a problem, calculated off the event loop.

    published: the run in force, empty where there is none; its limits count until clients adopt the new ones.
    causes: findings that may explain why the limits cannot be verified.
    Raises NotVerified where a corner is outside the limits.
    """
    counted = problem
    if published and published != await asyncio.to_thread(run_id, problem):
        async with database.read() as db:
            counted = await with_limits_in_force(db, problem, now)
    try:
        counted, (schedule, report, factor) = await asyncio.to_thread(_calculated_with_held, counted, solver)
    except NotVerified as wrong:
        raise NotVerified("; ".join([wrong.detail, *causes])) from wrong
    if not report.inside:
        schedule, report, factor = await asyncio.to_thread(scaled_down, counted, schedule, report, solver=solver)
    if not report.inside:
        raise NotVerified("; ".join([*_reasons(counted, report), *causes]))
    return VerifiedRun(problem, schedule, report, counted, now, factor)


def _reasons(problem: Problem, report: VerificationReport) -> list[str]:
    """Return why a schedule is not verified: the verification, and the connections that cannot be limited."""
    if report.diverged == 0 and np.isfinite((*report.worst, *report.excused)).all():
        return [report.sentence()]
    uncontrolled = _uncontrolled(problem)
    return [uncontrolled] if uncontrolled else ["the power flow has no solution", report.sentence()]


def _uncontrolled(problem: Problem) -> str:
    """Return which connections cannot be limited, and what to do; empty where all can."""
    uncontrolled = uncontrolled_connections(problem)
    if not uncontrolled:
        return ""
    return (
        f"{len(uncontrolled)} of {len(problem.connection_id)} connections cannot be limited and count with their whole"
        " capacity, for which the power flow has no solution; register their clients (sep2 device add --connection ID),"
        " or make a plan with less capacity (sep2 envelope run --help)"
    )


def calculated(problem: Problem) -> EnvelopeSchedule:
    """Return the schedule of a problem, on a network that is calculated as one or in parts."""
    from envelope.engine import calculate

    if not isinstance(problem.reduced, Divided):
        return calculate(problem)
    from envelope.medium_voltage.divided import coordinated

    return coordinated(problem).schedule()


def scaled_down(
    problem: Problem, schedule: EnvelopeSchedule, report: VerificationReport, *, solver: str | None = None
) -> tuple[EnvelopeSchedule, VerificationReport, float]:
    """Return the largest part of the limits' headroom, of those that are tried, that verifies; else what was given."""
    from envelope.verification import Effort, verify

    # What is calculated in parts was scaled down, part by part, as it was verified.
    is_scaled = problem.guarantee not in NOT_SCALED and not isinstance(problem.reduced, Divided)
    for factor in FACTORS if is_scaled else ():
        smaller = scaled(schedule, factor)
        found = verify(problem, smaller, solver=solver, effort=Effort())
        if found.inside:
            log.warning("limits did not verify (%s): %g of their headroom does", report.sentence(), factor)
            return smaller, found, factor
    return schedule, report, 1.0


def verified_schedule(problem: Problem) -> EnvelopeSchedule:
    """Return the schedule that a round would publish of a problem; one that does not verify is returned as it is."""
    schedule, report, _ = with_report(problem, None)
    return schedule if report.inside else scaled_down(problem, schedule, report)[0]


_Calculated = tuple["EnvelopeSchedule", "VerificationReport", "float | Real"]
"""A schedule, its report, and the part of the headroom that was kept so that it verifies."""


def _calculated_with_held(problem: Problem, solver: str | None) -> tuple[Problem, _Calculated]:
    """Return a schedule, its report and the problem that they are of: without limits in force where those do not fit.

    Limits in force may break the feeder's limits already; those that follow them can still be right.
    """
    if not problem.has_held:
        return problem, with_report(problem, solver)
    found, lost = None, None
    with suppress(NotVerified):
        found = with_report(problem, solver)
        if found[1].inside and not found[1].without_flow:
            return problem, found
        lost = found[1].without_flow if found[1].inside else None
    without = without_limits_in_force(problem)
    later, judged, factor = with_report(without, solver)
    if found is not None and lost is not None and judged.without_flow == lost:
        return problem, found
    return without, (replace(later, findings=(*later.findings, findings.HELD)), judged, factor)


def with_report(problem: Problem, solver: str | None) -> _Calculated:
    """Return a problem's schedule, its report, and the part of its headroom that was kept; NotVerified: no flow."""
    from envelope.constraints.without_flow import NoPowerFlow
    from envelope.engine import calculate
    from envelope.verification import Effort, verify

    try:
        if isinstance(problem.reduced, Divided):
            from envelope.medium_voltage.divided import calculate_divided

            run = calculate_divided(problem)
            return run.schedule, run.report.combined, run.factor if (run.factor < 1.0).any() else 1.0
        schedule = calculate(problem)
    except NoPowerFlow as fault:
        raise NotVerified(_uncontrolled(problem) or str(fault)) from fault
    # The trial of wrong phases is omitted: a round does not use it, and it takes as long as the rest.
    # What an ordinary event does beyond a declared band is part of what its engineer is told.
    effort = Effort(contingencies=problem.declared_share is not None)
    return schedule, verify(problem, schedule, solver=solver, effort=effort), 1.0
