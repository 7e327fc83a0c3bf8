"""Inverters and chargers obey what they were told, and nothing else."""

import numpy as np
import pytest

from envelope.demo import day
from envelope.demo.cars import Cars
from envelope.demo.devices import LEAST_CHARGE_W, Devices, Limits, simulate

EVENING, NOON = 120, 50


@pytest.fixture
def one_home() -> day.Day:
    """One home that draws 500 W, with a roof that could give 5 kW and a car that asks for 14 kWh from step 100 on."""
    made = day.bare(("home",), np.full((day.STEPS, 1), -500.0 + 0j))
    sunny = np.zeros((day.STEPS, 1))
    sunny[30:80] = 5000.0
    cars = Cars(np.array([0]), np.array([100]), np.array([280]), np.array([14_000.0]), np.array([7000.0]))
    return day.Day(made.start, made.connection_ids, made.base_va, np.array([5000.0]), sunny, sunny, cars)


def limits(import_w: float, export_w: float) -> Limits:
    return Limits(np.array([import_w]), np.array([export_w]))


@pytest.mark.parametrize(
    ("why", "step", "limit", "pv_w", "charge_w"),
    [
        ("nothing was said", NOON, (np.inf, np.inf), 5000.0, 0.0),
        ("export leaves room for the home's own use", NOON, (np.inf, 2000.0), 2500.0, 0.0),
        ("no export at all", NOON, (np.inf, 0.0), 500.0, 0.0),
        ("nothing was said", EVENING, (np.inf, np.inf), 0.0, 7000.0),
        ("the home counts in the import", EVENING, (4000.0, np.inf), 0.0, 3500.0),
        ("less than six amperes is a pause", EVENING, (LEAST_CHARGE_W + 499.0, np.inf), 0.0, 0.0),
        ("the home alone is over the limit", EVENING, (200.0, np.inf), 0.0, 0.0),
    ],
)
def test_a_step_under_limits(one_home, why, step, limit, pv_w, charge_w):
    found = Devices(one_home).step(step, limits(*limit))
    assert found.pv_w[0] == pytest.approx(pv_w), why
    assert found.charge_w[0] == pytest.approx(charge_w), why
    assert found.s_va[0].real == pytest.approx(-500.0 + pv_w - charge_w)


def test_a_held_back_car_charges_longer_and_is_full_in_time(one_home):
    free, held = simulate(one_home, limits(np.inf, np.inf)), simulate(one_home, limits(2500.0, np.inf))
    assert free.missing_wh[0] == held.missing_wh[0] == pytest.approx(0.0)
    hours = [(run.charge_w[:, 0] > 1.0).sum() * day.STEP_S / 3600 for run in (free, held)]
    assert hours == pytest.approx([2.0, 7.0])


def test_a_car_that_leaves_too_early_is_short(one_home):
    run = simulate(one_home, limits(LEAST_CHARGE_W + 500.0, np.inf))
    assert run.charge_w[280:].max() == 0.0
    assert run.missing_wh[0] == pytest.approx(0.0)
    half = simulate(one_home, limits(np.inf, np.inf), charger_share=0.1)
    assert half.missing_wh[0] == pytest.approx(14_000.0)


def test_who_does_not_care_sees_no_limit():
    told = Limits(np.array([1.0, 1.0]), np.array([2.0, 2.0])).without(np.array([False, True]))
    assert told.import_w.tolist() == [1.0, np.inf]
    assert told.export_w.tolist() == [2.0, np.inf]
