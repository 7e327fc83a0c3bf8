"""A network of medium and low voltage of any size: its low-voltage parts calculated one by one, and made to agree.

What couples the parts is the voltage at their heads, which `coordinate` settles, and the branches of the medium
voltage: where all parts together would overload one, the sum of those behind it is limited and shared out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from envelope.engine import calculate
from envelope.medium_voltage.coordination import Coordination, coordinate
from envelope.medium_voltage.head_voltage import MediumVoltage
from envelope.medium_voltage.operator_limits import OperatorLimit
from envelope.problem import OperatingLimits, Problem
from envelope.schedule import Binding, EnvelopeSchedule, verified_box
from gridmodel.arrays import Index, Mask
from gridmodel.model.devices import SITE
from gridmodel.model.network import Network

RELIEFS = 4
"""calculations with limits for branches that the parts together would overload"""
SPARE = 0.02
"""part of a branch's rating that such a limit leaves free, as it bounds a sum and not the current of each phase"""


@dataclass(frozen=True, eq=False)
class WholeNetwork:
    """A network in parts, with a problem for each."""

    network: Network
    medium: MediumVoltage
    problems: Mapping[str, Problem]

    @property
    def limits(self) -> OperatingLimits:
        """The limits of its parts, with a band for the voltage of every connection."""
        nodes, at = self.network.nodes, self.network.connections.node
        levels = {float(nodes.nominal_v[n]): f"node {nodes.id[n]}" for n in at}
        return next(iter(self.problems.values())).limits.at_levels(levels)


def calculate_whole(whole: WholeNetwork, stage: Callable[[str], None] = lambda _: None) -> Coordination:
    """Envelopes of all parts, with head voltages and branches of the medium voltage inside their limits."""
    count, done = len(whole.problems), 0

    def solve(problem: Problem) -> EnvelopeSchedule:
        nonlocal done
        stage(f"calculating: round {done // count + 1}, part {done % count + 1} of {count}")
        done += 1
        return calculate(problem)

    medium, known = whole.medium, dict[str, OperatorLimit]()
    for _ in range(RELIEFS):
        found = coordinate(medium, whole.problems, solve=solve)
        more = _reliefs(medium.network, found, known)
        if not more:
            break
        known |= more
        medium = replace(whole.medium, limits=(*whole.medium.limits, *known.values()))
        done = 0
    return found


def _reliefs(medium: Network, found: Coordination, known: Mapping[str, OperatorLimit]) -> dict[str, OperatorLimit]:
    """Limits on the sums behind overloaded branches, each in proportion to what overloads it."""
    limits = {}
    for name, loading in found.loading.items():
        feeders = _behind(medium, name, found.schedules)
        if loading <= 1.0 or not feeders:
            continue
        part = (1.0 - SPARE) / loading
        sums = [verified_box(found.problems[feeder], found.schedules[feeder]) for feeder in feeders]
        draw = -np.sum([lo.sum(axis=1) for lo, _ in sums], axis=0)
        feed = np.sum([hi.sum(axis=1) for _, hi in sums], axis=0)
        # The same in both directions: which of them overloads the branch may differ by step.
        most = part * float(max(draw.max(), feed.max()))
        before = known.get(name)
        if before is not None:
            most = min(most, part * float(np.max(before.max_import_w)))
        limits[name] = OperatorLimit(name, feeders, max_import_w=most, max_export_w=most)
    return limits


def _behind(medium: Network, name: str, feeders: Iterable[str]) -> tuple[str, ...]:
    """Feeders that a branch alone connects to the source."""
    branches = medium.branches
    kept = np.array([f"{kind} {own}" != name for kind, own in zip(branches.kind, branches.id, strict=True)])
    size = len(medium.nodes)
    pairs = branches.from_node[kept], branches.to_node[kept]
    graph = sparse.coo_matrix((np.ones(int(kept.sum())), pairs), shape=(size, size))
    _, label = sparse.csgraph.connected_components(graph, directed=False)
    reached = label[medium.connections.node] == label[medium.source.node]
    wanted = set(feeders)
    return tuple(
        feeder for feeder, ok in zip(medium.connections.id, reached, strict=True) if not ok and feeder in wanted
    )


