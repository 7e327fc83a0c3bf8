"""One small pandapower network per construct: solved by pandapower and by us, or refused by name."""

import copy
import json
import math
import warnings

import numpy as np
import pytest

from gridmodel import FileError, read_feeder, reduce, solve, voltages
from gridmodel.flow.taps import base_of, scaled
from gridmodel.solvers.opendss import circuit_of
from gridmodel.validate import check_folder

pp = pytest.importorskip("pandapower")
TRAFO = {
    "sn_mva": 0.25, "vn_hv_kv": 10.0, "vn_lv_kv": 0.4, "vk_percent": 4.0, "vkr_percent": 1.2, "pfe_kw": 0.3,
    "i0_percent": 0.4, "shift_degree": 150.0, "vector_group": "Dyn", "vk0_percent": 4.0, "vkr0_percent": 1.2,
    "mag0_percent": 1e8, "mag0_rx": 0.0, "si0_hv_partial": 0.9, "tap_side": "hv", "tap_neutral": 0, "tap_min": -2,
    "tap_max": 2, "tap_step_percent": 2.5, "tap_pos": 0, "tap_changer_type": "Ratio",
}  # fmt: skip
CABLE = {
    "length_km": 0.2, "r_ohm_per_km": 0.3, "x_ohm_per_km": 0.08, "c_nf_per_km": 0.0, "max_i_ka": 0.2,
    "r0_ohm_per_km": 1.2, "x0_ohm_per_km": 0.3, "c0_nf_per_km": 0.0,
}  # fmt: skip
STIFF = {"s_sc_max_mva": 1e9, "rx_max": 0.1, "x0x_max": 1.0, "r0x0_max": 0.1}
T3 = {
    "vn_hv_kv": 10.0, "vn_mv_kv": 0.69, "vn_lv_kv": 0.4, "sn_hv_mva": 0.4, "sn_mv_mva": 0.3, "sn_lv_mva": 0.2,
    "vk_hv_percent": 5.0, "vk_mv_percent": 4.0, "vk_lv_percent": 6.0, "vkr_hv_percent": 0.8, "vkr_mv_percent": 0.7,
    "vkr_lv_percent": 0.9, "pfe_kw": 0.2, "i0_percent": 0.3, "shift_mv_degree": 0.0, "shift_lv_degree": 0.0,
    "tap_side": "mv", "tap_neutral": 0, "tap_min": -2, "tap_max": 2, "tap_step_percent": 2.0, "tap_pos": 1,
    "tap_changer_type": "Ratio",
}  # fmt: skip


def street():
    """A transformer and two lengths of cable with a load at each end."""
    net = pp.create_empty_network()
    for name, kv in (("mv", 10.0), ("lv", 0.4), ("n1", 0.4), ("n2", 0.4)):
        pp.create_bus(net, kv, name=name)
    pp.create_ext_grid(net, 0, **STIFF)
    pp.create_transformer_from_parameters(net, 0, 1, **TRAFO, name="T")
    pp.create_line_from_parameters(net, 1, 2, **CABLE, name="L1")
    pp.create_line_from_parameters(net, 2, 3, **CABLE, name="L2")
    pp.create_load(net, 2, 0.02, 0.005, name="h1")
    pp.create_load(net, 3, 0.03, 0.01, name="h2")
    return net


def storage(net):
    pp.create_storage(net, 3, 0.03, 0.1, q_mvar=0.004, name="bat")


def generator(net):
    pp.create_sgen(net, 3, 0.05, -0.01, name="roof")


def same_name(net):
    pp.create_sgen(net, 3, 0.05, name="h1")


def scaling(net):
    net.load["scaling"] = [0.5, 1.3]


def switch_with_impedance(net):
    bus = pp.create_bus(net, 0.4, name="behind")
    pp.create_switch(net, 3, bus, "b", z_ohm=0.1)
    pp.create_load(net, bus, 0.01, name="h3")


def closed_switch(net):
    bus = pp.create_bus(net, 0.4, name="behind")
    pp.create_switch(net, 3, bus, "b")
    pp.create_load(net, bus, 0.01, name="h3")


def open_line_switch(net):
    pp.create_line_from_parameters(net, 1, 3, **CABLE, name="ring")
    pp.create_switch(net, 1, 2, "l", closed=False)


def open_line_that_charges(net):
    net.line["c_nf_per_km"] = 3000.0
    pp.create_line_from_parameters(net, 1, 3, **{**CABLE, "c_nf_per_km": 90_000.0}, name="ring")
    pp.create_switch(net, 1, 2, "l", closed=False)


def ring(net):
    pp.create_line_from_parameters(net, 1, 3, **{**CABLE, "length_km": 0.5, "parallel": 2}, name="ring")


def charging(net):
    net.line["c_nf_per_km"] = 300.0


def dead_bus(net):
    bus = pp.create_bus(net, 0.4, in_service=False)
    pp.create_line_from_parameters(net, 3, bus, **CABLE)
    pp.create_load(net, bus, 0.1, name="gone")
    pp.create_switch(net, 3, bus, "b")


