"""A client beside the real server, both on one clock that stands still."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from sep2.client import Client, Limits, Measured, Power, Rating, Receiver, Session
from sep2.wire import Profile
from tests.server import conftest as server
from tests.server.world import People, World, serving

people = server.people
settled_sqlite, on_sqlite = server.settled_sqlite, server.on_sqlite


@pytest.fixture
async def world(people: People, on_sqlite: server.Settled) -> AsyncIterator[World]:
    """A server of this test's own, which limits nobody by itself."""
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, utility={"default_export_w": "none"}) as world:
        yield world


@dataclass
class Inverter:
    """A device that notes what it was told."""

    rating: Rating = field(default_factory=lambda: Rating(max_w=10_000))
    told: list[tuple[int, Limits]] = field(default_factory=list)

    def apply(self, limits: Limits, now: int) -> None:
        self.told.append((now, limits))

    def measure(self, now: int) -> Measured:
        return Measured(Power(-1500.4, 20.0, 230.26), Power(1800.0, 0.0))

    @property
    def exports(self) -> list[tuple[int, float | None]]:
        """The export limits, and when they came into force."""
        return [(at, limits.export_limit_w) for at, limits in self.told]


Connect = Callable[..., Any]


def session(people: People, name: str, port: int, **more: Any) -> Session:
    """Somebody's connections to a server on this machine."""
    return Session(f"https://127.0.0.1:{port}", people.files(name), people.pki.trust(), **more)


@asynccontextmanager
async def connecting(world: World) -> AsyncIterator[Connect]:
    """Starts clients of a world's server: `await connect("sunny", devices, subscribes=True)`."""
    async with AsyncExitStack() as stack:

        async def start(
            name: str,
            devices: dict[str, Inverter],
            *,
            subscribes: bool = False,
            profile: Profile = Profile.CSIP_AUS_1_2,
            **more: Any,
        ) -> Client:
            files, trust = world.people.files(name), world.people.pki.trust()
            receiver = Receiver(files, trust) if subscribes else None
            to = session(world.people, name, world.port, profile=profile)
            made = Client(to, world.clock, devices.get, receiver=receiver, jitter=0.0, **more)
            return await stack.enter_async_context(made)

        yield start


@pytest.fixture
async def connect(world: World) -> AsyncIterator[Connect]:
    """Starts clients of this test's own server."""
    async with connecting(world) as start:
        yield start
