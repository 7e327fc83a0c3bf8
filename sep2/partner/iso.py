"""What system operators look at and hand in: aggregations of their markets, overrides, derates, awards and dispatch."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.operations.alarms import set_alarms
from sep2.operations.issuing import limits_of
from sep2.operations.market import aggregations, ders, dispatches, override_notices, reviews, system_operators
from sep2.operations.market.dispatches import House
from sep2.operations.overrides import state_of
from sep2.partner import deliverable_types as d
from sep2.partner import deliverables, own
from sep2.partner import iso_types as t
from sep2.partner.common import written
from sep2.rest.route import Request, listed, page
from sep2.rest.types import Listed, Nothing, Span
from sep2.rules.events import shows_at_once
from sep2.rules.market.dispatching import instruction_faults
from sep2.rules.market.faults import refuse
from sep2.rules.market.shares import factors_in_use
from sep2.store.market import dispatches as stored_dispatches
from sep2.store.market import outages, register
from sep2.store.market import overrides as stored_overrides
from sep2.store.market import reviews as stored_reviews
from sep2.store.market.facts import AsOf


async def list_iso_aggregations(rq: Request, asked: Span) -> Listed[t.IsoAggregation]:
    """Aggregations of your markets that were handed in, by name, with their distribution factors."""
    party = await own.party_row(rq)
    found = await register.aggregations_listed(
        rq.db,
        AsOf(rq.now),
        page(asked),
        markets=system_operators.markets_of(party),
        statuses=system_operators.SEEN,
        is_test=party.is_test,
    )
    return listed(found, await _aggregations(rq, found.rows))


async def show_iso_aggregation(rq: Request, asked: Nothing) -> t.IsoAggregation:
    """One aggregation of your markets."""
    (found,) = await _aggregations(rq, [await _seen(rq)])
    return found


async def register_iso_resource(rq: Request, asked: t.Registration) -> t.IsoAggregation:
    """The aggregation under the id that you give it: it is active from now on, where it was approved."""
    said, own_profiles = {"iso_resource_id": asked.iso_resource_id}, rq.state.settings.market.profiles
    await aggregations.set_aggregation(rq.db, await _seen(rq), said, own=own_profiles, written=written(rq))
    return await show_iso_aggregation(rq, Nothing())


async def list_iso_members(rq: Request, asked: Nothing) -> t.IsoMembers:
    """The effective members whose customers agreed that you see them, and how many others there are."""
    row, time = await _seen(rq), AsOf(rq.now)
    members = await register.effective_of(rq.db, [row.id], time)
    agreed = await system_operators.disclosed(rq.db, {one.component_der_id for one in members}, time)
    facts = {one.id: ders.said_of(one) for one in await register.entries(rq.db, "der", agreed, time)}
    shown = [one for one in members if one.component_der_id in facts]
    return t.IsoMembers(
        members=[_member(one, facts[one.component_der_id]) for one in shown], not_disclosed=len(members) - len(shown)
    )


async def show_iso_deliverable(rq: Request, asked: t.IsoDeliverableQuery) -> d.Deliverables:
    """What the network lets an aggregation's members do at each of your nodes, as it was published last."""
    found = await deliverables.answer(rq, await _seen(rq), asked)
    return msgspec.structs.replace(found, details={})


async def list_iso_reviews(rq: Request, asked: Span) -> Listed[t.IsoReview]:
    """The utility's reviews of aggregations of your markets, the newest first, and what came of them."""
    numbers = await _numbers(rq)
    found = await stored_reviews.listed(rq.db, page(asked), aggregation_ids=numbers)
    pauses = await stored_reviews.pauses(rq.db, [row.id for row in found.rows])
    decided: dict[int, Counter[str]] = {row.id: Counter() for row in found.rows}
    for one in await stored_reviews.ders(rq.db, list(decided)):
        if one.outcome:
            decided[one.review_id][one.outcome] += 1
    return listed(found, [_review(row, pauses, decided[row.id], rq.now) for row in found.rows])


async def list_iso_overrides(rq: Request, asked: t.IsoOverrideQuery) -> Listed[t.IsoOverride]:
    """Overrides of aggregations of your markets, the newest first, and their release."""
    party = await own.party_row(rq)
    which = stored_overrides.Which(
        live_at=None if asked.over else rq.now, markets=system_operators.markets_of(party), is_test=party.is_test
    )
    found = await stored_overrides.listed(rq.db, which, page(asked))
    known = await register.entries(rq.db, "aggregation", {row.aggregation_id for row in found.rows}, AsOf(rq.now))
    by_id = {row.id: row for row in known}
    return listed(found, [_override(row, by_id.get(row.aggregation_id), rq.now) for row in found.rows])


async def list_iso_derates(rq: Request, asked: t.DerateQuery) -> Listed[t.Derate]:
    """What aggregations of your markets can not do, as their parties say, the latest first."""
    numbers, time = await _numbers(rq), AsOf(rq.now)
    members = await register.effective_of(rq.db, numbers, time)
    of_der = {one.component_der_id: one.aggregation_name for one in members}
    start = rq.now if asked.start is None else asked.start
    found = await outages.of_these(rq.db, page(asked), der_ids=of_der, aggregation_ids=numbers, start=start)
    said = {row.component_der_id for row in found.rows if row.component_der_id is not None}
    agreed = await system_operators.disclosed(rq.db, said, time)
    return listed(found, [_derate(row, of_der, agreed) for row in found.rows])


