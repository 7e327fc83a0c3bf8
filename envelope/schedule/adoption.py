"""The box that was verified: what clients may hold while they take up new limits."""

from __future__ import annotations

import numpy as np

from envelope.problem import Direction, Problem
from envelope.problem.own_bands import own_end_w
from envelope.schedule.schedule import EnvelopeSchedule
from gridmodel.arrays import Real


def verified_box(problem: Problem, schedule: EnvelopeSchedule) -> tuple[Real, Real]:
    """(T, C) lowest and highest net injection over the hull of states in between, within capacity and own bands.

    The hull spans each interval's own limits, those in force within one adoption time before it, and the defaults.
    Where a tightening is published `adoption_s` early, no client holds more than an interval's own limit once it
    begins: what is published at any moment is the least over the adoption time that follows it.
    """
    return -_farthest_w(problem, schedule, Direction.IMPORT), _farthest_w(problem, schedule, Direction.EXPORT)


def settled_box(problem: Problem, schedule: EnvelopeSchedule) -> tuple[Real, Real]:
    """(T, C) lowest and highest net injection once all clients have taken up an interval's own limits, or defaults."""
    found = []
    for direction in (Direction.IMPORT, Direction.EXPORT):
        side = schedule.side(direction)
        kept_w = np.maximum(schedule.kept_limit_w(direction), side.default_w).astype(float)
        found.append(_within_capacity_w(problem, direction, kept_w))
    return -found[0], found[1]


def _farthest_w(problem: Problem, schedule: EnvelopeSchedule, direction: Direction) -> Real:
    """(T, C) most net power of any client in each interval, positive in the direction."""
    return _within_capacity_w(problem, direction, _loosest_w(problem, schedule, direction))


def _within_capacity_w(problem: Problem, direction: Direction, most: Real) -> Real:
    """(T, C) most net power of clients that hold these (T, C) limits, positive in the direction."""
    asked, base_w = problem.side(direction), own_end_w(problem, direction)
    most[:, ~asked.controlled] = np.inf
    most = most + asked.beside_w
    return np.maximum(np.where(asked.flexible, np.minimum(most, asked.capacity_w), base_w), base_w)


def _loosest_w(problem: Problem, schedule: EnvelopeSchedule, direction: Direction) -> Real:
    """(T, C) loosest limit that any client may keep in each interval."""
    side, held = schedule.side(direction), problem.side(direction).in_force_w
    own: Real = schedule.kept_limit_w(direction).astype(float)
    if not problem.steps_ahead:
        # A limit at capacity need not be adopted early: capacity bounds whatever is held.
        own = np.where(side.binding.is_network, own, np.inf)
    loosest: Real = np.maximum(own, side.default_w)
    for back in range(1, min(problem.steps_ahead, len(own) - 1) + 1):
        loosest[back:] = np.maximum(loosest[back:], own[:-back])
    if held is not None:
        loosest[: problem.in_force_steps] = np.maximum(loosest[: problem.in_force_steps], held)
    return loosest
