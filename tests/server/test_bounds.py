"""What one client may use up, without touching what others have."""

from collections.abc import AsyncIterator

import pytest

from tests.raw import document
from tests.server.conftest import Settled
from tests.server.test_refusals import mirror
from tests.server.world import NOW, People, World, serving


@pytest.fixture
async def narrow(people: People, on_either: Settled) -> AsyncIterator[World]:
    """A server that keeps little."""
    bounds = {"limits": {"mirrors": 2, "log_events": 10}}
    async with serving(people, on_either.url, ids=on_either.ids, **bounds) as world:
        yield world


async def test_a_client_of_many_devices_may_ask_more_often_than_a_device(world: World) -> None:
    """What is held and refused beyond that is shown in test_shares."""
    assert world.state.settings.utility.requests_per_minute.device == 600
    sunny = await world.as_("sunny")
    assert {(await sunny.get("/tm")).status for _ in range(700)} == {200}


async def test_a_client_has_so_many_mirrors(narrow: World) -> None:
    sunny = await narrow.as_("sunny")
    own = narrow.ids.lfdis["one"]
    assert [(await sunny.post("/mup", mirror(own, mrid))).status for mrid in ("0A", "0B")] == [201, 201]
    refused = await sunny.post("/mup", mirror(own, "0C"))
    assert (refused.status, refused.reason) == (403, 2)
    assert (await sunny.post("/mup", mirror(own, "0A"))).status == 204, "one that is known is said anew"
    gale = await narrow.as_("gale")
    assert (await gale.post("/mup", mirror(narrow.ids.lfdis["three"], "0A"))).status == 201


async def test_the_oldest_event_makes_room_for_a_new_one(narrow: World) -> None:
    sunny = await narrow.as_("sunny")

    def event(number: int) -> str:
        said = f"<createdDateTime>{NOW + number}</createdDateTime><functionSet>11</functionSet>"
        more = f"<logEventCode>1</logEventCode><logEventID>{number}</logEventID><logEventPEN>40732</logEventPEN>"
        return document("LogEvent", f"{said}{more}<profileID>2</profileID>")

    one, two = (f"/edev/{narrow.ids.devices[name]}/lel" for name in ("one", "two"))
    await sunny.post(two, event(0))
    posted = [await sunny.post(one, event(number)) for number in range(12)]
    assert {answer.status for answer in posted} == {201}
    listed = await sunny.get(f"{one}?l=255")
    assert listed.texts("LogEvent/logEventID") == [str(number) for number in range(11, 1, -1)]
    assert (await sunny.get(posted[0].location)).status == 404
    assert (await sunny.get(f"{two}?l=255")).number("all") == 1
