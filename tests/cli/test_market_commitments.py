"""Commitments by the command line: asked for, held, seen to conflict, denied and moved."""

from tests.cli.conftest import Sep2

WHEN = ["--from", "2035-06-01T16:00Z", "--to", "2035-06-01T20:00Z"]


def test_a_der_is_requested_held_moved_and_released(sep2: Sep2):
    sep2("party", "add", "Ledger North")
    sep2("connection", "add", "LEDGER1")
    at = ["--account", "L-1", "--connection", "LEDGER1", "--meter", "LM1", "--type", "battery", "--max-gen", "60kW"]
    added = sep2("der", "add", "LD1", "--party", "Ledger North", *at)
    assert added.status == 0, added.err
    evening = ["--for", "local", "--service", "local_energy", "--program", "Evening"]
    tried = sep2("commitment", "request", "LD1", *evening, *WHEN, "--hold", "--dry-run")
    assert tried.status == 0, tried.err
    assert sep2("commitment", "list", "--der", "LD1", "--json").json["total"] == 0
    first = sep2("commitment", "request", "LD1", *evening, *WHEN, "--hold", "--json").json
    assert first["state"] == "held"
    second = sep2("commitment", "request", "LD1", *evening, *WHEN)
    assert "1 commitment excludes it" in second.out
    number = str(first["id"] + 1)
    assert sep2("commitment", "hold", number).status == 1
    assert sep2("commitment", "deny", number, "--reason", "held already").status == 0
    moved = sep2(
        *("commitment", "move", str(first["id"]), "--for", "retail", "--service", "local_energy", "--program", "Shop"),
        *("--from", "2035-06-01T18:00Z"),
    )
    assert moved.status == 0, moved.err
    assert sep2("commitment", "release", str(first["id"])).status == 0
    shown = sep2("commitment", "show", str(first["id"]))
    assert "released" in shown.out
    held = sep2("commitment", "list", "--der", "LD1", "--state", "held", "--json").json["items"]
    assert [(one["holder"], one["program"]) for one in held] == [("retail", "Shop")]
