"""Rounds of the engine while operators overrule envelopes at random moments, and room for what they send."""

import pytest

from envelope.operation import cycle, limits_in_force
from envelope.operation.preview import status_of
from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.groups import NewGroup, assign, create_group
from sep2.operations.overrides import NewOverride, Terms, send
from sep2.rules.limits import Limits
from sep2.store import alarms, connections, controls, groups
from tests.envelope.cases import START, STEP_S, street
from tests.envelope.overruling import Day


@pytest.mark.parametrize("seed", range(3))
async def test_no_round_takes_an_overrides_place_and_the_envelope_is_intact_after_each(at_hand, told, problem, seed):
    day = Day(at_hand, told.cycle(at_hand), problem, seed)
    await day.play(steps=problem.steps)
    assert day.checked > 0


async def over(database, name, export_w, now, seconds, **more):
    async with database.write() as db:
        place = await connections.by_name(db, name)
        new = NewOverride(
            scope="connection", subject=name, subject_id=place.id, limits=Limits(export_w=export_w), start=now,
            end=now + seconds, reason="test", **more,
        )  # fmt: skip
        return await send(db, new, now, Terms())


async def test_an_emergency_limit_to_a_feeder_is_not_refused_because_the_engine_filled_its_horizon(registered):
    """The engine leaves two of a device's controls, and what it published is told more coarsely for more."""
    long = street(customers=3, steps=48)
    await cycle.Cycle(registered, "street", lambda _: long).run_once(START)
    async with registered.write() as db:
        feeder = await create_group(db, NewGroup("feeder", "FD", 7), START)
        for name in long.connection_id:
            own = (await connections.by_name(db, name)).device_group_id
            for device in await groups.member_ids(db, own):
                await assign(db, feeder, device, START)
        ahead = max((await controls.ahead_per_device(db, feeder, START)).values())
        assert ahead <= 22
        for number in range(6):
            new = NewControl(start=START + 60 + 60 * number, duration=60, limits=Limits(export_w=number))
            await issue_controls(db, feeder, [new], START)
        assert max((await controls.ahead_per_device(db, feeder, START)).values()) <= 24
    rounds = cycle.Cycle(registered, "street", lambda _: long)
    assert (await rounds.run_once(START + STEP_S)).failure == ""
    await over(registered, "c1", 0, START + STEP_S, 600)


async def test_a_limit_of_an_operator_that_the_network_can_not_hold_is_an_alarm_and_is_not_touched(registered, told):
    await told.cycle(registered).run_once(START)
    async with registered.write() as db:
        place = await connections.by_name(db, "c1")
        schedule = await groups.of_connection(db, place.id, "schedule")
        new = NewControl(start=START, duration=STEP_S * 4, limits=Limits(import_w=90_000, export_w=90_000))
        (sent,) = (await issue_controls(db, schedule.id, [new], START)).created
    await told.cycle(registered).run_once(START + STEP_S)
    async with registered.read() as db:
        stands = await controls.one(db, sent)
        found = {row.code: row.detail for row in await alarms.standing(db)}
        imports, exports = await limits_in_force.in_force(db, told.problem.connection_id, START + STEP_S)
        column = list(told.problem.connection_id).index("c1")
        standing = await status_of(db, "c1", START + STEP_S)
    assert (stands.cancelled, stands.successor_created) == (None, None)
    assert (imports[column], exports[column]) == (90_000, 90_000)
    assert (standing.now.export_w, standing.is_ours) == (90_000, False)
    assert "c1" in found.get("operator_control", ""), found
