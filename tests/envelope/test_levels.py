"""Voltage limits per level: each connection is judged per unit of its own nominal; a base breach is named."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from envelope import OperatingLimits, calculate, verify
from envelope.command_line.commands import app
from envelope.constraints.formulation import formulate
from envelope.engine import solve_with_boxes
from envelope.explanation.explanation import explain
from envelope.explanation.relief import recalculate_reliefs
from envelope.field_rules import BadProblem
from envelope.operation.assumptions import Assumptions
from envelope.operation.measurements import Measured, Quantity
from envelope.problem import Guarantee, VoltageBand, plan_file, run_id, voltage_criterion
from envelope.study.study import Study, problem_of
from envelope.verification import Effort
from gridmodel import read_feeder
from tests.envelope.cases import UNDECLARED, street

FAST = Effort(random=4, inside=1, sign=40, greedy=1)
MV, LV = 11_000.0 / np.sqrt(3.0), 400.0 / np.sqrt(3.0)
US_MV = 12_470.0 / np.sqrt(3.0)
SHORT = ("--steps", "2")

MIXED = {
    "feeder.toml": 'name = "works"\n',
    "nodes.csv": f"node,nominal_v\nhead,{MV:.3f}\nm1,{MV:.3f}\n" + "".join(f"n{k},{LV:.3f}\n" for k in range(4)),
    "line_types.csv": "line_type,r1_ohm_per_km,x1_ohm_per_km,r0_ohm_per_km,x0_ohm_per_km,rating_a\n"
    "thin,0.64,0.08,2.4,0.1,120\nopen,0.6,0.4,0.9,1.4,600\n",
    "lines.csv": "line_id,from_node,to_node,length_m,line_type\nM1,head,m1,9000,open\nL0,n0,n1,20,thin\n"
    "L1,n1,n2,150,thin\nL2,n2,n3,150,thin\n",
    "transformers.csv": "transformer_id,hv_node,lv_node,connection,kva,hv_v,lv_v,r_percent,x_percent\n"
    "TX,m1,n0,Dyn11,100,11000,400,1.2,4.0\n",
    "source.csv": "node,v_pu,short_circuit_mva\nhead,1.02,120\n",
    "connections.csv": "connection_id,node,phases\nworks,m1,abc\nh1,n1,a\nh2,n2,b\nh3,n3,c\n",
}
SPLIT_PHASE = {
    "feeder.toml": 'name = "creek"\nfrequency_hz = 60\n',
    "nodes.csv": f"node,nominal_v\nhead,{US_MV:.3f}\nm1,{US_MV:.3f}\npole,{US_MV:.3f}\n"
    "secondary,120\nhome1,120\nhome2,120\n",
    "line_types.csv": "line_type,rs_ohm_per_km,xs_ohm_per_km,rm_ohm_per_km,xm_ohm_per_km,rating_a\n"
    "open,0.7,0.9,0.1,0.4,230\nlateral,0.69,0.87,,,230\ntriplex,0.951,0.381,0.481,0.129,185\n",
    "lines.csv": "line_id,from_node,to_node,phases,length_m,line_type\nM1,head,m1,abc,4000,open\n"
    "M2,m1,pole,a,500,lateral\nT1,secondary,home1,12,40,triplex\nT2,secondary,home2,12,60,triplex\n",
    "transformers.csv": "transformer_id,hv_node,lv_node,phases,connection,kva,hv_v,lv_v,r_percent,x_percent\n"
    "service,pole,secondary,a,split,25,7200,120,1.2,1.7\n",
    "source.csv": "node,v_pu,short_circuit_mva\nhead,1.0,100\n",
    "connections.csv": "connection_id,node,phases\nfarm,m1,abc\nhome1,home1,split\nhome2,home2,split\n",
}


def folder_of(files: dict[str, str], where: Path) -> Path:
    for name, text in files.items():
        (where / name).write_text(text)
    return where


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    return folder_of(MIXED, tmp_path_factory.mktemp("works"))


@pytest.fixture(scope="module")
def split_phase(tmp_path_factory):
    return folder_of(SPLIT_PHASE, tmp_path_factory.mktemp("creek"))


@pytest.fixture(scope="module")
def works(mixed):
    """Four customers, of which the works at 11 kV can feed and draw 3 MW, and the homes 15 kW."""
    sizes = np.array([3e6, 15e3, 15e3, 15e3])
    return problem_of(read_feeder(mixed), Study(steps=2, export_w=sizes, import_w=sizes, sun=False))


def ran(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_medium_voltage_bands_are_data_with_a_source():
    for name, low, high in (
        ("ansi-c84.1-a", 0.975, 1.05),
        ("ansi-c84.1-b", 0.95, 1.058),
        ("en-50160", 0.9, 1.1),
        ("en-50160-all", 0.85, 1.15),
        ("as-61000.3.100", 0.9, 1.1),
    ):
        found = voltage_criterion(name)
        assert found.band(MV) == VoltageBand(MV, low * MV, high * MV)
        assert found.medium.source
    assert voltage_criterion("ansi-c84.1-a").band(277.0).high_v == pytest.approx(1.05 * 277.0)


def test_a_problem_has_a_band_for_each_level(works):
    (band,) = works.limits.bands
    assert (band.low_v / MV, band.high_v / MV) == pytest.approx((0.9, 1.1), rel=1e-6)
    found = formulate(works)
    nominal_v = found.feeder.reduced.node_nominal_v
    high = np.where(nominal_v > 1000.0, 1.1 * nominal_v, 253.0)
    np.testing.assert_allclose(found.limits.high_v[0], high, rtol=1e-9)
    # The declared margin is as much per unit at either level.
    np.testing.assert_allclose(found.limits.margin_v, np.where(nominal_v > 1000.0, 0.05 * MV / 234.5, 0.05), rtol=1e-4)


def test_a_feeder_of_one_level_keeps_its_run_id_and_files():
    problem = street(customers=3, steps=1)
    assert problem.limits.bands == ()
    arrays = {}
    assert "bands" not in plan_file.to_plain(problem.limits, arrays, "limits")["of"]
    assert run_id(problem) == run_id(replace(problem, limits=OperatingLimits(bands=())))
    more = replace(problem.limits, bands=(VoltageBand(MV, 0.9 * MV, 1.1 * MV),))
    assert run_id(replace(problem, limits=more)) != run_id(problem)


def test_a_plan_keeps_the_bands_of_its_levels(works, mixed, tmp_path):
    plan_file.save(tmp_path / "plan.npz", str(mixed), works)
    assert plan_file.load(tmp_path / "plan.npz").problem.limits == works.limits
    assert run_id(plan_file.load(tmp_path / "plan.npz").problem) == run_id(works)


def test_limits_without_a_criterion_need_a_band_for_each_level(works):
    with pytest.raises(BadProblem, match=r"bands: none for 6351 V, as at node m1, phase a, and source 'ours'"):
        replace(works, limits=OperatingLimits(source="ours"))
    given = OperatingLimits(source="ours", bands=(VoltageBand(MV, 6_000.0, 6_700.0),))
    assert replace(works, limits=given).limits == given
    with pytest.raises(BadProblem, match=r"bands: 6351 V: high_v: 5 is not above low_v, 6"):
        VoltageBand(6351.0, 6.0, 5.0)


@pytest.mark.parametrize("guarantee", UNDECLARED)
def test_limits_at_two_levels_hold_and_reach_them(works, guarantee):
    tight = replace(works.limits, bands=(VoltageBand(MV, 0.98 * MV, 1.04 * MV),))
    allocation = "proportional" if guarantee is Guarantee.COINCIDENT else "max-min"
    problem = replace(works, guarantee=guarantee, allocation=allocation, limits=tight)
    schedule = calculate(problem)
    report = verify(problem, schedule, effort=FAST)
    assert report.inside, report.sentence()
    assert report.exit_code == 0
    # The works' limit is held back by its own level's band, to within what its margin is there.
    wider = replace(problem, limits=replace(tight, bands=(VoltageBand(MV, 0.9 * MV, 1.1 * MV),)))
    assert calculate(wider).export_limit_w.sum() > schedule.export_limit_w.sum()
    assert not verify(problem, calculate(wider), effort=FAST).inside
    if guarantee is Guarantee.TWO_SIDED:
        assert -15.0 < report.over_v <= 0.0 or -15.0 < report.under_v <= 0.0


def test_what_eases_a_limit_at_medium_voltage_is_in_its_own_volts(works):
    tight = replace(works.limits, bands=(VoltageBand(MV, 0.9 * MV, 1.03 * MV),))
    problem = replace(works, limits=tight)
    solution = solve_with_boxes(problem)
    found = explain(problem, solution, "works", step=0, direction="export")
    assert found.binding.startswith("over-voltage at node m1")
    assert -15.0 < found.margin < 15.0
    first = recalculate_reliefs(problem, solution.schedule, found).reliefs[0]
    assert "at other levels" in first.what
    assert first.gain_w > 10_000.0


def test_a_measured_voltage_is_compared_with_the_band_of_its_own_level(works):
    at = int(works.step_start[0])
    right = [Measured("works", Quantity.VOLTAGE, at, 300, MV), Measured("h1", Quantity.VOLTAGE, at, 300, LV)]
    assert not Assumptions().check_measured(works, right, at + 300)
    wrong = Measured("works", Quantity.VOLTAGE, at, 300, 1.2 * MV)
    (said,) = Assumptions().check_measured(works, [wrong], at + 300)
    assert "7621.0 V at works" in str(said)


def heavy(works, at_works_w: float, at_home_w: float):
    """The problem with a base load of the works, and of one home, that no limit can mend."""
    load = works.base_load_w.copy()
    load[:, 0] += at_works_w
    load[:, 3] += at_home_w
    return replace(works, base_load_w=load, base_load_var=0.3 * load)


def test_a_breach_of_the_base_load_at_medium_voltage_is_not_excused(works):
    # Homes have no lower limit to speak of, so that only the works' own band is left below.
    limits = replace(works.limits, v_min_v=120.0)
    problem = replace(heavy(works, 4e6, 0.0), limits=limits)
    schedule = calculate(problem)
    report = verify(problem, schedule, effort=FAST)
    assert report.inside, report.sentence()
    assert not report.within_limits
    assert report.exit_code == 3
    assert "NOT inside the limits: the base load alone exceeds them by" in report.sentence()
    assert "V under (node m1, phase" in report.sentence()
    (finding,) = [said for said in schedule.findings if said.startswith("infeasible_base") and "under-voltage" in said]
    assert f"{report.excused[1]:.0f}"[:2] in finding


def test_the_worst_is_the_worst_per_unit_and_not_in_volts(works):
    # The home is 15 V of 231 below its band, the works 60 V of 6351.
    problem = heavy(works, 1.0e6, 9e3)
    low_pu = 0.98
    tight = replace(problem.limits, bands=(VoltageBand(MV, low_pu * MV, 1.1 * MV),))
    problem = replace(problem, limits=tight)
    report = verify(problem, calculate(problem), effort=FAST)
    under = next(one for one in report.base_excess if one.unit == "V under")
    assert under.element.startswith("node n3")
    assert 1.0 < under.beyond < 60.0


def test_what_contracts_add_is_told_beside_the_base_load(works):
    problem = replace(heavy(works, 0.0, 11e3), firm_import_w=np.array([0.0, 0.0, 0.0, 13e3]))
    report = verify(problem, calculate(problem), effort=FAST)
    assert report.exit_code == 3
    said = report.sentence()
    assert "the base load alone exceeds them by" in said
    assert "what is granted in any case, which with the base load exceeds them by" in said
    only_firm = replace(works, firm_import_w=np.array([0.0, 0.0, 0.0, 11e3]))
    report = verify(only_firm, calculate(only_firm), effort=FAST)
    assert report.base_excess == ()
    assert report.exit_code == 3
    assert "what is granted in any case, which exceeds them by" in report.sentence()


def test_run_judges_two_levels_and_says_their_bands(mixed):
    done = ran("run", mixed, *SHORT)
    assert done.exit_code == 0, done.output
    assert "216 to 253 V; 5716 to 6986 V at 6351 V" in " ".join(done.output.split())
    found = json.loads(ran("run", mixed, *SHORT, "--json").output)
    assert found["limits"]["bands"][0]["nominal_v"] == pytest.approx(MV, abs=0.01)
    assert found["verified_worst"]["within_limits"]
    assert found["export_kw"] > 0.0


@pytest.mark.parametrize("v_pu", [0.85, 1.15])
def test_run_and_verify_end_with_3_where_the_base_load_alone_is_beyond(mixed, tmp_path, v_pu):
    where = folder_of(MIXED | {"source.csv": f"node,v_pu,short_circuit_mva\nhead,{v_pu},120\n"}, tmp_path)
    plan, limits = tmp_path / "plan.npz", tmp_path / "limits.csv"
    done = ran("run", where, *SHORT, "--plan", plan, "--out", limits)
    assert done.exit_code == 3, done.output
    assert "NOT inside the limits: the base load alone exceeds them by" in " ".join(done.output.split())
    audit = ran("verify", plan, limits, "--json")
    assert audit.exit_code == 3, audit.output
    found = json.loads(audit.output)
    assert (found["inside"], found["within_limits"]) == (True, False)
    assert {one["element"].split(",")[0] for one in found["base_excess"]} <= {
        "node m1",
        "node n1",
        "node n2",
        "node n3",
    }
    assert found["base_excess"]


def test_a_split_phase_feeder_is_judged_per_unit_at_both_levels(split_phase):
    done = ran("run", split_phase, *SHORT, "--limits", "ansi-c84.1-a", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert (found["limits"]["v_min_v"], found["limits"]["v_max_v"]) == (114.0, 126.0)
    (band,) = found["limits"]["bands"]
    assert (band["low_v"], band["high_v"]) == pytest.approx((0.975 * US_MV, 1.05 * US_MV), rel=1e-6)
    assert found["export_kw"] > 0.0


def test_a_criterion_for_another_low_voltage_is_refused_whatever_stands_at_medium_voltage(split_phase):
    done = ran("run", split_phase, *SHORT)
    assert done.exit_code == 2
    assert "is for 230 V, and customers here have 120 V" in done.output
    assert "for them: ansi-c84.1-a, ansi-c84.1-b" in done.output
