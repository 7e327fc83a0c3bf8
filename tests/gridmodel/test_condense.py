"""Feeders with fewer nodes are the same feeders at the nodes that are kept."""

from dataclasses import replace

import numpy as np

from gridmodel import currents, reduce, solve, voltages
from gridmodel.model import admittance as build
from gridmodel.readers.example_feeders import european_lv
from gridmodel.solvers import power_grid_model as audit
from gridmodel.solvers.merge_lines import condensed
from tests.gridmodel.feeders import line, radial_equipment


def test_the_european_feeder_by_a_ninth_of_its_nodes():
    feeder = european_lv()
    whole = reduce(feeder.network)
    small = condensed(feeder.network.equipment, ())
    assert len(small.equipment.nodes) < 120
    again = reduce(build.network(small.equipment))
    np.testing.assert_allclose(again.Z, whole.Z, atol=1e-12)
    np.testing.assert_allclose(again.W, whole.W, atol=1e-12)


def test_an_audit_of_a_few_places_leaves_out_the_others():
    reduced = reduce(european_lv().network)
    s = np.random.default_rng(2).uniform(-5e3, 5e3, (4, reduced.ports)).astype(complex)
    few = reduced.watching(voltages=reduced.voltages_at_connections())
    model = audit.Model(few)
    assert len(model.data.node_at) < 120
    flow, found = solve(few, s, tol_v=1e-8), model.magnitudes(s)
    assert found.converged.all()
    np.testing.assert_allclose(found.v_v, voltages(few, flow), atol=1e-6, rtol=0)
    np.testing.assert_allclose(found.i_a, currents(few, flow), atol=1e-5, rtol=0)


def test_what_is_joined_and_what_ends_nowhere():
    equipment = radial_equipment(3, seed=1)
    end = equipment.lines[-1].to_node
    nodes = tuple(replace(equipment.nodes[1], id=name) for name in ("m1", "m2", "dead", "far"))
    chain = (line("A", end, "m1"), line("B", "m2", "m1", rating_a=90.0), line("C", "m2", "far"))
    lines = (*chain, line("D", "m1", "dead"))
    longer = replace(equipment, nodes=(*equipment.nodes, *nodes), lines=(*equipment.lines, *lines))
    small = condensed(longer, ("far",))
    assert {node.id for node in small.equipment.nodes} == {*(n.id for n in equipment.nodes), "far"}
    assert small.part_of["A"] == small.part_of["B"] == small.part_of["C"]
    assert "D" not in small.part_of
    joined = next(x for x in small.equipment.lines if x.id == small.part_of["A"])
    assert {joined.from_node, joined.to_node} == {end, "far"}
    assert joined.rating_a == 90.0
    np.testing.assert_allclose(joined.z_ohm, sum(x.z_ohm for x in chain))


def test_lines_with_charging_and_loops_stay():
    equipment = radial_equipment(3, seed=1)
    middle = replace(equipment.nodes[1], id="m")
    ends = equipment.lines[-1].from_node, equipment.lines[-1].to_node
    charged = line("A", ends[1], "m", b_s=1e-6j * np.eye(3)), line("B", "m", ends[0])
    twice = line("A", ends[1], "m"), line("B", "m", ends[1])
    for lines in (charged, twice):
        longer = replace(equipment, nodes=(*equipment.nodes, middle), lines=(*equipment.lines, *lines))
        assert len(condensed(longer, ()).equipment.lines) == len(longer.lines)
