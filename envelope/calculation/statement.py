"""Statements of a schedule: its guarantee with all assumptions, control status, and the range of vars counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envelope.constraints.base_case import FILLING
from envelope.constraints.formulation import Formulation
from envelope.problem import Direction, Problem, ProblemSide
from envelope.problem.phase_split import BALANCED, UNKNOWN, ports_of
from envelope.schedule.codes import BREACHED, STATUS
from gridmodel.arrays import Real, Watts


def guarantee_statement(problem: Problem, formulation: Formulation) -> str:
    """The guarantee with everything that it rests on, such as "two-sided | base within 3 sigma"."""
    said = [_with_declaration(problem), formulation.paths.said, *(reserve.said() for reserve in formulation.reserves)]
    said += [problem.reactive.said, _uncontrolled(problem), _of_chargers(problem), _balanced(problem)]
    return " | ".join(dict.fromkeys(filter(None, said)))


def allocation_statement(problem: Problem) -> str:
    """The allocation, with the part of its max-min share that each connection gets at least."""
    floor = 0.0 if problem.allocation in FILLING else problem.max_min_floor
    return f"{problem.allocation}, floor {floor:g}" if floor else str(problem.allocation)


def _with_declaration(problem: Problem) -> str:
    """The guarantee's name, and for a declared band its condition and the engineer who turned it on."""
    if problem.declared_share is None:
        return str(problem.guarantee)
    edge = f"{100.0 * problem.declared_share:g} % of what its limit and the sun let it feed"
    holds = f"holds as long as no home's generation falls below {edge} while its neighbours' does not"
    return f"{problem.guarantee}({problem.declared_share:g}) turned on by {problem.declared_by}: {holds}"


def _uncontrolled(problem: Problem) -> str:
    """Name the directions that are counted in full because they cannot be limited."""
    sides = (problem.side(direction) for direction in (Direction.IMPORT, Direction.EXPORT))
    which = [side.direction for side in sides if side.flexible[:, ~side.controlled].any()]
    return f"uncontrolled {' and '.join(which)} in full" if which else ""


def _of_chargers(problem: Problem) -> str:
    """Whether import is limited as load of chargers, which leaves the homes around them without a limit."""
    return "chargers within limits of load beside their homes' own demand" if problem.is_charger.any() else ""


def _balanced(problem: Problem) -> str:
    """Whether flexible power of a connection with several phases is taken as balanced."""
    connections = problem.reduced.network.connections
    split = (BALANCED,) * len(connections) if problem.flex_split is None else problem.flex_split
    can = np.any((problem.flex_gen_w > 0.0) | (problem.flex_load_w > 0.0), axis=0).tolist()
    pairs = zip(connections.phase, split, can, strict=True)
    even = [p for p, s, c in pairs if c and s == BALANCED and p not in (UNKNOWN, "split") and len(ports_of(p)) > 1]
    return "three-phase power balanced" if even else ""


def control_status(imports: ProblemSide, exports: ProblemSide, status: NDArray[np.int8]) -> NDArray[np.int8]:
    """(T, C) status, with connections that cannot be sent a limit; a breach has precedence."""
    no_import, no_export = (~side.controlled & side.flexible for side in (imports, exports))
    found = np.where(no_import & no_export, STATUS.index("no_control"), 0)
    found = np.where(no_import & ~no_export, STATUS.index("no_import_control"), found)
    found = np.where(no_export & ~no_import, STATUS.index("no_export_control"), found)
    breached = (status > 0) & (status <= BREACHED)
    return np.where(breached | (found == 0), status, found).astype(np.int8)


def reactive_range(problem: Problem, formulation: Formulation, export_room_w: Real) -> tuple[Watts, Watts]:
    """(T, C) and (T, C) least and most var that were counted at each connection, produced positive, rounded outward."""
    policy, count, power = problem.reactive, len(problem.connection_id), formulation.disturbances.power
    fixed = policy.constant_var(count) - problem.base_load_var
    follows = -policy.tan_phi_of(count) * export_room_w
    least = fixed + np.minimum(follows, 0.0) + power.lo_var - power.response_var
    most = fixed + np.maximum(follows, 0.0) + power.hi_var + power.response_var
    return np.floor(least + 1e-6).astype(np.int64), np.ceil(most - 1e-6).astype(np.int64)
