"""The same feeder by four engines. Tolerances: power-grid-model 1e-6 V, OpenDSS 1e-4 V, pandapower 1e-3 V."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmodel import GridError, currents, port_va, reduce, solve, voltages
from gridmodel.model import admittance as build
from gridmodel.model.equipment import Capacitor
from gridmodel.readers import opendss, pandapower
from gridmodel.readers.example_feeders import european_lv, european_lv_file
from gridmodel.solvers import power_grid_model as audit
from gridmodel.solvers.opendss import Circuit, circuit_of
from gridmodel.solvers.pandapower import Net
from tests.gridmodel.feeders import radial, radial_equipment, two_bus

RNG_W, RNG_VAR = 5e3, 1e3


def states(count: int, ports: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-RNG_W, RNG_W, (count, ports)) + 1j * rng.uniform(-RNG_VAR, RNG_VAR, (count, ports))


def assert_agree(reduced, ours, theirs, volts: float, amps: float):
    """Every port voltage, node voltage and branch current that both know."""
    assert ours.converged.all()
    assert theirs.flow.converged.all()
    known = ~np.isnan(theirs.voltages)
    assert known.mean() > 0.98
    np.testing.assert_allclose(theirs.flow.v, ours.v, atol=volts, rtol=0)
    np.testing.assert_allclose(theirs.voltages[known], voltages(reduced, ours)[known], atol=volts, rtol=0)
    known = ~np.isnan(theirs.currents)
    assert known.mean() > 0.98
    np.testing.assert_allclose(theirs.currents[known], currents(reduced, ours)[known], atol=amps, rtol=0)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.sampled_from([30.0, 150.0, 330.0]), tap=st.sampled_from([0.95, 1.0, 1.05]))
def test_power_grid_model_on_random_feeders(seed, shift, tap):
    changes = {"shift_degree": shift, "tap_ratio": tap, "magnetising_pu": 0.001 - 0.004j, "z0_pu": 0.02 + 0.03j}
    reduced = reduce(radial(10, seed, **changes))
    s = states(3, 10, seed)
    assert_agree(reduced, solve(reduced, s, tol_v=1e-8), audit.solve(reduced, s), 1e-6, 1e-6)


def test_power_grid_model_on_a_star_star_transformer():
    reduced = reduce(radial(6, connection="YNyn", shift_degree=0.0))
    s = states(4, 6)
    assert_agree(reduced, solve(reduced, s), audit.solve(reduced, s), 1e-6, 1e-6)


def test_power_grid_model_on_three_phase_customers():
    reduced = reduce(two_bus("abc"))
    s = states(5, 3)
    assert_agree(reduced, solve(reduced, s), audit.solve(reduced, s), 1e-6, 1e-6)


def test_power_grid_model_on_the_european_feeder():
    reduced = reduce(european_lv().network)
    s = states(12, reduced.ports)
    assert_agree(reduced, solve(reduced, s), audit.solve(reduced, s), 1e-6, 1e-6)


def test_power_grid_model_on_the_australian_day(lv28):
    """The measured day, its unbalanced head voltage, and random power on top."""
    reduced = reduce(lv28.network)
    steps = np.arange(0, 288, 36)
    s = port_va(lv28.network, lv28.profile.net_va()[steps]) + states(len(steps), reduced.ports)
    source = lv28.profile.source_v[steps]
    assert_agree(reduced, solve(reduced, s, source), audit.solve(reduced, s, source), 1e-6, 1e-6)


def test_power_grid_model_marks_what_has_no_solution():
    reduced = reduce(radial(4))
    s = states(3, 4)
    s[1] = -1e7
    found = audit.solve(reduced, s, max_iterations=50)
    np.testing.assert_array_equal(found.flow.converged, [True, False, True])
    assert np.isnan(found.voltages[1]).all()


def test_power_grid_model_says_what_it_cannot_model():
    with pytest.raises(GridError, match="OpenDSS"):
        audit.solve(reduce(two_bus("delta")), states(1, 3))
    with pytest.raises(GridError, match="no lines of phases a"):
        audit.solve(reduce(two_bus("a")), states(1, 1))


OWN_VALUES = (
    "Edit Transformer.hv_F0_LV28_TX %noloadloss=0 ppm_antifloat=0",
    *(f"Edit Vsource.{name} MVAsc3=1e9 MVAsc1=1e9" for name in ("source", "source2", "source3")),
)


def test_opendss_on_the_australian_feeder(lv28, lv28_folder):
    """The published OpenDSS files; no-load losses and source impedance, which the pandapower file lacks, taken out."""
    reduced = reduce(lv28.network)
    circuit = Circuit(lv28_folder / "opendss" / "Master.txt", reduced, commands=OWN_VALUES)
    s, source = states(6, reduced.ports), lv28.profile.source_v[::50]
    assert_agree(reduced, solve(reduced, s, source), circuit.solve(s, source), 1e-4, 1e-4)


def test_opendss_on_what_was_read_from_opendss(lv28_folder):
    master = lv28_folder / "opendss" / "Master.txt"
    network, pv_va, _ = opendss.read_network(master)
    reduced = reduce(network)
    assert len(network.connections) == 114
    assert sum(pv_va.values()) == pytest.approx(175e3)
    s = states(4, reduced.ports)
    assert_agree(reduced, solve(reduced, s), Circuit(master, reduced).solve(s), 1e-6, 1e-6)


GROUPS = [("Dyn", 30.0 * clock) for clock in (1, 3, 5, 7, 9, 11)] + [("YNyn", 120.0 * k) for k in range(3)]


@pytest.mark.parametrize(("connection", "shift"), GROUPS)
@pytest.mark.parametrize("side", ["hv", "lv"])
def test_opendss_on_circuits_written_from_equipment(connection, shift, side):
    changes = {"tap_ratio": 1.05, "tap_side": side, "z0_pu": 0.02 + 0.03j}
    reduced = reduce(radial(6, 3, connection=connection, shift_degree=shift, **changes))
    s = states(3, 6)
    assert_agree(reduced, solve(reduced, s), circuit_of(reduced).solve(s), 1e-5, 1e-5)


@pytest.mark.parametrize("phases", ["abc", "bc"])
def test_opendss_on_a_written_circuit_with_a_capacitor(phases):
    given = radial_equipment(4, 2)
    bank = Capacitor("K", given.connections[1].node, phases, 15e3)
    reduced = reduce(build.network(replace(given, capacitors=(bank,))))
    s = states(3, 4)
    assert_agree(reduced, solve(reduced, s), circuit_of(reduced).solve(s), 1e-5, 1e-5)


def test_opendss_puts_a_core_elsewhere():
    """It stands behind the whole short-circuit impedance there and in the middle of it here: hundredths of a volt."""
    reduced = reduce(radial(6, 3, magnetising_pu=0.001 - 0.004j))
    s = states(3, 6)
    assert_agree(reduced, solve(reduced, s), circuit_of(reduced).solve(s), 0.03, 0.01)


def test_opendss_on_circuits_without_what_nobody_watches(lv28):
    for feeder, source in ((lv28, lv28.profile.source_v[::50]), (european_lv(), None)):
        whole = reduce(feeder.network)
        reduced = whole.watching(voltages=whole.voltages_at_connections())
        s = states(6, reduced.ports)
        flow, found = solve(reduced, s, source), circuit_of(reduced).magnitudes(s, source)
        assert found.converged.all()
        np.testing.assert_allclose(found.v_v, voltages(reduced, flow), atol=1e-5, rtol=0)
        np.testing.assert_allclose(found.i_a, currents(reduced, flow), atol=1e-5, rtol=0)


def test_opendss_says_what_it_cannot_model():
    with pytest.raises(GridError, match="vector group Yzn1"):
        circuit_of(reduce(radial(2, connection="Yzn")))
    with pytest.raises(GridError, match="admittances only"):
        circuit_of(reduce(replace(radial(2), equipment=None)))


def test_both_readings_of_the_australian_feeder_are_the_same_network(lv28, lv28_folder):
    network, _, _ = opendss.read_network(lv28_folder / "opendss" / "Master.txt")
    order = [network.connections.id.index(f"hv_f0_lv28_{name}") for name in lv28.network.connections.id]
    np.testing.assert_allclose(reduce(network).Z[np.ix_(order, order)], reduce(lv28.network).Z, atol=5e-5)
    assert np.nanmin(network.branches.rating_a) == np.nanmin(lv28.network.branches.rating_a)


def test_pandapower_on_the_european_feeder():
    """pandapower's source is stiff in positive sequence, and its core shunts the zero sequence: both are set aside."""
    pp = pytest.importorskip("pandapower")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = pp.networks.ieee_european_lv_asymmetric("on_peak_566")
        net.trafo["mag0_percent"], net.ext_grid["s_sc_max_mva"] = 1e8, 1e9
        pp.runpp_3ph(net, numba=False, tolerance_mva=1e-10)
    network = build.network(pandapower.read_equipment(net))
    reduced = reduce(network)
    flow = solve(reduced, -loads_va(pandapower.open_net(net)))
    ours = dict(zip(reduced.voltage_names, voltages(reduced, flow)[0], strict=True))
    names = net.bus.name.to_dict()
    for bus, kv in net.bus.vn_kv.items():
        for phase in "abc":
            theirs = net.res_bus_3ph.at[bus, f"vm_{phase}_pu"] * kv * 1e3 / math.sqrt(3)
            assert ours[f"node {names[bus]}, phase {phase}"] == pytest.approx(theirs, abs=1e-3 if kv < 1 else 0.1)


