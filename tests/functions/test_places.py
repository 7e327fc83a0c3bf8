"""Devices that would end without a limit, devices that say they are elsewhere, and where answers go."""

import pytest

from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.defaults import set_default
from sep2.operations.devices import (
    ConnectionTaken,
    NewDevice,
    NoMoveAsked,
    add_device,
    keep_place,
    place_device,
    remove_device,
)
from sep2.operations.newcomers import SetBySettings
from sep2.rules.identifiers import managed_lfdi
from sep2.rules.limits import Limits
from sep2.store import alarms, groups
from tests.functions.test_in_band import entry, limits
from tests.functions.test_whose import connection_point
from tests.server.world import NOW, World, serving

LFDI = managed_lfdi(32473)


async def standing(world: World, code: str) -> list[str]:
    """The subjects of alarms of a code."""
    async with world.state.db.read() as db:
        return [alarm.subject for alarm in await alarms.standing(db) if alarm.code == code]


async def stranger_of(world: World, people) -> tuple:
    """An aggregator that registers its devices itself, and the address of one that it has registered."""
    async with world.state.db.write() as db:
        new = NewClient("stranger", people.lfdi("stranger"), "aggregator", registration="in-band")
        await register_client(db, new, NOW)
    raw = await world.as_("stranger")
    posted = await raw.post("/edev", entry(LFDI))
    assert posted.status == 201
    return raw, posted.location


async def test_a_device_that_registers_itself_is_limited_before_anybody_looks(people, on_either):
    """Also where no group is named, where its connection is unknown, or taken."""
    async with serving(people, on_either.url, ids=on_either.ids) as world:
        raw, device = await stranger_of(world, people)
        assert await limits(raw, device) == {"1500"}
        assert people.lfdi("stranger") in await standing(world, "default_in_force")
        assert (await raw.put(f"{device}/cp", connection_point("NMI404"))).reason == 1
        assert (await raw.put(f"{device}/cp", connection_point("NMI1"))).status == 409
        assert await limits(raw, device) == {"1500"}
        async with world.state.db.write() as db:
            await set_default(db, world.ids.groups["NMI9"], Limits(export_w=800), now=NOW)
        assert (await raw.put(f"{device}/cp", connection_point("NMI9"))).status == 204
        assert await limits(raw, device) == {"800"}
        assert people.lfdi("stranger") not in await standing(world, "default_in_force")


async def test_devices_that_connect_by_themselves_and_have_no_limit_are_one_alarm(world):
    lfdis = [managed_lfdi(32473) for _ in range(3)]
    ids = []
    subject = "devices that connect by themselves"
    async with world.state.db.write() as db:
        for number, lfdi in enumerate(lfdis):
            client = await register_client(db, NewClient(f"gateway {number}", lfdi, "device"), NOW)
            ids.append(await add_device(db, NewDevice(lfdi, client), NOW))
        assert lfdis[0] in await alarms.members_about(db, "default_in_force", subject)
        await place_device(db, ids[0], "NMI9", NOW)
        await set_default(db, world.ids.groups["NMI9"], Limits(export_w=800), now=NOW)
        members = await alarms.members_about(db, "default_in_force", subject)
    assert set(lfdis) - set(members) == {lfdis[0]}
    assert not {*lfdis} & {*await standing(world, "default_in_force")}, "none has an alarm of its own"


async def test_who_leaves_its_last_group_is_a_newcomer_again(world):
    async with world.state.db.write() as db:
        device = await add_device(db, NewDevice(LFDI, world.ids.clients["sunny"]), NOW)
        name = "devices in no group"
        newcomers = await groups.by_name(db, name)
        assert newcomers is not None
        assert await groups.is_member(db, newcomers.id, device)
        await place_device(db, device, "NMI9", NOW)
        assert not await groups.is_member(db, newcomers.id, device)
        with pytest.raises(SetBySettings):
            await set_default(db, newcomers.id, Limits(export_w=1), now=NOW)


async def test_a_contract_comes_before_the_utilitys_default(world):
    async with world.state.db.write() as db:
        await add_connection(db, NewConnection("NMI7", firm_export_w=700, firm_import_w=9000), NOW)
        device = await add_device(db, NewDevice(LFDI, world.ids.clients["sunny"], "NMI7"), NOW)
        group = await groups.by_name(db, "connection NMI7")
    sunny = await world.as_("sunny")
    shown = await sunny.get(f"/edev/{device}/derp/{group.id}/dderc")
    assert shown.texts("DERControlBase/opModExpLimW/value") == ["700"]
    assert shown.texts("DERControlBase/opModImpLimW/value") == ["9000"]


async def test_who_does_not_see_the_meter_is_told_its_own_power(world):
    async with world.state.db.write() as db:
        new = NewDevice(LFDI, world.ids.clients["sunny"], "NMI1", holds_net_limit=False)
        device = await add_device(db, new, NOW)
        group = await groups.by_name(db, f"device {LFDI}")
    sunny = await world.as_("sunny")
    shown = await sunny.get(f"/edev/{device}/derp/{group.id}/dderc")
    assert shown.texts("DERControlBase/opModGenLimW/value") == ["1500"]
    assert shown.texts("DERControlBase/opModExpLimW/value") == []


