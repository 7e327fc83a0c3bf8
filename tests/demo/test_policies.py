"""Policies on the demonstration's day: each with the same margin, and less curtailment under a weaker guarantee."""

import os
import subprocess
import sys

import numpy as np
import pytest

from envelope import calculate
from envelope.demo import forecast, policies
from envelope.demo.scenario import build_scenario
from envelope.problem import Guarantee


@pytest.fixture(scope="module")
def place(nine_homes):
    return build_scenario(nine_homes, 6)


@pytest.fixture(scope="module")
def rows(place):
    return {one.name: one for one in policies.compare_policies(place)}


def test_the_demonstrations_policy_comes_first_and_others_change_it_one_thing_after_another(place):
    stated = forecast.problem(place)
    found = policies.problems(stated)
    assert next(iter(found.values())) is not None
    first, *_, last_of_max_min = (problem for problem in found.values() if problem.guarantee is Guarantee.TWO_SIDED)
    assert (first.allocation, first.max_min_floor, first.early) == ("proportional-fair", 0.7, "adoption")
    assert (last_of_max_min.allocation, last_of_max_min.early) == ("max-min", "step")
    assert last_of_max_min.ceiling_import_w is None
    assert last_of_max_min.control_points == ("site",) * len(place.day.connection_ids)


def test_each_step_towards_the_default_policy_curtails_no_more_solar_and_no_car_is_short(rows):
    way = (
        "a whole step early",
        "import in the sun shared",
        "net import limits",
        "max-min",
        "two-sided, proportional-fair",
    )
    curtailed = [
        next(one for name, one in rows.items() if name.endswith(end)).figures.pv_curtailed_percent for end in way
    ]
    assert sorted(curtailed, reverse=True) == curtailed
    assert curtailed[-1] < 0.8 * curtailed[0]
    default = next(iter(rows.values()))
    assert (default.figures.evs_short, default.figures.customers_outside_voltage) == (0, 0)
    assert default.fairness.least_share >= rows["two-sided, proportional-fair"].fairness.least_share - 1e-3


def test_perfect_information_curtails_least(place, rows):
    perfect = policies.perfect_figures(place)
    assert perfect.customers_outside_voltage == 0
    for one in rows.values():
        assert perfect.pv_curtailed_percent < one.figures.pv_curtailed_percent or one.figures.breaks


def test_the_two_sided_guarantee_holds_at_any_mix_of_limits_and_the_one_sided_does_not(rows):
    two_sided = [one for one in rows.values() if one.sentence.startswith("two-sided")]
    assert len(two_sided) >= 6
    assert all(max(one.beyond) <= 0.0 for one in two_sided)
    assert max(rows["one-sided, import in the sun shared"].beyond) > 0.0


def test_devices_keep_limits_as_they_are_published(place):
    schedule = calculate(forecast.problem(place))
    imports, exports, loads = policies.published_limits(place.day, schedule)
    flexible = place.day.flexible
    assert np.all(np.isinf(exports[:, ~flexible]))
    assert np.all(np.isfinite(exports[:, flexible]))
    # Never looser than the interval's own limit: a tightening may come early.
    own = np.repeat(schedule.export_limit_w, forecast.PER_INTERVAL, axis=0)
    assert np.all(exports[:, flexible] <= own[:, flexible])
    kept = policies.day_under(place.day, schedule)
    assert np.all(kept.s_va.real[:, flexible] <= np.maximum(exports, place.day.base_va.real)[:, flexible] + 1e-6)
    # Of load alone, since no limit bounds a home's own demand.
    assert np.all(np.isinf(imports))
    assert np.all(kept.charge_w[:, flexible] <= loads[:, flexible])


def test_the_table_comes_from_one_command(nine_homes):
    words = [sys.executable, "-m", "envelope.demo.policies", "--feeder", str(nine_homes), "--seed", "6"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=850, env=os.environ, check=True)
    assert "coincident, equal" in done.stdout
    assert "perfect information" in done.stdout
    assert "1: two-sided" in done.stdout
