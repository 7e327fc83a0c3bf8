"""What one client does that asks too much, sends too much or does not read, and what others have of the server then."""

import asyncio
import contextlib
import logging
import resource
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from sep2.server import sessions
from sep2.server.shares import Shares
from sep2.store import Database
from sep2.store.tables import alarm
from tests.fuzz import fuzz
from tests.raw import Reply, context, document, request
from tests.server.conftest import Settled
from tests.server.test_refusals import mirror
from tests.server.world import NOW, People, World, serving

LONG = 5_000
"""Readings of a body of more than half a MiB."""


def readings(many: int = LONG, start: int = NOW - 40_000) -> str:
    """A large body: so many readings of one series."""
    each = (
        f"<Reading><timePeriod><duration>1</duration><start>{start + number}</start></timePeriod>"
        f"<value>{number}</value></Reading>"
        for number in range(many)
    )
    period = f"<timePeriod><duration>{many}</duration><start>{start}</start></timePeriod>"
    return document(
        "MirrorMeterReading",
        f"<mRID>0A</mRID><MirrorReadingSet><mRID>0B</mRID>{period}{''.join(each)}</MirrorReadingSet>"
        "<ReadingType><uom>38</uom></ReadingType>",
    )


@pytest.fixture
async def strict(people: People, on_either: Settled) -> AsyncIterator[World]:
    """A server that lets a device ask every two seconds, and a client hold nine connections."""
    bounds = {
        "utility": {"requests_per_minute": {"device": 30}},
        "limits": {"sessions_per_client": 9, "header_deadline_s": 60},
    }
    async with serving(people, on_either.url, ids=on_either.ids, **bounds) as world:
        yield world


async def standing(db: Database) -> list[tuple[str, str]]:
    """Alarms that nothing has cleared, by code and subject."""
    async with db.read() as reading:
        found = await reading.all(select(alarm.c.code, alarm.c.subject).where(alarm.c.cleared.is_(None)))
    return [(row.code, row.subject) for row in found if row.code != "default_in_force"]


async def test_who_asks_too_often_is_held_then_told_when_to_ask_again(strict: World) -> None:
    roof = [await strict.as_("roof") for _ in range(9)]
    await roof[0].send(request("GET", "/tm") * 30)
    for _ in range(30):
        assert (await roof[0].read()).status == 200, "a minute's worth may come at once"
    answers = await asyncio.gather(*(one.get("/tm") for one in roof))
    assert {answer.status for answer in answers} == {200, 429}, "some were held, and those after them refused"
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.reason == 4
    assert 1 <= int(refused.headers["retry-after"]) <= 4
    assert refused.texts("maxRetryDuration") == [refused.headers["retry-after"]]
    assert (await (await strict.as_("sunny")).get("/tm")).status == 200, "others are not held to what one does"


async def test_too_many_requests_are_an_alarm_that_ends_with_them(strict: World) -> None:
    roof = await strict.as_("roof")
    strict.state.front.paces.know(strict.people.lfdi("roof"), "device")
    await asyncio.gather(*(_held(strict) for _ in range(31)), return_exceptions=True)
    expected = [("too_many_requests", strict.people.lfdi("roof"))]
    while await standing(strict.state.db) != expected:  # noqa: ASYNC110 - the server looks every two seconds
        await asyncio.sleep(0.05)
    later = asyncio.get_running_loop().time() + 600
    await strict.state.front.paces.tell(strict.state.db, now=lambda: later - 10)
    assert await standing(strict.state.db) == expected
    await strict.state.front.paces.tell(strict.state.db, now=lambda: later + 10)
    assert await standing(strict.state.db) == []
    while (await roof.get("/tm")).status != 200:  # noqa: ASYNC110 - it is let in again by time alone
        await asyncio.sleep(0.1)


