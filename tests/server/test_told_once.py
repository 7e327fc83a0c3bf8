"""One change, one notification: what reads as it did is not sent again, and nothing that failed stops the rest."""

import asyncio

import pytest
from sqlalchemy import insert, update

from sep2.operations.controls import cancel_control
from sep2.rules.cursor import Keyset
from sep2.store import alarms, deliveries, marks, open_database, outbox, tables
from tests.ports import free_port
from tests.raw import document
from tests.receiver import Receiver
from tests.server.subscriber import change, issue, seen, subscribe, waiting
from tests.server.world import NOW, serving


@pytest.fixture
async def receiver(people):
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as listening:
        yield listening


class Sunny:
    """Subscribes, and counts what it is told."""

    def __init__(self, world, raw, receiver):
        self.world, self.raw, self.receiver = world, raw, receiver
        self.device = f"/edev/{world.ids.devices['one']}"
        self.program = f"{self.device}/derp/{world.ids.groups['feeder']}"

    async def to(self, resource):
        return await subscribe(self.raw, resource, self.receiver.uri)

    async def told(self):
        """What it was told of since it was last asked."""
        self.world.state.wake()
        await self.world.settle()
        told = [notice.text("subscribedResource") for notice in self.receiver.taken]
        self.receiver.taken.clear()
        return told


@pytest.fixture
async def sunny(either_world, receiver):
    return Sunny(either_world, await either_world.as_("sunny"), receiver)


async def test_a_control_that_starts_at_once_is_told_once(sunny):
    """The sweep finds that it has begun; its list says so already."""
    controls = f"{sunny.program}/derc"
    await sunny.to(controls)
    await issue(sunny.world, NOW)
    assert await sunny.told() == [controls]
    async with sunny.world.state.db.write() as db:
        await marks.put(db, "swept", str(NOW - 5))
    await sunny.world.state.sweep.once()
    assert await sunny.told() == []
    sunny.world.advance(NOW + 60)
    assert await sunny.told() == [], "it has ended, and is listed for ten seconds more"
    sunny.world.advance(NOW + 70)
    assert await sunny.told() == [controls]


async def test_a_rate_that_is_set_to_what_it_is_is_no_news(sunny):
    await sunny.to("/edev")
    for seconds, told in ((42, ["/edev"]), (42, []), (43, ["/edev"]), (42, ["/edev"])):
        await change(sunny.world, seconds)
        assert await sunny.told() == told


async def test_settings_are_no_news_about_limits_in_watts(sunny):
    """The programs of a client whose limits are in percent of setMaxW would read differently; these do not."""
    for resource in (sunny.program, f"{sunny.program}/derc", f"{sunny.program}/dderc", f"{sunny.device}/der/1/derg"):
        await sunny.to(resource)
    await issue(sunny.world, NOW + 100)
    await put_settings(sunny, 5000)
    await sunny.told()
    await put_settings(sunny, 6000)
    assert await sunny.told() == [f"{sunny.device}/der/1/derg"]


async def put_settings(sunny, set_max_w):
    power = f"<multiplier>0</multiplier><value>{set_max_w}</value>"
    said = f"<setGradW>100</setGradW><setMaxW>{power}</setMaxW><updatedTime>{NOW}</updatedTime>"
    assert (await sunny.raw.put(f"{sunny.device}/der/1/derg", document("DERSettings", said))).status == 204


async def test_a_control_is_no_news_about_its_neighbours(sunny):
    control = await issue(sunny.world, NOW + 100)
    await sunny.to(f"{sunny.program}/derc/{control}")
    await issue(sunny.world, NOW + 200)
    await sunny.told()
    await issue(sunny.world, NOW + 300)
    assert await sunny.told() == []
    async with sunny.world.state.db.write() as db:
        await cancel_control(db, control, NOW)
    assert await sunny.told() == [f"{sunny.program}/derc/{control}"]


async def test_a_change_may_name_the_controls_that_it_concerns(sunny):
    """Then nobody is asked whose control is another, while the list that holds both has changed."""
    one, two, three = [await issue(sunny.world, NOW + 100 * number) for number in (1, 2, 3)]
    await sunny.told()
    for control in (one, two, three):
        await sunny.to(f"{sunny.program}/derc/{control}")
    await sunny.to(f"{sunny.program}/derc")
    async with sunny.world.state.db.write() as db:
        await outbox.changed(db, "DERControlList", derp=sunny.world.ids.groups["feeder"], derc=[one, three])
    told = [f"{sunny.program}/derc/{control}" for control in (one, three)]
    assert sorted(await sunny.told()) == sorted([*told, f"{sunny.program}/derc"])


async def test_what_a_receiver_may_have_seen_is_told_again(sunny):
    """It refused the state between, and may have acted on it all the same."""
    await sunny.to("/edev")
    await change(sunny.world, 42)
    assert await sunny.told() == ["/edev"]
    sunny.receiver.answer = lambda notice: 500
    await change(sunny.world, 43)
    await sunny.receiver.wait_refused(1)
    await sunny.world.settle()
    sunny.receiver.answer = lambda notice: 204
    await change(sunny.world, 42)
    sunny.world.advance(NOW + 60)
    assert await sunny.told() == ["/edev"]


