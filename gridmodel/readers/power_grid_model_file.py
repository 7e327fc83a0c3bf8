"""A data set of power-grid-model, as its JSON file, into equipment."""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.arrays import Complex
from gridmodel.errors import FileError
from gridmodel.model.admittance import sequence_matrix
from gridmodel.model.equipment import Capacitor, Connection, Equipment, Line, Node, Supply, Transformer
from gridmodel.model.findings import Finding
from gridmodel.model.network import PHASE_OF_PORTS
from gridmodel.readers.known_fields import judged
from gridmodel.readers.pandapower import balanced
from gridmodel.readers.tables import Row, Table, read_json

LOADS = {"sym_load": 1.0, "asym_load": 1.0, "sym_gen": -1.0, "asym_gen": -1.0}
MODELLED = {"node", "line", "asym_line", "link", "transformer", "source", "shunt", *LOADS}
STANDING = ("_sensor", "transformer_tap_regulator")
"""ends of the names of components that carry no power"""
FROM, TO = ("Y", "YN", "D", "Z", "ZN"), ("y", "yn", "d", "z", "zn")
GROUPS = {"Dyn", "YNyn", "Yzn", "Yyn", "YNd", "Yd", "Dy", "Dd", "Yy"}
ZIGZAG_ZERO = 0.1
"""zero- over positive-sequence impedance of a zigzag winding, as power-grid-model has it"""
SOURCE_VA, SOURCE_RX = 1e10, 0.1
"""power-grid-model's own defaults of a source"""


