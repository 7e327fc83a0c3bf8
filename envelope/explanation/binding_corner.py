"""One constraint at its worst corner in the AC power flow: what is left there, and what would ease it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from envelope.calculation.feasible_box import DirectedBox
from envelope.constraints.linear import KINDS
from envelope.problem import Direction
from gridmodel.arrays import Real

RELIEF_V, RELIEF_PERCENT = 1.0, 10.0
"""the step in a limit for which the relief is told"""
HEAD_PART = 0.005
"""and that in the head voltage"""
LESS_W = 1000.0
"""and that of another connection"""
ABSORBING_PF, ABSORBING = 0.95, float(np.tan(np.arccos(0.95)))
EXACT_V = 1e-7
"""of differences between power flows something is to be told"""
NUDGE = 0.05
"""part of the way back from the corner over which the slope there is taken"""


@dataclass(frozen=True)
class Contributor:
    """A connection's part in a binding constraint at its worst corner."""

    connection_id: str
    direction: str
    part: float
    """of the constraint's whole rise, 0..1"""


class BindingCorner:
    """A constraint of a fitted box in one interval, everyone standing where it is strained most."""

    def __init__(self, case: DirectedBox, local: int, at: int, *, together: bool) -> None:
        fit = case.fit
        self.fit, self.local, self.at = fit, local, at
        of = fit.feeder.port_connection
        if together:
            end = fit.hi_w[at] if Direction.EXPORT in case.directions else fit.lo_w[at]
            self.away = ((end - fit.base.p_w[at])[of] * fit.feeder.port_share)[None, :]
        else:
            steps = np.array([at], dtype=np.intp)
            self.away = fit.corner(steps, fit.rows.corner[local : local + 1])
        self.slack_unit = float(fit.slack_unit[local])
        self.kind = KINDS[int(fit.rows.kind[local])]
        self.unit = "%" if self.kind == "overload" else "V"
        self.worst, before = self._values(np.concatenate([self.away, (1.0 - NUDGE) * self.away]))
        percent = self.slack_unit if self.unit == "%" else 1.0
        self.margin = float((fit.limit[at, local] - self.worst) / percent)
        rise = float(fit.rise[at, local])
        self.steepness = float((self.worst - before) / (NUDGE * rise)) if rise > 0.0 else 0.0
        """how much faster the constraint rises here than its coefficients say"""

    def _values(self, away: Real, *, head: float = 1.0, tan_phi: float | None = None) -> Real:
        """(S,) the constraint's value with ports (S, L) watts away from the base load."""
        base = self.fit.base
        more = 0.0 if tan_phi is None else (base.port_tan_phi - tan_phi) * np.maximum(away, 0.0)
        injected = base.injections(self.at, away, more)
        found = base.feeder.power_flow(injected, head * base.source_v[self.at], tol_v=EXACT_V)
        return np.asarray(self.fit.rows.evaluate(found)[:, self.local])

    def relief_options(self, others: Sequence[Contributor]) -> list[tuple[str, float]]:
        """Relief options and their effect in the constraint's own unit (V or A); the limit itself first."""
        more = RELIEF_PERCENT if self.unit == "%" else RELIEF_V
        eased = self.slack_unit * more
        head = 1.0 - HEAD_PART if self.kind == "over-voltage" else 1.0 + HEAD_PART
        lower = "lower" if head < 1.0 else "higher"
        found = [
            (f"{more:g} % more rating there" if self.unit == "%" else f"{eased:.3g} V more there", eased),
            (f"a head voltage {100 * HEAD_PART:g} % {lower}", self.worst - self._values(self.away, head=head)[0]),
        ]
        if self.kind == "over-voltage" and (self.away > 0.0).any() and np.min(self.fit.base.tan_phi) < ABSORBING:
            absorbing = self._values(self.away, tan_phi=ABSORBING)[0]
            found.append((f"generation absorbing at power factor {ABSORBING_PF:g}", self.worst - absorbing))
        for other in others:
            without = self.worst - self._values(self._without(other))[0]
            found.append((f"{other.connection_id} {other.direction}ing {LESS_W / 1e3:g} kW less", without))
        return [(what, float(easing)) for what, easing in found]

    def _without(self, other: Contributor) -> Real:
        """(1, L) the corner with one connection up to a kilowatt nearer to its base load."""
        column = self.fit.feeder.reduced.network.connections.id.index(other.connection_id)
        ports = self.fit.feeder.port_connection == column
        whole = float(np.abs(self.away[:, ports]).sum())
        kept = max(whole - LESS_W, 0.0) / whole if whole > 0.0 else 0.0
        return np.asarray(np.where(ports, kept * self.away, self.away))
