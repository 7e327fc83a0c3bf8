"""Several clients behind one connection: each is told its part, and all parts together keep what was verified."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import update

from envelope.engine import calculate
from envelope.operation import clients as registered
from envelope.operation import default_check, lead_time, limits_in_force, net_to_device, preview, publication
from envelope.operation.clients import Sharing
from envelope.operation.mode import Mode, OperatingState
from envelope.operation.publication_terms import SOURCE, PublicationTerms
from envelope.problem import Policy
from gridmodel.model.devices import Device
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.controls import limits_of
from sep2.operations.defaults import set_default
from sep2.operations.devices import NewDevice, add_device, remove_device
from sep2.operations.documents import put_der_document
from sep2.operations.schedules import intervals_of
from sep2.rules.limits import Limits
from sep2.store import commissioning, connections, controls, defaults, devices, open_database, tables
from tests.envelope.cases import START, STEP_S, street
from tests.envelope.rounds import Told, add_contract, alarms_of
from tests.server import conftest as server
from tests.server.world import NOW

people, on_either, either_world = server.people, server.on_either, server.either_world
settled_sqlite, on_sqlite = server.settled_sqlite, server.on_sqlite
settled_postgres, on_postgres = server.settled_postgres, server.on_postgres

ADOPTION_S = 300


def at(several, moment):
    return next(one.limits for one in several if one.start <= moment < one.end)


@pytest.fixture(scope="module")
def problem():
    """Base loads are uncertain by 50 W; the voltage keeps everybody from what they could reach."""
    plain = street(customers=3, steps=8)
    return replace(plain, base_load_lo_w=plain.base_load_w - 50.0, base_load_hi_w=plain.base_load_w + 50.0)


ROOF, BATTERY, CHARGER = (f"{k}A" * 20 for k in (1, 2, 3))


@pytest.fixture
async def house(sqlite_url, problem):
    """c1 has a roof, which may hold the net limits, a battery of another aggregator, and c2 and c3 a device each."""
    opened = await open_database(sqlite_url)
    async with opened.write() as db:
        for name in problem.connection_id:
            await add_connection(db, NewConnection(name), START - 60)
        north = await register_client(db, NewClient("north", "CD" * 20, "aggregator"), START - 60)
        await register_client(db, NewClient("south", "CE" * 20, "aggregator"), START - 60)
        for k, name in enumerate(problem.connection_id[1:]):
            await add_device(db, NewDevice(f"{k}B" * 20, north, name), START - 60)
    yield opened
    await opened.close()


async def settle(database, *, holds, lfdis=(ROOF, BATTERY), now=START - 60):
    """Devices of two aggregators at c1, of which the first may hold its net limits."""
    async with database.write() as db:
        return [
            await add_device(db, NewDevice(lfdi, 1 + k % 2, "c1", holds_net_limit=holds and k == 0), now)
            for k, lfdi in enumerate(lfdis)
        ]


async def said_to(database, now, name="c1"):
    """What the connection's group, and each device with a part, is told from now on, and its default."""
    async with database.read() as db:
        clients = (await registered.clients_at(db, [name]))[name]
        ids = [(await connections.by_name(db, name)).device_group_id, *(one.own_group_id for one in clients)]
        return [
            (
                intervals_of(await controls.standing(db, group, now), SOURCE),
                limits_of(await defaults.of_group(db, group)),
            )
            for group in ids
            if group is not None
        ]


