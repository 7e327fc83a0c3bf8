"""The made-up day: realistic, repeatable, and never more than the clear sky."""

import numpy as np
import pytest

from envelope.demo import day, solar
from envelope.demo.cars import HOME_FROM_H, HOME_UNTIL_H

IDS = tuple(f"home-{k}" for k in range(200))


@pytest.fixture(scope="module")
def grown() -> day.Day:
    return day.grown(day.generated(IDS, seed=3), day.Growth(0.8, 0.6), seed=3)


def test_the_same_seed_makes_the_same_day(grown):
    again = day.grown(day.generated(IDS, seed=3), day.Growth(0.8, 0.6), seed=3)
    other = day.generated(IDS, seed=4)
    assert np.array_equal(grown.base_va, again.base_va)
    assert np.array_equal(grown.pv_w, again.pv_w)
    assert np.array_equal(grown.cars.asked_wh, again.cars.asked_wh)
    assert not np.array_equal(grown.base_va, other.base_va)


def test_households_draw_as_households_do(grown):
    demand_w = -grown.base_va.real
    energy_kwh = demand_w.sum(axis=0) * day.STEP_S / 3.6e6
    street_w = demand_w.sum(axis=1)
    assert 6.0 < energy_kwh.mean() < 11.0
    assert demand_w.min() > 0.0
    assert 17.0 <= day.hours()[street_w.argmax()] <= 21.0
    morning, night = (street_w[(day.hours() >= a) & (day.hours() < b)].mean() for a, b in ((7, 8), (2, 4)))
    assert morning > 1.5 * night
    # After diversity a street of homes peaks between 0.8 and 2 kW each; single homes peak far above.
    assert 800.0 < street_w.max() / len(IDS) < 2000.0
    assert np.median(demand_w.max(axis=0)) > 2.0 * street_w.max() / len(IDS)


def test_reactive_power_lags_and_is_the_smaller_part(grown):
    assert (grown.base_va.imag <= 0.0).all()
    assert grown.base_va.imag.sum() / grown.base_va.real.sum() < 0.4


def test_roofs_stay_under_the_clear_sky_and_their_inverter(grown):
    assert (grown.pv_w <= grown.pv_ceiling_w + 1e-9).all()
    assert (grown.pv_ceiling_w <= grown.pv_size_w + 1e-9).all()
    assert grown.pv_w[(day.hours() > 22) | (day.hours() < 3)].max() == 0.0
    per_w = grown.pv_w.sum() * day.STEP_S / 3600 / grown.pv_size_w.sum()
    assert 4.0 < per_w < 8.0


def test_as_many_bought_as_was_asked_for(grown):
    assert grown.has_pv.sum() == 160
    assert grown.has_car.sum() == 120
    assert grown.flexible.sum() == (grown.has_pv | grown.has_car).sum()


def test_more_growth_keeps_those_who_bought_before(grown):
    more = day.grown(day.generated(IDS, seed=3), day.Growth(0.9, 0.8), seed=3)
    assert more.has_pv[grown.has_pv].all()
    assert more.has_car[grown.has_car].all()
    first = np.isin(more.cars.home, grown.cars.home)
    assert np.array_equal(more.cars.asked_wh[first], grown.cars.asked_wh)
    assert np.array_equal(more.pv_size_w[grown.has_pv], grown.pv_size_w[grown.has_pv])


def test_every_car_that_plugs_in_leaves_the_same_day(grown):
    cars, hour = grown.cars, day.hours()
    assert (cars.arrives < cars.departs).all()
    assert ((hour[cars.departs] >= 6.0) & (hour[cars.departs] < HOME_UNTIL_H)).all()
    assert (hour[cars.arrives] >= HOME_FROM_H).all()
    possible_wh = cars.rate_w * (cars.departs - cars.arrives) * day.STEP_S / 3600
    assert (cars.asked_wh <= possible_wh).all()


def test_a_clear_day_lies_over_the_measured_one():
    weather = np.zeros(day.STEPS)
    lit = (day.hours() >= 6) & (day.hours() < 20)
    weather[lit] = np.random.default_rng(1).uniform(0.3, 0.7, lit.sum()) * np.sin(np.pi * (day.hours()[lit] - 6) / 14)
    ceiling = day.ceiling_over(weather)
    noon = abs(day.hours() - 13) < 4
    assert (ceiling >= weather).all()
    assert ceiling[noon].min() > 0.0
    assert ceiling.max() < 1.5 * weather.max()


@pytest.mark.parametrize(("facing", "best_hour"), [(90.0, (6.0, 11.5)), (180.0, (11.5, 12.5)), (270.0, (12.5, 18.0))])
def test_a_roof_is_best_when_it_faces_the_sun(facing, best_hour):
    hour = np.arange(0.0, 24.0, 1 / 12)
    output = solar.clear_sky_pu(solar.Sky(), hour, np.array([facing]))[:, 0]
    best = hour[output >= output.max() - 1e-12].mean()
    assert best_hour[0] < best < best_hour[1]
