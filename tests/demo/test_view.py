"""What the terminal shows while the day is played, and what is said at its end."""

import io

import numpy as np
import pytest
from rich.console import Console

from envelope.demo import study
from envelope.demo.commands import step_at
from envelope.demo.homes import Homes
from envelope.demo.scenario import build_scenario
from envelope.demo.simulation import StepState
from envelope.demo.terminal_view import FeederMeters, TerminalView, bar, span
from envelope.problem import OperatingLimits
from gridmodel.readers.example_feeders import european_lv
from sep2.client import Limits, Setting


@pytest.fixture(scope="module")
def place(nine_homes):
    return build_scenario(nine_homes, 6)


def shown(thing) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(thing)
    return console.file.getvalue()


@pytest.fixture
def noon(place):
    """Homes that have lived until noon; two with solar may export 1 kW, and one of them does not care."""
    careless, careful = np.flatnonzero(place.day.has_pv)[:2]
    homes = Homes(place.day, np.arange(len(place.day.connection_ids)) == careless)
    modes = {"opModExpLimW": Setting(1000, 1), "opModImpLimW": Setting(4000, 1)}
    for at in (careless, careful):
        homes.device(at).apply(Limits(modes), now=0)
    for step in range(49):
        homes.play(step)
    return StepState(step=48, homes=homes, controls=99, notified=12, answered=34, pending=0)


def test_the_live_view_tells_time_load_and_who_is_over(place, noon):
    text = shown(TerminalView(place, Console(file=io.StringIO()))._panel(noon))
    assert "Nine homes  12:05" in text
    assert "99 controls stand" in text
    assert "34 answers sent" in text
    first, second = (line for line in text.splitlines() if "1.00 kW" in line)
    careless, careful = (place.day.connection_ids[at] for at in np.flatnonzero(place.day.has_pv)[:2])
    assert careless in first
    assert "over" in first
    assert careful in second
    assert "over" not in second


def test_the_instruments_read_what_the_power_flow_says(place, noon):
    run = study.run(place.reduced, place.day, place.grown.powers)
    percent, low_v, high_v = FeederMeters(place).read(place.grown.powers.s_va[100], 100)
    assert percent == pytest.approx(100 * run.flow.loading[100, run.flow.is_transformer].max())
    assert (low_v, high_v) == pytest.approx((run.flow.voltage_v[100].min(), run.flow.voltage_v[100].max()))


def test_bars_turn_red_beyond_the_limit():
    assert (bar(80.0, 160.0, 100.0).style, bar(101.0, 160.0, 100.0).style) == ("green", "red")
    limits = OperatingLimits()
    spans = [span(*volts, limits) for volts in ((230.0, 250.0), (230.0, 253.5), (215.0, 240.0))]
    assert [one.style for one in spans] == ["green", "red", "red"]
    assert span(216.0, 253.0, limits).plain.count("█") > span(240.0, 241.0, limits).plain.count("█")
    assert span(121.0, 125.0, OperatingLimits.of("ansi-c84.1-a")).style == "green"


def test_the_table_sets_the_runs_side_by_side(place):
    text = shown(study.runs_table(study.compare_runs(place.reduced, place.day, place.grown.powers)))
    assert "fixed limits" in text
    assert "customers outside 216 to 253 V" in text


def test_every_changed_value_of_the_european_feeder_is_printed():
    text = shown(study.changes_table(european_lv()))
    assert "800000" in text
    assert "200000" in text
    assert text.count("rating_a") == 10


def test_a_feeder_as_it_is_has_no_changes(place):
    assert study.changes_table(place.feeder) is None


@pytest.mark.parametrize(("clock", "step"), [("08:00", 0), ("12:05", 49), ("23:59", 191), ("07:55", 287)])
def test_times_of_the_day(clock, step):
    assert step_at(clock) == step
