"""What a new user may get wrong: one line that names file, row and field, exit code 2, and never a traceback."""

import numpy as np
import pytest
from typer.testing import CliRunner

from envelope.command_line.commands import app
from tests.gridmodel.test_folder import folder, network_json, series  # noqa: F401  a fixture

IDS = ["h1", "h2", "h3"]
FAULTS = [
    ("unknown bus", "customers.csv", lambda t: t.replace("far", "nowhere"), "customers.csv, row 4, field bus: nowhere"),
    ("wrong phase", "customers.csv", lambda t: t.replace("end,a,", "end,x,"), "customers.csv, row 2, field phase: 'x'"),
    ("NaN demand", "demand_kw.csv", lambda t: t.replace("7,1.0", "7,nan"), "demand_kw.csv, row 9, field h1: 'nan'"),
    ("300 intervals", "demand_kw.csv", lambda t: series(IDS, [[0, 0, 0]] * 300), "demand_kw.csv, field interval: 300"),
    ("negative rating", "tiny.pandapower.json", lambda t: t.replace("0.2]]", "-2]]"), "row 1, field line.max_i_ka: -2"),
    ("another JSON", "tiny.pandapower.json", lambda t: "{}", "tiny.pandapower.json: not a pandapower network"),
    ("empty file", "demand_kw.csv", lambda t: "", "demand_kw.csv, row 1: the file is empty"),
    ("island", "tiny.pandapower.json", lambda t: network_json(lines=[[1, 2, 0.1]]), "h3: node: node far has no"),
    (
        "volts between phases",
        "head_voltage_11kv.csv",
        lambda t: t.replace("6400,6410,6420", "11000,11000,11000"),
        "source: head_voltage: 1.73",
    ),
]  # fmt: skip


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def refused(result) -> str:
    """The one line of a refusal."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    (line,) = result.output.strip().splitlines()
    return line


@pytest.mark.parametrize(("why", "name", "spoil", "said"), FAULTS, ids=[f[0] for f in FAULTS])
def test_faulty_files_are_named_by_every_command(folder, why, name, spoil, said):  # noqa: F811
    if why == "300 intervals":
        for other in ("demand_kvar.csv", "pv_kw.csv", "head_voltage_11kv.csv"):
            (folder / other).unlink()
    path = folder / name
    path.write_text(spoil(path.read_text()))
    asked = ("--steps", 24)
    for result in (run("run", folder, *asked), run("compare", folder, *asked), run("explain", folder, "h1", *asked)):
        assert said in refused(result)


def test_what_is_no_feeder(tmp_path):
    book = tmp_path / "feeder.xlsx"
    book.write_bytes(b"PK\x03\x04")
    assert "feeder.xlsx: is no workbook that can be read" in refused(run("run", book))
    assert "absent: no such folder" in refused(run("run", tmp_path / "absent"))
    assert "0 network files" in refused(run("explain", tmp_path, "h1"))
    plan = tmp_path / "plan.npz"
    assert "plan.npz: no such file" in refused(run("run", plan))
    np.savez(plan, a=np.arange(3))
    assert "plan.npz: this is an archive without a plan, not a plan" in refused(run("run", plan))
    plan.write_bytes(b"PK\x03\x04")
    assert "plan.npz: this is a damaged archive, not a plan" in refused(run("run", plan))
    (tmp_path / "Master.dss").write_text("New Circuit.x basekv=11\nNew Line.l1 bus1=sourcebus bus2=b\nSolve\n")
    assert "has no connections" in refused(run("run", tmp_path))


def test_options_that_make_no_sense(folder):  # noqa: F811
    for steps in ("7", "48"):
        assert f"{steps} steps" in refused(run("run", folder, "--steps", steps))
    assert run("run", folder, "--steps", 24, "--seed", -1).exit_code == 2
    assert "--export-kw: nan is not finite" in refused(run("run", folder, "--steps", 24, "--export-kw", "nan"))
    assert "no voltage criterion" in refused(run("run", folder, "--steps", 24, "--limits", "mine"))
    assert "has no connection 'h9'" in refused(run("explain", folder, "h9", "--steps", 24))
    assert "step: 24 is outside 0..23" in refused(run("explain", folder, "h1", "--steps", 24, "--step", 24))
