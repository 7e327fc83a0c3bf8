"""Files of meters, SCADA and weather: read rightly, or refused by file, row, field and value."""

from dataclasses import replace

import numpy as np
import pytest

from gridmodel import GridError
from gridmodel.errors import FileError
from gridmodel.meter_data.head_voltage import head_voltage
from gridmodel.meter_data.import_report import sentences
from gridmodel.meter_data.mapping import Edge, read_mapping
from gridmodel.meter_data.quantities import Quality, Quantity
from gridmodel.meter_data.reading import Window, read
from gridmodel.meter_data.series_index import known_series
from gridmodel.meter_data.store import Kind, MeasurementStore
from tests.gridmodel.meters import (
    DAY_S,
    NOW,
    START,
    adelaide,
    look,
    nem12,
    own_file,
    table,
    take,
    utc,
)

DAY = Window(START, START + DAY_S)
MARKET_DAY = Window(START - 10 * 3600, START + 14 * 3600)
"""2026-05-29 in UTC+10"""


@pytest.fixture
def store(tmp_path):
    return MeasurementStore(tmp_path / "measurements")


def test_options_correct_the_only_column_and_are_named_where_they_change_nothing(store, tmp_path):
    rows = [f"k1,2026-05-29T{hour:02d}:30Z,1.5" for hour in range(3)]
    one = table(tmp_path / "one.csv", "NMI,Start Time,kWh", *rows)
    take(store, one, quantity=Quantity.EXPORT, unit="Wh")
    assert read(store, ["k1"], Quantity.EXPORT, Window(START, START + 3 * 3600, 3600)).quality[1, 0] == 0
    two = table(tmp_path / "two.csv", "NMI,Start Time,Import kWh,Export kWh", *(f"{row},0" for row in rows))
    with pytest.raises(FileError, match="--unit Wh: of which of Export kWh, Import kWh"):
        look(store, two, unit="Wh")
    with pytest.raises(GridError, match="unit v is of V, import_w of W"):
        look(store, one, unit="V")
    nem = nem12(tmp_path / "nem.csv", "6102000001", [("20260529", [0.5] * 48, "A,,,,")])
    assert "  not used: --zone; NEM12 says it itself" in sentences(look(store, nem, zone="Europe/Berlin"))
    mapping = table(
        tmp_path / "m.toml",
        'place = "NMI"\ntime = "Start Time"',
        "[columns]",
        'kWh = {quantity = "import_w", unit = "kwh"}',
    )
    with pytest.raises(GridError, match="--edge beside --mapping"):
        look(store, one, mapping=mapping, edge=Edge.END)


@pytest.mark.parametrize(
    ("zone", "at", "said"),
    [
        ("Australia/Adelaide", "2026-10-04T02:30", "row 3, field interval_start: 2026-10-04 02:30 does not exist"),
        ("UTC", "2126-05-29T00:00", "row 3, field interval_start: '2126-05-29T00:00' is outside 1970 to 2100"),
    ],
)
def test_a_time_that_can_not_be_is_named_by_row_and_column(store, tmp_path, zone, at, said):
    header = "connection_id,interval_start,duration_s,import_wh"
    path = table(tmp_path / "own.csv", header, "c1,2026-10-04T00:00,1800,1", f"c1,{at},1800,1")
    with pytest.raises(FileError, match=said):
        look(store, path, zone=zone)


