"""A server that is killed while it overrides an aggregation has done all of that or nothing."""

import asyncio
import random
from contextlib import suppress
from typing import Any

import aiohttp
import pytest

from tests.admin.market import BY_RULES, make_approved
from tests.server.process import TOKEN, House
from tests.server.world import NOW

HOUR = 3600


class Desk:
    """An operator of a server in a process of its own, as functions of the market's tests take one."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def change(self, method: str, path: str, body: Any = None, *, token: str = TOKEN) -> Any:
        return await self.house.operate(method, path, body)


@pytest.fixture
async def house(people, database_url, tmp_path):
    made = House(tmp_path, people, database_url)
    await made.settle()
    await made.start()
    yield made
    await made.stop()


@BY_RULES
async def test_killed_between_controls_and_notices_neither_is_there_without_the_other(house):
    desk, dice = Desk(house), random.Random(11)
    await make_approved(desk)
    await desk.change("POST", "/clients", {"name": "Fleet", "lfdi": "F1" * 20})
    for n in (1, 2):
        body = {"client": "Fleet", "lfdi": f"{n:02d}" * 20, "connection_id": f"C{n}"}
        await desk.change("POST", "/devices", body)
    for kill in range(2):
        new = [override(hour) for hour in range(8 * kill, 8 * kill + 8)]
        sends = [asyncio.create_task(sent(house, one)) for one in new]
        await asyncio.sleep(dice.uniform(0.0, 0.15))
        await house.kill()
        await asyncio.gather(*sends)
        await house.start()
        await check(house)
    await house.operate("POST", "/market/overrides", override(100))
    assert await check(house) >= 1


def override(hour: int) -> dict[str, Any]:
    said = {"aggregation": "VPP", "notice": "emergency", "limits": {"export_w": 1000}, "reason": "emergency"}
    return {**said, "start": NOW + hour * HOUR, "duration": HOUR}


async def sent(house: House, new: dict[str, Any]) -> None:
    """Try to send an override; the server may be gone before it answers, or not take it."""
    with suppress(aiohttp.ClientError, OSError, AssertionError):
        await house.operate("POST", "/market/overrides", new)


async def check(house: House) -> int:
    """How many overrides there are: each with its controls and notice, no notice without, and no number missing."""
    found = (await house.operate("GET", "/market/overrides?over=true&limit=500"))["items"]
    of_desk = (await house.operate("GET", "/overrides?over=true&limit=500"))["items"]
    told = (await house.operate("GET", "/market/messages?party=North&limit=500"))["items"]
    assert [one["sequence"] for one in told] == list(range(len(told), 0, -1))
    notices = [one["body"] for one in told if one["kind"] == "override_notice"]
    first = {one["override"] for one in notices if one["sent"] == 1}
    assert first == {one["id"] for one in found} == {one["id"] for one in of_desk if one["scope"] == "aggregation"}
    for one in found:
        assert (await house.operate("GET", f"/overrides/{one['id']}"))["controls"]
    return len(found)
