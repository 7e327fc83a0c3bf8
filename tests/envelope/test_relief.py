"""What is told of a relief is what a new calculation with it gives, and what holds the limit back then."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import calculate
from envelope.engine import solve_with_boxes
from envelope.explanation.explanation import explain
from envelope.explanation.relief import recalculate_reliefs
from envelope.problem import GroupLimit
from envelope.study.study import Study, problem_of
from gridmodel.readers.example_feeders import european_lv
from tests.envelope.cases import street


def told(problem, solution, name, step, direction):
    return recalculate_reliefs(
        problem, solution.schedule, explain(problem, solution, name, step=step, direction=direction)
    )


def gained(problem, schedule, found, step, **changes):
    """What a change of the problem gives the limit, and its binding then."""
    other = calculate(replace(problem, **changes))
    column = problem.connection_id.index(found.connection_id)
    name = f"{found.direction}_limit_w"
    more = int(getattr(other, name)[step, column] - getattr(schedule, name)[step, column])
    return max(more, 0), other.binding_text(found.direction, step, column)


@pytest.fixture(scope="module")
def european():
    problem = problem_of(european_lv(), Study(steps=12))
    return problem, solve_with_boxes(problem)


def test_where_another_element_binds_at_once_no_watts_are_promised(european):
    problem, solution = european
    schedule = solution.schedule
    found = told(problem, solution, "LOAD53", 5, "export")
    assert found.binding.startswith("over-voltage")
    limits = problem.limits
    more, then = gained(problem, schedule, found, 5, limits=replace(limits, v_max_v=limits.v_max_v + 1.0))
    wider, head, absorbing, *_ = found.reliefs
    assert wider.what == "an upper voltage limit 1 V higher"
    assert (wider.gain_w, wider.then) == (more, "" if then == found.binding else then)
    # By the slopes of its own row it looked like a good deal more.
    assert more < 0.5 * explain(problem, solution, "LOAD53", step=5, direction="export").relief_w
    assert wider.then.startswith("overload of line LINE1")
    assert f"What binds next: {wider.then}" in found.sentence()
    source_v = 0.995 * problem.reduced.network.source.v
    assert head.gain_w == gained(problem, schedule, found, 5, source_v=source_v)[0]
    assert absorbing.gain_w > head.gain_w


def test_more_rating_is_that_of_the_element_that_binds(european):
    problem, solution = european
    schedule = solution.schedule
    found = told(problem, solution, "LOAD53", 0, "import")
    assert found.binding.startswith("overload of line LINE1")
    reduced = problem.reduced
    line = np.array([reduced.network.branches.id[k] in ("LINE1", "LINE2") for k in reduced.current_branch])
    larger = replace(reduced, rating_a=np.where(line, 1.1, 1.0) * reduced.rating_a)
    more, _ = gained(problem, schedule, found, 0, reduced=larger)
    assert found.reliefs[0].what == "10 % more rating there and in series with it"
    assert found.reliefs[0].gain_w == found.relief_w >= more


def test_a_group_can_be_given_more():
    problem = street(customers=6, steps=2)
    group = GroupLimit("three", ("c1", "c2", "c3"), max_import_w=9_000.0, max_export_w=300.0)
    problem = replace(problem, groups=(group,))
    solution = solve_with_boxes(problem)
    schedule = solution.schedule
    found = told(problem, solution, "c2", 0, "export")
    assert "three" in found.binding
    larger = replace(group, max_import_w=9_900.0, max_export_w=330.0)
    assert found.reliefs[0].gain_w == gained(problem, schedule, found, 0, groups=(larger,))[0] > 0


def test_what_nothing_holds_back_has_no_relief():
    problem = street(customers=3, steps=2, flex_gen_w=np.full((2, 3), 50.0), flex_load_w=np.full((2, 3), 50.0))
    assert told(problem, solve_with_boxes(problem), "c1", 0, "import").reliefs == ()
