"""The pandapower reader against pandapower's own power flow, and what it refuses."""

import json
import math
import warnings

import numpy as np
import pytest

from gridmodel import FileError, GridError, reduce, solve, voltages
from gridmodel.model import admittance as build
from gridmodel.readers.pandapower import read_equipment


@pytest.fixture(scope="module")
def pp():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandapower

        yield pandapower


def small_net(pp, **trafo):
    """Medium voltage, a transformer, four low-voltage buses in a ring with one open switch."""
    net = pp.create_empty_network(sn_mva=1.0)
    mv, lv, b1, b2, b3 = (
        pp.create_bus(net, vn_kv=kv, name=n)
        for kv, n in ((20, "mv"), (0.4, "lv"), (0.4, "b1"), (0.4, "b2"), (0.4, "b3"))
    )
    pp.create_ext_grid(net, mv, vm_pu=1.02, s_sc_max_mva=1e9, rx_max=0.1, r0x0_max=0.1, x0x_max=1.0)
    given = {
        "sn_mva": 0.25, "vn_hv_kv": 20, "vn_lv_kv": 0.42, "vk_percent": 4.5, "vkr_percent": 1.2, "pfe_kw": 0.0,
        "i0_percent": 0.0, "shift_degree": 30, "vector_group": "Dyn", "vk0_percent": 4.2, "vkr0_percent": 1.3,
        "mag0_percent": 1e8, "mag0_rx": 0.0, "si0_hv_partial": 0.9, "tap_side": "hv", "tap_neutral": 0, "tap_min": -2,
        "tap_max": 2, "tap_step_percent": 2.5, "tap_pos": -1, "tap_changer_type": "Ratio",
    }  # fmt: skip
    pp.create_transformer_from_parameters(net, mv, lv, **(given | trafo))
    for start, end, km in ((lv, b1, 0.12), (b1, b2, 0.08), (lv, b3, 0.2), (b3, b2, 0.1)):
        pp.create_line_from_parameters(
            net, start, end, km, 0.32, 0.08, 260.0, 0.2, r0_ohm_per_km=1.2, x0_ohm_per_km=0.3, c0_nf_per_km=130.0,
            parallel=2 if start == lv and end == b1 else 1, df=0.9,
        )  # fmt: skip
    pp.create_switch(net, b2, 3, et="l", closed=False)
    pp.create_asymmetric_load(net, b1, p_a_mw=0.012, q_a_mvar=0.003, name="house")
    pp.create_asymmetric_load(net, b2, p_a_mw=0.004, p_b_mw=0.009, p_c_mw=0.002, q_c_mvar=0.001, name="shop")
    pp.create_asymmetric_sgen(net, b3, p_c_mw=0.008, name="roof")
    return net


def injections(net, network):
    """(L,) VA of the net's loads and generators at our ports."""
    found = []
    for connection, phase in zip(network.connections.port_connection, network.connections.port_phase, strict=True):
        name = network.connections.id[connection]
        for table, sign in ((net.asymmetric_load, -1e6), (net.asymmetric_sgen, 1e6)):
            rows = table[table.name == name].itertuples()
            found += [sign * complex(getattr(r, f"p_{phase}_mw"), getattr(r, f"q_{phase}_mvar")) for r in rows]
    return np.array(found)


VARIANTS = [
    ("Dyn", {}),
    ("Dyn5", {"shift_degree": 150}),
    ("tap on the low-voltage side", {"tap_side": "lv", "tap_pos": 2}),
    ("YNyn", {"vector_group": "YNyn", "shift_degree": 0}),
    ("two in parallel", {"parallel": 2}),
    ("no tap changer", {"tap_changer_type": None}),
]


@pytest.mark.parametrize(("why", "trafo"), VARIANTS, ids=[v[0] for v in VARIANTS])
def test_voltages_are_those_of_pandapower(pp, why, trafo):
    net = small_net(pp, **trafo)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pp.runpp_3ph(net, numba=False, tolerance_mva=1e-10)
    network = build.network(read_equipment(net))
    reduced = reduce(network)
    flow = solve(reduced, injections(net, network))
    for name, ours in zip(reduced.voltage_names, voltages(reduced, flow)[0], strict=True):
        node, phase = name.removeprefix("node ").split(", phase ")
        if node != "supply":
            bus = net.bus.index[net.bus.name == node][0]
            theirs = net.res_bus_3ph.at[bus, f"vm_{phase}_pu"] * net.bus.vn_kv[bus] * 1e3 / math.sqrt(3)
            assert ours == pytest.approx(theirs, abs=1e-3), name


