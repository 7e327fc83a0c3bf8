"""EndDeviceLists: every page is that part of the whole list, and costs no look at the rest of it."""

from itertools import product

import pytest
from sqlalchemy import create_engine, insert, text
from sqlalchemy.dialects import sqlite

from sep2.operations.clients import NewClient, register_client
from sep2.rules.paging import Page
from sep2.store import device_pages
from sep2.store.connection import Connection
from sep2.store.tables import end_device

NOW = 1_700_000_000
MANY = 9


def device(number: int, client_id: int, lfdi: str | None = None) -> dict[str, object]:
    """A device; several of them changed at one time."""
    return {
        "id": 100 + number,
        "lfdi": lfdi or f"{number:040X}",
        "sfdi": 7 * number % 5,
        "client_id": client_id,
        "holds_net_limit": False,
        "pin": 0,
        "enabled": True,
        "fsa_mrid": "",
        "changed": NOW + number % 4,
        "registered": NOW,
        "name": f"d{number}",
        "name_key": f"d{number}",
    }


async def fill(db: Connection, *, with_own: bool) -> int:
    client = await register_client(db, NewClient("agg", "CD" * 20, "aggregator"), NOW)
    await db.run(text("DELETE FROM end_device"))
    rows = [device(number, client) for number in range(1, MANY)]
    rows += [device(50, client, "CD" * 20)] if with_own else []
    await db.run(insert(end_device), rows)
    return client


@pytest.mark.parametrize("with_own", [True, False])
async def test_every_page_is_that_part_of_the_whole_list(database, with_own):
    async with database.write() as db:
        client = await fill(db, with_own=with_own)
        rows = await db.all(text("SELECT id, lfdi, changed, sfdi FROM end_device"))
        rows = sorted(rows, key=lambda row: (row.lfdi != "CD" * 20, -row.changed, row.sfdi, row.id))
        for after, start, limit in product((None, NOW - 1, NOW + 1, NOW + 9), (0, 1, 2, 7, 30), (0, 1, 3, 40)):
            whole = [row.id for row in rows if after is None or row.changed > after]
            page = await device_pages.of_client(db, client, "CD" * 20, Page(start, limit, after))
            assert (page.total, [row.id for row in page.rows]) == (len(whole), whole[start : start + limit])


def test_a_page_is_read_in_the_order_of_an_index(sqlite_url):
    values = {"client_id": 1, "client_lfdi": "AB" * 20, "page_start": 0, "page_limit": 10}
    said = device_pages.LISTED.compile(dialect=sqlite.dialect(paramstyle="named"))
    with create_engine(sqlite_url).connect() as core:
        plan = [row.detail for row in core.execute(text(f"EXPLAIN QUERY PLAN {said}"), said.params | values)]
    assert not [step for step in plan if step.startswith("SCAN end_device")]
    assert [step for step in plan if "USE TEMP B-TREE" in step] == ["USE TEMP B-TREE FOR ORDER BY"], "of the page alone"
