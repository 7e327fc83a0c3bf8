"""Largest weighted sum inside a packing, step by step, with one HiGHS model whose bounds change."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gridmodel.arrays import Floating, Real
from sep2.errors import SepError

OPTIONS = {"output_flag": False, "threads": 1, "presolve": "off", "simplex_dual_edge_weight_strategy": 1}
"""each step starts from the last one's optimum, a few pivots away: preparing it would cost more than solving it"""


class NoOptimum(SepError):
    """The linear programme has no optimum."""


def solve_steps(a: Floating, b: Floating, cap: Real, weight: Real) -> Real:
    """(T, N) optimum of `weight @ x` with `a @ x <= b`, `0 <= x <= cap` for each of the T steps."""
    x = np.array(cap, dtype=float)
    hard = (cap @ a.T > b * (1.0 + 1e-12)).any(axis=1)
    if not hard.any():
        return x
    import highspy

    rows, columns = a.shape
    scale = np.maximum(a.max(axis=1, initial=0.0), 1e-12)
    scaled = np.where(a / scale[:, None] < 1e-9, 0.0, a / scale[:, None])
    unit = max(float(cap.max(initial=0.0)), 1.0)
    solver: Any = cast(Any, highspy).Highs()
    for option, value in OPTIONS.items():
        solver.setOptionValue(option, value)
    solver.passModel(_model(scaled, weight[0]))
    column = np.arange(columns, dtype=np.int32)
    row = np.arange(rows, dtype=np.int32)
    for t in np.flatnonzero(hard):
        solver.changeColsCost(columns, column, -weight[t])
        solver.changeColsBounds(columns, column, np.zeros(columns), cap[t] / unit)
        _set_rows(solver, row, b[t] / scale / unit)
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise NoOptimum(f"step {t}: {solver.getModelStatus()}")
        x[t] = np.clip(np.asarray(solver.getSolution().col_value) * unit, 0.0, cap[t])
    return x


def _model(a: Floating, weight: Real) -> Any:
    """A row-wise HighsLp of the shared matrix."""
    import highspy

    rows, columns = a.shape
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = rows, columns
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = -weight, np.zeros(columns), np.ones(columns)
    lp.row_lower_, lp.row_upper_ = np.full(rows, -np.inf), np.zeros(rows)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    at = np.nonzero(a)
    lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum((a != 0.0).sum(axis=1))]).astype(np.int32)
    lp.a_matrix_.index_ = at[1].astype(np.int32)
    lp.a_matrix_.value_ = np.asarray(a[at], dtype=float)
    return lp


def _set_rows(solver: Any, row: NDArray[np.int32], upper: Floating) -> None:
    """Move all right-hand sides in one call."""
    solver.changeRowsBounds(len(row), row, np.full(len(row), -np.inf), upper)
