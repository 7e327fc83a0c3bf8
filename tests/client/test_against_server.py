"""The client and the real server, from /dcap to the answer."""

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Table, select, update

from sep2 import wire as w
from sep2.client import NO_LIMITS, Client, Rating, State, Unreachable
from sep2.clock import SteppedClock
from sep2.operations import rates
from sep2.operations.controls import NewControl, cancel_control, issue_controls
from sep2.operations.defaults import set_default
from sep2.operations.devices import NewDevice, add_device, remove_device
from sep2.operations.groups import assign, unassign
from sep2.rules.identifiers import managed_lfdi
from sep2.rules.limits import Limits
from sep2.server.app import running
from sep2.store import tables as t
from tests.client.conftest import Connect, Inverter, connecting
from tests.server.world import NOW, People, World, populate, settings

HOUR = NewControl(start=NOW + 600, duration=600, limits=Limits(export_w=2500, import_w=4000))


async def do(world: World, verb: Any, *args: Any, **more: Any) -> Any:
    """One operation, as an operator would do it."""
    async with world.state.db.write() as c:
        done = await verb(c, *args, **more)
    world.state.wake()
    return done


async def issue(world: World, group: str, *new: NewControl) -> int:
    """Issue controls; the id of the first."""
    issued = await do(world, issue_controls, world.ids.groups[group], new, world.clock.now())
    first: int = issued.created[0]
    return first


async def rows(world: World, table: Table) -> list[Any]:
    async with world.state.db.read() as c:
        return list(await c.all(select(table)))


async def answers(world: World) -> list[tuple[int, int, int]]:
    """Control, status and time of every response."""
    return [(row.control_id, row.status, row.created - NOW) for row in await rows(world, t.response)]


async def settled(world: World) -> None:
    """Wait until the server has told everybody."""
    while not await world.state.settled():  # noqa: ASYNC110  the server has no event for it
        await asyncio.sleep(0.002)


async def step(world: World, client: Client, to: int) -> None:
    """Move both clocks and let both do what is due."""
    world.advance(NOW + to)
    await settled(world)
    await client.advance()


async def test_a_gateway_polls_obeys_and_answers(world: World, connect: Connect):
    roof, lfdi = Inverter(), world.ids.lfdis["roof"]
    client = await connect("roof", {lfdi: roof}, pins={lfdi: 111115})
    await client.advance()
    await do(world, set_default, world.ids.groups["NMI4"], Limits(export_w=1500), now=NOW)
    control = await issue(world, "NMI4", HOUR)
    while client.next_due() <= NOW + 1500:
        await step(world, client, client.next_due() - NOW)
    assert roof.exports == [(NOW, None), (NOW + 300, 1500), (NOW + 600, 2500), (NOW + 1200, 1500)]
    assert await answers(world) == [(control, 1, 300), (control, 2, 600), (control, 3, 1200)]
    assert (client.pending, client.refused) == (0, 0)
    assert await rows(world, t.subscription) == []


async def test_a_gateway_tells_what_it_is_and_measures(world: World, connect: Connect):
    client = await connect("roof", {world.ids.lfdis["roof"]: Inverter()})
    await client.advance()
    documents = {row.kind: row for row in await rows(world, t.der_document)}
    assert documents.keys() == {"DERCapability", "DERSettings", "DERStatus"}
    told = w.decode(documents["DERSettings"].body, w.DERSettings, profile=w.Profile.CSIP_AUS_1_3)
    assert told.setMaxW == w.ActivePower(multiplier=0, value=10_000)
    assert [(row.role_flags, row.description) for row in await rows(world, t.mirror_usage_point)] == [
        (0x0003, "site"),
        (0x0049, "der"),
    ]
    await do(world, rates.set_post_rate, 1, 60, NOW)
    await step(world, client, 300)
    await step(world, client, 420)
    mirrors, readings = t.mirror_meter_reading, t.reading
    said = (
        mirrors.c.mirror_usage_point_id,
        mirrors.c.uom,
        readings.c.start - NOW,
        readings.c.duration,
        readings.c.value,
    )
    async with world.state.db.read() as c:
        found = [tuple(row) for row in await c.all(select(*said).join(t.mirror_meter_reading))]
    assert (1, 38, 0, 300, -1500) in found
    assert (1, 63, 0, 300, 20) in found
    assert (1, 29, 0, 300, 2303) in found
    assert (2, 38, 0, 300, 1800) in found
    assert (1, 38, 300, 120, -1500) in found
    assert len(found) == 8


