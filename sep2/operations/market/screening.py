"""The screens of a review that need no network model, and the question that an engine answers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations.market import aggregations, ders
from sep2.operations.market.aggregations import TAKES_PART
from sep2.rules.market import screens
from sep2.rules.market.profile import MarketProfile
from sep2.rules.market.screens import BY_ENGINE, BY_RULES, DerAsked, DerSeen, Result, ReviewAsked, ScreenResult
from sep2.store.connection import Connection
from sep2.store.market import register, reviews, seen
from sep2.store.market.facts import AsOf, Written

DAY_S = 86_400
WAITING = ("not_studied", "the engine has not looked at it yet")


class Subject(NamedTuple):
    """What a review is about: the aggregation and the DERs, as they hold now."""

    review: Row[Any]
    aggregation: Row[Any]
    ders: Sequence[Row[Any]]
    profile: MarketProfile


async def subject_of(db: Connection, review: Row[Any], profile: MarketProfile, now: int) -> Subject:
    """The aggregation and the DERs of a review; DERs that left the register since are left out."""
    aggregation = await register.entry(db, "aggregation", review.aggregation_id, AsOf(now))
    assert aggregation is not None  # an aggregation under review is not removed
    ids = [row.component_der_id for row in await reviews.ders(db, [review.id])]
    return Subject(review, aggregation, await register.entries(db, "der", ids, AsOf(now)), profile)


async def by_rules(db: Connection, subject: Subject, written: Written) -> list[ScreenResult]:
    """What the screens say that need no network model."""
    known = await _seen(db, subject, written.now)
    held = await aggregations.held_of(db, [row.id for row in subject.ders], written)
    sale = screens.Sale(aggregations.said_of(subject.aggregation), subject.profile, held)
    found = []
    for row in subject.ders:
        one = known[row.id]
        found += screens.capability(row.name, one)
        found += screens.identity(row.name, one)
        found += screens.double_counting(row.name, one.facts, sale)
        found += screens.telemetry(row.name, one)
    return found


async def _seen(db: Connection, subject: Subject, now: int) -> dict[int, DerSeen]:
    rows, time = subject.ders, AsOf(now)
    devices = await seen.devices_of(db, rows)
    received = await seen.received(db, [one.id for one in devices.values()], now - DAY_S, now)
    serials = await register.with_serials(db, {row.serial for row in rows if row.serial}, time)
    meters = await register.of_accounts(db, {row.meter_id for row in rows}, ())
    found = {}
    for row in rows:
        facts, device = ders.said_of(row), devices.get(row.id)
        posted = None if device is None else received.get(device.id)
        found[row.id] = DerSeen(
            facts=facts,
            reported_max_w=None if device is None else device.nameplate_w,
            same_serial=[
                other.name
                for other in serials
                if other.id != row.id
                and other.is_test == row.is_test
                and other.serial == row.serial
                and ders.said_of(other).make == facts.make
            ],
            same_meter=[
                other.name
                for other in meters
                if other.meter_id == row.meter_id
                and other.is_test == row.is_test
                and other.edc_account != row.edc_account
                and (other.valid_to is None or other.valid_to > now)
            ],
            coverage=None if posted is None else posted.coverage,
            sign_unproven=posted is not None and posted.is_unproven,
            has_device=device is not None,
        )
    return found


async def question(db: Connection, subject: Subject, now: int) -> ReviewAsked:
    """What an engine is asked about a review: its DERs, beside all members of aggregations that take part."""
    mine = {row.id for row in subject.ders}
    shares = {
        row.component_der_id: row.share_ppm
        for row in await register.members(db, subject.aggregation.id, AsOf(now))
        if row.component_der_id in mine
    }
    there = await register.effective(db, now)
    taking_part = {
        row.id
        for row in await register.entries(db, "aggregation", {one.aggregation_id for one in there}, AsOf(now))
        if row.status in TAKES_PART
    }
    others = {
        row.component_der_id: row.share_ppm
        for row in there
        if row.aggregation_id in taking_part and row.component_der_id not in mine and row.state == register.EFFECTIVE
    }
    rows = await register.entries(db, "der", others, AsOf(now))
    return ReviewAsked(
        aggregation=subject.aggregation.name,
        ders=tuple(_asked(row, shares.get(row.id, 1_000_000)) for row in subject.ders),
        others=tuple(_asked(row, others[row.id]) for row in rows),
        min_confidence=subject.profile.location.min_confidence,
        now=now,
    )


def _asked(row: Row[Any], share_ppm: int) -> DerAsked:
    facts = ders.said_of(row)
    return DerAsked(
        der=row.name,
        connection=facts.connection,
        max_gen_w=facts.max_gen_w,
        max_load_w=facts.max_load_w,
        phases=facts.phases,
        share_ppm=share_ppm,
    )


async def screen(db: Connection, subject: Subject, written: Written) -> None:
    """Look with every screen that needs no model; what an engine is to say is not known until it has looked."""
    await keep(db, subject, BY_RULES, await by_rules(db, subject, written), now=written.now)
    waiting = screens.no_engine((await question(db, subject, written.now)).ders, *WAITING)
    await keep(db, subject, BY_ENGINE, waiting, now=written.now)
    await reviews.change(db, subject.review.id, screened_at=None)


async def answered(db: Connection, subject: Subject, found: Sequence[ScreenResult], now: int) -> None:
    """Keep what an engine has said; a screen that it left out says nothing of a DER, which is never a pass."""
    asked = (await question(db, subject, now)).ders
    said = {(one.screen, one.der) for one in found} | {(one.screen, "") for one in found if not one.der}
    silent = [
        one
        for one in screens.no_engine(asked, "not_studied", "the engine said nothing about it")
        if (one.screen, one.der) not in said and (one.screen, "") not in said
    ]
    await keep(db, subject, BY_ENGINE, [*found, *silent], now=now)
    await reviews.change(db, subject.review.id, screened_at=now)


async def keep(
    db: Connection, subject: Subject, names: Sequence[str], found: Sequence[ScreenResult], *, now: int
) -> None:
    """Have these results take the place of what the screens of these names said before."""
    numbers = {row.name: row.id for row in subject.ders}
    rows = [
        {
            "review_id": subject.review.id,
            "component_der_id": numbers[one.der] if one.der else None,
            "screen": one.screen,
            "result": str(one.result),
            "cause": one.cause,
            "detail": one.detail[:1000],
            "binding": one.binding[:200],
            "limit_w": one.limit_w,
            "run_id": one.run_id,
            "inputs_sha256": one.inputs_sha256,
            "recorded_at": now,
            "superseded_at": None,
        }
        for one in found
        if one.screen in names and (not one.der or one.der in numbers)
    ]
    await reviews.replace_screens(db, subject.review.id, names, rows, now=now)


async def failed(db: Connection, review_id: int) -> dict[str, set[str]]:
    """The screens that failed of a review, by DER; one that failed for all of them counts for each."""
    ders = await reviews.ders(db, [review_id])
    return failed_of(ders, await reviews.screens(db, [review_id])).get(review_id, {})


def failed_of(ders: Sequence[Row[Any]], screens_: Sequence[Row[Any]]) -> dict[int, dict[str, set[str]]]:
    """The same of several reviews, by their numbers."""
    names: dict[int, list[str]] = {}
    for row in ders:
        names.setdefault(row.review_id, []).append(row.name)
    found: dict[int, dict[str, set[str]]] = {}
    for row in screens_:
        if row.result == Result.FAIL:
            for name in names.get(row.review_id, ()) if row.der_name is None else [row.der_name]:
                found.setdefault(row.review_id, {}).setdefault(name, set()).add(row.screen)
    return found
