"""A problem on a network that is calculated in parts: its envelopes, and their verification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from envelope.constraints.formulation import formulate
from envelope.constraints.without_flow import Intervals
from envelope.medium_voltage.capacity_share import CapacityShare
from envelope.medium_voltage.coordination import Coordination, coordinate
from envelope.medium_voltage.feeder_head import NoFlow, NoFlowAtRest
from envelope.medium_voltage.head_voltage import MediumVoltage
from envelope.medium_voltage.whole_network import WholeNetwork, calculate_whole, of_connections, schedule_of
from envelope.medium_voltage.whole_verification import WholeReport, verify_part, verify_whole
from envelope.problem import OperatingLimits, Problem, run_id
from envelope.problem.divided import Divided, problems_of
from envelope.schedule import EnvelopeSchedule
from envelope.schedule.findings import NO_FLOW, clock, some
from envelope.schedule.scaling import FACTORS, NOT_SCALED, scaled
from envelope.verification import VerificationReport
from gridmodel.arrays import Mask, Real

Stage = Callable[[str], None]
Calculate = Callable[[WholeNetwork, Stage], Coordination]


def whole_of(problem: Problem) -> WholeNetwork:
    """A problem for each part, under one medium voltage."""
    assert isinstance(problem.reduced, Divided)
    medium = MediumVoltage(problem.reduced.parts.medium, source_v=problem.source_v)
    return WholeNetwork(problem.reduced.network, medium, problems_of(problem))


class DividedRun(NamedTuple):
    """Envelopes of all parts as one schedule, their verification in parts and as one network, and its limits."""

    schedule: EnvelopeSchedule
    report: WholeReport
    limits: OperatingLimits
    factor: Real
    """(C,) part of the headroom of each connection's limits that was kept so that they verify"""


class AgreedParts(NamedTuple):
    """The network in parts, and the envelopes of all of them, made to agree."""

    whole: WholeNetwork
    found: Coordination
    intervals: Intervals
    """those without a power flow were left out, of the whole network"""
    share: CapacityShare

    def schedule(self, factor: Real | None = None) -> EnvelopeSchedule:
        """The limits of all parts as one schedule, with what is to be known of intervals; factor: (C,) of headroom."""
        problem, schedule = self.intervals.problem, schedule_of(self.whole.network, self.found)
        if factor is not None:
            schedule = replace(scaled(schedule, factor), run_id=run_id(problem))
        findings = (*self.share.findings(problem), *schedule.findings)
        return self.intervals.marked(replace(schedule, findings=findings))


def coordinated(
    problem: Problem, stage: Stage = lambda _: None, calculate: Calculate = calculate_whole, *, shares: bool = True
) -> AgreedParts:
    """The network in parts and the envelopes of all of them, made to agree.

    Intervals without a power flow are left out, of the whole network: what the medium voltage is there is not known.
    Where it has none with all that connections may do at once, limits grant a share of that. Raises `NoPowerFlow` where
    all intervals are left out; shares: False raises `NoFlow` instead of granting less.
    """
    whole, share = whole_of(problem), CapacityShare.whole(problem)
    intervals = _intervals_of(whole, problem)
    while True:
        if intervals.failed.any() or not share.is_whole:
            whole = whole_of(share.on(intervals.others() if intervals.failed.any() else problem))
        try:
            return AgreedParts(whole, calculate(whole, stage), intervals, share)
        except NoFlowAtRest as fault:
            # Of the medium voltage, or of a part with all that no limit sees.
            more = fault.steps & ~intervals.failed
            if not more.any():
                raise
            base = intervals.base | (more & fault.at_base)
            intervals = intervals._replace(base=base, firm=(intervals.firm | more) & ~base)
        except NoFlow as fault:
            more = fault.steps & ~intervals.failed
            if not shares or not more.any():
                raise
            share, lost = share.reduced(problem, more)
            intervals = intervals._replace(firm=intervals.firm | lost)


def verify_divided(problem: Problem, schedule: EnvelopeSchedule, stage: Stage = lambda _: None) -> VerificationReport:
    """Verification of given limits of a network in parts, with the head voltages that these limits bring about."""
    place = {name: k for k, name in enumerate(schedule.connection_id)}

    def given(part: Problem) -> EnvelopeSchedule:
        return of_connections(schedule, np.array([place[name] for name in part.connection_id], dtype=np.intp))

    def heads(whole: WholeNetwork, stage: Stage) -> Coordination:
        stage("head voltages under the limits")
        return coordinate(whole.medium, whole.problems, solve=given)

    tried, lost = problem, np.zeros(problem.steps, dtype=bool)
    while True:
        try:
            run = coordinated(tried, stage, heads, shares=False)
        except NoFlow as fault:
            # Under these limits there is no power flow of the medium voltage in some intervals; others are verified.
            more = fault.steps & ~lost
            if isinstance(fault, NoFlowAtRest) or not more.any():
                raise
            lost |= more
            nothing = np.where(lost[:, None], 0.0, 1.0)
            tried = replace(problem, flex_gen_w=nothing * problem.flex_gen_w, flex_load_w=nothing * problem.flex_load_w)
            continue
        report = verify_whole(run.whole, run.found, stage)
        without = replace(report, without_flow=run.intervals.sentences()).combined
        return replace(without, collapsed=_collapsed(problem, lost)) if lost.any() else without


