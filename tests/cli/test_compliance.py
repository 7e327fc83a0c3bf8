"""`sep2 compliance` on a server whose clock is moved by hand."""

import asyncio
import csv

import pytest

from certs.identity import Files
from sep2.settings import read as read_settings
from tests.cli.conftest import say, serving
from tests.ports import free_ports
from tests.raw import Raw, context
from tests.server.meters import W, mirror, post, read, reading_type

START = 1_800_000_000


def ok(done):
    assert done.status == 0, done.err or done.out
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("compliance") / "utility"
    port, operator_port = free_ports(2)
    ok(say("init", str(made), "--port", str(port), "--operator-port", str(operator_port), "--clock", "paced"))
    with serving(made):
        yield made


async def exported(folder, lfdi, watts):
    """A client whose device feeds in so many watts, five minutes each, from START on."""
    tls = context(folder / "pki" / "root.pem", Files.named(folder / "pki", "Sunny"))
    raw = await Raw.open(read_settings(folder).listen.port, tls)
    at = await mirror(raw, lfdi, types={"0C01": reading_type(W)})
    await post(raw, at, "0C01", read("51", START, [(300, -one) for one in watts]))
    await raw.close()


def test_who_obeys_who_does_not_and_of_whom_it_is_not_known(sep2, folder, tmp_path):
    ok(sep2("clock", "2027-01-15T08:00Z"))
    assert "2027-01-15 08:00:00Z" in ok(sep2("status")).out
    ok(sep2("aggregator", "add", "Sunny", "--issue", str(folder / "pki")))
    lfdis = {}
    for name in ("NMI1", "NMI2"):
        ok(sep2("connection", "add", name))
        lfdis[name] = ok(sep2("device", "add", "--client", "Sunny", "--connection", name, "--json")).json["lfdi"]
        ok(sep2("default", "set", "--connection", name, "--export", "1.5kW"))
    ok(sep2("clock", "+10m"))
    assert "No limit has been in force" in ok(sep2("compliance", "list", "--connection", "NMI1")).last_line
    ok(sep2("clock", "+20m"))
    asyncio.run(exported(folder, lfdis["NMI1"], [1000, 1000, 1000, 1500, 2000, 2000]))
    ok(sep2("mirror", "sign", "1", "as-posted"))
    ok(sep2("clock", "+10m"))
    # The judge works beside the command: it is done once its mark has come so far.
    while "08:30:00Z" not in ok(found := sep2("compliance", "list", "--direction", "export")).last_line:
        pass
    assert "NMI1" in found.out
    assert "?" in found.out, "NMI2 posts nothing"
    rows = ok(sep2("compliance", "list", "--direction", "export", "--json")).json["items"]
    assert [row["name"] for row in rows] == ["NMI1", "NMI2"]
    assert (rows[0]["breach_s"], rows[1]["obedience"]) == (600, None)
    shown = ok(sep2("compliance", "show", "NMI1", "--from", "-1h"))
    assert "breach" in shown.out
    assert ok(sep2("compliance", "broken", "--client", "Sunny")).last_line == "2 intervals."
    status = ok(sep2("status")).last_line
    assert status.startswith("Look at `sep2 alarm list`: "), "all is not well"
    assert status.endswith(" Beyond their limits: NMI1.")
    assert "export 2000 W, 1500 W allowed; through Sunny" in ok(sep2("alarm", "list")).out
    ok(sep2("compliance", "export", str(tmp_path / "c.csv"), "--by", "client"))
    (row,) = csv.DictReader((tmp_path / "c.csv").read_text().splitlines())
    assert (row["name"], float(row["breach_wh"])) == ("Sunny", pytest.approx(83.33, abs=0.01))
    ok(sep2("compliance", "export", str(tmp_path / "b.parquet"), "--broken"))
    assert "0 controls" in ok(sep2("compliance", "reaching")).last_line
    ok(sep2("compliance", "exempt", "NMI1", "--for", "7d", "--reason", "meter exchange"))
    assert "meter exchange" in ok(sep2("compliance", "exemptions")).out
