"""A pandapower network, as its JSON file or as the object itself, into equipment.

The file is read without importing pandapower: its tables are plain JSON. Power flow conventions are pandapower's,
with two deliberate differences: the magnetising branch in zero sequence counts only where it is the only path (Yyn),
and the supply is a plain short-circuit impedance (no voltage factor c). `docs/feeders.md` says why.
"""

from __future__ import annotations

import cmath
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.arrays import TURN, Complex
from gridmodel.errors import FileError, GridError
from gridmodel.model.admittance import sequence_matrix
from gridmodel.model.equipment import Connection, Equipment, Line, Node, Supply, Transformer
from gridmodel.readers.tables import Row, Table, absent, read_json

UNSUPPORTED = ("trafo3w", "impedance", "gen", "dcline", "ward", "xward", "shunt", "motor", "svc", "tcsc", "ssc")
ASSUMED_ZERO_RATIO = 4.0  # zero over positive sequence impedance where a line's file says nothing (assumed)
LOAD_TABLES = (("asymmetric_load", -1.0), ("asymmetric_sgen", 1.0), ("load", -1.0), ("sgen", 1.0))


class PandapowerFile:
    """The tables of one pandapower network and what they mean electrically."""

    def __init__(self, file: str, tables: dict[str, Table], frequency_hz: float, name: str) -> None:
        self.file, self.tables, self.frequency_hz, self.name = file, tables, frequency_hz, name
        self.notes: list[str] = []
        self.bus_name = _names(self.table("bus"), "bus")
        self.bus_node = self._fused_buses()

    def table(self, name: str) -> Table:
        """A table, empty where the file has none."""
        return self.tables.get(name) or Table(self.file, name, (), ())

    def node(self, row: Row, field: str) -> str:
        """Name of the node a bus field points to."""
        bus = int(row.number(field))
        if bus not in self.bus_node:
            raise row.wrong(field, f"bus {bus} is not in the network")
        return self.bus_node[bus]

    def equipment(self) -> Equipment:
        """All elements in service."""
        self._refuse_unsupported()
        return Equipment(
            name=self.name,
            nodes=self._nodes(),
            lines=tuple(self._lines()),
            transformers=tuple(self._transformers()),
            supply=self._supply(),
            connections=self.connections(),
            frequency_hz=self.frequency_hz,
            notes=tuple(self.notes),
        )

    def _refuse_unsupported(self) -> None:
        for name in UNSUPPORTED:
            for row in self.table(name):
                if row.flag("in_service", True):
                    raise FileError(self.file, f"element type {name} is not supported", row=row.position, field=name)

    def _fused_buses(self) -> dict[int, str]:
        """Node name per bus; buses joined by a closed bus switch are one node."""
        parent = {bus: bus for bus in self.bus_name}

        def root(bus: int) -> int:
            while parent[bus] != bus:
                bus = parent[bus]
            return bus

        for row in self.table("switch"):
            if row.text("et") == "b" and row.flag("closed", True):
                ends = int(row.number("bus")), int(row.number("element"))
                if not set(ends) <= parent.keys():
                    raise row.wrong("bus", f"bus {ends} is not in the network")
                first, second = sorted(root(end) for end in ends)
                parent[second] = first
        return {bus: self.bus_name[root(bus)] for bus in parent}

    def _nodes(self) -> tuple[Node, ...]:
        kept = set(self.bus_node.values())
        places = {row.position: (row.number("x"), row.number("y")) for row in self.table("bus_geodata")}
        found = []
        for row in self.table("bus"):
            name = self.bus_name[row.position]
            if name in kept and row.flag("in_service", True):
                x, y = _point(row.fields.get("geo")) or places.get(row.position, (math.nan, math.nan))
                found.append(Node(name, row.positive("vn_kv") * 1e3 / math.sqrt(3), "abc", x, y))
        return tuple(found)

    def _open_ends(self, kind: str) -> set[tuple[int, int]]:
        """(element, bus) pairs at which an open switch stands."""
        return {
            (int(row.number("element")), int(row.number("bus")))
            for row in self.table("switch")
            if row.text("et") == kind and not row.flag("closed", True)
        }

    def _lines(self) -> list[Line]:
        open_ends = self._open_ends("l")
        names = _names(self.table("line"), "line")
        return [
            self._line(row, names[row.position], open_ends)
            for row in self.table("line")
            if row.flag("in_service", True)
        ]

    def _line(self, row: Row, name: str, open_ends: set[tuple[int, int]]) -> Line:
        length_km, parallel = row.number("length_km"), row.number("parallel", 1.0)
        z1 = complex(row.number("r_ohm_per_km"), row.number("x_ohm_per_km"))
        given = "r0_ohm_per_km" in row and "x0_ohm_per_km" in row
        z0 = complex(row.number("r0_ohm_per_km"), row.number("x0_ohm_per_km")) if given else ASSUMED_ZERO_RATIO * z1
        omega = 2 * math.pi * self.frequency_hz
        c1 = row.number("c_nf_per_km", 0.0)
        y1 = complex(row.number("g_us_per_km", 0.0) * 1e-6, omega * c1 * 1e-9)
        y0 = complex(row.number("g0_us_per_km", 0.0) * 1e-6, omega * row.number("c0_nf_per_km", c1) * 1e-9)
        rating_a = _at_least_zero(row, "max_i_ka", math.nan) * 1e3 * row.number("df", 1.0) * parallel
        return Line(
            id=name,
            from_node=self.node(row, "from_bus"),
            to_node=self.node(row, "to_bus"),
            phases="abc",
            length_m=length_km * 1e3,
            z_ohm=sequence_matrix(z0, z1) * length_km / parallel,
            b_s=sequence_matrix(y0, y1) * length_km * parallel,
            rating_a=rating_a,
            line_type=row.text("std_type", ""),
            zero_sequence_given=given,
            closed=_closed(row, ("from_bus", "to_bus"), open_ends),
        )

    def _transformers(self) -> list[Transformer]:
        open_ends = self._open_ends("t")
        names = _names(self.table("trafo"), "transformer")
        return [
            self._transformer(row, names[row.position])
            for row in self.table("trafo")
            if row.flag("in_service", True) and all(_closed(row, ("hv_bus", "lv_bus"), open_ends))
        ]

    def _transformer(self, row: Row, name: str) -> Transformer:
        z1 = _short_circuit(row, "vk_percent", "vkr_percent")
        given = "vk0_percent" in row and row.number("vk0_percent") > 0
        z0 = _short_circuit(row, "vk0_percent", "vkr0_percent") if given else z1
        connection = row.text("vector_group", "")
        if not connection:
            connection = "Dyn" if round(row.number("shift_degree", 0.0) / 30) % 2 else "YNyn"
            self.notes.append(f"transformer {name}: no vector group in the file; {connection} assumed")
        ratio, tap = _tap(row)
        return Transformer(
            id=name,
            hv_node=self.node(row, "hv_bus"),
            lv_node=self.node(row, "lv_bus"),
            s_rated_va=row.positive("sn_mva") * 1e6 * row.number("parallel", 1.0),
            hv_v=row.positive("vn_hv_kv") * 1e3,
            lv_v=row.positive("vn_lv_kv") * 1e3,
            z1_pu=z1,
            z0_pu=z0,
            connection=connection.rstrip("0123456789"),
            shift_degree=row.number("shift_degree", 0.0),
            tap_ratio=ratio,
            tap_side=row.text("tap_side", "hv"),
            magnetising_pu=_magnetising(row),
            z0_magnetising_pu=_zero_magnetising(row, z0),
            zero_sequence_given=given,
            tap=tap,
            tap_min=int(row.number("tap_min", 0.0)),
            tap_max=int(row.number("tap_max", 0.0)),
            tap_step_percent=row.number("tap_step_percent", 0.0),
        )

    def _supply(self) -> Supply:
        rows = [row for row in self.table("ext_grid") if row.flag("in_service", True)]
        if len(rows) != 1:
            raise FileError(self.file, f"{len(rows)} external grids in service; one is needed", field="ext_grid")
        row = rows[0]
        node = self.node(row, "bus")
        nominal_v = next((n.nominal_v for n in self._nodes() if n.id == node), None)
        if nominal_v is None:
            raise row.wrong("bus", f"{node} is not in service")
        line_to_line_v = nominal_v * math.sqrt(3)
        z1 = 0j
        if "s_sc_max_mva" in row:
            r_over_x = row.number("rx_max", 0.1)
            x = line_to_line_v**2 / (row.positive("s_sc_max_mva") * 1e6) / math.hypot(1.0, r_over_x)
            z1 = complex(r_over_x * x, x)
        x0 = row.number("x0x_max", 1.0) * z1.imag
        volts = row.positive("vm_pu", 1.0) * line_to_line_v / math.sqrt(3)
        angle = cmath.exp(1j * math.radians(row.number("va_degree", 0.0)))
        return Supply(node, balanced(volts * angle), z1, complex(row.number("r0x0_max", 0.1) * x0, x0))

    def connections(self) -> tuple[Connection, ...]:
        """One connection per load or generator of the file; its phase is where its power is."""
        found: dict[str, Connection] = {}
        for name, _ in LOAD_TABLES:
            names = _names(self.table(name), name)
            for row in self.table(name):
                if row.flag("in_service", True):
                    key = names[row.position]
                    found.setdefault(key, Connection(key, self.node(row, "bus"), _phase(row, name)))
        return tuple(found.values())


