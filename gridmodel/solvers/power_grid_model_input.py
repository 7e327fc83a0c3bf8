"""A feeder's equipment in power-grid-model's tables.

power-grid-model knows balanced sources only. Ours is a stiff balanced one with an admittance to earth beside it that
brings each phase to its voltage; the upstream impedance is a line from there. Since that admittance is a load, a batch
changes loads only, which is faster than to change the source as well.
"""

from __future__ import annotations

import cmath
import math
from typing import Any

import numpy as np

from gridmodel.arrays import TURN, Complex
from gridmodel.errors import GridError
from gridmodel.model.admittance import SUPPLY_NODE, sequence_matrix
from gridmodel.model.equipment import Equipment, Line, Transformer

WINDINGS = {"Y": 0, "YN": 1, "D": 2, "y": 0, "yn": 1, "d": 2, "z": 3, "zn": 4}
STIFF_VA = 1e18  # short-circuit power of the stiff source: next to no impedance
CONSTANT_POWER, CONSTANT_IMPEDANCE = 0, 1


class Tables:
    """Input of power-grid-model, and what to change in it per scenario."""

    def __init__(self, equipment: Equipment) -> None:
        self.equipment, self.omega = equipment, 2 * math.pi * equipment.frequency_hz
        supply = equipment.supply
        self.node_at = {node.id: k for k, node in enumerate(equipment.nodes)}
        self.source_line_v = equipment.nodes[self.node_at[supply.node]].nominal_v * math.sqrt(3)
        self.stiff_v = complex(supply.v @ np.array([1, TURN, TURN**2]) / 3)
        self.lines = [line for line in equipment.lines if all(line.closed)]
        self.rows = {"line": [self._line(line) for line in self.lines]}
        self.rows["transformer"] = [self._transformer(t) for t in equipment.transformers]
        self.position = {
            "line": {line.id: k for k, line in enumerate(self.lines)},
            "transformer": {t.id: k for k, t in enumerate(equipment.transformers)},
        }
        if supply.z1_ohm:
            self.node_at[SUPPLY_NODE] = len(equipment.nodes)
            self.rows["line"].append(self._upstream())
        self.source_node = self.node_at[SUPPLY_NODE if supply.z1_ohm else supply.node]
        ids = iter(range(len(self.node_at), 2**31))
        self.line_id, self.transformer_id, self.load_id = (
            np.array([next(ids) for _ in rows], dtype=np.int32)
            for rows in (self.rows["line"], self.rows["transformer"], equipment.connections)
        )
        self.earth_id, self.source_id = next(ids), next(ids)
        self.capacitors = [capacitor for capacitor in equipment.capacitors if capacitor.closed]
        self.capacitor_id = np.array([next(ids) for _ in self.capacitors], dtype=np.int32)

    def given(self) -> dict[str, Any]:
        """The tables."""
        from power_grid_model import initialize_array

        nodes = self.equipment.nodes
        node = initialize_array("input", "node", len(self.node_at))
        node["id"] = np.arange(len(self.node_at))
        node["u_rated"] = self.source_line_v
        node["u_rated"][: len(nodes)] = [n.nominal_v * math.sqrt(3) for n in nodes]
        count = len(self.load_id)
        load = initialize_array("input", "asym_load", count + 1 + len(self.capacitors))
        load["id"], load["status"], load["type"] = [*self.load_id, self.earth_id, *self.capacitor_id], 1, CONSTANT_POWER
        load["node"] = [
            *(self.node_at[c.node] for c in self.equipment.connections),
            self.source_node,
            *(self.node_at[capacitor.node] for capacitor in self.capacitors),
        ]
        load["type"][count:] = CONSTANT_IMPEDANCE
        load["p_specified"] = load["q_specified"] = 0.0
        for k, capacitor in enumerate(self.capacitors, count + 1):
            own = np.array([phase in capacitor.phases for phase in "abc"])
            load["q_specified"][k] = -capacitor.q_rated_var / len(capacitor.phases) * own
        source = initialize_array("input", "source", 1)
        source["id"], source["node"], source["status"] = self.source_id, self.source_node, 1
        source["u_ref"] = abs(self.stiff_v) * math.sqrt(3) / self.source_line_v
        source["u_ref_angle"] = cmath.phase(self.stiff_v)
        source["sk"], source["rx_ratio"], source["z01_ratio"] = STIFF_VA, 0.0, 1.0
        found = {"node": node, "asym_load": load, "source": source}
        for kind, name, ids in (
            ("line", "asym_line", self.line_id),
            ("transformer", "transformer", self.transformer_id),
        ):
            table = initialize_array("input", name, len(ids))
            table["id"], table["from_status"], table["to_status"] = ids, 1, 1
            for k, row in enumerate(self.rows[kind]):
                for field, value in row.items():
                    table[field][k] = value
            found |= {name: table} if len(ids) else {}
        return found

    def update(self, consumed_va: Complex, source_v: Complex) -> dict[str, dict[str, Any]]:
        """What a batch changes: (S, C, 3) power per connection and phase, and (S, 3) phase-to-neutral source volts."""
        count = len(source_v)
        z_ohm = 1j * self.source_line_v**2 / STIFF_VA
        # Behind z, an admittance y leaves e / (1 + z y) of e.
        y_s = (self.stiff_v * np.array([1, TURN**2, TURN]) / source_v - 1) / z_ohm
        power = np.concatenate([consumed_va, np.conj(y_s)[:, None, :] * self.source_line_v**2 / 3], axis=1)
        ids = np.append(self.load_id, np.int32(self.earth_id))
        return {
            "asym_load": {
                "id": np.tile(ids, (count, 1)),
                "p_specified": np.ascontiguousarray(power.real),
                "q_specified": np.ascontiguousarray(power.imag),
            }
        }

    def _upstream(self) -> dict[str, float]:
        """The upstream network's impedance as a line from the stiff source."""
        supply = self.equipment.supply
        z = sequence_matrix(supply.z0_ohm or supply.z1_ohm, supply.z1_ohm)
        ends = self.node_at[SUPPLY_NODE], self.node_at[supply.node]
        return _asym_line(ends, z, np.zeros((3, 3)), 1.0)

    def _line(self, line: Line) -> dict[str, float]:
        if line.phases != "abc":
            raise GridError(f"line {line.id}: power-grid-model has no lines of phases {line.phases}")
        ends = self.node_at[line.from_node], self.node_at[line.to_node]
        return _asym_line(ends, line.series_ohm, line.b_s.imag / self.omega, line.rating_a)

    def _transformer(self, t: Transformer) -> dict[str, float]:
        high, low = t.connection.rstrip("abcdefghijklmnopqrstuvwxyz"), t.connection.lstrip("YNDZ")
        if high not in WINDINGS or low not in WINDINGS:
            raise GridError(f"transformer {t.id}: power-grid-model has no vector group {t.connection}")
        tapped_hv = t.tap_ratio if t.tap_side == "hv" else 1.0
        u2 = t.lv_v * (t.tap_ratio if t.tap_side == "lv" else 1.0)
        # A zero-sequence impedance of its own is what an earthing impedance adds, three times.
        extra = (t.z0_pu - t.z1_pu) / 3 * u2**2 / t.s_rated_va
        return {
            "from_node": self.node_at[t.hv_node],
            "to_node": self.node_at[t.lv_node],
            "u1": t.hv_v * tapped_hv,
            "u2": u2,
            "sn": t.s_rated_va,
            "uk": abs(t.z1_pu),
            "pk": t.z1_pu.real * t.s_rated_va,
            "i0": abs(t.magnetising_pu),
            "p0": t.magnetising_pu.real * t.s_rated_va,
            "i0_zero_sequence": 0.0,
            "p0_zero_sequence": 0.0,
            "winding_from": WINDINGS[high],
            "winding_to": WINDINGS[low],
            "clock": round(t.shift_degree / 30) % 12,
            "tap_side": 0,
            "tap_pos": 0,
            "tap_min": 0,
            "tap_max": 0,
            "tap_nom": 0,
            "tap_size": 0.0,
            "r_grounding_to": extra.real,
            "x_grounding_to": extra.imag,
        }


def _asym_line(ends: tuple[int, int], z_ohm: Complex, c_f: Any, rating_a: float) -> dict[str, float]:
    found: dict[str, float] = {"from_node": ends[0], "to_node": ends[1], "i_n": rating_a if rating_a > 0 else 1.0}
    for row, first in enumerate("abc"):
        for column, second in enumerate("abc"[: row + 1]):
            found[f"r_{first}{second}"] = z_ohm[row, column].real
            found[f"x_{first}{second}"] = z_ohm[row, column].imag
            found[f"c_{first}{second}"] = c_f[row, column]
    return found
