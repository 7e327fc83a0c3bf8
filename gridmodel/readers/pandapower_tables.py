"""The tables of a pandapower network, from its JSON file or from the object: which are used, known, or refused."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gridmodel.errors import FileError, GridError
from gridmodel.model.findings import Finding
from gridmodel.readers.known_fields import judged
from gridmodel.readers.tables import Row, Table, absent, read_json

LOAD_TABLES = ("asymmetric_load", "asymmetric_sgen", "load", "sgen", "storage")
MODELLED = (
    "bus", "line", "trafo", "trafo3w", "ext_grid", "switch", "bus_geodata", "shunt", "impedance", *LOAD_TABLES
)  # fmt: skip
HARMLESS = {"measurement", "pwl_cost", "poly_cost", "group", "line_geodata", "controller", "std_types", "profiles"}
"""carries no power in a power flow at one hour"""
REMEDIES = {
    "gen": "it holds a voltage by reactive power that follows the load; give it in sgen with its p_mw and q_mvar",
}
"""why a table is refused, and what to write instead"""
MOST_ROWS = 10
"""of a refused table that are named"""
PLACES = {"bus", "from_bus", "to_bus", "hv_bus", "mv_bus", "lv_bus", "from_bus_dc", "to_bus_dc", "bus_dc"}
"""columns by which a table has a place in the network"""


def of_file(path: Path) -> tuple[dict[str, Table], float, str, list[Finding]]:
    """(tables, frequency in Hz, name, findings) of a JSON file, which is read without pandapower."""
    content = read_json(path).get("_object")
    if not isinstance(content, dict) or "bus" not in content:
        raise FileError(path, "not a pandapower network: it has no bus table")
    found: list[Finding] = []
    tables = {}
    for name, value in content.items():
        if name in MODELLED and _is_frame(value):
            tables[name] = _table(str(path), name, value)
        elif _is_frame(value) and not name.startswith(("res_", "_")):
            found += _unused(str(path), name, value)
    if "bus" not in tables:
        raise FileError(path, "the bus table is no table", field="bus")
    name = content.get("name") or path.name.split(".")[0]
    frequency_hz = content.get("f_hz", 50.0)
    if not isinstance(frequency_hz, int | float) or not 0 < frequency_hz < math.inf:
        raise FileError(path, f"{frequency_hz!r} is not a positive number", field="f_hz")
    return tables, float(frequency_hz), str(name), [*judged("pandapower", tables.values(), path.name), *found]


def of_net(net: Any) -> tuple[dict[str, Table], float, str, list[Finding]]:
    """The same of a pandapowerNet."""
    if not hasattr(net, "bus"):
        raise GridError("not a pandapower network: it has no bus table")
    tables, found, label = {}, list[Finding](), "pandapower network"
    for name in list(net.keys()):
        frame = net[name]
        if not hasattr(frame, "columns") or name.startswith(("res_", "_")):
            continue
        numbered = name in MODELLED
        index = [int(k) if numbered else k for k in frame.index]
        rows = [(k, list(row)) for k, row in zip(index, frame.itertuples(index=False), strict=True)]
        table = Table(label, name, [str(c) for c in frame.columns], rows)
        if numbered:
            tables[name] = table
        else:
            found += _judged(label, name, table)
    found += judged("pandapower", tables.values(), label)
    return tables, float(net.f_hz), str(net.name or "network"), found


def _unused(file: str, name: str, value: Mapping[str, Any]) -> list[Finding]:
    """A finding about a table that has no model; refuses one that stands in the network."""
    try:
        table = _table(file, name, value, numbered=False)
    except FileError:
        return [Finding("note", "not_used", f"table {name}", file, "not used")]
    return _judged(file, name, table)


def _judged(file: str, name: str, table: Table) -> list[Finding]:
    """Refuses rows in service of a table that stands in the network; names one that does not and has rows."""
    if name not in HARMLESS and PLACES & set(table.columns):
        if there := [row.position for row in table if row.flag("in_service", True)]:
            remedy = f": {REMEDIES[name]}" if name in REMEDIES else ""
            shown = ", ".join(str(k) for k in there[1:MOST_ROWS]) + (" …" if len(there) > MOST_ROWS else "")
            others = f"; {len(there)} of them, also in rows {shown}" if len(there) > 1 else ""
            raise FileError(file, f"element type {name} is not supported{remedy}{others}", row=there[0], field=name)
        return []
    if not len(table):
        return []
    detail = "controllers stand still: taps are where the file has them" if name == "controller" else "not used"
    return [Finding("note", "not_used", f"table {name}", file, detail)]


def _is_frame(value: object) -> bool:
    return isinstance(value, dict) and value.get("_class") == "DataFrame"


def _table(file: str, name: str, value: Mapping[str, Any], *, numbered: bool = True) -> Table:
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
    if not numbered:
        index = list(range(len(data)))
    for number, row in zip(index, data, strict=False):
        if not isinstance(number, int) or not isinstance(row, list) or len(row) != len(columns):
            raise FileError(file, f"row {number!r} has no value for each of {len(columns)} columns", field=name)
    if len(index) != len(data):
        raise FileError(file, f"{len(index)} row numbers for {len(data)} rows", field=name)
    return Table(file, name, columns, list(zip(index, data, strict=True)))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def names_of(table: Table, prefix: str) -> dict[int, str]:
    """A unique name per row: the file's own where it has one, prefix and index otherwise."""
    given = {row.position: row.text("name", "") for row in table}
    counts: dict[str, int] = {}
    for name in given.values():
        counts[name] = counts.get(name, 0) + 1
    return {k: name if name and counts[name] == 1 else f"{prefix}{k}" for k, name in given.items()}


