"""How much of an inverter's volt-var response a problem credits to voltages."""

from __future__ import annotations

from dataclasses import replace

from envelope.problem import Problem, VoltVar
from envelope.schedule import EnvelopeSchedule


def as_credited(problem: Problem, schedule: EnvelopeSchedule) -> Problem:
    """The problem with as much credit as a schedule says that it counted on."""
    if isinstance(problem.reactive, VoltVar) and schedule.pf_rule != problem.reactive.rule:
        return replace(problem, reactive=without_credit(problem))
    return problem


def without_credit(problem: Problem) -> VoltVar:
    """The same answer, with nothing of it counted for voltages."""
    assert isinstance(problem.reactive, VoltVar)
    return VoltVar(problem.reactive.most_var)