async def test_what_the_server_says_of_new_mirrors_is_read_at_once(world: World, connect: Connect):
    lfdi = world.ids.lfdis["roof"]
    client = await connect("roof", {lfdi: Inverter()})
    await client.advance()
    assert [mirror.href for mirror in client.devices[lfdi].mirrors] == ["/mup/1", "/mup/2"]
    assert not client.devices[lfdi].new_mirrors


async def test_an_aggregator_is_told_and_need_not_poll(world: World, connect: Connect):
    one, two = Inverter(), Inverter()
    client = await connect("sunny", {world.ids.lfdis["one"]: one, world.ids.lfdis["two"]: two}, subscribes=True)
    await client.advance()
    assert len(await rows(world, t.subscription)) == 30
    control = await issue(world, "NMI1", HOUR)
    other = await issue(world, "feeder", NewControl(start=NOW + 100, duration=200, limits=Limits(export_w=500)))
    for to in (0, 100, 300, 600, 1200):
        await step(world, client, to)
    assert one.exports == [(NOW, None), (NOW + 100, 500), (NOW + 300, None), (NOW + 600, 2500), (NOW + 1200, None)]
    assert two.exports == [(NOW, None)]
    assert sorted(await answers(world)) == sorted(
        [(control, 1, 0), (other, 1, 0), (other, 2, 100), (other, 3, 300), (control, 2, 600), (control, 3, 1200)]
    )
    assert client.notifications > 0
    dull = {"/dcap", "/tm"} | {watch.branch.href for watch in client.tree if watch.branch.kind is w.DERControlList}
    assert all(watch.asked_at == NOW for watch in client.tree if watch.branch.href in dull - {"/dcap", "/tm"})


async def test_cancelled_and_superseded_by_notification(world: World, connect: Connect):
    one = Inverter()
    client = await connect("sunny", {world.ids.lfdis["one"]: one}, subscribes=True)
    await client.advance()
    first = await issue(world, "NMI1", HOUR)
    await step(world, client, 600)
    tighter = NewControl(start=NOW + 700, duration=500, limits=Limits(export_w=100, import_w=1))
    second = await issue(world, "NMI1", tighter)
    await step(world, client, 650)
    await step(world, client, 700)
    await do(world, cancel_control, second, NOW + 700)
    await step(world, client, 800)
    assert one.exports == [(NOW, None), (NOW + 600, 2500), (NOW + 700, 100), (NOW + 800, 2500)]
    again = second + 1
    assert sorted(await answers(world)) == [
        (first, 1, 600),
        (first, 2, 600),
        (first, 7, 700),
        (second, 1, 650),
        (second, 2, 700),
        (second, 6, 800),
        (again, 1, 800),
        (again, 2, 800),
    ]


async def test_a_default_and_a_new_group_are_told(world: World, connect: Connect):
    two = Inverter()
    client = await connect("sunny", {world.ids.lfdis["two"]: two}, subscribes=True)
    await client.advance()
    device, feeder = world.ids.devices["two"], world.ids.groups["feeder"]
    await do(world, set_default, world.ids.groups["NMI2"], Limits(export_w=1500), now=NOW)
    await step(world, client, 10)
    await do(world, assign, feeder, device, NOW + 10)
    await do(world, set_default, feeder, Limits(export_w=9000, import_w=7000), now=NOW + 10)
    await step(world, client, 20)
    limits = two.told[-1][1]
    assert (limits.export_limit_w, limits.import_limit_w) == (1500, 7000)
    control = await issue(world, "feeder", NewControl(start=NOW + 20, duration=900, limits=Limits(gen_w=77)))
    await step(world, client, 30)
    assert two.told[-1][1].gen_limit_w == 77
    await do(world, unassign, feeder, device, NOW + 30)
    await step(world, client, 40)
    limits = two.told[-1][1]
    assert (limits.export_limit_w, limits.import_limit_w, limits.gen_limit_w) == (1500, None, None)
    assert (control, 6, 40) in await answers(world)
    assert [export_w for _, export_w in two.exports] == [None, *[1500] * (len(two.told) - 1)]
    await do(world, set_default, feeder, Limits(export_w=800), now=NOW + 40)
    async with world.state.db.write() as c:
        await unassign(c, world.ids.groups["NMI2"], device, NOW + 40)
        await assign(c, feeder, device, NOW + 40)
    world.state.wake()
    await step(world, client, 50)
    # Not for a moment without a limit, though the old one goes before the new one has been read.
    assert two.exports[-2:] == [two.exports[-2], (NOW + 50, 800)]
    assert two.exports[-2][1] == 1500


