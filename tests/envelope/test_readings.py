"""Meter readings instead of a model: what is read, what is refused, and what limits come of it."""

import csv

import numpy as np
import pytest

from envelope.field_rules import BadProblem
from envelope.model_free.methods import DeltaVoltage, Unmodelled, asset_capacity, asset_capacity_delta_voltage
from envelope.model_free.readings import read_meters
from gridmodel.errors import FileError

DAY_S = 86_400
NAMES = ("x", "y", "z")


def write(path, days=3, seed=1, slope=(0.0004, 0.001, 0.002), changed=lambda row: row):
    """Three customers and their transformer T, hourly; the voltage of each falls with what all import together."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["meter_id", "connection_id", "interval_start", "duration_s", "import_wh", "export_wh", "v_avg"])
        for k in range(24 * days):
            at = f"2026-05-{26 + k // 24:02d}T{k % 24:02d}:00"
            sun = max(0.0, np.sin((k % 24 - 6) / 12 * np.pi))
            net = rng.uniform(200.0, 800.0, 3) - np.array([0.0, 0.0, 3000.0]) * sun
            for c, name in enumerate(NAMES):
                volts = 240.0 - slope[c] * net.sum() + rng.normal(0.0, 0.05)
                row = ["m", name, at, "3600", max(net[c], 0.0), max(-net[c], 0.0), volts]
                lines.writerow(changed([k, *row])[1:])
            lines.writerow(["m", "T", at, "3600", max(net.sum(), 0.0), max(-net.sum(), 0.0), 240.5 - 2e-4 * net.sum()])
    return path


@pytest.fixture(scope="module")
def meters(tmp_path_factory):
    return read_meters(write(tmp_path_factory.mktemp("meters") / "ami.csv"), "T")


def test_readings_come_in_rows_and_columns(meters):
    assert meters.connection_id == NAMES
    assert (meters.steps, meters.days, len(meters.start)) == (24, 3, 72)
    assert int(meters.start[0]) == 1_779_753_600
    assert meters.import_w.sum(axis=1) == pytest.approx(meters.transformer_w)
    assert meters.total_w == pytest.approx(meters.transformer_w)


def test_the_critical_customer_is_where_the_voltage_moves_most(meters):
    name, line = meters.critical()
    assert name == "z"
    assert line.slope_v_per_w == pytest.approx(-0.002, rel=0.05)
    named, other = meters.critical("y")
    assert (named, other.slope_v_per_w) == ("y", pytest.approx(-0.001, rel=0.05))
    with pytest.raises(BadProblem, match="no readings of connection 'w'"):
        meters.critical("w")


def test_a_day_ahead_is_each_hour_as_it_was(meters):
    day = meters.day_ahead(10_000.0, np.zeros((24, 3)), np.zeros((24, 3)))
    assert int(day.step_start[0]) == int(meters.start[-1]) + 3600
    assert day.step_start[0] % DAY_S == 0
    assert day.base_load_w[5] == pytest.approx(meters.import_w[[5, 29, 53]].mean(axis=0))


def test_an_hour_that_was_never_read_is_named(tmp_path):
    path = write(tmp_path / "ami.csv", days=1)
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "y,2026-05-26T07" not in line))
    with pytest.raises(BadProblem, match="connection y has no reading at 07:00 UTC"):
        read_meters(path, "T").day_ahead(10_000.0, np.zeros((24, 3)), np.zeros((24, 3)))


def test_a_sum_with_gaps_is_scaled_or_left_out(tmp_path):
    path = write(tmp_path / "ami.csv", days=1)
    kept = [line for line in path.read_text().splitlines() if ",T," not in line]
    path.write_text("\n".join(line for line in kept if "y,2026-05-26T07" not in line))
    found = read_meters(path)
    assert np.isnan(found.total_w[7])
    assert found.total_w[8] == pytest.approx(found.import_w[8].sum())


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        (3, "yesterday", "row 2, field interval_start: 'yesterday' is no time"),
        (3, "2026-05-26T01:00", "field interval_start: x has this interval twice"),
        (4, "7", "row 2, field duration_s: 7 does not divide a day"),
        (4, "1800", "field duration_s: 3600, where others last 1800"),
        (5, "-1", "row 2, field import_wh: -1 is negative"),
        (5, "much", "row 2, field import_wh: 'much' is not a number"),
        (7, "-230", "row 2, field v_avg: -230 is negative"),
        (2, "", "row 2, field connection_id"),
    ],
)
def test_bad_readings_are_refused_by_row_and_field(tmp_path, column, value, said):
    def changed(row):
        if row[0] == 0 and row[2] == "x":
            row[column] = value
        return row

    with pytest.raises(FileError, match=said):
        read_meters(write(tmp_path / "ami.csv", days=1, changed=changed), "T")


def test_a_transformer_without_a_meter_is_refused(tmp_path):
    with pytest.raises(FileError, match="no readings of transformer T9"):
        read_meters(write(tmp_path / "ami.csv", days=1), "T9")


def test_the_difference_to_the_transformer_keeps_every_customer_inside(meters):
    found = DeltaVoltage.measure(meters.total_w, meters.transformer_v, meters.v)
    assert found.transformer.slope_v_per_w == pytest.approx(-2e-4, rel=0.01)
    assert found.most_drop_v == pytest.approx(np.max(meters.transformer_v[:, None] - meters.v))
    steps = np.full((24, 3), 9000.0)
    known = Unmodelled(NAMES, meters.start[:24], 3600, 1e6, np.full((24, 3), 500.0), steps, steps)
    limits = asset_capacity_delta_voltage(known, found, v_min_v=232.0, v_max_v=253.0)
    imported = limits.import_limit_w.sum(axis=1)
    assert np.all(found.transformer.at_zero_v + found.transformer.slope_v_per_w * imported - found.most_drop_v >= 232.0)
    assert limits.binding_text("import", 0, 1).startswith("transformer voltage by regression")
    assert imported.sum() < asset_capacity(known).import_limit_w.sum()