async def test_the_others_beside_the_holder_are_told_what_leaves_it_its_own(house, problem):
    await settle(house, holds=True, lfdis=(ROOF, BATTERY, CHARGER))
    schedule = calculate(problem)
    known = (Device("roof", "c1", "pv", max_gen_w=6_000.0, lfdi=ROOF),
             Device("b", "c1", "storage", max_gen_w=3_000.0, max_load_w=5_000.0, lfdi=BATTERY.lower()),
             Device("ev", "c1", "ev", max_load_w=7_000.0, lfdi=CHARGER))  # fmt: skip
    async with house.write() as db:
        done = await publication.publish(db, schedule, START, PublicationTerms(sharing=Sharing(devices=known)))
    assert (done.parts, done.findings) == (2, ())
    (net, _), (battery, battery_floor), (charger, charger_floor) = await said_to(house, START)
    assert [one.limits[2:] for one in net] == [(None, None)] * len(net)
    whole = lead_time.upcoming_intervals(schedule, 0, START, of_device=True)
    for t in range(schedule.steps):
        moment = START + t * STEP_S
        limits = [at(several, moment) for several in (battery, charger)]
        assert all(one[:2] == (None, None) for one in limits)
        assert at(net, moment).export_w == schedule.export_limit_w[t, 0]
        assert limits[0].gen_w == min(at(whole, moment).gen_w, 9_000) * 3 // 9
        assert limits[1].gen_w == 0
        drawn = sum(one.load_w for one in limits)
        assert drawn + problem.load_hi_w[t, 0] <= schedule.import_limit_w[t, 0]
        assert drawn > min(at(whole, moment).load_w, 12_000) - 3
    assert battery_floor.gen_w <= net_to_device.default_of(schedule, 0).gen_w // 3
    assert charger_floor.load_w > 0
    again = PublicationTerms(sharing=Sharing(devices=known), again=True)
    async with house.write() as db:
        again = await publication.publish(
            db, schedule, START + 10, PublicationTerms(sharing=Sharing(devices=known), again=True)
        )
    assert (again.created, again.defaults, again.findings) == (0, 0, ())


async def test_a_default_of_one_of_several_is_looked_at_too(house, problem):
    ids = await settle(house, holds=True)
    schedule = calculate(problem)
    async with house.write() as db:
        await publication.publish(db, schedule, START)
        (battery,) = [one for one in (await registered.clients_at(db, ["c1"]))["c1"] if one.device_id == ids[1]]
        await set_default(db, battery.own_group_id, Limits(load_w=0), now=START)
        told = await default_check.in_effect(db, schedule)
        assert told["c1"].parts == (0, None)
        assert default_check.looser(schedule, told, START) == ["c1"]


async def rounds_of(house, problem, **more):
    told = Told(problem)
    rounds = told.cycle(house)
    for name, value in more.items():
        setattr(rounds, name, value)
    return told, rounds


async def test_two_aggregators_without_a_meter_are_each_told_a_part(house, problem):
    await settle(house, holds=False)
    _, rounds = await rounds_of(house, problem, sharing=Sharing(Policy.EQUAL))
    out = await rounds.run_once(START)
    assert (out.failure, out.published.parts) == ("", 2)
    assert out.schedule.control_point == ("device", "site", "site")
    (whole, _), *both = await said_to(house, START)
    for t in range(problem.steps):
        moment = START + t * STEP_S
        limit, halves = at(whole, moment), [at(several, moment) for several, _ in both]
        assert limit.gen_w - 1 <= sum(half.gen_w for half in halves) <= limit.gen_w
        assert abs(halves[0].load_w - halves[1].load_w) <= 1
    async with house.read() as db:
        counted = await limits_in_force.with_limits_in_force(db, rounds.controllable.problem, START)
        _, exports = await limits_in_force.in_force(db, ["c1"], START)
    assert exports[0] <= out.schedule.gen_limit_w[:, 0].max()
    assert counted.in_force_export_w[0] > 0.0


async def test_a_second_device_gets_its_part_once_the_first_has_let_go(house, problem):
    (first,) = await settle(house, holds=False, lfdis=(ROOF,))
    _, rounds = await rounds_of(house, problem)
    await rounds.run_once(START)
    (whole, floor), (alone, own_floor) = await said_to(house, START)
    assert (alone, own_floor) == (whole, floor)
    now = START + 600
    async with house.write() as db:
        await add_device(db, NewDevice(BATTERY, 2, "c1", holds_net_limit=False), now)
    await rounds.run_once(now)
    _, (one, one_floor), (two, two_floor) = await said_to(house, now)
    assert at(two, now + ADOPTION_S - 1).gen_w == 0
    assert at(one, now).gen_w + at(two, now + ADOPTION_S).gen_w <= at(alone, now).gen_w
    assert at(two, now + ADOPTION_S).gen_w > 0
    assert (two_floor, one_floor.gen_w < own_floor.gen_w) == (Limits(gen_w=0, load_w=0), True)
    await rounds.run_once(START + STEP_S)
    _, (_, one_floor), (_, two_floor) = await said_to(house, START + STEP_S)
    assert 0 < two_floor.gen_w <= own_floor.gen_w - one_floor.gen_w
    # And all of it is the first one's again when the second is gone.
    async with house.write() as db:
        await remove_device(db, first + 1, START + STEP_S + 5)
    await rounds.run_once(START + STEP_S + 10)
    (whole, _), (alone, _) = await said_to(house, START + STEP_S + 10)
    assert at(alone, START + 3 * STEP_S) == at(whole, START + 3 * STEP_S)


