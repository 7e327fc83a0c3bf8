"""How far two networks of the same names are apart."""

from __future__ import annotations

import numpy as np

from gridmodel.flow.kron import admittance
from gridmodel.model.network import Network


def greatest_difference(first: Network, second: Network) -> float:
    """Greatest difference of nodal admittances over the larger own admittance of their two terminals.

    Infinite where nodes, phases, connections or the sources' voltages are not the same.
    """
    names = [[n.terminal_name(t) for t in range(len(n.terminal_node))] for n in (first, second)]
    if sorted(names[0]) != sorted(names[1]) or set(_connections(first)) != set(_connections(second)):
        return float("inf")
    if not np.allclose(first.source.v, second.source.v, rtol=1e-9):
        return float("inf")
    place = {name: k for k, name in enumerate(names[1])}
    order = [place[name] for name in names[0]]
    a, b = admittance(first).tocsr(), admittance(second).tocsr()[order][:, order]
    difference = (a - b).tocoo()
    own = np.abs(a.diagonal())
    scale = np.maximum(own[difference.row], own[difference.col])
    return float((np.abs(difference.data) / np.where(scale > 0, scale, 1.0)).max(initial=0.0))


def _connections(network: Network) -> list[tuple[str, str, str]]:
    c = network.connections
    return [(c.id[k], network.nodes.id[c.node[k]], c.phase[k]) for k in range(len(c))]
