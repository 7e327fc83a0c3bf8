"""Three-phase connections: a net limit bounds no single phase, so that the split is balanced, known or the worst."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import Guarantee, OperatingLimits, calculate, verify
from envelope.constraints.monitored_feeder import monitor
from envelope.engine import solve_with_boxes
from envelope.explanation.explanation import explain
from envelope.field_rules import BadProblem
from envelope.problem import Allocation, GroupLimit
from envelope.problem.circulating_power import circulating_w
from envelope.problem.phase_split import splits_of
from envelope.verification import Effort
from envelope.verification.wrong_phases import with_wrong_phases
from gridmodel.model import admittance as build
from gridmodel.model.devices import Device
from gridmodel.solvers import power_grid_model as audit
from tests.envelope.cases import on
from tests.gridmodel.feeders import Node, V, equipment, line, radial_equipment, two_bus

EVERY = Effort(random=10, inside=2, sign=200, greedy=1, judge_all=True)


def three_phase(customers: int = 6, steps: int = 2, seed: int = 1, **changes):
    """A street where every other customer has three phases."""
    found = radial_equipment(customers, seed)
    thin = tuple(replace(x, z_ohm=4.0 * x.z_ohm, rating_a=80.0) for x in found.lines)
    connections = tuple(replace(c, phase="abc") if k % 2 else c for k, c in enumerate(found.connections))
    feeder = build.network(replace(found, lines=thin, connections=connections))
    return on(feeder, steps, seed, **({"adoption_s": 0} | changes))


def half(split: str, customers: int = 6):
    return tuple(split if k % 2 else "balanced" for k in range(customers))


@pytest.fixture
def one_home():
    """A single home at the end of a line that can feed 5 kW and draw 5 kW at the same time."""
    feeder = two_bus("abc", rating_a=1e4)
    nothing = np.zeros((1, 1))
    flexible = np.full((1, 1), 5_000.0)
    given = {"base_load_w": nothing, "base_load_var": nothing, "flex_gen_w": flexible, "flex_load_w": flexible}
    return on(feeder, 1, adoption_s=0, **given)


def test_power_that_is_nothing_at_the_meter_moves_voltages(one_home):
    """+5 kW on a and -5 kW on b: inside any net limit, and beyond the voltage limits that a balanced split keeps."""
    reduced = one_home.reduced
    # Power-grid-model says what happens: V where nobody is told anything.
    worst = audit.solve(reduced, np.array([5_000.0, -5_000.0, 0.0], dtype=complex)).voltages.max()
    even = audit.solve(reduced, np.full(3, 5_000.0 / 3, dtype=complex)).voltages.max()
    assert worst > even + 2.0
    limits = OperatingLimits(v_min_v=180.0, v_max_v=float(even + 0.6 * (worst - even)))
    balanced = replace(one_home, limits=limits)
    schedule = calculate(balanced)
    # Balanced, nothing is limited, and verified as such it holds.
    assert schedule.binding_text("export", 0, 0) == "capacity"
    assert verify(balanced, schedule, effort=EVERY).inside
    assert "three-phase power balanced" in schedule.guarantee
    # With an unknown split no net limit helps: that is said, with how far it goes beyond.
    unknown = replace(balanced, flex_split=("unknown",))
    told = calculate(unknown)
    assert told.status[0, 0] == 1
    assert "unknown splits on their worst phases" in told.guarantee
    report = verify(unknown, told, effort=EVERY)
    assert report.inside
    other = audit.solve(reduced, np.array([5_000.0, 0.0, -5_000.0], dtype=complex)).voltages.max()
    assert report.excused[0] == pytest.approx(max(worst, other) - limits.v_max_v, abs=0.01)


def test_what_a_balanced_split_would_miss_is_found_and_kept(one_home):
    worst = audit.solve(one_home.reduced, np.array([5_000.0, -5_000.0, 0.0], dtype=complex)).voltages
    wide = OperatingLimits(v_min_v=float(worst.min() - 4.0), v_max_v=float(worst.max() + 2.0))
    balanced = replace(one_home, limits=wide, flex_gen_w=np.full((1, 1), 12_000.0))
    unknown = replace(balanced, flex_split=("unknown",))
    missed, kept = calculate(balanced), calculate(unknown)
    assert verify(balanced, missed, effort=EVERY).inside
    assert verify(unknown, missed, effort=EVERY).over_v > 0.5
    report = verify(unknown, kept, effort=EVERY)
    assert report.inside, report.sentence()
    assert kept.status[0, 0] == 0
    assert 0 < kept.export_limit_w[0, 0] < 12_000
    said = explain(unknown, solve_with_boxes(unknown), "c1", step=0, direction="export").sentence()
    assert "Up to 5000 W may flow from one of its phases to another" in said


@pytest.mark.parametrize("guarantee", [Guarantee.TWO_SIDED, Guarantee.ONE_SIDED])
@pytest.mark.parametrize("split", ["balanced", "a", "unknown"])
def test_every_split_is_kept(guarantee, split):
    problem = replace(three_phase(), guarantee=guarantee, flex_split=half(split))
    problem = replace(problem, flex_load_w=np.where(np.arange(6) % 2, 2_000.0, 14_000.0) * np.ones((2, 1)))
    schedule = calculate(problem)
    report = verify(problem, schedule, effort=EVERY)
    assert report.inside, report.sentence()
    assert schedule.export_limit_w.min() > 100
    elsewhere = [verify(replace(problem, flex_split=half(x)), schedule, solver="reduced", effort=EVERY) for x in "abc"]
    assert all(report.inside for report in elsewhere) == (split == "unknown")


def test_a_split_that_is_not_known_costs_room():
    rooms = {}
    for split in ("balanced", "unknown"):
        problem = replace(three_phase(flex_load_w=np.zeros((2, 6))), flex_split=half(split))
        rooms[split] = calculate(problem).export_room_w[:, 1::2].sum()
    assert rooms["unknown"] < 0.95 * rooms["balanced"]


def test_the_base_load_stays_as_it_is():
    problem = three_phase()
    on_a = replace(problem, flex_split=half("a"), flex_gen_w=0.0 * problem.flex_gen_w)
    on_a = replace(on_a, flex_load_w=0.0 * problem.flex_load_w)
    feeder, plain = monitor(on_a), monitor(problem)
    p = problem.base_load_w[0]
    assert np.array_equal(feeder.spread(p), plain.spread(p))
    assert feeder.port_share[plain.port_connection == 1].tolist() == [1.0, 0.0, 0.0]


def test_a_group_sees_the_sum_and_not_what_circulates():
    depot = GroupLimit("depot", ("c2", "c4"), max_import_w=3_000.0, max_export_w=3_000.0)
    wide = OperatingLimits(v_min_v=120.0, v_max_v=340.0)
    problem = replace(three_phase(groups=(depot,), limits=wide), flex_split=half("unknown"))
    small = np.where(np.arange(6) % 2, 4_000.0, 500.0) * np.ones((2, 1))
    problem = replace(problem, flex_gen_w=small, flex_load_w=small)
    schedule = calculate(problem)
    assert schedule.export_limit_w[:, [1, 3]].sum(axis=1).max() <= 3_000
    assert schedule.export_limit_w[:, [1, 3]].sum(axis=1).min() > 2_900
    assert verify(problem, schedule, effort=EVERY).inside


def test_only_what_flows_both_ways_circulates():
    problem = replace(three_phase(), flex_split=half("unknown"))
    assert circulating_w(problem)[0].tolist() == [0.0, 10_000.0] * 3
    nothing = replace(problem, flex_load_w=np.zeros((2, 6)))
    assert not circulating_w(nothing).any()


def test_splits_follow_the_phases_of_devices():
    nodes, lines = [Node("source", V), Node("end", V)], [line("L1", "source", "end")]
    phases = {"c1": "abc", "c2": "abc", "c3": "abc", "c4": "abc", "c5": "a", "c6": "unknown"}
    network = build.network(equipment(nodes, lines, [(name, "end", phase) for name, phase in phases.items()]))
    devices = [
        Device("d1", "c1", "pv", phases="abc"),
        Device("d2", "c2", "pv", phases="b"),
        Device("d3", "c2", "ev", phases="b"),
        Device("d4", "c3", "pv", phases="abc"),
        Device("d5", "c3", "ev", phases="c"),
        Device("d6", "c5", "pv", phases=""),
    ]
    assert splits_of(network, devices) == ("balanced", "b", "unknown", "balanced", "balanced", "balanced")
    assert splits_of(network, [Device("d1", "c1", "pv")])[0] == "unknown"


def test_a_home_drawn_on_another_phase_takes_its_split_along():
    problem = three_phase()
    phases = problem.reduced.network.connections.phase
    said = replace(problem, flex_split=tuple(phase if len(phase) == 1 else "unknown" for phase in phases))
    plain, moved = (with_wrong_phases(each, 1.0, seed=1) for each in (problem, said))
    assert moved.flex_split == half("unknown")
    np.testing.assert_array_equal(moved.reduced.Z, plain.reduced.Z)
    assert verify(said, calculate(said)).wrong_phases is not None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"flex_split": half("d")}, "flex_split: connection c2: 'd' is none of"),
        ({"flex_split": ("a",)}, "flex_split has 1 entries; expected 6"),
        (
            {"flex_split": half("a"), "guarantee": Guarantee.COINCIDENT, "allocation": Allocation.EQUAL},
            "coincident limits are one level of balanced power",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(change, said):
    with pytest.raises(BadProblem, match=said):
        replace(three_phase(), **change)
