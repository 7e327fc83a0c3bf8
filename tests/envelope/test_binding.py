"""What a limit is said to be held back by: of constraints that are equally full, the one that it counts most in."""

import numpy as np
import pytest

from envelope import calculate
from envelope.problem import Allocation, Problem
from gridmodel import read_feeder, reduce
from tests.envelope.cases import START, STEP_S
from tests.gridmodel.town import write_town

WEAK = "node,v_pu,short_circuit_mva,x_over_r\nsubstation,1.02,4,3\n"


@pytest.fixture(scope="module")
def two_transformers(tmp_path_factory):
    """Two transformers of 60 kVA behind a weak medium voltage, so that each is felt a little at the other."""
    folder = write_town(tmp_path_factory.mktemp("town"), 2, 1, 3)
    (folder / "source.csv").write_text(WEAK)
    tables = (folder / "transformers.csv").read_text()
    (folder / "transformers.csv").write_text(tables.replace("Dyn11,400,", "Dyn11,60,"))
    points = (folder / "connections.csv").read_text()
    (folder / "connections.csv").write_text(points.replace("h0_0_0,h0_0_0,a", "h0_0_0,h0_0_0,abc"))
    network = read_feeder(folder).network
    most = np.full((1, len(network.connections)), 30e3)
    base = np.full(most.shape, 500.0)
    common = {"base_load_w": base, "base_load_var": 0.0 * base, "flex_gen_w": most, "flex_load_w": most}
    return Problem(reduce(network), np.array([START]), STEP_S, **common, allocation=Allocation.PROPORTIONAL_FAIR)


def test_a_limit_names_its_own_transformer_and_not_an_equally_full_one_farther_away(two_transformers):
    schedule = calculate(two_transformers)
    named = {name: schedule.binding_text("import", 0, k) for k, name in enumerate(schedule.connection_id)}
    assert len({text.rsplit(",", 1)[0] for text in named.values()}) == 2
    for name, text in named.items():
        assert text.startswith(f"overload of transformer t{name[1]}"), named
