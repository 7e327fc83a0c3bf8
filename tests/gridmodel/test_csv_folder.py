"""The CSV files a utility has: the same feeder as built by hand, and faults by file, row and field."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from gridmodel import FileError, read_feeder, reduce, solve, voltages
from gridmodel.readers.example_feeders import US_SERVICE
from gridmodel.validate import check_folder

CASES = Path(__file__).parent / "cases"


@pytest.fixture
def folder(tmp_path):
    """A three-phase street with a tie that is normally open."""
    files = {
        "nodes.csv": "node,nominal_v\nmv,6350.853\nbar,230.94\nmid,230.94\nend,230.94\n",
        "line_types.csv": (
            "line_type,r1_ohm_per_km,x1_ohm_per_km,r0_ohm_per_km,x0_ohm_per_km,rating_a\n"
            "main,0.32,0.08,1.2,0.1,240\nservice,1.15,0.09,,,100\n"
        ),
        "lines.csv": (
            "line_id,from_node,to_node,phases,length_m,line_type,normally_open\n"
            "L1,bar,mid,abc,120,main,no\nL2,mid,end,abc,30,service,no\nT1,bar,end,abc,300,main,yes\n"
        ),
        "transformers.csv": (
            "transformer_id,hv_node,lv_node,phases,connection,kva,hv_v,lv_v,r_percent,x_percent,no_load_w,"
            "load_loss_w,tap,tap_step_percent,tap_side\nTX,mv,bar,abc,Dyn11,315,11000,420,,4.0,500,3900,1,2.5,hv\n"
        ),
        "source.csv": "node,v_pu,short_circuit_mva\nmv,1.01,120\n",
        "connections.csv": "connection_id,node,phases,pv_kva\nC1,mid,a,\nC2,end,abc,10\nC3,end,,0\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_street(folder):
    feeder = read_feeder(folder)
    network, equipment = feeder.network, feeder.network.equipment
    assert network.connections.phase == ("a", "abc", "unknown")
    assert network.branches.id == ("L1", "L2", "TX", "supply")
    assert [line.zero_sequence_given for line in equipment.lines] == [True, False, True]
    transformer = equipment.transformers[0]
    assert transformer.shift_degree == 330
    assert transformer.z1_pu == pytest.approx(3900 / 315e3 + 0.04j)
    assert transformer.tap_ratio == 1.025
    reduced = reduce(network)
    flow = solve(reduced, np.full(reduced.ports, -2e3 + 0j))
    assert flow.converged.all()
    expected = 1.01 * 6350.853 / 11000 * 420 / 1.025
    assert voltages(reduced, solve(reduced, np.zeros(reduced.ports)))[0, 3] == pytest.approx(expected, rel=1e-3)
    _, findings = check_folder(folder)
    assert {(f.code, f.element) for f in findings if f.code != "base_load"} == {
        ("no_zero_sequence", "line L2"),
        ("no_zero_sequence", "transformer TX"),
        ("unknown_phase", "connection C3"),
    }


def test_switches_decide_over_what_is_normal_and_the_latest_state_counts(folder):
    (folder / "switches.csv").write_text(
        "switch_id,line_id,state,at\nS1,T1,closed,2026-01-02T00:00Z\nS2,L2,open,2026-01-02T00:00Z\n"
        "S1,T1,open,2026-01-01T00:00Z\n"
    )
    assert read_feeder(folder).network.branches.id == ("L1", "T1", "TX", "supply")


FAULTS = [
    ("unknown node", "lines.csv", ("mid,end", "mid,nowhere"), "lines.csv, row 3, field to_node: nowhere"),
    ("unknown type", "lines.csv", ("30,service", "30,rope"), "row 3, field line_type: rope"),
    ("negative length", "lines.csv", ("120", "-120"), "row 2, field length_m: -120 is negative"),
    ("no such phases", "lines.csv", ("bar,mid,abc", "bar,mid,xyz"), "row 2, field phases: 'xyz'"),
    ("neither open nor closed", "lines.csv", ("main,no", "main,perhaps"), "row 2, field normally_open"),
    ("tap on no side", "transformers.csv", ("2.5,hv", "2.5,middle"), "row 2, field tap_side: 'middle' is neither"),
    ("negative rating", "line_types.csv", ("240", "-240"), "line_types.csv, row 2, field rating_a: -240"),
    ("no reactance", "line_types.csv", ("0.32,0.08", "0.32,"), "row 2, field x1_ohm_per_km: is missing"),
    ("voltage of nothing", "nodes.csv", ("mid,230.94", "mid,0"), "row 4, field nominal_v: 0 is not positive"),
    ("lonely node", "nodes.csv", ("end,230.94", "end,230.94\nlost,230.94"), "row 6, field node: nothing is connected"),
    ("strange group", "transformers.csv", ("Dyn11", "Delta"), "row 2, field connection: 'Delta'"),
    ("no power", "transformers.csv", ("315", "-315"), "row 2, field kva: -315 is not positive"),
    ("two sources", "source.csv", ("mv,1.01,120", "mv,1.01,120\nmv,1,1"), "row 3, field node: mv stands here twice"),
    ("node of a customer", "connections.csv", ("C1,mid", "C1,gone"), "row 2, field node: gone is not in the network"),
    ("twice", "connections.csv", ("C2,", "C1,"), "row 3, field connection_id: C1 stands here twice"),
]


@pytest.mark.parametrize(("why", "name", "change", "said"), FAULTS, ids=[f[0] for f in FAULTS])
def test_faults_name_file_row_and_field(folder, why, name, change, said):
    path = folder / name
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))
    with pytest.raises(FileError, match=said):
        read_feeder(folder)


@pytest.mark.parametrize(
    ("why", "line", "said"),
    [
        ("state", "S1,T1,ajar,1", "field state: 'ajar'"),
        ("nothing", "", None),
    ],
)
def test_switch_states(folder, why, line, said):
    (folder / "switches.csv").write_text(f"switch_id,line_id,state,at\n{line}\n")
    if said:
        with pytest.raises(FileError, match=said):
            read_feeder(folder)
    else:
        assert read_feeder(folder).network.branches.id == ("L1", "L2", "TX", "supply")


def test_a_device_of_nobody(tmp_path):
    shutil.copytree(US_SERVICE, tmp_path / "x")
    path = tmp_path / "x" / "devices.csv"
    path.write_text(path.read_text().replace("home4,pv", "home44,pv"))
    with pytest.raises(FileError, match=r"devices.csv, row 3, field connection_id: home44 has no such row"):
        read_feeder(tmp_path / "x")


def test_two_networks_in_one_folder(folder):
    (folder / "Master.dss").write_text("")
    with pytest.raises(FileError, match="2 network files"):
        read_feeder(folder)


@pytest.mark.parametrize("said", ['"fifty"', "-50", "0", "true", "inf"])
def test_a_frequency_that_is_none(folder, said):
    (folder / "feeder.toml").write_text(f"frequency_hz = {said}")
    with pytest.raises(FileError, match=r"feeder.toml, field frequency_hz: .* is not a positive number"):
        read_feeder(folder)