@pytest.mark.parametrize(
    "changes",
    [
        {"z0_pu": 0.02 + 0.03j, "magnetising_pu": 0.001 - 0.004j, "tap_ratio": 1.05},
        {"connection": "YNyn", "shift_degree": 0.0, "tap_ratio": 0.95, "tap_side": "lv"},
    ],
)
def test_pandapower_on_nets_made_from_equipment(changes):
    whole = reduce(radial(5, 3, **changes))
    reduced = whole.watching(voltages=whole.voltages_at_connections())
    s = states(1, 5)
    flow, found = solve(reduced, s), Net(reduced).magnitudes(s)
    assert found.converged.all()
    np.testing.assert_allclose(found.v_v, voltages(reduced, flow), atol=1e-4, rtol=0)
    np.testing.assert_allclose(found.i_a, currents(reduced, flow), atol=1e-4, rtol=0)


def test_pandapower_says_what_it_cannot_model():
    given = radial_equipment(2)
    with pytest.raises(GridError, match="its phases differ"):
        Net(reduce(build.network(replace(given, lines=tuple(map(uneven, given.lines))))))
    with pytest.raises(GridError, match="pandapower has no phase-to-phase"):
        Net(reduce(two_bus("delta")))
    with pytest.raises(GridError, match="source is balanced"):
        Net(reduce(two_bus("abc"))).magnitudes(np.zeros((1, 3)), np.array([230, -100 - 200j, -100 + 200j]))


