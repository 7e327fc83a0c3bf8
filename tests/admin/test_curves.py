"""Curves through the operator API, on each kind of database."""

from typing import Any

import pytest

from tests.admin.conftest import NOW, Operator

OWN = "/groups/connection%20NMI1"
VOLT_VAR = {"kind": "opModVoltVar", "points": [{"x": 92, "y": 44}, {"x": 98.5, "y": 0}]}


async def make(operator: Operator, body: dict[str, Any] = VOLT_VAR) -> str:
    mrid: str = (await operator.change("POST", f"{OWN}/curves", body))["mrid"]
    return mrid


async def test_a_curve_is_shown_as_it_was_said(street: Operator) -> None:
    body = VOLT_VAR | {"reference": "statVarAvail", "v_ref": 9900, "autonomous_v_ref": True, "description": "feeder 7"}
    mrid = await make(street, body)
    shown = await street.get(f"/curves/{mrid[:6]}")
    assert {name: shown[name] for name in body} == body
    assert (shown["created"], shown["removed"], shown["group"]) == (NOW, None, "connection NMI1")
    assert (await street.get("/curves", group="connection NMI1"))["items"] == [shown]
    assert (await street.get("/curves", group="connection NMI2"))["total"] == 0


async def test_modes_name_curves_by_mrid(street: Operator) -> None:
    mrid = await make(street)
    await street.change("PUT", f"{OWN}/default", {"modes": {"opModVoltVar": mrid[:8], "opModMaxLimW": 5000}})
    assert (await street.get(f"{OWN}/default"))["modes"] == {"opModVoltVar": mrid, "opModMaxLimW": 5000}
    control = {"duration": 60, "modes": {"opModVoltVar": mrid}}
    await street.change("POST", f"{OWN}/controls", {"controls": [control]})
    assert (await street.get("/controls/latest"))["modes"] == {"opModVoltVar": mrid}
    refused = await street.ask("DELETE", f"/curves/{mrid}")
    assert (refused[0], refused[1]["code"]) == (409, "curve_in_use")


async def test_what_is_in_force_is_said_mode_by_mode(street: Operator) -> None:
    """A control for one mode leaves the others of the default, and of controls beside it, as they are."""
    first, other = await make(street), await make(street, VOLT_VAR | {"points": [{"x": 98, "y": 0}]})
    await street.change("PUT", f"{OWN}/default", {"modes": {"opModVoltVar": first, "opModMaxLimW": 5000}})

    async def send(**modes: Any) -> None:
        await street.change("POST", f"{OWN}/controls", {"controls": [{"duration": 60, "modes": modes}]})

    async def in_force() -> Any:
        (own,) = (await street.get("/devices/D1D1"))["groups"]
        return own["modes"]

    assert await in_force() == {"opModVoltVar": first, "opModMaxLimW": 5000}
    await send(opModVoltVar=other)
    await send(opModEnergize=False)
    assert await in_force() == {"opModVoltVar": other, "opModMaxLimW": 5000, "opModEnergize": False}
    assert [one["modes"] for one in (await street.get("/controls"))["items"]] == [
        {"opModVoltVar": other},
        {"opModEnergize": False},
    ]
    street.advance(NOW + 60)
    assert await in_force() == {"opModVoltVar": first, "opModMaxLimW": 5000}


@pytest.mark.parametrize(
    ("modes", "code"),
    [
        ({"opModVoltVar": 1}, "bad_mode"),
        ({"opModVoltVar": {}}, "bad_mode"),
        ({"opModVoltVar": "FFFFFF"}, "unknown_curve"),
        ({"opModVoltVar": "%"}, "unknown_curve"),
        ({"opModVoltWatt": "its mRID"}, "bad_mode"),
        ({"opModFixedVar": {"refType": 4, "value": 1}}, "bad_mode"),
        ({"opModFixedPFInjectW": {"displacement": 95, "excitation": True, "multiplier": 0}}, "bad_mode"),
        ({"opModExpLimW": 5}, "bad_mode"),
    ],
)
async def test_modes_that_can_not_be_sent(street: Operator, modes: dict[str, Any], code: str) -> None:
    mrid = await make(street)
    said = {name: mrid if value == "its mRID" else value for name, value in modes.items()}
    for method, path, body in (
        ("PUT", f"{OWN}/default", {"modes": said}),
        ("POST", f"{OWN}/controls", {"controls": [{"duration": 60, "modes": said}]}),
    ):
        assert (await street.ask(method, path, body))[1]["code"] == code


@pytest.mark.parametrize(
    "change",
    [
        {"points": []},
        {"points": [{"x": n, "y": 0} for n in range(90, 101)]},
        {"points": [{"x": 1e308, "y": 0}]},
        {"points": [{"x": 98.12345678901, "y": 0}]},
        {"points": [{"x": 98}]},
        {"kind": "opModConnect"},
        {"kind": "opModVoltWatt"},
        {"reference": "statWAvail"},
        {"description": "é" * 17},
        {"v_ref": 10_001},
        {"open_loop_tms": 65_536},
    ],
)
async def test_what_is_no_curve_is_refused(street: Operator, change: dict[str, Any]) -> None:
    assert (await street.ask("POST", f"{OWN}/curves", VOLT_VAR | {"v_ref": 9900} | change))[0] == 400
    assert (await street.get("/curves"))["total"] == 0


async def test_a_dry_run_leaves_no_curve(street: Operator) -> None:
    done = await street.change("POST", f"{OWN}/curves", VOLT_VAR, dry_run="true")
    assert done["new"]
    assert (await street.get("/curves"))["total"] == 0
