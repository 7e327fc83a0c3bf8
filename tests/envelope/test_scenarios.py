"""Joint paths of base load and head voltage: how they are made, stored, and what limits they lead to."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import Guarantee, OperatingLimits, calculate, verify
from envelope.field_rules import BadProblem
from envelope.problem import Allocation, Scenarios, plan_file, run_id
from envelope.problem.scenarios import around, of_day, of_history
from tests.envelope.cases import street

MOMENTS = 6
POLICIES = (
    (Guarantee.TWO_SIDED, Allocation.MAX_MIN),
    (Guarantee.TWO_SIDED, Allocation.MAX_SUM),
    (Guarantee.ONE_SIDED, Allocation.PROPORTIONAL_FAIR),
    (Guarantee.COINCIDENT, Allocation.EQUAL),
)


def day(problem, seed=5):
    """A day whose demand, roofs under one cloud and head voltage move within each interval."""
    rng = np.random.default_rng(seed)
    times, count = problem.steps * MOMENTS, len(problem.connection_id)
    demand = 300.0 + 600.0 * rng.random((times, count))
    solar = np.outer(rng.random(times), np.where(np.arange(count) % 3 == 0, 900.0, 0.0))
    volts = np.abs(problem.reduced.network.source.v) * np.exp(1j * np.angle(problem.reduced.network.source.v))
    source = np.outer(1.0 + 0.004 * rng.normal(size=times), volts)
    return of_day(demand - solar, 0.2 * demand, moments=MOMENTS, solar_w=solar, source_v=source)


def test_extremes_of_an_interval_come_together_in_two_more_states():
    scenarios = Scenarios(
        load_w=np.array([[[[100.0, 50.0], [280.0, 80.0], [200.0, -500.0]]]]),
        load_var=np.zeros((1, 1, 3, 2)),
        solar_w=np.array([[[[0.0, 100.0], [0.0, 20.0], [0.0, 700.0]]]]),
        source_v=np.full((1, 1, 3, 3), 230.0) + np.array([2.0, 0.0, 1.0])[None, None, :, None],
    )
    states = scenarios.states
    assert len(states.load_w) == 3 + 2
    light, heavy = states.load_w[3, 0], states.load_w[4, 0]
    # Least demand (moment 0: 100 and 150) with most solar (700); most demand (moment 2: 200 and 200) with least (20).
    assert light.tolist() == [100.0, 150.0 - 700.0]
    assert heavy.tolist() == [200.0, 200.0 - 20.0]
    assert states.source_v[3:, 0, 0].tolist() == [232.0, 230.0]
    assert scenarios.load_lo_w.tolist() == [[100.0, -550.0]]
    assert len(replace(scenarios, coincide=False).states.load_w) == 3


def test_past_days_scatter_around_a_forecast_as_they_did_around_their_mean():
    rng = np.random.default_rng(2)
    past = of_history(rng.random((4, 12, 3)), rng.random((4, 12, 3)), moments=2)
    moved = around(past, np.full((6, 3), 500.0), np.full((6, 3), 100.0))
    assert moved.mean_w == pytest.approx(np.full((6, 3), 500.0))
    assert moved.mean_var == pytest.approx(np.full((6, 3), 100.0))
    assert moved.load_w - 500.0 == pytest.approx(past.load_w - past.mean_w[:, None])


def test_a_plan_keeps_its_scenarios_and_one_without_keeps_its_name(tmp_path):
    problem = street()
    assert run_id(replace(problem, scenarios=None)) == run_id(problem)
    told = replace(problem, scenarios=day(problem))
    assert run_id(told) != run_id(problem)
    plan_file.save(tmp_path / "plan.npz", "european-lv", told)
    again = plan_file.read(tmp_path / "plan.npz").problem(problem.reduced)
    assert run_id(again) == run_id(told)
    assert again.scenarios.solar_w == pytest.approx(told.scenarios.solar_w)
    plan_file.save(tmp_path / "plain.npz", "european-lv", problem)
    assert "scenarios" not in plan_file.read(tmp_path / "plain.npz").fields


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"share": 0.0}, "share: 0 is not above 0"),
        ({"share": 1.5}, "share: 1.5 is outside 0..1"),
        ({"load_var": np.zeros((1, 2, 3, 4))}, "load_var has .* expected"),
        ({"load_w": np.zeros((4, 4))}, "load_w has shape"),
    ],
)
def test_scenarios_that_make_no_sense_are_refused(change, said):
    with pytest.raises(BadProblem, match=said):
        replace(day(street()), **change)


def test_paths_of_other_steps_or_connections_are_refused_by_the_problem():
    problem = street()
    scenarios = day(problem)
    with pytest.raises(BadProblem, match="scenarios: load_w has shape"):
        replace(
            problem,
            scenarios=replace(
                scenarios,
                **{name: getattr(scenarios, name)[:, 1:] for name in ("load_w", "load_var", "solar_w", "source_v")},
            ),
        )


def test_the_number_of_times_must_divide_into_moments():
    with pytest.raises(BadProblem, match="that 5 divides"):
        of_day(np.zeros((12, 3)), np.zeros((12, 3)), moments=5)


def means_alone(problem):
    """The same without its paths, with each connection's band."""
    return replace(problem, scenarios=None, base_load_lo_w=problem.load_lo_w, base_load_hi_w=problem.load_hi_w)


