"""What receivers answer or do not, and where they are: none of them costs another client its notifications."""

import asyncio
import itertools
import socket
from contextlib import AsyncExitStack

import pytest

from sep2.operations.clients import NewClient, register_client
from sep2.store import alarms, deliveries, devices, outbox, subscriptions
from tests.ports import free_port
from tests.receiver import Receiver
from tests.server.subscriber import Silent, Sloppy, change, issue, seen, subscribe, waiting
from tests.server.world import NOW, serving


@pytest.fixture
async def receiver(people):
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as listening:
        yield listening


NOTHING = {"waiting": 0, "dead": 0}


@pytest.mark.parametrize("hangs_up", [True, False])
@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 204 No Content\r\n\r\nhello",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello",
        b"HTTP/1.1 201 Created\r\nContent-Type: text/html\r\n\r\n<html>",
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/1.1 204\r\n\r\n",
        b"HTTP/1.0 200 OK\n\n",
        b"HTTP/1.1 204 No Content\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100_000,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    ],
)
async def test_what_follows_a_status_that_says_yes_is_no_matter(world, people, octets, hangs_up):
    async with Sloppy(octets, hangs_up=hangs_up).listening(people) as sloppy:
        await subscribe(await world.as_("sunny"), "/edev", sloppy.uri)
        for number in (1, 2):
            await change(world, 40 + number)
            await world.settle()
            assert (sloppy.taken, await waiting(world)) == (number, NOTHING)


NO_ANSWERS = [b"hello\r\n\r\n", b"HTTP/2 204\r\n\r\n", b"x" * 100_000, b"", b"HTTP/1.1 99 No\r\n\r\n"]


@pytest.mark.parametrize("octets", NO_ANSWERS)
async def test_what_is_no_answer_is_tried_again(world, people, octets):
    async with Sloppy(octets).listening(people) as sloppy:
        await subscribe(await world.as_("sunny"), "/edev", sloppy.uri)
        await change(world, 42)
        await world.settle()
        assert (sloppy.taken, await waiting(world)) == (1, {"waiting": 1, "dead": 0})
        sloppy.octets = b"HTTP/1.1 204 No Content\r\n\r\n"
        world.advance(NOW + 60)
        await world.settle()
        assert (sloppy.taken, await waiting(world)) == (2, NOTHING)


@pytest.mark.parametrize(("said", "pause"), [("600", 601), ("0", 2), ("999999999999", 1801), ("then", None)])
async def test_a_receiver_says_when_it_takes_notifications_again(world, receiver, said, pause):
    """Within the longest pause, and for all that waits; a request of its client changes nothing.

    No sooner: of the second in which it answered, nobody knows how much is left.
    """
    raw = await world.as_("sunny")
    await subscribe(raw, "/edev", receiver.uri)
    receiver.answer, receiver.headers = (lambda notice: 503), {"Retry-After": said}
    await change(world, 42)
    await receiver.wait_refused(1)
    await world.settle()
    receiver.answer = lambda notice: 204
    (subscription,) = await seen(world)
    if pause is None:
        assert NOW + 10 <= subscription["due"] <= NOW + 12
        return
    assert subscription["due"] == NOW + pause
    await subscribe(raw, f"/edev/{world.ids.devices['one']}/derp/{world.ids.groups['feeder']}/derc", receiver.uri)
    await issue(world, NOW + 5000)
    world.advance(NOW + pause - 1)
    await raw.get("/dcap")
    await world.settle()
    assert (len(receiver.taken), len(receiver.refused)) == (0, 1)
    world.advance(NOW + pause)
    await world.settle()
    assert {notice.kind for notice in receiver.taken} == {"EndDeviceList", "DERControlList"}


@pytest.fixture
async def impatient(people, on_sqlite):
    """A server that gives a receiver one second to answer."""
    receivers = {"timeout_s": 1, "first_retry_s": 1}
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, receivers=receivers) as world:
        yield world


async def next_pause(world):
    """Have what waits tried once more; the seconds until the next time."""
    (subscription,) = await seen(world)
    world.advance(subscription["due"])
    await world.settle()
    (after,) = await seen(world)
    assert after["attempts"] == subscription["attempts"] + 1
    return after["due"] - world.clock.now()


