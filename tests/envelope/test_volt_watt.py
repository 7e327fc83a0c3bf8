"""Volt-watt: credited to voltages for the share of inverters that follow, never to currents, named in the sentence."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import OperatingLimits, calculate, verify
from envelope.field_rules import BadProblem
from envelope.problem import AsForecast, Credit, FixedPowerFactor, VoltVar, VoltWatt
from envelope.problem.inverter_curves import UnknownRegion, region, region_of, regions
from envelope.problem.serialization import from_plain, to_plain
from envelope.verification import Effort
from gridmodel.flow.inverters import Curve
from tests.envelope.cases import street

EVERY = Effort(random=20, inside=10, sign=100, greedy=1, judge_all=True, contingencies=True)
CURVE = Curve(((248.0 / 230.0, 1.0), (253.0 / 230.0, 0.0)))
SIZE, NAME = np.full(8, 10_000.0), "A. Engineer"
WIDE = OperatingLimits(rating_factor=4.0)
DECLARED = VoltWatt(SIZE, Credit.DECLARED, CURVE, declared_by=NAME)


def some(policy, **changes):
    given = {"limits": WIDE, "adoption_s": 0, "seed": 6} | changes
    return street(**({"customers": 8, "steps": 1} | given), reactive=policy)


@pytest.fixture(scope="module")
def rooms():
    policies = {
        "none": VoltWatt(SIZE),
        "60 %": replace(DECLARED, declared_share=0.6),
        "all": DECLARED,
    }
    return {name: (some(policy), calculate(some(policy))) for name, policy in policies.items()}


def test_credit_makes_room_for_the_share_that_follows(rooms):
    export = {name: schedule.export_room_w.sum() for name, (_, schedule) in rooms.items()}
    assert export["none"] == calculate(some(AsForecast())).export_room_w.sum()
    assert export["all"] > 1.02 * export["none"]
    assert export["all"] >= export["60 %"] >= export["none"]


@pytest.mark.parametrize("name", ["none", "60 %", "all"])
def test_limits_hold_with_the_others_silent_and_at_kinks(rooms, name):
    problem, schedule = rooms[name]
    report = verify(problem, schedule, effort=EVERY)
    assert report.inside, report.sentence()
    credited = "credited" in schedule.guarantee and "not credited" not in schedule.guarantee
    assert ("kink" in report.by_corner) is credited
    assert ("others silent" in report.by_corner) is (name == "60 %" and credited)


def test_a_declared_share_stands_in_the_sentence_with_its_engineer(rooms):
    _, schedule = rooms["all"]
    assert (
        schedule.guarantee == f"two-sided | volt-watt credited to voltages as declared by {NAME} for 100 % of inverters"
    )
    assert set(schedule.to_frame().pf_rule) == {"volt-watt as declared"}
    half = replace(DECLARED, credit=Credit.MEASURED, declared_by="", measured_share=np.linspace(0.0, 1.0, 8))
    assert half.said == "volt-watt credited to voltages as measured for 50 % of inverters"
    shared = VoltVar(SIZE, Credit.DECLARED, CURVE, declared_share=0.7, declared_by=NAME)
    assert shared.said == f"volt-var credited to voltages as declared by {NAME} for 70 % of inverters"


def test_without_the_response_its_limits_break_and_that_is_reported(rooms):
    problem, schedule = rooms["all"]
    silent = replace(problem, reactive=VoltWatt(SIZE))
    assert verify(silent, schedule, solver="reduced", effort=EVERY).over_v > 0.5
    report = verify(problem, schedule, solver="reduced", effort=EVERY)
    events = {one.event: one for one in report.contingencies if not one.region}
    assert events["no inverter responds"].over_v > 0.5


def test_currents_are_those_of_inverters_that_do_not_reduce():
    problem = some(DECLARED, limits=OperatingLimits(v_min_v=150.0, v_max_v=330.0))
    plain = calculate(replace(problem, reactive=AsForecast()))
    assert calculate(problem).export_room_w.sum() <= 1.001 * plain.export_room_w.sum()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            lambda: VoltWatt(SIZE, Credit.DECLARED, CURVE),
            "declared_by: a declared share bears the name of the engineer",
        ),
        (lambda: VoltWatt(SIZE, Credit.DECLARED, declared_by=NAME), "curve: volt-watt credited as declared needs it"),
        (lambda: VoltWatt(SIZE, declared_by=NAME), "declared_share and declared_by: go with credit declared"),
        (lambda: VoltWatt(SIZE, curve=Curve(((1.0, 0.2), (1.1, 1.0)))), "curve: a volt-watt curve falls"),
        (lambda: replace(DECLARED, declared_share=1.5), "declared_share: 1.5 is outside 0..1"),
        (lambda: VoltVar(SIZE, Credit.DECLARED, CURVE, declared_share=0.5), "bears the name of the engineer"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, said):
    with pytest.raises(BadProblem, match=said):
        wrong()


@pytest.mark.parametrize("policy", [DECLARED, replace(DECLARED, declared_share=0.5)])
def test_it_comes_back_as_it_was_written(policy):
    arrays = {}
    found = from_plain(to_plain(policy, arrays, "x"), arrays)
    assert (found.said, found.rule, found.curve) == (policy.said, policy.rule, policy.curve)


def test_connections_that_do_not_keep_a_power_factor_are_counted_either_way():
    """Those that may absorb or not are worse than all that do, and not better than none that do."""
    follows = np.arange(8) % 2 == 0
    limits = OperatingLimits(v_max_v=245.0)
    alone = {"flex_load_w": np.zeros((1, 8)), "limits": limits}
    policies = (FixedPowerFactor(0.95), FixedPowerFactor(0.95, follows=follows))
    schedules = [calculate(some(policy, **alone)) for policy in policies]
    assert schedules[1].export_room_w.sum() < schedules[0].export_room_w.sum()
    assert "at 4 of 8 connections" in schedules[1].guarantee
    assert verify(some(policies[1], **alone), schedules[1], effort=EVERY).inside
    # Half of them absorb and the others do not: the limits for that hold, those for all do not.
    assert not verify(some(policies[1], **alone), schedules[0], solver="reduced", effort=EVERY).inside


def test_curves_of_regions_are_data_with_a_source():
    australia = region("as4777-a")
    volts = [230.0 * v for v, _ in australia.volt_watt.curve.points]
    assert volts == pytest.approx([253.0, 260.0])
    assert australia.volt_watt.curve.points[-1][1] == 0.2
    assert [230.0 * v for v, _ in australia.volt_var.curve.points] == pytest.approx([207.0, 220.0, 240.0, 258.0])
    america = region_of("ansi-c84.1-a")
    assert america is not None
    assert [v for v, _ in america.volt_watt.curve.points] == [1.06, 1.10]
    assert not america.volt_watt.enabled
    assert not america.volt_var.enabled
    assert region_of("as-61000.3.100") is australia
    assert region_of("en-50160") is None
    assert all(one.source for one in regions().values())
    with pytest.raises(UnknownRegion, match="as4777-a"):
        region("mars")
