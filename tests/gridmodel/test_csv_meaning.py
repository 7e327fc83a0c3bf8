"""Tables of a utility: what a column, a switch, a time and a number mean, and what is said where they mean nothing."""

import json
from datetime import date

import numpy as np
import pytest
from typer.testing import CliRunner

from gridmodel import FileError, GridError, read_feeder
from gridmodel.commands import app
from gridmodel.validate import check_folder
from tests.gridmodel.tables import FILES, rows, write


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "lane")


def change(folder, name, before, after):
    text = (folder / name).read_text()
    assert before in text
    (folder / name).write_text(text.replace(before, after))


def lines_of(folder):
    return {x.id: all(x.closed) for x in read_feeder(folder).network.equipment.lines}


@pytest.mark.parametrize(
    ("why", "switches", "closed"),
    [
        ("one of two is open", ["A,L2,open,2026-05-29T08:00:00Z", "B,L2,closed,2026-05-29T09:00:00Z"], False),
        (
            "both are closed",
            ["A,L2,open,2026-05-29T08:00Z", "A,L2,closed,2026-05-29T08:30Z", "B,L2,closed,"],
            True,
        ),
        ("zones are compared", ["A,L2,open,2026-05-29T10:00:00+10:00", "A,L2,closed,2026-05-29T05:00:00Z"], True),
        ("rows in any order", ["A,L2,closed,2026-05-29T05:00:00Z", "A,L2,open,2026-05-29T10:00:00+10:00"], True),
        ("no time is the earliest", ["A,L2,open,2026-01-01", "A,L2,closed,"], False),
    ],
)
def test_a_line_conducts_while_all_of_its_switches_are_closed(folder, why, switches, closed):
    (folder / "switches.csv").write_text(rows("switch_id,line_id,state,at", *switches))
    assert lines_of(folder)["L2"] is closed


@pytest.mark.parametrize("said", ["2026-5-9", "29.05.2026", "yesterday", "2026-05-29T25:00"])
def test_a_time_that_is_none_is_refused(folder, said):
    (folder / "switches.csv").write_text(rows("switch_id,line_id,state,at", f"A,L2,open,{said}"))
    with pytest.raises(FileError, match=f"switches.csv, row 2, field at: '{said}' is no time"):
        read_feeder(folder)


@pytest.mark.parametrize(
    ("name", "before", "after", "severity", "said"),
    [
        ("connections.csv", "pv_kva", "pv_kw", "warning", "column is not used: did you mean pv_kva?"),
        ("lines.csv", "line_type", "line_type,phase", "warning", "column is not used: did you mean phases?"),
        ("transformers.csv", "no_load_w", "no_load_watts", "warning", "column is not used: did you mean no_load_w?"),
        ("nodes.csv", "x,y", "owner,y", "note", "column is not used"),
    ],
)
def test_a_column_that_nothing_reads_is_named(folder, name, before, after, severity, said):
    text = (folder / name).read_text().splitlines()
    header = text[0].replace(before, after)
    extra = header.count(",") - text[0].count(",")
    (folder / name).write_text(rows(header, *(line + ",abc" * extra for line in text[1:])))
    _, findings = check_folder(folder)
    found = [f for f in findings if f.code == "unused_column"]
    assert [(f.severity, f.element, f.detail) for f in found] == [(severity, name, said)]


def test_a_file_that_nothing_reads_is_named(folder):
    (folder / "switches.csv").rename(folder / "switch.csv")
    _, findings = check_folder(folder)
    assert [f.detail for f in findings if f.code == "unused_file"] == ["is not read: did you mean switches.csv?"]


def test_series_that_are_not_read_are_named(folder):
    (folder / "head_voltage_other.csv").write_text("interval,va_v,vb_v,vc_v\n0,1,1,1\n")
    _, findings = check_folder(folder)
    assert {f.element: f.detail for f in findings if f.code == "unused_file"} == {
        "head_voltage_other.csv": "is not read: head_voltage.csv is the head voltage"
    }
    (folder / "demand_kw.csv").unlink()
    _, findings = check_folder(folder)
    named = {f.element for f in findings if "a day is measured where demand_kw.csv is" in f.detail}
    assert named == {"pv_kw.csv", "head_voltage.csv"}


def test_a_whole_folder_leaves_nothing_unused(folder):
    assert not [f for f in check_folder(folder)[1] if f.code.startswith("unused")]


