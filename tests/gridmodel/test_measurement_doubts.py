"""Values of meters whose unit has likely slipped: named before anything is written."""

import pytest

from gridmodel.meter_data.import_report import sentences
from gridmodel.meter_data.store import MeasurementStore
from tests.gridmodel.meters import START, look, own_file, table, take, utc


@pytest.fixture
def store(tmp_path):
    return MeasurementStore(tmp_path / "measurements")


@pytest.mark.parametrize(
    ("energy_wh", "said"),
    [
        ({"H1": [100.0, 1e7], "H2": [100.0, 90.0]}, "over 200,000 W at a customer: H1 20,000,000 W at 2026-"),
        ({f"H{k}": [0.1, 0.4] for k in range(3)}, "nowhere over 0.8 W"),
        ({"H1": [100.0, 1e5], "H2": [0.0, 0.4]}, ""),
    ],
)
def test_values_whose_unit_has_likely_slipped_are_named_before_they_are_written(store, tmp_path, energy_wh, said):
    report = look(store, own_file(tmp_path / "meters.csv", energy_wh))
    assert said in " ".join(report.unlikely)
    assert bool(report.unlikely) == bool(said)
    assert set(report.unlikely) <= set(sentences(report))


COUNTS = "what arrived last counts there, of what arrived together the shorter interval"


def test_values_that_lie_over_others_are_named(store, tmp_path):
    header = "connection_id,interval_start,duration_s,import_wh"
    halves = [f"c1,{utc(START + k * 1800)},1800,100" for k in range(4)]
    hour = f"c1,{utc(START)},3600,800"
    both = look(store, table(tmp_path / "both.csv", header, *halves, hour))
    assert f"intervals that lie over others of the same series: c1 import_w 2; {COUNTS}" in both.unlikely
    assert take(store, table(tmp_path / "halves.csv", header, *halves)).unlikely == []
    again = look(store, table(tmp_path / "hour.csv", header, hour))
    assert again.unlikely == [
        f"stored in intervals of another length over the same time: c1 import_w; {COUNTS}",
    ]


def test_a_further_register_of_a_quantity_is_named_once(store, tmp_path):
    header = "connection_id,register,interval_start,duration_s,import_wh"
    take(store, own_file(tmp_path / "own.csv", {"c1": [100.0] * 4}))
    path = table(tmp_path / "e1.csv", header, ("c1", "E1", utc(START), 1800, 100))
    said = "a further register of a place and quantity over the same time, added to the others"
    assert take(store, path).unlikely == [f"{said}: c1 import_w E1 beside one without a name"]
    path = table(tmp_path / "more.csv", header, ("c1", "E1", utc(START), 1800, 110))
    assert look(store, path).unlikely == []


def test_voltages_of_meters_in_kv_are_named(store, tmp_path):
    path = table(tmp_path / "v.csv", "connection_id,interval_start,duration_s,v", ("H1", utc(START), 1800, 0.231))
    assert "unlikely v, nowhere over 0.231 V" in " ".join(look(store, path).unlikely)
