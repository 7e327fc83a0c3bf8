"""What a feeder's own file says of its loads: powers, power factors and the shape of a day."""

import numpy as np
import pytest

from gridmodel import FileError, read_feeder
from gridmodel.validate import check_folder
from tests.gridmodel.street import write
from tests.gridmodel.tables import write as write_lane
from tests.gridmodel.test_pandapower_constructs import made, pp, saved

DAY = [0.1 * (k % 10) for k in range(24)]


def said(findings):
    return next(f.detail for f in findings if f.code == "base_load")


def test_the_loads_of_a_circuit_with_their_power_factors(tmp_path):
    feeder, findings = check_folder(write(tmp_path, "New PVSystem.p bus1=yard.2 phases=1 kv=0.23 kva=5 pmpp=2 pf=1"))
    taken = dict(zip(feeder.network.connections.id, feeder.declared_va, strict=True))
    assert taken["corner_shop"] == pytest.approx(4000 + 4000j * np.tan(np.arccos(0.93)), rel=1e-6)
    assert taken["yard_flat"].real == pytest.approx(3500 * 0.9 - 2000, rel=1e-3)
    assert feeder.base_load == "file"
    assert feeder.declared_day() is None
    assert "the file's own loads" in said(findings)
    assert "the same at every hour" in said(findings)


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("npts=24 interval=1 mult=({values})", {}),
        ("npts=24 minterval=60 pmult=[{values}]", {}),
        ("npts=24 sinterval=3600 mult=(file=Sub\\DAY.txt)", {"sub/day.txt": "{lines}"}),
        ("npts=24 interval=1 csvfile=day.csv", {"day.csv": "{lines}"}),
        ("npts=24 interval=1 mult=(file=day.csv, column=2, header=yes)", {"day.csv": "hour,kw\n{hours}"}),
        ("npts=24 interval=1 dblfile=day.dbl", {"day.dbl": "<f8"}),
        ("npts=24 interval=1 sngfile=day.sng", {"day.sng": "<f4"}),
        ("npts=24 interval=1 PQCSVFile=day.csv", {"day.csv": "{pairs}"}),
    ],
)
def test_the_shape_of_a_day_in_every_form(tmp_path, form, files):
    texts = {
        "values": " ".join(map(str, DAY)),
        "lines": "\n".join(map(str, DAY)),
        "hours": "\n".join(f"{k},{v}" for k, v in enumerate(DAY)),
        "pairs": "\n".join(f"{v},{v / 2}" for v in DAY),
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        if content.startswith("<"):
            np.array(DAY, dtype=content).tofile(tmp_path / name)
        else:
            (tmp_path / name).write_text(content.format(**texts))
    shape = f"New Loadshape.day {form.format(**texts)}\nNew Load.x bus1=yard.3 phases=1 kv=0.23 kw=2 pf=1 daily=day\n"
    feeder, findings = check_folder(write(tmp_path, shape))
    day = feeder.declared_day()
    x = feeder.network.connections.id.index("x")
    assert day.step_s == 3600
    np.testing.assert_allclose(day.demand_w[:, x], 2000 * np.array(DAY), rtol=1e-6)
    np.testing.assert_allclose(day.demand_w[:, 0], np.full(24, 4000.0), rtol=1e-6)
    assert "by its load shapes" in said(findings)


def test_a_file_of_a_shape_that_holds_no_numbers_is_named_without_its_text(tmp_path):
    (tmp_path / "day.csv").write_text("0.1\nsecret\n")
    with pytest.raises(FileError, match=r"row \d+: loadshape.day: day.csv, row 2: not a number") as refused:
        read_feeder(write(tmp_path, "New Loadshape.day npts=2 interval=12 csvfile=day.csv\nLoad.yard_flat.daily=day\n"))
    assert "secret" not in str(refused.value)


def test_the_loads_of_a_pandapower_network(tmp_path):
    def spoil(net):
        net.load["scaling"] = [0.5, 1.0]
        pp.create_sgen(net, 3, 0.05, 0.01, name="roof")
        pp.create_asymmetric_load(net, 2, p_a_mw=0.001, q_b_mvar=0.002, name="odd")

    feeder = read_feeder(saved(made(spoil), tmp_path))
    taken = dict(zip(feeder.network.connections.id, feeder.declared_va, strict=True))
    assert taken["h1"] == pytest.approx(10e3 + 2.5e3j)
    assert taken["roof"] == pytest.approx(-50e3 - 10e3j)
    assert taken["odd"] == pytest.approx(1e3 + 2e3j)


def test_tables_declare_no_load_and_a_day_is_measured(tmp_path):
    feeder, findings = check_folder(write_lane(tmp_path / "lane"))
    assert (feeder.base_load, feeder.declared_va) == ("measured", None)
    assert said(findings) == "measured, from the feeder's own day"
    (tmp_path / "lane" / "demand_kw.csv").unlink()
    (tmp_path / "lane" / "pv_kw.csv").unlink()
    feeder, findings = check_folder(tmp_path / "lane")
    assert feeder.base_load == "assumed"
    assert "a run assumes one" in said(findings)
