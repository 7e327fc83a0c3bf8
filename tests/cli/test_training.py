"""A copy of a server to learn on: it has what the server has, says that it is one, and reaches nobody outside."""

from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sep2.settings import SettingsError, parse, read
from tests.cli.conftest import Sep2, free_ports, lfdi_of, say, serving

CUT_OFF = {"mode": "training", "clock": "paced", "receivers": {"here_only": True, "loopback": True}}


def test_a_copy_of_a_running_server_reaches_nobody_and_says_training(folder: Path, sep2: Sep2, tmp_path: Path) -> None:
    assert sep2("client", "add", "Learned", "--lfdi", lfdi_of("Learned"), "--receiver", "out.example.com").status == 0
    assert sep2("connection", "add", "LEARN1", "--firm-export", "5kW").status == 0
    assert sep2("receiver", "add", "ops", "https://ops.example.com/x").status == 0
    copy = tmp_path / "training"
    port, operator_port = free_ports(2)
    words = ("training", "make", str(folder), str(copy), "--port", str(port), "--operator-port", str(operator_port))
    done = say(*words, "--from", "2026-01-31T14:30+10:00")
    assert done.status == 0, done.err
    assert say(*words).status == 1, "it is made once"
    made = read(copy)
    assert (made.mode, made.clock, made.receivers.here_only) == ("training", "paced", True)
    assert (copy / "pki" / "root.pem").read_bytes() != (folder / "pki" / "root.pem").read_bytes()
    assert (copy / "operator.token").read_text() != (folder / "operator.token").read_text()
    env = {"SEP2_DIR": str(copy)}
    with serving(copy) as server:
        status = say("status", "--json", env=env).json
        assert (status["now"], status["clock"], status["waiting"], status["dead"]) == (1769833800, "paced", 0, 0)
        assert "5 kW" in say("connection", "list", env=env).out
        assert say("client", "show", "Learned", "--json", env=env).json["receiver_hosts"] == []
        assert say("receiver", "list", "--json", env=env).json["items"] == []
        assert say("audit", "verify", env=env).status == 0, "the log is that of the server, and whole"
        # Whatever an operator says, nothing is sent to another machine.
        assert say("receiver", "add", "out", "https://1.1.1.1/x", env=env).status == 0
        assert "nothing is sent to another machine from here" in say("receiver", "test", "out", env=env).err
        assert server.stdout is not None
        link = urlsplit(next(word for word in server.stdout.readline().split() if word.startswith("http://")))
        desk = HTTPConnection("127.0.0.1", operator_port, timeout=120)
        desk.request("GET", f"{link.path}?{link.query}")
        answer = desk.getresponse()
        answer.read()
        desk.request("GET", "/desk", headers={"Cookie": str(answer.getheader("Set-Cookie")).partition(";")[0]})
        assert b"TRAINING \xc2\xb7 paced clock" in desk.getresponse().read()
        desk.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"clock": "system"}, "clock is 'system', expected 'paced' where mode is 'training'"),
        ({"receivers": {}}, "receivers.here_only is False, expected True"),
        ({"mail": {"host": "mail.example.com"}}, "mail.host is 'mail.example.com', expected ''"),
    ],
)
def test_a_copy_that_could_reach_somebody_does_not_start(change: dict[str, object], said: str) -> None:
    parse(CUT_OFF)
    with pytest.raises(SettingsError, match=said):
        parse(CUT_OFF | change)


def test_a_copy_has_the_settings_of_its_utility(tmp_path: Path) -> None:
    assert say("init", str(tmp_path / "u"), "--utility", "csip", "--zone", "America/Denver").status == 0
    with (tmp_path / "u" / "sep2.toml").open("a") as settings:
        settings.write('horizon_events = 30\n\n[mail]\nhost = "mail.example.com"\n\n[utility.poll_rates]\nTime = 777\n')
    assert say("training", "make", str(tmp_path / "u"), str(tmp_path / "t")).status == 0
    made = read(tmp_path / "t")
    said = made.utility.name, made.utility.zone, made.utility.horizon_events, made.utility.poll_rates["Time"]
    assert said == ("csip", "America/Denver", 30, 777)
    assert made.mail.host == ""


def test_there_must_be_a_server_to_copy(tmp_path: Path) -> None:
    done = say("training", "make", str(tmp_path / "nowhere"), str(tmp_path / "x"))
    assert done.status == 1
    assert not (tmp_path / "x").exists()
