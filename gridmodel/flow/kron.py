"""Node elimination: what every port, watched voltage and watched current sees of the ports' currents.

With currents i (L,) injected at the ports and source voltages e (3,):

    port voltages     v = Z i + W e          V, phase-to-neutral (or across the port's two terminals)
    node voltages     u = Zn i + Wn e        V, phase-to-neutral
    branch currents   c = H i + Hw e         A, into the branch at its rated side

Exact for a linear network: nothing is approximated, nodes that inject nothing are eliminated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from gridmodel.arrays import Complex, Index, Mask, Real
from gridmodel.errors import GridError
from gridmodel.model.network import NEUTRAL, Network

CHARGING_SHARE = 1e-3  # both ends of a branch are watched when charging exceeds this share of the rating
FLOATING_OHM = 1e7  # no feeder has so high an impedance: what is left of a singular matrix after rounding
FLOATING = "a part of the network has no path to earth"


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """Where voltages and currents are watched: N node phases, B branch phases."""

    network: Network
    node_terminal: Index
    """(N,) terminal of each watched voltage, which is taken to the node's neutral conductor where it has one"""
    current_branch: Index
    """(B,) branch of each watched current"""
    current_phase: tuple[str, ...]
    """(B,)"""
    current_side: Index
    """(B,) 0 from side, 1 to side, 2 third winding"""
    rating_a: Real
    """(B,) A"""

    @property
    def node_nominal_v(self) -> Real:
        """(N,) V phase-to-neutral."""
        return self.network.terminal_nominal_v[self.node_terminal]

    @property
    def voltage_names(self) -> tuple[str, ...]:
        """(N,) such as "node n12, phase b"."""
        return tuple(self.network.terminal_name(int(t)) for t in self.node_terminal)

    @property
    def current_names(self) -> tuple[str, ...]:
        """(B,) such as "line L23, phase b"."""
        branches = self.network.branches
        return tuple(
            f"{branches.kind[k]} {branches.id[k]}, phase {phase}"
            for k, phase in zip(self.current_branch, self.current_phase, strict=True)
        )

    def voltages_at_connections(self) -> Index:
        """Positions among the watched voltages of the node phases where customers are connected."""
        ends = np.concatenate([self.network.connections.port_plus, self.network.connections.port_minus])
        return np.flatnonzero(np.isin(self.node_terminal, ends[ends >= 0]))

    def at_connections(self) -> Watched:
        """The same with voltages watched where customers are connected only."""
        at = self.voltages_at_connections()
        currents = (self.current_branch, self.current_phase, self.current_side, self.rating_a)
        return Watched(self.network, self.node_terminal[at], *currents)


@dataclass(frozen=True, slots=True, eq=False)
class Reduced(Watched):
    """The network as its ports see it. L ports, N watched node phases, B watched branch phases."""

    Z: Complex
    """(L, L) ohm"""
    W: Complex
    """(L, 3) V per V of the source"""
    nominal_v: Real
    """(L,) V across the port"""
    Zn: Complex
    """(N, L) ohm"""
    Wn: Complex
    """(N, 3)"""
    H: Complex
    """(B, L) A per A"""
    Hw: Complex
    """(B, 3) A per V of the source"""

    @property
    def ports(self) -> int:
        """Number of ports, L."""
        return len(self.Z)

    @property
    def identity(self) -> Complex:
        """Values that differ between networks that behave differently."""
        return self.Z

    @property
    def port_names(self) -> tuple[str, ...]:
        """(L,) such as "f0_c7, phase b"."""
        return self.network.connections.port_names

    def no_load(self, source_v: Complex | None = None) -> Complex:
        """(S, L) port voltages without any injection; source_v is (3,) or (S, 3), default the network's own."""
        return sources(self.network, source_v) @ self.W.T

    def watching(self, voltages: Index | Mask | None = None, currents: Index | Mask | None = None) -> Reduced:
        """The same with only these rows watched (positions or masks; None keeps all)."""
        rows: dict[str, Any] = {}
        if voltages is not None:
            rows |= {name: getattr(self, name)[voltages] for name in ("Zn", "Wn", "node_terminal")}
        if currents is not None:
            kept = np.arange(len(self.H))[currents]
            rows |= {
                name: getattr(self, name)[kept] for name in ("H", "Hw", "current_branch", "current_side", "rating_a")
            }
            rows["current_phase"] = tuple(self.current_phase[k] for k in kept)
        return replace(self, **rows)


