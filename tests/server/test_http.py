"""Connections as field devices use and misuse them."""

import asyncio
import socket
import ssl
from typing import NamedTuple

import pytest
import pytest_asyncio

from tests.raw import Raw, context, document, request
from tests.server.world import NOW, copied, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(people, tmp_path_factory, sqlite_template):
    """A server for all that is asked here."""
    async with serving(people, copied(sqlite_template, tmp_path_factory.mktemp("house"))) as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hasty(people, tmp_path_factory, sqlite_template):
    """A server with little patience, and room for few."""
    limits = {"header_deadline_s": 1, "body_deadline_s": 1, "body_bytes": 20_000, "sessions": 5}
    async with serving(people, copied(sqlite_template, tmp_path_factory.mktemp("house")), limits=limits) as world:
        yield world


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _leave(world, hasty):
    """Nobody stays connected from one test to the next."""
    yield
    await world.hang_up()
    await hasty.hang_up()


async def test_six_hundred_requests_back_to_back(world):
    """Answers come in order and none is lost."""
    raw = await world.as_("sunny")
    paths = ["/tm" if number % 2 else f"/edev?s={number}&l=1" for number in range(600)]
    sending = asyncio.create_task(raw.send(b"".join(request("GET", path) for path in paths)))
    for path in paths:
        reply = await raw.read()
        assert reply.status == 200
        assert reply.xml.attrib["href"] == path.split("?")[0]
    await sending


async def test_writes_and_reads_back_to_back(world):
    raw = await world.as_("sunny")
    path = f"/edev/{world.ids.devices['one']}/der/1/ders"
    times = range(NOW, NOW + 40)
    bodies = [document("DERStatus", f"<readingTime>{at}</readingTime>").encode() for at in times]
    await raw.send(b"".join(request("PUT", path, body) + request("GET", path) for body in bodies))
    for at in times:
        assert (await raw.read()).status in (201, 204)
        assert (await raw.read()).texts("readingTime") == [str(at)]


async def test_many_requests_on_one_connection(world):
    raw = await world.as_("sunny")
    for _ in range(1100):
        assert (await raw.get("/tm")).status == 200


async def test_a_request_in_single_octets(world):
    raw = await world.as_("sunny")
    for octet in request("GET", "/tm"):
        await raw.send(bytes([octet]))
    assert (await raw.read()).status == 200


