"""Tap changers: where controls rest, by our own bookkeeping and by OpenDSS; what they do when power runs backwards."""

import math
from dataclasses import replace

import numpy as np
import pytest

from gridmodel import GridError, reduce, solve, voltages
from gridmodel.flow.power_flow import current_phasors, phasors
from gridmodel.flow.taps import Tapped, scaled
from gridmodel.model import admittance as build
from gridmodel.model.combine import joined, stiff
from gridmodel.model.equipment import Capacitor, Equipment
from gridmodel.model.regulators import Mode, Regulator, Setting
from gridmodel.readers.opendss import read_network
from gridmodel.solvers import power_grid_model as audit
from tests.gridmodel.feeders import radial_equipment
from tests.gridmodel.medium import LINE_REGULATOR, MV, PT, SUBSTATION, medium, of_phases
from tests.gridmodel.test_csv_folder import folder  # noqa: F401  a fixture

LOADS_W = np.array([0.2e6, 0.3e6, 0.4e6, 0.2e6])


def tapped(*regulators: Regulator, **changes) -> Tapped:
    return Tapped(build.network(medium(regulators=regulators or (SUBSTATION, LINE_REGULATOR), **changes)))


def ports(load_w) -> np.ndarray:
    """(L,) a balanced load per head, at a power factor of 0.95."""
    return -np.repeat(np.asarray(load_w) * (1 + 0.33j), 3) / 3


def node_voltages(network) -> np.ndarray:
    """(N,) V at every node phase under the loads."""
    reduced = scaled(reduce(network), MV / 230.0)
    return voltages(reduced, solve(reduced, ports(LOADS_W)))[0]


def test_a_moved_tap_is_the_transformer_built_with_it():
    given = medium()
    moved = Tapped(build.network(given)).moved([3, -5])
    built = build.network(
        replace(
            given,
            transformers=(
                replace(given.transformers[0], tap_ratio=1 + 3 * 0.0125),
                replace(given.transformers[1], tap_ratio=1 - 5 * 0.00625),
            ),
        )
    )
    np.testing.assert_allclose(moved.branches.y_s, built.branches.y_s, rtol=1e-12, atol=1e-12)
    assert [t.tap_ratio for t in moved.equipment.transformers] == [1.0375, 1 - 5 * 0.00625]
    assert [t.tap for t in moved.equipment.transformers] == [3, -5]
    assert [r.tap for r in moved.equipment.regulators] == [3, -5]


def test_power_grid_model_sees_the_moved_taps():
    network = Tapped(build.network(medium())).moved([-3, 9])
    reduced = reduce(network)
    ours, theirs = node_voltages(network), audit.solve(reduced, ports(LOADS_W)).voltages[0]
    np.testing.assert_allclose(theirs, ours, atol=2e-4)


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 2.0])
def test_the_resting_positions_are_those_whose_voltage_is_in_the_band(scale):
    grid = tapped()
    s = ports(scale * LOADS_W)[None]
    for which, regulator in enumerate(grid.regulators):
        found = grid.resting(grid.present, s, which=which)
        inside = []
        for tap in range(regulator.tap_min, regulator.tap_max + 1):
            at = grid.present.copy()
            at[which] = tap
            volts = grid.state(at, s).load_v[0, which]
            if regulator.forward.low_v <= volts <= regulator.forward.high_v:
                inside.append(tap)
        assert not found.holds[0]
        assert (int(found.low[0]), int(found.high[0])) == (min(inside), max(inside))


def test_it_comes_to_rest_at_the_near_end_of_the_interval():
    grid = tapped(LINE_REGULATOR)
    s = ports(2.0 * LOADS_W)[None]
    found = grid.resting(grid.present, s, which=0)
    assert found.low[0] > 0
    assert grid.settle(s)[0, 0] == found.low[0]
    high = Tapped(grid.moved([16]))
    assert high.settle(s)[0, 0] == found.high[0]
    inside = Tapped(grid.moved([found.high[0]]))
    assert inside.settle(s)[0, 0] == found.high[0]


def test_line_drop_compensation_raises_the_voltage_with_the_flow():
    plain = tapped(SUBSTATION)
    drop = tapped(replace(SUBSTATION, forward=replace(SUBSTATION.forward, ldc_r=3.0, ldc_x=2.0)))
    positions = [[int(t.settle(ports(k * LOADS_W)[None])[0, 0]) for k in (0.0, 3.0)] for t in (plain, drop)]
    volts = [
        abs(t.state(np.array([[p]]), ports(3.0 * LOADS_W)[None]).v[0, 0])
        for t, p in zip((plain, drop), (positions[0][1], positions[1][1]), strict=True)
    ]
    assert volts[1] > volts[0] + 0.01 * MV
    # Without a load there is nothing to compensate: the same interval.
    nothing = [t.resting(t.present, ports(0.0 * LOADS_W)[None], which=0) for t in (plain, drop)]
    assert nothing[0].low[0] == nothing[1].low[0]