def sources(network: Network, source_v: Complex | None) -> Complex:
    """(1 or S, 3) source voltages, V."""
    given = network.source.v if source_v is None else source_v
    found = np.atleast_2d(np.asarray(given, dtype=np.complex128))
    if found.shape[1:] != (3,):
        raise GridError(f"source voltages have shape {found.shape}; expected (3,) or (scenarios, 3)")
    return found


def admittance(network: Network) -> sparse.csc_matrix:
    """(T, T) node admittance matrix over terminals, S."""
    size = len(network.terminal_node)
    at = network.branches.terminals
    rows = np.broadcast_to(at[:, :, None], network.branches.y_s.shape)
    columns = np.broadcast_to(at[:, None, :], network.branches.y_s.shape)
    used = (rows >= 0) & (columns >= 0) & (network.branches.y_s != 0)
    return sparse.csc_matrix((network.branches.y_s[used], (rows[used], columns[used])), shape=(size, size))


def energised(network: Network, y: sparse.csc_matrix | None = None) -> Mask:
    """(T,) whether a terminal has a path to the source."""
    pattern = abs(admittance(network) if y is None else y)
    _, label = sparse.csgraph.connected_components(pattern, directed=False)
    return np.isin(label, label[network.source.terminals])


def reduce(network: Network) -> Reduced:
    """Eliminates every node that injects nothing; watches all energised node phases and all rated branch phases."""
    y = admittance(network)
    live = energised(network, y)
    refuse_dead_ports(network, live)
    z, w = _solve(network, y, live, incidence(network))
    watched, rows, back = watched_of(network, live)
    spread, nodes = incidence(network), watched.node_terminal
    to_neutral = (back >= 0)[:, None]
    return Reduced(
        network=network,
        node_terminal=nodes,
        current_branch=watched.current_branch,
        current_phase=watched.current_phase,
        current_side=watched.current_side,
        rating_a=watched.rating_a,
        Z=np.ascontiguousarray(spread.T @ z),
        W=np.ascontiguousarray(spread.T @ w),
        nominal_v=port_nominal_v(network),
        Zn=z[nodes] - np.where(to_neutral, z[back], 0.0) if to_neutral.any() else z[nodes],
        Wn=w[nodes] - np.where(to_neutral, w[back], 0.0) if to_neutral.any() else w[nodes],
        H=rows @ z,
        Hw=rows @ w,
    )


def watched_of(network: Network, live: Mask) -> tuple[Watched, sparse.csr_matrix, Index]:
    """All energised node phases and rated branch phases, (B, T) current rows, (N,) neutral terminals or -1."""
    phases = np.array([phase != NEUTRAL for phase in network.terminal_phase], dtype=np.bool_)
    nodes = np.flatnonzero(live & phases)
    rows, currents = _current_rows(network, live)
    return Watched(network=network, node_terminal=nodes, **currents), rows, network.neutral_terminal[nodes]


def port_nominal_v(network: Network) -> Real:
    """(L,) nominal voltage across each port, V."""
    return network.terminal_nominal_v[network.connections.port_plus] * _across(network)


def _across(network: Network) -> Real:
    """(L,) nominal voltage across a port over its phase-to-neutral voltage."""
    factor = {"ab": np.sqrt(3.0), "bc": np.sqrt(3.0), "ca": np.sqrt(3.0), "12": 2.0}
    return np.array([factor.get(label, 1.0) for label in network.connections.port_phase], dtype=np.float64)


def refuse_dead_ports(network: Network, live: Mask) -> None:
    """Refuse connections without a path to the source; live: (T,) terminals that have one."""
    dead = ~live[network.connections.port_plus]
    if dead.any():
        names = [network.connections.port_names[k] for k in np.flatnonzero(dead)[:5]]
        raise GridError(f"{int(dead.sum())} connections have no path to the source: {'; '.join(names)}")


