"""Two servers on one database share what goes on beside the serving."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest

from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.rates import set_poll_rate
from sep2.rules.limits import Limits
from tests.functions.test_told import subscribe
from tests.ports import free_port
from tests.receiver import Receiver
from tests.server.world import NOW, World, another, serving


@pytest.fixture
async def receiver(people):
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as listening:
        yield listening


@pytest.fixture
async def pair(people, on_postgres):
    """The first leads, for it asked first; whoever wants it gone closes it."""
    async with AsyncExitStack() as stack:
        alone = AsyncExitStack()
        first = await alone.enter_async_context(serving(people, on_postgres.url, ids=on_postgres.ids))
        stack.push_async_exit(alone)  # once more does nothing
        second = await stack.enter_async_context(another(first, on_postgres.url))
        yield Pair(first, second, alone.aclose)


class Pair(NamedTuple):
    """Two servers, and how the first goes away."""

    first: World
    second: World
    close_first: Callable[[], Awaitable[None]]

    @property
    def program(self) -> str:
        """The feeder's program for `one`."""
        ids = self.first.ids
        return f"/edev/{ids.devices['one']}/derp/{ids.groups['feeder']}"


async def settle(pair):
    for _ in range(2):  # what one has left may be the other's to do
        for world in pair[:2]:
            await world.settle()


async def issue(world, start, export_w=1):
    async with world.state.db.write() as db:
        control = NewControl(start=start, duration=60, limits=Limits(export_w=export_w))
        await issue_controls(db, world.ids.groups["feeder"], [control], world.clock.now())


async def test_a_change_is_told_once(pair, receiver):
    """Also what time alone changes, which both of them see."""
    raw = await pair.first.as_("sunny")
    await subscribe(raw, f"{pair.program}/derc", receiver)
    for number, world in enumerate([pair.first, pair.second] * 3):
        await issue(world, NOW + 100 + 100 * number, number + 1)
        await settle(pair)
    assert len(receiver.taken) == 6
    for number, at in enumerate((100, 170, 200), 7):
        pair.first.advance(NOW + at)
        pair.second.state.wake()
        await settle(pair)
        assert len(receiver.taken) == number


async def test_a_rate_is_told_as_it_was_set_elsewhere(pair, receiver):
    raw = await pair.first.as_("sunny")
    await subscribe(raw, "/edev", receiver)
    async with pair.second.state.db.write() as db:
        await set_poll_rate(db, "EndDeviceList", 42, NOW)
    notice = await receiver.wait()
    assert notice.resource.attrib["pollRate"] == "42"


async def test_the_other_goes_on_where_the_first_has_stopped(pair, receiver):
    raw = await pair.second.as_("sunny")
    await subscribe(raw, f"{pair.program}/derc", receiver)
    receiver.answer = lambda notice: 503
    await issue(pair.first, NOW + 100)
    await receiver.wait_refused(1)
    await pair.close_first()
    receiver.answer = lambda notice: 204
    pair.second.advance(NOW + 100)
    notice = await receiver.wait()
    found = notice.resource.findall("{*}DERControl/{*}EventStatus/{*}currentStatus")
    assert [status.text for status in found] == ["1"]


async def test_a_request_at_the_other_has_a_silent_receiver_tried_again(pair, people):
    """Its client is heard of where it asks; the server that tells learns of it."""
    port, raw = free_port(), await pair.first.as_("sunny")
    await subscribe(raw, f"{pair.program}/derc", Receiver(port))
    await issue(pair.first, NOW + 10_000)
    for at in (0, 12, 40, 90):
        pair.first.advance(NOW + at)
        await settle(pair)
    pair.second.state.wake()
    elsewhere = await pair.second.as_("sunny")
    async with Receiver(port).listening(people.files("sunny"), people.pki.folder / "root.pem") as receiver:
        pair.first.advance(NOW + 101)
        await settle(pair)
        assert receiver.taken == []
        await elsewhere.get("/dcap")
        await receiver.wait()
