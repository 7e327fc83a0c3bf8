"""DERProgram, DERControl, DefaultDERControl and DERCurve (2030.5 10.10)."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Row

from sep2 import wire as w
from sep2.errors import NotFound
from sep2.functions import editions
from sep2.functions.fsa import ALL_GROUPS, check_layout
from sep2.functions.request import Request, found, wire_version
from sep2.functions.rsps import THE_SET
from sep2.operations import inherited
from sep2.operations.controls import limits_of
from sep2.operations.curves import on_wire
from sep2.operations.modes import control_base as modes_of
from sep2.rules import defaults as rules
from sep2.rules import events, limits, ratings
from sep2.rules.limits import Limits
from sep2.store import curves, defaults, groups
from sep2.store.controls import Control
from sep2.store.page import Found


async def list_programs(rq: Request) -> w.DERProgramList:
    """The programs of a FunctionSetAssignments, most important first."""
    check_layout(rq)
    if rq.ids.fsa != ALL_GROUPS:
        only = [await _program(rq, rq.ids.fsa)]
        items = only[rq.page.start : rq.page.start + rq.page.limit]
        return w.DERProgramList(all=1, results=len(items), DERProgram=items)
    page = await groups.programs(rq.db, rq.ids.edev, rq.page, rq.seen)
    more = await editions.more_listed(rq)
    items = [program(row, rq, more) for row in page.rows]
    return w.DERProgramList(all=page.total, results=len(items), DERProgram=items)


async def one_program(rq: Request) -> w.DERProgram:
    """One program."""
    return await _program(rq, rq.ids.derp)


async def _program(rq: Request, group_id: int) -> w.DERProgram:
    row = found(await groups.program(rq.db, rq.ids.edev, group_id, rq.seen))
    return program(row, rq, await editions.more_listed(rq))


async def list_controls(rq: Request) -> w.DERControlList:
    """Controls that have not ended, or only just, earliest first."""
    return _list(await editions.live(rq), rq)


async def list_active(rq: Request) -> w.DERControlList:
    """Controls that hold now."""
    return _list(await editions.active(rq), rq)


async def one_control(rq: Request) -> w.DERControl:
    """One control, also when it is over, so that a client can look up what it answered to."""
    issued = await editions.one(rq)
    if issued is None:
        raise NotFound
    return controls_view(rq)(issued)


async def default(rq: Request) -> w.DefaultDERControl:
    """What holds when no control is active: the program's own default, and what it inherits from others (10.10.4.3).

    It keeps the mRID of the program's own default for every device: it stands for the program at this href, and what it
    says to each device is told apart by href and version, as percentages of setMaxW always were.
    """
    rows = await defaults.served(rq.db, rq.ids.edev)
    at = next((index for index, row in enumerate(rows) if row.group_id == rq.ids.derp), None)
    if at is None:
        raise NotFound
    utility = rq.house.settings.utility
    bound = utility.default_limits
    house = inherited.House(utility.default_layout, None, bound.import_w, bound.export_w)
    (held,) = inherited.held_of(rows, house)
    said = held.view(at, house.layout)
    ramps = {name: said[name].value for name in rules.RAMPS if name in said}
    return w.DefaultDERControl(
        subscribable=rq.subscribable("DefaultDERControl"),
        mRID=w.HexBinary(rows[at].mrid),
        version=wire_version(rows[at].version + (rows[at].moved or 0)),
        DERControlBase=_default_base(said, [row.group_id for row in rows], rq),
        **ramps,
        **rules.enter_service_of(said),
    )


def _default_base(said: rules.Served, group_ids: Sequence[int], rq: Request) -> w.DERControlBase:
    """The modes of a served default; a curve is found in the program that says to follow it."""
    by_source: dict[int, dict[str, Any]] = {}
    for name, one in rules.modes_of(said).items():
        by_source.setdefault(one.source, {})[name] = one.value
    base = w.DERControlBase()
    for source, modes in by_source.items():
        curve_href = partial(_curve_href, rq, group_ids[source])
        found = modes_of(modes, curve_href)
        for name in modes:
            setattr(base, name, getattr(found, name))
    return with_limits(base, rules.limits_of(said), ratings.rating(rq.own).watts, rq)


def _curve_href(rq: Request, group_id: int, curve_id: int) -> str:
    return rq.href("DERCurve", derp=group_id, dc=curve_id)


async def list_curves(rq: Request) -> w.DERCurveList:
    """Curves that controls and the default may link to, newest first."""
    page = await curves.listed(rq.db, rq.ids.derp, rq.page)
    items = [curve(row, rq) for row in page.rows]
    return w.DERCurveList(all=page.total, results=len(items), DERCurve=items)


async def one_curve(rq: Request) -> w.DERCurve:
    """One curve, also when it is removed, for whoever looks up what a past control linked to."""
    return curve(found(await curves.in_group(rq.db, rq.ids.derp, rq.ids.dc)), rq)


def curve(row: Row[Any], rq: Request) -> w.DERCurve:
    """A stored curve; it reads the same in every profile."""
    href = rq.href("DERCurve", dc=row.id)
    return on_wire(row._asdict(), mrid=row.mrid, created=row.created, description=row.description, href=href)


def program(row: Row[Any], rq: Request, more: Mapping[int, int]) -> w.DERProgram:
    """A group as the program of its devices; `more`: how many controls the device is served beyond the group's."""
    at: dict[str, int] = {"derp": row.id}
    live = row.live + more.get(row.id, 0)
    return w.DERProgram(
        href=rq.href("DERProgram", **at),
        subscribable=rq.subscribable("DERProgram"),
        mRID=w.HexBinary(row.program_mrid),
        description=row.description or None,
        version=wire_version(row.version),
        ActiveDERControlListLink=rq.list_link(w.ActiveDERControlListLink, "ActiveDERControlList", row.active, **at),
        DefaultDERControlLink=rq.link(w.DefaultDERControlLink, "DefaultDERControl", **at),
        DERControlListLink=rq.list_link(w.DERControlListLink, "DERControlList", live, **at),
        DERCurveListLink=rq.list_link(w.DERCurveListLink, "DERCurveList", row.curves, **at),
        primacy=row.primacy,
    )


