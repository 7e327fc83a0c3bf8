"""A problem is formed as mathematics once, and its limits are tables with a row per step and a column per place."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import Guarantee, calculate, verified_box
from envelope.calculation.solution import solve
from envelope.constraints.formulation import formulate
from envelope.problem import Allocation, BoxMargin, Direction
from envelope.problem.guarantees import GuaranteedBox, GuaranteeRule, per_direction
from envelope.verification import Effort
from envelope.verification.corner_trials import try_corners
from tests.envelope.cases import street


@pytest.fixture(scope="module")
def formulation():
    return formulate(street(customers=6, steps=3))


def voltages(formulation, box) -> np.ndarray:
    """(T, N) V where all export as far as the box goes."""
    feeder, base = formulation.feeder, formulation.base
    return feeder.power_flow(base.injections(np.arange(3), feeder.spread(box.hi_w - base.p_w)), base.source_v).v_v


@pytest.mark.parametrize("guarantee", [Guarantee.TWO_SIDED, Guarantee.COINCIDENT])
def test_each_voltage_has_a_band_of_its_own_in_each_step(guarantee):
    found = formulate(street(customers=6, steps=3, guarantee=guarantee, allocation=Allocation.EQUAL))
    high_v = np.array(found.limits.high_v)
    far = found.base_flow.v_v.mean(axis=0).argmin()
    high_v[1, far] = found.base_flow.v_v[1, far] + 4.0
    before, after = (solve(one)[0].fit for one in (found, replace(found, limits=replace(found.limits, high_v=high_v))))
    assert voltages(found, before)[1, far] > high_v[1, far]
    assert voltages(found, after)[1, far] <= high_v[1, far]
    np.testing.assert_allclose(after.hi_w[[0, 2]], before.hi_w[[0, 2]], atol=30.0)


def test_bounds_leave_the_declared_margins(formulation):
    hard, targets = (formulation.limits.bounds(margin=margin) for margin in (0.0, 1.0))
    assert hard.high_v - targets.high_v == pytest.approx(0.05)
    assert targets.low_v - hard.low_v == pytest.approx(0.05)
    assert targets.current_a == pytest.approx(0.998 * hard.current_a)


def test_reserves_that_take_the_whole_band_leave_its_middle(formulation):
    closed = formulation.limits.less_reserves(20.0, 20.0, np.zeros_like(formulation.limits.current_a)).bounds(
        margin=0.0
    )
    assert closed.low_v == pytest.approx(234.5)
    assert np.all(closed.high_v > closed.low_v)


def test_a_further_margin_leaves_less_and_the_formulation_as_it_was(formulation):
    more = formulation.with_margin(BoxMargin(np.full(6, 300.0)))
    assert len(more.reserves) == len(formulation.reserves) + 1
    assert more.base_flow is formulation.base_flow
    assert solve(more)[0].fit.hi_w.sum() < solve(formulation)[0].fit.hi_w.sum()


def upper_tenth(base_w, lo_w, hi_w):
    """Boxes of a guarantee under which nobody falls below 90 % of a limit while others are at theirs."""
    return (
        GuaranteedBox(base_w + 0.9 * (hi_w - base_w), hi_w, (Direction.EXPORT,)),
        GuaranteedBox(lo_w, base_w + 0.9 * (lo_w - base_w), (Direction.IMPORT,)),
    )


def test_a_further_guarantee_is_one_entry_that_verification_reads():
    problem = street(customers=6, steps=3, guarantee=Guarantee.COINCIDENT, allocation=Allocation.EQUAL)
    schedule, found = calculate(problem), formulate(problem)
    box, effort = verified_box(problem, schedule), Effort(random=5, inside=1, sign=50, greedy=0)
    worst = {
        rule: try_corners(
            replace(found, guarantee=GuaranteeRule(rule)), schedule, box, solver="reduced", effort=effort
        ).over_v
        for rule in (upper_tenth, per_direction)
    }
    assert 0.0 < worst[upper_tenth] < worst[per_direction]
