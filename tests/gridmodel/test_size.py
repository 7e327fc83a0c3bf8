"""Networks of any size: solved as a whole without dense arrays, and divided at their distribution transformers."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from gridmodel import GridError, read_feeder, reduce, solve, voltages
from gridmodel.commands import app
from gridmodel.flow import kron
from gridmodel.flow.parts import split
from gridmodel.flow.power_flow import currents
from gridmodel.flow.sparse_flow import SparseFlow
from gridmodel.flow.taps import base_of, scaled
from gridmodel.model import admittance as build
from gridmodel.model.feeder import port_va
from gridmodel.model.network import Network
from tests.gridmodel.street import HEAD, TAIL, write
from tests.gridmodel.town import write_town

US = """\
Clear
New Circuit.us basekv=12.47 pu=1.03 phases=3 bus1=head MVAsc3=120 MVAsc1=100
New Linecode.wire nphases=1 r1=0.4 x1=0.5 r0=0.4 x0=0.5 c1=0 c0=0 units=km normamps=150
New Linecode.three nphases=3 r1=0.3 x1=0.5 r0=0.6 x0=1.2 c1=8 c0=4 units=km normamps=300
New Linecode.drop nphases=2 r1=0.5 x1=0.2 r0=0.6 x0=0.3 c1=0 c0=0 units=km normamps=200
New Line.trunk bus1=head bus2=mid linecode=three length=2 units=km
New Line.side bus1=mid.2 bus2=far.2 linecode=wire length=1 units=km
New Transformer.pole phases=1 windings=3 buses=(far.2 yard.1.0 yard.0.2) kvs=(7.2 .12 .12) kvas=(25 25 25)
~ xhl=2.1 xht=2.1 xlt=1.4 %loadloss=1.2
New Line.drop bus1=yard.1.2 bus2=home.1.2 linecode=drop length=30 units=m
New Transformer.pad phases=3 windings=2 buses=(mid shop.1.2.3.0) conns=(delta wye) kvs=(12.47 .208) kvas=(75 75) xhl=4
New Load.home bus1=home.1.2 phases=2 kv=.208 kw=4 pf=.95
New Load.shop bus1=shop phases=3 kv=.208 kw=20 pf=.9
New Load.mill bus1=mid phases=3 kv=12.47 kw=300 pf=.9
"""
US_TAIL = "Set VoltageBases=[12.47 .208]\nCalcVoltageBases\nSolve\n"


@pytest.fixture(scope="module")
def town(tmp_path_factory) -> Network:
    return read_feeder(write_town(tmp_path_factory.mktemp("town"), 3, 2, 3)).network


@pytest.fixture(scope="module")
def circuit(tmp_path_factory) -> Network:
    """A circuit of which the admittances alone are known, with a split service and a customer at medium voltage."""
    return read_feeder(write(tmp_path_factory.mktemp("us"), head=US, tail=US_TAIL)).network


def drawn(network: Network, count: int = 3) -> np.ndarray:
    """(S, L) VA at the ports."""
    rng = np.random.default_rng(1)
    shape = count, len(network.connections)
    return port_va(network, rng.uniform(-4e3, 2e3, shape) + 1j * rng.uniform(-1e3, 1e3, shape))


def test_a_whole_network_solves_to_what_the_reduced_one_does(town, circuit):
    for network in (town, circuit):
        s = drawn(network)
        whole, reduced = SparseFlow(network), scaled(reduce(network), base_of(network))
        found, flow = whole.solve(s), solve(reduced, s, tol_v=1e-9)
        assert found.converged.all()
        np.testing.assert_allclose(whole.voltages(found.v), voltages(reduced, flow), rtol=1e-9)
        np.testing.assert_allclose(whole.currents(found.v), currents(reduced, flow), rtol=1e-6, atol=1e-6)


def test_more_power_than_a_network_carries_is_no_solution_beside_others_that_are(town):
    s = drawn(town)
    s[1] *= 1_000.0
    found = SparseFlow(town).solve(s)
    assert found.converged.tolist() == [True, False, True]
    assert np.isnan(found.v[1]).all()
    assert np.isfinite(found.v[2]).all()


def at_heads(network: Network, s: np.ndarray) -> float:
    """Greatest difference, over nominal, between the whole and its parts at the voltages of their heads."""
    parts, whole = split(network), SparseFlow(network)
    assert parts is not None
    v = whole.solve(s).v[0]
    at = {(network.nodes.id[n], network.terminal_phase[t]): v[t] for t, n in enumerate(network.terminal_node)}
    of = dict(zip(network.connections.id, range(len(network.connections)), strict=True))
    worst = 0.0
    for part in parts.low.values():
        ports = np.isin(network.connections.port_connection, [of[name] for name in part.connections.id])
        head = part.nodes.id[part.source.node]
        source = [at.get((head, phase), e) for phase, e in zip("abc", part.source.v, strict=True)]
        found = SparseFlow(part).solve(s[:, ports], np.array(source)).v[0]
        for t, n in enumerate(part.terminal_node):
            there = at.get((part.nodes.id[n], part.terminal_phase[t]))
            if there is not None:
                worst = max(worst, abs(found[t] - there) / abs(there))
    return worst


def test_parts_at_their_heads_voltages_are_the_whole(town, circuit):
    """By what they are made of, and by admittances; customers at medium voltage are parts by themselves."""
    for network in (town, replace(town, equipment=None), circuit):
        assert at_heads(network, drawn(network, 1)) < 1e-9
    assert sorted(split(town).low) == ["t0", "t1", "t2"]
    found = split(circuit)
    assert sorted(found.low) == ["mill", "pad", "pole"]
    assert dict(zip(found.medium.connections.id, found.medium.connections.phase, strict=True)) == {
        "pole": "b", "pad": "abc", "mill": "abc",
    }  # fmt: skip
    assert found.low["pole"].connections.id == ("home",)


def test_what_can_not_be_divided_is_said_or_left_whole(town, tmp_path):
    assert split(read_feeder(write(tmp_path)).network) is not None
    low = HEAD.replace("basekv=11", "basekv=0.42").replace("(11 0.42)", "(0.42 0.42)")
    assert split(read_feeder(write(tmp_path, head=low, tail=TAIL)).network) is None
    equipment = town.equipment
    line = next(line for line in equipment.lines if line.id.startswith("lp"))
    bridge = replace(line, id="bridge", from_node="bar0", to_node="bar1")
    with pytest.raises(GridError, match=r"transformer t1: .*supplied from several nodes"):
        split(build.network(replace(equipment, lines=(*equipment.lines, bridge))))


def test_checking_showing_and_drawing_never_reduce_a_network(tmp_path, monkeypatch):
    folder = write_town(tmp_path / "town", 2, 2, 2)

    def refuse(*_):
        raise AssertionError("a dense array of nodes and connections")

    monkeypatch.setattr(kron, "reduce", refuse)
    monkeypatch.setattr("gridmodel.reduce", refuse)
    assert CliRunner().invoke(app, ["check", str(folder)]).exit_code == 0
    shown = CliRunner().invoke(app, ["show", str(folder), "--out", str(tmp_path / "town.png"), "--json"])
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.output)["transformers"] == 2
    assert (tmp_path / "town.png").stat().st_size > 10_000


def test_a_circuit_is_shown_at_the_loads_of_its_file(tmp_path):
    path = write(tmp_path)
    shown = json.loads(CliRunner().invoke(app, ["show", str(path), "--json"]).output)
    assert shown["shown"] == "the loads of its file"
    feeder = read_feeder(path)
    reduced = scaled(reduce(feeder.network), base_of(feeder.network))
    flow = solve(reduced, port_va(feeder.network, -feeder.declared_va[None]))
    v = voltages(reduced, flow)[:, reduced.voltages_at_connections()]
    assert shown["min_voltage_v"] == pytest.approx(v.min(), rel=1e-7)
