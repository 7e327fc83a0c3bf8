"""Alarms that end by themselves when their cause is gone, and the disk that is an alarm before it is full."""

from pathlib import Path

from sqlalchemy import select, update

from sep2.server.causes import Space
from sep2.store.tables import alarm, client
from tests.raw import AUS
from tests.server import test_reach as reach
from tests.server.test_namespaces import V1_3, capability, mismatches
from tests.server.test_reach import polls
from tests.server.world import NOW

desk = reach.desk
DAY_S = 86_400


async def look(world, at=None):
    """What the server does every minute."""
    if at is not None:
        world.advance(at)
    await world.state.causes.look()


async def test_a_control_that_was_too_short_is_no_alarm_once_it_is_over(desk):
    await polls(desk, "roof", "roof")
    _, sent = await desk.send("connection NMI4", anyway=True)
    await look(desk.world)
    assert await desk.alarms("control_too_short") == sent["created"]
    await look(desk.world, NOW + 60)
    assert await desk.alarms("control_too_short") == []


async def test_a_control_that_was_too_short_is_no_alarm_once_it_is_cancelled(desk):
    await polls(desk, "roof", "roof")
    _, sent = await desk.send("connection NMI4", anyway=True)
    await desk.ask("POST", f"/controls/{sent['created'][0]}/cancel", {})
    await look(desk.world)
    assert await desk.alarms("control_too_short") == []


async def test_a_mode_that_nobody_is_sent_any_more_is_no_alarm(desk):
    """While a control or a default says it, the alarm stands; a profile that carries it is an end as well."""
    await _as(desk, "csip")
    subject = f"{desk.world.people.lfdi('gale')} opModImpLimW"
    await desk.send("feeder", duration=3600, limits={"import_w": 1})
    await desk.ask("PUT", "/groups/feeder/default", {"limits": {"import_w": 2}})
    await look(desk.world, NOW + 3600)
    assert await desk.alarms("mode_unsupported") == [subject], "the default says it still"
    await desk.ask("PUT", "/groups/feeder/default", {"limits": {}})
    await look(desk.world)
    assert await desk.alarms("mode_unsupported") == []

    await desk.send("feeder", start=NOW + 3600, duration=3600, limits={"import_w": 1})
    await look(desk.world)
    assert await desk.alarms("mode_unsupported") == [subject]
    await _as(desk, "csip-aus-1.2")
    await look(desk.world)
    assert await desk.alarms("mode_unsupported") == []


async def _as(desk, profile):
    async with desk.world.state.db.write() as db:
        await db.run(update(client).where(client.c.name == "gale").values(profile=profile))


async def test_a_client_that_writes_as_it_is_registered_for_a_day_is_no_mismatch(world):
    path = f"/edev/{world.ids.devices['one']}/der/1/dercap"
    sunny = await world.as_("sunny")
    await look(world)
    await sunny.put(path, capability(V1_3))
    await look(world, NOW + DAY_S - 1)
    assert await _standing(world, "profile_mismatch") == [(world.people.lfdi("sunny"), 3)]
    await sunny.put(path, capability(V1_3))
    await look(world, NOW + 2 * DAY_S - 10)
    assert await _standing(world, "profile_mismatch") == [(world.people.lfdi("sunny"), 3)], "it was seen again"
    await sunny.put(path, capability(AUS))
    await look(world, NOW + 2 * DAY_S)
    assert await _standing(world, "profile_mismatch") == []
    assert len(await mismatches(world)) == 1


async def test_the_disk_is_an_alarm_before_it_is_full(world):
    seen = []

    async def with_free(percent):
        def space(folder):
            seen.append(folder)
            return Space(1000_000_000, percent * 10_000_000)

        world.state.causes.space = space
        await look(world)
        return [(priority, detail) for subject, priority, detail in await _all(world, "disk_low")]

    assert await with_free(15) == []
    assert await with_free(14) == [(2, "14% is free, 140 MB; below 5 % writing may soon fail")]
    assert [priority for priority, _ in await with_free(4)] == [1]
    assert [priority for priority, _ in await with_free(6)] == [2]
    assert await with_free(20) == []
    assert set(seen) == {Path(world.state.settings.database.url.removeprefix("sqlite:///")).parent}


async def _all(world, code):
    async with world.state.db.read() as db:
        query = select(alarm).where(alarm.c.code == code, alarm.c.cleared.is_(None))
        return [(row.subject, row.priority, row.detail) for row in await db.all(query)]


async def _standing(world, code):
    return [found[:2] for found in await _all(world, code)]