@pytest.mark.parametrize(("said", "served"), [(900, {"900"}), ("none", set())])
async def test_the_utility_sets_its_own(people, on_sqlite, said, served):
    """A new value is told to those it concerns; with none, the alarm says that nothing limits them."""
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids):
        pass
    utility = {"default_export_w": said}
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, utility=utility) as world:
        sunny = await world.as_("sunny")
        assert await limits(sunny, f"/edev/{world.ids.devices['two']}") == served
        async with world.state.db.read() as db:
            details = {alarm.detail for alarm in await alarms.standing(db) if alarm.code == "default_in_force"}
    assert all(("900 W limits it" if served else "nothing limits it") in detail for detail in details)
    assert details


async def test_the_alarm_is_gone_once_all_devices_are_bound(world):
    sunny = world.people.lfdi("sunny")
    assert sunny in await standing(world, "default_in_force")
    for name in ("NMI1", "NMI2"):
        async with world.state.db.write() as db:
            await set_default(db, world.ids.groups[name], Limits(gen_w=1), now=NOW)
    assert sunny not in await standing(world, "default_in_force")
    async with world.state.db.write() as db:
        await set_default(db, world.ids.groups["NMI2"], Limits(load_w=1), now=NOW)
    assert sunny in await standing(world, "default_in_force")
    async with world.state.db.write() as db:
        await remove_device(db, world.ids.devices["two"], NOW)
    assert sunny not in await standing(world, "default_in_force")


async def test_a_claimed_connection_waits_for_an_operator(either_world):
    """It reads back what the client wrote; the limits are those of the connection that was agreed to."""
    world = either_world
    sunny, two = await world.as_("sunny"), world.ids.devices["two"]
    async with world.state.db.write() as db:
        await set_default(db, world.ids.groups["NMI2"], Limits(export_w=200), now=NOW)
        await set_default(db, world.ids.groups["NMI9"], Limits(export_w=900), now=NOW)
    device = f"/edev/{two}"
    put = await sunny.put(f"{device}/cp", connection_point("NMI9"))
    assert (put.status, put.location) == (204, f"{device}/cp")
    assert (await sunny.get(f"{device}/cp")).texts("connectionPointId") == ["NMI9"]
    assert await limits(sunny, device) == {"200"}
    assert await standing(world, "device_moved") == [world.ids.lfdis["two"]]
    async with world.state.db.write() as db:
        await place_device(db, two, "NMI9", NOW)
    assert await limits(sunny, device) == {"900"}
    assert await standing(world, "device_moved") == []


async def test_an_operator_refuses_a_move(world):
    sunny, two = await world.as_("sunny"), world.ids.devices["two"]
    await sunny.put(f"/edev/{two}/cp", connection_point("NMI9"))
    async with world.state.db.write() as db:
        await keep_place(db, two, NOW)
    assert (await sunny.get(f"/edev/{two}/cp")).texts("connectionPointId") == ["NMI2"]
    assert await standing(world, "device_moved") == []
    async with world.state.db.write() as db:
        with pytest.raises(NoMoveAsked):
            await keep_place(db, two, NOW)
        with pytest.raises(ConnectionTaken):
            await place_device(db, two, "NMI1", NOW)
        await place_device(db, two, "NMI1", NOW, holds_net_limit=False)
    assert (await sunny.get(f"/edev/{two}/derp/{world.ids.groups['NMI1']}")).status == 404


async def test_a_client_takes_its_claim_back(world):
    sunny, two = await world.as_("sunny"), world.ids.devices["two"]
    for name in ("NMI9", "NMI2"):
        assert (await sunny.put(f"/edev/{two}/cp", connection_point(name))).status == 204
    assert await standing(world, "device_moved") == []


@pytest.mark.parametrize(("said", "status", "place"), [("refuse", 409, "NMI2"), ("at-once", 204, "NMI9")])
async def test_a_utility_may_let_devices_move_or_refuse_it(people, on_sqlite, said, status, place):
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, utility={"connection_move": said}) as world:
        sunny, device = await world.as_("sunny"), f"/edev/{world.ids.devices['two']}"
        assert (await sunny.put(f"{device}/cp", connection_point("NMI9"))).status == status
        assert (await sunny.get(f"{device}/cp")).texts("connectionPointId") == [place]
        assert (await sunny.get(f"{device}/derp/{world.ids.groups[place]}")).status == 200


@pytest.mark.parametrize("who", ["sunny", "roof", "joiner"])
async def test_the_entrance_leads_to_the_callers_own_answers(world, who):
    """Of the EndDevice that is the caller itself, where there is one."""
    raw = await world.as_(who)
    links = (await raw.get("/dcap")).all("ResponseSetListLink")
    if who == "joiner":
        assert links == []
        return
    (link,) = links
    own = (await raw.get("/edev")).href("EndDevice")
    assert link.attrib == {"href": f"{own}/rsps", "all": "1"}
    assert (await raw.get(link.attrib["href"])).number("all") == 1
