import os
from pathlib import Path

import pytest

from gridmodel import Feeder, Reduced, read_feeder, reduce
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.devices import NewDevice, add_device
from sep2.store import open_database
from tests.envelope.cases import START, street
from tests.envelope.rounds import Told


@pytest.fixture(scope="session")
def lv28() -> tuple[Feeder, Reduced]:
    """The published Australian feeder."""
    facts = os.environ.get("SEP2_FACTS")
    if not facts:
        pytest.skip("SEP2_FACTS names no folder of facts")
    feeder = read_feeder(Path(facts, "data", "lv28"))
    return feeder, reduce(feeder.network)


@pytest.fixture(scope="module")
def problem():
    """Three customers and eight half-hours."""
    return street(customers=3, steps=8)


@pytest.fixture
async def registered(database, problem):
    """Three connections on each kind of database, each with a device, the first with a contract for export."""
    return await _registered(database, problem)


@pytest.fixture
async def at_hand(sqlite_url, problem):
    """The same on SQLite, for what no database changes."""
    opened = await open_database(sqlite_url)
    yield await _registered(opened, problem)
    await opened.close()


async def _registered(database, problem):
    async with database.write() as db:
        await add_connection(db, NewConnection("c1", firm_export_w=1500), START - 60)
        for name in problem.connection_id[1:]:
            await add_connection(db, NewConnection(name), START - 60)
        client = await register_client(db, NewClient("agg", "CD" * 20, "aggregator"), START - 60)
        for k, name in enumerate(problem.connection_id):
            await add_device(db, NewDevice(f"{k}B" * 20, client, name), START - 60)
    return database


@pytest.fixture
def told(problem):
    """What rounds over that problem are told."""
    return Told(problem)
