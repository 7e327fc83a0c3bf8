"""Linear constraints: each limit over the headroom of all connections, and the corner that brings it nearest.

A limit `s . p <= b` over a box has its worst case at the corner where every connection stands at the end its sign
points to, so that it becomes `rise_up . up + rise_down . down <= b` with coefficients that are never negative.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envelope.constraints.kernels import evaluate, name, slope, split
from envelope.constraints.limits import Bounds
from envelope.constraints.monitored_feeder import FlowResult, MonitoredFeeder, Sensitivity
from gridmodel.arrays import Complex, Index, Mask, Real, Single

FACETS, FINE_FACETS = 8, 16
"""directions per monitored current: enough to know who strains it, and enough to find its worst corner"""
SECTOR = np.tan(np.pi / 6.0)
"""a current counts in full for the facets within 30 degrees of it"""
NEGLIGIBLE = 1e-4
"""coefficients below this part of the largest in their constraint are left to the AC check"""
NEGLIGIBLE_AT_LEVELS = 1e-7
"""the same where connections are at several voltage levels, and so of very different sizes"""
KINDS = ("over-voltage", "under-voltage", "overload")


class Corners(NamedTuple):
    """Where each port stands at a corner: parts of its connection's headroom up and down."""

    up: Single
    """(K, L)"""
    down: Single
    """(K, L)"""


@dataclass(frozen=True, eq=False)
class LinearConstraints:
    """R linear constraints of one feeder, around one state. Same constraints for all steps."""

    kind: Index
    """(R,) position in KINDS"""
    element: Index
    """(R,) monitored voltage or monitored current"""
    facet: Complex
    """(R,) unit direction of a current constraint, 1 for voltages"""
    exports: Mask
    """(R,) whether a current constraint points the way in which export pushes it; True for voltages"""
    sensitivity: Single
    """(R, L) exact derivative of the constraint's value by port injection above the base load, V or A per W"""
    sensitivity_down: Single | None
    """(R, L) the same below the base load, where it differs"""
    rise_up: Single
    """(R, C) rise per W that a connection's upper end moves up, never negative"""
    rise_down: Single
    """(R, C) rise per W that its lower end moves down, never negative"""
    corner: Index
    """(R,) the constraint's worst corner"""
    corners: Corners

    def similar(self, feeder: MonitoredFeeder) -> Index:
        """(R,) constraints whose worst corners are alike: the same kind and direction on the same phase."""
        reduced = feeder.reduced
        names = sorted({*reduced.network.terminal_phase, *feeder.current_phase})
        of_node = np.array(
            [names.index(reduced.network.terminal_phase[t]) for t in reduced.node_terminal], dtype=np.intp
        )
        of_current = np.array([names.index(phase) for phase in feeder.current_phase], dtype=np.intp)
        load = self.kind == 2
        phase = np.empty(self.count, dtype=np.intp)
        phase[load], phase[~load] = of_current[self.element[load]], of_node[self.element[~load]]
        return np.asarray((self.kind * 2 + self.exports) * len(names) + phase)

    @property
    def count(self) -> int:
        """Number of constraints, R."""
        return len(self.kind)

    def evaluate(self, values: FlowResult, dtype: type[Any] = np.float64) -> NDArray[Any]:
        """(S, R) of each constraint in solved scenarios; a current counts in full for the facets it points along."""
        out = np.empty((len(values.converged), self.count), dtype=dtype)
        row = self.kind, self.element, self.facet.real, self.facet.imag
        evaluate(values.v_v, values.i_a, values.converged, *row, SECTOR, out)
        return out

    def linear_change(self, away: Single) -> Single:
        """(S, R) linear change of each constraint when ports are (S, L) watts away from the base load."""
        if self.sensitivity_down is None:
            return np.asarray(away @ self.sensitivity.T)
        return np.asarray(np.maximum(away, 0.0) @ self.sensitivity.T + np.minimum(away, 0.0) @ self.sensitivity_down.T)

    def only(self, which: Index) -> LinearConstraints:
        """A subset of the constraints, without sensitivities and corners."""
        names = ("kind", "element", "facet", "exports")
        return replace(self, **{name: getattr(self, name)[which] for name in names})

    def keep(self, wanted: Mask) -> LinearConstraints:
        """Only these constraints."""
        used, corner = np.unique(self.corner[wanted], return_inverse=True)
        names = ("kind", "element", "facet", "exports", "sensitivity", "rise_up", "rise_down")
        kept = {name: getattr(self, name)[wanted] for name in names}
        down = None if self.sensitivity_down is None else self.sensitivity_down[wanted]
        corners = Corners(self.corners.up[used], self.corners.down[used])
        return replace(self, **kept, sensitivity_down=down, corner=corner.astype(np.intp), corners=corners)

    def coefficients(self, place: Index) -> Single:
        """(R, E) rise of each constraint per W that an end moves away; `place` among the 2C ends, upward ones first."""
        count = self.rise_up.shape[1]
        up, down = place[place < count], place[place >= count] - count
        return np.concatenate([self.rise_up[:, up], self.rise_down[:, down]], axis=1)

    def right_hand_sides(self, bounds: Bounds) -> Real:
        """(T, R) bound of each constraint's value: of an under-voltage, that of the negative voltage."""
        table = np.concatenate([bounds.high_v, -bounds.low_v, bounds.current_a], axis=1)
        return np.asarray(np.take(table, self.kind * bounds.high_v.shape[1] + self.element, axis=1))

    def slack_unit(self, feeder: MonitoredFeeder) -> Single:
        """(R,) one unit of slack: 1 V (as much per unit at another level), or one percent of the rating."""
        out = np.ones(self.count, dtype=np.float32)
        load = self.kind == 2
        out[~load] = feeder.voltage_unit_v[self.element[~load]]
        out[load] = 0.01 * feeder.rating_a[self.element[load]]
        return out