def test_values_of_after_now_are_named(store, tmp_path):
    path = own_file(tmp_path / "own.csv", {"c1": [100.0] * 48})
    said = "unlikely times: 24 values are of after now, the last of 2026-05-29 23:30Z"
    assert any(line.startswith(said) for line in sentences(look(store, path, now=START + DAY_S // 2)))
    assert not any("after now" in line for line in sentences(look(store, path)))


@pytest.mark.parametrize(
    ("header", "row", "meaning"),
    [
        ("Meter No,Read Date Time,kWh Delivered", "M1,29/05/2026 00:30,0.5", (Quantity.IMPORT, 1000.0)),
        ("NMI,interval_end,Export (kWh)", "N1,2026-05-29T00:30,0.5", (Quantity.EXPORT, 1000.0)),
        ("SDP ID;Timestamp;Net kW", "S1;2026-05-29 00:00;-1,5", (Quantity.NET, -1500.0)),
        ("premise,start_time,usage_kwh", "P1,1780012800,0.5", (Quantity.IMPORT, 1000.0)),
        ("spid,starttime,V_AVG", "P1,2026-05-29T00:00,231.5", (Quantity.VOLTAGE, 231.5)),
        ("meter_id,timestamp,uom,direction,value", "P1,2026-05-29T00:00,kWh,Received,2", (Quantity.EXPORT, 4000.0)),
    ],
)
def test_the_headers_of_common_exports_are_guessed(store, tmp_path, header, row, meaning):
    second = row.replace("00:30", "01:00").replace("00:00", "00:30").replace("1780012800", "1780014600")
    path = table(tmp_path / "export.csv", header, row, second)
    report = take(store, path)
    (one,) = known_series(store, Kind.AMI)
    assert (one.series.quantity, one.first) == (meaning[0], START)
    assert read(store, [one.series.place], meaning[0], DAY).value[0, 0] == pytest.approx(meaning[1])
    assert report.durations_s == [1800]


def test_a_decimal_comma_is_seen_beside_dates_with_points(store, tmp_path):
    rows = ["c1;29.05.2026 00:00;0,5", "c1;29.05.2026 00:30;0,75"]
    take(store, table(tmp_path / "de.csv", "connection_id;interval_start;import_kwh", *rows))
    assert read(store, ["c1"], Quantity.IMPORT, DAY).value[:2, 0].tolist() == [1000.0, 1500.0]


def test_values_of_which_no_column_says_whose_they_are_are_refused(store, tmp_path):
    path = table(tmp_path / "one.csv", "Timestamp,Whose,kWh", "2026-05-29T00:00Z,k1,1", "2026-05-29T00:30Z,k1,1")
    with pytest.raises(FileError, match="row 1: kWh says what its values are, and no column whose they are; found"):
        look(store, path)
    wide = table(tmp_path / "wide.csv", "Timestamp,m1 kWh", "2026-05-29T00:00Z,1", "2026-05-29T00:30Z,1")
    assert look(store, wide, unit="kWh").counts.new == 2


def test_a_unit_that_nothing_says_is_asked_for(store, tmp_path):
    path = table(tmp_path / "w.csv", "time,c1", "2026-05-29 00:00,1", "2026-05-29 00:30,1")
    with pytest.raises(FileError, match="give --unit"):
        look(store, path)
    assert look(store, path, unit="kW").counts.new == 2


def test_a_saved_mapping_reads_the_same_as_its_guess(store, tmp_path):
    rows = [("M1", end, "Delivered", "kWh", 0.25, "E") for end in adelaide("2026-05-29", 48)]
    path = table(tmp_path / "mdms.csv", "Meter No,Read Date Time,Flow,UOM,Value,Status", *rows)
    mapping = _mapping_of(path, zone="Australia/Adelaide")
    saved = tmp_path / "mapping.toml"
    saved.write_text(mapping.to_toml())
    assert read_mapping(saved) == mapping
    take(store, path, zone="Australia/Adelaide")
    again = take(store, path, mapping=saved)
    assert (again.counts.unchanged, again.counts.written) == (48, 0)


def _mapping_of(path, **hints):
    from gridmodel.meter_data.guessing import Hints, guess

    return guess(path, Hints(**hints)).mapping


@pytest.mark.parametrize(
    ("day", "hours", "count"), [("2026-04-05", 25.0, 50), ("2026-10-04", 23.0, 46), ("2026-05-29", None, 48)]
)
def test_days_of_23_and_25_hours_are_read_hour_by_hour(store, tmp_path, day, hours, count):
    rows = [("M1", end, k) for k, end in enumerate(adelaide(day, count))]
    path = table(tmp_path / "local.csv", "meter_id,interval_end,import_wh", *rows)
    report = take(store, path, zone="Australia/Adelaide", now=NOW + 365 * DAY_S)
    assert report.gaps == 0
    assert (report.counts.new, report.counts.contradicting) == (count, 0)
    assert [(one.hours, one.values_per_series) for one in report.unusual_days] == ([(hours, count)] if hours else [])
    found = read(store, ["M1"], Quantity.IMPORT, Window(report.since, report.until))
    assert found.value[:, 0].tolist() == [2.0 * k for k in range(count)]


def test_a_file_in_standard_time_all_the_year_is_not_taken_for_local_time(store, tmp_path):
    rows = [("M1", f"2026-10-04 {k // 2:02d}:{30 * (k % 2):02d}", 1) for k in range(48)]
    path = table(tmp_path / "standard.csv", "meter_id,interval_start,import_wh", *rows)
    with pytest.raises(FileError, match=r"02:00 does not exist in Australia/Adelaide.*--zone \+10:00"):
        look(store, path, zone="Australia/Adelaide")
    assert look(store, path, zone="+09:30").counts.new == 48


def test_wide_files_are_read_by_place_and_by_time_of_day(store, tmp_path):
    rows = [(f"2026-05-29T{k // 2:02d}:{30 * (k % 2):02d}", k, 2 * k) for k in range(48)]
    take(store, table(tmp_path / "demand_kw.csv", "timestamp,c1,c2", *rows))
    found = read(store, ["c1", "c2"], Quantity.IMPORT, DAY)
    assert found.value[3].tolist() == [3000.0, 6000.0]
    times = ",".join(f"{(k + 1) // 2:02d}:{30 * ((k + 1) % 2):02d}" for k in range(48))
    days = table(tmp_path / "days_kwh.csv", f"NMI,date,{times}", ("c3", "2026-05-29", *(k / 2 for k in range(48))))
    take(store, days)
    assert read(store, ["c3"], Quantity.IMPORT, DAY).value[:, 0].tolist() == [1000.0 * k for k in range(48)]
    numbered = table(
        tmp_path / "n.csv", f"NMI,date,{','.join(f'I{k + 1}' for k in range(48))}", ("c4", "2026-05-29", *range(48))
    )
    take(store, numbered, unit="kWh", quantity=Quantity.EXPORT)
    assert read(store, ["c4"], Quantity.EXPORT, DAY).value[2, 0] == 4000.0


T0, T1 = "c1,2026-05-29T00:00", "c1,2026-05-29T00:30"
LONG = "connection_id,interval_start,import_wh"
ROUNDED = "4.10E+09,2026-05-29T00:00,1"


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        (LONG, [f"{T0},1", f"{T1},x"], "row 3, field import_wh: 'x' is not a number"),
        (LONG, [f"{T0},1", "c1,yesterday,1"], "field interval_start: .* is no time that is understood"),
        (LONG, [f"{T0},-5", f"{T1},1"], "row 2, field import_wh: -5 is negative.*net_w"),
        (LONG, [f"{T0},1e15", f"{T1},1"], "row 2, field import_wh: 1e.15 wh in 1800 s is beyond"),
        (LONG, [ROUNDED, ROUNDED.replace("00:00", "00:30")], "row 2, field connection_id: .*spreadsheet"),
        (LONG, [f"{T0},1"], "one time alone does not tell"),
        (LONG.replace("import_wh", "colour"), [f"{T0},1"], "no column of values"),
        ("connection_id,import_wh", ["c1,1"], "no column of times"),
        (f"{LONG},import_wh", [f"{T0},1,1"], "field import_wh: stands here twice"),
        (LONG, [], "no rows after its header"),
        (LONG, [f"{T0},1", T1], "row 3: 2 values for 3 columns"),
        (LONG.replace("import", "duration_s,import"), [f"{T0},0,1"], "row 2, field duration_s: 0 is no whole number"),
        (LONG, [f"{'c' * 201}{T[2:]},1" for T in (T0, T1)], "has at most 200 characters"),
        (LONG, [f"c\x07{T[2:]},1" for T in (T0, T1)], "a character that can not be printed"),
    ],
)
def test_a_csv_file_that_is_wrong_is_refused_by_name(store, tmp_path, header, rows, said):
    with pytest.raises(FileError, match=said):
        look(store, table(tmp_path / "bad.csv", header, *rows))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('layout = "wild"', "field layout: 'wild' can not be"),
        ('colour = "blue"', "field colour: is no field of a mapping"),
        ('zone = "Mars/Olympus"', "field zone: .*zone 'Mars/Olympus' is not known"),
        ('[columns]\na = { quantity = "import_w", unit = "furlong" }', "field columns: .*unit 'furlong'"),
        ('[columns]\na = { quantity = "import_w", unit = "V" }', "field columns: .*unit V is of V, import_w of W"),
        ('place = "p"\ntime = "t"', "field columns: says nothing"),
        ('[columns]\na = { quantity = "import_w", unit = "kWh" }', "field place: is missing"),
        ("place = [", "is not TOML"),
    ],
)
def test_a_mapping_that_is_wrong_is_refused_by_field(tmp_path, text, said):
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    with pytest.raises(FileError, match=said):
        read_mapping(path)