async def test_what_never_arrived_and_is_undone_is_not_told(world, people):
    raw, port, root = await world.as_("sunny"), free_port(), people.pki.folder / "root.pem"
    async with Receiver(port).listening(people.files("sunny"), root) as receiver:
        await subscribe(raw, "/edev", receiver.uri)
        receiver.headers = {"Connection": "close"}
        await change(world, 42)
        await world.settle()
        assert len(receiver.taken) == 1
    await change(world, 43)
    await world.settle()
    (subscription,) = await seen(world)
    assert subscription["error"].startswith("ConnectionRefusedError")
    await change(world, 42)
    async with Receiver(port).listening(people.files("sunny"), root) as receiver:
        world.advance(NOW + 60)
        await world.settle()
        assert (receiver.taken, await waiting(world)) == ([], {"waiting": 0, "dead": 0})


async def test_who_subscribes_again_is_told_again(sunny):
    """A client that has lost what it knew renews its subscription."""
    await sunny.to("/edev")
    await change(sunny.world, 42)
    assert await sunny.told() == ["/edev"]
    await sunny.to("/edev")
    async with sunny.world.state.db.write() as db:
        await outbox.changed(db, "EndDeviceList")
    assert await sunny.told() == ["/edev"]
    async with sunny.world.state.db.write() as db:
        await outbox.changed(db, "EndDeviceList")
    assert await sunny.told() == []


async def test_what_a_server_left_when_it_ended_is_told_again(people, on_either, receiver):
    """Nobody knows whether it was sent: a server that ended in the middle could not say so."""
    async with serving(people, on_either.url, ids=on_either.ids) as world:
        await subscribe(await world.as_("sunny"), "/edev", receiver.uri)
        await change(world, 42)
        await world.settle()
        (subscription,) = await seen(world)
    assert len(receiver.taken) == 1
    database = await open_database(on_either.url)
    async with database.write() as db:
        await deliveries.put(db, [subscription["id"]], NOW)
    await database.close()
    async with serving(people, on_either.url, ids=on_either.ids) as world:
        await world.settle()
        assert len(receiver.taken) == 2


async def test_a_change_that_can_not_be_told_is_set_aside_and_the_rest_goes_on(sunny):
    await sunny.to("/edev")
    db = sunny.world.state.db
    async with db.write() as writing:
        await writing.run(insert(tables.outbox).values(kind="DERControlList", ids="not JSON"))
    for seconds in (42, 43, 44):
        await change(sunny.world, seconds)
        await sunny.receiver.wait(lambda notice, s=seconds: notice.resource.attrib["pollRate"] == str(s))
    assert await settled_without(sunny) == ["notifier_stalled"]
    async with db.write() as writing:
        (aside,) = (await outbox.set_aside(writing, Keyset(9))).rows
        assert (aside.kind, aside.attempts) == ("DERControlList", 3)
        assert aside.error.startswith("JSONDecodeError")
        await writing.run(update(tables.outbox).values(ids="{}"))
        await outbox.replay(writing, aside.id)
    sunny.world.state.wake()
    await sunny.world.settle()
    async with db.read() as reading:
        assert await outbox.count_set_aside(reading) == 0


async def settled_without(sunny):
    """The codes of the alarms that stand because of notifications, once nothing waits any more."""
    while True:
        sunny.world.state.wake()
        async with sunny.world.state.db.read() as db:
            if not await outbox.waits(db):
                codes = [alarm.code for alarm in await alarms.standing(db)]
                return [code for code in codes if code.startswith(("notifier", "delivery"))]
        await asyncio.sleep(0.01)


async def test_a_notification_that_can_not_be_made_is_given_up_and_the_rest_goes_on(sunny):
    """Its resource is none that there is; another subscription of the same receiver is told as ever."""
    await sunny.to("/edev")
    bad = int((await sunny.to(sunny.device)).rpartition("/")[2])
    db = sunny.world.state.db
    async with db.write() as writing:
        broken = update(tables.subscription).where(tables.subscription.c.id == bad)
        await writing.run(broken.values(resource="NoSuchResource"))
        await deliveries.put(writing, [bad], NOW)
    await change(sunny.world, 42)
    assert await sunny.told() == ["/edev"]
    for at in range(60, 600, 60):
        sunny.world.advance(NOW + at)
        await sunny.world.settle()
    assert await waiting(sunny.world) == {"waiting": 0, "dead": 1}
    (row,) = [row for row in await seen(sunny.world) if row["id"] == bad]
    assert (row["attempts"], row["error"]) == (5, "can not be made: KeyError: 'NoSuchResource'")
    async with db.read() as reading:
        assert await alarms.standing_of(reading, "delivery_dead")
