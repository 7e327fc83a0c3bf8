"""A feeder: the network, its customers and, where measured, their day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridmodel.arrays import Complex, Mask, Real
from gridmodel.model.devices import Device
from gridmodel.model.findings import Finding
from gridmodel.model.network import SLOT_PHASES, Network


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


def slot_va(network: Network, connection_va: Complex) -> Complex:
    """(S, L) slot injections of (S, C) connection injections, each split evenly over the connection's phases.

    The split is exact for single-phase connections; for three-phase and unknown ones it is the balanced one. A
    split-phase service takes all of it between its two legs.
    """
    return np.asarray(connection_va)[..., network.connections.slot_connection] * slot_share(network)


def slot_share(network: Network) -> Real:
    """(L,) share of its connection's power that a slot carries when the connection is balanced."""
    connections = network.connections
    share = []
    for connection, label in zip(connections.slot_connection, connections.slot_phase, strict=True):
        phase = connections.phase[connection]
        share.append(float(label == "12") if phase == "split" else 1 / len(SLOT_PHASES[phase]))
    return np.array(share, dtype=np.float64)
