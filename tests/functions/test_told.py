"""Who is told of a change, and who is not."""

import pytest

from sep2.operations import devices, groups
from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.devices import NewDevice, add_device
from sep2.rules.cursor import Keyset
from sep2.rules.limits import Limits
from sep2.store import listing_watch
from tests.ports import free_port
from tests.raw import Raw, document
from tests.receiver import Receiver
from tests.server.world import NOW, World, serving


@pytest.fixture
async def receiver(people):
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as listening:
        yield listening


async def subscribe(raw: Raw, resource: str, receiver: Receiver) -> str:
    """The href of sunny's new subscription."""
    own = (await raw.get("/edev")).href("EndDevice")
    said = (
        f"<subscribedResource>{resource}</subscribedResource><encoding>0</encoding><level>+S1</level>"
        f"<limit>9</limit><notificationURI>{receiver.uri}</notificationURI>"
    )
    posted = await raw.post(f"{own}/sub", document("Subscription", said))
    assert posted.status == 201
    return posted.location


async def issue(world: World, group: int, start: int = NOW + 100) -> None:
    control = NewControl(start=start, duration=60, limits=Limits(export_w=1))
    async with world.state.db.write() as db:
        await issue_controls(db, group, [control], NOW)
    await world.settle()


async def test_a_group_without_members_is_nobodys_news(people, sqlite_url, receiver):
    """Also where every device has all its programs in one FunctionSetAssignments."""
    async with serving(people, sqlite_url, utility={"fsa_layout": "one"}) as world:
        raw = await world.as_("sunny")
        await subscribe(raw, f"/edev/{world.ids.devices['one']}/fsa/0/derp", receiver)
        await issue(world, world.ids.groups["NMI9"])
        assert receiver.taken == []
        await issue(world, world.ids.groups["feeder"])
        assert len(receiver.taken) == 1


async def test_a_large_group_is_news_for_its_members_alone(people, sqlite_url, receiver):
    async with serving(people, sqlite_url, utility={"fsa_layout": "one"}) as world:
        async with world.state.db.write() as db:
            many = await groups.create_group(db, groups.NewGroup("many"), NOW)
            for number in range(250):
                device = NewDevice(f"{number:032X}00032473", world.ids.clients["gale"])
                await groups.assign(db, many, await add_device(db, device, NOW), NOW)
            await groups.assign(db, many, world.ids.devices["one"], NOW)
        await world.settle()
        raw = await world.as_("sunny")
        for name in ("one", "two"):
            await subscribe(raw, f"/edev/{world.ids.devices[name]}/fsa/0/derp", receiver)
        await issue(world, many)
        (notice,) = receiver.taken
        assert notice.text("subscribedResource") == f"/edev/{world.ids.devices['one']}/fsa/0/derp"


async def test_all_that_was_below_a_removed_device_ends(world, receiver):
    """Each subscription is told once that it is over, and is gone."""
    raw = await world.as_("sunny")
    one, feeder = f"/edev/{world.ids.devices['one']}", world.ids.groups["feeder"]
    program = f"{one}/derp/{feeder}"
    below = ["", "/fsa", f"/fsa/{feeder}", f"/fsa/{feeder}/derp", "/der/1", "/lel"]
    resources = [one + path for path in below] + [program, f"{program}/derc", f"{program}/dderc"]
    hrefs = [await subscribe(raw, resource, receiver) for resource in resources]
    async with world.state.db.write() as db:
        await devices.remove_device(db, world.ids.devices["one"], NOW)
    await world.settle()
    told = {(notice.text("subscribedResource"), notice.text("status")) for notice in receiver.taken}
    assert told == {(resource, "4") for resource in resources}
    for href in hrefs:
        assert (await raw.get(href)).status == 404


async def test_why_a_receiver_could_not_be_told_is_said_in_short(world):
    raw = await world.as_("sunny")
    await subscribe(raw, f"/edev/{world.ids.devices['one']}/derp/{world.ids.groups['feeder']}/derc", Receiver(9))
    await issue(world, world.ids.groups["feeder"])
    async with world.state.db.read() as db:
        (row,) = (await listing_watch.subscriptions(db, Keyset(9))).rows
    assert row.error.startswith("ConnectionRefusedError: ")
    assert "SSLContext" not in row.error
