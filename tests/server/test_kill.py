"""A server that is killed and started again on the same database has lost nothing (CSIP ERR-002)."""

import asyncio
import random

import pytest

from tests.ports import free_port
from tests.receiver import Receiver
from tests.server import story
from tests.server.process import House
from tests.server.story import STEPS, Story, attempt
from tests.server.world import NOW


@pytest.fixture
async def receiver(people):
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as listening:
        yield listening


@pytest.fixture
async def house(people, database_url, tmp_path_factory):
    made = House(tmp_path_factory.mktemp("house"), people, database_url)
    await made.settle()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def told(house, receiver):
    yield (made := Story(house, receiver))
    await made.leave()


async def test_killed_between_steps_nothing_reads_differently(told):
    """Every resource that the aggregator can reach is the same to the octet, and the story goes on."""
    for step in STEPS:
        await step(told)
        if step in (story.send, story.cancel):
            before = await told.sees()
            await told.leave()
            await told.house.kill()
            await told.house.start()
            assert await told.sees() == before
    assert len(told.locations) == 3


async def test_a_notification_that_was_under_way_is_sent_again(told):
    """Neither one that the receiver has not answered, nor one that it has refused, is lost with the server."""
    await story.subscribe(told)
    await told.house.move_clock(NOW + 1)
    told.receiver.answer = lambda notice: 503 if notice.kind == "EndDeviceList" else 204
    await told.house.operate("PUT", "/poll-rates/EndDeviceList", {"seconds": 77})
    await told.receiver.wait_refused(1)
    told.receiver.hold.clear()
    await told.control("first", NOW + 100, 5000)
    await told.leave()
    await told.house.kill()
    since = len(told.receiver.taken)
    told.receiver.answer = lambda notice: 204
    told.receiver.hold.set()
    await told.house.start()
    await told.receiver.wait(lambda notice: told.mrids["first"].encode() in notice.body, since=since)
    await told.house.move_clock(NOW + 60)  # the refused one waits for its second attempt
    notice = await told.receiver.wait(lambda notice: notice.kind == "EndDeviceList", since=since)
    assert notice.resource.attrib["pollRate"] == "77"


async def test_killed_at_any_moment_what_was_acknowledged_stands(told):
    """The story is told while the server dies at random; whoever was cut off does the step again."""
    await tell_through_kills(told, random.Random(2), kills=2)


async def tell_through_kills(told: Story, dice: random.Random, *, kills: int) -> None:
    """Tell the story while a reaper goes round, then look whether everything is there, and nothing twice."""

    async def reaper() -> None:
        for _ in range(kills):
            await asyncio.sleep(dice.uniform(0.0, 0.3))
            await told.house.kill()
            await told.house.start()

    async with asyncio.TaskGroup() as group:
        group.create_task(reaper())
        for step in STEPS:
            await attempt(told, step)
    seen = await attempt(told, Story.sees)
    assert {path: seen[path][0] for path in told.locations.values()} == dict.fromkeys(told.locations.values(), 200)
    controls = await told.house.operate("GET", "/controls?over=true")
    assert set(told.mrids.values()) <= {control["mrid"] for control in controls["items"]}
    # Beside them there are parts of what was replaced, each once.
    said = [(one["start"], one["duration"], str(one["limits"])) for one in controls["items"]]
    assert len(said) == len(set(said))
