"""A small sample of the independent check of `tests/trials/test_independent.py`, and that it finds what is wrong."""

from dataclasses import replace

import pytest

from envelope import Guarantee, calculate
from envelope.problem import Allocation, TighteningLead
from tests.independent import cases
from tests.independent.cases import Made, Reading
from tests.independent.inverters import responding
from tests.independent.search import Effort

STREET = Made("create_kerber_landnetz_freileitung_2", 24, seed=1, export_w=9e3, import_w=9e3, steps=6)
SERVICE = Made("service", 8, seed=3, export_w=9e3, import_w=9e3, steps=6)
EFFORT = Effort(random=4, climbs=4)
POLICIES = (
    *((Guarantee.TWO_SIDED, a) for a in (Allocation.MAX_MIN, Allocation.PROPORTIONAL_FAIR, Allocation.ALPHA_FAIR)),
    (Guarantee.TWO_SIDED, Allocation.MAX_SUM),
    (Guarantee.ONE_SIDED, Allocation.MAX_MIN),
    (Guarantee.COINCIDENT, Allocation.EQUAL),
    (Guarantee.DECLARED_BAND, Allocation.PROPORTIONAL_FAIR),
)
DECLARED = {"declared_share": 0.8, "declared_by": "A. Engineer"}


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    return cases.pandapower_feeder(STREET, tmp_path_factory.mktemp("feeder"))


@pytest.fixture(scope="module", params=["three-phase street", "split-phase service"])
def case(request, street):
    if request.param == "split-phase service":
        return cases.known(SERVICE, cases.us_service())
    return cases.known(STREET, street)


@pytest.fixture(scope="module")
def moving(street):
    """A day whose demand, roofs and head voltage move within each half-hour, told as its own joint path."""
    return cases.moving(STREET, street)


@pytest.mark.parametrize("reading", Reading)
@pytest.mark.parametrize(("guarantee", "allocation"), [POLICIES[0], *POLICIES[-2:]])
def test_limits_hold_at_every_moment_of_a_day_that_moves(moving, guarantee, allocation, reading, tmp_path):
    case = moving.under(guarantee, allocation, reading)
    schedule = calculate(case.problem)
    limits = case.limits_of(schedule, tmp_path / "limits.csv")
    for states in (case.day, case.extremes):
        found, beyond = case.beyond(schedule, limits, states, reading, EFFORT)
        assert [worst.said(k) for k, worst in enumerate(found.worst) if beyond[k].max() > 0.0] == []
    # Limits for the half-hours' means alone are found to break.
    plain = calculate(replace(case.problem, scenarios=None))
    wider = case.limits_of(plain, tmp_path / "wider.csv")
    assert case.beyond(plain, wider, case.extremes, reading, EFFORT)[1].max() > 0.0


@pytest.mark.parametrize("watts", [False, True], ids=["volt-var", "volt-watt"])
def test_limits_that_count_on_inverters_hold_where_opendss_has_them_on_their_curves(street, watts, tmp_path):
    high = replace(street, head_v=1.04 * street.head_v)
    given = cases.moving(STREET, high).under(Guarantee.TWO_SIDED, Allocation.PROPORTIONAL_FAIR, Reading.LIMITS)
    case = responding(replace(given, problem=replace(given.problem, early=TighteningLead.ADOPTION)), watts=watts)
    schedule = calculate(case.problem)
    assert "not_credited" not in "".join(schedule.findings)
    limits = case.limits_of(schedule, tmp_path / "limits.csv")
    found, beyond = case.beyond(schedule, limits, case.extremes, Reading.LIMITS, EFFORT)
    assert [worst.said(k) for k, worst in enumerate(found.worst) if beyond[k].max() > 0.0] == []
    assert found.confirmed() == pytest.approx([worst.beyond for worst in found.worst], abs=5e-3)
    # Without the response they break.
    silent = replace(case, circuit=given.circuit)
    assert silent.beyond(schedule, limits, case.day, Reading.LIMITS, EFFORT)[1][0].max() > 0.5


def judged(case, file, limits=None):
    """The worst of each kind in every state of the day."""
    limits = limits or case.limits_of(calculate(case.problem), file)
    return case.judge(limits, case.day, Reading.LIMITS, EFFORT)


@pytest.mark.parametrize(("guarantee", "allocation"), POLICIES)
def test_published_limits_hold_in_circuits_written_from_raw_tables(case, guarantee, allocation, tmp_path):
    declared = DECLARED if guarantee is Guarantee.DECLARED_BAND else {}
    problem = replace(case.problem, guarantee=guarantee, allocation=allocation, **declared)
    found = judged(replace(case, problem=problem), tmp_path / "limits.csv")
    assert [worst.said(k) for k, worst in enumerate(found.worst) if worst.beyond > 0.0] == []
    # The limits are not safe because they are small: some constraint is nearly used up.
    # A declared band leaves room for one home of each phase that feeds nothing, and for cars at any draw.
    assert max(worst.beyond for worst in found.worst) > (-2.0 if declared else -0.5)
    assert found.confirmed() == pytest.approx([worst.beyond for worst in found.worst], abs=1e-3)


def test_limits_of_a_weaker_guarantee_are_found_to_break(street, tmp_path):
    case = cases.known(STREET, street)
    weaker = replace(case.problem, guarantee=Guarantee.COINCIDENT, allocation=Allocation.EQUAL)
    limits = case.limits_of(calculate(weaker), tmp_path / "limits.csv")
    assert max(worst.beyond for worst in judged(case, tmp_path, limits).worst) > 1.0


def test_limits_a_little_too_wide_are_found_to_break(case, tmp_path):
    limits = case.limits_of(calculate(case.problem), tmp_path / "limits.csv")
    wider = replace(limits, import_w=limits.import_w * 11 // 10, export_w=limits.export_w * 11 // 10)
    assert max(worst.beyond for worst in judged(case, tmp_path, wider).worst) > 0.0
