"""A server of each test's own, in which everybody is registered."""

import pytest

from tests.ports import free_port
from tests.receiver import Receiver
from tests.server import conftest as server

people, world = server.people, server.world
settled_sqlite, on_sqlite = server.settled_sqlite, server.on_sqlite
settled_postgres, on_postgres = server.settled_postgres, server.on_postgres
on_either, either_world = server.on_either, server.either_world


@pytest.fixture
async def receiver(people):
    """Where sunny has itself notified."""
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as listening:
        yield listening
