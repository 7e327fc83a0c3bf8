"""LogEvents that devices post (2030.5 9.6)."""

from typing import Any

from sqlalchemy import Row

from sep2 import wire as w
from sep2.functions.request import Made, Request, found
from sep2.operations.logs import log
from sep2.store import logs


async def list_events(rq: Request) -> w.LogEventList:
    """A device's events, latest first."""
    page = await logs.of_device(rq.db, rq.ids.edev, rq.page)
    items = [_view(row, rq) for row in page.rows]
    return w.LogEventList(all=page.total, results=len(items), LogEvent=items)


async def one_event(rq: Request) -> w.LogEvent:
    """One event."""
    return _view(found(await logs.one(rq.db, rq.ids.edev, rq.ids.le)), rq)


async def post_event(rq: Request, body: w.LogEvent) -> Made:
    """Store an event; the same one posted again is the same resource."""
    event_id, new = await log(
        rq.db,
        rq.ids.edev,
        now=rq.now,
        most=rq.house.settings.limits.log_events,
        created=body.createdDateTime,
        log_event_id=body.logEventID,
        function_set=body.functionSet,
        log_event_code=body.logEventCode,
        log_event_pen=body.logEventPEN,
        profile_id=body.profileID,
        details=body.details,
        extended_data=body.extendedData,
    )
    return Made(rq.href("LogEvent", le=event_id), new)


def _view(row: Row[Any], rq: Request) -> w.LogEvent:
    return w.LogEvent(
        href=rq.href("LogEvent", le=row.id),
        createdDateTime=row.created,
        details=row.details,
        extendedData=row.extended_data,
        functionSet=row.function_set,
        logEventCode=row.log_event_code,
        logEventID=row.log_event_id,
        logEventPEN=row.log_event_pen,
        profileID=row.profile_id,
    )
