"""Robust rows: each limit as a linear row over the rooms of all connections, and the corner that strains it most.

A limit `s . p <= b` over a box has its worst case at the corner where every connection stands at the end its sign
points to, so that it becomes `plus . up + minus . down <= b` with coefficients that are never negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envelope.limits import OperatingLimits
from envelope.watched import Sensitivity, Values, Watched

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.intp]

FACETS = 8
NEGLIGIBLE = 1e-4
"""coefficients below this part of the largest in their row are left to the AC check"""
KINDS = ("over-voltage", "under-voltage", "overload")


class Corners(NamedTuple):
    """Where each slot stands at a corner: parts of its connection's room up and down."""

    up: Array
    """(K, L)"""
    down: Array
    """(K, L)"""


@dataclass(frozen=True, eq=False)
class Rows:
    """R linear rows of one feeder, around one state. Same rows for all steps."""

    kind: Index
    """(R,) position in KINDS"""
    element: Index
    """(R,) watched voltage or watched current"""
    facet: Complex
    """(R,) unit direction of a current row, 1 for voltages"""
    slope: Array
    """(R, L) exact derivative of the row's value by slot injection above the base load, V or A per W"""
    slope_down: Array | None
    """(R, L) the same below the base load, where it differs"""
    plus: Array
    """(R, C) rise per W that a connection's upper end moves up, never negative"""
    minus: Array
    """(R, C) rise per W that its lower end moves down, never negative"""
    corner: Index
    """(R,) the row's worst corner"""
    corners: Corners

    @property
    def count(self) -> int:
        """Number of rows, R."""
        return len(self.kind)

    def value(self, values: Values) -> Array:
        """(S, R) of each row in solved scenarios; a current counts in full for the facets it points along."""
        out = np.empty((len(values.converged), self.count))
        over, under, load = (self.kind == k for k in range(3))
        out[:, over] = values.v_v[:, self.element[over]]
        out[:, under] = -np.where(
            np.isfinite(values.v_v[:, self.element[under]]), values.v_v[:, self.element[under]], 0
        )
        if load.any():
            out[:, load] = _facet_value(values.i_a[:, self.element[load]], self.facet[load])
        out[~values.converged] = np.inf
        return out

    def move(self, away: Array) -> Array:
        """(S, R) linear change of each row when slots are (S, L) watts away from the base load."""
        if self.slope_down is None:
            return np.asarray(away @ self.slope.T)
        return np.asarray(np.maximum(away, 0.0) @ self.slope.T + np.minimum(away, 0.0) @ self.slope_down.T)

    def limit(self, feeder: Watched, limits: OperatingLimits, steps: int, *, margin: float) -> Array:
        """(T, R) right-hand sides, less `margin` times the declared margins."""
        rating = feeder.reduced.rating_a * _per_step(limits.rating_factor, steps, len(feeder.reduced.rating_a))
        out = np.empty((steps, self.count))
        out[:, self.kind == 0] = limits.v_max_v - margin * limits.margin_v
        out[:, self.kind == 1] = -(limits.v_min_v + margin * limits.margin_v)
        load = self.kind == 2
        out[:, load] = rating[:, self.element[load]] * (1.0 - margin * limits.margin_current)
        return out

    def scale(self, feeder: Watched) -> Array:
        """(R,) what counts as one unit of slack: 1 V, or one percent of the rating."""
        out = np.ones(self.count)
        load = self.kind == 2
        out[load] = 0.01 * feeder.reduced.rating_a[self.element[load]]
        return out

    def keep(self, rows: NDArray[np.bool_]) -> Rows:
        """Only these rows."""
        used, corner = np.unique(self.corner[rows], return_inverse=True)
        return Rows(
            self.kind[rows],
            self.element[rows],
            self.facet[rows],
            self.slope[rows],
            None if self.slope_down is None else self.slope_down[rows],
            self.plus[rows],
            self.minus[rows],
            corner=corner.astype(np.intp),
            corners=Corners(self.corners.up[used], self.corners.down[used]),
        )


def _per_step(factor: float | Array, steps: int, branches: int) -> Array:
    """(T, B) of a scalar, a series or a table."""
    given = np.asarray(factor, dtype=float)
    return np.broadcast_to(given[:, None] if given.ndim == 1 else given, (steps, branches))


def _facet_value(current: Complex, facet: Complex) -> Array:
    """(S, F) magnitude where the current points roughly along the facet, its projection elsewhere."""
    turned = current * np.conj(facet)
    inside = np.abs(turned.imag) <= np.tan(2.0 * np.pi / FACETS) * 1.0001 * turned.real
    return np.asarray(np.where(inside, np.abs(turned), turned.real))


