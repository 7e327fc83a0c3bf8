"""Intervals whose base load or firm minimum has no power flow: named, with limits in all the others."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import Guarantee, calculate, verify
from envelope.constraints.without_flow import NoPowerFlow
from envelope.problem import Allocation, Scenarios, run_id
from envelope.schedule import findings
from envelope.schedule.codes import STATUS
from envelope.verification import Effort
from tests.envelope.cases import START, street
from tests.envelope.test_declared_band import BAND

FAILED, STEPS = 2, 4


def with_a_wrong_interval(**changes):
    """A street in one interval of which three homes draw a hundred times what they can."""
    problem = street(steps=STEPS, **changes)
    load = problem.base_load_w.copy()
    load[FAILED, 3:6] = 90_000.0
    return problem, replace(problem, base_load_w=load)


@pytest.mark.parametrize(
    ("guarantee", "allocation"),
    [
        (Guarantee.TWO_SIDED, Allocation.MAX_MIN),
        (Guarantee.ONE_SIDED, Allocation.PROPORTIONAL_FAIR),
        (Guarantee.COINCIDENT, Allocation.EQUAL),
    ],
)
def test_an_interval_without_power_flow_is_named_and_the_others_keep_their_limits(guarantee, allocation):
    right, wrong = with_a_wrong_interval(guarantee=guarantee, allocation=allocation)
    schedule, good = calculate(wrong), calculate(right)
    said = schedule.findings[0]
    assert said.startswith("infeasible_base: no power flow in 1 of 4 intervals (2026-05-28 22:00 UTC): the base load")
    assert all(name in said for name in ("c4 (90.0 kW)", "c5 (90.0 kW)", "c6 (90.0 kW)"))
    assert "check their forecast or readings" in said
    assert said in findings.still(schedule, START)
    assert (schedule.status[FAILED] == STATUS.index("infeasible_base")).all()
    assert not schedule.export_room_w[FAILED].any()
    assert schedule.run_id == run_id(wrong)
    # The first two intervals are not next to one that follows it early enough to matter.
    assert schedule.export_limit_w[0].sum() >= 0.95 * good.export_limit_w[0].sum()
    report = verify(wrong, schedule)
    assert (report.inside, report.within_limits, report.exit_code) == (True, False, 3)
    assert "no power flow in 1 of 4 intervals" in report.sentence()
    assert "In the other intervals: inside the limits" in report.sentence()


def test_a_firm_minimum_without_power_flow_takes_no_limit_from_other_intervals():
    problem = street(customers=24, steps=3, seed=2, guarantee=Guarantee.ONE_SIDED)
    cars = np.outer([0.0, 0.0, 1.0], np.full(24, 5e3))
    problem = replace(problem, flex_load_w=cars, firm_import_w=np.full(24, 5e3))
    schedule = calculate(problem)
    assert schedule.findings[0].startswith("infeasible_firm: no power flow in 1 of 3 intervals")
    assert "check their contracts" in schedule.findings[0]
    assert (schedule.export_limit_w[:2].sum(axis=1) > 0).all()
    assert verify(problem, schedule, solver="reduced").exit_code == 3


def test_a_path_without_power_flow_fails_its_interval_alone():
    problem = street(steps=STEPS)
    load = np.stack([problem.base_load_w, problem.base_load_w])[:, :, None]
    load[1, FAILED, 0] = 90_000.0
    schedule = calculate(replace(problem, scenarios=Scenarios(load, 0.2 * load)))
    assert "no power flow in 1 of 4 intervals" in schedule.findings[0]
    assert (schedule.export_limit_w[[0, 1, 3]].sum(axis=1) > 0).all()


def test_where_no_interval_has_a_power_flow_the_refusal_names_connections_and_what_to_do():
    problem = street(steps=2)
    heavy = replace(problem, base_load_w=np.full(problem.base_load_w.shape, 90_000.0))
    with pytest.raises(NoPowerFlow, match=r"No interval has a power flow.*most of it at c1 \(90.0 kW\).*check their"):
        calculate(heavy)


def test_limits_of_a_declared_band_add_nothing_to_a_firm_minimum_that_exceeds_a_limit():
    gen, cars = np.outer([1.0, 1.0, 0.3], np.full(24, 4e3)), np.outer([0.0, 0.0, 1.0], np.full(24, 5e3))
    plain = street(customers=24, steps=3, seed=2, flex_gen_w=gen, flex_load_w=cars, **BAND)
    problem = replace(plain, firm_export_w=np.full(24, 2e3), allocation=Allocation.PROPORTIONAL_FAIR)
    report = verify(problem, calculate(problem), solver="reduced", effort=Effort())
    assert report.exit_code == 3, report.sentence()
    assert "envelopes add nothing" in report.sentence()