async def test_safe_limits_are_shared_too(house, problem):
    await settle(house, holds=True)
    async with house.write() as db:
        await add_contract(db, "c1", 3_000)
    told, rounds = await rounds_of(house, problem)
    await rounds.run_once(START)
    told.operating = OperatingState(Mode.CONTRACT)
    now = START + 60
    await rounds.run_once(now)
    (net, _), (battery, _) = await said_to(house, now)
    later = now + ADOPTION_S
    assert at(net, later) == Limits(3_000, 3_000)
    half = (3_000 + int(np.floor(problem.load_lo_w[:, 0].min()))) // 2
    assert at(battery, later).gen_w == half
    told.problem = None  # as where the plan can not be read after a restart
    told.operating = OperatingState(abnormal="a fault")
    fresh = told.cycle(house)
    out = await fresh.run_once(now + 600)
    assert out.published.connections == 3
    (_, floor), (battery, own_floor) = await said_to(house, now + 600)
    assert (at(battery, now + 600), floor.export_w is not None) == (own_floor, True)


async def csip(house, name="c1", lfdi=CHARGER, **more):
    async with house.write() as db:
        american = await register_client(db, NewClient("west", "CF" * 20, "aggregator", profile="csip"), START - 60)
        return await add_device(db, NewDevice(lfdi, american, name, **more), START - 60)


async def test_what_csip_can_not_be_told_is_counted_in_full(house, problem):
    """Without setMaxW not even an export limit reaches it."""
    device = await csip(house)
    _, rounds = await rounds_of(house, problem)
    out = await rounds.run_once(START)
    reach = np.floor(problem.reach_import_w[:, 0])
    assert out.schedule.import_limit_w[:, 0].tolist() == reach.tolist()
    assert out.schedule.export_limit_w[:, 0].tolist() == np.floor(problem.reach_export_w[:, 0]).tolist()
    kinds = {said.partition(":")[0] for said in out.schedule.findings}
    assert {"no_import_control", "no_export_control"} <= kinds
    assert "mode_unsupported" in await alarms_of(house)

    async with house.write() as db:
        await put_der_document(db, device, "DERSettings", b"<x/>", now=START + 60, reported={"set_max_w": 9_000})
    out = await rounds.run_once(START + 60)
    assert out.schedule.binding_text("import", 0, 0) == "no_import_control"
    assert np.all(out.schedule.export_limit_w[:, 0] < problem.reach_export_w[:, 0] - 100.0)
    # opModMaxLimW bounds generation: what is said is net of the base load, which feeds nothing here.
    ((said, _),) = await said_to(house, START + 60)
    assert [one.limits[:2] for one in said] == [(None, None)] * len(said)
    assert at(said, START + 7 * STEP_S).gen_w == out.schedule.gen_limit_w[7, 0]
    assert out.schedule.control_point[0] == "device"
    assert out.report.inside


async def test_a_charger_with_load_control_is_told_a_limit_of_its_load(house, problem):
    """A csip client whose device follows EndDeviceControls is controlled; that these have no default, is said."""
    device = await csip(house, load_control_w=7_000)
    async with house.write() as db:
        await put_der_document(db, device, "DERSettings", b"<x/>", now=START - 60, reported={"set_max_w": 9_000})
    _, rounds = await rounds_of(house, problem)
    out = await rounds.run_once(START)
    kinds = {said.partition(":")[0] for said in out.schedule.findings}
    assert not kinds & {"no_import_control", "no_export_control"}
    assert out.schedule.binding_text("import", 0, 0) != "no_import_control"
    ((said, _),) = await said_to(house, START)
    for step in range(problem.steps):
        assert at(said, START + step * STEP_S).load_w == out.schedule.load_limit_w[step, 0]
    async with house.read() as db:
        assert (await default_check.in_effect(db, out.schedule))["c1"].parts[0] is None
    standing = await alarms_of(house)
    assert "load control has no default" in standing["mode_unsupported"]
    assert out.report.inside


