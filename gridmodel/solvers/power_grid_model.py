"""An independent power flow: the same feeder by power-grid-model, for verification.

It shares nothing with `reduce` and `flow` but the equipment that was read: other admittances, other transformer
model, another solver. Phase-to-neutral ports only; phase-to-phase and split-phase connections are audited by OpenDSS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gridmodel.arrays import Complex, Index, Mask, Real
from gridmodel.errors import GridError
from gridmodel.flow.kron import Reduced, Watched, sources
from gridmodel.flow.power_flow import Flow
from gridmodel.model.network import Network
from gridmodel.solvers.merge_lines import condensed
from gridmodel.solvers.power_grid_model_input import Tables

BLOCK = 2_000  # scenarios per call: bounds the memory of the results
TOLERANCE_PU = 1e-10
BRANCHES = {"line": "asym_line", "transformer": "transformer"}
SIDES = ("i_from", "i_to")


@dataclass(frozen=True, slots=True, eq=False)
class Audited:
    """Solved scenarios as power-grid-model sees them, in the order of a Reduced."""

    flow: Flow
    voltages: Real
    """(S, N) V phase-to-neutral"""
    currents: Real
    """(S, B) A"""


class Magnitudes(NamedTuple):
    """What limits are held against."""

    v_v: Real
    """(S, N) V phase-to-neutral at the watched nodes; NaN where not converged"""
    i_a: Real
    """(S, B) A in the watched branches"""
    converged: Mask


def cannot_model(network: Network) -> str:
    """Why power-grid-model has no model of a network; empty if it has one."""
    equipment = network.equipment
    if equipment is None:
        return "the network is known by its admittances only; power-grid-model needs its equipment"
    if equipment.centre_taps:
        return "power-grid-model has no centre-tapped transformers; audit this network with OpenDSS"
    if (network.connections.port_minus >= 0).any():
        return "power-grid-model has no phase-to-phase connections; audit this network with OpenDSS"
    if equipment.other_supplies:
        return "a second source is not modelled there; audit this network with OpenDSS"
    if set(network.connections.port_phase) - set("abc"):
        return "power-grid-model has no neutral conductors; audit this network with OpenDSS"
    for line in equipment.lines:
        if line.phases != "abc" and all(line.closed):
            return f"line {line.id}: power-grid-model has no lines of phases {line.phases}; audit with OpenDSS"
    return ""


def solve(
    reduced: Reduced, s_va: Complex, source_v: Complex | None = None, *, threads: int = 1, max_iterations: int = 100
) -> Audited:
    """What `flow.solve`, `flow.voltages` and `flow.currents` give, by power-grid-model.

    s_va: (S, L) or (L,), VA into the network. source_v: (3,) or (S, 3), V.
    """
    return Model(reduced, threads=threads, max_iterations=max_iterations).solve(s_va, source_v)


class Model:
    """A feeder in power-grid-model, to solve again and again; nodes that nobody watches are left out where exact."""

    def __init__(
        self, watched: Watched, *, threads: int = 1, max_iterations: int = 100, tolerance_pu: float = TOLERANCE_PU
    ) -> None:
        from power_grid_model import PowerGridModel

        self.watched, self.threads, self.max_iterations = watched, threads, max_iterations
        self.tolerance_pu = tolerance_pu
        network = watched.network
        reason = cannot_model(network)
        if reason or network.equipment is None:
            raise GridError(reason)
        kept = {network.nodes.id[n] for n in network.terminal_node[watched.node_terminal]}
        small = condensed(network.equipment, kept)
        self.data = Tables(small.equipment)
        self.model = PowerGridModel(self.data.given(), system_frequency=network.frequency_hz)
        self.port_place = self._places(network, network.connections.port_plus)
        self.node_place = self._places(network, watched.node_terminal)
        self.branch_places = self._branch_places(small.part_of)

    def solve(self, s_va: Complex, source_v: Complex | None = None) -> Audited:
        """Everything, for scenarios of injections."""
        s, source = self._asked(s_va, source_v)
        v, u, i, done = self._in_blocks(s, source, angles=True)
        with np.errstate(invalid="ignore"):
            flow = Flow(v, np.conj(s / v), done, 0, source)
        return Audited(flow, u, i)

    def magnitudes(self, s_va: Complex, source_v: Complex | None = None) -> Magnitudes:
        """Voltages and currents alone, which is faster."""
        s, source = self._asked(s_va, source_v)
        _, u, i, done = self._in_blocks(s, source, angles=False)
        return Magnitudes(u, i, done)

    def _asked(self, s_va: Complex, source_v: Complex | None) -> tuple[Complex, Complex]:
        s = np.atleast_2d(np.asarray(s_va, dtype=np.complex128))
        return s, np.broadcast_to(sources(self.watched.network, source_v), (len(s), 3))

    def _in_blocks(self, s: Complex, source: Complex, *, angles: bool) -> tuple[Complex, Real, Real, Mask]:
        """(port voltages, node voltages, branch currents, converged)."""
        v = np.full(s.shape, np.nan, dtype=np.complex128)
        u, i = np.empty((len(s), len(self.node_place[0]))), np.zeros((len(s), len(self.watched.current_branch)))
        done = np.ones(len(s), dtype=np.bool_)
        for start in range(0, len(s), BLOCK):
            part = slice(start, start + BLOCK)
            found = self.run(s[part], source[part], angles=angles)
            done[part] = self._converged(len(found["node"]["u"]))
            u[part] = found["node"]["u"][:, self.node_place[0], self.node_place[1]]
            for (kind, side), (rows, place, phase) in self.branch_places.items():
                i[part, rows] = found[kind][SIDES[side]][:, place, phase]
            if angles:
                size, angle = (found["node"][field][:, self.port_place[0], self.port_place[1]] for field in _PHASOR)
                with np.errstate(all="ignore"):  # what did not converge may be anything
                    v[part] = size * np.exp(1j * angle)
        for table in (v, u, i):
            table[~done] = np.nan
        return v, u, i, done

    def run(self, s: Complex, source_v: Complex, *, angles: bool = False) -> dict[Any, Any]:
        """power-grid-model's own output for (S, L) injections and (S, 3) source voltages: table, field, (S, n, 3)."""
        from power_grid_model import CalculationMethod, ComponentType

        wanted: dict[Any, Any] = {ComponentType.node: [*(_PHASOR if angles else _PHASOR[:1])]}
        for kind, side in self.branch_places:
            wanted.setdefault(ComponentType(kind), []).append(SIDES[side])
        connections = self.watched.network.connections
        power = np.zeros((len(s), len(connections), 3), dtype=np.complex128)
        power[:, connections.port_connection, self.port_place[1]] = -s
        output: dict[Any, Any] = self.model.calculate_power_flow(
            symmetric=False,
            error_tolerance=self.tolerance_pu,
            max_iterations=self.max_iterations,
            calculation_method=CalculationMethod.iterative_current,
            update_data=self.data.update(power, source_v),
            threading=-1 if self.threads == 1 else self.threads,
            output_component_types=wanted,
            continue_on_batch_error=True,
        )
        return output

    def _converged(self, count: int) -> Mask:
        """Which scenarios of the last batch came to an end."""
        converged = np.ones(count, dtype=np.bool_)
        if self.model.batch_error is not None:
            converged[np.asarray(self.model.batch_error.failed_scenarios, dtype=np.intp)] = False
        return converged

    def _places(self, network: Network, terminals: Index) -> tuple[Index, Index]:
        """(node in power-grid-model's table, phase 0..2) of terminals."""
        names = [network.nodes.id[n] for n in network.terminal_node[terminals]]
        phase = np.array(["abc".find(network.terminal_phase[t]) for t in terminals], dtype=np.intp)
        if (phase < 0).any():
            raise GridError("power-grid-model has no split-phase nodes; audit this network with OpenDSS")
        return np.array([self.data.node_at[name] for name in names], dtype=np.intp), phase

    def _branch_places(self, part_of: dict[str, str]) -> dict[tuple[str, int], tuple[Index, Index, Index]]:
        """Per table and side: (watched currents, rows of the table, phases); a dead end, without current, has none."""
        places, branches = self.watched, self.watched.network.branches
        found: dict[tuple[str, int], list[tuple[int, int, int]]] = {}
        watched = zip(places.current_branch, places.current_side, places.current_phase, strict=True)
        for row, (branch, side, phase) in enumerate(watched):
            kind, name = branches.kind[branch], branches.id[branch]
            now = part_of.get(name) if kind == "line" else name
            if kind in BRANCHES and now is not None:
                place = self.data.position[kind][now]
                found.setdefault((BRANCHES[kind], int(side)), []).append((row, place, "abc".index(phase)))
        return {key: tuple(np.array(rows, dtype=np.intp).T) for key, rows in found.items()}


_PHASOR = ("u", "u_angle")
