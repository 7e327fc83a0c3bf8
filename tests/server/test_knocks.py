"""Who knocks again and again is an alarm: refused handshakes, and valid certificates that nobody registered."""

import asyncio
import ssl

import pytest

from certs import Authority
from sep2.clock import SteppedClock
from sep2.operations.clients import NewClient, register_client, set_client_access
from sep2.server import knocks as knocks_of_the_server
from sep2.server.knocks import Knocks
from sep2.store import alarms, open_database
from tests.certs.forge import forge
from tests.raw import Raw, context
from tests.server.opening import knock, say
from tests.server.world import NOW, serving

HOUR, DAY = 3600, 86_400


@pytest.fixture
async def either(people, on_either):
    async with serving(people, on_either.url, ids=on_either.ids) as world:
        yield world


async def standing(world, code: str) -> dict[str, str]:
    async with world.state.db.read() as db:
        return {row.subject: row.detail for row in await alarms.standing(db) if row.code == code}


async def until(world, code: str, count: int) -> dict[str, str]:
    """The alarms of a code, once there are so many."""
    for _ in range(3000):
        if len(found := await standing(world, code)) == count:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{code}: {found}")


async def fails(world, times: int, tls: ssl.SSLContext) -> None:
    for _ in range(times):
        assert not (await asyncio.to_thread(knock, world.port, tls)).done


async def knocks(world, files, times: int = 1) -> None:
    """Requests on one connection, each answered 404."""
    raw = await Raw.open(world.port, context(world.people.pki.folder / "root.pem", files))
    for _ in range(times):
        assert (await raw.get("/dcap")).status == 404
    await raw.close()


async def test_the_fifth_handshake_refused_for_one_reason_is_an_alarm_that_an_hour_ends(either, people):
    bare = context(people.pki.folder / "root.pem")
    await fails(either, 4, bare)
    either.advance(NOW + 599)
    assert not await standing(either, "tls_refused")
    await fails(either, 1, bare)
    found = await until(either, "tls_refused", 1)
    assert set(found) == {"no client certificate, 127.0.0.1"}
    assert "alert 40" in found["no client certificate, 127.0.0.1"]
    either.advance(NOW + 599 + HOUR - 1)
    await asyncio.sleep(0.1)
    assert await standing(either, "tls_refused")
    either.advance(NOW + 599 + HOUR)
    await until(either, "tls_refused", 0)


async def test_refusals_ten_minutes_apart_are_none(world, people):
    bare = context(people.pki.folder / "root.pem")
    await fails(world, 4, bare)
    world.advance(NOW + 600)
    await fails(world, 4, bare)
    await asyncio.sleep(1)
    assert not await standing(world, "tls_refused")


