"""What aggregations can do and plan to do."""

from sep2.admin.market.common import now_of
from sep2.operations.market import entries
from sep2.operations.market import plans as operations
from sep2.partner import deliverable_types as d
from sep2.partner import deliverables, plans
from sep2.partner import plan_types as t
from sep2.rest.route import Request
from sep2.rest.types import Listed
from sep2.store.market.facts import AsOf
from sep2.store.market.plans import Which


async def show_deliverable(rq: Request, asked: d.DeliverableQuery) -> d.Deliverables:
    """What the network lets an aggregation's members do, node by node, as the engine last published it."""
    time = now_of(rq) if asked.known_at is None else AsOf(asked.known_at, asked.known_at)
    row = await entries.find(rq.db, "aggregation", rq.ids["aggregation"], time)
    return await deliverables.answer(rq, row, asked)


async def submit_plan(rq: Request, asked: t.NewPlan) -> t.Plan:
    """The new version of an aggregation's plan, whose verdict follows; what is wrong with it is said all at once."""
    row = await entries.find(rq.db, "aggregation", asked.aggregation, now_of(rq))
    return await plans.submit(rq, row, asked, "operator")


async def list_plans(rq: Request, asked: t.PlanQuery) -> Listed[t.Plan]:
    """Plans with their verdicts, the latest first."""
    number = None
    if asked.aggregation is not None:
        number = int((await entries.identity(rq.db, "aggregation", asked.aggregation)).id)
    return await plans.list_plans(rq, asked, Which(aggregation_id=number))


async def show_plan(rq: Request, asked: t.VersionQuery) -> t.PlanShown:
    """One version of a plan: each step with its band, what the network allows, and what binds."""
    known = await operations.find(rq.db, rq.ids["plan"])
    return await plans.show(rq, known.id, asked.version)


async def show_credit(rq: Request, asked: t.CreditQuery) -> t.Credit:
    """How members of an aggregation kept the bands of accepted plans, and how far the next ones are believed."""
    return await plans.credit(rq, await entries.identity(rq.db, "aggregation", rq.ids["aggregation"]), asked)
