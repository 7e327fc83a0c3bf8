"""Compares devices with the modes that they were sent, interval by interval, by their own meters' V, W and var."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations import inherited, reported
from sep2.operations.held_stretches import stretches_held
from sep2.operations.judging import LENGTHS, LOOKS_BACK_S, WHOLE, Policy
from sep2.operations.modes import curve_ids
from sep2.rules import reach
from sep2.rules.authority import Stretch
from sep2.rules.curves import plain
from sep2.rules.defaults import content, merged
from sep2.rules.limits import MODES as LIMITS
from sep2.rules.metering import ReadingSign
from sep2.rules.obedience import GRID_S, NEEDED_SHARE, NEVER, PERCENT, mean
from sep2.rules.ratings import rating
from sep2.rules.readings import DER, Metered, exact, factor
from sep2.rules.set_modes import CURVES, Checked, Fit, Line, Seen, Sizes, check
from sep2.store import defaults, judged, measured_modes
from sep2.store.connection import Connection
from sep2.store.measured_modes import VAR, VOLT, WATT

TO_NEUTRAL = (0, 32, 33, 64, 65, 128, 129, 224)
"""PhaseCodes of a voltage that is none between two phases."""


class Interval(NamedTuple):
    """An interval of a device with a verdict on each mode that was in force all through it."""

    start: int
    duration_s: int
    modes: tuple[Checked, ...]


class _Known(NamedTuple):
    """What is on record of some devices, by their numbers."""

    controls: Mapping[int, Sequence[Row[Any]]]
    defaults: Mapping[int, Mapping[str, Any]]
    changed: Mapping[int, int]
    means: Mapping[int, Sequence[Row[Any]]]
    settings: Mapping[int, bytes]
    curves: Mapping[int, Row[Any]]


async def compare(
    db: Connection, devices: Sequence[Row[Any]], span: tuple[int, int], policy: Policy
) -> dict[int, list[Interval]]:
    """The intervals of a time with the verdicts on each device's modes, the earliest first; by devices' numbers.

    devices: as `judged.devices` has them. Limits are left out: those are judged by `operations.judging`.
    """
    known = await _known(db, devices, span)
    return {device.id: _of_device(device, known, span, policy) for device in devices}


async def _known(db: Connection, devices: Sequence[Row[Any]], span: tuple[int, int]) -> _Known:
    ids = [device.id for device in devices]
    since = span[0] - 2 * LOOKS_BACK_S
    controls = await judged.controls(db, ids, since, span[1])
    held = inherited.held_of(await defaults.of_these(db, ids), await inherited.house(db))
    by_default = {one.device: content(merged(tuple(p.said for p in one.programs), one.floor)) for one in held}
    linked = {number for said in by_default.values() for number in curve_ids(said).values()}
    linked |= {number for row in controls for number in curve_ids(json.loads(row.modes)).values()}
    return _Known(
        controls=_by_device(controls),
        defaults=by_default,
        changed=await judged.defaults_changed(db, ids),
        means=_by_device(await measured_modes.means(db, ids, since, span[1])),
        settings=await measured_modes.settings(db, ids),
        curves=await measured_modes.curves(db, sorted(linked)),
    )


def _by_device(rows: Iterable[Row[Any]]) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.end_device_id].append(row)
    return found


def _of_device(device: Row[Any], known: _Known, span: tuple[int, int], policy: Policy) -> list[Interval]:
    stretches = _stretches(device, known, span, policy)
    if not any(_is_mode(mode) for one in stretches for mode in one.modes):
        return []
    rows, sizes = known.means.get(device.id, ()), _sizes(device, known)
    meters = {uom: _meter(rows, uom) for uom in (VOLT, WATT, VAR)}
    length = _length(rows)
    unproven = any(row.reading_sign == ReadingSign.UNPROVEN for row in rows if row.role_flags & DER)
    found = []
    for start in range(-(-span[0] // length) * length, span[1] - length + 1, length):
        held = _held(stretches, start - policy.adoption_s, start + length)
        seen = _seen(meters, start, start + length)
        if unproven:
            seen = seen._replace(watts=None, var=None)
        checked = [check(mode, _value(mode, value, known), seen, sizes, held=held) for mode, value in held.items()]
        found.append(Interval(start, length, tuple(_said(one, seen, unproven=unproven) for one in checked)))
    return found


def _said(one: Checked, seen: Seen, *, unproven: bool) -> Checked:
    """The same; where nothing was measured it says what is missing."""
    if one.fit is not Fit.UNKNOWN or seen.watts is not None or not one.why.endswith("is not measured"):
        return one
    why = "the sign of its readings is not proven" if unproven else "no meter of the device itself posts W"
    return one._replace(why=why)


def _is_mode(name: str) -> bool:
    return name.startswith("opMod") and name not in LIMITS and name != PERCENT


def _stretches(device: Row[Any], known: _Known, span: tuple[int, int], policy: Policy) -> list[Stretch]:
    default = reach.as_held(device, known.defaults.get(device.id, {}), by_default=True)
    changed = known.changed.get(device.id, NEVER)
    first = span[0] - LOOKS_BACK_S - policy.adoption_s
    return stretches_held(device, known.controls.get(device.id, []), default, (first, span[1]), changed=changed)


def _held(stretches: Sequence[Stretch], since: int, until: int) -> dict[str, Any]:
    """The modes that are in force all through a time, with one value."""
    within = [one for one in stretches if one.end > since and one.start < until]
    if not within or within[0].start > since or within[-1].end < until:
        return {}
    found = {mode: one.value for mode, one in within[0].modes.items() if _is_mode(mode)}
    for stretch in within[1:]:
        found = {m: v for m, v in found.items() if m in stretch.modes and stretch.modes[m].value == v}
    return found


def _value(mode: str, value: Any, known: _Known) -> Any:
    row = known.curves.get(value) if mode in CURVES and isinstance(value, int) else None
    if row is None:
        return value
    points = [(plain(x, row.x_multiplier), plain(y, row.y_multiplier)) for x, y, *_ in json.loads(row.points)]
    share = None if row.autonomous_v_ref else (10_000 if row.v_ref is None else row.v_ref) / 10_000
    return Line(points, row.y_ref, share)


def _sizes(device: Row[Any], known: _Known) -> Sizes:
    body = known.settings.get(device.id)
    said = {} if body is None else reported.said("DERSettings", body)
    watts = rating(device).watts
    return Sizes(
        max_w=None if watts is None else float(watts),
        max_va=said.get("setMaxVA"),
        max_var=said.get("setMaxVar"),
        v_ref=said.get("setVRef") or said.get("setVNom"),
        v_offset=float(said.get("setVRefOfs") or 0.0),
    )


def _length(rows: Sequence[Row[Any]]) -> int:
    """Seconds of an interval: five minutes, or the meter's own where that is longer."""
    own = max((max(row.interval_s, row.duration) for row in rows), default=0)
    return next((length for length in reversed(LENGTHS) if own >= length), GRID_S)


