"""Every limit has its reason, and the reason is true."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from envelope import OperatingLimits, calculate, verify
from envelope.command_line.commands import app
from envelope.engine import solve_with_boxes
from envelope.explanation.explanation import explain
from envelope.field_rules import BadProblem
from envelope.problem import Allocation, Guarantee
from envelope.problem import plan_file as plan
from envelope.study.plots import explain_picture, schedule_picture
from envelope.study.study import Study, clear_sky, problem_of
from envelope.study.summary import most_withheld
from gridmodel.readers.example_feeders import european_lv
from tests.envelope.cases import START, street

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def case():
    problem = street(customers=8, steps=4, adoption_s=0)
    return problem, solve_with_boxes(problem)


def test_a_limit_names_what_binds_and_what_would_relieve_it(case):
    problem, solution = case
    at = most_withheld(problem, solution.schedule, "c8", "export")
    found = explain(problem, solution, "c8", step=at, direction="export")
    assert found.binding.split(" ")[0] in ("over-voltage", "under-voltage", "overload")
    assert found.limit_w < found.reach_w
    assert 0.0 <= found.margin < 0.3
    assert found.shared_by >= 1
    assert sum(c.part for c in found.contributors) <= 1.0 + 1e-9
    assert found.binding in found.sentence()
    assert f"about {found.relief_w:.0f} W more" in found.sentence()


def test_the_relief_that_is_told_comes_true(case):
    problem, solution = case
    schedule = solution.schedule
    found = explain(problem, solution, "c8", step=0, direction="export")
    assert found.unit == "V"
    wider = OperatingLimits(v_min_v=215.0, v_max_v=254.0)
    relieved = calculate(replace(problem, limits=wider))
    column = problem.connection_id.index("c8")
    gained = relieved.export_limit_w[0, column] - schedule.export_limit_w[0, column]
    assert gained == pytest.approx(found.relief_w, rel=0.3)


@pytest.mark.parametrize("name", ["c4", "c8"])
def test_another_head_voltage_gives_what_was_told(case, name):
    problem, solution = case
    schedule = solution.schedule
    found = explain(problem, solution, name, step=0, direction="export")
    assert found.binding.startswith("under-voltage")
    told = {relief.what: relief.gain_w for relief in found.reliefs}["a head voltage 0.5 % higher"]
    relieved = calculate(replace(problem, source_v=1.005 * problem.reduced.network.source.v))
    column = problem.connection_id.index(name)
    gained = relieved.export_limit_w[0, column] - schedule.export_limit_w[0, column]
    assert gained == pytest.approx(told, rel=0.5 if name == "c4" else 0.1)
    assert f"a head voltage 0.5 % higher {told:.0f} W" in found.sentence()


def test_absorbing_generation_and_a_neighbour_who_gives_way_are_told():
    problem = problem_of(european_lv(), Study(steps=6))
    solution = solve_with_boxes(problem)
    every = [explain(problem, solution, name, step=3, direction="export") for name in problem.connection_id]
    found = next(found for found in every if found.binding.startswith("over-voltage"))
    told = {relief.what: relief.gain_w for relief in found.reliefs}
    assert told["generation absorbing at power factor 0.95"] > 0.0
    other = next(c for c in found.contributors if c.connection_id != found.connection_id)
    assert told[f"{other.connection_id} {other.direction}ing 1 kW less"] > 0.0
    assert max(told.values()) <= found.reach_w - found.limit_w


def test_what_is_left_at_a_worst_corner_is_what_the_power_flow_says(case):
    problem, solution = case
    report = verify(problem, solution.schedule)
    margins = [
        found.margin
        for name in problem.connection_id
        for step in range(problem.steps)
        for direction in ("export", "import")
        if (found := explain(problem, solution, name, step=step, direction=direction)).unit == "V"
    ]
    # Nobody's worst corner is worse than the worst of all.
    assert min(margins) == pytest.approx(-max(report.over_v, report.under_v), abs=0.02)


def test_a_limit_that_nothing_holds_back_says_so():
    problem = street(customers=3, steps=2, flex_gen_w=np.full((2, 3), 50.0), flex_load_w=np.full((2, 3), 50.0))
    found = explain(problem, solve_with_boxes(problem), "c1", step=0, direction="import")
    assert found.binding == "capacity"
    assert "the network does not limit it" in found.sentence()


def test_a_tightening_that_comes_early_names_the_later_interval():
    problem = street(customers=8, steps=4)
    dip = np.array([1.0, 1.0, 0.97, 1.0])[:, None]
    problem = replace(problem, source_v=dip * problem.reduced.network.source.v)
    found = explain(problem, solve_with_boxes(problem), "c8", step=1, direction="import")
    assert found.binding_start == START + 2 * 1800
    assert "in the interval that begins at" in found.sentence()


def test_pictures(case, tmp_path):
    problem, solution = case
    schedule = solution.schedule
    found = explain(problem, solution, "c3", step=0, direction="export")
    assert schedule_picture(problem, schedule, tmp_path / "a" / "all.png").read_bytes().startswith(PNG)
    drawn = explain_picture(problem, schedule, "c3", tmp_path / "one.png", step=0, found=found)
    assert drawn.read_bytes().startswith(PNG)


def test_the_table_has_one_row_per_connection_and_interval(case):
    schedule = case[1].schedule
    table = schedule.to_frame()
    assert len(table) == 8 * 4
    one = table[(table.connection_point == "c3") & (table.start == table.start.min())].iloc[0]
    column = schedule.connection_id.index("c3")
    assert one.export_limit_w == schedule.export_limit_w[0, column]
    assert one.export_binding == schedule.binding_text("export", 0, column)
    assert one.duration.total_seconds() == 1800
    assert str(one.start) == "2026-05-28 21:00:00+00:00"


def test_equal_neighbours_are_one_row(case):
    problem, _ = case
    flat = {
        name: np.tile(getattr(problem, name)[:1], (4, 1)) for name in ("base_load_w", "base_load_var", "flex_load_w")
    }
    schedule = calculate(replace(problem, **flat, flex_gen_w=problem.flex_gen_w * [[1.0], [1.0], [0.0], [0.0]]))
    plain, merged = schedule.to_frame(), schedule.to_frame(merged=True)
    assert len(merged) < len(plain)
    assert merged.dtypes.equals(plain.dtypes)
    step = pd.Timedelta(seconds=1800)
    again = merged.loc[merged.index.repeat(merged.duration // step)].reset_index(drop=True)
    again["start"] += step * again.groupby(["connection_point", "start"]).cumcount()
    again["duration"] = step
    pd.testing.assert_frame_equal(again, plain, check_categorical=False)


def test_one_level_for_all_is_held_back_for_all_by_the_same_row():
    problem = street(customers=9, steps=2, guarantee=Guarantee.COINCIDENT, allocation=Allocation.EQUAL)
    schedule = calculate(problem)
    for direction, limit, reach in (
        ("export", schedule.export_limit_w, schedule.export_reach_w),
        ("import", schedule.import_limit_w, schedule.import_reach_w),
    ):
        held = np.argwhere(limit[0] < reach[0] - 1.0)[:, 0]
        assert len(held) > 3  # on all three phases
        assert len({schedule.binding_text(direction, 0, column) for column in held}) == 1
        assert " phase " in schedule.binding_text(direction, 0, held[0])


def test_a_file_that_is_no_plan_is_refused_by_name(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(BadProblem, match=r"x\.npz"):
        plan.load(tmp_path / "x.npz")


def test_the_sun_does_not_shine_at_night():
    sky = clear_sky(european_lv().profile, 48)
    assert sky[:12].max() == 0.0
    assert sky.max() == pytest.approx(1.0, abs=0.01)


def ran(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_run_writes_what_it_found(tmp_path):
    done = ran(
        "run", "european-lv", "--steps", 6, "--out", tmp_path / "x.parquet", "--picture", tmp_path / "x.png", "--json"
    )
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert said["verified_worst"]["inside"]
    assert said["connections"] == 55
    assert (tmp_path / "x.png").read_bytes().startswith(PNG)
    table = pd.read_parquet(tmp_path / "x.parquet")
    assert set(table.groupby("connection_point").duration.sum()) == {pd.Timedelta(days=1)}
    assert json.loads((tmp_path / "x.report.json").read_text())["run_id"] == said["run_id"] == table.run_id[0]
    assert said["held_back"]["import"][0]["binding"] in set(table.import_binding)


def test_explain_says_it_in_a_sentence():
    done = ran("explain", "european-lv", "LOAD53", "--steps", 6)
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1].startswith("LOAD53 may export")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "/nowhere"), "/nowhere"),
        (("run", "european-lv", "--steps", 7), "7 steps do not divide a day"),
        (("run", "european-lv", "--limits", "as-9"), "known are"),
        (("run", "european-lv", "--steps", 2, "--out", "x.txt"), "neither .csv nor .parquet"),
        (("explain", "european-lv", "NOBODY"), "no connection 'NOBODY'"),
        (("explain", "european-lv", "LOAD1", "--step", 99), "outside 0..47"),
        (("explain", "european-lv", "LOAD1", "--direction", "up"), "neither export nor import"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments, said):
    done = ran(*arguments)
    assert done.exit_code == 2
    assert said in done.output
    assert len(done.output.strip().splitlines()) == 1
