"""Envelopes under other rules: reactive power, contracts, groups, margins, early tightening, who can be limited.

LV28, 48 steps. Each schedule is tried as the plain ones are (`test_envelope.py`), with fewer corners; power-grid-model
solves every one of them.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from envelope import Guarantee, Problem, calculate, verify
from envelope.problem import (
    Allocation,
    ChanceMargin,
    FixedPowerFactor,
    FreeVar,
    GroupLimit,
    HeadVoltageMargin,
    ShareReference,
    TighteningLead,
    VoltVar,
)
from envelope.study.study import Study, problem_of
from envelope.verification import Effort
from gridmodel import read_feeder
from tests.trials.figures import record_row

EFFORT = Effort(random=300, inside=10, sign=200, greedy=3, judge_all=True)
EVERYONE, FLEXIBLE = 114, 100
SUN = np.sin(np.linspace(0.0, np.pi, 48))


def group(problem: Problem) -> Problem:
    members = problem.connection_id[: FLEXIBLE // 2]
    return replace(problem, groups=(GroupLimit("half of all", members, 60e3, 40e3),), allocation=Allocation.MAX_SUM)


VARIANTS: dict[str, Callable[[Problem], Problem]] = {
    "tightened 300 s early": lambda p: replace(p, early=TighteningLead.ADOPTION),
    "power factor 0.95": lambda p: replace(p, reactive=FixedPowerFactor(0.95)),
    "300 var free": lambda p: replace(p, reactive=FreeVar(np.where(np.arange(EVERYONE) < FLEXIBLE, 300.0, 0.0))),
    "volt-var of 2 kvar, not credited": lambda p: replace(p, reactive=VoltVar(np.full(EVERYONE, 2e3))),
    "shares of what is in reach": lambda p: replace(
        p, reference=ShareReference.REACH, allocation=Allocation.PROPORTIONAL_FAIR
    ),
    "20 that nobody can limit": lambda p: replace(
        p, controls_export=np.arange(EVERYONE) >= 20, flex_gen_w=0.3 * p.flex_gen_w
    ),
    "contracts of 1 kW": lambda p: replace(
        p, firm_import_w=np.full(EVERYONE, 1e3), firm_export_w=np.full(EVERYONE, 1e3)
    ),
    "a group's sum": group,
    "ratings that fall by a fifth at noon": lambda p: replace(
        p, limits=replace(p.limits, rating_factor=1.0 - 0.2 * SUN)
    ),
    "head within 0.5 %, base within 2 sigma": lambda p: replace(
        p, margins=(HeadVoltageMargin(0.995, 1.005), ChanceMargin(np.full(EVERYONE, 300.0), z=2.0))
    ),
}
CASES = [(name, guarantee) for name in VARIANTS for guarantee in (Guarantee.TWO_SIDED, Guarantee.ONE_SIDED)]
SAID = (
    "Worst over all corners of the hull on LV28, 48 steps (volts over, volts under, percent of a rating; negative is "
    "inside), all solved by power-grid-model; up to 200 sign corners, 8 of phases against each other and 300 random "
    "ones per step and box, then greedy search. Where what is granted in any case exceeds a limit by itself, that is "
    "said, and nothing may make it worse."
)


@pytest.fixture(scope="module")
def plain():
    facts = os.environ.get("SEP2_FACTS")
    if not facts:
        pytest.skip("SEP2_FACTS names no folder of facts")
    feeder = read_feeder(Path(facts, "data", "lv28"))
    flexible = np.arange(EVERYONE) < FLEXIBLE
    return problem_of(feeder, Study(steps=48, export_w=10e3, import_w=14e3, flexible=flexible, within_steps=False))


def named(name, guarantee):
    return f"{name}, {guarantee}"


@pytest.mark.parametrize(("name", "guarantee"), CASES)
def test_no_corner_breaks_a_limit_under_other_rules(plain, name, guarantee):
    problem = VARIANTS[name](replace(plain, guarantee=guarantee))
    schedule = calculate(problem)
    report = verify(problem, schedule, effort=EFFORT)
    worst = "{:+.3f} V, {:+.3f} V, {:+.2f} %".format(*report.worst)
    base = ", ".join(f"{e:.2f}" for e in report.excused) if any(report.excused) else ""
    beside = f"; granted alone exceeds by {base} (V, V, %)" if base else ""
    verdict = "" if report.inside else "**beyond**: "
    room_kw = (schedule.import_room_w.sum() + schedule.export_room_w.sum()) / 48e3
    value = f"{verdict}{worst}; {report.judged:,} corners; {room_kw:,.0f} kW of room on average{beside}"
    record_row("Envelopes under other rules", SAID, (named(name, guarantee), value), [named(*case) for case in CASES])
    assert report.judged == report.scenarios
    assert report.inside, report.sentence()