async def test_a_us_client_is_limited_in_percent_of_what_it_said_of_itself(world: World, connect: Connect):
    roof = Inverter(Rating(max_w=8000))
    async with world.state.db.write() as c:
        await c.run(update(t.client).where(t.client.c.name == "roof").values(profile="csip"))
    control = await issue(world, "NMI4", NewControl(start=NOW, duration=600, limits=Limits(export_w=2000)))
    client = await connect("roof", {world.ids.lfdis["roof"]: roof}, profile=w.Profile.CSIP)
    await client.advance()
    assert [(at, limits.gen_limit_w, limits.export_limit_w) for at, limits in roof.told] == [(NOW, 2000, None)]
    # What it was to hold before it had said what it is gave way at once.
    assert sorted(await answers(world)) == [(control, 1, 0), (control, 1, 0), (control, 2, 0), (control, 7, 0)]


async def test_devices_come_and_go(world: World, connect: Connect):
    new = managed_lfdi(32473)
    devices = {world.ids.lfdis["one"]: Inverter(), new: Inverter()}
    client = await connect("sunny", devices, subscribes=True)
    await client.advance()
    assert client.devices.keys() == {world.ids.lfdis["one"]}
    place = NewDevice(new, world.ids.clients["sunny"], "NMI9")
    await do(world, add_device, place, NOW)
    await step(world, client, 10)
    await issue(world, "NMI9", HOUR)
    await step(world, client, 600)
    assert devices[new].exports == [(NOW + 10, None), (NOW + 600, 2500)]
    await do(world, remove_device, client_device(await rows(world, t.end_device), new), NOW + 600)
    await step(world, client, 610)
    assert client.devices.keys() == {world.ids.lfdis["one"]}
    assert devices[new].exports[-1] == (NOW + 610, None)


def client_device(found: list[Any], lfdi: str) -> int:
    (number,) = [row.id for row in found if row.lfdi == lfdi]
    return int(number)


async def test_a_server_that_does_not_know_the_pin_is_not_obeyed(world: World, connect: Connect):
    roof, lfdi = Inverter(), world.ids.lfdis["roof"]
    client = await connect("roof", {lfdi: roof}, pins={lfdi: 222220})
    await issue(world, "NMI4", NewControl(start=NOW, duration=600, limits=Limits(export_w=0)))
    await client.advance()
    await step(world, client, 300)
    assert roof.told == [(NOW, NO_LIMITS)]
    assert await rows(world, t.response) == await rows(world, t.der_document) == await rows(world, t.reading) == []


async def test_running_by_itself_it_does_the_same(world: World, connect: Connect):
    roof, lfdi = Inverter(), world.ids.lfdis["roof"]
    one = Inverter()
    gateway = await connect("roof", {lfdi: roof})
    aggregator = await connect("sunny", {world.ids.lfdis["one"]: one}, subscribes=True)
    await gateway.advance()
    await aggregator.advance()
    theirs = await issue(world, "NMI1", HOUR)
    ours = await issue(world, "NMI4", HOUR)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.run()) for client in (gateway, aggregator)]
        for to, expected in ((300, 2), (594, 2), (600, 4), (1200, 6)):
            world.advance(NOW + to)
            while len(await answers(world)) < expected:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        for task in tasks:
            task.cancel()
    assert roof.exports == one.exports == [(NOW, None), (NOW + 600, 2500), (NOW + 1200, None)]
    said = [(control, status) for control, status, _ in await answers(world)]
    assert sorted(said) == sorted((control, status) for control in (theirs, ours) for status in (1, 2, 3))