def point(geo: object) -> tuple[float, float] | None:
    """Coordinates of a GeoJSON point; None where it is anything else."""
    if absent(geo):
        return None
    try:
        found = json.loads(geo) if isinstance(geo, str) else geo
        x, y = found["coordinates"][:2]  # type: ignore[index]  # anything unexpected is "no place"
        return float(x), float(y)
    except (KeyError, TypeError, ValueError):
        return None


def closed(row: Row, fields: tuple[str, ...], open_ends: set[tuple[int, int]]) -> tuple[bool, ...]:
    """Whether the switch at each end of an element is closed."""
    return tuple((row.position, int(row.number(field))) not in open_ends for field in fields)


def short_circuit(row: Row, total: str, real: str) -> complex:
    """Per-unit short-circuit impedance from its magnitude and its real part in percent."""
    z, r = row.number(total) / 100, row.number(real, 0.0) / 100
    if z <= 0 or abs(r) > z:
        raise row.wrong(total, f"{100 * z:g} % is no short-circuit voltage beside a real part of {100 * r:g} %")
    return complex(r, math.sqrt(z**2 - r**2))


def magnetising(row: Row, sn_mva: str = "sn_mva") -> complex:
    """Per-unit shunt admittance from iron losses and no-load current."""
    iron = row.number("pfe_kw", 0.0) / (row.number(sn_mva) * 1e3)
    whole = max(row.number("i0_percent", 0.0) / 100, iron)
    return complex(iron, -math.sqrt(whole**2 - iron**2))


def tap_of(row: Row) -> tuple[float, int]:
    """(turns over rated turns, steps from neutral) of a tap changer that changes magnitudes only."""
    if row.flag("tap_dependency_table", False):
        raise row.wrong("tap_dependency_table", "tabulated tap changers are not supported")
    if row.number("tap2_pos", 0.0) != row.number("tap2_neutral", 0.0):
        raise row.wrong("tap2_pos", "a second tap changer is not supported")
    steps = row.number("tap_pos", 0.0) - row.number("tap_neutral", 0.0)
    changer = row.text("tap_changer_type", "")
    moves = changer in {"Ratio", "Symmetrical"} or ("tap_changer_type" not in row.fields and "tap_step_percent" in row)
    if steps and (changer == "Ideal" or (not changer and row.flag("tap_phase_shifter", False))):
        raise row.wrong("tap_changer_type", "phase-shifting tap changers are not supported")
    if not moves or steps == 0:
        return 1.0, int(steps)
    if row.number("tap_step_degree", 0.0):
        raise row.wrong("tap_step_degree", "phase-shifting tap changers are not supported")
    return 1.0 + steps * row.number("tap_step_percent") / 100, int(steps)
