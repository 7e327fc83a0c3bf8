"""A feeder as a folder of CSV tables, in the columns that `gridmodel.readers.csv_folder` reads; else it is refused.

Numbers are written with all their digits, so that the folder is the same network to the last bit but rounding.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.arrays import Complex
from gridmodel.errors import FileError, GridError
from gridmodel.model.equipment import CentreTap, Equipment, Line, Supply, Transformer
from gridmodel.model.feeder import Feeder
from gridmodel.readers.known_columns import SERIES
from gridmodel.readers.pandapower import ASSUMED_ZERO_RATIO

EQUAL = 1e-9  # relative difference of what is taken as equal
HOURS = 12
Rows = list[dict[str, Any]]


def write_folder(feeder: Feeder, folder: Path, *, beside: Path | None = None) -> None:
    """Writes the tables of a feeder into a new or empty folder.

    beside: the folder that the feeder was read from, whose customers and day are taken along as they are.
    Raises GridError where the tables have no place for something, naming it.
    """
    equipment = feeder.network.equipment
    if equipment is None:
        raise GridError(f"{feeder.name}: is known by its admittances only; tables need lines and transformers")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileError(folder, "is not an empty folder")
    tables = _tables(equipment, feeder)
    taken = _taken(beside)
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        if rows and not (name == "connections.csv" and {"customers.csv", "connections.csv"} & {p.name for p in taken}):
            _write(folder / name, rows)
    for path in taken:
        shutil.copyfile(path, folder / path.name)
    if not (folder / "feeder.toml").exists():
        name = feeder.name.replace("\\", "").replace('"', "'")
        (folder / "feeder.toml").write_text(f'name = "{name}"\nfrequency_hz = {equipment.frequency_hz!r}\n')


def _taken(beside: Path | None) -> list[Path]:
    """Files of customers and of their day."""
    if beside is None or not beside.is_dir():
        return []
    names = ("customers.csv", "connections.csv", "devices.csv", "feeder.toml", *SERIES)
    return [*(beside / n for n in names if (beside / n).is_file()), *sorted(beside.glob("head_voltage*.csv"))]


def _tables(equipment: Equipment, feeder: Feeder) -> dict[str, Rows]:
    omega = 2 * np.pi * equipment.frequency_hz
    types = _Types(omega)
    lines = [_line(line, types) for line in equipment.lines]
    if equipment.regulators:
        raise GridError(f"regulator {equipment.regulators[0].id}: controls are not written; take regulators.csv along")
    return {
        "nodes.csv": [
            {"node": n.id, "nominal_v": n.nominal_v, "phases": n.phases, "x": _known(n.x), "y": _known(n.y)}
            for n in equipment.nodes
        ],
        "lines.csv": lines,
        "line_types.csv": types.rows,
        "transformers.csv": [
            *(_transformer(t) for t in equipment.transformers),
            *(_centre_tap(t) for t in equipment.centre_taps),
        ],
        "source.csv": list(_sources(equipment)),
        "capacitors.csv": [
            {
                "capacitor_id": c.id,
                "node": c.node,
                "phases": c.phases,
                "kvar": c.q_rated_var / 1e3,
                "state": "closed" if c.closed else "open",
            }
            for c in equipment.capacitors
        ],
        "connections.csv": [
            {"connection_id": c.id, "node": c.node, "phases": c.phase, "pv_kva": size / 1e3}
            for c, size in zip(equipment.connections, feeder.pv_va.tolist(), strict=True)
        ],
    }


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: repr(float(v)) if isinstance(v, float) else v for k, v in row.items()} for row in rows)


def _known(value: float) -> float | str:
    return float(value) if np.isfinite(value) else ""


class _Types:
    """Line types: one per distinct impedance per kilometre, charging and rating."""

    def __init__(self, omega: float) -> None:
        self.omega, self.rows, self.known = omega, Rows(), dict[tuple[Any, ...], str]()

    def of(self, line: Line) -> str:
        """Name of the type of a line, which is added where it is new."""
        per_km = 1e3 / line.length_m if line.length_m > 0 else 0.0
        own, mutual = self._pair(line, line.z_ohm * per_km)
        y_own, y_mutual = self._pair(line, line.b_s * per_km)
        row: dict[str, Any] = {"rating_a": _known(line.rating_a)}
        z1 = own - mutual
        assumed = not line.zero_sequence_given and abs(own + 2 * mutual - ASSUMED_ZERO_RATIO * z1) < EQUAL * abs(z1)
        if not assumed:
            row |= {"rs_ohm_per_km": own.real, "xs_ohm_per_km": own.imag}
            row |= {"rm_ohm_per_km": mutual.real, "xm_ohm_per_km": mutual.imag}
        else:
            row |= {"r1_ohm_per_km": z1.real, "x1_ohm_per_km": z1.imag}
        if abs(y_own):
            nf = 1e9 / self.omega
            row |= {"cs_nf_per_km": nf * y_own.imag, "cm_nf_per_km": nf * y_mutual.imag}
        key = (line.line_type, *((k, v if v == "" else f"{v:.9g}") for k, v in row.items()))
        if key not in self.known:
            taken = set(self.known.values())
            base = line.line_type or f"type {len(self.known) + 1}"
            name = base if base not in taken else f"{base} {len(self.known) + 1}"
            self.known[key] = name
            self.rows.append({"line_type": name, **row})
        return self.known[key]

    def _pair(self, line: Line, matrix: Complex) -> tuple[complex, complex]:
        """(self, mutual) of a matrix of equal phases."""
        own = complex(np.trace(matrix) / len(matrix))
        off = ~np.eye(len(matrix), dtype=bool)
        mutual = complex(matrix[off].mean()) if off.any() else 0j
        if abs(mutual) < EQUAL * abs(own):
            mutual = 0j
        expected = np.where(off, mutual, own)
        if np.abs(matrix - expected).max() > EQUAL * max(abs(own), 1e-30):
            raise GridError(f"line {line.id}: its phases differ; tables have one self and one mutual impedance")
        return own, mutual


def _line(line: Line, types: _Types) -> dict[str, Any]:
    return {
        "line_id": line.id,
        "from_node": line.from_node,
        "to_node": line.to_node,
        "phases": line.phases,
        "length_m": float(line.length_m),
        "line_type": types.of(line),
        "normally_open": "false" if all(line.closed) else "true",
    }


def _transformer(t: Transformer) -> dict[str, Any]:
    clock, tap = t.shift_degree / 30, t.tap
    if abs(clock - round(clock)) > EQUAL:
        raise GridError(f"transformer {t.id}: a shift of {t.shift_degree:g} degrees is no hour of a clock")
    if abs(t.tap_ratio - (1 + tap * t.tap_step_percent / 100)) > EQUAL:
        if abs(t.tap_ratio - 1.0) > EQUAL:
            raise GridError(f"transformer {t.id}: its ratio {t.tap_ratio:g} is no whole number of its steps")
        tap = 0
    if np.isfinite(t.z0_magnetising_pu) and t.connection == "Yyn":
        raise GridError(f"transformer {t.id}: tables have no zero-sequence magnetising impedance")
    row = _sizes(t) | {
        "connection": f"{t.connection}{round(clock) % HOURS}",
        "r_percent": 100 * t.z1_pu.real,
        "x_percent": 100 * t.z1_pu.imag,
        "tap": tap,
        "tap_min": t.tap_min,
        "tap_max": t.tap_max,
        "tap_step_percent": float(t.tap_step_percent),
        "tap_side": t.tap_side,
    }
    if t.rating_factor != 1.0:
        row["rating_factor"] = t.rating_factor
    zero = {"r0_percent": 100 * t.z0_pu.real, "x0_percent": 100 * t.z0_pu.imag}
    return row | (zero if t.zero_sequence_given or t.z0_pu != t.z1_pu else {})


def _centre_tap(t: CentreTap) -> dict[str, Any]:
    r, x = 100 * t.z_pu.real, 100 * t.z_pu.imag
    return _sizes(t) | {"connection": "split", "phases": t.hv_phases, "r_percent": r, "x_percent": x}


def _sizes(t: Transformer | CentreTap) -> dict[str, Any]:
    core = {"no_load_w": t.magnetising_pu.real * t.s_rated_va, "i0_percent": 100 * abs(t.magnetising_pu)}
    return {
        "transformer_id": t.id,
        "hv_node": t.hv_node,
        "lv_node": t.lv_node,
        "kva": t.s_rated_va / 1e3,
        "hv_v": float(t.hv_v),
        "lv_v": float(t.lv_v),
    } | (core if t.magnetising_pu else {})


def _sources(equipment: Equipment) -> Iterator[dict[str, Any]]:
    nominal_v = {n.id: n.nominal_v for n in equipment.nodes}
    supplies: Iterable[Supply] = (equipment.supply, *equipment.other_supplies)
    for supply in supplies:
        a, b, c = supply.v
        turn = np.exp(-2j * np.pi / 3)
        if max(abs(b - a * turn), abs(c - a * np.conj(turn))) > EQUAL * abs(a):
            raise GridError(f"supply {supply.node}: its voltages are not balanced")
        row = {
            "node": supply.node,
            "v_pu": float(abs(a) / nominal_v[supply.node]),
            "angle_degree": float(np.angle(a, deg=True)),
        }
        z0 = supply.z0_ohm or supply.z1_ohm
        ohm = {"r1_ohm": supply.z1_ohm.real, "x1_ohm": supply.z1_ohm.imag, "r0_ohm": z0.real, "x0_ohm": z0.imag}
        yield row | ({k: float(v) for k, v in ohm.items()} if supply.z1_ohm else {})