def controls_view(rq: Request) -> Callable[[editions.Issued], w.DERControl]:
    """The view of controls for one request; what is the same for all of them is looked up once."""
    href = rq.hrefs("DERControl", "derc")
    reply_to = rq.href("ResponseList", rsps=THE_SET)
    subscribable = rq.subscribable("DERControl")
    at_once = rq.seen.superseded_at_once

    def view(issued: editions.Issued) -> w.DERControl:
        row = issued.control
        return w.DERControl(
            href=href(issued.number),
            replyTo=reply_to,
            responseRequired=w.HexBinary(row.response_required, 1),
            subscribable=subscribable,
            mRID=w.HexBinary(row.mrid),
            description=row.description or None,
            creationTime=row.created,
            EventStatus=event_status(row, rq.now, superseded_at_once=at_once),
            interval=w.DateTimeInterval(duration=row.duration, start=row.start),
            randomizeDuration=row.randomize_duration,
            randomizeStart=row.randomize_start,
            DERControlBase=control_base(row, rq, issued.rating_w),
            deviceCategory=None if row.device_category is None else w.HexBinary(row.device_category, 4),
        )

    return view


def event_status(row: Control, now: int, *, superseded_at_once: bool) -> w.EventStatus:
    """The status of a control as of now; it is never stored."""
    status, since = events.status(row, now, superseded_at_once=superseded_at_once)
    return w.EventStatus(
        currentStatus=int(status),
        dateTime=min(since, now),
        potentiallySuperseded=row.overlapped_since is not None,
        potentiallySupersededTime=row.overlapped_since,
        reason=row.reason or None,
    )


def control_base(row: Control, rq: Request, rating_w: int | None) -> w.DERControlBase:
    """The limits and modes of a stored control, in the units and modes of the caller's profile."""
    base = control_base_of(row.modes, rq)
    base.rampTms = row.ramp_tms
    return with_limits(base, limits_of(row), rating_w, rq)


def with_limits(base: w.DERControlBase, wanted: Limits, rating_w: int | None, rq: Request) -> w.DERControlBase:
    """Modes with limits beside them: in watts, or under CSIP as a share of the device's rating, the tightest of all."""
    if rq.caller.profile is w.Profile.CSIP:
        bounds = [watts for watts in (wanted.export_w, wanted.gen_w) if watts is not None]
        shares = [ratings.percent_of(watts, rating_w) for watts in bounds]
        if base.opModMaxLimW is not None:
            shares.append(base.opModMaxLimW)
        base.opModMaxLimW = min(shares, default=None)
        return base
    for mode, watts in zip(limits.MODES, wanted, strict=True):
        if watts is not None:
            setattr(base, mode, active_power(watts))
    return base


def control_base_of(modes: str, rq: Request) -> w.DERControlBase:
    """The stored modes, with links to curves as the device in the path finds them; most controls have none."""
    return w.DERControlBase() if modes == "{}" else modes_of(json.loads(modes), rq.hrefs("DERCurve", "dc"))


def active_power(watts: int) -> w.ActivePower:
    """Watts as the wire carries them; rounded down where Int16 needs a coarser power of ten."""
    multiplier, value = limits.scaled(watts)
    return w.ActivePower(multiplier=multiplier, value=value)


def _list(page: Found[editions.Issued], rq: Request) -> w.DERControlList:
    items = list(map(controls_view(rq), page.rows))
    return w.DERControlList(all=page.total, results=len(items), DERControl=items)
