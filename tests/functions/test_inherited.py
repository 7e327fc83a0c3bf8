"""Defaults as each device is served them: a program's own, and what it inherits from less important ones."""

import pytest
from sqlalchemy import func, insert, select, update

from sep2.operations import inherited
from sep2.operations.curves import create_curve
from sep2.operations.defaults import Beside, set_default
from sep2.operations.devices import remove_device
from sep2.operations.groups import assign, set_primacy, unassign
from sep2.rules.curves import Curve, Point
from sep2.rules.limits import Limits
from sep2.store.tables import client, end_device, member, outbox, subscription
from sep2.store.tables_served import served_default
from sep2.wire import DERCurveType
from tests.functions.test_told import subscribe
from tests.raw import Reply
from tests.server.world import NOW, World, serving


async def put(world: World, group: str, *, now: int = NOW, beside: Beside | None = None, **limits: int) -> None:
    """Set the default of a group."""
    async with world.state.db.write() as db:
        await set_default(db, world.ids.groups[group], Limits(**limits), now=now, beside=beside)
    await world.settle()


async def default(world: World, group: str, *, device: str = "one", who: str = "sunny") -> Reply:
    """The default of a program as a device is served it."""
    raw = await world.as_(who)
    found = await raw.get(f"/edev/{world.ids.devices[device]}/derp/{world.ids.groups[group]}/dderc")
    assert found.status == 200
    return found


def watts(reply: Reply) -> dict[str, int]:
    """The limits in watts, by wire name without opMod and LimW."""
    names = ("Imp", "Exp", "Gen", "Load")
    found = {name: reply.texts(f"DERControlBase/opMod{name}LimW/value") for name in names}
    return {name: int(values[0]) for name, values in found.items() if values}


def version(reply: Reply) -> int:
    return int(reply.texts("version")[0])


async def test_the_first_programs_default_says_all_that_holds(either_world):
    """A client that takes it as a whole holds what the standard has it put together mode by mode."""
    await put(either_world, "feeder", export_w=1000, import_w=3000, beside=Beside(set_grad_w=100))
    await put(either_world, "NMI1", export_w=2000, beside=Beside(modes={"opModConnect": True}))
    first = await default(either_world, "NMI1")
    assert watts(first) == {"Exp": 2000, "Imp": 3000}
    assert first.texts("setGradW") == ["100"]
    assert first.texts("DERControlBase/opModConnect") == ["true"]
    second = await default(either_world, "feeder")
    assert watts(second) == {"Exp": 1000, "Imp": 3000}
    assert second.texts("DERControlBase/opModConnect") == []
    assert first.texts("mRID") != second.texts("mRID")


async def test_an_empty_default_is_never_above_a_full_one(world):
    await put(world, "feeder", export_w=1000)
    assert watts(await default(world, "NMI1")) == {"Exp": 1000}


async def test_versions_follow_what_is_served(either_world):
    """They rise with what is inherited, also when a device leaves and comes back, and with nothing else."""
    world, group, device = either_world, either_world.ids.groups["feeder"], either_world.ids.devices["one"]
    await put(world, "NMI1", export_w=2000)
    seen = [version(await default(world, "NMI1"))]

    async def rises(by: int) -> None:
        seen.append(version(await default(world, "NMI1")))
        assert seen[-1] - seen[-2] == by

    await put(world, "feeder", import_w=3000)
    await rises(1)
    await put(world, "feeder", import_w=3000, export_w=500)
    await rises(0)
    async with world.state.db.write() as db:
        await unassign(db, group, device, NOW)
    await rises(1)
    async with world.state.db.write() as db:
        await assign(db, group, device, NOW)
    await rises(1)
    before = version(await default(world, "feeder"))
    async with world.state.db.write() as db:
        await set_primacy(db, group, 1, NOW)
    await rises(1)
    assert watts(await default(world, "NMI1")) == {"Exp": 2000}
    assert version(await default(world, "feeder")) == before
    assert watts(await default(world, "feeder")) == {"Exp": 500, "Imp": 3000}
    assert seen == sorted(seen)


async def test_who_left_and_came_back_knows_another_version(world):
    """What is served then may say something else than when the device was last in the group."""
    group, device = world.ids.groups["feeder"], world.ids.devices["one"]
    await put(world, "feeder", import_w=1)
    before = version(await default(world, "feeder"))
    async with world.state.db.write() as db:
        await unassign(db, group, device, NOW)
        await assign(db, group, device, NOW)
    assert version(await default(world, "feeder")) > before


async def test_subscribers_above_are_told_and_only_of_what_they_see(world, receiver):
    sunny = await world.as_("sunny")
    await put(world, "NMI1", export_w=2000)
    path = f"/edev/{world.ids.devices['one']}/derp/{world.ids.groups['NMI1']}/dderc"
    await subscribe(sunny, path, receiver)
    await put(world, "feeder", export_w=100)
    assert receiver.taken == []
    await put(world, "feeder", export_w=100, import_w=700)
    notice = await receiver.wait()
    assert b"<value>700</value>" in notice.body
    assert len(receiver.taken) == 1


