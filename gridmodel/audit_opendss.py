"""An independent power flow by OpenDSS, for networks whose node and branch ids are OpenDSS's own.

The circuit's loads, PV systems and controls are switched off; one constant-power load per slot takes their place.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gridmodel.arrays import Complex
from gridmodel.audit import Audited
from gridmodel.errors import GridError
from gridmodel.flow import Flow
from gridmodel.readers.opendss import CUSTOMER_CLASSES, open_circuit
from gridmodel.reduce import Reduced, sources

NUMBER = {"a": 1, "b": 2, "c": 3, "1": 1, "2": 2}
CONTROL_CLASSES = ("invcontrol", "regcontrol", "capcontrol")
TOLERANCE_PU = 1e-10


class Circuit:
    """A compiled circuit that solves injections at the slots of a Reduced."""

    def __init__(self, path: str | Path, reduced: Reduced, *, commands: tuple[str, ...] = ()) -> None:
        """`commands` are OpenDSS commands to run after compiling, such as edits that match another model."""
        self.reduced, self.engine = reduced, open_circuit(Path(path))
        self.circuit = self.engine.ActiveCircuit
        for full_name in list(self.circuit.AllElementNames):
            if full_name.lower().split(".")[0] in {*CUSTOMER_CLASSES, *CONTROL_CLASSES}:
                self._say(f"{full_name}.enabled=no")
        for command in commands:
            self._say(command)
        self._add_slots()
        self._say(f"Set mode=snapshot controlmode=off tolerance={TOLERANCE_PU} maxiterations=500")
        self._say("Solve")
        order = {name.lower(): k for k, name in enumerate(self.circuit.YNodeOrder)}
        self.at = np.array([order.get(name, -1) for name in self._terminal_names()], dtype=np.intp)
        self.sources = list(self.circuit.Vsources.AllNames)

    def _say(self, command: str) -> None:
        self.engine.Text.Command = command

    def _add_slots(self) -> None:
        connections, nodes = self.reduced.network.connections, self.reduced.network.nodes
        for k, (plus, phase) in enumerate(zip(connections.slot_plus, connections.slot_phase, strict=True)):
            bus = nodes.id[self.reduced.network.terminal_node[plus]]
            numbers = ".".join(str(NUMBER[p]) for p in phase)
            kv = self.reduced.nominal_v[k] / 1e3
            self._say(
                f"New Load.slot{k} bus1={bus}.{numbers} phases=1 conn=wye kV={kv} model=1 kW=0 kvar=0 "
                "vminpu=0.05 vmaxpu=5 status=fixed"
            )

    def _terminal_names(self) -> list[str]:
        network = self.reduced.network
        nodes = [network.nodes.id[n].lower() for n in network.terminal_node]
        return [f"{n}.{NUMBER.get(p, 0)}" for n, p in zip(nodes, network.terminal_phase, strict=True)]

    def solve(self, s_va: Complex, source_v: Complex | None = None) -> Audited:
        """What `flow.solve`, `flow.voltages` and `flow.currents` give, by OpenDSS; NaN where a name is not known."""
        s = np.atleast_2d(np.asarray(s_va, dtype=np.complex128))
        source = np.broadcast_to(sources(self.reduced, source_v), (len(s), 3))
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
            amps[k] = self._currents()
        connections = self.reduced.network.connections
        back = np.where(connections.slot_minus >= 0, volts[:, connections.slot_minus], 0.0)
        v = volts[:, connections.slot_plus] - back
        flow = Flow(v, np.conj(s / v), converged, 0, source)
        return Audited(flow, np.abs(volts[:, self.reduced.node_terminal]), np.abs(amps))

    def _set_loads(self, row: Complex) -> None:
        loads = self.circuit.Loads
        for k, s in enumerate(row):
            loads.Name = f"slot{k}"
            loads.kW, loads.kvar = -s.real / 1e3, -s.imag / 1e3

    def _set_source(self, e: Complex) -> None:
        one = self.circuit.Vsources
        single = len(self.sources) == 3
        if not single and np.ptp(np.abs(e)) > 1e-6 * np.abs(e).max():
            raise GridError("OpenDSS's three-phase source is balanced; the circuit needs one source per phase")
        for name, volts in zip(self.sources, e, strict=False):
            one.Name = name
            phases = int(one.Phases)
            one.pu = abs(volts) / (one.BasekV * 1e3) * (np.sqrt(3) if phases == 3 else 1.0)
            one.AngleDeg = float(np.angle(volts, deg=True))

    def _currents(self) -> Complex:
        reduced, network = self.reduced, self.reduced.network
        found = np.full(len(reduced.current_branch), np.nan, dtype=np.complex128)
        for branch in np.unique(reduced.current_branch):
            kind, name = network.branches.kind[branch], network.branches.id[branch]
            if self.circuit.SetActiveElement(f"{kind}.{name}") < 0:
                continue
            active = self.circuit.ActiveCktElement
            raw, width = np.asarray(active.Currents), int(active.NumConductors)
            amps, numbers = raw[0::2] + 1j * raw[1::2], list(active.NodeOrder)
            for row in np.flatnonzero(reduced.current_branch == branch):
                wanted = NUMBER[reduced.current_phase[row]]
                ends = range(width, len(numbers)) if reduced.current_side[row] else range(width)
                found[row] = sum(amps[k] for k in ends if numbers[k] == wanted)
        return found
