"""An independent power flow: the same feeder by power-grid-model, for verification.

It shares nothing with `reduce` and `flow` but the equipment that was read: other admittances, other transformer
model, another solver. Phase-to-neutral slots only; phase-to-phase and split-phase connections are audited by OpenDSS.
power-grid-model knows balanced sources only. What an unbalanced source adds at each terminal does not depend on the
injections, so it is added to power-grid-model's voltages and the injected powers are adapted until both agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gridmodel.arrays import Complex, Index, Mask, Real
from gridmodel.build import SUPPLY_NODE, TURN
from gridmodel.equipment import Equipment, Line, Supply, Transformer
from gridmodel.errors import GridError
from gridmodel.flow import Flow
from gridmodel.network import Network
from gridmodel.reduce import Reduced, sources

WINDINGS = {"Y": 0, "YN": 1, "D": 2, "y": 0, "yn": 1, "d": 2, "z": 3, "zn": 4}
BLOCK = 2_000  # scenarios per call: bounds the memory of the results
ROUNDS = 3  # of adapting the powers to an unbalanced source: each divides the error by a thousand
TOLERANCE_PU = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Audited:
    """Solved scenarios as power-grid-model sees them, in the order of a Reduced."""

    flow: Flow
    voltages: Real
    """(S, N) V phase-to-neutral"""
    currents: Real
    """(S, B) A"""


def solve(
    reduced: Reduced, s_va: Complex, source_v: Complex | None = None, *, threads: int = 1, max_iterations: int = 100
) -> Audited:
    """What `flow.solve`, `flow.voltages` and `flow.currents` give, by power-grid-model.

    s_va: (S, L) or (L,), VA into the network. source_v: (3,) or (S, 3), V.
    """
    s = np.atleast_2d(np.asarray(s_va, dtype=np.complex128))
    source = np.broadcast_to(sources(reduced, source_v), (len(s), 3))
    model = Model(reduced, threads=threads, max_iterations=max_iterations)
    parts = [model.solve(s[k : k + BLOCK], source[k : k + BLOCK]) for k in range(0, len(s), BLOCK)]
    joined = [np.concatenate(field) for field in zip(*parts, strict=True)]
    v, u, c, converged = joined
    v[~converged], u[~converged], c[~converged] = np.nan, np.nan, np.nan
    with np.errstate(invalid="ignore"):
        flow = Flow(v, np.conj(s / v), converged, 0, source)
    return Audited(flow, np.abs(u), np.abs(c))


class Model:
    """power-grid-model's input and where our slots, voltages and currents are in its output."""

    def __init__(self, reduced: Reduced, *, threads: int, max_iterations: int) -> None:
        from power_grid_model import PowerGridModel

        self.reduced, self.threads, self.max_iterations = reduced, threads, max_iterations
        network = reduced.network
        if network.equipment is not None and network.equipment.centre_taps:
            raise GridError("power-grid-model has no centre-tapped transformers; audit this network with OpenDSS")
        if network.equipment is None:
            raise GridError("the network is known by its admittances only; power-grid-model needs its equipment")
        self.data = _Input(network.equipment)
        self.model = PowerGridModel(self.data.tables(), system_frequency=network.frequency_hz)
        self.slot_place = _phase_places(network, network.connections.slot_plus)
        if (network.connections.slot_minus >= 0).any():
            raise GridError("power-grid-model has no phase-to-phase connections; audit this network with OpenDSS")
        self.node_place = _phase_places(network, reduced.node_terminal)

    def solve(self, s: Complex, source: Complex) -> tuple[Complex, Complex, Complex, Mask]:
        """(slot voltages, node voltages, branch currents, converged)."""
        balanced = source @ np.array([1, TURN, TURN**2]) / 3
        offset = source - balanced[:, None] * np.array([1, TURN**2, TURN])
        shift = offset @ self.reduced.W.T
        power = s
        even = bool(np.abs(offset).max(initial=0.0) < 1e-9)
        for _ in range(1 if even else ROUNDS):
            nodes, branches, converged = self.run(power, balanced)
            v = nodes[:, self.slot_place[0], self.slot_place[1]] + shift
            power = (v - shift) * s / v  # the same current at the balanced source's voltage
        u = self._at_nodes(nodes, balanced) + offset @ self.reduced.Wn.T
        c = self._at_branches(branches) + offset @ self.reduced.Hw.T
        return v, u, c, converged

    def run(self, s: Complex, balanced_v: Complex) -> tuple[Complex, dict[str, Complex], Mask]:
        """((S, nodes, 3) V, (S, branches, 2, 3) A by kind, converged) from powers and phase a of the source."""
        from power_grid_model import CalculationMethod, ComponentType

        output = self.model.calculate_power_flow(
            symmetric=False,
            error_tolerance=TOLERANCE_PU,
            max_iterations=self.max_iterations,
            calculation_method=CalculationMethod.iterative_current,
            update_data=self._update(s, balanced_v),
            threading=-1 if self.threads == 1 else self.threads,
            output_component_types={ComponentType.node, *self.data.branch_types()},
            continue_on_batch_error=True,
        )
        converged = np.ones(len(s), dtype=np.bool_)
        if self.model.batch_error is not None:
            converged[np.asarray(self.model.batch_error.failed_scenarios, dtype=np.intp)] = False
        with np.errstate(all="ignore"):
            return _phasors(output[ComponentType.node]), self._currents(output), converged

    def _update(self, s: Complex, balanced_v: Complex) -> dict[str, Any]:
        from power_grid_model import initialize_array

        connections = self.reduced.network.connections
        power = np.zeros((len(s), len(connections), 3), dtype=np.complex128)
        power[:, connections.slot_connection, self.slot_place[1]] = -s
        load = initialize_array("update", "asym_load", (len(s), len(connections)))
        load["id"] = self.data.load_id
        load["p_specified"], load["q_specified"] = power.real, power.imag
        source = initialize_array("update", "source", (len(s), 1))
        source["id"] = self.data.source_id
        source["u_ref"][:, 0] = np.abs(balanced_v) * math.sqrt(3) / self.data.source_line_v
        source["u_ref_angle"][:, 0] = np.angle(balanced_v)
        return {"asym_load": load, "source": source}

    def _currents(self, output: dict[Any, Any]) -> dict[str, Complex]:
        nodes = _phasors(output["node"])
        found = {}
        for kind, (name, ends) in self.data.branches().items():
            result = output[name]
            power = np.stack([result["p_from"] + 1j * result["q_from"], result["p_to"] + 1j * result["q_to"]], axis=2)
            found[kind] = np.conj(power / nodes[:, ends])
        return found

    def _at_nodes(self, nodes: Complex, balanced: Complex) -> Complex:
        node, phase = self.node_place
        inside = node >= 0
        found = balanced[:, None] * np.array([1, TURN**2, TURN])[phase]
        found[:, inside] = nodes[:, node[inside], phase[inside]]
        return np.asarray(found)

    def _at_branches(self, branches: dict[str, Complex]) -> Complex:
        reduced, network = self.reduced, self.reduced.network
        phase = np.array(["abc".index(p) for p in reduced.current_phase], dtype=np.intp)
        kind = np.array([network.branches.kind[b] for b in reduced.current_branch])
        found = np.zeros((len(next(iter(branches.values()))), len(phase)), dtype=np.complex128)
        for name, values in branches.items():
            rows = np.flatnonzero(kind == name)
            ids = [network.branches.id[b] for b in reduced.current_branch[rows]]
            place = [self.data.position[name][i] for i in ids]
            found[:, rows] = values[:, place, reduced.current_side[rows], phase[rows]]
        return found


