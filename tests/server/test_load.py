"""A load of every kind of request on both databases: each is answered, and all that is written is there afterwards."""

import asyncio

from sep2.client import load
from sep2.client.load import Kind, Pace
from sep2.client.session import Session
from tests.ports import free_port
from tests.receiver import Receiver
from tests.server.subscriber import issue
from tests.server.world import NOW, World

EACH = 4


async def test_every_kind_of_request_is_answered(people, either_world: World) -> None:
    world, ends = either_world, asyncio.Event()
    await issue(world, NOW + 3600, group="NMI1")
    async with (
        Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as receiver,
        Session(f"https://localhost:{world.port}", people.files("sunny"), people.pki.trust()) as session,
    ):
        sends = await load.Client(session, receiver.uri).find(Kind)
        assert all(sends[kind] for kind in Kind)
        pace = Pace(dict.fromkeys(Kind, float(EACH)), 1.0, storm=True)
        tally = await load.run(load.in_turn([sends], pace), lambda _: None, ends)
        assert tally.failed == {}
        assert {kind: len(one.took_s) for kind, one in tally.of.items()} == {
            kind: EACH + (kind is Kind.RECONNECT) for kind in Kind
        }
        raw = await world.as_("sunny")
        own = (await raw.get("/edev?l=1")).href("EndDevice")
        assert (await raw.get(f"{own}/sub")).number("all") >= 1
        assert (await raw.get("/mup")).number("all") >= 1


async def test_a_load_that_is_stopped_sends_no_more_and_waits_for_what_is_open() -> None:
    stop, open_, sent = asyncio.Event(), asyncio.Event(), 0

    async def send() -> None:
        nonlocal sent
        sent += 1
        stop.set()
        await open_.wait()

    requests = [load.Request(0.0, Kind.POLL, send), load.Request(3600.0, Kind.POLL, send)]
    running = asyncio.create_task(load.run(requests, lambda _: None, stop))
    await stop.wait()
    open_.set()
    tally = await running
    assert (sent, tally.sent, len(tally.took_s), tally.open) == (1, 1, 1, 0)
