"""A server with the market API and the operator API, and clients of both, for tests of what parties do."""

import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp.test_utils import TestClient, TestServer

from sep2.admin.app import make as operators
from sep2.clock import SteppedClock
from sep2.partner.app import TITLE
from sep2.partner.app import make as partners
from sep2.partner.table import BASE, TABLE
from sep2.rest.openapi import document
from sep2.rest.route import Route
from sep2.server.app import running
from sep2.settings import resolved
from tests.admin.conftest import NOW, TOKEN, Operator
from tests.admin.market import make_approved
from tests.ports import free_port
from tests.server.world import People, settings


class House:
    """A server with both APIs, whose parties North and South are the aggregators sunny and gale."""

    def __init__(self, people: People, operator: Operator, port: int, sessions: list[aiohttp.ClientSession]) -> None:
        self.people = people
        self.operator = operator
        self.port = port
        self._sessions = sessions

    def as_(self, name: str | None) -> "Partner":
        """Somebody with a certificate of the same hierarchy; None: without any."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.people.pki.folder / "root.pem")
        if name is not None:
            context.load_cert_chain(*self.people.files(name))
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
        self._sessions.append(session)
        return Partner(session, f"https://localhost:{self.port}")


DESCRIBED = document(TITLE, TABLE, posts_need_keys=True)["paths"]


def check_described(method: str, path: str, status: int, found: Any) -> None:
    """Whatever a party is answered is what the API's description says."""
    asked = path.split("?", maxsplit=1)[0]
    route = next((one for one in TABLE if one.method == method and _is_at(one, asked)), None)
    if route is None or 400 <= status < 500 or status == 304:
        return
    answers = DESCRIBED[route.path][method.lower()]["responses"]
    assert str(status) in answers, f"{method} {path}: {status}, described: {sorted(answers)}"
    msgspec.convert(found, route.answer)


def _is_at(route: Route, path: str) -> bool:
    return re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route.path)), path) is not None


class Partner:
    """A client of the market API; each POST has a key of its own unless one is given."""

    def __init__(self, http: aiohttp.ClientSession, origin: str) -> None:
        self.http = http
        self.origin = origin
        self.posts = 0

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if method == "POST" and "Idempotency-Key" not in said:
            self.posts += 1
            said["Idempotency-Key"] = f"post {self.posts}"
        data = None if body is None else msgspec.json.encode(body)
        async with self.http.request(method, self.origin + path, data=data, headers=said) as answer:
            read = await answer.read()
            found = msgspec.json.decode(read) if read else None
            check_described(method, path, answer.status, found)
            return answer.status, found, answer.headers

    async def get(self, path: str) -> Any:
        status, answer, _ = await self.ask("GET", BASE + path)
        assert status == 200, answer
        return answer


@asynccontextmanager
async def house_of(people: People, url: str, folder: Path) -> AsyncIterator[House]:
    (folder / "operator.token").write_text(TOKEN)
    port = free_port()
    unbounded = {"reads_per_second": 0, "changes_per_second": 0}
    receivers = {"loopback": True, "http": True}
    said = settings(people, url, operator=unbounded, partner={"port": port, **unbounded}, receivers=receivers)
    sessions: list[aiohttp.ClientSession] = []
    async with (
        running(resolved(said, folder), clock=SteppedClock(NOW), partner_app=partners) as state,
        TestClient(TestServer(operators(state))) as http,
    ):
        operator = Operator(http, state)
        await make_approved(operator)
        for party, name in (("North", "sunny"), ("South", "gale")):
            body = {"lfdi": people.lfdi(name), "purpose": "both"}
            await operator.change("POST", f"/market/parties/{party}/certificates", body)
        yield House(people, operator, port, sessions)
        for session in sessions:
            await session.close()
