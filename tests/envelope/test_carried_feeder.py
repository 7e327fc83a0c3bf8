"""A plan carries what its network was read from: with it and the limits alone, an auditor verifies."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from envelope.command_line.commands import app
from envelope.problem import plan_file
from tests.gridmodel.street import HEAD, TAIL
from tests.planning.lanes import write_lane

SECRET = b"nothing of this belongs to the circuit"


def ran(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def csv_folder(home):
    folder = write_lane(home / "lane", homes=2, days=1)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_bytes(SECRET)
    return folder


def circuit(home):
    """A circuit whose cables stand in a file that it names, in a folder with letters."""
    (home / "types").mkdir()
    first, *others = HEAD.split("New Linecode.main")
    cables = f"New Linecode.main{others[0]}"
    at = cables.index("New Line.first")
    (home / "types" / "cables.dss").write_text(cables[:at])
    (home / "street.dss").write_text(f"{first}Redirect types/Cables.dss\n{cables[at:]}{TAIL}")
    (home / "letter.txt").write_bytes(SECRET)
    return home / "street.dss"


@pytest.fixture(scope="module", params=[csv_folder, circuit])
def two_files(request, tmp_path_factory):
    """A plan and its limits, in a folder by themselves; the feeder that they were made of is gone."""
    home, empty = tmp_path_factory.mktemp("engineer"), tmp_path_factory.mktemp("auditor")
    feeder = request.param(home)
    ran("run", feeder, "--steps", 2, "--plan", home / "plan.npz", "--out", home / "limits.csv")
    for name in ("plan.npz", "limits.csv"):
        shutil.move(home / name, empty / name)
    shutil.rmtree(home)
    return empty


def test_an_auditor_verifies_in_a_folder_with_nothing_but_the_two_files(two_files, monkeypatch):
    monkeypatch.chdir(two_files)
    found = json.loads(ran("verify", "plan.npz", "limits.csv", "--json"))
    assert found["inside"]
    # And what the plan says is calculated again, to the same run.
    assert json.loads(ran("run", "plan.npz", "--json"))["run_id"] == found["run_id"]


def test_a_plan_carries_nothing_that_only_lies_beside_the_feeder(two_files):
    with np.load(two_files / "plan.npz") as found:
        carried = [found[name].tobytes() for name in found.files if name.startswith("feeder.")]
    assert carried
    assert not any(SECRET in content for content in carried)


def test_a_plan_verifies_by_what_it_carries_though_the_folder_has_changed_since(tmp_path):
    feeder = write_lane(tmp_path / "lane", homes=2, days=1)
    two = tmp_path / "plan.npz", tmp_path / "limits.csv"
    ran("run", feeder, "--steps", 2, "--plan", two[0], "--out", two[1])
    lines = (feeder / "lines.csv").read_text()
    (feeder / "lines.csv").write_text(lines.replace(",20,thin", ",30,thin"))
    assert json.loads(ran("verify", *two, "--json"))["inside"]
    other = CliRunner().invoke(app, ["verify", *map(str, two), "--feeder", str(feeder)])
    assert (other.exit_code, "the plan gives run" in other.output) == (2, True)


def said_otherwise(two_files, to, change):
    """The plan with other words in it."""
    with np.load(two_files / "plan.npz") as found:
        arrays = {name: found[name] for name in found.files}
    said = json.loads(arrays.pop("said").tobytes())
    change(said)
    np.savez(to, said=np.frombuffer(json.dumps(said).encode(), dtype=np.uint8), **arrays)
    return to


def test_a_plan_that_names_its_feeder_only_is_read_from_there(tmp_path):
    feeder, plan = write_lane(tmp_path / "lane", homes=2, days=1), tmp_path / "plan.npz"
    ran("run", feeder, "--steps", 2, "--plan", plan, "--out", tmp_path / "limits.csv")
    old = said_otherwise(tmp_path, tmp_path / "old.npz", lambda said: said.pop("carried"))
    assert plan_file.read(old).carried is None
    assert json.loads(ran("verify", old, tmp_path / "limits.csv", "--json"))["inside"]
    shutil.rmtree(feeder)
    done = CliRunner().invoke(app, ["verify", str(old), str(tmp_path / "limits.csv")])
    assert (done.exit_code, "no such folder" in done.output) == (2, True)


@pytest.mark.parametrize("place", ["../out.csv", "/tmp/out.csv", "a\\..\\out.csv", "C:out.csv", 7])
def test_a_plan_writes_no_file_outside_the_folder_of_its_feeder(place, two_files, tmp_path):
    def change(said):
        said["carried"]["files"][0] = place

    bad = said_otherwise(two_files, tmp_path / "bad.npz", change)
    done = CliRunner().invoke(app, ["verify", str(bad), str(two_files / "limits.csv")])
    assert done.exit_code == 2, done.output
    assert "is no place in a folder" in done.output
    assert not Path(tmp_path.parent, "out.csv").exists()