async def test_a_connection_that_is_being_commissioned_is_told_nothing_flexible(house, problem):
    await settle(house, holds=True, lfdis=(ROOF,))
    async with house.read() as db:
        place = await connections.by_name(db, "c1")
    async with house.write() as db:
        await commissioning.put(db, place.id, START - 60, "Ada")
    _, rounds = await rounds_of(house, problem)
    out = await rounds.run_once(START)
    assert out.schedule.binding_text("export", 0, 0) == "no_export_control"
    assert [said for said, _ in await said_to(house, START)] == [[]]
    async with house.write() as db:
        await commissioning.change(db, place.id, passed=START + 30, passed_by="Ada")
    out = await rounds.run_once(START + 60)
    assert out.schedule.binding_text("export", 7, 0) != "no_export_control"
    ((said, _),) = await said_to(house, START + 60)
    assert said


async def test_who_sees_no_meter_has_a_part_even_if_it_was_to_hold_the_net_limits(house, problem):
    device = await csip(house)
    async with house.write() as db:
        await put_der_document(db, device, "DERSettings", b"<x/>", now=START - 60, reported={"set_max_w": 6_000})
        await add_device(db, NewDevice(BATTERY, 2, "c1", holds_net_limit=False), START - 60)
    _, rounds = await rounds_of(house, problem, sharing=Sharing(Policy.EQUAL))
    out = await rounds.run_once(START)
    assert (out.failure, out.published.parts) == ("", 2)
    (roof, roof_floor), (battery, battery_floor) = await said_to(house, START)
    for t in range(problem.steps):
        both = [at(several, START + t * STEP_S) for several in (roof, battery)]
        assert both[0][:2] == both[1][:2] == (None, None)
        assert 0 < sum(one.gen_w for one in both) <= out.schedule.gen_limit_w[t, 0]
    default = net_to_device.default_of(out.schedule, 0)
    assert roof_floor.gen_w + battery_floor.gen_w <= default.gen_w
    async with house.read() as db:
        _, exports = await limits_in_force.in_force(db, ["c1"], START)
        parts_now = sum(at(several, START).gen_w for several in (roof, battery))
        assert parts_now <= exports[0] <= out.schedule.gen_limit_w[:, 0].max()
        assert (await default_check.in_effect(db, out.schedule))["c1"].net is None
    # What the next round would tell the first of them, as an operator is shown it.
    clients = {"c1": (await clients_of(house))}
    problem_told = rounds.controllable.problem
    assert preview.calculated_limits(problem_told, START, clients, rounds.sharing)["c1"] == at(roof, START)


async def clients_of(house):
    async with house.read() as db:
        return (await registered.clients_at(db, ["c1"]))["c1"]


async def test_a_panel_that_draws_nothing_takes_no_import_control_away(house, problem):
    await settle(house, holds=True, lfdis=(ROOF,))
    await csip(house, holds_net_limit=False)
    panel = Device("pv", "c1", "pv", max_gen_w=0.0, max_load_w=0.0, lfdi=CHARGER)
    _, rounds = await rounds_of(house, problem, sharing=Sharing(devices=(panel,)))
    out = await rounds.run_once(START)
    assert not any(said.startswith("no_") for said in out.schedule.findings)
    _, rounds = await rounds_of(house, problem)
    out = await rounds.run_once(START + 60)
    assert out.schedule.binding_text("import", 0, 0) == "no_import_control"


