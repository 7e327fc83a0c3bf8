"""Who had to forgo how much, what the ledger keeps of it, and how the next day makes up for it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envelope import calculate, verify
from envelope.allocation.rules import RULE_OF, Packing
from envelope.field_rules import BadProblem
from envelope.problem import Allocation, Guarantee
from envelope.schedule import Curtailment, Ledger
from envelope.schedule.curtailment import (
    DIRECTIONS,
    catch_up_weights,
    curtailed_energy,
    fairness,
    of_schedule,
    with_catch_up,
)
from envelope.schedule.ledger import DAY_S, with_ledger
from envelope.verification import Effort
from gridmodel.errors import FileError
from tests.envelope.cases import STEP_S, street

QUICK = Effort(random=5, inside=2, greedy=1)


@pytest.fixture(scope="module")
def case():
    """A street where everyone could export far more than it bears."""
    problem = street(customers=8, steps=4, adoption_s=0, flex_load_w=np.zeros((4, 8)))
    return problem, calculate(problem)


def test_forgone_is_reach_less_limit_where_something_binds(case):
    problem, schedule = case
    found = curtailed_energy(schedule, "export")
    hours = STEP_S / 3600.0
    expected = np.maximum(problem.reach_export_w - schedule.export_limit_w, 0.0).sum(axis=0) * hours
    assert found.curtailed_wh == pytest.approx(expected, abs=2.0)
    assert found.asked_wh == pytest.approx(problem.reach_export_w.sum(axis=0) * hours)
    assert found.share.max() > 0.3


def test_whoever_has_nothing_to_export_forgoes_nothing(case):
    problem, _ = case
    some = problem.flex_gen_w * (np.arange(8) != 2)
    found = curtailed_energy(calculate(replace(problem, flex_gen_w=some)), "export")
    assert (found.asked_wh[2], found.curtailed_wh[2], found.share[2]) == (0.0, 0.0, 0.0)
    assert np.all(np.delete(found.asked_wh, 2) > 0.0)


def test_whoever_cannot_be_told_a_limit_is_not_curtailed(case):
    problem = street(customers=8, steps=4, controls_import=np.arange(8) != 2)
    found = curtailed_energy(calculate(problem), "import")
    assert (found.curtailed_wh[2], found.asked_wh[2] > 0.0) == (0.0, True)
    assert found.curtailed_wh.sum() > 0.0


def test_measurements_take_the_place_of_reach(case):
    _, schedule = case
    offered = np.full(schedule.export_limit_w.shape, 3000.0)
    used = np.minimum(offered, schedule.export_limit_w)
    found = curtailed_energy(schedule, "export", offered_w=offered, measured_w=used)
    assert found.asked_wh == pytest.approx(3000.0 * 4 * STEP_S / 3600.0)
    assert found.curtailed_wh == pytest.approx((offered - used).sum(axis=0) * STEP_S / 3600.0)
    with pytest.raises(BadProblem, match="without the other"):
        curtailed_energy(schedule, "export", offered_w=offered)


def test_the_figures_of_a_run():
    asked = np.full(20, 10_000.0)
    curtailed = np.array([9000.0, 7000.0] + [1000.0] * 18)
    found = fairness(Curtailment(asked, curtailed))
    assert found.worst_decile_kwh == pytest.approx(16.0)
    assert found.worst_decile_share == pytest.approx(0.2)
    assert (found.least_share, found.asked_kwh) == pytest.approx((0.1, 200.0))
    granted = np.array([0.1, 0.3] + [0.9] * 18)
    assert found.jain == pytest.approx(granted.sum() ** 2 / (20 * (granted**2).sum()))
    assert fairness(Curtailment(np.zeros(3), np.zeros(3))).jain == 1.0


def test_max_min_is_more_even_than_the_largest_sum(case):
    problem, schedule = case
    even = of_schedule(schedule)["export"]
    sums = of_schedule(calculate(replace(problem, allocation=Allocation.MAX_SUM)))["export"]
    assert even.jain > sums.jain
    assert even.worst_decile_share > sums.worst_decile_share


shares = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=12)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(shares, st.floats(0.0, 20.0), st.floats(1.0, 5.0))
def test_favours_are_bounded_and_go_to_who_had_to_forgo_more(found, strength, most):
    asked = np.full(len(found), 1000.0)
    weight = catch_up_weights(Curtailment(asked, asked * found), strength, most)
    assert np.all((weight >= 1.0 / most - 1e-12) & (weight <= most + 1e-12))
    order = np.argsort(found, kind="stable")
    assert np.all(np.diff(weight[order]) >= -1e-12)


def test_favours_do_nothing_without_a_past_or_a_weight():
    nothing = Curtailment(np.zeros(3), np.zeros(3))
    some = Curtailment(np.full(3, 9.0), np.array([1.0, 2.0, 3.0]))
    assert catch_up_weights(nothing, 1.0).tolist() == [1.0, 1.0, 1.0]
    assert catch_up_weights(some, 0.0).tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(BadProblem, match="weight of the past is -1"):
        catch_up_weights(some, -1.0)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.sampled_from([a for a in Allocation if a is not Allocation.MAX_SUM]))
def test_no_weight_brings_an_allocation_outside_its_rows(seed, allocation):
    rng = np.random.default_rng(seed)
    a = rng.uniform(0.0, 1.0, (6, 8)) * (rng.uniform(size=(6, 8)) < 0.7)
    favour = rng.uniform(0.5, 2.0, 8)
    packing = Packing(a, rng.uniform(0.1, 2.0, (3, 6)), rng.uniform(0.0, 1.0, (3, 8)), favour, favour)
    x = RULE_OF[allocation](packing)
    assert np.all(x @ a.T <= packing.b * (1.0 + 1e-6))
    assert np.all((x >= 0.0) & (x <= packing.cap + 1e-12))


@pytest.mark.parametrize("allocation", [Allocation.MAX_MIN, Allocation.PROPORTIONAL_FAIR, Allocation.MAX_SUM])
@pytest.mark.parametrize("guarantee", [Guarantee.TWO_SIDED, Guarantee.ONE_SIDED])
def test_favoured_limits_keep_the_network_inside(case, allocation, guarantee):
    problem, _ = case
    rng = np.random.default_rng(3)
    given = {f"favour_{d}": rng.uniform(0.5, 2.0, 8) for d in DIRECTIONS}
    problem = replace(problem, allocation=allocation, guarantee=guarantee, **given)
    report = verify(problem, calculate(problem), effort=QUICK)
    assert report.inside, report.sentence()


def test_whoever_is_favoured_gets_more(case):
    problem, _ = case
    for allocation in (Allocation.PROPORTIONAL, Allocation.MAX_MIN, Allocation.PROPORTIONAL_FAIR):
        before = calculate(replace(problem, allocation=allocation))
        last = int(curtailed_energy(before, "export").share.argmax())
        favour = np.where(np.arange(8) == last, 2.0, 1.0)
        after = calculate(replace(problem, allocation=allocation, favour_export=favour))
        assert after.export_room_w[:, last].sum() > 1.2 * before.export_room_w[:, last].sum()


def test_a_favour_that_is_no_number_is_refused(case):
    problem, _ = case
    for wrong, said in (
        (np.zeros(8), "not above 0"),
        (np.ones(3), "has shape"),
        (np.full(8, np.nan), "not finite"),
    ):
        with pytest.raises(BadProblem, match=f"favour_export.*{said}"):
            replace(problem, favour_export=wrong)


def days(problem, strength, count=6):
    """The same day again and again, each making up for those before; what was forgone in all."""
    ledger = Ledger()
    for day in range(count):
        today = replace(problem, step_start=problem.step_start + day * DAY_S)
        ledger = ledger.with_run(calculate(with_ledger(today, ledger, strength)))
    return ledger.past(problem.connection_id, int(problem.step_start[0]) + count * DAY_S, half_life_days=None)


@pytest.mark.parametrize("allocation", [Allocation.PROPORTIONAL_FAIR, Allocation.MAX_SUM])
def test_over_days_the_worst_off_get_more(case, allocation):
    problem = replace(case[0], allocation=allocation)
    without, with_past = (fairness(days(problem, strength)["export"]) for strength in (0.0, 1.5))
    assert with_past.worst_decile_share > without.worst_decile_share + 0.005
    assert with_past.jain > without.jain


def test_over_different_days_max_min_makes_up_for_bad_ones(case):
    problem, _ = case
    ledger = {0.0: Ledger(), 2.0: Ledger()}
    for day in range(6):
        # Each day other customers have no sun, so that others are the most curtailed ones.
        sun = np.roll(np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]), 3 * day)
        today = replace(problem, step_start=problem.step_start + day * DAY_S, flex_gen_w=problem.flex_gen_w * sun)
        for strength, known in ledger.items():
            ledger[strength] = known.with_run(calculate(with_ledger(today, known, strength)))
    end = int(problem.step_start[0]) + 6 * DAY_S
    plain, made_up = (
        fairness(known.past(problem.connection_id, end, half_life_days=None)["export"]) for known in ledger.values()
    )
    assert made_up.worst_decile_share > plain.worst_decile_share + 0.01


def test_the_ledger_comes_back_as_it_was_written(case, tmp_path):
    problem, schedule = case
    path = tmp_path / "beside" / "ledger.csv"
    assert Ledger.read(path) == Ledger()
    Ledger().with_run(schedule).write(path)
    found = Ledger.read(path)
    at = int(problem.step_start[-1]) + STEP_S
    for direction in DIRECTIONS:
        past = found.past(problem.connection_id, at)[direction]
        now = curtailed_energy(schedule, direction)
        assert past.curtailed_wh == pytest.approx(now.curtailed_wh, abs=0.1)
        assert past.asked_wh == pytest.approx(now.asked_wh, abs=0.1)
    assert found.days() == pytest.approx(4 * STEP_S / DAY_S)


def test_the_same_day_again_does_not_count_twice(case):
    _, schedule = case
    once = Ledger().with_run(schedule)
    assert once.with_run(schedule) == once


def test_what_was_measured_takes_the_place_of_what_was_planned(case):
    problem, schedule = case
    done = {
        direction: curtailed_energy(
            schedule, direction, offered_w=np.full((4, 8), 2000.0), measured_w=np.full((4, 8), 500.0)
        )
        for direction in DIRECTIONS
    }
    ledger = Ledger().with_run(schedule).with_run(schedule, done)
    assert {entry.basis for entry in ledger.entries} == {"measured"}
    past = ledger.past(problem.connection_id, int(problem.step_start[-1]) + STEP_S)["export"]
    assert past.curtailed_wh == pytest.approx(done["export"].curtailed_wh)


def test_a_run_that_begins_within_another_replaces_the_rest_of_it(case):
    problem, schedule = case
    later = replace(schedule, step_start=schedule.step_start + 2 * STEP_S)
    ledger = Ledger().with_run(schedule).with_run(later)
    at = int(later.step_start[-1]) + STEP_S
    curtailed = ledger.past(problem.connection_id, at, half_life_days=None)["export"].curtailed_wh
    assert curtailed == pytest.approx(1.5 * curtailed_energy(schedule, "export").curtailed_wh)


def test_the_past_fades(case):
    problem, schedule = case
    ledger = Ledger().with_run(schedule)
    end = int(schedule.step_start[-1]) + STEP_S
    now, month = (ledger.past(problem.connection_id, end + age)["export"] for age in (0, 30 * DAY_S))
    assert month.curtailed_wh == pytest.approx(0.5 * now.curtailed_wh)
    assert with_catch_up(problem, ledger.past(problem.connection_id, end), 0.0).favour_export.tolist() == [1.0] * 8


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("10,5,c1,export,planned,1,1,x", "row 2, field end"),
        ("0,5,c1,up,planned,1,1,x", "row 2, field direction"),
        ("0,5,c1,export,planned,-1,1,x", "row 2, field curtailed_wh"),
        ("0,5,c1,export,planned,much,1,x", "row 2, field asked_wh"),
    ],
)
def test_a_ledger_that_makes_no_sense_is_refused_by_row_and_field(line, said, tmp_path):
    path = tmp_path / "ledger.csv"
    path.write_text(f"start,end,connection_point,direction,basis,asked_wh,curtailed_wh,run_id\n{line}\n")
    with pytest.raises(FileError, match=said):
        Ledger.read(path)
