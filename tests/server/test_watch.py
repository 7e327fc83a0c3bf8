"""Dates of certificates, watched by a running server: its own, its CAs', its clients'; and connections that end."""

import json
import os
import signal
import ssl
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from certs import pki
from certs.profile import INDEFINITE
from sep2.operations.clients import NewClient, register_client, set_client_access
from sep2.store import alarms
from tests.certs.forge import forge, named
from tests.machine import Machine
from tests.raw import Raw, context
from tests.server.process import House
from tests.server.world import PEOPLE, People, World, serving

DAY = 86_400
CODE = "certificate_expiring"


def date(at: float) -> datetime:
    return datetime.fromtimestamp(int(at), UTC)


@pytest.fixture
def machine():
    """It begins at the present, by which OpenSSL judges certificates."""
    return Machine(int(time.time()))


@pytest.fixture
def crew(people, tmp_path):
    """The same people, in a folder of this test's own."""
    made = pki.Pki(tmp_path / "pki")
    made.folder.mkdir()
    for file in people.pki.folder.iterdir():
        (made.folder / file.name).write_bytes(file.read_bytes())
        (made.folder / file.name).chmod(0o600)
    return People(made, {name: people.identities[name] for name in PEOPLE})


@asynccontextmanager
async def watched(crew, on, machine, **more):
    async with serving(crew, on.url, ids=on.ids, clock=machine.clock(), **more) as world:
        yield world


async def standing(world: World) -> dict[str, int]:
    """Subject and priority of the alarms for certificates, once the server has looked at what is the case now."""
    await world.state.watch.look()
    async with world.state.db.read() as db:
        return {row.subject: row.priority for row in await alarms.standing_of(db, CODE)}


async def ends(raw: Raw) -> None:
    """Return once the server has closed the connection."""
    assert await raw.closed()


def renew(crew: People, ends_at: datetime) -> None:
    crew.pki.issuer.issue_server(not_after=ends_at).save(crew.pki.folder, "server", replace=True)


async def test_the_servers_own_certificate_is_an_alarm_ahead_until_it_is_replaced(crew, on_sqlite, machine):
    start = machine.wall
    renew(crew, date(start + 100 * DAY))
    async with watched(crew, on_sqlite, machine) as world:
        seen = []
        for day in (0, 11, 71, 94, 101):
            machine.run(start + day * DAY - machine.wall)
            seen.append(list((await standing(world)).values()))
        assert seen == [[], [3], [2], [1], [1]]
        raw = await world.as_("sunny")
        assert (await raw.get("/dcap")).status == 200, "a server for trying out warns, and serves"
        renew(crew, INDEFINITE)
        assert len(await standing(world)) == 1, "what counts is the certificate in use"
        world.state.tls.reload()
        world.state.watch.read()
        assert await standing(world) == {}


async def test_a_ca_is_an_alarm_unless_a_renewed_one_stands_beside_it(crew, on_sqlite, machine):
    root = pki.open_pki(crew.pki.folder)
    other = forge(None, as_ca=True, subject=named("Other"), dates=(date(0), date(machine.wall + 20 * DAY)))
    renewed = forge(None, as_ca=True, subject=named("Other"), key=other.key, dates=(date(0), INDEFINITE))
    file = root.folder / "others.pem"
    file.write_bytes(other.certificate_pem)
    more = {"authorities": [*map(str, root.trusted), str(file)]}
    async with watched(crew, on_sqlite, machine, tls=more) as world:
        ((subject, priority),) = (await standing(world)).items()
        assert (subject.partition(": ")[2], priority) == ("CA CN=Other", 2)
        file.write_bytes(renewed.certificate_pem + other.certificate_pem)
        world.state.watch.read()
        assert await standing(world) == {}