def test_what_a_net_says_about_its_elements(pp):
    equipment = read_equipment(small_net(pp))
    first, *_, last = equipment.lines
    assert first.rating_a == pytest.approx(200 * 0.9 * 2)
    assert last.closed == (True, False)
    assert {c.id: c.phase for c in equipment.connections} == {"house": "a", "shop": "abc", "roof": "c"}
    assert equipment.transformers[0].tap_ratio == pytest.approx(0.975)
    assert equipment.transformers[0].rating_a == pytest.approx(250e3 / math.sqrt(3) / 420)


def test_a_file_says_the_same_as_the_net(pp, tmp_path):
    net = small_net(pp)
    path = tmp_path / "small.pandapower.json"
    pp.to_json(net, str(path))
    z_file, z_net = (reduce(build.network(read_equipment(source))).Z for source in (path, net))
    np.testing.assert_allclose(z_file, z_net, atol=1e-12)


def test_buses_joined_by_a_closed_switch_are_one_node(pp):
    net = small_net(pp)
    twin = pp.create_bus(net, vn_kv=0.4, name="twin")
    pp.create_switch(net, 2, twin, et="b", closed=True)
    pp.create_asymmetric_load(net, twin, p_b_mw=0.001, name="neighbour")
    equipment = read_equipment(net)
    assert equipment.connections[2].node == "b1"
    assert "twin" not in {node.id for node in equipment.nodes}


def test_names_that_repeat_or_are_missing_become_indices(pp):
    net = small_net(pp)
    net.bus["name"] = ["x", "x", None, "y", ""]
    assert [n.id for n in read_equipment(net).nodes] == ["bus0", "bus1", "bus2", "y", "bus4"]


def test_an_unsaid_zero_sequence_is_assumed_and_marked(pp):
    net = small_net(pp)
    net.line.loc[1, "r0_ohm_per_km"] = math.nan
    lines = read_equipment(net).lines
    assert [x.zero_sequence_given for x in lines] == [True, False, True, True]
    assert lines[1].z_ohm[0, 0] == pytest.approx((4 + 2) / 3 * (0.32 + 0.08j) * 0.08)


@pytest.mark.parametrize(
    ("why", "spoil", "said"),
    [
        ("a ward", lambda pp, net: pp.create_ward(net, 1, 0, 0, 0, 0.01), "element type ward is not supported"),
        ("no supply", lambda pp, net: net.ext_grid.drop(0, inplace=True), "0 external grids"),
        ("no such bus", lambda pp, net: net.line.__setitem__("to_bus", 99), r"row 0, field line.to_bus: bus 99"),
        ("not a number", lambda pp, net: net.line.__setitem__("r_ohm_per_km", "x"), r"line.r_ohm_per_km: 'x' is not"),
        ("absent", lambda pp, net: net.trafo.__setitem__("vk_percent", math.nan), r"trafo.vk_percent: is missing"),
        ("vk below vkr", lambda pp, net: net.trafo.__setitem__("vkr_percent", 9.0), "no short-circuit voltage"),
        ("a phase shifter", lambda pp, net: net.trafo.__setitem__("tap_step_degree", 2.0), "phase-shifting"),
    ],
)
def test_what_cannot_be_read_names_table_row_and_field(pp, why, spoil, said):
    net = small_net(pp)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spoil(pp, net)
    with pytest.raises(GridError, match=said):
        read_equipment(net)


@pytest.mark.parametrize(
    ("why", "text", "said"),
    [
        ("not JSON", "{", "row 1: not JSON"),
        ("not an object", "[]", "not a JSON object"),
        ("no network", json.dumps({"_object": {}}), "it has no bus table"),
        (
            "records instead of split",
            json.dumps({"_object": {"bus": {"_class": "DataFrame", "_object": "{}"}}}),
            "not in split form",
        ),
    ],
)
def test_files_that_are_no_networks(tmp_path, why, text, said):
    path = tmp_path / "x.pandapower.json"
    path.write_text(text)
    with pytest.raises(FileError, match=said):
        read_equipment(path)


def test_reading_a_file_does_not_import_pandapower():
    import subprocess
    import sys

    code = (
        "import sys; from gridmodel.readers.example_feeders import european_lv; european_lv(); "
        "sys.exit('pandapower' in sys.modules or 'matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
