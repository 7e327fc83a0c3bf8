"""How limits were kept, for operators: sums by name, the course of one place, and how fast limits arrive."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import Row

from sep2.errors import BadValue
from sep2.operations.judging import Policy
from sep2.rules.cursor import BadCursor
from sep2.rules.days import SLOT_S, LocalTime, from_octets, mask, starts
from sep2.rules.obedience import Judged, State, Sums
from sep2.rules.obedience import sums as summed
from sep2.rules.told_times import told
from sep2.store import judged, listing_compliance
from sep2.store.connection import Connection
from sep2.store.listing_compliance import Whose

By = Literal[
    "connection", "device", "client", "make", "group", "place", "transformer", "feeder", "substation", "direction",
    "day", "month", "total",
]  # fmt: skip
MOST_PAIRS = 5000
"""Controls times devices of which the times of arrival are told at once, the newest first."""
LONGEST_EXEMPTION_S = 400 * 86_400


class BadExemption(BadValue):
    """An exemption has an end after its beginning, and not far ahead."""


class Rollup(NamedTuple):
    """The sums of what one name stands for."""

    name: str
    sums: Sums


async def roll_up(
    db: Connection,
    whose: Whose,
    span: tuple[int, int],
    *,
    by: By,
    local: LocalTime,
    judged_until: int | None = None,
) -> list[Rollup]:
    """Sums over a time by name, the least obedient first; what is unknown altogether comes last.

    judged_until: the time up to which all is judged, where it is known: a day after which nothing was judged is whole.
    """
    key = "day" if by in ("day", "month") else "direction" if by == "total" else by
    found: dict[Any, Sums] = defaultdict(Sums)
    first, last = local.day_of(span[0]), local.day_of(span[1] - 1)
    whole = [first if first == span[0] else local.day_of(first + 36 * 3600), last]
    ends = local.day_of(last + 36 * 3600)
    if ends != span[1] and (judged_until is None or span[1] < judged_until):
        whole[1] = local.day_of(last - 1)
    if whole[0] <= whole[1]:
        between = whole[0], whole[1]
        rows = await listing_compliance.summed(db, whose, key, between)
        named = key in listing_compliance.PLACES and rows is not None
        names = await listing_compliance.names_above(db, key) if named else {}
        for row in await listing_compliance.sums(db, whose, key, between) if rows is None else rows:
            for name in names.get(row.name, ()) if named else (row.name,):
                found[name] = found[name].plus(_sums(row))
    for day in {day for day in (first, last) if not whole[0] <= day <= whole[1]}:
        for name, of_day in (await _part(db, whose, key, day=day, span=span)).items():
            found[name] = found[name].plus(of_day)
    if by in ("day", "month", "total"):
        found = _named(found, by, local)
    ordered = sorted(found.items(), key=lambda one: _worst_first(str(one[0]), one[1]))
    if by in ("day", "month"):
        ordered = sorted(found.items())
    return [Rollup(str(name), one) for name, one in ordered if one.limited_s]


class Part(NamedTuple):
    """A part of the sums by name, of how many, and where the next part begins; None: there is none."""

    rollups: list[Rollup]
    total: int
    next: list[int | str] | None


async def part_of(
    db: Connection,
    whose: Whose,
    span: tuple[int, int],
    *,
    by: By,
    local: LocalTime,
    judged_until: int,
    after: Sequence[int | str] | None,
    limit: int,
) -> Part:
    """A part of the sums by name; `after` is the `next` of the part before."""
    between = whole_days(span, local, judged_until)
    if by in ("connection", "device", "client") and between is not None:
        # Names by the hundred thousand: the database puts them in order, and gives this part alone.
        at = _number(after)
        found = await listing_compliance.ranked(db, whose, by, between=between, part=(at, limit))
        there = at + len(found.rows)
        more = bool(found.rows) and there < found.total
        return Part([Rollup(str(row.name), _sums(row)) for row in found.rows], found.total, [there] if more else None)
    every = await roll_up(db, whose, span, by=by, local=local, judged_until=judged_until)
    at = 0 if after is None else _place([one.name for one in every], after)
    part = every[at : at + limit]
    more = bool(part) and len(every) > at + len(part)
    return Part(part, len(every), [part[-1].name] if more else None)


def whole_days(span: tuple[int, int], local: LocalTime, judged_until: int) -> tuple[int, int] | None:
    """The first and the last day of a time that takes in all that was judged of its days; None where it does not."""
    first, last = local.day_of(span[0]), local.day_of(span[1] - 1)
    is_whole = first == span[0] and (span[1] >= judged_until or local.day_of(last + 36 * 3600) == span[1])
    return (first, last) if is_whole else None


def _number(after: Sequence[int | str] | None) -> int:
    if after is None:
        return 0
    if len(after) != 1 or not isinstance(after[0], int) or after[0] < 0:
        raise BadCursor(str(after)[:40])
    return after[0]


def _place(names: Sequence[str], after: Sequence[int | str]) -> int:
    """Where the part of a list begins that follows a name."""
    if len(after) != 1 or after[0] not in names:
        raise BadCursor(str(after)[:40])
    return names.index(str(after[0])) + 1


def _named(found: Mapping[Any, Sums], by: By, local: LocalTime) -> dict[Any, Sums]:
    """Sums by the date of each day, by month, or all together."""
    merged: dict[Any, Sums] = defaultdict(Sums)
    for key, one in found.items():
        name = "total" if by == "total" else local.name_of(key) if by == "day" else local.month_of(key)
        merged[name] = merged[name].plus(one)
    return merged


def _worst_first(name: str, one: Sums) -> tuple[Any, ...]:
    return (2.0 if one.obedience is None else one.obedience, -one.breach_wh, name)


def _sums(row: Row[Any]) -> Sums:
    return Sums(*(int(getattr(row, name) or 0) for name in judged.SUMS[:-1]))._replace(breach_wh=row.breach_wh or 0.0)


async def _part(db: Connection, whose: Whose, key: str, *, day: int, span: tuple[int, int]) -> dict[Any, Sums]:
    """The sums of a day as far as it lies in the time."""
    rows = await listing_compliance.days(db, whose, key, (day, day))
    since, until = max(day, span[0]), min(day + 25 * 3600, span[1])
    beyond = await judged.rows(db, sorted({row.end_device_id for row in rows}), since, until)
    by_device: dict[tuple[int, str, int], list[Judged]] = defaultdict(list)
    for row in beyond:
        by_device[row.end_device_id, row.direction, row.client_id].append(_judged(row))
    found: dict[Any, Sums] = defaultdict(Sums)
    for row in rows:
        part = _of_bits(row, mask(day, since, until))
        theirs = by_device[row.end_device_id, row.direction, row.client_id]
        of_day = [one for one in theirs if one.start < day + 90_000]
        found[row.name] = found[row.name].plus(part).plus(summed(of_day))
    return found


def _of_bits(row: Row[Any], within: int) -> Sums:
    """The seconds of a day that are ok, unknown and binding, as far as they are within certain bits."""
    octets = (bytes(getattr(row, name)) for name in judged.BITS)
    ok, unknown, binding = (SLOT_S * (from_octets(one) & within).bit_count() for one in octets)
    return Sums(ok_s=ok, unknown_s=unknown, binding_s=binding, binding_ok_s=binding)


def _judged(row: Row[Any]) -> Judged:
    return Judged(
        row.start,
        row.duration_s,
        State(row.state),
        row.allowed_w,
        row.measured_w,
        row.covered_s,
        "",
        row.binding,
        row.breach_wh,
    )


class Run(NamedTuple):
    """A time in which a direction had one state."""

    direction: str
    device: str
    start: int
    end: int
    state: State


async def course_of(db: Connection, whose: Whose, span: tuple[int, int], local: LocalTime) -> list[Run]:
    """The states over a time, by device and direction; what is left out was exempt or is not judged yet."""
    rows = await listing_compliance.days(db, whose, "device", (local.day_of(span[0]), local.day_of(span[1] - 1)))
    beyond = await judged.rows(db, sorted({row.end_device_id for row in rows}), *span)
    found: list[Run] = []
    for row in rows:
        within = mask(row.day, *span)
        for name, state in (("ok_bits", State.OK), ("unknown_bits", State.UNKNOWN)):
            slots = starts(from_octets(bytes(getattr(row, name))) & within, row.day)
            found += [Run(row.direction, row.lfdi, start, start + SLOT_S, state) for start in slots]
    lfdis = {(row.end_device_id, row.client_id): row.lfdi for row in rows}
    found += [
        Run(one.direction, lfdi, one.start, one.start + one.duration_s, State(one.state))
        for one in beyond
        if (lfdi := lfdis.get((one.end_device_id, one.client_id))) is not None
    ]
    return _joined(sorted(found))


def _joined(runs: Sequence[Run]) -> list[Run]:
    found: list[Run] = []
    for one in runs:
        before = found[-1] if found else None
        if (
            before is not None
            and before == one._replace(start=before.start, end=before.end)
            and before.end == one.start
        ):
            found[-1] = before._replace(end=one.end)
        else:
            found.append(one)
    return found


class Arrival(NamedTuple):
    """How far a control came at a device: times in epoch seconds, None where that is not known (yet)."""

    control: str
    connection: str | None
    device: str
    issued: int
    delivered: int | None
    received: int | None
    started: int | None
    first_ok: int | None
    """the beginning of the first interval in which it was kept altogether"""


async def arrivals(
    db: Connection, whose: Whose, span: tuple[int, int], policy: Policy, *, control_id: int | None = None
) -> list[Arrival]:
    """Of controls that were issued in a time: when they reached each device, the newest first."""
    rows = await listing_compliance.reached(db, whose, span, control_id=control_id, most=MOST_PAIRS)
    if not rows:
        return []
    ids = sorted({row.end_device_id for row in rows})
    told: dict[tuple[int, int], list[int]] = defaultdict(list)
    for one in await judged.told(db, ids, min(row.created for row in rows)):
        told[one.end_device_id, one.device_group_id].append(one.at)
    first, last = min(row.start for row in rows), max(row.start for row in rows) + 86_400
    kept: dict[int, list[int]] = defaultdict(list)
    for day in await judged.days(db, ids, policy.local.day_of(first), policy.local.day_of(last)):
        kept[day.end_device_id] += starts(from_octets(bytes(day.ok_bits)), day.day)
    return [
        _arrival(row, told[row.end_device_id, row.device_group_id], kept=kept[row.end_device_id], policy=policy)
        for row in rows
    ]


def _arrival(row: Row[Any], told: Sequence[int], *, kept: Sequence[int], policy: Policy) -> Arrival:
    delivered = next((at for at in told if at >= row.created), None)
    learned = row.created + policy.adoption_s
    if delivered is not None:
        learned = min(learned, delivered + policy.delivered_s)
    latest_start = row.start + max(0, row.randomize_start or 0)
    adopted = max(latest_start, learned) + (row.ramp_tms or 0) // 100
    return Arrival(
        row.mrid,
        row.connection_name,
        row.lfdi,
        row.created,
        delivered,
        row.received,
        row.started,
        min((at for at in kept if at >= adopted), default=None),
    )


def percentiles(values: Sequence[int]) -> tuple[int, int] | None:
    """The least value that half, and that 95 %, of the values do not exceed; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    half, most = (ordered[max(0, math.ceil(share * len(ordered)) - 1)] for share in (0.5, 0.95))
    return half, most


async def exempt(
    db: Connection, connection_id: int, span: tuple[int, int], *, reason: str, operator: str, now: int
) -> int:
    """The number of a new exemption of a connection from judging; what is judged already stays as it is."""
    start, end = span
    if not start < end <= now + LONGEST_EXEMPTION_S:
        raise BadExemption(f"end: {told(end)} is not between {told(start)} and {told(now + LONGEST_EXEMPTION_S)}")
    return await judged.add_exemption(
        db, connection_id=connection_id, start=start, end=end, reason=reason, operator=operator, created=now
    )
