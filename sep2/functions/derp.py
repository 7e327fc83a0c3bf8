"""DERProgram, DERControl, DefaultDERControl and DERCurve (2030.5 10.10)."""

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import Row

from sep2 import wire as w
from sep2.errors import NotFound
from sep2.functions.fsa import ALL_GROUPS, check_layout
from sep2.functions.request import Request, found, wire_version
from sep2.functions.rsps import THE_SET
from sep2.operations.controls import limits_of
from sep2.operations.curves import on_wire
from sep2.operations.modes import control_base as modes_of
from sep2.rules import events, limits
from sep2.rules.limits import Limits
from sep2.store import controls, curves, defaults, groups
from sep2.store.controls import Control


async def list_programs(rq: Request) -> w.DERProgramList:
    """The programs of a FunctionSetAssignments, most important first."""
    check_layout(rq)
    if rq.ids.fsa != ALL_GROUPS:
        only = [program(found(await groups.program(rq.db, rq.ids.edev, rq.ids.fsa, rq.seen)), rq)]
        items = only[rq.page.start : rq.page.start + rq.page.limit]
        return w.DERProgramList(all=1, results=len(items), DERProgram=items)
    page = await groups.programs(rq.db, rq.ids.edev, rq.page, rq.seen)
    items = [program(row, rq) for row in page.rows]
    return w.DERProgramList(all=page.total, results=len(items), DERProgram=items)


async def one_program(rq: Request) -> w.DERProgram:
    """One program."""
    return program(found(await groups.program(rq.db, rq.ids.edev, rq.ids.derp, rq.seen)), rq)


async def list_controls(rq: Request) -> w.DERControlList:
    """Controls that have not ended, earliest first."""
    page = await controls.live(rq.db, rq.ids.derp, rq.page, rq.now)
    return _list(page.total, page.rows, rq)


async def list_active(rq: Request) -> w.DERControlList:
    """Controls that hold now."""
    page = await controls.active(rq.db, rq.ids.derp, rq.page, rq.seen)
    return _list(page.total, page.rows, rq)


async def one_control(rq: Request) -> w.DERControl:
    """One control, also when it is over, so that a client can look up what it answered to."""
    row = await controls.in_group(rq.db, rq.ids.derp, rq.ids.derc)
    if row is None:
        raise NotFound
    return controls_view(rq)(row)


async def default(rq: Request) -> w.DefaultDERControl:
    """What holds when no control is active."""
    row = found(await defaults.of_group(rq.db, rq.ids.derp))
    return w.DefaultDERControl(
        subscribable=rq.subscribable("DefaultDERControl"),
        mRID=w.HexBinary(row.mrid),
        version=wire_version(row.version),
        DERControlBase=control_base(row, rq),
        setGradW=row.set_grad_w,
        setSoftGradW=row.set_soft_grad_w,
        **json.loads(row.enter_service),
    )


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


def program(row: Row[Any], rq: Request) -> w.DERProgram:
    """A group as the program of its devices."""
    at: dict[str, int] = {"derp": row.id}
    return w.DERProgram(
        href=rq.href("DERProgram", **at),
        subscribable=rq.subscribable("DERProgram"),
        mRID=w.HexBinary(row.program_mrid),
        description=row.description or None,
        version=wire_version(row.version),
        ActiveDERControlListLink=rq.list_link(w.ActiveDERControlListLink, "ActiveDERControlList", row.active, **at),
        DefaultDERControlLink=rq.link(w.DefaultDERControlLink, "DefaultDERControl", **at),
        DERControlListLink=rq.list_link(w.DERControlListLink, "DERControlList", row.live, **at),
        DERCurveListLink=rq.list_link(w.DERCurveListLink, "DERCurveList", row.curves, **at),
        primacy=row.primacy,
    )


def controls_view(rq: Request) -> Callable[[Control], w.DERControl]:
    """The view of controls for one request; what is the same for all of them is looked up once."""
    href = rq.hrefs("DERControl", "derc")
    reply_to = rq.href("ResponseList", rsps=THE_SET)
    subscribable = rq.subscribable("DERControl")
    at_once = rq.seen.superseded_at_once

    def view(row: Control) -> w.DERControl:
        return w.DERControl(
            href=href(row.id),
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
            DERControlBase=control_base(row, rq, ramp_tms=row.ramp_tms),
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


def control_base(row: Control | Row[Any], rq: Request, *, ramp_tms: int | None = None) -> w.DERControlBase:
    """The limits and modes of a stored control or default, in the units and modes of the caller's profile."""
    base = control_base_of(row.modes, rq)
    base.rampTms = ramp_tms
    wanted = limits_of(row)
    if rq.caller.profile is w.Profile.CSIP:
        shares = (base.opModMaxLimW, _generation_percent(wanted, rq))
        base.opModMaxLimW = min((share for share in shares if share is not None), default=None)
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


def _generation_percent(wanted: Limits, rq: Request) -> int | None:
    """CSIP caps generation in percent of setMaxW; without a reported setMaxW the limit in force stays the default."""
    bounds = [watts for watts in (wanted.export_w, wanted.gen_w) if watts is not None]
    if not bounds or rq.own.set_max_w is None:
        return None
    return limits.percent_of(min(bounds), rq.own.set_max_w)


def _list(total: int, rows: list[Control], rq: Request) -> w.DERControlList:
    items = list(map(controls_view(rq), rows))
    return w.DERControlList(all=total, results=len(items), DERControl=items)
