"""mRIDs that clients choose are compared inside their own EndDevice and mirror."""

from collections.abc import AsyncIterator

import pytest

from tests.raw import Raw, document
from tests.server.conftest import Settled
from tests.server.test_reports import mirror, reading, series
from tests.server.world import NOW, People, World, serving


@pytest.fixture
async def strict(people: People, on_either: Settled) -> AsyncIterator[World]:
    """A server on which no client may use the mRIDs of another."""
    async with serving(people, on_either.url, ids=on_either.ids, utility={"identifiers": "server-wide"}) as world:
        yield world


async def posted(client: Raw, lfdi: str, mrid: str, of_series: str, value: int = 1) -> tuple[int, int, str]:
    """The answers to a new mirror and to a series of it, and where the mirror is."""
    made = await client.post("/mup", mirror(lfdi, mrid))
    where = made.headers.get("location", "")
    said = await client.post(where or "/mup", document("MirrorMeterReading", series(of_series, reading(value))))
    return made.status, said.status, where


async def latest(client: Raw, place: str) -> list[str]:
    """The value of the latest reading of the one series of a usage point."""
    point = place.replace("/mup/", "/upt/")
    (link,) = (await client.get(f"{point}/mr?l=9")).all("MeterReading/ReadingLink")
    return (await client.get(link.attrib["href"])).texts("value")


async def test_two_homes_may_use_the_same_mrids(either_world: World) -> None:
    """Of one aggregator or of two clients; each keeps its own readings."""
    sunny, gale = await either_world.as_("sunny"), await either_world.as_("gale")
    lfdis = either_world.ids.lfdis
    places = []
    for who, client, value in (("one", sunny, 1), ("two", sunny, 2), ("three", gale, 3)):
        *statuses, place = await posted(client, lfdis[who], "0A", "0C", value)
        assert statuses == [201, 201], who
        places.append((client, place, value))
    assert len({place for _, place, _ in places}) == 3
    for client, place, value in places:
        assert await latest(client, place) == [str(value)]
    assert (await sunny.get("/mup?l=9")).number("all") == 2


async def test_a_mirror_that_is_posted_again_is_the_same_and_one_of_another_device_is_not(either_world: World) -> None:
    sunny = await either_world.as_("sunny")
    one, two = either_world.ids.lfdis["one"], either_world.ids.lfdis["two"]
    first = await sunny.post("/mup", mirror(one))
    again = await sunny.post("/mup", mirror(one, flags="49"))
    assert (again.status, again.location) == (204, first.location)
    other = await sunny.post("/mup", mirror(two))
    assert other.status == 201
    assert (await sunny.get(first.location)).texts("deviceLFDI") == [one]
    moved = await sunny.put(first.location, mirror(two))
    assert (moved.status, moved.reason) == (400, 0), "the readings of one home never become another's"
    assert (await sunny.put(first.location, mirror(one, flags="03"))).status == 204


async def test_server_wide_no_mrid_of_another_client_is_taken(strict: World) -> None:
    """As one harness of CSIP-AUS wants it; the devices of one client may still use the same."""
    sunny, gale = await strict.as_("sunny"), await strict.as_("gale")
    lfdis = strict.ids.lfdis
    assert (await posted(sunny, lfdis["one"], "0A", "0C"))[:2] == (201, 201)
    assert (await posted(sunny, lfdis["two"], "0A", "0C"))[:2] == (201, 201)
    refused = await gale.post("/mup", mirror(lfdis["three"], "0A"))
    assert (refused.status, refused.reason) == (400, 1)
    assert (await posted(gale, lfdis["three"], "0B", "0C"))[:2] == (201, 400)
    assert (await posted(gale, lfdis["three"], "0B", "0D"))[:2] == (204, 201)


async def test_log_events_that_differ_in_anything_are_two(either_world: World) -> None:
    """Many devices number every event 0; only what is equal in all it says is a repetition."""
    sunny = await either_world.as_("sunny")

    def event(function_set: int = 11, details: str = "", extended: str = "") -> str:
        return document(
            "LogEvent",
            f"<createdDateTime>{NOW}</createdDateTime>{details}{extended}<functionSet>{function_set}</functionSet>"
            "<logEventCode>1</logEventCode><logEventID>0</logEventID><logEventPEN>40732</logEventPEN>"
            "<profileID>2</profileID>",
        )

    said = [
        event(),
        event(12),
        event(details="<details>phase a</details>"),
        event(details="<details>phase b</details>"),
        event(details="<details></details>"),
        event(extended="<extendedData>0</extendedData>"),
    ]
    for name in ("one", "two"):
        log = f"/edev/{either_world.ids.devices[name]}/lel"
        first = [await sunny.post(log, body) for body in said]
        assert [answer.status for answer in first] == [201] * 6
        again = [await sunny.post(log, body) for body in said]
        assert [(answer.status, answer.location) for answer in again] == [(204, one.location) for one in first]
        assert (await sunny.get(f"{log}?l=9")).number("all") == 6
