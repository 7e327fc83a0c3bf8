"""One small OpenDSS circuit per construct: solved by the engine and by us, or refused by name."""

import os
from pathlib import Path

import numpy as np
import pytest

from gridmodel import FileError, read_feeder, reduce
from gridmodel.validate import check_folder
from tests.gridmodel.street import HEAD, TAIL, farthest_pu, write

CASES = (Path(__file__).parent / "cases" / "opendss_constructs.dss").read_text().split("\n## ")[1:]
READ = dict(case.split("\n", 1) for case in CASES)
REFUSED = {
    "IndMach012": ("New IndMach012.x bus1=yard phases=3 kv=0.4 kw=5 kva=6", "indmach012.x: carries power"),
    "VCCS": ("New VCCS.x bus1=yard phases=1", "vccs.x: carries power"),
    "UPFC": ("New UPFC.x bus1=yard bus2=far", "upfc.x: carries power"),
    "Isource": ("New Isource.x bus1=yard amps=3", "isource.x: carries power"),
    "AutoTrans": ("New AutoTrans.x phases=3 windings=2 buses=(yard far)", "autotrans.x: carries power"),
    "Fault": ("New Fault.x bus1=yard phases=1", "fault.x: carries power"),
    "GICLine": ("New GICLine.x bus1=yard bus2=far", "gicline.x: carries power"),
    "VSConverter": ("New VSConverter.x bus1=yard phases=3", "vsconverter.x: carries power"),
    "WindGen": ("New WindGen.x bus1=yard phases=3", "windgen.x: carries power"),
    "an unknown class": ("New Teleporter.x bus1=yard", "'teleporter' is no class of OpenDSS"),
    "an unknown property": ("New Load.x bus1=yard colour=red", "load.x: 'colour' is no property"),
    "an unknown command": ("Juggle 3", "'Juggle' is no command of OpenDSS"),
    "an unknown option": ("Set wizardry=yes", "'wizardry' is no option of OpenDSS"),
    "a name declared twice": ("New Load.yard_flat bus1=yard.1", "load.yard_flat is declared twice"),
    "a linecode that is not there": ("New Line.x bus1=yard bus2=far linecode=gone", "OpenDSS says"),
    "an element before it is declared": ("Edit Load.ghost kw=3", "load.ghost is not declared before this line"),
    "a network of one phase sequence": ("Set cktmodel=positive", "the option Cktmodel is not followed"),
    "a reduction": ("Reduce", "the command Reduce is not run"),
    "a fifth conductor": (
        "New Line.t bus1=yard.1.5 bus2=far.1.5 phases=2 r1=1 x1=1\nNew Load.x bus1=far.1.5 phases=1 kv=0.23 kw=1",
        "node 5 has no phase",
    ),
    "no solution": ("New Load.x bus1=yard.1 phases=1 kv=0.23 kw=150 vminpu=0", "OpenDSS finds no solution in 100"),
    "a quote that is not closed": ('New Load.x bus1="yard.1', '" is not closed'),
}


@pytest.mark.parametrize("why", READ)
def test_a_construct_is_read_as_the_engine_reads_it(tmp_path, why):
    worst, count = farthest_pu(write(tmp_path, READ[why]))
    assert count >= 12
    assert worst < 1e-6


@pytest.mark.parametrize("why", REFUSED)
def test_a_construct_is_refused_by_name_and_line(tmp_path, why):
    lines, said = REFUSED[why]
    path = write(tmp_path, lines)
    feeder, findings = check_folder(path)
    assert feeder is None
    assert any(said in f.detail and str(path) in f.element for f in findings), findings


def test_controls_that_never_rest_and_buses_without_voltage_are_findings(tmp_path):
    regulator = (
        "New Transformer.r phases=3 windings=2 buses=(yard far) conns=(wye wye) kvs=(0.4 0.4) kvas=(100 100) xhl=0.5\n"
        "New Regcontrol.rc transformer=r winding=2 vreg=121 band=0.01 ptratio=2 maxtapchange=1\n"
        "New Load.x bus1=far.1 phases=1 kv=0.23 kw=9\nSet maxcontroliter=1\n"
    )
    _, findings = check_folder(write(tmp_path, regulator))
    assert "restless_control" in {f.code for f in findings}
    opened = (
        "New Line.t bus1=yard bus2=far linecode=main length=20 units=m\n"
        "New Load.x bus1=far phases=3 kv=0.4 kw=3\nOpen Line.t 1 2\n"
    )
    _, findings = check_folder(write(tmp_path, opened))
    said = {(f.code, f.element): f for f in findings}
    assert said["no_voltage", "bus far"].detail == "0 V at node 2"
    assert "phase 2 is open at end 1" in said["open_phase", "line t"].detail
    assert said["island", "connection x"].severity == "error"


