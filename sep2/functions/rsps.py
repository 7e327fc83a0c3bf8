"""Responses to events (2030.5 8.8): each device has one ResponseSet."""

from typing import Any

from sqlalchemy import Row

from sep2 import wire as w
from sep2.errors import NotFound
from sep2.functions.request import Made, Request, found
from sep2.operations.responses import BadResponse, NoEventOfDevice, answer
from sep2.operations.restored import note_lost
from sep2.rules.identifiers import derived_mrid
from sep2.rules.paging import Page
from sep2.store import access, responses

THE_SET = 1


async def list_sets(rq: Request) -> w.ResponseSetList:
    """The device's one set."""
    items = [await one_set(rq)][rq.page.start : rq.page.start + rq.page.limit]
    return w.ResponseSetList(all=1, results=len(items), ResponseSet=items)


async def one_set(rq: Request) -> w.ResponseSet:
    """Where all of a device's answers are."""
    _the_set(rq)
    total = (await responses.of_device(rq.db, rq.ids.edev, Page(0, 0))).total
    return w.ResponseSet(
        href=rq.href("ResponseSet", rsps=THE_SET),
        mRID=w.HexBinary(derived_mrid(rq.own.fsa_mrid, "ResponseSet")),
        ResponseListLink=rq.list_link(w.ResponseListLink, "ResponseList", total, rsps=THE_SET),
    )


async def list_responses(rq: Request) -> w.ResponseList:
    """What the device answered, latest first."""
    _the_set(rq)
    page = await responses.of_device(rq.db, rq.ids.edev, rq.page)
    items: list[w.Response] = [_view(row, rq) for row in page.rows]
    return w.ResponseList(all=page.total, results=len(items), Response=items)


async def one_response(rq: Request) -> w.Response:
    """One answer."""
    _the_set(rq)
    return _view(found(await responses.one(rq.db, rq.ids.edev, rq.ids.rsp)), rq)


async def respond(rq: Request, body: w.DERControlResponse | w.DrResponse | w.Response) -> Made:
    """Store what a device answers to a control that was published to it.

    Clients that know a control by its mRID answer for all its devices where they were told to for one.
    """
    _the_set(rq)
    device = await access.manages(rq.db, rq.client, str(body.endDeviceLFDI))
    if device is None:
        raise BadResponse("endDeviceLFDI: is not a device of this client")
    mrid = str(body.subject)
    try:
        response_id = await answer(
            rq.db, device, mrid=mrid, status=body.status, created=body.createdDateTime, now=rq.now
        )
    except NoEventOfDevice:
        # After a copy of the database was put back, that is how its operators learn what devices were told since.
        if not await note_lost(rq.db, device, mrid, body.status, now=rq.now):
            raise
        return Made(rq.href("ResponseList", rsps=THE_SET), new=False, device=device, written=body.createdDateTime)
    return Made(rq.href("Response", edev=device, rsp=response_id), device=device, written=body.createdDateTime)


def _the_set(rq: Request) -> None:
    if rq.ids.get("rsps", THE_SET) != THE_SET:
        raise NotFound


def _view(row: Row[Any], rq: Request) -> w.Response:
    kind = w.DERControlResponse if row.subject is None else w.DrResponse
    return kind(
        href=rq.href("Response", rsp=row.id, rsps=THE_SET),
        createdDateTime=row.created,
        endDeviceLFDI=w.HexBinary(rq.lfdi(row.lfdi)),
        status=row.status,
        subject=w.HexBinary(row.subject or row.mrid),
    )
