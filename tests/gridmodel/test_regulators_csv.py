"""regulators.csv and capacitors.csv: what a utility's tables become, and their faults by file, row and field."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from gridmodel import FileError, read_feeder
from gridmodel.commands import app
from gridmodel.flow.taps import Tapped
from gridmodel.model.regulators import Mode, Regulator, Setting
from gridmodel.validate import check
from tests.gridmodel.medium import MV, PT
from tests.gridmodel.test_csv_folder import folder  # noqa: F401  a fixture

REGULATORS = "regulator_id,node,phases,set_v,band_v,ldc_r,ldc_x,pt,ct,mode\n"
LINE = "V1,bar,abc,120,2,3,1,2.02,400,locked_forward\n"


@pytest.fixture
def with_taps(folder):  # noqa: F811
    path = folder / "transformers.csv"
    path.write_text(
        path.read_text()
        .replace("tap_step_percent", "tap_min,tap_max,tap_step_percent")
        .replace(",1,2.5,hv", ",1,-2,2,2.5,hv")
    )
    (folder / "regulators.csv").write_text(REGULATORS + LINE)
    (folder / "capacitors.csv").write_text("capacitor_id,node,kvar,state\nK1,bar,20,closed\nK2,end,10,open\n")
    return folder


def test_the_tables_of_a_utility(with_taps):
    feeder = read_feeder(with_taps)
    equipment = feeder.network.equipment
    assert equipment.regulators == (
        Regulator(
            "V1", "TX", Setting(120.0, 2.0, 3.0, 1.0), -2, 2, 2.5, tap=1, tap_side="hv", pt=2.02, ct=400.0,
            mode=Mode.LOCKED_FORWARD,
        ),
    )  # fmt: skip
    assert [(c.id, c.q_rated_var, c.closed) for c in equipment.capacitors] == [("K1", 20e3, True), ("K2", 10e3, False)]
    assert Tapped(feeder.network).settle(np.zeros((1, 7)))[0, 0] in (0, 1)
    assert {f.code for f in check(feeder) if f.element == "regulator V1"} == {"narrow_band"}


FAULTS = [
    ("strange node", ("V1,bar", "V1,mid"), "row 2, field node: 0 three-phase transformers feed mid"),
    ("strange mode", ("locked_forward", "backwards"), "row 2, field mode: 'backwards' is none of forward, locked"),
    ("no mode", ("locked_forward", ""), "row 2, field mode: is missing"),
    ("band of nothing", ("120,2,", "120,0,"), "row 2, field band_v: 0 V around 120 V"),
    ("negative set", ("120,2,", "-120,2,"), "row 2, field set_v: -120 is not positive"),
    ("phases", ("abc", "abd"), "row 2, field phases: 'abd'"),
    ("no current transformer", ("2.02,400", "2.02,"), "row 2, field ct: is missing: line-drop"),
    ("potential transformer", ("2.02,400", "-2,400"), "row 2, field pt: -2 is not positive"),
    ("twice", (LINE, LINE + LINE), "row 3, field regulator_id: V1 stands here twice"),
    ("two on one", (LINE, LINE + LINE.replace("V1", "V2")), "row 3, field phases: V1 moves phase a of transformer TX"),
]


@pytest.mark.parametrize(("why", "change", "said"), FAULTS, ids=[f[0] for f in FAULTS])
def test_faults_name_file_row_and_field(with_taps, why, change, said):
    path = with_taps / "regulators.csv"
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))
    with pytest.raises(FileError, match=f"regulators.csv, {said}"):
        read_feeder(with_taps)


@pytest.mark.parametrize(("kvar", "said"), [("", "is missing"), ("0", "0 is no size")])
def test_a_bank_has_a_size(with_taps, kvar, said):
    (with_taps / "capacitors.csv").write_text(f"capacitor_id,node,kvar,state\nK1,bar,{kvar},closed\n")
    with pytest.raises(FileError, match=f"capacitors.csv, row 2, field kvar: {said}"):
        read_feeder(with_taps)


def test_a_transformer_without_taps_has_nothing_to_regulate(with_taps):
    path = with_taps / "transformers.csv"
    path.write_text(path.read_text().replace(",1,-2,2,2.5,hv", ",1,,,2.5,hv"))
    with pytest.raises(FileError, match=r"row 2, field tap_min: transformer TX has no taps to move"):
        read_feeder(with_taps)


def test_settings_that_do_not_fit_the_network_are_found(with_taps):
    path = with_taps / "regulators.csv"
    path.write_text(REGULATORS + LINE.replace("120,2,", "63.5,4,"))
    codes = {f.code for f in check(read_feeder(with_taps)) if f.element == "regulator V1"}
    assert codes == {"implausible_voltage"}


def test_show_counts_them_and_solves_at_medium_voltage(tmp_path):
    files = {
        "nodes.csv": f"node,nominal_v\nhv,{33e3 / 3**0.5}\nbar,{MV}\nend,{MV}\n",
        "line_types.csv": "line_type,r1_ohm_per_km,x1_ohm_per_km,rating_a\noverhead,0.35,0.38,250\n",
        "lines.csv": "line_id,from_node,to_node,length_m,line_type\nW1,bar,end,6000,overhead\n",
        "transformers.csv": (
            "transformer_id,hv_node,lv_node,connection,kva,hv_v,lv_v,r_percent,x_percent,tap,tap_min,tap_max,"
            "tap_step_percent\nT33,hv,bar,Dyn11,10000,33000,11000,0.5,10,-2,-8,8,1.25\n"
        ),
        "source.csv": "node,v_pu,short_circuit_mva\nhv,1.0,500\n",
        "connections.csv": "connection_id,node,phases\nstreet,end,abc\n",
        "regulators.csv": f"{REGULATORS}OLTC,bar,,63.5,1.2,,,{PT},,forward\n",
        "capacitors.csv": "capacitor_id,node,kvar\nK1,end,300\n",
        "demand_kw.csv": "interval,street\n" + "".join(f"{k},{500 + 50 * k}\n" for k in range(24)),
        "demand_kvar.csv": "interval,street\n" + "".join(f"{k},{100 + 10 * k}\n" for k in range(24)),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    result = CliRunner().invoke(app, ["show", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert (found["regulators"], found["capacitors"]) == (1, 1)
    assert 5_900.0 < found["min_voltage_v"] < found["max_voltage_v"] < 6_600.0
