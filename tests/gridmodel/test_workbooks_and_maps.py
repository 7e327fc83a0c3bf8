"""Feeders as Excel workbooks and as GeoPackage, Shapefile or GeoJSON are the same as their CSV tables."""

import csv
import json

import numpy as np
import pytest

from gridmodel import read_feeder
from gridmodel.validate import check_folder
from gridmodel.writers.same_network import greatest_difference
from tests.gridmodel.tables import FILES, write

openpyxl = pytest.importorskip("openpyxl")
pyogrio = pytest.importorskip("pyogrio")
shapely = pytest.importorskip("shapely")
NAMES = [name.removesuffix(".csv") for name in FILES if name.endswith(".csv")]
PLACES = {"mv": (-5.0, 0.0), **{f"n{k}": (100.0 * k, 30.0 * k) for k in range(4)}}


def tables():
    return {name: list(csv.reader(FILES[f"{name}.csv"].splitlines())) for name in NAMES}


def number(text):
    try:
        return float(text)
    except ValueError:
        return text or None


@pytest.fixture
def lane(tmp_path):
    return read_feeder(write(tmp_path / "lane"))


def book(path, change=lambda name, rows: rows):
    found = openpyxl.Workbook()
    found.remove(found.active)
    for name, rows in tables().items():
        sheet = found.create_sheet(name.title())
        for row in change(name, rows):
            sheet.append([number(value) for value in row])
    found.create_sheet("remarks").append(["checked by", "someone"])
    found.save(path)
    return path


def test_a_workbook_is_the_same_feeder(tmp_path, lane):
    feeder, findings = check_folder(book(tmp_path / "lane.xlsx"))
    assert greatest_difference(lane.network, feeder.network) < 1e-12
    assert feeder.name == "lane"
    np.testing.assert_array_equal(feeder.profile.demand_w, lane.profile.demand_w)
    assert feeder.devices == lane.devices
    assert not [f for f in findings if f.severity == "error"]


def test_a_fault_names_the_workbook_its_sheet_and_its_row(tmp_path):
    def change(name, rows):
        return [[v.replace("150", "long") for v in row] for row in rows] if name == "lines" else rows

    _, findings = check_folder(book(tmp_path / "lane.xlsx", change))
    assert findings[0].element == f"{tmp_path / 'lane.xlsx'}, sheet lines row 3"
    assert findings[0].field == "length_m"

    def misspelt(name, rows):
        return [["pv_kw" if v == "pv_kva" else v for v in row] for row in rows]

    _, findings = check_folder(book(tmp_path / "lane.xlsx", misspelt))
    assert ("sheet connections", "pv_kw") in {(f.element, f.field) for f in findings}


@pytest.mark.parametrize("content", [b"PK", b"", b"not a book", b"PK\x03\x04" + b"\0" * 200])
def test_a_file_that_is_no_workbook_is_a_finding(tmp_path, content):
    (tmp_path / "x.xlsx").write_bytes(content)
    feeder, findings = check_folder(tmp_path / "x.xlsx")
    assert feeder is None
    assert "is no workbook" in findings[0].detail


def shape_of(name, row, moved):
    if name == "nodes":
        return shapely.Point(PLACES[row["node"]])
    if name == "lines":
        ends = np.array([PLACES[row["from_node"]], PLACES[row["to_node"]]]) + moved
        return shapely.LineString(ends)
    if name == "connections":
        return shapely.Point(np.array(PLACES[row["node"]]) + moved)
    return None


def layer(name, *, by_place=True, moved=0.0):
    """(columns, rows, shapes) of a table; by place, without the columns that join and the length."""
    header, *rows = tables()[name]
    found = [dict(zip(header, row, strict=True)) for row in rows]
    shapes = [shape_of(name, row, moved) for row in found]
    joins = {"lines": {"from_node", "to_node", "length_m"}, "connections": {"node"}, "nodes": {"x", "y"}}
    dropped = joins.get(name, set()) if by_place else set()
    columns = [c for c in header if c not in dropped]
    return columns, [[number(row[c]) for c in columns] for row in found], shapes


def package(path, **how):
    for k, name in enumerate(NAMES):
        columns, rows, shapes = layer(name, **how)
        kind = {"nodes": "Point", "lines": "LineString", "connections": "Point"}.get(name)
        data = [np.array([row[c] for row in rows], dtype=object if isinstance(rows[0][c], str) else float)
                for c in range(len(columns))]  # fmt: skip
        pyogrio.raw.write(
            path, shapely.to_wkb(shapes) if kind else np.array([None] * len(rows), dtype=object), data, columns,
            layer=name, geometry_type=kind or "Unknown", crs="EPSG:28355", append=k > 0, driver="GPKG",
        )  # fmt: skip
    return path