def is_data_set(content: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a data set of power-grid-model."""
    return isinstance(content.get("data"), dict) and "is_batch" in content


def read_equipment(path: Path, frequency_hz: float = 50.0) -> Equipment:
    """Equipment of a JSON file."""
    content = read_json(path)
    if not is_data_set(content) or content.get("is_batch") or content.get("type", "input") != "input":
        raise FileError(path, "is no input data set of power-grid-model")
    return DataSet(path, content, frequency_hz).equipment()


class DataSet:
    """The components of one data set."""

    def __init__(self, path: Path, content: Mapping[str, Any], frequency_hz: float) -> None:
        self.path, self.frequency_hz = path, frequency_hz
        self.omega = 2 * math.pi * frequency_hz
        self.findings: list[Finding] = []
        self.tables = {name: self._table(content, name, rows) for name, rows in content["data"].items()}
        for name, table in self.tables.items():
            if len(table) and name not in MODELLED:
                self._without_model(name, table)
        modelled = [table for name, table in self.tables.items() if name in MODELLED]
        self.findings += judged("power_grid_model", modelled, path.name)
        self.u_rated = {int(row.number("id")): row.positive("u_rated") for row in self._rows("node")}

    def _table(self, content: Mapping[str, Any], name: str, rows: Any) -> Table:
        fields = (content.get("attributes") or {}).get(name)
        if not isinstance(rows, list):
            raise FileError(self.path, "is no list of components", field=name)
        found = []
        for number, row in enumerate(rows):
            given = dict(zip(fields, row, strict=False)) if fields and isinstance(row, list) else row
            if not isinstance(given, dict):
                raise FileError(self.path, "is no component with named values", row=number, field=name)
            found.append((number, given))
        columns = list(dict.fromkeys(key for _, row in found for key in row))
        return Table(str(self.path), name, columns, [(k, [row.get(c) for c in columns]) for k, row in found])

    def _without_model(self, name: str, table: Table) -> None:
        if name.endswith(STANDING):
            self.findings.append(Finding("note", "not_used", f"component {name}", self.path.name, "stands still here"))
            return
        row = next(iter(table))
        raise FileError(self.path, f"component {name} has no model here", row=row.position, field=name)

    def _rows(self, name: str) -> list[Row]:
        return list(self.tables.get(name) or ())

    def _node(self, row: Row, field: str) -> str:
        node = int(row.number(field))
        if node not in self.u_rated:
            raise row.wrong(field, f"node {node} is not in the data set")
        return str(node)

    def equipment(self) -> Equipment:
        """All components."""
        supplies = [self._supply(row) for row in self._rows("source") if row.flag("status", True)]
        if not supplies:
            raise FileError(self.path, "0 sources in service; one is needed", field="source")
        lines = [self._line(row) for row in self._rows("line")]
        lines += [self._asym_line(row) for row in self._rows("asym_line")]
        lines += [self._link(row) for row in self._rows("link")]
        loads = [(name, row) for name in LOADS for row in self._rows(name) if row.flag("status", True)]
        taken = {self._name(name, row): self._taken_va(name, row) for name, row in loads}
        return Equipment(
            name=self.path.name.split(".")[0],
            nodes=tuple(Node(str(k), u / math.sqrt(3)) for k, u in self.u_rated.items()),
            lines=tuple(lines),
            transformers=tuple(self._transformer(row) for row in self._rows("transformer") if all(_closed(row))),
            supply=supplies[0],
            connections=tuple(
                Connection(self._name(kind, row), self._node(row, "node"), self._phase(kind, row))
                for kind, row in loads
            ),
            frequency_hz=self.frequency_hz,
            capacitors=tuple(self._shunt(row) for row in self._rows("shunt") if row.flag("status", True)),
            other_supplies=tuple(supplies[1:]),
            findings=tuple(self.findings),
            own_load_va={name: complex(power.sum()) for name, power in taken.items()},
        )

    def _supply(self, row: Row) -> Supply:
        node = self._node(row, "node")
        u = self.u_rated[int(node)]
        r_over_x = row.number("rx_ratio", SOURCE_RX)
        x = u**2 / row.positive("sk", SOURCE_VA) / math.hypot(1.0, r_over_x)
        z1 = complex(r_over_x * x, x)
        v = row.positive("u_ref") * u / math.sqrt(3) * cmath.exp(1j * row.number("u_ref_angle", 0.0))
        return Supply(node, balanced(v), z1, z1 * row.positive("z01_ratio", 1.0))

    def _branch(self, row: Row, z: Complex, y: Complex, *, length_m: float = 1.0, given: bool = True) -> Line:
        rating_a = row.number("i_n", math.nan)
        return Line(
            id=str(int(row.number("id"))),
            from_node=self._node(row, "from_node"),
            to_node=self._node(row, "to_node"),
            phases="abc",
            length_m=length_m,
            z_ohm=z,
            b_s=y,
            rating_a=rating_a,
            line_type="impedance",
            zero_sequence_given=given,
            closed=_closed(row),
        )

    def _line(self, row: Row) -> Line:
        z1 = complex(row.number("r1"), row.number("x1"))
        given = "r0" in row and "x0" in row
        z0 = complex(row.number("r0"), row.number("x0")) if given else z1
        y1, y0 = (self.omega * row.number(f"c{k}", 0.0) * complex(row.number(f"tan{k}", 0.0), 1.0) for k in (1, 0))
        return self._branch(row, sequence_matrix(z0, z1), sequence_matrix(y0, y1), given=given)

    def _asym_line(self, row: Row) -> Line:
        if "r_na" in row or "r_nn" in row:
            raise row.wrong("r_nn", "a neutral conductor is not read here: eliminate it")
        z, c = np.zeros((3, 3), dtype=np.complex128), np.zeros((3, 3))
        for i, first in enumerate("abc"):
            for j, second in enumerate("abc"[: i + 1]):
                z[i, j] = z[j, i] = complex(row.number(f"r_{first}{second}"), row.number(f"x_{first}{second}"))
                c[i, j] = c[j, i] = row.number(f"c_{first}{second}", 0.0)
        if "c1" in row:
            c = sequence_matrix(row.number("c0", row.number("c1")), row.number("c1")).real
        return self._branch(row, z, np.asarray(1j * self.omega * c))

    def _link(self, row: Row) -> Line:
        none = np.zeros((3, 3), dtype=np.complex128)
        return self._branch(row, none, none)

    def _transformer(self, row: Row) -> Transformer:
        group = FROM[row.whole("winding_from", 0)] + TO[row.whole("winding_to", 0)]
        if group not in GROUPS:
            raise row.wrong("winding_from", f"vector group {group} has no model here")
        if row.number("r_grounding_from", 0.0) or row.number("x_grounding_from", 0.0):
            raise row.wrong("r_grounding_from", "an earthing impedance of the first side is not supported")
        sn, u2 = row.positive("sn"), row.positive("u2")
        ratio = self._tap_ratio(row)
        uk, real = row.positive("uk"), row.number("pk") / sn
        if real > uk:
            raise row.wrong("pk", "is more than uk allows")
        z1 = complex(real, math.sqrt(uk**2 - real**2))
        at = u2 * (ratio if row.whole("tap_side", 0) == 1 else 1.0)
        earth = complex(row.number("r_grounding_to", 0.0), row.number("x_grounding_to", 0.0))
        core = _core(row.number("i0", 0.0), row.number("p0", 0.0) / sn)
        core0 = _core(
            row.number("i0_zero_sequence", abs(core)), row.number("p0_zero_sequence", row.number("p0", 0.0)) / sn
        )
        return Transformer(
            id=str(int(row.number("id"))),
            hv_node=self._node(row, "from_node"),
            lv_node=self._node(row, "to_node"),
            s_rated_va=sn,
            hv_v=row.positive("u1"),
            lv_v=u2,
            z1_pu=z1,
            z0_pu=z1 * (ZIGZAG_ZERO if group == "Yzn" else 1.0) + 3 * earth * sn / at**2,
            connection=group,
            shift_degree=30.0 * row.whole("clock", 0),
            tap_ratio=ratio,
            tap_side="lv" if row.whole("tap_side", 0) == 1 else "hv",
            magnetising_pu=core,
            z0_magnetising_pu=1 / core0 if core0 else complex(math.inf),
        )

    def _tap_ratio(self, row: Row) -> float:
        low, high, nominal = (row.whole(f"tap_{k}", 0) for k in ("min", "max", "nom"))
        moved = (row.whole("tap_pos", nominal) - nominal) * (1 if high >= low else -1)
        if moved and ("uk_min" in row or "uk_max" in row):
            raise row.wrong("uk_min", "a short-circuit voltage that depends on the tap is not supported")
        rated = row.positive("u2" if row.whole("tap_side", 0) == 1 else "u1")
        return 1.0 + moved * row.number("tap_size", 0.0) / rated

    def _shunt(self, row: Row) -> Capacitor:
        if row.number("g1", 0.0) or row.number("g0", 0.0):
            raise row.wrong("g1", "a shunt that takes active power is not supported")
        if row.number("b0", row.number("b1")) != row.number("b1"):
            raise row.wrong("b0", "differs from b1; a shunt of unequal sequences is not supported")
        node = self._node(row, "node")
        return Capacitor(str(int(row.number("id"))), node, "abc", row.number("b1") * self.u_rated[int(node)] ** 2)

    def _name(self, kind: str, row: Row) -> str:
        return f"{kind} {int(row.number('id'))}"

    def _taken_va(self, kind: str, row: Row) -> Complex:
        """(1,) or (3,) VA consumed; of an asymmetric one per phase."""
        try:
            p, q = (
                np.array(row.fields.get(f) or 0.0, dtype=np.float64).ravel() for f in ("p_specified", "q_specified")
            )
        except (TypeError, ValueError):
            raise row.wrong("p_specified", "is neither a number nor three") from None
        if {len(p), len(q)} - {1, 3} or not np.isfinite(p).all() or not np.isfinite(q).all():
            raise row.wrong("p_specified", "is neither a number nor three")
        if row.whole("type", 0):
            detail = "its power depends on voltage; taken at nominal voltage"
            self.findings.append(Finding("note", "assumed", self._name(kind, row), "type", detail))
        return np.asarray(LOADS[kind] * (p + 1j * q))

    def _phase(self, kind: str, row: Row) -> str:
        if kind.startswith("sym"):
            return "abc"
        power = np.zeros(3) + np.abs(np.array(row.fields.get("p_specified") or 0.0, dtype=np.float64))
        power += np.abs(np.array(row.fields.get("q_specified") or 0.0, dtype=np.float64))
        phases = tuple(p for p, has in zip("abc", power, strict=True) if has)
        return PHASE_OF_PORTS[phases] if phases else "unknown"


def _closed(row: Row) -> tuple[bool, bool]:
    return row.flag("from_status", True), row.flag("to_status", True)


def _core(size: float, real: float) -> complex:
    return complex(real, -math.sqrt(max(size**2 - real**2, 0.0)))
