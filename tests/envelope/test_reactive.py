"""Reactive power by policy: counted as it says, named in every row, and verified with vars anywhere it allows."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import Guarantee, OperatingLimits, calculate, verify
from envelope.constraints.disturbances import unbounded_power
from envelope.constraints.monitored_feeder import monitor
from envelope.field_rules import BadProblem
from envelope.problem import (
    Allocation,
    AsForecast,
    AutonomousResponse,
    ConstantVar,
    Credit,
    FixedPowerFactor,
    FreeVar,
    HeadVoltageMargin,
    VoltVar,
)
from envelope.problem import plan_file as plan
from envelope.problem.serialization import from_plain, to_plain
from envelope.study.study import Study, problem_of
from envelope.verification import Effort
from gridmodel.flow.inverters import Curve
from gridmodel.readers.example_feeders import european_lv
from tests.envelope.cases import UNDECLARED, street

EVERY = Effort(random=20, inside=3, sign=400, greedy=1, judge_all=True)
FAST = Effort(random=10, inside=2, sign=400, greedy=0, judge_all=True)
SIZE = np.full(8, 3_000.0)
CURVE = Curve(((0.9, 1.0), (0.95, 0.0), (1.04, 0.0), (1.1, -1.0)))
POLICIES = [
    (AsForecast(), "as forecast", ""),
    (FixedPowerFactor(0.95), "power factor 0.95 absorbing", "generation at power factor 0.95 absorbing"),
    (FixedPowerFactor(0.9, absorbing=False), "power factor 0.9 producing", "generation at power factor 0.9 producing"),
    (ConstantVar(np.linspace(-900.0, 900.0, 8)), "constant var", "constant var as given"),
    (FreeVar(SIZE), "free in the capability circle", "any var in the capability circle"),
    (VoltVar(SIZE), "volt-var", "volt-var counted, not credited"),
]


def some(steps: int = 2, **changes):
    return street(customers=8, steps=steps, **({"adoption_s": 0} | changes))


@pytest.mark.parametrize("guarantee", UNDECLARED)
@pytest.mark.parametrize(("policy", "rule", "said"), POLICIES, ids=[rule for _, rule, _ in POLICIES])
def test_every_policy_is_named_and_kept(policy, rule, said, guarantee):
    allocation = Allocation.EQUAL if guarantee is Guarantee.COINCIDENT else Allocation.MAX_MIN
    problem = replace(some(reactive=policy), guarantee=guarantee, allocation=allocation)
    schedule = calculate(problem)
    assert schedule.guarantee == " | ".join(filter(None, [guarantee, said]))
    table = schedule.to_frame()
    assert set(table.pf_rule) == {rule}
    assert (table.q_min_var <= table.q_max_var).all()
    report = verify(problem, schedule, effort=EVERY)
    assert report.inside, report.sentence()


def test_vars_of_each_row_follow_from_the_policy():
    problem = some()
    column, base = 3, -problem.base_load_var[0, 3]
    rooms = {}
    for policy, rule, _ in POLICIES:
        schedule = calculate(replace(problem, reactive=policy))
        one = schedule.to_frame().query("connection_point == 'c4'").iloc[0]
        rooms[rule] = schedule.export_room_w[0, column], one.q_min_var, one.q_max_var
    assert rooms["as forecast"][1:] == (np.floor(base), np.ceil(base))
    room, low, high = rooms["power factor 0.95 absorbing"]
    tan = np.tan(np.arccos(0.95))
    assert (low, high) == (np.floor(base - tan * room), np.ceil(base))
    assert rooms["constant var"][1] == np.floor(base + np.linspace(-900.0, 900.0, 8)[column])
    for rule in ("free in the capability circle", "volt-var"):
        assert rooms[rule][1:] == (np.floor(base - 3_000.0), np.ceil(base + 3_000.0))


def test_absorbing_makes_room_for_export_and_free_vars_cost_it():
    limits = OperatingLimits(v_max_v=245.0)
    alone = {"flex_load_w": np.zeros((2, 8)), "limits": limits}
    room = {
        rule: calculate(replace(some(**alone), reactive=policy)).export_room_w.sum() for policy, rule, _ in POLICIES
    }
    assert room["power factor 0.95 absorbing"] > 1.02 * room["as forecast"]
    assert room["power factor 0.9 producing"] < 0.98 * room["as forecast"]
    assert room["free in the capability circle"] < 0.98 * room["as forecast"]


def test_vars_that_the_policy_allows_break_limits_that_forgot_them():
    problem = some()
    plain = calculate(problem)
    free = replace(problem, reactive=FreeVar(SIZE))
    assert not verify(free, plain, solver="reduced", effort=FAST).inside
    at_factor = replace(problem, reactive=FixedPowerFactor(0.8))
    assert not verify(at_factor, plain, solver="reduced", effort=FAST).inside


def test_any_mix_of_free_vars_is_inside():
    problem = some(reactive=FreeVar(SIZE))
    schedule = calculate(problem)
    rng = np.random.default_rng(5)
    for _ in range(20):
        var = rng.choice([-1.0, 0.0, 1.0], (2, 8)) * SIZE
        moved = replace(problem, reactive=AsForecast(), base_load_var=problem.base_load_var + var)
        report = verify(moved, schedule, solver="reduced", effort=Effort(random=2, inside=1, greedy=0, judge_all=True))
        assert report.inside, report.sentence()


def free_var_of(problem) -> tuple[np.ndarray, np.ndarray]:
    found = unbounded_power(problem, monitor(problem))
    return found.lo_var, found.hi_var


def test_what_generation_absorbs_for_a_load_behind_its_meter_is_counted_when_asked():
    problem = some(reactive=FixedPowerFactor(0.9, behind_meter=True))
    low, high = free_var_of(problem)
    assert np.allclose(low, -np.tan(np.arccos(0.9)) * 10_000.0)
    assert not high.any()
    low, high = free_var_of(replace(problem, flex_load_w=np.zeros((2, 8))))
    assert not low.any()
    schedule = calculate(problem)
    assert "power factor 0.9 absorbing, behind meters too" in schedule.guarantee
    assert verify(problem, schedule, effort=EVERY).inside
    assert not verify(problem, calculate(some(reactive=FixedPowerFactor(0.9))), effort=EVERY).inside


def test_both_ends_may_strain_a_row(lv28):
    """Behind a transformer, feeding at a power factor lowers voltages as drawing does: up to +0.7 V went unseen."""
    feeder, reduced = lv28
    study = Study(steps=12, export_w=10e3, import_w=14e3, adoption_s=0)
    problem = replace(problem_of(feeder, study, reduced), reactive=FixedPowerFactor(0.95))
    report = verify(problem, calculate(problem), effort=Effort(random=5, inside=1, greedy=1))
    assert report.inside, report.sentence()


def test_coincident_limits_keep_their_margins_too():
    problem = replace(some(), guarantee=Guarantee.COINCIDENT, allocation=Allocation.EQUAL)
    sure, unsure = calculate(problem), calculate(replace(problem, margins=(HeadVoltageMargin(0.985, 1.015),)))
    assert unsure.import_room_w.sum() < 0.8 * sure.import_room_w.sum()
    for factor in (0.985, 1.015):
        moved = replace(problem, source_v=factor * problem.reduced.network.source.v)
        assert verify(moved, unsure, solver="reduced", effort=FAST).inside
    hopeless = calculate(replace(problem, margins=(HeadVoltageMargin(0.8, 1.2),)))
    assert set(hopeless.to_frame().status) == {"infeasible_base"}


def test_volt_var_costs_less_by_its_angle_than_by_its_size():
    problem = some(limits=OperatingLimits(v_min_v=150.0, v_max_v=330.0))
    by_policy = calculate(replace(problem, reactive=VoltVar(SIZE)))
    by_margin = calculate(replace(problem, margins=(AutonomousResponse(SIZE),)))
    assert by_policy.guarantee == by_margin.guarantee
    plain = calculate(problem)
    rooms = [found.export_room_w.sum() for found in (by_margin, by_policy, plain)]
    assert rooms[0] < 0.95 * rooms[1] < 0.95 * rooms[2]
    assert verify(replace(problem, reactive=VoltVar(SIZE)), by_policy, effort=EVERY).inside


MEASURED = VoltVar(SIZE, Credit.MEASURED, CURVE, measured_share=np.full(8, 0.7))


@pytest.mark.parametrize("policy", [*(policy for policy, _, _ in POLICIES), MEASURED], ids=lambda policy: policy.rule)
def test_a_policy_comes_back_as_it_was_written(policy):
    arrays = {}
    found = from_plain(to_plain(policy, arrays, "x"), arrays)
    assert type(found) is type(policy)
    assert found.rule == policy.rule
    for name, value in vars(policy).items():
        assert np.array_equal(getattr(found, name), value)


def test_a_plan_keeps_what_can_be_told(tmp_path):
    problem = replace(
        problem_of(european_lv(), Study(steps=2)),
        reactive=FixedPowerFactor(0.95),
        control_point=("device",) * 55,
        controls_import=np.arange(55) > 3,
        flex_split=("balanced",) * 55,
    )
    plan.save(tmp_path / plan.FILE, plan.EUROPEAN_LV, problem)
    found = plan.load(tmp_path / plan.FILE).problem
    assert found.reactive.rule == "power factor 0.95 absorbing"
    assert (found.control_point, found.flex_split) == (problem.control_point, problem.flex_split)
    assert np.array_equal(found.controls_import, problem.controls_import)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: FixedPowerFactor(1.2), "power_factor: 1.2 is outside 0..1"),
        (lambda: FreeVar(np.array([1.0, -1.0])), "size_va: connection no. 1: -1 is negative"),
        (lambda: ConstantVar(np.array([np.nan])), "var: connection no. 0: nan is not finite"),
        (lambda: VoltVar(SIZE, Credit.DECLARED), "curve: volt-var credited as declared needs it"),
        (lambda: VoltVar(SIZE, Credit.MEASURED, CURVE), "measured_share: goes with credit measured"),
        (
            lambda: VoltVar(SIZE, Credit.MEASURED, CURVE, measured_share=np.full(8, 1.1)),
            "no. 0: 1.1 is outside 0..1",
        ),
        (
            lambda: some(reactive=FreeVar(np.ones(3))),
            r"reactive: size_va has shape \(3,\); expected .* \(8,\)",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, said):
    with pytest.raises(BadProblem, match=said):
        wrong()
