"""The demonstration at full size: both feeders, kills through the day, and everyone who does not obey by name."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.demo.test_demo import TAKES_ITS_TIME, play
from tests.trials.figures import record

FACTS = os.environ.get("SEP2_FACTS")
MEASURED = pytest.param(
    "lv28", marks=pytest.mark.skipif(FACTS is None, reason="the measured feeder needs SEP2_FACTS"), id="LV28"
)
KILLS = ("08:00", "11:25", "14:30", "18:30", "23:00", "03:40")


def feeder_of(name: str | None) -> tuple[str, ...]:
    return () if name is None else ("--feeder", str(Path(str(FACTS), "data", name)))


def numbers(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key not in TAKES_ITS_TIME}


@pytest.fixture(scope="module", params=[pytest.param(None, id="European LV"), MEASURED])
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str | None, dict[str, Any]]:
    """A whole day on one of the feeders, undisturbed."""
    folder = tmp_path_factory.mktemp("demo") / "server"
    status, found = play(folder, *feeder_of(request.param))
    assert status == 0
    record(
        f"Demonstration: {found['feeder']}",
        "A day of envelopes, published by a server and obeyed by its clients, beside the same day without limits.",
        [
            *((name, found[name]) for name in ("connections", "controls_published", "notifications_delivered")),
            *((name, found[name]) for name in ("responses_received", "readings_received", "seconds")),
            *((f"{run}: {name}", found[run][name]) for run in ("none", "envelope") for name in OF_A_RUN),
        ],
    )
    return request.param, found


OF_A_RUN = ("customers_outside_voltage", "max_voltage_v", "max_transformer_percent", "hours_over_rating")


def test_violations_without_envelopes_are_gone_with_them(day):
    _, found = day
    none, kept = found["none"], found["envelope"]
    assert none["customers_outside_voltage"] > 0
    assert none["max_transformer_percent"] > 100
    assert kept["customers_outside_voltage"] == 0
    assert kept["max_voltage_v"] <= 253
    assert kept["hours_over_rating"] == 0


@pytest.mark.parametrize("kill_at", KILLS)
def test_kills_change_no_number(day, tmp_path, kill_at):
    name, undisturbed = day
    status, found = play(tmp_path / "server", "--kill-at", kill_at, *feeder_of(name))
    assert status == 0
    assert numbers(found) == numbers(undisturbed)


def test_who_does_not_obey_and_who_is_silent_is_named(day, tmp_path):
    name, _ = day
    status, found = play(tmp_path / "server", "--disobey", "10", "--silent", "10", *feeder_of(name))
    assert status == 1
    assert found["disobeying"] == found["asked_to_disobey"] != []
    assert found["silent"] == found["asked_to_be_silent"] != []


def test_every_seed_breaks_and_is_kept(tmp_path):
    for seed in range(1, 6):
        status, found = play(tmp_path / "server", "--seed", str(seed))
        assert found["none"]["customers_outside_voltage"] > 0
        assert (status, found["envelope"]["customers_outside_voltage"], found["disobeying"]) == (0, 0, [])