def test_quality_words_that_nothing_explains_are_suspect_and_named(store, tmp_path):
    path = own_file(tmp_path / "a.csv", {"c1": [1.0, 2.0]}, quality="ZZ")
    report = take(store, path)
    assert report.files[0].unknown_qualities == {"ZZ": 2}
    assert read(store, ["c1"], Quantity.IMPORT, DAY).quality[0, 0] == Quality.SUSPECT


def test_values_twice_in_a_file_are_counted_and_the_later_row_counts(store, tmp_path):
    header = "connection_id,interval_start,duration_s,import_wh"
    rows = [("c1", utc(START), 1800, 1), ("c1", utc(START), 1800, 1), ("c1", utc(START), 1800, 9)]
    report = take(store, table(tmp_path / "a.csv", header, *rows))
    assert (report.counts.repeated, report.counts.contradicting, report.counts.new) == (1, 1, 1)
    assert read(store, ["c1"], Quantity.IMPORT, DAY).value[0, 0] == 18.0


def test_times_of_arrival_are_the_files_or_said_or_now(store, tmp_path):
    header = "connection_id,interval_start,duration_s,import_wh,received_at"
    path = table(tmp_path / "a.csv", header, ("c1", utc(START), 1800, 1, utc(START + 7200)))

    def known(as_of):
        return bool(read(store, ["c1"], Quantity.IMPORT, replace(DAY, as_of=as_of)).known[0, 0])

    take(store, path)
    assert (known(START + 7199), known(START + 7200)) == (False, True)
    plain = own_file(tmp_path / "b.csv", {"c1": [2.0] * 2}, start=START - DAY_S)
    take(store, plain, arrived=6 * 3600, zone="+10:00")
    found = Window(START - DAY_S, START, as_of=START - 4 * 3600 - 1)
    assert not read(store, ["c1"], Quantity.IMPORT, found).known.any()
    assert read(store, ["c1"], Quantity.IMPORT, replace(found, as_of=START - 4 * 3600)).known.sum() == 2
    with pytest.raises(GridError, match="does not say when its values arrived"):
        look(store, plain, arrived="file")


