"""Limits for verification: the operating limit, or the level that the firm minimum alone already reaches.

A base load must be served and a contract kept; where they breach a limit by themselves, limits cannot mend it. A
schedule says so in its status; a verification then asks that nothing makes it worse, and says what was there before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envelope.constraints.corners import corners_to_check
from envelope.constraints.extremes import lower_to, raise_to
from envelope.constraints.formulation import Formulation
from envelope.constraints.joint_paths import PathsOfBox
from envelope.constraints.limits import Bounds
from envelope.constraints.linear import LinearConstraints, linearise, select_all
from envelope.constraints.linearisation import linearise_at_corners
from envelope.constraints.monitored_feeder import FlowResult, MonitoredFeeder
from envelope.problem.guarantees import GuaranteedBox
from envelope.schedule import EnvelopeSchedule
from envelope.schedule.codes import BREACHED
from envelope.verification.box_corners import BESIDE_W
from envelope.verification.report import EXCESS_UNITS, Excess
from gridmodel.arrays import Floating, Index, Mask, Real

WORSE_V, WORSE_PERCENT = 0.05, 0.5
"""what small coefficients, which are left out of allocations, may add to a breach"""
SAME = 0.005
"""V or percent by which the firm minimum must be worse than the base load alone to be told beside it"""
FEWEST_CORNERS, TOGETHER = 50, 2000
"""of the firm minimum that are looked at, with those of the constraints it is known to break, however few are tried;
and states solved at once"""


class AcceptedLimits:
    """Bounds per step and place: the operating limits, or what base load or firm minimum alone reach beyond them."""

    def __init__(self, formulation: Formulation, worst: _WorstFlow, breached: Mask) -> None:
        """breached: (T,) steps in which a schedule says that base load or firm minimum exceed a limit."""
        self.formulation, self.worst, self.breached = formulation, worst, breached
        boxes = formulation.boxes(formulation.base.lo_w, formulation.base.hi_w) if breached.any() else ()
        self.firm = [(formulation.paths.of_box(box), box) for box in boxes]
        self.bounds = self._bounds()

    def include_firm(self, box: int, states: Index, steps: Index, away: Real) -> None:
        """Accept what the firm minimum reaches where it comes nearest to these states of a box, (S, L) W from rest."""
        paths, firm = self.firm[box % len(self.firm)]
        down_w, up_w = _ends(self.worst.feeder, (paths, firm), states, steps)
        share = self.worst.feeder.port_share
        # A home that feeds nothing, beside its declared band, does so in either.
        nearest = np.where(np.abs(away) < BESIDE_W, away, np.clip(away, -down_w * share, up_w * share))
        self.worst.include(states, steps, nearest)
        self.bounds = self._bounds()

    @property
    def told_apart(self) -> tuple[tuple[float, float, float], tuple[Excess, ...], tuple[Excess, ...]]:
        """By how much the limits are exceeded before anything is allocated.

        V over, V under and percent, zeros where they are not; of limits that the base load alone exceeds, the worst of
        each kind and level; and the same of the firm minimum, where that is worse.
        """
        own = _excess(self.formulation, *self.formulation.paths.rest_range)
        return _told_apart(own, _excess(self.formulation, self.worst.high_v, self.worst.low_v, self.worst.load_a))

    def _bounds(self) -> Bounds:
        limits, rating = self.formulation.limits, self.formulation.limits.current_a
        high, low, load = self.worst.high_v, self.worst.low_v, self.worst.load_a
        worse_v = WORSE_V * self.worst.feeder.voltage_unit_v
        return Bounds(
            low_v=np.where(low < limits.low_v, low - worse_v, limits.low_v),
            high_v=np.where(high > limits.high_v, high + worse_v, limits.high_v),
            current_a=np.where(load > rating, load + 0.01 * WORSE_PERCENT * rating, rating),
        )


def accepted_limits(formulation: Formulation, schedule: EnvelopeSchedule, *, most: int) -> AcceptedLimits:
    """The limits, raised to the level that base load or firm minimum alone reach at any of its corners.

    most: corners that the audit tries; it would hold limits to account for a breach at one that was not looked at here.
    """
    joint, feeder = formulation.paths, formulation.feeder
    worst = _WorstFlow(formulation)
    worst.include(*joint.pairs, np.zeros((len(joint.pairs[1]), len(feeder.port_connection))), joint.flow)
    breached: Mask = np.any((schedule.status > 0) & (schedule.status <= BREACHED), axis=1)
    if breached.any():
        built = linearise(feeder, *formulation.sensitivities, wanted=select_all(feeder))
        for box in formulation.boxes(formulation.base.lo_w, formulation.base.hi_w):
            _include_corners(worst, formulation, box, schedule, of=(built, breached, max(most, FEWEST_CORNERS)))
    return AcceptedLimits(formulation, worst, breached)


def _ends(
    feeder: MonitoredFeeder, of: tuple[PathsOfBox, GuaranteedBox], states: Index, steps: Index
) -> tuple[Real, Real]:
    """(S, L) W that the ends of a box are below, and above, the base load of these states."""
    paths, box = of
    down, up = paths.ends(states, steps, box.lo_w[steps], box.hi_w[steps])
    return down[:, feeder.port_connection], up[:, feeder.port_connection]


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
    states, steps = (index.astype(np.intp) for index in np.nonzero(where))
    down_w, up_w = _ends(worst.feeder, of, states, steps)
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
