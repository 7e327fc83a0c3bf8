"""Phases that a part of a feeder has and that no line brings there: the line that leaves them out, by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gridmodel.model.equipment import Equipment, Line
from gridmodel.model.findings import Finding

PHASES = "abc"


class _At(NamedTuple):
    node: str
    phase: str


def of_equipment(equipment: Equipment) -> Iterator[Finding]:
    """A warning per line beyond which phases go on that it does not carry.

    A power flow then fails, as these conductors hang on nothing but on what their neighbours induce in them.
    """
    beside: dict[_At, set[_At]] = defaultdict(set)
    for line in equipment.lines:
        if all(line.closed):
            for phase in _phases(line):
                one, other = _At(line.from_node, phase), _At(line.to_node, phase)
                beside[one].add(other)
                beside[other].add(one)
    fed = _reached(beside, _supplied(equipment))
    for line in equipment.lines:
        if (lost := _lost(line, beside, fed)) and all(line.closed):
            nodes = sorted({at.node for at in lost})
            phases = ", ".join(sorted({at.phase for at in lost}))
            detail = f"carries {_phases(line)}: phase {phases} of {' and '.join(nodes)} has no supply"
            yield Finding("warning", "open_phase", f"line {line.id}", "phases", detail)


def _phases(line: Line) -> str:
    return "".join(phase for phase in PHASES if phase in line.phases)


def _supplied(equipment: Equipment) -> Iterable[_At]:
    supplies = (equipment.supply, *equipment.other_supplies)
    nodes = [supply.node for supply in supplies]
    nodes += [t.lv_node for t in equipment.transformers] + [t.lv_node for t in equipment.centre_taps]
    return [_At(node, phase) for node in nodes for phase in PHASES]


def _reached(beside: dict[_At, set[_At]], since: Iterable[_At]) -> set[_At]:
    found, open_ends = set(since), list(since)
    while open_ends:
        new = beside.get(open_ends.pop(), set()) - found
        found |= new
        open_ends += new
    return found


def _lost(line: Line, beside: dict[_At, set[_At]], fed: set[_At]) -> list[_At]:
    """The conductors at one end of the line that go on without supply, while the other end has it."""
    found = []
    for phase in PHASES:
        ends = [_At(node, phase) for node in (line.from_node, line.to_node)]
        if phase not in line.phases and (ends[0] in fed) != (ends[1] in fed):
            found += [end for end in ends if end in beside and end not in fed]
    return found
