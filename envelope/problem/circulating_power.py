"""Power that may circulate between the phases of a connection, which no net limit bounds.

5 kW fed on one phase and 5 kW drawn from another are nothing at the meter. Where the phases of a connection's devices
are not known, as much as it can both feed and draw may circulate, whatever its limits say. All of it is counted.
"""

from __future__ import annotations

import numpy as np

from envelope.problem.phase_split import UNKNOWN, ports_of
from envelope.problem.problem import Problem
from gridmodel.arrays import Mask, Real


def circulates(problem: Problem) -> Mask:
    """(C,) connections whose devices may feed on one phase what they draw on another: several phases, split unknown."""
    connections = problem.reduced.network.connections
    if problem.flex_split is None:
        return np.zeros(len(connections), dtype=bool)
    several = [phase != "unknown" and len(ports_of(phase)) > 1 for phase in connections.phase]
    return np.asarray(np.array(several, dtype=bool) & (np.asarray(problem.flex_split) == UNKNOWN))


def simultaneous_w(problem: Problem) -> Real:
    """(T, C) what a connection can feed and draw at the same time, unseen by its meter."""
    return np.minimum(problem.flex_gen_w, problem.flex_load_w)


def circulating_w(problem: Problem) -> Real:
    """(T, C) W that may circulate between the phases of a connection."""
    return np.asarray(simultaneous_w(problem) * circulates(problem))


def capacity_used_w(problem: Problem) -> Real:
    """(T, C) the part of circulating power that a connection's capacity beyond it no longer has.

    Who feeds 10 kW at most, 4 kW of them for a load behind the same meter, exports 6 kW at most. Members of a group
    keep their whole capacity: the group's sum does not see what circulates.
    """
    members = {name for group in problem.groups for name in group.connections}
    alone = np.array([name not in members for name in problem.connection_id], dtype=bool)
    return np.asarray(circulating_w(problem) * alone)
