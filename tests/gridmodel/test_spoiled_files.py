"""Whatever one cell of a feeder file is spoiled with: an error that says where, findings, or a feeder that solves."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmodel import FileError, GridError, read_feeder
from gridmodel.flow.inverters import Curve
from gridmodel.model import admittance as build
from gridmodel.summary import summarise
from gridmodel.validate import check_folder
from tests.gridmodel.tables import FILES, write
from tests.gridmodel.test_folder import network_json

CELLS = ["", "nan", "inf", "-1", "0", "-0.5", "99", "abc", "1e300", "1e-300", "é"]
TABLES = {name: [line.split(",") for line in text.splitlines()] for name, text in FILES.items() if name.endswith("csv")}
PLACES = [
    (name, row, column)
    for name, lines in TABLES.items()
    for row in range(min(len(lines), 4))
    for column in range(len(lines[row]))
]
JSON = [None, -1, 0, "abc", 1e300, True, [], {}, 7, -0.5]
NET = json.loads(network_json())
PARTS = {name: json.loads(NET["_object"][name]["_object"]) for name in ("bus", "line", "trafo", "ext_grid")}
SPOTS = [
    (name, part, column)
    for name, content in PARTS.items()
    for part in content
    for column in (None, *range(len(content["columns"]) if part == "data" else 1))
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("feeders") / "lane")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    folder = tmp_path_factory.mktemp("feeders")
    (folder / "customers.csv").write_text("customer,bus,phase\nh1,end,a\nh2,end,abc\nh3,far,b\n")
    return folder


def is_said_or_solved(folder):
    """Findings that name a file or an element, or figures of the hardest interval."""
    feeder, findings = check_folder(folder)
    wrong = [finding for finding in findings if finding.severity == "error"]
    assert feeder is not None or wrong
    assert all(finding.element and finding.field and finding.detail for finding in wrong)
    if not wrong:
        try:
            summarise(feeder)
        except GridError as refusal:
            assert "no power flow solution" in str(refusal)  # noqa: PT017  the other outcome is as good


def test_what_is_sound_is_solved(folder):
    assert summarise(read_feeder(folder))[0]["intervals"] == 24


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, len(PLACES) - 1), st.sampled_from(CELLS))
def test_a_spoiled_cell(folder, place, cell):
    name, row, column = PLACES[place]
    lines = [list(line) for line in TABLES[name]]
    lines[row][column] = cell
    (folder / name).write_text("".join(f"{','.join(line)}\n" for line in lines))
    try:
        is_said_or_solved(folder)
    finally:
        (folder / name).write_text(FILES[name])


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, len(SPOTS) - 1), st.sampled_from(JSON))
def test_a_spoiled_place_of_a_pandapower_file(other, spot, value):
    name, part, column = SPOTS[spot]
    content = json.loads(json.dumps(PARTS[name]))
    if column is None:
        content[part] = value
    elif part == "data":
        content[part][0][column] = value
    else:
        content[part][column] = value
    table = {**NET["_object"][name], "_object": json.dumps(content)}
    (other / "tiny.pandapower.json").write_text(json.dumps({"_object": {**NET["_object"], name: table}}))
    is_said_or_solved(other)


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        ("nodes.csv", "n1,", "n0,", "nodes.csv, row 4, field node: n0 stands here twice"),
        ("nodes.csv", "n1,230.94,abc", "n1,230.94,xyz", "row 4, field phases: 'xyz' is none of abc, a, b"),
        ("nodes.csv", "n1,230.94", "n1,1e13", "row 4, field nominal_v: '1e13' is outside -1e.12..1e.12"),
        (
            "line_types.csv",
            "thin,0.64",
            "thin,0.6,0.1,2,1,9\nthin,0.64",
            "row 3, field line_type: thin stands here twice",
        ),
        ("lines.csv", "L1", "L0", "lines.csv, row 3, field line_id: L0 stands here twice"),
        ("lines.csv", "L1,n1,n2", "L1,n1,n1", "lines.csv, row 3, field to_node: n1 is where the line begins"),
        ("transformers.csv", "Dyn11", "Dyn13", "field connection: 'Dyn13': a clock has twelve hours"),
        ("transformers.csv", "100,0,-4", "100,0.5,-4", "field tap: 0.5 is not a whole number"),
        ("transformers.csv", "100,0,-4", "100,-60,-4", "field tap: -60 steps of 2.5 % leave no turns"),
        ("source.csv", "1.03", "0", "source.csv, row 2, field v_pu: 0 is not positive"),
        ("switches.csv", "L2", "L7", "switches.csv, row 2, field line_id: L7 is not in lines.csv"),
        ("capacitors.csv", "c1", "c1,n2,abc,2,closed\nc1", "row 3, field capacitor_id: c1 stands here twice"),
        ("demand_kw.csv", "h3", "h2", "demand_kw.csv, row 1, field h2: stands here twice"),
        ("demand_kw.csv", "\n7,0.3", "\n7,1e7", "row 9, field h1: '1e7' is no number between -1e.06 and 1e.06"),
    ],
)
def test_what_is_wrong_is_said_by_file_row_and_field(folder, name, before, after, said):
    assert before in FILES[name]
    (folder / name).write_text(FILES[name].replace(before, after, 1))
    try:
        with pytest.raises(FileError, match=said) as refusal:
            read_feeder(folder)
    finally:
        (folder / name).write_text(FILES[name])
    assert refusal.value.code == "bad_file"


def test_a_day_without_intervals(folder):
    (folder / "demand_kw.csv").write_text("interval,h1,h2,h3\n")
    with pytest.raises(FileError, match="field interval: no intervals"):
        read_feeder(folder)
    (folder / "demand_kw.csv").write_text(FILES["demand_kw.csv"])


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("nodes", {"nominal_v": 0.0}, "node n3: nominal_v: 0.0 is not a positive number"),
        ("transformers", {"hv_v": float("nan")}, "transformer TX: hv_v: nan is not a positive number"),
        ("transformers", {"s_rated_va": float("inf")}, "transformer TX: s_rated_va: inf is not"),
        ("transformers", {"lv_v": "400"}, "transformer TX: lv_v: '400' is not"),
        ("supply", {"v": np.zeros(3)}, "supply: v: .* is not three voltages"),
    ],
)
def test_equipment_of_no_size_is_refused_by_name(folder, kind, change, said):
    equipment = read_feeder(folder).network.equipment
    given = getattr(equipment, kind)
    spoilt = replace(given, **change) if kind == "supply" else (*given[:-1], replace(given[-1], **change))
    with pytest.raises(GridError, match=said) as refusal:
        build.network(replace(equipment, **{kind: spoilt}))
    assert refusal.value.code == "bad_network"


@pytest.mark.parametrize(
    "points", [(), ((1, 2),), ((1, 2), (1, 3)), ((1, np.nan), (2, 1)), ((1, "x"), (2, 1)), 5, "ab"]
)
def test_a_curve_of_no_use_is_refused(points):
    with pytest.raises(GridError, match="curve"):
        Curve(points)
