"""A running server together with its operator API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp.test_utils import TestClient, TestServer

from sep2.admin.app import make
from tests.admin.conftest import TOKEN, Operator
from tests.server.conftest import Settled
from tests.server.world import People, World, serving


class Desk(NamedTuple):
    """The server that clients see, and somebody with the operator's token."""

    world: World
    operator: Operator


@asynccontextmanager
async def operating(people: People, settled: Settled, folder: Path, **more: Any) -> AsyncIterator[Desk]:
    """Both, over a copy of the database in which everybody is registered; folder: for the token."""
    token = folder / "operator.token"
    token.write_text(TOKEN)
    more["operator"] = {"token_file": str(token)}
    async with (
        serving(people, settled.url, ids=settled.ids, **more) as world,
        TestClient(TestServer(make(world.state))) as http,
    ):
        yield Desk(world, Operator(http, world.state))
