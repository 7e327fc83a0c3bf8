"""A pandapower network, as its JSON file or as the object itself, into equipment.

The file is read without importing pandapower: its tables are plain JSON. Power flow conventions are pandapower's,
with two deliberate differences: the magnetising branch in zero sequence counts only where it is the only path (Yyn),
and the supply is a plain short-circuit impedance (no voltage factor c). `docs/feeders.md` says why.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.arrays import TURN, Complex
from gridmodel.errors import FileError
from gridmodel.model.admittance import sequence_matrix
from gridmodel.model.equipment import Connection, Equipment, Line, Node, Supply, Transformer
from gridmodel.model.findings import Finding
from gridmodel.model.network import PHASE_OF_PORTS
from gridmodel.readers.pandapower_elements import (
    charging_of_open_lines,
    impedances,
    shunts,
    switches_with_impedance,
    three_windings,
)
from gridmodel.readers.pandapower_tables import (
    LOAD_TABLES,
    closed,
    magnetising,
    names_of,
    of_file,
    of_net,
    point,
    short_circuit,
    tap_of,
)
from gridmodel.readers.tables import Row, Table

ASSUMED_ZERO_RATIO = 4.0  # zero over positive sequence impedance where a line's file says nothing (assumed)
VOLTAGE_PARTS = ("const_z_percent", "const_i_percent", *(f"const_{k}_{q}_percent" for k in "zi" for q in "pq"))
GENERATES = {"sgen", "asymmetric_sgen"}
DELTA = {"a": "ab", "b": "bc", "c": "ca"}


class PandapowerFile:
    """The tables of one pandapower network and what they mean electrically."""

    def __init__(self, file: str, given: tuple[dict[str, Table], float, str, list[Finding]]) -> None:
        self.file = file
        self.tables, self.frequency_hz, self.name, self.findings = given
        self.notes: list[str] = []
        self.bus_name = names_of(self.table("bus"), "bus")
        self.base_kv = {row.position: row.positive("vn_kv") for row in self.table("bus")}
        self.dead = {row.position for row in self.table("bus") if not row.flag("in_service", True)}
        self.bus_node = self._fused_buses()
        self.elements: dict[str, tuple[str, ...]] = {}
        """per connection, its rows in the tables of loads: "load.3" """
        self.load_va: dict[str, complex] = {}
        """per connection, what its rows take"""

    def table(self, name: str) -> Table:
        """A table, empty where the file has none."""
        return self.tables.get(name) or Table(self.file, name, (), ())

    def node(self, row: Row, field: str) -> str:
        """Name of the node a bus field points to."""
        bus = int(row.number(field))
        if bus not in self.bus_node:
            raise row.wrong(field, f"bus {bus} is not in the network")
        return self.bus_node[bus]

    def base_v(self, row: Row, field: str) -> float:
        """Nominal phase-to-neutral voltage of the bus that a field points to."""
        self.node(row, field)
        return self.base_kv[int(row.number(field))] * 1e3 / math.sqrt(3)

    def live(self, row: Row, *fields: str) -> bool:
        """Whether an element is in service and so are the buses at which it stands."""
        return row.flag("in_service", True) and not any(int(row.number(field)) in self.dead for field in fields)

    def equipment(self) -> Equipment:
        """All elements in service."""
        star = list(three_windings(self._in_service("trafo3w"), self.node, self._open_ends("t3")))
        for transformer in (t for _, parts in star for t in parts):
            self.notes.append(f"transformer {transformer.id}: zero sequence passes as the positive one (assumed)")
        supply, others = self._supplies()
        lines = self._lines()
        nodes = (*self._nodes(), *(node for node, _ in star))
        switches = switches_with_impedance(self.table("switch"), self.node, lambda r: self.live(r, "bus", "element"))
        found = Equipment(
            name=self.name,
            nodes=nodes,
            lines=(
                *lines,
                *switches,
                *impedances(self._in_service("impedance"), self.node, self.base_v),
            ),
            transformers=(*self._transformers(), *(t for _, parts in star for t in parts)),
            supply=supply,
            connections=self.connections(),
            frequency_hz=self.frequency_hz,
            capacitors=(
                *shunts(self._in_service("shunt"), self.node, self.base_v),
                *charging_of_open_lines(lines, {node.id: node.nominal_v for node in nodes}),
            ),
            other_supplies=others,
        )
        return replace(
            found,
            notes=tuple(self.notes),
            findings=tuple(self.findings),
            own_elements=self.elements,
            own_load_va=self.load_va,
        )

    def _in_service(self, name: str) -> Table:
        """The rows of a table that stand at buses in service."""
        fields = {
            "trafo3w": ("hv_bus", "mv_bus", "lv_bus"), "impedance": ("from_bus", "to_bus"), "shunt": ("bus",),
        }[name]  # fmt: skip
        table = self.table(name)
        rows = [(r.position, [r.fields[c] for c in table.columns]) for r in table if self.live(r, *fields)]
        return Table(self.file, name, table.columns, rows)

    def _fused_buses(self) -> dict[int, str]:
        """Node name per bus; buses joined by a closed bus switch are one node."""
        parent = {bus: bus for bus in self.bus_name}

        def root(bus: int) -> int:
            while parent[bus] != bus:
                bus = parent[bus]
            return bus

        for row in self.table("switch"):
            joins = row.text("et") == "b" and row.flag("closed", True) and row.number("z_ohm", 0.0) <= 0
            if joins and not {int(row.number("bus")), int(row.number("element"))} & self.dead:
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
                x, y = point(row.fields.get("geo")) or places.get(row.position, (math.nan, math.nan))
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
        names = names_of(self.table("line"), "line")
        return [
            self._line(row, names[row.position], open_ends)
            for row in self.table("line")
            if self.live(row, "from_bus", "to_bus")
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
            closed=_both(row, ("from_bus", "to_bus"), open_ends),
        )

    def _transformers(self) -> list[Transformer]:
        open_ends = self._open_ends("t")
        names = names_of(self.table("trafo"), "transformer")
        return [
            self._transformer(row, names[row.position])
            for row in self.table("trafo")
            if self.live(row, "hv_bus", "lv_bus") and all(closed(row, ("hv_bus", "lv_bus"), open_ends))
        ]

    def _transformer(self, row: Row, name: str) -> Transformer:
        for field in ("leakage_resistance_ratio_hv", "leakage_reactance_ratio_hv"):
            if row.number(field, 0.5) != 0.5:
                raise row.wrong(field, "a leakage impedance that is not divided evenly is not supported")
        z1 = short_circuit(row, "vk_percent", "vkr_percent")
        given = "vk0_percent" in row and row.number("vk0_percent") > 0
        z0 = short_circuit(row, "vk0_percent", "vkr0_percent") if given else z1
        connection = row.text("vector_group", "")
        if not connection:
            connection = "Dyn" if round(row.number("shift_degree", 0.0) / 30) % 2 else "YNyn"
            self.notes.append(f"transformer {name}: no vector group in the file; {connection} assumed")
        ratio, tap = tap_of(row)
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
            magnetising_pu=magnetising(row),
            z0_magnetising_pu=_zero_magnetising(row, z0),
            zero_sequence_given=given,
            tap=tap,
            tap_min=int(row.number("tap_min", 0.0)),
            tap_max=int(row.number("tap_max", 0.0)),
            tap_step_percent=row.number("tap_step_percent", 0.0),
            rating_factor=row.positive("df", 1.0),
        )

    def _supplies(self) -> tuple[Supply, tuple[Supply, ...]]:
        """The first external grid in service, and the others."""
        rows = [row for row in self.table("ext_grid") if self.live(row, "bus")]
        if not rows:
            raise FileError(self.file, "0 external grids in service; one is needed", field="ext_grid")
        first, *others = [self._supply(row) for row in rows]
        return first, tuple(others)

    def _supply(self, row: Row) -> Supply:
        line_to_line_v = self.base_v(row, "bus") * math.sqrt(3)
        z1 = 0j
        if "s_sc_max_mva" in row:
            r_over_x = row.number("rx_max", 0.1)
            x = line_to_line_v**2 / (row.positive("s_sc_max_mva") * 1e6) / math.hypot(1.0, r_over_x)
            z1 = complex(r_over_x * x, x)
        x0 = row.number("x0x_max", 1.0) * z1.imag
        volts = row.positive("vm_pu", 1.0) * line_to_line_v / math.sqrt(3)
        angle = cmath.exp(1j * math.radians(row.number("va_degree", 0.0)))
        z0 = complex(row.number("r0x0_max", 0.1) * x0, x0)
        return Supply(self.node(row, "bus"), balanced(volts * angle), z1, z0)

    def connections(self) -> tuple[Connection, ...]:
        """One connection per name and place of the file's loads, generators and storage, at the phases of its row."""
        found: dict[tuple[str, str], list[tuple[str, Connection, complex]]] = {}
        for table in LOAD_TABLES:
            names = names_of(self.table(table), table)
            for row in self.table(table):
                if self.live(row, "bus"):
                    name, node = names[row.position], self.node(row, "bus")
                    one = Connection(name, node, self._phase(row, table))
                    found.setdefault((name, node), []).append((f"{table}.{row.position}", one, _taken_va(table, row)))
        shared = [name for name, _ in found]
        connections = []
        for (name, _), rows in found.items():
            first = rows[0][1]
            own = name if shared.count(name) == 1 else f"{rows[0][0].split('.')[0]}.{name}"
            self.elements[own] = tuple(element for element, _, _ in rows)
            self.load_va[own] = sum((taken for _, _, taken in rows), 0j)
            connections.append(Connection(own, first.node, first.phase))
        return tuple(connections)

    def _phase(self, row: Row, table: str) -> str:
        """Phases of a load: three, or those of an asymmetric one that its row gives power to."""
        parts = sum(row.number(field, 0.0) for field in VOLTAGE_PARTS)
        if parts and "const_z_percent" not in row:
            parts /= 2
        if parts:
            who = row.text("name", "") or f"{table} {row.position}"
            self.notes.append(f"{who}: {parts:g} % of its power depends on voltage; taken at nominal voltage")
        if not table.startswith("asymmetric"):
            return "delta" if row.text("type", "wye") == "delta" and table == "load" else "abc"
        loaded = [p for p in "abc" if row.number(f"p_{p}_mw", 0.0) or row.number(f"q_{p}_mvar", 0.0)]
        if not loaded:
            return "unknown"
        delta = row.text("type", "wye") == "delta"
        return PHASE_OF_PORTS[tuple(sorted(DELTA[p] if delta else p for p in loaded))]


