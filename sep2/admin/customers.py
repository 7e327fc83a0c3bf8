"""Customers who move in and out of a connection."""

from sep2.admin import find
from sep2.admin import types as t
from sep2.operations import customers
from sep2.rest.route import Request
from sep2.store import customers as stored


async def list_customers(rq: Request, asked: t.Nothing) -> list[t.Customer]:
    """When customers of the connection moved in and out, the latest first."""
    return await _of(rq, (await find.connection(rq.db, rq.ids["connection"])).id)


async def move_customer_in(rq: Request, asked: t.MoveIn) -> t.CustomerMoved:
    """The connection with its new customer; what stood for the one before ended at this instant."""
    row = await find.connection(rq.db, rq.ids["connection"])
    ended = await customers.move_in(rq.db, row, rq.now, by=rq.operator, reference=asked.reference)
    return t.CustomerMoved(connection=row.connection_id, at=rq.now, ended=ended, customers=await _of(rq, row.id))


async def move_customer_out(rq: Request, asked: t.Nothing) -> t.CustomerMoved:
    """The connection that nobody lives at; what stood for its customer ended at this instant."""
    row = await find.connection(rq.db, rq.ids["connection"])
    ended = await customers.move_out(rq.db, row, rq.now, by=rq.operator)
    return t.CustomerMoved(connection=row.connection_id, at=rq.now, ended=ended, customers=await _of(rq, row.id))


async def since_of(rq: Request, connection_id: int, since: int, *, earlier: bool) -> int:
    """Since when a connection may be looked at: what is from before its present customer is not that customer's."""
    return since if earlier else max(since, await stored.since(rq.db, connection_id))


async def _of(rq: Request, connection_id: int) -> list[t.Customer]:
    names = ("since", "until", "reference", "moved_in_by", "moved_out_by")
    rows = await stored.of_connection(rq.db, connection_id)
    return [t.Customer(**{name: getattr(row, name) for name in names}) for row in rows]
