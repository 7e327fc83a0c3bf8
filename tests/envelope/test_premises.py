"""An envelope stands while its premises hold, however old; where one is broken, safe limits take its place."""

import json
from dataclasses import replace

import numpy as np
import pytest

from envelope.constraints.monitored_feeder import monitor
from envelope.operation import mode
from envelope.operation.limits_in_force import with_limits_in_force
from envelope.operation.measurements import HEAD, Measured, Quantity
from envelope.operation.mode import Mode, OperatingState, StaticLimits
from envelope.problem import HeadVoltageMargin
from envelope.schedule import findings
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.defaults import set_default
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.groups import NewGroup, assign, create_group
from sep2.operations.plans import planned_until
from sep2.rules.limits import Limits
from sep2.server import chain_watch
from sep2.store import alarms, audits, connections
from tests.envelope.cases import START, STEP_S, street
from tests.envelope.rounds import add_contract, alarms_of, default_of, limits_at, mirrored, planned


async def test_abnormal_topology_means_defaults_for_all_until_it_is_normal(registered, told):
    rounds = told.cycle(registered)
    first = await rounds.run_once(START)
    assert await limits_at(registered, "c2", START) == planned(first, "c2", 0)
    told.operating = OperatingState(abnormal="feeder 7 is fed from the north")
    now = START + 100
    out = await rounds.run_once(now)
    assert [one.assumption for one in out.violated] == ["topology"]
    for name in told.problem.connection_id:
        for at in (now, START + 7 * STEP_S, START + 8 * STEP_S + 1):
            assert await limits_at(registered, name, now, at) == await default_of(registered, name)
    assert await alarms_of(registered) == {"topology_abnormal": "feeder 7 is fed from the north"}
    again = await rounds.run_once(now + 10)
    assert (again.published.created, again.published.superseded) == (0, 0)

    told.operating = OperatingState()
    back = await rounds.run_once(START + STEP_S)
    for step in (1, 5):
        at = START + step * STEP_S
        assert await limits_at(registered, "c2", START + STEP_S, at) == planned(back, "c2", step)
    assert await alarms_of(registered) == {}
    # What safe limits said beyond the plan's horizon is the default's to say.
    beyond = await limits_at(registered, "c2", START + STEP_S, START + 8 * STEP_S)
    assert beyond == await default_of(registered, "c2")


async def test_limits_that_replaced_an_envelope_are_counted_when_it_comes_back(registered, told):
    async with registered.write() as db:
        for name in ("c2", "c3"):
            await add_contract(db, name, 9000)
    rounds = told.cycle(registered)
    await rounds.run_once(START)
    told.operating = OperatingState(Mode.CONTRACT)
    await rounds.run_once(START + 60)
    told.operating = OperatingState()
    out = await rounds.run_once(START + STEP_S)
    assert (out.failure, int(out.schedule.step_start[0])) == ("", START + STEP_S)
    async with registered.read() as db:
        counted = await with_limits_in_force(db, told.problem, START + STEP_S)
    assert counted.in_force_export_w[1] >= 9000.0
    assert out.schedule.run_id == rounds.verified.schedule.run_id
    assert out.report.inside


async def test_envelopes_come_back_also_from_limits_that_the_feeder_can_not_bear(at_hand, told):
    """With what is held counted in, a corner of this street is beyond its limits whatever is published."""
    told.problem = street(customers=6, steps=4, seed=1, flex_gen_w=np.full((4, 6), 90_000.0))
    async with at_hand.write() as db:
        for name in ("c4", "c5", "c6"):
            await add_connection(db, NewConnection(name), START - 60)
            await add_device(db, NewDevice(f"{name[1]}C" * 20, 1, name), START - 60)
        for name in told.problem.connection_id:
            await add_contract(db, name, 90_000)
    told.operating = OperatingState(Mode.CONTRACT)
    rounds = told.cycle(at_hand)
    await rounds.run_once(START)
    told.operating = OperatingState()
    out = await rounds.run_once(START + 60)
    assert (out.failure, findings.HELD in out.schedule.findings) == ("", True)
    assert (await limits_at(at_hand, "c1", START + 60))[1] < 40_000
    assert set(await alarms_of(at_hand)) == {"infeasible_firm"}
    await rounds.run_once(START + STEP_S)
    assert await alarms_of(at_hand) == {}


