"""Two servers on one PostgreSQL database are one to their clients."""

import asyncio

import pytest

from sep2.operations.clients import set_client_access
from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.rates import set_poll_rate
from sep2.rules.limits import Limits
from tests.ports import free_port
from tests.raw import Raw, context, document
from tests.receiver import Receiver
from tests.server.walk import walk
from tests.server.world import NOW, another, serving


@pytest.fixture
async def receiver(people):
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as listening:
        yield listening


@pytest.fixture
async def pair(people, postgres_url):
    """The first has registered everybody, the second has found that."""
    async with serving(people, postgres_url) as first, another(first, postgres_url) as second:
        yield first, second


async def sunny_at(world) -> Raw:
    return await Raw.open(world.port, context(world.people.pki.folder / "root.pem", world.people.files("sunny")))


async def subscribe(raw: Raw, resource: str, receiver: Receiver) -> str:
    said = (
        f"<subscribedResource>{resource}</subscribedResource><encoding>0</encoding><level>+S1</level>"
        f"<limit>9</limit><notificationURI>{receiver.uri}</notificationURI>"
    )
    own = (await raw.get("/edev")).href("EndDevice")
    return (await raw.post(f"{own}/sub", document("Subscription", said))).location


async def test_they_show_the_same(pair):
    seen = []
    for world in pair:
        raw = await sunny_at(world)
        seen.append({path: reply.body for path, reply in (await walk(raw)).items()})
        await raw.close()
    assert seen[0] == seen[1]


async def test_what_one_is_told_the_other_says(pair, receiver):
    """A subscriber of the one hears of a control that the other issued, and answers it at either."""
    first, second = pair
    raw = await sunny_at(first)
    program = f"/edev/{first.ids.devices['one']}/derp/{first.ids.groups['feeder']}"
    await subscribe(raw, f"{program}/derc", receiver)
    async with second.state.db.write() as db:
        control = NewControl(start=NOW + 100, duration=100, limits=Limits(export_w=1))
        await issue_controls(db, first.ids.groups["feeder"], [control], NOW)
    notice = await receiver.wait()
    assert notice.resource.attrib["all"] == "1"
    (mrid,) = [mrid.text for mrid in notice.xml.iter("{*}mRID")]
    elsewhere = await sunny_at(second)
    answer = f"<endDeviceLFDI>{first.ids.lfdis['one']}</endDeviceLFDI><status>1</status><subject>{mrid}</subject>"
    path = f"/edev/{first.ids.devices['one']}/rsps/1/rsp"
    assert (await elsewhere.post(path, document("DERControlResponse", answer))).status == 201
    assert (await raw.get(path)).number("all") == 1
    for one in (raw, elsewhere):
        await one.close()


async def test_access_withdrawn_at_one_is_withdrawn_at_the_other(pair):
    first, second = pair
    raw = await sunny_at(first)
    assert (await raw.get("/dcap")).status == 200
    async with second.state.db.write() as db:
        await set_client_access(db, first.ids.clients["sunny"], False)
    assert (await raw.get("/dcap")).status == 404
    await raw.close()


async def test_access_withdrawn_at_one_ends_writing_at_the_other_that_knew_the_client(pair):
    first, second = pair
    raw = await sunny_at(first)
    path = f"/edev/{first.ids.devices['one']}/der/1/ders"
    for number in range(3):
        status = document("DERStatus", f"<readingTime>{NOW + number}</readingTime>")
        assert (await raw.put(path, status)).status == 204
    async with second.state.db.write() as db:
        await set_client_access(db, first.ids.clients["sunny"], False)
    refused = await raw.put(path, document("DERStatus", f"<readingTime>{NOW + 9}</readingTime>"))
    assert refused.status in (403, 404)
    await raw.close()


async def test_a_rate_set_at_one_is_said_by_the_other(pair):
    first, second = pair
    raw = await sunny_at(first)
    async with second.state.db.write() as db:
        await set_poll_rate(db, "EndDeviceList", 42, NOW)
    while (await raw.get("/edev")).xml.attrib["pollRate"] != "42":  # noqa: ASYNC110 - it is told a moment later
        await asyncio.sleep(0.02)
    await raw.close()


async def test_a_device_that_reports_to_both_is_one(pair):
    """A client that changes over in the middle finds what it wrote."""
    raws = [await sunny_at(world) for world in pair]
    mirror = document(
        "MirrorUsagePoint",
        "<mRID>0A</mRID><roleFlags>03</roleFlags><serviceCategoryKind>0</serviceCategoryKind><status>1</status>"
        f"<deviceLFDI>{pair[0].ids.lfdis['one']}</deviceLFDI>",
    )
    replies = await asyncio.gather(*(raw.post("/mup", mirror) for raw in raws))
    assert {reply.location for reply in replies} == {replies[0].location}
    assert all(reply.status in (201, 204) for reply in replies)
    for raw in raws:
        assert (await raw.get("/mup")).number("all") == 1
        await raw.close()
