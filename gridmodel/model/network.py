"""The feeder in arrays: nodes, branches, the source and the customers' connections.

Everything electrical happens between *terminals*: one terminal is one phase of one node. A branch is a block of
primitive admittance between up to three terminals at its `from` side and three at its `to` side, so that a line, a
three-phase transformer and a centre-tapped service transformer are the same thing to the power flow.
Units are SI: V phase-to-neutral, A, S (siemens), VA. Injections are positive into the network (export positive).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gridmodel.arrays import Complex, Index, Real
from gridmodel.errors import GridError
from gridmodel.model.equipment import Connection, Equipment

SIDE = 3  # terminals per side of a branch

# How a connection's phase text becomes slots: (label, plus phase, minus phase or "" for neutral).
SLOT_PHASES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "a": (("a", "a", ""),),
    "b": (("b", "b", ""),),
    "c": (("c", "c", ""),),
    "abc": (("a", "a", ""), ("b", "b", ""), ("c", "c", "")),
    "ab": (("ab", "a", "b"),),
    "bc": (("bc", "b", "c"),),
    "ca": (("ca", "c", "a"),),
    "delta": (("ab", "a", "b"), ("bc", "b", "c"), ("ca", "c", "a")),
    "1": (("1", "1", ""),),
    "2": (("2", "2", ""),),
    "12": (("12", "1", "2"),),
    "split": (("1", "1", ""), ("2", "2", ""), ("12", "1", "2")),
    "unknown": (("a", "a", ""), ("b", "b", ""), ("c", "c", "")),
}


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
    """(B, 6) terminal per side and phase: from 0..2, to 3..5; -1 where there is none"""
    y_s: Complex
    """(B, 6, 6) primitive admittance, S; rows and columns of absent terminals are zero"""
    rating_a: Real
    """(B,) permitted current per phase, A; NaN when unrated"""
    rated_side: Index
    """(B,) side the rating belongs to: 0 from, 1 to (transformers: low voltage)"""

    def __len__(self) -> int:
        return len(self.id)

    @classmethod
    def of(
        cls, rows: Sequence[tuple[str, str, int, int, float, int]], at: Sequence[list[int]], y_s: Sequence[Complex]
    ) -> Branches:
        """Branches from (id, kind, from, to, rating, rated side), six terminals and an admittance matrix each."""
        return cls(
            id=tuple(r[0] for r in rows),
            kind=tuple(r[1] for r in rows),
            from_node=np.array([r[2] for r in rows], dtype=np.intp),
            to_node=np.array([r[3] for r in rows], dtype=np.intp),
            terminals=np.array(at, dtype=np.intp).reshape(-1, 2 * SIDE),
            y_s=np.array(y_s, dtype=np.complex128).reshape(-1, 2 * SIDE, 2 * SIDE),
            rating_a=np.array([r[4] for r in rows], dtype=np.float64),
            rated_side=np.array([r[5] for r in rows], dtype=np.intp),
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
    """Customers' points in the network and the slots at which they inject.

    A slot is one pair of terminals: phase to neutral, phase to phase, or half a split-phase service. A single-phase
    connection has one slot, a three-phase one has three; a connection whose phase is "unknown" has the three
    hypotheses as slots (only one of them is real).
    """

    id: tuple[str, ...]
    node: Index
    """(C,)"""
    phase: tuple[str, ...]
    """as given: a key of SLOT_PHASES"""
    slot_connection: Index
    """(L,) position of the connection a slot belongs to"""
    slot_phase: tuple[str, ...]
    """(L,) "a", "b", "c", "ab", "bc", "ca", "1", "2" or "12" """
    slot_plus: Index
    slot_minus: Index
    """(L,) terminals; minus is -1 for neutral"""

    def __len__(self) -> int:
        return len(self.id)

    @property
    def slot_names(self) -> tuple[str, ...]:
        """(L,) such as "f0_c7, phase b"."""
        return tuple(
            f"{self.id[c]}, phase {phase}" for c, phase in zip(self.slot_connection, self.slot_phase, strict=True)
        )


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

    @property
    def terminal_nominal_v(self) -> Real:
        """(T,) phase-to-neutral, V."""
        return self.nodes.nominal_v[self.terminal_node]

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
    """Connections with their slots; refuses a node that is unknown and a phase that the node does not have."""
    slots: list[tuple[int, str, int, int]] = []
    for position, c in enumerate(given):
        if c.phase not in SLOT_PHASES:
            raise GridError(f"connection {c.id}: phase {c.phase!r} is none of {', '.join(SLOT_PHASES)}")
        if c.node not in index:
            raise GridError(f"connection {c.id}: node {c.node} is not in the network")
        for label, plus, minus in SLOT_PHASES[c.phase]:
            at = [terminals.at(index[c.node], phase) for phase in plus + minus]
            if min(at) < 0:
                raise GridError(f"connection {c.id}: node {c.node} has no phase {plus}{minus}")
            slots.append((position, label, at[0], at[1] if minus else -1))
    return Connections(
        id=tuple(c.id for c in given),
        node=np.array([index[c.node] for c in given], dtype=np.intp),
        phase=tuple(c.phase for c in given),
        slot_connection=np.array([s[0] for s in slots], dtype=np.intp),
        slot_phase=tuple(s[1] for s in slots),
        slot_plus=np.array([s[2] for s in slots], dtype=np.intp),
        slot_minus=np.array([s[3] for s in slots], dtype=np.intp),
    )
