"""The desk at 100,000 devices.

A utility of 100,000 devices and connections, 10,000 clients, 2,101 places, 600,000 controls of envelopes, 30 days of
judged limits and 1,000,000 alarms of the past in a database on the same machine. Each figure is the processor time of
the server's process for one page or list, on PostgreSQL with that of the database's processes: the median of several,
after a first one, which is given too where it took much longer: counts of a large utility are kept for some seconds.
SEP2_BENCH_DEVICES=1000 measures a smaller one, SEP2_BENCH_DATABASE=sqlite:///path keeps the one on SQLite.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from certs import pki
from sep2.admin.app import ACCESS
from sep2.clock import SteppedClock
from sep2.desk.app import make
from sep2.desk.render import compile_all
from sep2.server.app import State
from sep2.settings import parse, resolved
from sep2.store import Database, in_force_counts, migrate, open_database
from tests import postgres
from tests.benchmarks import processor
from tests.benchmarks.seed import Size, fill
from tests.benchmarks.table import Row

NOW = 1_800_000_000
ROUNDS = 5
GOAL_MS, SEARCH_GOAL_MS = 300.0, 50.0
TOKEN = "a-token-of-more-than-thirty-two-characters"
PAGES = {
    "overview": "/desk",
    "network": "/desk/network",
    "network, a feeder": "/desk/network?place=FD1",
    "network, a transformer": "/desk/network?place=TX1",
    "clients": "/desk/clients",
    "client": "/desk/client?name=Aggregator%207",
    "connections": "/desk/connections",
    "connections of a feeder": "/desk/connections?place=FD1",
    "connection": "/desk/connection?id=NMI0000777",
    "device": "/desk/device?id={device}",
    "overrides": "/desk/overrides",
    "sheet of an override of a transformer": "/desk/override?scope=place&subject=TX1&export=1&minutes=60&reason=test",
    "controls, a day": "/desk/controls",
    "controls, a week with envelopes": "/desk/controls?week=true&envelopes=true",
    "reports by month": "/desk/reports",
    "reports by client": "/desk/reports?by=client",
    "reports by make": "/desk/reports?by=make",
    "reports by transformer": "/desk/reports?by=transformer",
    "reports by connection of a feeder": "/desk/reports?by=connection&place=FD1",
    "alarms": "/desk/alarms",
    "alarms, also of the past": "/desk/alarms?state=cleared",
    "deliveries": "/desk/deliveries",
    "audit": "/desk/audit",
    "audit of a connection": "/desk/audit?subject=/connections/NMI0000777",
    "health": "/desk/health",
    "envelopes": "/desk/envelopes",
    "search for a connection": "/desk/search?q=NMI00007",
    "search for an LFDI": "/desk/search?q={device}",
}
LISTS = """
/status /probes /in-force /clients /connections /devices /groups /places /network /controls /overrides /subscriptions
/mirrors /contacts /device-contacts /compliance?by=client /compliance?by=total /compliance /compliance/broken
/exemptions /alarms /alarms?state=cleared /audit /calendar /reports/compliance /search?q=NMI00007
/history?noun=connection&of=NMI0000777 /readings?connection=NMI0000777 /log-events /responses /ratings
"""


def rows() -> list[Row]:
    """Milliseconds of CPU of every page and list on both databases, against the goal that was set."""
    with tempfile.TemporaryDirectory(prefix="sep2-bench-") as folder:
        found = asyncio.run(_rows(os.environ.get("SEP2_BENCH_DATABASE", f"sqlite:///{folder}/sep2.db"), _ours))
    with postgres.running() as place:
        template = postgres.address(place, "postgres")
        spent = partial(_with_database, processor.postmaster(place))
        return [*found, *(replace(row, name=f"{row.name}, PostgreSQL") for row in asyncio.run(_rows(template, spent)))]


async def _rows(url: str, spent: processor.Spent) -> list[Row]:
    devices = int(os.environ.get("SEP2_BENCH_DEVICES", "100000"))
    size = Size(devices, max(1, devices // 10), max(1, devices // 50), max(1, devices // 1000), alarms=10 * devices)
    async with _desk(size, url) as (http, headers, device):
        found = []
        for name, path in PAGES.items():
            found += await _measured(http, (f"page: {name}", path.replace("{device}", device)), headers, spent)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for path in LISTS.split():
            found += await _measured(http, (f"list: {path}", path), headers, spent)
        return found


def _ours() -> float:
    """Seconds of processor time that this process has taken."""
    return time.process_time()


def _with_database(postmaster: int) -> float:
    """The same with that of a PostgreSQL server and its processes."""
    return time.process_time() + processor.of_postgres(postmaster)


@asynccontextmanager
async def _desk(size: Size, url: str) -> AsyncIterator[tuple[TestClient[Any, Any], dict[str, str], str]]:
    """The desk over a utility of that size, what a signed-in browser sends, and a device's LFDI."""
    with tempfile.TemporaryDirectory(prefix="sep2-bench-") as folder:
        home = Path(folder)
        pki.create(home / "pki")
        (home / "operator.token").write_text(TOKEN)
        await migrate(url)
        database = await open_database(url)
        try:
            if not await _is_filled(database):
                await fill(database, size, NOW)
            state = State(resolved(parse({}), home), database, SteppedClock(NOW))
            compile_all(state)  # as a server does once it runs
            app = make(state)
            async with TestClient(TestServer(app)) as http:
                link = app[ACCESS].link("local")
                async with http.get(f"/desk/open?link={link}", allow_redirects=False) as answer:
                    headers = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
                yield http, headers, f"D{777 * 2_654_435_761 % 2**60:039X}"
        finally:
            await database.close()


async def _is_filled(database: Database) -> bool:
    """Whether the database that was named holds a utility from an earlier run."""
    async with database.read() as db:
        return (await in_force_counts.places(db))[0] > 0


async def _measured(
    http: TestClient[Any, Any], asked: tuple[str, str], headers: dict[str, str], spent: processor.Spent
) -> list[Row]:
    """The median of several requests, and the first one where it took much longer; asked: its name and its path."""
    name, path = asked
    each = []
    for _ in range(ROUNDS + 1):
        began = spent()
        async with http.get(path, headers=headers) as answer:
            body = await answer.read()
            assert answer.status == 200, (path, answer.status, body[:300])
        each.append(1000 * (spent() - began))
    goal = SEARCH_GOAL_MS if "search" in path else GOAL_MS
    middle = statistics.median(each[1:])
    found = [_row(name, middle, goal)]
    if each[0] > max(goal / 2, 3 * middle):
        found.append(_row(f"{name}, the first time", each[0], goal))
    return found


def _row(name: str, spent_ms: float, goal: float) -> Row:
    return Row(name=name, ours=spent_ms, unit="ms", better="less", cpu_ms=spent_ms, goal=goal)