def schedule_of(network: Network, found: Coordination) -> EnvelopeSchedule:
    """The limits of all parts as one schedule, in the order of the network's connections."""
    parts = list(found.schedules.values())
    names = [name for part in parts for name in part.connection_id]
    place = {name: k for k, name in enumerate(names)}
    order = np.array([place[name] for name in network.connections.id if name in place], dtype=np.intp)
    first = parts[0]

    def wide(field: str) -> Any:
        return np.concatenate([np.atleast_1d(getattr(part, field)) for part in parts], axis=-1)[..., order]

    tables: dict[str, Any] = {field: wide(field) for field in TABLES}
    offsets = np.cumsum([0, *(len(part.names) for part in parts)])
    return replace(
        first,
        **tables,
        connection_id=tuple(names[k] for k in order),
        control_point=_control_points(parts, order),
        double_counted=_double_counted(parts, order),
        import_least_w=None if first.import_least_w is None else wide("import_least_w"),
        export_least_w=None if first.export_least_w is None else wide("export_least_w"),
        reactive=None,
        names=tuple(name for part in parts for name in part.names),
        import_binding=_bindings([part.import_binding for part in parts], offsets, order),
        export_binding=_bindings([part.export_binding for part in parts], offsets, order),
        run_id=_run_id(parts),
        figures=_figures(parts, len(found.rounds)),
        findings=(f"{len(parts)} parts: {found.sentence()}", *found.findings),
        infeasibility=tuple(box for part in parts for box in part.infeasibility),
        firm_corners=(),
    )


def of_connections(schedule: EnvelopeSchedule, at: Index) -> EnvelopeSchedule:
    """The limits of some connections, by their positions."""
    optional = ("import_least_w", "export_least_w", "double_counted")
    fields = (*TABLES, *(name for name in optional if getattr(schedule, name) is not None))
    points, columns = schedule.control_point, {name: getattr(schedule, name)[..., at] for name in fields}
    own: dict[str, Any] = {
        name: Binding(binding.row[:, at], binding.interval[:, at])
        for name, binding in (("import_binding", schedule.import_binding), ("export_binding", schedule.export_binding))
    }
    return replace(
        schedule,
        **columns,
        **own,
        connection_id=tuple(schedule.connection_id[k] for k in at),
        control_point=None if points is None else tuple(points[k] for k in at),
        reactive=None,
        infeasibility=(),
    )


def _control_points(parts: list[EnvelopeSchedule], order: Index) -> tuple[str, ...] | None:
    if all(part.control_point is None for part in parts):
        return None
    points = [point for part in parts for point in part.control_point or (SITE,) * len(part.connection_id)]
    return tuple(points[k] for k in order)


def _double_counted(parts: list[EnvelopeSchedule], order: Index) -> Mask | None:
    if all(part.double_counted is None for part in parts):
        return None
    nothing = [np.zeros(len(part.connection_id), dtype=bool) for part in parts]
    said = [none if (own := part.double_counted) is None else own for part, none in zip(parts, nothing, strict=True)]
    return np.asarray(np.concatenate(said)[order])


TABLES = (
    "import_limit_w", "export_limit_w", "gen_limit_w", "load_limit_w", "firm_import_w", "firm_export_w",
    "default_import_w", "default_export_w", "import_room_w", "export_room_w", "import_reach_w", "export_reach_w",
    "status",
)  # fmt: skip
"""fields of a schedule with a column per connection"""


def _bindings(parts: list[Binding], offsets: Index, order: Index) -> Binding:
    rows = [np.where(b.row >= 0, b.row + first, b.row) for b, first in zip(parts, offsets[:-1], strict=True)]
    return Binding(
        np.concatenate(rows, axis=1)[:, order], np.concatenate([b.interval for b in parts], axis=1)[:, order]
    )


def _run_id(parts: list[EnvelopeSchedule]) -> str:
    return hashlib.sha256(" ".join(part.run_id for part in parts).encode()).hexdigest()[:16]


def _figures(parts: list[EnvelopeSchedule], rounds: int) -> dict[str, float]:
    sums = {key: sum(part.figures[key] for part in parts) for key in ("solves", "seconds", "scaled_down_steps")}
    return {**sums, "rounds": float(rounds), "parts": float(len(parts))}
