"""Inverters that respond to their own voltage: a fast power flow to search with, and OpenDSS's InvControl to confirm.

What they do comes on top of customers' net power: vars by a volt-var curve, or less of what is fed by a volt-watt one.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from envelope.problem import Credit, VoltVar, VoltWatt
from gridmodel.flow.inverters import Curve
from tests.independent.cases import Case
from tests.independent.circuit import CLOSE_V, Circuit, Solution

MOST_ROUNDS, CHUNK = 800, 4000
NOMINAL_V, MOST_VAR = 230.0, 0.6
VOLT_VAR = ((207.0, 0.44 / MOST_VAR), (220.0, 0.0), (240.0, 0.0), (258.0, -1.0))
"""the region Australia A's, in shares of `MOST_VAR` times the inverters' active power"""
VOLT_WATT = ((250.0, 1.0), (253.0, 0.0))
"""such as brings voltages back below 253 V"""


@dataclass(frozen=True)
class Response:
    """(C,) rating of each customer's inverters, var or W, 0 where there are none, and a curve by volts.

    volt_var: share of the rating produced, absorbed negative; volt_watt: share of it that may be fed. One of the two.
    """

    rating: np.ndarray
    points: tuple[tuple[float, float], ...]
    watts: bool

    def added(self, volts: np.ndarray, s_va: np.ndarray) -> np.ndarray:
        """(S, C) VA on top of customers' (S, C) net power at these (S, C) volts of their own."""
        x, y = np.array(self.points).T
        share = np.interp(volts, x, y) * self.rating
        if not self.watts:
            return 1j * share
        fed = np.where(self.rating > 0.0, np.maximum(s_va.real, 0.0), 0.0)
        return np.minimum(fed, share) - fed + 0j

    @property
    def slope(self) -> np.ndarray:
        """(C,) W or var per V where the curve is steepest."""
        x, y = np.array(self.points).T
        return float(np.abs(np.diff(y) / np.diff(x)).max()) * self.rating


