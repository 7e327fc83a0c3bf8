"""Clients that see only their own device are told what it may feed and draw, inside their connection's limits."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envelope.engine import calculate
from envelope.operation import default_check, handover, lead_time, net_to_device, publication, static_limits
from envelope.operation.group_state import default_of
from envelope.operation.limits_in_force import with_limits_in_force
from envelope.operation.mode import Mode, OperatingState, StaticLimits
from envelope.operation.publication_terms import SOURCE, PublicationTerms
from envelope.schedule import Binding
from envelope.schedule.codes import CAPACITY
from sep2.operations.defaults import set_default
from sep2.operations.schedules import intervals_of
from sep2.rules.limits import Limits
from sep2.store import connections, controls, defaults
from tests.envelope.cases import START, STEP_S, street
from tests.server import conftest as server
from tests.server.world import NOW

people, on_either, either_world = server.people, server.on_either, server.either_world
settled_sqlite, on_sqlite = server.settled_sqlite, server.on_sqlite
settled_postgres, on_postgres = server.settled_postgres, server.on_postgres

POINTS = ("device", "site", "site")


@pytest.fixture(scope="module")
def problem():
    """The first of three connections is told what its device may do; base loads are uncertain by 50 W."""
    plain = street(customers=3, steps=8)
    low, high = plain.base_load_w - 50.0, plain.base_load_w + 50.0
    return replace(plain, base_load_lo_w=low, base_load_hi_w=high, control_point=POINTS)


@pytest.fixture(scope="module")
def schedule(problem):
    return calculate(problem)


@st.composite
def days(draw):
    """(schedule, least, most base load) of one such connection, as much as publishing looks at."""
    steps = draw(st.integers(1, 30))
    own, base = st.lists(st.integers(0, 40), min_size=steps, max_size=steps), st.integers(-20, 20)
    imports, exports = (np.array(draw(own))[:, None] for _ in "ie")
    low = np.array(draw(st.lists(base, min_size=steps, max_size=steps)))[:, None]
    high = low + np.array(draw(own))[:, None]
    row = np.array(draw(st.lists(st.sampled_from([CAPACITY, 3]), min_size=steps, max_size=steps)))[:, None]
    day = SimpleNamespace(
        step_start=START + 300 * np.arange(steps),
        step_s=300,
        import_limit_w=imports,
        export_limit_w=exports,
        load_limit_w=np.maximum(imports - high, 0),
        gen_limit_w=np.maximum(exports + low, 0),
        import_binding=Binding(row, row),
        export_binding=Binding(row, row),
        default_import_w=np.array([draw(st.integers(0, 40))]),
        default_export_w=np.array([draw(st.integers(0, 40))]),
        early_s=draw(st.sampled_from([0, 90, 700])),
        control_point=("device",),
    )
    return day, low[:, 0], high[:, 0]


@given(days(), st.integers(1, 24), st.integers(0, 600))
def test_the_device_and_its_base_load_keep_the_net_limits_in_every_step_touched(given_day, most, late_s):
    """Also while what was held before the step began goes on for one step, or for as long as tightening is early."""
    day, low, high = given_day
    found = lead_time.upcoming_intervals(day, 0, START, most=most, steps_ahead=2)
    assert found
    for held in found:
        assert held.limits[:2] == (None, None)
        for t, start in enumerate(day.step_start):
            bound = day.export_binding.is_network[t, 0]
            over = (min(late_s, day.early_s) if day.early_s else late_s) if bound else 0
            if held.start < start + 300 and held.end + over > start:
                assert held.limits.gen_w == 0 or held.limits.gen_w - low[t] <= day.export_limit_w[t, 0]
                assert held.limits.load_w == 0 or held.limits.load_w + high[t] <= day.import_limit_w[t, 0]


@given(days())
def test_the_default_is_inside_what_was_counted(given_day):
    day, low, high = given_day
    told = net_to_device.default_of(day, 0)
    bound = day.export_binding.is_network[:, 0]
    counts = bound if bound.any() else ~bound
    exports = np.maximum(day.default_export_w[0], day.export_limit_w[:, 0])[counts]
    imports = np.maximum(day.default_import_w[0], day.import_limit_w[:, 0])[counts]
    assert told.gen_w == 0 or np.all(told.gen_w - low[counts] <= exports)
    assert told.load_w == 0 or np.all(told.load_w + high[counts] <= imports)


@given(st.tuples(*[st.integers(0, 99)] * 2), st.integers(-50, 50), st.integers(0, 50))
def test_what_a_device_is_told_of_net_limits_comes_back_as_no_more_than_they(net, least, width):
    band, limits = net_to_device.Band(least, least + width), Limits(*net)
    told = net_to_device.less_base(limits, band)
    back = net_to_device.net_of(told, band)
    assert told.gen_w == 0 or back.export_w <= limits.export_w
    assert told.load_w == 0 or back.import_w <= limits.import_w
    assert net_to_device.net_of(Limits(), band) == Limits()


async def said(database, name, now):
    async with database.read() as db:
        group = (await connections.by_name(db, name)).device_group_id
        rows = [row for row in await controls.standing(db, group, now) if row.successor_created is None]
        return intervals_of(rows, SOURCE), await defaults.of_group(db, group)


async def test_hysteresis_leaves_no_looser_limit_and_no_limit_unsaid(at_hand, schedule):
    tighter = replace(schedule, gen_limit_w=schedule.gen_limit_w - 30, load_limit_w=schedule.load_limit_w - 30)
    for day, now in ((schedule, START), (tighter, START + 10)):
        async with at_hand.write() as db:
            await publication.publish(db, day, now, PublicationTerms(hysteresis_w=100))
        live, default = await said(at_hand, "c1", now)
        assert (default.import_limit_w, default.gen_limit_w) == (None, net_to_device.default_of(day, 0).gen_w)
        for t in range(8):
            (one,) = [i.limits for i in live if i.start <= START + t * STEP_S + 20 < i.end]
            assert one[:2] == (None, None)
            assert one.gen_w <= day.gen_limit_w[t, 0]
            assert one.load_w <= day.load_limit_w[t, 0]
    net, _ = await said(at_hand, "c2", START + 10)
    assert all(i.limits[2:] == (None, None) and None not in i.limits[:2] for i in net)


async def test_a_default_that_limits_the_device_is_a_limit(at_hand, schedule):
    async with at_hand.write() as db:
        await publication.publish(db, schedule, START)
        told = await default_check.in_effect(db, schedule)
        default = net_to_device.default_of(schedule, 0)
        assert told["c1"] == (None, (default.load_w, default.gen_w))
        assert default_check.looser(schedule, told, START) == []
        group = (await connections.by_name(db, "c1")).device_group_id
        await set_default(db, group, Limits(0, 0), now=START)
        assert default_check.looser(schedule, await default_check.in_effect(db, schedule), START) == (
            ["c1"] if schedule.export_binding.is_network[:, 0].any() else []
        )


async def test_what_devices_hold_is_counted_at_the_connection(at_hand, told, problem):
    told.problem = problem
    rounds = told.cycle(at_hand)
    first = await rounds.run_once(START)
    assert first.failure == ""
    async with at_hand.read() as db:
        counted = await with_limits_in_force(db, problem, START)
    live, _ = await said(at_hand, "c1", START)
    least = live[0].limits.gen_w - problem.load_lo_w[:1, 0].min()
    assert least <= counted.in_force_export_w[0] + 1
    told.operating = OperatingState(Mode.CONTRACT)
    await rounds.run_once(START + 60)
    live, _ = await said(at_hand, "c1", START + 60)
    # The contract has no import limit: there the default's holds.
    assert live[0].limits[:2] == (None, None)
    assert live[0].limits.gen_w == 1500 + int(np.floor(problem.load_lo_w[:, 0].min() + 1e-6))
    assert live[0].limits.load_w == net_to_device.default_of(first.schedule, 0).load_w


async def test_without_a_plan_a_device_is_told_its_default_and_else_nothing_is_known(at_hand, schedule):
    async with at_hand.write() as db:
        row = await connections.by_name(db, "c1")
        recipient = handover.Recipient(row.device_group_id, None)
        seen_there = static_limits.FeederBasis(bands={"c1": net_to_device.Band(0, 100)}, of_device=frozenset(["c1"]))
        nothing = seen_there.at(row, ()).limits(recipient, Limits(), StaticLimits.CONTRACT)
        assert not net_to_device.is_whole(nothing)
        await publication.publish(db, schedule, START)
        stored, _ = await default_of(db, row.device_group_id)
        default = static_limits.FeederBasis().at(row, ()).limits(recipient, stored, StaticLimits.CONTRACT)
    assert default == net_to_device.default_of(schedule, 0)


async def test_a_device_is_served_limits_of_generation_and_load_alone(either_world, schedule):
    """Over TLS, on each kind of database."""
    world = either_world
    steps = NOW // STEP_S * STEP_S + STEP_S * np.arange(schedule.steps)
    day = replace(schedule, connection_id=("NMI1", "NMI2", "NMI3"), step_start=steps)
    async with world.state.db.write() as db:
        await publication.publish(db, day, NOW)
    sunny = await world.as_("sunny")
    program = f"/edev/{world.ids.devices['one']}/derp/{world.ids.groups['NMI1']}"
    listed, default = await sunny.get(f"{program}/derc?l=24"), await sunny.get(f"{program}/dderc")
    for document in (listed, default):
        names = {element.tag.rpartition("}")[2] for element in document.xml.iter("{*}*")}
        assert {"opModGenLimW", "opModLoadLimW"} <= names
        assert not {"opModExpLimW", "opModImpLimW"} & names
