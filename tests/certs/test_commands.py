"""`sep2 certs` as typed."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from certs.commands import app
from certs.errors import AlreadyThere, BadFile, BadName
from certs.identity import Files, Identity
from certs.pki import create, open_pki
from certs.tls import client_context, server_context
from sep2.errors import BadValue
from tests.certs.meeting import meet


def typed(*words, status=0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result.output


@pytest.fixture
def folder(tmp_path):
    typed("create", tmp_path / "pki", "--name", "Trial")
    return tmp_path / "pki"


def test_a_hierarchy_lies_in_files_of_known_names(folder):
    assert sorted(file.name for file in folder.iterdir()) == [
        "ca.key",
        "ca.pem",
        "root.key",
        "root.pem",
        "server.key",
        "server.pem",
    ]
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.glob("*.key"))


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_what_is_made_meets_over_tls(tmp_path, depth):
    typed("create", tmp_path, "--depth", depth)
    done = json.loads(typed("device", tmp_path, "A-17", "--json"))
    pki = open_pki(tmp_path)
    client = client_context(Files.named(tmp_path, "A-17"), pki.trust(), check_hostname=True)
    served, asked = meet(server_context(pki.server, pki.trust()), client, host="localhost")
    assert (served.error, asked.error) == ("", "")
    peer = pki.trust().admit(served.chain)
    assert (peer.lfdi, peer.sfdi, len(served.chain)) == (done["lfdi"], done["sfdi"], depth)


def test_issued_identities_lie_beside_it(folder):
    done = json.loads(typed("aggregator", folder, "acme:1", "--name", "acme", "--json"))
    assert done["certificate"] == str(folder / "acme.pem")
    assert Identity.load(Files.named(folder, "acme")).lfdi == done["lfdi"]


def test_a_server_certificate_is_renewed(folder):
    before = (folder / "server.pem").read_bytes()
    with pytest.raises(AlreadyThere):
        typed("server", folder, "--host", "utility.example")
    assert (folder / "server.pem").read_bytes() == before
    typed("server", folder, "--host", "utility.example", "--host", "10.0.0.1", "--replace")
    shown = json.loads(typed("show", folder / "server.pem", "--json"))
    assert shown[0]["hosts"] == ["utility.example", "10.0.0.1"]


def test_show_explains(folder):
    typed("device", folder, "A-17")
    told = typed("show", folder / "A-17.pem")
    (lfdi, sfdi), *_ = [
        (report["lfdi"], report["sfdi"]) for report in json.loads(typed("show", folder / "A-17.pem", "--json"))
    ]
    for word in (lfdi, str(sfdi), "A-17", "generic device, test", "it is for tests"):
        assert word in told


def test_show_ends_with_a_status_for_scripts(folder, mica, tmp_path):
    from tests.certs.forge import forge, named

    chain = forge(mica, subject=named("Inverter")).save(tmp_path, "vendor").chain
    typed("show", chain)
    typed("show", chain, "--check", "lenient")
    typed("show", chain, "--check", "strict", status=1)


def test_for_production_the_mark_for_tests_is_left_out(folder):
    typed("device", folder, "A-17", "--production")
    (report, *_) = json.loads(typed("show", folder / "A-17.pem", "--json"))
    assert report["policies"] == ["generic device"]


def test_pins(folder):
    assert typed("pin", "11111") == "111115\n"
    assert len(typed("pin").strip()) == 6
    assert json.loads(typed("pin", "0", "--json")) == {"pin": 0}


def test_what_is_there_stays(folder):
    with pytest.raises(AlreadyThere, match=r"root\.key"):
        typed("create", folder)
    typed("device", folder, "A-17")
    with pytest.raises(AlreadyThere):
        typed("device", folder, "A-17")


@pytest.mark.parametrize("name", ["ca", "root", "mca", "../escape", "a/b"])
def test_a_name_is_a_name_of_files_of_its_own(folder, name):
    with pytest.raises(BadName):
        typed("device", folder, "A-17", "--name", name)


def test_a_folder_without_certificates_is_named(tmp_path):
    with pytest.raises(BadFile, match=r"root\.pem is missing|root\.pem"):
        typed("device", tmp_path, "A-17")
    with pytest.raises(BadValue):
        create(tmp_path, depth=5)


def test_help_does_not_wait_for_the_cryptography_library():
    code = "import sys, certs.commands; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
