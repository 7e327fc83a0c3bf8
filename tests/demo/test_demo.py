"""The demonstration itself, small but real: processes, certificates, a database, and a server that is killed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envelope.demo.day import START
from envelope.operation.run_store import RunStore

PATIENCE_S = 1800
pytestmark = pytest.mark.timeout(PATIENCE_S)
TAKES_ITS_TIME = {"seconds", "issue_to_adoption_s", "notifications_delivered"}
"""What a repetition may change: of a receiver that is told late, one notification tells two changes."""


def play(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """How `sep2 demo --once --json` ended, and the object on its last line."""
    words = ("demo", "--once", "--json", "--dir", str(folder), *options)
    command = [sys.executable, "-c", "from sep2.cli import main; main()", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "server"


@pytest.fixture(scope="module")
def played(nine_homes: Path, folder: Path) -> dict[str, Any]:
    """The result of a day on which the server was killed.

    At 19:00 an interval begins. The process dies as controls are published, and again as clients answer them. That a
    kill changes no number is a trial (tests/trials/test_demo.py).
    """
    status, found = play(folder, "--feeder", str(nine_homes), "--seed", "6", "--kill-at", "19:00")
    assert status == 0, found["alarms"]
    assert (folder / "server.log").read_text().count("2030.5 clients:") == 3
    return found


def test_the_base_day_breaks_nothing_and_growth_does(played):
    base, none = played["base"], played["none"]
    assert base["customers_outside_voltage"] == 0
    assert base["max_transformer_percent"] < 100
    assert none["customers_outside_voltage"] > 0
    assert none["max_transformer_percent"] > 100
    assert none["hours_over_rating"] > 0


def test_envelopes_keep_the_feeder_inside_its_limits(played):
    kept, limits = played["envelope"], played["limits"]
    assert kept["customers_outside_voltage"] == 0
    assert limits["v_min_v"] <= kept["min_voltage_v"] <= kept["max_voltage_v"] <= limits["v_max_v"]
    assert kept["max_transformer_percent"] <= 100
    assert kept["max_line_percent"] <= 100
    assert kept["hours_over_rating"] == 0
    assert all(played["verified_worst"][name] <= 0 for name in ("over_v", "under_v", "overload_percent"))
    assert played["guarantee"].startswith("two-sided")


def test_everything_published_was_delivered_answered_and_obeyed(played):
    assert played["connections"] == 9
    assert played["intervals"] == 24
    controls = played["controls_published"]
    assert controls >= played["connections"] * 10
    # Each was received, and then either ran (started, completed) or gave way to another (superseded).
    assert 2 * controls <= played["responses_received"] <= 3 * controls
    # Active and reactive power of 48 half-hours, but for the first ones of a meter that has just been set up.
    assert played["readings_received"] >= played["connections"] * 2 * (48 - 1)
    assert played["notifications_delivered"] > played["intervals"]
    assert (played["disobeying"], played["silent"], played["alarms"]) == ([], [], [])


def test_the_price_of_each_way_is_told(played):
    for run in ("none", "static", "envelope", "upgrade", "perfect_information"):
        assert played[run]["ev_kwh_asked"] == played["none"]["ev_kwh_asked"] > 0
        assert 0 < played[run]["ev_kwh_by_departure"] <= played[run]["ev_kwh_asked"]
    assert played["none"]["pv_curtailed_kwh"] == 0
    assert played["envelope"]["pv_curtailed_kwh"] > 0
    assert played["upgrade"]["max_transformer_percent"] < played["none"]["max_transformer_percent"]


def test_perfect_information_is_the_bound_of_what_envelopes_let_through(played):
    best, kept = played["perfect_information"], played["envelope"]
    assert (best["customers_outside_voltage"], best["hours_over_rating"], best["evs_short"]) == (0, 0, 0)
    assert best["pv_curtailed_kwh"] < kept["pv_curtailed_kwh"]
    used = [run["pv_available_kwh"] - run["pv_curtailed_kwh"] for run in (kept, best)]
    assert played["share_of_possible"] == pytest.approx(used[0] / used[1], abs=1e-3)


def test_the_picture_is_drawn(played, folder):
    assert (folder / "day.png").read_bytes().startswith(b"\x89PNG")


def test_violations_are_none_with_the_margins_of_scenarios_and_some_without(played):
    margins = played["margins"]
    kept, bare, known = (margins[name] for name in ("forecast", "without_margins", "known_day"))
    assert (margins["rounds"], margins["paths"]) == (played["intervals"], 20)
    assert (kept["hours_beyond"], known["hours_beyond"]) == (0, 0)
    assert bare["hours_beyond"] > 0
    assert kept["pv_curtailed_percent"] == played["envelope"]["pv_curtailed_percent"]
    assert kept["pv_curtailed_percent"] <= known["pv_curtailed_percent"] + 3.0


def test_a_server_that_was_killed_goes_on_with_the_same_forecast(played, folder):
    records = RunStore(folder / "envelope-records")
    of_time = {at: records.calculation(run, at).problem for at, run in records.calculations()}
    at = START + 10 * 3600
    before, after = of_time[at].scenarios, of_time[at + 7200].scenarios
    assert np.array_equal(before.load_w[:, 2:], after.load_w[:, :-2])
