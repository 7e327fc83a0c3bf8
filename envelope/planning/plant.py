"""A new plant in a network: its connection, those ahead of it in the queue, and reinforced branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from envelope.field_rules import BadProblem
from gridmodel.arrays import Index, Real
from gridmodel.model.equipment import Connection
from gridmodel.model.network import NEUTRAL, Network, Terminals, connect

SIZES_VA = tuple(1e3 * kva for kva in (25, 50, 63, 100, 160, 200, 250, 315, 400, 500, 630, 800, 1000, 1250, 1600, 2000))
"""ratings of distribution transformers, IEC 60076 and common practice (general knowledge)"""
LARGER = 1.5
"""rating of the next one over the present one, beyond the largest"""


class Direction(StrEnum):
    """Direction that is limited."""

    EXPORT = "export"
    IMPORT = "import"

    @property
    def sign(self) -> float:
        """Of an injection into the network."""
        return 1.0 if self is Direction.EXPORT else -1.0


@dataclass(frozen=True)
class Plant:
    """A plant with its own connection."""

    name: str
    node: str
    size_w: float
    phases: str = ""
    """empty: all that the node has"""

    def connection(self, network: Network) -> Connection:
        """Its connection in a network; refuses a node that is unknown."""
        if self.node not in network.nodes.id:
            names = network.nodes.id
            raise BadProblem(f"--node: {network.name} has no node {self.node!r}; such are {', '.join(names[:5])}")
        if self.name in network.connections.id:
            raise BadProblem(f"--name: {self.name!r} is a connection of {network.name} already")
        return Connection(self.name, self.node, self.phases or _all_of(network, self.node))


def _all_of(network: Network, node: str) -> str:
    """Phase text of a connection at all phases of a node."""
    phases = network.nodes.phases[network.nodes.id.index(node)]
    plain = phases.replace(NEUTRAL, "")
    neutral = NEUTRAL if NEUTRAL in phases else ""
    if plain in ("abc", "12") or len(plain) == 1:
        return plain if plain == "12" else f"{plain}{neutral}"
    return "+".join(f"{one}{neutral}" for one in plain)


def with_plants(network: Network, plants: Sequence[Plant]) -> Network:
    """The network with a further connection for each plant, after its own."""
    own, nodes = network.connections, network.nodes
    given = [Connection(own.id[k], nodes.id[own.node[k]], own.phase[k]) for k in range(len(own))]
    given += [plant.connection(network) for plant in plants]
    if len({one.id for one in given}) < len(given):
        raise BadProblem("--queue: two plants have the same name")
    index = {name: k for k, name in enumerate(nodes.id)}
    found = replace(network, connections=connect(given, index, Terminals(nodes.phases)))
    if network.equipment is None:
        return found
    return replace(found, equipment=replace(network.equipment, connections=tuple(given)))


class Reinforcement(NamedTuple):
    """Branches of a network that get a larger rating and a lower impedance."""

    what: str
    branches: Index
    factor: float

    def of(self, network: Network) -> Network:
        """The network with it."""
        branches = network.branches
        scale: Real = np.ones(len(branches))
        scale[self.branches] = self.factor
        made = replace(branches, y_s=branches.y_s * scale[:, None, None], rating_a=branches.rating_a * scale)
        # Lines and transformers no longer say what the admittances do.
        return replace(network, branches=made, equipment=None, circuit_file="", source_file="")


def reinforcements(network: Network, node: str) -> list[Reinforcement]:
    """A second cable along the way from the nearest transformer, and the next size of each transformer on the way."""
    path = path_to(network, node)
    kinds = [network.branches.kind[k] for k in path]
    found = []
    near = path[max((k + 1 for k, kind in enumerate(kinds) if kind == "transformer"), default=0) :]
    lines = np.array([k for k in near if network.branches.kind[k] == "line"], dtype=np.intp)
    if len(lines):
        ends = f"{network.branches.id[lines[0]]} to {network.branches.id[lines[-1]]}"
        found.append(Reinforcement(f"a second cable beside {len(lines)} lines, {ends}", lines, 2.0))
    for k in path:
        if network.branches.kind[k] == "transformer":
            at = np.array([k], dtype=np.intp)
            name = network.branches.id[k]
            size_va = _size_va(network, k)
            factor = next((size / size_va for size in SIZES_VA if size > 1.01 * size_va), LARGER)
            found.append(Reinforcement(f"transformer {name}: {factor * size_va / 1e3:.0f} kVA", at, factor))
    return found


def _size_va(network: Network, branch: int) -> float:
    """Rating of a transformer: as its equipment states, or by its rated current."""
    stated_va = rated_va(network, network.branches.id[branch])
    if stated_va is not None:
        return stated_va
    side = network.branches.rated_side[branch]
    node = network.branches.to_node[branch] if side else network.branches.from_node[branch]
    return float(3.0 * network.branches.rating_a[branch] * network.nodes.nominal_v[node])


def rated_va(network: Network, transformer: str) -> float | None:
    """Rating of a transformer, VA; None where the network is known by its admittances only."""
    equipment = network.equipment
    if equipment is None:
        return None
    known = {one.id: one.s_rated_va for one in equipment.transformers}
    return (known | {one.id: one.s_rated_va for one in equipment.centre_taps}).get(transformer)


def path_to(network: Network, node: str) -> list[int]:
    """Branches on the way from the source to a node, in this order."""
    neighbours: dict[int, list[tuple[int, int]]] = {}
    for k, (a, b) in enumerate(zip(network.branches.from_node, network.branches.to_node, strict=True)):
        neighbours.setdefault(int(a), []).append((int(b), k))
        neighbours.setdefault(int(b), []).append((int(a), k))
    came = {network.source.node: (-1, -1)}
    order = [network.source.node]
    for one in order:
        for other, branch in neighbours.get(one, []):
            if other not in came:
                came[other] = (one, branch)
                order.append(other)
    at, found = network.nodes.id.index(node), list[int]()
    while came.get(at, (-1, -1))[0] >= 0:
        at, branch = came[at]
        found.append(branch)
    return found[::-1]
