"""Results of the market's day, read from the utility's API: settlement, evidence, credit, and a baseline."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from envelope.demo.market.opening import DAY, House

METERED = "B01"
"""The site of North at feeder B whose draw of the next day is compared with a baseline."""
DRAWS_W = {-5: 12_000.0, -2: 10_000.0, -1: 11_000.0}
"""What it draws in the afternoon and evening of days before the event, by how many days."""
NEXT, BEFORE_W, WITHIN_W = 1, 11_000.0, 4_000.0
"""The day after the event, what it draws there before the event's hours, and in them."""
EARLIER = (-5, -2)
HOURS = (16, 20)
"""Local hours of the event, from the first to before the last."""


class Interval(NamedTuple):
    """Five minutes of North's aggregation, W: what it was told, its envelope, its limit, and what was measured."""

    start: int
    instructed_w: int | None
    envelope_w: int | None
    limit_w: int | None
    measured_w: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Results of the evening."""

    named: tuple[str, ...]
    """those who did not keep the override, as the utility found them"""
    lost_override_wh: int
    lost_envelope_wh: int
    delivered_share: float
    firm_needed: int
    tested: int
    kept: int
    """intervals in which bands of North's plan were tested, and those in which they were kept"""
    each: int
    """of those tested, how many of one battery at most"""
    baseline_w: int
    baseline_limited_w: int
    metered_w: int
    """of one site on the next evening: drawn by its baseline without the curtailed day, with it, and by its meter"""
    intervals: tuple[Interval, ...]
    pack: bytes
    same_pack: bool


def stamp(at: datetime) -> int:
    """Return a moment in epoch seconds."""
    return int(at.timestamp())


async def play_earlier(house: House) -> None:
    """Play the afternoons of two earlier days, in which one site draws."""
    for day in EARLIER:
        await play_afternoon(house, day)


async def play_afternoon(house: House, day: int) -> None:
    """Play the afternoon and evening of a day, counted from that of the event."""
    midnight = DAY + timedelta(days=day)
    await house.pass_until(midnight + timedelta(hours=11))
    await _load_site(house, DRAWS_W.get(day, BEFORE_W), midnight + timedelta(hours=HOURS[0]))
    await _load_site(house, DRAWS_W.get(day, WITHIN_W), midnight + timedelta(hours=HOURS[1]))
    await _load_site(house, 0.0, midnight + timedelta(hours=HOURS[1], minutes=30))


async def _load_site(house: House, watts: float, until: datetime) -> None:
    """Have the site draw so much until then."""
    house.batteries.target_w[house.batteries.names.index(METERED)] = -watts
    house.batteries.play(house.clients.clock.now())
    await house.pass_until(until)


async def look(house: House, event: tuple[datetime, datetime], override: tuple[datetime, datetime]) -> Outcome:
    """Settle the evening, pack its evidence twice, and look at what else it came to."""
    span = {"aggregation": "North VPP", "start": stamp(event[0]), "end": stamp(event[1])}
    settled = await house.ask("POST", "/market/settle", span)
    now = house.clients.clock.now()
    packs = await _pack(house, span, now), await _pack(house, span, now)
    path = f"/market/settlements/North VPP/intervals?start={span['start']}&end={span['end']}"
    rows = await house.server.operator.all_of(path)
    broken = {
        one["der"]
        for one in rows
        if one["der"] and one["state"] == "breach" and stamp(override[0]) <= one["start"] < stamp(override[1])
    }
    credit = (await house.ask("GET", "/market/aggregations/North VPP/credit"))["days"]
    await play_afternoon(house, NEXT)
    await house.pass_until(DAY + timedelta(days=NEXT + 1))
    baseline_w, baseline_limited_w, metered_w = await _baselines(house)
    return Outcome(
        named=tuple(sorted(broken)),
        lost_override_wh=settled["lost_override_wh"],
        lost_envelope_wh=settled["lost_envelope_wh"],
        delivered_share=settled["delivered_share"],
        firm_needed=settled["firm"]["needed"],
        tested=sum(one["tested"] for one in credit),
        kept=sum(one["kept"] for one in credit),
        each=max((one["tested"] for one in credit), default=0),
        baseline_w=baseline_w,
        baseline_limited_w=baseline_limited_w,
        metered_w=metered_w,
        intervals=tuple(_interval(one) for one in rows if not one["der"]),
        pack=packs[0],
        same_pack=packs[0] == packs[1],
    )


def _interval(row: dict[str, Any]) -> Interval:
    measured = None if row["measured_wh"] is None else row["measured_wh"] * 3600 / row["duration"]
    return Interval(row["start"], row["instructed_w"], row["envelope_w"], row["limit_w"], measured)


async def _baselines(house: House) -> tuple[int, int, int]:
    """Return means over the hours of the event on the next evening, W drawn.

    By the last three weekdays without and with the curtailed one, and by the meter.
    """
    day = (DAY + timedelta(days=NEXT)).date()
    terms = f"day={day}&first_hour={HOURS[0]}&end_hour={HOURS[1]}&method=match_day_3&profile=demo"
    found = [
        await house.ask("GET", f"/market/baselines/DER {METERED}?{terms}{more}") for more in ("", "&with_limited=true")
    ]
    means = [sum(one["baseline_w"] for one in each["hours"]) / len(each["hours"]) for each in found]
    metered = [one["metered_w"] for one in found[0]["hours"]]
    return round(means[0]), round(means[1]), round(sum(metered) / len(metered))


async def _pack(house: House, span: dict[str, Any], as_of: int) -> bytes:
    made = await house.ask("POST", "/market/evidence", {**span, "as_of": as_of})
    shown = await house.ask("GET", f"/market/evidence/{made['id']}")
    return base64.b64decode(shown["content"])