def test_weather_is_read_in_the_units_of_its_header(store, tmp_path):
    header = "Station,Timestamp,Temperature (°F),GHI [kW/m2],Wind speed (km/h),Cloud cover (okta)"
    path = table(tmp_path / "weather.csv", header, "A,2026-05-29T00:00Z,50,0.5,36,4", "A,2026-05-29T00:30Z,50,0.5,36,4")
    take(store, path, kind=Kind.WEATHER)
    expected = {Quantity.TEMPERATURE: 10.0, Quantity.IRRADIANCE: 500.0, Quantity.WIND: 10.0, Quantity.CLOUD: 0.5}
    for quantity, value in expected.items():
        assert read(store, ["A"], quantity, DAY, kind=Kind.WEATHER).value[0, 0] == pytest.approx(value)


def test_weather_forecasts_are_known_from_their_issue_on(store, tmp_path):
    header = "site,at,issued_at,temp_c,ghi"
    rows = [("s1", utc(START + 3600 * k), utc(START - 6 * 3600), 20 + k, 100) for k in range(3)]
    rows += [("s1", utc(START + 3600 * k), utc(START + 9 * 3600), 30 + k, 100) for k in range(3)]
    take(store, table(tmp_path / "weather.csv", header, *rows), kind=Kind.WEATHER)
    hours = Window(START, START + 3 * 3600, 3600)

    def temperature(as_of):
        return (
            read(store, ["s1"], Quantity.TEMPERATURE, replace(hours, as_of=as_of), kind=Kind.WEATHER)
            .value[:, 0]
            .tolist()
        )

    assert temperature(START) == [20.0, 21.0, 22.0]
    assert temperature(None) == [30.0, 31.0, 32.0]


