"""PostgreSQL is stopped and started anew while clients ask."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from sep2.store import migrate
from tests import postgres
from tests.raw import Reply
from tests.server.test_outages import STATUS, assert_held
from tests.server.world import NOW, People, World, serving

MOST = 5000
"""Answers that are waited for at most: many more than come while the server is away and its connections are renewed."""


@pytest.fixture
async def on_a_server_of_its_own(people: People) -> AsyncIterator[tuple[Path, World]]:
    """A PostgreSQL that may be stopped, its folder, and our server on it."""
    try:
        postgres.programs()
    except postgres.NoPostgres as missing:
        pytest.skip(str(missing))
    with postgres.running(restarts=True) as folder:
        connection = await asyncpg.connect(postgres.address(folder, "postgres"))
        await connection.execute("CREATE DATABASE utility")
        await connection.close()
        url = postgres.address(folder, "utility")
        await migrate(url)
        async with serving(people, url) as world:
            yield folder, world


async def test_postgres_is_started_anew_under_load(
    on_a_server_of_its_own: tuple[Path, World], caplog: pytest.LogCaptureFixture
) -> None:
    """While it is away everybody is told to come again; then all goes on, also what runs beside the requests."""
    folder, world = on_a_server_of_its_own
    clients = [await world.as_(name) for name in ("sunny", "gale", "sunny", "gale")]
    path = f"/edev/{world.ids.devices['one']}/der/1/ders"
    answers: list[Reply] = []
    ended = asyncio.Event()

    async def ask(number: int) -> None:
        while not ended.is_set():
            raw = clients[number]
            answers.append(await (raw.put(path, STATUS) if number == 0 else raw.get("/edev?l=9")))
            await asyncio.sleep(0.01)  # within the pace of aggregators

    async with asyncio.TaskGroup() as group:
        for number in range(len(clients)):
            group.create_task(ask(number))
        await _more(answers, 40)
        await asyncio.to_thread(postgres.stop, folder)
        await _more(answers, 40)
        assert_held(answers[-1])
        await asyncio.to_thread(postgres.start, folder)
        before = len(answers)
        while any(answer.status >= 300 for answer in answers[-20:]) or len(answers) < before + 20:
            assert len(answers) < before + MOST, {answer.status for answer in answers[-20:]}
            await asyncio.sleep(0.01)
        ended.set()
    assert {answer.status for answer in answers} <= {200, 201, 204, 503}
    for answer in answers:
        assert answer.status != 503 or "retry-after" in answer.headers
    world.advance(NOW + 100)
    async with asyncio.timeout(120):
        while not (await world.state.db.leads() and world.state.sweep.reached == NOW + 100):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert [record for record in caplog.records if record.exc_info] == []
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) < 10, caplog.messages


async def _more(answers: list[Reply], many: int) -> None:
    before = len(answers)
    while len(answers) < before + many:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
