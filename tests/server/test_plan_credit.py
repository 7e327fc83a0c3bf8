"""How far plans are believed: meters over mutual TLS against bands of accepted plans, judged as days are settled."""

from typing import Any

from sqlalchemy import select

from sep2.operations.market.bands import Counted, record
from sep2.operations.market.ignored_limits import directions
from sep2.rules.market.bands import Band, Member, MemberBand
from sep2.rules.market.deliverables import Rating
from sep2.store.market.tables import aggregation, component_der
from tests.server.meters import post, read
from tests.server.test_market_settled import DAY, QUARTER, desk, limit, site
from tests.server.world import NOW

__all__ = ["desk"]

MIDNIGHT = NOW - NOW % DAY + DAY
DAYS, TESTED = 11, 25
HIGH_W, ABLE_W = 100_000, 1_200_000


async def leave_band(world, days: int) -> None:
    """An accepted plan leaves D1 0 to 100 kW, from tomorrow on."""
    rating = Rating(ABLE_W, ABLE_W, ABLE_W)
    starts = [MIDNIGHT + QUARTER * n for n in range(days * DAY // QUARTER)]
    said = MemberBand(1, starts, QUARTER, [Band(0.0, HIGH_W)] * len(starts))
    member = Member("D1", "NMI1", rating, rating, 1_000_000, [said], 0.0)
    async with world.state.db.write() as db:
        ids = [(await db.one(select(one.c.id).limit(1))).id for one in (aggregation, component_der)]
        await record(db, [ids[1]], [Counted(*ids, member)], world.state.clock.now())


async def posted(raw: Any, path: str, day: int, watts: list[int]) -> None:
    values = [(QUARTER, -one) for one in watts]
    await post(raw, path, "0C01", read(f"{day:02X}", MIDNIGHT + day * DAY, values))


async def settled_until(world, day: int) -> None:
    """Every day until then is settled by itself."""
    world.advance(MIDNIGHT + (day + 2) * DAY + 60)
    for _ in range(1 + DAYS // 8):
        await world.state.settle_watch.once()


async def credit(operator) -> list[tuple[int, int, float, float]]:
    """Of each judged day, the first one first: tested, kept, credit and what it may rise to."""
    found = await operator.get("/market/aggregations/VPP/credit", every="true")
    days = sorted(found["days"], key=lambda one: one["day"])
    return [(one["tested"], one["kept"], one["credit"], one["target"]) for one in days]


async def alarms(operator) -> dict[str, str]:
    found = await operator.get("/alarms")
    return {one["code"]: one["detail"] for one in found["items"] if one["cleared"] is None}


async def ignored(world) -> dict[str, frozenset[str]]:
    async with world.state.db.read() as db:
        return await directions(db, {"NMI1"}, world.state.clock.now())


async def test_credit_rises_slowly_with_kept_bands_and_is_gone_at_one_great_breach(desk):
    world, operator = desk
    raw, path = await site(desk)
    assert (await operator.get("/market/aggregations/VPP/credit"))["days"] == []
    await leave_band(world, DAYS + 20)
    await limit(operator, MIDNIGHT + DAYS * DAY, 3 * DAY, HIGH_W)
    world.advance(MIDNIGHT + (DAYS + 1) * DAY)
    for day in range(DAYS):
        # Of the first 200 intervals 190 are kept; 50 kW beyond is a small part of what D1 can do.
        broken = 2 if day < 5 else 0
        await posted(raw, path, day, [150_000] * broken + [HIGH_W] * (TESTED - broken))
    await settled_until(world, DAYS - 1)
    days = await credit(operator)
    assert [one[:2] for one in days] == [(25, 23)] * 5 + [(25, 25)] * 6
    # Nothing is known below 96 intervals; then it rises by a tenth a day, however much was kept.
    assert [one[2] for one in days[:4]] == [0.0, 0.0, 0.0, 0.1]
    assert days[7][3] == 0.75, "190 of 200 intervals"
    assert [round(one[2], 6) for one in days[3:]] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    assert "band_broken" not in await alarms(operator)
    # One interval far beyond the band, and no plan of this member is believed any more.
    await posted(raw, path, DAYS, [HIGH_W] * 10 + [600_000] + [HIGH_W] * 14)
    await settled_until(world, DAYS)
    (last,) = (await operator.get("/market/aggregations/VPP/credit"))["days"]
    assert (last["der"], last["credit"], last["target"], round(last["worst"], 3)) == ("D1", 0.0, 0.0, 0.417)
    stand = await alarms(operator)
    assert "D1" in stand["band_broken"]
    # It went as far beyond its limit, and counts as if it had none, until it has kept it 96 times.
    assert "D1 (export, 42 % of what it can do, 14 of 96 kept)" in stand["limits_ignored"]
    assert await ignored(world) == {"NMI1": frozenset({"export"})}
    await posted(raw, path, DAYS + 1, [HIGH_W] * 81)
    await settled_until(world, DAYS + 1)
    assert "95 of 96 kept" in (await alarms(operator))["limits_ignored"]
    await posted(raw, path, DAYS + 2, [HIGH_W])
    await settled_until(world, DAYS + 2)
    assert "limits_ignored" not in await alarms(operator)
    assert await ignored(world) == {}
    await settled_until(world, DAYS + 8)
    assert "band_broken" not in await alarms(operator)