async def test_safe_limits_may_be_the_contract_of_the_register_or_of_the_plan(registered, told):
    told.problem = replace(
        told.problem, firm_import_w=np.array([4000.0, 4100.0, 4200.0]), firm_export_w=np.full(3, 900.0)
    )
    rounds = told.cycle(registered)
    await rounds.run_once(START)
    told.operating = OperatingState(abnormal="x", safe=StaticLimits.CONTRACT)
    await rounds.run_once(START + 60)
    assert await limits_at(registered, "c1", START + 60) == (4000, 1500)
    assert await limits_at(registered, "c3", START + 60) == (4200, 900)


async def test_what_the_engine_decides_is_in_the_audit_log(registered, told):
    rounds = told.cycle(registered)
    run = (await rounds.run_once(START)).schedule.run_id
    await rounds.run_once(START + 1)
    told.operating = OperatingState(abnormal="feeder 7 is fed from the north")
    await rounds.run_once(START + 60)
    async with registered.read() as db:
        rows = await audits.following(db, 0, 10)
        assert (await chain_watch.check(db)).broken_at is None
    assert [(row.operator, row.verb, row.subject) for row in rows] == [
        ("engine", "publish_envelope", "/feeders/street"),
        ("engine", "publish_safe_limits", "/feeders/street"),
    ]
    first, second = (json.loads(row.detail)["answered"] for row in rows)
    assert (first["run"], first["connections"], first["created"] > 0) == (run, 3, True)
    assert "fed from the north" in second["because"]


async def test_a_connection_without_any_safe_limit_keeps_what_it_has_and_is_named(registered, told):
    told.operating = OperatingState(Mode.CONTRACT)
    out = await told.cycle(registered).run_once(START)
    assert out.published.connections == 0
    assert (await alarms_of(registered))["no_safe_limits"].endswith("of c1, c2, c3 is known")


async def test_a_feeder_that_has_changed_invalidates_and_a_new_plan_goes_on(at_hand, told):
    rounds = told.cycle(at_hand)
    await rounds.run_once(START)
    told.changed = "feeder x has changed"
    out = await rounds.run_once(START + 60)
    assert str(out.violated[0]) == "feeder: feeder x has changed"
    assert await limits_at(at_hand, "c1", START + 60) == await default_of(at_hand, "c1")
    told.changed, told.problem = "", replace(told.problem, base_load_w=told.problem.base_load_w + 10.0)
    out = await rounds.run_once(START + STEP_S)
    assert await limits_at(at_hand, "c1", START + STEP_S) == planned(out, "c1", 1)


async def test_what_is_switched_counts_even_where_nothing_can_be_calculated(registered, told):
    await told.cycle(registered).run_once(START)
    told.problem, told.operating = None, OperatingState(abnormal="a fault")
    fresh = told.cycle(registered)  # as after a restart: not even the connections are known
    out = await fresh.run_once(START + 60)
    assert out.published.connections == 3
    assert await limits_at(registered, "c3", START + 60) == await default_of(registered, "c3")
    told.operating = OperatingState()
    before = await limits_at(registered, "c3", START + 120)
    assert "the forecast has gone" in (await fresh.run_once(START + 120)).failure
    assert await limits_at(registered, "c3", START + 120) == before