def moving_street(**changes):
    """A street on a day that moves within each interval; its last homes have no devices."""
    problem = street(**changes)
    flexible = np.arange(len(problem.connection_id)) < 6
    problem = replace(problem, flex_gen_w=problem.flex_gen_w * flexible, flex_load_w=problem.flex_load_w * flexible)
    scenarios = day(problem)
    return replace(
        problem, base_load_w=scenarios.mean_w, base_load_var=scenarios.mean_var, scenarios=scenarios,
        source_v=scenarios.mean_source_v,
    )  # fmt: skip


@pytest.mark.parametrize("bands", [False, True])
@pytest.mark.parametrize(("guarantee", "allocation"), POLICIES)
def test_limits_hold_in_every_state_of_the_paths(guarantee, allocation, bands):
    problem = moving_street(guarantee=guarantee, allocation=allocation)
    problem = replace(problem, scenarios=replace(problem.scenarios, bands=bands))
    schedule = calculate(problem)
    report = verify(problem, schedule, solver="reduced")
    assert report.inside
    # Not safe because it is small: some constraint is nearly used up.
    assert max(report.worst) > -0.3
    assert schedule.guarantee.startswith(
        f"{guarantee} | base and head voltage on one joint path, extremes of an interval"
    )
    assert ("bands" in schedule.guarantee) is bands
    assert report.paths in report.sentence()
    assert report.paths in schedule.guarantee
    # The mean alone says nothing of that: limits for it break on the day itself.
    plain = calculate(
        replace(problem, scenarios=None, base_load_lo_w=problem.load_lo_w, base_load_hi_w=problem.load_hi_w)
    )
    assert not verify(problem, plain, solver="reduced").inside


def test_the_independent_solver_agrees_on_the_worst_states():
    problem = moving_street()
    schedule = calculate(problem)
    fast, judged = (verify(problem, schedule, solver=solver) for solver in ("reduced", "power-grid-model"))
    assert judged.inside
    assert judged.worst == pytest.approx(fast.worst, abs=2e-3)


def test_what_a_limit_bounds_does_not_count_twice():
    """Only homes whose devices can reach both limits move: their net power is within the limits on any path."""
    problem = moving_street()
    still = np.arange(len(problem.connection_id)) >= 6
    scenarios = problem.scenarios
    held = replace(
        scenarios,
        load_w=np.where(still, problem.base_load_w[:, None], scenarios.load_w),
        load_var=np.broadcast_to(problem.base_load_var[:, None], scenarios.load_var.shape).copy(),
        solar_w=None,
        source_v=None,
    )
    moving = replace(problem, scenarios=held)
    known = replace(problem, scenarios=None, base_load_lo_w=moving.load_lo_w, base_load_hi_w=moving.load_hi_w)
    one, other = calculate(moving), calculate(known)
    assert np.abs(one.export_limit_w - other.export_limit_w).max() <= 1
    assert np.abs(one.import_limit_w - other.import_limit_w).max() <= 1


def test_an_import_limit_does_not_bound_falling_demand():
    """Homes with a charger alone may draw less than their mean: others' exports must leave room for that."""
    problem = moving_street(limits=OperatingLimits(rating_factor=10.0))
    chargers = np.isin(np.arange(len(problem.connection_id)), [3, 4, 5])
    flex_load_w = np.where(chargers, 1_000.0, np.zeros_like(problem.flex_load_w))
    flex_gen_w = np.where(chargers, 0.0, problem.flex_gen_w)
    problem = replace(problem, flex_gen_w=flex_gen_w, flex_load_w=flex_load_w, source_v=1.05 * problem.source_v)
    load_w = np.repeat(problem.base_load_w[None, :, None], 2, axis=2)
    less_w = load_w.copy()
    less_w[:, :, 1, chargers] -= 3_000.0
    known, falling = (Scenarios(watts, np.zeros_like(watts)) for watts in (load_w, less_w))
    known, falling = (replace(problem, scenarios=one) for one in (known, falling))
    assert verify(falling, calculate(falling), solver="reduced").inside
    assert verify(falling, calculate(known), solver="reduced").over_v > 0.1


def test_more_paths_never_give_more_and_a_share_of_them_is_named():
    problem = moving_street()
    one, other = day(problem, 5), day(problem, 6)
    names = ("load_w", "load_var", "solar_w", "source_v")
    both = replace(one, **{name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in names})
    found = {
        name: calculate(replace(problem, scenarios=scenarios))
        for name, scenarios in {"one": one, "other": other, "both": both, "half": replace(both, share=0.5)}.items()
    }
    total = {name: schedule.export_limit_w.sum() + schedule.import_limit_w.sum() for name, schedule in found.items()}
    assert total["both"] < 1.01 * min(total["one"], total["other"])
    assert total["half"] > total["both"]
    assert "at least 50 % of 2 joint paths in each interval" in found["half"].guarantee
    half = replace(problem, scenarios=replace(both, share=0.5))
    assert verify(half, found["half"], solver="reduced").inside
    assert not verify(replace(problem, scenarios=both), found["half"], solver="reduced").inside


def test_voltage_unbalance_is_kept_on_every_path():
    limits = replace(street().limits, vuf_max_percent=1.5)
    problem = moving_street(limits=limits)
    schedule = calculate(problem)
    report = verify(problem, schedule, solver="reduced")
    assert report.inside
    assert -0.3 < report.unbalance.beyond <= 0.0
    plain = calculate(
        replace(problem, scenarios=None, base_load_lo_w=problem.load_lo_w, base_load_hi_w=problem.load_hi_w)
    )
    assert verify(problem, plain, solver="reduced").unbalance.beyond > 0.0
