"""Inverters inside the power flow: on their curves, within their rating, and where OpenDSS's control ends up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmodel import GridError, reduce, solve
from gridmodel.flow.inverters import Curve, Inverters
from gridmodel.readers import opendss
from tests.gridmodel.feeders import radial

VOLT_VAR = Curve(((0.5, 0.44), (0.9, 0.44), (0.96, 0.0), (1.04, 0.0), (1.12, -0.6), (1.5, -0.6)))
VOLT_WATT = Curve(((0.5, 1.0), (1.1, 1.0), (1.13, 0.2), (2.0, 0.2)))


def inverters(count, available_w, **changes):
    given = {
        "port": np.arange(count),
        "s_rated_va": np.full(count, 6e3),
        "available_w": available_w,
        "reference_v": 230.0,
    }
    return Inverters(**(given | changes))


def produced(flow, s, inv):
    return (flow.v * np.conj(flow.i))[:, inv.port] - s[:, inv.port]


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    up=st.floats(0.97, 1.1),
    base=st.sampled_from(["rated", "available"]),
    priority=st.sampled_from(["watt", "var"]),
)
def test_every_inverter_ends_on_its_curves(seed, up, base, priority):
    network = radial(12, seed)
    reduced = reduce(network)
    rng = np.random.default_rng(seed)
    available = rng.uniform(0, 6e3, (6, 12))
    inv = inverters(12, available, volt_var=VOLT_VAR, volt_watt=VOLT_WATT, reactive_base=base, priority=priority)
    s = -rng.uniform(0, 3e3, (6, 12)) * (1 + 0.2j)
    flow = solve(reduced, s, network.source.v * up, inverters=inv)
    assert flow.converged.all()
    found = produced(flow, s, inv)
    np.testing.assert_allclose(found, inv.power_va(np.abs(flow.v), available), atol=0.05)
    assert np.abs(found).max() <= 6e3 + 0.05
    np.testing.assert_allclose(flow.i @ reduced.Z.T + network.source.v * up @ reduced.W.T, flow.v, atol=1e-5)


def test_volt_watt_holds_the_voltage_down():
    network = radial(12)
    reduced, free = reduce(network), np.full(12, 6e3)
    source = network.source.v * 1.09
    loose = solve(reduced, np.zeros((1, 12)), source, inverters=inverters(12, free))
    held = solve(reduced, np.zeros((1, 12)), source, inverters=inverters(12, free, volt_watt=VOLT_WATT))
    assert np.abs(loose.v).max() > 1.1 * 230 + 1
    assert np.abs(held.v).max() < np.abs(loose.v).max() - 0.5


def test_a_fixed_power_factor_is_what_it_says():
    reduced = reduce(radial(5))
    available = np.linspace(1e3, 5e3, 5)
    by_inverter = solve(reduced, np.zeros((1, 5)), inverters=inverters(5, available, tan_phi=-0.3))
    by_hand = solve(reduced, available * (1 - 0.3j))
    np.testing.assert_allclose(by_inverter.v, by_hand.v, atol=1e-6)


def test_a_scenario_without_solution_stays_alone():
    reduced = reduce(radial(5))
    s = np.zeros((3, 5), dtype=complex)
    s[1] = -1e7
    inv = inverters(5, np.full(5, 2e3), volt_var=VOLT_VAR)
    flow = solve(reduced, s, inverters=inv)
    np.testing.assert_array_equal(flow.converged, [True, False, True])
    np.testing.assert_allclose(flow.v[0], flow.v[2])


def test_every_scenario_has_its_own_sun():
    """Also across the blocks that scenarios are solved in."""
    reduced = reduce(radial(4))
    available = np.random.default_rng(0).uniform(0, 5e3, (600, 4))
    inv = inverters(4, available, volt_var=VOLT_VAR)
    flow = solve(reduced, np.zeros((600, 4)), inverters=inv)
    np.testing.assert_allclose(produced(flow, np.zeros((600, 4)), inv).real, available, atol=0.05)


@pytest.mark.parametrize("points", [((1.0, 0.0),), ((1.0, 0.0), (0.9, 1.0)), ((1.0, 0.0), (1.0, 1.0))])
def test_curves_that_are_none(points):
    with pytest.raises(GridError, match="ascending"):
        Curve(points)


def test_opendss_ends_where_we_do(lv28, lv28_folder):
    """The published volt-var and volt-watt control, its tolerances tightened, at four hours of the day."""
    master = lv28_folder / "opendss" / "Master.txt"
    network, pv_va, _ = opendss.read_network(master)
    engine = opendss.new_engine([f'Compile "{master}"'])
    reduced, ids = reduce(network), network.connections.id
    order = [lv28.network.connections.id.index(name.removeprefix("hv_f0_lv28_")) for name in ids]
    port = np.array([ids.index(name) for name in pv_va])
    rated = np.array(list(pv_va.values()))
    for command in (
        "Edit InvControl.InvPVCtrl VarChangeTolerance=0.0005 voltagechangetolerance=1e-6 "
        "ActivePChangeTolerance=1e-4 deltaQ_factor=0.2",
        "Set mode=snapshot controlmode=static maxcontroliter=1000 tolerance=1e-9",
    ):
        engine.Text.Command = command
    for interval, up in ((0, 1.0), (120, 1.03), (144, 1.04), (160, 1.0)):
        demand = (lv28.profile.demand_w + 1j * lv28.profile.demand_var)[interval, order]
        available = lv28.profile.pv_w[interval, order][port]
        source = lv28.profile.source_v[interval] * up
        theirs = opendss_voltages(
            engine, dict(zip(ids, demand, strict=True)), dict(zip(pv_va, available, strict=True)), source
        )
        inv = Inverters(
            port=port, s_rated_va=rated, available_w=available, reference_v=230.0, volt_var=VOLT_VAR,
            volt_watt=VOLT_WATT, reactive_base="available",
        )  # fmt: skip
        flow = solve(reduced, -demand, source, inverters=inv)
        assert flow.converged.all()
        phases = dict(zip("abc", (1, 2, 3), strict=True))
        at = [f"{n}.{phases[p]}" for n, p in zip(ids, network.connections.port_phase, strict=True)]
        np.testing.assert_allclose(np.abs(flow.v[0]), [theirs[name] for name in at], atol=5e-3)


def opendss_voltages(engine, demand_va, available_w, source):
    """Voltage magnitude per bus and phase after OpenDSS's controls have come to rest."""
    circuit = engine.ActiveCircuit
    for name, power in demand_va.items():
        circuit.Loads.Name = name
        circuit.Loads.kW, circuit.Loads.kvar = power.real / 1e3, power.imag / 1e3
    for name, power in available_w.items():
        engine.Text.Command = f"Edit PVSystem.pv_{name} Pmpp={power / 1e3} irradiance=1 %cutin=0 %cutout=0"
    for name, volts in zip(("source", "source2", "source3"), source, strict=True):
        circuit.Vsources.Name = name
        circuit.Vsources.pu = abs(volts) / (circuit.Vsources.BasekV * 1e3)
        circuit.Vsources.AngleDeg = float(np.angle(volts, deg=True))
    engine.Text.Command = "Solve"
    raw = np.asarray(circuit.YNodeVarray)
    volts = np.abs(raw[0::2] + 1j * raw[1::2])
    return {name.lower(): v for name, v in zip(circuit.YNodeOrder, volts, strict=True)}