def narrowed(feeder: MonitoredFeeder, rows: LinearConstraints) -> tuple[MonitoredFeeder, LinearConstraints]:
    """The feeder monitoring only what these constraints are about (and its groups), and the constraints on it."""
    load, branches = rows.kind == 2, len(feeder.reduced.H)
    volts, amps = np.unique(rows.element[~load]), np.unique(rows.element[load])
    amps = amps[amps < branches]
    currents = np.concatenate([amps, branches + np.arange(len(feeder.groups))])
    element = np.where(load, np.searchsorted(currents, rows.element), np.searchsorted(volts, rows.element))
    return feeder.subset(volts, amps), replace(rows, element=element)


class Selection(NamedTuple):
    """Which limits get constraints."""

    over: Mask
    under: Mask
    """(N,)"""
    load: Mask
    """(B,)"""


def select_all(feeder: MonitoredFeeder) -> Selection:
    """All limits."""
    voltages = np.ones(len(feeder.reduced.Zn), dtype=bool)
    return Selection(voltages, voltages, np.ones(len(feeder.rating_a), dtype=bool))


def linearise(
    feeder: MonitoredFeeder, up: Sensitivity, down: Sensitivity, *, wanted: Selection, facets: int = FACETS
) -> LinearConstraints:
    """Over- and under-voltage at each wanted voltage, and `facets` directions per wanted current.

    up, down: derivatives for injection that rises above the base load and for injection that falls below it.
    """
    over, under, load = (np.flatnonzero(mask) for mask in wanted)
    turn = np.exp(2j * np.pi * np.arange(facets) / facets)
    facet = (_export_direction(up.di[load])[:, None] * turn).ravel()
    empty = np.zeros((0, 0), dtype=np.float32)
    bare = LinearConstraints(
        kind=np.repeat([0, 1, 2], [len(over), len(under), len(facet)]).astype(np.intp),
        element=np.concatenate([over, under, np.repeat(load, facets)]).astype(np.intp),
        facet=np.concatenate([np.ones(len(over) + len(under)), facet]).astype(np.complex128),
        exports=np.concatenate([np.ones(len(over) + len(under)), np.tile(turn.real >= -1e-9, len(load))]).astype(bool),
        sensitivity=empty,
        sensitivity_down=None,
        rise_up=empty,
        rise_down=empty,
        corner=np.zeros(0, dtype=np.intp),
        corners=Corners(empty, empty),
    )
    rise = slopes(bare, up)
    return with_sensitivities(bare, feeder, rise, rise if down is up else slopes(bare, down))


