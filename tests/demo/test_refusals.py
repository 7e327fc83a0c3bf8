"""What the demonstration refuses, in one line and before anything is touched."""

import os

import pytest
import typer

from envelope.demo import utility
from envelope.demo.commands import step_at
from envelope.demo.scenario import BadFeeder, build_scenario
from sep2.cli import process


async def test_a_folder_that_is_not_its_own_is_left_alone(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("precious", encoding="utf-8")
    with pytest.raises(utility.NotOurs, match="is not empty"):
        await utility.create(tmp_path, lambda _: ("european-lv", None))
    assert mine.read_text(encoding="utf-8") == "precious"


async def test_a_folder_in_which_a_server_runs_is_left_alone(tmp_path):
    (tmp_path / utility.MARKER).write_text("{}\n", encoding="utf-8")
    with process.noted(tmp_path), pytest.raises(utility.InUse, match=f"process {os.getpid()}.*stop it first"):
        await utility.create(tmp_path, lambda _: ("european-lv", None))
    assert (tmp_path / utility.MARKER).exists()


def test_a_folder_without_a_feeder(tmp_path):
    with pytest.raises(BadFeeder, match="nowhere"):
        build_scenario(tmp_path / "nowhere", 1)


def test_a_measured_day_that_is_no_day(nine_homes, tmp_path):
    for file in nine_homes.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    homes = [f"H{k}" for k in range(1, 10)]
    rows = [",".join([str(k), *["0.4"] * 9]) for k in range(12)]
    (tmp_path / "demand_kw.csv").write_text("\n".join([",".join(["interval", *homes]), *rows]) + "\n")
    (tmp_path / "feeder.toml").write_text("step_s = 3600\n")
    with pytest.raises(BadFeeder, match="12 intervals of 3600 s, which is not one day"):
        build_scenario(tmp_path, 1)


@pytest.mark.parametrize("clock", ["25:00", "12:60", "noon", "12", ""])
def test_no_time_of_the_day(clock):
    with pytest.raises(typer.BadParameter, match="write HH:MM"):
        step_at(clock)
