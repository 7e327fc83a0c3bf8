"""Local time in the Time resource, by a zone's name or by the four numbers of older settings."""

import pytest

from sep2.clock import SteppedClock
from tests.server.world import NOW, serving

SUMMER_ENDS = 1_806_769_800
"""In Adelaide, 2027-04-03T16:30Z."""


async def told(world) -> dict[str, int]:
    found = await (await world.as_("sunny")).get("/tm")
    return {name: int(found.texts(name)[0]) for name in ("localTime", "tzOffset", "dstOffset", "dstEndTime")}


async def test_the_zone_of_the_utility_switches_by_its_own_rules(people, on_sqlite):
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, utility={"zone": "Australia/Adelaide"}) as world:
        assert await told(world) == {
            "localTime": NOW + 37_800,
            "tzOffset": 34_200,
            "dstOffset": 3600,
            "dstEndTime": SUMMER_ENDS,
        }
        world.advance(SUMMER_ENDS - 1)
        assert (await told(world))["localTime"] == SUMMER_ENDS - 1 + 37_800
        world.advance(SUMMER_ENDS)
        after = await told(world)
        assert after["localTime"] == SUMMER_ENDS + 34_200
        assert after["dstEndTime"] > SUMMER_ENDS


@pytest.mark.parametrize(("now", "offset_s"), [(NOW, 37_800), (NOW + 1000, 34_200)])
async def test_four_numbers_say_the_same_as_before(people, on_sqlite, now, offset_s):
    numbers = {"tz_offset_s": 34_200, "dst_offset_s": 3600, "dst_start": NOW - 1000, "dst_end": NOW + 1000}
    more = {"clock": SteppedClock(now), "utility": numbers}
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, **more) as world:
        assert await told(world) == {
            "localTime": now + offset_s,
            "tzOffset": 34_200,
            "dstOffset": 3600,
            "dstEndTime": NOW + 1000,
        }
