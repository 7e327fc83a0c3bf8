"""A run says which base load it stands on: measured, of the network's file, or assumed; never a mean of days."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from envelope import calculate
from envelope.command_line.commands import app
from envelope.field_rules import BadProblem
from envelope.study.study import BaseLoad, Study, base_load_of, problem_of
from envelope.verification import verify
from envelope.verification.own_file import OwnFileReport, audit_by_own_file
from gridmodel import read_feeder
from gridmodel.model.equipment import Connection
from gridmodel.model.network import Terminals, connect
from tests.gridmodel.street import write
from tests.gridmodel.tables import FILES, rows

WEEK = range(7 * 24)


def folder(path, **files: str):
    path.mkdir(exist_ok=True)
    for name, text in (FILES | {f"{k}.csv": v for k, v in files.items()}).items():
        (path / name).write_text(text)
    return path


@pytest.fixture
def week(tmp_path):
    """Seven days, each one kilowatt above the last at one hour; the third has a peak."""
    peak = {2 * 24 + 20: 21.0}
    demand = rows("interval,h1,h2,h3", *(f"{k},{peak.get(k, 1 + k // 24)},0.4,0.5" for k in WEEK))
    pv = rows("interval,h1", *(f"{k},0.2" for k in WEEK))
    place = folder(tmp_path / "week", demand_kw=demand, pv_kw=pv)
    for name in place.glob("demand_kvar.csv"):
        name.unlink()
    for name in place.glob("head_voltage*.csv"):
        name.unlink()
    (place / "feeder.toml").write_text('step_s = 3600\nfirst_day = "2026-03-02"\n')
    return place


def base_w(feeder, **changes):
    return problem_of(feeder, Study(steps=24, **changes)).base_load_w[:, 0]


def test_one_of_several_days_is_studied_with_its_peak(week):
    feeder = read_feeder(week)
    assert base_w(feeder).tolist() == [800.0] * 24
    third = base_w(feeder, series_day=2)
    assert third[20] == 20_800.0
    assert np.delete(third, 20).tolist() == [2_800.0] * 23
    run = CliRunner().invoke(app, ["run", str(week), "--steps", "24", "--day", "2026-03-04", "--json"])
    assert "base load: measured, day 3 of the series' 7 (2026-03-04)" in json.loads(run.output)["assumed"]
    run = CliRunner().invoke(app, ["run", str(week), "--steps", "24", "--day", "3", "--json"])
    assert "base load: measured, day 3 of the series' 7 (2026-03-04)" in json.loads(run.output)["assumed"]


@pytest.mark.parametrize(("day", "said"), [("8", "8 is not among the 7"), ("2026-05-01", "not among the 7 days")])
def test_a_day_that_was_not_measured_is_refused(week, day, said):
    run = CliRunner().invoke(app, ["run", str(week), "--steps", "24", "--day", day])
    assert run.exit_code == 2
    assert said in run.output


def test_a_circuit_has_the_loads_shapes_and_power_factors_of_its_file(tmp_path):
    shape = " ".join(str(0.5 + 0.02 * k) for k in range(24))
    extra = f"New Loadshape.day npts=24 interval=1 mult=[{shape}]\nLoad.corner_shop.daily=day\n"
    feeder = read_feeder(write(tmp_path, extra))
    found = base_load_of(feeder, Study(steps=24))
    assert found.stands_on is BaseLoad.FILE
    shop = feeder.network.connections.id.index("corner_shop")
    assert found.load_w[:, shop] == pytest.approx([4_000 * (0.5 + 0.02 * k) for k in range(24)])
    assert found.load_var[:, shop] / found.load_w[:, shop] == pytest.approx(np.tan(np.arccos(0.93)))
    flat = base_load_of(feeder, Study(steps=24, base_load=BaseLoad.ASSUMED))
    assert flat.load_w.tolist() == [[500.0] * 2] * 24
    with pytest.raises(BadProblem, match="no base load that is measured"):
        base_load_of(feeder, Study(steps=24, base_load=BaseLoad.MEASURED))


def test_a_run_on_a_circuit_is_audited_by_its_own_loads(tmp_path):
    """Read as it is, it passes; with customers taken for another phase, only this audit tells."""
    line = "New Line.long bus1=yard bus2=far linecode=main length=1.2 units=km"
    path = write(tmp_path, f"{line}\nNew Load.far bus1=far.1 phases=1 kv=0.23 kw=1\n")
    words = ["run", str(path), "--steps", "4", "--export-kw", "12", "--import-kw", "12", "--json"]
    found = json.loads(CliRunner().invoke(app, words).output)
    assert found["own_file"]["engine"] == "OpenDSS"
    assert found["own_file"]["inside"]
    feeder = read_feeder(path)
    network, other = feeder.network, {"a": "b", "b": "c", "c": "a"}
    c, nodes = network.connections, network.nodes
    swapped = [Connection(c.id[k], nodes.id[c.node[k]], other[c.phase[k]]) for k in range(len(c))]
    index = {node: k for k, node in enumerate(nodes.id)}
    misread = replace(network, connections=connect(swapped, index, Terminals(nodes.phases)))
    study = Study(steps=4, export_w=12_000.0, import_w=12_000.0)
    problem = problem_of(replace(feeder, network=misread), study)
    report = verify(problem, calculate(problem))
    assert report.inside
    rest_va = -(problem.base_load_w + 1j * problem.base_load_var)
    assert not audit_by_own_file(misread, problem.limits, rest_va, report).inside


def test_a_run_says_why_the_files_own_elements_were_not_asked(tmp_path):
    line = "New Line.long bus1=yard bus2=far linecode=main length=0.2 units=km"
    path = write(tmp_path, f"{line}\nNew PVSystem.roof bus1=far.1 phases=1 kv=0.23 kva=5 pmpp=5\n")
    found = json.loads(CliRunner().invoke(app, ["run", str(path), "--steps", "2", "--json"]).output)
    assert found["own_file"] is None
    said = "not verified at the file's own elements: pvsystem.roof cannot take power"
    assert found["assumed"][-1].startswith(said)


@pytest.mark.parametrize(
    ("load", "verdict"), [(-0.2, "inside the limits ("), (0.03, "inside the limits but for what two")]
)
def test_a_figure_beyond_by_no_more_than_solvers_differ_is_said_to_be_that(load, verdict):
    report = OwnFileReport("pandapower", 24, -25.0, -3.0, load, ("", "", ""))
    assert report.inside
    assert verdict in report.sentence()
