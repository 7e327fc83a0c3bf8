"""Every field of a table is read, known and named, or refused; what is misspelt is named with what may be meant."""

import json
import shutil

import numpy as np
import pytest

from gridmodel import FileError, read_feeder
from gridmodel.readers.example_feeders import european_lv
from gridmodel.readers.known_fields import fields_of
from gridmodel.solvers.own_file import open_own_file
from gridmodel.validate import check_folder
from gridmodel.writers.csv_folder import write_folder
from tests.gridmodel.tables import write
from tests.gridmodel.test_pandapower_constructs import made, saved
from tests.gridmodel.test_power_grid_model_file import street, with_parts, with_trafo


def unused(findings):
    return {(f.severity, f.element, f.field): f.detail for f in findings if f.code.startswith("unused")}


def test_columns_of_pandapower_that_nothing_reads_are_named(tmp_path):
    def spoil(net):
        net.bus["zone"] = "north"
        net.load["feeder"] = "F1"
        net.line["max_i_a"] = 200.0
        net.line = net.line.drop(columns="max_i_ka")

    found = unused(check_folder(saved(made(spoil), tmp_path))[1])
    assert found["warning", "table line", "max_i_a"] == "is not used: did you mean max_i_ka?"
    note = found["note", "net.json", "columns"]
    assert {"bus.zone", "load.feeder", "ext_grid.slack_weight"} <= set(note.removeprefix("not used: ").split(", "))


REFUSED = {
    "a neutral earthed through a reactor": (
        lambda net: net.trafo.__setitem__("xn_ohm", 5.0),
        "field trafo.xn_ohm: is not modelled, and would change the power flow",
    ),
    "an uneven leakage": (
        lambda net: net.trafo.__setitem__("leakage_reactance_ratio_hv", 0.4),
        "not divided evenly",
    ),
    "a phase shifter of an old file": (
        lambda net: [
            net.trafo.__setitem__("tap_phase_shifter", True),
            net.trafo.__setitem__("tap_pos", 1),
            net.__setitem__("trafo", net.trafo.drop(columns="tap_changer_type")),
        ],
        "phase-shifting tap changers are not supported",
    ),
    "power in another unit": (
        lambda net: net.__setitem__("load", net.load.rename(columns={"p_mw": "p_kw"})),
        "field load.p_mw: is missing; p_kw is not used: is it meant",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_column_that_would_change_the_power_flow_is_refused(tmp_path, why):
    spoil, said = REFUSED[why]
    with pytest.raises(FileError, match=said):
        read_feeder(saved(made(spoil), tmp_path))


def test_an_impedance_that_depends_on_direction_in_zero_sequence_is_refused(tmp_path):
    import pandapower as pp

    def spoil(net):
        pp.create_impedance(net, 1, 2, 0.1, 0.1, 1.0, rft0_pu=0.2, xft0_pu=0.2, rtf0_pu=0.3, xtf0_pu=0.2)

    with pytest.raises(FileError, match=r"field impedance.rtf0_pu: differs from rft0_pu"):
        read_feeder(saved(made(spoil), tmp_path))


def test_a_transformer_may_carry_what_its_rating_factor_leaves(tmp_path):
    path = saved(made(lambda net: net.trafo.__setitem__("df", 0.8)), tmp_path)
    feeder = read_feeder(path)
    rating_a = dict(zip(feeder.network.branches.id, feeder.network.branches.rating_a, strict=True))["T"]
    assert rating_a == pytest.approx(0.8 * 250e3 / np.sqrt(3) / 400)
    # The file's own engine is asked for the same share of the same rating.
    own, whole = (open_own_file(one) for one in (path, saved(made(), _folder(tmp_path, "whole"))))
    loaded = [one.solve([{"load.0": -50e3 + 0j}]) for one in (own, whole)]
    column = loaded[0].loading_names.index("transformer T, lv side")
    assert loaded[0].loading[0, column] == pytest.approx(loaded[1].loading[0, column] / 0.8)
    write_folder(feeder, tmp_path / "tables")
    again = read_feeder(tmp_path / "tables").network.branches
    assert dict(zip(again.id, again.rating_a, strict=True))["T"] == pytest.approx(rating_a)


def _folder(path, name):
    (path / name).mkdir()
    return path / name


def pgm_file(path, data):
    said = {"version": "1.0", "type": "input", "is_batch": False, "attributes": {}, "data": data}
    path.write_text(json.dumps(said))
    return path


def test_attributes_of_power_grid_model_that_nothing_reads_are_named(tmp_path):
    data = street()
    data["line"][0]["i_max"] = data["line"][0].pop("i_n")
    data["line"][1].pop("i_n")
    data["node"][0]["extra"] = "somewhere"
    found = unused(check_folder(pgm_file(tmp_path / "set.json", data))[1])
    assert found["note", "set.json", "columns"].startswith("not used: node.extra")
    assert len(found) in (1, 2)
    with pytest.raises(FileError, match=r"sym_load.p_specified: is missing"):
        data = street()
        data["sym_load"][0]["p_spec"] = data["sym_load"][0].pop("p_specified")
        read_feeder(pgm_file(tmp_path / "set.json", data))
    with pytest.raises(FileError, match="component voltage_regulator has no model here"):
        read_feeder(pgm_file(tmp_path / "set.json", with_parts(voltage_regulator=[{"id": 90, "u_ref": 1.0}])))
    read_feeder(pgm_file(tmp_path / "set.json", with_trafo(pk_min=1e3)))


def test_lists_of_fields_name_nothing_twice():
    for program in ("pandapower", "power_grid_model"):
        for name, fields in fields_of(program).items():
            assert len(fields.known) == len(fields.read) + len(fields.idle) + len(fields.refused), name


def test_settings_and_files_of_a_folder_that_nothing_reads_are_named(tmp_path):
    folder = write(tmp_path / "lane")
    (folder / "feeder.toml").write_text('name = "lane"\nfrequency = 60\nowner = "us"\n')
    (folder / "meters_2026.csv").write_text("a,b\n")
    found = unused(check_folder(folder)[1])
    assert found["warning", "feeder.toml", "frequency"] == "setting is not used: did you mean frequency_hz?"
    assert found["note", "feeder.toml", "owner"] == "setting is not used"
    assert found["note", "meters_2026.csv", "file"] == "is not read"


def test_tables_beside_a_network_of_another_format_are_named(tmp_path):
    shutil.copyfile(saved(made(), tmp_path), tmp_path / "net.pandapower.json")
    (tmp_path / "net.json").unlink()
    (tmp_path / "switches.csv").write_text("switch_id,line_id,state\ns1,L1,open\n")
    found = unused(check_folder(tmp_path)[1])
    assert found["warning", "switches.csv", "file"].startswith("is not read: the tables of a network are read where")


def test_the_european_feeder_has_no_misspelt_column():
    assert not [f for f in european_lv().findings if f.severity != "note"]
