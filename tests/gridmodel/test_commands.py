"""`sep2 grid`, run in the process, on real folders."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from gridmodel import currents, reduce, solve, voltages
from gridmodel.commands import app
from gridmodel.diagram import draw, layout
from gridmodel.model import admittance as build
from gridmodel.readers.example_feeders import european_lv
from tests.gridmodel.feeders import radial, radial_equipment
from tests.gridmodel.test_folder import folder  # noqa: F401  a fixture

PNG = b"\x89PNG\r\n"


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_check_of_a_sound_feeder(folder):  # noqa: F811
    result = run("check", folder)
    assert result.exit_code == 0
    assert "(3 connections) can be used: 0 errors" in result.output


def test_check_names_what_is_wrong(folder):  # noqa: F811
    path = folder / "customers.csv"
    path.write_text(path.read_text().replace("far", "nowhere"))
    result = run("check", folder, "--json")
    found = json.loads(result.output)
    assert result.exit_code == 1
    assert not found["usable"]
    assert found["findings"][0]["field"] == "bus"
    assert found["findings"][0]["element"].endswith("customers.csv row 4")
    assert run("check", folder).exit_code == 1


def test_findings_that_are_alike_are_one_line_and_paths_are_whole(folder):  # noqa: F811
    text = (folder / "customers.csv").read_text().splitlines()
    rows = [",".join([*line.split(",")[:2], "", *line.split(",")[3:]]) for line in text[1:]]
    (folder / "customers.csv").write_text("\n".join([text[0], *rows]) + "\n")
    found = json.loads(run("check", folder, "--json").output)["findings"]
    assert sum(one["field"] == "phase" for one in found) == 3
    assert run("check", folder).output.count("not known") == 1
    missing = folder / "a_name_that_is_a_good_deal_longer_than_what_fits_beside_the_rest_of_a_line"
    said = "".join(run("check", missing).output.split())
    assert str(missing) in said


def test_the_european_feeder_says_what_was_changed():
    found = json.loads(run("check", "european-lv", "--json").output)["findings"]
    assert {one["code"] for one in found} == {"changed"}
    assert any(one["field"] == "v_pu" and "1 instead of 1.05" in one["detail"] for one in found)


def test_show_refuses_what_cannot_be_used(folder):  # noqa: F811
    (folder / "customers.csv").write_text("customer,bus,phase\nh1,nowhere,a\n")
    result = run("show", folder)
    assert result.exit_code == 1
    assert "sep2 grid check" in result.output


def test_show_draws_the_hardest_interval(folder, tmp_path):  # noqa: F811
    out = tmp_path / "feeder.png"
    result = run("show", folder, "--out", out, "--json")
    assert result.exit_code == 0
    found = json.loads(result.output)
    assert out.read_bytes().startswith(PNG)
    assert found["connections"] == 3
    assert found["intervals"] == 24
    assert 0 < found["max_line_percent"] < 100
    assert 220 < found["min_voltage_v"] < found["max_voltage_v"] < 240


def test_show_knows_the_european_feeder():
    result = run("show", "european-lv", "--json")
    assert json.loads(result.output)["connections"] == 55


def test_a_folder_that_is_not_there():
    result = run("check", "/nonexistent", "--json")
    assert result.exit_code == 1
    assert json.loads(result.output)["findings"][0]["detail"] == "no such folder"


def test_a_tree_without_places_is_laid_out_without_overlap():
    network = radial(30, seed=5)
    place = layout(network)
    assert len({tuple(p) for p in np.round(place, 6)}) == len(network.nodes)


def test_places_of_the_file_are_kept():
    network = european_lv().network
    np.testing.assert_array_equal(layout(network)[:, 0], network.nodes.x)


@pytest.mark.parametrize("rated", [True, False])
def test_a_picture_with_and_without_ratings(tmp_path, rated):
    given = radial_equipment(5)
    if not rated:
        given = replace(given, lines=tuple(replace(x, rating_a=np.nan) for x in given.lines))
    reduced = reduce(build.network(given))
    flow = solve(reduced, np.full(5, -3e3 + 0j))
    values = {"voltages_v": voltages(reduced, flow)[0], "currents_a": currents(reduced, flow)[0]}
    assert draw(reduced, tmp_path / "x.png", **values).read_bytes().startswith(PNG)


def test_show_refuses_an_ending_that_is_no_picture(folder, tmp_path):  # noqa: F811
    result = run("show", folder, "--out", tmp_path / "feeder.doc")
    assert result.exit_code == 2
    assert "feeder.doc: the ending is not .png" in result.output
