"""Data sets of power-grid-model: solved by it and by us, or refused by component."""

import json
import math

import numpy as np
import pytest

from gridmodel import FileError, read_feeder, reduce, solve, voltages
from gridmodel.flow.taps import base_of, scaled

pgm = pytest.importorskip("power_grid_model")
json_deserialize_from_file = pytest.importorskip("power_grid_model.utils").json_deserialize_from_file
LINE = {"from_status": 1, "to_status": 1, "r1": 0.06, "x1": 0.016, "c1": 0.0, "tan1": 0.0, "r0": 0.24, "x0": 0.06,
        "c0": 0.0, "tan0": 0.0, "i_n": 200.0}  # fmt: skip
TRAFO = {
    "id": 10, "from_node": 1, "to_node": 2, "from_status": 1, "to_status": 1, "u1": 10e3, "u2": 400.0, "sn": 250e3,
    "uk": 0.04, "pk": 3e3, "i0": 0.004, "p0": 400.0, "winding_from": 2, "winding_to": 1, "clock": 5, "tap_side": 0,
    "tap_pos": 0, "tap_min": -2, "tap_max": 2, "tap_nom": 0, "tap_size": 250.0,
}  # fmt: skip


PAIRS = {"aa": 0.3, "bb": 0.32, "cc": 0.34, "ba": 0.05, "ca": 0.04, "cb": 0.06}
UNEQUAL = {
    "id": 17, "from_node": 2, "to_node": 4, "from_status": 1, "to_status": 1, "i_n": 100.0,
    **{f"{kind}_{pair}": ohm for pair, ohm in PAIRS.items() for kind in "rx"}, **{f"c_{pair}": 0.0 for pair in PAIRS},
}  # fmt: skip


def street():
    return {
        "node": [{"id": 1, "u_rated": 10e3}, *({"id": k, "u_rated": 400.0} for k in (2, 3, 4))],
        "line": [{"id": 11, "from_node": 2, "to_node": 3, **LINE}, {"id": 12, "from_node": 3, "to_node": 4, **LINE}],
        "transformer": [dict(TRAFO)],
        "source": [{"id": 20, "node": 1, "status": 1, "u_ref": 1.02, "sk": 2e8}],
        "sym_load": [{"id": 30, "node": 3, "status": 1, "type": 0, "p_specified": 20e3, "q_specified": 5e3}],
        "asym_load": [
            {"id": 31, "node": 4, "status": 1, "type": 0, "p_specified": [0, 9e3, 0], "q_specified": [0, 2e3, 0]}
        ],
    }


def with_parts(**parts):
    found = street()
    for name, rows in parts.items():
        found[name] = [*found.get(name, []), *rows]
    return found


def with_trafo(**changes):
    found = street()
    found["transformer"][0] |= changes
    return found


READ = {
    "a street": street(),
    "a tap": with_trafo(tap_pos=2),
    "a tap of the low side": with_trafo(tap_side=1, tap_size=10.0, tap_pos=-1),
    "taps that count down": with_trafo(tap_min=2, tap_max=-2, tap_pos=1),
    "an earthing impedance": with_trafo(r_grounding_to=0.02, x_grounding_to=0.05),
    "a star with its neutral": with_trafo(winding_from=1, winding_to=1, clock=0, i0=0.004),
    "a zigzag": with_trafo(winding_from=0, winding_to=4, clock=1),
    "a second line and an open one": with_parts(
        line=[
            {"id": 13, "from_node": 2, "to_node": 4, **LINE},
            {"id": 14, "from_node": 2, "to_node": 3, **LINE, "from_status": 0, "to_status": 0},
        ]
    ),
    "a cable that charges": with_parts(
        line=[{"id": 13, "from_node": 2, "to_node": 4, **LINE, "c1": 3e-6, "c0": 1e-6, "tan1": 0.01}]
    ),
    "a link": with_parts(
        node=[{"id": 5, "u_rated": 400.0}],
        link=[{"id": 15, "from_node": 4, "to_node": 5, "from_status": 1, "to_status": 1}],
        sym_load=[{"id": 32, "node": 5, "status": 1, "type": 0, "p_specified": 5e3, "q_specified": 0.0}],
    ),
    "a capacitor": with_parts(shunt=[{"id": 40, "node": 4, "status": 1, "g1": 0, "b1": 0.1, "g0": 0, "b0": 0.1}]),
    "generators": with_parts(
        sym_gen=[{"id": 33, "node": 4, "status": 1, "type": 0, "p_specified": 30e3, "q_specified": -3e3}],
        asym_gen=[
            {"id": 34, "node": 3, "status": 1, "type": 0, "p_specified": [4e3, 0, 0], "q_specified": [0, 0, 0]}
        ],
    ),
    "a second source": with_parts(
        node=[{"id": 6, "u_rated": 10e3}],
        line=[{"id": 16, "from_node": 1, "to_node": 6, **LINE, "r1": 2.0, "x1": 2.0, "r0": 5.0, "x0": 8.0}],
        source=[{"id": 21, "node": 6, "status": 1, "u_ref": 1.0, "u_ref_angle": -0.02, "sk": 1e8}],
    ),
    "a line of unequal phases": with_parts(asym_line=[UNEQUAL]),
    "what is out of service": with_parts(
        sym_load=[{"id": 35, "node": 4, "status": 0, "type": 0, "p_specified": 9e4, "q_specified": 0.0}],
        transformer=[TRAFO | {"id": 18, "from_status": 0, "to_status": 0}],
    ),
}  # fmt: skip