def geojson(folder, scale=1.0, **how):
    folder.mkdir()
    for name in NAMES:
        columns, rows, shapes = layer(name, **how)
        if shapes[0] is None:
            (folder / f"{name}.csv").write_text(FILES[f"{name}.csv"])
            continue
        features = [
            {
                "type": "Feature",
                "properties": dict(zip(columns, row, strict=True)),
                "geometry": json.loads(shapely.to_geojson(shapely.transform(shape, lambda p: scale * p))),
            }
            for row, shape in zip(rows, shapes, strict=True)
        ]
        (folder / f"{name}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return folder


def same_but_for_lengths(feeder, lane, lengths_m):
    assert feeder.network.connections.id == lane.network.connections.id
    theirs = {x.id: x for x in feeder.network.equipment.lines}
    for line in lane.network.equipment.lines:
        other = theirs[line.id]
        assert (other.from_node, other.to_node) == (line.from_node, line.to_node)
        assert other.length_m == pytest.approx(lengths_m, rel=2e-3)


def test_a_package_that_names_its_nodes_is_the_same_feeder(tmp_path, lane):
    feeder, findings = check_folder(package(tmp_path / "lane.gpkg", by_place=False))
    assert not [f for f in findings if f.severity == "error"]
    assert greatest_difference(lane.network, feeder.network) < 1e-12


def test_a_package_is_joined_by_place_and_says_what_was_moved(tmp_path, lane):
    feeder, findings = check_folder(package(tmp_path / "lane.gpkg", moved=0.2))
    same_but_for_lengths(feeder, lane, float(np.hypot(100, 30)))
    said = {f.code: f.detail for f in findings}
    assert said["snapped"].startswith("9 ends were moved to their node, by up to 0.283 m")
    assert any("EPSG:28355" in f.detail for f in findings)


def test_an_end_that_meets_no_node_is_named_with_the_nearest(tmp_path):
    path = package(tmp_path / "lane.gpkg", moved=2.0)
    _, findings = check_folder(path)
    errors = [f for f in findings if f.severity == "error"]
    assert len(errors) == 9
    assert errors[0].detail == "L0: no node within 0.5 m; the nearest, n0, is 2.83 m away"
    assert errors[0].field == "lines.from_node"
    (tmp_path / "feeder.toml").write_text("snap_m = 5.0\n")
    assert check_folder(path)[0] is not None


def test_geojson_in_degrees_is_measured_in_metres(tmp_path, lane):
    folder = geojson(tmp_path / "map", scale=1e-5)
    feeder, findings = check_folder(folder)
    assert not [f for f in findings if f.severity == "error"], findings
    # Near the equator a hundred-thousandth of a degree is 1.113 m to the east and 1.106 m to the north.
    same_but_for_lengths(feeder, lane, float(np.hypot(111.32, 0.3 * 110.57)))


def test_shapefiles_and_tables_beside_them(tmp_path, lane):
    folder = tmp_path / "shapes"
    folder.mkdir()
    for name in NAMES:
        columns, rows, shapes = layer(name)
        if name not in {"nodes", "lines"}:
            (folder / f"{name}.csv").write_text(FILES[f"{name}.csv"])
            continue
        data = [np.array([row[c] for row in rows], dtype=object if isinstance(rows[0][c], str) else float)
                for c in range(len(columns))]  # fmt: skip
        kind = "Point" if name == "nodes" else "LineString"
        pyogrio.raw.write(
            folder / f"{name}.shp", shapely.to_wkb(shapes), data, columns, geometry_type=kind, crs="EPSG:28355"
        )
    feeder, findings = check_folder(folder)
    assert not [f for f in findings if f.severity == "error"], findings
    same_but_for_lengths(feeder, lane, float(np.hypot(100, 30)))


def test_lines_alone_make_their_nodes(tmp_path):
    folder = tmp_path / "map"
    folder.mkdir()
    lines = [
        {
            "type": "Feature",
            "properties": {"line_id": f"L{k}", "line_type": "thin", "nominal_v": 230.94},
            "geometry": {"type": "LineString", "coordinates": [[1000.0 + 80 * k, 0], [1080.2 + 80 * k, 0]]},
        }
        for k in range(3)
    ]
    (folder / "lines.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": lines}))
    (folder / "line_types.csv").write_text(FILES["line_types.csv"])
    (folder / "source.csv").write_text("node,v_pu\nn1,1.0\n")
    feeder, findings = check_folder(folder)
    assert feeder is not None, findings
    ends = [(x.from_node, x.to_node) for x in feeder.network.equipment.lines]
    assert ends == [("n1", "n2"), ("n2", "n3"), ("n3", "n4")]


@pytest.mark.parametrize("name", ["x.gpkg", "x.shp", "x.geojson"])
@pytest.mark.parametrize("content", [b"", b"{}", b"SQLite format 3\x00", b"\x00\x00\x27\x0a", b"<OGRVRTDataSource/>"])
def test_a_file_that_is_no_map_is_a_finding(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    feeder, findings = check_folder(tmp_path / name)
    assert feeder is None
    assert findings[0].severity == "error"


def test_sheets_and_layers_that_nothing_reads_are_named(tmp_path):
    path = book(tmp_path / "lane.xlsx")
    found = openpyxl.load_workbook(path)
    found["Capacitors"].title = "capacitor"
    found.save(path)
    said = {f.element: (f.severity, f.detail) for f in check_folder(path)[1] if f.code == "unused_file"}
    assert said["sheet capacitor"] == ("warning", "is not read: did you mean capacitors?")
    assert said["sheet remarks"] == ("note", "is not read")
    folder = write(tmp_path / "lane")
    (folder / "nodes.csv").unlink()
    lines, nodes = tables()["lines"], tables()["nodes"]
    for name, rows in {"lines": lines, "nodes": nodes, "switch": [["switch_id"], ["s1"]]}.items():
        (folder / f"{name}.csv").unlink(missing_ok=True)
        features = [
            {"type": "Feature", "geometry": None, "properties": dict(zip(rows[0], r, strict=True))} for r in rows[1:]
        ]
        (folder / f"{name}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    (folder / "switches.csv").unlink()
    said = {f.element: (f.severity, f.detail) for f in check_folder(folder)[1] if f.code == "unused_file"}
    assert said["layer switch"] == ("warning", "is not read: did you mean switches?")