async def test_nothing_is_lost_while_the_server_is_away(people: People, sqlite_url: str):
    configured = settings(people, sqlite_url, utility={"default_export_w": "none"})
    clock, one = SteppedClock(NOW), Inverter()
    async with AsyncExitStack() as stack:
        async with running(configured, clock=clock) as state:
            world = World(people, clock, configured.listen.port, state, await populate(state.db, people))
            connect = await stack.enter_async_context(connecting(world))
            client = await connect("sunny", {world.ids.lfdis["one"]: one}, subscribes=True)
            await client.advance()
            control = await issue(world, "NMI1", HOUR)
            await step(world, client, 300)
        client.patience_s = 0.0
        for to in (600, 900, 1200):
            clock.advance(NOW + to)
            with pytest.raises(Unreachable):
                await client.advance()
        assert one.exports == [(NOW, None), (NOW + 600, 2500), (NOW + 1200, None)]
        assert client.pending > 3
        client.patience_s = 60.0
        waiting = asyncio.create_task(client.advance())
        await asyncio.sleep(0.3)
        assert not waiting.done()
        async with running(configured, clock=clock) as state:
            world.state = state
            await waiting
            assert (client.pending, client.refused) == (0, 0)
            assert await answers(world) == [(control, 1, 300), (control, 2, 600), (control, 3, 1200)]
            of_one = [row.start - NOW for row in await rows(world, t.reading) if row.mirror_meter_reading_id == 1]
            assert of_one == [0, 300, 600, 900]
            assert len(await rows(world, t.subscription)) == 17
            assert all(watch.is_subscribed for watch in client.tree if watch.can_be_subscribed)


async def test_a_plan_says_what_the_device_then_does_and_who_says_so(world: World, connect: Connect):
    one, lfdi = Inverter(), world.ids.lfdis["one"]
    client = await connect("sunny", {lfdi: one}, subscribes=True)
    await do(world, set_default, world.ids.groups["NMI1"], Limits(export_w=1500), now=NOW)
    await client.advance()
    await issue(world, "NMI1", HOUR, NewControl(start=NOW + 1200, duration=300, limits=Limits(export_w=700)))
    await issue(world, "feeder", NewControl(start=NOW + 900, duration=900, limits=Limits(export_w=100, gen_w=4000)))
    await step(world, client, 10)
    planned = client.plan(lfdi, NOW + 2000)
    assert (planned[0].start, planned[-1].end) == (NOW + 10, NOW + 2000)
    assert all(earlier.end == later.start for earlier, later in pairwise(planned))
    async with world.state.db.read() as c:
        programs = {row.id: int(row.program_mrid, 16) for row in await c.all(select(t.device_group))}
    own, feeder = programs[world.ids.groups["NMI1"]], programs[world.ids.groups["feeder"]]
    exports = [(span.start - NOW, span.limits.modes["opModExpLimW"]) for span in planned]
    # A default is served merged by the first program, whose mRID it then bears.
    assert [(at, by.value, "default" if by.is_default else by.program == own) for at, by in exports] == [
        (10, 1500, "default"),
        (600, 2500, True),
        (900, 2500, True),
        (1200, 700, True),
        (1500, 100, False),
        (1800, 1500, "default"),
    ]
    assert [span.limits.modes["opModGenLimW"].program for span in planned if span.limits.gen_limit_w] == [feeder] * 3
    assert client.plan(lfdi, NOW) == []
    for span in planned[1:]:
        await step(world, client, span.start - NOW)
        assert one.told[-1] == (span.start, span.limits)


class Battery(Inverter):
    """A device that says how full it is."""

    def state(self, now: int) -> State:
        return State(0.25, available_w=40_000, available_var=-120_000, available_for_s=3600, charges_for_s=7200)


async def test_a_battery_tells_what_it_stores_and_offers_and_what_happened(world: World, connect: Connect):
    lfdi = world.ids.lfdis["roof"]
    client = await connect("roof", {lfdi: Battery(Rating(max_w=5000, max_charge_w=5000, energy_wh=100_000))})
    await client.advance()
    client.log_event(lfdi, 2, details="over voltage")
    await client.advance()
    documents = {row.kind: row.body for row in await rows(world, t.der_document)}
    decoded = {kind: w.decode(body, profile=w.Profile.CSIP_AUS_1_3) for kind, body in documents.items()}
    assert (
        decoded["DERCapability"].rtgMaxWh == decoded["DERSettings"].setMaxWh == w.WattHour(multiplier=1, value=10_000)
    )
    assert decoded["DERStatus"].stateOfChargeStatus.value == 2500
    offered = decoded["DERAvailability"]
    assert (offered.availabilityDuration, offered.maxChargeDuration) == (3600, 7200)
    assert offered.statWAvail == w.ActivePower(multiplier=1, value=4000)
    assert offered.statVarAvail == w.ReactivePower(multiplier=1, value=-12_000)
    assert [(row.log_event_code, row.details) for row in await rows(world, t.log_event)] == [(2, "over voltage")]
    assert (client.pending, client.refused) == (0, 0)
