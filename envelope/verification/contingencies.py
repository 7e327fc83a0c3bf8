"""Ordinary events that a declared band or a credited response does not cover: how far voltages and loads then go.

One home per phase that feeds nothing is part of a declared band's verification. A whole fleet at zero, any homes at
zero, and inverters that do not respond as credited are reported beside it, with inverters as they are and with all of
them on their region's default curves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from envelope.constraints.base_case import BaseCase
from envelope.constraints.declared_base import connection_parts, homes_by_phase, rise_with_homes_off
from envelope.constraints.formulation import Formulation
from envelope.constraints.linear import LinearConstraints
from envelope.constraints.monitored_feeder import between_phase_and_neutral
from envelope.problem import Problem
from envelope.problem.guarantees import GuaranteedBox
from envelope.problem.inverter_curves import RegionCurves, region_of
from envelope.problem.limits import voltage_criterion
from envelope.problem.policies import Direction
from envelope.verification.report import Effort
from gridmodel.arrays import Index, Mask, Real, Watts
from gridmodel.flow.inverters import Inverters

BOTH = (Direction.EXPORT, Direction.IMPORT)
AS_GUARANTEED, ANY_HOMES, NO_RESPONSE = "as guaranteed", "any homes at zero", "no inverter responds"
EFFORT = Effort(random=5, inside=2, sign=60, greedy=1, climbs=4)


class CornerWithHomesOff(NamedTuple):
    """Corners of S steps at which some homes feed nothing; L ports."""

    up: Real
    down: Real
    """(S, L) parts of each port's headroom"""
    off: Mask
    """(S, L) ports that feed nothing"""
    row: Index
    """(S,) constraint that it is the worst corner of"""

    def away(self, ends: tuple[Real, Real]) -> Real:
        """(S, L) W away from the base load, of (S, L) W that the ends of the box are below, and above, it."""
        down_w, up_w = ends
        found = self.up * up_w - self.down * down_w
        return np.where(self.off, np.minimum(found, 0.0), found)


def corners_with_homes_off(
    built: LinearConstraints, formulation: Formulation, box_w: tuple[Real, Real, Index], *, most: int
) -> Iterator[CornerWithHomesOff]:
    """Worst corners at which, on each phase, the home that relieves most feeds nothing.

    In each step those of the constraints that come nearest to their limit there; box_w: (S, C) ends, and their steps.
    """
    base, (lo, hi, steps) = formulation.base, box_w
    p, of = base.p_w[steps], base.feeder.port_connection
    feeds = np.maximum(lo - p, 0.0)
    if not feeds.any():
        return
    by = built.sensitivity @ connection_parts(base.feeder)
    relief, groups = np.maximum(-by, 0.0), homes_by_phase(base.feeder)
    rise = (hi - p) @ np.maximum(by, 0.0).T + (lo - p) @ np.minimum(by, 0.0).T
    rise += rise_with_homes_off(feeds, relief.T, groups)
    limit = built.right_hand_sides(formulation.limits.bounds(margin=0.0))[steps]
    left = limit - built.evaluate(formulation.base_flow)[steps] - rise
    order = np.argsort(left / built.slack_unit(base.feeder), axis=1, kind="stable")
    for rows in order[:, :most].T:
        up, down = (part[built.corner[rows]] for part in built.corners)
        off = np.zeros(up.shape, dtype=bool)
        for homes in groups:
            lost = homes[(feeds[:, homes] * relief[rows][:, homes]).argmax(axis=1)]
            off |= of[None, :] == lost[:, None]
        yield CornerWithHomesOff(up, down, off, rows)


def cases_of(
    problem: Problem, formulation: Formulation, box: tuple[Real, Real], limit_w: Watts
) -> Iterator[tuple[str, Formulation, tuple[GuaranteedBox, ...]]]:
    """Contingencies of a problem: name, the formulation that judges it, and its boxes."""
    inside = formulation.boxes(*box, limit_w=limit_w)
    silent = formulation.with_base(replace(formulation.base, feeder=formulation.feeder.without_response()))
    if formulation.feeder.inverters is not None:
        yield NO_RESPONSE, silent, inside
    if formulation.feeder.inverters is not None or formulation.band is not None:
        yield AS_GUARANTEED, formulation, inside
    if formulation.band is not None:
        for name in sorted({fleet for fleet in problem.fleets or () if fleet}):
            members = np.array([fleet == name for fleet in problem.fleets or ()])
            yield f"fleet {name} at zero", formulation, tuple(_off(one, formulation.base, members) for one in inside)
        yield ANY_HOMES, formulation, (GuaranteedBox(*box, BOTH),)


def _off(box: GuaranteedBox, base: BaseCase, members: Mask) -> GuaranteedBox:
    """A box in which the generation of some connections feeds nothing."""
    hi = np.where(members, np.minimum(box.hi_w, np.maximum(base.p_w, base.lo_w)), box.hi_w)
    lo = np.where(members, np.minimum(box.lo_w, base.p_w), box.lo_w)
    return GuaranteedBox(lo, np.maximum(hi, lo), box.directions)


def with_region_curves(problem: Problem, formulation: Formulation, region: RegionCurves) -> Formulation:
    """The formulation with the inverters of all flexible generation on a region's curves.

    Reactive power by volt-var, active power by volt-watt, each where the region has it on by default.
    """
    feeder = formulation.feeder
    size = problem.flex_gen_w.max(axis=0)[feeder.port_connection] * feeder.port_share
    port = np.flatnonzero((size > 0.0) & between_phase_and_neutral(feeder))
    if not len(port):
        return formulation.with_base(replace(formulation.base, feeder=feeder.without_response()))
    inverters = Inverters(
        port=port,
        s_rated_va=size[port],
        available_w=np.zeros(len(port)),
        reference_v=voltage_criterion(problem.limits.source).nominal_v,
        volt_var=region.volt_var.curve if region.volt_var.enabled else None,
        volt_watt=region.volt_watt.curve if region.volt_watt.enabled else None,
    )
    return formulation.with_base(replace(formulation.base, feeder=replace(feeder, inverters=inverters, follows=None)))


def region_curves(problem: Problem) -> RegionCurves | None:
    """Curves of the region whose voltage criterion the problem has, if any of them is on by default."""
    found = region_of(problem.limits.source)
    return found if found is not None and (found.volt_var.enabled or found.volt_watt.enabled) else None
