"""Paths that lead into what is not there, or not the caller's: found nowhere, subscribed to nowhere."""

import pytest

from tests.raw import AUS, Reply, document
from tests.server.world import World, serving


@pytest.mark.parametrize(
    ("why", "path"),
    [
        ("controls of no group", "/derp/0/derc"),
        ("active controls of no group", "/derp/0/actderc"),
        ("the default of no group", "/derp/0/dderc"),
        ("all groups at once, where each is by itself", "/fsa/0/derp"),
    ],
)
async def test_a_number_that_stands_for_no_group_is_nowhere(world, why, path):
    sunny = await world.as_("sunny")
    assert (await sunny.get(f"/edev/{world.ids.devices['one']}{path}")).status == 404


async def test_one_assignments_for_all_groups_hides_those_for_each(people, sqlite_url):
    async with serving(people, sqlite_url, utility={"fsa_layout": "one"}) as world:
        sunny = await world.as_("sunny")
        fsa = f"/edev/{world.ids.devices['one']}/fsa"
        assert (await sunny.get(f"{fsa}/0/derp?l=9")).number("all") == 5
        assert (await sunny.get(f"{fsa}/{world.ids.groups['feeder']}/derp")).status == 404


@pytest.mark.parametrize("path", ["/fsa/{feeder}/derp", "/fsa/{feeder}", "/fsa/999999/derp", "/derp/0/derc"])
async def test_what_is_not_the_devices_is_not_subscribed_to(world, path):
    """`two` is no member of the feeder's group."""
    reply = await subscribed(world, f"/edev/{world.ids.devices['two']}{path.format(**world.ids.groups)}")
    assert (reply.status, reply.reason) == (400, 1)


async def subscribed(world: World, resource: str) -> Reply:
    """sunny's attempt to subscribe."""
    sunny = await world.as_("sunny")
    own = (await sunny.get("/edev")).href("EndDevice")
    said = (
        f"<subscribedResource>{resource}</subscribedResource><encoding>0</encoding><level>+S1</level>"
        "<limit>9</limit><notificationURI>https://localhost:9/n</notificationURI>"
    )
    return await sunny.post(f"{own}/sub", document("Subscription", said))


async def test_an_aggregator_itself_is_no_der(world):
    """Its own entry has no place, no programs and no DER, and takes no connection's limits from a device."""
    sunny = await world.as_("sunny")
    own = (await sunny.get("/edev")).href("EndDevice")
    for path in ("/cp", "/fsa", "/fsa/0/derp", "/der", "/der/1", "/der/1/ders", "/der/1/dercap"):
        assert (await sunny.get(f"{own}{path}")).status == 404, path
    assert (await sunny.put(f"{own}/cp", connection_point("NMI9"))).status in (403, 404)
    one = f"/edev/{world.ids.devices['one']}"
    assert (await sunny.put(f"{one}/cp", connection_point("NMI9"))).status == 204
    for path in ("", "/sub", "/rg", "/lel"):
        assert (await sunny.get(f"{own}{path}")).status == 200, path


def connection_point(name: str) -> str:
    inner = f"<csipaus:connectionPointId>{name}</csipaus:connectionPointId>"
    return f'<csipaus:ConnectionPoint xmlns:csipaus="{AUS}">{inner}</csipaus:ConnectionPoint>'
