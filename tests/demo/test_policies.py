"""Policies on the demonstration's day: each on the same path, and less curtailment under a weaker guarantee."""

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
    return policies.compare_policies(place), policies.compare_policies(place, with_scenarios=False)


def test_all_policies_hold_on_the_same_path_and_weaker_guarantees_curtail_less(rows):
    for several, has_scenarios in zip(rows, (True, False), strict=True):
        assert [(one.guarantee, one.allocation) for one in several] == list(policies.POLICIES)
        assert {one.has_scenarios for one in several} == {has_scenarios}
        two_sided, one_sided, coincident = (several[k].figures.pv_curtailed_percent for k in (0, 2, 4))
        assert two_sided > one_sided > coincident
    for several in zip(*rows, strict=True):
        assert several[0].figures.pv_curtailed_percent >= several[1].figures.pv_curtailed_percent


def test_perfect_information_curtails_least(place, rows):
    perfect = policies.perfect_figures(place)
    assert perfect.customers_outside_voltage == 0
    # Coincident limits may curtail less only by exceeding a limit.
    for one in (*rows[0], *rows[1]):
        assert perfect.pv_curtailed_percent < one.figures.pv_curtailed_percent or one.figures.breaks


def test_only_the_two_sided_guarantee_holds_at_any_mix_of_limits(rows):
    for one in rows[0]:
        beyond = max(one.corners.worst) > 0.0
        assert beyond is (one.guarantee is not Guarantee.TWO_SIDED)


def test_devices_keep_limits_as_they_are_published(place):
    schedule = calculate(forecast.problem(place))
    imports, exports = policies.published_limits(place.day, schedule)
    flexible = place.day.flexible
    assert np.all(np.isinf(exports[:, ~flexible]))
    assert np.all(np.isfinite(exports[:, flexible]))
    # Never looser than the interval's own limit: a tightening may come early.
    own = np.repeat(schedule.export_limit_w, forecast.PER_INTERVAL, axis=0)
    assert np.all(exports[:, flexible] <= own[:, flexible])
    kept = policies.day_under(place.day, schedule)
    assert np.all(kept.s_va.real[:, flexible] <= np.maximum(exports, place.day.base_va.real)[:, flexible] + 1e-6)
    assert imports.shape == exports.shape


def test_the_table_comes_from_one_command(nine_homes):
    words = [sys.executable, "-m", "envelope.demo.policies", "--feeder", str(nine_homes), "--seed", "6"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, env=os.environ, check=True)
    assert "coincident, equal" in done.stdout
    assert "perfect information" in done.stdout
