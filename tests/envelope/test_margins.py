"""What is not known for sure costs room, and the limits hold when it comes true."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import OperatingLimits, calculate, verify
from envelope.problem import (
    AutonomousResponse,
    BoxMargin,
    ChanceMargin,
    HeadVoltageMargin,
    ImpedanceMargin,
    ScenarioMargin,
)
from envelope.verification import Effort, verify_wrong_phases
from envelope.verification.wrong_phases import with_wrong_phases
from tests.envelope.cases import street

EVERY = Effort(random=10, inside=2, judge_all=True)


def passive(steps: int = 3):
    """Four customers of eight are flexible; nobody knows exactly what the others draw."""
    problem = street(customers=8, steps=steps, adoption_s=0)
    can = np.arange(8) % 2
    return replace(problem, flex_gen_w=problem.flex_gen_w * can, flex_load_w=problem.flex_load_w * can)


def test_any_base_within_its_band_is_inside():
    problem = passive()
    delta = np.where(np.arange(8) % 2 == 0, 800.0, 0.0)
    schedule = calculate(replace(problem, margins=(BoxMargin(delta),)))
    assert "base within its bands" in schedule.guarantee
    rng = np.random.default_rng(2)
    broken = 0
    plain = calculate(problem)
    for _ in range(6):
        moved = replace(problem, base_load_w=problem.base_load_w + rng.choice([-1.0, 1.0], (1, 8)) * delta)
        report = verify(moved, schedule, solver="reduced", effort=EVERY)
        assert report.inside, report.sentence()
        broken += not verify(moved, plain, solver="reduced", effort=EVERY).inside
    assert broken > 0


def test_an_aggregate_varies_less_than_its_parts():
    problem = passive()
    sigma = np.where(np.arange(8) % 2 == 0, 400.0, 0.0)
    sums = calculate(replace(problem, margins=(BoxMargin(2.0 * sigma),)))
    aggregate = calculate(replace(problem, margins=(ChanceMargin(sigma, 2.0),)))
    shared = calculate(replace(problem, margins=(ChanceMargin(sigma, 2.0, common_w=sigma),)))
    plain = calculate(problem)
    rooms = [s.export_room_w.sum() + s.import_room_w.sum() for s in (sums, shared, aggregate, plain)]
    assert rooms[0] < rooms[2] < rooms[3]
    assert rooms[1] < rooms[2]


def test_the_sigma_of_the_base_is_a_chance_margin():
    problem = passive()
    by_field = calculate(replace(problem, base_sigma_w=np.full(8, 300.0), base_z=2.0))
    by_margin = calculate(replace(problem, margins=(ChanceMargin(np.full(8, 300.0), 2.0),)))
    assert np.array_equal(by_field.export_limit_w, by_margin.export_limit_w)
    assert by_field.guarantee == "two-sided | base within 2 sigma"


def test_every_scenario_is_inside():
    problem = passive()
    rng = np.random.default_rng(4)
    can = np.arange(8) % 2
    paths = problem.base_load_w + (1 - can) * rng.uniform(-900.0, 900.0, (4, 1, 8))
    schedule = calculate(replace(problem, margins=(ScenarioMargin(paths, problem.base_load_w),)))
    for path in paths:
        report = verify(replace(problem, base_load_w=path), schedule, solver="reduced", effort=EVERY)
        assert report.inside, report.sentence()


@pytest.mark.parametrize("factor", [0.985, 1.015])
def test_a_head_voltage_anywhere_in_its_band_is_inside(factor):
    problem = passive()
    schedule = calculate(replace(problem, margins=(HeadVoltageMargin(0.985, 1.015),)))
    moved = replace(problem, source_v=factor * problem.reduced.network.source.v)
    report = verify(moved, schedule, solver="reduced", effort=EVERY)
    assert report.inside, report.sentence()


def test_a_doubt_about_impedances_costs_room():
    problem = passive()
    sure, unsure = calculate(problem), calculate(replace(problem, margins=(ImpedanceMargin(0.1),)))
    assert unsure.export_room_w.sum() < 0.97 * sure.export_room_w.sum()
    assert "impedances within 10 %" in unsure.guarantee


def test_wrong_phases_break_what_was_guaranteed_and_are_reported():
    problem = street(customers=30, steps=2, adoption_s=0)
    schedule = calculate(problem)
    assert verify(problem, schedule, solver="reduced").inside
    moved = with_wrong_phases(problem, 0.1, seed=1)
    pairs = zip(moved.reduced.network.connections.phase, problem.reduced.network.connections.phase, strict=True)
    assert sum(a != b for a, b in pairs) == 3
    assert not verify_wrong_phases(problem, schedule, part=0.2).inside


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_volt_var_is_counted_in_currents_and_not_credited_to_voltages(sign):
    problem = street(customers=8, steps=2, adoption_s=0)
    weak = replace(problem, limits=OperatingLimits(v_min_v=150.0, v_max_v=330.0))
    q_max = np.full(8, 2_000.0)
    schedule = calculate(replace(weak, margins=(AutonomousResponse(q_max),)))
    assert "volt-var counted, not credited" in schedule.guarantee
    loaded = replace(weak, base_load_var=weak.base_load_var + sign * q_max)
    assert verify(loaded, schedule, solver="reduced", effort=EVERY).inside
    assert not verify(loaded, calculate(weak), solver="reduced", effort=EVERY).inside
