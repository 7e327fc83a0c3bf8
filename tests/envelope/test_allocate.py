"""Allocations on packing problems: inside every row, and each the best by its own measure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from envelope.allocation import rules as allocate
from envelope.allocation.rules import RULE_OF, Packing
from envelope.problem import Allocation
from envelope.schedule.curtailment import jain

seeds = st.integers(0, 10_000)


def packing(seed: int, steps: int = 3, rows: int = 12, variables: int = 8) -> Packing:
    rng = np.random.default_rng(seed)
    a = rng.random((rows, variables)) * (rng.random((rows, variables)) < 0.6)
    cap = rng.uniform(0.0, 5.0, (steps, variables)) * (rng.random((steps, variables)) < 0.9)
    return Packing(a, rng.uniform(0.5, 4.0, (steps, rows)), cap, rng.uniform(1.0, 6.0, variables))


@pytest.mark.parametrize("rule", list(Allocation))
@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_every_allocation_is_inside_its_rows_and_caps(rule, seed):
    problem = packing(seed)
    x = RULE_OF[rule](problem)
    assert np.all(x >= 0.0)
    assert np.all(x <= problem.cap + 1e-9)
    assert np.all(x @ problem.a.T <= problem.b * (1 + 1e-6) + 1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_in_a_max_min_allocation_whoever_is_not_at_its_cap_stands_behind_a_full_row_of_nobody_poorer(seed):
    problem = packing(seed)
    x = allocate.max_min(problem)
    share = x / problem.reference
    full = problem.b - x @ problem.a.T <= 1e-7
    for t, i in np.argwhere(x < problem.cap - 1e-7):
        holding = full[t] & (problem.a[:, i] > 0.0)
        assert any(share[t, i] >= share[t, problem.a[r] > 0.0].max() - 1e-6 for r in np.flatnonzero(holding))


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_max_sum_is_the_optimum_of_the_linear_programme(seed):
    problem = packing(seed)
    x = allocate.max_sum(problem)
    for t in range(len(x)):
        bounds = np.column_stack([np.zeros(x.shape[1]), problem.cap[t]])
        best = linprog(-np.ones(x.shape[1]), A_ub=problem.a, b_ub=problem.b[t], bounds=bounds)
        assert x[t].sum() == pytest.approx(-best.fun, rel=1e-6, abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_nothing_that_fits_is_proportionally_fairer_than_proportional_fair(seed):
    problem = packing(seed)
    x = allocate.proportional_fair(problem, rounds=3000)
    can = problem.cap > 0.0
    for t in range(len(x)):
        # Kelly's criterion: against any other allocation y the relative changes sum to at most zero.
        gradient = np.where(can[t], 1.0 / np.maximum(x[t], 1e-9), 0.0)
        bounds = np.column_stack([np.zeros(x.shape[1]), problem.cap[t]])
        best = linprog(-gradient, A_ub=problem.a, b_ub=problem.b[t], bounds=bounds)
        assert -best.fun - can[t].sum() <= 0.02 * max(can[t].sum(), 1)


def test_alpha_moves_from_the_sum_towards_the_smallest():
    # One row that the first variable uses three times as much as the second.
    problem = Packing(np.array([[3.0, 1.0]]), np.array([[6.0]]), np.full((1, 2), 5.0), np.ones(2))
    least = [allocate.alpha_fair(problem, alpha=alpha, rounds=4000).min() for alpha in (0.1, 1.0, 2.0, 8.0)]
    assert least == sorted(least)
    assert allocate.max_sum(problem)[0] == pytest.approx([1 / 3, 5.0])
    assert allocate.proportional_fair(problem, rounds=4000)[0] == pytest.approx([1.0, 3.0], rel=1e-3)
    assert allocate.max_min(problem)[0] == pytest.approx([1.5, 1.5])


def test_equal_stops_for_all_at_the_first_full_row_and_max_min_goes_on():
    a = np.array([[1.0, 0.0], [0.0, 1.0]])
    problem = Packing(a, np.array([[1.0, 3.0]]), np.full((1, 2), 10.0), np.array([1.0, 2.0]))
    assert allocate.equal(problem)[0].tolist() == [1.0, 1.0]
    assert allocate.proportional(problem)[0].tolist() == [1.0, 2.0]
    assert allocate.max_min(problem)[0].tolist() == [1.0, 3.0]


@pytest.mark.parametrize("rule", list(Allocation))
def test_a_breached_row_closes_only_those_who_would_add_to_it(rule):
    a = np.array([[1.0, 0.001, 0.0], [1.0, 1.0, 1.0]])
    problem = Packing(a, np.array([[-1.0, 4.0]]), np.full((1, 3), 10.0), np.ones(3))
    x = RULE_OF[rule](problem)[0]
    assert x[0] == 0.0
    assert x[1] + x[2] == pytest.approx(4.0)


@pytest.mark.parametrize("rule", list(Allocation))
def test_where_no_row_can_be_full_everyone_gets_all_that_it_can_use(rule):
    roomy = Packing(np.ones((2, 3)), np.full((4, 2), 100.0), np.tile([1.0, 2.0, 3.0], (4, 1)), np.ones(3))
    assert np.array_equal(RULE_OF[rule](roomy), roomy.cap)


@pytest.mark.parametrize("rule", list(Allocation))
def test_where_nobody_can_use_anything_nobody_gets_anything(rule):
    idle = Packing(np.ones((2, 3)), np.full((4, 2), 1.0), np.zeros((4, 3)), np.ones(3))
    assert not RULE_OF[rule](idle).any()


def test_jain():
    assert jain(np.array([2.0, 2.0, 2.0])) == pytest.approx(1.0)
    assert jain(np.array([6.0, 0.0, 0.0])) == pytest.approx(1 / 3)
