"""A network of medium and low voltage in parts: each low-voltage part by itself, and the medium voltage between them.

A part is what stands behind distribution transformers at one medium-voltage node, its head. The head is the part's
source; in the medium voltage it is a connection with the part's name. A connection above low voltage is a part of its
own, joined to its head by an impedance of a microohm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from gridmodel.arrays import Complex, Index, Mask
from gridmodel.errors import GridError
from gridmodel.flow.kron import no_load_voltages
from gridmodel.model import admittance as build
from gridmodel.model.equipment import JOINT_OHM, Connection, Equipment, Line, Node, Supply
from gridmodel.model.network import NEUTRAL, Branches, Network, Nodes, Source, Terminals, connect

LOW_VOLTAGE_V = 1_000.0
"""between phases; what is above is medium voltage"""
TURNS = {"a": 1.0, "b": np.exp(-2j * np.pi / 3), "c": np.exp(2j * np.pi / 3)}
OF_PHASES = {frozenset(key.replace("+", "")): key for key in ("a", "b", "c", "a+b", "a+c", "b+c", "abc")}
"""the connection's phase text for the phases of a head"""
JOINT, JOINT_RATING_A = "joint", 1e6
"""id of such an impedance, and a rating that never binds: what is monitored must have a current"""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A network divided at its distribution transformers."""

    medium: Network
    """its connections are the heads of the parts, by the parts' names"""
    low: dict[str, Network]
    """the parts by name: that of their first transformer, or of their connection where they have none"""


class _Cut(NamedTuple):
    """One part in terms of the whole network."""

    name: str
    head: int
    nodes: Index
    """without the head"""
    branches: Index
    connections: Index
    phases: str
    """of the head that its branches stand at"""


def split(network: Network) -> Parts | None:
    """The network in parts; None where no low-voltage part can be cut off.

    Low voltage that is supplied from several medium-voltage nodes can not be cut: it is refused by the name of one of
    its transformers. Low voltage without connections stays with the medium voltage.
    """
    low = math.sqrt(3.0) * network.nodes.nominal_v <= LOW_VOLTAGE_V
    if low[network.source.node] or not low.any():
        return None
    cuts = _cuts(network, low)
    if not cuts:
        return None
    volts = dict(zip(*(part.tolist() for part in no_load_voltages(network)), strict=True))
    head_v = {cut.name: _head_v(network, cut, volts) for cut in cuts}
    joined = {cut.name: _by_a_joint(network, cut, head_v[cut.name]) for cut in cuts if not len(cut.nodes)}
    inner = [cut for cut in cuts if len(cut.nodes)]
    take = _of_admittances if network.equipment is None else _of_equipment
    medium, found = take(network, inner, head_v, _heads(network, cuts))
    return Parts(medium, found | joined)


def _heads(network: Network, cuts: Sequence[_Cut]) -> tuple[Connection, ...]:
    """The parts as connections of the medium voltage."""
    return tuple(Connection(cut.name, network.nodes.id[cut.head], OF_PHASES[frozenset(cut.phases)]) for cut in cuts)


def _cuts(network: Network, low: Mask) -> list[_Cut]:
    label = _labels(network, low)
    ends, crossing = _ends(network, low), _crossing(network, low)
    heads: dict[int, int] = {}
    named: dict[int, str] = {}
    for branch in np.flatnonzero(crossing):
        above, below = ends[branch]
        part = label[min(below)]
        if len(above) != 1 or heads.setdefault(part, min(above)) != min(above):
            who = f"{network.branches.kind[branch]} {network.branches.id[branch]}"
            raise GridError(f"{who}: the low voltage behind it is supplied from several nodes of the medium voltage")
        named.setdefault(part, network.branches.id[branch])
    of_branch = np.array([label[min(below)] if below else -1 for _, below in ends], dtype=np.intp)
    of_connection = label[network.connections.node]
    nodes_of, branches_of, connections_of = (_grouped(values) for values in (label, of_branch, of_connection))
    found: list[_Cut] = []
    for part, head in heads.items():
        if part in connections_of:
            own, phases = branches_of[part], _head_phases(network, head, branches_of[part])
            found.append(_Cut(_free(named[part], found), head, nodes_of[part], own, connections_of[part], phases))
    nothing = np.zeros(0, dtype=np.intp)
    for c in np.flatnonzero(~low[network.connections.node]):
        name, phases = _free(network.connections.id[c], found), _own_phases(network, int(c))
        found.append(_Cut(name, int(network.connections.node[c]), nothing, nothing, np.array([c]), phases))
    return found


def _labels(network: Network, low: Mask) -> Index:
    """(nodes,) number of the low-voltage part that each node stands in, -1 above low voltage."""
    size = len(network.nodes)
    pairs = [(min(below), other) for _, below in _ends(network, low) for other in below]
    rows, columns = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    graph = sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    _, label = sparse.csgraph.connected_components(graph, directed=False)
    return np.where(low, label, -1).astype(np.intp)