def _phasors(node: Any) -> Complex:
    return np.asarray(node["u"] * np.exp(1j * node["u_angle"]))


def _phase_places(network: Network, terminals: Index) -> tuple[Index, Index]:
    """(node among the equipment's, phase 0..2) of terminals; node is -1 for the supply's own."""
    assert network.equipment is not None
    place = {node.id: k for k, node in enumerate(network.equipment.nodes)}
    names = [network.nodes.id[n] for n in network.terminal_node[terminals]]
    node = np.array([-1 if name == SUPPLY_NODE else place[name] for name in names], dtype=np.intp)
    phase = np.array(["abc".find(network.terminal_phase[t]) for t in terminals], dtype=np.intp)
    if (phase < 0).any():
        raise GridError("power-grid-model has no split-phase nodes; audit this network with OpenDSS")
    return node, phase


class _Input:
    """Equipment in power-grid-model's tables."""

    def __init__(self, equipment: Equipment) -> None:
        self.equipment = equipment
        self.lines = [line for line in equipment.lines if all(line.closed)]
        self.node_at = {node.id: k for k, node in enumerate(equipment.nodes)}
        self.omega = 2 * math.pi * equipment.frequency_hz
        first = len(equipment.nodes)
        self.line_id = np.arange(len(self.lines)) + first
        self.transformer_id = np.arange(len(equipment.transformers)) + first + len(self.lines)
        self.load_id = np.arange(len(equipment.connections)) + first + len(self.lines) + len(equipment.transformers)
        self.source_id = int(self.load_id[-1]) + 1 if len(self.load_id) else int(first + 10**6)
        self.position = {
            "line": {line.id: k for k, line in enumerate(self.lines)},
            "transformer": {t.id: k for k, t in enumerate(equipment.transformers)},
        }

    @property
    def source_line_v(self) -> float:
        """Rated line-to-line voltage of the supply's node."""
        return self.equipment.nodes[self.node_at[self.equipment.supply.node]].nominal_v * math.sqrt(3)

    def tables(self) -> dict[str, Any]:
        from power_grid_model import initialize_array

        nodes = self.equipment.nodes
        node = initialize_array("input", "node", len(nodes))
        node["id"] = np.arange(len(nodes))
        node["u_rated"] = [n.nominal_v * math.sqrt(3) for n in nodes]
        load = initialize_array("input", "asym_load", len(self.load_id))
        load["id"], load["status"], load["type"] = self.load_id, 1, 0
        load["node"] = [self.node_at[c.node] for c in self.equipment.connections]
        load["p_specified"] = load["q_specified"] = 0.0
        found = {"node": node, "asym_load": load, "source": self._source(self.equipment.supply)}
        branches = {
            "asym_line": (self.line_id, [self._line(line) for line in self.lines]),
            "transformer": (self.transformer_id, [self._transformer(t) for t in self.equipment.transformers]),
        }
        for kind, (ids, rows) in branches.items():
            table = initialize_array("input", kind, len(ids))
            table["id"], table["from_status"], table["to_status"] = ids, 1, 1
            for k, row in enumerate(rows):
                for field, value in row.items():
                    table[field][k] = value
            found |= {kind: table} if rows else {}
        return found

    def branch_types(self) -> set[Any]:
        from power_grid_model import ComponentType

        return {ComponentType(name) for name, _ in self.branches().values()}

    def branches(self) -> dict[str, tuple[str, Index]]:
        """Per kind: its table and the (branches, 2) nodes at its ends."""
        lines = [(self.node_at[line.from_node], self.node_at[line.to_node]) for line in self.lines]
        transformers = [(self.node_at[t.hv_node], self.node_at[t.lv_node]) for t in self.equipment.transformers]
        found = {"line": ("asym_line", lines), "transformer": ("transformer", transformers)}
        return {kind: (name, np.array(ends, dtype=np.intp)) for kind, (name, ends) in found.items() if ends}

    def _source(self, supply: Supply) -> Any:
        from power_grid_model import initialize_array

        source = initialize_array("input", "source", 1)
        source["id"], source["node"], source["status"] = self.source_id, self.node_at[supply.node], 1
        z1 = supply.z1_ohm or 1e-9j * self.source_line_v**2 / 1e6
        z0 = supply.z0_ohm or z1
        source["u_ref"] = abs(supply.v[0]) * math.sqrt(3) / self.source_line_v
        source["sk"], source["rx_ratio"] = self.source_line_v**2 / abs(z1), z1.real / z1.imag
        source["z01_ratio"] = abs(z0) / abs(z1)
        return source

    def _line(self, line: Line) -> dict[str, float]:
        if line.phases != "abc":
            raise GridError(f"line {line.id}: power-grid-model has no lines of phases {line.phases}")
        found: dict[str, float] = {
            "from_node": self.node_at[line.from_node],
            "to_node": self.node_at[line.to_node],
            "i_n": line.rating_a if line.rating_a > 0 else 1.0,
        }
        for row, first in enumerate("abc"):
            for column, second in enumerate("abc"[: row + 1]):
                found[f"r_{first}{second}"] = line.series_ohm[row, column].real
                found[f"x_{first}{second}"] = line.series_ohm[row, column].imag
                found[f"c_{first}{second}"] = line.b_s[row, column].imag / self.omega
        return found

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