async def test_what_clients_have_shown_is_an_alarm_until_they_are_shut_out(crew, on_either, machine):
    """Remembered through a restart; a certificate without an end never is one, and a stranger's is nobody's concern."""
    soon = date(machine.wall + 120 * DAY)
    short = crew.pki.issuer.issue_device("short", not_after=soon)
    crew.pki.save(short, "short")
    stranger = crew.pki.issuer.issue_device("passer-by", not_after=soon)
    crew.pki.save(stranger, "passer-by")
    async with watched(crew, on_either, machine) as world:
        async with world.state.db.write() as db:
            client = await register_client(db, NewClient("short", short.lfdi, "device"), world.clock.now())
        for name in ("short", "sunny", "passer-by"):
            assert (await (await world.as_(name)).get("/dcap")).status == (404 if name == "passer-by" else 200)
        assert await standing(world) == {}
    seen = []
    for days in (31, 61, 20, 10):
        machine.run(days * DAY)
        async with watched(crew, on_either, machine) as world:
            seen.append(await standing(world))
    assert seen == [{short.lfdi: priority} for priority in (3, 2, 2, 2)]
    async with watched(crew, on_either, machine) as world:
        async with world.state.db.write() as db:
            await set_client_access(db, client, False)
        assert await standing(world) == {}


async def test_a_connection_ends_with_its_certificate(crew, on_sqlite, machine):
    short = crew.pki.issuer.issue_device("brief", not_after=date(machine.wall + 3600))
    crew.pki.save(short, "brief")
    async with watched(crew, on_sqlite, machine) as world:
        async with world.state.db.write() as db:
            await register_client(db, NewClient("brief", short.lfdi, "device"), world.clock.now())
        brief, sunny = await world.as_("brief"), await world.as_("sunny")
        assert (await brief.get("/dcap")).status == 200
        assert (await sunny.get("/dcap")).status == 200
        machine.run(3601)
        await ends(brief)
        assert (await sunny.get("/dcap")).status == 200
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_EXPIRED"):
            await world.as_("brief")


async def test_connections_of_a_client_end_when_it_is_shut_out(world):
    sunny, gale = await world.as_("sunny"), await world.as_("gale")
    assert (await sunny.get("/dcap")).status == (await gale.get("/dcap")).status == 200
    async with world.state.db.write() as db:
        await set_client_access(db, world.ids.clients["sunny"], False)
    world.state.wake()
    await ends(sunny)
    assert (await gale.get("/dcap")).status == 200


async def test_in_production_the_port_is_shut_while_the_servers_certificate_is_over(people, on_sqlite, tmp_path):
    """The operator's is open, and the port opens by itself once the certificate was replaced and read again."""
    crew = pki.create(tmp_path / "pki", purposes=(), pen=40732)
    house = House(tmp_path, People(crew, people.identities), on_sqlite.url)
    issuer = crew.issuer
    for key in ("root.key", "ca.key"):  # which may not lie beside a server in production
        (crew.folder / key).unlink()
    issuer.issue_server(not_after=datetime(2026, 1, 1, tzinfo=UTC)).save(crew.folder, "server", replace=True)
    listed = json.dumps([str(file) for file in crew.trusted])
    (tmp_path / "sep2.toml").write_text(
        f'mode = "production"\npen = 40732\n[listen]\nport = {house.port}\n[operator]\nport = {house.operator_port}\n'
        f"[database]\nurl = {json.dumps(on_sqlite.url)}\n"
        f'[tls]\ncertificate = "{crew.folder}/server.pem"\nkey = "{crew.folder}/server.key"\nauthorities = {listed}\n'
    )
    (tmp_path / "operator.token").write_text("a-token-of-the-tests-that-is-long-enough")
    device = context(crew.folder / "root.pem", issuer.issue_device("1").save(tmp_path, "device"))
    await house.start()
    try:
        with pytest.raises(ConnectionRefusedError):
            await Raw.open(house.port, device)
        while not (found := await _raised(house)):
            pass
        assert [one["priority"] for one in found] == [1]
        assert "is shut until it is replaced" in found[0]["detail"]
        issuer.issue_server().save(crew.folder, "server", replace=True)
        assert house._process is not None
        os.kill(house._process.pid, signal.SIGHUP)
        raw = await _opened(house.port, device)
        assert (await raw.get("/dcap")).status == 404
        await raw.close()
        while await _raised(house):
            pass
    finally:
        await house.stop()
    log = (tmp_path / "log").read_text()
    assert log.count("is shut until") == 1


async def _raised(house: House) -> list[dict[str, Any]]:
    """The alarms of certificates that stand."""
    return [one for one in (await house.operate("GET", "/alarms"))["items"] if one["code"] == CODE]


async def _opened(port: int, tls: ssl.SSLContext) -> Raw:
    while True:
        try:
            return await Raw.open(port, tls)
        except ConnectionRefusedError:
            continue
