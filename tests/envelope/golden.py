"""The published way to envelopes on LV28: start at each customer's size, step down 0.5 kW until nothing is breached.

Re-told for comparison only: it guarantees no more than that all active customers may stand at their limit together.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gridmodel import Feeder, Reduced, currents, solve, voltages
from gridmodel.flow.inverters import Curve, Inverters

STEP_W = 500.0
V_MIN_V, V_MAX_V = 216.0, 253.0
VOLT_WATT = Curve(((0.5, 1.0), (1.1, 1.0), (1.13, 0.2), (2.0, 0.2)))
VOLT_VAR = Curve(((0.5, 0.44), (0.9, 0.44), (0.96, 0.0), (1.04, 0.0), (1.12, -0.6), (1.5, -0.6)))
Who = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Published:
    """The study's day: 16 active customers at unity power factor, the others as measured, their inverters at work."""

    feeder: Feeder
    reduced: Reduced

    def search(self, most_w: float, *, exporting: bool, who: Who) -> np.ndarray:
        """(T, A) W of each active customer; `who` gives the part of the step each takes, from their voltages."""
        profile, active = self.feeder.profile, np.flatnonzero(self.feeder.active)
        level = np.full((len(profile.demand_w), len(active)), most_w)
        todo = np.arange(len(level))
        while len(todo):
            v, i = self.solved(todo, level[todo] if exporting else -level[todo])
            bad = (v > V_MAX_V).any(axis=1) | (v < V_MIN_V).any(axis=1) | (i > self.reduced.rating_a).any(axis=1)
            todo, own = todo[bad], v[bad][:, self.places(active)]
            level[todo] -= STEP_W * who(own if exporting else -own)
        return level

    def solved(self, steps: np.ndarray, active_w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Voltages at connections and currents of all branches."""
        profile = self.feeder.profile
        s = -(profile.demand_w[steps] + 1j * profile.demand_var[steps])
        s[:, self.feeder.active] = active_w + 1j * s[:, self.feeder.active].imag
        sunny = profile.pv_w.any(axis=0)
        roofs = Inverters(
            port=np.flatnonzero(sunny), s_rated_va=self.feeder.pv_va[sunny], available_w=profile.pv_w[steps][:, sunny],
            reference_v=230.0, volt_var=VOLT_VAR, volt_watt=VOLT_WATT, reactive_base="available",
        )  # fmt: skip
        watched = self.reduced.watching(voltages=self.reduced.voltages_at_connections())
        flow = solve(watched, s, profile.source_v[steps], inverters=roofs, tol_v=1e-4)
        assert flow.converged.all()
        return voltages(watched, flow), currents(watched, flow)

    def places(self, active: np.ndarray) -> np.ndarray:
        """Positions of the active customers among the voltages at connections."""
        nodes = self.reduced.node_terminal[self.reduced.voltages_at_connections()]
        return np.searchsorted(nodes, self.feeder.network.connections.port_plus[active])


def everyone(voltage: np.ndarray) -> np.ndarray:
    """All step down together."""
    return np.ones_like(voltage)


def the_worst(voltage: np.ndarray) -> np.ndarray:
    """Only the one with the worst voltage steps down."""
    return (np.arange(voltage.shape[1]) == voltage.argmax(axis=1)[:, None]).astype(float)