def with_sensitivities(
    rows: LinearConstraints, feeder: MonitoredFeeder, rise: Single, fall: Single
) -> LinearConstraints:
    """The same constraints with new (R, L) sensitivities, above and below the base load."""
    rise_up, rise_down, corners = _split(feeder, rise, fall)
    negligible = NEGLIGIBLE if feeder.level_unit_v is None else NEGLIGIBLE_AT_LEVELS
    named = _named(rise_up, rise_down, corners, negligible)
    first, corner = np.unique(named, return_index=True, return_inverse=True)[1:]
    return replace(
        rows,
        sensitivity=rise,
        sensitivity_down=None if fall is rise else fall,
        rise_up=rise_up,
        rise_down=rise_down,
        corner=corner.ravel().astype(np.intp),
        corners=Corners(corners.up[first], corners.down[first]),
    )


def slopes(rows: LinearConstraints, at: Sensitivity) -> Single:
    """(R, L) derivatives of constraints."""
    out = np.empty((rows.count, at.dv.shape[1]), dtype=np.float32)
    slope(at.dv, at.di, rows.kind, rows.element, rows.facet.real, rows.facet.imag, out)
    return out


def _named(rise_up: Single, rise_down: Single, corners: Corners, negligible: float) -> Index:
    """(R,) a number per corner, the same for the same corner; negligible coefficients are cleared on the way."""
    draw = np.random.default_rng(0).integers(-(2**62), 2**62, (2, corners.up.shape[1]))
    out = np.empty(len(rise_up), dtype=np.int64)
    name(rise_up, rise_down, *corners, draw, np.float32(negligible), out)
    return out.astype(np.intp)


def _export_direction(di: Complex) -> Complex:
    """(B,) unit direction in which a branch current grows when all export."""
    total = di.sum(axis=1)
    size = np.abs(total)
    return np.where(size > 0.0, total / np.where(size > 0.0, size, 1.0), 1.0)


def _split(feeder: MonitoredFeeder, up: Single, down: Single) -> tuple[Single, Single, Corners]:
    """Signs taken apart: coefficients per connection, and each constraint's worst corner per port."""
    share, count = feeder.port_share.astype(np.float32), (len(up), feeder.connections)
    rise_up, rise_down = np.zeros(count, dtype=np.float32), np.zeros(count, dtype=np.float32)
    at_up, at_down = np.empty_like(up), np.empty_like(up)
    split(up, down, share, feeder.port_connection, rise_up, rise_down, at_up, at_down)
    if feeder.any_phase.any():
        _worst_phase(feeder, up, down, (rise_up, rise_down, at_up, at_down))
    return rise_up, rise_down, Corners(at_up, at_down)


def _worst_phase(
    feeder: MonitoredFeeder, up: Single, down: Single, parts: tuple[Single, Single, Single, Single]
) -> None:
    """For connections of unknown phase, every constraint assumes the phase that is worst for it."""
    rise_up, rise_down, at_up, at_down = parts
    for connection in np.unique(feeder.port_connection[feeder.any_phase]):
        ports = np.flatnonzero(feeder.port_connection == connection)
        best, worst = up[:, ports].max(axis=1), (-down[:, ports]).max(axis=1)
        rise_up[:, connection], rise_down[:, connection] = np.maximum(best, 0.0), np.maximum(worst, 0.0)
        rises = rise_up[:, connection] >= rise_down[:, connection]
        at_up[:, ports], at_down[:, ports] = 0.0, 0.0
        every = np.arange(len(up))
        at_up[every, ports[up[:, ports].argmax(axis=1)]] = rises
        at_down[every, ports[(-down[:, ports]).argmax(axis=1)]] = ~rises
