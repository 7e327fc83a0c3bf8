"""Judges whether limits were kept: what was in force for a device and what its meters showed, interval by interval."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations import inherited
from sep2.operations.held_stretches import stretches_held
from sep2.operations.judged_days import Verdicts, day_rows
from sep2.rules import reach
from sep2.rules.days import LocalTime
from sep2.rules.defaults import content, merged
from sep2.rules.limit_steps import Step
from sep2.rules.metering import ReadingSign
from sep2.rules.obedience import (
    GRID_S,
    MODES,
    NEVER,
    PERCENT,
    Direction,
    Facts,
    Interval,
    Judged,
    Meter,
    judge,
    measured,
    steps,
)
from sep2.rules.ratings import rating
from sep2.rules.readings import DER, SITE, Metered, exact, factor
from sep2.settings import Utility
from sep2.store import defaults, judged
from sep2.store.connection import Connection
from sep2.store.database import Database

AT_ONCE = 100
"""Devices that are judged together."""
MARGIN_S = 60
"""A polling client knows of a control a little later than its next poll is due."""
LOOKS_BACK_S = 3600
"""Before an interval: controls of that time may not have been adopted yet, and readings may reach into it."""
LENGTHS = (600, 900, 1800, 3600)
"""Seconds of the meters' own intervals by which it is judged where they are longer than five minutes."""
CLOCK_S = 30
"""A client whose clock is further off says nothing of an interval."""
WHOLE = (0, 224)
"""PhaseCode of all phases together."""
UNSENT = 100
"""setGradW is hundredths of a percent of the rating a second."""


class Policy(NamedTuple):
    """By what is judged; seconds and watts."""

    adoption_s: int
    """a polling client must know a control so long after it was issued"""
    delivered_s: int = 60
    """the same of a subscriber, after a notification was delivered"""
    tolerance_w: float = 100.0
    tolerance_share: float = 0.02
    """of the device's rating: the larger tolerance counts"""
    local: LocalTime = LocalTime()


def policy_of(utility: Utility, poll_rate_s: int) -> Policy:
    """By what a utility judges whose clients are told to poll programs so often."""
    compliance = utility.compliance
    return Policy(
        adoption_s=poll_rate_s + MARGIN_S,
        tolerance_w=float(compliance.tolerance_w),
        tolerance_share=compliance.tolerance_percent / 100,
        local=utility.local,
    )


class Window(NamedTuple):
    """A time to be judged; both are multiples of five minutes."""

    since: int
    until: int


async def judge_everybody(db: Database, window: Window, policy: Policy) -> None:
    """Judge all devices over a time."""
    after = 0
    while True:
        async with db.read() as reading:
            devices = await judged.devices_after(reading, after, AT_ONCE)
        if not devices:
            return
        await judge_devices(db, devices, window, policy)
        after = devices[-1].id
        await asyncio.sleep(0)


async def judge_devices(db: Database, devices: Sequence[Row[Any]], window: Window, policy: Policy) -> Verdicts:
    """Judge these devices over a time, and have the verdicts stand for it; what was found before is replaced."""
    if not devices:
        return Verdicts({}, window)
    ids = [device.id for device in devices]
    async with db.read() as reading:
        known = await on_record(reading, devices, window)
    verdicts = await asyncio.to_thread(_verdicts, devices, known, window, policy)
    async with db.write() as writing:
        found, of_days = await day_rows(writing, devices, verdicts, policy.local)
        span = verdicts.window.since, verdicts.window.until
        await judged.replace(writing, ids, span, found=found, of_days=of_days)
    return verdicts


async def verdicts_at(
    db: Connection, devices: Sequence[Row[Any]], window: Window, *, policy: Policy, length: int
) -> dict[tuple[int, Direction], list[Judged]]:
    """The verdicts on these devices over intervals of one length, by what is on record now; nothing is stored."""
    return verdicts_of(devices, await on_record(db, devices, window), window, policy=policy, length=length)


def verdicts_of(
    devices: Sequence[Row[Any]],
    known: "OnRecord",
    window: Window,
    *,
    policy: Policy,
    length: int,
    directions: Collection[Direction] = tuple(Direction),
) -> dict[tuple[int, Direction], list[Judged]]:
    """The verdicts of some directions from rows that were read before (`on_record`), without the database."""
    found = {}
    for device in devices:
        limits = limits_of(device, known, window, policy)
        for direction in _directions(device):
            if direction in directions:
                held = limits.get(direction) or [Step(NEVER, None, NEVER)]
                intervals = _intervals(device, direction, held, known=known, window=window, length=length)
                found[device.id, direction] = judge(held, intervals, _tolerance_w(device, policy))
    return found


