"""Low-voltage feeders under one medium voltage: what they assume of it is what they bring about together."""

from dataclasses import replace

import numpy as np
import pytest

from envelope import Guarantee, calculate, verified_box
from envelope.constraints.formulation import formulate
from envelope.field_rules import BadProblem
from envelope.medium_voltage.coordination import Inconsistent, coordinate
from envelope.medium_voltage.feeder_head import FeederHead
from envelope.medium_voltage.head_voltage import MediumVoltage, heads, tap_range
from envelope.medium_voltage.joint_verification import verify_jointly
from envelope.medium_voltage.operator_limits import OperatorLimit
from envelope.problem import GroupLimit, HeadVoltageMargin, Problem, Scenarios
from envelope.verification import Effort
from gridmodel.flow.taps import Tapped
from gridmodel.model import admittance as build
from gridmodel.model.equipment import Capacitor
from gridmodel.model.regulators import Mode
from tests.envelope.cases import on, street
from tests.gridmodel.feeders import radial_equipment
from tests.gridmodel.medium import LINE_REGULATOR, SUBSTATION, medium, of_phases

QUICK = Effort(random=5, inside=1, sign=30, greedy=1)
NAMES = ("m1", "m2", "m4")


def feeder(customers: int, seed: int, steps: int = 3, **changes) -> Problem:
    """A street whose source is the medium voltage itself."""
    found = radial_equipment(customers, seed)
    lines = tuple(replace(line, z_ohm=3.0 * line.z_ohm) for line in found.lines)
    given = replace(found, lines=lines, supply=replace(found.supply, z1_ohm=0j, z0_ohm=0j))
    return on(build.network(given), steps, seed, **changes)


