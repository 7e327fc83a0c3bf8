"""Limits for verification: the operating limit, or the level that the firm minimum alone already reaches.

A base load must be served and a contract kept; where they breach a limit by themselves, limits cannot mend it. A
schedule says so in its status; a verification then asks that nothing makes it worse, and says what was there before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from envelope.constraints.corners import corners_to_check
from envelope.constraints.extremes import lower_to, raise_to
from envelope.constraints.formulation import Formulation
from envelope.constraints.joint_paths import PathsOfBox
from envelope.constraints.limits import Bounds
from envelope.constraints.linear import LinearConstraints, linearise, select_all
from envelope.constraints.linearisation import linearise_at_corners
from envelope.constraints.monitored_feeder import FlowResult
from envelope.problem.guarantees import GuaranteedBox
from envelope.schedule import EnvelopeSchedule
from envelope.schedule.codes import BREACHED
from envelope.verification.report import EXCESS_UNITS, Excess
from gridmodel.arrays import Floating, Index, Mask, Real

WORSE_V, WORSE_PERCENT = 0.05, 0.5
"""what small coefficients, which are left out of allocations, may add to a breach"""
SAME = 0.005
"""V or percent by which the firm minimum must be worse than the base load alone to be told beside it"""
FEWEST_CORNERS, TOGETHER = 50, 2000
"""of the firm minimum that are looked at, with those of the constraints it is known to break, however few are tried;
and states solved at once"""


@dataclass(frozen=True, eq=False)
class AcceptedLimits:
    """Bounds per step and place, and by how much the operating limits are exceeded before anything is allocated."""

    bounds: Bounds
    excess: tuple[float, float, float]
    """V over, V under and percent by which the firm minimum exceeds the limits; zeros where it does not"""
    base_excess: tuple[Excess, ...]
    """of the limits that the base load alone exceeds, the worst of each kind and level"""
    firm_excess: tuple[Excess, ...]
    """the same of the firm minimum, where that is worse"""


def accepted_limits(formulation: Formulation, schedule: EnvelopeSchedule, *, most: int) -> AcceptedLimits:
    """The limits, raised to the level that base load or firm minimum alone reach at any of its corners.

    most: corners that the audit tries; it would hold limits to account for a breach at one that was not looked at here.
    """
    limits, joint = formulation.limits, formulation.paths
    feeder, rating = formulation.feeder, limits.current_a
    worst = _WorstFlow(formulation)
    worst.include(*joint.pairs, np.zeros((len(joint.pairs[1]), len(feeder.port_connection))), joint.flow)
    breached: Mask = np.any((schedule.status > 0) & (schedule.status <= BREACHED), axis=1)
    if breached.any():
        built = linearise(feeder, *formulation.sensitivities, wanted=select_all(feeder))
        for box in formulation.boxes(formulation.base.lo_w, formulation.base.hi_w):
            _include_corners(worst, formulation, box, schedule, of=(built, breached, max(most, FEWEST_CORNERS)))
    high, low, load = worst.high_v, worst.low_v, worst.load_a
    over, under, much = high > limits.high_v, low < limits.low_v, load > rating
    worse_v = WORSE_V * feeder.voltage_unit_v
    bounds = Bounds(
        low_v=np.where(under, low - worse_v, limits.low_v),
        high_v=np.where(over, high + worse_v, limits.high_v),
        current_a=np.where(much, load + 0.01 * WORSE_PERCENT * rating, rating),
    )
    own = _excess(formulation, *joint.rest_range)
    return AcceptedLimits(bounds, *_told_apart(own, _excess(formulation, high, low, load)))


def _include_corners(
    worst: _WorstFlow,
    formulation: Formulation,
    box: GuaranteedBox,
    schedule: EnvelopeSchedule,
    *,
    of: tuple[LinearConstraints, Mask, int],
) -> None:
    """Takes note of a box's corners in breached steps, each in all states that are any constraint's worst.

    Those of constraints that may exceed are tried in every state: which strains them most at rest need not do so there.
    of: constraints, (T,) breached steps, and how many corners are tried.
    """
    (built, breached, most), base = of, formulation.base
    at_corners = linearise_at_corners(built, base, box.lo_w, box.hi_w)
    paths, at_rest = formulation.paths.of_box(box), at_corners.evaluate(base.flow)
    needed = paths.worst(at_corners, at_rest)
    matter = formulation.paths.kept if needed is None else needed.states_by_step()
    tried = list(corners_to_check(formulation.guarantee, at_corners, worst.feeder, most))
    corners: list[tuple[Floating, Floating]] = [*((one.up, one.down) for one in tried), *schedule.firm_corners]
    _include_in_states(worst, (paths, box), corners, matter & breached)
    if needed is None:
        return
    rise = (box.hi_w - base.p_w) @ at_corners.rise_up.T + (base.p_w - box.lo_w) @ at_corners.rise_down.T
    reached = (at_rest + needed.extra + rise)[breached]
    limit = at_corners.right_hand_sides(formulation.limits.bounds(margin=0.0))[breached]
    exceed = set(at_corners.corner[np.asarray(reached > limit).any(axis=0)].tolist())
    known = [(one.up, one.down) for one in tried if one.row is not None and at_corners.corner[one.row] in exceed]
    others = formulation.paths.kept & ~matter & breached
    _include_in_states(worst, (paths, box), [*known, *schedule.firm_corners], others)


def _include_in_states(
    worst: _WorstFlow,
    of: tuple[PathsOfBox, GuaranteedBox],
    corners: Sequence[tuple[Floating, Floating]],
    where: Mask,
) -> None:
    """Takes note of a box's corners, as parts of its headroom up and down, in these (S, T) states and steps."""
    (paths, box), (states, steps) = of, (index.astype(np.intp) for index in np.nonzero(where))
    ends = paths.ends(states, steps, box.lo_w[steps], box.hi_w[steps])
    down_w, up_w = (end[:, worst.feeder.port_connection] for end in ends)
    # Many corners at once: a power flow of a few states costs about as much as one of many.
    together = max(1, TOGETHER // max(1, len(states)))
    for start in range(0, len(corners) if len(states) else 0, together):
        up, down = (np.array(part)[:, None] for part in zip(*corners[start : start + together], strict=True))
        away = (up * up_w - down * down_w).reshape(-1, up_w.shape[1])
        worst.include(np.tile(states, len(up)), np.tile(steps, len(up)), away)


def _told_apart(
    own: tuple[Excess, ...], firm: tuple[Excess, ...]
) -> tuple[tuple[float, float, float], tuple[Excess, ...], tuple[Excess, ...]]:
    """The worst of each kind as figures, what the base load alone exceeds, and where the firm minimum is worse."""
    before = {(one.unit, one.unit_v): one.beyond for one in own}
    worse = tuple(one for one in firm if one.beyond > before.get((one.unit, one.unit_v), 0.0) + SAME * one.unit_v)
    most = [max((one for one in firm if one.unit == unit), key=_per_unit, default=None) for unit in EXCESS_UNITS]
    over_v, under_v, load_percent = (0.0 if one is None else one.beyond for one in most)
    return (over_v, under_v, load_percent), own, worse


def _per_unit(one: Excess) -> float:
    return one.beyond / one.unit_v


def _excess(formulation: Formulation, high_v: Real, low_v: Real, load_a: Real) -> tuple[Excess, ...]:
    """Of (T, N) V and (T, B) A beyond the limits, the worst of each kind, and of voltages at each level."""
    feeder, limits = formulation.feeder, formulation.limits
    unit_v, names = feeder.voltage_unit_v, feeder.reduced.voltage_names
    tables = (
        (high_v - limits.high_v, unit_v, names),
        (limits.low_v - low_v, unit_v, names),
        (100.0 * (load_a / limits.current_a - 1.0), np.ones(load_a.shape[1]), feeder.current_names),
    )
    found = []
    for (beyond, unit, named), kind in zip(tables, EXCESS_UNITS, strict=True):
        for level in np.unique(unit[(beyond > 0.0).any(axis=0)]):
            step, element = divmod(int(np.where(unit == level, beyond, -np.inf).argmax()), beyond.shape[1])
            found.append(Excess(float(beyond[step, element]), kind, named[element], step, float(level)))
    return tuple(found)


class _WorstFlow:
    """The worst of each place so far, per step, with what no limit sees on top."""

    def __init__(self, formulation: Formulation) -> None:
        self.joint, self.disturbances, rest = formulation.paths, formulation.disturbances, formulation.base_flow
        self.feeder = formulation.feeder
        self.high_v, self.low_v, self.load_a = rest.v_v.copy(), rest.v_v.copy(), np.abs(rest.i_a)

    def include(self, states: Index, steps: Index, away: Real, plain: FlowResult | None = None) -> None:
        """Takes note of (S, L) W away from the base load of these states; `plain` where that is solved already."""
        found = self._values(states, steps, away, np.zeros_like(away)) if plain is None else plain
        self._note(steps, found, voltages=True)
        for state in self.disturbances.states:
            found = self._values(states, steps, *self.disturbances.superpose(state, steps, away))
            self._note(steps, found, voltages=state.voltages)

    def _values(self, states: Index, steps: Index, away: Real, var: Real) -> FlowResult:
        injected = self.joint.injections(states, steps, away, var)
        return self.feeder.power_flow(injected, self.joint.source(states, steps))

    def _note(self, steps: Index, found: FlowResult, *, voltages: bool) -> None:
        if voltages:
            raise_to(self.high_v, steps, found.v_v)
            lower_to(self.low_v, steps, found.v_v)
        raise_to(self.load_a, steps, np.abs(found.i_a))