@pytest.mark.parametrize(
    ("why", "octets", "status"),
    [
        ("no HTTP at all", b"\x16\x03\x01 hello\r\n\r\n", (400, 501)),
        ("no version", b"GET /tm\r\n\r\n", 400),
        ("an unknown method", request("FOO", "/tm"), 501),
        ("no host", request("GET", "/tm", Host=""), 400),
        ("a URI without end", request("GET", "/" + "a" * 20_000), 414),
        ("a header without end", request("GET", "/tm", X="a" * 20_000), 431),
        ("a length that is no number", request("PUT", "/tm", Content_Length="ten"), 400),
        ("a negative length", request("PUT", "/tm", Content_Length="-1"), 400),
        ("two lengths", request("PUT", "/tm", b"abc", content_length="4"), 400),
        ("a length and chunks", request("PUT", "/tm", b"0\r\n\r\n", Transfer_Encoding="chunked"), 400),
        ("a body too large", request("PUT", "/tm", Content_Length="30000"), 413),
        ("a header without a name", b"GET /tm HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
        ("a header on two lines", b"GET /tm HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", (200, 400)),
        ("a bare line feed", b"GET /tm HTTP/1.1\nHost: a\n\n", (200, 400)),
    ],
)
async def test_what_can_not_be_read(hasty, why, octets, status):
    raw = await hasty.as_("sunny")
    await raw.send(octets)
    assert (await raw.read()).status in (status if isinstance(status, tuple) else (status,))
    other = await hasty.as_("gale")
    assert (await other.get("/tm")).status == 200


async def test_a_body_in_chunks_is_read(world):
    raw = await world.as_("sunny")
    body = document("DERStatus", f"<readingTime>{NOW}</readingTime>").encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    path = f"/edev/{world.ids.devices['one']}/der/1/ders"
    await raw.send(request("PUT", path, Content_Length="", Transfer_Encoding="chunked") + chunks)
    assert (await raw.read()).status in (201, 204)
    assert (await raw.get(path)).texts("readingTime") == [str(NOW)]


async def test_chunks_without_end_are_too_large(hasty):
    raw = await hasty.as_("sunny")
    await raw.send(request("PUT", "/tm", Content_Length="", Transfer_Encoding="chunked"))
    await raw.send(b"ffff\r\n" + b"a" * 0xFFFF + b"\r\n")
    assert (await raw.read()).status == 413


async def test_a_slow_header_and_a_silent_peer_are_given_up(hasty):
    slow, silent, lively = [await hasty.as_("sunny") for _ in range(3)]
    await slow.send(b"GET /tm HTTP/1.1\r\nHost: a\r\nX-Slow: ")
    assert (await lively.get("/tm")).status == 200
    assert await slow.closed()
    assert await silent.closed()
    assert (await lively.get("/tm")).status == 200


async def test_a_slow_body_is_given_up(hasty):
    raw = await hasty.as_("sunny")
    path = f"/edev/{hasty.ids.devices['one']}/der/1/ders"
    await raw.send(request("PUT", path, Content_Length="100") + b"<DERStatus")
    assert (await raw.read()).status == 408
    assert await raw.closed()


async def test_a_slow_body_holds_nobody_up(world):
    """The transaction begins when the body is there, so that one slow sender does not stop every writer."""
    slow, other = await world.as_("sunny"), await world.as_("sunny")
    body = document("DERStatus", f"<readingTime>{NOW}</readingTime>").encode()
    path = f"/edev/{world.ids.devices['one']}/der/1/ders"
    await slow.send(request("PUT", path, body)[:-5])
    assert (await other.put(path, body.decode())).status in (201, 204)
    await slow.send(body[-5:])
    assert (await slow.read()).status in (201, 204)


async def test_a_handshake_that_never_comes_holds_nobody_up(world):
    _, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(b"\x16\x03\x01")
    raw = await world.as_("sunny")
    assert (await raw.get("/tm")).status == 200
    writer.close()


async def test_peers_that_vanish_leave_nothing_behind(hasty):
    """Cut off in the middle of a request, time after time, more of them than there is room for."""
    for number in range(15):
        raw = await hasty.as_("sunny")
        await raw.send(request("PUT", f"/edev/{hasty.ids.devices['one']}/der/1/ders", b"<DERStatus")[: 60 + number])
        raw.writer.transport.abort()
    for _ in range(2000):
        again = await hasty.as_("sunny")
        await again.send(request("GET", "/tm"))
        if not await _turned_away(again):
            break
    else:
        pytest.fail("no place became free")


async def test_more_connections_than_there_is_room_for(hasty):
    crowd = [await hasty.as_("sunny") for _ in range(5)]
    one_too_many = await hasty.as_("gale")
    assert await one_too_many.closed()
    await crowd[0].close()
    for _ in range(2000):  # the place is free as soon as the server has seen the other go
        again = await hasty.as_("gale")
        await again.send(request("GET", "/tm"))
        if not await _turned_away(again):
            break
    else:
        pytest.fail("no place became free")
    assert (await crowd[1].get("/tm")).status == 200


async def _turned_away(raw: Raw) -> bool:
    try:
        return (await raw.read()).status != 200
    except (asyncio.IncompleteReadError, ConnectionError):
        return True


class Meeting(NamedTuple):
    session: ssl.SSLSession | None
    resumed: bool


async def test_a_session_is_resumed(people, world):
    """A reconnect storm must not cost a full handshake each."""
    tls = context(people.pki.folder / "root.pem", people.files("sunny"))
    first = await _handshake(world.port, tls, None)
    again = await _handshake(world.port, tls, first.session)
    assert (first.resumed, again.resumed) == (False, True)


async def _handshake(port: int, tls: ssl.SSLContext, session: ssl.SSLSession | None) -> Meeting:
    return await asyncio.to_thread(_meet, port, tls, session)


def _meet(port: int, tls: ssl.SSLContext, session: ssl.SSLSession | None) -> Meeting:
    with socket.create_connection(("127.0.0.1", port)) as plain, tls.wrap_socket(plain, session=session) as line:
        line.sendall(request("GET", "/tm"))
        said = b""
        while not said.endswith(b"</Time>"):
            said += line.recv(65536)
        met = Meeting(line.session, bool(line.session_reused))
        line.unwrap()
        return met


async def test_an_idle_connection_outlives_a_quarter_of_an_hour(world):
    """A closed connection ends the EPRI client."""
    assert world.state.settings.limits.idle_s > 900
