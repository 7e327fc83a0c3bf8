"""The store of measurements: nothing twice, nothing lost, everything as it was known at a time."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from gridmodel import GridError
from gridmodel.meter_data import series_index
from gridmodel.meter_data.import_report import sentences
from gridmodel.meter_data.mapping import Edge
from gridmodel.meter_data.overlaps import without_overlaps
from gridmodel.meter_data.quantities import Quality, Quantity
from gridmodel.meter_data.reading import MeasuredTable, Window, net_import_w, read, summed
from gridmodel.meter_data.staging import Series, Staging, Values
from gridmodel.meter_data.store import Kind, MeasurementStore, day_of
from gridmodel.meter_data.upkeep import erase, forget_before
from tests.gridmodel.meters import DAY_S, HALF_HOUR_S, NOW, START, own_file, table, take, utc

DAY = Window(START, START + DAY_S)


@pytest.fixture
def store(tmp_path):
    return MeasurementStore(tmp_path / "measurements")


def put(
    store, values, *, arrived, place="c1", quantity=Quantity.IMPORT, kind=Kind.AMI, start=START, step_s=HALF_HOUR_S
):
    """Values of one place, as from a file."""
    count = len(values)
    found = Values(
        (Series(place, "", quantity, ""),),
        np.zeros(count, dtype=np.intp),
        start + step_s * np.arange(count),
        np.full(count, step_s),
        np.array(values, dtype=float),
        np.zeros(count, dtype=np.uint8),
    )
    with Staging(store, kind) as staging, store.writing():
        staging.add(found, arrived)
        series_index.widen(store, kind, staging.spans)
        return staging.write("test")


def test_the_same_file_twice_changes_nothing(store, tmp_path):
    path = own_file(tmp_path / "ami.csv", {"c1": [100.0] * 96, "c2": [7.123] * 96})
    assert take(store, path).counts.new == 192
    before = sorted((one, one.stat().st_mtime_ns) for one in store.folder.rglob("*.parquet"))
    again = take(store, path, now=NOW + 5).counts
    assert (again.new, again.revised, again.unchanged, again.written) == (0, 0, 192, 0)
    now = [(one, stamp) for one, stamp in before if one.name != series_index.FILE]
    assert [(one, one.stat().st_mtime_ns) for one, _ in now] == now


def test_a_correction_stands_beside_what_was_known_before(store, tmp_path):
    take(store, own_file(tmp_path / "a.csv", {"c1": [100.0, 200.0, 300.0]}), now=NOW)
    report = take(store, own_file(tmp_path / "b.csv", {"c1": [100.0, 250.0, 300.0, 400.0]}, quality="A"), now=NOW + 100)
    assert (report.counts.new, report.counts.revised, report.counts.unchanged) == (1, 1, 2)

    def known(as_of):
        return read(store, ["c1"], Quantity.IMPORT, replace(DAY, as_of=as_of)).value[:4, 0].tolist()

    assert np.isnan(known(NOW - 1)).all()
    assert known(NOW)[:3] == [200.0, 400.0, 600.0]
    assert np.isnan(known(NOW)[3])
    assert known(NOW + 100) == [200.0, 500.0, 600.0, 800.0]
    assert known(None) == [200.0, 500.0, 600.0, 800.0]


def test_an_older_file_that_is_taken_again_does_not_undo_a_correction(store, tmp_path):
    first = own_file(tmp_path / "first.csv", {"c1": [100.0] * 48})
    corrected = own_file(tmp_path / "corrected.csv", {"c1": [150.0] * 48})
    for k, path in enumerate((first, corrected)):
        assert take(store, path, now=NOW + k).counts.written == 48
    again = take(store, first, now=NOW + 2)
    assert again.counts.written == 0
    assert any("was taken before, at 2026-06-08 00:00Z" in line for line in sentences(again))
    assert read(store, ["c1"], Quantity.IMPORT, DAY).value[0, 0] == 300.0
    # Said to arrive now, or read in another way, it is another statement.
    assert take(store, first, now=NOW + 3, arrived="now").counts.revised == 48
    assert take(store, first, now=NOW + 4, edge=Edge.END).counts.new > 0


def test_a_change_of_quality_alone_is_a_correction(store, tmp_path):
    take(store, own_file(tmp_path / "a.csv", {"c1": [100.0]}, quality="E"))
    assert take(store, own_file(tmp_path / "b.csv", {"c1": [100.0]}), now=NOW + 9).counts.revised == 1
    found = read(store, ["c1"], Quantity.IMPORT, DAY)
    assert found.quality[0, 0] == Quality.MEASURED
    assert found.quality[1, 0] == Quality.MISSING


def test_another_value_that_claims_the_same_arrival_counts_as_the_later_one_and_only_once(store):
    assert put(store, [1.0], arrived=NOW).new == 1
    assert put(store, [2.0], arrived=NOW).revised == 1
    assert put(store, [2.0], arrived=NOW).written == 0
    assert read(store, ["c1"], Quantity.IMPORT, DAY).value[0, 0] == 2.0


def test_knowledge_that_turns_out_older_is_kept_too(store):
    put(store, [5.0], arrived=NOW)
    assert put(store, [4.0], arrived=NOW - 1000).written == 1
    assert read(store, ["c1"], Quantity.IMPORT, replace(DAY, as_of=NOW - 500)).value[0, 0] == 4.0
    assert read(store, ["c1"], Quantity.IMPORT, DAY).value[0, 0] == 5.0


def test_steps_of_another_length_are_means_over_them(store):
    put(store, [10.0, 20.0, 30.0, 40.0], arrived=NOW, step_s=900)
    put(store, [100.0, 200.0], arrived=NOW, place="c2", step_s=3600)
    found = read(store, ["c1", "c2"], Quantity.IMPORT, replace(DAY, until=START + 7200))
    assert found.value[:, 0].tolist()[:2] == [15.0, 35.0]
    assert np.isnan(found.value[2:, 0]).all()
    assert found.value[:, 1].tolist() == [100.0, 100.0, 200.0, 200.0]


def test_a_step_that_is_measured_in_part_is_a_gap(store):
    put(store, [10.0, 20.0, 30.0], arrived=NOW, step_s=900)
    assert np.isnan(read(store, ["c1"], Quantity.IMPORT, replace(DAY, until=START + 3600)).value[1, 0])


def test_intervals_across_a_step_count_by_their_overlap(store):
    put(store, [10.0, 20.0, 30.0, 50.0], arrived=NOW, start=START - 900, step_s=1800)
    assert read(store, ["c1"], Quantity.IMPORT, replace(DAY, until=START + 3600)).value[:, 0].tolist() == [15.0, 25.0]


def test_of_values_over_each_other_the_last_that_arrived_counts_and_the_others_for_the_rest(store):
    """Half-hours of 100 W; the second is told again as six times five minutes, of which one is missing."""
    put(store, [100.0] * 4, arrived=NOW)
    fine = HALF_HOUR_S // 6
    put(store, [10.0, 20.0, 30.0], arrived=NOW + 60, start=START + HALF_HOUR_S, step_s=fine)
    put(store, [50.0, 60.0], arrived=NOW + 60, start=START + HALF_HOUR_S + 4 * fine, step_s=fine)
    window = Window(START, START + 4 * HALF_HOUR_S)
    found = read(store, ["c1"], Quantity.IMPORT, window).value[:, 0]
    assert found.tolist() == pytest.approx([100.0, (10 + 20 + 30 + 100 + 50 + 60) / 6, 100.0, 100.0])
    assert read(store, ["c1"], Quantity.IMPORT, replace(window, as_of=NOW)).value[:, 0].tolist() == [100.0] * 4
    put(store, [70.0], arrived=NOW + 120, start=START, step_s=2 * HALF_HOUR_S)
    assert read(store, ["c1"], Quantity.IMPORT, window).value[:, 0].tolist() == [70.0, 70.0, 100.0, 100.0]


def test_of_values_that_arrived_together_the_shorter_interval_counts(store):
    put(store, [100.0], arrived=NOW, step_s=2 * HALF_HOUR_S)
    put(store, [20.0], arrived=NOW, start=START + HALF_HOUR_S)
    found = read(store, ["c1"], Quantity.IMPORT, Window(START, START + 2 * HALF_HOUR_S))
    assert found.value[:, 0].tolist() == [100.0, 20.0]


@pytest.mark.parametrize("seed", range(4))
def test_pieces_are_those_of_a_second_by_second_count(seed):
    rng, size = np.random.default_rng(seed), 40
    drawn = np.unique(rng.integers([0, 0, 1], [3, 60, 12], (size, 3)), axis=0)
    rows = dict(zip(("code", "start", "duration"), rng.permutation(drawn).T, strict=True))
    rows |= {"arrived": rng.integers(0, 4, len(drawn)), "value": np.arange(len(drawn))}
    order = np.lexsort([rows["start"], -rows["duration"], rows["arrived"]])
    expected = {
        (rows["code"][k], rows["start"][k] + second): rows["value"][k]
        for k in order
        for second in range(rows["duration"][k])
    }
    found = without_overlaps(rows)
    seconds = [
        ((code, start + second), value)
        for code, start, duration, value in zip(
            *(found[name] for name in ("code", "start", "duration", "value")), strict=True
        )
        for second in range(duration)
    ]
    assert len(seconds) == len(expected)
    assert dict(seconds) == expected


def test_net_import_is_of_all_registers_and_a_gap_where_one_is_missing(store, tmp_path):
    header = "connection_id,register,interval_start,duration_s,import_wh,export_wh"
    rows = [("c1", "E1", utc(START), 1800, 500, 100), ("c1", "E2", utc(START), 1800, 50, "")]
    rows += [("c1", "E1", utc(START + 1800), 1800, 500, 100), ("c1", "E2", utc(START + 3600), 1800, 50, "")]
    rows += [("c1", "E1", utc(START + 3600), 1800, 500, 600)]
    take(store, table(tmp_path / "ami.csv", header, *rows))
    found = net_import_w(store, ["c1", "elsewhere"], replace(DAY, until=START + 5400)).value
    assert found[0, 0] == pytest.approx(2 * (550 - 100))
    assert np.isnan(found[1, 0])
    assert found[2, 0] == pytest.approx(2 * (550 - 600))
    assert np.isnan(found[:, 1]).all()


def test_a_meter_that_was_exchanged_leaves_no_gap(store, tmp_path):
    header = "connection_id,meter_id,interval_start,duration_s,import_wh"
    rows = [("c1", "old" if k < 2 else "new", utc(START + 1800 * k), 1800, 50) for k in range(4)]
    take(store, table(tmp_path / "ami.csv", header, *rows))
    assert net_import_w(store, ["c1"], replace(DAY, until=START + 7200)).value[:, 0].tolist() == [100.0] * 4


def test_sums_of_transformers_are_scaled_up_to_all_customers_and_marked():
    value = np.array([[1.0, 2.0, 3.0, 10.0], [1.0, np.nan, 3.0, 10.0], [np.nan, np.nan, 3.0, 10.0]])
    quality = np.where(np.isfinite(value), 0, 5).astype(np.uint8)
    measured = MeasuredTable(replace(DAY, until=START + 5400), ("a", "b", "c", "d"), value, quality)
    found = summed(measured, ["T1", "T1", "T1", "T2"], least_known=0.6)
    assert found.places == ("T1", "T2")
    assert found.value[:2, 0].tolist() == [6.0, pytest.approx(6.0)]
    assert np.isnan(found.value[2, 0])
    assert found.quality[:, 0].tolist() == [Quality.MEASURED, Quality.ESTIMATED, Quality.MISSING]
    assert found.value[:, 1].tolist() == [10.0] * 3


def test_many_small_imports_are_put_together_and_say_the_same(store, tmp_path):
    for k in range(12):
        take(store, own_file(tmp_path / f"{k}.csv", {f"c{k:02d}": [float(k)] * 2}), now=NOW + k)
    assert len(store.files(Kind.AMI, START, START + DAY_S)) < 9
    names = [f"c{k:02d}" for k in range(12)]
    found = read(store, names, Quantity.IMPORT, replace(DAY, as_of=NOW + 5))
    assert found.value[0, :6].tolist() == [2.0 * k for k in range(6)]
    assert np.isnan(found.value[0, 6:]).all()


def test_what_a_process_left_unfinished_is_neither_read_nor_kept(store, tmp_path):
    take(store, own_file(tmp_path / "a.csv", {"c1": [1.0]}))
    left = store.day_folder(Kind.AMI, day_of(START)) / "0123.parquet.unfinished"
    left.write_bytes(b"half a file")
    assert read(store, ["c1"], Quantity.IMPORT, DAY).value[0, 0] == 2.0
    take(store, own_file(tmp_path / "b.csv", {"c1": [1.0, 2.0]}))
    assert not left.exists()


def test_two_imports_at_once_wait_for_each_other(store, tmp_path):
    paths = [own_file(tmp_path / f"{k}.csv", {"c1": [1.0] * 48, f"only{k}": [float(k)]}) for k in range(2)]
    with ThreadPoolExecutor(2) as pool:
        assert len(list(pool.map(lambda path: take(store, path), paths))) == 2
    rows = store.query("SELECT count(*) AS n FROM rows", store.files(Kind.AMI, START, START + DAY_S))
    assert rows["n"][0] == 50


ERASED = "erased place"
"""which random octets do not spell by chance"""


def test_an_erased_place_is_gone_and_others_stay(store, tmp_path):
    take(store, own_file(tmp_path / "a.csv", {name: [1.0] * 96 for name in (ERASED, "c2")}))
    assert any(ERASED.encode() in path.read_bytes() for path in store.folder.rglob("*.parquet"))
    assert erase(store, ERASED) == 96
    assert erase(store, ERASED) == 0
    assert [one.series.place for one in series_index.known_series(store, Kind.AMI)] == ["c2"]
    for path in store.folder.rglob("*.parquet"):
        assert ERASED.encode() not in path.read_bytes()
    assert read(store, [ERASED], Quantity.IMPORT, DAY).known.sum() == 0
    assert read(store, ["c2"], Quantity.IMPORT, DAY).known.sum() == 48


def test_days_before_the_retention_go_as_a_whole(store, tmp_path):
    take(store, own_file(tmp_path / "a.csv", {"c1": [1.0] * 48 * 3}))
    assert forget_before(store, day_of(START + 2 * DAY_S)) == 2
    assert store.days(Kind.AMI) == [day_of(START + 2 * DAY_S)]
    (left,) = series_index.known_series(store, Kind.AMI)
    assert (left.first, left.until) == (START + 2 * DAY_S, START + 3 * DAY_S)
    late = take(store, own_file(tmp_path / "a.csv", {"c1": [1.0] * 48 * 3}), keep_from=START + DAY_S)
    assert (late.counts.too_old, late.counts.new, late.counts.unchanged) == (48, 48, 48)


def test_a_window_that_can_not_be_is_refused():
    for since, until, step_s in ((0, 0, 1800), (0, 1000, 1800), (0, 1800, 0)):
        with pytest.raises(GridError, match="no whole number of steps"):
            Window(since, until, step_s)


def test_an_empty_store_has_gaps_only(store):
    assert not read(store, ["c1"], Quantity.IMPORT, DAY).known.any()
    assert not store.exists
