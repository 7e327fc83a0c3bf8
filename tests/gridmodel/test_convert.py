"""`sep2 grid convert`: a feeder as CSV tables is the same network, or what does not fit is named."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from gridmodel import GridError, read_feeder
from gridmodel.commands import app
from gridmodel.readers.example_feeders import european_lv
from gridmodel.validate import check_folder
from gridmodel.writers.csv_folder import write_folder
from gridmodel.writers.same_network import greatest_difference
from tests.gridmodel.medium import medium
from tests.gridmodel.street import write
from tests.gridmodel.tables import write as write_lane
from tests.gridmodel.test_folder import folder  # noqa: F401  a fixture
from tests.gridmodel.test_pandapower_constructs import READ, made, saved
from tests.gridmodel.test_us_service import FOLDER


def run(*arguments):
    return CliRunner().invoke(app, ["convert", *map(str, arguments)])


@pytest.mark.parametrize("why", READ)
def test_a_pandapower_network_as_tables_is_the_same_network(tmp_path, why):
    path = saved(made(READ[why]), tmp_path)
    result = run(path, tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["greatest_difference"] < 1e-9
    assert not [f for f in check_folder(tmp_path / "out")[1] if f.severity == "error"]


def test_tables_written_again_are_the_same(tmp_path):
    for given in (FOLDER, write_lane(tmp_path / "lane")):
        before = read_feeder(given)
        if before.network.equipment.regulators:
            (given / "regulators.csv").unlink()
            before = read_feeder(given)
        out = tmp_path / f"out of {given.name}"
        write_folder(before, out, beside=given)
        after = read_feeder(out)
        assert greatest_difference(before.network, after.network) < 1e-9
        np.testing.assert_array_equal(after.pv_va, before.pv_va)
        assert after.devices == before.devices
        if before.profile is not None:
            np.testing.assert_array_equal(after.profile.demand_w, before.profile.demand_w)


def test_customers_and_their_day_are_taken_along(tmp_path, folder):  # noqa: F811
    out = tmp_path / "tables"
    result = run(folder, out)
    assert result.exit_code == 0, result.output
    assert "Written to" in result.output
    after = read_feeder(out)
    assert after.network.connections.id == ("h1", "h2", "h3")
    assert after.profile.step_s == 3600


def test_the_european_feeder_is_written_with_a_line_type_per_conductor(tmp_path):
    feeder = european_lv()
    write_folder(feeder, tmp_path / "eu")
    after = read_feeder(tmp_path / "eu")
    assert greatest_difference(feeder.network, after.network) < 1e-9
    assert len((tmp_path / "eu" / "line_types.csv").read_text().splitlines()) < 40


def test_what_does_not_fit_is_named(tmp_path):
    result = run(write(tmp_path), tmp_path / "out")
    assert result.exit_code == 2
    assert "is known by its admittances only" in result.output
    assert not (tmp_path / "out").exists()
    from gridmodel.model import admittance as build
    from gridmodel.model.feeder import Feeder

    network = build.network(medium())
    feeder = Feeder("m", network, np.zeros(4), np.ones(4, dtype=bool))
    with pytest.raises(GridError, match="regulator oltc: controls are not written"):
        write_folder(feeder, tmp_path / "out")


def test_nothing_is_overwritten(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "full")
    result = run(FOLDER, tmp_path / "full")
    assert result.exit_code == 2
    assert "is not an empty folder" in result.output
