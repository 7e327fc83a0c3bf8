"""A problem on a network that is calculated in parts: which networks are, and the problem of each part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from envelope.field_rules import BadProblem
from envelope.problem.groups import GroupLimit
from envelope.problem.problem import Problem
from envelope.problem.reactive import AsForecast
from gridmodel.arrays import Complex, Index
from gridmodel.errors import GridError
from gridmodel.flow.kron import Reduced, reduce
from gridmodel.flow.parts import Parts, split
from gridmodel.flow.sparse_flow import SparseFlow
from gridmodel.model.network import Network

MOST_PORTS = 600
"""of a network that is calculated as one; its arrays grow with the square, and its time faster"""
OF_ALL = ("reduced", "limits", "source_v", "step_start", "groups")
BY_STEP = ("ceiling_import_w", "ceiling_export_w", "weight_import", "weight_export")
"""fields that are the whole network's, and those that may have one value per step"""


@dataclass(frozen=True, slots=True, eq=False)
class Divided(Reduced):
    """A network that is calculated in parts: where it is watched, and the parts; its matrices are empty."""

    parts: Parts

    @property
    def identity(self) -> Complex:
        """Values that differ between networks that behave differently."""
        return np.concatenate([self.network.branches.y_s.ravel(), self.network.source.v])


def parts_of(network: Network) -> Parts | None:
    """The network in parts, where it has so many ports that it is divided and at least two parts; None otherwise."""
    if len(network.connections.port_plus) <= MOST_PORTS:
        return None
    try:
        parts = split(network)
    except GridError:
        # Low voltage that is supplied from several places is calculated as one.
        return None
    return parts if parts is not None and len(parts.low) > 1 else None


def reduced_of(network: Network) -> Reduced:
    """The network as a problem takes it: reduced to its ports, or in parts."""
    parts = parts_of(network)
    return reduce(network) if parts is None else watched_whole(network, parts)


def watched_whole(network: Network, parts: Parts) -> Divided:
    """The network, watched wherever a limit may bind."""
    watched, nothing = SparseFlow(network).watched, np.zeros((0, 0), dtype=np.complex128)
    return Divided(
        network, watched.node_terminal, watched.current_branch, watched.current_phase, watched.current_side,
        watched.rating_a, Z=nothing, W=nothing, nominal_v=np.zeros(0), Zn=nothing, Wn=nothing, H=nothing, Hw=nothing,
        parts=parts,
    )  # fmt: skip


def problems_of(problem: Problem) -> dict[str, Problem]:
    """The problem of each part by its name; BadProblem for what is not possible in parts."""
    assert isinstance(problem.reduced, Divided)
    parts = problem.reduced.parts
    _refuse(problem, len(parts.low))
    place = {name: k for k, name in enumerate(problem.connection_id)}
    found = {}
    for name, network in parts.low.items():
        at = np.array([place[own] for own in network.connections.id], dtype=np.intp)
        found[name] = _part_of(problem, reduce(network), at)
    return found


def _refuse(problem: Problem, count: int) -> None:
    what = {
        "margins": bool(problem.margins),
        "reactive": type(problem.reactive) is not AsForecast,
        "limits.transformer_factor": np.ndim(problem.limits.transformer_factor) > 0,
        "declared_share": problem.declared_share is not None,
    }
    for name, is_given in what.items():
        if is_given:
            raise BadProblem(f"{name}: the network is calculated in {count} low-voltage parts; this is for one of them")


def _part_of(problem: Problem, reduced: Reduced, at: Index) -> Problem:
    """The problem of the connections at these positions; the voltage at its head is the medium voltage's affair."""
    count, new = len(problem.connection_id), dict[str, Any]()
    for f in fields(problem):
        value = getattr(problem, f.name)
        if f.init and f.name not in OF_ALL and not (f.name in BY_STEP and np.ndim(value) == 1):
            new[f.name] = _of(value, at, count)
    own = set(reduced.network.connections.id)
    groups = tuple(group for group in problem.groups if own.issuperset(_members(group, own)))
    paths = new.pop("scenarios")
    paths = None if paths is None else replace(paths, source_v=None)
    return replace(problem, reduced=reduced, source_v=None, groups=groups, scenarios=paths, **new)


def _members(group: GroupLimit, own: set[str]) -> Sequence[str]:
    """The members of a group that is within a part or apart from it; BadProblem where it is across parts."""
    inside = [name for name in group.connections if name in own]
    if inside and len(inside) < len(group.connections):
        raise BadProblem(f"groups: {group.name}: its connections are in several low-voltage parts of the network")
    return group.connections


def _of(value: Any, at: Index, count: int) -> Any:
    """A value of some connections: arrays by their last axis, sequences of strings by their length."""
    if isinstance(value, np.ndarray):
        return value[..., at] if value.ndim and value.shape[-1] == count else value
    if isinstance(value, list | tuple) and len(value) == count and all(isinstance(one, str) for one in value):
        return tuple(value[k] for k in at)
    if is_dataclass(value) and not isinstance(value, type):
        mine: Mapping[str, Any] = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
        new = {name: one if name == "source_v" else _of(one, at, count) for name, one in mine.items()}
        changed = {name: one for name, one in new.items() if one is not mine[name]}
        return replace(value, **changed) if changed else value
    return value
