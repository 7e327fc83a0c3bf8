"""Inverters that answer their own voltage: credited to voltages when asked to, and always counted in currents."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import Guarantee, OperatingLimits, calculate, verify
from envelope.constraints.monitored_feeder import monitor
from envelope.problem import AsForecast, Credit, VoltVar
from envelope.verification import Effort
from gridmodel.flow.inverters import Curve
from gridmodel.model import admittance as build
from tests.envelope.cases import on, street

EVERY = Effort(random=20, inside=10, sign=100, greedy=1, judge_all=True, wrong_phases=0.0)
CURVE = Curve(((0.9, 1.0), (0.96, 0.0), (1.04, 0.0), (1.1, -1.0)))
SIZE = np.full(8, 4_000.0)
WIDE = OperatingLimits(rating_factor=4.0)


def credited(credit=Credit.DECLARED, curve=CURVE, size=SIZE, **changes):
    share = np.full(8, 0.5) if credit is Credit.MEASURED else None
    policy = VoltVar(size, credit, None if credit is Credit.NONE else curve, measured_share=share)
    given = {"limits": WIDE, "adoption_s": 0} | changes
    return street(**({"customers": 8, "steps": 1} | given), reactive=policy)


@pytest.mark.parametrize(("guarantee", "seed"), [("two-sided", 4), ("one-sided", 9)])
def test_credited_limits_hold_at_corners_and_between_them(guarantee, seed):
    """Cases whose corners alone would let up to 2 V through."""
    problem = replace(credited(seed=seed), guarantee=Guarantee(guarantee))
    schedule = calculate(problem)
    assert schedule.guarantee == f"{guarantee} | volt-var credited to voltages as declared"
    report = verify(problem, schedule, effort=EVERY)
    assert report.inside, report.sentence()
    assert report.by_corner["kink"]["scenarios"] > 0
    assert set(schedule.to_frame().pf_rule) == {"volt-var as declared"}


def test_credit_makes_room_and_half_of_it_about_half():
    rooms = {credit: calculate(credited(credit, seed=6)).export_room_w.sum() for credit in Credit}
    assert rooms[Credit.DECLARED] > 1.03 * rooms[Credit.NONE]
    share = (rooms[Credit.MEASURED] - rooms[Credit.NONE]) / (rooms[Credit.DECLARED] - rooms[Credit.NONE])
    assert 0.3 < share < 0.7


def test_without_the_answer_credited_limits_break():
    problem = credited(seed=6)
    schedule = calculate(problem)
    silent = replace(problem, reactive=VoltVar(SIZE))
    assert verify(silent, schedule, solver="reduced", effort=EVERY).over_v > 0.5


def test_currents_count_all_of_it_where_no_curve_is_known():
    problem = credited(Credit.NONE, seed=1, limits=OperatingLimits(v_min_v=150.0, v_max_v=330.0))
    schedule = calculate(problem)
    assert schedule.binding_text("export", 0, 0).startswith("overload")
    for sign in (-1.0, 1.0):
        loaded = replace(problem, reactive=AsForecast(), base_load_var=problem.base_load_var + sign * SIZE)
        assert verify(loaded, schedule, solver="reduced", effort=EVERY).overload_percent <= 0.0


def test_currents_count_what_a_credited_curve_gives_and_nothing_of_it():
    problem = credited(seed=1, limits=OperatingLimits(v_min_v=150.0, v_max_v=330.0))
    schedule = calculate(problem)
    assert any(schedule.binding_text("export", 0, k).startswith("overload") for k in range(8))
    for reactive in (problem.reactive, AsForecast()):
        assert verify(replace(problem, reactive=reactive), schedule, solver="reduced", effort=EVERY).inside
    # Limits that leave the var of the curve out break with it.
    without = calculate(replace(problem, reactive=AsForecast()))
    assert verify(problem, replace(without, pf_rule=schedule.pf_rule), effort=EVERY).overload_percent > 0.5


def test_who_is_on_no_known_phase_is_not_credited():
    problem = credited(seed=1)
    equipment = problem.reduced.network.equipment
    unknown = tuple(replace(c, phase="unknown") if k < 7 else c for k, c in enumerate(equipment.connections))
    moved = on(build.network(replace(equipment, connections=unknown)), 1, reactive=problem.reactive)
    inverters = monitor(moved).inverters
    assert monitor(moved).port_connection[inverters.port].tolist() == [7]


def test_what_does_not_come_out_is_not_credited():
    # Straight from full production to full absorption: limits that count on it are no limits.
    cliff = Curve(((0.999, 1.0), (1.001, -1.0)))
    size = np.full(8, 30_000.0)
    problem = credited(curve=cliff, size=size, limits=OperatingLimits(rating_factor=10.0))
    schedule = calculate(problem)
    assert schedule.guarantee == "two-sided | volt-var counted, not credited"
    assert schedule.findings[-1].startswith("volt_var_not_credited: ")
    assert np.array_equal(schedule.export_limit_w, calculate(replace(problem, reactive=VoltVar(size))).export_limit_w)
    # It is verified as what it says that it is.
    assert verify(problem, schedule, effort=EVERY).inside


def test_climbs_find_worse_corners_where_inverters_respond():
    """No corner of any constraint is the worst: on long streets some inverters are to be on flat parts of curves."""
    curve = Curve(((0.9, 0.73), (0.9565, 0.0), (1.0435, 0.0), (1.122, -1.0)))
    policy = VoltVar(np.full(24, 3_000.0), Credit.DECLARED, curve)
    problem = street(customers=24, steps=3, limits=WIDE, allocation="proportional-fair", reactive=policy)
    found = calculate(problem)
    raised = replace(found, import_limit_w=found.import_limit_w + 1_000)
    corners, climbed = (
        verify(problem, raised, solver="reduced", effort=replace(EVERY, climbs=climbs)) for climbs in (0, 48)
    )
    assert climbed.under_v > corners.under_v + 0.1
    assert climbed.under.corner in ("greedy", "path")