class OnRecord(NamedTuple):
    """What is on record of some devices."""

    controls: Mapping[int, Sequence[Row[Any]]]
    defaults: Mapping[int, Mapping[str, Any]]
    changed: Mapping[int, int]
    power: Mapping[int, Sequence[Row[Any]]]
    """readings by device"""
    peers: Mapping[int, Sequence[int]]
    """devices by the number of their connection"""
    opted: Mapping[tuple[int, int], int]
    told: Mapping[tuple[int, int], Sequence[int]]
    exempt: Mapping[int, Sequence[Row[Any]]]
    acted: Mapping[int, Sequence[Row[Any]]]
    """clients that acted for a device before its present one"""


async def on_record(db: Connection, devices: Sequence[Row[Any]], window: Window) -> OnRecord:
    """What is on record of some devices over a time."""
    ids = [device.id for device in devices]
    places = sorted({device.connection_number for device in devices if device.connection_number is not None})
    since = window.since - 2 * LOOKS_BACK_S
    peers = await judged.peers(db, places)
    controls = await judged.controls(db, ids, since, window.until)
    known = await inherited.house(db)
    held = inherited.held_of(await defaults.of_these(db, ids), known)
    everyone = sorted({*ids, *(row.id for row in peers)})
    told: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in await judged.told(db, ids, since):
        told[row.end_device_id, row.device_group_id].append(row.at)
    return OnRecord(
        controls=_by(controls, "end_device_id"),
        defaults={one.device: content(merged(tuple(p.said for p in one.programs), one.floor)) for one in held},
        changed=await judged.defaults_changed(db, ids),
        power=_by(await judged.power(db, everyone, since, window.until), "end_device_id"),
        peers={place: [row.id for row in rows] for place, rows in _by(peers, "connection_id").items()},
        opted=await judged.opt_outs(db, [row.id for row in controls]),
        told=told,
        exempt=_by(await judged.exemptions(db, places, window.since, window.until), "connection_id"),
        acted=_by(await judged.acted(db, ids), "end_device_id"),
    )


def _by(rows: Iterable[Row[Any]], column: str) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[getattr(row, column)].append(row)
    return found


