"""Limits on the sum of some connections, whatever the network would bear."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import Guarantee, calculate, verified_box, verify
from envelope.engine import solve_with_boxes
from envelope.explanation.explanation import explain
from envelope.field_rules import BadProblem
from envelope.problem import Allocation, GroupLimit
from tests.envelope.cases import UNDECLARED, street

DEPOT = GroupLimit("depot", ("c2", "c4", "c6"), max_import_w=9_000.0, max_export_w=5_000.0)
COLUMNS = [1, 3, 5]


@pytest.mark.parametrize("guarantee", UNDECLARED)
def test_no_combination_inside_the_box_exceeds_the_group(guarantee):
    allocation = Allocation.EQUAL if guarantee is Guarantee.COINCIDENT else Allocation.MAX_MIN
    problem = replace(street(groups=(DEPOT,)), guarantee=guarantee, allocation=allocation)
    schedule = calculate(problem)
    lo, hi = verified_box(problem, schedule)
    assert hi[:, COLUMNS].sum(axis=1).max() <= 5_000.0
    assert -lo[:, COLUMNS].sum(axis=1).min() <= 9_000.0
    # It is used to the full, less the margin.
    assert hi[:, COLUMNS].sum(axis=1).max() > 4_900.0
    assert verify(problem, schedule).inside


def test_the_group_is_the_reason_that_is_given():
    problem = street(groups=(DEPOT,), adoption_s=0)
    found = explain(problem, solve_with_boxes(problem), "c4", step=0, direction="export")
    assert found.binding == "overload of group depot"
    assert {c.connection_id for c in found.contributors} <= {"c2", "c4", "c6"}


def test_a_sum_beyond_the_group_is_found():
    problem = street(groups=(DEPOT,), adoption_s=0)
    schedule = calculate(problem)
    raised = schedule.export_limit_w + 100 * np.isin(np.arange(9), COLUMNS)
    report = verify(problem, replace(schedule, export_limit_w=raised))
    assert report.overload_percent > 1.0
    assert report.overload.element == "group depot"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"connections": ("c2", "c77")}, "groups: depot: connections: 'c77' is not in the network"),
        ({"connections": "c2"}, "group depot: connections: 'c2' is not a sequence"),
        ({"max_import_w": -1.0}, "group depot: max_import_w: -1 is negative"),
        ({"max_export_w": np.inf}, "group depot: max_export_w: inf is not finite"),
        ({"max_import_w": 0.0, "max_export_w": 0.0}, "group depot: max_import_w and max_export_w: both are 0"),
        ({"part": np.ones(5)}, r"groups: part has shape \(5,\); expected \(6,\)"),
    ],
)
def test_a_group_that_makes_no_sense_is_refused(change, said):
    with pytest.raises(BadProblem, match=said):
        street(groups=(replace(DEPOT, **change),))
