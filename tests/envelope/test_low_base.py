"""Feeders whose base load alone is below the voltage band: limits add no more to that than a verification accepts."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import Guarantee, calculate, verify
from envelope.problem import Allocation
from gridmodel.model import admittance
from tests.envelope.cases import on
from tests.gridmodel.feeders import radial_equipment

STEPS = 4


def long_feeder(seed, homes, ohm_factor=2.0):
    """A feeder whose head is 9 to 13 % low, so that its far homes are below the band at their base load."""
    rng = np.random.default_rng(seed)
    equipment = radial_equipment(homes, seed)
    lines = tuple(replace(line, z_ohm=ohm_factor * line.z_ohm, rating_a=80.0) for line in equipment.lines)
    network = admittance.network(replace(equipment, lines=lines))
    load_w = rng.gamma(2.0, 200.0, (STEPS, homes))
    generates, charges = (np.where(rng.random((1, homes)) < 0.7, most_w, 0.0) for most_w in (10e3, 7e3))
    return on(
        network, STEPS, seed, base_load_w=load_w, base_load_var=0.2 * load_w,
        source_v=np.tile(rng.uniform(0.87, 0.91) * network.source.v, (STEPS, 1)),
        flex_gen_w=np.repeat(generates, STEPS, axis=0), flex_load_w=np.repeat(charges, STEPS, axis=0),
    )  # fmt: skip


@pytest.mark.parametrize(("homes", "seed"), [(30, 23), (38, 30), (38, 32)])
def test_what_many_small_effects_add_to_a_low_voltage_is_within_what_is_accepted(homes, seed):
    problem = long_feeder(seed, homes)
    report = verify(problem, calculate(problem), solver="reduced")
    assert report.base_excess[0].beyond > 1.0
    assert report.inside, report.sentence()


@pytest.mark.parametrize(("homes", "seed"), [(5, 41), (8, 26), (8, 105), (8, 109)])
def test_coincident_limits_hold_where_some_take_over_those_of_a_later_step(homes, seed):
    problem = long_feeder(seed, homes, ohm_factor=8.0)
    problem = replace(
        problem, source_v=1.08 * problem.source_v, guarantee=Guarantee.COINCIDENT, allocation=Allocation.EQUAL
    )
    report = verify(problem, calculate(problem), solver="reduced")
    assert report.inside, report.sentence()
