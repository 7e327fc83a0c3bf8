"""Constraints at worst corners of their own: sensitivities by a series, and boxes that hold where signs differ."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import Guarantee, calculate, verify
from envelope.calculation import fitting, own_corners
from envelope.calculation.solution import solve
from envelope.constraints.formulation import formulate
from envelope.constraints.linear import slopes
from envelope.constraints.sensitivity_series import own_sensitivities
from envelope.engine import solve_with_boxes
from envelope.problem import Allocation, FixedPowerFactor
from envelope.schedule.findings import UNSETTLED, with_code
from tests.envelope.cases import street
from tests.independent import cases
from tests.independent.cases import Made, Reading
from tests.independent.inverters import responding

WEAK = Made("create_kerber_landnetz_freileitung_2", 24, seed=1, export_w=9e3, import_w=9e3, steps=6)
VILLAGES = [Made("create_kerber_dorfnetz", 88, seed=seed, steps=12) for seed in (1, 3)]
SEARCHING = (Allocation.PROPORTIONAL_FAIR, Allocation.ALPHA_FAIR, Allocation.MAX_SUM)


@pytest.fixture(scope="module")
def weak(tmp_path_factory):
    """A feeder on which many connections move each other's phases a little."""
    return cases.known(WEAK, cases.pandapower_feeder(WEAK, tmp_path_factory.mktemp("weak"))).problem


@pytest.mark.parametrize("policy", [None, FixedPowerFactor(0.95)])
def test_the_series_gives_the_exact_sensitivities_of_voltages(policy):
    problem = street(9, 2) if policy is None else replace(street(9, 2), reactive=policy)
    fit = solve_with_boxes(problem).boxes[0].fit
    voltages = np.flatnonzero(fit.rows.kind != 2)[:4]
    steps = np.zeros(len(voltages), dtype=np.intp)
    away = fit.corner(steps, fit.rows.corner[voltages])
    rise, fall = own_sensitivities(fit.base, fit.rows.only(voltages), steps, away)
    for k, row in enumerate(voltages):
        injected, source = fit.base.injections(steps[:1], away[k : k + 1]), fit.base.source_v[0]
        for found, tan_phi in ((rise, fit.base.tan_phi), (fall, 0.0)):
            (exact,) = fit.feeder.sensitivities(injected, source, tan_phi=tan_phi)
            wanted = slopes(fit.rows.only(np.array([row])), exact)[0]
            np.testing.assert_allclose(found[k], wanted, atol=1e-3 * np.abs(wanted).max())


@pytest.mark.parametrize("allocation", SEARCHING)
@pytest.mark.parametrize("village", VILLAGES, ids=lambda made: f"seed {made.seed}")
def test_what_is_returned_verifies(village, allocation, tmp_path):
    problem = cases.known(village, cases.pandapower_feeder(village, tmp_path)).problem
    problem = replace(problem, allocation=allocation)
    schedule = calculate(problem)
    report = verify(problem, schedule, solver="reduced")
    assert report.inside, report.sentence()
    assert with_code(schedule.findings, UNSETTLED) == ""


def test_boxes_that_count_on_volt_var_are_measured_at_own_corners_too(tmp_path):
    """Where other inverters idle, a voltage's worst corner is that of the signs that it has without their response."""
    made = Made("create_kerber_dorfnetz", 88, seed=1)
    moving = cases.moving(made, cases.pandapower_feeder(made, tmp_path))
    day = moving.under(Guarantee.TWO_SIDED, Allocation.PROPORTIONAL_FAIR, Reading.LIMITS)
    formulation = formulate(_only(responding(day, watts=False).problem, slice(27, 28)))
    assert formulation.feeder.inverters is not None
    (box,) = solve(formulation)
    beyond = own_corners.excess(box.fit, np.arange(1))
    assert np.isfinite(beyond[:, box.fit.rows.kind == 1]).any()
    assert beyond.max() <= 1e-3


def _only(problem, steps):
    """A problem with these of its intervals."""
    given = ("step_start", "base_load_w", "base_load_var", "flex_gen_w", "flex_load_w", "source_v")
    moves = {name: getattr(problem.scenarios, name)[:, steps] for name in ("load_w", "load_var", "solar_w", "source_v")}
    by_step = {name: getattr(problem, name)[steps] for name in given}
    return replace(problem, **by_step, scenarios=replace(problem.scenarios, **moves))


def test_without_a_look_at_own_corners_the_same_limits_are_rejected(weak, monkeypatch):
    monkeypatch.setattr(fitting, "OWN_LOOKS", 0)
    monkeypatch.setattr(own_corners, "exceeding", lambda state, todo, *known: todo[:0])
    problem = replace(weak, allocation=Allocation.PROPORTIONAL_FAIR)
    assert not verify(problem, calculate(problem), solver="reduced").inside


def test_what_lowered_targets_do_not_mend_is_scaled_down(weak, monkeypatch):
    problem = replace(weak, allocation=Allocation.PROPORTIONAL_FAIR)
    mended = calculate(problem)
    monkeypatch.setattr(fitting, "OWN_LOOKS", 0)
    scaled = calculate(problem)
    assert verify(problem, scaled, solver="reduced").inside
    assert scaled.figures["scaled_down_steps"] > 0.0
    assert scaled.import_room_w.sum() < mended.import_room_w.sum()


def test_what_can_not_be_brought_inside_is_said(weak, monkeypatch):
    monkeypatch.setattr(fitting, "OWN_LOOKS", 0)
    monkeypatch.setattr(own_corners, "exceeding", lambda state, todo, *known: todo)
    found = calculate(weak).findings
    assert with_code(found, UNSETTLED).startswith(f"{UNSETTLED}: in 6 of 6 intervals")