async def test_a_receiver_is_left_alone_for_longer_than_it_kept_us_waiting(impatient):
    async with Silent().listening() as silent:
        await subscribe(await impatient.as_("sunny"), "/edev", f"https://localhost:{silent.port}/n")
        await change(impatient, 42)
        await impatient.settle()
        (subscription,) = await seen(impatient)
        assert subscription["error"] == "TimeoutError: no answer within 1 s"
        assert subscription["due"] >= NOW + 2
        assert await next_pause(impatient) >= 4


async def test_a_receiver_is_left_alone_for_longer_every_time(impatient):
    """In the first hour never for more than five minutes, later for longer."""
    port = free_port()
    await subscribe(await impatient.as_("sunny"), "/edev", f"https://localhost:{port}/n")
    await change(impatient, 42)
    await impatient.settle()
    pauses = [await next_pause(impatient) for _ in range(12)]
    assert all(before < after for before, after in itertools.pairwise(pauses[:8])), pauses
    assert all(250 <= pause <= 300 for pause in pauses[8:]), pauses
    impatient.advance(NOW + 7200)
    await impatient.settle()
    assert await next_pause(impatient) > 300
    async with impatient.state.db.read() as db:
        failing = [alarm.subject for alarm in await alarms.standing_of(db, "delivery_failing")]
    assert failing == [f"sunny at localhost:{port}"]


async def test_a_request_of_its_client_ends_the_rest_of_a_silent_receiver(impatient, people):
    raw = await impatient.as_("sunny")
    port = free_port()
    await subscribe(raw, "/edev", f"https://localhost:{port}/n")
    await change(impatient, 42)
    await impatient.settle()
    for _ in range(6):
        (subscription,) = await seen(impatient)
        impatient.advance(subscription["due"])
        await impatient.settle()
    (subscription,) = await seen(impatient)
    now = impatient.clock.now()
    assert subscription["due"] > now + 30
    async with Receiver(port).listening(people.files("sunny"), people.pki.folder / "root.pem") as receiver:
        impatient.advance(now + 2)
        await impatient.settle()
        assert receiver.taken == []
        assert (await raw.get("/dcap")).status == 200
        await receiver.wait()


async def test_what_a_receiver_did_not_take_for_a_day_is_given_up_and_can_be_replayed(people, on_sqlite):
    """All of it, not only the one notification that was tried; the alarm goes when the receiver takes it."""
    port = free_port()
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, receivers={"give_up_s": 100}) as world:
        raw = await world.as_("sunny")
        for resource in ("/edev", f"/edev/{world.ids.devices['one']}", f"/edev/{world.ids.devices['one']}/fsa"):
            await subscribe(raw, resource, f"https://localhost:{port}/n")
        async with world.state.db.write() as db:
            await outbox.changed(db, "FunctionSetAssignmentsList", edev=world.ids.devices["one"])
        for at in (0, 20, 60, 150):
            world.advance(NOW + at)
            await world.settle()
        assert await waiting(world) == {"waiting": 0, "dead": 3}
        async with world.state.db.read() as db:
            assert len(await alarms.standing_of(db, "delivery_dead")) == 1
        async with Receiver(port).listening(people.files("sunny"), people.pki.folder / "root.pem") as receiver:
            async with world.state.db.write() as db:
                for subscription in await seen(world):
                    await deliveries.replay(db, subscription["id"], world.clock.now())
            world.state.wake()
            await world.settle()
            assert len(receiver.taken) == 3
        async with world.state.db.read() as db:
            assert await alarms.standing_of(db, "delivery_dead") == []


async def test_silent_receivers_of_many_clients_do_not_fill_the_room(people, on_sqlite):
    """gale hears at once, beside twenty others whose receivers take four connections each and say nothing."""
    settings = {"at_once": 8, "timeout_s": 60}
    async with (
        Silent().listening() as silent,
        Receiver(free_port()).listening(people.files("gale"), people.pki.folder / "root.pem") as receiver,
        serving(people, on_sqlite.url, ids=on_sqlite.ids, receivers=settings) as world,
    ):
        await silent_clients(world, 20, silent.port)
        await subscribe(await world.as_("gale"), "/edev", receiver.uri)
        await change(world, 42)
        await receiver.wait()
        assert silent.tries == len(silent.open) > 0
        while (await waiting(world))["waiting"] > 80:  # noqa: ASYNC110 - what gale was told is recorded a moment later
            await asyncio.sleep(0.01)


