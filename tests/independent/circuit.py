"""A circuit in OpenDSS, and a fast power flow over its ports made from the admittances that OpenDSS has built."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from dss import DSS
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

CLOSE_V, MOST_ROUNDS = 1e-6, 60
OVER, UNDER, LOAD = range(3)


@dataclass(frozen=True)
class Port:
    """Where one customer is connected: a node of the circuit, and another or the earth, such as `home1.1.2`."""

    customer: str
    bus: str
    nodes: tuple[int, ...]


@dataclass(frozen=True)
class Solution:
    """S states: phase-to-neutral volts at (S, N) nodes of customers, and percent of the rating in (S, B) branches."""

    volts: np.ndarray
    loading: np.ndarray


class Circuit:
    """C customers, one port each; N nodes where customers are; B rated branch conductors."""

    def __init__(
        self, commands: Sequence[str], ports: Sequence[Port], *, rating_a: dict[str, float] | None = None
    ) -> None:
        """commands: the circuit without its customers. rating_a: by element, beyond the NormAmps of lines."""
        self.ports, self.engine = tuple(ports), DSS.NewContext()
        self.engine.AllowForms = self.engine.AllowChangeDir = False
        for command in [*commands, "Set controlmode=off mode=snapshot tolerance=1e-10 maxiterations=500", "Solve"]:
            self.engine.Text.Command = command
        self.circuit = self.engine.ActiveCircuit
        self.sources = [name for name in self.circuit.AllElementNames if name.lower().startswith("vsource.")]
        self.at = {name.lower(): k for k, name in enumerate(self.circuit.YNodeOrder)}
        self.voltage_name = [f"{p.bus}.{n}" for p in self.ports for n in p.nodes]
        self.voltage_name = list(dict.fromkeys(self.voltage_name))
        self._reduce(self._branches(rating_a or {}))
        self._add_loads()

    def _branches(self, rating_a: dict[str, float]) -> list[tuple[str, float, np.ndarray, list[int]]]:
        """Each rated conductor: name, rating in A, admittances of its current, and the nodes that those are of."""
        found = []
        for full in self.circuit.AllElementNames:
            kind = full.lower().split(".")[0]
            if kind not in {"line", "transformer"}:
                continue
            self.circuit.SetActiveElement(full)
            element: Any = self.circuit.ActiveCktElement
            rating = rating_a.get(full.lower(), element.NormalAmps if kind == "line" else np.nan)
            if not np.isfinite(rating):
                continue
            size = element.NumTerminals * element.NumConductors
            raw = np.asarray(element.Yprim).reshape(size, size, 2)
            yprim, order = raw[..., 0] + 1j * raw[..., 1], list(element.NodeOrder)
            buses = [bus.split(".")[0].lower() for bus in element.BusNames]
            nodes = [
                self.at.get(f"{buses[k // element.NumConductors]}.{node}", -1) if node else -1
                for k, node in enumerate(order)
            ]
            first = 0 if kind == "line" else element.NumConductors
            last = element.NumConductors if kind == "line" else size
            found += [(f"{full} node {order[k]}", rating, yprim[k], nodes) for k in range(first, last) if nodes[k] >= 0]
        return found

    def _reduce(self, branches: list[tuple[str, float, np.ndarray, list[int]]]) -> None:
        """Everything by the currents of ports and the source voltages: one matrix each for ports, nodes, branches."""
        data, index, start = self.engine.YMatrix.GetCompressedYMatrix()
        size = len(self.at)
        lu = splu(csc_matrix((data, index, start), shape=(size, size)))
        ends = np.zeros((size, len(self.ports)))
        for k, port in enumerate(self.ports):
            ends[self.at[f"{port.bus}.{port.nodes[0]}"], k] = 1.0
            if len(port.nodes) == 2:
                ends[self.at[f"{port.bus}.{port.nodes[1]}"], k] = -1.0
        per_port, per_source = lu.solve(ends.astype(complex)), lu.solve(self._injections())
        self.z, self.w = ends.T @ per_port, ends.T @ per_source
        seen = [self.at[name] for name in self.voltage_name]
        self.zn, self.wn = per_port[seen], per_source[seen]
        self.node_rows, self.rows = seen, np.zeros((len(branches), size), dtype=complex)
        for row, (_, _, admittance, nodes) in zip(self.rows, branches, strict=True):
            for value, node in zip(admittance, nodes, strict=True):
                if node >= 0:
                    row[node] += value
        zb, wb = self.rows @ per_port, self.rows @ per_source
        # Conductors in series carry one current; the weakest of them stands for all.
        key = np.round(np.concatenate([zb, wb * 1e3], axis=1), 6)
        order = np.argsort([rating for _, rating, _, _ in branches], kind="stable")
        first = order[np.unique(key[order], axis=0, return_index=True)[1]] if len(order) else order
        self.rows, self.zb, self.wb = self.rows[first], zb[first], wb[first]
        self.branch_name = [branches[k][0] for k in first]
        self.rating_a = np.array([branches[k][1] for k in first])

    def _injections(self) -> np.ndarray:
        """(nodes, 3) A that each source voltage drives into the circuit, per V."""
        found, phase = np.zeros((len(self.at), 3), dtype=complex), 0
        for name in self.sources:
            self.circuit.SetActiveElement(name)
            element: Any = self.circuit.ActiveCktElement
            wires = element.NumConductors
            raw = np.asarray(element.Yprim).reshape(2 * wires, 2 * wires, 2)
            yprim = raw[..., 0] + 1j * raw[..., 1]
            bus, nodes = element.BusNames[0].split(".")[0].lower(), element.NodeOrder[:wires]
            for k, node in enumerate(nodes):
                found[self.at[f"{bus}.{node}"], phase : phase + wires] += yprim[k, :wires]
            phase += wires
        return found

    def _add_loads(self) -> None:
        self.engine.Text.Command = "Solve"
        raw = np.asarray(self.circuit.YNodeVarray)
        volts = raw[0::2] + 1j * raw[1::2]
        for k, port in enumerate(self.ports):
            ends = [volts[self.at[f"{port.bus}.{node}"]] for node in port.nodes]
            kv = abs(ends[0] - ends[1] if len(ends) == 2 else ends[0]) / 1e3
            where = f"{port.bus}.{'.'.join(map(str, port.nodes))}"
            self.engine.Text.Command = (
                f"New Load.port{k} bus1={where} phases=1 conn=wye kV={kv} model=1 kW=0 kvar=0 vminpu=0.05 vmaxpu=5"
            )

    def solve(self, s_va: np.ndarray, source_v: np.ndarray) -> Solution:
        """(S, C) VA fed in and (S, 3) V behind the source: the fixed point of ports that keep their power."""
        idle = source_v @ self.w.T
        v = idle.copy()
        for _ in range(MOST_ROUNDS):
            before, v = v, np.conj(s_va / v) @ self.z.T + idle
            if np.abs(v - before).max(initial=0.0) < CLOSE_V:
                break
        amps = np.conj(s_va / v)
        with np.errstate(invalid="ignore"):
            settled = (np.abs(v - before) < 1e-3).all(axis=1)[:, None]
            volts = np.where(settled, np.abs(amps @ self.zn.T + source_v @ self.wn.T), np.nan)
            loading = np.where(settled, 100.0 * np.abs(amps @ self.zb.T + source_v @ self.wb.T) / self.rating_a, np.nan)
        return Solution(volts, loading)

    def confirm(self, s_va: np.ndarray, source_v: np.ndarray) -> Solution:
        """The same for each state by OpenDSS's own solution."""
        volts, loading = [], []
        for s, e in zip(np.atleast_2d(s_va), np.atleast_2d(source_v), strict=True):
            self._set_source(e)
            for k, power in enumerate(s):
                self.circuit.Loads.Name = f"port{k}"
                self.circuit.Loads.kW, self.circuit.Loads.kvar = -power.real / 1e3, -power.imag / 1e3
            self.circuit.Solution.Solve()
            assert self.circuit.Solution.Converged
            raw = np.asarray(self.circuit.YNodeVarray)
            order = {name.lower(): k for k, name in enumerate(self.circuit.YNodeOrder)}
            v = (raw[0::2] + 1j * raw[1::2])[[order[name] for name in self.at]]
            volts.append(np.abs(v[self.node_rows]))
            loading.append(100.0 * np.abs(self.rows @ v) / self.rating_a)
        return Solution(np.array(volts), np.array(loading))

    def _set_source(self, e: np.ndarray) -> None:
        """Three single-phase sources are set each to its own; a three-phase one to the first, as a balanced set."""
        for name, value in zip(self.sources, e, strict=False):
            self.circuit.SetActiveElement(name)
            self.circuit.Vsources.Name = name.split(".", 1)[1]
            base = self.circuit.Vsources.BasekV * 1e3 / (np.sqrt(3.0) if len(self.sources) == 1 else 1.0)
            self.circuit.Vsources.pu, self.circuit.Vsources.AngleDeg = abs(value) / base, np.degrees(np.angle(value))
