"""Temperatures, ageing and ratings of transformers, against closed forms and a program by others."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import OperatingLimits, calculate
from envelope.constraints.limits import limit_tables
from envelope.constraints.monitored_feeder import MonitoredFeeder
from envelope.problem import plan_file as plan
from envelope.problem import run_id
from envelope.problem.step_ranges import from_step
from envelope.problem.thermal import ThermalPolicy, TooHot, rating_factors, simulate, thermal_model
from envelope.problem.thermal_ratings import ambient_of, unused_of_ambient
from gridmodel.readers.example_feeders import european_lv
from tests.envelope.cases import on

STEP_S = 1800
HOURS = np.arange(48) / 2
AMBIENT = 28.0 + 8.0 * np.cos((HOURS - 15.0) / 24.0 * 2.0 * np.pi)
HOMES = 0.55 + 0.25 * np.cos((HOURS - 19.0) / 24.0 * 2.0 * np.pi)
EVENING = HOMES + np.where((HOURS >= 18.0) & (HOURS < 22.0), 0.7, 0.0)
NIGHT = HOMES + np.where((HOURS >= 23.0) | (HOURS < 4.0), 0.7, 0.0)


def test_rated_load_at_thirty_degrees_ages_a_transformer_as_fast_as_the_clock():
    trace = simulate(thermal_model(), np.ones(48), np.full(48, 30.0), STEP_S)
    assert trace.hot_spot_c == pytest.approx(110.0)
    assert trace.life_used_percent == pytest.approx(100.0 * 24.0 / 180_000.0)
    assert trace.life_percent_per_day(STEP_S) == pytest.approx(trace.life_used_percent)


def test_a_steady_load_ends_where_the_closed_form_says():
    trace = simulate(thermal_model(), np.full(24, 1.3), np.full(24, 12.0), 3600)
    assert trace.top_oil_c == pytest.approx(12.0 + 50.0 * ((1.3**2 * 5.0 + 1.0) / 6.0) ** 0.8)
    assert trace.hot_spot_c == pytest.approx(trace.top_oil_c + 30.0 * 1.3**1.6)


def test_oil_warms_as_slowly_as_its_time_constant_says():
    load = np.where(HOURS < 12.0, 0.0, 1.0)
    model = thermal_model()
    trace = simulate(model, load, np.full(48, 20.0), STEP_S)
    cold, warm = model.oil_rise_c(np.array(0.0)), model.oil_rise_c(np.array(1.0))
    # Six steps of half an hour are one time constant of three hours; twelve hours leave e^-4 of the day before.
    start = warm + (cold - warm) * (1.0 - np.exp(-4.0)) / (1.0 - np.exp(-8.0))
    assert trace.top_oil_c[29] - 20.0 == pytest.approx(warm + (start - warm) * np.exp(-1.0), abs=1e-6)


def integrated(load, ambient, step_s, *, fine_s=2.0, days=4):
    """Hottest hot spot per step and life used, by the differential equations in steps of two seconds."""
    model = thermal_model()
    oil, winding = float(model.oil_rise_c(load).mean()), 0.0
    each = round(step_s / fine_s)
    keep = np.exp(-fine_s / model.oil_time_constant_s), np.exp(-fine_s / model.winding_time_constant_s)
    hottest, life_h = np.empty(len(load)), 0.0
    for _ in range(days):
        life_h = 0.0
        for t in range(len(load)):
            ends = float(model.oil_rise_c(load[t])), float(model.winding_rise_c(load[t]))
            decay = np.arange(each + 1)
            hot = ambient[t] + (
                ends[0] + (oil - ends[0]) * keep[0] ** decay + ends[1] + (winding - ends[1]) * keep[1] ** decay
            )
            oil, winding = (
                ends[0] + (oil - ends[0]) * keep[0] ** each,
                ends[1] + (winding - ends[1]) * keep[1] ** each,
            )
            hottest[t] = hot.max()
            life_h += float(model.ageing(0.5 * (hot[1:] + hot[:-1])).sum()) * fine_s / 3600.0
    return hottest, 100.0 * life_h / model.life_h


@pytest.mark.parametrize("load", [EVENING, NIGHT, np.where(HOURS % 2 < 1, 1.6, 0.1)])
def test_temperatures_and_ageing_are_those_of_a_fine_integration(load):
    trace = simulate(thermal_model(), load, AMBIENT, STEP_S)
    hottest, life = integrated(load, AMBIENT, STEP_S)
    assert trace.hot_spot_c == pytest.approx(hottest, abs=0.02)
    assert life <= trace.life_used_percent <= 1.005 * life


def test_a_hot_spot_can_be_hottest_within_a_step():
    load = np.array([1.6, 1.6, 1.6, 0.0, 0.9, 0.0])
    trace = simulate(thermal_model(), load, np.full(6, 20.0), STEP_S)
    model = thermal_model()
    after = simulate(model, np.repeat(load, 1800), np.full(6 * 1800, 20.0), 1).hot_spot_c
    assert trace.hot_spot_c[4] == pytest.approx(after[4 * 1800 : 5 * 1800].max(), abs=0.02)
    assert trace.hot_spot_c[4] > after[5 * 1800 - 1] + 0.3


@pytest.mark.parametrize(
    ("load", "top_oil_c", "hot_spot_c", "life_percent"),
    [(EVENING, 101.8506, 156.1175, 0.070408), (NIGHT, 88.5654, 128.6140, 0.012831)],
)
def test_the_iec_model_of_others_says_the_same_at_a_steady_ambient(load, top_oil_c, hot_spot_c, life_percent):
    # Figures of transformer-thermal-model 0.6.0 (IEC 60076-7, k11 = k21 = k22 = 1), steps of a minute, tenth day.
    trace = simulate(thermal_model(), load, np.full(48, 30.0), STEP_S)
    assert trace.top_oil_c.max() == pytest.approx(top_oil_c, abs=1e-3)
    assert trace.hot_spot_c.max() == pytest.approx(hot_spot_c, abs=1e-3)
    assert trace.life_used_percent == pytest.approx(life_percent, rel=1e-4)


def test_the_two_standards_differ_by_the_ambient_only():
    # There ambient warms the oil as slowly as load does; here it counts at once. Same program, ambient 20 to 36 C.
    theirs = {"evening": (156.976, 0.085424), "night": (124.249, 0.008349)}
    for name, load in (("evening", EVENING), ("night", NIGHT)):
        trace = simulate(thermal_model(), load, AMBIENT, STEP_S)
        assert trace.hot_spot_c.max() == pytest.approx(theirs[name][0], abs=4.5)
        assert trace.life_used_percent == pytest.approx(theirs[name][1], rel=0.35)


def test_charging_by_night_spares_a_transformer():
    # With other homes and cars than here 162 C and 0.154 % of life a day were measured, and 134 C and 0.010 % by night.
    late, early = (simulate(thermal_model(), load, AMBIENT, STEP_S) for load in (EVENING, NIGHT))
    assert early.hot_spot_c.max() < late.hot_spot_c.max() - 25.0
    assert early.life_used_percent < 0.1 * late.life_used_percent


POLICIES = [
    ThermalPolicy(),
    ThermalPolicy(life_percent_per_day=0.1),
    ThermalPolicy(hot_spot_c=98.0),
    ThermalPolicy(top_oil_c=80.0, life_percent_per_day=1.0),
    ThermalPolicy(k_max=0.9),
]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("step_s", [1800, 300])
def test_a_transformer_loaded_to_its_rating_at_every_step_keeps_the_policy(policy, step_s):
    model, ambient = thermal_model(), np.repeat(AMBIENT, STEP_S // step_s)
    factor = rating_factors(model, ambient, step_s, policy)
    trace = simulate(model, factor, ambient, step_s)
    assert trace.hot_spot_c.max() <= policy.hot_spot_c + 1e-3
    assert trace.top_oil_c.max() <= policy.top_oil_c + 1e-3
    assert trace.life_percent_per_day(step_s) <= policy.life_percent_per_day * 1.001
    assert factor.max() <= policy.k_max
    # Something holds the rating down: it is not merely careful.
    full = [
        trace.hot_spot_c.max() / policy.hot_spot_c,
        trace.top_oil_c.max() / policy.top_oil_c,
        trace.life_percent_per_day(step_s) / policy.life_percent_per_day,
        factor.max() / policy.k_max,
    ]
    assert max(full) > 0.98


def test_a_cool_night_carries_more():
    factor = rating_factors(thermal_model(), AMBIENT, STEP_S, ThermalPolicy())
    assert factor[HOURS == 4.0] > factor[HOURS == 16.0]


def test_a_step_across_midnight_sees_the_weather_on_both_sides(tmp_path):
    weather = tmp_path / "weather.csv"
    weather.write_text("at,temp_c\n2026-06-01T00:15Z,31\n2026-06-01T06:00Z,18\n2026-06-01T22:00Z,20\n")
    starts = np.array([81_000, 84_600, 88_200]) + 86_400 * 20_000  # 22:30, 23:30 and 00:30
    np.testing.assert_allclose(ambient_of(str(weather), starts, 3600), [20.0, 31.0, 31.0])


def test_columns_of_an_ambient_that_are_not_used_are_named(tmp_path):
    weather = tmp_path / "weather.csv"
    weather.write_text("at,site,temp_c\n2026-06-01T00:15Z,S,31\n")
    assert unused_of_ambient(str(weather)) == f"--ambient {weather}: not used: site"
    assert unused_of_ambient("31.5") == ""


def test_an_ambient_that_leaves_nothing_is_said():
    with pytest.raises(TooHot, match="ambient of up to 116 C"):
        rating_factors(thermal_model(), AMBIENT + 80.0, STEP_S, ThermalPolicy())


@pytest.fixture(scope="module")
def charging():
    """A problem in which the transformer of the European feeder binds."""
    network = european_lv().network
    shape = (4, len(network.connections))
    return on(network, 4, flex_gen_w=np.zeros(shape), flex_load_w=np.full(shape, 9000.0), adoption_s=0)


def test_the_transformers_rating_moves_and_that_of_the_lines_does_not(charging):
    watched = MonitoredFeeder.of(charging.reduced)
    plain = OperatingLimits()
    warm = replace(plain, transformer_factor=np.array([1.2, 1.0, 0.8, 0.6]))
    before, after = (limit_tables(limits, watched, 4).current_a for limits in (plain, warm))
    transformer = np.array([name.startswith("transformer") for name in watched.current_names])
    assert after[:, ~transformer] == pytest.approx(before[:, ~transformer])
    assert after[:, transformer] == pytest.approx(before[:, transformer] * np.array([[1.2], [1.0], [0.8], [0.6]]))
    fused = limit_tables(replace(warm, transformer_most_a=250.0), watched, 4).current_a
    assert fused[0, transformer] == pytest.approx(250.0)
    assert fused[3, transformer] == pytest.approx(after[3, transformer])


def test_a_rating_per_step_lets_more_or_less_charge(charging):
    factor = np.array([1.0, 0.6, 0.5, 0.4])
    limits = replace(charging.limits, transformer_factor=factor)
    sums = calculate(replace(charging, limits=limits)).import_room_w.sum(axis=1)
    flat = calculate(charging).import_room_w.sum(axis=1)
    assert sums[0] == pytest.approx(flat[0], rel=0.02)
    assert np.all(sums[1:] < flat[1:])


def test_a_plan_keeps_the_rating_per_step(charging, tmp_path):
    factor = np.array([1.1, 0.9, 0.8, 0.7])
    limits = replace(charging.limits, transformer_factor=factor, transformer_most_a=300.0)
    problem = replace(charging, limits=limits, favour_import=np.linspace(0.5, 2.0, len(charging.connection_id)))
    plan.save(tmp_path / plan.FILE, plan.EUROPEAN_LV, problem)
    found = plan.load(tmp_path / plan.FILE).problem
    assert np.array_equal(found.limits.transformer_factor, factor)
    assert found.limits.transformer_most_a == 300.0
    assert np.array_equal(found.favour_import, problem.favour_import)
    assert np.array_equal(from_step(found, 2).limits.transformer_factor, factor[2:])
    runs = {run_id(each) for each in (charging, problem, replace(charging, limits=limits))}
    assert (len(runs), run_id(found)) == (3, run_id(problem))