def out_of_service(net):
    pp.create_line_from_parameters(net, 1, 3, **CABLE, in_service=False)
    pp.create_transformer_from_parameters(net, 0, 1, **TRAFO, in_service=False)
    pp.create_load(net, 3, 0.1, in_service=False)
    pp.create_shunt(net, 3, 0.1, in_service=False)
    pp.create_gen(net, 3, 0.1, in_service=False)


def two_grids(net):
    bus = pp.create_bus(net, 10.0, name="mv2")
    pp.create_ext_grid(net, bus, vm_pu=0.99, va_degree=-1.0, **STIFF)
    pp.create_line_from_parameters(net, 0, bus, **{**CABLE, "length_km": 5.0}, name="tie")


def third_winding(net):
    a, b = pp.create_bus(net, 0.69, name="a"), pp.create_bus(net, 0.4, name="b")
    pp.create_transformer3w_from_parameters(net, 0, a, b, **T3, name="T3")
    pp.create_load(net, a, 0.1, 0.02, name="la")
    pp.create_load(net, b, 0.08, 0.01, name="lb")


def tap(net):
    net.trafo["tap_pos"] = -2


def low_side_tap(net):
    net.trafo["tap_side"], net.trafo["tap_pos"] = "lv", 1


def two_transformers(net):
    net.trafo["parallel"] = 2


def capacitor(net):
    pp.create_shunt(net, 3, -0.02, name="bank")


def reactor(net):
    pp.create_shunt(net, 3, 0.01, vn_kv=0.42, step=2, name="coil")


def impedance(net):
    bus = pp.create_bus(net, 0.4, name="behind")
    pp.create_impedance(net, 3, bus, 0.01, 0.02, 0.1, name="Z")
    pp.create_load(net, bus, 0.01, name="h3")


def controller(net):
    from pandapower.control import DiscreteTapControl

    DiscreteTapControl(net, 0, 0.98, 1.02)


def unused_tables(net):
    import pandas as pd

    net["loadcases"] = pd.DataFrame({"load": [0.1]}, index=["peak"])
    pp.create_measurement(net, "v", "bus", 1.0, 0.01, 1)
    pp.create_poly_cost(net, 0, "ext_grid", 1.0)


READ = {
    one.__name__: one
    for one in (
        storage, generator, same_name, scaling, switch_with_impedance, closed_switch, open_line_switch,
        open_line_that_charges, ring, charging,
        dead_bus, out_of_service, two_grids, third_winding, tap, low_side_tap, two_transformers, capacitor, reactor,
        impedance, controller, unused_tables,
    )
}  # fmt: skip


def made(spoil=None):
    net = street()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if spoil:
            spoil(net)
    return net


def saved(net, folder):
    path = folder / "net.json"
    pp.to_json(copy.deepcopy(net), str(path))
    return path


def powers(network, net):
    """(L,) VA of each port, from the rows that each connection stands for."""
    s = np.zeros(len(network.connections.port_plus), dtype=complex)
    for position, name in enumerate(network.connections.id):
        ports = network.connections.port_connection == position
        for element in network.own_elements[name]:
            table, row = element.rsplit(".", 1)
            one = net[table].loc[int(row)]
            sign = 1 if table == "sgen" else -1
            s[ports] += sign * 1e6 * complex(one.p_mw, one.q_mvar) * one.scaling / ports.sum()
    return s


def solved(network, net):
    reduced = scaled(reduce(network), base_of(network))
    flow = solve(reduced, powers(network, net), tol_v=1e-8)
    assert flow.converged.all()
    return dict(zip(reduced.voltage_names, voltages(reduced, flow)[0], strict=True))