async def _held(world: World) -> None:
    """One request's worth of the pace of roof, without waiting for what is held."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(world.state.front.paces.keep(world.people.lfdi("roof")), 0.01)


async def test_one_connection_more_ends_the_one_that_is_idle_longest(strict: World) -> None:
    first, second, *others = [await strict.as_("sunny") for _ in range(9)]
    for raw in (first, second, *others, first):
        assert (await raw.get("/tm")).status == 200
    another = await strict.as_("sunny")
    assert (await another.get("/tm")).status == 200
    assert await second.closed(), "it asked longest ago"
    for raw in (first, *others, another):
        assert (await raw.get("/tm")).status == 200
    assert (await (await strict.as_("gale")).get("/tm")).status == 200


async def test_sessions_fit_into_the_files_that_a_process_may_open(caplog: pytest.LogCaptureFixture) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    _, hard = before
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
        assert sessions.room(1000) == 1000, "the soft limit is raised"
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 1000 + sessions.OWN_FILES
        assert not caplog.records
        with caplog.at_level(logging.WARNING):
            assert sessions.room(hard * 2) == hard - sessions.OWN_FILES
        (said,) = caplog.messages
        assert "limits.sessions" in said
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_a_peer_that_never_reads_is_dropped(people: People, on_sqlite: Settled) -> None:
    """Others are answered meanwhile, and nothing of it stays in memory."""
    limits = {"write_deadline_s": 1, "header_deadline_s": 60}
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, limits=limits) as world:
        transport, gale = await _deaf(world), await world.as_("gale")
        asked = request("GET", "/dcap") * 2000
        try:
            while not transport.is_closing():
                transport.write(asked)
                assert (await gale.get("/tm")).status == 200
        finally:
            transport.abort()


class _Deaf(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The server ended it."""


async def _deaf(world: World) -> asyncio.Transport:
    """A connection that asks and reads no answer; the kernel takes little for it, so that the server notices soon."""
    loop = asyncio.get_running_loop()
    line = socket.socket()
    line.setblocking(False)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await loop.sock_connect(line, ("127.0.0.1", world.port))
    tls = context(world.people.pki.folder / "root.pem", world.people.files("sunny"))
    transport, _ = await loop.create_connection(_Deaf, sock=line, ssl=tls, server_hostname="")
    return transport


async def test_a_large_body_is_stored_while_others_are_answered(either_world: World) -> None:
    sunny, gale = await either_world.as_("sunny"), await either_world.as_("gale")
    place = (await sunny.post("/mup", mirror(either_world.ids.lfdis["one"], "0A"))).location
    posting = asyncio.create_task(sunny.post(place, readings()))
    answered = 0
    while not posting.done():
        assert (await gale.get("/dcap")).status == 200
        answered += 1
    assert posting.result().status in (201, 204)
    assert answered > 5


async def test_a_large_body_that_is_none_is_refused_in_one_line(world: World) -> None:
    sunny = await world.as_("sunny")
    place = (await sunny.post("/mup", mirror(world.ids.lfdis["one"], "0A"))).location
    refused = await sunny.post(place, document("MirrorMeterReading", "<mRID>0A</mRID>" + "<Reading/>" * 20_000))
    assert (refused.status, refused.reason) == (400, 0)
    assert (await sunny.get("/dcap")).status == 200


async def test_a_body_is_decoded_before_the_transaction_and_for_the_profile_of_its_client(either_world: World) -> None:
    """A profile that an operator changes holds for the next request; what a client may not is told before its body."""
    sunny, gale = await either_world.as_("sunny"), await either_world.as_("gale")
    path = f"/edev/{either_world.ids.devices['one']}/der/1/dercap"
    american = document(
        "DERCapability", "<rtgMaxW><multiplier>0</multiplier><value>5000</value></rtgMaxW><type>83</type>"
    )
    assert (await sunny.put(path, american)).status == 400, "doeModesSupported is required by its profile"
    assert (await gale.put(path, "<nothing")).status == 403
    assert (await sunny.put(path, "<nothing")).status == 400
    await _change_profile(either_world, "csip")
    full = document(
        "DERCapability",
        "<modesSupported>00000000</modesSupported><rtgMaxW><multiplier>0</multiplier><value>5000</value></rtgMaxW><type>83</type>",
    )
    assert (await sunny.put(path, full)).status in (201, 204)


