"""A later extract of a feeder is compared by id, and says whose limits it reaches."""

import json

import pytest
from typer.testing import CliRunner

from gridmodel import read_feeder
from gridmodel.commands import app
from gridmodel.writers.csv_folder import write_folder
from tests.gridmodel.street import write
from tests.gridmodel.test_pandapower_constructs import made, saved
from tests.gridmodel.test_size import US, US_TAIL
from tests.gridmodel.town import write_town


def diff(before, after):
    run = CliRunner().invoke(app, ["diff", str(before), str(after), "--json"])
    return run.exit_code, json.loads(run.stdout)


def changed(folder, file, old, new):
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.fixture
def towns(tmp_path):
    return [write_town(tmp_path / name, 3, 1, 2) for name in ("before", "after")]


def test_the_same_feeder_has_no_differences_even_moved_on_its_map(towns):
    homes = [f"h{k}_0_{h}" for k in range(3) for h in range(2)]
    assert diff(*towns) == (0, {"differences": [], "reached": [], "untouched": homes})
    changed(towns[1], "nodes.csv", "bar1,230.94,600.0,5.0", "bar1,230.94,601.0,5.0")
    code, found = diff(*towns)
    assert (code, [one["field"] for one in found["differences"]], found["reached"]) == (1, ["x"], [])


def test_a_change_at_low_voltage_reaches_the_customers_of_its_transformer_only(towns):
    changed(towns[1], "lines.csv", "sh1_0_0,p1_0_0,h1_0_0,12.0", "sh1_0_0,p1_0_0,h1_0_0,15.0")
    changed(towns[1], "connections.csv", "h1_0_1,h1_0_1,b", "h1_0_1,h1_0_1,c")
    code, found = diff(*towns)
    assert code == 1
    assert found["reached"] == ["h1_0_0", "h1_0_1"]
    by_id = {(one["kind"], one["id"], one["field"]): (one["before"], one["after"]) for one in found["differences"]}
    assert by_id["line", "sh1_0_0", "length_m"] == ("12", "15")
    assert by_id["connection", "h1_0_1", "phase"] == ("b", "c")


def test_a_change_at_medium_voltage_reaches_everyone(towns):
    changed(towns[1], "lines.csv", "w1,mv0,mv1,300.0", "w1,mv0,mv1,350.0")
    _, found = diff(*towns)
    assert len(found["reached"]) == 6
    changed(towns[1], "lines.csv", "w1,mv0,mv1,350.0", "w1,mv0,mv1,300.0")
    changed(towns[1], "source.csv", "1.02", "1.03")
    _, found = diff(*towns)
    assert [one["kind"] for one in found["differences"]] == ["supply"]
    assert len(found["reached"]) == 6
    assert found["untouched"] == []


def test_what_is_new_and_what_is_gone_is_named_in_a_circuit_too(tmp_path):
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    before = write(tmp_path / "before", head=US, tail=US_TAIL)
    barn = "New Load.barn bus1=mid phases=3 kv=12.47 kw=9 !"
    more = US.replace("length=30", "length=45").replace("New Load.mill", barn)
    after = write(tmp_path / "after", head=more, tail=US_TAIL)
    code, found = diff(before, after)
    assert code == 1
    by_id = {(one["kind"], one["id"]): one["change"] for one in found["differences"]}
    assert by_id == {("line", "drop"): "changed", ("connection", "barn"): "added", ("connection", "mill"): "removed"}
    assert diff(before, tmp_path / "none.dss")[0] == 2


def test_what_stands_behind_a_connection_counts_too(towns):
    header = "device_id,connection_id,type,s_max_va\n"
    for town, size in zip(towns, (5000, 8000), strict=True):
        (town / "devices.csv").write_text(f"{header}pv1,h2_0_1,pv,{size}\nev1,h0_0_0,ev,0\n")
    code, found = diff(*towns)
    assert (code, found["reached"]) == (1, ["h2_0_0", "h2_0_1"])
    assert {(one["kind"], one["id"], one["field"]) for one in found["differences"]} == {
        ("device", "pv1", "s_max_va"),
        ("inverter", "h2_0_1", "va"),
    }


def test_a_core_that_no_power_flow_asks_is_no_difference(tmp_path):
    path = saved(made(), tmp_path)
    write_folder(read_feeder(path), tmp_path / "tables")
    _, found = diff(path, tmp_path / "tables")
    assert not [one for one in found["differences"] if one["kind"] == "transformer"]
