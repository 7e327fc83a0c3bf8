"""The operator API over a real database of each kind, with a clock that stands."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from sep2.admin.app import make
from sep2.clock import SteppedClock
from sep2.settings import Settings, parse, resolved
from sep2.store import Database

NOW = 1_800_000_000
TOKEN = "a-token-of-more-than-thirty-two-characters"


@dataclass
class House:
    """What the server's state gives to the operator API, and how often its background work was woken."""

    db: Database
    settings: Settings
    clock: SteppedClock = field(default_factory=lambda: SteppedClock(NOW))
    woken: int = 0

    def wake(self) -> None:
        self.woken += 1


class Operator:
    """Somebody with the token; `ask` gives the status and the decoded answer."""

    def __init__(self, http: TestClient[Any, Any], house: House) -> None:
        self.http = http
        self.house = house

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {TOKEN}"} | more.pop("headers", {})
        data = more.pop("data", None if body is None else msgspec.json.encode(body))
        async with self.http.request(method, path, data=data, headers=headers, **more) as answer:
            read = await answer.read()
            return answer.status, msgspec.json.decode(read) if read else None

    async def get(self, path: str, **query: str) -> Any:
        status, answer = await self.ask("GET", path, params=query)
        assert status == 200, answer
        return answer

    async def change(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        status, answer = await self.ask(method, path, body, params=query)
        assert status == 200, answer
        return answer


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    (tmp_path / "operator.token").write_text(TOKEN)
    return House(database, resolved(parse({}), tmp_path))


@pytest.fixture
async def operator(house: House) -> AsyncIterator[Operator]:
    async with TestClient(TestServer(make(house))) as http:
        yield Operator(http, house)


@pytest.fixture
async def street(operator: Operator) -> Operator:
    """An operator whose server knows an aggregator with a device at NMI1, and a gateway at NMI2."""
    await operator.change("POST", "/clients", {"name": "Sunny", "lfdi": "A" * 40})
    for connection in ("NMI1", "NMI2"):
        await operator.change("POST", "/connections", {"connection_id": connection})
    await operator.change("POST", "/devices", {"client": "Sunny", "lfdi": "D1" * 20, "connection_id": "NMI1"})
    await operator.change("POST", "/devices", {"name": "gateway", "lfdi": "D2" * 20, "connection_id": "NMI2"})
    return operator