def balanced(phase_a_v: complex) -> Complex:
    """(3,) positive-sequence voltages with the given phase a."""
    return np.array([phase_a_v, phase_a_v / TURN, phase_a_v * TURN], dtype=np.complex128)


def read_equipment(source: str | Path | Any, *, name: str | None = None) -> Equipment:
    """Equipment of a pandapower JSON file, or of a pandapowerNet."""
    found = open_file(Path(source)) if isinstance(source, (str, Path)) else open_net(source)
    equipment = found.equipment()
    return replace(equipment, name=name) if name else equipment


def open_file(path: Path) -> PandapowerFile:
    """A pandapower JSON file, read without pandapower."""
    content = read_json(path).get("_object")
    if not isinstance(content, dict) or "bus" not in content:
        raise FileError(path, "not a pandapower network: it has no bus table")
    tables = {key: _table(str(path), key, value) for key, value in content.items() if _is_frame(value)}
    if "bus" not in tables:
        raise FileError(path, "the bus table is no table", field="bus")
    name = content.get("name") or path.name.split(".")[0]
    frequency_hz = content.get("f_hz", 50.0)
    if not isinstance(frequency_hz, int | float) or not 0 < frequency_hz < math.inf:
        raise FileError(path, f"{frequency_hz!r} is not a positive number", field="f_hz")
    return PandapowerFile(str(path), tables, float(frequency_hz), str(name))


