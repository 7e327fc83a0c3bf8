"""Rounds on a network that binds: limits of the run before that fill its constraints are kept, and not lowered."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import calculate, verify
from envelope.problem import Scenarios
from envelope.problem.default_policy import with_default_policy
from envelope.problem.step_ranges import rolled_to
from envelope.verification import Effort
from gridmodel import read_feeder
from tests.demo.conftest import FILES
from tests.envelope.cases import on

STEPS = 48
PATHS = 5


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    """A day on which nine inverters could feed far more than the transformer and the voltages bear."""
    folder = tmp_path_factory.mktemp("nine")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    stated = on(read_feeder(folder).network, steps=STEPS, flex_load_w=np.zeros((STEPS, 9)))
    rng = np.random.default_rng(3)
    load = stated.base_load_w * rng.uniform(0.5, 1.5, (PATHS, STEPS, 9))
    paths = Scenarios(load[:, :, None], 0.2 * load[:, :, None])
    return with_default_policy(replace(stated, scenarios=paths, base_load_w=paths.mean_w))


def follow(problem, schedule):
    """The problem of the next round, in which clients hold the limits of this one."""
    after = rolled_to(problem, int(problem.step_start[1]))
    held = (
        np.maximum(limit[1], default).astype(float)
        for limit, default in (
            (schedule.import_limit_w, schedule.default_import_w),
            (schedule.export_limit_w, schedule.default_export_w),
        )
    )
    import_w, export_w = held
    until = int(after.step_start[0]) + after.adoption_s
    return replace(after, in_force_import_w=import_w, in_force_export_w=export_w, in_force_until=until)


def test_limits_that_filled_a_constraint_go_on_in_the_next_rounds(problem):
    schedule = calculate(problem)
    assert (schedule.export_limit_w[1] < problem.flex_gen_w[1] - 1000).any(), "the network binds"
    for _ in range(3):
        before, problem = schedule, follow(problem, schedule)
        schedule = calculate(problem)
        assert not schedule.findings
        assert schedule.export_limit_w[0].sum() > 0.98 * before.export_limit_w[1].sum()
        assert verify(problem, schedule, effort=Effort()).inside


def test_limits_of_the_run_before_that_are_too_much_are_replaced_by_the_default_at_once(problem):
    first = calculate(problem)
    problem = follow(problem, first)
    too_much = replace(problem, in_force_export_w=2.0 * problem.in_force_export_w)
    schedule = calculate(too_much)
    assert any(said.startswith("infeasible_firm") for said in schedule.findings)
    assert (schedule.export_limit_w[0] <= schedule.default_export_w).all()
    assert (schedule.export_limit_w[0] < first.export_limit_w[1]).any()