async def test_age_alone_and_a_state_that_can_not_be_read_end_nothing(at_hand, told, tmp_path):
    rounds = told.cycle(at_hand)
    out = await rounds.run_once(START)
    (tmp_path / mode.FILE).write_text("{")
    rounds.operating_state = lambda: mode.read(tmp_path)
    assert "envelope-state.json" in (await rounds.run_once(START + 6 * STEP_S)).failure
    assert await limits_at(at_hand, "c1", START + 6 * STEP_S) == planned(out, "c1", 6)


def volts(value, start, place="c1", duration=300):
    return Measured(place, Quantity.VOLTAGE, start, duration, value)


async def test_a_measured_breach_invalidates_until_it_was_calm_and_seen_inside(at_hand, told):
    rounds = told.cycle(at_hand)
    told.found = [volts(260.0, START)]  # before every client had its envelope: such is why there are any
    assert (await rounds.run_once(START)).violated == ()
    breach = START + STEP_S
    told.found.append(volts(253.4, breach))  # within what a meter may be off
    assert (await rounds.run_once(breach + 400)).violated == ()
    told.found.append(volts(254.1, breach + 300))
    out = await rounds.run_once(breach + 700)
    assert str(out.violated[0]).startswith("measured: 254.1 V at c1")
    told.found.append(volts(240.0, breach + 600))
    assert (await rounds.run_once(breach + 1000)).violated != ()
    calm = breach + 600 + 3600
    assert (await rounds.run_once(calm)).violated == ()
    assert await alarms_of(at_hand) == {}


async def test_a_breach_that_nobody_has_seen_end_goes_on(at_hand, told):
    rounds = told.cycle(at_hand)
    await rounds.run_once(START)
    told.found = [volts(200.0, START + STEP_S)]
    assert (await rounds.run_once(START + STEP_S + 300)).violated
    assert (await rounds.run_once(START + STEP_S + 2 * 3600)).violated


@pytest.mark.parametrize(
    ("margin", "inside", "outside"), [(HeadVoltageMargin(0.95, 1.02), 0.96, 0.94), (None, 0.995, 0.985)]
)
async def test_the_head_voltage_has_a_band(at_hand, told, margin, inside, outside):
    told.problem = replace(told.problem, margins=() if margin is None else (margin,))
    taken = float(np.abs(told.problem.reduced.network.source.v).min())
    rounds = told.cycle(at_hand)
    await rounds.run_once(START)
    told.found = [volts(inside * taken, START + STEP_S, HEAD)]
    assert (await rounds.run_once(START + STEP_S + 300)).violated == ()
    told.found.append(volts(outside * taken, START + STEP_S + 300, HEAD))
    (broken,) = (await rounds.run_once(START + STEP_S + 600)).violated
    assert (broken.assumption, "the head of the feeder" in broken.detail) == ("head_voltage", True)


async def test_a_measured_current_is_held_against_its_rating(at_hand, told):
    watched = monitor(told.problem)
    place, rating = watched.current_names[0], float(watched.rating_a[0])
    rounds = told.cycle(at_hand)
    await rounds.run_once(START)
    amperes = [Measured(place, Quantity.CURRENT, START + STEP_S, 300, part * rating) for part in (1.005, 1.02)]
    told.found = amperes[:1]
    assert (await rounds.run_once(START + STEP_S + 300)).violated == ()
    told.found = amperes
    assert place in (await rounds.run_once(START + STEP_S + 310)).violated[0].detail


async def test_voltage_that_a_clients_meter_posts_is_a_measurement(registered, told):
    rounds = told.cycle(registered, mirrors=True)
    await rounds.run_once(START)
    await mirrored(registered, (29, 1, 258), start=START + STEP_S)
    (broken,) = (await rounds.run_once(START + STEP_S + 300)).violated
    assert "258.0 V at c1" in broken.detail


