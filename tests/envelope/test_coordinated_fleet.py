"""A coordinated fleet: sums instead of boxes for its members, and boxes for the rest, which stay safe without it."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import calculate, verify
from envelope.constraints.formulation import formulate
from envelope.field_rules import BadProblem
from envelope.problem import OperatingLimits
from envelope.problem.default_policy import with_default_policy
from envelope.schedule.adoption import verified_box
from envelope.study.coordinated_fleet import coordinate
from envelope.verification import Effort
from tests.envelope.test_default_policy import HOMES, STEPS, sunny_street

QUICK = Effort(random=5, inside=2, greedy=1)
MEMBERS = np.arange(HOMES) % 2 == 0


@pytest.fixture(scope="module")
def case():
    # Voltages bind here, of which those on one phase fall where another phase feeds.
    problem = with_default_policy(sunny_street(limits=OperatingLimits(210.0, 243.0)))
    return problem, coordinate(problem, MEMBERS)


def test_members_deliver_more_together_than_their_boxes_let_each(case):
    problem, found = case
    boxes = calculate(problem)
    together_w = found.fleet.deliverable_w[2:4].sum()
    assert together_w > 1.1 * boxes.export_limit_w[2:4][:, MEMBERS].sum()
    # What members gave up as a fallback is left to the others.
    rest = found.schedule.export_limit_w[2:4][:, ~MEMBERS].sum()
    assert rest > boxes.export_limit_w[2:4][:, ~MEMBERS].sum()


def test_whoever_is_silent_falls_back_to_limits_that_hold_whatever_others_do(case):
    problem, found = case
    assert np.array_equal(found.fleet.fallback_w, found.schedule.export_limit_w[:, MEMBERS])
    most = 0.7 * calculate(problem).export_limit_w[:, MEMBERS]
    assert np.all(found.fleet.fallback_w <= most + 1.0)
    assert verify(found.problem, found.schedule, effort=QUICK).inside


def test_any_dispatch_within_the_sums_is_inside_at_any_corner_of_the_others(case):
    problem, found = case
    assert max(found.fleet.beyond) <= 0.0
    formulation, rng = formulate(found.problem), np.random.default_rng(1)
    feeder, limits = formulation.feeder, formulation.limits
    lo, hi = verified_box(found.problem, found.schedule)
    worst = -np.inf
    for step in (2, 3):
        for _ in range(60):
            available_w = rng.choice([0.0, 0.3, 1.0], MEMBERS.sum()) * problem.flex_gen_w[step, MEMBERS]
            p_w = np.where(rng.random(HOMES) < 0.5, lo[step], hi[step])
            p_w[MEMBERS] = -problem.base_load_w[step, MEMBERS] + found.fleet.dispatch(step, available_w)
            ports = feeder.spread(p_w[None]) - 1j * feeder.spread(problem.base_load_var[step][None])
            flow = feeder.power_flow(np.asarray(ports), formulation.base.source_v[[step]])
            over = [flow.v_v[0] - limits.high_v[step], limits.low_v[step] - flow.v_v[0]]
            worst = max(worst, *(table.max() for table in over))
            worst = max(worst, float((np.abs(flow.i_a[0]) / limits.current_a[step] - 1.0).max()))
    assert worst <= 0.0


def test_no_dispatch_goes_beyond_the_sun_and_a_resting_fleet_is_always_inside(case):
    _, found = case
    for step in range(STEPS):
        available_w = np.full(MEMBERS.sum(), 1_000.0)
        assert np.all(found.fleet.dispatch(step, available_w) <= available_w)
        assert np.all(found.fleet.constraints[step].budget >= 0.0)


@pytest.mark.parametrize("members", [np.zeros(HOMES, dtype=bool), np.ones(HOMES - 1, dtype=bool)])
def test_a_fleet_without_generation_or_of_other_connections_is_refused(case, members):
    with pytest.raises(BadProblem, match="members"):
        coordinate(replace(case[0]), members)