async def list_iso_dispatches(rq: Request, asked: t.IsoDispatchQuery) -> Listed[t.IsoDispatch]:
    """Awards and dispatch of aggregations of your markets as the utility has them, the latest first."""
    numbers = await _numbers(rq)
    which = stored_dispatches.Which(None, asked.start, asked.end, asked.every, aggregation_ids=numbers)
    found = await stored_dispatches.listed(rq.db, which, page(asked))
    return listed(found, await _dispatches(rq, found.rows))


async def hand_in_dispatches(rq: Request, asked: t.IsoDispatches) -> t.IsoTaken:
    """Your instructions as the utility has them, compared with what holds; all of them are taken, or none."""
    refuse(
        [
            fault._replace(path=f"dispatches[{n}].{fault.path}")
            for n, one in enumerate(asked.dispatches)
            for fault in instruction_faults(one)
        ]
    )
    numbers, settings = await _numbers(rq), rq.state.settings
    house = House(settings.market.profiles, shows_at_once(settings.utility.profile))
    party = await own.party_row(rq)
    found = await dispatches.take_in(
        rq.db, asked.dispatches, f"market API: {party.name}"[:80], house, written=written(rq), only=numbers
    )
    for code, wanted in (await dispatches.alarms(rq.db, rq.now)).items():
        await set_alarms(rq.db, code, wanted, rq.now)
    rows = [await dispatches.find(rq.db, str(number)) for number in found.numbers]
    return t.IsoTaken(added=await _dispatches(rq, rows), known=found.known)


async def _seen(rq: Request) -> Row[Any]:
    return await system_operators.find(rq.db, await own.party_row(rq), rq.ids["aggregation"], AsOf(rq.now))


async def _numbers(rq: Request) -> list[int]:
    return [row.id for row in await system_operators.all_seen(rq.db, await own.party_row(rq), AsOf(rq.now))]


async def _aggregations(rq: Request, rows: Sequence[Row[Any]]) -> list[t.IsoAggregation]:
    members, watts = await system_operators.effective(rq.db, [row.id for row in rows], AsOf(rq.now))
    same = ("profile", "model", "iso_resource_id", "iso_nodes", "services", "inject_w", "reduce_w")
    return [
        t.IsoAggregation(
            name=row.name,
            party=row.party_name,
            status=aggregations.status_of(row.status, said, members[row.id]),
            members=len(members[row.id]),
            distribution_ppm=used.ppm,
            distribution_by=used.split_by,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            **{name: getattr(said, name) for name in same},
        )
        for row in rows
        for said in [aggregations.said_of(row)]
        for used in [factors_in_use(said.declared_factors_ppm, system_operators.node_weights(members[row.id], watts))]
    ]


def _member(row: Row[Any], said: Any) -> t.IsoMember:
    of_der = {name: getattr(said, name) for name in ("device_type", "max_gen_w", "max_load_w")}
    names = ("share_ppm", "iso_node", "valid_from", "valid_to")
    return t.IsoMember(der=row.der_name, **of_der, **{name: getattr(row, name) for name in names})


def _review(row: Row[Any], pauses: Any, outcomes: Counter[str], now: int) -> t.IsoReview:
    names = ("id", "kind", "state", "submitted_at", "decided_at")
    return t.IsoReview(
        aggregation=row.aggregation_name,
        due_at=reviews.standing(row, pauses, now).due_at,
        outcomes=dict(outcomes),
        **{name: getattr(row, name) for name in names},
    )


def _override(row: Row[Any], known: Row[Any] | None, now: int) -> t.IsoOverride:
    said = None if known is None else aggregations.said_of(known)
    names = ("start", "end", "reason", "created", "released")
    return t.IsoOverride(
        id=row.override_id,
        aggregation=row.aggregation_name,
        iso_resource_id="" if said is None else said.iso_resource_id,
        iso_nodes=[] if said is None else said.iso_nodes,
        notice=row.notice_class,
        state=state_of(row, now),
        limits={name: watts for name, watts in limits_of(row)._asdict().items() if watts is not None},
        lost_wh=override_notices.effect_of(row).lost_wh,
        **{name: getattr(row, name) for name in names},
    )


def _derate(row: Row[Any], of_der: dict[int, str], agreed: set[int]) -> t.Derate:
    is_shown = row.component_der_id in agreed
    names = ("id", "start", "end", "available_w", "planned")
    return t.Derate(
        aggregation=row.aggregation_name or of_der.get(row.component_der_id, ""),
        der=(row.der_name or "") if is_shown else "",
        cause=row.cause if is_shown or row.component_der_id is None else "",
        **{name: getattr(row, name) for name in names},
    )


async def _dispatches(rq: Request, rows: Sequence[Row[Any]]) -> list[t.IsoDispatch]:
    parts = await stored_dispatches.shares_by_dispatch(rq.db, [row.id for row in rows])
    own_names = {"aggregation", "deliverable_w", "beyond_limit", "is_late", "split_by"}
    same = set(t.IsoDispatch.__struct_fields__) - own_names
    return [
        t.IsoDispatch(
            aggregation=row.aggregation_name,
            is_late=bool(row.is_late),
            deliverable_w=dispatches.deliverable_w(said),
            split_by=dispatches.split_by(said),
            beyond_limit=sum(bool(one.cause) for one in parts[row.id]),
            **{name: getattr(row, name) for name in same},
        )
        for row in rows
        for said in [[dispatches.part_of(one) for one in parts[row.id]]]
    ]