@pytest.fixture(scope="module")
def feeders() -> dict[str, Problem]:
    return {name: feeder(8, seed) for seed, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def grid() -> MediumVoltage:
    return MediumVoltage(build.network(medium(km=3.0)))


@pytest.fixture(scope="module")
def found(grid, feeders):
    return coordinate(grid, feeders)


def test_bands_hold_what_the_envelopes_bring_about(found):
    assert any(tried.consistent for tried in found.rounds)
    assert not found.rounds[0].consistent  # with nothing flexible in it the first band is too narrow
    for name, band in found.bands.items():
        assert band.assumed.holds(band.implied)
        assert np.all(band.implied.low_pu < 0.995)
        assert np.all(band.implied.high_pu > 1.005)
        assert any(isinstance(m, HeadVoltageMargin) for m in found.problems[name].margins)
        assert np.all((band.low_v < band.high_v) & (band.low_v > 5_900.0))
    # What is far behind a line moves most.
    widths = [float(np.max(b.assumed.high_pu - b.assumed.low_pu)) for b in found.bands.values()]
    assert widths == sorted(widths)


def test_the_bands_are_not_wider_than_they_must_be(found):
    for band in found.bands.values():
        spare = (band.assumed.high_pu - band.assumed.low_pu) - (band.implied.high_pu - band.implied.low_pu)
        assert spare.max() < 3e-3


def test_the_joined_network_is_inside_at_every_corner(grid, found):
    report = verify_jointly(grid, found, effort=QUICK)
    assert report.parts[0].report.solver == "power-grid-model"
    assert report.inside, report.sentence()
    assert sum(part.report.scenarios for part in report.parts) > 200


def test_what_is_guaranteed_in_one_direction_only_is_audited_so(grid):
    """Beside a margin for the head voltage that was assumed before."""
    margin = HeadVoltageMargin(0.9, 1.1)
    one_sided = {n: feeder(6, 5, guarantee=Guarantee.ONE_SIDED, margins=(margin,)) for n in ("m1", "m4")}
    shared = coordinate(grid, one_sided)
    assert all(margin not in problem.margins for problem in shared.problems.values())
    assert all(s.export_room_w.sum() > 30_000.0 for s in shared.schedules.values())
    report = verify_jointly(grid, shared, effort=QUICK)
    assert report.inside, report.sentence()
    both = replace(shared.problems["m4"], guarantee=Guarantee.TWO_SIDED)
    mixed = replace(shared, problems=shared.problems | {"m4": both})
    with pytest.raises(BadProblem, match="feeder m4: one audit needs the same guarantee"):
        verify_jointly(grid, mixed)


def test_without_the_medium_voltage_the_same_feeders_break(grid, feeders, found):
    """Each alone at its mean head voltage, as if that stood still."""
    alone = {name: replace(feeders[name], source_v=found.problems[name].source_v) for name in NAMES}
    naive = replace(found, problems=alone, schedules={name: calculate(p) for name, p in alone.items()})
    assert not verify_jointly(grid, naive, solver="reduced", effort=QUICK).inside


def test_any_state_of_a_feeder_is_in_its_box(feeders):
    problem = feeders["m2"]
    head, (lo, hi) = FeederHead("m2", formulate(problem)), verified_box(problem, calculate(problem))
    box = head.box(lo, hi, [head.base.source_v])
    rng = np.random.default_rng(1)
    for _ in range(30):
        where = rng.random(lo.shape)
        where = np.where(rng.random() < 0.5, where, np.round(where))
        p = lo + where * (hi - lo)
        s = head.feeder.spread(p) + 1j * head.feeder.spread(head.base.q_var)
        power = head.power_va(s, head.base.source_v)
        assert np.all((power.real >= box.lo_va.real) & (power.real <= box.hi_va.real))
        assert np.all((power.imag >= box.lo_va.imag) & (power.imag <= box.hi_va.imag))
        total = power.real.sum(axis=1)
        assert np.all((total >= box.sum_lo_w) & (total <= box.sum_hi_w))
        # Losses are the difference to what the customers do.
        assert np.all(total < p.sum(axis=1))


def test_any_state_of_taps_and_feeders_is_in_the_bands(grid, found):
    """Taps anywhere in their ranges, customers anywhere in their limits."""
    state = grid.states()[0]
    rng = np.random.default_rng(2)
    all_heads = {name: FeederHead(name, formulate(problem)) for name, problem in found.problems.items()}
    boxes = {n: verified_box(p, found.schedules[n]) for n, p in found.problems.items()}
    spans = []
    for _ in range(40):
        s = np.zeros((3, 12), dtype=np.complex128)
        for name, head in all_heads.items():
            lo, hi = boxes[name]
            p = lo + np.round(rng.random(lo.shape)) * (hi - lo)
            ports = head.feeder.spread(p) + 1j * head.feeder.spread(head.base.q_var)
            s[:, grid.ports_of(name)] = head.power_va(ports, found.bands[name].centre_v)
        taps = rng.integers(found.taps_low, found.taps_high + 1)
        v = state.state(taps, s).v
        for name, head in all_heads.items():
            band, seen = found.bands[name], head.no_load
            share = np.abs(v[:, grid.ports_of(name)] @ seen.T) / np.abs(band.centre_v @ seen.T)
            low, high = band.implied
            np.testing.assert_array_equal(share, np.clip(share.T, low, high).T)
            spans.append(float(share.max() - share.min()))
    assert max(spans) > 0.01


def test_a_limit_on_import_leaves_export_alone():
    """Rounding errors of a sum in watts once kept everyone from feeding who may not draw."""
    problem = feeder(8, 1, adoption_s=0)
    group = GroupLimit("breaker", problem.connection_id, max_import_w=28_000.0, max_export_w=100_000.0)
    plain, limited = (calculate(p) for p in (problem, replace(problem, groups=(group,))))
    assert np.all(limited.import_room_w.sum(axis=1) < 0.5 * plain.import_room_w.sum(axis=1))
    assert np.all(limited.export_room_w.sum(axis=1) > plain.export_room_w.sum(axis=1))


def test_one_round_is_not_enough(grid, feeders):
    with pytest.raises(Inconsistent, match=r"after 1 rounds head voltages leave their bands by \d\.\d+ %"):
        coordinate(grid, feeders, rounds=1)


def test_an_operators_limit_is_shared_and_kept_at_the_heads(grid, feeders, found):
    plain = sum(verified_box(p, found.schedules[n])[1].sum(axis=1) for n, p in found.problems.items())
    most = np.array([0.4, 0.6, 2.0]) * plain
    reverse = OperatorLimit("reverse flow", NAMES, max_export_w=most)
    breaker = OperatorLimit("breaker", ("m2", "m4"), max_import_w=70_000.0)
    limited = replace(grid, limits=(reverse, breaker))
    shared = coordinate(limited, feeders)
    boxes = {name: verified_box(p, shared.schedules[name]) for name, p in shared.problems.items()}
    feeds = sum(hi.sum(axis=1) for _, hi in boxes.values())
    assert np.all(feeds <= most)
    assert np.all(feeds[:2] > 0.93 * most[:2])
    assert feeds[2] > 0.95 * plain[2]  # where the limit is far away it holds nobody back
    # Losses count at the breaker: customers get less than it bears.
    head_w = 0.0
    for name in ("m2", "m4"):
        head = FeederHead(name, formulate(shared.problems[name]))
        box = head.box(*boxes[name], [shared.bands[name].centre_v * shared.bands[name].assumed.low_pu[:, None]])
        head_w = head_w - box.sum_lo_w
    draws = -sum(boxes[name][0].sum(axis=1) for name in ("m2", "m4"))
    assert np.all(head_w <= 70_000.0 + 1.0)
    assert np.all(draws < head_w - 1_000.0)
    assert np.all(head_w > 55_000.0)
    report = verify_jointly(limited, shared, effort=QUICK)
    assert report.inside, report.sentence()


def test_a_limit_that_base_loads_exceed_is_told(grid, feeders):
    tight = replace(grid, limits=(OperatorLimit("feeder", NAMES, max_import_w=1_000.0),))
    shared = coordinate(tight, {name: replace(problem, adoption_s=0) for name, problem in feeders.items()})
    assert any(f.startswith("infeasible_firm: limit feeder: import") for f in shared.findings)
    rooms = sum(s.import_room_w.sum() for s in shared.schedules.values())
    assert rooms < 3 * 3 * 8  # base loads are rounded up to whole watts
    assert all(s.export_room_w.sum() > 10_000.0 for s in shared.schedules.values())


def test_capacitors_that_switch_and_a_source_that_moves_widen_the_bands(feeders):
    bank = Capacitor("bank", "m3", "abc", 300e3)
    network = build.network(medium(km=3.0, regulators=(), heads=4))
    with_bank = build.network(replace(medium(km=3.0, regulators=()), capacitors=(bank,)))
    one = {"m4": feeders["m4"]}
    widths = []
    for given in (
        MediumVoltage(network),
        MediumVoltage(with_bank, switching=("bank",)),
        MediumVoltage(network, source_low_pu=0.97, source_high_pu=1.02),
    ):
        band = coordinate(given, one).bands["m4"].assumed
        widths.append(float((band.high_pu - band.low_pu).max()))
    assert widths[1] > widths[0] + 0.002
    assert widths[2] > widths[0] + 0.04


def test_a_control_that_stands_still_keeps_what_it_had_when_power_turned_round():
    """Drawing in the first two steps, feeding in the others: it stays where it was drawn to."""
    locked = replace(LINE_REGULATOR, mode=Mode.LOCKED_FORWARD)
    draw = -np.repeat([0.2e6, 0.3e6, 0.4e6, 0.2e6], 3) / 3 * (1 + 0.3j)
    s = np.array([draw, 2.5 * draw, -1.5 * draw, -1.5 * draw])[None]
    ranges = {}
    for mode in (Mode.LOCKED_FORWARD, Mode.FORWARD, Mode.NEUTRAL_IDLE):
        state = Tapped(build.network(medium(regulators=(replace(locked, mode=mode),))))
        source = np.tile(state.network.source.v, (4, 1))
        ranges[mode] = tap_range([state], s, source)
    low, high = ranges[Mode.LOCKED_FORWARD]
    assert high[1, 0] > high[0, 0]
    assert (low[2, 0], high[2, 0]) == (low[1, 0], high[1, 0]) == (low[3, 0], high[3, 0])
    assert ranges[Mode.FORWARD][1][3, 0] < high[3, 0]
    assert (ranges[Mode.NEUTRAL_IDLE][0][3, 0], ranges[Mode.NEUTRAL_IDLE][1][3, 0]) == (0, 0)


def test_a_control_for_each_phase_with_line_drop_compensation(feeders):
    compensated = replace(LINE_REGULATOR, forward=replace(LINE_REGULATOR.forward, ldc_r=4.0, ldc_x=2.0), ct=20.0)
    given = MediumVoltage(build.network(medium(km=3.0, regulators=of_phases(compensated))))
    shared = coordinate(given, {"m4": feeders["m4"]})
    assert shared.taps_low.shape == (3, 3)
    assert shared.bands["m4"].assumed.holds(shared.bands["m4"].implied)
    assert verify_jointly(given, shared, solver="reduced", effort=QUICK).inside


def test_a_branch_of_the_medium_voltage_beyond_its_rating_is_told(feeders):
    equipment = medium(km=3.0, regulators=(SUBSTATION,))
    weak = replace(equipment, lines=tuple(replace(line, rating_a=2.0) for line in equipment.lines))
    shared = coordinate(MediumVoltage(build.network(weak)), {"m4": feeders["m4"]})
    assert any(f.startswith("overload: line W1 of the medium voltage at") for f in shared.findings)


def test_other_connections_draw_what_is_given(feeders):
    network = build.network(medium(km=3.0, regulators=()))
    problem = feeders["m4"]
    box = {
        "m4": FeederHead("m4", formulate(problem)).box(
            -problem.base_load_w, -problem.base_load_w, [problem.reduced.network.source.v * np.ones((3, 1))]
        )
    }
    other = np.zeros((3, 4), dtype=np.complex128)
    other[:, 2] = -500e3
    plain, loaded = (MediumVoltage(network, other_va=va) for va in (None, other))
    lowest = [np.abs(heads(m, box, m.states()).v).min() for m in (plain, loaded)]
    assert lowest[1] < lowest[0] - 50.0


@pytest.mark.parametrize(
    ("changes", "names", "said"),
    [
        ({}, {"m9": 1}, "feeder m9: the medium voltage has no connection of that name"),
        ({}, {}, "no feeders to coordinate"),
        ({"limits": (OperatorLimit("x", ("m2",)),)}, {"m1": 1}, "limit x: feeder m2 is not among those"),
        ({"source_low_pu": 1.2}, {"m1": 1}, "source_low_pu 1.2"),
        ({"switching": ("bank",)}, {"m1": 1}, "capacitor bank is not in the network"),
        ({"other_va": np.zeros((2, 2))}, {"m1": 1}, r"other_va has shape \(2, 2\); expected \(3, 4\)"),
    ],
)
def test_what_can_not_be_coordinated(grid, feeders, changes, names, said):
    with pytest.raises(BadProblem, match=said):
        coordinate(replace(grid, **changes), dict.fromkeys(names, feeders["m1"]))


def test_feeders_that_do_not_fit_together(grid, feeders):
    later = replace(feeders["m2"], step_start=feeders["m2"].step_start + 1800)
    with pytest.raises(BadProblem, match="feeder m2: its intervals are not those of feeder m1"):
        coordinate(grid, {"m1": feeders["m1"], "m2": later})
    with pytest.raises(BadProblem, match="feeder m1: has a source impedance of its own"):
        coordinate(grid, {"m1": street(customers=4, steps=3)})


def on_paths(problem: Problem, paths: int) -> Problem:
    """A street whose base load is nothing, the same or four times as much on its paths."""
    part = np.array([0.0, 1.0, 4.0])[-paths:, None, None, None]
    load = part * problem.base_load_w[None, :, None]
    return replace(problem, scenarios=Scenarios(load, 0.2 * load))


def test_joint_paths_of_all_feeders_are_tried_together(grid):
    half = np.tile([40e3, 0.0], (2, 4))
    known = {name: feeder(8, 3, steps=2, flex_load_w=half, flex_gen_w=half) for name in ("m1", "m4")}
    moving = {"m1": on_paths(known["m1"], 3), "m4": on_paths(known["m4"], 2)}
    report = verify_jointly(grid, coordinate(grid, moving), effort=QUICK)
    assert report.inside, report.sentence()
    assert "each of 3 joint paths" in report.parts[0].report.sentence()
    assert report.parts[0].report.by_corner["path"]["scenarios"] > 0
    # Limits that were found at the mean base load alone do not hold where homes without devices draw more.
    still = coordinate(grid, known)
    moving = {name: replace(p, scenarios=moving[name].scenarios) for name, p in still.problems.items()}
    assert verify_jointly(grid, still, solver="reduced", effort=QUICK).inside
    assert not verify_jointly(grid, replace(still, problems=moving), solver="reduced", effort=QUICK).inside
    other = replace(moving["m4"], scenarios=replace(moving["m4"].scenarios, bands=True))
    with pytest.raises(BadProblem, match="feeder m4: one audit needs joint paths of one share and reading"):
        verify_jointly(grid, replace(still, problems=moving | {"m4": other}))
