"""A limits file gives back its schedule, and with the plan beside it an audit, without anything being calculated."""

import json
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from envelope import Guarantee, calculate, verify
from envelope.command_line.commands import app
from envelope.field_rules import BadProblem
from envelope.problem import Credit, FixedPowerFactor, TighteningLead, VoltVar, plan_file
from envelope.schedule import EnvelopeSchedule, read
from envelope.schedule.table import save
from envelope.verification import Effort
from gridmodel.flow.inverters import Curve
from gridmodel.readers.example_feeders import european_lv
from tests.envelope.cases import on, street

NOT_IN_FILES = {
    "import_room_w", "export_room_w", "import_reach_w", "export_reach_w", "figures", "findings",
    "infeasibility", "firm_corners", "import_least_w", "export_least_w", "names", "import_binding", "export_binding",
}  # fmt: skip
EFFORT = Effort(random=3, inside=1, sign=20, greedy=1)
CURVE = Curve(((0.9, 1.0), (0.96, 0.0), (1.04, 0.0), (1.1, -1.0)))
CASES = {
    "plain": {},
    "one-sided": {"guarantee": Guarantee.ONE_SIDED, "early": TighteningLead.ADOPTION},
    "power factor": {"reactive": FixedPowerFactor(0.95), "default_export_w": np.full(6, 900.0)},
    "volt-var": {"reactive": VoltVar(np.full(6, 2_000.0), Credit.DECLARED, CURVE)},
    "devices": {"control_point": ("device", "site") * 3, "base_includes_devices": np.arange(6) == 2},
    "uncontrolled": {"controls_import": np.arange(6) != 1, "firm_export_w": np.full(6, 300.0)},
    "beyond its limits": {"base_load_w": street(6, 4, seed=4).base_load_w * 40.0},
}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_a_schedule_comes_back_whole(tmp_path, changes, ending):
    problem = street(6, 4, seed=4, **changes)
    schedule, path = calculate(problem), tmp_path / f"limits.{ending}"
    save(schedule, path)
    found = read(path)
    for name in {field.name for field in fields(EnvelopeSchedule)} - NOT_IN_FILES:
        kept, given = getattr(found, name), getattr(schedule, name)
        if name == "double_counted" and given is None:
            given = np.zeros(6, dtype=bool)
        assert np.array_equal(np.asarray(kept), np.asarray(given)), name
    pd.testing.assert_frame_equal(found.to_frame(), schedule.to_frame(), check_categorical=False)
    assert verify(problem, found, effort=EFFORT).worst == verify(problem, schedule, effort=EFFORT).worst


def test_steps_with_a_pause_between_them_come_back(tmp_path):
    problem = street(6, 4, seed=4)
    start = problem.step_start + np.array([0, 0, 7_200, 7_200])
    schedule = calculate(replace(problem, step_start=start, base_load_w=0 * problem.base_load_w + 300.0))
    save(schedule, tmp_path / "limits.csv")
    assert read(tmp_path / "limits.csv").step_start.tolist() == start.tolist()


def changed(column, value, rows=0):
    def change(table):
        table[column] = table[column].astype(object)
        table.loc[rows, column] = value
        return table

    return change


SPOILS = {
    "a column is missing": (lambda table: table.drop(columns="default_export_w"), "has no column default_export_w"),
    "no rows": (lambda table: table.iloc[:0], "has no rows"),
    "two runs": (changed("run_id", "another"), "run_id: holds 2 values"),
    "a negative limit": (changed("export_limit_w", -5), "row 1: export_limit_w: -5: expected >= 0"),
    "a row is missing": (lambda table: table.drop(index=table.index[-1]), "its intervals are not those of connection"),
    "a status of nobody": (changed("status", "fine"), "row 1: status: expected one of ok"),
    "an odd duration": (changed("duration", "0 days 00:00:07"), "duration: 7 s: expected a multiple of step_s, 1800 s"),
    "a default that changes": (changed("default_import_w", 1), "default_import_w: differs between intervals"),
    "words for watts": (changed("import_limit_w", "many"), "row 1: import_limit_w: many: expected whole watts"),
    "no time": (changed("start", "soon", 1), "row 2: start: soon: expected a time such as"),
}


@pytest.mark.parametrize(("spoil", "said"), SPOILS.values(), ids=SPOILS)
def test_a_file_that_holds_no_whole_schedule_is_refused(tmp_path, spoil, said):
    path = tmp_path / "limits.csv"
    save(calculate(street(6, 4, seed=4)), path)
    spoil(pd.read_csv(path)).to_csv(path, index=False)
    with pytest.raises(BadProblem, match=said) as refused:
        read(path)
    assert str(path) in refused.value.detail


