"""Networks of medium and low voltage: calculated part by part, and verified as one."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from envelope.command_line.commands import app
from envelope.field_rules import BadProblem
from envelope.medium_voltage.whole_network import calculate_whole, schedule_of
from envelope.medium_voltage.whole_verification import verify_whole
from envelope.study import whole_study
from envelope.study.estimate import as_one, in_parts
from envelope.study.study import Study
from envelope.study.whole_study import parts_of, whole_of
from gridmodel import read_feeder
from gridmodel.model.feeder import Feeder
from tests.gridmodel.street import write
from tests.gridmodel.test_size import US, US_TAIL
from tests.gridmodel.town import write_town


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(whole_study, "MOST_PORTS", 5)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return write_town(tmp_path_factory.mktemp("town"), 3, 2, 4)


def coordinated(feeder: Feeder, **changes):
    study = Study(steps=4, **changes)
    parts = parts_of(feeder.network)
    whole = whole_of(feeder, parts, study)
    return whole, calculate_whole(whole)


def test_a_run_divides_a_network_by_itself_and_verifies_it_as_one(town, tmp_path):
    out = tmp_path / "limits.csv"
    run = CliRunner().invoke(app, ["run", str(town), "--steps", "4", "--out", str(out), "--json"])
    assert run.exit_code == 0, run.output
    found = json.loads(run.output)
    assert found["parts"] == 3
    assert found["verified_worst"]["inside"]
    assert found["verified_worst"]["solver"] == "power-grid-model and, as one, power-grid-model"
    table = pd.read_csv(out)
    names = read_feeder(town).network.connections.id
    assert tuple(dict.fromkeys(table["connection_point"])) == names
    assert table["export_limit_w"].between(0, 5_000).all()
    assert found["findings"][0].startswith("3 parts: 3 feeders in ")


def test_limits_of_one_part_depend_on_what_the_others_may_do(town):
    """Each part as it would be if its head stood still gets more; together that breaks the limits."""
    feeder = read_feeder(town)
    whole, found = coordinated(feeder, export_w=40_000.0, import_w=40_000.0)
    schedule = schedule_of(feeder.network, found)
    report = verify_whole(whole, found)
    assert report.combined.inside, report.combined.sentence()
    widths = [float((band.assumed.high_pu - band.assumed.low_pu).max()) for band in found.bands.values()]
    assert min(widths) > 0.001
    # Names of what binds are those of the own part.
    for name, connection in (("t0", 0), ("t2", -1)):
        rows = schedule.export_binding.row[:, connection]
        own = found.schedules[name].names
        assert all(schedule.names[row] in own for row in rows[rows >= 0])
    assert (schedule.export_binding.row >= 0).any(axis=0).all()
    assert np.all(schedule.import_limit_w >= 0)


def test_a_medium_voltage_line_that_all_parts_would_overload_limits_their_sum(tmp_path):
    feeder = read_feeder(write_town(tmp_path, 3, 3, 8, mv_rating_a=9.0))
    free = read_feeder(write_town(tmp_path / "free", 3, 3, 8))
    size = {"export_w": 9_000.0, "import_w": 9_000.0}
    whole, found = coordinated(feeder, **size)
    _, unlimited = coordinated(free, **size)
    assert max(unlimited.loading.values()) * 400.0 / 9.0 > 1.1
    assert max(found.loading.values()) <= 1.0
    report = verify_whole(whole, found)
    assert report.combined.inside, report.combined.sentence()


def test_a_circuit_is_verified_by_its_own_loads_in_its_own_engine(tmp_path, monkeypatch):
    """Single-phase services, a pad-mounted transformer and a customer at medium voltage."""
    monkeypatch.setattr(whole_study, "MOST_PORTS", 1)
    path = write(tmp_path, head=US, tail=US_TAIL)
    run = CliRunner().invoke(app, ["run", str(path), "--steps", "2", "--limits", "ansi-c84.1-b", "--json"])
    assert run.exit_code in (0, 3), run.output
    found = json.loads(run.output)
    assert found["parts"] == 3
    assert found["own_file"]["engine"] == "OpenDSS"
    assert found["own_file"]["inside"]
    assert found["own_file"]["states"] >= 2
    assert "base load: the file's own loads, 324 kW in all" in found["assumed"][1]


def test_what_is_for_one_network_is_refused_for_a_divided_one(town, tmp_path):
    plan = CliRunner().invoke(app, ["run", str(town), "--steps", "2", "--plan", str(tmp_path / "plan.npz")])
    assert plan.exit_code == 2
    assert "--plan" in plan.output
    assert "3 low-voltage parts" in plan.output


def test_an_estimate_is_said_before_what_takes_long(town):
    network = read_feeder(town).network
    parts = parts_of(network)
    assert as_one(network, 4).warning == ""
    assert in_parts(network, parts, 4).warning == ""
    said = in_parts(network, parts, 4_000_000).warning
    assert said.startswith("This will take about ")
    assert "3 low-voltage parts" in said
    with pytest.raises(BadProblem, match="steps"):
        Study(steps=7)