def incidence(network: Network) -> sparse.csc_matrix:
    """(T, L) +1 where a port's current enters, -1 where it returns."""
    connections = network.connections
    ports = np.arange(len(connections.port_plus))
    back = connections.port_minus >= 0
    rows = np.concatenate([connections.port_plus, connections.port_minus[back]])
    columns = np.concatenate([ports, ports[back]])
    values = np.concatenate([np.ones(len(ports)), -np.ones(int(back.sum()))])
    return sparse.csc_matrix((values, (rows, columns)), shape=(len(network.terminal_node), len(ports)))


def no_load_voltages(network: Network) -> tuple[Index, Complex]:
    """(terminals, V at each) of all energised phases without any injection; refuses what `reduce` refuses.

    Three right-hand sides instead of one per port, and one more that tells a part without a path to earth.
    """
    y = admittance(network)
    live = energised(network, y)
    refuse_dead_ports(network, live)
    every = incidence(network) @ np.ones((len(network.connections.port_plus), 1))
    _, w = _solve(network, y, live, sparse.csc_matrix(every))
    phases = np.array([phase != NEUTRAL for phase in network.terminal_phase], dtype=np.bool_)
    terminals = np.flatnonzero(live & phases)
    back = network.neutral_terminal[terminals]
    v = w @ network.source.v
    return terminals, np.asarray(v[terminals] - np.where(back >= 0, v[back], 0.0))


def _solve(network: Network, y: sparse.csc_matrix, live: Mask, spread: sparse.csc_matrix) -> tuple[Complex, Complex]:
    """Voltages at all terminals (T, .) per column of `spread` (T, .) of currents, and per source voltage (T, 3)."""
    size, fixed = y.shape[0], network.source.terminals
    free = live.copy()
    free[fixed] = False
    inner = np.flatnonzero(free)
    z = np.zeros((size, spread.shape[1]), dtype=np.complex128)
    w = np.zeros((size, 3), dtype=np.complex128)
    w[fixed] = np.eye(3)
    if len(inner):
        right = sparse.hstack([spread[inner].astype(np.complex128), -y[inner][:, fixed]]).toarray()
        try:
            solved = splu(y[inner][:, inner].tocsc()).solve(right)
        except RuntimeError as e:
            raise GridError(f"the admittance matrix is singular: {FLOATING}") from e
        if not np.abs(solved).max(initial=0.0) < FLOATING_OHM:
            worst = int(np.abs(solved).max(axis=1).argmax())
            raise GridError(f"{network.terminal_name(int(inner[worst]))}: {FLOATING}")
        z[inner], w[inner] = solved[:, :-3], solved[:, -3:]
    return z, w


def _current_rows(network: Network, live: Mask) -> tuple[sparse.csr_matrix, dict[str, Any]]:
    """Rows (B, T) giving each watched current from terminal voltages, and what each row is."""
    branches = network.branches
    branch, place = np.nonzero(_watched_places(network, live))
    at = branches.terminals[branch]
    values = branches.y_s[branch, place]
    used = at >= 0
    row = np.broadcast_to(np.arange(len(branch))[:, None], at.shape)
    size = (len(branch), len(network.terminal_node))
    rows = sparse.csr_matrix((values[used], (row[used], at[used])), shape=size)
    own = branches.terminals[branch, place]
    return rows, {
        "current_branch": branch,
        "current_phase": tuple(network.terminal_phase[t] for t in own),
        "current_side": branches.side[branch, place],
        "rating_a": np.where(
            branches.side[branch, place] < 2, branches.rating_a[branch], branches.third_rating_a[branch]
        ),
    }


def _watched_places(network: Network, live: Mask) -> Mask:
    """(B, P) which terminals of which branches carry a watched current."""
    branches = network.branches
    exists = (branches.terminals >= 0) & live[branches.terminals] & np.isfinite(branches.rating_a)[:, None]
    side = branches.side
    nominal = np.where(exists, network.terminal_nominal_v[branches.terminals], 0.0)
    # What flows in at nominal balanced voltage and does not come out: the charging current of a line.
    charging_a = np.abs(branches.y_s.sum(axis=2)) * nominal
    line = np.array([kind == "line" for kind in branches.kind])
    both = line & (charging_a.max(axis=1, initial=0.0) > CHARGING_SHARE * branches.rating_a)
    third = (side == 2) & np.isfinite(branches.third_rating_a)[:, None]
    return np.asarray(exists & ((side == branches.rated_side[:, None]) | both[:, None] | third))