LEDGER = "start,end,connection_point,direction,basis,asked_wh,curtailed_wh,run_id\n"
OTHERS = {
    "none": (None, "no such file"),
    "empty": ("", "this is an empty file, not {}"),
    "other": ("a", "this is a text without columns, not {}"),
    "table": ("a,b,c,d,e\n", "this is a table with the columns a, b, c, d and 1 more, not {}"),
    "ledger": (LEDGER, "this is a ledger of curtailed energy, not {}"),
    "archive": ("PK", "this is a damaged archive, not {}"),
    "columns": ("PAR1", "this is a damaged Parquet file, not {}"),
}


@pytest.mark.parametrize(("reads", "kind"), [(read, "a limits file"), (plan_file.read, "a plan")])
@pytest.mark.parametrize(("text", "said"), OTHERS.values(), ids=OTHERS)
def test_another_file_is_refused_by_what_it_is(tmp_path, reads, kind, text, said):
    path = tmp_path / "limits.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadProblem, match=f"limits.csv: {said.format(kind)}"):
        reads(path)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(BadProblem, match=f"this is a folder, not {kind}; .* `sep2 envelope run FEEDER --"):
        reads(folder)


@pytest.fixture(scope="module")
def two_files(tmp_path_factory):
    """A plan on the European feeder and its limits."""
    folder = tmp_path_factory.mktemp("audit")
    problem = on(european_lv().network, 2, 2)
    plan_file.save(folder / "plan.npz", plan_file.EUROPEAN_LV, problem)
    save(calculate(problem), folder / "limits.parquet")
    return folder


def audit(folder, *more, limits="limits.parquet"):
    return CliRunner().invoke(app, ["verify", str(folder / "plan.npz"), str(folder / limits), *more])


def test_an_auditor_verifies_with_two_files(two_files):
    done = audit(two_files, "--solver", "opendss")
    assert done.exit_code == 0, done.output
    assert "judged by opendss: inside the limits" in " ".join(done.output.split())
    found = json.loads(audit(two_files, "--json").output)
    assert found["inside"]
    assert found["solver"] == "power-grid-model"
    assert found["guarantee"] == "two-sided"


def test_an_auditor_finds_limits_that_were_raised(two_files, tmp_path):
    schedule = read(two_files / "limits.parquet")
    save(replace(schedule, export_limit_w=schedule.export_limit_w + 5_000), two_files / "raised.csv")
    done = audit(two_files, "--json", "--solver", "reduced", limits="raised.csv")
    assert done.exit_code == 1
    assert json.loads(done.output)["over_v"] > 1.0


def test_a_plan_and_limits_in_each_others_place_are_told_apart(two_files):
    plan, limits = str(two_files / "plan.npz"), str(two_files / "limits.parquet")
    done = CliRunner().invoke(app, ["verify", limits, plan])
    assert done.exit_code == 2
    assert f"the plan comes first: sep2 envelope verify {plan} {limits}" in " ".join(done.output.split())
    assert "this is a plan, not a limits file" in " ".join(audit(two_files, limits="plan.npz").output.split())


def test_limits_of_other_connections_name_them(two_files):
    table = pd.read_parquet(two_files / "limits.parquet")
    table[table["connection_point"] != "LOAD2"].to_parquet(two_files / "fewer.parquet", index=False)
    said = " ".join(audit(two_files, limits="fewer.parquet").output.split())
    assert "1 of the plan's 55 connections have no limits: LOAD2" in said


def test_limits_of_another_plan_are_refused(two_files):
    schedule = read(two_files / "limits.parquet")
    save(replace(schedule, run_id="0123456789abcdef"), two_files / "other.csv")
    done = audit(two_files, "--json", limits="other.csv")
    assert done.exit_code == 2
    assert "the limits are those of run 0123456789abcdef" in json.loads(done.output)["error"]["detail"]
    done = audit(two_files, "--solver", "abacus")
    assert done.exit_code == 2
    assert "--solver abacus: there are power-grid-model" in " ".join(done.output.split())


def test_the_audit_command_loads_nothing_of_the_calculation(two_files):
    code = (
        "import sys\nfrom envelope.command_line.commands import app\n"
        f"try:\n    app(['verify', {str(two_files / 'plan.npz')!r}, {str(two_files / 'limits.parquet')!r}])\n"
        "except SystemExit as done:\n    assert done.code == 0\n"
        "print([m for m in sys.modules if m.startswith(('envelope.calculation', 'envelope.engine'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