def build(feeder: Watched, up: Sensitivity, down: Sensitivity) -> Rows:
    """All rows of a feeder: over- and under-voltage at each watched voltage, eight facets per watched current.

    up, down: derivatives for injection that rises above the base load and for injection that falls below it.
    """
    count_v, count_i = up.dv.shape[0], up.di.shape[0]
    turn = np.exp(2j * np.pi * np.arange(FACETS) / FACETS)
    facet = (_export_direction(up.di)[:, None] * turn).ravel()
    branch = np.repeat(np.arange(count_i), FACETS)
    rise, fall = (np.concatenate([at.dv, -at.dv, (np.conj(facet)[:, None] * at.di[branch]).real]) for at in (up, down))
    plus, minus, corners = _split(feeder, rise, fall)
    unique, corner = np.unique(_bits(corners), axis=0, return_inverse=True)
    first = np.zeros(len(unique), dtype=np.intp)
    first[corner.ravel()] = np.arange(len(rise))
    return Rows(
        kind=np.repeat([0, 1, 2], [count_v, count_v, len(branch)]).astype(np.intp),
        element=np.concatenate([np.arange(count_v), np.arange(count_v), branch]).astype(np.intp),
        facet=np.concatenate([np.ones(2 * count_v), facet]).astype(np.complex128),
        slope=rise,
        slope_down=None if up is down else fall,
        plus=plus,
        minus=minus,
        corner=corner.ravel().astype(np.intp),
        corners=Corners(corners.up[first], corners.down[first]),
    )


def _bits(corners: Corners) -> NDArray[np.uint8]:
    return np.packbits(np.concatenate([corners.up > 0.0, corners.down > 0.0], axis=1), axis=1)


def _export_direction(di: Complex) -> Complex:
    """(B,) unit direction in which a branch current grows when all export."""
    total = di.sum(axis=1)
    size = np.abs(total)
    return np.where(size > 0.0, total / np.where(size > 0.0, size, 1.0), 1.0)


def _split(feeder: Watched, up: Array, down: Array) -> tuple[Array, Array, Corners]:
    """Signs taken apart: coefficients per connection, and each row's worst corner per slot."""
    even_up, even_down = (_gather(feeder, row * feeder.slot_share) for row in (up, down))
    plus, minus = np.maximum(even_up, 0.0), np.maximum(-even_down, 0.0)
    high = even_up > 0.0
    at_up = np.where(high[:, feeder.slot_connection], feeder.slot_share, 0.0)
    at_down = np.where(high[:, feeder.slot_connection], 0.0, feeder.slot_share)
    if feeder.one_of.any():
        _worst_phase(feeder, up, down, (plus, minus, at_up, at_down))
    size = np.maximum(plus.max(axis=1, keepdims=True, initial=0.0), minus.max(axis=1, keepdims=True, initial=0.0))
    plus[plus < NEGLIGIBLE * size] = 0.0
    minus[minus < NEGLIGIBLE * size] = 0.0
    return plus, minus, Corners(at_up, at_down)


def _gather(feeder: Watched, rows: Array) -> Array:
    """(R, C) sums over the slots of each connection."""
    if feeder.connections == rows.shape[1]:
        return np.array(rows)
    to = np.zeros((rows.shape[1], feeder.connections))
    to[np.arange(rows.shape[1]), feeder.slot_connection] = 1.0
    return np.asarray(rows @ to)


def _worst_phase(feeder: Watched, up: Array, down: Array, parts: tuple[Array, Array, Array, Array]) -> None:
    """For connections of unknown phase, every row assumes the phase that is worst for it."""
    plus, minus, at_up, at_down = parts
    for connection in np.unique(feeder.slot_connection[feeder.one_of]):
        slots = np.flatnonzero(feeder.slot_connection == connection)
        best, worst = up[:, slots].max(axis=1), (-down[:, slots]).max(axis=1)
        plus[:, connection], minus[:, connection] = np.maximum(best, 0.0), np.maximum(worst, 0.0)
        rises = plus[:, connection] >= minus[:, connection]
        at_up[:, slots], at_down[:, slots] = 0.0, 0.0
        every = np.arange(len(up))
        at_up[every, slots[up[:, slots].argmax(axis=1)]] = rises
        at_down[every, slots[(-down[:, slots]).argmax(axis=1)]] = ~rises
