"""A day of a US street: csip clients at 120/240 V, whose chargers are curtailed by demand response."""

import sqlite3
from pathlib import Path

import pytest

from tests.demo.test_demo import PATIENCE_S, play

pytestmark = pytest.mark.timeout(PATIENCE_S)


def test_csip_clients_keep_their_limits_all_day_and_chargers_follow_demand_response(tmp_path: Path) -> None:
    status, found = play(tmp_path / "server", "--us")
    assert (status, found["disobeying"], found["silent"], found["alarms"]) == (0, [], [], [])
    assert (found["limits"]["v_min_v"], found["limits"]["v_max_v"]) == (114.0, 126.0)
    none, kept = found["none"], found["envelope"]
    assert (none["max_transformer_percent"] > 120, kept["max_transformer_percent"] <= 100) == (True, True)
    assert (kept["evs_short"], kept["ev_kwh_by_departure"]) == (0, kept["ev_kwh_asked"])
    assert {one.partition(":")[0] for one in found["notes"]} == {"mode_unsupported", "default_looser_than_envelope"}
    # Answers that name the event itself, and not a DERControl, are those of chargers.
    with sqlite3.connect(tmp_path / "server" / "sep2.db") as database:
        (answers,) = database.execute("SELECT count(*) FROM response WHERE subject IS NOT NULL").fetchone()
        (profiles,) = database.execute("SELECT group_concat(DISTINCT profile) FROM client").fetchone()
    assert answers > 8 * 10
    assert profiles == "csip"


def test_who_disobeys_or_is_silent_is_named(tmp_path: Path) -> None:
    status, found = play(tmp_path / "server", "--us", "--disobey", "13", "--silent", "13")
    assert status == 1
    assert found["disobeying"] == found["asked_to_disobey"] != []
    assert found["silent"] == found["asked_to_be_silent"] != []
