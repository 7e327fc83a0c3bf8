"""The register as people keep it at the command line: names, moves, removal, certificates, places, files."""

import json
from pathlib import Path

from certs.identity import Identity as Certified
from certs.pki import open_pki
from tests.cli.conftest import Said, Sep2, lfdi_of


def ok(done: Said) -> Said:
    assert done.status == 0, done.err or done.out
    return done


def test_a_client_is_kept_through_its_life(sep2: Sep2, folder: Path) -> None:
    ok(sep2("client", "add", "Alpha", "--lfdi", lfdi_of("Alpha")))
    ok(sep2("connection", "add", "ALPHA1"))
    ok(sep2("device", "add", "roof", "--client", "Alpha", "--connection", "ALPHA1"))
    assert sep2("client", "add", "ALPHA", "--lfdi", lfdi_of("Beta")).status == 1
    ok(sep2("client", "add", "Beta", "--lfdi", lfdi_of("Beta")))
    said = ok(sep2("client", "set", "alpha", "--receiver", "hooks.example", "--profile", "csip")).last_line
    assert said == "Alpha speaks csip; receivers: hooks.example."
    assert ok(sep2("aggregator", "rename", "Alpha", "Alpha East")).last_line.endswith("is called Alpha East.")
    refused = sep2("client", "remove", "Alpha East")
    assert (refused.status, "1 device" in refused.err, "--with-devices removes" in refused.err) == (1, True, True)
    dry = ok(sep2("client", "remove", "Alpha East", "--to", "Beta", "--dry-run")).last_line
    assert dry.startswith("Nothing is changed")
    said = ok(sep2("client", "remove", "Alpha East", "--to", "Beta")).last_line
    assert said == "Client Alpha East is removed; 1 device went to Beta."
    assert "acts for device" in ok(sep2("device", "move", "roof", "--client", "Beta")).last_line
    assert ok(sep2("device", "show", "Roof", "--json")).json["client"] == "Beta"
    assert ok(sep2("device", "rename", "roof", "carport")).last_line.endswith("is called carport.")
    assert "posts every 5m" in ok(sep2("device", "set", "carport", "--post-every", "5m")).last_line
    assert "is blocked" in ok(sep2("device", "block", "carport")).last_line
    assert "is served again" in ok(sep2("device", "admit", "carport")).last_line
    assert sep2("device", "set", "carport").status == 2
    ok(sep2("connection", "set", "ALPHA1", "--firm-export", "1.5kW", "--description", "Ada"))
    assert ok(sep2("connection", "show", "alpha1")).last_line == (
        "Connection ALPHA1 has 1 device; its contract guarantees export 1.5 kW."
    )
    ok(sep2("connection", "rename", "ALPHA1", "ALPHA2"))
    said = ok(sep2("connection", "remove", "ALPHA2", "--with-devices")).last_line
    assert said == "Connection ALPHA2 is removed with 1 device."


def test_a_certificate_is_replaced_with_an_overlap(sep2: Sep2, folder: Path, tmp_path: Path) -> None:
    ok(sep2("client", "add", "Gamma", "--issue", str(folder / "pki")))
    pki = open_pki(folder / "pki")
    identity = pki.issuer.issue_aggregator("Gamma newer")
    files = pki.save(identity, "gamma-newer")
    replace = ("client", "replace-certificate", "Gamma")
    said = ok(sep2(*replace, "--cert", str(files.chain), "--overlap", "2d")).last_line
    assert f"and {Certified.load(files).lfdi} both stand for Gamma until" in said
    shown = ok(sep2("client", "show", "Gamma", "--json")).json["certificates"]
    assert [one["state"] for one in shown] == ["current", "expected"]
    assert "was never used" not in ok(sep2("client", "show", "Gamma")).out
    refused = sep2(*replace, "--finish")
    assert (refused.status, "--anyway" in refused.err) == (1, True)
    assert "is refused from now on" in ok(sep2(*replace, "--finish", "--anyway")).last_line
    assert ok(sep2("client", "show", "Gamma", "--json")).json["lfdi"] == identity.lfdi
    assert sep2(*replace, "--finish", "--cancel").status == 2


def test_places_carry_connections_and_are_addressed(sep2: Sep2) -> None:
    ok(sep2("client", "add", "Delta", "--lfdi", lfdi_of("Delta")))
    assert "next: sep2 connection move ID --to FD7" in ok(sep2("place", "add", "FD7", "--kind", "feeder")).last_line
    ok(sep2("place", "add", "T7", "--kind", "transformer", "--in", "FD7"))
    ok(sep2("connection", "add", "DELTA1", "--place", "T7"))
    ok(sep2("device", "add", "delta", "--client", "Delta", "--connection", "DELTA1"))
    ok(sep2("connection", "add", "DELTA2"))
    assert "0 devices have other programs" in ok(sep2("connection", "move", "DELTA2", "--to", "T7")).last_line
    assert "1 device below it" in ok(sep2("place", "show", "FD7")).last_line
    done = ok(sep2("override", "send", "--place", "T7", "--export", "0", "--for", "10m", "--reason", "test"))
    assert "covers 1 connection, 1 device" in done.out
    said = ok(sep2("control", "send", "--place", "fd7", "--export", "2kW", "--for", "10m", "--anyway")).last_line
    assert said.startswith("1 control sent to 1 place, 1 device of fd7")
    ok(sep2("place", "rename", "T7", "TX-7"))
    ok(sep2("place", "add", "FD8", "--kind", "feeder"))
    assert "1 device has other programs" in ok(sep2("place", "move", "TX-7", "--to", "FD8")).last_line
    assert sep2("place", "remove", "TX-7").status == 1
    assert ok(sep2("place", "remove", "TX-7", "--to", "FD8")).last_line == (
        "Place TX-7 is removed; 2 connections went to FD8."
    )


