"""`sep2 measurements` as a person uses it: look first, take, show, export, count, erase."""

import json
import re
import sys

import pytest
from typer.testing import CliRunner

from envelope.command_line.measurements import app
from gridmodel import estimates
from tests.gridmodel.meters import DAY_S, START, own_file, table, utc


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "measurements"


def run(folder, *words, answer=None, code=0):
    result = CliRunner().invoke(app, [*map(str, words), "--store", str(folder)], input=answer)
    assert result.exit_code == code, result.output
    return result.output


def test_an_import_is_shown_asked_and_taken(folder, tmp_path):
    path = own_file(tmp_path / "ami.csv", {"c1": [100.0] * 48, "c2": [50.0] * 40})
    said = run(folder, "import", path, "--dry-run")
    for words in (
        "import_wh is import_w in wh",
        "names the start of its interval, zone UTC",
        "quality: measured 88",
        "gaps: none",
        "new 88, revised 0, known already 0",
        "nothing was written",
    ):
        assert words in said
    assert "Aborted" in run(folder, "import", path, answer="n\n", code=1)
    assert "nothing is measured" in run(folder, "show", "c1", code=2)
    assert "88 values were taken" in run(folder, "import", path, answer="y\n")
    assert "Nothing is new: nothing changes." in run(folder, "import", path, "--yes")
    assert "ami.csv" in run(folder, "imports")
    assert "import_w: mean 200.0 W, 0 of 48 steps are gaps" in run(folder, "show", "c1")


def test_json_writes_nothing_without_yes(folder, tmp_path):
    path = own_file(tmp_path / "ami.csv", {"c1": [100.0] * 4})
    looked = json.loads(run(folder, "import", path, "--json"))
    assert (looked["taken"], looked["counts"]["new"]) == (False, 4)
    taken = json.loads(run(folder, "import", path, "--json", "--yes"))
    assert (taken["taken"], taken["written"], taken["files"][0]["values"]) == (True, 4, 4)
    shown = json.loads(run(folder, "show", "c1", "--json", "--from", "2026-05-29", "--step", "3600"))
    assert shown["stored"][0]["value"][:3] == [200.0, 200.0, None]
    assert shown["stored"][0]["quality"][:3] == ["measured", "measured", "missing"]
    assert run(folder, "import", tmp_path / "none.csv", "--json", code=2).startswith('{"error": {"code": "bad_file"')


def test_an_export_reads_back_to_the_same(folder, tmp_path):
    header = "connection_id,interval_start,duration_s,import_wh,export_wh,v_avg,v_a,quality"
    rows = [("c1", utc(START + 1800 * k), 1800, 0.1 * k, 7.7, 231.03, 230.1, "AES"[k % 3]) for k in range(6)]
    run(folder, "import", table(tmp_path / "ami.csv", header, *rows), "--yes")
    for name in ("all.csv", "all.parquet"):
        out = tmp_path / name
        assert "24 values" in run(folder, "export", "--out", out)
        if name == "all.csv":
            assert "new 0, revised 0, known already 24" in run(folder, "import", out, "--yes")
            assert "new 24" in run(tmp_path / "other", "import", out, "--yes")
    assert "ending is neither .csv nor .parquet" in run(folder, "export", "--out", tmp_path / "a.xlsx", code=2)


def test_energies_between_reads_are_shown_and_exported(folder, tmp_path):
    record = "250,NMI1,11,01,E1,,M1,E,100,20260201120000,A,,,400,20260501120000,E,,,300,kWh,20260801,,"
    path = table(tmp_path / "nem13.csv", "100,NEM13,202606010000,MDP1,RET1", record, "900")
    run(folder, "import", path, "--yes")
    said = "accumulated import_wh E1: 300.000 kWh from 2026-02-01 02:00 to 2026-05-01 02:00, estimated"
    assert said in run(folder, "show", "NMI1")
    assert json.loads(run(folder, "show", "NMI1", "--json"))["accumulated"][0]["value"] == 300_000.0
    assert "import_w E1: none in this time; 2026-02-01" in run(folder, "show", "NMI1", "--from", "2026-07-01")
    out = tmp_path / "energies.csv"
    assert "of accumulated there are (--as)" in run(folder, "export", "--out", out, code=2)
    assert "1 values are in" in run(folder, "export", "--as", "accumulated", "--out", out)
    written = out.read_text()
    assert written.splitlines()[1].startswith("NMI1,E1,2026-02-01T02:00:00Z,7689600,,import_wh,300000.0,est")
    between = ("--from", "2026-03-01", "--until", "2026-03-02")
    assert "1 values are in" in run(folder, "export", "--as", "accumulated", "--out", out, *between)
    assert out.read_text() == written
    said = run(folder, "export", "--as", "accumulated", "--out", out, "--from", "2026-06-01")
    assert "none begin between 2026-06-01 00:00 and 2026-06-02 00:00; 2026-02-01 02:00 to" in said
    assert len(out.read_text().splitlines()) == 1


