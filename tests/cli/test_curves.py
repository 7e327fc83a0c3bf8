"""Curves and modes as people type them, sent through a server that runs."""

from typing import Any

import pytest
import typer

from sep2.cli import modes
from sep2.cli.curves import KINDS, kind_of, point_of
from sep2.rules.curves import MODES
from tests.cli.conftest import Said, Sep2


def ok(done: Said) -> Said:
    assert done.status == 0, done.err or done.out
    return done


@pytest.fixture
def group(sep2: Sep2, request: pytest.FixtureRequest) -> str:
    name = f"curves {request.node.name}"[:60]
    ok(sep2("group", "create", name, "--primacy", "9"))
    return name


def test_a_curve_is_made_used_replaced_and_removed(sep2: Sep2, group: str) -> None:
    create = ("curve", "create", "volt-var", "92:44", "98:0", "102:0", "108:-44", "--group", group, "--response", "5s")
    made = ok(sep2(*create, "--json")).json
    assert (made["new"], made["kind"], made["reference"], made["open_loop_tms"]) == (
        True,
        "opModVoltVar",
        "setMaxVar",
        500,
    )
    assert "says the same already" in ok(sep2(*create)).last_line
    mrid = made["mrid"]
    assert "98:0 102:0 108:-44" in ok(sep2("curve", "list", "--group", group)).out
    assert "y (% of var)" in ok(sep2("curve", "show", mrid[:8])).out

    use = ("--group", group, "--curve", mrid[:8])
    ok(sep2("default", "set", *use, "--ramp-rate", "1%", "--enter-service", "delay=300s"))
    shown = ok(sep2("default", "show", "--group", group, "--json")).json
    assert shown["modes"] == {"opModVoltVar": mrid}
    assert (shown["set_grad_w"], shown["enter_service"]) == (100, {"setESDelay": 30_000})
    assert f"opModVoltVar {mrid}" in ok(sep2("default", "show", "--group", group)).out
    refused = sep2("curve", "remove", mrid)
    assert (refused.status, "the default" in refused.err, "`sep2 default set`" in refused.err) == (1, True, True)

    sent = ok(sep2("control", "send", *use, "--max-power", "60%", "--ramp", "30s", "--for", "1h", "--json")).json
    control = ok(sep2("control", "show", sent["created"][0], "--json")).json
    assert (control["modes"], control["ramp_tms"]) == ({"opModVoltVar": mrid, "opModMaxLimW": 6000}, 3000)
    assert "opModVoltVar" in ok(sep2("control", "show", sent["created"][0])).last_line

    ok(sep2("default", "set", "--group", group))
    ok(sep2("clock", "+1h"))
    assert ok(sep2("curve", "remove", mrid)).last_line == f"Curve {mrid} of {group} is removed."
    assert ok(sep2("curve", "list", "--group", group)).last_line == "No curves."


def test_what_is_set_at_once(sep2: Sep2, group: str) -> None:
    said = ("--de-energize", "--connect", "--power", "-5kW", "--reactive", "30%", "--power-factor", "0.95:absorb")
    ok(sep2("default", "set", "--group", group, *said, "--droop", "0.036Hz:5%:5s"))
    assert ok(sep2("default", "show", "--group", group, "--json")).json["modes"] == {
        "opModConnect": True,
        "opModEnergize": False,
        "opModFixedPFInjectW": {"displacement": 9500, "excitation": True, "multiplier": -4},
        "opModFixedVar": {"refType": 2, "value": 3000},
        "opModFreqDroop": {"dBOF": 36, "dBUF": 36, "kOF": 50, "kUF": 50, "openLoopTms": 500},
        "opModTargetW": {"multiplier": 0, "value": -5000},
    }
    assert "opModEnergize false" in ok(sep2("default", "show", "--group", group)).out


def test_a_power_factor_curve_reaches_below_zero(sep2: Sep2, group: str) -> None:
    points = ("--", "-100:0.95:inject", "0:1:inject", "100:0.95:absorb")
    made = ok(sep2("curve", "create", "watt-pf", "--group", group, "--json", *points)).json
    assert [(point["x"], point["excitation"]) for point in made["points"]] == [(-100, False), (0, False), (100, True)]


@pytest.mark.parametrize(
    "words",
    [
        "curve create volt-var 92;44 --group g",
        "curve create volt-war 92:44 --group g",
        "curve create volt-var --group g",
        "curve create volt-var 92:44 --group g --of setMaxVAr",
        "default set --group g --max-power 60",
        "default set --group g --power-factor 1.1:absorb",
        "default set --group g --enter-service delay=5%",
    ],
)
def test_what_makes_no_sense_is_a_usage_error(sep2: Sep2, words: str) -> None:
    assert sep2(*words.split()).status == 2


def test_what_a_curve_can_not_be_is_said(sep2: Sep2, group: str) -> None:
    refused = sep2("curve", "create", "volt-var", "98:0", "92:44", "--group", group)
    assert (refused.status, "point 2: x 92.0 comes after 98.0" in refused.err) == (1, True)
    assert "`sep2 curve list` shows them" in sep2("default", "set", "--group", group, "--curve", "FFFFFF").err


def test_each_kind_is_typed_in_one_way_and_no_two_alike() -> None:
    assert set(KINDS.values()) == MODES.keys()
    assert {"volt-var", "watt-pf", "hvrt-momentary-cessation", "lfrt-must-trip"} <= KINDS.keys()
    assert kind_of("opModVoltVar") == kind_of("volt-var")


@pytest.mark.parametrize(
    ("parse", "text", "meant"),
    [
        (modes.hundredths, "0.25%", 25),
        (modes.hundredths, "-40%", -4000),
        (modes.power, "40%", {"opModFixedW": 4000}),
        (modes.power, "-100kW", {"opModTargetW": {"multiplier": 1, "value": -10_000}}),
        (modes.reactive, "-2kvar", {"opModTargetVar": {"multiplier": 0, "value": -2000}}),
        (modes.reactive, "10%setMaxW", {"opModFixedVar": {"refType": 1, "value": 1000}}),
        (modes.power_factor, "1:inject", {"displacement": 10_000, "excitation": False, "multiplier": -4}),
        (modes.enter_service, "low-volt=91.7%", ("setESLowVolt", 9170)),
        (modes.enter_service, "high-freq=60.1Hz", ("setESHighFreq", 6010)),
    ],
)
def test_what_is_meant(parse: Any, text: str, meant: Any) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *((modes.hundredths, text) for text in ("", "%", "60", "100.01%", "0.001%", "-101%", "٥%")),
        *((modes.power, text) for text in ("", "5kvar", "0.5W", "lots")),
        *((modes.reactive, text) for text in ("5kW", "30%setMaxV", "%")),
        *((modes.power_factor, text) for text in ("0.95", "95:absorb", "0.95:both", "0.99999:inject", ":absorb")),
        *((modes.droop, text) for text in ("0.036:5%:5s", "0.0001Hz:5%:5s", "0.036Hz:5%", "0.036Hz:5%:soon")),
        *((modes.enter_service, text) for text in ("delay", "delay=", "delay=300", "low-volt=92V", "=5s")),
        *((point_of, text) for text in ("", "5", "a:b", "1:2:3", "1:2:absorb:4")),
    ],
)
def test_what_is_not_clear_is_refused(parse: Any, text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse(text)
