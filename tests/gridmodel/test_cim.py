"""CIM and CGMES are read through pandapower's converter; what is none, or would read other files, is refused."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from typer.testing import CliRunner

from gridmodel import FileError, read_feeder, reduce, solve, voltages
from gridmodel.commands import app
from gridmodel.model.feeder import port_va
from tests.gridmodel.cgmes import write_cgmes


@pytest.fixture(scope="module")
def profiles(tmp_path_factory):
    return write_cgmes(tmp_path_factory.mktemp("cgmes"))


@pytest.fixture(scope="module")
def archive(profiles):
    path = profiles.parent / "small.zip"
    with zipfile.ZipFile(path, "w") as file:
        for one in profiles.glob("*.xml"):
            file.write(one, f"a/{one.name}")
    return path


def test_a_grid_is_what_its_profiles_say(archive):
    feeder = read_feeder(archive)
    network, equipment = feeder.network, feeder.network.equipment
    assert network.connections.id == ("shop", "home")
    assert feeder.declared_va.tolist() == [30_000 + 6_000j, 10_000 + 2_000j]
    (line,), (tx,) = equipment.lines, equipment.transformers
    assert np.trace(line.z_ohm) / 3 == pytest.approx((2 * (0.09 + 0.03j) + 0.36 + 0.11j) / 3)
    assert (line.rating_a, line.length_m) == (200.0, 300.0)
    assert (tx.connection, tx.s_rated_va) == ("Dyn", 250e3)
    assert abs(equipment.supply.v[0]) == pytest.approx(11_110 / np.sqrt(3))
    # By hand: source, transformer and line in series, referred to 400 V.
    reduced = reduce(network)
    flow = solve(reduced, port_va(network, -feeder.declared_va[None]))
    v = voltages(reduced, flow)[0][reduced.voltages_at_connections()]
    z_tx, z_line = (5.8 + 19.36j) * (0.4 / 11) ** 2, 0.09 + 0.03j
    z_source = (0.4 / 11) ** 2 * 11_110 / np.sqrt(3) / 9_000 * (0.1 + 1j) / abs(0.1 + 1j)
    head, shop, home = 404.0 / np.sqrt(3), 230.0 + 0j, 230.0 + 0j
    for _ in range(50):
        i_shop, i_home = np.conj((30e3 + 6e3j) / 3 / shop), np.conj((10e3 + 2e3j) / 3 / home)
        shop = head - (z_source + z_tx) * (i_shop + i_home)
        home = shop - z_line * i_home
    np.testing.assert_allclose(v, [abs(shop)] * 3 + [abs(home)] * 3, rtol=1e-5)


def test_a_check_says_that_it_was_converted(profiles):
    run = CliRunner().invoke(app, ["check", str(profiles), "--json"])
    assert run.exit_code == 0, run.output
    found = json.loads(run.output)["findings"]
    assert [one["detail"] for one in found if one["code"] == "converted"] == [
        "4 profiles of CIM, converted by pandapower"
    ]


def test_a_file_that_names_another_one_is_refused(profiles, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("tower-bridge")
    folder = shutil.copytree(profiles, tmp_path / "evil")
    first = sorted(folder.glob("*.xml"))[0]
    text = first.read_text().replace("<rdf:RDF", f'<!DOCTYPE r [<!ENTITY s SYSTEM "file://{secret}">]>\n<rdf:RDF', 1)
    first.write_text(text.replace(">land<", ">&s;<"))
    with pytest.raises(FileError, match="document type") as refused:
        read_feeder(folder)
    assert "tower-bridge" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("<html/>", "is no CIM: its root is html"), ("not at all", "is no XML"), ("", "is no XML")],
)
def test_what_is_no_cim_is_refused(tmp_path, text, said):
    path = tmp_path / "page.xml"
    path.write_text(text)
    with pytest.raises(FileError, match=said):
        read_feeder(path)


def test_an_archive_that_is_none_or_holds_nothing_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK nothing")
    with pytest.raises(FileError, match="no ZIP file"):
        read_feeder(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(FileError, match="holds no XML files"):
        read_feeder(path)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("Fuse", "carries power, and the converter does not read it: 1 Fuse"),
        ("PetersenCoil", ""),
    ],
)
def test_what_the_converter_leaves_out_is_refused_or_named(profiles, tmp_path, kind, said):
    folder = shutil.copytree(profiles, tmp_path / "more")
    path = next(folder.glob("*EQ.xml"))
    one = f'<cim:{kind} rdf:ID="_one"><cim:IdentifiedObject.name>x</cim:IdentifiedObject.name></cim:{kind}>'
    path.write_text(path.read_text().replace("</rdf:RDF>", f"{one}</rdf:RDF>"))
    if said:
        with pytest.raises(FileError, match=said):
            read_feeder(folder)
    else:
        findings = read_feeder(folder).findings
        assert {f.element: f.detail for f in findings}["class PetersenCoil"] == "1 not read: earthing of a neutral"
        assert not [f for f in findings if f.severity == "warning"]


def test_what_has_terminals_and_is_in_no_list_is_refused_by_name(profiles, tmp_path):
    folder = shutil.copytree(profiles, tmp_path / "more")
    path = next(folder.glob("*EQ.xml"))
    of = '<cim:Terminal.ConductingEquipment rdf:resource="#_one"/>'
    more = (
        f'<cim:TeslaCoil rdf:ID="_one"/><cim:Terminal rdf:ID="_t">{of}</cim:Terminal><cim:PlanetBelow rdf:ID="_two"/>'
    )
    path.write_text(path.read_text().replace("</rdf:RDF>", f"{more}</rdf:RDF>"))
    with pytest.raises(FileError, match="in no list of what is read: 1 TeslaCoil") as refused:
        read_feeder(folder)
    assert "PlanetBelow" not in str(refused.value)
