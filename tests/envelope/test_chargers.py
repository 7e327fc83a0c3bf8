"""Control point `charger`: export is limited at the connection, import as load of the charger behind it."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import calculate, verify
from envelope.operation.clients import Client, Sharing, controllability_at
from envelope.operation.hysteresis import FirmMinimum, with_hysteresis
from envelope.operation.lead_time import upcoming_intervals
from envelope.operation.net_to_device import charger_of, is_whole
from envelope.problem import Allocation, Guarantee, Scenarios, TighteningLead
from envelope.problem.control_points import control_points_of
from envelope.problem.default_policy import with_default_policy
from envelope.schedule import limits_file
from envelope.schedule.adoption import settled_box, verified_box
from envelope.schedule.table import save
from envelope.verification import Effort
from gridmodel.model.devices import Device
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval
from tests.envelope.cases import START, STEP_S
from tests.envelope.test_default_policy import HOMES, STEPS, sunny_street

QUICK = Effort(random=5, inside=2, greedy=1)
HOME = np.random.default_rng(3).uniform(-1_500.0, 900.0, (STEPS, HOMES))
"""Base load, some of it passive solar, W."""
POINTS = tuple("charger" if k % 3 else "site" for k in range(HOMES))


@pytest.fixture(scope="module")
def case():
    problem = sunny_street(
        base_load_w=HOME, base_load_hi_w=HOME + 600.0, base_load_lo_w=HOME - 200.0, control_point=POINTS
    )
    return problem, calculate(problem)


def test_a_limit_of_load_bounds_the_charger_and_leaves_the_home_alone(case):
    problem, schedule = case
    chargers = problem.is_charger
    lo, _ = verified_box(problem, schedule)
    kept = schedule.kept_limit_w("import")
    loosest = np.maximum(np.maximum(kept, np.concatenate([kept[:1], kept[:-1]])), schedule.default_import_w)
    expected = -HOME - np.minimum(loosest, problem.flex_load_w)
    assert np.allclose(lo[:, chargers], expected[:, chargers])
    assert verify(problem, schedule, effort=QUICK).inside
    # No limit of load is spent on the home's own solar, which a net limit of 0 would let a car draw.
    assert kept[:, chargers].min() >= 0


def test_a_ceiling_of_the_homes_own_band_stops_the_charger(case):
    problem = with_default_policy(case[0])
    schedule = calculate(problem)
    chargers = problem.is_charger
    assert np.all(schedule.load_limit_w[2:4][:, chargers] == 0)
    assert np.all(schedule.load_limit_w[[0, 5]][:, chargers] > 0)
    lo, _ = verified_box(problem, schedule)
    assert np.all(lo[2:4][:, chargers] == -HOME[2:4][:, chargers])
    assert verify(problem, schedule, effort=QUICK).inside
    net = calculate(replace(problem, control_point=None))
    assert schedule.export_room_w.sum() > net.export_room_w.sum()


def test_coincident_limits_count_a_home_beside_its_charger_once(case):
    load = np.concatenate([case[0].base_load_w[None], case[0].base_load_w[None] + 400.0])[:, :, None]
    problem = replace(
        case[0],
        guarantee=Guarantee.COINCIDENT,
        allocation=Allocation.EQUAL,
        early=TighteningLead.ADOPTION,
        scenarios=Scenarios(load, np.zeros_like(load), bands=True),
    )
    schedule = calculate(problem)
    (lo, hi), (settled_lo, settled_hi) = verified_box(problem, schedule), settled_box(problem, schedule)
    assert np.all(lo <= settled_lo)
    assert np.all(settled_hi <= hi)
    assert verify(problem, schedule, effort=QUICK).inside
    # A limit of load is less than the same net limit; export is no less than beside that.
    net = calculate(replace(problem, control_point=None))
    assert schedule.export_room_w.sum() > 0.99 * net.export_room_w.sum()


def test_a_firm_contract_is_kept_at_the_connection(case):
    firm = np.full(HOMES, 2_000.0)
    problem = replace(with_default_policy(case[0]), firm_import_w=firm)
    schedule = calculate(problem)
    least = np.minimum(np.maximum(firm - HOME, 0.0), problem.flex_load_w)[:, problem.is_charger]
    assert np.all(schedule.load_limit_w[:, problem.is_charger] >= np.floor(least))


def test_controls_and_defaults_name_export_and_load(case):
    _, schedule = case
    first = upcoming_intervals(schedule, 1, START)[0]
    assert first.limits == Limits(export_w=schedule.export_limit_w[0, 1], load_w=schedule.load_limit_w[0, 1])
    assert upcoming_intervals(schedule, 0, START)[0].limits[2:] == (None, None)
    assert is_whole(first.limits)
    assert charger_of(first.limits) == Limits(first.limits.load_w, first.limits.export_w)
    assert charger_of(Limits(3_000, 2_000)) == Limits(3_000, 2_000)


def test_an_old_limit_of_load_does_not_stay_where_a_new_one_is_tighter(case):
    _, schedule = case
    standing = [Interval(START, START + STEP_S, Limits(export_w=9_000, load_w=5_000))]
    wanted = [Interval(START, START + STEP_S, Limits(export_w=9_020, load_w=4_000))]
    (found,) = with_hysteresis(wanted, standing, FirmMinimum(schedule, 1), 50)
    assert 3_950 <= found.limits.load_w <= 4_000
    assert found.limits.export_w == 9_000
    same = [wanted[0]._replace(limits=Limits(export_w=9_020, load_w=5_010))]
    assert with_hysteresis(same, standing, FirmMinimum(schedule, 1), 50) == standing


def test_limits_are_read_back_and_verified_from_their_file(case, tmp_path):
    problem, schedule = case
    save(schedule, tmp_path / "limits.csv")
    found = limits_file.read(tmp_path / "limits.csv")
    assert found.control_point == POINTS
    assert np.array_equal(found.kept_limit_w("import"), schedule.kept_limit_w("import"))
    assert all(np.allclose(a, b) for a, b in zip(*(verified_box(problem, s) for s in (found, schedule)), strict=True))


@pytest.mark.parametrize(
    ("profiles", "point"),
    [
        (("csip-aus-1.3",), "charger"),
        (("csip-aus-1.2",), "charger"),
        (("csip-aus-1.2", "csip-aus-1.2"), "site"),
        (("csip",), "device"),
        (("2030.5-2023",), "site"),
        ((), "charger"),
    ],
)
def test_only_a_single_client_with_limits_of_load_is_a_charger(case, profiles, point):
    problem, _ = case
    clients = tuple(Client(k, f"{k}", profile, k == 0, 5_000, None) for k, profile in enumerate(profiles))
    found = controllability_at(problem, {problem.connection_id[1]: clients}, Sharing())
    assert found.control_point[1] == point


def test_the_register_of_devices_may_say_charger():
    devices = [Device("a", "c1", "ev", max_load_w=7e3, control_point="charger"), Device("b", "c2", "pv")]
    assert control_points_of(("c1", "c2", "c3"), devices) == ("charger", "site", "site")
