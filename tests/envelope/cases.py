"""Small envelope problems for tests."""

from dataclasses import replace

import numpy as np

from envelope.problem import Guarantee, Problem, steps_from
from gridmodel import reduce
from gridmodel.model import admittance as build
from gridmodel.model.network import Network
from tests.gridmodel.feeders import radial_equipment

START, STEP_S = 1_780_002_000, 1800
UNDECLARED = (Guarantee.TWO_SIDED, Guarantee.ONE_SIDED, Guarantee.COINCIDENT)
"""the guarantees that need no declaration"""
assert START % STEP_S == 0


def street(customers: int = 9, steps: int = 6, seed: int = 1, **changes) -> Problem:
    """A random street of thin cables whose customers can export 10 kW and import 14 kW, far more than it bears."""
    found = radial_equipment(customers, seed)
    thin = tuple(replace(line, z_ohm=4.0 * line.z_ohm, rating_a=80.0) for line in found.lines)
    return on(build.network(replace(found, lines=thin)), steps, seed, **changes)


def on(network: Network, steps: int = 6, seed: int = 1, **changes) -> Problem:
    """The same reach and a random base load on any feeder."""
    rng = np.random.default_rng(seed)
    shape = (steps, len(network.connections))
    load = rng.uniform(100.0, 900.0, shape)
    given = {
        "base_load_w": load,
        "base_load_var": 0.2 * load,
        "flex_gen_w": np.full(shape, 10_000.0),
        "flex_load_w": np.full(shape, 14_000.0),
    }
    return Problem(reduce(network), steps_from(START, STEP_S, steps), STEP_S, **(given | changes))
