"""The audit by a file's own elements in its own engine: it agrees where the file was read right, else it tells."""

from dataclasses import replace

import numpy as np
import pytest

from gridmodel import GridError, read_feeder, reduce, solve, voltages
from gridmodel.flow.taps import base_of, scaled
from gridmodel.model.equipment import Connection
from gridmodel.model.network import PORT_PHASES, Terminals, connect
from gridmodel.solvers.own_file import breaches, injections_of, open_own_file, own_file_of
from tests.gridmodel.street import write
from tests.gridmodel.test_opendss_constructs import READ
from tests.gridmodel.test_pandapower_constructs import READ as NETS
from tests.gridmodel.test_pandapower_constructs import made, pp, saved

NUMBER = {"a": 1, "b": 2, "c": 3, "1": 1, "2": 2}


def drawn(network, seed, generate):
    """A power per connection; those that stand for an inverter alone do not take any."""
    rng = np.random.default_rng(seed)
    found = {}
    for name in network.connections.id:
        only_generates = network.own_elements[name][0].startswith(("pvsystem", "sgen", "asymmetric_sgen"))
        p = rng.uniform(500, 3000) * (1 if generate or only_generates else -1)
        found[name] = complex(p, rng.uniform(-500, 500))
    return found


def ours(network, powers):
    reduced = scaled(reduce(network), base_of(network))
    c = network.connections
    s = np.zeros((len(powers), reduced.ports), dtype=complex)
    for row, one in enumerate(powers):
        for position, name in enumerate(c.id):
            ports = c.port_connection == position
            s[row, ports] = one[name] / ports.sum()
    flow = solve(reduced, s, tol_v=1e-8)
    assert flow.converged.all()
    return reduced, voltages(reduced, flow)


def opendss_name(network, terminal):
    return f"bus {network.nodes.id[network.terminal_node[terminal]]}.{NUMBER[network.terminal_phase[terminal]]}"


@pytest.mark.parametrize("why", READ)
def test_an_opendss_file_agrees_with_what_was_read_from_it(tmp_path, why):
    network = read_feeder(write(tmp_path, READ[why])).network
    powers = [drawn(network, 1, generate=False), drawn(network, 2, generate=True)]
    found = own_file_of(network).solve([injections_of(network, one) for one in powers])
    assert found.converged.all()
    reduced, v = ours(network, powers)
    theirs = {name: found.v_v[:, k] for k, name in enumerate(found.voltage_names)}
    compared = 0
    for k, terminal in enumerate(reduced.node_terminal):
        name, nominal = opendss_name(network, terminal), reduced.node_nominal_v[k]
        if name in theirs and network.nodes.phases[network.terminal_node[terminal]] != "12n":
            np.testing.assert_allclose(v[:, k] / nominal, theirs[name] / nominal, atol=1e-6, rtol=0)
            compared += 1
    assert compared >= 12


@pytest.mark.parametrize(
    "why", [name for name in NETS if name not in {"charging", "out_of_service", "open_line_that_charges"}]
)
def test_a_pandapower_file_agrees_with_what_was_read_from_it(tmp_path, why):
    net = made(NETS[why])
    net.trafo["pfe_kw"] = net.trafo["i0_percent"] = 0.0
    net.trafo3w["pfe_kw"] = net.trafo3w["i0_percent"] = 0.0
    network = read_feeder(saved(net, tmp_path)).network
    powers = [drawn(network, 1, generate=False), drawn(network, 2, generate=True)]
    found = own_file_of(network).solve([injections_of(network, one) for one in powers], head=[1.0, 1.0])
    assert found.converged.all()
    reduced, v = ours(network, powers)
    theirs = {name: found.v_v[:, k] for k, name in enumerate(found.voltage_names)}
    known = [k for k, name in enumerate(reduced.voltage_names) if name.replace("node", "bus") in theirs]
    assert len(known) >= 12
    for k in known:
        name, nominal = reduced.voltage_names[k].replace("node", "bus"), reduced.node_nominal_v[k]
        np.testing.assert_allclose(v[:, k] / nominal, theirs[name] / nominal, atol=1e-6, rtol=0)


def test_single_phase_rows_of_pandapower_are_set_on_their_phase(tmp_path):
    def spoil(net):
        pp.create_asymmetric_load(net, 3, p_b_mw=0.001, name="home")

    net = made(spoil)
    net.trafo["pfe_kw"] = net.trafo["i0_percent"] = 0.0
    net.trafo["vector_group"] = "Dyn5"
    network = read_feeder(saved(net, tmp_path)).network
    powers = [{**dict.fromkeys(network.connections.id, 0j), "home": -8000.0 + 0j}]
    found = own_file_of(network).solve([injections_of(network, one) for one in powers])
    reduced, v = ours(network, powers)
    theirs = dict(zip(found.voltage_names, found.v_v[0], strict=True))
    for phase in "abc":
        k = reduced.voltage_names.index(f"node n2, phase {phase}")
        assert v[0, k] == pytest.approx(theirs[f"bus n2, phase {phase}"], abs=0.01)


