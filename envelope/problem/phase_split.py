"""How the flexible power of a connection is split over its phases, stated or unknown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gridmodel.arrays import Mask, Real
from gridmodel.model.devices import Device
from gridmodel.model.feeder import port_share
from gridmodel.model.network import PORT_PHASES, Connections, Network

BALANCED, UNKNOWN = "balanced", "unknown"


def ports_of(phase: str) -> tuple[str, ...]:
    """Labels of the ports of a connection of these phases."""
    return tuple(label for label, _, _ in PORT_PHASES[phase])


def fault(connections: Connections, split: Sequence[str] | None) -> str:
    """The fault of a split per connection; empty where there is none."""
    if split is None:
        return ""
    if len(split) != len(connections):
        return f"flex_split has {len(split)} entries for {len(connections)} connections"
    for name, phase, said in zip(connections.id, connections.phase, split, strict=True):
        known = {BALANCED, UNKNOWN, *(() if phase == "unknown" else ports_of(phase))}
        if said not in known:
            return f"flex_split: connection {name}: {said!r} is none of {', '.join(sorted(known))}"
    return ""


def balanced(split: Sequence[str] | None) -> bool:
    """Whether nothing but balanced power is said."""
    return split is None or all(said == BALANCED for said in split)


def flexible_share(network: Network, split: Sequence[str] | None) -> Real:
    """(L,) part of its connection's flexible power that a port carries, evenly split where nothing else is said."""
    share = port_share(network)
    if split is None:
        return share
    of, labels = network.connections.port_connection, network.connections.port_phase
    for port, (connection, label) in enumerate(zip(of, labels, strict=True)):
        if split[connection] not in (BALANCED, UNKNOWN):
            share[port] = float(split[connection] == label)
    return share


def on_any(connections: Connections, split: Sequence[str] | None) -> Mask:
    """(L,) ports of connections whose flexible power may be on any one of them."""
    several = np.array([len(ports_of(phase)) > 1 for phase in connections.phase], dtype=bool)
    unknown = np.array([phase == "unknown" for phase in connections.phase], dtype=bool)
    if split is not None:
        unknown |= several & (np.asarray(split) == UNKNOWN)
    found: Mask = unknown[connections.port_connection]
    return found


def splits_of(network: Network, devices: Sequence[Device]) -> tuple[str, ...]:
    """(C,) the split of each connection's flexible power, by the phases of its devices.

    One phase where all of them stand on it, balanced where all are on all phases, else unknown; without devices
    balanced.
    """
    connections = network.connections
    said: dict[str, set[str]] = {}
    for device in devices:
        said.setdefault(device.connection_id, set()).add(device.phases)
    return tuple(
        _split(phase, said.get(name, set())) for name, phase in zip(connections.id, connections.phase, strict=True)
    )


def _split(phase: str, said: set[str]) -> str:
    labels = ports_of(phase)
    if phase == "unknown" or len(labels) == 1 or not said or said == {phase}:
        return BALANCED
    only = next(iter(said)) if len(said) == 1 else ""
    return only if only in labels else UNKNOWN
