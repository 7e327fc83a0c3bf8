"""`sep2 backstop`, `approval`, `shift` and protected connections, as people type them."""

from pathlib import Path

import pytest

from tests.cli.conftest import Said, Sep2, lfdi_of


def ok(said: Said) -> Said:
    assert said.status == 0, said.err or said.out
    return said


@pytest.fixture
def street(sep2: Sep2) -> Sep2:
    """An aggregator with devices at AU1 and AU2 below the transformer AT7; what is there already stays."""
    sep2("client", "add", "Aurora", "--lfdi", lfdi_of("Aurora"))
    sep2("place", "add", "AS1", "--kind", "substation")
    sep2("place", "add", "AT7", "--kind", "transformer", "--in", "AS1")
    for number in (1, 2):
        sep2("connection", "add", f"AU{number}", "--place", "AT7", "--firm-export", "5kW")
        sep2("device", "add", "--client", "Aurora", "--lfdi", lfdi_of(f"AU{number}"), "--connection", f"AU{number}")
    return sep2


def colleague(street: Sep2, tmp_path: Path) -> dict[str, str]:
    """The environment of another operator."""
    street("operator", "add", "Ada", "--role", "operator")
    token = tmp_path / "ada.token"
    token.write_text(ok(street("token", "add", "Ada", "--label", "x", "--json")).json["token"])
    token.chmod(0o600)
    return {"SEP2_TOKEN_FILE": str(token)}


@pytest.mark.parametrize(
    "words",
    [
        ("transformer", "AT7"),
        ("substation", "as1"),
        ("place", "AT7"),
        ("aggregator", "Aurora"),
        ("client", "Aurora"),
        ("--place", "AT7"),
    ],
)
def test_whom_it_is_for_is_said_as_people_say_it(street: Sep2, words: tuple[str, ...]) -> None:
    send = ("--export", "1kW", "--for", "1h", "--reason", "test", "--dry-run")
    out = ok(street("override", "send", *words, *send)).out
    assert "covers 2 connections, 2 devices" in out
    assert "Export: 10 kW there, at most 2 kW then; measured nowhere" in out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("feeder", "AT7"), "AT7 is a transformer, and not a feeder"),
        (("planet", "AT7"), "is none of aggregation, aggregator, client, connection"),
        (("transformer",), "which transformer"),
        (("transformer", "AT7", "--system"), "give one of KIND NAME"),
        ((), "give one of KIND NAME"),
    ],
)
def test_what_is_said_wrong_is_said_how_to_say(street: Sep2, words: tuple[str, ...], complaint: str) -> None:
    said = street("override", "send", *words, "--export", "1kW", "--for", "1h", "--reason", "test")
    assert said.status != 0
    assert complaint in " ".join(said.err.replace("│", " ").split())


def test_a_protected_connection_is_left_out_or_waits_for_a_second_person(street: Sep2, tmp_path: Path) -> None:
    marked = ok(street("connection", "set", "AU1", "--protected", "life_support"))
    assert "It is marked life_support" in marked.out
    ada = colleague(street, tmp_path)
    send = ("override", "send", "transformer", "AT7", "--import", "1kW", "--for", "1h", "--reason", "test")
    try:
        assert "Left out, because protected: AU1 (life support)." in ok(street(*send, "--dry-run")).out
        waits = street(*send, "--also", "AU1", "--json")
        assert (waits.status, waits.json["state"]) == (5, "waiting")
        number = str(waits.json["approval"])
        assert "It waits for a second person until" in street(*send, "--also", "AU1").err
        assert street("approval", "approve", number).status == 4
        listed = ok(street("approval", "list", env=ada)).out
        assert "AU1 is protected, and named" in listed
        fresh = ok(street("approval", "approve", number, "--dry-run", env=ada)).out
        assert "Covered although protected: AU1." in fresh
        done = ok(street("approval", "approve", number, env=ada)).out
        assert f"Request {number} is approved, and done by local and Ada." in done
        assert "withdrawn by local" in ok(street("approval", "refuse", "latest", "--note", "twice")).out
        assert ok(street("override", "show")).out.count("local and Ada") == 1
        ok(street("override", "undo", "latest"))
    finally:
        street("connection", "set", "AU1", "--protected", "none")


def test_the_backstop_from_preparing_to_its_end(street: Sep2) -> None:
    assert "The backstop of AS1 stands for 2 devices" in ok(street("backstop", "prepare", "--substation", "AS1")).out
    drill = ok(street("backstop", "test", "--substation", "AS1", "--share", "50", "--for", "10m")).out
    number = drill.partition("Drill ")[2].partition(" ")[0]
    assert "covers 1 connection" in drill
    assert "1 said nothing" in ok(street("backstop", "report", number)).out
    ok(street("backstop", "end", number))
    start = ("backstop", "start", "--substation", "AS1", "--kind", "export", "--for", "1h", "--reason", "emergency")
    assert "Nothing is changed" in ok(street(*start, "--dry-run")).out
    sent = ok(street(*start)).out
    try:
        assert "covers 2 connections, 2 devices" in sent
        assert "by the backstop, " in ok(street("why", "AU1")).out.replace("0 W: the", "0 W: by the")
        assert "1 backstop under way" in ok(street("backstop", "show")).out
    finally:
        ended = ok(street("backstop", "end"))
    assert "is ended; what was below holds again" in ended.out
    assert street("backstop", "end").status == 2


def test_a_shift_is_handed_over(street: Sep2, tmp_path: Path) -> None:
    ada = colleague(street, tmp_path)
    send = ("override", "send", "connection", "AU2", "--export", "1kW", "--for", "1h", "--reason", "test")
    number = str(ok(street(*send, "--json")).json["id"])
    try:
        assert "connection AU2: test" in ok(street("shift", "standing")).out
        ok(street("shift", "note", "crew at AT7"))
        ok(street("shift", "handover", "--note", "watch AS1"))
        assert street("shift", "take").status == 4
        assert "You have taken over from local" in ok(street("shift", "take", env=ada)).out
        assert "crew at AT7" in ok(street("shift", "log")).out
    finally:
        ok(street("override", "release", number))


def test_a_draft_is_kept_and_sent(street: Sep2) -> None:
    send = ("override", "send", "connection", "AU2", "--export", "1kW", "--for", "1h", "--reason", "test", "--draft")
    kept = street(*send)
    assert (kept.status, "It is kept as draft" in kept.err) == (5, True)
    number = kept.err.partition("draft ")[2].partition(",")[0]
    sent = ok(street("approval", "send", number)).out
    assert f"Request {number} is approved, and done by local." in sent
    ok(street("override", "extend", "latest", "--for", "1h"))
    ok(street("override", "release", "latest"))
    ok(street("override", "release", sent.partition("Override ")[2].partition(" ")[0]))


def test_a_rule_guarantees_a_least_load(street: Sep2) -> None:
    said = ok(street("device", "set", lfdi_of("AU2"), "--floor", "de-14a", "--loads", "2")).out
    assert "no limit of its load is below 7560 W" in said
    send = ("override", "send", "connection", "AU2", "--load", "1kW", "--for", "1h", "--reason", "test", "--dry-run")
    assert "connection AU2 keeps 7560 W: a rule guarantees it" in ok(street(*send)).out
    assert street("device", "set", lfdi_of("AU2"), "--floor", "nowhere").status == 1
