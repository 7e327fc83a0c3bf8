"""The operator API over a real database of each kind and a real server's state, with a clock that stands."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from certs import pki
from sep2.admin.app import make
from sep2.clock import SteppedClock
from sep2.server.app import State
from sep2.settings import parse, resolved
from sep2.store import Database

NOW = 1_800_000_000
TOKEN = "a-token-of-more-than-thirty-two-characters"


class Operator:
    """Somebody with the token; `ask` gives the status and the decoded answer."""

    def __init__(self, http: TestClient[Any, Any], house: State) -> None:
        self.http = http
        self.house = house

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {more.pop('token', TOKEN)}"} | more.pop("headers", {})
        data = more.pop("data", None if body is None else msgspec.json.encode(body))
        async with self.http.request(method, path, data=data, headers=headers, **more) as answer:
            read = await answer.read()
            return answer.status, msgspec.json.decode(read) if read else None

    async def get(self, path: str, **query: str) -> Any:
        status, answer = await self.ask("GET", path, params=query)
        assert status == 200, answer
        return answer

    async def change(self, method: str, path: str, body: Any = None, *, token: str = TOKEN, **query: str) -> Any:
        status, answer = await self.ask(method, path, body, params=query, token=token)
        assert status == 200, answer
        return answer

    def advance(self, to: int) -> None:
        assert isinstance(self.house.clock, SteppedClock)
        self.house.clock.advance(to)


@pytest.fixture(scope="session")
def folder_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's folder with certificates and a token, to be copied."""
    made = tmp_path_factory.mktemp("operator") / "utility"
    pki.create(made / "pki")
    (made / "operator.token").write_text(TOKEN)
    return made


@pytest.fixture
def folder(folder_template: Path, tmp_path: Path) -> Path:
    """A folder of this test's own: the engine keeps its mode and measurements there."""
    return Path(shutil.copytree(folder_template, tmp_path / "utility"))


@pytest.fixture
def house(database: Database, folder: Path) -> State:
    # Tests ask more often than a person does.
    unbounded = {"operator": {"reads_per_second": 0, "changes_per_second": 0}}
    return State(resolved(parse(unbounded), folder), database, SteppedClock(NOW))


@pytest.fixture
async def operator(house: State) -> AsyncIterator[Operator]:
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