async def test_a_default_that_reads_as_before_is_no_news(world):
    """What a group inherited is then said by itself: nothing changes for those who are served it."""
    await put(world, "feeder", import_w=3000)
    seen = await default(world, "NMI1")
    await put(world, "NMI1", import_w=3000)
    again = await default(world, "NMI1")
    assert again.body == seen.body
    async with world.state.db.read() as db:
        assert await db.all(select(outbox.c.id)) == []


async def test_a_utility_may_serve_each_program_its_own_default(people, on_sqlite):
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, utility={"default_layout": "own"}) as world:
        await put(world, "feeder", export_w=1000)
        assert watts(await default(world, "NMI1")) == {}
        assert watts(await default(world, "feeder")) == {"Exp": 1000}
        before = version(await default(world, "NMI1"))
        await put(world, "feeder", export_w=1001)
        assert version(await default(world, "NMI1")) == before
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids) as world:
        assert watts(await default(world, "NMI1")) == {"Exp": 1001}
        assert version(await default(world, "NMI1")) > before


async def test_an_inherited_curve_is_found_in_the_program_that_has_it(world):
    group = world.ids.groups["feeder"]
    async with world.state.db.write() as db:
        curve = Curve(kind=DERCurveType.opModVoltVar, points=[Point(92, 44), Point(108, -44)])
        curve_id = (await create_curve(db, group, curve, NOW)).id
        await set_default(db, group, Limits(), now=NOW, beside=Beside(modes={"opModVoltVar": curve_id}))
    href = (await default(world, "NMI1")).href("DERControlBase/opModVoltVar")
    assert href == f"/edev/{world.ids.devices['one']}/derp/{group}/dc/{curve_id}"
    assert (await (await world.as_("sunny")).get(href)).status == 200


async def test_large_groups_are_gone_through_in_parts(either_world):
    """More members than are looked at in one statement, each with a program of its own above."""
    world, more = either_world, 1200
    feeder = world.ids.groups["feeder"]
    async with world.state.db.write() as db:
        rows = [
            {
                "lfdi": f"{number:032X}00032473",
                "sfdi": number,
                "client_id": world.ids.clients["sunny"],
                "holds_net_limit": False,
                "pin": 0,
                "enabled": True,
                "fsa_mrid": f"{number:032X}",
                "changed": NOW,
                "registered": NOW,
            }
            for number in range(more)
        ]
        await db.run(insert(end_device), rows)
        ids = [row.id for row in await db.all(select(end_device.c.id).where(end_device.c.sfdi < more))]
        for group in (feeder, world.ids.groups["NMI9"]):
            joined = [{"device_group_id": group, "end_device_id": one, "since": NOW} for one in ids]
            await db.run(insert(member), joined)
    async with world.state.db.write() as db:
        await set_default(db, feeder, Limits(import_w=5), now=NOW)
        moved = await db.one(
            select(func.count().label("n")).where(served_default.c.device_group_id == world.ids.groups["NMI9"])
        )
        assert moved.n == more
        told = {row.ids for row in await db.all(select(outbox.c.ids))}
        assert f'{{"derp": {world.ids.groups["NMI9"]}, "edev": {ids[-1]}}}' in told
        await set_default(db, feeder, Limits(import_w=5, export_w=6), now=NOW)


async def test_the_engine_learns_what_each_device_is_served(world):
    """Of a connection's devices each with the default that holds for it, floor and all."""
    await put(world, "feeder", import_w=3000)
    async with world.state.db.read() as db:
        found = {one.connection_id: one for one in await inherited.at_connections(db, ["NMI1", "NMI2", "NMI9"])}
    assert sorted(found) == ["NMI1", "NMI2"]
    assert inherited.content(found["NMI1"].default) == {"opModImpLimW": 3000, "opModExpLimW": 1500}
    assert inherited.content(found["NMI2"].default) == {"opModExpLimW": 1500}
    assert (found["NMI1"].device_id, found["NMI1"].holds_net_limit) == (world.ids.devices["one"], True)


@pytest.mark.parametrize(
    ("own", "inherited_w", "percent"), [(None, 2500, 5000), (4000, 2500, 5000), (1000, None, 2000)]
)
async def test_percentages_are_of_the_device_that_is_served(people, on_sqlite, own, inherited_w, percent):
    """Under csip, export and generation are one mode: the tighter of what holds."""
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids) as world:
        async with world.state.db.write() as db:
            await db.run(update(client).values(profile="csip"))
            await db.run(update(end_device).values(set_max_w=5000))
        await put(world, "feeder", **({} if inherited_w is None else {"gen_w": inherited_w}))
        await put(world, "NMI1", **({} if own is None else {"export_w": own}))
        assert (await default(world, "NMI1")).texts("DERControlBase/opModMaxLimW") == [str(percent)]


async def test_nothing_is_kept_of_who_is_removed(world):
    await put(world, "feeder", import_w=3000)
    async with world.state.db.write() as db:
        await remove_device(db, world.ids.devices["one"], NOW)
        for table in (served_default, subscription):
            assert await db.all(select(table).where(table.c.end_device_id == world.ids.devices["one"])) == []
