"""NEM12, NEM13 and Green Button files: read rightly, or refused by file, row, field and value."""

import gzip
from dataclasses import replace

import numpy as np
import pytest

from gridmodel.errors import FileError
from gridmodel.meter_data.accumulated import energies
from gridmodel.meter_data.exporting import export
from gridmodel.meter_data.guessing import guess
from gridmodel.meter_data.import_report import sentences
from gridmodel.meter_data.quantities import Quality, Quantity
from gridmodel.meter_data.reading import Window, net_import_w, read
from gridmodel.meter_data.series_index import known_series
from gridmodel.meter_data.store import Kind, MeasurementStore
from tests.gridmodel.meters import (
    DAY_S,
    NOW,
    START,
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


def test_nem12_is_read_with_its_direction_zone_gaps_and_qualities(store, tmp_path):
    values = [0.5] * 10 + [""] + [0.25] * 37
    path = nem12(
        tmp_path / "nem.csv",
        "6102000001",
        [("20260529", values, "V,,,20260530120000,\n400,1,5,F14,76,\n400,6,48,A,,"), ("20260530", [1] * 48, "A,,,,")],
    )
    report = take(store, path)
    assert report.counts.missing == 2
    assert report.gaps == 2
    imported = read(store, ["6102000001"], Quantity.IMPORT, MARKET_DAY)
    assert imported.value[0, 0] == 1000.0
    assert np.isnan(imported.value[10, 0])
    assert imported.value[11, 0] == 500.0
    assert imported.quality[:6, 0].tolist() == [Quality.SUBSTITUTED] * 5 + [Quality.MEASURED]
    assert net_import_w(store, ["6102000001"], MARKET_DAY).value[0, 0] == 0.0
    assert take(store, path).counts.written == 0


@pytest.fixture
def store(tmp_path):
    return MeasurementStore(tmp_path / "measurements")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lines: [line.replace("0.5", "O.5", 1) for line in lines], r"row 3: .*'O\.5'"),
        (lambda lines: lines[:-1], "ends without its 900 record"),
        (lambda lines: [line.replace(",30,", ",17,") for line in lines], "row 2: IntervalLength '17'"),
        (lambda lines: [lines[0], *lines[2:]], "row 2: a 300 record before any 200 record"),
        (
            lambda lines: [line.replace(",0.5", "", 1) for line in lines],
            "row 3: .*could not convert string to float: 'A'",
        ),
        (
            lambda lines: [line.replace("20260529", "20261399") for line in lines],
            "row 3: the record of 20261399: month",
        ),
        (lambda lines: [line.replace("0.5", "-0.5", 1) for line in lines], "row 3, field channel E1: -0.5 is negative"),
    ],
)
def test_a_spoiled_nem12_file_is_refused_by_row(store, tmp_path, spoil, said):
    path = nem12(tmp_path / "nem.csv", "6102000001", [("20260529", [0.5] * 48, "A,,,,")])
    path.write_text("\n".join(spoil(path.read_text().splitlines())) + "\n")
    with pytest.raises(FileError, match=said):
        look(store, path)


def test_channels_of_nem12_that_are_not_taken_are_named(store, tmp_path):
    path = nem12(tmp_path / "nem.csv", "6102000001", [("20260529", [1] * 48, "A,,,,")], channels=("E1", "N1"))
    report = look(store, path)
    assert report.files[0].left_out == {"channel N1 in kWh": 48}
    assert any("not taken: channel N1 in kWh (48 values)" in line for line in sentences(report))


def test_nem13_energies_are_kept_apart_from_intervals(store, tmp_path):
    record = "250,6102000002,11,01,E1,,M1,E,100,20260201120000,A,,,400,20260501120000,A,,,300,kWh,20260801,,"
    path = table(tmp_path / "nem13.csv", "100,NEM13,202606010000,MDP1,RET1", record, "900")
    report = take(store, path)
    assert (report.kind, report.counts.new) == (Kind.ACCUMULATED, 1)
    (reads,) = known_series(store, Kind.ACCUMULATED)
    assert reads.until - reads.first == 89 * DAY_S
    assert not net_import_w(store, ["6102000002"], DAY).known.any()


def test_an_export_of_energies_between_reads_is_told_from_intervals_and_reads_back(store, tmp_path):
    record = "250,6102000002,11,01,{0},,M1,E,100,20260201120000,A,,,400,20260501120000,{1},,,300,{2},20260801,,"
    rows = [record.format("E1", "A", "kWh"), record.format("Q1", "S", "kvarh")]
    take(store, table(tmp_path / "nem13.csv", "100,NEM13,202606010000,MDP1,RET1", *rows, "900"))
    out, other = tmp_path / "energies.csv", MeasurementStore(tmp_path / "other")
    assert export(store, Kind.ACCUMULATED, (0, NOW), out) == 2
    again = take(other, out)
    assert (again.kind, again.counts.new, take(store, out).counts.unchanged) == (Kind.ACCUMULATED, 2, 2)
    whole = Window(START - 90 * DAY_S, START)
    found = energies(other, "6102000002", whole)
    assert found == energies(store, "6102000002", whole)
    assert [(one.register, one.quantity, one.value, one.quality) for one in found] == [
        ("E1", "import_wh", 300_000.0, "measured"),
        ("Q1", "import_varh", 300_000.0, "substituted"),
    ]


