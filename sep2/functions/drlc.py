"""DemandResponseProgram and EndDeviceControl (2030.5 10.3): what bounds the load of a charger that follows them.

A group's program, and a control that bounds import or load, are shown to such a device as what demand response and
load control calls them: another view of the same rows, so that events start, end and take each other's place as
DERControls do. An EndDeviceControl names no watts: the bound is said as an offset in percent of what the device draws
at most. At nought it says an empty duty cycle as well, for devices that are only switched. A longer duty cycle is not
used: a device that runs at full power for part of the time does not keep the bound.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Row

from sep2 import wire as w
from sep2.errors import NotFound
from sep2.functions.derp import event_status
from sep2.functions.fsa import ALL_GROUPS, check_layout
from sep2.functions.request import Request, found, wire_version
from sep2.functions.rsps import THE_SET
from sep2.operations.controls import limits_of
from sep2.rules.identifiers import companion_mrid
from sep2.rules.limits import PERCENT_100
from sep2.rules.reach import companion_role, has_load_control, load_bound, load_offset
from sep2.store import controls, groups
from sep2.store.controls import Control, Part, Seen


async def list_programs(rq: Request) -> w.DemandResponseProgramList:
    """The programs of a FunctionSetAssignments, most important first."""
    _check(rq)
    check_layout(rq)
    if rq.ids.fsa != ALL_GROUPS:
        only = [_program(found(await groups.program(rq.db, rq.ids.edev, rq.ids.fsa, _seen(rq))), rq)]
        items = only[rq.page.start : rq.page.start + rq.page.limit]
        return w.DemandResponseProgramList(all=1, results=len(items), DemandResponseProgram=items)
    page = await groups.programs(rq.db, rq.ids.edev, rq.page, _seen(rq))
    items = [_program(row, rq) for row in page.rows]
    return w.DemandResponseProgramList(all=page.total, results=len(items), DemandResponseProgram=items)


async def one_program(rq: Request) -> w.DemandResponseProgram:
    """One program."""
    _check(rq)
    return _program(found(await groups.program(rq.db, rq.ids.edev, rq.ids.derp, _seen(rq))), rq)


async def list_controls(rq: Request) -> w.EndDeviceControlList:
    """Events that have not ended, or only just, earliest first."""
    _check(rq)
    return _list(rq, await controls.live(rq.db, rq.ids.derp, rq.page, _seen(rq)))


async def list_active(rq: Request) -> w.EndDeviceControlList:
    """Events that hold now."""
    _check(rq)
    return _list(rq, await controls.active(rq.db, rq.ids.derp, rq.page, _seen(rq)))


async def one_control(rq: Request) -> w.EndDeviceControl:
    """One event, also when it is over."""
    _check(rq)
    row = await controls.in_group(rq.db, rq.ids.derp, rq.ids.derc)
    if row is None or load_bound(limits_of(row)) is None:
        raise NotFound
    return _view(rq)(row)


def _check(rq: Request) -> None:
    """Nothing, where the device of the path follows EndDeviceControls."""
    if not has_load_control(rq.own):
        raise NotFound


def _seen(rq: Request) -> Seen:
    return rq.seen._replace(part=Part.LOAD)


def _program(row: Row[Any], rq: Request) -> w.DemandResponseProgram:
    """A group as the program of its devices."""
    at: dict[str, int] = {"derp": row.id}
    active = rq.list_link(w.ActiveEndDeviceControlListLink, "ActiveEndDeviceControlList", row.active, **at)
    return w.DemandResponseProgram(
        href=rq.href("DemandResponseProgram", **at),
        mRID=w.HexBinary(_companion(rq, row.program_mrid)),
        description=row.description or None,
        version=wire_version(row.version),
        availabilityUpdatePercentChangeThreshold=_threshold(rq),
        ActiveEndDeviceControlListLink=active,
        EndDeviceControlListLink=rq.list_link(w.EndDeviceControlListLink, "EndDeviceControlList", row.live, **at),
        primacy=row.primacy,
    )


def _threshold(rq: Request) -> int | None:
    """By how much what a device could do without must differ before it says so again, in hundredths of a percent."""
    return round(100 * rq.house.settings.utility.load_shed_change_percent) or None


def _view(rq: Request) -> Callable[[Control], w.EndDeviceControl]:
    """The view of events for one request; what is the same for all of them is looked up once."""
    href = rq.hrefs("EndDeviceControl", "derc")
    reply_to = rq.href("ResponseList", rsps=THE_SET)
    subscribable = rq.subscribable("EndDeviceControl")
    own = rq.own.device_category or w.DeviceCategoryType.EVSE

    def view(row: Control) -> w.EndDeviceControl:
        offset = _offset(rq, row)
        return w.EndDeviceControl(
            href=href(row.id),
            replyTo=reply_to,
            responseRequired=w.HexBinary(row.response_required, 1),
            subscribable=subscribable,
            mRID=w.HexBinary(_companion(rq, row.mrid)),
            description=row.description or None,
            creationTime=row.created,
            EventStatus=event_status(row, rq.now, superseded_at_once=rq.seen.superseded_at_once),
            interval=w.DateTimeInterval(duration=row.duration, start=row.start),
            randomizeDuration=row.randomize_duration,
            randomizeStart=row.randomize_start,
            deviceCategory=w.HexBinary(own if row.device_category is None else row.device_category, 4),
            drProgramMandatory=True,
            DutyCycle=w.DutyCycle(normalValue=0) if offset == PERCENT_100 else None,
            loadShiftForward=False,
            Offset=w.Offset(loadAdjustmentPercentageOffset=offset),
        )

    return view


def _offset(rq: Request, row: Control) -> int:
    bound = load_bound(limits_of(row))
    return 0 if bound is None else load_offset(bound, rq.own.load_control_w)


def _companion(rq: Request, mrid: str) -> str:
    return companion_mrid(mrid, companion_role(rq.own.load_control_w))


def _list(rq: Request, page: Any) -> w.EndDeviceControlList:
    items = list(map(_view(rq), page.rows))
    return w.EndDeviceControlList(all=page.total, results=len(items), EndDeviceControl=items)
