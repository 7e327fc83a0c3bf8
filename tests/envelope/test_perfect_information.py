"""The bound of perfect information: limits used up, beside every policy, and with what devices ask for."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import Guarantee, OperatingLimits, calculate
from envelope.field_rules import BadProblem
from envelope.problem import Allocation, FixedPowerFactor, GroupLimit
from envelope.study import perfect_information
from envelope.study.perfect_information import least_curtailment, most_export, most_import
from envelope.study.summary import possible
from gridmodel.model import admittance as build
from tests.envelope.cases import on, street
from tests.gridmodel.feeders import radial_equipment

POLICIES = (
    (Guarantee.COINCIDENT, Allocation.EQUAL),
    (Guarantee.ONE_SIDED, Allocation.MAX_SUM),
    (Guarantee.TWO_SIDED, Allocation.MAX_SUM),
)


@pytest.fixture(scope="module")
def problem():
    return street(9, 4)


def test_one_home_feeds_in_until_its_first_limit_is_used_up():
    problem = on(build.network(radial_equipment(1, 1)), 2, limits=OperatingLimits(216.0, 240.0))
    found = most_export(replace(problem, flex_gen_w=np.full((2, 1), 1e6)))
    over, _, load = found.beyond
    assert -0.005 < over <= 0.0 or -0.03 < load <= 0.0
    assert (found.feed_w > 0.0).all()
    assert not found.draw_w.any()


def test_what_fits_is_not_curtailed(problem):
    small = replace(problem, flex_gen_w=0.01 * problem.flex_gen_w, flex_load_w=0.01 * problem.flex_load_w)
    np.testing.assert_allclose(most_export(small).feed_w, small.flex_gen_w)
    np.testing.assert_allclose(most_import(small).draw_w, small.flex_load_w)


@pytest.mark.parametrize(("guarantee", "allocation"), POLICIES)
@pytest.mark.parametrize("reactive", [None, FixedPowerFactor(0.95)])
def test_no_policy_lets_more_through(problem, guarantee, allocation, reactive):
    asked = problem if reactive is None else replace(problem, reactive=reactive)
    schedule = calculate(replace(asked, guarantee=guarantee, allocation=allocation))
    for found, power, room_w in (
        (exported := most_export(asked), exported.feed_w, schedule.export_room_w),
        (imported := most_import(asked), imported.draw_w, schedule.import_room_w),
    ):
        assert max(found.beyond) <= 0.0
        assert (room_w.sum(axis=1) <= power.sum(axis=1) + 1.0).all()
        assert room_w.sum() < power.sum()


def test_a_groups_sum_holds_the_bound_back(problem):
    group = GroupLimit("depot", problem.connection_id[:5], 9_000.0, 7_000.0)
    found = most_export(replace(problem, groups=(group,)))
    net = found.feed_w[:, :5].sum(axis=1) - problem.base_load_w[:, :5].sum(axis=1)
    assert (net <= 7_000.0 + 1.0).all() or (net <= 9_000.0 + 1.0).all()
    assert found.feed_w.sum() < most_export(problem).feed_w.sum()


def test_devices_draw_what_they_ask_for_when_it_fits_and_make_room_for_solar(problem):
    asked_wh = np.full(9, 1_500.0)
    found = least_curtailment(problem, asked_wh)
    hours = problem.step_s / 3600.0
    np.testing.assert_allclose(found.draw_w.sum(axis=0) * hours, asked_wh, rtol=1e-6)
    assert max(found.beyond) <= 0.0
    assert found.feed_w.sum() > most_export(problem).feed_w.sum()


def test_a_day_that_is_beyond_a_limit_by_itself_is_made_no_worse():
    heavy = street(9, 2)
    heavy = replace(heavy, base_load_w=12.0 * heavy.base_load_w)
    alone = most_import(replace(heavy, flex_load_w=0.0 * heavy.flex_load_w)).beyond
    found = most_import(heavy)
    assert max(alone) > 0.0
    assert found.beyond[1] <= alone[1] + 0.05
    assert found.beyond[2] <= alone[2] + 0.5


def test_an_answer_that_no_program_has_confirmed_is_cut_until_it_holds(problem, monkeypatch):
    whole = most_export(problem).feed_w.sum()
    monkeypatch.setattr(perfect_information, "ROUNDS", 1)
    hasty = most_export(problem)
    assert max(hasty.beyond) <= 0.0
    assert 0.0 < hasty.feed_w.sum() <= whole * 1.001


def test_what_is_withheld_is_told_apart_by_ratings_and_voltage(problem):
    told: list[str] = []
    found = possible(problem, told.append)
    export = problem.flex_gen_w.sum(axis=1).mean() / 1e3
    withheld = [found[f"export_withheld_by_{what}_kw"] for what in ("ratings", "voltage")]
    assert found["export_kw"] + sum(withheld) == pytest.approx(export, rel=1e-6)
    assert found["export_kw"] == pytest.approx(most_export(problem).feed_w.sum(axis=1).mean() / 1e3, rel=1e-6)
    strong = replace(problem, limits=replace(problem.limits, rating_factor=100.0))
    assert possible(strong)["export_withheld_by_ratings_kw"] == pytest.approx(0.0, abs=1e-6)
    assert told[0] == "perfect information: export, linear program 1 of at most 20"
    assert any("by ratings alone" in one for one in told)


def test_energy_asked_for_is_one_value_per_connection(problem):
    with pytest.raises(BadProblem, match="asked_wh"):
        least_curtailment(problem, np.zeros(3))