class Responding(Circuit):
    """A circuit whose inverters respond; what loads a branch most counts, with the response or without any."""

    def __init__(self, plain: Circuit, response: Response) -> None:
        self.__dict__.update(plain.__dict__)
        self.plain, self.response = plain, response
        gain = (np.abs(self.z) * response.slope[None, :]).sum(axis=1).max()
        self.share = 2.0 / (2.0 + gain / NOMINAL_V)
        self.built, self.tag = False, f"r{self.circuit.PVSystems.Count}"

    def solve(self, s_va: np.ndarray, source_v: np.ndarray) -> Solution:
        """Voltages with all inverters on their curve; branches loaded by that or by customers' net power alone."""
        parts = [self._solved(s_va[k : k + CHUNK], source_v[k : k + CHUNK]) for k in range(0, len(s_va), CHUNK)]
        without = self.plain.solve(s_va, source_v)
        volts, loading = (np.concatenate(table) for table in zip(*parts, strict=True))
        return Solution(volts, np.maximum(loading, without.loading))

    def _solved(self, s_va: np.ndarray, source_v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        idle = source_v @ self.w.T
        v, added = idle.copy(), np.zeros_like(s_va)
        for _ in range(MOST_ROUNDS):
            before = v
            wanted = self.response.added(np.abs(v), s_va)
            added = added + self.share * (wanted - added)
            v = np.conj((s_va + added) / v) @ self.z.T + idle
            if np.abs(v - before).max(initial=0.0) < CLOSE_V and np.abs(wanted - added).max(initial=0.0) < 0.1:
                break
        amps = np.conj((s_va + added) / v)
        settled = ((np.abs(v - before) < 1e-3) & (np.abs(wanted - added) < 10.0)).all(axis=1)[:, None]
        volts = np.where(settled, np.abs(amps @ self.zn.T + source_v @ self.wn.T), np.nan)
        loading = 100.0 * np.abs(amps @ self.zb.T + source_v @ self.wb.T) / self.rating_a
        return volts, np.where(settled, loading, np.nan)

    def confirm(self, s_va: np.ndarray, source_v: np.ndarray) -> Solution:
        """The same by OpenDSS: a PVSystem beside each customer's load, under an InvControl on the curve."""
        if not self.built:
            self._build()
        self._respond("yes")
        command = self.engine.Text
        volts, loading = [], []
        for s, e in zip(np.atleast_2d(s_va), np.atleast_2d(source_v), strict=True):
            self._set_source(e)
            for k in np.flatnonzero(self.response.rating > 0.0):
                fed_kw = max(s[k].real, 1.0) / 1e3
                command.Command = f"PVSystem.{self.tag}pv{k}.Pmpp={fed_kw}"
                command.Command = f"Load.port{k}.kW={fed_kw - s[k].real / 1e3}"
                command.Command = f"Load.port{k}.kvar={-s[k].imag / 1e3}"
            for k in np.flatnonzero(self.response.rating <= 0.0):
                command.Command = f"Load.port{k}.kW={-s[k].real / 1e3}"
                command.Command = f"Load.port{k}.kvar={-s[k].imag / 1e3}"
            self.circuit.Solution.Solve()
            assert self.circuit.Solution.Converged
            volts.append(np.abs(self._nodes()[self.node_rows]))
            loading.append(100.0 * np.abs(self.rows @ self._nodes()) / self.rating_a)
        self._respond("no")
        without = self.plain.confirm(s_va, source_v)
        return Solution(np.array(volts), np.maximum(np.array(loading), without.loading))

    def _build(self) -> None:
        command, response = self.engine.Text, self.response
        x, y = np.array(response.points).T
        xs, ys = [0.5, *(x / NOMINAL_V), 1.5], [y[0], *y, y[-1]]
        name = f"{self.tag}curve"
        command.Command = f"New XYCurve.{name} npts={len(xs)} Xarray={_array(xs)} Yarray={_array(ys)}"
        for k in np.flatnonzero(response.rating > 0.0):
            port, rating = self.ports[k], response.rating[k] / 1e3
            kva = rating if response.watts else 10.0 * rating
            command.Command = (
                f"New PVSystem.{self.tag}pv{k} phases=1 bus1={port.bus}.{'.'.join(map(str, port.nodes))} "
                f"kV={NOMINAL_V / 1e3} "
                f"kVA={kva} irradiance=1 Pmpp={rating} pf=1 %cutin=0 %cutout=0 VarFollowInverter=No "
                f"kvarMax={rating} kvarMaxAbs={rating} Vminpu=0.05 Vmaxpu=5"
            )
        pvs = _array([f"PVSystem.{self.tag}pv{k}" for k in np.flatnonzero(response.rating > 0.0)])
        mode = (
            f"VOLTWATT voltwatt_curve={name} VoltwattYAxis=KVARATINGPU"
            if response.watts
            else f"VOLTVAR vvc_curve1={name} RefReactivePower=VARMAX"
        )
        command.Command = (
            f"New InvControl.{self.tag} DERList={pvs} mode={mode} deltaP_factor={0.5 * self.share} "
            f"deltaQ_factor={0.5 * self.share} VarChangeTolerance=0.0002 ActivePChangeTolerance=0.0002 "
            "VoltageChangeTolerance=0.00002"
        )
        self.built = True

    def _respond(self, said: str) -> None:
        """Turn the inverters and their control on or off; off, the circuit is as it was."""
        command = self.engine.Text
        for k in np.flatnonzero(self.response.rating > 0.0):
            command.Command = f"PVSystem.{self.tag}pv{k}.enabled={said}"
        command.Command = f"InvControl.{self.tag}.enabled={said}"
        command.Command = f"Set controlmode={'static' if said == 'yes' else 'off'} maxcontroliter=2000"

    def _nodes(self) -> Any:
        raw = np.asarray(self.circuit.YNodeVarray)
        order = {name.lower(): k for k, name in enumerate(self.circuit.YNodeOrder)}
        return (raw[0::2] + 1j * raw[1::2])[[order[name] for name in self.at]]


def responding(case: Case, *, watts: bool) -> Case:
    """The case with inverters that follow a curve, which its limits count on and its circuit has."""
    size_w = case.problem.flex_gen_w.max(axis=0)
    points, rating = (VOLT_WATT, size_w) if watts else (VOLT_VAR, MOST_VAR * size_w)
    curve = Curve(tuple((volts / NOMINAL_V, share) for volts, share in points))
    policy = VoltWatt if watts else VoltVar
    problem = replace(case.problem, reactive=policy(rating, Credit.DECLARED, curve, declared_by="A. Engineer"))
    return replace(case, problem=problem, circuit=Responding(case.circuit, Response(rating, points, watts)))


def _array(values: list[Any]) -> str:
    return f"({' '.join(map(str, values))})"
