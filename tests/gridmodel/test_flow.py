"""The batched power flow against closed forms, its own equations and finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmodel import GridError, currents, port_va, reduce, solve, voltages
from gridmodel.flow.sensitivity import current_rows, sensitivities, voltage_rows
from tests.gridmodel.feeders import V, radial, two_bus


def closed_form_v(z: complex, s: complex) -> float:
    """|v| of v = V + z conj(s / v): the upper root of a quadratic in |v|^2."""
    middle = 2 * (z * np.conj(s)).real + V**2
    return np.sqrt((middle + np.sqrt(middle**2 - 4 * abs(z * s) ** 2)) / 2)


@pytest.mark.parametrize("s_va", [0, 7_000, -7_000, 5_000 + 2_000j, -3_000 - 1_500j, 2_000j])
def test_one_line_one_customer(s_va):
    reduced = reduce(two_bus())
    z = reduced.Z[0, 0]
    flow = solve(reduced, np.array([s_va]))
    assert flow.converged.all()
    assert abs(flow.v[0, 0]) == pytest.approx(closed_form_v(z, s_va), abs=2e-7)
    assert currents(reduced, flow)[0].max() == pytest.approx(abs(s_va) / abs(flow.v[0, 0]), abs=1e-6)


def test_impedance_of_one_line_is_what_the_port_sees():
    network = two_bus()
    assert reduce(network).Z[0, 0] == pytest.approx(network.equipment.lines[0].z_ohm[0, 0], rel=1e-9)


@pytest.mark.parametrize(("share", "solvable"), [(0.9, True), (0.98, True), (1.001, False), (1.5, False)])
def test_the_nose_divides_solvable_from_infeasible(share, solvable):
    """A resistive line carries at most V^2 / 4R; beyond, there is no solution."""
    reduced = reduce(two_bus(z_ohm=np.array([[0.1 + 0j]])))
    most_w = V**2 / (4 * 0.1)
    assert solve(reduced, np.array([-most_w * share])).converged[0] == solvable


def test_a_scenario_without_solution_is_marked_and_disturbs_no_other():
    reduced = reduce(radial(12))
    rng = np.random.default_rng(1)
    s = rng.uniform(-4e3, 4e3, (40, 12)) + 1j * rng.uniform(-1e3, 1e3, (40, 12))
    alone = solve(reduced, s)
    mixed = s.copy()
    mixed[[3, 17]] = -1e7
    mixed[25] = np.nan
    flow = solve(reduced, mixed)
    bad = np.isin(np.arange(40), [3, 17, 25])
    np.testing.assert_array_equal(flow.converged, ~bad)
    assert np.isnan(flow.v[bad]).all()
    assert np.isnan(voltages(reduced, flow)[bad]).all()
    np.testing.assert_allclose(flow.v[~bad], alone.v[~bad], atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(customers=st.integers(1, 15), seed=st.integers(0, 10_000), size_w=st.floats(0, 6e3))
def test_every_solution_satisfies_its_equations(customers, seed, size_w):
    network = radial(customers, seed)
    reduced = reduce(network)
    rng = np.random.default_rng(seed)
    s = size_w * (rng.uniform(-1, 1, (5, customers)) + 0.3j * rng.uniform(-1, 1, (5, customers)))
    source = network.source.v * rng.uniform(0.97, 1.03, (5, 3)) * np.exp(0.02j * rng.normal(size=(5, 3)))
    flow = solve(reduced, s, source)
    assert flow.converged.all()
    np.testing.assert_allclose(flow.v * np.conj(flow.i), s, atol=1e-6)
    np.testing.assert_allclose(flow.i @ reduced.Z.T + source @ reduced.W.T, flow.v, atol=1e-6)
    at = np.array([list(reduced.node_terminal).index(t) for t in network.connections.port_plus])
    np.testing.assert_allclose(voltages(reduced, flow)[:, at], np.abs(flow.v), atol=1e-6)


def test_what_flows_into_the_first_line_is_what_all_customers_inject():
    network = radial(9, seed=4)
    reduced = reduce(network)
    flow = solve(reduced, np.full(9, 2_000 - 300j))
    transformer = [k for k, name in enumerate(reduced.current_names) if name.startswith("transformer")]
    phase = np.array(network.connections.port_phase)
    whole = [abs(flow.i[0, phase == p].sum()) for p in "abc"]
    np.testing.assert_allclose(currents(reduced, flow)[0, transformer], whole, atol=1e-6)


def test_order_of_scenarios_and_block_size_change_nothing():
    reduced = reduce(radial(8))
    s = np.random.default_rng(0).uniform(-5e3, 5e3, (700, 8)).astype(complex)
    order = np.random.default_rng(1).permutation(700)
    np.testing.assert_allclose(solve(reduced, s[order]).v, solve(reduced, s).v[order], atol=1e-6)


def test_a_coarse_tolerance_stays_within_it():
    reduced = reduce(radial(20))
    s = np.random.default_rng(0).uniform(-5e3, 5e3, (50, 20)).astype(complex)
    fine, coarse = solve(reduced, s, tol_v=1e-9), solve(reduced, s, tol_v=2e-3)
    assert coarse.converged.all()
    assert 1e-7 < np.abs(coarse.v - fine.v).max() < 2e-3


def test_no_scenarios_and_no_customers():
    reduced = reduce(radial(3))
    assert solve(reduced, np.zeros((0, 3), dtype=complex)).v.shape == (0, 3)
    empty = reduce(radial(0))
    flow = solve(empty, np.zeros((2, 0), dtype=complex))
    assert flow.converged.all()
    assert voltages(empty, flow).shape == (2, len(empty.node_terminal))


@pytest.mark.parametrize(
    ("s_shape", "source_shape", "said"),
    [((2, 4), (3,), "has 3 ports"), ((2, 3), (5, 3), "5 source voltages"), ((2, 3), (2, 2), r"expected \(3,\)")],
)
def test_wrong_shapes_are_refused(s_shape, source_shape, said):
    with pytest.raises(GridError, match=said):
        solve(reduce(radial(3)), np.zeros(s_shape, dtype=complex), np.ones(source_shape, dtype=complex))


@pytest.mark.parametrize(("direction", "step"), [(1.0, 1.0), (1 - 0.3j, 1.0)])
def test_sensitivities_are_the_derivatives(direction, step):
    reduced = reduce(radial(7, seed=2))
    rng = np.random.default_rng(3)
    s = rng.uniform(-5e3, 5e3, (4, 7)) + 1j * rng.uniform(-1e3, 1e3, (4, 7))
    flow = solve(reduced, s)
    di = sensitivities(reduced, s, flow.v, direction=direction)
    dv, dc = voltage_rows(reduced, flow, di), current_rows(reduced, di)
    for k in range(7):
        change = np.zeros(7, dtype=complex)
        change[k] = direction * step
        up, down = (solve(reduced, s + sign * change, tol_v=1e-10) for sign in (1, -1))
        slope_v = (voltages(reduced, up) - voltages(reduced, down)) / (2 * step)
        slope_c = (up.i - down.i) @ reduced.H.T / (2 * step)
        np.testing.assert_allclose(dv[:, :, k], slope_v, atol=1e-8)
        np.testing.assert_allclose(dc[:, :, k], slope_c, atol=1e-8)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-7), (np.float32, 1e-5)])
def test_sensitivities_solve_their_linear_system(dtype, tolerance):
    """di + d conj(Z di) = diag(conj(1/v)): nothing is left over, also close to what the network can carry."""
    reduced = reduce(radial(10))
    s = np.outer([0.5, 1.0, 14.0], np.full(10, -3e3 + 0j))
    flow = solve(reduced, s)
    assert flow.converged.all()
    assert np.abs(flow.v).min() < 0.75 * 230
    for x, row, v in zip(sensitivities(reduced, s, flow.v, dtype=dtype), s, flow.v, strict=True):
        left = x + np.conj(row / v**2)[:, None] * np.conj(reduced.Z @ x)
        np.testing.assert_allclose(left, np.diag(np.conj(1 / v)), atol=tolerance * np.abs(1 / v).max())


def test_a_phase_to_phase_customer_loads_two_phases_and_spares_the_third():
    reduced = reduce(two_bus("ab"))
    flow = solve(reduced, np.array([-8_000.0]))
    assert reduced.nominal_v[0] == pytest.approx(V * np.sqrt(3))
    volts = dict(zip(reduced.voltage_names, voltages(reduced, flow)[0], strict=True))
    assert volts["node end, phase a"] < V
    assert volts["node end, phase b"] < V
    amps = currents(reduced, flow)[0]
    np.testing.assert_allclose(amps, abs(flow.i[0, 0]), atol=1e-6)


def test_a_balanced_delta_equals_a_balanced_star():
    star, delta = (two_bus(phase) for phase in ("abc", "delta"))
    flows = [solve(reduce(n), port_va(n, np.array([[-9_000 - 1_000j]]))) for n in (star, delta)]
    ends = [voltages(reduce(n), f)[0, -3:] for n, f in zip((star, delta), flows, strict=True)]
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-6)


def test_an_unknown_phase_has_its_three_hypotheses_as_ports():
    network = two_bus("unknown")
    reduced = reduce(network)
    assert reduced.port_names == ("c1, phase a", "c1, phase b", "c1, phase c")
    flow = solve(reduced, np.diag([-6_000.0 + 0j] * 3))
    lowest = voltages(reduced, flow)[:, -3:]
    np.testing.assert_allclose(np.diag(lowest), lowest.min(), atol=1e-6)


def test_watching_fewer_rows_keeps_their_values():
    reduced = reduce(radial(6))
    flow = solve(reduced, np.full(6, 3e3 + 0j))
    some = reduced.watching(voltages=reduced.voltages_at_connections(), currents=np.array([4, 1]))
    assert some.voltage_names == tuple(reduced.voltage_names[k] for k in reduced.voltages_at_connections())
    assert some.current_names == (reduced.current_names[4], reduced.current_names[1])
    np.testing.assert_array_equal(currents(some, flow), currents(reduced, flow)[:, [4, 1]])
