"""Small feeders for tests, built without any file."""

import math

import numpy as np

from gridmodel.model.admittance import network, sequence_matrix
from gridmodel.model.equipment import Connection, Equipment, Line, Node, Supply, Transformer
from gridmodel.model.network import Network
from gridmodel.readers.pandapower import balanced

V = 230.0
Z1, Z0 = 0.32 + 0.08j, 1.2 + 0.1j  # ohm per km


def line(name: str, start: str, end: str, phases: str = "abc", length_m: float = 100.0, **changes) -> Line:
    size = len(phases)
    whole = sequence_matrix(Z0, Z1)[:size, :size] * length_m / 1e3
    given = {"z_ohm": whole, "b_s": np.zeros((size, size), dtype=np.complex128), "rating_a": 200.0} | changes
    return Line(id=name, from_node=start, to_node=end, phases=phases, length_m=length_m, **given)


def equipment(nodes, lines, connections, transformers=(), supply=None) -> Equipment:
    return Equipment(
        name="test",
        nodes=tuple(nodes),
        lines=tuple(lines),
        transformers=tuple(transformers),
        supply=supply or Supply(nodes[0].id, balanced(V)),
        connections=tuple(Connection(*c) for c in connections),
    )


def two_bus(phase: str = "a", **changes) -> Network:
    """A source, one line, one customer."""
    phases = "abc" if phase in {"abc", "delta", "unknown"} else phase
    nodes = [Node("source", V), Node("end", V, phases)]
    return network(equipment(nodes, [line("L1", "source", "end", phases, 200.0, **changes)], [("c1", "end", phase)]))


def transformer(**changes) -> Transformer:
    given = {
        "id": "T1",
        "hv_node": "mv",
        "lv_node": "lv0",
        "s_rated_va": 200e3,
        "hv_v": 11_000.0,
        "lv_v": 400.0,
        "z1_pu": 0.01 + 0.038j,
        "z0_pu": 0.01 + 0.036j,
    }
    return Transformer(**(given | changes))


def radial_equipment(customers: int, seed: int = 0, **changes) -> Equipment:
    """A transformer and a random tree of cables; every node but the first has a customer on a random phase."""
    rng = np.random.default_rng(seed)
    nodes = [Node("mv", 11_000 / math.sqrt(3))] + [Node(f"lv{k}", 400 / math.sqrt(3)) for k in range(customers + 1)]
    parents = [0] + [int(rng.integers(max(0, k - 4), k)) for k in range(1, customers + 1)]
    lines = [
        line(f"L{k}", f"lv{parents[k]}", f"lv{k}", length_m=float(rng.uniform(10, 50))) for k in range(1, customers + 1)
    ]
    connections = [(f"c{k}", f"lv{k}", "abc"[int(rng.integers(3))]) for k in range(1, customers + 1)]
    supply = Supply("mv", balanced(11_000 / math.sqrt(3)), 0.05 + 0.5j, 0.05 + 0.5j)
    return equipment(nodes, lines, connections, [transformer(**changes)], supply)


def radial(customers: int, seed: int = 0, **changes) -> Network:
    return network(radial_equipment(customers, seed, **changes))
