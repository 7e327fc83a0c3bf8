"""devices.csv: what stands behind a connection, who holds its limits, and faults by row and field."""

import pytest

from gridmodel import FileError, read_feeder
from gridmodel.validate import check_folder

HEADER = "device_id,connection_id,aggregator_id,type,max_gen_w,max_load_w,s_max_va,device_phases,control_point\n"
ROWS = "D1,C1,,pv,4000,0,5000,a,\nD2,C2,north,pv,9000,0,,abc,\nD3,C2,south,ev,0,11000,,b,\n"
FILES = {
    "nodes.csv": "node,nominal_v\nbar,230.94\nend,230.94\n",
    "line_types.csv": "line_type,r1_ohm_per_km,x1_ohm_per_km,r0_ohm_per_km,x0_ohm_per_km,rating_a\nm,.3,.1,1,.1,240\n",
    "lines.csv": "line_id,from_node,to_node,phases,length_m,line_type\nL1,bar,end,abc,120,m\n",
    "source.csv": "node,v_pu,short_circuit_mva\nbar,1.01,20\n",
    "connections.csv": "connection_id,node,phases,pv_kva\nC1,end,a,1\nC2,end,abc,\nC3,end,,0\n",
    "devices.csv": HEADER + ROWS,
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_devices_come_with_their_control_points(folder):
    feeder = read_feeder(folder)
    one, two, three = feeder.devices
    assert (one.control_point, two.control_point, three.control_point) == ("site", "device", "device")
    assert (two.aggregator_id, two.max_gen_w, two.phases, three.max_load_w) == ("north", 9000.0, "abc", 11000.0)
    # Inverters of both files add up; a size in VA counts before one in W.
    assert feeder.pv_va.tolist() == [6000.0, 9000.0, 0.0]


def test_a_feeder_need_not_have_them(folder):
    (folder / "devices.csv").unlink()
    assert read_feeder(folder).devices == ()


def test_one_device_may_hold_the_net_limits_among_others(folder):
    (folder / "devices.csv").write_text(HEADER + ROWS + "D4,C2,,gateway,,,,,site\n")
    assert [d.control_point for d in read_feeder(folder).devices] == ["site", "device", "device", "site"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("D1,C2,,pv,1,0,,,", "row 5, field device_id: D1 stands here twice"),
        ("D4,C9,,pv,1,0,,,", "row 5, field connection_id: C9 has no such row"),
        ("D4,C1,,pv,-1,0,,,", "row 5, field max_gen_w: -1 is negative"),
        ("D4,C1,,pv,many,0,,,", "row 5, field max_gen_w: 'many' is not a number"),
        ("D4,C1,,,1,0,,,", "row 5, field type: is missing"),
        ("D4,C1,,pv,1,0,,b,", "row 5, field device_phases: 'b' is none of the connection's a"),
        ("D4,C3,,pv,1,0,,abc,", "row 5, field device_phases: 'abc' is none of the connection's a, b, c"),
        ("D4,C1,,pv,1,0,,,roof", "row 5, field control_point: 'roof' is none of site, device"),
    ],
)
def test_faults_name_row_and_field(folder, row, said):
    (folder / "devices.csv").write_text(HEADER + ROWS + row + "\n")
    with pytest.raises(FileError, match=said):
        read_feeder(folder)


def test_a_second_holder_of_net_limits_is_a_finding(folder):
    (folder / "devices.csv").write_text(HEADER + ROWS + "D4,C2,,gateway,,,,,site\nD5,C2,,gateway,,,,,site\n")
    feeder, findings = check_folder(folder)
    assert feeder is None
    (finding,) = findings
    assert (finding.code, finding.field) == ("bad_file", "control_point")
    assert "D4 holds the net limits of C2 already" in finding.detail
