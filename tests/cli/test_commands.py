"""Every command against a server that runs."""

from pathlib import Path

import pytest

from certs.inspect import read as read_certificate
from tests.cli.conftest import Said, Sep2, lfdi_of, say
from tests.ports import free_ports


def ok(done: Said) -> Said:
    assert done.status == 0, done.err or done.out
    return done


def test_an_aggregator_its_device_and_a_control(sep2: Sep2, folder: Path) -> None:
    said = ok(sep2("aggregator", "add", "Sunny & Co", "--issue", str(folder / "pki"), "--receiver", "localhost:9443"))
    issued, *_ = read_certificate(folder / "pki" / "Sunny---Co.pem")
    assert said.last_line == f"Aggregator Sunny & Co may connect as {issued.lfdi} with {folder}/pki/Sunny---Co.pem."
    ok(sep2("connection", "add", "NMI1", "--firm-export", "1.5kW"))
    device = ok(sep2("device", "add", "--client", "Sunny & Co", "--connection", "NMI1", "--json")).json
    assert device["connection_id"] == "NMI1"
    assert f"PIN {device['pin']:06d}" in ok(sep2("device", "show", device["lfdi"][:8])).last_line

    ok(sep2("default", "set", "--connection", "NMI1", "--export", "1.5kW", "--import", "5kW"))
    shown = ok(sep2("default", "show", "--connection", "NMI1", "--json")).json
    assert shown["limits"] == {"import_w": 5000, "export_w": 1500}

    send = ("control", "send", "--connection", "NMI1", "--export", "0", "--start", "+10m", "--for", "1h30m")
    tried = ok(sep2(*send, "--dry-run"))
    assert tried.last_line.startswith("Nothing is changed; without --dry-run: Control ")
    assert ok(sep2("control", "list", "--group", "schedule of connection NMI1", "--json")).json["total"] == 0
    sent = ok(sep2(*send, "--reason", "storm"))
    now = ok(sep2("status", "--json")).json["now"]
    (control,) = ok(sep2("control", "list", "--group", "schedule of connection NMI1", "--json")).json["items"]
    assert (control["start"], control["duration"], control["reason"]) == (now + 600, 5400, "storm")
    assert control["mrid"] in sent.last_line
    assert "says the same already" in ok(sep2(*send)).last_line
    assert "scheduled; 0 of 1 device answered" in ok(sep2("control", "show")).last_line
    assert ok(sep2("control", "cancel", control["mrid"][:8])).last_line.startswith(
        f"Control {control['mrid']} is cancelled"
    )
    again = sep2("control", "cancel", control["mrid"])
    assert again.status == 1
    assert "can still be cancelled" in again.err
    watched = sep2("control", "watch", control["mrid"], "--until", "received", "--patience", "2s")
    assert watched.status == 1
    assert watched.out.count(f"Nothing yet of {device['lfdi']}: does its client run?") == 1
    assert device["lfdi"] in watched.last_line
    assert "limits nothing now" in ok(sep2("default", "set", "--connection", "NMI1")).last_line

    beside = ok(
        sep2("device", "add", "--client", "Sunny & Co", "--connection", "NMI1", "--no-net-limit", "--json")
    ).json["lfdi"]
    ok(sep2("default", "set", "--device", beside[:12], "--generation", "1kW"))
    shown = ok(sep2("default", "show", "--device", beside, "--json")).json
    said = [(mode["name"], mode["value"], mode["group"]) for mode in shown["modes"]]
    assert (shown["group"], said) == (f"device {beside}", [("opModGenLimW", 1000, f"device {beside}")])
    refused = sep2("control", "send", "--device", beside, "--export", "0")
    assert (refused.status, "for the one device that holds them" in refused.err) == (1, True)
    served = ok(sep2("default", "show", "--device", device["lfdi"]))
    assert "1.5 kW" in served.out
    assert "contract" in served.out
    assert "opModExpLimW 1.5 kW by its contract" in ok(sep2("device", "show", device["lfdi"])).last_line


def test_a_device_that_connects_by_itself(sep2: Sep2, folder: Path) -> None:
    ok(sep2("connection", "add", "NMI7"))
    ok(say("certs", "device", str(folder / "pki"), "gateway7"))
    cert = folder / "pki" / "gateway7.pem"
    ok(sep2("device", "add", "gateway7", "--cert", str(cert), "--connection", "NMI7"))
    lfdi = read_certificate(cert)[0].lfdi
    listed = ok(sep2("aggregator", "list"))
    assert ("gateway7" in listed.out, listed.err.strip()) == (True, "`aggregator` is called `client` now")
    ok(sep2("aggregator", "block", "gateway7"))
    assert not next(c for c in ok(sep2("aggregator", "list", "--json")).json["items"] if c["lfdi"] == lfdi)["enabled"]
    ok(sep2("aggregator", "admit", "gateway7"))
    twice = sep2("device", "add", "gateway7", "--cert", str(cert))
    assert (twice.status, twice.out) == (1, "")
    ok(sep2("device", "remove", lfdi))
    assert sep2("device", "show", lfdi).status == 1


