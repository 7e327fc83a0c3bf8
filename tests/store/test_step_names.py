"""Databases of before get names that differ, and an alarm that says which were changed."""

import pytest

from sep2.store import listing_register, migrate, open_database
from sep2.store.alarms import standing_of
from tests.store.earlier import make_earlier
from tests.store.test_migrations import unmade_postgres_url, unmade_url  # noqa: F401 - fixtures

COLUMNS = "lfdi, name, kind, profile, registration, enabled, created"
CLIENTS = (
    ("A", "Sunny", "aggregator"),
    ("B", "SUNNY", "aggregator"),
    ("C", "sunny", "device"),
    ("D", "Gale", "device"),
)
BEFORE = (
    *(
        f"INSERT INTO client (id, {COLUMNS}) VALUES ({number}, '{letter * 40}', '{name}', '{kind}', 'csip', 'in-band', "
        "true, 1)"
        for number, (letter, name, kind) in enumerate(CLIENTS, 1)
    ),
    "INSERT INTO end_device (id, lfdi, sfdi, client_id, holds_net_limit, pin, enabled, fsa_mrid, changed, registered) "
    f"VALUES (1, '{'C' * 40}', 1, 3, false, 1, true, 'F1', 1, 1)",
    *(
        "INSERT INTO device_group (id, name, level, primacy, program_mrid, fsa_mrid, created) "
        f"VALUES ({number}, '{name}', 'FD', 7, '{number}A', '{number}B', 1)"
        for number, name in enumerate(("Feeder 7", "feeder 7"), 1)
    ),
)


@pytest.fixture
async def before(unmade_url):  # noqa: F811 - a fixture
    """The address of a database as the version before left it."""
    await make_earlier(unmade_url, "r0011", BEFORE, ("client", "end_device", "device_group"))
    return unmade_url


async def test_clients_of_one_name_are_told_apart_and_all_found(before):
    await migrate(before)
    database = await open_database(before)
    async with database.read() as db:
        found = {}
        for name in ("Sunny", "sunny (2)", "SUNNY (3)", "Gale"):
            row = await listing_register.client_named(db, name)
            found[row.name] = row.lfdi[0]
        assert found == {"Sunny": "A", "SUNNY (2)": "B", "sunny (3)": "C", "Gale": "D"}
        assert (await listing_register.group_named(db, "FEEDER 7 (2)")).name == "feeder 7 (2)"
        assert (await listing_register.device_named(db, "sunny (3)")).lfdi == "C" * 40
        alarms = {row.subject: row.detail for row in await standing_of(db, "name_clash")}
    await database.close()
    assert alarms.keys() == {"clients", "groups"}
    assert "SUNNY is now SUNNY (2); sunny is now sunny (3)" in alarms["clients"]
