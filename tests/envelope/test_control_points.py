"""Who can be told what: directions that nobody can limit, and the parts of several devices behind one connection."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envelope import Guarantee, OperatingLimits, calculate, verified_box, verify
from envelope.engine import solve_with_boxes
from envelope.explanation.explanation import explain
from envelope.field_rules import BadProblem
from envelope.problem import Allocation, Policy
from envelope.problem.control_points import ConnectionTaken, control_points_of, directions
from envelope.schedule import divide
from envelope.schedule.device_limits import parts
from envelope.study.summary import room
from envelope.verification import Effort
from gridmodel.model.devices import Device
from tests.envelope.cases import UNDECLARED, street

EVERY = Effort(random=20, inside=3, sign=400, greedy=1, judge_all=True)


def chargers(**changes):
    """Three of eight customers have a charger that nobody can limit."""
    problem = street(customers=8, steps=3, adoption_s=0, **changes)
    load = np.where(np.isin(np.arange(8), [1, 4, 6]), 9_000.0, problem.flex_load_w)
    can = ~np.isin(np.arange(8), [1, 4, 6])
    return replace(problem, flex_load_w=load), can


@pytest.mark.parametrize("guarantee", UNDECLARED)
def test_who_can_not_be_limited_counts_with_all_that_it_can_reach(guarantee):
    problem, can = chargers(limits=OperatingLimits(v_min_v=205.0))
    allocation = Allocation.EQUAL if guarantee is Guarantee.COINCIDENT else Allocation.MAX_MIN
    problem = replace(problem, guarantee=guarantee, allocation=allocation)
    free, bound = calculate(problem), calculate(replace(problem, controls_import=can))
    whole = np.floor(problem.reach_import_w).astype(int)
    assert np.array_equal(bound.import_limit_w[:, ~can], whole[:, ~can])
    assert set(bound.to_frame().status[bound.to_frame().connection_point == "c2"]) == {"no_import_control"}
    assert bound.binding_text("import", 0, 1) == "no_import_control"
    # Everybody else gets what is left.
    assert bound.import_room_w[:, can].sum() < free.import_room_w[:, can].sum() - 2_000.0
    assert "uncontrolled import in full" in bound.guarantee
    report = verify(replace(problem, controls_import=can), bound, effort=EVERY)
    assert report.inside, report.sentence()


def test_what_is_counted_in_full_is_verified_in_full():
    problem, can = chargers(limits=OperatingLimits(v_min_v=205.0))
    blind = calculate(problem)
    uncontrolled = replace(problem, controls_import=can, flex_load_w=problem.flex_load_w)
    lo, _ = verified_box(uncontrolled, blind)
    assert np.allclose(-lo[:, ~can], problem.reach_import_w[:, ~can])
    # Limits that were found as if all could be told them break when some are not.
    assert not verify(uncontrolled, blind, solver="reduced", effort=EVERY).inside


def test_uncontrolled_export_is_the_same_the_other_way_round():
    problem = street(customers=8, steps=2, adoption_s=0)
    problem = replace(problem, flex_gen_w=np.where(np.arange(8) == 2, 2_500.0, problem.flex_gen_w))
    can = np.arange(8) != 2
    schedule = calculate(replace(problem, controls_export=can))
    assert np.all(schedule.export_limit_w[:, 2] == np.floor(problem.reach_export_w[:, 2]))
    assert schedule.binding_text("export", 0, 2) == "no_export_control"
    assert verify(replace(problem, controls_export=can), schedule, effort=EVERY).inside


def test_a_breach_by_what_nobody_can_limit_outranks_the_reason_and_leaves_no_room():
    problem, can = chargers(limits=OperatingLimits(v_min_v=225.0))
    problem = replace(problem, controls_import=can, flex_load_w=problem.flex_load_w * 3)
    schedule = calculate(problem)
    assert "infeasible_firm" in set(schedule.to_frame().status)
    assert any(finding.startswith("infeasible_firm") for finding in schedule.findings)
    assert verify(problem, schedule, solver="reduced", effort=EVERY).inside


def test_fairness_is_among_those_who_can_be_told():
    problem, can = chargers(limits=OperatingLimits(v_min_v=205.0))
    schedule = calculate(replace(problem, controls_import=can, allocation=Allocation.EQUAL))
    assert room(schedule)["import_jain"] == pytest.approx(1.0, abs=0.01)
    assert room(schedule)["import_least_w"] == pytest.approx(schedule.import_room_w[:, can].mean(axis=0).min())


def test_the_reason_is_said_in_a_sentence():
    problem, can = chargers()
    problem = replace(problem, controls_import=can)
    found = explain(problem, solve_with_boxes(problem), "c2", step=0, direction="import")
    assert found.binding == "no_import_control"
    assert "nobody who could be told" in found.sentence()


@pytest.mark.parametrize(
    ("profile", "drlc", "told"),
    [
        ("csip", False, (False, True)),
        ("csip", True, (True, True)),
        ("csip-aus-1.2", False, (True, True)),
        ("2030.5-2023", False, (True, True)),
        ("", False, (False, False)),
    ],
)
def test_directions_by_profile(profile, drlc, told):
    assert directions(profile, drlc=drlc) == told


def test_an_unknown_profile_is_refused():
    with pytest.raises(BadProblem, match="no client profile 'modbus'"):
        directions("modbus")


NORTH = Device("d1", "c1", "pv", max_gen_w=6_000.0, aggregator_id="north")
SOUTH = Device("d2", "c1", "storage", max_gen_w=3_000.0, max_load_w=5_000.0, aggregator_id="south")
GATEWAY = Device("g1", "c1", "gateway", control_point="site")


def test_a_second_holder_of_net_limits_is_refused_with_a_code():
    pair = [replace(NORTH, control_point="site"), replace(SOUTH, control_point="site")]
    with pytest.raises(ConnectionTaken, match="connection c1: d1 and d2") as refused:
        control_points_of(("c1",), pair)
    assert (refused.value.code, refused.value.status) == ("connection_taken", 409)
    with pytest.raises(ConnectionTaken):
        divide(calculate(street(customers=2, steps=1)), pair)


def test_control_points_follow_the_devices():
    names = ("c1", "c2", "c3")
    other = Device("d3", "c2", "ev", max_load_w=7_000.0)
    assert control_points_of(names, [NORTH, SOUTH, other]) == ("device", "site", "site")
    assert control_points_of(names, [NORTH, SOUTH, GATEWAY]) == ("site", "site", "site")
    with pytest.raises(BadProblem, match="no connection 'c1'"):
        control_points_of(("c9",), [NORTH])


@pytest.mark.parametrize("policy", list(Policy))
def test_two_aggregators_share_what_their_connection_may(policy):
    problem = street(customers=4, steps=3, adoption_s=0)
    problem = replace(problem, control_point=control_points_of(problem.connection_id, [NORTH, SOUTH]))
    schedule = calculate(problem)
    found = divide(schedule, [NORTH, SOUTH], policy)
    assert np.all(found.gen_limit_w.sum(axis=1) <= schedule.gen_limit_w[:, 0])
    assert np.all(found.gen_limit_w.sum(axis=1) > np.minimum(schedule.gen_limit_w[:, 0], 9_000) - 2)
    # Each within its part, the base load anywhere in its band: the connection keeps its net limit.
    net = found.gen_limit_w.sum(axis=1) - problem.load_lo_w[:, 0]
    assert np.all(net <= schedule.export_limit_w[:, 0])
    table = found.to_frame()
    assert list(table.control_point.unique()) == ["device"]
    assert table.export_limit_w.isna().all()
    assert set(schedule.to_frame().control_point) == {"device", "site"}


def test_the_holder_keeps_the_net_limits():
    schedule = calculate(street(customers=4, steps=2, adoption_s=0))
    table = divide(schedule, [NORTH, SOUTH, GATEWAY]).to_frame()
    of_gateway = table[table.device_id == "g1"]
    assert of_gateway.export_limit_w.tolist() == schedule.export_limit_w[:, 0].tolist()
    assert table[table.device_id == "d1"].import_limit_w.isna().all()


def test_a_feeder_without_devices_has_a_table_without_rows():
    table = divide(calculate(street(customers=4, steps=2, adoption_s=0)), []).to_frame()
    assert len(table) == 0
    assert "gen_limit_w" in table.columns


sizes = st.lists(st.floats(0.0, 20_000.0), min_size=1, max_size=5)


@given(limit=st.lists(st.integers(0, 60_000), min_size=1, max_size=4), size=sizes, policy=st.sampled_from(Policy))
@settings(max_examples=300, deadline=None)
def test_parts_never_sum_to_more_than_the_whole(limit, size, policy):
    found = parts(np.array(limit), np.array(size), policy)
    assert np.all(found >= 0)
    assert np.all(found <= np.array(size))
    assert np.all(found.sum(axis=1) <= np.array(limit))
    # And nothing worth having is left over.
    assert np.all(found.sum(axis=1) >= np.minimum(limit, sum(size)) - 2 * len(size))


def test_policies_share_as_they_say():
    size = np.array([6_000.0, 3_000.0, 1_000.0])
    assert parts(np.array([5_000]), size, Policy.PROPORTIONAL)[0].tolist() == [3_000, 1_500, 500]
    assert parts(np.array([5_000]), size, Policy.EQUAL)[0].tolist() == [2_000, 2_000, 1_000]
    assert parts(np.array([7_000]), size, Policy.PRIORITY)[0].tolist() == [6_000, 1_000, 0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"control_point": ("site", "roof")}, "control_point: connection c2: 'roof' is none of site, device"),
        ({"controls_import": np.ones(3, dtype=bool)}, "controls_import has shape"),
        ({"controls_export": np.ones(2)}, "controls_export: .* is not True or False"),
    ],
)
def test_what_makes_no_sense_is_refused(change, said):
    with pytest.raises(BadProblem, match=said):
        street(customers=2, steps=1, **change)
