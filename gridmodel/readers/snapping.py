"""Tables of a feeder from layers of a map: ends of lines and customers joined to nodes by name or by place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from gridmodel.errors import FileError, FileFaults
from gridmodel.model.findings import Finding
from gridmodel.readers.gis import Layer, metres

SNAP_M = 0.5
"""how far an end may be from its node (assumed)"""
EXACT_M = 1e-3
NODE_OF = {"connections": "node", "customers": "bus"}
ENDS = ("from_node", "to_node")


class MapTables:
    """The tables of a feeder's layers, and what was moved to make them meet."""

    def __init__(self, path: Path, layers: dict[str, Layer], snap_m: float = SNAP_M) -> None:
        self.path, self.layers, self.snap_m = path, layers, snap_m
        self.faults: list[FileError] = []
        self.moved: list[float] = []
        every = [point for layer in layers.values() for shape in layer.shapes for point in _ends(shape)]
        self.all_xy = np.array(every or [(np.nan, np.nan)], dtype=np.float64)
        self.tables: dict[str, list[list[Any]]] = {name: [layer.columns, *layer.rows] for name, layer in layers.items()}
        self.names, self.xy = self._nodes()
        self._join_lines()
        for name in NODE_OF:
            if name in layers:
                self._join_customers(name)
        if self.faults:
            raise FileFaults(self.faults)

    def findings(self) -> list[Finding]:
        """What was assumed and moved."""
        crs = ", ".join(sorted({layer.crs for layer in self.layers.values() if layer.crs})) or "not given"
        found = [Finding("note", "assumed", self.path.name, "crs", f"coordinates as they are; reference system {crs}")]
        if self.moved:
            detail = f"{len(self.moved)} ends were moved to their node, by up to {max(self.moved):.3g} m"
            found.append(Finding("note", "snapped", self.path.name, "geometry", detail))
        return found

    def _metres(self, points: np.ndarray) -> np.ndarray:
        """Places in metres, all about one middle."""
        return metres(points, self.all_xy)

    def _nodes(self) -> tuple[list[str], np.ndarray]:
        """Names and places in metres of the nodes: a layer's, or the ends of the lines."""
        if "nodes" not in self.layers:
            return self._nodes_of_lines()
        layer = self.layers["nodes"]
        if "node" not in layer.columns:
            raise FileError(self.path, f"column is missing; found {', '.join(layer.columns)}", field="nodes.node")
        at = layer.columns.index("node")
        xy = np.array([_ends(shape)[0] if _ends(shape) else (np.nan, np.nan) for shape in layer.shapes])
        table: list[list[Any]] = [[*layer.columns, *(c for c in "xy" if c not in layer.columns)]]
        for row, (x, y) in zip(layer.rows, xy.tolist(), strict=True):
            given = dict(zip(layer.columns, row, strict=True))
            table.append([given.get(c, {"x": x, "y": y}.get(c)) for c in table[0]])
        self.tables["nodes"] = table
        return [str(row[at]) for row in layer.rows], self._metres(xy)

    def _nodes_of_lines(self) -> tuple[list[str], np.ndarray]:
        layer = self.layers["lines"]
        if "nominal_v" not in layer.columns:
            raise FileError(self.path, "without a layer nodes, lines have a column nominal_v", field="lines.nominal_v")
        volts = layer.columns.index("nominal_v")
        ends = [(point, row[volts]) for row, s in zip(layer.rows, layer.shapes, strict=True) for point in _ends(s)]
        xy = self._metres(np.array([point for point, _ in ends]).reshape(-1, 2))
        kept: list[int] = []
        tree = cKDTree(xy) if len(xy) else None
        owner = np.full(len(xy), -1)
        for k in range(len(xy)):
            if owner[k] < 0 and tree is not None:
                near = [j for j in tree.query_ball_point(xy[k], self.snap_m) if owner[j] < 0]
                owner[near] = len(kept)
                kept.append(k)
        names = [f"n{k + 1}" for k in range(len(kept))]
        rows = [[name, ends[k][1], *ends[k][0]] for name, k in zip(names, kept, strict=True)]
        self.tables["nodes"] = [["node", "nominal_v", "x", "y"], *rows]
        self.tables["lines"] = [layer.columns, *layer.rows]
        return names, xy[kept]

    def _join_lines(self) -> None:
        layer = self.layers["lines"]
        added = [c for c in (*ENDS, "length_m") if c not in layer.columns]
        table: list[list[Any]] = [[*(c for c in layer.columns if c != "nominal_v"), *added]]
        for number, (row, shape) in enumerate(zip(layer.rows, layer.shapes, strict=True), 1):
            given = dict(zip(layer.columns, row, strict=True))
            if added and len(_ends(shape)) != 2:
                self.faults.append(FileError(self.path, "is no line of one part", row=number, field="lines.geometry"))
                continue
            if added:
                given |= {c: v for c, v in self._line(given, shape, number).items() if c in added}
            table.append([given.get(c) for c in table[0]])
        self.tables["lines"] = table

    def _line(self, given: dict[str, Any], shape: Any, number: int) -> dict[str, Any]:
        """Ends by place, and length by shape."""
        path = self._metres(np.array(shape.coords)[:, :2])
        found: dict[str, Any] = {"length_m": float(np.hypot(*np.diff(path, axis=0).T).sum())}
        for field, point in zip(ENDS, path[[0, -1]], strict=True):
            if field not in given:
                found[field] = self._nearest(point, f"lines.{field}", number, str(given.get("line_id", number)))
        return found

    def _join_customers(self, name: str) -> None:
        layer, field = self.layers[name], NODE_OF[name]
        if field in layer.columns:
            return
        table: list[list[Any]] = [[*layer.columns, field]]
        for number, (row, shape) in enumerate(zip(layer.rows, layer.shapes, strict=True), 1):
            ends = _ends(shape)
            if not ends:
                self.faults.append(FileError(self.path, "has no place", row=number, field=f"{name}.geometry"))
                continue
            at = self._metres(np.array(ends[:1]))[0]
            table.append([*row, self._nearest(at, f"{name}.{field}", number, str(row[0] if row else number))])
        self.tables[name] = table

    def _nearest(self, point: np.ndarray, field: str, number: int, who: str) -> str | None:
        """The node at a place; a fault where there is none within the tolerance."""
        away = np.hypot(*(self.xy - point).T)
        k = int(np.nanargmin(away)) if np.isfinite(away).any() else -1
        if k < 0 or away[k] > self.snap_m:
            how = f"the nearest, {self.names[k]}, is {away[k]:.3g} m away" if k >= 0 else "there are none"
            detail = f"{who}: no node within {self.snap_m:g} m; {how}"
            self.faults.append(FileError(self.path, detail, row=number, field=field))
            return None
        others = np.flatnonzero(np.isfinite(away) & (away < away[k] + EXACT_M))
        if len(others) > 1:
            names = " and ".join(self.names[j] for j in others[:2])
            detail = f"{who}: {names} stand at one place; name the node in a column"
            self.faults.append(FileError(self.path, detail, row=number, field=field))
        if away[k] > EXACT_M:
            self.moved.append(float(away[k]))
        return self.names[k]


def _ends(shape: Any) -> list[tuple[float, float]]:
    """The place of a point, or both ends of a line of one part."""
    if shape is None or shape.is_empty:
        return []
    if shape.geom_type in {"MultiPoint", "MultiLineString"} and len(shape.geoms) == 1:
        shape = shape.geoms[0]
    if shape.geom_type == "Point":
        return [(float(shape.x), float(shape.y))]
    if shape.geom_type == "LineString":
        points = list(shape.coords)
        return [(float(p[0]), float(p[1])) for p in (points[0], points[-1])]
    return []
