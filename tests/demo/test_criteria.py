"""Voltages of a day are judged per unit of each customer's own nominal voltage, whatever the level."""

from dataclasses import replace

import numpy as np
import pytest

from envelope.demo import study
from envelope.demo.criteria import limits_of, port_bands
from envelope.demo.day import STEPS
from envelope.demo.devices import DayPowers
from envelope.demo.forecast import problem as forecast
from envelope.demo.scenario import Scenario, first_day
from gridmodel import read_feeder, reduce
from gridmodel.readers.example_feeders import US_SERVICE, european_lv
from tests.envelope.test_levels import MIXED, folder_of


def played(folder, watts):
    """A day on which every customer draws, or feeds, this much all the time."""
    feeder = read_feeder(folder)
    reduced, (day, _) = reduce(feeder.network), first_day(feeder, 1)
    powers = np.full((STEPS, len(day.connection_ids)), watts)
    nothing = np.zeros_like(powers)
    return study.run(reduced, day, DayPowers(nothing, nothing, powers.astype(complex), np.zeros(len(day.cars))))


def test_a_split_phase_day_is_judged_by_ansi_across_either_port():
    quiet, feeding = played(US_SERVICE, -200.0), played(US_SERVICE, 9_000.0)
    limits = quiet.flow.bands.limits
    assert (limits.source, limits.v_min_v, limits.v_max_v) == ("ansi-c84.1-a", 114.0, 126.0)
    assert quiet.flow.voltage_v.max() < 125.0
    assert quiet.figures.customers_outside_voltage == 0
    assert feeding.figures.customers_outside_voltage in range(1, 9)
    assert feeding.figures.max_voltage_v > 126.0


def test_a_customer_at_medium_voltage_is_judged_at_its_own_level(tmp_path):
    quiet = played(folder_of(MIXED, tmp_path), -100.0)
    assert quiet.figures.customers_outside_voltage == 0
    assert 216.0 < quiet.figures.min_voltage_v < quiet.figures.max_voltage_v < 253.0
    works = quiet.flow.bands
    assert (works.low_v / works.high_v)[0] == pytest.approx(0.9 / 1.1)


def test_the_european_feeder_is_judged_as_before():
    bands = port_bands(reduce(european_lv().network))
    np.testing.assert_array_equal(bands.unit, 1.0)
    np.testing.assert_array_equal(bands.low_v, 216.0)
    np.testing.assert_array_equal(bands.high_v, 253.0)


def test_the_forecast_of_a_split_phase_feeder_has_its_limits():
    feeder = read_feeder(US_SERVICE)
    reduced, (day, _) = reduce(feeder.network), first_day(feeder, 1)
    day = replace(day)
    run = study.without_limits(reduced, day)
    problem = forecast(Scenario(US_SERVICE, feeder, reduced, day, growth=None, base=run, grown=run))
    assert problem.limits == limits_of(reduced)
    assert problem.limits.v_max_v == 126.0
