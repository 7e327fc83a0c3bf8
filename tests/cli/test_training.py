"""A copy of a server to learn on: it has what the server has, says that it is one, and reaches nobody outside."""

import asyncio
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import insert, select

from sep2.settings import SettingsError, parse, read
from sep2.store.metering_tables import mirror_meter_reading, mirror_usage_point, reading
from sep2.store.opening import open_database
from sep2.store.tables import end_device
from tests.cli.conftest import Sep2, lfdi_of, say, serving
from tests.ports import free_ports

CUT_OFF = {"mode": "training", "clock": "paced", "receivers": {"here_only": True, "loopback": True}}


def test_a_copy_of_a_running_server_reaches_nobody_and_says_training(folder: Path, sep2: Sep2, tmp_path: Path) -> None:
    assert sep2("client", "add", "Learned", "--lfdi", lfdi_of("Learned"), "--receiver", "out.example.com").status == 0
    assert sep2("connection", "add", "LEARN1", "--firm-export", "5kW").status == 0
    assert "\\n" not in sep2("receiver", "add", "ops", "https://ops.example.com/x").out
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


ROUNDS = 200
POINT = {"id": 1, "mrid": "A" * 32, "role_flags": 3, "service_kind": 0, "status": 1, "changed": 0}
UNIT = {"uom": 38, "multiplier": 0, "flow_direction": 1, "phase": 0, "data_qualifier": 2}
SERIES = {"id": 1, "mirror_usage_point_id": 1, "mrid": "B" * 32, "reading_type": b"", **UNIT}
READING = {"mirror_meter_reading_id": 1, "duration": 300, "local_id": 0}
MIDNIGHT = 1769779800
"""2026-01-31 00:00 in Adelaide."""


async def _day_of(url: str) -> None:
    """A meter of the only device that was read every five minutes around midnight, and a control of after it."""
    db = await open_database(url)
    async with db.write() as write:
        device = (await write.all(select(end_device.c.id, end_device.c.client_id)))[0]
        of = {"end_device_id": device.id, "client_id": device.client_id}
        await write.run(insert(mirror_usage_point).values(POINT | of))
        await write.run(insert(mirror_meter_reading).values(SERIES | {"latest_start": MIDNIGHT + 600}))
        for minutes in (-10, -5, 1, 5, 10):
            at = MIDNIGHT + 60 * minutes
            await write.run(insert(reading).values(READING | {"start": at - 300, "value": minutes, "received": at}))
    await db.close()


def test_a_day_is_played_again_as_the_clock_reaches_it(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    port, operator_port, *others = free_ports(4)
    env = {"SEP2_PORT": str(port), "SEP2_OPERATOR_PORT": str(operator_port)}
    assert say("init", str(source), "--zone", "Australia/Adelaide", env=env).status == 0
    with serving(source):
        here = {"SEP2_DIR": str(source)}
        assert say("client", "add", "Sunny", "--lfdi", lfdi_of("replayed"), "--connection", "N1", env=here).status == 0
        assert say("control", "send", "--connection", "N1", "--export", "0", "--for", "1h", env=here).status == 0
    asyncio.run(_day_of(read(source).database.url))
    (source / "envelope-plan.npz").write_bytes(b"a plan")
    words = ("--port", str(others[0]), "--operator-port", str(others[1]), "--day", "2026-01-31")
    done = say("training", "make", str(source), str(copy), *words, "--json")
    assert done.status == 0, done.err
    assert (done.status, done.json["from"], done.json["plans"]) == (0, MIDNIGHT, ["envelope-plan.npz"]), done.err
    assert say("training", "make", str(source), str(tmp_path / "x"), *words, "--from", "now").status == 2
    (copy / "envelope-plan.npz").unlink()  # it is none
    there = {"SEP2_DIR": str(copy)}
    with serving(copy):
        assert say("control", "list", "--json", env=there).json["items"] == [], "what people sent since is left to them"
        assert _values(there) == [-10, -5]
        for moved, wanted in (("+1m", [-10, -5, 1]), ("+4m", [-10, -5, 1, 5]), ("+10m", [-10, -5, 1, 5, 10])):
            assert say("clock", moved, env=there).status == 0
            for _ in range(ROUNDS):
                if _values(there) == wanted:
                    break
            assert _values(there) == wanted


def _values(env: dict[str, str]) -> list[float]:
    span = ("--from", "2026-01-30T00:00+10:30", "--to", "2026-02-01T00:00+10:30")
    return [one["value"] for one in say("reading", "show", *span, "--json", env=env).json["items"]]
