"""Every route of the market API: of aggregators, of system operators below `iso`, and those for both."""

import msgspec

from sep2.operations.market import plans as operations
from sep2.partner import (
    access,
    accounts,
    commitments,
    deliverables,
    iso,
    messages,
    overrides,
    own,
    participating,
    plans,
    registering,
)
from sep2.partner import deliverable_types as d
from sep2.partner import plan_types as t
from sep2.partner.access import ISO, party_of
from sep2.rest.route import Request, Route
from sep2.rest.types import Listed
from sep2.rules.roles import OPERATOR, VIEWER
from sep2.store.market.facts import AsOf
from sep2.store.market.plans import Which

BASE = access.BASE
_WEBHOOK = f"{BASE}/webhooks/{{webhook}}"
_AGGREGATION = f"{BASE}/aggregations/{{aggregation}}"
_OF_ISO = f"{ISO}/aggregations/{{aggregation}}"


async def show_deliverable(rq: Request, asked: d.DeliverableQuery) -> d.Deliverables:
    """What the network lets an aggregation's members do, node by node, as it was published last."""
    time = AsOf(rq.now) if asked.known_at is None else AsOf(asked.known_at, asked.known_at)
    found = await deliverables.answer(rq, await own.mine(rq, "aggregation", time), asked)
    # Why the engine can not tell may name what is no business of one aggregator; the cause is enough.
    return msgspec.structs.replace(found, details={})


async def submit_plan(rq: Request, asked: t.PlanSaid) -> t.Plan:
    """The new version of a plan, whose verdict follows; what is wrong with it is said all at once."""
    row = await own.mine(rq, "aggregation", AsOf(rq.now))
    return await plans.submit(rq, row, asked, "partner")


async def list_plans(rq: Request, asked: t.PlanQuery) -> Listed[t.Plan]:
    """Your plans with their verdicts, the latest first."""
    number = None
    if asked.aggregation is not None:
        its = own.named(rq, aggregation=asked.aggregation)
        number = int((await own.mine(its, "aggregation", AsOf(rq.now))).id)
    return await plans.list_plans(rq, asked, Which(aggregation_id=number, party_id=party_of(rq).party_id))


async def show_plan(rq: Request, asked: t.VersionQuery) -> t.PlanShown:
    """One version of a plan: each step with its band, what the network allows, and what binds."""
    known = await operations.find(rq.db, rq.ids["plan"])
    if known.party_id != party_of(rq).party_id:
        raise operations.UnknownPlan(rq.ids["plan"][:40])
    found = await plans.show(rq, known.id, asked.version)
    bare = [msgspec.structs.replace(one, detail="") for one in found.verdicts]
    return msgspec.structs.replace(found, verdicts=bare)


async def show_credit(rq: Request, asked: t.CreditQuery) -> t.Credit:
    """How your members kept the bands of accepted plans, and how far the next ones are believed."""
    return await plans.credit(rq, await own.mine(rq, "aggregation", AsOf(rq.now)), asked)


