"""Several worker processes on one PostgreSQL database are one server, also while they die or are replaced."""

import asyncio
import itertools
import os
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from tests.raw import Raw, Reply, context, document
from tests.server.process import House
from tests.server.world import NOW, People

MOST_LOOKS = 3000
EVENT = (
    f"<createdDateTime>{NOW}</createdDateTime><functionSet>11</functionSet><logEventCode>1</logEventCode>"
    "<logEventID>%d</logEventID><logEventPEN>1</logEventPEN><profileID>2</profileID>"
)
_numbers = itertools.count(1)
"""Of log events: two of one number are one."""


@pytest.fixture
async def house(people: People, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Two workers."""
    made = House(tmp_path_factory.mktemp("house"), people, postgres_url)
    await made.settle(clock="system")
    await made.start("--workers", "2")
    yield made
    await made.stop()


class Client:
    """An aggregator that asks and writes without a pause, and connects anew where the server says that it ends."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._tls = context(house.people.pki.folder / "root.pem", house.people.files("sunny"))
        self._raw: Raw | None = None
        self.may_be_cut_off = False
        """Whether a request may stay without an answer; it is then not counted as acknowledged."""
        self.replies: list[Reply] = []
        self.stored: list[str] = []
        """Where what was acknowledged is."""

    async def go_on(self, ended: asyncio.Event) -> None:
        """Ask until it is over."""
        device = f"/edev/{self._house.ids.devices['one']}"
        while not ended.is_set():
            event = document("LogEvent", EVENT % next(_numbers))
            await self._try(lambda raw: raw.get(f"{device}/derp/{self._house.ids.groups['feeder']}/derc?l=9"))
            stored = await self._try(lambda raw, event=event: raw.post(f"{device}/lel", event))
            if stored is not None:
                self.stored.append(stored.location)
            await asyncio.sleep(0.2)  # within the pace of aggregators

    async def _try(self, ask: Callable[[Raw], Awaitable[Reply]]) -> Reply | None:
        try:
            if self._raw is None:
                self._raw = await Raw.open(self._house.port, self._tls)
            reply = await ask(self._raw)
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            if not self.may_be_cut_off:
                raise
            await self.close()
            return None
        self.replies.append(reply)
        if reply.headers.get("connection") == "close":
            await self.close()
        return reply

    async def close(self) -> None:
        """Hang up."""
        raw, self._raw = self._raw, None
        if raw is not None:
            await raw.close()


async def workers_of(house: House) -> dict[int, dict[str, Any]]:
    """The workers by their number, as an operator sees them."""
    return {one["number"]: one for one in (await house.operate("GET", "/status"))["workers"]}


async def until(house: House, is_so: Callable[[dict[int, dict[str, Any]]], bool]) -> dict[int, dict[str, Any]]:
    """The workers, once they are as expected."""
    found: dict[int, dict[str, Any]] = {}
    for _ in range(MOST_LOOKS):
        try:
            found = await workers_of(house)
        except aiohttp.ClientError:  # worker 1, which answers operators, was killed in the middle of an answer
            continue
        if len(found) == 2 and all(one["state"] == "serving" for one in found.values()) and is_so(found):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError((found, (house.folder / "log").read_text()))


async def test_workers_are_replaced_and_one_is_killed_while_clients_ask(house: House) -> None:
    """One server for all, as it takes seconds to start."""
    clients = [Client(house) for _ in range(4)]
    ended = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for one in clients:
            group.create_task(one.go_on(ended))
        await more(clients)
        await replaced_without_a_refused_request(house)
        await more(clients)
        for one in clients:
            one.may_be_cut_off = True
        await killed_and_started_anew(house)
        await more(clients)
        ended.set()
    assert {reply.status for one in clients for reply in one.replies} == {200, 201}
    assert any(reply.headers.get("connection") == "close" for one in clients for reply in one.replies)
    await nothing_acknowledged_is_lost(house, clients)
    assert 'sep2_workers{state="serving"} 2.0' in await metrics_of(house)
    await unreadable_settings_leave_the_workers_as_they_are(house)
    await the_workers_end_with_their_parent(house)


async def more(clients: list[Client]) -> None:
    """Wait until each has stored two more."""
    before = [len(one.stored) for one in clients]
    while any(len(one.stored) < many + 2 for one, many in zip(clients, before, strict=True)):  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def replaced_without_a_refused_request(house: House) -> None:
    """Clients ask all the time, on connections that stay open, and any failure ends the test; operators ask, too."""
    before = await workers_of(house)
    house.say(signal.SIGHUP)
    after = await until(house, lambda found: all(found[n]["pid"] != before[n]["pid"] for n in found))
    assert {number: one["starts"] for number, one in after.items()} == {1: 2, 2: 2}


async def killed_and_started_anew(house: House) -> None:
    """It is the one that leads and answers operators."""
    pid = (await workers_of(house))[1]["pid"]
    os.kill(pid, signal.SIGKILL)
    after = await until(house, lambda found: found[1]["pid"] != pid)
    assert {number: one["starts"] for number, one in after.items()} == {1: 3, 2: 2}


async def nothing_acknowledged_is_lost(house: House, clients: list[Client]) -> None:
    """Each is where its client was told."""
    stored = [where for one in clients for where in one.stored]
    assert len(set(stored)) == len(stored) >= 24
    raw = await Raw.open(house.port, context(house.people.pki.folder / "root.pem", house.people.files("sunny")))
    for where in stored:
        assert (await raw.get(where)).status == 200
    for one in (raw, *clients):
        await one.close()


async def unreadable_settings_leave_the_workers_as_they_are(house: House) -> None:
    """Whoever asks for new workers is told so in the log."""
    file, before = house.folder / "sep2.toml", await workers_of(house)
    file.write_text(file.read_text() + "\nnonsense = 1\n")
    house.say(signal.SIGHUP)
    while "the workers go on as they are" not in (house.folder / "log").read_text():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    assert await workers_of(house) == before


async def the_workers_end_with_their_parent(house: House) -> None:
    """It is told to stop, and leaves neither processes nor ports."""
    before = await workers_of(house)
    assert await house.stop() == 0
    for one in before.values():
        with pytest.raises(ProcessLookupError):
            os.kill(one["pid"], 0)
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", house.port)


async def metrics_of(house: House) -> str:
    """What all workers count, on one page."""
    headers = {"Authorization": f"Bearer {(house.folder / 'operator.token').read_text()}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"http://127.0.0.1:{house.operator_port}/metrics") as answer,
    ):
        return await answer.text()
