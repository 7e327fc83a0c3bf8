"""Controls: issued, superseded, cancelled; never edited."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sep2.errors import BadValue, Conflict, NotFound
from sep2.operations import creation, identifiers
from sep2.operations.alarms import warn_of_inexpressible
from sep2.operations.curves import check_links
from sep2.operations.groups import NoSuchGroup, refuse_net_limits
from sep2.operations.modes import control_base
from sep2.rules import events, texts, timeline
from sep2.rules.limits import Limits, check
from sep2.store import controls, groups, outbox
from sep2.store.connection import Connection
from sep2.store.controls import Control

LONGEST_S = 2**32 - 1
LONGEST_RANDOM_S = 3600
"""Bound of randomizeStart and randomizeDuration, either way."""
LONGEST_REASON = 192
LONGEST_DESCRIPTION = 32
MOST_AHEAD = 24
"""CSIP clients hold at least this many events per device; more would overflow some of them."""


class BadControl(BadValue):
    """The control can not be issued."""


class TooManyControls(Conflict):
    """A device would have to hold more controls than clients are known to keep."""


class NoSuchControl(NotFound):
    """No such control exists."""


class ControlOver(Conflict):
    """The control is over, cancelled or superseded already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewControl:
    """A control to issue; `modes` are those beside the limits, by wire name, as JSON values: a curve by its id."""

    start: int
    duration: int
    limits: Limits
    modes: Mapping[str, Any] = field(default_factory=dict)
    ramp_tms: int | None = None
    randomize_start: int | None = None
    randomize_duration: int | None = None
    device_category: int | None = None
    description: str = ""
    response_required: int = 3


@dataclass(frozen=True, slots=True)
class Issued:
    """What came of issuing controls: ids of new ones, of those that said the same already, and of those replaced."""

    created: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    superseded: tuple[int, ...] = ()


async def issue_controls(
    db: Connection,
    group_id: int,
    new: Sequence[NewControl],
    now: int,
    *,
    source: str = "operator",
    reason: str = "",
    most_ahead: int = MOST_AHEAD,
) -> Issued:
    """Publish controls to a group; one that repeats what a standing control says is not issued again."""
    group = await groups.locked(db, group_id)
    if group is None:
        raise NoSuchGroup(str(group_id))
    _check(new, now)
    refuse_net_limits(group, [control.limits for control in new])
    await check_links(db, group_id, [control.modes for control in new])
    _fits("reason", reason, LONGEST_REASON)
    standing = await controls.standing(db, group_id, now)
    said = [(control, _same(control, standing)) for control in new]
    kept = tuple(row.id for _, row in said if row is not None)
    fresh = [control for control, row in said if row is None]
    if not fresh:
        return Issued(kept=kept)
    older = [row for row in standing if row.id not in kept]
    created_at = max([await creation.time_for(db, now), *(row.created + 1 for row in older)])
    rows = [
        {**_columns(control), "created": created_at, "source": source, "reason": reason}
        | {"device_group_id": group_id, "mrid": await identifiers.fresh(db)}
        for control in fresh
    ]
    created = await controls.add(db, rows)
    superseded = await _replace(db, older, rows, now)
    if await controls.ahead_per_device(db, group_id, now) > most_ahead:
        raise TooManyControls(f"more than {most_ahead} ahead in group {group_id}")
    modes = {mode for control in fresh for mode in control.modes}
    await warn_of_inexpressible(db, group_id, _all_limits(fresh), now, modes=modes)
    await outbox.changed(db, "DERControlList", derp=group_id)
    return Issued(tuple(created), kept, tuple(superseded))


async def issue_schedule(
    db: Connection,
    group_id: int,
    wanted: Sequence[timeline.Interval],
    now: int,
    *,
    source: str,
    most_ahead: int = MOST_AHEAD,
    randomize_relaxing_s: int = 0,
) -> Issued:
    """Have a group's limits follow `wanted` from now on, by issuing only what differs from what stands.

    What stands beyond `wanted` is left: a schedule that says less withdraws nothing.
    randomize_relaxing_s: a control that only loosens what precedes it may begin up to so much later, at random.
    """
    await groups.locked(db, group_id)
    live = intervals_of(await controls.standing(db, group_id, now), source)
    pieces = timeline.to_issue(live, wanted, now)
    if timeline.count_after(live, pieces) > most_ahead:
        # Neighbours that say the same but were issued apart are issued anew as one.
        apart = timeline.fragments(live, wanted, now)
        pieces = timeline.to_issue([old for old in live if old not in apart], wanted, now)
    new = [_begun_late(piece, [*pieces, *live], now, randomize_relaxing_s) for piece in pieces]
    return await issue_controls(db, group_id, new, now, source=source, most_ahead=most_ahead)


def intervals_of(standing: Sequence[Control], source: str) -> list[timeline.Interval]:
    """What a source has said so far: each control to the latest second at which a client may still hold it."""
    return [
        timeline.Interval(row.start, row.latest_end, limits_of(row))
        for row in standing
        if row.source == source and row.successor_created is None
    ]