def test_groups_mirrors_and_curves_have_the_same_verbs(sep2: Sep2) -> None:
    ok(sep2("group", "add", "north", "--primacy", "60"))
    assert "is called" in sep2("group", "create", "south", "--primacy", "61").err
    assert "primacy 62 and level FD" in ok(sep2("group", "set", "north", "--primacy", "62", "--level", "FD")).last_line
    assert ok(sep2("group", "primacy", "north", "63")).last_line.startswith("Group north has primacy 63.")
    curve = ok(sep2("curve", "add", "volt-var", "92:44", "98:0", "102:0", "108:-44", "--group", "north", "--json")).json
    ok(sep2("curve", "rename", curve["mrid"][:8], "gentle"))
    assert ok(sep2("curve", "show", "Gentle", "--json")).json["mrid"] == curve["mrid"]
    ok(sep2("group", "rename", "north", "far north"))
    assert ok(sep2("group", "show", "far north")).last_line.startswith("far north has 0 devices")
    assert ok(sep2("default", "set", "--group", "far north", "--export", "1kW")).status == 0
    assert "limits nothing now" in ok(sep2("default", "clear", "--group", "far north")).last_line
    assert ok(sep2("group", "remove", "far north")).last_line == "Group far north is removed."
    assert sep2("mirror", "show", "4711").status == 1


def test_the_register_goes_out_and_in_as_files(sep2: Sep2, tmp_path: Path) -> None:
    ok(sep2("client", "add", "Epsilon", "--lfdi", lfdi_of("Epsilon")))
    feeder = tmp_path / "FD9"
    feeder.mkdir()
    (feeder / "connections.csv").write_text(
        "connection_id,node,phases,transformer_id,firm_export_w\nE1,n1,a,TX9,1500\nE2,n2,b,TX9,1500\n"
    )
    (feeder / "devices.csv").write_text('device_id,connection_id,type,max_gen_w\n"=cmd()",E1,pv,5000\npv2,E2,pv,5000\n')
    dry = ok(sep2("import", str(feeder), "--client", "Epsilon", "--dry-run"))
    assert "connection_id" not in dry.last_line
    assert "add" in dry.out
    said = ok(sep2("import", str(feeder), "--client", "Epsilon")).last_line
    assert said.startswith("5 added, 0 changed, 0 removed, 0 as they were. Not read here: connections: node, phases;")
    files = {}
    for noun in ("clients", "places", "connections", "devices"):
        files[noun] = tmp_path / f"{noun}.csv"
        ok(sep2("export", noun, "--to", str(files[noun])))
    assert "'=cmd()" in files["devices"].read_text()
    said = ok(sep2("import", *map(str, files.values()))).last_line
    assert said.startswith("0 added, 0 changed, 0 removed")
    before = files["devices"].read_bytes()
    ok(sep2("export", "devices", "--to", str(files["devices"])))
    assert files["devices"].read_bytes() == before
    bad = tmp_path / "connections-bad.csv"
    bad.write_text("connection_id,firm_export_w\nE3,1500\nE4,many\n")
    refused = sep2("import", str(bad))
    assert refused.status == 1
    assert "1 row wrong, nothing is changed" in refused.out
    assert "firm_export_w" in refused.out
    assert sep2("connection", "show", "E3").status == 1


def test_a_file_says_how_the_register_is_to_be(sep2: Sep2, tmp_path: Path) -> None:
    said = tmp_path / "register.toml"
    said.write_text(
        f'[[clients]]\nname = "Zeta"\nlfdi = "{lfdi_of("Zeta")}"\nreceivers = ["a.example", "b.example"]\n'
        '[[places]]\nplace = "FD10"\nkind = "feeder"\n'
        '[[connections]]\nconnection_id = "Z1"\nplace = "FD10"\nfirm_export_w = 1500\n'
        '[[devices]]\ndevice_id = "zeta roof"\nconnection_id = "Z1"\nclient = "Zeta"\n'
    )
    assert ok(sep2("apply", "-f", str(said))).last_line.startswith("4 added")
    assert ok(sep2("apply", "-f", str(said))).last_line.startswith("0 added, 0 changed, 0 removed, 4 as they were")
    again = tmp_path / "register.json"
    again.write_text(json.dumps({"connections": [{"connection_id": "Z1", "firm_export_w": 3000}]}))
    assert ok(sep2("apply", "-f", str(again))).last_line.startswith("0 added, 1 changed")
    assert ok(sep2("connection", "show", "Z1", "--json")).json["firm_export_w"] == 3000
    again.write_text('{"towers": []}')
    assert sep2("apply", "-f", str(again)).status == 1