TAGS = "tag,element,terminal,phase,quantity,unit,sign,hold_s"


def test_scada_points_hold_until_the_next_one_and_no_longer_than_said(store, tmp_path):
    tags = table(
        tmp_path / "tags.csv", TAGS, "T1.P,transformer T1,,,p,kW,-1,3600", "T1.X,transformer T1,,,tap,none,1,3600"
    )
    rows = [("T1.P", utc(START + at), value, "good") for at, value in ((0, -5), (900, -7), (7200, -9))]
    rows.append(("OTHER", utc(START), 1, "good"))
    report = take(store, table(tmp_path / "scada.csv", "tag,at,value,quality", *rows), kind=Kind.SCADA, tags=tags)
    assert report.files[0].left_out == {"tag OTHER": 1}
    found = read(store, ["transformer T1"], Quantity.NET, Window(START, START + 9000, 900), kind=Kind.SCADA).value[:, 0]
    assert found[:5].tolist() == [5000.0] + [7000.0] * 4
    assert np.isnan(found[5:8]).all()
    assert found[8] == 9000.0


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,T1,,,colour,kW,1,60", "field quantity: 'colour' is none of"),
        ("a,T1,,,p,V,1,60", "field unit: unit v is of V"),
        ("a,T1,,,p,kW,2,60", "field unit: sign 2"),
        ("a,T1,,,p,kW,1,0", "field hold_s: 0 is not in"),
        ("a,T1,,d,v,kV,1,60", "phase 'd'"),
    ],
)
def test_a_map_of_tags_that_is_wrong_is_refused_by_field(store, tmp_path, row, said):
    tags = table(tmp_path / "tags.csv", TAGS, row)
    points = table(tmp_path / "scada.csv", "tag,at,value", ("a", utc(START), 1))
    with pytest.raises(FileError, match=said):
        look(store, points, kind=Kind.SCADA, tags=tags)


def test_head_voltage_of_magnitudes_has_symmetric_angles_and_says_so(store, tmp_path):
    tags = table(tmp_path / "tags.csv", TAGS, *(f"H.{p},head,,{p},v,kV,1,900" for p in "abc"))
    rows = [(f"H.{p}", utc(START), kv) for p, kv in zip("abc", (12.7, 12.6, 12.8), strict=True)]
    take(store, table(tmp_path / "scada.csv", "tag,at,value", *rows), kind=Kind.SCADA, tags=tags)
    found = head_voltage(store, Window(START, START + 1800, 900))
    assert np.abs(found.v[0]).tolist() == pytest.approx([12700.0, 12600.0, 12800.0])
    assert np.degrees(np.angle(found.v[0])).tolist() == pytest.approx([0.0, -120.0, 120.0])
    assert np.isnan(found.v[1]).all()
    assert "symmetric" in found.assumed


def test_columns_of_points_and_of_their_map_that_are_not_used_are_named(store, tmp_path):
    tags = table(tmp_path / "tags.csv", TAGS, "H.a,head,,a,v,kV,1,900")
    points = table(tmp_path / "scada.csv", "tag,at,value,qualty,note", f"H.a,{utc(START)},6.4,bad,x")
    said = look(store, points, kind=Kind.SCADA, tags=tags).files[0].assumed
    assert "columns not used: qualty (did you mean quality?), note" in said
    misspelt = table(tmp_path / "sgn.csv", TAGS.replace("sign", "sgn"), "H.a,head,,a,v,kV,-1,900")
    with pytest.raises(FileError, match="row 1, field sgn: column is not used: did you mean sign"):
        look(store, points, kind=Kind.SCADA, tags=misspelt)
    own = table(
        tmp_path / "long.csv",
        "connection_id,at,channel,value,recieved_at",
        *(f"c1,{utc(START + k)},Import kWh,1,x" for k in (0, 1800)),
    )
    said = look(store, own, edge=Edge.START).files[0].assumed
    assert "columns not used: recieved_at (did you mean received?)" in said
