"""A power flow by pandapower's `runpp_3ph`, as a reference: some ten per second, one after another.

A net is made from the equipment: lines by their sequence values, a stiff source with the upstream impedance as a line.
pandapower's own shunt of the core in zero sequence is set aside (`docs/feeders.md` says why).
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from gridmodel.arrays import TURN, Complex
from gridmodel.errors import GridError
from gridmodel.flow.kron import Reduced, sources
from gridmodel.model.admittance import SUPPLY_NODE
from gridmodel.model.equipment import Equipment, Line, Transformer
from gridmodel.solvers.merge_lines import condensed
from gridmodel.solvers.power_grid_model import Magnitudes, cannot_model

STIFF_MVA, NO_CORE_PERCENT, TOLERANCE_MVA = 1e9, 1e8, 1e-9
GROUPS = ("Dyn", "YNyn", "Yzn")


class Net:
    """A feeder in pandapower; nodes that nobody watches are left out where exact."""

    def __init__(self, reduced: Reduced) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import pandapower
        except ImportError as e:
            raise GridError("a power flow by pandapower needs pandapower: install sep2[envelope]") from e
        network = reduced.network
        reason = cannot_model(network).replace("power-grid-model", "pandapower")
        if reason or network.equipment is None:
            raise GridError(reason)
        if any(capacitor.closed for capacitor in network.equipment.capacitors):
            raise GridError("pandapower has no capacitors in three phases")
        self.pandapower, self.reduced = pandapower, reduced
        watched = {network.nodes.id[n] for n in network.terminal_node[reduced.node_terminal]}
        small = condensed(network.equipment, watched)
        self.equipment, self.part_of = small.equipment, small.part_of
        self.net: Any = pandapower.create_empty_network(f_hz=self.equipment.frequency_hz)
        self.bus: dict[str, int] = {}
        self._add_nodes(self.equipment)
        self.line = {line.id: self._add_line(line) for line in self.equipment.lines if all(line.closed)}
        self.trafo = {t.id: self._add_transformer(t) for t in self.equipment.transformers}
        for connection in self.equipment.connections:
            pandapower.create_asymmetric_load(self.net, self.bus[connection.node])

    def _add_nodes(self, equipment: Equipment) -> None:
        create, supply = self.pandapower, equipment.supply
        for node in equipment.nodes:
            self.bus[node.id] = create.create_bus(self.net, node.nominal_v * math.sqrt(3) / 1e3)
        self.source_v = next(node.nominal_v for node in equipment.nodes if node.id == supply.node)
        if supply.z1_ohm:
            self.bus[SUPPLY_NODE] = create.create_bus(self.net, self.source_v * math.sqrt(3) / 1e3)
            ends = self.bus[SUPPLY_NODE], self.bus[supply.node]
            self._create_line(ends, supply.z1_ohm, supply.z0_ohm or supply.z1_ohm)
        at = self.bus[SUPPLY_NODE if supply.z1_ohm else supply.node]
        stiff = {"s_sc_max_mva": STIFF_MVA, "rx_max": 0.1, "x0x_max": 1.0, "r0x0_max": 0.1}
        create.create_ext_grid(self.net, at, **stiff)

    def _add_line(self, line: Line) -> int:
        ends = self.bus[line.from_node], self.bus[line.to_node]
        omega = 2 * math.pi * self.equipment.frequency_hz
        (z1, z0), (y1, y0) = (_sequence(matrix, line.id) for matrix in (line.series_ohm, line.b_s))
        return self._create_line(ends, z1, z0, (1e9 * y1.imag / omega, 1e9 * y0.imag / omega))

    def _create_line(
        self, ends: tuple[int, int], z1: complex, z0: complex, c_nf: tuple[float, float] = (0.0, 0.0)
    ) -> int:
        found = self.pandapower.create_line_from_parameters(
            self.net, *ends, 1.0, z1.real, z1.imag, c_nf[0], 1.0,
            r0_ohm_per_km=z0.real, x0_ohm_per_km=z0.imag, c0_nf_per_km=c_nf[1],
        )  # fmt: skip
        return int(found)

    def _add_transformer(self, t: Transformer) -> int:
        if t.connection not in GROUPS:
            raise GridError(f"transformer {t.id}: pandapower has no vector group {t.connection} in three phases")
        hv = t.hv_v * (t.tap_ratio if t.tap_side == "hv" else 1.0)
        lv = t.lv_v * (t.tap_ratio if t.tap_side == "lv" else 1.0)
        found = self.pandapower.create_transformer_from_parameters(
            self.net, self.bus[t.hv_node], self.bus[t.lv_node], t.s_rated_va / 1e6, hv / 1e3, lv / 1e3,
            vkr_percent=100 * t.z1_pu.real, vk_percent=100 * abs(t.z1_pu),
            pfe_kw=t.magnetising_pu.real * t.s_rated_va / 1e3, i0_percent=100 * abs(t.magnetising_pu),
            shift_degree=t.shift_degree, vector_group=t.connection,
            vk0_percent=100 * abs(t.z0_pu), vkr0_percent=100 * t.z0_pu.real,
            mag0_percent=NO_CORE_PERCENT, mag0_rx=0.0, si0_hv_partial=0.9,
        )  # fmt: skip
        return int(found)

    def magnitudes(self, s_va: Complex, source_v: Complex | None = None) -> Magnitudes:
        """Voltages and currents at the watched places; the source must be balanced."""
        s = np.atleast_2d(np.asarray(s_va, dtype=np.complex128))
        source = np.broadcast_to(sources(self.reduced.network, source_v), (len(s), 3))
        v = np.full((len(s), len(self.reduced.node_terminal)), np.nan)
        i = np.full((len(s), len(self.reduced.current_branch)), np.nan)
        converged = np.array([self._solve(*row) for row in zip(s, source, v, i, strict=True)], dtype=np.bool_)
        return Magnitudes(v, i, converged)

    def _solve(self, s: Complex, source_v: Complex, v: Any, i: Any) -> bool:
        """Writes one scenario's results; False where there are none."""
        even = source_v @ np.array([1, TURN, TURN**2]) / 3
        if np.abs(source_v - even * np.array([1, TURN**2, TURN])).max() > 1e-6 * abs(even):
            raise GridError("pandapower's source is balanced, and this feeder's is not")
        self.net.ext_grid["vm_pu"], self.net.ext_grid["va_degree"] = abs(even) / self.source_v, np.angle(even, deg=True)
        connections = self.reduced.network.connections
        power = np.zeros((len(connections), 3), dtype=np.complex128)
        power[connections.port_connection, ["abc".index(p) for p in connections.port_phase]] = -s / 1e6
        for k, phase in enumerate("abc"):
            loads = self.net.asymmetric_load
            loads[f"p_{phase}_mw"], loads[f"q_{phase}_mvar"] = power[:, k].real, power[:, k].imag
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.pandapower.runpp_3ph(self.net, numba=False, tolerance_mva=TOLERANCE_MVA)
        except self.pandapower.LoadflowNotConverged:
            return False
        self._read(v, i)
        return True

    def _read(self, v: Any, i: Any) -> None:
        network, net = self.reduced.network, self.net
        for k, terminal in enumerate(self.reduced.node_terminal):
            node, phase = network.terminal_node[terminal], network.terminal_phase[terminal]
            at = self.bus[network.nodes.id[node]]
            v[k] = net.res_bus_3ph.at[at, f"vm_{phase}_pu"] * net.bus.at[at, "vn_kv"] * 1e3 / math.sqrt(3)
        watched = zip(self.reduced.current_branch, self.reduced.current_side, self.reduced.current_phase, strict=True)
        for k, (branch, side, phase) in enumerate(watched):
            name = network.branches.id[branch]
            if network.branches.kind[branch] == "transformer":
                i[k] = 1e3 * net.res_trafo_3ph.at[self.trafo[name], f"i_{phase}_{('hv', 'lv')[side]}_ka"]
            else:
                now = self.part_of.get(name)
                i[k] = 1e3 * net.res_line_3ph.at[self.line[now], f"i_{phase}_{('from', 'to')[side]}_ka"] if now else 0.0


def _sequence(matrix: Complex, line: str) -> tuple[complex, complex]:
    """Positive and zero sequence of a phase matrix; refuses one that is not the same for every phase."""
    own = np.trace(matrix) / 3
    mutual = (matrix.sum() - np.trace(matrix)) / 6
    even = np.full((3, 3), mutual) + np.eye(3) * (own - mutual)
    if np.abs(matrix - even).max() > 1e-6 * max(abs(own), 1e-12):
        raise GridError(f"line {line}: pandapower knows lines by their sequence impedances, and its phases differ")
    return complex(own - mutual), complex(own + 2 * mutual)