def test_a_circuit_that_its_own_loads_pull_down_says_so(tmp_path):
    _, findings = check_folder(write(tmp_path, "New Load.x bus1=yard.1 phases=1 kv=0.23 kw=1000 vminpu=0"))
    assert "of its base with the file's own loads" in next(f.detail for f in findings if f.code == "low_voltage")


def test_the_voltage_base_of_the_bus_is_nominal_and_not_a_loads_own(tmp_path):
    feeder = read_feeder(write(tmp_path, "New Load.x bus1=yard.1 phases=1 kv=0.18 kw=1"))
    nominal = dict(zip(feeder.network.nodes.id, feeder.network.nodes.nominal_v, strict=True))
    assert nominal["yard"] == pytest.approx(400 / np.sqrt(3))
    assert nominal["hv"] == pytest.approx(11_000 / np.sqrt(3))
    without = read_feeder(write(tmp_path, tail="Solve\n"))
    nominal = dict(zip(without.network.nodes.id, without.network.nodes.nominal_v, strict=True))
    assert nominal["yard"] == pytest.approx(230)


def test_a_load_and_an_inverter_of_one_name_at_two_places_are_two_connections(tmp_path):
    feeder = read_feeder(write(tmp_path, READ["a name that a load and an inverter share"]))
    network = feeder.network
    places = dict(zip(network.connections.id, [network.nodes.id[n] for n in network.connections.node], strict=True))
    assert places == {"corner_shop": "corner", "load.yard_flat": "yard", "pvsystem.yard_flat": "corner"}
    np.testing.assert_allclose(feeder.pv_va, [0, 0, 5000])


def test_the_voltage_at_an_explicit_neutral_is_taken_to_it(tmp_path):
    """A neutral that lifts by volts is no voltage of a customer."""
    feeder = read_feeder(write(tmp_path, READ["an explicit neutral earthed through a reactor"]))
    assert feeder.network.connections.phase == ("a", "b", "an")
    assert not any("phase n" in name for name in reduce(feeder.network).voltage_names)


def test_text_that_is_not_utf8_names_its_line_and_its_encoding(tmp_path):
    path = tmp_path / "street.dss"
    path.write_bytes(HEAD.replace("yard_flat", "caf\xe9").encode("latin-1") + TAIL.encode())
    _, findings = check_folder(path)
    assert "column 13: byte 0xe9 is not UTF-8; as" in findings[0].detail
    assert " row " in findings[0].element


def test_a_script_in_utf16_is_read_as_its_byte_order_mark_says(tmp_path):
    path = tmp_path / "street.dss"
    path.write_bytes((HEAD + "! caf\xe9\n" + TAIL).encode("utf-16"))
    assert read_feeder(path).network.connections.id == ("corner_shop", "yard_flat")


def test_a_byte_that_is_not_utf8_in_a_comment_is_no_fault(tmp_path):
    path = tmp_path / "street.dss"
    path.write_bytes((HEAD + "! caf\xe9\n" + TAIL).encode("latin-1"))
    assert read_feeder(path).network.connections.id == ("corner_shop", "yard_flat")


@pytest.fixture(scope="module")
def public() -> Path:
    facts = os.environ.get("SEP2_FACTS")
    if not facts:
        pytest.skip("SEP2_FACTS names no folder of facts")
    return Path(facts, "data", "opendss")


@pytest.mark.parametrize(
    "name",
    ["13Bus/IEEE13Nodeckt.dss", "123Bus/IEEE123Master.dss", "34Bus/ieee34Mod1.dss", "34Bus/ieee34Mod2.dss",
     "LVTestCase/Master.dss"],
)  # fmt: skip
def test_public_feeders_agree_with_the_engine(public, name):
    worst, count = farthest_pu(public / name, public)
    assert count > 40
    assert worst < 1e-6


def test_a_public_feeder_that_reaches_out_of_its_folder_says_so(public):
    with pytest.raises(FileError, match=r"IEEELineCodes.DSS, row 1, field Redirect: ../IEEELineCodes.DSS: is outside"):
        read_feeder(public / "34Bus" / "ieee34Mod1.dss")
