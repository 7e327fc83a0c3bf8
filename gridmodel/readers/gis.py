"""Lines and nodes from GeoPackage, Shapefile or GeoJSON: attributes are the columns of the tables, places join them.

Ends of lines and customers are joined to nodes by name where the attributes have the columns, else by place within a
tolerance; what was moved is a finding. GeoJSON is read as JSON, others by pyogrio after a look at their first bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gridmodel.errors import FileError, GridError
from gridmodel.readers.staged import KNOWN
from gridmodel.readers.tables import read_json

SUFFIXES = (".gpkg", ".shp", ".geojson")
MAGIC = {".gpkg": b"SQLite format 3\x00", ".shp": b"\x00\x00\x27\x0a"}


class Layer(NamedTuple):
    """One layer: columns, a row of attributes and a geometry (or None) per feature, and its reference system."""

    columns: list[str]
    rows: list[list[Any]]
    shapes: list[Any]
    crs: str


def layers(path: Path) -> tuple[dict[str, Layer], list[str]]:
    """(The layers of a file or folder that are tables of a feeder, by name in lower case; names of the others)."""
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
    found: dict[str, Layer] = {}
    others = []
    for file in files:
        for name, layer in _layers_of(file).items():
            key = name.lower()
            if layer is None:
                others.append(name)
            elif key in found:
                raise FileError(file, f"a second layer {key}")
            else:
                found[key] = layer
    if "lines" not in found:
        raise FileError(path, f"has no layer lines; layers are called as {', '.join(sorted(KNOWN))}")
    return found, others


def _layers_of(file: Path) -> dict[str, Layer | None]:
    """The layers of a file; None of one that is no table of a feeder."""
    try:
        import shapely
    except ImportError as e:
        raise GridError("files of a geographic information system take shapely and pyogrio: sep2[files]") from e
    suffix = file.suffix.lower()
    if suffix == ".geojson":
        return {file.stem: _geojson(file, shapely) if file.stem.lower() in KNOWN else None}
    if not file.read_bytes()[:16].startswith(MAGIC[suffix]):
        raise FileError(file, f"does not begin as a {suffix} file does")
    import pyogrio

    try:
        names = [str(row[0]) for row in pyogrio.list_layers(file)]
        return {n: _read(pyogrio, file, n, shapely) if n.lower() in KNOWN else None for n in names}
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as e:
        raise FileError(file, f"cannot be read: {' '.join(str(e).split())}") from None


def _read(pyogrio: Any, file: Path, name: str, shapely: Any) -> Layer:
    meta, _, shapes, fields = pyogrio.raw.read(file, layer=name, datetime_as_string=True)
    columns = [str(c) for c in meta["fields"]]
    rows = [list(row) for row in zip(*[column.tolist() for column in fields], strict=True)]
    count = len(rows) if columns else len(shapes)
    found = [None] * count if shapes is None else [shapely.from_wkb(s) if s is not None else None for s in shapes]
    return Layer(columns, rows or [[] for _ in range(count)], found, str(meta.get("crs") or ""))


def _geojson(file: Path, shapely: Any) -> Layer:
    content = read_json(file)
    features = content.get("features")
    if content.get("type") != "FeatureCollection" or not isinstance(features, list):
        raise FileError(file, "is no GeoJSON FeatureCollection")
    columns: dict[str, None] = {}
    for feature in features:
        columns |= dict.fromkeys(feature.get("properties") or {} if isinstance(feature, dict) else ())
    rows, shapes = [], []
    for number, feature in enumerate(features):
        try:
            own = feature.get("properties") or {}
            rows.append([own.get(name) for name in columns])
            shapes.append(shapely.geometry.shape(feature["geometry"]) if feature.get("geometry") else None)
        except (AttributeError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError):
            raise FileError(file, "is no feature with properties and a geometry", row=number) from None
    return Layer([str(c) for c in columns], rows, shapes, "EPSG:4326")


def metres(points: np.ndarray, every: np.ndarray) -> np.ndarray:
    """(N, 2) places in metres: as they are, or about the middle of `every` where those are longitudes and latitudes."""
    finite = every[np.isfinite(every).all(axis=1)]
    if not len(finite) or np.abs(finite[:, 0]).max() > 180 or np.abs(finite[:, 1]).max() > 90:
        return points
    middle = np.radians(finite[:, 1].mean())
    # Length of a degree on the WGS 84 ellipsoid, by its series in the latitude.
    north = 111_132.954 - 559.822 * np.cos(2 * middle) + 1.175 * np.cos(4 * middle)
    east = 111_412.84 * np.cos(middle) - 93.5 * np.cos(3 * middle) + 0.118 * np.cos(5 * middle)
    return np.asarray((points - finite.mean(axis=0)) * [east, north])
