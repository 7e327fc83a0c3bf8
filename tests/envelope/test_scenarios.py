"""Joint paths of base load and head voltage: how they are made, stored, and what limits they lead to."""

from dataclasses import replace

import numpy as np
import pytest

from envelope.field_rules import BadProblem
from envelope.problem import Scenarios, plan_file, run_id
from envelope.problem.scenarios import around, of_day, of_history
from tests.envelope.cases import street

MOMENTS = 6


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