def test_the_compensated_voltage_is_that_of_a_place_down_the_line():
    """Behind a line whose impedance the settings express, seen from the bus bar."""
    given = replace(SUBSTATION, forward=replace(SUBSTATION.forward, ldc_r=3.0, ldc_x=2.0), measured="b")
    grid = tapped(given)
    reduced = scaled(reduce(grid.network), MV / 230.0)
    flow = solve(reduced, ports(LOADS_W))
    v = phasors(reduced, flow)[0, reduced.voltage_names.index("node bar, phase b")]
    i = current_phasors(reduced, flow)[0, reduced.current_names.index("line W1, phase b")]
    z_ohm = complex(3.0, 2.0) / 300.0 * PT
    seen = grid.state(grid.present, ports(LOADS_W)).load_v[0, 0]
    assert seen * PT == pytest.approx(abs(v - i * z_ohm), rel=1e-9)


def test_out_of_range_it_stays_at_the_end():
    short = replace(LINE_REGULATOR, tap_min=-2, tap_max=2)
    grid = tapped(short)
    low = grid.resting(grid.present, ports(4.0 * LOADS_W)[None], which=0)
    assert (low.low[0], low.high[0]) == (2, 2)


def test_a_band_narrower_than_a_step_lets_it_hunt_between_two():
    narrow = replace(LINE_REGULATOR, forward=Setting(64.5, 0.05))
    grid = tapped(narrow)
    pairs = set()
    for scale in np.linspace(0.5, 1.5, 8):
        found = grid.resting(grid.present, ports(scale * LOADS_W)[None], which=0)
        pairs.add(int(found.high[0] - found.low[0]))
    assert pairs <= {0, 1}
    assert 1 in pairs


BACKWARDS = ports(-2.0 * LOADS_W)[None]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (Mode.LOCKED_FORWARD, 5),
        (Mode.REVERSE_IDLE, 5),
        (Mode.FIXED, 5),
        (Mode.NEUTRAL_IDLE, 0),
    ],
)
def test_what_it_does_when_power_runs_backwards(mode, expected):
    grid = Tapped(tapped(replace(LINE_REGULATOR, mode=mode)).moved([5]))
    assert grid.settle(BACKWARDS)[0, 0] == expected
    assert grid.resting(grid.present, BACKWARDS, which=0).holds[0] == (expected == 5)


def test_cogeneration_holds_the_load_side_by_the_reverse_settings():
    forward = tapped(replace(LINE_REGULATOR, mode=Mode.FORWARD))
    other = tapped(replace(LINE_REGULATOR, mode=Mode.COGENERATION, reverse=Setting(62.0, 1.0)))
    volts = [grid.state(grid.settle(BACKWARDS), BACKWARDS).load_v[0, 0] for grid in (forward, other)]
    assert volts[0] == pytest.approx(64.5, abs=0.51)
    assert volts[1] == pytest.approx(62.0, abs=0.51)


def test_a_bidirectional_control_runs_to_its_end_against_a_stiff_source():
    """With the strong source where it expects the load, it can not hold the side it looks at."""
    given = replace(LINE_REGULATOR, mode=Mode.BIDIRECTIONAL, reverse=Setting(60.0, 1.0))
    grid = tapped(given)
    found = grid.settle(BACKWARDS)[0, 0]
    assert found == 16


def test_a_control_for_each_phase_moves_each_phase():
    grid = tapped(*of_phases(LINE_REGULATOR))
    s = ports(LOADS_W).reshape(4, 3) * np.array([1.4, 0.9, 0.3])
    found = grid.settle(s.reshape(1, -1))
    assert len(set(found[0].tolist())) == 3
    state = grid.state(found, s.reshape(1, -1))
    assert np.all(np.abs(state.load_v - 64.5) <= 0.5)
    assert grid.moved(found[0]).equipment is None
    assert grid.moved([4, 4, 4]).equipment.transformers[1].tap_ratio == pytest.approx(1.025)


@pytest.mark.parametrize(
    ("regulators", "said"),
    [
        ([replace(SUBSTATION, transformer="T99")], "regulator oltc: transformer T99 is not in the network"),
        ([SUBSTATION, replace(SUBSTATION, id="again")], "2 regulators move the taps of phase a"),
    ],
)
def test_controls_of_nothing_and_of_the_same_taps(regulators, said):
    with pytest.raises(GridError, match=said):
        Tapped(build.network(medium()), regulators)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"phases": "ab"}, "phases 'ab'"),
        ({"measured": "n"}, "measured 'n'"),
        ({"tap": 30}, r"tap 30 in a range of -16..16"),
        ({"tap_step_percent": 0.0}, "steps of 0 %"),
        ({"pt": 0.0}, "transformers of 0 V per V"),
    ],
)
def test_a_regulator_that_can_not_be(changes, said):
    with pytest.raises(GridError, match=said):
        replace(LINE_REGULATOR, **changes)
    with pytest.raises(GridError, match="0 < band < set"):
        Setting(64.0, -1.0)