def balanced(phase_a_v: complex) -> Complex:
    """(3,) positive-sequence voltages with the given phase a."""
    return np.array([phase_a_v, phase_a_v / TURN, phase_a_v * TURN], dtype=np.complex128)


def read_equipment(source: str | Path | Any, *, name: str | None = None) -> Equipment:
    """Equipment of a pandapower JSON file, or of a pandapowerNet."""
    found = open_file(Path(source)) if isinstance(source, (str, Path)) else open_net(source)
    equipment = found.equipment()
    if isinstance(source, (str, Path)):
        equipment = replace(equipment, source_file=str(source))
    return replace(equipment, name=name) if name else equipment


def open_file(path: Path) -> PandapowerFile:
    """A pandapower JSON file, read without pandapower."""
    return PandapowerFile(str(path), of_file(path))


def open_net(net: Any) -> PandapowerFile:
    """A pandapowerNet object."""
    return PandapowerFile("pandapower network", of_net(net))


def _at_least_zero(row: Row, field: str, default: float) -> float:
    value = row.number(field, default)
    if value < 0:
        raise row.wrong(field, f"{value:g} is negative")
    return value


def _both(row: Row, fields: tuple[str, str], open_ends: set[tuple[int, int]]) -> tuple[bool, bool]:
    first, second = closed(row, fields, open_ends)
    return first, second


def _zero_magnetising(row: Row, z0: complex) -> complex:
    if "mag0_percent" not in row:
        return complex(math.inf)
    size, r_over_x = abs(z0) * row.number("mag0_percent") / 100, row.number("mag0_rx", 0.0)
    x = size / math.hypot(1.0, r_over_x)
    return complex(r_over_x * x, x)


def _taken_va(table: str, row: Row) -> complex:
    """What a row of a table of loads takes, VA."""
    pairs = [(f"p_{p}_mw", f"q_{p}_mvar") for p in "abc"] if table.startswith("asym") else [("p_mw", "q_mvar")]
    power = sum((complex(row.number(p, 0.0), row.number(q, 0.0)) for p, q in pairs), 0j)
    return (-1e6 if table in GENERATES else 1e6) * power * row.number("scaling", 1.0)