def _verdicts(devices: Sequence[Row[Any]], known: OnRecord, window: Window, policy: Policy) -> Verdicts:
    lengths = {device.id: _lengths(device, known) for device in devices}
    longest = max((length for of in lengths.values() for length in of.values()), default=GRID_S)
    window = Window(window.since // longest * longest, window.until)
    found: dict[tuple[int, Direction], list[Judged]] = {}
    for device in devices:
        for direction, limits in limits_of(device, known, window, policy).items():
            length = lengths[device.id][direction]
            intervals = _intervals(device, direction, limits, known=known, window=window, length=length)
            found[device.id, direction] = judge(limits, intervals, _tolerance_w(device, policy))
    return Verdicts(found, window, known.acted)


def _tolerance_w(device: Row[Any], policy: Policy) -> float:
    return max(policy.tolerance_w, policy.tolerance_share * (rating(device).watts or 0))


def limits_of(device: Row[Any], known: OnRecord, window: Window, policy: Policy) -> dict[Direction, list[Step]]:
    """The limits of a device over a time, by direction; a direction without any is left out."""
    rows = known.controls.get(device.id, [])
    default = reach.as_held(device, known.defaults.get(device.id, {}), by_default=True)
    changed = known.changed.get(device.id, NEVER)
    span = window.since - LOOKS_BACK_S, window.until
    stretches = stretches_held(device, rows, default, span, changed=changed)
    facts = _facts(rows, known, device, policy)
    rated = rating(device).watts
    gradient = default.get("setGradW")
    per_s = None if not gradient or not rated else rated * gradient / (100 * UNSENT)
    found = {}
    for direction in _directions(device):
        if not any(mode in stretch.modes for stretch in stretches for mode in MODES[direction]):
            continue
        found[direction] = steps(
            stretches,
            direction,
            facts,
            default_learned=changed + policy.adoption_s if changed > span[0] else NEVER,
            rating_w=float(rated or 0),
            gradient_w_per_s=per_s,
        )
    return found


def _directions(device: Row[Any]) -> tuple[Direction, ...]:
    """Those that a device answers for: who is beside the holder of its connection's limits for its own power only."""
    if device.connection_number is not None and not device.holds_net_limit:
        return Direction.GENERATION, Direction.LOAD
    return tuple(Direction)


def _facts(rows: Sequence[Row[Any]], known: OnRecord, device: Row[Any], policy: Policy) -> dict[int, Facts]:
    found = {}
    for row in rows:
        told = known.told.get((device.id, row.device_group_id), ())
        delivered = next((at for at in told if at >= row.created), None)
        learned = max(row.created, row.since) + policy.adoption_s
        if delivered is not None:
            learned = min(learned, delivered + policy.delivered_s)
        found[int(row.mrid, 16)] = Facts(
            learned,
            row.start + max(0, row.randomize_start or 0),
            None if row.ramp_tms is None else row.ramp_tms / 100,
            row.cancelled,
            policy.adoption_s,
        )
    return found


def _intervals(
    device: Row[Any], direction: Direction, limits: Sequence[Step], *, known: OnRecord, window: Window, length: int
) -> list[Interval]:
    """The intervals of a direction with what was measured in them."""
    meters = _meters(device, direction, known)
    opted = _opted_out(device, limits, known)
    number = device.connection_number
    exempt = () if number is None else known.exempt.get(number, ())
    flaw = _flaw(device, direction, known)
    unsupported = _unsupported(device, direction)
    starts = range(window.since, window.until - length + 1, length)
    touching = [one.by_interval(starts, length) for one in meters]
    found = []
    for n, start in enumerate(starts):
        end = start + length
        seen = measured([Meter(one.proven, there[n]) for one, there in zip(meters, touching, strict=True)], start, end)
        if seen.watts is not None:
            seen = seen._replace(watts=direction.sign * seen.watts, flaw=seen.flaw or flaw)
        is_excused = any(one.start < end and one.end > start for one in exempt)
        # An interval in which another client took over is neither one's.
        is_shared = any(start < one.until < end for one in known.acted.get(device.id, ()))
        excused = "exempted" if is_excused or is_shared else ""
        out = any(since < end and start < until for since, until in opted)
        exempt_as = "unregistered" if start < device.registered else unsupported
        found.append(Interval(start, length, seen, exempt_as or excused, out))
    return found


def _flaw(device: Row[Any], direction: Direction, known: OnRecord) -> str:
    """Why what a device's client posts can not be relied on."""
    if device.skew_s is not None and device.skew_s > CLOCK_S:
        return "clock"
    if PERCENT not in MODES[direction] or rating(device).watts is not None:
        return ""
    sent = any(PERCENT in row.modes for row in known.controls.get(device.id, ()))
    return "no_rating" if sent or PERCENT in known.defaults.get(device.id, {}) else ""


def _unsupported(device: Row[Any], direction: Direction) -> str:
    """Why a device can keep no limit of a direction, whatever the time; empty: it can."""
    modes = [mode for mode in MODES[direction] if mode != PERCENT]
    lacking = reach.unsupported(device, modes)
    return "unsupported" if len(lacking) == len(modes) else ""


def _opted_out(device: Row[Any], limits: Sequence[Step], known: OnRecord) -> list[tuple[int, int]]:
    """The times in which a device's customer had opted out of the control that held."""
    numbers = {int(row.mrid, 16): row.id for row in known.controls.get(device.id, ())}
    ends = [step.start for step in limits[1:]]
    found = []
    for step, end in zip(limits, [*ends, 2**62], strict=True):
        at = known.opted.get((numbers.get(step.control or -1, -1), device.id))
        if at is not None and at < end:
            found.append((max(at, step.start), end))
    return found


def _meters(device: Row[Any], direction: Direction, known: OnRecord) -> list[Meter]:
    """The meters that show what a limit of this direction bounds."""
    found = []
    for rows in _mirrors(device, direction, known):
        sign = ReadingSign(rows[0].reading_sign)
        found.append(Meter(sign is not ReadingSign.UNPROVEN, _readings(rows, sign)))
    return found


def _mirrors(device: Row[Any], direction: Direction, known: OnRecord) -> list[list[Row[Any]]]:
    """The readings of each meter of the right place: of the whole connection, or of the device alone."""
    there = known.peers.get(device.connection_number, [device.id]) if direction.at_site else [device.id]
    rows = [row for one in there for row in known.power.get(one, ())]
    right = [row for row in rows if bool(row.role_flags & SITE) is direction.at_site]
    right = right if direction.at_site else [row for row in right if row.role_flags & DER]
    ordered = sorted(right, key=lambda row: row.mirror_id)
    return [list(several) for _, several in groupby(ordered, lambda row: row.mirror_id)]


def _readings(rows: Sequence[Row[Any]], sign: ReadingSign) -> list[Metered]:
    """Import-positive means of one meter: series that count each way, or each phase, are added where they agree."""
    whole = [row for row in rows if row.phase in WHOLE] or rows
    last: dict[tuple[int, ...], Row[Any]] = {}
    for row in whole:
        key = row.flow_direction, row.phase, row.start, row.duration
        if key not in last or (row.received, row.reading_set_id) >= (last[key].received, last[key].reading_set_id):
            last[key] = row
    total: dict[tuple[int, int], float] = defaultdict(float)
    for row in last.values():
        total[row.start, row.duration] += exact(row.value, row.multiplier) * factor(
            judged.WATT, row.flow_direction, sign
        )
    return [Metered(start, duration, value) for (start, duration), value in total.items()]


def _lengths(device: Row[Any], known: OnRecord) -> dict[Direction, int]:
    """By direction the seconds of an interval: five minutes, or the meter's own where that is longer."""
    found = {}
    for direction in Direction:
        rows = [row for rows in _mirrors(device, direction, known) for row in rows]
        # A mean over a longer time than its meter declares can not be held against a limit of a part of it.
        own = max((max(row.interval_s, row.duration) for row in rows), default=0)
        found[direction] = next((length for length in reversed(LENGTHS) if own >= length), GRID_S)
    return found
