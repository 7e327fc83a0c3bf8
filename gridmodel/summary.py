"""Figures of a feeder and the state of its most loaded interval, without any array of nodes times connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gridmodel.arrays import Complex, Real
from gridmodel.errors import GridError
from gridmodel.flow.kron import Watched
from gridmodel.flow.sparse_flow import SparseFlow
from gridmodel.model.feeder import Feeder, Profile, port_va


class State(NamedTuple):
    """One interval, to draw."""

    watched: Watched
    voltages_v: Real
    """(N,)"""
    currents_a: Real
    """(B,)"""


class Summary(NamedTuple):
    """Figures by name, and the interval that they call the shown one."""

    figures: dict[str, Any]
    state: State


def summarise(feeder: Feeder) -> Summary:
    """Solve the feeder's day: as measured, or the loads of its own file, or without any load."""
    profile, injected, source = _injections(feeder)
    flow, extremes = SparseFlow(feeder.network), _Extremes()
    begin = 0
    for part in flow.solve_in_parts(injected, source):
        if not part.converged.all():
            raise GridError(f"{np.count_nonzero(~part.converged)} intervals have no power flow solution")
        extremes.note(flow, part.v, begin)
        begin += len(part.v)
    return Summary(_figures(feeder, profile, extremes), State(flow.watched, extremes.volts, extremes.amps))


def _injections(feeder: Feeder) -> tuple[Profile | None, Complex, Complex | None]:
    """The day that is solved, (T, L) VA at the ports, and the voltage of the source."""
    network = feeder.network
    profile = feeder.profile or feeder.declared_day()
    if profile is not None:
        return profile, port_va(network, profile.net_va()), profile.source_v
    declared = feeder.declared_va
    taken = np.zeros(len(network.connections), dtype=np.complex128) if declared is None else declared
    return None, port_va(network, -taken[None]), None


@dataclass
class _Extremes:
    """Extremes over the intervals seen so far."""

    low_v: float = np.inf
    high_v: float = 0.0
    line: float = 0.0
    transformer: float = 0.0
    hardest: int = 0
    most: float = -1.0
    volts: Real = field(default_factory=lambda: np.zeros(0))
    amps: Real = field(default_factory=lambda: np.zeros(0))

    def note(self, flow: SparseFlow, v: Complex, begin: int) -> None:
        """Take in (S, T) voltages of the intervals from `begin` on."""
        watched, volts, amps = flow.watched, flow.voltages(v), flow.currents(v)
        customers = volts[:, watched.voltages_at_connections()]
        loading = amps / watched.rating_a
        kinds = np.array([watched.network.branches.kind[b] for b in watched.current_branch])
        self.low_v = min(self.low_v, float(customers.min(initial=np.inf)))
        self.high_v = max(self.high_v, float(customers.max(initial=0.0)))
        self.line = max(self.line, float(loading[:, kinds == "line"].max(initial=0.0)))
        self.transformer = max(self.transformer, float(loading[:, kinds == "transformer"].max(initial=0.0)))
        each = loading.max(axis=1, initial=0.0)
        if each.max() > self.most:
            at = int(each.argmax())
            self.most, self.hardest = float(each[at]), begin + at
            self.volts, self.amps = volts[at], amps[at]


def _figures(feeder: Feeder, profile: Profile | None, found: _Extremes) -> dict[str, Any]:
    network, equipment = feeder.network, feeder.network.equipment
    return {
        "feeder": feeder.name,
        "nodes": len(network.nodes),
        "lines": sum(kind == "line" for kind in network.branches.kind),
        "transformers": sum(kind == "transformer" for kind in network.branches.kind),
        "connections": len(network.connections),
        "regulators": len(equipment.regulators) if equipment else 0,
        "capacitors": len(equipment.capacitors) if equipment else 0,
        "pv_kva": float(feeder.pv_va.sum() / 1e3),
        "intervals": 0 if profile is None else len(profile.demand_w),
        "base_load": feeder.base_load,
        "min_voltage_v": found.low_v,
        "max_voltage_v": found.high_v,
        "max_line_percent": 100 * found.line,
        "max_transformer_percent": 100 * found.transformer,
        "shown": _shown(feeder, profile, found.hardest),
    }


def _shown(feeder: Feeder, profile: Profile | None, interval: int) -> str:
    if profile is None:
        return "no load" if feeder.declared_va is None else "the loads of its file"
    second = interval * profile.step_s
    return f"interval {interval} ({second // 3600 % 24:02d}:{second // 60 % 60:02d})"
