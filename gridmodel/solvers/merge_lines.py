"""The same feeder with fewer nodes: lines in series joined, dead ends left out; exact where lines have no charging."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from gridmodel.model.equipment import Equipment, Line


@dataclass(frozen=True, slots=True, eq=False)
class Condensed:
    """What is left of a feeder, and where its lines went."""

    equipment: Equipment
    part_of: dict[str, str]
    """per closed line that can carry current: the line that it is now part of"""


def condensed(equipment: Equipment, kept: Collection[str]) -> Condensed:
    """Leaves out the nodes that are not kept where nothing stands and at most two lines meet."""
    needed = {equipment.supply.node, *(connection.node for connection in equipment.connections), *kept}
    needed |= {node for t in equipment.transformers for node in (t.hv_node, t.lv_node)}
    needed |= {node for t in equipment.centre_taps for node in (t.hv_node, t.lv_node)}
    needed |= {capacitor.node for capacitor in equipment.capacitors if capacitor.closed}
    left = _Left(equipment)
    todo = [node.id for node in equipment.nodes if node.id not in needed]
    while todo:
        todo += [node for node in left.leave_out(todo.pop()) if node not in needed]
    nodes = tuple(node for node in equipment.nodes if node.id in left.at)
    part_of = {line.id: left.now(line.id) for line in equipment.lines}
    found = replace(equipment, nodes=nodes, lines=tuple(left.lines.values()))
    return Condensed(found, {name: now for name, now in part_of.items() if now in left.lines})


class _Left:
    """The closed lines that are left, and which of them end at each node."""

    def __init__(self, equipment: Equipment) -> None:
        self.lines = {line.id: line for line in equipment.lines if all(line.closed)}
        self.joined: dict[str, str] = {}
        self.at: dict[str, set[str]] = {node.id: set() for node in equipment.nodes}
        for line in self.lines.values():
            for node in (line.from_node, line.to_node):
                self.at[node].add(line.id)

    def now(self, name: str) -> str:
        """The line that a line is part of."""
        while name in self.joined:
            name = self.joined[name]
        return name

    def leave_out(self, node: str) -> list[str]:
        """Removes a node if that changes nothing elsewhere; names the node where a dead end began."""
        here = [self.lines[name] for name in sorted(self.at.get(node, ()))]
        far = [line.to_node if line.from_node == node else line.from_node for line in here]
        alike = len({line.phases for line in here}) <= 1 and not any(np.any(line.b_s) for line in here)
        if len(here) > 2 or not alike or len(set(far)) < len(far) or node in far:
            return []
        self.at.pop(node, None)
        for line, end in zip(here, far, strict=True):
            del self.lines[line.id]
            self.at[end].discard(line.id)
        if len(here) == 2:
            self._join(here[0], here[1], far)
            return []
        return far

    def _join(self, first: Line, second: Line, ends: list[str]) -> None:
        """Two lines in series as one."""
        self.joined[second.id] = first.id
        for end in ends:
            self.at[end].add(first.id)
        self.lines[first.id] = replace(
            first,
            from_node=ends[0],
            to_node=ends[1],
            length_m=first.length_m + second.length_m,
            z_ohm=first.series_ohm + second.series_ohm,
            rating_a=float(np.fmin(first.rating_a, second.rating_a)),
        )
