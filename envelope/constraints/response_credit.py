"""How much of inverters' response to voltage a problem credits to voltages."""

from __future__ import annotations

from dataclasses import replace

from envelope.problem import AsForecast, Problem, VoltVar, VoltWatt
from envelope.schedule import EnvelopeSchedule


def as_credited(problem: Problem, schedule: EnvelopeSchedule) -> Problem:
    """The problem with as much credit as a schedule says that it counted on."""
    if isinstance(problem.reactive, VoltVar | VoltWatt) and schedule.pf_rule != problem.reactive.rule:
        return replace(problem, reactive=without_credit(problem))
    return problem


def without_credit(problem: Problem) -> AsForecast:
    """The same response, with nothing of it counted for voltages."""
    policy = problem.reactive
    if isinstance(policy, VoltWatt):
        return VoltWatt(policy.size_w)
    assert isinstance(policy, VoltVar)
    return VoltVar(policy.most_var)
