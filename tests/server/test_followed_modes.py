"""Modes that were sent are compared with what the device's own meter shows: V, W and var of each interval."""

import math

import pytest

from sep2.rules.set_modes import Checked, Fit, Line, Seen, Sizes, check
from sep2.store import alarms
from sep2.wire import DERUnitRefType
from tests.raw import document
from tests.server.meters import DER, SITE, V, W, mirror, post, read, reading_type
from tests.server.operator import operating
from tests.server.world import NOW

VAR = 63
NOON = NOW + 7200
SIZES = Sizes(max_w=5000.0, max_va=5500.0, max_var=2500.0, v_ref=230.0)
VOLT_VAR = Line([(92.0, 44.0), (98.0, 0.0), (102.0, 0.0), (108.0, -44.0)], DERUnitRefType.setMaxW)
VOLT_WATT = Line([(106.0, 100.0), (110.0, 20.0)], DERUnitRefType.setMaxW)
FACTOR = {"displacement": 95, "multiplier": -2, "excitation": True}


@pytest.mark.parametrize(
    ("mode", "value", "seen", "fit"),
    [
        ("opModVoltVar", VOLT_VAR, Seen(248.4, 3000, -2200), Fit.FITS),
        ("opModVoltVar", VOLT_VAR, Seen(248.4, 3000, 0), Fit.MISFIT),
        ("opModVoltVar", VOLT_VAR, Seen(248.4, 3000, 2200), Fit.MISFIT),
        ("opModVoltVar", VOLT_VAR, Seen(230.0, 3000, 0), Fit.FITS),
        ("opModVoltVar", VOLT_VAR, Seen(248.4, 100, 0), Fit.UNKNOWN),
        ("opModVoltVar", VOLT_VAR, Seen(None, 3000, 0), Fit.UNKNOWN),
        ("opModVoltVar", VOLT_VAR, Seen(170.0, 3000, 0), Fit.UNKNOWN),
        # The reference is between conductors, and the meter measures one to neutral.
        ("opModVoltVar", VOLT_VAR, Seen(248.4 / math.sqrt(3), 3000, -2200), Fit.FITS),
        ("opModVoltVar", VOLT_VAR, Seen(106.0, 3000, 2200), Fit.FITS),
        # Watts leave less of its rating than the curve asks for.
        ("opModVoltVar", VOLT_VAR, Seen(248.4, 5400, -1045), Fit.FITS),
        ("opModVoltWatt", VOLT_WATT, Seen(253.0, 1200), Fit.FITS),
        ("opModVoltWatt", VOLT_WATT, Seen(253.0, 4800), Fit.MISFIT),
        ("opModFixedPFInjectW", FACTOR, Seen(None, 4000, -1315), Fit.FITS),
        ("opModFixedPFInjectW", FACTOR, Seen(None, 4000, 1315), Fit.MISFIT),
        ("opModFixedPFInjectW", FACTOR, Seen(None, -4000, 1315), Fit.UNKNOWN),
        ("opModFixedPFAbsorbW", FACTOR, Seen(None, -4000, -1315), Fit.FITS),
        ("opModFixedVar", {"refType": 2, "value": 5000}, Seen(None, 3000, 1250), Fit.FITS),
        ("opModFixedVar", {"refType": 2, "value": 5000}, Seen(None, 3000, 0), Fit.MISFIT),
        ("opModTargetVar", {"value": -8, "multiplier": 2}, Seen(None, 3000, -800), Fit.FITS),
        ("opModFixedW", 4000, Seen(None, 1900), Fit.FITS),
        ("opModFixedW", 4000, Seen(None, 3000), Fit.MISFIT),
        ("opModTargetW", {"value": -2000, "multiplier": 0}, Seen(None, 2000), Fit.MISFIT),
        ("opModConnect", False, Seen(None, 900), Fit.MISFIT),
        ("opModConnect", True, Seen(None, 900), Fit.UNKNOWN),
        ("opModFreqDroop", {}, Seen(None, 900, 0), Fit.UNKNOWN),
    ],
)
def test_an_interval_fits_a_mode_or_not_or_can_not_tell(mode, value, seen, fit):
    found = check(mode, value, seen, SIZES)
    assert found.fit is fit, found
    assert bool(found.why) == (fit is Fit.UNKNOWN)


def test_of_two_reactive_modes_at_once_none_is_judged():
    both = ("opModVoltVar", "opModFixedVar")
    found = check("opModVoltVar", VOLT_VAR, Seen(248.4, 3000, 0), SIZES, held=both)
    assert found == Checked("opModVoltVar", Fit.UNKNOWN, why="several modes of reactive power are in force at once")


@pytest.fixture
async def desk(people, on_either, tmp_path):
    async with operating(people, on_either, tmp_path, utility={"poll_rates": {"DERProgramList": 120}}) as desk:
        yield desk


