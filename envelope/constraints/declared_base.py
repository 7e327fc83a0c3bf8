"""The declared lower edge of generation counted as base load, and what is kept free for a weaker sun and for a trip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from envelope.constraints.base_case import BaseCase
from envelope.constraints.formulation import Formulation
from envelope.constraints.linear import LinearConstraints
from envelope.constraints.monitored_feeder import MonitoredFeeder
from envelope.problem.declared_band import SUN, DeclaredBand
from gridmodel.arrays import Index, Real


def with_declared_base(formulation: Formulation, export_w: Real, import_w: Real) -> Formulation:
    """The problem beyond the declared lower edges that (T, C) limits give, as one for any combination.

    The edges depend on the limits that are to be found: call again with what is found until both agree. Kept free: what
    constraints rise by more where the sun is weaker, and where one home of each phase feeds nothing.
    """
    band, base = formulation.band, formulation.base
    assert band is not None
    cap = band.cap_w(export_w)
    ends = (np.minimum(base.lo_w, -import_w), np.maximum(base.hi_w, np.where(band.gen_w > 0.0, export_w, base.hi_w)))
    boxes = [band.box(base.p_w, ends, cap, sun) for sun in (*SUN, 0.0)]
    found = replace(formulation, band=None).with_base(_declared(base, band, cap))
    return found.with_margin(DeclaredReserve(base, boxes))


def _declared(base: BaseCase, band: DeclaredBand, cap: Real) -> BaseCase:
    """The base case with the declared lower edge of generation in its base load."""
    feeds = np.minimum(band.share * np.minimum(band.gen_w, np.maximum(cap - base.p_w, 0.0)), band.gen_w)
    p, sunny = base.p_w + feeds, band.gen_w > 0.0
    edge = np.minimum(band.declared_w(base.p_w, cap), p)
    lo = np.where(sunny, np.maximum(base.lo_w, edge), base.lo_w)
    hi = np.maximum(base.hi_w, p)
    down = np.where(sunny, np.minimum(base.room_down_w, np.maximum(lo - edge, 0.0)), base.room_down_w)
    return replace(
        base,
        p_w=p,
        q_var=base.q_var - base.tan_phi * feeds,
        lo_w=lo,
        hi_w=hi,
        room_up_w=np.maximum(base.hi_w + base.room_up_w - hi, 0.0),
        room_down_w=down,
    )


@dataclass(frozen=True, eq=False)
class DeclaredReserve:
    """Rise of constraints beyond the full sun's where the sun is weaker, and where one home of each phase is off."""

    base: BaseCase
    boxes: list[tuple[Real, Real]]
    """(T, C) ends under each part of the clear sky, the full sun's first"""

    def per_row(self, rows: LinearConstraints, at_rest: Real, limit: Real) -> Real:
        """(T, R) linear rise, in each constraint's own unit."""
        by = np.asarray(rows.sensitivity, dtype=np.float64) @ connection_parts(self.base.feeder)
        up, down = np.maximum(by, 0.0).T, np.minimum(by, 0.0).T
        p = self.base.p_w
        rises = [(hi - p) @ up + (lo - p) @ down for lo, hi in self.boxes]
        weaker = np.max(rises, axis=0) - rises[0]
        feeds = np.maximum(self.boxes[0][0] - p, 0.0)
        return np.asarray(weaker + rise_with_homes_off(feeds, -down, homes_by_phase(self.base.feeder)))

    def said(self) -> str:
        """Empty: the guarantee words it."""
        return ""


def connection_parts(feeder: MonitoredFeeder) -> Real:
    """(L, C) part of each connection's flexible power at a port."""
    parts = np.zeros((len(feeder.port_connection), feeder.connections))
    parts[np.arange(len(parts)), feeder.port_connection] = feeder.port_share
    return parts


def rise_with_homes_off(feeds_w: Real, relief: Real, groups: Sequence[Index]) -> Real:
    """(S, R) rise where, in each group, the home whose generation relieves a constraint most feeds nothing.

    feeds_w: (S, C) generation that the declared band counts on; relief: (C, R) fall of constraints per W of it.
    """
    found = np.zeros((len(feeds_w), relief.shape[1]))
    for homes in groups:
        most = np.zeros_like(found)
        for home in homes:
            # One home at a time: all at once would take S x C x R values.
            np.maximum(most, np.outer(feeds_w[:, home], relief[home]), out=most)
        found += most
    return found


def homes_by_phase(feeder: MonitoredFeeder) -> list[Index]:
    """Connections of each phase, by the phase on which most of their power stands."""
    of, labels = feeder.port_connection, np.array(feeder.reduced.network.connections.port_phase)
    order = np.lexsort((-feeder.port_share, of))
    largest = order[np.searchsorted(of[order], np.arange(feeder.connections))]
    return [np.flatnonzero(labels[largest] == phase) for phase in np.unique(labels[largest])]
