"""Overrides of aggregations by the command line: looked over, sent, followed, explained and released."""

from tests.cli.conftest import Said, Sep2, lfdi_of


def done(said: Said) -> Said:
    assert said.status == 0, said.err or said.out
    return said


def test_an_override_of_an_aggregation_is_looked_over_sent_followed_and_released(sep2: Sep2):
    contact = "desk:Ada:+15550100:desk@north.example"
    done(sep2("operator", "set", "local", "--grant", "reviewer"))
    party = ["--status", "active", "--contact", contact, "--24x7", "--agreement", "A-17", "--signed", "2026-01-15"]
    done(sep2("party", "add", "Over North", *party))
    done(sep2("client", "add", "Over Fleet", "--lfdi", lfdi_of("Over Fleet")))
    done(sep2("connection", "add", "OVER1"))
    done(sep2("device", "add", "--client", "Over Fleet", "--lfdi", lfdi_of("over device"), "--connection", "OVER1"))
    facts = ["--account", "over", "--connection", "OVER1", "--meter", "over", "--type", "battery"]
    watts = ["--max-gen", "60kW", "--max-load", "60kW", "--consent-by", "C. Customer"]
    done(sep2("der", "add", "OD1", "--party", "Over North", *facts, *watts))
    sold = ["--node", "N17", "--service", "energy", "--inject", "100kW"]
    done(sep2("aggregation", "add", "OVPP", "--party", "Over North", "--profile", "pjm", *sold))
    done(sep2("aggregation", "member", "add", "OVPP", "OD1"))
    review = str(sep2("aggregation", "submit", "OVPP", "--json").json["id"])
    decision = ["--der", "OD1", "--outcome", "ok"]
    evidence = [word for name in ("capability", "telemetry", "mapping") for word in ("--evidence", f"{name}: seen")]
    done(sep2("review", "decide", review, *decision, *evidence))
    send = ["override", "send", "--aggregation", "OVPP", "--export", "100W", "--for", "1h", "--notice", "emergency"]
    sheet = done(sep2(*send, "--reason", "emergency", "--dry-run"))
    assert "Of what each of its members can reach it leaves export" in sheet.out
    assert "--binding names no place of the network" in sheet.out
    assert "Over North is told at" in sheet.out
    assert "OD1" in sheet.out
    refused = sep2("override", "send", "--system", "--export", "0", "--for", "1h", "--reason", "test", "--node", "N1")
    assert refused.status == 2
    number = str(sep2(*send, "--reason", "emergency", "--json").json["id"])
    shown = done(sep2("override", "notices", number))
    assert "answered: none" in shown.out
    assert "Reason of the emergency: due" in shown.out
    assert sep2("override", "call", number, "--note", "x").status == 1
    done(sep2("override", "explain", number, "--reason", "line L4 tripped"))
    assert "line L4 tripped" in sep2("override", "notices", number).out
    assert number in done(sep2("override", "aggregations", "--aggregation", "OVPP")).out
    (notice, why) = reversed(sep2("market", "messages", "--party", "Over North", "--json").json["items"][:2])
    assert (notice["kind"], why["kind"]) == ("override_notice", "override_reason")
    assert sep2("market", "outages", "--party", "Over North", "--json").json["total"] == 0
    assert "give a reason" in sep2("override", "release", number).err
    done(sep2("override", "release", number, "--reason", "over"))
    assert sep2("override", "close-dispute", number, "--answer", "1", "--outcome", "x").status in (1, 4)
