"""The audit of a schedule by the file that its network was read from: the file's own loads, in the file's own engine.

A load that was read wrongly passes a verification on the network as it was read. Here the worst states that a
verification found are set at the file's own elements, and voltages and loadings are those of its own engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envelope.problem import OperatingLimits
from envelope.verification.acceptance import WORSE_PERCENT, WORSE_V
from envelope.verification.report import VerificationReport
from gridmodel.arrays import Complex, Index, Mask, Real
from gridmodel.model.network import Network
from gridmodel.solvers.own_file import injections_of, own_file_of
from gridmodel.solvers.own_solution import OwnSolution

MOST = {".json": 24}
"""states that are tried, by the ending of the file; pandapower takes a second for some"""
USUAL = 200


@dataclass(frozen=True)
class OwnFileReport:
    """Findings of the file's own engine."""

    engine: str
    states: int
    over_v: float
    under_v: float
    overload_percent: float
    """worst against the limit, or against what the base load alone reaches where that is beyond it"""
    where: tuple[str, str, str]
    unsolved: int = 0

    @property
    def inside(self) -> bool:
        """Whether the limits hold in the file's own engine as well."""
        return (
            self.unsolved == 0
            and max(self.over_v, self.under_v) <= WORSE_V
            and (self.overload_percent <= WORSE_PERCENT)
        )

    def sentence(self) -> str:
        """The result in one line."""
        verdict = "inside the limits" if self.inside else "BEYOND the limits"
        if self.inside and max(self.over_v, self.under_v, self.overload_percent) > 0.0:
            verdict += f" but for what two solvers differ by, {WORSE_V:g} V and {WORSE_PERCENT:g} %"
        worst = f"{self.over_v:+.3f} V over, {self.under_v:+.3f} V under, {self.overload_percent:+.2f} % load"
        said = f"{self.states} states set at the file's own elements, solved by {self.engine}: {verdict} ({worst})"
        if self.unsolved:
            return f"{said}; {self.unsolved} of them have no solution there"
        return said if self.inside else f"{said}; the worst: {self._worst()}"

    def _worst(self) -> str:
        beyond = (self.over_v, self.under_v, self.overload_percent / 10.0)
        return self.where[int(np.argmax(beyond))]


def audit_by_own_file(
    network: Network, limits: OperatingLimits, rest_va: Complex, report: VerificationReport
) -> OwnFileReport | None:
    """Set the worst states of a verification at the file's own elements; None where the network has no such file.

    rest_va: (T, C) injections with nothing flexible running. Where they alone exceed a limit in the file's engine, or
    the firm minimum does by that verification, it must not become worse. Raises GridError where the file cannot say a
    state, such as an inverter that takes power as no load stands with it, or its engine cannot solve it.
    """
    states = report.worst_states
    if not states or not set(network.connections.id) <= network.own_elements.keys():
        return None
    own = own_file_of(network)
    if own is None:
        return None
    suffix = "." + network.source_file.rsplit(".", 1)[-1].lower()
    chosen = list(states)[: MOST.get(suffix, USUAL)]
    steps = sorted({state.step for state in chosen})
    cases = [*(rest_va[step] for step in steps), *(state.injected_va for state in chosen)]
    sources = {state.step: state.source_v for state in chosen}
    head = [_head(network, sources[step]) for step in steps] + [_head(network, s.source_v) for s in chosen]
    named = [dict(zip(network.connections.id, case.tolist(), strict=True)) for case in cases]
    found = own.solve([injections_of(network, one) for one in named], head)
    of_step = np.array([steps.index(state.step) for state in chosen])
    engine = "pandapower" if suffix == ".json" else "OpenDSS"
    return _judged(found, _Bounds.of(network, limits, found), of_step, (engine, report.excused))


def _most(limits: OperatingLimits) -> float:
    """The greatest part of a rating that is permitted in any step."""
    return float(max(np.max(limits.rating_factor), np.max(limits.transformer_factor)))


def _head(network: Network, source_v: Complex) -> float:
    """The voltage of the source over that in the file."""
    return float(np.abs(source_v).mean() / np.abs(network.source.v).mean())


@dataclass(frozen=True)
class _Bounds:
    """Of the voltages at connections, in the own engine's order."""

    watched: Mask
    low_v: Real
    high_v: Real
    loading: float
    """of everything that is rated"""

    @classmethod
    def of(cls, network: Network, limits: OperatingLimits, found: OwnSolution) -> _Bounds:
        c = network.connections
        ends = np.concatenate([c.port_plus, c.port_minus])
        nominal = {
            (network.nodes.id[network.terminal_node[t]].lower(), _number(network.terminal_phase[t])): float(volts)
            for t, volts in zip(ends, network.terminal_nominal_v[ends], strict=True)
            if t >= 0
        }
        at = [_place(name) for name in found.voltage_names]
        watched = np.array([place in nominal for place in at], dtype=bool)
        volts = np.array([nominal.get(place, base) for place, base in zip(at, found.nominal_v, strict=True)])
        low_v, high_v, _ = limits.voltages_at(volts)
        return cls(watched, low_v, high_v, _most(limits))


def _place(name: str) -> tuple[str, str]:
    """Bus and number of the phase of a voltage's name, "bus x.1" or "bus x, phase a"."""
    bus, _, phase = name.removeprefix("bus ").rpartition(", phase " if ", phase " in name else ".")
    return bus.lower(), _number(phase)


def _number(phase: str) -> str:
    """1 to 3 of phases a to c; legs of a split service have numbers already."""
    return str("abc".index(phase) + 1) if phase in ("a", "b", "c") else phase


def _judged(
    found: OwnSolution, bounds: _Bounds, of_step: Index, what: tuple[str, tuple[float, float, float]]
) -> OwnFileReport:
    engine, (over_v, under_v, load_percent) = what
    count = len(found.converged) - len(of_step)
    v = np.where(bounds.watched, found.v_v, np.nan)
    solved = found.converged
    with np.errstate(invalid="ignore"):
        high = np.fmax(bounds.high_v + over_v, v[:count])[of_step]
        low = np.fmin(bounds.low_v - under_v, v[:count])[of_step]
        most = np.fmax(bounds.loading + 0.01 * load_percent, found.loading[:count])[of_step]
        tables = (v[count:] - high, low - v[count:], 100.0 * (found.loading[count:] - most))
    names = (found.voltage_names, found.voltage_names, found.loading_names)
    worst, where = [], []
    for table, named in zip(tables, names, strict=True):
        clean = np.where(np.isfinite(table), table, -np.inf)
        element = int(clean.max(axis=0, initial=-np.inf).argmax()) if clean.size else 0
        worst.append(float(clean.max(initial=-np.inf)))
        where.append(named[element] if named else "")
    unsolved = int((~solved[count:] & solved[:count][of_step]).sum())
    return OwnFileReport(engine, len(of_step), worst[0], worst[1], worst[2], (where[0], where[1], where[2]), unsolved)
