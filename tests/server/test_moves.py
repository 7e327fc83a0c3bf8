"""Devices that another client acts for, and clients that are removed, as they see it themselves."""

import asyncio

import pytest

from sep2.operations.devices import set_device
from sep2.operations.forgetting import forget_told
from sep2.operations.moves import move_to_client
from sep2.operations.removal import remove_client
from sep2.operations.territory import NewPlace, add_place, move_place, put_connections
from sep2.rules.cursor import Keyset
from sep2.store import clients, connections, listing_watch
from tests.ports import free_port
from tests.raw import document
from tests.receiver import Receiver
from tests.server.subscriber import subscribe
from tests.server.world import NOW, World


@pytest.fixture
async def receiver(people):
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as listening:
        yield listening


def path_of(world: World, name: str) -> str:
    return f"/edev/{world.ids.devices[name]}"


async def listed(raw) -> list[str]:
    return (await raw.get("/edev?l=10")).texts("EndDevice/lFDI")


async def pin_and_programs(raw, device: str) -> tuple[list[str], list[str]]:
    registration = await raw.get(f"{device}/rg")
    return registration.texts("pIN"), (await raw.get(f"{device}/fsa?l=20")).texts("FunctionSetAssignments/mRID")


async def test_a_device_moves_with_pin_programs_and_mirrors(either_world: World, receiver) -> None:
    world, device = either_world, path_of(either_world, "one")
    sunny, gale = await world.as_("sunny"), await world.as_("gale")
    lfdi = world.ids.lfdis["one"]
    before = await pin_and_programs(sunny, device)
    subscription = await subscribe(sunny, f"{device}/fsa", receiver.uri)
    mirror = document(
        "MirrorUsagePoint",
        "<mRID>0A</mRID><roleFlags>03</roleFlags><serviceCategoryKind>0</serviceCategoryKind><status>1</status>"
        f"<deviceLFDI>{lfdi}</deviceLFDI>",
    )
    posted = await sunny.post("/mup", mirror)
    assert posted.status == 201
    async with world.state.db.write() as db:
        await move_to_client(db, world.ids.devices["one"], world.ids.clients["gale"], NOW)
    world.state.wake()
    assert lfdi in await listed(gale)
    assert lfdi not in await listed(sunny)
    assert await pin_and_programs(gale, device) == before
    assert (await sunny.get(device)).status == 404
    assert (await gale.get(posted.location)).status == 200
    assert (await sunny.get(posted.location)).status == 404
    assert (await receiver.wait()).text("status") == "4"
    await world.settle()
    assert (await sunny.get(subscription)).status == 404


async def test_the_subscriptions_of_a_removed_client_end_with_status_4(either_world: World, receiver) -> None:
    world = either_world
    sunny = await world.as_("sunny")
    await subscribe(sunny, "/edev", receiver.uri)
    async with world.state.db.write() as db:
        found = await remove_client(db, world.ids.clients["sunny"], NOW, with_devices=True)
    assert (found["device"], found["subscription"]) == (2, 1)
    world.state.wake()
    assert (await (await world.as_("sunny")).get("/dcap")).status == 404
    assert (await receiver.wait()).text("status") == "4"
    await world.settle()
    async with world.state.db.write() as db:
        await forget_told(db)
        assert await clients.one(db, world.ids.clients["sunny"]) is None
        assert (await listing_watch.subscriptions(db, Keyset(10))).total == 0


async def test_a_blocked_device_is_shown_as_not_enabled_and_serves_nothing(either_world: World) -> None:
    world, device = either_world, path_of(either_world, "one")
    sunny = await world.as_("sunny")
    async with world.state.db.write() as db:
        await set_device(db, world.ids.devices["one"], {"enabled": False}, NOW)
    assert (await sunny.get(device)).texts("enabled") == ["false"]
    assert (await sunny.get(f"{device}/fsa")).status == 404
    assert (await sunny.ask("PUT", f"{device}/cp", document("ConnectionPoint", "").encode())).status in (400, 403, 405)
    assert (await sunny.get(f"{path_of(world, 'two')}/fsa")).status == 200
    async with world.state.db.write() as db:
        await set_device(db, world.ids.devices["one"], {"enabled": True}, NOW)
    assert (await sunny.get(f"{device}/fsa")).status == 200


async def test_a_subtree_moves_at_once_with_one_notification_and_never_an_empty_list(
    either_world: World, receiver
) -> None:
    world, device = either_world, path_of(either_world, "one")
    sunny = await world.as_("sunny")
    async with world.state.db.write() as db:
        feeders = [await add_place(db, NewPlace("feeder", name), NOW) for name in ("FD7", "FD8")]
        transformer = await add_place(db, NewPlace("transformer", "T7", feeders[0]), NOW)
        here = [await connections.by_name(db, name) for name in ("NMI1", "NMI2")]
        await put_connections(db, [row.id for row in here if row], transformer, NOW)
    await subscribe(sunny, f"{device}/fsa", receiver.uri)
    await world.settle()
    receiver.taken.clear()
    before = (await pin_and_programs(sunny, device))[1]
    seen: set[tuple[str, ...]] = set()
    done = asyncio.Event()

    async def read() -> None:
        raw = await world.as_("sunny")
        while not done.is_set():
            seen.add(tuple((await raw.get(f"{device}/fsa?l=20")).texts("FunctionSetAssignments/mRID")))

    reading = asyncio.create_task(read())
    async with world.state.db.write() as db:
        assert await move_place(db, transformer, feeders[1], NOW) == 2
    world.state.wake()
    await receiver.wait()
    await world.settle()
    after = (await pin_and_programs(sunny, device))[1]
    done.set()
    await reading
    assert len(set(before) - set(after)) == len(set(after) - set(before)) == 1
    assert seen <= {tuple(before), tuple(after)}
    assert len(receiver.taken) == 1