TABLE = (
    Route("GET", f"{BASE}/party", own.show_party, VIEWER),
    Route("GET", f"{BASE}/ders", own.list_ders, VIEWER),
    Route("GET", f"{BASE}/ders/{{der}}", own.show_der, VIEWER),
    Route("PUT", f"{BASE}/ders/{{der}}", registering.put_der, OPERATOR, registering.before_der, creates=True),
    Route("POST", f"{BASE}/ders:batch", registering.add_ders, OPERATOR, status=201, kept_apart=("ders", "csv")),
    Route("GET", f"{BASE}/aggregations", own.list_aggregations, VIEWER),
    Route("GET", _AGGREGATION, own.show_aggregation, VIEWER),
    Route(
        "PUT",
        _AGGREGATION,
        participating.put_aggregation,
        OPERATOR,
        participating.before_aggregation,
        creates=True,
    ),
    Route("POST", f"{_AGGREGATION}/changes", participating.change_members, OPERATOR),
    Route(
        "POST", f"{_AGGREGATION}/submit", participating.submit_aggregation, OPERATOR, participating.before_aggregation
    ),
    Route(
        "POST",
        f"{_AGGREGATION}/withdraw",
        participating.withdraw_aggregation,
        OPERATOR,
        participating.before_aggregation,
    ),
    Route("GET", f"{_AGGREGATION}/members", own.list_members, VIEWER),
    Route("GET", f"{_AGGREGATION}/deliverable", show_deliverable, VIEWER),
    Route("POST", f"{_AGGREGATION}/plans", submit_plan, OPERATOR, status=201, kept_apart=("nodes", "csv")),
    Route("GET", f"{_AGGREGATION}/credit", show_credit, VIEWER),
    Route("GET", f"{BASE}/plans", list_plans, VIEWER),
    Route("GET", f"{BASE}/plans/{{plan}}", show_plan, VIEWER),
    Route("GET", f"{BASE}/reviews", own.list_reviews, VIEWER),
    Route("GET", f"{BASE}/reviews/{{review}}", own.show_review, VIEWER),
    Route(
        "POST",
        f"{BASE}/reviews/{{review}}/dispute",
        participating.dispute_review,
        OPERATOR,
        own.show_review,
        status=201,
    ),
    Route("GET", f"{BASE}/commitments", commitments.list_own, VIEWER),
    Route("POST", f"{BASE}/commitments", commitments.request_commitment, OPERATOR, status=201),
    Route("POST", f"{BASE}/commitments:move", commitments.move_commitment, OPERATOR, status=201),
    Route("GET", f"{BASE}/commitments/{{commitment}}", commitments.show_own, VIEWER),
    Route("GET", f"{BASE}/outages", accounts.list_outages, VIEWER),
    Route("POST", f"{BASE}/outages", accounts.say_outage, OPERATOR, status=201),
    Route("GET", f"{BASE}/evidence/{{aggregation}}/{{day}}", accounts.show_evidence, VIEWER),
    Route("GET", f"{BASE}/profile", participating.show_profile, VIEWER),
    Route("GET", f"{BASE}/overrides", overrides.list_overrides, VIEWER),
    Route("GET", f"{BASE}/overrides/{{override}}", overrides.show_override, VIEWER),
    Route("POST", f"{BASE}/overrides/{{override}}/answer", overrides.answer_override, OPERATOR, status=201),
    Route("GET", f"{BASE}/messages", messages.list_messages, VIEWER),
    Route("GET", f"{BASE}/keys", messages.show_keys, VIEWER),
    Route("GET", f"{BASE}/webhooks", messages.list_webhooks, VIEWER),
    Route("GET", _WEBHOOK, messages.show_webhook, VIEWER),
    Route("PUT", _WEBHOOK, messages.set_webhook, OPERATOR, messages.show_webhook, creates=True, secret=True),
    Route("DELETE", _WEBHOOK, messages.remove_webhook, OPERATOR, messages.show_webhook),
    Route("GET", f"{ISO}/aggregations", iso.list_iso_aggregations, VIEWER),
    Route("GET", _OF_ISO, iso.show_iso_aggregation, VIEWER),
    Route("PUT", f"{_OF_ISO}/registration", iso.register_iso_resource, OPERATOR, iso.show_iso_aggregation),
    Route("GET", f"{_OF_ISO}/members", iso.list_iso_members, VIEWER),
    Route("GET", f"{_OF_ISO}/deliverable", iso.show_iso_deliverable, VIEWER),
    Route("GET", f"{ISO}/reviews", iso.list_iso_reviews, VIEWER),
    Route("GET", f"{ISO}/overrides", iso.list_iso_overrides, VIEWER),
    Route("GET", f"{ISO}/derates", iso.list_iso_derates, VIEWER),
    Route("GET", f"{ISO}/dispatches", iso.list_iso_dispatches, VIEWER),
    Route("POST", f"{ISO}/dispatches", iso.hand_in_dispatches, OPERATOR, status=201, kept_apart=("dispatches",)),
)
