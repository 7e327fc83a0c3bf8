"""Currents at capacity on joint paths whose head voltage moves: what they need grows with the box, not only at rest."""

import numpy as np
import pytest

from envelope import Guarantee, calculate, verify
from envelope.problem import Allocation, Scenarios
from gridmodel.model import admittance
from tests.envelope.cases import on
from tests.gridmodel.feeders import radial_equipment

STEPS, PATHS = 4, 20
SEEDS = [(3, [5, 6, 59, 86, 106, 119]), (5, [15, 63, 123, 134, 144]), (7, [4, 23, 32, 58, 130, 139])]
"""homes, seeds of cases; a search at rest, or in states that strain most at rest, leaves each 0.01 to 2.1 % beyond"""


def behind_a_small_transformer(seed, homes=3):
    """Homes that may use their whole capacity, on 20 paths of base load and head voltage, with what else by chance."""
    rng = np.random.default_rng(seed)
    rated_va = float(rng.choice([15e3, 25e3, 40e3]))
    network = admittance.network(radial_equipment(homes, seed, s_rated_va=rated_va))
    demand_w = rng.gamma(2.0, 400.0, (PATHS, STEPS, 1, homes))
    solar_w = np.where(rng.random(homes) < 0.5, 4_000.0, 0.0) * rng.random((PATHS, STEPS, 1, 1)) * rng.integers(2)
    source_v = (1.0 + 0.01 * rng.normal(size=(PATHS, STEPS, 1, 1))) * network.source.v
    paths = Scenarios(demand_w - solar_w, 0.2 * demand_w, source_v=source_v, bands=bool(rng.random() < 0.5))
    most_w = float(rng.choice([3e3, 5e3, 8e3]))
    generates, charges = (np.where(rng.random((1, homes)) < 0.6, most_w, 0.0) for _ in range(2))
    return on(
        network, STEPS, seed, base_load_w=paths.mean_w, base_load_var=paths.mean_var, scenarios=paths,
        source_v=paths.mean_source_v, flex_gen_w=np.repeat(generates, STEPS, axis=0),
        flex_load_w=np.repeat(1.2 * charges, STEPS, axis=0),
        guarantee=(Guarantee.TWO_SIDED, Guarantee.ONE_SIDED)[rng.integers(2)],
        allocation=(Allocation.PROPORTIONAL_FAIR, Allocation.MAX_MIN)[rng.integers(2)],
    )  # fmt: skip


@pytest.mark.parametrize(("homes", "seeds"), SEEDS)
def test_a_rating_holds_where_a_low_head_voltage_raises_the_current(homes, seeds):
    beyond = {}
    for seed in seeds:
        problem = behind_a_small_transformer(seed, homes)
        report = verify(problem, calculate(problem), solver="reduced")
        if not report.inside:
            beyond[seed] = report.sentence()
    assert beyond == {}