def open_net(net: Any) -> PandapowerFile:
    """A pandapowerNet object."""
    if not hasattr(net, "bus"):
        raise GridError("not a pandapower network: it has no bus table")
    tables = {}
    for key in (
        "bus",
        "line",
        "trafo",
        "ext_grid",
        "switch",
        "bus_geodata",
        *UNSUPPORTED,
        *(n for n, _ in LOAD_TABLES),
    ):
        frame = net.get(key)
        if frame is not None and hasattr(frame, "columns"):
            rows = [(int(k), list(row)) for k, row in zip(frame.index, frame.itertuples(index=False), strict=True)]
            tables[key] = Table("pandapower network", key, [str(c) for c in frame.columns], rows)
    return PandapowerFile("pandapower network", tables, float(net.f_hz), str(net.name or "network"))


def _is_frame(value: object) -> bool:
    return isinstance(value, dict) and value.get("_class") == "DataFrame"


def _table(file: str, name: str, value: dict[str, Any]) -> Table:
    content = value.get("_object")
    try:
        content = json.loads(content) if isinstance(content, str) else content
    except json.JSONDecodeError as e:
        raise FileError(file, f"not JSON: {e.msg}", field=name) from None
    if not isinstance(content, dict) or not {"columns", "index", "data"} <= content.keys():
        raise FileError(file, "table is not in split form", field=name)
    columns, index, data = (content[part] for part in ("columns", "index", "data"))
    if not all(isinstance(part, list) for part in (columns, index, data)) or not all(map(_is_text, columns)):
        raise FileError(file, "columns, index and data are lists, columns of texts", field=name)
    for number, row in zip(index, data, strict=False):
        if not isinstance(number, int) or not isinstance(row, list) or len(row) != len(columns):
            raise FileError(file, f"row {number!r} has no value for each of {len(columns)} columns", field=name)
    if len(index) != len(data):
        raise FileError(file, f"{len(index)} row numbers for {len(data)} rows", field=name)
    return Table(file, name, columns, list(zip(index, data, strict=True)))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _names(table: Table, prefix: str) -> dict[int, str]:
    """A unique name per row: the file's own where it has one, prefix and index otherwise."""
    given = {row.position: row.text("name", "") for row in table}
    counts: dict[str, int] = {}
    for name in given.values():
        counts[name] = counts.get(name, 0) + 1
    return {k: name if name and counts[name] == 1 else f"{prefix}{k}" for k, name in given.items()}


