"""The split-phase service of eight homes: our centre-tapped transformer and triplex against OpenDSS's."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from gridmodel import GridError, currents, port_va, read_feeder, reduce, solve, voltages
from gridmodel.readers.example_feeders import US_SERVICE
from gridmodel.solvers import power_grid_model as audit
from gridmodel.solvers.opendss import Circuit, circuit_of
from gridmodel.validate import check

FOLDER = US_SERVICE
AUDIT = Path(__file__).parent / "cases" / "us_service" / "audit.dss"


@pytest.fixture(scope="module")
def feeder():
    return read_feeder(FOLDER)


@pytest.fixture(scope="module")
def reduced(feeder):
    return reduce(feeder.network)


def test_what_the_folder_says(feeder, reduced):
    assert check(feeder) == []
    assert feeder.network.frequency_hz == 60
    assert feeder.network.nodes.phases[:3] == ("abc", "a", "12")
    assert reduced.port_names[:3] == ("home1, phase 1", "home1, phase 2", "home1, phase 12")
    np.testing.assert_allclose(reduced.nominal_v[:3], [120, 120, 240])
    np.testing.assert_allclose(feeder.pv_va, [5000, 0, 0, 7600, 0, 0, 0, 0])
    legs = reduced.rating_a[[name.startswith("transformer") for name in reduced.current_names]]
    np.testing.assert_allclose(legs, 25e3 / 240)


def test_opendss_agrees_at_every_leg(reduced):
    rng = np.random.default_rng(5)
    s = rng.uniform(-4e3, 2e3, (12, reduced.ports)) + 1j * rng.uniform(-5e2, 5e2, (12, reduced.ports))
    flow, theirs = solve(reduced, s), Circuit(AUDIT, reduced).solve(s)
    assert flow.converged.all()
    assert theirs.flow.converged.all()
    np.testing.assert_allclose(theirs.flow.v, flow.v, atol=1e-4)
    at_nodes = ~np.isnan(theirs.voltages)
    assert at_nodes.mean() > 0.85
    np.testing.assert_allclose(theirs.voltages[at_nodes], voltages(reduced, flow)[at_nodes], atol=1e-4)
    np.testing.assert_allclose(theirs.currents, currents(reduced, flow), atol=1e-4)


def test_the_circuit_that_is_written_is_the_one_written_by_hand(reduced):
    s = np.random.default_rng(6).uniform(-4e3, 2e3, (5, reduced.ports)).astype(complex)
    ours, theirs = circuit_of(reduced).solve(s), Circuit(AUDIT, reduced).solve(s)
    np.testing.assert_allclose(ours.flow.v, theirs.flow.v, atol=1e-5)
    np.testing.assert_allclose(ours.currents, theirs.currents, atol=1e-5)


def test_no_load_has_both_halves_and_opposite_legs(feeder, reduced):
    v = reduced.no_load()[0]
    np.testing.assert_allclose(np.abs(v[:3]), 1.02 * np.array([120, 120, 240]) * 7199.558 / 7200, rtol=1e-5)
    assert v[0] / v[1] == pytest.approx(-1)


def test_the_whole_secondary_in_series_sees_the_measured_impedance(reduced):
    z = reduced.Z[2, 2]  # home1, leg to leg
    drop = 2 * (complex(0.951, 0.381) - complex(0.481, 0.129)) * 18 / 1e3
    service = complex(0.012, 0.017) * 240**2 / 25e3
    upstream = (complex(0.15473, 1.5473) + complex(0.69, 0.87) * 0.5) / (7200 / 240) ** 2
    assert z == pytest.approx(drop + service + upstream, rel=1e-4)


def test_an_ev_between_the_legs_and_one_hundred_twenty_volt_load(feeder, reduced):
    """A 240 V load pulls both legs down alike; a 120 V one pulls its own down and lifts the other."""
    s = np.zeros((2, reduced.ports), dtype=complex)
    s[0, 2], s[1, 0] = -7_200, -2_400
    change = voltages(reduced, solve(reduced, s)) - np.abs(reduced.no_load()[0, 0])
    at = [reduced.voltage_names.index(f"node home1, phase {leg}") for leg in "12"]
    both, one = change[:, at]
    assert both[0] == pytest.approx(both[1], abs=1e-6)
    assert both[0] < -0.5
    assert one[0] < -0.5
    assert one[1] > 0.05


def test_a_balanced_home_is_between_the_legs(feeder):
    s = port_va(feeder.network, np.full((1, 8), -1e3 + 0j))
    np.testing.assert_allclose(s.reshape(8, 3), [[0, 0, -1e3]] * 8)


def test_power_grid_model_cannot_audit_it(reduced):
    with pytest.raises(GridError, match="OpenDSS"):
        audit.solve(reduced, np.zeros((1, reduced.ports)))


def test_the_same_service_written_for_opendss_is_the_same_network(reduced, tmp_path):
    """A folder with a Master.dss is a feeder too: loads become connections, an inverter joins the load beside it."""
    master = tmp_path / "Master.dss"
    loads = [
        f"New Load.home{k}{leg} phases=1 bus1=home{k}.{nodes} kV={kv} kW=1"
        for k in range(1, 9)
        for leg, nodes, kv in (("x", "1", 0.12), ("y", "2", 0.12), ("z", "1.2", 0.24))
    ]
    solar = "New PVSystem.roof phases=1 bus1=home4.1.2 kV=0.24 kVA=7.6 Pmpp=7 irradiance=1 pf=1"
    shutil.copy(AUDIT, tmp_path)
    master.write_text("\n".join(['Redirect "Audit.DSS"', *loads, solar, "Solve"]))
    feeder = read_feeder(tmp_path)
    assert feeder.network.connections.phase[:3] == ("1", "2", "12")
    np.testing.assert_allclose(reduce(feeder.network).Z, reduced.Z, atol=1e-6)
    np.testing.assert_allclose(reduce(feeder.network).nominal_v, reduced.nominal_v)
    assert feeder.pv_va[feeder.network.connections.id.index("home4z")] == 7600
    assert feeder.pv_va.sum() == 7600
    assert feeder.notes
