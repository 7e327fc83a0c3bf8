"""An independent power flow by OpenDSS: split-phase services, phase-to-phase customers, circuits read from OpenDSS.

The circuit is the file that a network was read from, or is written from a network's equipment. Its own loads, PV
systems and controls are switched off; one constant-power load per port takes their place.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.arrays import Complex, Index
from gridmodel.errors import GridError
from gridmodel.flow.kron import Reduced, sources
from gridmodel.flow.power_flow import Flow
from gridmodel.model.network import NEUTRAL
from gridmodel.readers.opendss import CUSTOMER_CLASSES, new_engine, open_circuit
from gridmodel.solvers.merge_lines import condensed
from gridmodel.solvers.opendss_script import NUMBER, Script, script
from gridmodel.solvers.power_grid_model import Audited, Magnitudes

CONTROL_CLASSES = ("invcontrol", "regcontrol", "capcontrol")
TOLERANCE_PU = 1e-10


class Circuit:
    """A circuit in OpenDSS that solves injections at the ports of a Reduced."""

    def __init__(self, path: str | Path | None, reduced: Reduced, *, commands: tuple[str, ...] = ()) -> None:
        """`path` is a circuit with the network's own names, None writes one from its equipment.

        `commands` are OpenDSS commands to run after compiling, such as edits that match another model.
        """
        self.reduced = reduced
        self.script = _written(reduced) if path is None else None
        self.engine = new_engine(self.script.commands) if self.script else _opened(Path(path or ""), reduced)
        self.circuit = self.engine.ActiveCircuit
        for full_name in list(self.circuit.AllElementNames):
            if full_name.lower().split(".")[0] in {*CUSTOMER_CLASSES, *CONTROL_CLASSES}:
                self._say(f"{full_name}.enabled=no")
        for command in commands:
            self._say(command)
        self.first_load = self._add_ports()
        self._say(f"Set mode=snapshot controlmode=off tolerance={TOLERANCE_PU} maxiterations=500")
        self._say("Solve")
        order = {name.lower(): k for k, name in enumerate(self.circuit.YNodeOrder)}
        self.at = np.array([order.get(name, -1) for name in self._terminal_names()], dtype=np.intp)
        self.sources, self.source_v = self._own_sources(), np.full(3, np.nan, dtype=np.complex128)
        watched = np.unique(reduced.current_branch)
        self.branches = [(self._element(int(b)), np.flatnonzero(reduced.current_branch == b)) for b in watched]

    def _say(self, command: str) -> None:
        self.engine.Text.Command = command

    def _bus(self, node: str) -> str:
        return self.script.bus.get(node, "") if self.script else node

    def _element(self, branch: int) -> str:
        """OpenDSS's name of a branch; empty for a dead end that was left out."""
        branches = self.reduced.network.branches
        kind, name = branches.kind[branch], branches.id[branch]
        return self.script.element.get((kind, name), "") if self.script else f"{kind}.{name}"

    def _add_ports(self) -> int:
        """Adds a load per port; its first one's position among all loads."""
        connections, nodes = self.reduced.network.connections, self.reduced.network.nodes
        for k, (plus, phase) in enumerate(zip(connections.port_plus, connections.port_phase, strict=True)):
            node = self.reduced.network.terminal_node[plus]
            bus = self._bus(nodes.id[node])
            numbers = ".".join(str(_number(p, nodes.phases[node])) for p in phase)
            kv = self.reduced.nominal_v[k] / 1e3
            self._say(
                f"New Load.port{k} bus1={bus}.{numbers} phases=1 conn=wye kV={kv} model=1 kW=0 kvar=0 "
                "vminpu=0.05 vmaxpu=5 status=fixed"
            )
        self.circuit.Loads.Name = "port0"
        return int(self.circuit.Loads.idx)

    def _terminal_names(self) -> list[str]:
        network = self.reduced.network
        buses = {
            node: self._bus(node).lower() for node in network.nodes.id if not self.script or node in self.script.bus
        }
        places = zip(network.terminal_node, network.terminal_phase, strict=True)
        return [f"{buses.get(network.nodes.id[n], '')}.{_number(p, network.nodes.phases[n])}" for n, p in places]

    def solve(self, s_va: Complex, source_v: Complex | None = None) -> Audited:
        """What `flow.solve`, `flow.voltages` and `flow.currents` give, by OpenDSS; NaN where a name is not known."""
        s = np.atleast_2d(np.asarray(s_va, dtype=np.complex128))
        source = np.broadcast_to(sources(self.reduced.network, source_v), (len(s), 3))
        volts = np.full((len(s), len(self.at)), np.nan, dtype=np.complex128)
        amps = np.full((len(s), len(self.reduced.current_branch)), np.nan, dtype=np.complex128)
        converged = np.zeros(len(s), dtype=np.bool_)
        for k, (row, e) in enumerate(zip(s, source, strict=True)):
            self._set_source(e)
            self._set_loads(row)
            self.circuit.Solution.Solve()
            converged[k] = self.circuit.Solution.Converged
            raw = np.asarray(self.circuit.YNodeVarray)
            found = np.append(raw[0::2] + 1j * raw[1::2], np.nan)
            volts[k] = found[self.at]
            self._currents(amps[k])
        connections = self.reduced.network.connections
        back = np.where(connections.port_minus >= 0, volts[:, connections.port_minus], 0.0)
        v = volts[:, connections.port_plus] - back
        with np.errstate(all="ignore"):
            flow = Flow(v, np.conj(s / v), converged, 0, source)
        terminals = self.reduced.node_terminal
        neutral = self.reduced.network.neutral_terminal[terminals]
        u = volts[:, terminals] - np.where(neutral >= 0, volts[:, neutral], 0.0)
        return Audited(flow, np.abs(u), np.abs(amps))

    def magnitudes(self, s_va: Complex, source_v: Complex | None = None) -> Magnitudes:
        """Voltages and currents alone; refuses a place that the circuit does not know."""
        found = self.solve(s_va, source_v)
        settled = found.flow.converged
        names = self.reduced.voltage_names, self.reduced.current_names
        for table, called in zip((found.voltages, found.currents), names, strict=True):
            unknown = np.isnan(table[settled]).all(axis=0) if settled.any() else np.zeros(len(called), dtype=bool)
            if unknown.any():
                raise GridError(f"the OpenDSS circuit does not know {called[int(unknown.argmax())]}")
        return Magnitudes(found.voltages, found.currents, settled)

    def _set_loads(self, row: Complex) -> None:
        loads = self.circuit.Loads
        for k, (kw, kvar) in enumerate(zip((-row.real / 1e3).tolist(), (-row.imag / 1e3).tolist(), strict=True)):
            loads.idx = self.first_load + k
            loads.kW, loads.kvar = kw, kvar

    def _own_sources(self) -> list[tuple[str, Index, Complex]]:
        """(name, phases 0..2, voltages) of each source as the circuit has it."""
        found, one = [], self.circuit.Vsources
        for name in list(one.AllNames):
            one.Name = name
            self.circuit.SetActiveElement(f"vsource.{name}")
            phases = int(one.Phases)
            place = np.array(list(self.circuit.ActiveCktElement.NodeOrder)[:phases], dtype=np.intp) - 1
            size = one.BasekV * 1e3 * one.pu / (np.sqrt(3) if phases > 1 else 1.0)
            angles = np.deg2rad(one.AngleDeg - np.arange(phases) * 360.0 / phases)
            found.append((str(name), place, np.asarray(size * np.exp(1j * angles), dtype=np.complex128)))
        return found

    def _set_source(self, e: Complex) -> None:
        """Brings the first source of each phase to these voltages; others follow in the ratio that they have."""
        if np.array_equal(e, self.source_v):
            return
        self.source_v = np.array(e)
        first: dict[int, complex] = {}
        for _, place, volts in self.sources:
            for phase, v in zip(place.tolist(), volts.tolist(), strict=True):
                first.setdefault(phase, v)
        one = self.circuit.Vsources
        for name, place, volts in self.sources:
            moved = volts * e[place] / np.array([first[phase] for phase in place.tolist()])
            if np.abs(moved / volts - moved[0] / volts[0]).max() > 1e-6 * abs(moved[0] / volts[0]):
                raise GridError("OpenDSS's three-phase source is balanced; the circuit needs one source per phase")
            one.Name = name
            one.pu = abs(moved[0]) / (one.BasekV * 1e3) * (np.sqrt(3) if len(place) > 1 else 1.0)
            one.AngleDeg = float(np.angle(moved[0], deg=True))

    def _currents(self, found: Complex) -> None:
        """Writes the watched currents that the circuit knows."""
        reduced = self.reduced
        for element, rows in self.branches:
            if not element:
                found[rows] = 0.0
                continue
            if self.circuit.SetActiveElement(element) < 0:
                continue
            active = self.circuit.ActiveCktElement
            raw, width = np.asarray(active.Currents), int(active.NumConductors)
            amps, numbers = raw[0::2] + 1j * raw[1::2], list(active.NodeOrder)
            at = [str(bus).lower().split(".")[0] for bus in active.BusNames]
            buses = list(dict.fromkeys(at))
            for row in rows:
                side = int(reduced.current_side[row])
                node = reduced.network.branches.from_node[reduced.current_branch[row]]
                wanted = _number(reduced.current_phase[row], reduced.network.nodes.phases[node])
                bus = buses[min(side, len(buses) - 1)]
                ends = [k for k in range(len(numbers)) if at[k // width] == bus]
                found[row] = sum(amps[k] for k in ends if numbers[k] == wanted)


def _opened(path: Path, reduced: Reduced) -> Any:
    """The engine in which a circuit stands solved."""
    folder = reduced.network.circuit_folder
    return open_circuit(path, Path(folder) if folder else None).engine


def _number(phase: str, phases: str) -> int:
    """OpenDSS's number of a phase at a node of these phases; the neutral of a split service is the third."""
    if phase == NEUTRAL:
        return 3 if set(phases) & {"1", "2"} else 4
    return NUMBER[phase]


def circuit_of(reduced: Reduced) -> Circuit:
    """The circuit that a network was read from, or one written from its equipment."""
    network = reduced.network
    return Circuit(network.circuit_file or None, reduced)


def _written(reduced: Reduced) -> Script:
    """A circuit without the nodes that nobody watches, where that is exact."""
    network = reduced.network
    if network.equipment is None:
        raise GridError("the network is known by its admittances only; OpenDSS needs its equipment or its circuit")
    small = condensed(network.equipment, {network.nodes.id[n] for n in network.terminal_node[reduced.node_terminal]})
    found = script(small.equipment)
    lines = {("line", name): found.element["line", now] for name, now in small.part_of.items()}
    return replace(found, element=found.element | lines)
