"""The published search on LV28 in OpenDSS, with its own inverter controls, one power flow after another.

All active customers step down by 0.5 kW until no customer's voltage and no rating is breached; each line against its
own rating. What `tests.envelope.golden` does in numpy for all steps at once.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from gridmodel import Feeder
from gridmodel.readers.opendss import new_engine, read_network
from tests.envelope.golden import STEP_W, V_MAX_V, V_MIN_V


class Search:
    """The circuit of the study, and the feeder's measured day."""

    def __init__(self, master: Path, feeder: Feeder) -> None:
        self.engine, self.feeder = new_engine([f'Compile "{master}"', "Solve"]), feeder
        self.circuit, self.flows = self.engine.ActiveCircuit, 0
        self.network, _, _ = read_network(master)
        self.engine.Text.Command = "Set mode=snapshot controlmode=static"
        names = [f"hv_f0_lv28_{name}" for name in feeder.network.connections.id]
        self.loads = [self._position(self.circuit.Loads, name) for name in names]
        self.roofs = [
            (self._position(self.circuit.PVSystems, f"pv_{name}"), k)
            for k, name in enumerate(names)
            if f"pv_{name}" in self.circuit.PVSystems.AllNames
        ]
        order = {name.lower(): k for k, name in enumerate(self.circuit.YNodeOrder)}
        number = {"a": 1, "b": 2, "c": 3}
        places = zip(self.network.terminal_node, self.network.terminal_phase, strict=True)
        self.at = np.array([order.get(f"{self.network.nodes.id[n]}.{number[p]}", -1) for n, p in places])
        connections = self.network.connections
        self.customers = connections.port_plus[[connections.id.index(name) for name in names]]

    @staticmethod
    def _position(table, name: str) -> int:
        table.Name = name
        return int(table.idx)

    def run(self, most_w: float, *, exporting: bool, steps: Iterable[int] = range(288)) -> np.ndarray:
        """(len(steps),) W of every active customer."""
        found = []
        for step in steps:
            self._set_day(step)
            level = most_w
            while self._breached(step, level if exporting else -level):
                level -= STEP_W
            found.append(level)
        return np.array(found)

    def _set_day(self, step: int) -> None:
        profile = self.feeder.profile
        for position, k in self.roofs:
            self.circuit.PVSystems.idx = position
            self.circuit.PVSystems.Irradiance = profile.pv_w[step, k] / (1e3 * self.circuit.PVSystems.Pmpp)
        loads, idle = self.circuit.Loads, np.flatnonzero(~self.feeder.active)
        for k in idle:
            loads.idx = self.loads[k]
            loads.kW, loads.kvar = profile.demand_w[step, k] / 1e3, profile.demand_var[step, k] / 1e3
        for name, volts in zip(self.circuit.Vsources.AllNames, profile.source_v[step], strict=True):
            self.circuit.Vsources.Name = name
            self.circuit.Vsources.pu = abs(volts) / (1e3 * self.circuit.Vsources.BasekV)
            self.circuit.Vsources.AngleDeg = float(np.angle(volts, deg=True))

    def _breached(self, step: int, active_w: float) -> bool:
        loads = self.circuit.Loads
        for k in np.flatnonzero(self.feeder.active):
            loads.idx = self.loads[k]
            loads.kW, loads.kvar = -active_w / 1e3, self.feeder.profile.demand_var[step, k] / 1e3
        self.circuit.Solution.Solve()
        self.flows += 1
        raw = np.asarray(self.circuit.YNodeVarray)
        v = np.append(raw[0::2] + 1j * raw[1::2], 0.0)[self.at]
        size = np.abs(v[self.customers])
        return bool(size.max() > V_MAX_V or size.min() < V_MIN_V or self._overloaded(v))

    def _overloaded(self, v: np.ndarray) -> bool:
        branches = self.network.branches
        across = np.where(branches.terminals >= 0, v[branches.terminals], 0.0)
        amps = np.abs(np.einsum("bij,bj->bi", branches.y_s, across)).reshape(-1, 2, 3).max(axis=2)
        with np.errstate(invalid="ignore"):
            return bool(np.any(amps[np.arange(len(amps)), branches.rated_side] > branches.rating_a))
