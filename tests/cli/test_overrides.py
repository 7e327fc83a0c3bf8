"""`sep2 override`, and where `sep2 control send` goes."""

import pytest

from tests.cli.conftest import Said, Sep2, lfdi_of

DEVICE = lfdi_of("Overruled")


def ok(said: Said) -> Said:
    assert said.status == 0, said.err
    return said


@pytest.fixture
def street(sep2: Sep2) -> Sep2:
    """An aggregator with a device at OV1; what is there already stays."""
    sep2("aggregator", "add", "Overruled", "--lfdi", lfdi_of("Overruled client"))
    sep2("connection", "add", "OV1")
    sep2("device", "add", "--client", "Overruled", "--lfdi", DEVICE, "--connection", "OV1")
    return sep2


def test_an_override_from_dry_run_to_release(street: Sep2) -> None:
    ok(street("default", "set", "--connection", "OV1", "--export", "1.5kW"))
    before = ok(street("override", "list", "--json")).json["total"]
    send = ("override", "send", "--connection", "OV1", "--export", "0", "--for", "2h", "--reason", "overload")
    tried = ok(street(*send, "--dry-run")).out
    assert "Nothing is changed; without --dry-run: Override" in tried
    assert "covers 1 connection, 1 device until" in tried
    assert "in place of default." in tried
    assert "\nAfter it: default.\nTold: " in tried
    assert "1 device at the next poll, by" in tried
    assert ok(street("override", "list", "--json")).json["total"] == before
    number = str(ok(street(*send, "--json")).json["id"])
    assert "opModExpLimW 0 W by override of connection OV1 until" in ok(street("device", "show", DEVICE)).out
    listed = ok(street("override", "list", "--json")).json["items"]
    assert [one["reason"] for one in listed if str(one["id"]) == number] == ["overload"]
    assert f"Override {number} is active, 2h long, at 1 place with 1 device" in ok(street("override", "show")).out
    assert f"Override {number} is released" in ok(street("override", "release", number)).out
    assert "opModExpLimW 1.5 kW by the default of connection OV1" in ok(street("device", "show", DEVICE)).out
    said = street("override", "release", number)
    assert (said.status, "`sep2 override list`" in said.err) == (1, True)


@pytest.mark.parametrize(
    ("why", "words", "answer"),
    [
        ("no end", ("--connection", "OV1", "--export", "0", "--reason", "test"), "--for SPAN or --until TIME"),
        ("no reason", ("--connection", "OV1", "--export", "0", "--for", "1h"), "--reason"),
        ("no scope", ("--export", "0", "--for", "1h", "--reason", "test"), "--system"),
        ("a strange reason", ("--connection", "OV1", "--export", "0", "--for", "1h", "--reason", "x"), "commissioning"),
        ("5 MW", ("--connection", "OV1", "--export", "5MW", "--for", "1h", "--reason", "test"), "--anyway"),
    ],
)
def test_what_is_wrong_is_said_with_the_way_out(street: Sep2, why: str, words: tuple[str, ...], answer: str) -> None:
    said = street("override", "send", *words)
    assert said.status != 0, why
    assert answer in said.err


SAID_ONCE = {
    "--for 1h --until +2h --reason test": "--for and --until both say when it ends",
    "--for 1h --reason silly": "An override has a reason out of a list: --reason: 'silly' is none of",
    "--for 1h --reason other": "An override has a reason out of a list: --note: the reason other needs words",
    "--for 10d --reason test": "before it ends: --for: 10 d, and 7 d at most",
    "--for 1h --reason test --export 5MW": "or send it with --anyway: --export: 5000000 W",
    "--for 1h --reason other --note {long}": "Error: --note: Expected str of length <= 160",
}


@pytest.mark.parametrize("words", SAID_ONCE)
def test_a_refusal_names_the_option_that_it_is_about(street: Sep2, words: str) -> None:
    """Not the field of the API, which nobody has typed, and nothing twice."""
    given = ["override", "send", "--connection", "OV1", "--export", "0", *words.format(long="x" * 200).split()]
    said = street(*given)
    assert said.status != 0
    plain = " ".join(said.err.replace("│", " ").split())
    assert SAID_ONCE[words] in plain
    assert "limits.export_w" not in plain
    assert "route" not in plain


def test_an_override_of_many_says_that_one_of_a_single_place_goes_before_it(street: Sep2) -> None:
    narrow = ok(street("override", "send", "--connection", "OV1", "--export", "50", "--for", "1h", "--reason", "test"))
    number = narrow.out.partition("Override ")[2].partition(" ")[0]
    wide = ("override", "send", "--aggregator", "Overruled", "--export", "70", "--for", "2h", "--reason", "test")
    try:
        said = ok(street(*wide, "--dry-run")).out
        assert f"Where both hold, override {number} of OV1 goes before it" in said
    finally:
        ok(street("override", "release", number))


def test_each_part_of_an_override_names_what_it_takes_the_place_of(street: Sep2) -> None:
    ok(street("default", "set", "--connection", "OV1", "--export", "1.5kW"))
    ok(street("control", "send", "--connection", "OV1", "--export", "1kW", "--start", "+30m", "--for", "10m"))
    send = ("override", "send", "--connection", "OV1", "--export", "1.2kW", "--for", "1h", "--reason", "test")
    (place,) = ok(street(*send, "--dry-run", "--json")).json["places"]
    assert [part["replaces"] for part in place["parts"]] == [["default"], ["schedule"], ["default"]]
    assert place["replaces"] == ["default", "schedule"]


def test_a_control_to_a_group_names_where_something_more_important_holds(street: Sep2) -> None:
    street("group", "create", "ov feeder", "--primacy", "9")
    street("group", "assign", "ov feeder", DEVICE)
    ok(street("control", "send", "--connection", "OV1", "--export", "100", "--for", "1h"))
    send = ("control", "send", "--group", "ov feeder", "--export", "1kW", "--for", "10m", "--dry-run")
    assert "More important there, at least for a while: OV1 (schedule until" in ok(street(*send)).out
    assert "schedule of connection OV1" not in ok(street("group", "list")).out
    assert "schedule of connection OV1" in ok(street("group", "list", "--all")).out