@pytest.mark.parametrize(
    ("direction", "quantity"), [("E", Quantity.IMPORT), ("I", Quantity.EXPORT)], ids=["out of the grid", "into it"]
)
def test_a_numbered_register_of_nem13_is_read_by_its_direction(store, tmp_path, direction, quantity):
    times = "000100,20260201120000,A,,,000400,20260501120000,A,,"
    record = f"250,6102000002,1141,01,11,11,M1,{direction},{times},300,kWh,20260801,,"
    take(store, table(tmp_path / "nem13.csv", "100,NEM13,202606010000,MDP1,RET1", record, "900"))
    (found,) = known_series(store, Kind.ACCUMULATED)
    assert found.series.quantity == quantity


def test_a_file_of_which_nothing_is_taken_says_why(store, tmp_path):
    report = look(store, green_button(tmp_path / "gas.xml", kinds=((119, 1, 3600),)))
    assert list(sentences(report))[-1] == "not taken: uom 119, flowDirection 1 (24 values)"


def test_packed_files_are_read_in_every_format_and_damaged_ones_refused(store, tmp_path):
    files = [
        nem12(tmp_path / "nem.csv", "6102000001", [("20260529", [0.5] * 48, "A,,,,")]),
        green_button(tmp_path / "feed.xml"),
        own_file(tmp_path / "own.csv", {"c1": [100.0] * 48}),
    ]
    for path in files:
        packed = gzip.compress(path.read_bytes())
        whole, cut = (tmp_path / f"{name}{path.suffix}.gz" for name in ("whole", "cut"))
        whole.write_bytes(packed)
        cut.write_bytes(packed[: len(packed) // 2])
        assert look(store, whole).counts.new == look(store, path).counts.new > 0
        with pytest.raises(FileError, match=f"{cut.name}: its packed content is damaged or cut off"):
            look(store, cut)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_every_format_is_read_in_the_encoding_that_its_byte_order_mark_says(store, tmp_path, encoding):
    files = [
        nem12(tmp_path / "nem.csv", "6102000001", [("20260529", [0.5] * 48, "A,,,,")]),
        green_button(tmp_path / "feed.xml"),
        own_file(tmp_path / "own.csv", {"Caf\xe9 1": [100.0] * 48}),
    ]
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    for path in files:
        text = path.read_text(encoding="utf-8")
        other = tmp_path / f"other{path.suffix}"
        other.write_bytes(gzip.compress((mark + text).encode(encoding)))
        said, plain = look(store, other), look(store, path)
        assert (said.counts, said.places) == (plain.counts, plain.places)
    other.write_bytes((mark + text).encode(encoding)[:-3] if encoding != "utf-8-sig" else text.encode("latin-1"))
    with pytest.raises(FileError, match=r"other\.csv.*not UTF"):
        look(store, other)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("<value>1<", "<value>99999999999999999999<"), "row 2: '99999999999999999999' is beyond"),
        (("Multiplier>3<", "Multiplier>400<"), r"field powerOfTenMultiplier: 400 is not in -12\.\.12"),
        ((f"<start>{START}<", "<start>99999999999<"), "a time 99999999999 s from 1970 is outside 1970 to 2100"),
    ],
)
def test_numbers_that_no_feed_can_mean_are_refused(store, tmp_path, change, said):
    path = green_button(tmp_path / "feed.xml")
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(FileError, match=said):
        look(store, path)


