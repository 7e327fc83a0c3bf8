"""Values of meters whose unit has likely slipped: named before anything is written."""

import pytest

from gridmodel.meter_data.import_report import sentences
from gridmodel.meter_data.store import MeasurementStore
from tests.gridmodel.meters import START, look, own_file, table, utc


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


def test_voltages_of_meters_in_kv_are_named(store, tmp_path):
    path = table(tmp_path / "v.csv", "connection_id,interval_start,duration_s,v", ("H1", utc(START), 1800, 0.231))
    assert "unlikely v, nowhere over 0.231 V" in " ".join(look(store, path).unlikely)
