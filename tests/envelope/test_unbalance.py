"""Voltage unbalance: measured as the standard says, kept below its limit, and found where it is not."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import Guarantee, OperatingLimits, calculate, verified_box, verify
from envelope.constraints.formulation import formulate
from envelope.constraints.joint_paths import PathsOfBox
from envelope.constraints.unbalance import Unbalance
from envelope.field_rules import BadProblem
from envelope.problem import Allocation
from envelope.problem.plan_file import load, save
from envelope.verification import Effort
from envelope.verification.unbalance import independent
from gridmodel import read_feeder, reduce, solve
from gridmodel.flow.power_flow import phasors
from gridmodel.model.admittance import PHASE_OF_SEQUENCE
from gridmodel.readers.example_feeders import US_SERVICE
from tests.envelope.cases import UNDECLARED, on, street

QUICK = Effort(random=10, inside=1, sign=30, greedy=0, wrong_phases=0.0)


def limited(percent: float | None, **changes):
    problem = street(customers=9, steps=3, **changes)
    return replace(problem, limits=replace(problem.limits, vuf_max_percent=percent))


def seen_of(problem) -> Unbalance:
    found = formulate(problem)
    return Unbalance(found, found.base, PathsOfBox(found.paths, found.paths.fixed_up, found.paths.fixed_down))


def by_hand(problem, p_w) -> np.ndarray:
    """(S, nodes) percent at (S, C) injections, from the voltages of every node."""
    reduced = reduce(problem.reduced.network)
    s = p_w - 1j * problem.base_load_var[:1]
    u = phasors(reduced, solve(reduced, s))
    names = reduced.voltage_names
    found = []
    for k in range(1, 10):
        v = np.stack([u[:, names.index(f"node lv{k}, phase {phase}")] for phase in "abc"])
        _, positive, negative = np.abs(np.linalg.inv(PHASE_OF_SEQUENCE) @ v)
        found.append(100.0 * negative / positive)
    return np.array(found).T


def test_an_unbalanced_source_is_seen_at_every_node():
    """Without load a transformer passes both sequences alike."""
    problem = limited(2.0)
    sequence = PHASE_OF_SEQUENCE @ np.array([200.0, 6300.0, 63.0 * 1.5])
    quiet = replace(
        problem, base_load_w=0 * problem.base_load_w, base_load_var=0 * problem.base_load_var, source_v=sequence
    )
    found = seen_of(quiet).solved(np.arange(3), np.zeros((3, 9)))
    np.testing.assert_allclose(found, 1.5, rtol=1e-4)


def test_it_is_that_of_the_voltages_and_of_power_grid_model():
    problem = limited(2.0)
    seen, rng = seen_of(problem), np.random.default_rng(1)
    away = rng.uniform(-5e3, 4e3, (6, 9))
    steps = np.zeros(6, dtype=np.intp)
    ours = seen.solved(steps, away)
    np.testing.assert_allclose(ours, by_hand(problem, away - problem.base_load_w[0]), atol=1e-3)
    np.testing.assert_allclose(independent(seen, steps, away, np.zeros_like(steps)), ours, atol=1e-3)
    assert seen.names[0] == "node lv1"
    assert ours.max() > 0.5


@pytest.mark.parametrize("guarantee", UNDECLARED)
def test_a_limit_is_kept_at_every_corner(guarantee):
    allocation = Allocation.EQUAL if guarantee is Guarantee.COINCIDENT else Allocation.MAX_MIN
    problem = limited(1.0, guarantee=guarantee, allocation=allocation)
    free = replace(problem, limits=replace(problem.limits, vuf_max_percent=None))
    schedule, wide = calculate(problem), calculate(free)
    report, broken = verify(problem, schedule, effort=QUICK), verify(problem, wide, effort=QUICK)
    assert report.unbalance is not None
    assert report.inside, report.sentence()
    assert not broken.inside
    assert broken.unbalance.beyond > 0.02
    assert max(broken.worst) <= 0.0  # nothing else is wrong with it
    assert "unbalance" in broken.sentence()
    assert any(f.startswith("unbalance: the rooms of 3 intervals were scaled down") for f in schedule.findings)
    # It is used: not less than what the margin takes.
    assert report.unbalance.beyond > -0.04
    assert schedule.export_room_w.sum() < wide.export_room_w.sum()


def test_any_combination_inside_the_limits_is_balanced_enough():
    problem = limited(1.0)
    lo, hi = verified_box(problem, calculate(problem))
    rng = np.random.default_rng(4)
    corners = np.where(rng.random((400, 9)) < 0.5, lo[0], hi[0])
    found = by_hand(problem, corners).max()
    assert 0.8 < found < 1.0


def test_a_limit_that_is_far_away_changes_nothing():
    near, far = calculate(limited(None)), calculate(limited(20.0))
    np.testing.assert_array_equal(near.export_limit_w, far.export_limit_w)
    np.testing.assert_array_equal(near.import_limit_w, far.import_limit_w)
    assert far.findings == near.findings
    assert verify(limited(None), near, effort=QUICK).unbalance is None


def test_a_base_load_beyond_the_limit_closes_its_interval():
    problem = limited(1.0, adoption_s=0)
    load = problem.base_load_w.copy()
    load[1, 4] += 14_000.0
    heavy = replace(problem, base_load_w=load)
    assert seen_of(heavy).solved(np.array([1]), np.zeros((1, 9))).max() > 1.0
    schedule = calculate(heavy)
    assert any(f.startswith("infeasible_base: in 1 intervals the base load alone") for f in schedule.findings)
    # What is left is generation behind a meter that draws: nobody may feed, nobody may draw more.
    assert schedule.export_limit_w[1].max() == 0
    assert schedule.import_room_w[1].sum() < 10.0
    assert schedule.export_limit_w[0].sum() > 1_000
    assert schedule.binding_text("export", 1, 0) == "network"
    report = verify(heavy, schedule, effort=QUICK)
    assert report.unbalance.beyond <= 0.0
    assert report.inside, report.sentence()


def test_a_service_of_two_legs_has_no_phases_to_be_unbalanced():
    problem = on(read_feeder(US_SERVICE).network, 2, limits=OperatingLimits(108.0, 132.0, vuf_max_percent=0.1))
    assert len(seen_of(problem).nodes) == 0
    schedule = calculate(problem)
    assert schedule.export_room_w.sum() > 0.0
    assert not any("unbalance" in f for f in schedule.findings)
    assert verify(problem, schedule, solver="reduced", effort=QUICK).unbalance is None


def test_a_criterion_brings_its_limit_and_a_plan_keeps_it(tmp_path):
    assert OperatingLimits.of("en-50160").vuf_max_percent == 2.0
    assert OperatingLimits.of("as-61000.3.100").vuf_max_percent is None
    with pytest.raises(BadProblem, match="vuf_max_percent: -1 is not above 0"):
        OperatingLimits(vuf_max_percent=-1.0)
    problem = on(read_feeder(US_SERVICE).network, 2, limits=OperatingLimits(108.0, 132.0, vuf_max_percent=1.5))
    save(tmp_path / "plan.npz", str(US_SERVICE), problem)
    assert load(tmp_path / "plan.npz").problem.limits.vuf_max_percent == 1.5