def uneven(line):
    return replace(line, z_ohm=line.z_ohm * np.array([[1.0, 1, 1], [1, 1.2, 1], [1, 1, 1]]))


def loads_va(file):
    return np.array(
        [
            sum(complex(row.number(f"p_{p}_mw"), row.number(f"q_{p}_mvar")) * 1e6 for p in "abc")
            for row in file.table("asymmetric_load")
        ]
    )


def test_the_published_snapshot_of_the_european_feeder():
    """Four engines agree on these (on peak, 566 min); the core's zero-sequence shunt moves them by up to 0.2 V."""
    file = european_lv_file("on_peak_566")
    network = build.network(file.equipment())
    reduced = reduce(network)
    flow = solve(reduced, -loads_va(file))
    ours = dict(zip(reduced.voltage_names, voltages(reduced, flow)[0], strict=True))
    expected = {
        "LOAD1": (251.405, 249.795, 252.582),
        "LOAD32": (249.262, 240.791, 254.961),
        "LOAD53": (249.364, 239.275, 255.296),
    }
    for name, volts in expected.items():
        node = network.nodes.id[network.connections.node[network.connections.id.index(name)]]
        for phase, v in zip("abc", volts, strict=True):
            assert ours[f"node {node}, phase {phase}"] == pytest.approx(v, abs=0.2)


def test_an_audit_needs_equipment():
    bare = replace(radial(2), equipment=None)
    with pytest.raises(GridError, match="admittances only"):
        audit.solve(reduce(bare), states(1, 2))