def test_a_week_has_seven_days_and_a_day_of_them_by_position_or_date(folder):
    intervals = range(336)
    for name in ("pv_kw.csv", "head_voltage.csv"):
        (folder / name).unlink()
    values = [0.5 + (k // 48) for k in intervals]
    (folder / "demand_kw.csv").write_text(
        rows("interval,h1,h2,h3", *(f"{k},{v},0,0" for k, v in zip(intervals, values, strict=True)))
    )
    (folder / "feeder.toml").write_text("step_s = 1800\nfirst_day = 2026-05-25\n")
    profile = read_feeder(folder).profile
    assert (profile.days, len(profile.demand_w)) == (7, 336)
    third = profile.day(date(2026, 5, 27))
    np.testing.assert_array_equal(third.demand_w[:, 0], np.full(48, 2500.0))
    assert third.first_day == date(2026, 5, 27)
    np.testing.assert_array_equal(profile.day(6).demand_w[:, 0], np.full(48, 6500.0))
    with pytest.raises(GridError, match="not among the 7 days"):
        profile.day(date(2026, 6, 1))
    (folder / "feeder.toml").write_text('step_s = 1800\nfirst_day = "25.5.2026"\n')
    with pytest.raises(FileError, match=r"field first_day: '25\.5\.2026' is no date"):
        read_feeder(folder)


def all_files(folder, spoil):
    for name in FILES:
        if name.endswith(".csv"):
            (folder / name).write_bytes(spoil((folder / name).read_text()))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: t.replace(",", ";").encode(), "its values are separated by semicolons; commas are expected"),
        (lambda t: t.encode("utf-16")[:-1], "not UTF-16 text, which its first bytes say"),
        (lambda t: t.replace("n1", "n\xe9").encode("latin-1"), "is 'é': save it as UTF-8"),
        (lambda t: t.replace("230.94", '"230,94"').encode(), "(a decimal comma; a point is expected)"),
        (lambda t: t.replace("n1", "4.10E+09").encode(), "a spreadsheet has rounded an identifier"),
        (lambda t: b"", "the file is empty"),
        (lambda t: t.encode()[:-20] + b"\x00\x00", "holds a zero byte"),
        (lambda t: t.encode("utf-16-le"), "as UTF-16 without a byte order mark does: save it as UTF-8"),
    ],
)
def test_what_a_spreadsheet_does_to_a_file_is_a_finding(folder, spoil, said):
    all_files(folder, spoil)
    result = CliRunner().invoke(app, ["check", str(folder), "--json"])
    assert result.exit_code == 1
    findings = json.loads(result.output)["findings"]
    assert any(said in f["detail"] for f in findings)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t.encode("utf-16"),
        lambda t: b"\xfe\xff" + t.encode("utf-16-be"),
        lambda t: t.encode("utf-32"),
        lambda t: t.encode("utf-8-sig"),
        lambda t: t.replace(",", "\t").replace("\n", "\r\n").encode("utf-16"),
    ],
)
def test_a_byte_order_mark_says_the_encoding_and_tabs_separate_too(folder, spoil):
    expected = read_feeder(folder)
    all_files(folder, spoil)
    found = read_feeder(folder)
    assert found.network.connections.id == expected.network.connections.id
    np.testing.assert_array_equal(found.profile.demand_w, expected.profile.demand_w)


UNITS = [
    ("lines.csv", [(",20,", ",0.02,"), (",150,", ",0.15,")], "lines", "length_m", "km"),
    ("line_types.csv", [(",120", ",0.12")], "line L0", "rating_a", "kA"),
    ("transformers.csv", [("25,11000", "0.025,11000")], "transformer TX", "s_rated_va", "MVA"),
    ("transformers.csv", [("25,11000", "25000000,11000")], "transformer TX", "s_rated_va", "VA where"),
    ("transformers.csv", [("11000,400", "11,0.4")], "transformer TX", "hv_v", "kV"),
    ("connections.csv", [("n1,b,3", "n1,b,3000")], "connection h1", "pv_kva", "VA"),
    ("demand_kw.csv", [(",0.3,", ",300,")], "connection h1", "demand_kw", "W"),
    ("demand_kw.csv", [(",0.3,0.4,0.5", ",3e-4,4e-4,5e-4")], "connections", "demand_kw", "MW"),
]


@pytest.mark.parametrize(("name", "changes", "element", "field", "unit"), UNITS)
def test_a_slip_of_unit_names_the_likely_unit(folder, name, changes, element, field, unit):
    for before, after in changes:
        change(folder, name, before, after)
    _, findings = check_folder(folder)
    said = {(f.element, f.field): f.detail for f in findings if f.code == "unit_slip"}
    assert f"likely given in {unit}" in said[element, field]


def test_a_folder_that_cannot_be_entered_is_a_finding(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr("gridmodel.readers.folder._grid", refuse)
    feeder, findings = check_folder(tmp_path)
    assert feeder is None
    assert findings[0].detail == "Permission denied"