def test_a_mapping_is_shown_saved_and_used(folder, tmp_path):
    header = "Service Point ID,Read Date Time,Channel,UOM,Value,Status"
    rows = [
        ("SP1", f"29/05/2026 {(k + 1) // 2:02d}:{30 * ((k + 1) % 2):02d}", "Delivered", "kWh", 1, "V") for k in range(4)
    ]
    path, saved = table(tmp_path / "mdms.csv", header, *rows), tmp_path / "mapping.toml"
    said = run(folder, "import", path, "--zone", "Australia/Adelaide", "--dry-run", "--save-mapping", saved)
    assert 'place = "Service Point ID"' in said
    assert '"Delivered kWh" = { quantity = "import_w", unit = "kwh" }' in said
    run(folder, "import", path, "--mapping", saved, "--yes")
    assert "known already 4" in run(folder, "import", path, "--zone", "Australia/Adelaide", "--yes")


def test_pictures_and_coverage(folder, tmp_path):
    run(folder, "import", own_file(tmp_path / "a.csv", {"c1": [1.0] * 96, "c2": [1.0] * 24}), "--yes")
    one, all_of = tmp_path / "one.png", tmp_path / "all.png"
    run(folder, "show", "c2", "--out", one, "--from", "2026-05-29", "--until", "2026-05-31")
    said = run(folder, "coverage", "--out", all_of)
    assert "62.50 % measured, 1 places whole" in said
    assert "25.00 %" in said
    assert [path.read_bytes()[:4] for path in (one, all_of)] == [b"\x89PNG"] * 2
    rows = json.loads(run(folder, "coverage", "c2", "--json", "--until", "2026-05-30"))["places"]
    assert rows == [{"place": "c2", "measured": 0.5, "doubtful": 0.0}]


def test_values_as_they_were_known_and_when_they_arrived(folder, tmp_path):
    path = own_file(tmp_path / "a.csv", {"c1": [1.0] * 2})
    run(folder, "import", path, "--yes", "--arrived", "+6h")
    day = ("--from", "2026-05-29", "--until", "2026-05-30")
    assert "48 of 48 steps are gaps" in run(folder, "show", "c1", *day, "--as-of", "2026-05-30T05:59")
    assert "46 of 48 steps are gaps" in run(folder, "show", "c1", *day, "--as-of", "2026-05-30T06:00")


def test_erasing_and_forgetting_ask_first(folder, tmp_path):
    run(folder, "import", own_file(tmp_path / "a.csv", {"c1": [1.0] * 96, "c2": [1.0] * 96}), "--yes")
    run(folder, "erase", "c1", answer="n\n", code=1)
    assert "96 values of c1 were deleted" in run(folder, "erase", "c1", answer="y\n")
    assert "1 days before 2026-05-30 were deleted" in run(folder, "forget", "--before", "2026-05-30", "--yes")
    assert json.loads(run(folder, "coverage", "--json"))["since"] == START + DAY_S


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "c1", "--from", "noon"), "--from 'noon' is no time"),
        (("show", "c1", "--from", "2026-05-30", "--until", "2026-05-29"), "is not after --from"),
        (("coverage",), "no ami values"),
        (("import", "FILE", "--arrived", "soon"), "--arrived 'soon' is none of"),
        (("import", "FILE", "--unit", "furlong"), "unit 'furlong' is none of"),
        (("import", "FILE", "--zone", "Mars/Olympus"), "zone 'Mars/Olympus' is not known"),
        (("import", "FILE", "--as", "scada"), "--tags FILE"),
        (("import", "FILE", "--mapping", "none.toml"), "none.toml: no such file"),
        (("import", "none.csv"), "none.csv: no such file"),
    ],
)
def test_what_can_not_be_is_said_in_a_line(folder, tmp_path, words, said):
    path = own_file(tmp_path / "a.csv", {"c1": [1.0] * 2})
    output = run(folder, *(path if word == "FILE" else word for word in words), code=2)
    assert said in " ".join(output.split())
    assert "Traceback" not in output


@pytest.mark.parametrize("name", ["duckdb", "pyarrow"])
def test_what_a_plain_installation_lacks_is_named(folder, tmp_path, monkeypatch, name):
    path = own_file(tmp_path / "a.csv", {"c1": [1.0] * 2})
    monkeypatch.setitem(sys.modules, name, None)
    for words in (("import", path), ("show", "c1"), ("coverage",)):
        assert f"measurements need {name}: pip install 'sep2[measurements]'" in run(folder, *words, code=2)


def test_a_folder_that_is_no_servers_is_named(tmp_path):
    result = CliRunner().invoke(app, ["coverage", "--dir", str(tmp_path)])
    assert result.exit_code == 2
    assert "--store one of measurements alone" in result.output


def test_an_import_that_may_take_long_says_so_first(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(estimates, "LONG_S", 0.0)
    path = own_file(tmp_path / "a.csv", {"c1": [1.0] * 2})
    said = run(folder, "import", path, "--dry-run")
    assert re.search(r"This will take about 0 seconds and .* GB of memory: 0 MB of files are read\.", said)
    assert run(folder, "import", path, "--yes").startswith("This will take about ")
