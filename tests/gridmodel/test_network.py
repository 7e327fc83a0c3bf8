"""Admittances of lines and transformers, elimination, and what is refused."""

import math
from dataclasses import replace

import numpy as np
import pytest

from gridmodel import GridError, currents, reduce, solve, voltages
from gridmodel.arrays import TURN
from gridmodel.flow.kron import admittance, energised
from gridmodel.model.admittance import network, sequence_matrix
from gridmodel.model.equipment import Node
from gridmodel.model.feeder import port_share
from tests.gridmodel.feeders import V, equipment, line, radial, radial_equipment, transformer, two_bus


def test_sequence_matrix_has_equal_self_and_mutual_terms():
    z = sequence_matrix(1.2 + 0.1j, 0.3 + 0.08j)
    np.testing.assert_allclose(np.diag(z), (1.2 + 0.1j + 2 * (0.3 + 0.08j)) / 3)
    np.testing.assert_allclose(z[0, 1:], (1.2 + 0.1j - (0.3 + 0.08j)) / 3, atol=1e-12)


def test_admittance_rows_sum_to_zero_without_shunts():
    y = admittance(radial(6)).toarray()
    lv = [k for k in range(len(y)) if k >= 9]  # transformer excepted: its ratio is not one
    np.testing.assert_allclose(y[lv].sum(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(y, y.conj().T.conj(), atol=1e-9)


@pytest.mark.parametrize(("shift", "connection"), [(30.0, "Dyn"), (150.0, "Dyn"), (-30.0, "Dyn"), (0.0, "YNyn")])
def test_no_load_voltage_has_the_rated_ratio_and_the_shift_of_the_vector_group(shift, connection):
    net = radial(1, connection=connection, shift_degree=shift)
    reduced = reduce(net)
    v = reduced.Wn @ net.source.v
    at = reduced.voltage_names.index("node lv0, phase a")
    ratio = v[at] / net.source.v[0]
    assert abs(ratio) == pytest.approx(400 / 11_000, rel=1e-6)
    assert np.angle(ratio, deg=True) == pytest.approx(-shift, abs=1e-4)
    assert v[at + 1] / v[at] == pytest.approx(1 / TURN, rel=1e-9)


@pytest.mark.parametrize(("side", "expected"), [("hv", 1 / 1.05), ("lv", 1.05)])
def test_a_tap_turns_the_ratio(side, expected):
    plain, tapped = (reduce(radial(1, **changes)) for changes in ({}, {"tap_ratio": 1.05, "tap_side": side}))
    np.testing.assert_allclose(np.abs(tapped.no_load() / plain.no_load()), expected, rtol=1e-4)


def test_a_delta_winding_shares_a_single_phase_load_between_two_lines():
    """Single-phase current on the earthed star side flows in two lines of the delta side, by the turns ratio."""
    base = radial_equipment(1)
    mains = line("M", "mv", "mv2", z_ohm=np.eye(3) * 0.1 + 0j)
    nodes = (*base.nodes, Node("mv2", base.nodes[0].nominal_v))
    net = network(replace(base, nodes=nodes, lines=(*base.lines, mains), transformers=(transformer(hv_node="mv2"),)))
    reduced = reduce(net)
    flow = solve(reduced, np.array([-10_000.0]))
    amps = [currents(reduced, flow)[0, k] for k, n in enumerate(reduced.current_names) if n.startswith("line M")]
    expected = abs(flow.i[0, 0]) * 400 / 11_000 / math.sqrt(3)
    np.testing.assert_allclose(sorted(amps), [0, expected, expected], atol=1e-6 * expected + 1e-9)


def test_star_without_earth_return_lets_no_zero_sequence_through():
    """Yyn with an ideal core has no path for single-phase load: the model is singular, and says so."""
    with pytest.raises(GridError, match="no path to earth"):
        reduce(radial(1, connection="Yd", shift_degree=30.0))


def test_yyn_has_the_zero_sequence_impedance_of_its_core():
    z_core = 0.4 + 0.9j
    net = radial(1, connection="Yyn", shift_degree=0.0, z0_magnetising_pu=z_core)
    base_ohm = 400.0**2 / 200e3
    at_lv = [k for k, name in enumerate(reduce(net).voltage_names) if name.startswith("node lv0")]
    lv = network(replace(net.equipment, connections=(replace(net.equipment.connections[0], node="lv0", phase="abc"),)))
    z = reduce(lv).Z
    zero = z.sum() / 3
    assert zero == pytest.approx((0.01 + 0.036j + z_core) * base_ohm, rel=1e-6)
    assert len(at_lv) == 3


def test_unknown_vector_group_is_refused():
    with pytest.raises(GridError, match="T1: vector group 'Zzz'"):
        radial(1, connection="Zzz")


def test_a_line_with_an_open_end_carries_nothing():
    base = radial_equipment(3)
    opened = tuple(replace(x, closed=(True, False)) if x.id == "L3" else x for x in base.lines)
    net = network(replace(base, lines=opened))
    assert "L3" not in net.branches.id
    assert not energised(net)[net.connections.port_plus[-1]]
    with pytest.raises(GridError, match="c3, phase"):
        reduce(net)


def test_a_line_of_no_length_is_a_joint():
    base = radial_equipment(3)
    joined = tuple(replace(x, length_m=0.0, z_ohm=x.z_ohm * 0) if x.id == "L3" else x for x in base.lines)
    net = network(replace(base, lines=joined))
    reduced = reduce(net)
    flow = solve(reduced, np.full(3, -5e3 + 0j))
    ends = dict(zip(reduced.voltage_names, voltages(reduced, flow)[0], strict=True))
    other = joined[2].from_node
    for phase in "abc":
        assert ends[f"node lv3, phase {phase}"] == pytest.approx(ends[f"node {other}, phase {phase}"], abs=1e-3)


def test_a_rated_line_with_much_charging_is_watched_at_both_ends():
    sea = np.eye(3) * 0.01j
    net = two_bus("abc", b_s=sea)
    assert list(reduce(net).current_side) == [0, 0, 0, 1, 1, 1]
    assert list(reduce(two_bus("abc")).current_side) == [0, 0, 0]


@pytest.mark.parametrize(
    ("why", "connections", "said"),
    [
        ("node is unknown", [("c1", "nowhere", "a")], "c1: node nowhere"),
        ("phase is unknown", [("c1", "end", "x")], "phase 'x'"),
        ("phase is not there", [("c1", "end", "b")], "node end has no phase b"),
    ],
)
def test_connections_that_cannot_be(why, connections, said):
    nodes, lines = [Node("source", V), Node("end", V, "a")], [line("L1", "source", "end", "a")]
    with pytest.raises(GridError, match=said):
        network(equipment(nodes, lines, connections))


def test_a_line_to_a_node_without_its_phase_is_refused():
    nodes = [Node("source", V), Node("end", V, "a")]
    with pytest.raises(GridError, match="L1: one of its nodes lacks a phase of ab"):
        network(equipment(nodes, [line("L1", "source", "end", "ab")], []))


def test_shares_of_a_connection_sum_to_one():
    for phase in ("a", "ab", "abc", "delta", "unknown"):
        assert port_share(two_bus(phase)).sum() == pytest.approx(1.0)


def test_a_stiff_supply_needs_no_node_of_its_own():
    assert two_bus().nodes.id == ("source", "end")
    assert radial(1).nodes.id[-1] == "supply"
