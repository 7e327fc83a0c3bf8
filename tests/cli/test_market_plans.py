"""Plans and deliverables by the command line."""

import json
from pathlib import Path

from tests.cli.conftest import Sep2


def test_a_plan_is_handed_in_listed_and_shown(sep2: Sep2, tmp_path: Path):
    sep2("operator", "set", "local", "--grant", "reviewer")
    agreed = ["--agreement", "P-1", "--signed", "2020-01-01"]
    sep2(
        "party",
        "add",
        "Plan North",
        "--status",
        "active",
        "--contact",
        "desk:Ada:+15550100:a@n.example",
        "--24x7",
        *agreed,
    )
    sep2("connection", "add", "PLAN1")
    at = ["--account", "P-1", "--connection", "PLAN1", "--meter", "PM1", "--type", "battery", "--max-gen", "200kW"]
    added = sep2("der", "add", "PD1", "--party", "Plan North", *at, "--max-load", "200kW", "--consent-by", "C")
    assert added.status == 0, added.err
    said = ["--profile", "custom", "--node", "PN", "--service", "energy", "--inject", "100kW"]
    assert sep2("aggregation", "add", "Plan VPP", "--party", "Plan North", *said).status == 0
    assert sep2("aggregation", "member", "add", "Plan VPP", "PD1").status == 0
    review = sep2("aggregation", "submit", "Plan VPP", "--json").json
    decided = sep2(
        *("review", "decide", str(review["id"]), "--der", "PD1", "--outcome", "ok"),
        *("--evidence", "telemetry: seen", "--evidence", "capability: seen"),
    )
    assert decided.status == 0, decided.err
    shown = sep2("aggregation", "deliverable", "Plan VPP", "--level", "der")
    assert shown.status == 0, shown.err
    assert "no published run" in shown.out
    sheet = tmp_path / "plan.csv"
    sheet.write_text(
        "node,start,low_kw,plan_kw,high_kw\nPN,2035-06-01T16:00:00Z,0,50,60\nPN,2035-06-01T16:30:00Z,0,5,6\n"
    )
    far = sep2("plan", "submit", str(sheet), "--aggregation", "Plan VPP", "--step", "30m")
    assert far.status == 1
    assert "until" in far.err
    now = sep2("aggregation", "deliverable", "Plan VPP", "--json").json["start"]
    nodes = [{"node": "PN", "steps": [{"start": now + 1800, "low_w": 0, "plan_w": 50_000, "high_w": 60_000}]}]
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"step_s": 1800, "nodes": nodes}))
    tried = sep2("plan", "submit", str(file), "--aggregation", "Plan VPP", "--name", "mine", "--dry-run")
    assert tried.status == 0, tried.err
    done = sep2("plan", "submit", str(file), "--aggregation", "Plan VPP", "--name", "mine", "--json").json
    assert (done["version"], done["state"]) == (1, "checking")
    found = sep2("plan", "list", "--aggregation", "Plan VPP")
    assert found.status == 0, found.err
    assert "1 plan" in found.out
    one = sep2("plan", "show", str(done["id"]))
    assert one.status == 0, one.err
    assert "mine of Plan VPP, version 1 of 1" in one.out
    assert sep2("plan", "show", "999999").status == 1
    file.write_text("{")
    assert sep2("plan", "submit", str(file)).status == 2
    said = sep2("plan", "credit", "Plan VPP")
    assert (said.status, "No day has been judged" in said.out) == (0, True)
    assert sep2("plan", "credit", "nobody").status == 1