@pytest.mark.parametrize("why", READ)
def test_a_construct_is_read_as_pandapower_reads_it(tmp_path, why):
    net = made(READ[why])
    feeder = read_feeder(saved(net, tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pp.runpp(net, trafo_model="pi", tolerance_mva=1e-11, calculate_voltage_angles=True, numba=False)
    ours, compared = solved(feeder.network, net), 0
    for bus, row in net.bus.iterrows():
        name = f"node {row['name']}, phase a"
        if name in ours:
            nominal_v = row.vn_kv * 1e3 / math.sqrt(3)
            assert ours[name] / nominal_v == pytest.approx(net.res_bus.vm_pu[bus], abs=1e-6)
            compared += 1
    assert compared >= 4


def test_a_second_grid_is_audited_by_opendss(tmp_path):
    net = made(two_grids)
    net.trafo["pfe_kw"] = net.trafo["i0_percent"] = 0.0  # OpenDSS puts the core elsewhere
    network = read_feeder(saved(net, tmp_path)).network
    reduced = reduce(network)
    s = powers(network, net)
    found = circuit_of(reduced).solve(s[None, :], 1.01 * network.source.v)
    np.testing.assert_allclose(
        found.voltages, voltages(reduced, solve(reduced, s, 1.01 * network.source.v)), atol=1e-3, rtol=0
    )


def refused_by(name, **changes):
    def spoil(net):
        getattr(pp, f"create_{name}")(net, **changes)

    return spoil


REFUSED = {
    "a generator that holds its voltage": (
        refused_by("gen", bus=3, p_mw=0.01),
        "element type gen is not supported: .* give it in sgen",
    ),
    "several generators": (
        lambda net: [pp.create_gen(net, 3, p_mw=0.01) for _ in range(3)],
        "row 0, .* is not supported: .*; 3 of them, also in rows 1, 2",
    ),
    "a ward": (refused_by("ward", bus=3, ps_mw=0, qs_mvar=0, pz_mw=0.01, qz_mvar=0), "element type ward"),
    "an xward": (
        refused_by("xward", bus=3, ps_mw=0, qs_mvar=0, pz_mw=0, qz_mvar=0, r_ohm=1, x_ohm=1, vm_pu=1),
        "element type xward",
    ),
    "a direct-current line": (
        refused_by("dcline", from_bus=1, to_bus=3, p_mw=0.01, loss_percent=1, loss_mw=0, vm_from_pu=1, vm_to_pu=1),
        "element type dcline",
    ),
    "a motor": (refused_by("motor", bus=3, pn_mech_mw=0.01, cos_phi=0.9), "element type motor"),
    "a shunt with losses": (refused_by("shunt", bus=3, q_mvar=0.0, p_mw=0.01), "a shunt that takes active power"),
    "a phase shifter": (
        lambda net: net.trafo.__setitem__("tap_pos", 1) or net.trafo.__setitem__("tap_step_degree", 10.0),
        "phase-shifting tap changers are not supported",
    ),
    "a tap table": (
        lambda net: net.trafo.__setitem__("tap_dependency_table", True),
        "tabulated tap changers are not supported",
    ),
    "no grid": (lambda net: net.ext_grid.__setitem__("in_service", False), "0 external grids in service"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_construct_is_refused_by_table_and_row(tmp_path, why):
    spoil, said = REFUSED[why]
    with pytest.raises(FileError, match=said):
        read_feeder(saved(made(spoil), tmp_path))


def test_a_table_of_unknown_meaning_that_stands_at_a_bus_is_refused(tmp_path):
    path = saved(made(), tmp_path)
    content = json.loads(path.read_text())
    table = {"columns": ["bus", "p_mw"], "index": [0], "data": [[2, 0.1]]}
    content["_object"]["flux_capacitor"] = {"_class": "DataFrame", "_object": json.dumps(table)}
    path.write_text(json.dumps(content))
    with pytest.raises(FileError, match="row 0, field flux_capacitor: element type flux_capacitor is not supported"):
        read_feeder(path)


def test_what_is_left_out_is_named(tmp_path):
    _, findings = check_folder(saved(made(lambda net: [controller(net), unused_tables(net)]), tmp_path))
    named = {f.element: f.detail for f in findings if f.code == "not_used"}
    assert named.keys() == {"table controller", "table loadcases", "table measurement", "table poly_cost"}
    assert "taps are where the file has them" in named["table controller"]


def test_power_that_depends_on_voltage_is_taken_at_nominal_voltage_and_said(tmp_path):
    def spoil(net):
        net.load["const_z_p_percent"] = net.load["const_z_q_percent"] = [40.0, 0.0]

    feeder, findings = check_folder(saved(made(spoil), tmp_path))
    assert feeder.network.connections.id == ("h1", "h2")
    said = [f.detail for f in findings if "depends on voltage" in f.detail]
    assert said == ["h1: 40 % of its power depends on voltage; taken at nominal voltage"]


def test_one_name_at_two_buses_is_two_connections(tmp_path):
    network = read_feeder(saved(made(same_name), tmp_path)).network
    assert network.connections.id == ("load.h1", "h2", "sgen.h1")
    assert network.own_elements == {"load.h1": ("load.0",), "h2": ("load.1",), "sgen.h1": ("sgen.0",)}


@pytest.mark.parametrize(
    ("power", "kind", "phase"),
    [
        ({"a": 1}, "wye", "a"),
        ({"a": 1, "c": 1}, "wye", "a+c"),
        ({"a": 1, "b": 1, "c": 1}, "wye", "abc"),
        ({"b": 1}, "delta", "bc"),
        ({"a": 1, "b": 1}, "delta", "ab+bc"),
        ({"a": 1, "b": 1, "c": 1}, "delta", "delta"),
        ({}, "wye", "unknown"),
    ],
)
def test_an_asymmetric_load_stands_at_the_phases_that_have_power(tmp_path, power, kind, phase):
    def spoil(net):
        pp.create_asymmetric_load(net, 3, **{f"p_{p}_mw": 0.001 * v for p, v in power.items()}, type=kind, name="x")

    network = read_feeder(saved(made(spoil), tmp_path)).network
    assert network.connections.phase[network.connections.id.index("x")] == phase
