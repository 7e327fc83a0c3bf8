"""Documents in the csipaus namespace of another edition than the client is registered with."""

import pytest
from sqlalchemy import select, update

from sep2.store.tables import alarm, client
from tests.raw import AUS, Raw, document
from tests.server.world import NOW, World

V1_1, V1_3 = "http://csipaus.org/ns", "https://csipaus.org/ns/v1.3"
SETTINGS = (
    "<setGradW>1</setGradW><setMaxW><multiplier>0</multiplier><value>5000</value></setMaxW>"
    f"<updatedTime>{NOW}</updatedTime>"
)


def capability(namespace: str) -> str:
    rated = "<modesSupported>03</modesSupported><rtgMaxW><multiplier>0</multiplier><value>5000</value></rtgMaxW>"
    modes = "<csipaus:doeModesSupported>0F</csipaus:doeModesSupported>"
    return document("DERCapability", f"{rated}<type>4</type>{modes}").replace(AUS, namespace)


def settings(namespace: str, element: str) -> str:
    return document("DERSettings", f"{SETTINGS}{element}").replace(AUS, namespace)


async def mismatches(world: World) -> list[str]:
    async with world.state.db.read() as db:
        return [row.detail for row in await db.all(select(alarm).where(alarm.c.code == "profile_mismatch"))]


async def register_as(world: World, profile: str) -> None:
    async with world.state.db.write() as db:
        await db.run(update(client).values(profile=profile))


@pytest.fixture
def device(world: World) -> str:
    return f"/edev/{world.ids.devices['one']}"


@pytest.fixture
async def sunny(world: World) -> Raw:
    return await world.as_("sunny")


@pytest.mark.parametrize("profile", ["csip-aus-1.2", "csip-aus-1.3"])
async def test_csip_aus_1_1_is_read_as_the_profile_of_the_client(world, sunny, device, profile):
    """Its elements are those of later editions under another name; answers stay in the registered namespace."""
    await register_as(world, profile)
    assert (await sunny.put(f"{device}/der/1/dercap", capability(V1_1))).status == 204
    place = f'<ConnectionPoint xmlns="{V1_1}"><id>NMI1</id></ConnectionPoint>'
    assert (await sunny.put(f"{device}/cp", place)).status == 204
    assert await mismatches(world) == []
    await register_as(world, "csip-aus-1.2")
    read = await sunny.get(f"{device}/der/1/dercap")
    assert [part.text for part in read.xml.iter(f"{{{AUS}}}doeModesSupported")] == ["0F"]


async def test_csip_aus_1_1_with_elements_that_the_profile_has_not_is_refused_with_an_alarm(world, sunny, device):
    body = settings(V1_1, "<csipaus:vppModesEnabled>01</csipaus:vppModesEnabled>")
    refused = await sunny.put(f"{device}/der/1/derg", body)
    assert (refused.status, refused.reason) == (400, 0)
    assert (await sunny.get(f"{device}/der/1/derg")).status == 404
    (said,) = await mismatches(world)
    assert said == f"it writes elements of {V1_1} and is registered as csip-aus-1.2"


async def test_another_edition_is_read_with_an_alarm_once(world, sunny, device):
    for _ in range(2):
        assert (await sunny.put(f"{device}/der/1/dercap", capability(V1_3))).status == 204
    read = await sunny.get(f"{device}/der/1/dercap")
    assert [part.text for part in read.xml.iter(f"{{{AUS}}}doeModesSupported")] == ["0F"]
    (said,) = await mismatches(world)
    assert V1_3 in said


async def test_an_edition_that_is_only_declared_is_no_mismatch(world, sunny, device):
    body = settings(V1_3, "")
    assert (await sunny.put(f"{device}/der/1/derg", body)).status == 204
    assert (await sunny.put(f"{device}/der/1/dercap", capability(AUS))).status == 204
    assert await mismatches(world) == []


async def test_every_conflict_says_that_values_are_wrong(world):
    """reasonCode 1: invalid request values."""
    sunny, joiner = await world.as_("sunny"), await world.as_("joiner")
    place = f'<ConnectionPoint xmlns="{AUS}"><connectionPointId>NMI1</connectionPointId></ConnectionPoint>'
    taken = await sunny.put(f"/edev/{world.ids.devices['two']}/cp", place)
    assert (taken.status, taken.reason) == (409, 1)
    entry = document("EndDevice", "<sFDI>1</sFDI><changedTime>0</changedTime>")
    assert (await joiner.post("/edev", entry)).status == 201
    again = await joiner.post("/edev", entry)
    assert (again.status, again.reason) == (409, 1)
    assert again.location
