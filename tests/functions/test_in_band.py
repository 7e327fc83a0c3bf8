"""A client that registers its devices itself (CSIP-AUS): from an empty list to a connection's limits."""

from typing import Any

import pytest

from sep2.operations.clients import NewClient, register_client, set_client_access
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.defaults import set_default
from sep2.operations.groups import NewGroup, create_group
from sep2.operations.identities import finish, replace, used
from sep2.rules.identifiers import managed_lfdi
from sep2.rules.limits import Limits
from sep2.store import alarms
from tests.functions.test_whose import connection_point
from tests.raw import Raw, document
from tests.server.world import NOW, serving

LFDI = managed_lfdi(32473)


def entry(lfdi: str) -> str:
    return document("EndDevice", f"<lFDI>{lfdi}</lFDI><sFDI>1</sFDI><changedTime>{NOW}</changedTime>")


@pytest.fixture
async def world(people, on_sqlite):
    """`stranger` is an aggregator that registers its devices itself; they join the feeder's group."""
    utility = {"in_band_group": "feeder"}
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, utility=utility) as world:
        async with world.state.db.write() as db:
            new = NewClient("stranger", people.lfdi("stranger"), "aggregator", registration="in-band")
            await register_client(db, new, NOW)
            await set_default(db, world.ids.groups["feeder"], Limits(export_w=1500), now=NOW)
            await set_default(db, world.ids.groups["NMI9"], Limits(export_w=800), now=NOW)
        yield world


async def limits(raw: Raw, device: str) -> set[str]:
    """The export limits of the defaults of a device's programs, walked to by links."""
    found = set()
    for fsa in (await raw.get(f"{(await raw.get(device)).href('FunctionSetAssignmentsListLink')}?l=9")).all(
        "FunctionSetAssignments"
    ):
        (link,) = fsa.findall("{*}DERProgramListLink")
        program = await raw.get(link.attrib["href"])
        default = await raw.get(program.href("DERProgram/DefaultDERControlLink"))
        found |= set(default.texts("DERControlBase/opModExpLimW/value"))
    return found


async def moved(world) -> list[Any]:
    """The alarms of devices that say they are elsewhere."""
    async with world.state.db.read() as db:
        return [alarm for alarm in await alarms.standing(db) if alarm.code == "device_moved"]


async def test_a_device_is_limited_from_its_registration_on(world):
    stranger = await world.as_("stranger")
    posted = await stranger.post("/edev", entry(LFDI))
    assert posted.status == 201
    assert await limits(stranger, posted.location) == {"1500"}
    place = (await stranger.get(posted.location)).href("ConnectionPointLink")
    assert (await stranger.get(place)).status == 404
    assert (await stranger.put(place, connection_point("NMI404"))).reason == 1
    assert (await stranger.put(place, connection_point("NMI3"))).status == 409
    placed = await stranger.put(place, connection_point("NMI9"))
    assert (placed.status, placed.location) == (204, place)
    assert (await stranger.get(place)).texts("connectionPointId") == ["NMI9"]
    assert await limits(stranger, posted.location) == {"1500", "800"}


async def test_a_claim_that_is_refused_is_an_alarm_until_the_device_says_where_it_is(world):
    async def claims() -> list[str]:
        async with world.state.db.read() as db:
            return [row.detail for row in await alarms.standing_of(db, "claim_refused")]

    stranger = await world.as_("stranger")
    new = (await stranger.post("/edev", entry(LFDI))).location
    assert (await stranger.put(f"{new}/cp", connection_point("NMI3"))).status == 409
    (detail,) = await claims()
    assert detail.startswith("it says that it is at NMI3, whose limits ")
    assert (await stranger.put(f"{new}/cp", connection_point("NMI9"))).status == 204
    assert await claims() == []


async def test_an_entry_is_registered_once_and_by_one(world):
    stranger, joiner = await world.as_("stranger"), await world.as_("joiner")
    first = await stranger.post("/edev", entry(LFDI))
    again = await stranger.post("/edev", entry(LFDI))
    assert (again.status, again.location) == (409, first.location)
    own = world.people.lfdi("joiner")
    assert (await stranger.post("/edev", entry(own))).status == 400
    assert (await joiner.post("/edev", entry(own))).status == 201
    assert (await joiner.get(first.location)).status == 404


async def test_who_moves_itself_is_seen_to_do_so(world):
    """A first place is no move; another one leaves the first one's limits behind."""
    sunny, stranger = await world.as_("sunny"), await world.as_("stranger")
    new = (await stranger.post("/edev", entry(LFDI))).location
    assert (await stranger.put(f"{new}/cp", connection_point("NMI9"))).status == 204
    assert await moved(world) == []
    one = f"/edev/{world.ids.devices['one']}"
    await stranger.put(f"{new}/cp", connection_point("NMI9"))
    assert (await sunny.put(f"{one}/cp", connection_point("NMI9"))).status == 409
    async with world.state.db.write() as db:
        await add_connection(db, NewConnection("NMI10"), NOW)
    assert (await sunny.put(f"{one}/cp", connection_point("NMI10"))).status == 204
    (alarm,) = await moved(world)
    assert alarm.subject == world.ids.lfdis["one"]
    assert alarm.detail.startswith("it says that it is at NMI10, no more NMI1")


async def test_a_utility_without_the_group_hears_of_it(people, on_sqlite):
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, utility={"in_band_group": "nowhere"}) as world:
        joiner = await world.as_("joiner")
        assert (await joiner.post("/edev", entry(world.people.lfdi("joiner")))).status == 201
        async with world.state.db.read() as db:
            assert ("no_such_group", "nowhere") in [(one.code, one.subject) for one in await alarms.standing(db)]
        async with world.state.db.write() as db:
            await create_group(db, NewGroup("nowhere"), NOW)
            assert await alarms.standing_of(db, "no_such_group") == []


@pytest.fixture
async def open_house(people, on_sqlite):
    """Every client may register itself; nobody knows `stranger`."""
    utility = {"registration": "in-band", "default_export_w": 1500}
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, utility=utility) as world:
        yield world


async def test_where_every_client_may_one_that_nobody_knows_registers_its_own_device_and_is_limited(open_house):
    stranger, lfdi = await open_house.as_("stranger"), open_house.people.lfdi("stranger")
    assert (await stranger.post("/edev", entry(LFDI))).status == 400
    posted = await stranger.post("/edev", entry(lfdi))
    assert posted.status == 201
    assert await limits(stranger, posted.location) == {"1500"}
    again = await stranger.post("/edev", entry(lfdi))
    assert (again.status, again.location) == (409, posted.location)
    assert (await stranger.post("/edev", entry(LFDI))).status == 400


async def test_who_was_shut_out_does_not_register_itself(open_house):
    lfdi = open_house.people.lfdi("stranger")
    async with open_house.state.db.write() as db:
        number = await register_client(db, NewClient("stranger", lfdi, "device", registration="in-band"), NOW)
        await set_client_access(db, number, granted=False)
    stranger = await open_house.as_("stranger")
    assert (await stranger.post("/edev", entry(lfdi))).status == 403


async def test_a_certificate_that_another_one_has_replaced_does_not_register_itself(open_house):
    before, after = open_house.people.lfdi("joiner"), open_house.people.lfdi("stranger")
    async with open_house.state.db.write() as db:
        await replace(db, open_house.ids.clients["joiner"], after, NOW)
        await used(db, after, NOW)
        await finish(db, open_house.ids.clients["joiner"], NOW)
    joiner = await open_house.as_("joiner")
    assert (await joiner.post("/edev", entry(before))).status == 403