def saved(folder, data, **changes):
    path = folder / "street.json"
    content = {"version": "1.0", "type": "input", "is_batch": False, "attributes": {}, "data": data} | changes
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("why", READ)
def test_a_data_set_is_read_as_power_grid_model_reads_it(tmp_path, why):
    path = saved(tmp_path, READ[why])
    feeder = read_feeder(path)
    network = feeder.network
    model = pgm.PowerGridModel(json_deserialize_from_file(path), system_frequency=50.0)
    found = model.calculate_power_flow(symmetric=False, error_tolerance=1e-6 if "link" in why else 1e-10)
    reduced = scaled(reduce(network), base_of(network))
    c = network.connections
    s = np.zeros(reduced.ports, dtype=complex)
    for k, name in enumerate(c.id):
        ports = c.port_connection == k
        s[ports] = -network.own_load_va[name] / ports.sum()
    flow = solve(reduced, s, tol_v=1e-8)
    ours = dict(zip(reduced.voltage_names, voltages(reduced, flow)[0], strict=True))
    for node in found["node"]:
        rated = next(n["u_rated"] for n in READ[why]["node"] if n["id"] == node["id"]) / math.sqrt(3)
        for phase, u in zip("abc", node["u"], strict=True):
            assert ours[f"node {node['id']}, phase {phase}"] / rated == pytest.approx(u / rated, abs=2e-6)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (with_parts(three_winding_transformer=[{"id": 50}]), "component three_winding_transformer has no model here"),
        (with_parts(generic_branch=[{"id": 50}]), "component generic_branch has no model here"),
        (with_parts(shunt=[{"id": 40, "node": 4, "g1": 1.0, "b1": 0}]), "a shunt that takes active power"),
        (with_trafo(winding_from=3, winding_to=3), "vector group Zz has no model here"),
        (with_trafo(tap_pos=1, uk_min=0.03, uk_max=0.05), "short-circuit voltage that depends on the tap"),
        (with_trafo(from_node=99), "row 0, field transformer.from_node: node 99 is not in the data set"),
        (street() | {"source": []}, "0 sources in service"),
        (street() | {"sym_load": [{"id": 1, "node": 3, "p_specified": "x"}]}, "is neither a number nor three"),
        (street() | {"node": 5}, "field node: is no list of components"),
    ],
)
def test_a_component_is_refused_by_name_and_row(tmp_path, data, said):
    with pytest.raises(FileError, match=said):
        read_feeder(saved(tmp_path, data))


def test_compact_rows_and_components_that_stand_still(tmp_path):
    data = with_parts(sym_voltage_sensor=[{"id": 60, "measured_object": 3}])
    node = data["node"]
    data["node"] = [[n["id"], n["u_rated"]] for n in node]
    feeder = read_feeder(saved(tmp_path, data, attributes={"node": ["id", "u_rated"]}))
    assert feeder.network.connections.id == ("sym_load 30", "asym_load 31")
    assert feeder.network.connections.phase == ("abc", "b")
    assert "component sym_voltage_sensor" in {f.element for f in feeder.findings}
    with pytest.raises(FileError, match="is no input data set"):
        read_feeder(saved(tmp_path, {}, is_batch=True))
