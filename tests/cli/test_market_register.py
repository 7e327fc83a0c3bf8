"""The market by the command line: from a party to a decided review and its letter, each question one command."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Sep2

BATTERY = ["--type", "battery", "--max-gen", "60kW", "--max-load", "60kW", "--consent-by", "C. Customer"]


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("letters")


def test_from_a_party_to_a_letter(sep2: Sep2, letters: Path):
    def do(*words: str) -> str:
        done = sep2(*words)
        assert done.status == 0, done.out + done.err
        return done.out

    do("operator", "set", "local", "--grant", "reviewer")
    contact = ["--contact", "desk:Ada:+15550100:desk@north.example", "--24x7"]
    agreement = ["--agreement", "A-17", "--signed", "2020-01-01"]
    do("party", "add", "Market North", "--status", "active", *contact, *agreement, "--programme", "Roofs")
    for number in (1, 2):
        do("connection", "add", f"MARKET{number}")
        at = ["--account", f"4711-{number}", "--connection", f"MARKET{number}", "--meter", f"M{number}"]
        do("der", "add", f"MD{number}", "--party", "Market North", *at, "--serial", f"S{number}", *BATTERY)
    sold = ["--node", "N17", "--service", "energy", "--service", "capacity", "--inject", "100kW"]
    do("aggregation", "add", "MVPP", "--party", "Market North", "--profile", "pjm", *sold)
    do("aggregation", "member", "add", "MVPP", "MD1", "MD2", "--dry-run")
    assert json.loads(do("aggregation", "member", "list", "MVPP", "--json"))["total"] == 0
    do("aggregation", "member", "add", "MVPP", "MD1", "MD2")
    said = do("aggregation", "submit", "MVPP")
    assert "in_review, green, due" in said
    number = json.loads(do("review", "list", "--aggregation", "MVPP", "--json"))["items"][0]["id"]
    assert "no EndDevice is registered" in do("review", "show", str(number))
    refused = sep2("review", "decide", str(number))
    assert refused.status == 1
    assert "MD1: telemetry" in refused.err
    done = do("review", "decide", str(number), "--der", "MD1", "--der", "MD2", "--evidence", "telemetry: test of 11-20")
    assert "approved" in done
    file = letters / "letter.html"
    do("review", "letter", str(number), "--to", str(file))
    first = file.read_bytes()
    do("review", "letter", str(number), "--to", str(file))
    assert file.read_bytes() == first
    assert b"MD1" in first
    assert b"approved" in first
    do("aggregation", "set", "MVPP", "--iso-id", "PJM-7")
    assert json.loads(do("aggregation", "show", "MVPP", "--json"))["status"] == "active"
    shown = do("aggregation", "list", "--party", "Market North")
    assert all(word in shown for word in ("MVPP", "active", "energy, capacity", "N17"))
    assert "Roofs" in do("party", "list")


def test_a_sheet_of_ders_is_tried_refused_line_by_line_and_taken_whole(sep2: Sep2, tmp_path: Path):
    sep2("party", "add", "Market South")
    drill = sep2("party", "add", "Market Drill", "--test")
    assert drill.last_line.startswith("Market Drill is prospective, rehearses")
    for number in (1, 2):
        sep2("connection", "add", f"SHEET{number}")
    header = (
        "der,edc_account,connection,meter_id,device_type,max_gen_w,max_load_w,import_agreement_w,export_agreement_w"
    )
    rows = [f"SD{n},acc {n},SHEET{n},sheet meter {n},solar,5000,0,0,5000" for n in (1, 2)]
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("\n".join([header, *rows]) + "\n")
    bad.write_text("\n".join([header, rows[0], rows[1].replace("SHEET2", "nowhere").replace("5000,0,", "x,0,")]) + "\n")
    wrong = sep2("der", "import", str(bad), "--party", "Market South", "--json")
    assert wrong.status == 1
    assert [(one["path"], one["code"]) for one in wrong.json["faults"]] == [("line 3: max_gen_w", "bad_value")]
    bad.write_text("\n".join([header, *(row.replace("SHEET", "nowhere") for row in rows)]) + "\n")
    told = sep2("der", "import", str(bad), "--party", "Market South").err.splitlines()
    assert told[0] == "Error: What was handed in does not fit: 2 things are wrong"
    known = "expected a connection of the register (`sep2 connection list`)"
    assert told[1:3] == [f"  line {n}: connection is 'nowhere{n - 1}': {known}" for n in (2, 3)]
    tried = sep2("der", "import", str(good), "--party", "Market South", "--dry-run")
    assert tried.last_line == "Nothing is changed; without --dry-run: 2 DERs added."
    assert sep2("der", "list", "--party", "Market South", "--json").json["total"] == 0
    assert sep2("der", "import", str(good), "--party", "Market South").last_line == "2 DERs added."
    out = tmp_path / "out.csv"
    assert sep2("der", "export", "--to", str(out)).status == 0
    assert "SD1,Market South,acc 1" in out.read_text()


def test_what_held_and_what_was_known_are_asked_by_options(sep2: Sep2):
    sep2("party", "add", "Market East")
    sep2("connection", "add", "EAST1")
    at = ["--account", "east", "--connection", "EAST1", "--meter", "east meter"]
    assert sep2("der", "add", "ED1", "--party", "Market East", *at, *BATTERY, "--from", "2020-01-01").status == 0
    done = sep2("der", "set", "ED1", "--max-gen", "50kW", "--from", "2021-01-01")
    assert done.status == 0, done.err
    before = sep2("der", "show", "ED1", "--at", "2020-06-01", "--json").json
    after = sep2("der", "show", "ED1", "--at", "2021-06-01", "--json").json
    assert (before["facts"]["max_gen_w"], after["facts"]["max_gen_w"]) == (60_000, 50_000)
    assert sep2("der", "show", "ED1", "--at", "2019-01-01").status == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("party", "add", "X", "--agreement", "A"), "--signed"),
        (("party", "show", "nobody"), "sep2 party list"),
        (("review", "show", "99999"), "sep2 review list"),
        (("aggregation", "show", "none"), "sep2 aggregation list"),
    ],
)
def test_refusals_say_what_to_do(sep2: Sep2, words: tuple[str, ...], said: str):
    done = sep2(*words)
    assert done.status in (1, 2)
    assert said in done.err


def test_factors_are_declared_by_option_and_by_file(sep2: Sep2, tmp_path: Path):
    sep2("party", "add", "Market Factors")
    sold = ["--party", "Market Factors", "--profile", "pjm", "--service", "energy", "--inject", "100kW"]
    nodes = ["--node", "N17", "--node", "N18"]
    made = sep2("aggregation", "add", "FVPP", *sold, *nodes, "--factor", "N17=60", "--factor", "N18=40%", "--json")
    assert made.json["declared_factors_ppm"] == {"N17": 600_000, "N18": 400_000}
    assert "what is declared names a node without members" in sep2("aggregation", "show", "FVPP").out
    wrong = sep2("aggregation", "set", "FVPP", "--factor", "N17=60", "--factor", "N18=41", "--json")
    assert [(one["code"], one["value"]) for one in wrong.json["faults"]] == [("factor_sum", "1010000")]
    assert "NODE=PERCENT" in sep2("aggregation", "set", "FVPP", "--factor", "N17").err
    sheet = tmp_path / "factors.csv"
    sheet.write_text("aggregation,iso_node,factor_ppm\nFVPP,N17,250000\nFVPP,N18,750001\n")
    wrong = sep2("aggregation", "factors", str(sheet), "--json")
    assert [(one["path"], one["value"]) for one in wrong.json["faults"]] == [
        ("line 2: declared_factors_ppm", "1000001")
    ]  # fmt: skip
    sheet.write_text(sheet.read_text().replace("750001", "750000"))
    assert sep2("aggregation", "factors", str(sheet)).last_line == "Factors of 1 aggregation declared."
    assert sep2("aggregation", "show", "FVPP", "--json").json["declared_factors_ppm"]["N17"] == 250_000
    done = sep2("aggregation", "set", "FVPP", "--factors-by-rating", "--json")
    assert done.json["declared_factors_ppm"] == {}