async def _change_profile(world: World, profile: str) -> None:
    from sqlalchemy import update

    from sep2.store.tables import client

    async with world.state.db.write() as db:
        await db.run(update(client).where(client.c.id == world.ids.clients["sunny"]).values(profile=profile))


async def test_peers_that_hang_up_within_a_body_are_no_errors(world: World, caplog: pytest.LogCaptureFixture) -> None:
    path = f"/edev/{world.ids.devices['one']}/der/1/ders"
    with caplog.at_level(logging.INFO):
        for cut in (b"<DERStatus", b""):
            for ending in ("close", "abort"):
                raw = await world.as_("sunny")
                await raw.send(request("PUT", path, Content_Length="1000") + cut)
                getattr(raw.writer.transport, ending)()
        chunked = await world.as_("sunny")
        await chunked.send(
            request("PUT", path, Content_Length="", Transfer_Encoding="chunked") + b"5\r\n<DERS\r\nxyz\r\n"
        )
        assert (await chunked.read()).status == 400
        await _all_gone(world)
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.WARNING] == []


async def _all_gone(world: World) -> None:
    await world.hang_up()
    gale = await world.as_("gale")
    assert (await gale.get("/tm")).status == 200


async def test_a_header_without_end_is_given_up(world: World) -> None:
    raw = await world.as_("sunny")
    try:
        await raw.send(
            b"GET /tm HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: %b\r\n" % (n, b"a" * 4000) for n in range(60))
        )
        refused: Reply | None = await raw.read()
    except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
        refused = None
    assert refused is None or refused.status in (400, 431)
    assert (await (await world.as_("gale")).get("/tm")).status == 200


async def test_the_client_that_has_had_least_comes_next() -> None:
    """Forty of one client wait; the first of another is next all the same."""
    shares, order = Shares(1, 1), []

    async def work(name: str) -> None:
        async with shares.of(name):
            order.append(name)
            until = asyncio.get_running_loop().time() + 0.003
            while asyncio.get_running_loop().time() < until:
                pass

    greedy = [asyncio.create_task(work("greedy")) for _ in range(40)]
    while len(order) < 3:  # noqa: ASYNC110 - it is the event loop's passes that are waited for
        await asyncio.sleep(0)
    begun = len(order)
    await work("modest")
    assert order.index("modest") <= begun + 1
    await asyncio.gather(*greedy)
    assert len(order) == 41


async def test_a_turn_that_nobody_waits_for_any_more_is_given_on() -> None:
    shares = Shares(1, 1)
    async with shares.of("a"):
        waiting = [asyncio.create_task(shares._begin("b")) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
    async with asyncio.timeout(60):
        shares._end(await waiting[1], 0.0)
        async with shares.of("c"):
            pass


async def test_spoiled_bodies_are_answered_and_so_are_others(people: People, on_sqlite: Settled) -> None:
    """A seeded sample of the trial of a million."""
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids) as world:
        ids = world.ids
        said = [str(ids.devices["one"]), str(ids.groups["feeder"]), ids.lfdis["one"]]
        root = people.pki.folder / "root.pem"
        gale, others = await world.as_("gale"), 0
        sending = asyncio.create_task(
            fuzz(world.port, people.files("sunny"), root, connections=4, many=400, seed=20305, said=said)
        )
        while not sending.done():
            assert (await gale.get("/tm")).status == 200
            others += 1
        answers = sending.result()
    assert sum(answers.values()) == 400
    assert answers["400"] > 100
    assert answers["201"] + answers["204"] > 10
    assert others > 10
