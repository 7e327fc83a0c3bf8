"""A feeder: the network, its customers and, where measured, their day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from gridmodel.arrays import Complex, Mask, Real
from gridmodel.errors import GridError
from gridmodel.model.devices import Device
from gridmodel.model.findings import Finding
from gridmodel.model.network import PORT_PHASES, Network

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Change:
    """A value that differs from the published data of a feeder, and why."""

    element: str
    field: str
    before: float
    after: float
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What was measured, interval by interval (T of them)."""

    step_s: int
    demand_w: Real
    """(T, C) consumption positive"""
    demand_var: Real
    """(T, C) consumption positive"""
    pv_w: Real
    """(T, C) production positive"""
    source_v: Complex | None
    """(T, 3) phase-to-neutral at the supply, V; None where it was not measured"""

    first_day: date | None = None
    """the day of the first interval; None where the files do not say"""

    @property
    def days(self) -> int:
        """Number of whole days."""
        return len(self.demand_w) * self.step_s // DAY_S

    def day(self, which: int | date = 0) -> Profile:
        """One day of several, by its position or its date."""
        number = which if isinstance(which, int) else self._number(which)
        if not 0 <= number < self.days:
            raise GridError(f"day {which} is not among the {self.days} days of the series")
        steps = DAY_S // self.step_s
        part = slice(number * steps, (number + 1) * steps)
        return replace(
            self,
            demand_w=self.demand_w[part],
            demand_var=self.demand_var[part],
            pv_w=self.pv_w[part],
            source_v=None if self.source_v is None else self.source_v[part],
            first_day=self.first_day + timedelta(days=number) if self.first_day else None,
        )

    def _number(self, day: date) -> int:
        if self.first_day is None:
            raise GridError("the series have no dates: feeder.toml says first_day")
        return (day - self.first_day).days

    def net_va(self) -> Complex:
        """(T, C) injection of each connection, export positive."""
        return np.asarray(self.pv_w - self.demand_w - 1j * self.demand_var)


@dataclass(frozen=True, slots=True, eq=False)
class Feeder:
    """A network with what is known about its customers."""

    name: str
    network: Network
    pv_va: Real
    """(C,) size of the inverter each connection already has, VA; 0 where none"""
    active: Mask
    """(C,) marked as active in customers.csv (all, where the file does not say)"""
    profile: Profile | None = None
    devices: tuple[Device, ...] = ()
    """what stands behind the connections, where a devices.csv says so"""
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    """what the readers assumed"""
    findings: tuple[Finding, ...] = ()
    """what the readers found worth saying"""

    @property
    def declared_va(self) -> Complex | None:
        """(C,) what each connection takes by the network's file, consumption positive; None where it says nothing."""
        own, names = self.network.own_load_va, self.network.connections.id
        return np.array([own.get(name, 0j) for name in names], dtype=np.complex128) if own else None

    def declared_day(self) -> Profile | None:
        """One day of the network file's own loads by their shapes; None where it has no shape of a day.

        Every shape must have the same interval; a load without a shape takes the same all day.
        """
        shapes, taken = self.network.own_shape, self.declared_va
        if not shapes or taken is None:
            return None
        steps = {shape.step_s for shape in shapes.values()}
        step_s = steps.pop()
        if steps or DAY_S % step_s or any(len(s.multipliers) * step_s < DAY_S for s in shapes.values()):
            return None
        count = round(DAY_S / step_s)
        names = self.network.connections.id
        whole = np.array([shapes[n].multipliers[:count] if n in shapes else (1.0,) * count for n in names]).T
        demand = whole * taken
        return Profile(int(step_s), demand.real, demand.imag, np.zeros_like(demand.real), None)

    @property
    def declared_sum(self) -> str:
        """The loads of the network's file in words; empty where it says nothing."""
        taken = self.declared_va
        if taken is None:
            return ""
        feeds = -float(np.minimum(taken.real, 0.0).sum()) / 1e3
        said = f"the file's own loads, {float(np.maximum(taken.real, 0.0).sum()) / 1e3:.4g} kW in all"
        return f"{said}, and generation of {feeds:.4g} kW" if feeds else said

    @property
    def base_load(self) -> str:
        """What a run's base load stands on where nothing else is asked: "measured", "file" or "assumed"."""
        return "measured" if self.profile is not None else "file" if self.declared_va is not None else "assumed"


def port_va(network: Network, connection_va: Complex) -> Complex:
    """(S, L) port injections of (S, C) connection injections, each split evenly over the connection's phases.

    The split is exact for single-phase connections; for three-phase and unknown ones it is the balanced one. A
    split-phase service takes all of it between its two legs.
    """
    return np.asarray(connection_va)[..., network.connections.port_connection] * port_share(network)


def port_share(network: Network) -> Real:
    """(L,) share of its connection's power that a port carries when the connection is balanced."""
    connections = network.connections
    share = []
    for connection, label in zip(connections.port_connection, connections.port_phase, strict=True):
        phase = connections.phase[connection]
        share.append(float(label == "12") if phase == "split" else 1 / len(PORT_PHASES[phase]))
    return np.array(share, dtype=np.float64)