async def test_twenty_of_different_reasons_are_one_alarm(world, people, tmp_path):
    root = people.pki.folder / "root.pem"
    gcm = context(root, people.files("roof"), ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
    other = context(root, Authority.create("Other root").issue_device("1").save(tmp_path, "other"))
    unfit = context(root, forge(people.pki.issuer, names=None).save(tmp_path, "unfit"))
    for tls in (context(root), gcm, other, unfit):
        await fails(world, 4, tls)
    for _ in range(3):
        await asyncio.to_thread(say, world.port, b"GET / HTTP/1.1\r\n\r\n")
    await asyncio.sleep(1)
    assert not await standing(world, "tls_refused")
    await asyncio.to_thread(say, world.port, b"GET / HTTP/1.1\r\n\r\n")
    assert set(await until(world, "tls_refused", 1)) == {"several addresses"}


async def test_one_address_can_not_fill_the_log(world, people, caplog):
    for _ in range(100):
        await asyncio.to_thread(say, world.port, b"GET / HTTP/1.1\r\n\r\n")
    lines = [one.getMessage() for one in caplog.records if one.name in ("sep2.handshake", "sep2.knocks")]
    assert len(lines) == 61
    assert "further ones are not logged" in lines[-1]


async def test_the_third_knock_of_an_unregistered_certificate_is_an_alarm(either, people):
    stranger = people.identities["stranger"]
    await knocks(either, people.files("stranger"))
    await knocks(either, people.files("stranger"))
    await asyncio.sleep(1)
    assert not await standing(either, "unregistered_lfdi")
    await knocks(either, people.files("stranger"))
    found = await until(either, "unregistered_lfdi", 1)
    assert found == {stranger.lfdi: "subject empty, serial stranger, from 127.0.0.1"}
    await knocks(either, people.files("stranger"), 4)
    either.advance(NOW + DAY - 1)
    await asyncio.sleep(0.1)
    assert len(await standing(either, "unregistered_lfdi")) == 1
    either.advance(NOW + DAY)
    await until(either, "unregistered_lfdi", 0)


async def test_registering_it_ends_the_alarm(either, people):
    await knocks(either, people.files("stranger"), 3)
    await until(either, "unregistered_lfdi", 1)
    async with either.state.db.write() as db:
        await register_client(db, NewClient("new", people.lfdi("stranger"), "device"), NOW)
    assert not await standing(either, "unregistered_lfdi")
    raw = await either.as_("stranger")
    assert (await raw.get("/dcap")).status == 200


async def test_a_client_that_was_shut_out_is_not_unregistered(world, people):
    async with world.state.db.write() as db:
        await set_client_access(db, world.ids.clients["leaver"], granted=False)
    await knocks(world, people.files("leaver"), 5)
    await knocks(world, people.files("stranger"), 3)
    assert set(await until(world, "unregistered_lfdi", 1)) == {people.lfdi("stranger")}


async def test_a_device_that_is_gone_and_asks_where_it_was_counts_too(world, people):
    raw = await world.as_("stranger")
    for _ in range(3):
        assert (await raw.get(f"/edev/{world.ids.devices['roof']}")).status == 404
    roof = await world.as_("roof")
    for _ in range(3):
        assert (await roof.get(f"/edev/{world.ids.devices['one']}")).status == 404
    assert set(await until(world, "unregistered_lfdi", 1)) == {people.lfdi("stranger")}


async def test_fifty_have_an_alarm_of_their_own_and_the_rest_one_together(world, people, tmp_path):
    for number in range(53):
        made = people.pki.issuer.issue_device(f"S-{number}")
        await knocks(world, made.save(tmp_path, f"s{number}"), 3)
    found = await until(world, "unregistered_lfdi", 51)
    while not found["others"].startswith("3 beside those that have alarms of their own; the last: "):
        world.advance(world.clock.now() + 60)  # it is written anew from time to time
        await asyncio.sleep(0.05)
        found = await standing(world, "unregistered_lfdi")
    assert len(found) == 51


async def test_in_band_a_newcomer_is_no_alarm(people, on_sqlite):
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, utility={"registration": "in-band"}) as world:
        raw = await world.as_("stranger")
        for _ in range(4):
            assert (await raw.get("/dcap")).status == 200
        await asyncio.sleep(1)
        assert not await standing(world, "unregistered_lfdi")


async def test_what_stood_at_a_stop_still_ends(people, on_sqlite):
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids) as world:
        await knocks(world, people.files("stranger"), 3)
        await until(world, "unregistered_lfdi", 1)
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids) as world:
        await asyncio.sleep(0.1)
        world.advance(NOW + DAY)
        await until(world, "unregistered_lfdi", 0)


async def test_it_ends_whenever_it_is_cancelled(on_sqlite, monkeypatch):
    """Also in the moment in which the time that it waited for has come: a server that stops would wait for ever."""
    monkeypatch.setattr(knocks_of_the_server, "PAUSE_S", 0)
    database, clock = await open_database(on_sqlite.url), SteppedClock(NOW)
    for moment in range(20):
        working = asyncio.create_task(Knocks(database, clock).run())
        for _ in range(50):
            await asyncio.sleep(0)
        clock.advance(clock.now() + HOUR)
        for _ in range(moment):
            await asyncio.sleep(0)
        working.cancel()
        done, _ = await asyncio.wait([working], timeout=120)
        assert done, moment
    await database.close()
