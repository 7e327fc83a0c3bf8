"""Modes that limits rely on: published in the connection's program, and credited only where they are followed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from envelope.operation.measurements import Measured, Quantity
from envelope.problem import AsForecast, ConstantVar, Credit, FixedPowerFactor, VoltVar, VoltWatt
from gridmodel.flow.inverters import Curve
from sep2 import wire as w
from sep2.operations.controls import limits_of
from sep2.operations.defaults import Beside, set_default
from sep2.operations.documents import put_der_document
from sep2.store import connections, curves, defaults, devices
from tests.envelope.cases import START, STEP_S
from tests.envelope.rounds import alarms_of

NAMES = ("c1", "c2", "c3")
SIZE = np.full(3, 4_000.0)
VARS = Curve(((207.0 / 230.0, 0.5), (220.0 / 230.0, 0.0), (235.0 / 230.0, 0.0), (250.0 / 230.0, -0.5)))
WATTS = Curve(((250.0 / 230.0, 1.0), (255.0 / 230.0, 0.2)))
POLICIES = {
    "opModFixedPFInjectW": FixedPowerFactor(0.95),
    "opModFixedVar": ConstantVar(np.full(3, -500.0)),
    "opModVoltVar": VoltVar(SIZE, Credit.DECLARED, VARS, declared_by="A. Engineer"),
    "opModVoltWatt": VoltWatt(SIZE, Credit.DECLARED, WATTS, declared_by="A. Engineer"),
}


async def group_of(db, name):
    return (await connections.by_name(db, name)).device_group_id


async def modes_at(database, name):
    async with database.read() as db:
        row = await defaults.of_group(db, await group_of(db, name))
    return json.loads(row.modes)


async def enable(database, *modes, names=NAMES, at=START):
    """The devices there write DERSettings with these modes enabled, and a rating."""
    bits = w.HexBinary(sum(int(w.DERControlType[mode]) for mode in modes), 4)
    said = w.DERSettings(
        setGradW=100, setMaxW=w.ActivePower(multiplier=0, value=5000), updatedTime=at, modesEnabled=bits
    )
    async with database.write() as db:
        for row in await devices.at_connections(db, names):
            body = w.encode(said, profile=w.Profile.CSIP)
            await put_der_document(db, row.id, "DERSettings", body, now=at, reported={"set_max_w": 5000})


def credited(outcome):
    return outcome.schedule.guarantee


@pytest.mark.parametrize("mode", POLICIES)
async def test_a_mode_is_published_and_credited_once_it_is_enabled_and_only_while(at_hand, told, mode):
    told.problem = replace(told.problem, reactive=POLICIES[mode])
    await enable(at_hand)
    rounds = told.cycle(at_hand)
    first = await rounds.run_once(START)
    for name in NAMES:
        assert mode in await modes_at(at_hand, name)
    assert "mode_not_followed" in await alarms_of(at_hand)
    whole = replace(told.problem, reactive=AsForecast())
    assert first.schedule.export_room_w.sum() <= 1.001 * (await told_room(whole))

    await enable(at_hand, mode)
    second = await rounds.run_once(START + STEP_S)
    assert "mode_not_followed" not in await alarms_of(at_hand)
    assert credited(second) == f"two-sided | {POLICIES[mode].said}"

    await enable(at_hand, mode, "opModConnect", names=("c1", "c3"))
    await enable(at_hand, "opModConnect", names=("c2",))
    third = await rounds.run_once(START + 2 * STEP_S)
    assert credited(third) != credited(second)
    assert "at 2 of 3 connections" in credited(third)
    assert (await alarms_of(at_hand))["mode_not_followed"].startswith(
        f"mode_not_followed: {mode} is not published there"
    )
    assert "c2" in (await alarms_of(at_hand))["mode_not_followed"]


async def told_room(problem):
    from envelope import calculate

    return calculate(problem).export_room_w.sum()


async def test_what_is_published_says_what_limits_count_on(registered, told):
    await enable(registered)
    for mode, policy in POLICIES.items():
        told.problem = replace(told.problem, reactive=policy)
        await told.cycle(registered).run_once(START)
        assert set(await modes_at(registered, "c2")) == {mode}
    told.problem = replace(told.problem, reactive=POLICIES["opModFixedPFInjectW"])
    await told.cycle(registered).run_once(START + 10)
    said = await modes_at(registered, "c2")
    assert said == {"opModFixedPFInjectW": {"displacement": 950, "excitation": True, "multiplier": -3}}
    told.problem = replace(told.problem, reactive=POLICIES["opModFixedVar"])
    await told.cycle(registered).run_once(START + 20)
    assert await modes_at(registered, "c2") == {"opModFixedVar": {"refType": 1, "value": -1000}}
    told.problem = replace(told.problem, reactive=POLICIES["opModVoltVar"])
    await told.cycle(registered).run_once(START + 30)
    number = (await modes_at(registered, "c2"))["opModVoltVar"]
    async with registered.read() as db:
        curve = await curves.one(db, number)
    factor_x, factor_y = 10.0**curve.x_multiplier, 10.0**curve.y_multiplier
    points = [(x * factor_x, y * factor_y) for x, y in json.loads(curve.points)]
    assert points == [pytest.approx(one) for one in ((90.0, 50.0), (95.652, 0.0), (102.174, 0.0), (108.696, -50.0))]


async def test_an_operators_modes_stay_and_a_plan_without_one_withdraws_its_own(at_hand, told):
    async with at_hand.write() as db:
        group = await group_of(db, "c2")
        row = await defaults.of_group(db, group)
        await set_default(
            db, group, limits_of(row), now=START - 10, beside=Beside(modes={"opModFixedW": 5_000}, set_grad_w=77)
        )
    told.problem = replace(told.problem, reactive=POLICIES["opModFixedPFInjectW"])
    await told.cycle(at_hand).run_once(START)
    assert (await modes_at(at_hand, "c2")).keys() == {"opModFixedW", "opModFixedPFInjectW"}
    told.problem = replace(told.problem, reactive=AsForecast())
    await told.cycle(at_hand).run_once(START + STEP_S)
    assert await modes_at(at_hand, "c2") == {"opModFixedW": 5_000}
    assert await modes_at(at_hand, "c1") == {}
    async with at_hand.read() as db:
        assert (await defaults.of_group(db, group)).set_grad_w == 77


@pytest.mark.parametrize(
    ("mode", "silent", "answers"),
    [
        ("opModVoltVar", {Quantity.VOLTAGE: 248.0, Quantity.VAR: 0.0},
         {Quantity.VOLTAGE: 248.0, Quantity.VAR: 1_800.0}),
        ("opModVoltWatt", {Quantity.VOLTAGE: 252.9, Quantity.POWER: -3_900.0},
         {Quantity.VOLTAGE: 252.9, Quantity.POWER: -1_500.0}),
        ("opModFixedPFInjectW", {Quantity.POWER: -4_000.0, Quantity.VAR: 0.0},
         {Quantity.POWER: -4_000.0, Quantity.VAR: 1_300.0}),
        ("opModFixedVar", {Quantity.VAR: 0.0}, {Quantity.VAR: 600.0}),
    ],
)  # fmt: skip
async def test_measured_var_or_watts_withdraw_the_credit_and_give_it_back(at_hand, told, mode, silent, answers):
    told.problem = replace(told.problem, reactive=POLICIES[mode])
    await enable(at_hand, mode)
    await told.cycle(at_hand).run_once(START)
    rounds = told.cycle(at_hand)
    whole = await rounds.run_once(START + STEP_S)
    assert "at 2 of 3" not in credited(whole)

    def measured(values, start):
        return [Measured("c2", quantity, start, 300, value) for quantity, value in values.items()]

    told.found = measured(silent, START + STEP_S)
    lost = await rounds.run_once(START + STEP_S + 600)
    assert "at 2 of 3 connections" in credited(lost)
    assert "c2" in (await alarms_of(at_hand))["mode_not_followed"]

    told.found = []
    still = await told.cycle(at_hand).run_once(START + 2 * STEP_S)
    assert "at 2 of 3 connections" in credited(still)

    told.found = measured(answers, START + 2 * STEP_S)
    back = await rounds.run_once(START + 2 * STEP_S + 600)
    assert "at 2 of 3" not in credited(back)


async def test_a_declared_share_without_a_name_is_never_credited(at_hand, told):
    told.problem = replace(told.problem, reactive=VoltVar(SIZE, Credit.DECLARED, VARS))
    await enable(at_hand, "opModVoltVar")
    await told.cycle(at_hand).run_once(START)
    found = await told.cycle(at_hand).run_once(START + STEP_S)
    assert credited(found) == "two-sided | volt-var counted, not credited"
