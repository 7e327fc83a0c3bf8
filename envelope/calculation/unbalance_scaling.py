"""Headroom scaled down, interval by interval, until voltage unbalance is inside its limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from envelope.calculation.feasible_box import DirectedBox
from envelope.constraints.formulation import Formulation
from envelope.constraints.unbalance import Corner, Unbalance, every_corner
from envelope.problem import Direction
from envelope.problem.guarantees import GuaranteedBox
from envelope.schedule import Binding
from envelope.schedule.codes import NETWORK
from gridmodel.arrays import Index, Mask, Real

AIM, ENOUGH = 0.985, 0.995
"""part of the limit that a box is brought to, and that it may use; the rest is for corners that are not tried"""
CLOSE, NEAR = 40, 6
"""corners tried per interval for a smaller headroom, and while its largest part is sought"""
HALVINGS, LAST = 8, 6
"""of the interval in which it is looked for; rounds with all close corners thereafter"""


class Scaling(NamedTuple):
    """(T,) each."""

    scaled: Mask
    """intervals whose headroom were scaled down"""
    closed: Mask
    """intervals without any: there the base load alone, or the firm minimum, is beyond the limit"""


def scale_for_unbalance(formulation: Formulation, cases: Sequence[DirectedBox]) -> Scaling:
    """Scale the boxes' headroom down, interval by interval, until unbalance is inside its limit."""
    scaled, closed = np.zeros(formulation.steps, dtype=bool), np.zeros(formulation.steps, dtype=bool)
    if formulation.vuf_max_percent is None:
        return Scaling(scaled, closed)
    for case in cases:
        fit, steps = case.fit, np.arange(formulation.steps)
        box = GuaranteedBox(fit.base.lo_w, fit.base.hi_w, case.directions)
        unbalance = Unbalance(formulation, fit.base, formulation.paths.of_box(box))
        if not len(unbalance.nodes):
            continue
        corners = _of_case(unbalance.corners(), case)
        over = unbalance.beyond(corners, (fit.lo_w, fit.hi_w), steps, every_corner(corners, steps)) + unbalance.spare(
            ENOUGH
        )
        steps = np.flatnonzero(over.max(axis=0) > 0.0)
        part = _largest(unbalance, corners, case, steps, over=over[:, steps])
        granted = fit.base.ends.granted_w[steps]
        fit.set_offsets(steps, granted + part[:, None] * (fit.offset_w[steps] - granted))
        scaled[steps], closed[steps[part == 0.0]] = True, True
    return Scaling(scaled, closed)


def _of_case(corners: list[Corner], case: DirectedBox) -> list[Corner]:
    """Without repetition where only one end of the box moves."""
    if len(case.directions) > 1:
        return corners
    exports = Direction.EXPORT in case.directions
    return list({(up if exports else down).tobytes(): (kind, up, down) for kind, up, down in corners}.values())


def _box(case: DirectedBox, steps: Index, part: Real) -> tuple[Real, Real]:
    """(S, C) ends with this part of each interval's headroom."""
    fit, base = case.fit, case.fit.base
    lo, hi = (granted + part[:, None] * (end - granted) for granted, end in (
        (base.lo_w[steps], fit.lo_w[steps]), (base.hi_w[steps], fit.hi_w[steps])))  # fmt: skip
    return lo, hi


def _largest(unbalance: Unbalance, corners: list[Corner], case: DirectedBox, steps: Index, *, over: Real) -> Real:
    """(S,) largest part of the headroom found to be inside; 0 where nothing is. `over`: (n, S) at the whole."""
    part = np.ones(len(steps))
    # A smaller headroom is strained most by one of the corners that strained the whole one.
    close = np.argsort(-over, axis=0, kind="stable")[:CLOSE]
    over = np.take_along_axis(over, close, axis=0)
    for _ in range(LAST):
        still = np.flatnonzero((over.max(axis=0, initial=-np.inf) > 0.0) & (part > 0.0))
        if not len(still):
            return part
        near = np.take_along_axis(close[:, still], np.argsort(-over[:, still], axis=0, kind="stable")[:NEAR], axis=0)
        part[still] = _halved(unbalance, corners, case, steps[still], near=near, high=part[still])
        box = _box(case, steps[still], part[still])
        over[:, still] = unbalance.beyond(corners, box, steps[still], close[:, still]) + unbalance.spare(ENOUGH)
    part[over.max(axis=0, initial=-np.inf) > 0.0] = 0.0
    return part


def _halved(
    unbalance: Unbalance, corners: list[Corner], case: DirectedBox, steps: Index, *, near: Index, high: Real
) -> Real:
    """(S,) largest part below `high` at which the near corners, (n, S), are inside the target."""
    low = np.zeros(len(steps))
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        inside = (unbalance.beyond(corners, _box(case, steps, middle), steps, near) + unbalance.spare(AIM)).max(
            axis=0
        ) <= 0.0
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low


def without_constraint(binding: Binding, steps: Mask) -> Binding:
    """Replace bindings to constraints by NETWORK in these steps."""
    return Binding(np.where(steps[:, None] & (binding.row >= 0), NETWORK, binding.row), binding.interval)


def unbalance_findings(found: Scaling, most: float | None) -> tuple[str, ...]:
    """Findings: intervals that are unbalanced by more than `most` percent by themselves, and intervals scaled down."""
    lines = []
    if found.closed.any():
        lines.append(
            f"infeasible_base: in {int(found.closed.sum())} intervals the base load alone, or what is granted in any "
            f"case, is unbalanced by more than {most:g} %; there is no flexible room"
        )
    if found.scaled.any():
        lines.append(f"unbalance: the rooms of {int(found.scaled.sum())} intervals were scaled down to keep {most:g} %")
    return tuple(lines)
