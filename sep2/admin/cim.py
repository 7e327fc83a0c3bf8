"""Groups of DER for the utility's ADMS, in the profiles of IEC 61968-5."""

from sep2.admin import find
from sep2.admin import types as t
from sep2.operations import cim
from sep2.rest.route import Request


async def show_members(rq: Request, asked: t.Nothing) -> t.CimMessage:
    """DERGroups: a place and every place below it as groups, with their devices."""
    return t.CimMessage(xml=await cim.groups(rq.db, await find.place(rq.db, rq.ids["place"])))


async def show_measured(rq: Request, asked: t.Nothing) -> t.CimMessage:
    """DERGroupStatuses: the latest power that was measured at a place and at every place below it."""
    return t.CimMessage(xml=await cim.statuses(rq.db, await find.place(rq.db, rq.ids["place"]), rq.now))


async def show_limits_ahead(rq: Request, asked: t.CimSpan) -> t.CimMessage:
    """DERGroupDispatches: the sums of limits at a place from now on, in equal steps."""
    row = await find.place(rq.db, rq.ids["place"])
    since = rq.now // asked.step * asked.step
    return t.CimMessage(xml=await cim.dispatches(rq.db, row, (since, since + asked.hours * 3600), asked.step))
