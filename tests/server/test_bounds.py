"""What one client may use up, without touching what others have."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from sep2.store.tables import alarm
from tests.raw import document
from tests.server.conftest import Settled
from tests.server.test_refusals import mirror
from tests.server.world import NOW, People, World, serving


@pytest.fixture
async def narrow(people: People, on_either: Settled) -> AsyncIterator[World]:
    """A server that lets a device ask three times a minute, and keeps little."""
    bounds = {"utility": {"requests_per_minute": {"device": 3}}, "limits": {"mirrors": 2, "log_events": 10}}
    async with serving(people, on_either.url, ids=on_either.ids, **bounds) as world:
        yield world


async def test_who_asks_too_often_is_told_when_to_ask_again(narrow: World) -> None:
    roof, sunny = await narrow.as_("roof"), await narrow.as_("sunny")
    assert [(await roof.get("/dcap")).status for _ in range(3)] == [200, 200, 200]
    for _ in range(2):
        refused = await roof.get("/dcap")
        assert (refused.status, refused.reason, refused.headers["retry-after"]) == (429, 4, "20")
        assert refused.texts("maxRetryDuration") == ["20"]
    again = await narrow.as_("roof")
    assert (await again.get("/tm")).status == 429, "another connection is the same client"
    for _ in range(9):
        assert (await sunny.get("/dcap")).status == 200, "others are not held to what one does"
    narrow.advance(NOW + 20)
    assert [(await roof.get("/dcap")).status for _ in range(2)] == [200, 429]
    async with narrow.state.db.read() as db:
        (raised,) = await db.all(select(alarm))
    assert (raised.code, raised.subject) == ("too_many_requests", narrow.people.lfdi("roof"))


async def test_nobody_is_held_up_unless_the_utility_says_so(world: World) -> None:
    roof = await world.as_("roof")
    assert {(await roof.get("/tm")).status for _ in range(100)} == {200}


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
