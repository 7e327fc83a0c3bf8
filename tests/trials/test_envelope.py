"""Envelopes at every corner: both feeders, both guarantees, every allocation, 48 and 288 steps, states in between.

Each schedule is tried at its sign corners, phase-aligned ones, 1,000 random ones per step and by greedy search, over
the hull of each interval's own limits, those of the interval before and the defaults. power-grid-model solves every one
of them, which takes it more than an hour of one core: `ARGS="-n 2 -k European"` uses two and selects. Each row is
written down as it is found.
"""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from envelope import Guarantee, calculate, verify
from envelope.problem import Allocation
from envelope.study.study import Study, problem_of
from envelope.verification import Effort
from gridmodel import read_feeder, reduce
from gridmodel.readers.example_feeders import european_lv
from tests.trials.figures import record_row

CASES = [
    (feeder, steps, guarantee, allocation)
    for steps in (48, 288)
    for feeder in ("European LV", "LV28")
    for guarantee in (Guarantee.TWO_SIDED, Guarantee.ONE_SIDED)
    for allocation in (
        Allocation.MAX_MIN,
        Allocation.PROPORTIONAL_FAIR,
        Allocation.MAX_SUM,
        Allocation.EQUAL,
        Allocation.PROPORTIONAL,
        Allocation.ALPHA_FAIR,
    )
]
EFFORT = {
    48: Effort(random=1000, inside=20, sign=400, greedy=4, judge_all=True, wrong_phases=0.1),
    288: Effort(random=1000, inside=5, sign=200, greedy=4, judge_all=True, wrong_phases=0.1),
}
SAID = (
    "Worst against the limits over all corners of the hull (volts over, volts under, percent of a rating; negative is "
    "inside), the corners that were tried, every one of them solved by power-grid-model, and the processor "
    "seconds that the limits took. Per step and box: up to 400 sign corners (200 at 288 steps) of the strongest rows, "
    "8 of phases against each other, 1,000 random corners, 20 (5) points inside; then greedy search from the worst. A "
    "box that has no width in a step has one corner. *Stress*: the worst if 10 % of the customers stood on another "
    "phase than the model says, which no limit is made for. Where what is granted in any case (the base load) exceeds "
    "a limit by itself, that is said, and nothing may make it worse. LV28: 100 customers with 10 kW of generation "
    "under the day's sky and 14 kW of load; European LV: all with 5 kW and 7 kW."
)


@pytest.fixture(scope="module")
def problems():
    """The problem of a feeder and a number of steps, made once."""
    facts = os.environ.get("SEP2_FACTS")
    if not facts:
        pytest.skip("SEP2_FACTS names no folder of facts")
    feeders = {"LV28": read_feeder(Path(facts, "data", "lv28")), "European LV": european_lv()}
    reduced = {name: reduce(feeder.network) for name, feeder in feeders.items()}
    sizes = {"LV28": (10e3, 14e3), "European LV": (5e3, 7e3)}

    def problem(name, steps):
        export_w, import_w = sizes[name]
        count = len(feeders[name].network.connections)
        study = Study(
            steps=steps, export_w=export_w, import_w=import_w, flexible=np.arange(count) < 100, within_steps=False
        )
        return problem_of(feeders[name], study, reduced[name])

    return problem


def named(feeder, steps, guarantee, allocation):
    return f"{feeder}, {steps} steps, {guarantee}, {allocation}"


@pytest.mark.parametrize(("feeder", "steps", "guarantee", "allocation"), CASES)
def test_no_corner_breaks_a_limit(problems, feeder, steps, guarantee, allocation):
    problem = replace(problems(feeder, steps), guarantee=guarantee, allocation=allocation)
    began = time.process_time()
    schedule = calculate(problem)
    seconds = time.process_time() - began
    report = verify(problem, schedule, effort=EFFORT[steps])
    worst, stress = ("{:+.3f} V, {:+.3f} V, {:+.2f} %".format(*w) for w in (report.worst, report.wrong_phases))
    base = ", ".join(f"{e:.2f}" for e in report.excused) if any(report.excused) else ""
    beside = f"; granted alone exceeds by {base} (V, V, %)" if base else ""
    verdict = "" if report.inside else "**beyond**: "
    value = f"{verdict}{worst}; {report.judged:,} corners; {seconds:.2f} s CPU; stress {stress}{beside}"
    row = (named(feeder, steps, guarantee, allocation), value)
    record_row("Envelopes at every corner", SAID, row, [named(*case) for case in CASES])
    assert report.judged == report.scenarios
    assert report.inside, report.sentence()
    assert max(report.wrong_phases) > max(report.worst)