async def test_power_beyond_reach_is_an_unregistered_device_until_it_is_gone(registered, told):
    """c1 can export 10 kW and import 14 kW beyond its base load."""
    rounds = told.cycle(registered, mirrors=True)
    await mirrored(registered, (38, 1, 15_000))
    out = await rounds.run_once(START + 300)
    assert (out.failure, await alarms_of(registered)) == ("", {})
    await mirrored(registered, (38, 1, 0), (38, 19, 10_800), start=START + 300)
    await rounds.run_once(START + 600)
    async with registered.read() as db:
        (alarm,) = await alarms.standing(db)
    assert (alarm.code, alarm.subject) == ("unregistered_device", "c1")
    assert alarm.detail.startswith("export of 10800 W")
    # An inverter's own meter is not the connection's.
    await mirrored(registered, (38, 19, 99_000), role=0x49, mrid="B2" * 16, start=START + 400)
    await mirrored(registered, (38, 1, 300), (38, 19, 0), start=START + 600)
    await rounds.run_once(START + 900)
    assert await alarms_of(registered) == {}


async def test_what_the_contract_breaks_and_what_the_base_load_breaks_are_two_alarms(at_hand, told, problem):
    told.problem = replace(problem, firm_export_w=np.full(3, 25_000.0), flex_gen_w=np.full((8, 3), 90_000.0))
    rounds = told.cycle(at_hand)
    await rounds.run_once(START)
    assert set(await alarms_of(at_hand)) == {"infeasible_firm"}
    heavy = np.full((8, 3), 16_000.0)
    told.problem = replace(problem, base_load_w=heavy, base_load_var=0.2 * heavy)
    await rounds.run_once(START + 60)
    assert "envelope_infeasible_base" in await alarms_of(at_hand)
    told.problem = problem
    await rounds.run_once(START + 6 * STEP_S)
    await rounds.run_once(START + 7 * STEP_S)  # what was held of the heavy day is over
    assert (await alarms_of(at_hand)).keys() == {"plan_ending"}


async def test_the_end_of_a_plan_is_an_alarm_ahead_until_another_one_goes_on(registered, told, problem):
    rounds = told.cycle(registered)
    seen = []
    for step in (0, 5, 6, 7):
        await rounds.run_once(START + step * STEP_S)
        async with registered.read() as db:
            seen.append([row.priority for row in await alarms.standing_of(db, "plan_ending")])
    assert seen == [[], [], [2], [2]]
    await rounds.run_once(START + 8 * STEP_S - 60)
    async with registered.read() as db:
        (row,) = await alarms.standing_of(db, "plan_ending")
        assert (row.priority, row.subject) == (1, "street")
        assert await planned_until(db) == {"street": START + 8 * STEP_S}
    told.problem = replace(problem, step_start=problem.step_start + 8 * STEP_S)
    await rounds.run_once(START + 8 * STEP_S)
    assert "plan_ending" not in await alarms_of(registered)


async def test_a_looser_default_of_a_stronger_program_is_an_alarm_until_it_is_tight(registered, told):
    told.problem = replace(told.problem, flex_gen_w=np.full((8, 3), 40_000.0))
    rounds = told.cycle(registered)
    await rounds.run_once(START)
    async with registered.write() as db:
        group = await create_group(db, NewGroup("street", primacy=1), START)
        await assign(db, group, 2, START)
        await set_default(db, group, Limits(export_w=40_000), now=START)
    await rounds.run_once(START + 60)
    assert set(await alarms_of(registered)) == {"default_looser_than_envelope"}
    async with registered.write() as db:
        await set_default(db, group, Limits(export_w=1), now=START)
    await rounds.run_once(START + 120)
    assert await alarms_of(registered) == {}
    # One that an operator sets at the connection itself is told once, and set back.
    async with registered.write() as db:
        await set_default(db, (await connections.by_name(db, "c1")).device_group_id, Limits(40_000, 40_000), now=START)
        await set_default(db, group, Limits(), now=START)
    await rounds.run_once(START + 180)
    assert set(await alarms_of(registered)) == {"default_looser_than_envelope"}
    await rounds.run_once(START + 240)
    assert await alarms_of(registered) == {}
