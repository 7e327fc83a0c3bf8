"""Readings that are being stored while their interval is judged: they count, however the two overtake each other."""

import asyncio

import pytest

from sep2.operations.mirrors import NewReading, NewSeries, NewSet, Poster, put_series, set_reading_sign
from sep2.rules.metering import ReadingSign, Span
from sep2.store import judged, open_database
from tests.server.operator import operating
from tests.server.test_judging import NOON, POSTED, Site

OVERTAKES_S = 2.0
"""Long enough for the judge to look, or to wait for the writer; a slower one looks later, which is right, too."""


@pytest.fixture
async def desk(people, on_either, tmp_path):
    utility = {"poll_rates": {"DERProgramList": 120}}
    async with operating(people, on_either, tmp_path, utility=utility) as desk:
        yield desk


@pytest.fixture
async def database(on_either):
    database = await open_database(on_either.url)
    yield database
    await database.close()


async def put(db, site, minute, seconds, watts):
    """Store one reading as a post of it does, in a transaction that is committed when the caller says."""
    client = site.world.ids.clients["sunny"]
    point = int(site.at.rpartition("/")[2])
    span = Span(NOON + 60 * minute, seconds)
    group = NewSet(mrid=f"{60 + minute:032X}", span=span, readings=[NewReading(span=span, local_id=0, value=-watts)])
    poster = Poster(client, site.world.state.settings.utility.post_rate)
    await put_series(db, poster, point, [NewSeries(mrid=f"{'0C01':0>32}", sets=[group])], now=site.world.clock.now())


async def while_judged(site, change):
    """Have the judge look while a transaction that makes a change is not committed yet."""
    judge = None
    async with site.world.state.db.write() as db:
        await change(db)
        judge = asyncio.create_task(site.world.state.judge.once())
        await asyncio.wait({judge}, timeout=OVERTAKES_S)
    await judge


async def test_a_late_reading_that_is_committed_after_the_judge_looked_is_judged(desk):
    site = await Site.open(desk)
    await site.limit()
    site.world.advance(NOON + 1800)

    async def late(db):
        for one in POSTED:
            await put(db, site, *one)

    await while_judged(site, late)
    await site.settle()
    assert (await site.states())[:3] == [(0, 5, "ok"), (5, 10, "late"), (10, 15, "ok")]


async def test_a_sign_that_is_proven_while_the_judge_looks_counts(desk):
    site = await Site.open(desk, proven=False)
    await site.limit()
    site.world.advance(NOON + 600)
    await site.post(POSTED[:2])
    site.world.advance(NOON + 960)

    async def proven(db):

        await set_reading_sign(db, int(site.at.rpartition("/")[2]), ReadingSign.AS_POSTED)

    await while_judged(site, proven)
    await site.world.state.judge.once()
    assert (await site.states())[0] == (0, 5, "ok")


async def test_what_two_writers_note_of_a_device_is_judged_for_both(database, on_either):
    device = on_either.ids.devices["one"]
    async with database.write() as first:
        await judged.note_late(first, device, NOON, NOON + 300)

        async def second():
            async with database.write() as writing:
                await judged.note_late(writing, device, NOON - 3000, NOON - 2700)

        task = asyncio.create_task(second())
        await asyncio.wait({task}, timeout=0.2)
    await task
    async with database.read() as reading:
        (noted,) = await judged.late(reading, 0, 10)
    assert (noted.since, noted.until) == (NOON - 3000, NOON + 300)


async def test_what_is_noted_of_the_same_time_again_while_it_is_judged_is_not_forgotten(database, on_either):
    device = on_either.ids.devices["one"]
    async with database.write() as writing:
        await judged.note_late(writing, device, NOON, NOON + 300)
    async with database.read() as reading:
        several = await judged.late(reading, 0, 10)
    async with database.write() as writing:
        await judged.note_late(writing, device, NOON, NOON + 300)
    async with database.write() as writing:
        await judged.done_late(writing, several)
    async with database.read() as reading:
        assert len(await judged.late(reading, 0, 10)) == 1
