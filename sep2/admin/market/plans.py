"""What aggregations can do and plan to do."""

from sep2.admin.market.common import now_of
from sep2.operations.market import entries
from sep2.partner import deliverable_types as d
from sep2.partner import deliverables
from sep2.rest.route import Request
from sep2.store.market.facts import AsOf


async def show_deliverable(rq: Request, asked: d.DeliverableQuery) -> d.Deliverables:
    """What the network lets an aggregation's members do, node by node, as the engine last published it."""
    time = now_of(rq) if asked.known_at is None else AsOf(asked.known_at, asked.known_at)
    row = await entries.find(rq.db, "aggregation", rq.ids["aggregation"], time)
    return await deliverables.answer(rq, row, asked)
