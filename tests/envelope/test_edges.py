"""A tightening is published one adoption time early, a relaxing never; nobody in between holds too much."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envelope import calculate, verified_box, verify
from envelope.field_rules import BadProblem
from envelope.operation import lead_time
from envelope.operation.lead_time import Span, published
from envelope.problem import TighteningLead
from envelope.schedule import Binding
from envelope.schedule.codes import CAPACITY, UNCONTROLLED
from envelope.verification import Effort
from sep2.rules.limits import Limits
from tests.envelope.cases import START, STEP_S, street

EVERY = Effort(random=20, inside=3, sign=400, greedy=2, judge_all=True)
UNBOUND = Limits()


def spans(*limits, bound=True):
    return [
        Span(100 * k, 100 * (k + 1), Limits(*pair), Limits(*pair) if bound else UNBOUND)
        for k, pair in enumerate(limits)
    ]


def cuts(intervals):
    return [(i.start, i.end, *i.limits[:2]) for i in intervals]


def test_each_direction_tightens_at_its_own_edge_and_relaxes_at_the_boundary():
    found = published(spans((5, 5), (3, 9), (3, 2), (4, 4)), 30)
    assert cuts(found) == [
        (0, 70, 5, 5),
        (70, 100, 3, 5),  # import tightens early, export relaxes not before 100
        (100, 170, 3, 9),
        (170, 300, 3, 2),
        (300, 400, 4, 4),
    ]


def test_an_adoption_longer_than_a_step_reaches_over_several():
    assert cuts(published(spans((9, 9), (8, 9), (7, 9), (1, 9)), 250)) == [(0, 50, 7, 9), (50, 400, 1, 9)]


def test_a_limit_that_reach_keeps_anyway_is_not_adopted_early():
    assert cuts(published(spans((5, 5), (3, 3), bound=False), 30)) == [(0, 100, 5, 5), (100, 200, 3, 3)]


def test_without_adoption_time_spans_are_published_as_they_are():
    assert cuts(published(spans((5, 5), (3, 3)), 0)) == [(0, 100, 5, 5), (100, 200, 3, 3)]


@st.composite
def schedules(draw):
    """A schedule of one connection, as much of it as publishing looks at."""
    steps = draw(st.integers(1, 40))
    watts = st.lists(st.integers(0, 6), min_size=steps, max_size=steps)
    imports, exports = (np.array(draw(watts))[:, None] for _ in range(2))
    rows = [
        np.array(draw(st.lists(st.sampled_from([CAPACITY, UNCONTROLLED, 3]), min_size=steps, max_size=steps)))[:, None]
        for _ in "ie"
    ]
    step_s = draw(st.sampled_from([60, 300]))
    return SimpleNamespace(
        step_start=START + step_s * np.arange(steps),
        step_s=step_s,
        import_limit_w=imports,
        export_limit_w=exports,
        import_binding=Binding(rows[0], rows[0]),
        export_binding=Binding(rows[1], rows[1]),
        early_s=draw(st.sampled_from([0, 20, 60, 90, 700])),
        control_point=None,
    )


@given(schedules(), st.data())
def test_whoever_is_late_or_has_an_older_list_holds_no_more_than_the_intervals_limit(schedule, data):
    """Published at a round, held up to one adoption time later: inside, at every second and for every horizon."""
    most, early_s = data.draw(st.integers(2, 24)), schedule.early_s
    end = int(schedule.step_start[-1]) + schedule.step_s
    now = data.draw(st.integers(START, end - 1))
    intervals = lead_time.upcoming_intervals(schedule, 0, now, most=most)
    assert len(intervals) <= most
    for interval in intervals:
        # Each second of the interval may still be held so much later: both ends are the extremes.
        for moment in {max(interval.start, now), interval.end - 1}:
            for late_s in {0, early_s // 2, early_s}:
                step = (moment + late_s - START) // schedule.step_s
                if step >= len(schedule.step_start):
                    continue
                for side, (limit, binding) in enumerate(
                    [
                        (schedule.import_limit_w, schedule.import_binding),
                        (schedule.export_limit_w, schedule.export_binding),
                    ]
                ):
                    bound = binding.is_network[step, 0]
                    assert interval.limits[side] <= limit[step, 0] or (late_s and not bound)


@given(schedules())
def test_relaxing_is_never_early_and_tightening_no_earlier_than_it_must(schedule):
    intervals = lead_time.upcoming_intervals(schedule, 0, START, most=1000)
    for interval in intervals:
        for moment in (interval.start, interval.end - 1):
            first = (moment - START) // schedule.step_s
            last = (moment + schedule.early_s - START) // schedule.step_s
            for side, (limit, binding) in enumerate(
                [(schedule.import_limit_w, schedule.import_binding), (schedule.export_limit_w, schedule.export_binding)]
            ):
                coming = limit[first + 1 : last + 1, 0][binding.is_network[first + 1 : last + 1, 0]]
                assert interval.limits[side] == min([limit[first, 0], *coming])


@pytest.fixture(scope="module")
def dipping():
    """A street whose room changes from interval to interval."""
    rng = np.random.default_rng(3)
    problem = street(customers=8, steps=6)
    return replace(
        problem, base_load_w=problem.base_load_w * rng.uniform(0.2, 3.0, (6, 1)), early=TighteningLead.ADOPTION
    )


def test_every_state_in_between_is_inside_by_an_independent_power_flow(dipping):
    schedule = calculate(dipping)
    assert schedule.early_s == dipping.adoption_s
    report = verify(dipping, schedule, effort=EVERY)
    assert report.inside, report.sentence()
    held = replace(dipping, in_force_export_w=np.full(8, 2500.0), in_force_import_w=np.full(8, 500.0))
    report = verify(held, calculate(held), effort=EVERY)
    assert report.inside, report.sentence()


def test_all_that_is_published_stays_in_the_verified_boxes(dipping):
    """At random moments, each connection late by its own time or on its default."""
    schedule, rng = calculate(dipping), np.random.default_rng(5)
    lo, hi = verified_box(dipping, schedule)
    columns = range(8)
    lists = [lead_time.upcoming_intervals(schedule, column, START, most=24) for column in columns]
    for at in START + rng.integers(0, 6 * STEP_S, 300):
        step = (at - START) // STEP_S
        for column in columns:
            late = max(START, at - rng.integers(0, dipping.adoption_s + 1))
            (held,) = [i.limits for i in lists[column] if i.start <= late < i.end]
            if rng.random() < 0.2:
                held = Limits(int(schedule.default_import_w[column]), int(schedule.default_export_w[column]))
            assert min(held.export_w, dipping.reach_export_w[step, column]) <= hi[step, column] + 1e-6
            assert -min(held.import_w, dipping.reach_import_w[step, column]) >= lo[step, column] - 1e-6


def test_where_reach_is_the_limit_a_late_client_may_do_all_it_can():
    falling = np.linspace(90.7, 10.7, 4)[:, None] * np.ones(3)
    problem = street(customers=3, steps=4, early=TighteningLead.ADOPTION, flex_gen_w=falling, flex_load_w=falling)
    problem = replace(problem, base_load_w=np.zeros((4, 3)), base_load_var=np.zeros((4, 3)))
    lo, hi = verified_box(problem, calculate(problem))
    assert np.array_equal(hi, falling)
    assert np.array_equal(-lo, falling)


def test_it_gives_more_room_than_a_whole_step_and_needs_what_the_base_load_needs(dipping):
    fine, coarse = calculate(dipping), calculate(replace(dipping, early=TighteningLead.STEP))
    assert np.all(fine.export_limit_w >= coarse.export_limit_w)
    assert fine.export_limit_w.sum() > coarse.export_limit_w.sum()
    for column in range(8):
        for interval in lead_time.upcoming_intervals(fine, column, START, most=1000):
            step = (interval.start - START) // STEP_S
            assert interval.limits.import_w >= dipping.base_load_w[step, column]


def test_what_does_not_fit_with_limits_still_held_gives_way_to_the_default_at_once():
    problem = street(customers=8, steps=4, early=TighteningLead.ADOPTION)
    held = replace(problem, in_force_export_w=np.full(8, 9000.0), in_force_import_w=np.full(8, 9000.0))
    schedule = calculate(held)
    assert (schedule.status[0] == 2).all()
    assert "infeasible_firm" in "; ".join(schedule.findings)
    assert np.all(schedule.export_limit_w[0] <= schedule.default_export_w)
    assert np.all(schedule.export_limit_w[0] <= schedule.export_limit_w[1:].max(axis=0))
    assert schedule.export_limit_w[0].min() < 9000


def test_held_limits_are_counted_for_as_long_as_they_may_be_held():
    problem = street(customers=3, steps=4)
    until = START + STEP_S + 1
    longer = replace(problem, in_force_export_w=np.full(3, 2500.0), in_force_until=until)
    assert (problem.in_force_steps, longer.in_force_steps) == (1, 2)
    _, hi = verified_box(longer, calculate(longer))
    assert np.all(hi[:2] >= 2500.0)


@pytest.mark.parametrize("word", list(TighteningLead))
def test_a_plain_word_means_what_it_says(word):
    """Limits of one way, published the other way, would be too wide."""
    one, other = (calculate(street(customers=8, steps=4, early=early)) for early in (word, str(word)))
    assert one.early_s == other.early_s
    assert np.array_equal(one.export_limit_w, other.export_limit_w)
    with pytest.raises(BadProblem, match="early: 'later' is none of step, adoption"):
        street(customers=2, early="later")


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(BadProblem, match="base_includes_devices"):
        street(customers=3, base_includes_devices=np.ones(2, dtype=bool))


def test_a_base_load_that_holds_its_own_devices_is_said():
    mask = np.array([True, False, True])
    schedule = calculate(street(customers=3, steps=2, base_includes_devices=mask))
    assert any(said.startswith("double_counted: the base load of c1, c3 ") for said in schedule.findings)
    table = schedule.to_frame()
    assert table.groupby("connection_point").double_counted.all().to_dict() == {"c1": True, "c2": False, "c3": True}