def _point(geo: object) -> tuple[float, float] | None:
    if absent(geo):
        return None
    try:
        point = json.loads(geo) if isinstance(geo, str) else geo
        x, y = point["coordinates"][:2]  # type: ignore[index]  # anything unexpected is "no place"
        return float(x), float(y)
    except (KeyError, TypeError, ValueError):
        return None


def _at_least_zero(row: Row, field: str, default: float) -> float:
    value = row.number(field, default)
    if value < 0:
        raise row.wrong(field, f"{value:g} is negative")
    return value


def _closed(row: Row, fields: tuple[str, str], open_ends: set[tuple[int, int]]) -> tuple[bool, bool]:
    first, second = ((row.position, int(row.number(field))) not in open_ends for field in fields)
    return first, second


def _short_circuit(row: Row, total: str, real: str) -> complex:
    """Per-unit short-circuit impedance from its magnitude and its real part in percent."""
    z, r = row.number(total) / 100, row.number(real, 0.0) / 100
    if z <= 0 or abs(r) > z:
        raise row.wrong(total, f"{100 * z:g} % is no short-circuit voltage beside a real part of {100 * r:g} %")
    return complex(r, math.sqrt(z**2 - r**2))


def _magnetising(row: Row) -> complex:
    """Per-unit shunt admittance from iron losses and no-load current."""
    iron = row.number("pfe_kw", 0.0) / (row.number("sn_mva") * 1e3)
    whole = max(row.number("i0_percent", 0.0) / 100, iron)
    return complex(iron, -math.sqrt(whole**2 - iron**2))


def _zero_magnetising(row: Row, z0: complex) -> complex:
    if "mag0_percent" not in row:
        return complex(math.inf)
    size, r_over_x = abs(z0) * row.number("mag0_percent") / 100, row.number("mag0_rx", 0.0)
    x = size / math.hypot(1.0, r_over_x)
    return complex(r_over_x * x, x)


def _tap(row: Row) -> tuple[float, int]:
    """(turns over rated turns, steps from neutral)."""
    steps = row.number("tap_pos", 0.0) - row.number("tap_neutral", 0.0)
    changer = row.text("tap_changer_type", "")
    moves = changer in {"Ratio", "Symmetrical"} or ("tap_changer_type" not in row.fields and "tap_step_percent" in row)
    if not moves or steps == 0:
        return 1.0, int(steps)
    if row.number("tap_step_degree", 0.0) or row.flag("tap_dependency_table", False):
        raise row.wrong("tap_step_degree", "phase-shifting and tabulated tap changers are not supported")
    return 1.0 + steps * row.number("tap_step_percent") / 100, int(steps)


def _phase(row: Row, table: str) -> str:
    """Phase of a load from where its power is: none means unknown, several mean all three."""
    if not table.startswith("asymmetric"):
        return "abc"
    loaded = [p for p in "abc" if row.number(f"p_{p}_mw", 0.0) or row.number(f"q_{p}_mvar", 0.0)]
    delta = row.text("type", "wye") == "delta"
    if not loaded:
        return "unknown"
    if len(loaded) > 1:
        return "delta" if delta else "abc"
    return {"a": "ab", "b": "bc", "c": "ca"}[loaded[0]] if delta else loaded[0]
