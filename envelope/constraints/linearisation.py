"""Linear constraints around the corners of a box, and which limits get constraints."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envelope.constraints.base_case import BaseCase
from envelope.constraints.joint_paths import RestRange
from envelope.constraints.limits import Bounds
from envelope.constraints.linear import LinearConstraints, Selection, slopes, with_sensitivities
from envelope.constraints.monitored_feeder import Sensitivity
from gridmodel.arrays import Complex, Index, Real, Single

LARGEST_GAIN = 2.0
"""constraints that stay inside their limit at all capacities with twice their linear rise are left out"""
BACKED = (1.0, 0.5, 0.25, 0.0)
"""how far from the base load sensitivities are taken, where no power flow settles further out"""
STRAINED = 0.7
"""sensitivities are taken at the mean of the steps that strain a constraint by this part of the most"""


def linearise_at_corners(rows: LinearConstraints, base: BaseCase, lo: Real, hi: Real) -> LinearConstraints:
    """Constraints with sensitivities at the corner that strains their family most, in the mean of the steps that do.

    At a corner a current's size is known, and so is which way everyone else's voltage moves it: the more,
    the larger the box, so that the whole horizon's mean would not see what the largest boxes do to other phases.
    """
    feeder, of = base.feeder, base.feeder.port_connection
    up, down = hi - base.p_w, base.p_w - lo
    strain = (up @ rows.rise_up.T + down @ rows.rise_down.T) / rows.slack_unit(feeder)
    families = rows.similar(feeder)
    members = [np.flatnonzero(families == family) for family in np.unique(families)]
    states = []
    for which in members:
        most = which[strain[:, which].max(axis=0).argmax()]
        much = strain[:, most] >= STRAINED * strain[:, most].max()
        # All of them where none can be told, as with a base load that no power flow bears.
        much |= not much.any()
        k, high, low = rows.corner[most], up[much].mean(axis=0)[of], down[much].mean(axis=0)[of]
        away = rows.corners.up[k] * high - rows.corners.down[k] * low
        states.append(_State(base.ports_va[much].mean(axis=0), away, base.source_v[much].mean(axis=0)))
    return with_sensitivities(rows, feeder, *_slopes_in(states, rows, base, members))


class _State(NamedTuple):
    """State of a derivative: (L,) VA of the base load, (L,) W by which ports are away from it, (3,) V of the source."""

    base_va: Complex
    away_w: Real
    source_v: Complex


def _slopes_in(
    states: list[_State], rows: LinearConstraints, base: BaseCase, members: list[Index]
) -> tuple[Single, Single]:
    """(R, L) sensitivities above and below the base load, of each state's members in that state."""
    rise = np.empty((rows.count, base.feeder.reduced.ports), dtype=np.float32)
    fall = np.empty_like(rise) if base.absorbs else rise
    todo = list(range(len(states)))
    for part in BACKED:
        base_va, away, source = (np.array(table) for table in zip(*(states[k] for k in todo), strict=True))
        s_va = np.asarray(base_va + part * away - 1j * base.port_tan_phi * np.maximum(part * away, 0.0))
        above = base.feeder.sensitivities(s_va, source, tan_phi=base.port_tan_phi)
        below = base.feeder.sensitivities(s_va, source) if base.absorbs else above
        for k, up, down in zip(todo, above, below, strict=True):
            of_state = rows.only(members[k])
            rise[members[k]] = slopes(of_state, up)
            if base.absorbs:
                fall[members[k]] = slopes(of_state, down)
        todo = [k for k in todo if not (np.isfinite(rise[members[k]]).all() and np.isfinite(fall[members[k]]).all())]
        if not todo:
            break
    return rise, fall


def screen(base: BaseCase, at: tuple[Sensitivity, Sensitivity], rest: RestRange, bounds: Bounds) -> Selection:
    """The limits that could be reached if everyone went as far as they can, with twice the linear effect."""
    feeder = base.feeder
    part = feeder.port_part
    top = (base.hi_w + base.room_up_w - base.p_w)[:, feeder.port_connection] * part
    bottom = (base.p_w - base.lo_w + base.room_down_w)[:, feeder.port_connection] * part
    (up, down), gain = at, LARGEST_GAIN
    rises = top @ np.maximum(up.dv, 0.0).T + bottom @ np.maximum(-down.dv, 0.0).T
    falls = top @ np.maximum(-up.dv, 0.0).T + bottom @ np.maximum(down.dv, 0.0).T
    flows = np.maximum(top, bottom) @ np.maximum(np.abs(up.di), np.abs(down.di)).T
    return Selection(
        np.any(rest.high_v + gain * rises > bounds.high_v, axis=0),
        np.any(rest.low_v - gain * falls < bounds.low_v, axis=0),
        np.any(rest.load_a + gain * flows > bounds.current_a, axis=0),
    )
