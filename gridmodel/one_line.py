"""A feeder as a one-line diagram: customers, junctions and transformers, and the branches between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridmodel.arrays import Index, Real
from gridmodel.model.network import Network

MOST_NODES = 900
"""with more customers, transformers stand for the customers below them"""


@dataclass(frozen=True, eq=False)
class OneLine:
    """Nodes of the network that are drawn, and the branches between them. K nodes, E edges."""

    node: Index
    """(K,) positions in the network's nodes"""
    place: Real
    """(K, 2) from the source to the right"""
    stands_for: Index
    """(N,) position among the K of the node that stands for each node of the network; -1: none does"""
    ends: Index
    """(E, 2) positions among the K"""
    parts: tuple[tuple[int, ...], ...]
    """(E,) branches of the network in each edge, in series"""


def one_line(network: Network, most_nodes: int = MOST_NODES) -> OneLine:
    """Simplify a feeder: nodes without customers between two branches, and branches without customers, are left out.

    A branch that closes a loop is left out too.
    """
    order, parent, branch = _spanning_tree(network)
    customers = set(network.connections.node.tolist())
    below = _with_customers(order, parent, customers)
    kinds = network.branches.kind
    ends = {int(network.branches.to_node[k]) for k, kind in enumerate(kinds) if kind == "transformer"}
    if len(customers) > most_nodes and ends:
        customers = ends
        below = _with_customers(order, parent, customers)
    kept = _kept(order, parent, below, customers | ends)
    position = {node: k for k, node in enumerate(kept)}
    stands_for = np.full(len(network.nodes), -1, dtype=np.intp)
    edges: list[tuple[int, int]] = []
    parts: list[tuple[int, ...]] = []
    through: dict[int, tuple[int, ...]] = {order[0]: ()}
    for node in order:
        if node != order[0]:
            through[node] = (() if parent[node] in position else through[parent[node]]) + (branch[node],)
        if node in position:
            stands_for[node] = position[node]
            if node != order[0]:
                edges.append((int(stands_for[parent[node]]), position[node]))
                parts.append(through[node])
        else:
            stands_for[node] = stands_for[parent[node]]
    return OneLine(
        node=np.array(kept, dtype=np.intp),
        place=_places([-1, *(start for start, _ in edges)]),
        stands_for=stands_for,
        ends=np.array(edges, dtype=np.intp).reshape(-1, 2),
        parts=tuple(parts),
    )


def _spanning_tree(network: Network) -> tuple[list[int], dict[int, int], dict[int, int]]:
    """Nodes from the source outwards, the node before each, and the branch from there."""
    neighbours: dict[int, list[tuple[int, int]]] = {}
    for k, (a, b) in enumerate(zip(network.branches.from_node, network.branches.to_node, strict=True)):
        neighbours.setdefault(int(a), []).append((int(b), k))
        neighbours.setdefault(int(b), []).append((int(a), k))
    start = network.source.node
    order, parent, branch = [start], {start: start}, {start: -1}
    for node in order:
        for other, k in neighbours.get(node, []):
            if other not in parent:
                parent[other], branch[other] = node, k
                order.append(other)
    return order, parent, branch


def _with_customers(order: list[int], parent: dict[int, int], customers: set[int]) -> set[int]:
    """Nodes at which, or beyond which, there are customers."""
    found: set[int] = set()
    for node in reversed(order):
        if node in customers or node in found:
            found.add(node)
            found.add(parent[node])
    return found


def _kept(order: list[int], parent: dict[int, int], below: set[int], always: set[int]) -> list[int]:
    """Nodes that are drawn: the source, those that are always, and those at which the way parts."""
    ways: dict[int, int] = {}
    for node in order[1:]:
        if node in below:
            ways[parent[node]] = ways.get(parent[node], 0) + 1
    return [node for node in order if node == order[0] or (node in below and (node in always or ways.get(node, 0) > 1))]


def _places(parent: list[int]) -> Real:
    """Depth to the right, one row per leaf; a node with several after it stands in the middle of them.

    parent: of each node the position of the one before it, -1 for the source; a parent comes before its children.
    """
    children: list[list[int]] = [[] for _ in parent]
    depth = np.zeros(len(parent))
    for k, before in enumerate(parent):
        if before >= 0:
            children[before].append(k)
            depth[k] = depth[before] + 1
    row, leaf, waiting = np.zeros(len(parent)), 0, [0]
    while waiting:
        k = waiting.pop()
        waiting += reversed(children[k])
        if not children[k]:
            row[k], leaf = leaf, leaf + 1
    for k in reversed(range(len(parent))):
        if children[k]:
            row[k] = np.mean(row[children[k]])
    return np.stack([depth, row], axis=1)