def _ends(network: Network, low: Mask) -> list[tuple[set[int], set[int]]]:
    """Per branch, the nodes that it connects above low voltage, and at it."""
    at = network.branches.terminals
    nodes = np.where(at >= 0, network.terminal_node[at], -1)
    return [
        ({n for n in row if n >= 0 and not low[n]}, {n for n in row if n >= 0 and low[n]}) for row in nodes.tolist()
    ]


def _crossing(network: Network, low: Mask) -> Mask:
    return np.array([bool(above) and bool(below) for above, below in _ends(network, low)], dtype=np.bool_)


def _grouped(values: Index) -> dict[int, Index]:
    """Positions of each value."""
    order = np.argsort(values, kind="stable")
    found, starts = np.unique(values[order], return_index=True)
    return dict(zip(found.tolist(), np.split(order, starts[1:]), strict=True))


def _head_phases(network: Network, head: int, branches: Index) -> str:
    at = network.branches.terminals[branches]
    own = np.unique(at[(at >= 0) & (network.terminal_node[at] == head)])
    return "".join(sorted(network.terminal_phase[t] for t in own if network.terminal_phase[t] != NEUTRAL))


def _own_phases(network: Network, connection: int) -> str:
    """Phases of the node of a connection above low voltage."""
    node = network.connections.node[connection]
    return "".join(sorted(p for p in network.nodes.phases[node] if p != NEUTRAL))


def _free(name: str, cuts: Sequence[_Cut]) -> str:
    """A name that no part has."""
    taken = {cut.name for cut in cuts}
    while name in taken:
        name += "'"
    return name


def _head_v(network: Network, cut: _Cut, volts: dict[int, complex]) -> Complex:
    """(3,) V at the head without any load; phases that it does not have are those that it would have."""
    at = {network.terminal_phase[t]: t for t in np.flatnonzero(network.terminal_node == cut.head)}
    known = {p: volts[int(t)] for p, t in at.items() if t in volts and p in TURNS}
    if not known:
        raise GridError(f"node {network.nodes.id[cut.head]}: has no path to the source")
    first, value = next(iter(known.items()))
    return np.array([known.get(p, value / TURNS[first] * turn) for p, turn in TURNS.items()], dtype=np.complex128)


def _by_a_joint(network: Network, cut: _Cut, head_v: Complex) -> Network:
    """A connection above low voltage, next to its head."""
    nodes, connections, (c,) = network.nodes, network.connections, cut.connections
    head, own = nodes.id[cut.head], f"{nodes.id[cut.head]} at {cut.name}"
    volts, phases = float(nodes.nominal_v[cut.head]), nodes.phases[cut.head].replace(NEUTRAL, "")
    count = len(phases)
    z = np.eye(count, dtype=np.complex128) * JOINT_OHM
    line = Line(JOINT, head, own, phases, 0.0, z, np.zeros_like(z), JOINT_RATING_A)
    equipment = Equipment(
        name=cut.name,
        nodes=(Node(head, volts), Node(own, volts, phases)),
        lines=(line,),
        transformers=(),
        supply=Supply(head, head_v),
        connections=(Connection(connections.id[c], own, connections.phase[c]),),
        frequency_hz=network.frequency_hz,
    )
    return _with_own(build.network(equipment), network)


def _with_own(part: Network, whole: Network) -> Network:
    """The part with what the file says about its connections."""
    names = part.connections.id
    own: dict[str, Any] = {}
    for field in ("own_load_va", "own_shape", "own_elements"):
        known = getattr(whole, field)
        own[field] = {name: known[name] for name in names if name in known}
    return replace(part, frequency_hz=whole.frequency_hz, source_file="", **own)


KINDS = {
    "lines": ("from_node", "to_node"),
    "transformers": ("hv_node", "lv_node"),
    "centre_taps": ("hv_node", "lv_node"),
    "capacitors": ("node",),
    "connections": ("node",),
}
"""tables of equipment that belong to a part, and the fields that name their nodes"""


