"""Envelopes against what is known: closed forms, orders between guarantees, and what must never be undercut."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from envelope import Guarantee, OperatingLimits, calculate, verified_box
from envelope.engine import solve_with_boxes
from envelope.field_rules import BadProblem
from envelope.problem import Allocation, ShareReference
from gridmodel.model.admittance import network
from tests.envelope.cases import UNDECLARED, on, street
from tests.gridmodel.feeders import Node, V, equipment, line, radial, two_bus

NO_LOAD = {"base_load_w": np.zeros((2, 1)), "base_load_var": np.zeros((2, 1))}
FINE = OperatingLimits(margin_v=1e-4, margin_current=1e-5)


def impedance(two):
    return complex(two.equipment.lines[0].z_ohm[0, 0])


@pytest.mark.parametrize(("direction", "limit_v"), [("export", 253.0), ("import", 216.0)])
def test_two_buses_voltage_in_closed_form(direction, limit_v):
    feeder = two_bus("a", rating_a=1e4)
    far = replace(on(feeder, 2, **NO_LOAD), limits=FINE)
    problem = replace(far, flex_gen_w=far.flex_gen_w * 20, flex_load_w=far.flex_load_w * 20)
    z, u = impedance(feeder), limit_v**2
    # |V|^2 = u solves (u - R P)^2 + (X P)^2 = u V0^2 for the injection P.
    root = sqrt((z.real * u) ** 2 - abs(z) ** 2 * (u**2 - u * V**2))
    expected = abs(z.real * u - root) / abs(z) ** 2
    schedule = calculate(problem)
    found = schedule.export_limit_w if direction == "export" else schedule.import_limit_w
    assert found[0, 0] == pytest.approx(expected, rel=2e-4)
    assert schedule.binding_text(direction, 0, 0).endswith("node end, phase a")


@pytest.mark.parametrize("direction", ["export", "import"])
def test_two_buses_current_in_closed_form(direction):
    rating = 25.0
    feeder = two_bus("a", rating_a=rating)
    problem = replace(on(feeder, 2, **NO_LOAD), limits=FINE)
    z, sign = impedance(feeder), 1.0 if direction == "export" else -1.0
    # |V| = +-R I + sqrt(V0^2 - (X I)^2), and P = I |V|.
    expected = rating * (sign * z.real * rating + sqrt(V**2 - (z.imag * rating) ** 2))
    schedule = calculate(problem)
    found = schedule.export_limit_w if direction == "export" else schedule.import_limit_w
    assert found[0, 0] == pytest.approx(expected, rel=2e-4)
    assert schedule.binding_text(direction, 0, 0) == "overload of line L1, phase a"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_stronger_guarantee_is_never_wider(seed):
    problem = replace(street(seed=seed), allocation=Allocation.EQUAL, adoption_s=0)
    level = {g: calculate(replace(problem, guarantee=g)) for g in UNDECLARED}
    tolerance = 60.0  # W: margins are approached from inside
    for side in ("export_room_w", "import_room_w"):
        two, one, coincident = (
            getattr(level[g], side).min(axis=1)
            for g in (Guarantee.TWO_SIDED, Guarantee.ONE_SIDED, Guarantee.COINCIDENT)
        )
        assert np.all(two <= one + tolerance)
        assert np.all(one <= coincident + tolerance)
        assert np.any(two < coincident - 300.0)


def test_customers_have_no_order():
    problem = replace(street(customers=7), adoption_s=0)
    order = np.random.default_rng(5).permutation(7)
    old = problem.reduced.network.equipment
    shuffled = network(replace(old, connections=tuple(old.connections[k] for k in order)))
    other = on(shuffled, base_load_w=problem.base_load_w[:, order], base_load_var=problem.base_load_var[:, order])
    one, two = calculate(problem), calculate(replace(other, adoption_s=0))
    assert np.abs(one.export_limit_w[:, order] - two.export_limit_w).max() <= 2
    assert np.abs(one.import_limit_w[:, order] - two.import_limit_w).max() <= 2


def test_a_higher_rating_never_lowers_the_sum():
    low = replace(street(customers=8), allocation=Allocation.MAX_SUM)
    totals = [
        calculate(replace(low, limits=OperatingLimits(rating_factor=factor))).export_room_w.sum()
        for factor in (0.8, 1.0, 1.5)
    ]
    assert totals[0] <= totals[1] * 1.001
    assert totals[1] <= totals[2] * 1.001


def test_nothing_is_limited_that_the_feeder_can_bear():
    strong = on(radial(4, 1, s_rated_va=2e6), flex_gen_w=np.full((6, 4), 900.0), flex_load_w=np.full((6, 4), 900.0))
    schedule = calculate(strong)
    assert np.array_equal(schedule.export_limit_w, np.floor(np.maximum(strong.reach_export_w, 0)).astype(int))
    assert schedule.binding_text("export", 0, 0) == "capacity"
    assert set(np.unique(schedule.status)) == {0}


def test_limits_can_always_be_kept():
    problem = street(customers=9, steps=8)
    problem = replace(problem, base_load_hi_w=problem.base_load_w + 400.0, base_load_lo_w=problem.base_load_w - 300.0)
    schedule = calculate(problem)
    assert np.all(schedule.import_limit_w >= np.maximum(problem.load_hi_w, 0.0))
    assert np.all(schedule.export_limit_w >= np.maximum(-problem.load_lo_w, 0.0))
    assert np.all(schedule.export_limit_w <= np.maximum(np.maximum(problem.reach_export_w, 0.0), 1.0))


def test_the_contract_is_never_undercut_and_counted():
    problem = replace(street(), firm_export_w=np.full(9, 700.0), firm_import_w=np.full(9, 900.5))
    schedule = calculate(problem)
    assert schedule.export_limit_w.min() >= 700
    assert schedule.import_limit_w.min() >= 901


def test_the_default_is_inside_every_verified_box():
    problem = street(steps=8)
    schedule = calculate(problem)
    lo, hi = verified_box(problem, schedule)
    assert np.all(np.minimum(schedule.default_export_w, problem.reach_export_w) <= hi + 1)
    assert np.all(np.minimum(schedule.default_import_w, problem.reach_import_w) <= -lo + 1)
    held_back = schedule.export_limit_w < problem.reach_export_w - 1
    assert np.all(schedule.default_export_w <= np.where(held_back, schedule.export_limit_w, 10**9).min(axis=0))


def test_a_default_that_is_set_is_room_that_nobody_else_gets():
    free = street(adoption_s=0)
    bound = replace(free, default_export_w=np.where(np.arange(9) == 0, 6000.0, 0.0), default_import_w=np.zeros(9))
    one, two = calculate(free), calculate(bound)
    assert two.export_room_w[:, 1:].sum() < one.export_room_w[:, 1:].sum()


def test_base_load_that_breaches_leaves_no_room_where_it_would_add():
    problem = street(customers=6, steps=2)
    heavy = problem.base_load_w.copy()
    heavy[1] += 14_000.0
    schedule, boxes = solve_with_boxes(replace(problem, base_load_w=heavy, adoption_s=0))
    assert np.all(schedule.status[0] == 0)
    assert np.any(schedule.status[1] == 1)
    assert np.all(schedule.import_room_w[1][schedule.status[1] == 1] < 1.0)
    assert np.all(schedule.import_limit_w[1] >= heavy[1])
    said = schedule.findings[0]
    worst = max(
        (float(beyond), name, at)
        for case in boxes
        for at, row in enumerate((case.fit.at_rest - case.fit.limit) / case.fit.slack_unit)
        for beyond, name in zip(row, schedule.names, strict=True)
    )
    assert said.startswith(f"infeasible_base: the base load alone is {worst[0]:.2f} ")
    assert f"beyond the limit: {worst[1]}, 2026-05-28 21:30 UTC;" in said
    assert "in 1 of 2 intervals" in said


def test_an_unknown_phase_gets_what_the_worst_phase_allows():
    nodes = [Node("source", V), Node("end", V)]
    lines = [line("L1", "source", "end", length_m=400.0)]
    shape = {"base_load_w": np.full((1, 2), 300.0), "base_load_var": np.zeros((1, 2)), "steps": 1}
    rooms = {}
    for phase in ("a", "b", "c", "unknown"):
        feeder = network(equipment(nodes, lines, [("c1", "end", "a"), ("c2", "end", phase)]))
        rooms[phase] = calculate(on(feeder, **shape)).export_room_w[0]
    assert rooms["unknown"].min() <= min(room.min() for room in rooms.values()) + 2.0


def test_the_reference_decides_what_is_fair():
    problem = replace(street(adoption_s=0), contract_export_w=np.linspace(1e3, 2e3, 9))
    problem = replace(problem, contract_import_w=np.full(9, 1e3), allocation=Allocation.PROPORTIONAL)
    schedule = calculate(replace(problem, reference=ShareReference.CONTRACT))
    share = schedule.export_limit_w / problem.contract_export_w
    assert np.abs(share / share[:, :1] - 1.0).max() < 0.01
    equal = calculate(replace(problem, reference=ShareReference.EQUAL)).export_limit_w
    assert np.ptp(equal, axis=1).max() <= 1


def test_the_same_input_gives_the_same_schedule():
    one, two = calculate(street()), calculate(street())
    assert one.run_id == two.run_id
    assert np.array_equal(one.export_limit_w, two.export_limit_w)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base_load_w": np.zeros((6, 2))}, r"base_load_w has shape \(6, 2\); expected \(6, 9\)"),
        ({"flex_gen_w": np.full((6, 9), -1.0)}, "flex_gen_w: connection c1, interval 0: -1 is negative"),
        ({"firm_import_w": np.full(9, np.nan)}, "firm_import_w: connection c1: nan is not finite"),
        ({"firm_export_w": np.zeros(8)}, r"firm_export_w has shape \(8,\); expected \(9,\)"),
        (
            {"base_sigma_w": np.zeros((6, 8))},
            r"base_sigma_w has shape \(6, 8\); expected \(9,\) \(connections\) or \(6, 9\)",
        ),
        ({"base_load_var": np.full((6, 9), np.nan)}, "base_load_var: connection c1, interval 0: nan is not finite"),
        (
            {"source_v": np.full((2, 3), 240.0)},
            r"source_v has shape \(2, 3\); expected \(3,\) \(phases\) or \(6, 3\) \(steps, phases\)",
        ),
        ({"source_v": np.array([240.0, np.nan, 240.0])}, "source_v: phase b: nan is not finite"),
        (
            {"limits": OperatingLimits(rating_factor=np.ones(7))},
            r"limits: rating_factor has shape \(7,\); expected one number or \(6,\) \(steps\)",
        ),
        ({"guarantee": Guarantee.COINCIDENT}, "coincident limits are one common level"),
        ({"step_s": 0}, "step_s: 0 is not above 0"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(change, said):
    with pytest.raises(BadProblem, match=said):
        replace(street(), **change)


def test_a_nan_in_the_forecast_is_named():
    load = street().base_load_w.copy()
    load[3, 5] = np.nan
    with pytest.raises(BadProblem, match="base_load_w: connection c6, interval 3"):
        replace(street(), base_load_w=load)
