"""A problem on a network that is calculated in parts: its envelopes, and their verification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from envelope.medium_voltage.head_voltage import MediumVoltage
from envelope.medium_voltage.whole_network import WholeNetwork, calculate_whole, schedule_of
from envelope.medium_voltage.whole_verification import WholeReport, verify_whole
from envelope.problem import OperatingLimits, Problem, run_id
from envelope.problem.divided import Divided, problems_of
from envelope.schedule import EnvelopeSchedule


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


def calculate_divided(problem: Problem, stage: Callable[[str], None] = lambda _: None) -> DividedRun:
    """Calculate the envelopes of all parts, make them agree, and verify them."""
    whole = whole_of(problem)
    coordination = calculate_whole(whole, stage)
    schedule = schedule_of(whole.network, coordination)
    report = verify_whole(whole, coordination, stage)
    return DividedRun(replace(schedule, run_id=run_id(problem)), report, whole.limits)
