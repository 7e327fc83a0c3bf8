"""Everybody's certificates, and a server to talk to."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import make_url

from certs import pki
from sep2.store import open_database
from tests.conftest import postgres_copy
from tests.server.market import House, house_of
from tests.server.world import PEOPLE, Ids, People, World, copied, populate, serving


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    """Certificates that lead to one root."""
    made = pki.create(tmp_path_factory.mktemp("pki"))
    issuer = made.issuer
    identities = {}
    for name in PEOPLE:
        issue = issuer.issue_aggregator if name in ("sunny", "gale") else issuer.issue_device
        identities[name] = issue(name)
        made.save(identities[name], name)
    return People(made, identities)


class Settled(NamedTuple):
    """The address of a database in which everybody is registered, and the numbers that things were given."""

    url: str
    ids: Ids


@pytest.fixture(scope="session")
def settled_sqlite(people: People, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Settled:
    """The one that is copied for the tests on SQLite."""
    url = copied(sqlite_template, tmp_path_factory.mktemp("settled"))
    return Settled(url, asyncio.run(_settle(people, url)))


@pytest.fixture(scope="session")
def settled_postgres(people: People, postgres_template: Path) -> Iterator[Settled]:
    """The one that is copied for the tests on PostgreSQL."""
    with postgres_copy(postgres_template, "template") as url:
        yield Settled(url, asyncio.run(_settle(people, url)))


@pytest.fixture
def on_sqlite(settled_sqlite: Settled, tmp_path: Path) -> Settled:
    """A copy for one test."""
    return Settled(copied(Path(settled_sqlite.url.removeprefix("sqlite:///")), tmp_path), settled_sqlite.ids)


@pytest.fixture
def on_postgres(settled_postgres: Settled, postgres_folder: Path) -> Iterator[Settled]:
    """A copy for one test."""
    with postgres_copy(postgres_folder, str(make_url(settled_postgres.url).database)) as url:
        yield Settled(url, settled_postgres.ids)


@pytest.fixture
async def world(people: People, on_sqlite: Settled) -> AsyncIterator[World]:
    """A server of this test's own."""
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids) as world:
        yield world


@pytest.fixture(params=["on_sqlite", "on_postgres"])
def on_either(request: pytest.FixtureRequest) -> Settled:
    """A copy for one test, which runs once on each kind."""
    settled: Settled = request.getfixturevalue(request.param)
    return settled


@pytest.fixture
async def either_world(people: People, on_either: Settled) -> AsyncIterator[World]:
    """A server of this test's own, once on each kind of database."""
    async with serving(people, on_either.url, ids=on_either.ids) as world:
        yield world


async def _settle(people: People, url: str) -> Ids:
    database = await open_database(url)
    try:
        return await populate(database, people)
    finally:
        await database.close()


@pytest.fixture
async def house(people: People, on_sqlite: Settled, tmp_path: Path) -> AsyncIterator[House]:
    """A server with the market API, on SQLite."""
    async with house_of(people, on_sqlite.url, tmp_path) as made:
        yield made


@pytest.fixture
async def either_house(people: People, on_either: Settled, tmp_path: Path) -> AsyncIterator[House]:
    """The same on each kind of database."""
    async with house_of(people, on_either.url, tmp_path) as made:
        yield made
