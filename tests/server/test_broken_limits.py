"""Who does not keep limits is named by an alarm and by the status, until the limit is kept again."""

import pytest

from sep2.store import alarms
from tests.server.operator import operating
from tests.server.test_judging import Site


@pytest.fixture
async def desk(people, on_either, tmp_path):
    utility = {"poll_rates": {"DERProgramList": 120}}
    async with operating(people, on_either, tmp_path, utility=utility) as desk:
        yield desk


async def exported(desk, *watts):
    """Alarms by code and subject after each further five minutes of export under a limit of 1,500 W."""
    site = await Site.open(desk)
    await site.limit()
    seen = []
    for number, one in enumerate(watts):
        if one is not None:
            await site.post([(5 * number, 300, one)])
        await site.settle(5 * (number + 1))
        async with site.world.state.db.read() as db:
            rows = [row for row in await alarms.standing(db) if row.code in ("limit_breach", "obedience_low")]
        seen.append({(row.code, row.subject) for row in rows})
    return seen, rows


BREACH = {("limit_breach", "NMI1")}


async def test_two_intervals_in_a_row_raise_it_and_three_kept_ones_clear_it(desk):
    seen, _ = await exported(desk, 1000, 1000, 1700, 1000, 1700, 1700, 1000, 1000, 1000)
    assert seen == [set(), set(), set(), set(), set(), BREACH, BREACH, BREACH, set()]


async def test_one_interval_far_beyond_is_enough_and_unknown_is_not_kept(desk):
    seen, _ = await exported(desk, 1000, 1000, 4000, 1000, None, 1000, 1000, None, 1000, 1000, 1000)
    assert seen == [set(), set(), *[BREACH] * 8, set()]


async def test_the_alarm_says_how_far_and_through_whom_and_the_status_names_it(desk):
    _, rows = await exported(desk, 1000, 1000, 1700, 1800)
    (row,) = rows
    assert row.detail == "export 1800 W, 1500 W allowed; through sunny"
    status = await desk.operator.get("/status")
    assert status["disobeying"] == ["NMI1"]


async def test_the_status_says_what_nobody_has_looked_at(desk):
    world, operator = desk
    await world.state.contacts.look()
    await world.state.judge.once()
    assert (await operator.get("/status"))["not_looked_at"] == []
    async with world.state.db.write() as db:
        from sep2.store import marks

        await marks.put(db, "silent", f"{world.clock.now() - 200} {{}}")
        await marks.put(db, "judged", str(world.clock.now() - 1200))
    assert (await operator.get("/status"))["not_looked_at"] == ["clients", "limits"]