def _of_equipment(
    network: Network, cuts: Sequence[_Cut], head_v: dict[str, Complex], heads: tuple[Connection, ...]
) -> tuple[Network, dict[str, Network]]:
    """The medium voltage and the parts, from what the network is made of."""
    whole = network.equipment
    assert whole is not None
    part_of = {network.nodes.id[n]: cut.name for cut in cuts for n in cut.nodes}
    tables = {kind: _by_part(getattr(whole, kind), ends, part_of) for kind, ends in KINDS.items()}
    tables["nodes"] = _by_part(whole.nodes, ("id",), part_of)
    transformer_part = {t.id: name for name, own in tables["transformers"].items() for t in own}
    regulators: dict[str, list[Any]] = {}
    for regulator in whole.regulators:
        regulators.setdefault(transformer_part.get(regulator.transformer, ""), []).append(regulator)
    tables["regulators"] = regulators
    places = {node.id: node for node in whole.nodes}
    low = {}
    for cut in cuts:
        own: dict[str, Any] = {kind: tuple(table.get(cut.name, ())) for kind, table in tables.items()}
        head = replace(places[network.nodes.id[cut.head]], phases="abc")
        bare = replace(whole, name=cut.name, **own, notes=(), findings=(), other_supplies=(), source_file="")
        supplied = replace(bare, nodes=(head, *own["nodes"]), supply=Supply(head.id, head_v[cut.name]))
        low[cut.name] = _with_own(build.network(supplied), network)
    rest: dict[str, Any] = {kind: tuple(table.get("", ())) for kind, table in tables.items()}
    rest |= {"connections": heads, "own_load_va": {}, "own_elements": {}, "source_file": ""}
    return build.network(replace(whole, **rest)), low


def _by_part(table: Iterable[Any], ends: Sequence[str], part_of: dict[str, str]) -> dict[str, list[Any]]:
    """Elements by the part that one of their nodes is in; "" for those of the medium voltage."""
    found: dict[str, list[Any]] = {}
    for element in table:
        own = next((part_of[node] for end in ends if (node := getattr(element, end)) in part_of), "")
        found.setdefault(own, []).append(element)
    return found


def _of_admittances(
    network: Network, cuts: Sequence[_Cut], head_v: dict[str, Complex], heads: tuple[Connection, ...]
) -> tuple[Network, dict[str, Network]]:
    """The medium voltage and the parts of a network that is known by its admittances only."""
    whole, own_nodes = network.nodes, np.zeros(len(network.nodes), dtype=np.bool_)
    own_branches = np.zeros(len(network.branches), dtype=np.bool_)
    low = {}
    for cut in cuts:
        own_nodes[cut.nodes], own_branches[cut.branches] = True, True
        c = network.connections
        given = [Connection(c.id[k], whole.id[c.node[k]], c.phase[k]) for k in cut.connections]
        nodes = np.append(cut.nodes, cut.head)
        phases = [*(whole.phases[n] for n in cut.nodes), "abc"]
        taken = _Taken(nodes, phases, cut.branches, len(cut.nodes))
        part = _cut_out(network, taken, given)
        source = replace(part.source, v=head_v[cut.name])
        low[cut.name] = _with_own(replace(part, name=cut.name, source=source, circuit_file=""), network)
    rest = np.flatnonzero(~own_nodes)
    kept = [whole.phases[n] for n in rest]
    at = int(np.flatnonzero(rest == network.source.node)[0])
    medium = _cut_out(network, _Taken(rest, kept, np.flatnonzero(~own_branches), at), heads)
    return _with_own(replace(medium, circuit_file=""), network), low


class _Taken(NamedTuple):
    """Some nodes of a network with their phases, the branches between them, and which of them has the source."""

    nodes: Index
    phases: Sequence[str]
    branches: Index
    source: int


def _cut_out(network: Network, taken: _Taken, given: Sequence[Connection]) -> Network:
    """A part of a network with these connections."""
    nodes, phases, branches, at = taken
    whole, terminals = network.nodes, Terminals(phases)
    new = np.full(len(network.terminal_node) + 1, -1, dtype=np.intp)
    first = np.searchsorted(network.terminal_node, nodes)
    for k, (node, start) in enumerate(zip(nodes, first, strict=True)):
        for place, phase in enumerate(whole.phases[node]):
            new[start + place] = terminals.at(k, phase)
    b, position = network.branches, {name: k for k, name in enumerate(nodes.tolist())}
    index = {whole.id[n]: k for k, n in enumerate(nodes)}
    kept = Branches(
        id=tuple(b.id[k] for k in branches),
        kind=tuple(b.kind[k] for k in branches),
        from_node=np.array([position[n] for n in b.from_node[branches].tolist()], dtype=np.intp),
        to_node=np.array([position[n] for n in b.to_node[branches].tolist()], dtype=np.intp),
        terminals=new[b.terminals[branches]],
        y_s=b.y_s[branches],
        rating_a=b.rating_a[branches],
        rated_side=b.rated_side[branches],
        side=b.side[branches],
        third_rating_a=b.third_rating_a[branches],
    )
    return replace(
        network,
        nodes=Nodes(tuple(index), tuple(phases), whole.nominal_v[nodes], whole.x[nodes], whole.y[nodes]),
        branches=kept,
        source=Source(at, np.array(terminals.side(at, "abc"), dtype=np.intp), network.source.v),
        connections=connect(given, index, terminals),
        terminal_node=terminals.node,
        terminal_phase=terminals.phase,
        equipment=None,
    )