async def test_a_connection_without_a_client_is_controlled_by_nobody_and_named(house, problem):
    _, rounds = await rounds_of(house, problem)
    out = await rounds.run_once(START)
    assert out.schedule.binding_text("export", 0, 0) == "no_export_control"
    assert (await alarms_of(house))["no_client"].startswith("no_client: nobody is registered at c1;")
    await settle(house, holds=True, lfdis=(ROOF,), now=START + 30)
    out = await rounds.run_once(START + 60)
    assert out.schedule.binding_text("export", 7, 0) != "no_export_control"
    assert "no_client" not in await alarms_of(house)


async def test_where_nobody_is_registered_at_all_nothing_is_calculated(sqlite_url, problem):
    opened = await open_database(sqlite_url)
    async with opened.write() as db:
        await add_connection(db, NewConnection("c1"), START - 60)
    _, rounds = await rounds_of(opened, problem)
    out = await rounds.run_once(START)
    assert (out.failure, out.schedule, out.published) == ("", None, None)
    assert (await alarms_of(opened)).keys() == {"no_client"}
    await opened.close()


def names_in(raw):
    return {element.tag.rpartition("}")[2]: element for element in raw.xml.iter("{*}*")}


def watts(element):
    multiplier, value = (int(element.find("{*}" + name).text) for name in ("multiplier", "value"))
    return value * 10**multiplier


async def test_every_client_behind_a_connection_reads_its_limits(either_world, problem):
    """Over TLS, on each kind of database: the holder its net limits, the others what they may feed and draw."""
    world = either_world
    async with world.state.db.write() as db:
        beside = {
            "gale": await add_device(
                db, NewDevice(BATTERY, world.ids.clients["gale"], "NMI1", holds_net_limit=False), NOW
            ),
            "leaver": await add_device(
                db, NewDevice(CHARGER, world.ids.clients["leaver"], "NMI1", holds_net_limit=False), NOW
            ),
        }
        await db.run(update(tables.client).where(tables.client.c.name == "leaver").values(profile="csip"))
        await put_der_document(db, beside["leaver"], "DERSettings", b"<x/>", now=NOW, reported={"set_max_w": 5_000})
        groups = {name: (await devices.own_group(db, device)).id for name, device in beside.items()}
    steps = NOW // STEP_S * STEP_S + STEP_S * np.arange(problem.steps)
    day = replace(calculate(problem), connection_id=("NMI1", "NMI2", "NMI3"), step_start=steps)
    async with world.state.db.write() as db:
        await publication.publish(db, day, NOW)
    programs = {"sunny": f"/edev/{world.ids.devices['one']}/derp/{world.ids.groups['NMI1']}"} | {
        name: f"/edev/{device}/derp/{groups[name]}" for name, device in beside.items()
    }
    said = {}
    for name, program in programs.items():
        raw = await world.as_(name)
        said[name] = [names_in(await raw.get(f"{program}/{what}")) for what in ("actderc", "dderc")]
        assert len((await raw.get(f"/edev/{beside.get(name, world.ids.devices['one'])}/fsa?l=9")).xml) == (
            5 if name == "sunny" else 4
        )
        # What is the connection's, or a neighbour's, is nobody else's to read.
        for other in set(programs) - {name}:
            assert (await raw.get(f"{programs[other]}/derc")).status in (403, 404)
    first = int(np.searchsorted(steps, NOW, side="right")) - 1
    for mine in said["sunny"]:
        assert {"opModImpLimW", "opModExpLimW"} <= mine.keys()
        assert not {"opModGenLimW", "opModLoadLimW"} & mine.keys()
    for mine in said["gale"]:
        assert {"opModGenLimW", "opModLoadLimW"} <= mine.keys()
        assert not {"opModImpLimW", "opModExpLimW"} & mine.keys()
    for mine in said["leaver"]:
        assert "opModMaxLimW" in mine
        assert not {"opModGenLimW", "opModLoadLimW", "opModImpLimW", "opModExpLimW"} & mine.keys()
    export = watts(said["sunny"][0]["opModExpLimW"])
    fed = watts(said["gale"][0]["opModGenLimW"]) + 5_000 * int(said["leaver"][0]["opModMaxLimW"].text) / 10_000
    assert export <= day.export_limit_w[first, 0]
    assert 0 < fed - problem.load_lo_w[first, 0] <= day.export_limit_w[first, 0]
