"""Months of stored readings against the map: wrong phases, unregistered generation, missing energy."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from gridmodel import reduce, solve
from gridmodel.commands import app
from gridmodel.estimates import of_meters
from gridmodel.meter_data import series_index
from gridmodel.meter_data.staging import Series, Staging, Values
from gridmodel.meter_data.store import Kind, MeasurementStore
from gridmodel.meter_data.stored_readings import check_store, generation, stored_readings
from gridmodel.model import admittance as build
from gridmodel.model.feeder import Feeder
from tests.gridmodel.feeders import radial_equipment
from tests.gridmodel.meters import DAY_S, HALF_HOUR_S, NOW, START
from tests.gridmodel.test_folder import folder  # noqa: F401  a fixture
from tests.gridmodel.test_meters import head, households, misdrawn

WEEKS, CUSTOMERS = 6, 9
WRONG, EXPORTER, HIDDEN = [2], 5, 7
STEPS = WEEKS * 7 * 48


def put(store, kind, columns):
    """Series of half-hours from START on: (place, quantity) to (T,) values."""
    count = len(next(iter(columns.values())))
    names = tuple(Series(place, "", quantity, "") for place, quantity in columns)
    value = np.concatenate([np.asarray(one, dtype=float) for one in columns.values()])
    start = np.tile(START + HALF_HOUR_S * np.arange(count), len(names))
    series = np.repeat(np.arange(len(names)), count)
    with Staging(store, kind) as staging, store.writing():
        found = Values(names, series, start, np.full(len(start), HALF_HOUR_S), value, np.zeros(len(start), np.uint8))
        staging.add(found, NOW)
        series_index.widen(store, kind, staging.spans)
        staging.write("test")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A feeder as it is drawn, and the readings of what it is: six weeks of half-hours, voltage and energy."""
    store = MeasurementStore(tmp_path_factory.mktemp("stored") / "measurements")
    equipment = radial_equipment(CUSTOMERS, seed=3)
    true = build.network(equipment)
    s = households(CUSTOMERS, intervals=STEPS)
    hour = np.arange(STEPS) / 2 % 24
    cloud = np.repeat(np.random.default_rng(5).uniform(0.1, 1.0, STEPS // 6), 6)
    sun = np.maximum(np.sin((hour - 6) / 12 * np.pi), 0) * cloud
    s[:, EXPORTER] += 5000 * sun
    s[:, HIDDEN] += 1500 * sun - 1500
    flow = solve(reduce(true), s, head(true, STEPS))
    v = np.abs(flow.v) + np.random.default_rng(0).normal(size=flow.v.shape) * 0.2
    names = true.connections.id
    columns = {(name, "v"): v[:, c] for c, name in enumerate(names)}
    columns |= {(name, "net_w"): -s[:, c].real for c, name in enumerate(names)}
    columns |= {(name, "net_var"): -s[:, c].imag for c, name in enumerate(names)}
    drawn = misdrawn(equipment, WRONG)
    transformer = next(i for i, k in zip(drawn.branches.id, drawn.branches.kind, strict=True) if k == "transformer")
    through = -s.real.sum(axis=1) * 1.03
    through[4 * 7 * 48 :] *= 1.4
    columns[transformer, "net_w"] = through
    put(store, Kind.AMI, columns)
    put(store, Kind.WEATHER, {("site", "ghi_w_m2"): 1000 * sun})
    count = len(names)
    feeder = Feeder("street", drawn, np.zeros(count), np.ones(count, dtype=bool))
    return feeder, store, {f"{f.code} {f.element}": f for f in check_store(store.folder, feeder)}


def test_wrong_phases_are_suggested_with_confidence(measured):
    feeder, _, found = measured
    names = feeder.network.connections.id
    assert {key for key in found if key.startswith("wrong_phase")} == {
        f"wrong_phase connection {names[k]}" for k in WRONG
    }
    assert "confidence 1" in found[f"wrong_phase connection {names[WRONG[0]]}"].detail


def test_generation_that_is_not_registered_is_named(measured):
    feeder, _, found = measured
    names = feeder.network.connections.id
    exported = found[f"unregistered_generation connection {names[EXPORTER]}"]
    assert "no generation is registered" in exported.detail
    hidden = found[f"likely_generation connection {names[HIDDEN]}"]
    size = float(hidden.detail.split("by ")[1].split(" W")[0])
    assert size == pytest.approx(1500, rel=0.25)
    assert len([key for key in found if "generation" in key]) == 2


def test_energy_that_is_missing_since_a_month_is_named(measured):
    _, _, found = measured
    (changed,) = [f for key, f in found.items() if key.startswith("energy_balance_changed")]
    assert changed.detail.startswith("since 2026-07")


def test_registered_generation_is_no_finding(measured):
    feeder, store, _ = measured
    size = np.zeros(CUSTOMERS)
    size[EXPORTER] = 5000.0
    known = Feeder("street", feeder.network, size, feeder.active)
    found = generation(known, stored_readings(store, known.network))
    assert [f.code for f in found] == ["likely_generation"]


def test_the_command_takes_a_folder_of_measurements(folder, tmp_path):  # noqa: F811
    store = MeasurementStore(tmp_path / "measurements")
    rng = np.random.default_rng(1)
    put(store, Kind.AMI, {(name, "v"): rng.normal(231, 2, 96) for name in ("h1", "h3")})
    result = CliRunner().invoke(app, ["check", str(folder), "--meters", str(store.folder), "--json"])
    assert result.exit_code == 0
    assert {"looked_at", "no_readings"} <= {f["code"] for f in json.loads(result.output)["findings"]}
    (tmp_path / "empty").mkdir()
    result = CliRunner().invoke(app, ["check", str(folder), "--meters", str(tmp_path / "empty"), "--json"])
    assert result.exit_code == 1
    assert "no meter readings" in json.loads(result.output)["findings"][0]["detail"]


def test_years_are_looked_at_in_weeks_spread_over_them(tmp_path):
    from gridmodel.meter_data.series_index import KnownSeries
    from gridmodel.meter_data.stored_readings import MOST_WEEKS, _weeks

    windows = _weeks([KnownSeries(Series("c", "", "v", ""), START, START + 3 * 366 * DAY_S, 1800, 1800)])
    assert len(windows) == MOST_WEEKS
    assert windows[0].since == START
    assert windows[-1].until > START + (3 * 366 - 8) * DAY_S


def test_a_comparison_that_may_take_long_says_so_first(measured):
    feeder, store = measured[0], measured[1]
    said = []
    check_store(store.folder, feeder, said.append)
    assert said == [""]


def test_an_estimate_grows_with_meters_intervals_and_transformers():
    small, large = of_meters(336, 50, 1), of_meters(26 * 336, 3000, 60)
    assert small.warning == ""
    assert large.warning.startswith("This will take about ")
    assert "8,736 intervals of 3,000 meters are compared with 60 transformers" in large.warning
    assert large.seconds > 1000 * small.seconds
