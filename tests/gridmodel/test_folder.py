"""Feeder folders: what is read, and the file, row and field that every fault names."""

import json

import numpy as np
import pytest

from gridmodel import FileError, GridError, port_va, read_feeder, reduce, solve, voltages
from gridmodel.readers.example_feeders import european_lv
from gridmodel.validate import check_folder

BUSES = [["mv", 11.0, True], ["lv", 0.4, True], ["end", 0.4, True], ["far", 0.4, True]]
LINES = [[1, 2, 0.1], [2, 3, 0.1]]


def table(columns, data):
    content = {"columns": columns, "index": list(range(len(data))), "data": data}
    return {"_class": "DataFrame", "_object": json.dumps(content)}


def network_json(buses=BUSES, lines=LINES):
    trafo = {
        "hv_bus": 0, "lv_bus": 1, "sn_mva": 0.1, "vn_hv_kv": 11.0, "vn_lv_kv": 0.4, "vk_percent": 4.0,
        "vkr_percent": 1.5, "shift_degree": 30.0, "vector_group": "Dyn", "vk0_percent": 4.0, "vkr0_percent": 1.5,
    }  # fmt: skip
    tables = {
        "bus": table(["name", "vn_kv", "in_service"], buses),
        "line": table(
            ["from_bus", "to_bus", "length_km", "r_ohm_per_km", "x_ohm_per_km", "r0_ohm_per_km", "x0_ohm_per_km",
             "max_i_ka"],
            [[*row, 0.3, 0.08, 1.0, 0.2, 0.2] for row in lines],
        ),
        "trafo": table(list(trafo), [list(trafo.values())]),
        "ext_grid": table(["bus", "vm_pu", "s_sc_max_mva"], [[0, 1.0, 100.0]]),
    }  # fmt: skip
    return json.dumps({"_object": {**tables, "f_hz": 50.0, "name": "tiny"}})