def test_a_device_that_registers_itself(sep2: Sep2, folder: Path) -> None:
    said = ok(sep2("device", "expect", "joiner", "--issue", str(folder / "pki")))
    assert said.last_line.endswith("and registers itself.")
    client = next(c for c in ok(sep2("aggregator", "list", "--json")).json["items"] if c["name"] == "joiner")
    assert (client["kind"], client["registration"], client["devices"]) == ("device", "in-band", 0)


def test_a_group(sep2: Sep2) -> None:
    device = ok(sep2("device", "add", "own", "--lfdi", lfdi_of("own"), "--json")).json["lfdi"]
    ok(sep2("group", "create", "feeder 7", "--primacy", "7", "--level", "FD"))
    assert ok(sep2("group", "assign", "feeder 7", device)).last_line == "Group feeder 7 has 1 device."
    assert ok(sep2("device", "list", "--group", "feeder 7")).last_line == "1 device."
    ok(sep2("group", "primacy", "feeder 7", "5"))
    groups = ok(sep2("group", "list", "--json")).json["items"]
    assert next(group for group in groups if group["name"] == "feeder 7")["primacy"] == 5
    ok(sep2("control", "send", "--group", "feeder 7", "--generation", "2.5kW"))
    assert "2.5 kW" in ok(sep2("control", "list")).out
    assert ok(sep2("group", "unassign", "feeder 7", device)).last_line == "Group feeder 7 has 0 devices."


def test_oversight(sep2: Sep2) -> None:
    before = ok(sep2("status", "--json")).json["now"]
    ok(sep2("clock", "+10m"))
    assert ok(sep2("status", "--json")).json["now"] == before + 600
    assert "does not go back" in sep2("clock", "1970-01-01T00:00Z").err
    assert "there is nothing to confirm" in sep2("clock", "confirm").err
    ok(sep2("poll-rate", "set", "DERProgramList", "1m"))
    assert "DERProgramList" in ok(sep2("poll-rate", "list")).out
    codes = {alarm["code"] for alarm in ok(sep2("alarm", "list", "--json")).json["items"]}
    assert "clock_jump" not in codes, "a paced clock that an operator moves is no fault"
    assert sep2("alarm", "clear", "999").status == 1
    assert ok(sep2("subscription", "list", "--dead")).last_line == "No subscriptions."
    assert sep2("subscription", "replay", "1").status == 1
    assert ok(sep2("subscription", "changes")).last_line == "No changes."
    assert sep2("subscription", "replay-change", "1").status == 1
    assert "set_poll_rate" in ok(sep2("audit", "list")).out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("device show FFFFFF", "`sep2 device list` shows them"),
        ("control show FFFFFF", "`sep2 control list --over` shows them"),
        ("control send --group nowhere --export 0", "`sep2 group list` shows them"),
        ("control send --connection nowhere --export 0", "`sep2 connection list` shows them"),
        ("device add --client nobody", "`sep2 client list` shows them"),
    ],
)
def test_a_refusal_says_what_to_do_next(sep2: Sep2, words: str, hint: str) -> None:
    done = sep2(*words.split())
    assert (done.status, done.out) == (1, "")
    assert hint in done.err


@pytest.mark.parametrize(
    "words",
    [
        "control send --export 0",
        "control send --group g --connection c --export 0",
        "control send --group g --export lots",
        "control send --group g --export 0 --start soon",
        "control watch --until finished",
        "aggregator add A",
        "aggregator add A --lfdi X --issue pki",
        "group create g",
        "group create g --primacy 256",
        "validate /nowhere/at/all.xml",
    ],
)
def test_what_makes_no_sense_is_a_usage_error(sep2: Sep2, words: str) -> None:
    assert sep2(*words.split()).status == 2


def test_without_a_server_one_is_told_to_start_it(tmp_path: Path) -> None:
    assert "sep2 init" in say("status", "--dir", str(tmp_path)).err
    (port,) = free_ports(1)
    ok(say("init", str(tmp_path / "u"), "--operator-port", str(port)))
    assert f"sep2 serve {tmp_path / 'u'}" in say("status", "--dir", str(tmp_path / "u")).err


def test_the_wrong_token_and_a_taken_port_are_named(folder: Path, tmp_path: Path) -> None:
    ok(say("init", str(tmp_path)))
    (tmp_path / "sep2.toml").write_text((folder / "sep2.toml").read_text())
    assert "another one running on this port" in say("status", "--dir", str(tmp_path)).err
    done = say("serve", str(tmp_path))
    assert done.status == 1
    assert "Is another server running?" in done.err


def test_a_server_that_runs_is_neither_started_nor_migrated_again(folder: Path) -> None:
    """README's `kill $(cat DIR/server.pid)` still means the one that serves."""
    noted = (folder / "server.pid").read_text()
    assert say("serve", str(folder)).status == 1
    assert (folder / "server.pid").read_text() == noted
    done = say("migrate", str(folder))
    assert (done.status, f"stop process {noted.strip()}" in done.err) == (1, True)