def _begun_late(piece: timeline.Interval, others: Sequence[timeline.Interval], now: int, most_s: int) -> NewControl:
    """A control for an interval; it ends before the next one begins, however late a client has begun it."""
    late_s = 0
    if piece.start > now and timeline.relaxes(piece, others):
        late_s = min(most_s, LONGEST_RANDOM_S, (piece.end - piece.start) // 2)
    return NewControl(
        start=piece.start,
        duration=piece.end - piece.start - late_s,
        limits=piece.limits,
        randomize_start=late_s or None,
    )


async def cancel_control(
    db: Connection, control_id: int, now: int, *, reason: str = "", randomized: bool = False
) -> None:
    """Withdraw a control; clients learn of it by list and by notification."""
    known = await controls.one(db, control_id)
    if known is None:
        raise NoSuchControl(str(control_id))
    await groups.locked(db, known.device_group_id)
    row = await controls.one(db, control_id) or known
    if row.cancelled is not None or row.latest_end <= now or (row.successor_start or now + 1) <= now:
        raise ControlOver(row.mrid)
    _fits("reason", reason, LONGEST_REASON)
    status = events.Status.CANCELLED_RANDOMIZED if randomized else events.Status.CANCELLED
    await controls.update_many(db, [control_id], cancelled=now, cancelled_as=int(status), reason=reason)
    if row.earliest_start > now:
        await _reinstate(db, row, now)
    await outbox.changed(db, "DERControlList", derp=row.device_group_id)


def limits_of(row: Any) -> Limits:
    """The limits of a stored control or default."""
    return Limits(row.import_limit_w, row.export_limit_w, row.gen_limit_w, row.load_limit_w)


def _all_limits(new: Sequence[NewControl]) -> Limits:
    """A limit for each mode that any of the controls sets."""
    set_by_any = zip(*(control.limits for control in new), strict=True)
    return Limits(*(next((watts for watts in said if watts is not None), None) for said in set_by_any))


async def _replace(db: Connection, standing: Sequence[Control], rows: Sequence[dict[str, Any]], now: int) -> list[int]:
    """Note on each older control by what, and from when, it is superseded, or that it may be."""
    superseded = []
    for old in standing:
        window = _window(old._asdict())
        winners = [row["earliest_start"] for row in rows if events.supersedes(_window(row), window)]
        if winners:
            first = min([*winners, *([old.successor_start] if old.successor_start else [])])
            await controls.update_many(
                db, [old.id], successor_created=old.successor_created or now, successor_start=max(first, now)
            )
            superseded.append(old.id)
        elif old.overlapped_since is None and any(events.may_supersede(_window(row), window) for row in rows):
            await controls.update_many(db, [old.id], overlapped_since=now)
    return superseded


async def _reinstate(db: Connection, gone: Control, now: int) -> None:
    """A successor that is cancelled before its start never takes the place of the controls it was to follow."""
    standing = await controls.standing(db, gone.device_group_id, now)
    windows = {row.id: _window(row._asdict()) for row in standing}
    for old in standing:
        if old.successor_start is None or not events.supersedes(_window(gone._asdict()), windows[old.id]):
            continue
        others = [row.earliest_start for row in standing if events.supersedes(windows[row.id], windows[old.id])]
        await controls.update_many(db, [old.id], successor_start=min(others, default=None))


def _window(row: Mapping[Any, Any]) -> events.Window:
    limits = Limits(*(row[f"{what}_limit_w"] for what in ("import", "export", "gen", "load")))
    return events.Window(
        start=row["earliest_start"],
        end=row["latest_end"],
        created=row["created"],
        modes=limits.modes() | json.loads(row["modes"]).keys(),
        categories=row["device_category"],
    )


def _columns(control: NewControl) -> dict[str, Any]:
    """A control as a row, but for who issued it and when."""
    start, duration = control.start, control.duration
    return {
        "start": start,
        "duration": duration,
        "randomize_start": control.randomize_start,
        "randomize_duration": control.randomize_duration,
        "earliest_start": events.earliest_start(start, control.randomize_start),
        "latest_end": events.latest_end(start, duration, control.randomize_start, control.randomize_duration),
        "import_limit_w": control.limits.import_w,
        "export_limit_w": control.limits.export_w,
        "gen_limit_w": control.limits.gen_w,
        "load_limit_w": control.limits.load_w,
        "modes": json.dumps(dict(control.modes), sort_keys=True),
        "ramp_tms": control.ramp_tms,
        "device_category": control.device_category,
        "description": control.description,
        "response_required": control.response_required,
    }


def _same(control: NewControl, standing: Sequence[Control]) -> Control | None:
    """The standing control that says the same, if none is to take its place."""
    columns = _columns(control)
    for row in standing:
        if row.successor_created is None and all(getattr(row, name) == value for name, value in columns.items()):
            return row
    return None


def _check(new: Sequence[NewControl], now: int) -> None:
    for control in new:
        check(control.limits)
        control_base(control.modes)
        _within("duration", control.duration, 1, LONGEST_S)
        _within("start", control.start, 0, 2**62)
        _within("randomizeStart", control.randomize_start or 0, -LONGEST_RANDOM_S, LONGEST_RANDOM_S)
        _within("randomizeDuration", control.randomize_duration or 0, -LONGEST_RANDOM_S, LONGEST_RANDOM_S)
        _within("rampTms", control.ramp_tms or 0, 0, 65535)
        _within("responseRequired", control.response_required, 0, 7)
        if control.start + control.duration <= now:
            raise BadControl(f"interval: ends at {control.start + control.duration}, and it is {now}")
        _fits("description", control.description, LONGEST_DESCRIPTION)
        if not control.limits.modes() and not control.modes:
            raise BadControl("it sets neither a limit nor a mode")
    _check_apart(sorted(new, key=lambda control: control.start))


def _check_apart(ordered: Sequence[NewControl]) -> None:
    """Controls issued together have one creationTime, so none of them could win over another."""
    for one, other in itertools.pairwise(ordered):
        modes = [control.limits.modes() | control.modes.keys() for control in (one, other)]
        if other.start < one.start + one.duration and modes[0] & modes[1]:
            raise BadControl(f"interval: the one from {other.start} begins before the one from {one.start} ends")


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise BadControl(f"{name}: {value} is outside {least}..{most}")


def _fits(name: str, said: str, most: int) -> None:
    if wrong := texts.misfit(said, most):
        raise BadControl(f"{name}: {wrong}")
