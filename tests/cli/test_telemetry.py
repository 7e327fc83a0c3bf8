"""What clients sent, at the command line: readings on the screen and in files, documents, events, last contact."""

import asyncio
import csv
import io

import pytest

from certs.identity import Files
from sep2.settings import read as read_settings
from tests.cli.conftest import say, serving
from tests.ports import free_ports
from tests.raw import Raw, context, document
from tests.server.meters import V, W, mirror, post, read, reading_type


def ok(done):
    assert done.status == 0, done.err or done.out
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A server by the machine's clock: nothing was metered before the year 2000."""
    made = tmp_path_factory.mktemp("telemetry") / "utility"
    port, operator_port = free_ports(2)
    ok(say("init", str(made), "--port", str(port), "--operator-port", str(operator_port)))
    with serving(made):
        yield made


@pytest.fixture(scope="module")
def metered(folder):
    """The LFDI of a device that has posted two readings of power and one of voltage, and when that began."""

    def sep2(*words):
        return ok(say(*words, env={"SEP2_DIR": str(folder)}))

    sep2("aggregator", "add", "=Meters", "--issue", str(folder / "pki"))
    sep2("connection", "add", "NMI-M")
    lfdi = sep2("device", "add", "--client", "=Meters", "--connection", "NMI-M", "--json").json["lfdi"]
    now = sep2("status", "--json").json["now"]
    start = now // 900 * 900 - 3600

    async def talk():
        tls = context(folder / "pki" / "root.pem", Files.named(folder / "pki", "-Meters"))
        raw = await Raw.open(read_settings(folder).listen.port, tls)
        at = await mirror(raw, lfdi, types={"0C01": reading_type(W), "0C02": reading_type(V, multiplier=-1)})
        await post(raw, at, "0C01", read("51", start, [(300, 250), (300, -40)]))
        await post(raw, at, "0C02", read("52", start, [(300, 2413)]))
        device = (await raw.get("/edev?l=9")).all("EndDevice/DERListLink")[-1].attrib["href"]
        assert (
            await raw.put(f"{device}/1/ders", document("DERStatus", f"<readingTime>{now}</readingTime>"))
        ).status == 204
        await raw.close()

    asyncio.run(talk())
    return lfdi, start


def test_readings_on_the_screen(sep2, metered):
    lfdi, _ = metered
    found = ok(sep2("reading", "list", "--connection", "NMI-M"))
    assert "241.3" in found.out
    assert found.last_line == "2 series."
    shown = ok(sep2("reading", "show", "--device", lfdi[:12], "--quantity", "power", "--from", "-2h", "--every", "15m"))
    assert "66 %" in shown.out, "ten of fifteen minutes are covered"
    assert "105" in shown.out
    refused = sep2("reading", "show", "--quantity", "love")
    assert refused.status == 1
    assert "is none of" in refused.err


def test_readings_in_files_equal_what_was_posted(sep2, metered, tmp_path):
    import pyarrow.parquet as pq

    _, start = metered
    of = ("--connection", "NMI-M", "--quantity", "power", "--from", "-2h")
    ok(sep2("reading", "export", str(tmp_path / "r.csv"), *of))
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text().splitlines()))
    assert [(int(row["start"]) - start, float(row["value"])) for row in rows] == [(0, 250.0), (300, -40.0)]
    assert {row["client"] for row in rows} == {"'=Meters"}, "no spreadsheet calculates it"
    ok(sep2("reading", "export", str(tmp_path / "r.parquet"), *of))
    table = pq.read_table(tmp_path / "r.parquet").to_pylist()
    assert [(row["start"] - start, row["value"]) for row in table] == [(0, 250.0), (300, -40.0)]
    assert table[0]["client"] == "=Meters"
    out = ok(sep2("reading", "export", "-", *of)).out
    assert list(csv.DictReader(io.StringIO(out))) == rows


def test_documents_events_responses_and_contacts_are_listed(sep2, metered):
    said = ok(sep2("device-status", "list", "--connection", "NMI-M"))
    assert said.last_line == "1 document."
    assert "readingTime" in said.out
    assert ok(sep2("rating", "list", "--client", "=Meters", "--history")).last_line == "No documents."
    assert ok(sep2("log-event", "list", "--from", "-1d")).last_line == "No events."
    assert ok(sep2("response", "list", "--client", "=Meters")).last_line == "No responses."
    assert "=Meters" in ok(sep2("contact", "list")).out
    assert "NMI-M" in ok(sep2("contact", "devices", "--client", "=Meters")).out


def test_modes_are_shown_beside_what_was_measured_and_what_is_unknown_says_why(sep2, metered):
    lfdi, _ = metered
    assert "no mode was in force" in ok(sep2("device", "modes", lfdi)).last_line
    ok(sep2("default", "set", "--connection", "NMI-M", "--power-factor", "0.95:absorb"))
    ok(sep2("device", "modes", lfdi[:12], "--from", "-6h"))
    assert sep2("device", "modes", lfdi, "--from", "-30d").status == 1
