"""Meters against the map: wrong phases, wrong transformers, missing energy, and honest doubt."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from gridmodel import FileError, port_va, reduce, solve
from gridmodel.commands import app
from gridmodel.meter_data.phase_identification import likely_phases
from gridmodel.meter_data.readings import Readings, belongings, check_meters, read_readings, upstream
from gridmodel.model import admittance as build
from gridmodel.model.equipment import Connection, Equipment, Node, Supply
from gridmodel.readers.pandapower import balanced
from tests.gridmodel.feeders import line, radial_equipment, transformer
from tests.gridmodel.test_folder import folder  # noqa: F401  a fixture

NOISE_V = 0.2


def read(network, s, source=None, noise_v=NOISE_V, seed=0):
    """What meters would show: voltages with noise, and the powers themselves."""
    flow = solve(reduce(network), s, source)
    assert flow.converged.all()
    v = np.abs(flow.v)
    return Readings(v + np.random.default_rng(seed).normal(size=v.shape) * noise_v, s, {})


def misdrawn(equipment, which):
    """The same feeder with some customers drawn on the next phase."""
    connections = list(equipment.connections)
    for k in which:
        wrong = "abc"[("abc".index(connections[k].phase) + 1) % 3]
        connections[k] = replace(connections[k], phase=wrong)
    return build.network(replace(equipment, connections=tuple(connections)))


def households(count, seed=1, intervals=96):
    rng = np.random.default_rng(seed)
    return -rng.gamma(1.0, 900.0, (intervals, count)) * (1 + 0.2j)


def head(network, intervals, seed=2):
    rng = np.random.default_rng(seed)
    return network.source.v * (1 + 0.004 * rng.normal(size=(intervals, 3)))


@pytest.mark.parametrize("powers", [True, False], ids=["by model", "by correlation"])
def test_wrong_phases_are_found_and_right_ones_left_alone(powers):
    equipment = radial_equipment(24, seed=3)
    true, wrong = build.network(equipment), [2, 9, 17]
    s = households(24)
    readings = read(true, s, head(true, len(s)))
    if not powers:
        readings = replace(readings, s_va=np.full(s.shape, complex(np.nan, np.nan)))
    drawn = misdrawn(equipment, wrong)
    found = belongings(drawn, readings)
    assert [b.likely_phase for b in found] == list(true.connections.phase)
    assert [k for k, b in enumerate(found) if b.contradicts] == wrong
    said = [f for f in check_meters(drawn, readings) if f.code == "wrong_phase"]
    assert {f.element for f in said} == {f"connection {true.connections.id[k]}" for k in wrong}


def test_the_measured_day_with_a_tenth_of_the_phases_wrong(lv28):
    """PV under one sun and customers with the same profile: correlation alone errs here, the model does not."""
    equipment, profile = lv28.network.equipment, lv28.profile
    wrong = np.random.default_rng(4).choice(114, 11, replace=False)
    s = port_va(lv28.network, profile.net_va())
    readings = read(lv28.network, s, profile.source_v, noise_v=0.3)
    phase, sure = likely_phases(misdrawn(equipment, wrong), np.arange(114), readings.v, s)
    right = np.array(["abc"[p] for p in phase]) == np.array(lv28.network.connections.phase)
    assert right.mean() >= 0.98
    assert right[wrong].mean() >= 0.9
    assert (sure[~right] < 0.95).all()


def test_noise_that_drowns_the_signal_is_said_to_be_doubtful():
    equipment = radial_equipment(12, seed=3)
    true = build.network(equipment)
    s = households(12, intervals=30)
    doubtful = [f for f in check_meters(true, read(true, s, noise_v=30.0)) if f.code == "uncertain_phase"]
    assert len(doubtful) >= 6


def two_transformers():
    """Two streets behind one medium-voltage line, fifteen customers each."""
    nodes = [Node("mv", 6350.9), Node("mv2", 6350.9)]
    lines = [line("M", "mv", "mv2", length_m=2000.0)]
    connections, units = [], []
    for t, at in ((1, "mv"), (2, "mv2")):
        nodes += [Node(f"t{t}n{k}", 230.94) for k in range(16)]
        lines += [line(f"t{t}L{k}", f"t{t}n{k - 1}", f"t{t}n{k}", length_m=40.0) for k in range(1, 16)]
        connections += [Connection(f"t{t}c{k}", f"t{t}n{k}", "abc"[k % 3]) for k in range(1, 16)]
        units.append(transformer(id=f"T{t}", hv_node=at, lv_node=f"t{t}n0"))
    return Equipment(
        "two", tuple(nodes), tuple(lines), tuple(units), Supply("mv", balanced(6350.9)), tuple(connections)
    )


def test_every_connection_knows_its_transformer():
    network = build.network(two_transformers())
    assert upstream(network) == ["T1"] * 15 + ["T2"] * 15


def test_a_customer_behind_the_other_transformer():
    equipment = two_transformers()
    true = build.network(equipment)
    s = households(30, intervals=192)
    readings = read(true, s, noise_v=0.1)
    moved = [replace(c, node="t2n5") if c.id == "t1c5" else c for c in equipment.connections]
    findings = check_meters(build.network(replace(equipment, connections=tuple(moved))), readings)
    assert [(f.code, f.element) for f in findings] == [("wrong_transformer", "connection t1c5")]


@pytest.mark.parametrize(("share", "codes"), [(1.03, []), (1.4, ["energy_balance"]), (0.9, ["energy_balance"])])
def test_energy_that_is_at_no_meter(share, codes):
    equipment = radial_equipment(9, seed=3)
    network = build.network(equipment)
    s = households(9)
    readings = replace(read(network, s, noise_v=0.05), transformer_w={"T1": s.real.sum(axis=1) * share})
    assert [f.code for f in check_meters(network, readings) if f.code == "energy_balance"] == codes


def ami(rows=30, spoil=lambda line: line):
    """A file of readings for the folder's single-phase customers h1 (a) and h3 (b), and its transformer."""
    rng = np.random.default_rng(0)
    lines = ["meter_id,connection_id,interval_start,duration_s,import_wh,export_wh,v_avg"]
    for k in range(rows):
        at = f"2026-01-01T{k:04d},1800"
        lines += [f"m{n},{n},{at},{rng.uniform(0, 900):.0f},0,{rng.normal(231, 2):.2f}" for n in ("h1", "h3")]
        lines.append(f"mt,transformer0,{at},2000,0,")
    return "\n".join(map(spoil, lines)) + "\n"


