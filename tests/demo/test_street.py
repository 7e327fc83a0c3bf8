"""The feeder as it is played: measured or made, grown until it breaks, and with a larger transformer."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from envelope.demo import forecast, study
from envelope.demo.day import FIRST_HOUR, STEP_S, STEPS, Growth
from envelope.demo.scenario import GROWTH_ALL_NEW, build_scenario, first_day, next_growth
from gridmodel import read_feeder

FACTS = os.environ.get("SEP2_FACTS")


@pytest.fixture(scope="module")
def place(nine_homes):
    return build_scenario(nine_homes, 6)


def test_growth_stops_where_both_limits_are_broken(place):
    found = place.grown.figures
    assert place.base.figures.breaks == ()
    assert found.customers_outside_voltage > 0
    assert found.max_transformer_percent >= 105
    assert next_growth(place.growth, place.grown) == place.growth
    assert place.growth.pv_share >= GROWTH_ALL_NEW.pv_share


@pytest.mark.parametrize(
    ("why", "outside", "percent", "feeds_back", "more"),
    [
        ("both are broken", 3, 120.0, True, (0.8, 0.6)),
        ("no voltage is broken", 0, 120.0, False, (0.9, 0.6)),
        ("the transformer is fullest at noon", 3, 90.0, True, (0.9, 0.6)),
        ("the transformer is fullest at night", 3, 90.0, False, (0.8, 0.7)),
    ],
)
def test_what_is_bought_next(place, why, outside, percent, feeds_back, more):
    run = place.grown
    figures = replace(run.figures, customers_outside_voltage=outside, max_transformer_percent=percent)
    played = replace(run.powers, s_va=np.full_like(run.powers.s_va, 1e3 if feeds_back else -1e3))
    grown = next_growth(Growth(0.8, 0.6), replace(run, figures=figures, powers=played))
    assert grown == Growth(*more), why


def test_a_larger_transformer_is_the_next_in_stock_and_less_loaded(place):
    network = place.feeder.network
    (before,) = network.equipment.transformers
    (after,) = study.with_larger_transformer(network).equipment.transformers
    assert (before.s_rated_va, after.s_rated_va) == (35e3, 50e3)
    assert after.z1_pu == before.z1_pu
    runs = study.compare_runs(place.reduced, place.day, place.grown.powers)
    ratio = runs["upgrade"].figures.max_transformer_percent / runs["none"].figures.max_transformer_percent
    assert ratio == pytest.approx(35 / 50, rel=0.02)


@pytest.mark.parametrize(("size", "larger"), [(200e3, 315e3), (500e3, 750e3), (160e3, 200e3), (2e6, 3e6)])
def test_sizes(size, larger):
    assert study.next_size_va(size) == larger


def test_fixed_limits_are_todays_practice(place):
    fixed = study.fixed_limits(place.reduced, place.day)
    assert fixed.powers.charge_w.max() == pytest.approx(3500.0)
    assert fixed.powers.s_va.real.max() <= 5000.0 + 1e-6


def test_the_forecast_bounds_what_happens(place):
    problem, day = forecast.problem(place), place.day
    load = -day.base_va.real.reshape(48, 6, -1)
    assert (problem.load_lo_w[:, None] <= load + 1e-9).all()
    assert (problem.load_hi_w[:, None] >= load - 1e-9).all()
    assert (problem.flex_gen_w[:, None] >= day.pv_w.reshape(48, 6, -1) - 1e-9).all()
    charged = place.grown.powers.charge_w.reshape(48, 6, -1)
    assert (problem.flex_load_w[:, None] >= charged).all()
    # Cars are away at noon, and a home without solar can feed nothing in.
    assert problem.flex_load_w[8].max() == 0.0
    assert problem.flex_gen_w[:, ~day.has_pv].max(initial=0.0) == 0.0


@pytest.mark.skipif(FACTS is None, reason="needs SEP2_FACTS")
def test_a_measured_day_is_played_from_eight():
    feeder = read_feeder(Path(FACTS, "data", "lv28"))
    day, weather = first_day(feeder, seed=1)
    profile = feeder.profile
    at_eight = FIRST_HOUR * 3600 // STEP_S
    assert np.array_equal(day.base_va[0], profile.net_va()[at_eight])
    assert np.array_equal(day.base_va[-1], profile.net_va()[at_eight - 1])
    assert np.array_equal(day.source_v[STEPS - at_eight], profile.source_v[0])
    assert weather.max() == pytest.approx(profile.pv_w.max() / 5000.0)