def _meter(rows: Sequence[Row[Any]], uom: int) -> list[Metered]:
    """The means of a quantity at the device: power and var import positive, voltages the mean of the phases."""
    own = [row for row in rows if row.uom == uom and (row.role_flags & DER or uom == VOLT)]
    # A voltage at the device counts before one at the premises' meter.
    own = [row for row in own if row.role_flags & DER] or own
    right = [row for row in own if row.phase in (TO_NEUTRAL if uom == VOLT else WHOLE)] or own
    last: dict[tuple[int, ...], Row[Any]] = {}
    for row in right:
        key = row.flow_direction, row.phase, row.start, row.duration
        if key not in last or (row.received, row.reading_set_id) >= (last[key].received, last[key].reading_set_id):
            last[key] = row
    several: dict[tuple[int, int], list[float]] = defaultdict(list)
    for row in last.values():
        sign = factor(uom, row.flow_direction, ReadingSign(row.reading_sign))
        several[row.start, row.duration].append(sign * exact(row.value, row.multiplier))
    total = {at: sum(values) / (len(values) if uom == VOLT else 1) for at, values in several.items()}
    return [Metered(start, duration, value) for (start, duration), value in total.items()]


def _seen(meters: Mapping[int, Sequence[Metered]], start: int, end: int) -> Seen:
    found = {}
    for uom, readings in meters.items():
        one = mean(readings, start, end)
        found[uom] = one.watts if one.covered_s >= NEEDED_SHARE * (end - start) else None
    watts, var = (None if found[uom] is None else -found[uom] for uom in (WATT, VAR))  # type: ignore[operator]
    return Seen(found[VOLT], watts, var)
