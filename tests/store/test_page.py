"""A page of a list is what Python's own sorting and slicing gives, and the total is always true."""

import random

import pytest
from sqlalchemy import bindparam, insert, select

from sep2.rules.paging import Page
from sep2.store import select_page
from sep2.store.tables import device_group

g = device_group.c
BUILT_ONCE = (
    select(g.id, g.name, g.primacy).where(g.primacy >= bindparam("least")).order_by(g.level, g.primacy.desc(), g.name)
)
PAGES = [Page(s, n) for s in (0, 1, 3, 8, 100) for n in (0, 1, 3, 255)]


@pytest.fixture
async def groups(database):
    dice = random.Random(7)
    rows = [
        {
            "name": f"{dice.random():.6f}",
            "level": dice.choice(("SP", "TF")),
            "primacy": dice.randrange(4),
            "description": dice.choice(("", "x")),
            "program_mrid": f"{number:032X}",
            "fsa_mrid": f"{number + 100:032X}",
            "created": 1,
        }
        for number in range(12)
    ]
    async with database.write() as db:
        await db.run(insert(device_group), rows)
    return rows


async def test_pages_of_a_query_that_is_built_once(database, groups):
    for least in (0, 2, 9):
        wanted = [row for row in groups if row["primacy"] >= least]
        wanted.sort(key=lambda row: (row["level"], -row["primacy"], row["name"]))
        for page in PAGES:
            async with database.read() as db:
                found = await select_page(db, BUILT_ONCE, page, least=least)
            assert found.total == len(wanted)
            names = [row["name"] for row in wanted[page.start : page.start + page.limit]]
            assert [row.name for row in found.rows] == names, page


async def test_pages_of_a_query_that_is_built_in_the_call(database, groups):
    query = select(device_group).where(g.description == "x").order_by(g.primacy.desc().nulls_last(), g.id.asc())
    wanted = [row for row in groups if row["description"] == "x"]
    wanted.sort(key=lambda row: -row["primacy"])
    async with database.read() as db:
        for page in PAGES:
            found = await select_page(db, query, page)
            assert found.total == len(wanted)
            names = [row["name"] for row in wanted[page.start : page.start + page.limit]]
            assert [row.name for row in found.rows] == names, page


async def test_pages_of_a_join(database, groups):
    other = device_group.alias("other")
    query = select(g.name, other.c.name.label("other_name")).join(other, other.c.level == g.level)
    query = query.where(other.c.name != g.name).order_by(other.c.name, g.name.desc())
    pairs = [(a["name"], b["name"]) for a in groups for b in groups if a["level"] == b["level"] and a is not b]
    pairs.sort(key=lambda pair: (pair[1], [-ord(letter) for letter in pair[0]]))
    async with database.read() as db:
        found = await select_page(db, query, Page(2, 5))
    assert found.total == len(pairs)
    assert [(row.name, row.other_name) for row in found.rows] == pairs[2:7]
