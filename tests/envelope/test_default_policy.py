"""Ceilings and weights per step and direction, a floor under shares, and the default policy made of them."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from envelope import calculate, verify
from envelope.allocation import rules
from envelope.field_rules import BadProblem
from envelope.problem import Allocation, Direction, Problem, TighteningLead, plan_file, run_id
from envelope.problem.default_policy import own_band_in_the_sun, with_default_policy
from envelope.schedule.adoption import verified_box
from envelope.schedule.curtailment import curtailed_energy
from envelope.verification import Effort
from tests.envelope.cases import street
from tests.envelope.test_allocate import packing

QUICK = Effort(random=5, inside=2, greedy=1)
STEPS, HOMES = 6, 9
SUN = np.array([0.0, 0.1, 1.0, 1.0, 0.1, 0.0])
"""Part of its size that generation reaches in each step"""


def sunny_street(**changes) -> Problem:
    return street(HOMES, STEPS, flex_gen_w=np.outer(SUN, np.full(HOMES, 10_000.0)), **changes)


@pytest.mark.parametrize("rule", [rules.proportional_fair, rules.alpha_fair, rules.max_sum])
@pytest.mark.parametrize("part", [0.4, 1.0])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_with_a_floor_nobody_gets_less_than_that_part_of_its_max_min_share(rule, part, seed):
    problem = packing(seed)
    x = rules.with_floor(rule, part)(problem)
    assert np.all(x >= part * rules.max_min(problem) * (1 - 1e-6) - 1e-9)
    assert np.all(x <= problem.cap + 1e-9)
    assert np.all(x @ problem.a.T <= problem.b * (1 + 1e-6) + 1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_largest_sum_with_a_floor_is_the_optimum_above_it(seed):
    problem = packing(seed)
    x, floor = rules.with_floor(rules.max_sum, 0.7)(problem), 0.7 * rules.max_min(problem)
    for t in range(len(x)):
        bounds = np.column_stack([floor[t], np.maximum(problem.cap[t], floor[t])])
        best = linprog(-np.ones(x.shape[1]), A_ub=problem.a, b_ub=problem.b[t] + 1e-9, bounds=bounds)
        assert x[t].sum() == pytest.approx(-best.fun, rel=1e-5, abs=1e-6)


def test_a_floor_keeps_the_worst_off_near_max_min_and_costs_some_energy():
    plain = sunny_street(allocation=Allocation.MAX_SUM)
    least, energy = [], []
    for floor in (0.0, 0.7):
        schedule = calculate(replace(plain, max_min_floor=floor))
        assert verify(plain, schedule, effort=QUICK).inside
        room = schedule.export_room_w[2:4].mean(axis=0)
        least.append(room.min())
        energy.append(room.sum())
    even = calculate(replace(plain, allocation=Allocation.MAX_MIN)).export_room_w[2:4].mean(axis=0).min()
    assert least[0] < 0.5 * even
    assert least[1] > 0.65 * even
    assert energy[1] < energy[0]
    assert calculate(replace(plain, max_min_floor=0.7)).allocation == "max-sum, floor 0.7"


@pytest.mark.parametrize("early", TighteningLead)
@pytest.mark.parametrize("direction", Direction)
def test_a_ceiling_bounds_the_limits_of_its_steps_and_is_named(direction, early):
    ceiling = np.where(np.arange(STEPS) == 2, 1_500.0, np.inf)
    problem = sunny_street(early=early, **{f"ceiling_{direction}_w": ceiling})
    schedule = calculate(problem)
    side = schedule.side(direction)
    assert np.all(side.limit_w[2] <= 1_500)
    assert {side.binding.row[2, home] for home in range(HOMES)} >= {-5}
    assert schedule.binding_text(direction, 2, int(side.limit_w[2].argmax())) == "ceiling"
    assert verify(problem, schedule, effort=QUICK).inside
    lo, hi = verified_box(problem, schedule)
    reached = hi[2] if direction == Direction.EXPORT else -lo[2]
    assert np.all(reached <= 1_500.0)
    assert np.all(curtailed_energy(schedule, direction).curtailed_wh > 0.0)


def test_what_is_firm_or_unavoidable_is_granted_above_a_ceiling():
    load = np.full((STEPS, HOMES), 800.0)
    firm = np.where(np.arange(HOMES) == 0, 2_000.0, 0.0)
    problem = sunny_street(
        base_load_w=load, base_load_hi_w=load + 300.0, firm_import_w=firm, ceiling_import_w=np.zeros(STEPS)
    )
    schedule = calculate(problem)
    assert schedule.import_limit_w[:, 0].tolist() == [2_000] * STEPS
    assert np.all(schedule.import_limit_w[:, 1:] == 1_100)


def test_nobody_who_cannot_be_told_a_limit_is_held_by_a_ceiling():
    problem = sunny_street(controls_import=np.arange(HOMES) != 4, ceiling_import_w=np.zeros(STEPS))
    schedule = calculate(problem)
    assert schedule.binding_text("import", 2, 4) == "no_import_control"
    assert np.all(verified_box(problem, schedule)[0][:, 4] == -problem.reach_import_w[:, 4])


@pytest.mark.parametrize(
    ("allocation", "direction"),
    [
        (Allocation.PROPORTIONAL_FAIR, Direction.EXPORT),
        (Allocation.MAX_MIN, Direction.EXPORT),
        (Allocation.MAX_SUM, Direction.IMPORT),
    ],
)
def test_a_weight_of_a_step_gives_its_direction_more_there_and_nowhere_else(allocation, direction):
    plain = sunny_street(allocation=allocation, adoption_s=0)
    weight = np.where(np.arange(STEPS) == 2, 5.0, 1.0)
    one, other = (calculate(p) for p in (plain, replace(plain, **{f"weight_{direction}": weight})))
    before, after = (schedule.side(direction).room_w.sum(axis=1) for schedule in (one, other))
    assert after[2] >= 1.05 * before[2]
    assert other.side(direction.other).room_w[2].sum() < one.side(direction.other).room_w[2].sum()
    assert after[3] == pytest.approx(before[3], rel=0.02)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ceiling_import_w", np.full(STEPS + 1, 1.0)),
        ("ceiling_export_w", np.full(STEPS, -1.0)),
        ("weight_export", np.zeros(STEPS)),
        ("max_min_floor", 1.5),
    ],
)
def test_bad_ceilings_weights_and_floors_are_refused_by_name(field, value):
    with pytest.raises(BadProblem, match=field):
        sunny_street(**{field: value})


def test_a_problem_without_them_keeps_its_run_id_and_its_file(tmp_path):
    new = {"max_min_floor", "ceiling_import_w", "ceiling_export_w", "weight_import", "weight_export"}
    assert new < {f.name for f in fields(Problem)}
    folder = street(HOMES, STEPS)
    plan_file.save(tmp_path / plan_file.FILE, plan_file.EUROPEAN_LV, folder)
    assert not new & set(plan_file.read(tmp_path / plan_file.FILE).fields)
    assert run_id(replace(folder, ceiling_import_w=np.full(STEPS, np.inf))) != run_id(folder)


def test_by_default_import_waits_for_the_end_of_the_sun_but_for_each_homes_own_band():
    problem = with_default_policy(sunny_street(base_load_hi_w=np.full((STEPS, HOMES), 1_200.0)))
    schedule = calculate(problem)
    assert np.all(schedule.import_limit_w[2:4] == 1_200)
    assert np.all(schedule.import_limit_w[[0, 1, 4, 5]] > 1_300)
    assert (schedule.allocation, schedule.early_s) == ("proportional-fair, floor 0.7", problem.adoption_s)
    assert verify(problem, schedule, effort=QUICK).inside
    shared = calculate(replace(problem, ceiling_import_w=None))
    assert schedule.export_room_w[2:4].sum() > 1.05 * shared.export_room_w[2:4].sum()


def test_load_that_exists_in_the_sun_only_and_days_without_dark_hours_are_not_held():
    by_day = np.outer(SUN > 0.5, np.full(HOMES, 3_000.0))
    assert own_band_in_the_sun(sunny_street(flex_load_w=by_day)) is None
    assert own_band_in_the_sun(street(HOMES, STEPS)) is None
    assert own_band_in_the_sun(street(HOMES, STEPS, flex_gen_w=np.zeros((STEPS, HOMES)))) is None
    mixed = np.where(np.arange(HOMES) == 3, by_day, 3_000.0)
    held = own_band_in_the_sun(sunny_street(flex_load_w=mixed))
    assert np.isfinite(held).any(axis=0).tolist() == [home != 3 for home in range(HOMES)]