def test_a_file_of_readings(folder, tmp_path):  # noqa: F811
    path = tmp_path / "ami.csv"
    path.write_text(ami())
    from gridmodel import read_feeder

    network = read_feeder(folder).network
    readings = read_readings(path, network)
    assert readings.v.shape == (30, 3)
    assert np.isnan(readings.v[:, 1]).all()
    assert (readings.s_va[:, 0].real <= 0).all()
    np.testing.assert_allclose(readings.transformer_w["transformer0"], -4000)
    result = CliRunner().invoke(app, ["check", str(folder), "--meters", str(path), "--json"])
    findings = json.loads(result.output)["findings"]
    assert result.exit_code == 0
    assert "no_readings" in {f["code"] for f in findings}


@pytest.mark.parametrize(
    ("why", "spoil", "rows", "said"),
    [
        ("stranger", lambda t: t.replace(",h1,", ",h9,"), 30, "field connection_id: h9 is no connection"),
        ("negative volts", lambda t: t.replace(",0,2", ",0,-2"), 30, "field v_avg"),
        ("no duration", lambda t: t.replace(",1800,", ",0,"), 30, "field duration_s: 0 is not positive"),
        ("too short", lambda t: t, 5, "5 intervals; 24 are needed"),
        ("twice", lambda t: t.replace(",h3,", ",h1,"), 30, "field interval_start: h1 has this interval twice"),
    ],
)
def test_readings_that_cannot_be_used(folder, tmp_path, why, spoil, rows, said):  # noqa: F811
    path = tmp_path / "ami.csv"
    path.write_text(ami(rows, spoil))
    from gridmodel import read_feeder

    with pytest.raises(FileError, match=said):
        read_readings(path, read_feeder(folder).network)
    result = CliRunner().invoke(app, ["check", str(folder), "--meters", str(path), "--json"])
    assert result.exit_code == 1
    assert "ami.csv" in json.loads(result.output)["findings"][0]["element"]