def green_button(path, *, kinds=((72, 1, 3600),), quality=8):
    """A feed of one usage point, a meter reading for each (uom, direction, interval length)."""
    entries = [entry("UsagePoint/7", "<UsagePoint/>", title="House 7")]
    for k, (uom, direction, length) in enumerate(kinds):
        reading = f"UsagePoint/7/MeterReading/{k}"
        rows = "".join(
            f"<IntervalReading><ReadingQuality><quality>{quality}</quality></ReadingQuality><timePeriod>"
            f"<duration>{length}</duration><start>{START + n * length}</start></timePeriod><value>{n + 1}</value>"
            "</IntervalReading>"
            for n in range(DAY_S // length)
        )
        kind = (
            f"<ReadingType><flowDirection>{direction}</flowDirection><powerOfTenMultiplier>3</powerOfTenMultiplier>"
            f"<uom>{uom}</uom></ReadingType>"
        )
        entries += [
            entry(reading, "<MeterReading/>", related=f"ReadingType/{k}"),
            entry(f"{reading}/IntervalBlock/1", f"<IntervalBlock>{rows}</IntervalBlock>"),
            entry(f"ReadingType/{k}", kind),
        ]
    body = "".join(entries)
    path.write_text(f'<?xml version="1.0"?>\n<feed xmlns="http://www.w3.org/2005/Atom">{body}</feed>')
    return path


def entry(own, content, related="", title=""):
    inner = content.replace(">", ' xmlns="http://naesb.org/espi">', 1).replace("/ xmlns", " xmlns")
    inner = inner.replace('espi">', 'espi"/>', 1) if content.endswith("/>") else inner
    links = f'<link rel="self" href="/espi/1_1/resource/{own}"/>'
    links += f'<link rel="related" href="/espi/1_1/resource/{related}"/>' if related else ""
    return f"<entry>{links}<title>{title}</title><content>{inner}</content></entry>"


def test_green_button_is_read_by_what_its_type_says(store, tmp_path):
    path = green_button(tmp_path / "feed.xml", kinds=((72, 1, 3600), (72, 19, 3600), (29, 1, 3600)))
    take(store, path, connection="c1")
    found = read(store, ["c1"], Quantity.EXPORT, replace(DAY, step_s=3600))
    assert found.value[:2, 0].tolist() == [1000.0, 2000.0]
    assert found.quality[0, 0] == Quality.ESTIMATED
    assert read(store, ["c1"], Quantity.VOLTAGE, replace(DAY, step_s=3600)).value[0, 0] == 1000.0
    assert take(store, path, connection="c1").counts.written == 0


def test_days_beside_hours_in_green_button_are_not_counted_twice(store, tmp_path):
    report = take(store, green_button(tmp_path / "feed.xml", kinds=((72, 1, 3600), (72, 1, DAY_S))))
    assert report.files[0].left_out == {"longer intervals of the same readings": 1}
    assert net_import_w(store, ["House 7"], replace(DAY, step_s=3600)).value[0, 0] == 1000.0


def test_an_entity_in_green_button_reads_no_file(store, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("17")
    path = green_button(tmp_path / "feed.xml")
    doctype = f'<!DOCTYPE feed [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    path.write_text(path.read_text().replace("<feed", f"{doctype}<feed", 1).replace("<value>1<", "<value>&x;<", 1))
    with pytest.raises(FileError, match="no whole number"):
        look(store, path)
    path.write_text("<feed xmlns='http://www.w3.org/2005/Atom'><entry>")
    with pytest.raises(FileError, match="is no Green Button"):
        look(store, path)


def days_file(path, rows, columns="NMI,Date,Channel,UOM,Status,Note"):
    times = ",".join(f"{(k + 1) // 2:02d}:{30 * ((k + 1) % 2):02d}" for k in range(48))
    return table(path, f"{columns},{times}", *(",".join([*row[:-1], *[str(row[-1])] * 48]) for row in rows))


def test_a_row_per_day_says_what_its_values_are_and_how_good(store, tmp_path):
    day = ("NMI1", "2026-05-29")
    path = days_file(
        tmp_path / "days.csv",
        [
            (*day, "Import", "kWh", "A", "x", 1),
            (*day, "Export", "kWh", "E", "", 2),
            (*day, "Power factor", "", "A", "", 3),
        ],
    )
    report = take(store, path)
    assert (report.counts.new, report.counts.revised) == (96, 0)
    said = " ".join(sentences(report))
    assert "columns not used: Note" in said
    assert "Channel UOM 'Power factor '" in said
    assert "E estimated (48)" in said
    for quantity, watts, quality in (
        (Quantity.IMPORT, 2000.0, Quality.MEASURED),
        (Quantity.EXPORT, 4000.0, Quality.ESTIMATED),
    ):
        found = read(store, ["NMI1"], quantity, DAY)
        assert set(found.value[:, 0].tolist()) == {watts}
        assert set(found.quality[:, 0].tolist()) == {quality}
    saved = tmp_path / "m.toml"
    saved.write_text(guess(path).mapping.to_toml())
    assert take(store, path, mapping=saved).counts.written == 0


def test_rows_of_a_day_that_are_of_several_unknown_quantities_are_refused(store, tmp_path):
    rows = [("NMI1", "2026-05-29", kind, "-", "A", "", 1) for kind in ("X17", "X18")]
    with pytest.raises(FileError, match="its rows are of several quantities, X17 -, X18 -: a mapping says which"):
        look(store, days_file(tmp_path / "days.csv", rows))
    for name, unit in (("days_kwh.csv", "-"), ("days.csv", "kWh")):
        rows = [("NMI1", "2026-05-29", kind, unit, "A", "", 1) for kind in ("X17", "X18")]
        with pytest.raises(FileError, match=f"'X17 {unit}' and 'X18 {unit}' are both import_w: a mapping tells them"):
            look(store, days_file(tmp_path / name, rows))
    lines = [f"c1,{utc(START)},1800,{kind} kWh,1" for kind in ("Import", "Use")]
    with pytest.raises(FileError, match="'Import kWh' and 'Use kWh' are both import_w"):
        look(store, table(tmp_path / "long.csv", "connection_id,interval_start,duration_s,channel,value", *lines))
