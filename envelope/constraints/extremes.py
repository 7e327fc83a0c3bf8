"""Largest or least of rows that belong to one row of a table; `ufunc.at` takes several times as long."""

from __future__ import annotations

import numpy as np

from gridmodel.arrays import Index, Real


def raise_to(table: Real, place: Index, values: Real) -> None:
    """Raise rows of a table, in place, to the largest of (S, N) values; place: (S,) row that each belongs to."""
    _to_extreme(np.maximum, table, place, values)


def lower_to(table: Real, place: Index, values: Real) -> None:
    """Lower rows of a table, in place, to the least of (S, N) values; place: (S,) row that each belongs to."""
    _to_extreme(np.minimum, table, place, values)


def _to_extreme(extreme: np.ufunc, table: Real, place: Index, values: Real) -> None:
    if not len(place):
        return
    order = np.argsort(place, kind="stable")
    rows = place[order]
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    of_row = extreme.reduceat(values[order], first, axis=0)
    table[rows[first]] = extreme(table[rows[first]], of_row)
