"""What limits without a model are worth: set from meter readings of a feeder whose model judges them."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import Guarantee, Problem, verify
from envelope.model_free.methods import asset_capacity, asset_capacity_critical_voltage
from envelope.model_free.readings import Meters
from envelope.problem import Allocation, steps_from
from envelope.study.study import sine
from envelope.verification import Effort
from gridmodel import port_va, reduce, solve
from gridmodel.readers.example_feeders import european_lv
from tests.envelope.cases import START, STEP_S

DAYS, STEPS = 3, 48
QUICK = Effort(random=2, inside=1, greedy=0, wrong_phases=0.0)


@pytest.fixture(scope="module")
def metered():
    """Three days of readings of the European feeder, three in ten with PV, and its network."""
    feeder, rng = european_lv(), np.random.default_rng(1)
    shape = (DAYS * STEPS, len(feeder.network.connections))
    hour = (np.arange(shape[0]) + 0.5) / 2.0 % 24.0
    load = (300.0 + 900.0 * np.exp(-(((hour[:, None] - 19.0) / 3.0) ** 2))) * rng.gamma(2.0, 0.5, shape)
    owners = np.where(rng.random(shape[1]) < 0.3, 4000.0, 0.0)
    net = load - np.tile(sine(STEPS), DAYS)[:, None] * owners * rng.uniform(0.4, 1.0, (shape[0], 1))
    reduced = reduce(feeder.network)
    volts = np.abs(solve(reduced, port_va(feeder.network, -net - 0.2j * load), None).v) + rng.normal(0.0, 0.3, shape)
    nothing = np.full(shape[0], np.nan)
    start = steps_from(START // 86_400 * 86_400, STEP_S, shape[0])
    return Meters(feeder.network.connections.id, start, STEP_S, net, volts, nothing, nothing), reduced


def test_limits_without_a_model_are_better_with_a_voltage_and_good_with_none(metered):
    meters, reduced = metered
    shape = (STEPS, len(meters.connection_id))
    gen, load = np.tile(sine(STEPS)[:, None] * 5000.0, (1, shape[1])), np.full(shape, 7000.0)
    day = meters.day_ahead(200_000.0, gen, load)
    problem = Problem(
        reduced, day.step_start, STEP_S, day.base_load_w, 0.2 * np.maximum(day.base_load_w, 0.0), gen, load,
        guarantee=Guarantee.COINCIDENT, allocation=Allocation.EQUAL,
    )  # fmt: skip
    _, line = meters.critical()
    plain, capped = asset_capacity(day), asset_capacity_critical_voltage(day, line, v_min_v=216.0, v_max_v=253.0)
    together = [verify(problem, s, solver="reduced", effort=QUICK).over_v for s in (plain, capped)]
    # All at once: the transformer alone lets voltages out, the regression keeps them in.
    assert together[0] > 2.0
    assert together[1] < 0.0
    # In any other mix of customers neither knows what it does.
    apart = replace(problem, guarantee=Guarantee.TWO_SIDED)
    assert min(verify(apart, s, solver="reduced", effort=QUICK).over_v for s in (plain, capped)) > 10.0
