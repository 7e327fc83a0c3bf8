"""Schedules at corners, judged by power-grid-model."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import Guarantee, calculate, verify
from envelope.problem import Allocation
from envelope.study.study import Study, problem_of
from envelope.verification import Effort
from gridmodel.model import admittance as build
from gridmodel.readers.example_feeders import european_lv
from tests.envelope.cases import on, street

EVERY = Effort(random=20, inside=3, sign=400, greedy=2, judge_all=True)


@pytest.mark.parametrize("guarantee", [Guarantee.TWO_SIDED, Guarantee.ONE_SIDED])
@pytest.mark.parametrize("allocation", [Allocation.MAX_MIN, Allocation.PROPORTIONAL_FAIR, Allocation.MAX_SUM])
def test_no_corner_of_a_street_breaks_a_limit(guarantee, allocation):
    problem = replace(street(customers=8, steps=4), guarantee=guarantee, allocation=allocation)
    report = verify(problem, calculate(problem), effort=EVERY)
    assert report.inside, report.sentence()
    assert report.judged == report.scenarios
    # Tight somewhere: otherwise the engine would only be careful, not right.
    assert max(report.over_v, report.under_v, report.overload_percent / 10) > -0.15


def test_coincident_limits_break_at_corners_that_they_allow():
    problem = replace(street(customers=8, steps=4), guarantee=Guarantee.COINCIDENT, allocation=Allocation.EQUAL)
    schedule = calculate(problem)
    assert verify(problem, schedule).inside
    whole = verify(replace(problem, guarantee=Guarantee.TWO_SIDED), schedule)
    assert not whole.inside
    assert max(whole.over_v, whole.under_v) > 1.0 or whole.overload_percent > 1.0


def test_a_limit_that_is_raised_is_found_out():
    problem = street(customers=8, steps=4)
    schedule = calculate(problem)
    report = verify(problem, replace(schedule, export_limit_w=schedule.export_limit_w + 300))
    assert not report.inside
    assert "BEYOND" in report.sentence()


def test_scaling_a_box_down_keeps_it_inside():
    problem = street(customers=8, steps=4)
    schedule = calculate(problem)
    half = replace(
        schedule,
        export_limit_w=schedule.export_limit_w // 2,
        import_limit_w=np.maximum(schedule.import_limit_w // 2, problem.base_load_w.astype(int) + 1),
        default_export_w=schedule.default_export_w // 2,
        default_import_w=schedule.default_import_w // 2,
    )
    assert verify(problem, half).inside


def test_any_subset_on_the_interval_before_or_on_the_default_is_inside():
    rng = np.random.default_rng(3)
    problem = street(customers=8, steps=6)
    problem = replace(problem, base_load_w=problem.base_load_w * rng.uniform(0.2, 3.0, (6, 1)))
    schedule = calculate(problem)
    assert verify(problem, schedule, effort=EVERY).inside
    # Without counting states in between the same feeder breaks in them.
    alone = calculate(replace(problem, adoption_s=0))
    late = replace(alone, default_export_w=alone.export_limit_w.max(axis=0))
    assert not verify(problem, late, effort=EVERY).inside


def test_limits_still_in_force_are_counted_at_first():
    problem = street(customers=8, steps=4)
    held = replace(problem, in_force_export_w=np.full(8, 2500.0), in_force_import_w=np.full(8, 500.0))
    report = verify(held, calculate(held), effort=EVERY)
    assert report.inside, report.sentence()


@pytest.mark.parametrize(("guarantee", "allocation"), [("one-sided", "max-min"), ("two-sided", "max-sum")])
def test_screening_follows_the_error_that_was_measured(lv28, guarantee, allocation):
    """A fixed window of 1 V and 6 % around the limits once let +2.3 V and +4.9 % through on this feeder."""
    feeder, reduced = lv28
    study = Study(steps=24, export_w=10e3, import_w=14e3, sun=False, adoption_s=0, within_steps=False)
    whole = problem_of(feeder, study, reduced)
    steps = slice(2, 24, 5)
    problem = replace(
        whole,
        **{name: getattr(whole, name)[steps] for name in ("step_start", "base_load_w", "base_load_var")},
        **{name: getattr(whole, name)[steps] for name in ("flex_gen_w", "flex_load_w", "source_v")},
        guarantee=Guarantee(guarantee),
        allocation=Allocation(allocation),
    )
    report = verify(problem, calculate(problem), effort=Effort(random=10, inside=2, sign=400, greedy=1))
    assert report.inside, report.sentence()


def test_the_european_feeder_holds_over_the_hull():
    problem = problem_of(european_lv(), Study(steps=12, export_w=5e3, import_w=7e3))
    report = verify(problem, calculate(problem), effort=Effort(random=10, inside=2, greedy=1))
    assert report.inside, report.sentence()


def test_the_minimum_over_neighbouring_intervals_is_inside_both():
    problem = street(customers=8, steps=6)
    schedule = calculate(problem)
    pairs = {}
    for name in ("export_limit_w", "import_limit_w"):
        low = getattr(schedule, name).reshape(3, 2, 8).min(axis=1)
        pairs[name] = np.repeat(low, 2, axis=0)
    coarse = replace(schedule, **pairs)
    assert np.all(coarse.export_limit_w <= schedule.export_limit_w)
    assert verify(problem, coarse, effort=EVERY).inside


def test_a_reach_at_which_no_power_flow_settles_is_limited_like_any_other():
    problem = street(customers=8, steps=2, flex_gen_w=np.full((2, 8), 5e5), flex_load_w=np.full((2, 8), 5e5))
    schedule = calculate(problem)
    assert schedule.export_limit_w.max() < 50_000
    assert schedule.export_limit_w.min() > 100
    assert verify(problem, schedule, effort=EVERY).inside


def test_a_street_without_any_load_and_with_a_line_of_no_length():
    problem = street(customers=5, steps=2)
    equipment = problem.reduced.network.equipment
    first, *others = equipment.lines
    short = replace(first, length_m=0.0, z_ohm=first.z_ohm * 1e-6)
    feeder = build.network(replace(equipment, lines=(short, *others)))
    nothing = np.zeros((2, 5))
    bare = on(feeder, 2, base_load_w=nothing, base_load_var=nothing)
    report = verify(bare, calculate(bare), effort=EVERY)
    assert report.inside, report.sentence()


def test_what_is_granted_in_any_case_is_told_apart():
    problem = street(customers=6, steps=2)
    heavy = problem.base_load_w.copy()
    heavy[1] += 14_000.0
    loaded = replace(problem, base_load_w=heavy, adoption_s=0)
    report = verify(loaded, calculate(loaded), effort=EVERY)
    assert report.inside, report.sentence()
    assert max(report.excused) > 1.0
    assert "NOT inside the limits: the base load alone exceeds them by" in report.sentence()
    assert (report.within_limits, report.exit_code) == (False, 3)


def test_what_the_base_load_breaches_is_told_apart_at_every_corner_that_is_tried(lv28):
    feeder, reduced = lv28
    problem = problem_of(feeder, Study(steps=24), reduced)
    low = np.ones((24, 1))
    low[18:20] = 0.89
    problem = replace(problem, source_v=low * problem.source_v)
    report = verify(problem, calculate(problem))
    assert report.inside, report.sentence()
    assert report.excused[1] > 5.0


def test_what_is_granted_is_told_apart_however_few_corners_are_tried(lv28):
    feeder, reduced = lv28
    count = len(feeder.network.connections)
    study = Study(export_w=3e3, import_w=14e3, flexible=np.arange(count) < 100, guarantee=Guarantee.ONE_SIDED)
    problem = problem_of(feeder, study, reduced)
    problem = replace(problem, controls_export=np.arange(count) >= 20)
    report = verify(problem, calculate(problem), effort=Effort(sign=30, random=0, inside=0, greedy=1))
    assert report.inside, report.sentence()
    assert report.excused[0] > 0.1


def test_a_stress_with_wrong_phases_stands_beside_the_audit():
    problem = street(customers=10, steps=2)
    schedule = calculate(problem)
    report = verify(problem, schedule)
    assert report.inside
    assert max(report.wrong_phases) > max(0.0, *report.worst)
    assert report.stress_sentence().startswith("With 10 % of the phases wrong, corners would reach ")
    easy = replace(report, wrong_phases=(-3.0, -9.0, -40.0))
    assert "would stay inside" in easy.stress_sentence()
    alone = verify(problem, schedule, effort=Effort())
    assert alone.wrong_phases is None
    assert not alone.stress_sentence()


def test_a_step_without_room_has_one_corner():
    problem = street(customers=6, steps=3)
    sun = problem.flex_gen_w.copy()
    sun[0] = 0.0
    dark = replace(problem, flex_gen_w=sun, guarantee=Guarantee.ONE_SIDED, adoption_s=0)
    report = verify(dark, calculate(dark), effort=EVERY)
    assert report.inside
    assert report.by_corner["random"]["scenarios"] == 20 * (3 + 2)
    assert report.by_corner["rest"]["scenarios"] == 3
