"""The feeder in arrays: nodes, branches, the source and the customers' connections.

Everything electrical happens between *terminals*: one terminal is one phase of one node, or its neutral conductor. A
branch is a block of primitive admittance between its terminals: up to three at its `from` side, three at its `to` side
and, where a network has them, further ones for a neutral conductor or a third winding. So a line, a transformer and a
centre-tapped service transformer are the same thing to the power flow.
Units are SI: V phase-to-neutral, A, S (siemens), VA. Injections are positive into the network (export positive).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gridmodel.arrays import Complex, Index, Real
from gridmodel.errors import GridError
from gridmodel.model.equipment import Connection, Equipment

SIDE = 3  # terminals per side of a branch, before further ones
NEUTRAL = "n"
"""phase of a terminal that is a neutral conductor of its own"""


def _ports(*pairs: str) -> tuple[tuple[str, str, str], ...]:
    """Ports between phases such as "a", "ab" (between two phases) or "an" (to the neutral conductor)."""
    return tuple((pair, pair[0], pair[1:]) for pair in pairs)


# How a connection's phase text becomes ports: (label, plus phase, minus phase or "" for earth).
PORT_PHASES: dict[str, tuple[tuple[str, str, str], ...]] = {
    **{one: _ports(one) for one in ("a", "b", "c", "ab", "bc", "ca", "1", "2", "12")},
    "abc": _ports("a", "b", "c"),
    "delta": _ports("ab", "bc", "ca"),
    "split": _ports("1", "2", "12"),
    "unknown": _ports("a", "b", "c"),
    # two phases to earth, and an open delta
    **{f"{x}+{y}": _ports(x, y) for x, y in ("ab", "ac", "bc", "12")},
    **{f"{x}+{y}": _ports(x, y) for x, y in (("ab", "bc"), ("ab", "ca"), ("bc", "ca"))},
    # to a neutral conductor that is not at earth
    **{one: _ports(one) for one in ("an", "bn", "cn", "1n", "2n")},
    **{f"{x}n+{y}n": _ports(f"{x}n", f"{y}n") for x, y in ("ab", "ac", "bc", "12")},
    "abcn": _ports("an", "bn", "cn"),
}
PHASE_OF_PORTS = {tuple(sorted(port[0] for port in ports)): phase for phase, ports in reversed(PORT_PHASES.items())}
"""the phase text of a set of port labels, in order"""


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """Nodes in order: id, phases ("abc", "a", "12" on split-phase secondaries), nominal voltage, place."""

    id: tuple[str, ...]
    phases: tuple[str, ...]
    nominal_v: Real
    """(N,) phase-to-neutral, V"""
    x: Real
    y: Real
    """(N,) place in any planar system; NaN when unknown"""

    def __len__(self) -> int:
        return len(self.id)


class Further(NamedTuple):
    """Places of a branch after the sixth."""

    sides: Sequence[int]
    third_rating_a: float


@dataclass(frozen=True, slots=True, eq=False)
class Branches:
    """Lines, transformers and the source impedance as primitive phase admittances."""

    id: tuple[str, ...]
    kind: tuple[str, ...]
    """"line", "transformer", "switch" or "source" """
    from_node: Index
    to_node: Index
    """(B,) positions in Nodes; a transformer's `to` side is its low-voltage side"""
    terminals: Index
    """(B, P) terminal per place, -1 where there is none: places 0..2 are the from side, 3..5 the to side; P is 6, or
    more where a branch has neutral conductors or a third winding"""
    y_s: Complex
    """(B, P, P) primitive admittance, S; rows and columns of absent terminals are zero"""
    rating_a: Real
    """(B,) permitted current per phase, A; NaN when unrated"""
    rated_side: Index
    """(B,) side the rating belongs to: 0 from, 1 to (transformers: low voltage)"""
    side: Index
    """(B, P) side of each place: 0 from, 1 to, 2 third winding"""
    third_rating_a: Real
    """(B,) permitted current per phase of a third winding, A; NaN where there is none"""

    def __len__(self) -> int:
        return len(self.id)

    @classmethod
    def of(
        cls,
        rows: Sequence[tuple[str, str, int, int, float, int]],
        at: Sequence[list[int]],
        y_s: Sequence[Complex],
        further: Mapping[int, Further] | None = None,
    ) -> Branches:
        """Branches from (id, kind, from, to, rating, rated side), terminals and an admittance matrix each.

        further: by row, the sides of the places after the sixth and the rating of a third winding.
        """
        width = max([2 * SIDE, *map(len, at)])
        side = np.tile(np.minimum(np.arange(width) // SIDE, 1), (len(rows), 1))
        third = np.full(len(rows), np.nan)
        for row, (sides, rating_a) in (further or {}).items():
            side[row, 2 * SIDE : 2 * SIDE + len(sides)], third[row] = sides, rating_a
        wide = [np.pad(y, (0, width - len(y))) if len(y) < width else y for y in y_s]
        at = [[*places, *[-1] * (width - len(places))] for places in at]
        return cls(
            id=tuple(r[0] for r in rows),
            kind=tuple(r[1] for r in rows),
            from_node=np.array([r[2] for r in rows], dtype=np.intp),
            to_node=np.array([r[3] for r in rows], dtype=np.intp),
            terminals=np.array(at, dtype=np.intp).reshape(-1, width),
            y_s=np.array(wide, dtype=np.complex128).reshape(-1, width, width),
            rating_a=np.array([r[4] for r in rows], dtype=np.float64),
            rated_side=np.array([r[5] for r in rows], dtype=np.intp),
            side=side.astype(np.intp),
            third_rating_a=third,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The stiff voltage behind the feeder: its node and its phase voltages."""

    node: int
    terminals: Index
    """(3,) terminals of phases a, b, c"""
    v: Complex
    """(3,) phase-to-neutral, V; the default where a power flow is not told otherwise"""


@dataclass(frozen=True, slots=True, eq=False)
class Connections:
    """Customers' points in the network and the ports at which they inject.

    A port is one pair of terminals: phase to neutral, phase to phase, or half a split-phase service. A single-phase
    connection has one port, a three-phase one has three; a connection whose phase is "unknown" has the three
    hypotheses as ports (only one of them is real).
    """

    id: tuple[str, ...]
    node: Index
    """(C,)"""
    phase: tuple[str, ...]
    """as given: a key of PORT_PHASES"""
    port_connection: Index
    """(L,) position of the connection a port belongs to"""
    port_phase: tuple[str, ...]
    """(L,) "a", "b", "c", "ab", "bc", "ca", "1", "2", "12", or to a neutral conductor "an", "bn", "cn", "1n", "2n" """
    port_plus: Index
    port_minus: Index
    """(L,) terminals; minus is -1 for earth"""

    def __len__(self) -> int:
        return len(self.id)

    @property
    def port_names(self) -> tuple[str, ...]:
        """(L,) such as "f0_c7, phase b"."""
        return tuple(
            f"{self.id[c]}, phase {phase}" for c, phase in zip(self.port_connection, self.port_phase, strict=True)
        )


class OwnShape(NamedTuple):
    """A load shape: multipliers of a load by even intervals."""

    step_s: float
    multipliers: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """One feeder: what stands where and how it is connected. Frozen; every array is read-only by convention."""

    name: str
    nodes: Nodes
    branches: Branches
    source: Source
    connections: Connections
    terminal_node: Index
    """(T,) node of each terminal"""
    terminal_phase: tuple[str, ...]
    """(T,)"""
    equipment: Equipment | None = field(default=None, repr=False)
    """the same network as lines and transformers with their parameters; None when only admittances are known"""
    frequency_hz: float = 50.0
    circuit_file: str = ""
    """the OpenDSS circuit that it was read from, if any"""
    circuit_folder: str = ""
    """the folder that the circuit's files may come from; empty for that of the circuit"""
    circuit_files: tuple[str, ...] = field(default=(), repr=False)
    """the circuit and all files that it names"""
    source_file: str = ""
    """the file with `own_elements`: an OpenDSS circuit or a pandapower network; empty where there is none"""
    own_elements: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """per connection, what it is called in the file that it was read from: "load.h1", or a table and a row"""
    own_load_va: Mapping[str, complex] = field(default_factory=dict, repr=False)
    """per connection, what it takes by the file itself, consumption positive, VA"""
    own_shape: Mapping[str, OwnShape] = field(default_factory=dict, repr=False)
    """per connection, the daily load shape that the file gives it"""

    @property
    def terminal_nominal_v(self) -> Real:
        """(T,) phase-to-neutral, V."""
        return self.nodes.nominal_v[self.terminal_node]

    @property
    def neutral_terminal(self) -> Index:
        """(T,) the neutral conductor's terminal at the node of each phase terminal; -1 where the neutral is earth."""
        neutral = {int(n): t for t, n in enumerate(self.terminal_node) if self.terminal_phase[t] == NEUTRAL}
        own = [
            -1 if phase == NEUTRAL else neutral.get(int(n), -1)
            for n, phase in zip(self.terminal_node, self.terminal_phase, strict=True)
        ]
        return np.array(own, dtype=np.intp)

    def terminal_name(self, terminal: int) -> str:
        """Such as "node n12, phase b"."""
        return f"node {self.nodes.id[self.terminal_node[terminal]]}, phase {self.terminal_phase[terminal]}"


class Terminals:
    """Numbers the phases of every node, in node order."""

    def __init__(self, phases: Sequence[str]) -> None:
        self.node = np.array([n for n, text in enumerate(phases) for _ in text], dtype=np.intp)
        self.phase = tuple(phase for text in phases for phase in text)
        self._at = {(int(n), phase): t for t, (n, phase) in enumerate(zip(self.node, self.phase, strict=True))}

    def at(self, node: int, phase: str) -> int:
        """Terminal of a node's phase, or -1."""
        return self._at.get((node, phase), -1)

    def side(self, node: int, phases: str) -> list[int]:
        """Up to three terminals of one side of a branch, -1 in unused places."""
        found = [self.at(node, phase) for phase in phases]
        return found + [-1] * (SIDE - len(found))


def connect(given: Sequence[Connection], index: Mapping[str, int], terminals: Terminals) -> Connections:
    """Connections with their ports; refuses a node that is unknown and a phase that the node does not have."""
    ports: list[tuple[int, str, int, int]] = []
    for position, c in enumerate(given):
        if c.phase not in PORT_PHASES:
            raise GridError(f"connection {c.id}: phase {c.phase!r} is none of {', '.join(PORT_PHASES)}")
        if c.node not in index:
            raise GridError(f"connection {c.id}: node {c.node} is not in the network")
        for label, plus, minus in PORT_PHASES[c.phase]:
            at = [terminals.at(index[c.node], phase) for phase in plus + minus]
            if min(at) < 0:
                raise GridError(f"connection {c.id}: node {c.node} has no phase {plus}{minus}")
            ports.append((position, label, at[0], at[1] if minus else -1))
    return Connections(
        id=tuple(c.id for c in given),
        node=np.array([index[c.node] for c in given], dtype=np.intp),
        phase=tuple(c.phase for c in given),
        port_connection=np.array([s[0] for s in ports], dtype=np.intp),
        port_phase=tuple(s[1] for s in ports),
        port_plus=np.array([s[2] for s in ports], dtype=np.intp),
        port_minus=np.array([s[3] for s in ports], dtype=np.intp),
    )
