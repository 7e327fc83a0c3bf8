"""Voltage criteria and thermal ratings as data: each with its source, and each used as it says."""

import numpy as np
import pytest

from envelope.limits import OperatingLimits, UnknownCriterion, voltage_criteria, voltage_criterion
from envelope.thermal import ThermalPolicy, UnknownTransformer, rating_factors, simulate, thermal_model, thermal_models

STEP_S = 1800
HOURS = np.arange(48) / 2
AMBIENT = 28.0 + 8.0 * np.cos((HOURS - 15.0) / 24.0 * 2.0 * np.pi)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("ansi-c84.1-a", 114.0, 126.0),
        ("ansi-c84.1-b", 110.0, 127.0),
        ("en-50160", 207.0, 253.0),
        ("en-50160-all", 195.5, 253.0),
        ("as-61000.3.100", 216.0, 253.0),
    ],
)
def test_voltage_criteria(name, low, high):
    found = voltage_criterion(name)
    assert (found.low_v, found.high_v) == (low, high)
    assert found.source
    assert found.statistic
    assert OperatingLimits.of(name).source == name


def test_every_criterion_is_tested():
    assert set(voltage_criteria()) == {
        "ansi-c84.1-a",
        "ansi-c84.1-b",
        "en-50160",
        "en-50160-all",
        "as-61000.3.100",
    }


def test_a_criterion_scales_to_another_nominal_voltage():
    limits = OperatingLimits.of("ansi-c84.1-a", nominal_v=240.0)
    assert (limits.v_min_v, limits.v_max_v) == (228.0, 252.0)


@pytest.mark.parametrize("limits", [{"v_min_v": 253.0, "v_max_v": 216.0}, {"rating_factor": 0.0}, {"margin_v": 0.0}])
def test_limits_that_make_no_sense_are_refused(limits):
    with pytest.raises(ValueError, match="must be"):
        OperatingLimits(**limits)


def test_unknown_names_tell_the_known_ones():
    with pytest.raises(UnknownCriterion, match="known are"):
        voltage_criterion("as-1")
    with pytest.raises(UnknownTransformer, match="onan-65"):
        thermal_model("dry")


def test_thermal_parameters_are_marked_as_assumed():
    assert all("assumed" in model.source for model in thermal_models().values())


def test_rated_load_at_thirty_degrees_ages_a_transformer_as_fast_as_the_clock():
    trace = simulate(thermal_model(), np.ones(48), np.full(48, 30.0), STEP_S)
    assert trace.hot_spot_c == pytest.approx(110.0)
    assert trace.life_used_percent == pytest.approx(100.0 * 24.0 / 180_000.0)


def test_oil_warms_as_slowly_as_its_time_constant_says():
    load = np.where(HOURS < 12.0, 0.0, 1.0)
    model = thermal_model()
    trace = simulate(model, load, np.full(48, 20.0), STEP_S, days=10)
    cold, warm = model.oil_rise_c(np.array(0.0)), model.oil_rise_c(np.array(1.0))
    # Six steps of half an hour are one time constant of three hours.
    assert trace.top_oil_c[29] - 20.0 == pytest.approx(warm + (cold + 0.0 - warm) * np.exp(-1.0), abs=1.0)


def test_the_same_charging_costs_less_life_after_the_heat():
    model, base = thermal_model(), np.full(48, 0.5)
    evening = np.where((HOURS >= 18.0) & (HOURS < 22.0), 1.6, base)
    night = np.where((HOURS >= 0.5) & (HOURS < 4.5), 1.6, base)
    late, early = (simulate(model, load, AMBIENT, STEP_S) for load in (evening, night))
    assert early.life_used_percent < 0.7 * late.life_used_percent
    assert early.hot_spot_c.max() < late.hot_spot_c.max()


@pytest.mark.parametrize(
    "policy",
    [
        ThermalPolicy(),
        ThermalPolicy(life_percent_per_day=0.1),
        ThermalPolicy(hot_spot_c=98.0),
        ThermalPolicy(k_max=0.9),
    ],
)
def test_a_transformer_loaded_to_its_rating_at_every_step_keeps_the_policy(policy):
    model = thermal_model()
    factor = rating_factors(model, AMBIENT, STEP_S, policy)
    trace = simulate(model, factor, AMBIENT, STEP_S, days=12)
    assert trace.hot_spot_c.max() <= policy.hot_spot_c + 1e-3
    assert trace.top_oil_c.max() <= policy.top_oil_c + 1e-3
    assert trace.life_used_percent <= policy.life_percent_per_day * 1.001
    assert factor.max() <= policy.k_max
    # Something holds the rating down: it is not merely careful.
    full = [
        trace.hot_spot_c.max() / policy.hot_spot_c,
        trace.life_used_percent / policy.life_percent_per_day,
        factor.max() / policy.k_max,
    ]
    assert max(full) > 0.97


def test_a_cool_night_carries_more():
    factor = rating_factors(thermal_model(), AMBIENT, STEP_S, ThermalPolicy())
    assert factor[HOURS == 4.0] > factor[HOURS == 16.0]