DSS = """
Clear
New Circuit.reg basekv=11 pu=1.0 phases=3 bus1=src MVAsc3=500 MVAsc1=500 basefreq=50
New Line.W1 bus1=src bus2=m1 phases=3 length=6 units=km r1=0.35 x1=0.38 r0=0.6 x0=1.5 c1=0 c0=0
New Transformer.R1 phases=3 windings=2 buses=[m1 m1r] conns=[wye wye] kVs=[11 11] kVAs=[5000 5000] XHL=0.5
~ %loadloss=0.1 wdg=2 maxtap=1.1 mintap=0.9 numtaps=32
New Line.W2 bus1=m1r bus2=m2 phases=3 length=5 units=km r1=0.35 x1=0.38 r0=0.6 x0=1.5 c1=0 c0=0
New Load.far bus1=m2 phases=3 conn=wye kV=11 kW={kw} pf=0.95 model=1 vminpu=0.5 vmaxpu=1.5
{control}
Set voltagebases=[11]
CalcVoltageBases
Set tolerance=1e-8
"""
CONTROL = "New RegControl.c1 transformer=R1 winding=2 vreg={vreg} band=1.4 ptratio=100 ctprim=200 R=4 X=3"


@pytest.mark.parametrize(("kw", "vreg"), [(900, 63.5), (2400, 64.5), (1500, 62.0)])
def test_opendss_comes_to_rest_at_the_same_position(tmp_path, kw, vreg):
    """The control of OpenDSS, with line-drop compensation, from neutral."""
    from dss import DSS as ENGINE

    free = tmp_path / "free.dss"
    free.write_text(DSS.format(kw=kw, control=""))
    network, _, _ = read_network(free)
    regulator = Regulator(
        "c1", "r1", Setting(vreg, 1.4, 4.0, 3.0), -16, 16, 0.625, measured="a", pt=100.0, ct=200.0
    )  # fmt: skip
    grid = Tapped(network, [regulator])
    s = np.full(3, -(kw + 1j * kw * math.tan(math.acos(0.95))) * 1e3 / 3)
    ours = grid.settle(s)[0, 0]
    held = tmp_path / "held.dss"
    held.write_text(DSS.format(kw=kw, control=CONTROL.format(vreg=vreg)))
    engine = ENGINE.NewContext()
    engine.AllowForms = engine.AllowChangeDir = False
    engine.Text.Command = f'Compile "{held}"'
    engine.Text.Command = "Set maxcontroliter=100"
    engine.Text.Command = "Solve"
    engine.ActiveCircuit.RegControls.Name = "c1"
    theirs = engine.ActiveCircuit.RegControls.TapNumber
    assert ours == theirs
    assert ours != 0
    engine.ActiveCircuit.SetActiveBus("m2")
    volts = np.abs(grid.state(np.array([ours]), s).v[0])
    np.testing.assert_allclose(volts, engine.ActiveCircuit.ActiveBus.VMagAngle[::2], rtol=2e-6)


@pytest.mark.parametrize("phases", ["abc", "b"])
def test_a_capacitor_raises_the_voltage_as_power_grid_model_says(phases):
    given = medium(regulators=())
    bank = Capacitor("bank", "m3", phases, 600e3)
    base, more = (build.network(replace(given, capacitors=c)) for c in ((), (bank,)))
    ours = [node_voltages(n) for n in (base, more)]
    assert (ours[1] - ours[0]).max() > 20.0
    np.testing.assert_allclose(audit.solve(reduce(more), ports(LOADS_W)).voltages[0], ours[1], atol=2e-4)
    off = build.network(replace(given, capacitors=(replace(bank, closed=False),)))
    np.testing.assert_array_equal(off.branches.y_s, base.branches.y_s)


def test_potential_transformer_of_the_test_feeder():
    assert pytest.approx(63.5) == MV / PT


def street() -> Equipment:
    """A low-voltage feeder whose source is the medium voltage itself."""
    return stiff(build.network(radial_equipment(5, seed=3))).equipment


def test_a_joined_network_is_the_two_parts():
    """The street alone, at the voltage that the joined network gives its head, has the joined network's voltages."""
    whole = build.network(joined(medium(), {"m2": street(), "m4": street()}))
    assert whole.connections.id[:3] == ("m1", "m3", "m2/c1")
    reduced = reduce(whole)
    s = np.full(reduced.ports, -3e3 - 1e3j)
    flow = solve(scaled(reduced, MV / 230.0), s)
    v = phasors(scaled(reduced, MV / 230.0), flow)[0]
    names = reduced.voltage_names
    head = np.array([v[names.index(f"node m4, phase {p}")] for p in "abc"])
    alone = reduce(build.network(street()))
    own = solve(alone, s[-5:], head)
    expected = voltages(alone, own)[0, alone.voltage_names.index("node lv3, phase b")]
    assert abs(v[names.index("node m4/lv3, phase b")]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("m9", {}, "feeder m9: the medium voltage has no connection of that name"),
        ("m1", {"supply": replace(radial_equipment(2).supply, z1_ohm=1j)}, "feeder m1: has a source impedance"),
        ("m1", {"nodes": (replace(street().nodes[0], nominal_v=12_700.0), *street().nodes[1:])}, "12700 V"),
    ],
)
def test_feeders_that_do_not_fit_under_it(name, changes, said):
    with pytest.raises(GridError, match=said):
        joined(medium(), {name: replace(street(), **changes)})
