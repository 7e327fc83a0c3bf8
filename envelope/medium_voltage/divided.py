"""A problem on a network that is calculated in parts: its envelopes, and their verification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from envelope.medium_voltage.coordination import Coordination
from envelope.medium_voltage.head_voltage import MediumVoltage
from envelope.medium_voltage.whole_network import WholeNetwork, calculate_whole, schedule_of
from envelope.medium_voltage.whole_verification import WholeReport, verify_part, verify_whole
from envelope.problem import OperatingLimits, Problem, run_id
from envelope.problem.divided import Divided, problems_of
from envelope.schedule import EnvelopeSchedule
from envelope.schedule.scaling import FACTORS, NOT_SCALED, scaled
from gridmodel.arrays import Real

Stage = Callable[[str], None]


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


def calculate_divided(problem: Problem, stage: Stage = lambda _: None) -> DividedRun:
    """Calculate the envelopes of all parts, make them agree, and verify them, scaled down where they do not verify."""
    whole = whole_of(problem)
    coordination = calculate_whole(whole, stage)
    factors, report = verified_factors(whole, coordination, stage)
    factor = factor_of(whole, factors)
    schedule = scaled(schedule_of(whole.network, coordination), factor)
    if (less := {name: one for name, one in factors.items() if one < 1.0}) and report.combined.inside:
        schedule = replace(schedule, findings=(*schedule.findings, _said_of(less)))
    return DividedRun(replace(schedule, run_id=run_id(problem)), report, whole.limits, factor)


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