def series(ids, rows, name="interval"):
    lines = [",".join([name, *ids])] + [",".join([str(k), *map(str, row)]) for k, row in enumerate(rows)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def folder(tmp_path):
    """A folder with every file, a day of 24 hours."""
    (tmp_path / "tiny.pandapower.json").write_text(network_json())
    (tmp_path / "customers.csv").write_text(
        "customer,bus,phase,pv_kva,active\nh1,end,a,5.0,True\nh2,end,abc,0,False\nh3,far,b,,\n"
    )
    (tmp_path / "demand_kw.csv").write_text(series(["h1", "h2", "h3"], [[1.0, 3.0, 0.5]] * 24))
    (tmp_path / "demand_kvar.csv").write_text(series(["h3", "h1", "h2"], [[0.1, 0.2, 0.3]] * 24))
    (tmp_path / "pv_kw.csv").write_text(series(["h1"], [[2.0]] * 24))
    heads = ["va_v", "vb_v", "vc_v", "va_deg", "vb_deg", "vc_deg"]
    (tmp_path / "head_voltage_11kv.csv").write_text(series(heads, [[6400, 6410, 6420, 0, -120, 120]] * 24))
    return tmp_path


def test_a_whole_folder(folder):
    feeder = read_feeder(folder)
    assert feeder.name == "tiny"
    assert feeder.network.connections.phase == ("a", "abc", "b")
    np.testing.assert_allclose(feeder.pv_va, [5000, 0, 0])
    np.testing.assert_array_equal(feeder.active, [True, False, True])
    assert feeder.profile.step_s == 3600
    np.testing.assert_allclose(feeder.profile.demand_var[0], [200, 300, 100])
    np.testing.assert_allclose(feeder.profile.net_va()[0], [1000 - 200j, -3000 - 300j, -500 - 100j])
    np.testing.assert_allclose(np.abs(feeder.profile.source_v[5]), [6400, 6410, 6420])
    ports = port_va(feeder.network, feeder.profile.net_va())
    np.testing.assert_allclose(ports[0], [1000 - 200j, -1000 - 100j, -1000 - 100j, -1000 - 100j, -500 - 100j])
    reduced = reduce(feeder.network)
    flow = solve(reduced, ports, feeder.profile.source_v)
    assert flow.converged.all()
    assert 225 < voltages(reduced, flow)[:, reduced.voltages_at_connections()].min() < 240


def test_customers_alone_are_enough(folder):
    for name in ("demand_kw.csv", "demand_kvar.csv", "pv_kw.csv", "head_voltage_11kv.csv"):
        (folder / name).unlink()
    assert read_feeder(folder).profile is None


def test_feeder_toml_names_the_feeder_and_its_step(folder):
    (folder / "feeder.toml").write_text('name = "Elm Street"\nstep_s = 1200\n')
    feeder = read_feeder(folder)
    assert feeder.name == feeder.network.name == "Elm Street"
    assert feeder.profile.step_s == 1200


NET = "tiny.pandapower.json"
FAULTS = [
    ("no network", NET, None, "0 network files"),
    ("network is broken", NET, lambda t: t[:40], "not JSON"),
    ("no phase column", "customers.csv", lambda t: t.replace("phase", "fase"), "customers.csv, row 1, field phase"),
    ("unknown bus", "customers.csv", lambda t: t.replace("h3,far", "h3,nowhere"), "row 4, field bus: nowhere"),
    ("wrong phase", "customers.csv", lambda t: t.replace("end,a,", "end,q,"), "row 2, field phase: 'q' is none of"),
    ("negative size", "customers.csv", lambda t: t.replace("5.0", "-5"), "row 2, field pv_kva: -5 is negative"),
    ("size is text", "customers.csv", lambda t: t.replace("5.0", "big"), "row 2, field pv_kva: 'big' is not a number"),
    ("twice the same", "customers.csv", lambda t: t.replace("h2", "h1"), "row 3, field customer: h1 stands here twice"),
    ("neither true nor false", "customers.csv", lambda t: t.replace("False", "maybe"), "row 3, field active: 'maybe'"),
    ("too few values", "customers.csv", lambda t: t + "h4,end\n", "row 5: 2 values for 5 columns"),
    ("NaN demand", "demand_kw.csv", lambda t: t.replace("7,1.0", "7,nan"), "demand_kw.csv, row 9, field h1"),
    ("empty demand", "demand_kw.csv", lambda t: t.replace("7,1.0", "7,"), "row 9, field h1: is missing"),
    ("text demand", "demand_kw.csv", lambda t: t.replace("7,1.0", "7,x"), "row 9, field h1: 'x' is not a number"),
    ("stranger", "demand_kw.csv", lambda t: t.replace("h3", "h9"), "row 1, field h9: no such customer"),
    (
        "nobody's demand",
        "demand_kvar.csv",
        lambda t: series(["h1"], [[0]] * 24),
        "field h2: 2 customers have no column",
    ),
    ("interval left out", "demand_kw.csv", lambda t: t.replace("\n5,", "\n6,"), "row 7, field interval: 6 does not"),
    ("other length", "pv_kw.csv", lambda t: series(["h1"], [[0]] * 23), "23 intervals; demand_kw.csv has 24"),
    ("head voltage too short", "head_voltage_11kv.csv", lambda t: t[: t.index("\n9,")] + "\n", "9 intervals"),
    ("TOML is broken", "feeder.toml", lambda t: "name =", "not TOML"),
    ("step is text", "feeder.toml", lambda t: 'step_s = "5 min"', "field step_s: '5 min' is not a number of whole"),
    ("empty file", "customers.csv", lambda t: "", "customers.csv, row 1: the file is empty"),
    (
        "a byte that is no text",
        "customers.csv",
        lambda t: t.replace("far", "f\udce4r"),
        "row 4: not UTF-8 text .byte 0xe4",
    ),
    ("another JSON", NET, lambda t: '{"a": 1}', "not a pandapower network: it has no bus table"),
    ("a list", NET, lambda t: "[1]", "not a JSON object"),
    (
        "bus is no table",
        "tiny.pandapower.json",
        lambda t: '{"_object": {"bus": 5}}',
        "field bus: the bus table is no",
    ),
    (
        "negative rating",
        "tiny.pandapower.json",
        lambda t: t.replace("0.2]]", "-0.2]]"),
        "row 1, field line.max_i_ka: -0.2",
    ),
    (
        "no size",
        "tiny.pandapower.json",
        lambda t: t.replace("[[0, 1, 0.1,", "[[0, 1, 0,"),
        "field trafo.sn_mva: 0 is",
    ),
    (
        "frequency is text",
        "tiny.pandapower.json",
        lambda t: t.replace("50.0", '"x"'),
        "field f_hz: 'x' is not",
    ),
    (
        "row too short",
        "tiny.pandapower.json",
        lambda t: t.replace("0.2, 0.2]]", "0.2]]"),
        "field line: row 1 has no",
    ),
    ("table is no JSON", NET, lambda t: t.replace('"{', '"', 1), "field bus: not JSON"),
]


@pytest.mark.parametrize(("why", "name", "spoil", "said"), FAULTS, ids=[f[0] for f in FAULTS])
def test_faults_name_file_row_and_field(folder, why, name, spoil, said):
    path = folder / name
    text = path.read_text() if path.exists() else ""
    path.unlink(missing_ok=True)
    if spoil:
        path.write_text(spoil(text), encoding="utf-8", errors="surrogateescape")
    with pytest.raises(FileError, match=said):
        read_feeder(folder)
    feeder, findings = check_folder(folder)
    assert feeder is None
    assert any(f.severity == "error" for f in findings)


@pytest.mark.parametrize("count", [300, 23, 25, 100])
def test_a_day_of_odd_length_is_refused(folder, count):
    for name in ("demand_kvar.csv", "pv_kw.csv", "head_voltage_11kv.csv"):
        (folder / name).unlink()
    (folder / "demand_kw.csv").write_text(series(["h1", "h2", "h3"], [[0, 0, 0]] * count))
    with pytest.raises(FileError, match=f"{count} intervals; a day has one of"):
        read_feeder(folder)


def test_all_faults_are_counted(folder):
    text = (folder / "customers.csv").read_text()
    (folder / "customers.csv").write_text(text.replace("end", "nowhere"))
    with pytest.raises(FileError, match=r"nowhere is not in the network \(and 1 more\)"):
        read_feeder(folder)


def test_a_network_file_alone_is_a_feeder_whose_loads_are_its_customers(tmp_path):
    script = tmp_path / "street.dss"
    script.write_text(
        "Clear\nNew Circuit.street basekv=11 bus1=hv\n"
        "New Transformer.T buses=[hv lv] conns=[delta wye] kvs=[11 0.4] kvas=[100 100] xhl=4\n"
        "New Line.L bus1=lv.1 bus2=home.1 phases=1 r1=0.1 x1=0.05 length=1 normamps=80\n"
        "New Load.h1 bus1=home.1 phases=1 kv=0.23 kw=2\nSet voltagebases=[11 0.4]\nCalcvoltagebases\nSolve\n"
    )
    feeder = read_feeder(script)
    assert feeder.network.connections.id == ("h1",)
    assert feeder.profile is None
    pandapower = pytest.importorskip("pandapower")
    from pandapower.networks import ieee_european_lv_asymmetric

    file = tmp_path / "european.json"
    pandapower.to_json(ieee_european_lv_asymmetric("on_peak_566"), str(file))
    assert len(read_feeder(file).network.connections) == 55


def test_no_folder(tmp_path):
    with pytest.raises(FileError, match="no such folder"):
        read_feeder(tmp_path / "absent")
    book = tmp_path / "feeder.xlsx"
    book.write_bytes(b"PK")
    with pytest.raises(FileError, match=r"feeder.xlsx: is no workbook that can be read"):
        read_feeder(book)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Clear\nNew Circuit.x basekv=11\nNew Lin.e1 bus1=a bus2=b\n",
            r"Master.dss, row 3, field class: 'lin' is no class of OpenDSS that is understood here",
        ),
        ("Redirect gone.dss\n", "Master.dss, row 1, field Redirect: gone.dss: no such file"),
        ("", "Master.dss: declares no circuit"),
    ],
)
def test_a_circuit_that_opendss_refuses(tmp_path, text, said):
    (tmp_path / "Master.dss").write_text(text)
    with pytest.raises(FileError, match=said) as refused:
        read_feeder(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_network_without_customers(tmp_path):
    (tmp_path / "Master.dss").write_text("New Circuit.x basekv=11\nNew Line.l1 bus1=sourcebus bus2=b\nSolve\n")
    _, findings = check_folder(tmp_path)
    assert "no_customers" in {f.code for f in findings}


def test_an_islanded_customer_is_an_error_that_names_him(folder):
    (folder / "tiny.pandapower.json").write_text(network_json(lines=LINES[:1]))
    feeder, findings = check_folder(folder)
    errors = [f for f in findings if f.severity == "error"]
    assert [(f.code, f.element) for f in errors] == [("island", "connection h3")]
    with pytest.raises(GridError, match="h3"):
        reduce(feeder.network)


def test_the_european_feeder_says_what_was_changed():
    feeder = european_lv()
    assert len(feeder.network.connections) == 55
    assert set(feeder.network.connections.phase) == {"a", "b", "c"}
    changed = {(c.element, c.field): (c.before, c.after) for c in feeder.changes}
    assert changed["source", "v_pu"] == pytest.approx((1.05, 1.0))
    assert changed["transformer Trafo", "s_rated_va"] == pytest.approx((800e3, 200e3))
    assert sum(element.startswith("line type") for element, _ in changed) == 10
    branches = feeder.network.branches
    assert branches.rating_a[branches.kind.index("transformer")] == pytest.approx(200e3 / np.sqrt(3) / 416)
    assert np.isfinite(branches.rating_a).sum() == 906


def test_the_australian_feeder_as_it_lies_there(lv28):
    assert (len(lv28.network.connections), len(lv28.profile.demand_w), lv28.profile.step_s) == (114, 288, 300)
    assert lv28.active.sum() == 16
    assert lv28.pv_va.sum() == pytest.approx(175e3)


def test_a_head_voltage_of_magnitudes_alone_has_symmetric_angles_and_says_so(folder):
    path = folder / "head_voltage_11kv.csv"
    lines = [",".join(line.split(",")[:4]) for line in path.read_text().splitlines()]
    measured = read_feeder(folder).profile.source_v
    path.write_text("\n".join(lines) + "\n")
    feeder = read_feeder(folder)
    np.testing.assert_allclose(feeder.profile.source_v, measured)
    assert [f.code for f in feeder.findings if f.field == "va_deg"] == ["symmetric_angles"]