def misread(network, name, phase):
    """The network with one connection on another phase."""
    c, nodes = network.connections, network.nodes
    given = [Connection(c.id[k], nodes.id[c.node[k]], phase if c.id[k] == name else c.phase[k]) for k in range(len(c))]
    index = {node: k for k, node in enumerate(nodes.id)}
    assert phase in PORT_PHASES
    return replace(network, connections=connect(given, index, Terminals(nodes.phases)))


def test_a_load_that_was_misread_does_not_pass_its_own_file(tmp_path):
    """A two-phase wye load taken between its phases: at its limit the real circuit is outside what was calculated."""
    network = read_feeder(write(tmp_path, READ["two phases to earth"])).network
    wrong = misread(network, "x", "ab")
    powers = [{"x": x, "corner_shop": 0j, "yard_flat": 0j} for x in (-25e3 + 0j, 25e3 + 0j)]
    found = own_file_of(network).solve([injections_of(network, one) for one in powers])
    for taken, agrees in ((network, True), (wrong, False)):
        reduced, v = ours(taken, powers)
        share = v / reduced.node_nominal_v
        said = breaches(found, (share.min() - 1e-5, share.max() + 1e-5), loading_most=9.0)
        assert (said == []) is agrees
        assert agrees or any("bus yard" in line for line in said)


def test_transformers_are_rated_at_every_winding_and_lines_at_both_ends(tmp_path):
    own = open_own_file(write(tmp_path, "Transformer.tx.wdg=1 tap=0.95\n"))
    found = own.solve([{"load.corner_shop": -53e3 + 0j, "load.yard_flat": -50e3 + 0j}])
    loading = dict(zip(found.loading_names, found.loading[0], strict=True))
    assert {"transformer tx, winding 1", "transformer tx, winding 2", "line first, end 1", "line first, end 2"} <= set(
        loading
    )
    kva = 53.0 / (160.0 / 3)
    assert loading["transformer tx, winding 2"] == pytest.approx(kva, rel=0.15)
    said = breaches(found, (0.5, 1.5), loading_most=0.3)
    assert any("transformer tx, winding 1 carries" in line for line in said)


def test_the_head_of_every_source_moves_with_the_case(tmp_path):
    own = open_own_file(write(tmp_path, READ["a second source"]))
    found = own.solve([{}, {}], head=[1.0, 1.02])
    hv = found.voltage_names.index("bus hv.1")
    assert found.v_v[1, hv] / found.v_v[0, hv] == pytest.approx(1.02, rel=1e-5)


def test_what_cannot_be_set_is_refused_by_name(tmp_path):
    own = open_own_file(write(tmp_path, READ["an inverter"]))
    with pytest.raises(GridError, match=r"load.ghost is no load, inverter, generator or storage"):
        own.solve([{"load.ghost": 1}])
    with pytest.raises(GridError, match=r"pvsystem.p cannot take power"):
        own.solve([{"pvsystem.p": -1000}])
    network = read_feeder(write(tmp_path, READ["an inverter"])).network
    with pytest.raises(GridError, match="connection ghost: no element of the file"):
        injections_of(network, {"ghost": 1})


def test_what_pandapower_cannot_solve_by_itself_is_refused_with_its_words(tmp_path):
    net = made(lambda net: pp.create_asymmetric_load(net, 3, p_b_mw=0.001, name="home"))
    net.trafo["vector_group"] = "YNd11"
    own = open_own_file(saved(net, tmp_path))
    with pytest.raises(GridError, match=r"pandapower does not solve the file: .* vector groups"):
        own.solve([{}])


def test_a_pandapower_file_loads_no_class_that_it_names(tmp_path):
    """A file can name any class and module; the audit makes its network of plain tables."""
    path = saved(made(), tmp_path)
    text = path.read_text().replace('"_module": "pandapower.auxiliary"', '"_module": "antigravity"')
    path.write_text(text.replace('"_class": "pandapowerNet"', '"_class": "Popen"'))
    own = open_own_file(path)
    assert own.solve([{"load.0": -1000}]).converged.all()


def test_customers_of_another_table_are_not_those_of_the_file(tmp_path):
    write(tmp_path).rename(tmp_path / "Master.dss")
    (tmp_path / "customers.csv").write_text("customer,bus,phase\ncorner_shop,yard,a\n")
    assert own_file_of(read_feeder(tmp_path).network) is None
