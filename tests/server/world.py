"""A small utility to ask questions of: who is registered, what is where, and the server that says so."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from certs.identity import Files, Identity
from certs.pki import Pki
from sep2.clock import Clock, SteppedClock
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.devices import NewDevice, add_device
from sep2.operations.groups import NewGroup, assign, create_group
from sep2.rules.identifiers import managed_lfdi
from sep2.server.app import State, running
from sep2.settings import Settings, parse
from sep2.store import Database, groups
from tests.ports import free_port
from tests.raw import Raw, context

NOW = 1_800_000_000
PEOPLE = ("sunny", "gale", "roof", "joiner", "leaver", "stranger")
"""Aggregators sunny and gale, the device roof, joiner who may register itself, stranger whom nobody knows."""


@dataclass(frozen=True)
class People:
    """The certificates of everybody."""

    pki: Pki
    identities: dict[str, Identity]

    def files(self, name: str) -> Files:
        """Where somebody's certificate is."""
        return Files.named(self.pki.folder, name)

    def lfdi(self, name: str) -> str:
        """Somebody's LFDI."""
        return self.identities[name].lfdi


@dataclass(frozen=True)
class Ids:
    """The numbers that things were given, by name."""

    devices: dict[str, int]
    lfdis: dict[str, str]
    groups: dict[str, int]
    clients: dict[str, int]


@dataclass
class World:
    """A running server and what is known of it."""

    people: People
    clock: Clock
    port: int
    state: State
    ids: Ids
    _open: list[Raw] = field(default_factory=list)

    async def as_(self, name: str) -> Raw:
        """A new connection of somebody."""
        tls = context(self.people.pki.folder / "root.pem", self.people.files(name))
        raw = await Raw.open(self.port, tls)
        self._open.append(raw)
        return raw

    def advance(self, to: int) -> None:
        """Move the server's clock, as the operator API does."""
        assert isinstance(self.clock, SteppedClock)
        self.clock.advance(to)
        self.state.wake()

    async def settle(self) -> None:
        """Return when the server has done all that the present time asks for."""
        while not await self.state.settled():  # noqa: ASYNC110 - the operator looks at it from outside, too
            await asyncio.sleep(0.005)

    async def hang_up(self) -> None:
        """Close every connection."""
        for raw in self._open:
            await raw.close()
        self._open.clear()


def copied(template: Path, folder: Path) -> str:
    """The address of a copy of an SQLite database."""
    path = folder / "sep2.sqlite"
    shutil.copy(template, path)
    return f"sqlite:///{path}"


def settings(people: People, url: str, **more: Any) -> Settings:
    """A server's settings; `more` are tables of `sep2.toml`."""
    folder = people.pki.folder
    said: dict[str, Any] = {
        "listen": {"port": free_port()},
        "database": {"url": url},
        "receivers": {"loopback": True},
        "tls": {
            "certificate": str(folder / "server.pem"),
            "key": str(folder / "server.key"),
            "authorities": [str(folder / "root.pem"), str(folder / "ca.pem")],
        },
    }
    for table, fields in more.items():
        said[table] = said.get(table, {}) | fields
    return parse(said)


async def populate(db: Database, people: People, now: int = NOW) -> Ids:
    """sunny manages `one` and `two` at NMI1 and NMI2, gale `three` at NMI3, roof is its own device at NMI4.

    `one` and `three` are in the feeder's group, NMI9 is nobody's yet.
    """
    async with db.write() as c:
        clients = {
            name: await register_client(c, NewClient(name, people.lfdi(name), kind, registration=registration), now)
            for name, kind, registration in (
                ("sunny", "aggregator", "out-of-band"),
                ("gale", "aggregator", "out-of-band"),
                ("roof", "device", "out-of-band"),
                ("joiner", "device", "in-band"),
                ("leaver", "device", "out-of-band"),
            )
        }
        for number in (1, 2, 3, 4, 9):
            await add_connection(c, NewConnection(f"NMI{number}"), now)
        lfdis = {name: managed_lfdi(32473) for name in ("one", "two", "three")} | {"roof": people.lfdi("roof")}
        owners = {
            "one": ("sunny", "NMI1"),
            "two": ("sunny", "NMI2"),
            "three": ("gale", "NMI3"),
            "roof": ("roof", "NMI4"),
        }
        devices = {
            name: await add_device(c, NewDevice(lfdis[name], clients[owner], place, pin=111115), now)
            for name, (owner, place) in owners.items()
        }
        feeder = await create_group(c, NewGroup("feeder", "FD", 50), now)
        for name in ("one", "three"):
            await assign(c, feeder, devices[name], now)
        own = {f"NMI{number}": await groups.by_name(c, f"connection NMI{number}") for number in (1, 2, 3, 4, 9)}
    numbers = {"feeder": feeder, **{name: row.id for name, row in own.items() if row}}
    return Ids(devices, lfdis, numbers, clients)


@asynccontextmanager
async def serving(
    people: People, url: str, *, clock: Clock | None = None, ids: Ids | None = None, **more: Any
) -> AsyncIterator[World]:
    """A server over an empty database, in which everybody is registered, or over one where everybody is already."""
    clock = clock or SteppedClock(NOW)
    configured = settings(people, url, **more)
    async with running(configured, clock=clock) as state:
        known = ids or await populate(state.db, people, clock.now())
        world = World(people, clock, configured.listen.port, state, known)
        yield world
        await world.hang_up()


@asynccontextmanager
async def another(world: World, url: str) -> AsyncIterator[World]:
    """A second server on the same database, with the same clock."""
    configured = settings(world.people, url)
    async with running(configured, clock=world.clock) as state:
        yield World(world.people, world.clock, configured.listen.port, state, world.ids)