async def silent_clients(world, number, port):
    """Register clients whose receivers are all at one port, with four subscriptions each."""
    async with world.state.db.write() as db:
        for one in range(number):
            lfdi = f"{one:040X}"
            client = await register_client(db, NewClient(f"silent {one}", lfdi, "aggregator"), NOW)
            own = await devices.by_lfdi(db, lfdi)
            for item_limit in range(4):
                await subscriptions.add(
                    db,
                    client_id=client,
                    end_device_id=own.id,
                    resource="EndDeviceList",
                    ids="{}",
                    subscribed_resource="/edev",
                    notification_uri=f"https://localhost:{port}/{item_limit}",
                    receiver=f"localhost:{port}",
                    encoding=0,
                    level="+S1",
                    item_limit=item_limit,
                    created=NOW,
                )


async def test_a_client_with_much_to_be_told_leaves_room_for_others(people, on_sqlite):
    """sunny's receiver takes its time; gale is told between two of sunny's hundred, not after them."""
    async with AsyncExitStack() as stack:
        root = people.pki.folder / "root.pem"
        slow, quick = [
            await stack.enter_async_context(Receiver(free_port()).listening(people.files(name), root))
            for name in ("sunny", "gale")
        ]
        world = await stack.enter_async_context(
            serving(people, on_sqlite.url, ids=on_sqlite.ids, receivers={"at_once": 4})
        )
        raw = await world.as_("sunny")
        for number in range(100):
            await subscribe(raw, "/edev", f"{slow.uri}/{number}")
        await subscribe(await world.as_("gale"), "/edev", quick.uri)
        slow.hold.clear()
        await change(world, 42)
        await quick.wait()
        assert slow.taken == []
        slow.hold.set()
        await slow.wait(lambda notice: len(slow.taken) == 100)


@pytest.fixture
def names(monkeypatch):
    """What host names stand for; the others as ever."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def look_up(host, port, *rest, **more):
        if host not in known:
            return real(host, port, *rest, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


@pytest.mark.parametrize(
    ("allowed", "address", "refused"),
    [
        ({"loopback": True}, "127.0.0.1", ""),
        ({"private": True}, "127.0.0.1", "on this machine"),
        ({"loopback": True}, "10.0.0.7", "private"),
        ({"loopback": True}, "100.64.0.9", "private"),
        ({"loopback": True, "private": True}, "169.254.169.254", "never connected to"),
        ({"loopback": True, "private": True}, "100.100.100.200", "never connected to"),
        ({"loopback": True, "private": True}, "fd00:ec2::254", "never connected to"),
        ({"loopback": True, "private": True}, "::ffff:169.254.169.254", "never connected to"),
        ({"loopback": True, "private": True}, "fe80::1%eth0", "never connected to"),
        ({"loopback": True, "private": True}, "0.0.0.0", "never connected to"),
    ],
)
async def test_a_name_is_judged_by_what_it_stands_for(people, on_sqlite, receiver, names, allowed, address, refused):
    names["hooks.example"] = [address]
    settings = {"hosts": [f"hooks.example:{receiver.port}"], "loopback": False, **allowed}
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, receivers=settings) as world:
        await subscribe(await world.as_("sunny"), "/edev", f"https://hooks.example:{receiver.port}/n")
        await change(world, 42)
        await world.settle()
        (subscription,) = await seen(world)
        assert len(receiver.taken) == (0 if refused else 1)
        assert refused in (subscription["error"] or "")
        assert bool(subscription["error"]) == bool(refused)


async def test_a_name_that_comes_to_stand_for_something_else_is_not_followed(people, on_sqlite, receiver, names):
    """Also where one of its addresses would be allowed: the connection goes to an address that was looked at."""
    names["hooks.example"] = ["127.0.0.1"]
    settings = {"hosts": [f"hooks.example:{receiver.port}"], "private": True}
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, receivers=settings) as world:
        await subscribe(await world.as_("sunny"), "/edev", f"https://hooks.example:{receiver.port}/n")
        await change(world, 42)
        await world.settle()
        assert len(receiver.taken) == 1
        names["hooks.example"] = ["127.0.0.1", "169.254.169.254"]
        receiver.headers = {"Connection": "close"}
        await change(world, 43)
        await world.settle()
        await change(world, 44)
        await world.settle()
        assert len(receiver.taken) == 2
        (subscription,) = await seen(world)
        assert "169.254.169.254, which is never connected to" in subscription["error"]
