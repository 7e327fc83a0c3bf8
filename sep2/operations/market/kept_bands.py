"""How members kept their bands on settled days, and how far their next bands are believed."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from sep2.operations.alarms import Wanted
from sep2.operations.market.bands import StoredBands, stored_bands
from sep2.rules.market.bands import Kept, kept
from sep2.rules.market.clocks import day_bounds
from sep2.rules.market.credit import DAY_S, KeptDay, next_credit, target_credit
from sep2.rules.market.profile import ComplianceRules, MarketProfile
from sep2.rules.market.shares import WHOLE_PPM
from sep2.store.connection import Connection
from sep2.store.market import bands as stored
from sep2.store.market import intervals

BAND_BROKEN = "band_broken"
HOUR_S = 3600
LONGEST_S = 62 * DAY_S
"""No profile counts a breach for longer."""


async def judge(
    db: Connection, aggregation_id: int, span: tuple[int, int], profile: MarketProfile, *, now: int
) -> None:
    """Say how members kept their bands on the local days that a settled time touches, and what their credit is then.

    A day that is settled again replaces what was said of it. Days without a band in force change nothing.
    """
    first, last = (datetime.fromtimestamp(at, profile.zone).date() for at in (span[0], span[1] - 1))
    days = (day_bounds(first + timedelta(days=n), profile.zone) for n in range((last - first).days + 1))
    for day in days:
        if day[1] <= now:
            await _judge_day(db, aggregation_id, day, profile, now=now)


async def _judge_day(
    db: Connection, aggregation_id: int, span: tuple[int, int], profile: MarketProfile, *, now: int
) -> None:
    kept_by_der = await _kept(db, aggregation_id, span, profile.compliance)
    if not kept_by_der:
        return
    window = span[0] - (profile.credit.window_days + 2) * DAY_S
    rows = await stored.days_of(db, aggregation_id, window)
    by_der: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        by_der[row.component_der_id].append(row)
    new, old = [], []
    for der, found in sorted(kept_by_der.items()):
        before = by_der[der]
        same = next((row for row in before if row.day == span[0]), None)
        day = _day(span[0], found)
        if same is not None and (same.tested, same.kept, same.worst_ppm) == (day.tested, day.kept, _ppm(day.worst)):
            continue
        old += [] if same is None else [same.id]
        new.append(_row(day, before, same, profile) | {"aggregation_id": aggregation_id, "component_der_id": der})
    await stored.add_credits(db, new, old, now)


def _row(day: KeptDay, before: Sequence[Row[Any]], same: Row[Any] | None, profile: MarketProfile) -> dict[str, Any]:
    """The row of a day; what was known of later days stays as it is, and falls with the next of them."""
    earlier = [row for row in before if row.day < day.day]
    days = [*(KeptDay(row.day, row.tested, row.kept, row.worst_ppm / WHOLE_PPM) for row in earlier), day]
    target = target_credit(days, profile.credit, day.day)
    last = earlier[-1] if earlier else None
    credit, passed = (0.0, 1.0) if last is None else (last.credit_ppm / WHOLE_PPM, (day.day - last.day) / DAY_S)
    return {
        "day": day.day,
        "version": 1 if same is None else same.version + 1,
        "tested": day.tested,
        "kept": day.kept,
        "worst_ppm": _ppm(day.worst),
        "credit_ppm": _ppm(next_credit(credit, target, passed, profile.credit)),
        "target_ppm": _ppm(target),
        "until": day.day + (profile.credit.window_days + 1) * DAY_S,
    }


def _ppm(part: float) -> int:
    return round(min(part, 1000.0) * WHOLE_PPM)


def _day(start: int, found: Sequence[Kept]) -> KeptDay:
    return KeptDay(start, len(found), sum(one.kept for one in found), max(one.excess_part for one in found))


async def _kept(
    db: Connection, aggregation_id: int, span: tuple[int, int], rules: ComplianceRules
) -> Mapping[int, list[Kept]]:
    """The intervals of a day in which a band was in force and enough was measured, by DER."""
    bands: dict[int, list[StoredBands]] = defaultdict(list)
    for row in await stored.during(db, aggregation_id, *span):
        bands[row.component_der_id].append(stored_bands(row))
    found: dict[int, list[Kept]] = defaultdict(list)
    if not bands:
        return found
    for row in await intervals.of(db, aggregation_id, *span):
        if row.component_der_id not in bands or row.measured_wh is None or row.override_mrid:
            continue
        if row.coverage_ppm < rules.coverage * WHOLE_PPM:
            continue
        end = row.start + row.duration
        for one in bands[row.component_der_id]:
            if (band := one.over(row.start, end)) is not None:
                measured_w = row.measured_wh * HOUR_S / row.duration
                found[row.component_der_id].append(kept(band, measured_w, one.reach_w, _tolerance(rules)))
                break
    return found


def _tolerance(rules: ComplianceRules) -> Callable[[float], float]:
    """What is allowed beyond a band, by reach (W)."""
    return lambda reach_w: max(rules.tolerance_w, rules.tolerance_part * reach_w)


async def alarms(db: Connection, profiles: Mapping[str, MarketProfile], now: int) -> dict[str, Wanted]:
    """The alarms about members that left their bands by so much that these count no more, by aggregation."""
    broken: dict[str, list[str]] = defaultdict(list)
    for row in await stored.days_since(db, now - LONGEST_S):
        rules = profiles[row.aggregation_name].credit if row.aggregation_name in profiles else None
        if rules is None or row.worst_ppm <= rules.hard_breach_part * WHOLE_PPM:
            continue
        if now < row.day + (rules.hard_days + 1) * DAY_S:
            broken[row.aggregation_name].append(row.der_name)
    return {name: Wanted(_said(ders), members=ders) for name, found in broken.items() if (ders := sorted(set(found)))}


def _said(ders: Sequence[str]) -> str:
    more = f" and {len(ders) - 3} more" if len(ders) > 3 else ""
    return f"{', '.join(ders[:3])}{more} left the band of an accepted plan by far: bands of theirs do not count"
