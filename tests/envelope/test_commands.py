"""`sep2 envelope`: what a person who has never seen it gets told, shown and refused."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from envelope import calculate
from envelope.command_line.commands import app
from envelope.problem import plan_file as plan
from envelope.problem import thermal_ratings as ratings
from envelope.schedule import Ledger
from envelope.schedule.table import load
from envelope.study.study import Study, problem_of
from gridmodel import read_feeder
from tests.envelope.test_readings import write as write_readings

PNG = b"\x89PNG"
SHORT = ("--steps", "4")


@pytest.fixture(scope="module")
def lane(tmp_path_factory):
    """Six customers on a long thin cable behind a small transformer, as a folder."""
    folder = tmp_path_factory.mktemp("feeders") / "lane"
    folder.mkdir()
    nodes = "".join(f"n{k},230.94\n" for k in range(7))
    lines = "".join(f"L{k},n{k},n{k + 1},{150 if k else 20},thin\n" for k in range(6))
    homes = "".join(f"h{k},n{k},{'abc'[k % 3]}\n" for k in range(1, 7))
    files = {
        "nodes.csv": f"node,nominal_v\nmv,6350.853\n{nodes}",
        "line_types.csv": "line_type,r1_ohm_per_km,x1_ohm_per_km,r0_ohm_per_km,x0_ohm_per_km,rating_a\n"
        "thin,0.64,0.08,2.4,0.1,120\n",
        "lines.csv": f"line_id,from_node,to_node,length_m,line_type\n{lines}",
        "transformers.csv": "transformer_id,hv_node,lv_node,connection,kva,hv_v,lv_v,r_percent,x_percent\n"
        "TX,mv,n0,Dyn11,25,11000,400,1.2,4.0\n",
        "source.csv": "node,v_pu,short_circuit_mva\nmv,1.03,120\n",
        "connections.csv": f"connection_id,node,phases\n{homes}",
        "feeder.toml": 'name = "lane"\n',
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def ran(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def answer(*arguments):
    done = ran(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


@pytest.mark.parametrize("command", ["run", "compare", "explain"])
def test_help_says_what_each_argument_is(command):
    done = ran(command, "--help")
    assert "FEEDER" in done.output
    assert "european-lv" in done.output
    assert "PNG" in done.output


def test_run_reports_fairness_and_keeps_the_ledger(lane, tmp_path):
    path = tmp_path / "ledger.csv"
    first = answer("run", lane, *SHORT, "--ledger", path)
    assert set(first["fairness"]) == {"export", "import"}
    assert first["fairness"]["export"]["worst_decile_kwh"] > 0.0
    assert first["ledger"]["days"] == 1.0
    assert first["ledger"]["export"]["curtailed_kwh"] == pytest.approx(
        first["fairness"]["export"]["curtailed_kwh"], abs=0.1
    )
    again = answer("run", lane, *SHORT, "--ledger", path)
    assert again["ledger"]["import"] == first["ledger"]["import"]
    assert len(Ledger.read(path).entries) == 2 * 6


def test_what_was_assumed_is_said(lane):
    assert [said.split(" ")[0] for said in answer("run", lane, *SHORT)["assumed"]] == ["assumed:"] * 3
    said = ran("run", lane, *SHORT, "--export-kw", 3, "--flexible", 0.5).output
    assert "3 of 6 connections have 3 kW of generation and 7 kW of load" in said
    assert "every connection draws 500 W at all hours, as no day was measured" in said
    assert re.search(r"^import is held back by .* \(\d+%\)", said, re.MULTILINE)


def test_devices_say_who_is_flexible_and_how_far(lane, tmp_path):
    shutil.copytree(lane, tmp_path / "lane")
    rows = ("pv1,h6,pv,4000,0", "ev1,h6,ev,0,7000", "ev2,h1,ev,0,3000")
    lines = ["device_id,connection_id,type,max_gen_w,max_load_w", *rows]
    (tmp_path / "lane" / "devices.csv").write_text("\n".join(lines) + "\n")
    out = tmp_path / "limits.csv"
    found = answer("run", tmp_path / "lane", *SHORT, "--devices", "--all-day", "--out", out)
    assert not any("can be told a limit" in said for said in found["assumed"])
    table = load(out).set_index("connection_point")
    assert set(table.import_limit_w[["h2", "h3", "h4", "h5"]]) == {500}  # their base load
    assert table.import_limit_w["h1"].max() <= 3_500
    assert 0 < table.export_limit_w["h6"].max() <= 3_500
    # Two devices, none of which holds the net limits.
    assert (table.control_point["h6"], table.control_point["h1"]) == ("device", "site")
    refused = ran("run", tmp_path / "lane", *SHORT, "--devices", "--export-kw", 3)
    assert (refused.exit_code, "--export-kw: devices.csv has its own sizes" in refused.output) == (2, True)
    assert "names no device" in ran("run", lane, *SHORT, "--devices").output


def test_a_plan_for_the_server_is_saved_with_its_day(lane, tmp_path, monkeypatch):
    monkeypatch.chdir(lane.parent)
    path = tmp_path / "envelope-plan.npz"
    found = answer("run", lane.name, *SHORT, "--day", "2026-11-26", "--plan", path)
    assert found["plan"] == str(path)
    monkeypatch.chdir(tmp_path)
    loaded = plan.load(path)
    assert loaded.feeder == str(lane)
    assert str(pd.Timestamp(loaded.problem.step_start[0], unit="s")) == "2026-11-26 00:00:00"
    assert answer("run", path)["run_id"] == found["run_id"]
    today = answer("run", lane, *SHORT, "--day", "today", "--plan", path)
    assert pd.Timestamp(plan.load(path).problem.step_start[0], unit="s").hour == 0
    assert today["run_id"] != found["run_id"]


def test_the_ledger_names_the_most_curtailed_first(lane, tmp_path):
    path = tmp_path / "ledger.csv"
    run = answer("run", lane, *SHORT, "--allocation", "max-sum", "--ledger", path)
    done = ran("ledger", path, "--most", 2, "--picture", tmp_path / "ledger.png")
    assert done.exit_code == 0, done.output
    shares = Ledger.read(path).whole()
    first = shares.connection_id[shares.order()[0]]
    named = [word for line in done.output.splitlines() for word in line.split() if word.startswith("h")]
    assert (named[0], len(named)) == (first, 2)
    assert (tmp_path / "ledger.png").read_bytes().startswith(PNG)
    assert answer("ledger", path)["export"] == pytest.approx(run["ledger"]["export"], abs=1e-3)


def test_the_past_shifts_room_within_the_limits(lane, tmp_path):
    path = tmp_path / "ledger.csv"
    arguments = ("run", lane, *SHORT, "--allocation", "proportional-fair", "--ledger", path)
    plain = answer(*arguments)
    path.write_text(path.read_text().replace("1780012800,1780099200", "1779926400,1780012800"))
    favoured = answer(*arguments, "--past", 2)
    assert favoured["verified_worst"]["inside"]
    assert favoured["fairness"]["export"]["worst_decile_share"] > plain["fairness"]["export"]["worst_decile_share"]
    assert favoured["ledger"]["days"] == 2.0


def test_transformers_rated_by_temperature_are_reported_and_drawn(lane, tmp_path):
    weather = tmp_path / "weather.csv"
    rows = "".join(f"2026-05-28T{h:02d}:00,{10 + h}\n" for h in range(24))
    weather.write_text(f"at,temp_c\n{rows}")
    picture = tmp_path / "day.png"
    found = answer("run", lane, *SHORT, "--thermal", "onan-65", "--ambient", weather, "--picture", picture)["thermal"]
    assert picture.read_bytes().startswith(PNG)
    # Of each quarter of the day its hottest hour counts.
    assert "of their rating at 15 to 33 C" in ratings.sentence(found)
    assert found["least_percent"] < found["most_percent"]
    assert found["life_percent_per_day"] <= 0.0133 * 1.001


def test_a_fuse_holds_a_cool_transformer_back(lane):
    cool = ("run", lane, *SHORT, "--export-kw", 0, "--thermal", "onan-65", "--ambient", -10)
    plain, fused = (answer(*cool, *fuse)["import_kw"] for fuse in ((), ("--fuse-a", 20)))
    assert fused < 0.8 * plain


def test_compare_prices_policies_and_draws_them(lane, tmp_path):
    done = ran("compare", lane, *SHORT, "--picture", tmp_path / "x.png")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "x.png").read_bytes().startswith(PNG)
    assert "coincident breaks at corners that its limits allow: +" in done.output
    assert done.output.count("two-sided ") == 5
    assert "What a guarantee costs at the same allocation (equal): one-sided " in done.output
    # A terminal has 80 columns: what breaks must not fall off its edge.
    table = done.output.splitlines()[:11]
    assert all(len(line) <= 80 for line in table)
    assert re.search(r"^coincident .* \+\d+\.\d/\+\d+\.\d$", table[2])


def test_compare_says_which_part_of_the_possible_each_policy_recovers(lane):
    found = answer("compare", lane, *SHORT)
    bound = found["perfect_information"]
    for row in found["policies"]:
        for direction in ("export", "import"):
            part = row[f"{direction}_of_possible"]
            assert 0.0 < part <= 1.0
            assert part == pytest.approx(row[f"{direction}_kw"] / bound[f"{direction}_kw"])
    said = " ".join(ran("compare", lane, *SHORT).output.split())
    first = found["policies"][0]
    assert f"coincident, equal {first['export_of_possible']:.0%}/{first['import_of_possible']:.0%}" in said


def test_where_nothing_breaks_nothing_is_said_to(lane):
    roomy = ("--export-kw", 0.2, "--import-kw", 0.2)
    assert "even coincident breaks at no corner" in ran("compare", lane, *SHORT, *roomy).output
    assert "beyond;" not in ran("run", lane, *SHORT, *roomy, "--guarantee", "one-sided").output


def test_less_than_two_sided_limits_come_with_what_they_do_not_hold(lane):
    plain = ("run", lane, *SHORT)
    assert answer(*plain)["beyond_guarantee"] is None
    found = answer(*plain, "--guarantee", "coincident", "--allocation", "equal")
    assert found["beyond_guarantee"]["over_v"] > 1.0
    said = ran(*plain, "--guarantee", "coincident", "--allocation", "equal").output
    assert f"{found['beyond_guarantee']['over_v']:+.1f} V over" in said
    assert "sep2 envelope compare" in said


def test_explain_draws_the_limit_that_was_asked_about(lane, tmp_path):
    picture = tmp_path / "w.png"
    done = ran("explain", lane, "h6", *SHORT, "--step", 2, "--direction", "import", "--picture", picture)
    assert done.exit_code == 0, done.output
    assert picture.read_bytes().startswith(PNG)
    assert "h6 may import" in done.output
    assert "from 12:00 UTC" in done.output


def test_an_answer_in_json_is_nothing_but_json(lane):
    # A solver that introduces itself writes past Python: only a real process shows it.
    said = [sys.executable, "-m", "tests.envelope.say", "run", str(lane), "--steps", "2", "--all-day"]
    done = subprocess.run([*said, "--allocation", "max-sum", "--json"], capture_output=True, env=os.environ, check=True)
    assert json.loads(done.stdout)["allocation"] == "max-sum, floor 0.7"


@pytest.mark.parametrize(
    ("method", "rests_on"),
    [("asset-capacity", None), ("critical-voltage", "critical"), ("delta-voltage", "most_drop_v")],
)
def test_limits_without_a_model_say_so_in_every_row(method, rests_on, tmp_path):
    readings = write_readings(tmp_path / "ami.csv")
    out = tmp_path / "limits.csv"
    picture = ("--picture", tmp_path / "x.png") if method == "critical-voltage" else ()
    found = answer("run", readings, "--fallback", method, "--rating-kva", 10, "--meter-of", "T", "--out", out, *picture)
    assert found["guarantee"] == "none: no network model"
    assert any("no power flow stands behind" in finding for finding in found["findings"])
    assert rests_on is None or rests_on in found["regression"]
    table = load(out)
    assert len(table) == 3 * 24
    assert set(table["status"]) == {"no_model"}
    assert set(table["guarantee"]) == {"none: no network model"}
    assert method != "critical-voltage" or (tmp_path / "x.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_file_comes_back_with_the_documented_types(ending, lane, tmp_path):
    problem = problem_of(read_feeder(lane), Study(steps=2))
    plan.save(tmp_path / "plan.npz", str(lane), problem)
    path = tmp_path / f"limits{ending}"
    answer("run", tmp_path / "plan.npz", "--out", path)
    table, expected = load(path), calculate(problem).to_frame(merged=True)
    for name in expected.columns:
        assert table[name].dtype == expected[name].dtype or name.endswith("_binding"), name
    assert all(table[name].dtype == np.int64 for name in table.columns if name.endswith("_w"))
    assert table["duration"].dtype == "timedelta64[ns]"
    assert isinstance(table["export_binding"].dtype, pd.CategoricalDtype)
    assert table["export_limit_w"].tolist() == expected["export_limit_w"].tolist()
    assert table["export_binding"].astype(str).tolist() == expected["export_binding"].astype(str).tolist()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "lane", "--past", 1), "--past: needs a --ledger"),
        (("run", "lane", "--flexible", 3), "--flexible: 3 is outside 0..1"),
        (("run", "lane", "--picture", "x.svg"), "the ending is not .png"),
        (("compare", "lane", "--picture", "x.svg"), "the ending is not .png"),
        (("run", "lane", "--steps", 2, "--thermal", "dry"), "known are onan-65"),
        (("run", "lane", "--steps", 2, "--thermal", "onan-65", "--ambient", "hot"), "neither a temperature nor"),
        (("run", "lane", "--steps", 2, "--thermal", "onan-65", "--ambient", "no.csv"), "no.csv"),
        (("run", "lane", "--steps", 2, "--thermal", "onan-65", "--ambient", 130), "next to no load"),
        (("run", "lane", "--steps", 0), "--steps: 0 is outside 1..86400"),
        (("run", "lane", "--steps", 2, "--fuse-a", -4), "--fuse-a: -4 is not above 0"),
        (("run", "lane", "--steps", 2, "--thermal", "onan-65", "--k-max", 0), "--k-max: 0 is not above 0"),
        (("run", "lane", "--steps", 2, "--export-kw", -3), "--export-kw: -3 is negative"),
        (
            ("run", "lane", "--steps", 2, "--limits", "ansi-c84.1-a"),
            "here have 231 V; for them: en-50160, en-50160-all, as-61000.3.100",
        ),
        (("run", "lane", "--steps", 2, "--k-max", 1.2), "--k-max: has no effect without --thermal"),
        (("run", "lane", "--rating-kva", 2), "have no effect without --fallback"),
        (("run", "lane", "--day", "tomorrow"), "--day: 'tomorrow' is no date such as 2026-11-26"),
        (("run", "lane", "--plan", "x.json"), "--plan x.json: a plan is an .npz file"),
        (("run", "readings", "--fallback", "asset-capacity", "--past", 1), "shares without a network model are equal"),
        (("run", "readings", "--fallback", "asset-capacity", "--allocation", "equal"), "--allocation: has no effect"),
        (("ledger", "no.csv"), "no such ledger; `sep2 envelope run FEEDER --ledger no.csv` begins one"),
        (("run", "readings"), "need --fallback and --rating-kva"),
        (("run", "readings", "--fallback", "asset-capacity"), "rating is needed"),
        (("run", "lane", "--fallback", "asset-capacity", "--rating-kva", 9), "is a CSV file of meter readings"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(arguments, said, lane):
    files = {"lane": lane, "readings": lane / "nodes.csv"}
    done = ran(*(files.get(part, part) for part in arguments))
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_a_plan_refuses_what_it_has_itself(lane, tmp_path):
    plan.save(tmp_path / "plan.npz", str(lane), problem_of(read_feeder(lane), Study(steps=2)))
    done = ran("run", tmp_path / "plan.npz", "--export-kw", 3)
    assert (done.exit_code, done.output.strip().endswith("--export-kw: a plan has its own")) == (2, True)