class Inverter:
    """The device at NMI1, rated 5 kW, with a meter of its own."""

    def __init__(self, desk, raw, at):
        self.desk, self.raw, self.at = desk, raw, at
        self.lfdi, self.minute = desk.world.ids.lfdis["one"], 0

    @classmethod
    async def open(cls, desk, flags=DER):
        raw = await desk.world.as_("sunny")
        said = "<setGradW>0</setGradW><setMaxVA><multiplier>0</multiplier><value>5500</value></setMaxVA>"
        said += "<setMaxW><multiplier>0</multiplier><value>5000</value></setMaxW>"
        said += f"<setVRef><multiplier>0</multiplier><value>230</value></setVRef><updatedTime>{NOW}</updatedTime>"
        path = f"/edev/{desk.world.ids.devices['one']}/der/1/derg"
        assert (await raw.put(path, document("DERSettings", said))).status == 204
        types = {"0C01": reading_type(W), "0C02": reading_type(VAR), "0C03": reading_type(V)}
        at = await mirror(raw, desk.world.ids.lfdis["one"], flags=flags, types=types)
        return cls(desk, raw, at)

    async def prove(self):
        number = self.at.rpartition("/")[2]
        await self.desk.operator.change("PUT", f"/mirrors/{number}/reading-sign", {"reading_sign": "as-posted"})

    async def sent(self, modes):
        await self.desk.operator.change("PUT", "/groups/connection NMI1/default", {"modes": modes})

    async def after(self, volts, watts, var):
        """The alarms after five more minutes; generation and injected var positive, None: nothing is posted."""
        start = NOON + 60 * self.minute
        for series, value in (("0C01", watts), ("0C02", var), ("0C03", volts)):
            if value is not None:
                value = value if series == "0C03" else -value
                await post(self.raw, self.at, series, read(f"{60 + self.minute:02X}", start, [(300, value)]))
        self.minute += 5
        world = self.desk.world
        world.advance(start + 300 + world.state.judge.settles_after_s)
        await world.state.judge.once()
        async with world.state.db.read() as db:
            return {row.subject: row.detail for row in await alarms.standing_of(db, "setting_not_followed")}

    async def shown(self):
        path = f"/devices/{self.lfdi}/modes?from={NOON}&until={NOON + 60 * self.minute}"
        return (await self.desk.operator.get(path))["items"]


async def test_a_curve_that_measurements_contradict_twice_is_an_alarm_until_one_shows_it_followed(desk):
    inverter = await Inverter.open(desk)
    points = [{"x": x, "y": y} for x, y in VOLT_VAR.points]
    new = {"kind": "opModVoltVar", "points": points, "reference": "setMaxW"}
    made = await desk.operator.change("POST", "/groups/connection NMI1/curves", new)
    await inverter.sent({"opModVoltVar": made["mrid"]})
    desk.world.advance(NOON)
    await desk.world.state.judge.once()
    assert await inverter.after(230, 3000, 0) == {}
    assert {one["why"] for one in await inverter.shown()} == {"the sign of its readings is not proven"}
    await inverter.prove()
    lfdi = inverter.lfdi
    assert await inverter.after(230, 3000, 0) == {}, "no var is what the curve asks for at this voltage"
    assert await inverter.after(248, 3000, 0) == {}
    told = await inverter.after(248, 3000, 0)
    assert told.keys() == {lfdi}
    assert told[lfdi].startswith("opModVoltVar: 0 var measured, -2200 to ")
    assert await inverter.after(248, 3000, None) == told, "what is not measured says nothing"
    assert await inverter.after(230, 3000, 0) == told, "nor does a voltage at which nothing is asked for"
    assert await inverter.after(248, 3000, -2100) == {}
    fits = [one["fit"] for one in await inverter.shown()]
    assert fits[1:] == ["fits", "does not fit", "does not fit", "unknown", "fits", "fits"]
    # Withdrawn while it is not followed: nothing is asked for any more.
    for _ in range(2):
        told = await inverter.after(248, 3000, 0)
    assert told
    await inverter.sent({})
    assert await inverter.after(248, 3000, 0) == {}


async def test_a_set_point_is_compared_from_when_the_device_must_know_it_and_needs_its_own_meter(desk):
    site = await Inverter.open(desk, flags=SITE)
    await site.prove()
    control = {"start": NOON, "duration": 3600, "limits": {}, "modes": {"opModFixedW": 2000}}
    desk.world.advance(NOON - 60)
    await desk.operator.change("POST", "/connections/NMI1/controls", {"controls": [control], "reason": "test"})
    await desk.world.state.judge.once()
    for _ in range(3):
        assert await site.after(None, 4000, None) == {}
    shown = await site.shown()
    assert [one["start"] for one in shown] == [NOON + 300, NOON + 600], "not while it may not have heard of it"
    assert {one["why"] for one in shown} == {"no meter of the device itself posts W"}