def _collapsed(problem: Problem, lost: Mask) -> tuple[str, ...]:
    """The sentence about intervals in which limits let the network have no power flow."""
    when = some([clock(int(at)) for at in problem.step_start[lost]])
    count = f"{int(lost.sum())} of {len(lost)} intervals ({when})"
    return (f"{NO_FLOW} of the medium voltage under these limits in {count}",)


def _intervals_of(whole: WholeNetwork, problem: Problem) -> Intervals:
    """The intervals in which a part has no power flow by itself."""
    parts = [Intervals.of(part, formulate(part)) for part in whole.problems.values()]
    place = {name: k for k, part in enumerate(parts) for name in part.problem.connection_id}
    column = {name: k for part in parts for k, name in enumerate(part.problem.connection_id)}
    granted = [parts[place[name]].granted_w[:, column[name]] for name in problem.connection_id]
    base = np.any([part.base for part in parts], axis=0)
    firm = np.any([part.firm for part in parts], axis=0) & ~base
    return Intervals(problem, base, firm, np.stack(granted, axis=1))


def calculate_divided(problem: Problem, stage: Stage = lambda _: None) -> DividedRun:
    """Calculate the envelopes of all parts, make them agree, and verify them, scaled down where they do not verify.

    Intervals without a power flow are named, in the schedule and in the report.
    """
    run = coordinated(problem, stage)
    factors, report = verified_factors(run.whole, run.found, stage)
    report = replace(report, without_flow=run.intervals.sentences())
    factor = factor_of(run.whole, factors)
    schedule = run.schedule(factor)
    if (less := {name: one for name, one in factors.items() if one < 1.0}) and report.combined.inside:
        schedule = replace(schedule, findings=(*schedule.findings, _said_of(less)))
    return DividedRun(schedule, report, run.whole.limits, factor)


def verified_factors(
    whole: WholeNetwork, found: Coordination, stage: Stage = lambda _: None
) -> tuple[dict[str, float], WholeReport]:
    """The part of the headroom of each part's limits that verifies, and the verification of that.

    Parts that are outside by themselves are scaled down; where only all of them together are, each is. Smaller limits
    leave the head voltages inside the bands that were assumed. Where no factor verifies: none, and the first report.
    """
    given = dict.fromkeys(found.schedules, 1.0)
    first = report = verify_whole(whole, found, stage)
    factors, tried = dict(given), dict.fromkeys(found.schedules, 0)
    while not report.combined.inside:
        over = [name for name, own in report.by_part.items() if not own.inside] or list(tried)
        guarantees = {found.problems[name].guarantee for name in over}
        if guarantees & set(NOT_SCALED) or any(tried[name] == len(FACTORS) for name in over):
            return given, first
        for name in over:
            factors[name], tried[name] = FACTORS[tried[name]], tried[name] + 1
        smaller = with_factors(found, factors)
        stage(f"verifying: less headroom for {len(over)} of {len(tried)} parts")
        by_part = {**report.by_part, **{name: verify_part(smaller, name) for name in over}}
        report = verify_whole(whole, smaller, stage, by_part=by_part)
    return factors, report


def with_factors(found: Coordination, factors: Mapping[str, float]) -> Coordination:
    """The same with a part of the headroom of each part's limits."""
    smaller = {name: scaled(schedule, factors[name]) for name, schedule in found.schedules.items()}
    return replace(found, schedules=smaller)


def factor_of(whole: WholeNetwork, factors: Mapping[str, float]) -> Real:
    """(C,) the factor of each connection of the whole network, by that of its part."""
    own = {name: factors[part] for part, problem in whole.problems.items() for name in problem.connection_id}
    return np.array([own[name] for name in whole.network.connections.id])


def _said_of(less: Mapping[str, float]) -> str:
    least = min(less, key=less.__getitem__)
    return (
        f"{len(less)} parts did not verify with all of their headroom and have less of it, "
        f"the least {100 * less[least]:.0f} % ({least})"
    )
