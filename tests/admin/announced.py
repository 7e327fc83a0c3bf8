"""A server whose alarms are announced, and who hears of them: a system by HTTP, and people by a real mail server."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiosmtpd.controller import Controller

from sep2.admin.app import make
from sep2.clock import SteppedClock
from sep2.operations.alarms import Wanted, set_alarms
from sep2.server.app import State
from sep2.settings import parse, resolved
from sep2.store import Database, alarms
from tests.admin.conftest import NOW, Operator
from tests.admin.post_office import Post
from tests.admin.post_office import post_office as post_office  # noqa: PLC0414 - a fixture
from tests.admin.test_receivers import System, until
from tests.admin.test_receivers import system as system  # noqa: PLC0414 - a fixture


@pytest.fixture
def wide_house(database: Database, folder: Path, post_office: tuple[Post, Controller]) -> State:
    """A server that may tell systems on this machine, and has a mail server."""
    mail = {"host": "127.0.0.1", "port": post_office[1].port, "user": "sep2", "password_file": "mail.password"}
    mail |= {"sender": "sep2@utility.example", "authorities": ["mail.pem"]}
    settings = parse({"receivers": {"http": True, "loopback": True}, "mail": mail, "utility": {"zone": "Etc/GMT-10"}})
    return State(resolved(settings, folder), database, SteppedClock(NOW))


@pytest.fixture
async def desk(wide_house: State) -> AsyncIterator[Operator]:
    """An operator of a server whose alarms are announced."""
    sending = asyncio.create_task(wide_house.webhooks.run())
    async with TestClient(TestServer(make(wide_house))) as http:
        one = Operator(http, wide_house)
        await one.change("POST", "/clients", {"name": "Sunny", "lfdi": "A" * 40})
        await one.change("POST", "/connections", {"connection_id": "NMI1"})
        await one.change("POST", "/devices", {"client": "Sunny", "lfdi": "D1" * 20, "connection_id": "NMI1"})
        await settle(one)
        yield one
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def settle(desk: Operator) -> None:
    """Wait until who announces has looked at everything that it can."""

    async def is_settled() -> bool:
        async with desk.house.db.read() as db:
            return not [row for row in await alarms.standing(db) if row.news]

    desk.house.wake()
    await until(is_settled)


async def have(desk: Operator, code: str, *subjects: str, members: tuple[str, ...] = ()) -> None:
    """Have exactly these alarms of a code stand."""
    async with desk.house.db.write() as db:
        now = desk.house.clock.now()
        await set_alarms(db, code, {one: Wanted("it is so", members=members) for one in subjects}, now)
    desk.house.wake()


async def standing(desk: Operator, **query: str) -> dict[str, dict[str, Any]]:
    """Alarms in a state, by their names; that of devices without limits left out."""
    found = (await desk.get("/alarms", **query))["items"]
    return {one["name"]: one for one in found if one["code"] != "default_in_force"}


async def hook(desk: Operator, system: tuple[System, str], **more: Any) -> System:
    one, url = system
    await desk.change("POST", "/receivers", {"name": "DERMS", "url": url, "topics": ["alarms"], **more})
    return one


def said(one: System) -> list[tuple[str, str]]:
    return [(message["kind"], (message["data"] or {}).get("name", "")) for message in one.taken]
